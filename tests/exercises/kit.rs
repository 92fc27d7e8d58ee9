//! What the checks share.

use std::fmt::{Debug, Display};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use ninestep::{Channel, ClientStub, Procedures, Result, Server, StopHandle, Strategy};

/// An exercise: its number in the book, its folder, what it is about, and its two checks.
pub(crate) struct Exercise {
    pub(crate) number: &'static str,
    pub(crate) folder: &'static str,
    pub(crate) title: &'static str,
    pub(crate) starter: fn() -> Check,
    pub(crate) solution: fn() -> Check,
}

impl Exercise {
    /// The path of one of its files, from the repository's root.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("tests/exercises/{}/{name}", self.folder)
    }
}

pub(crate) type Check = Result<(), Red>;

/// What the answer does, and what it should do instead.
#[derive(Debug)]
pub(crate) struct Red(pub(crate) String);

impl<E: Display> From<E> for Red {
    fn from(error: E) -> Red {
        Red(error.to_string())
    }
}

/// Fails, with what should be so, if it is not.
pub(crate) fn ensure(holds: bool, what: impl Display) -> Check {
    if holds { Ok(()) } else { Err(Red(what.to_string())) }
}

/// Fails if the answer gives something else than it should.
pub(crate) fn equal<T: PartialEq + Debug>(what: &str, got: T, wanted: T) -> Check {
    ensure(got == wanted, format!("{what} is {got:?}\nand should be {wanted:?}"))
}

/// A stub for a server of these procedures, which ends with the stub.
pub(crate) fn call(procedures: Procedures) -> Result<ClientStub> {
    let (channel, connection) = Channel::in_memory()?;
    thread::spawn(move || Server::new(procedures).serve(connection));
    ClientStub::new(&channel)
}

/// A server on loopback, which is told to stop when this is dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: StopHandle,
}

impl Running {
    pub(crate) fn start(
        procedures: Procedures,
        strategy: impl Strategy + 'static,
    ) -> Result<Running> {
        let server = Server::new(procedures).bind("127.0.0.1:0")?;
        let (address, stop) = (server.local_addr(), server.stop_handle());
        thread::spawn(move || server.run(&strategy));
        Ok(Running { address, stop })
    }

    pub(crate) fn connect(&self) -> Result<ClientStub> {
        ClientStub::new(&Channel::new(self.address))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.stop();
    }
}

/// A listener whose queue is full, with the connections that fill it: whoever connects now waits.
pub(crate) fn nobody_accepts() -> io::Result<(TcpListener, Vec<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    rustix::net::listen(&listener, 0)?;
    let (address, mut waiting) = (listener.local_addr()?, Vec::new());
    while waiting.len() < 16 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            Ok(stream) => waiting.push(stream),
            Err(_) => return Ok((listener, waiting)),
        }
    }
    Err(io::Error::other("the queue of a listener is never full here"))
}
