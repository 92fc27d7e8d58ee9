//! Chapter 11: a parent that forgets to close the connection that its child has, and to reap.

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Read, Write, stdin};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, abort};
use std::time::Duration;

/// Starts this experiment again, as a child that aborts when its client says something.
fn start_child(connection: OwnedFd) -> io::Result<Child> {
    Command::new(env::current_exe()?).args(["11", "child"]).stdin(connection).spawn()
}

// ANCHOR: forget
fn careless_parent() -> crate::Result {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let (accepted, _) = listener.accept()?;
    let mut child = start_child(accepted.try_clone()?.into())?;
    client.set_read_timeout(Some(Duration::from_millis(200)))?;
    client.write_all(b"hello")?;

    println!("  the client hears: {}", hear(&mut client));
    println!("  the child is {}", state_of(child.id())?);
    drop(accepted);
    println!("  the parent closes its copy, and the client hears: {}", hear(&mut client));
    child.wait()?;
    println!("  the parent reaps, and the child is {}", state_of(child.id())?);
    Ok(())
}
// ANCHOR_END: forget

fn hear(client: &mut TcpStream) -> String {
    match client.read(&mut [0]) {
        Ok(0) => "the end of the connection".to_owned(),
        Err(error) if error.kind() == ErrorKind::WouldBlock => "nothing".to_owned(),
        other => format!("{other:?}"),
    }
}

fn state_of(pid: u32) -> io::Result<&'static str> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) if stat.contains(") Z ") => {
            Ok("a zombie: dead, and still in the table of processes")
        }
        Ok(_) => Ok("alive"),
        Err(_) => Ok("gone"),
    }
}

pub(crate) fn run() -> crate::Result {
    if env::args().nth(2).is_some() {
        stdin().read_exact(&mut [0])?;
        abort();
    }
    println!("A child serves the connection, and aborts. The parent forgets two things:");
    careless_parent()
}
