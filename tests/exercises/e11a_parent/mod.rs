//! The check of exercise 11a.

mod solution;
mod starter;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::kit::{Check, Exercise, Red, ensure};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "11a",
    folder: "e11a_parent",
    title: "a parent that closes and reaps",
    starter: || {
        let mut parent = starter::Parent::new(child());
        check(&mut |connection| parent.serve(connection))
    },
    solution: || {
        let mut parent = solution::Parent::new(child());
        check(&mut |connection| parent.serve(connection))
    },
};

const MOMENT: Duration = Duration::from_secs(3);

/// A child that ends when its client has said a line.
fn child() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "read line"]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn check(serve: &mut dyn FnMut(TcpStream) -> io::Result<u32>) -> Check {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // The first client says nothing until the others have been served.
    let mut connect = || {
        let client = TcpStream::connect(listener.local_addr()?)?;
        client.set_read_timeout(Some(MOMENT))?;
        let start = Instant::now();
        let child = serve(listener.accept()?.0)?;
        ensure(start.elapsed() < MOMENT, "the parent waits for a child before it returns")?;
        Ok::<_, Red>((client, child))
    };
    let clients = [connect()?, connect()?, connect()?];
    for (mut client, child) in clients.into_iter().rev() {
        client.write_all(b"goodbye\n")?;
        let heard = client.read(&mut [0]);
        let nothing = matches!(&heard, Err(error) if error.kind() == ErrorKind::WouldBlock);
        ensure(!nothing, "a child is dead, and its client does not hear the end")?;
        ensure(is_reaped(child)?, "a child is dead, and still a zombie")?;
    }
    Ok(())
}

/// Whether a process that ends is reaped in a moment. This only looks, and reaps nothing.
fn is_reaped(child: u32) -> Result<bool, Red> {
    let pid = Pid::from_raw(child.cast_signed()).ok_or("a child has no number")?;
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let end = Instant::now() + MOMENT;
    while Instant::now() < end {
        match waitid(WaitId::Pid(pid), look) {
            Err(Errno::CHILD) => return Ok(true),
            _ => thread::park_timeout(Duration::from_millis(2)),
        }
    }
    Ok(false)
}
