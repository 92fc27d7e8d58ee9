//! Chapter 6: a procedure that nobody has, and one that panics, with and without a server stub.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::panic;
use std::thread;

use ninestep::{Channel, ClientStub, Procedures, Result, Server};

/// An ordinary procedure with an ordinary bug: it does not expect a zero.
fn divide(a: i64, b: i64) -> i64 {
    a / b
}

// ANCHOR: bare
/// A dispatcher as one writes it first: a line has a name and two numbers, and so has the answer.
fn bare_server(listener: &TcpListener) -> io::Result<()> {
    let procedures = HashMap::from([("divide", divide)]);
    let (mut stream, _) = listener.accept()?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        let mut words = line.split(' ');
        let mut next = || words.next().unwrap();
        let (procedure, a, b) = (procedures[next()], next(), next());
        let result = procedure(a.parse().unwrap(), b.parse().unwrap());
        writeln!(stream, "{result}")?;
    }
    Ok(())
}
// ANCHOR_END: bare

fn ask_bare(mut stream: TcpStream, name: &str, a: i64, b: i64) -> io::Result<String> {
    writeln!(stream, "{name} {a} {b}")?;
    let answer = BufReader::new(stream).lines().next();
    Ok(answer.and_then(io::Result::ok).unwrap_or_else(|| "the connection is closed".to_owned()))
}

const CALLS: [(&str, i64, i64); 3] = [("divide", 10, 4), ("devide", 10, 4), ("divide", 10, 0)];

fn bare() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    for (name, a, b) in CALLS {
        // Each call has a server of its own, or the second would find nobody.
        thread::scope(|scope| {
            let server = scope.spawn(|| bare_server(&listener));
            let stream = TcpStream::connect(listener.local_addr()?)?;
            println!("  {name}({a}, {b}): {}", ask_bare(stream, name, a, b)?);
            println!("    the server's thread has panicked: {}", server.join().is_err());
            Ok::<(), io::Error>(())
        })?;
    }
    Ok(())
}

fn with_a_stub() -> Result<()> {
    let server = Server::new(Procedures::new().on("divide", divide));
    let (channel, connection) = Channel::in_memory()?;
    let serving = thread::spawn(move || server.serve(connection));
    let stub = ClientStub::new(&channel)?;
    for (name, a, b) in CALLS.into_iter().chain([CALLS[0]]) {
        let outcome = stub.call::<i64>(name, (a, b));
        println!(
            "  {name}({a}, {b}): {}",
            outcome.map_or_else(|e| e.to_string(), |n| n.to_string())
        );
    }
    drop(stub);
    println!("    the server's thread has panicked: {}", serving.join().is_err());
    Ok(())
}

pub(crate) fn run() -> crate::Result {
    // What the panics say is not part of the experiment.
    panic::set_hook(Box::new(|_| {}));
    println!("A server without a stub:");
    bare()?;
    println!("The same procedure behind a server stub, on one connection:");
    Ok(with_a_stub()?)
}
