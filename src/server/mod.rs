//! The server: procedures, limits and a strategy.
//!
//! The entry points nest, and each can be used alone: [`BoundServer::run`] accepts connections
//! and lets a strategy hand each to [`Server::serve`]; that makes a
//! [`ServerStub`] and calls its `process` for every message; and that calls a
//! procedure.

mod incoming;
mod strategy;

mod single;
mod thread;
mod thread_pool;

mod child;
mod fork;
mod process_pool;
mod spawn;
mod worker;

use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::sync::Arc;
#[cfg(feature = "http2")]
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use rustix::net::{SendFlags, send};

#[cfg(feature = "compare")]
pub(crate) use child::MARK as CHILD_MARK;
pub use fork::ForkPerConnection;
pub(crate) use incoming::Place;
pub use incoming::{Incoming, Next};
pub use process_pool::ProcessPool;
pub use single::SingleThreaded;
pub use spawn::SpawnPerConnection;
pub use strategy::Strategy;
pub use thread::ThreadPerConnection;
pub use thread_pool::ThreadPool;

use crate::error::{Error, Result};
use crate::procedure::Procedures;
use crate::protocol::Protocol;
use crate::protocol::native::Native;
use crate::server_stub::{ServerStub, Spare};
use crate::steps::{Observer, Steps};
use crate::transport::{Connection, NO_SIGNAL, lifeline, tcp};

/// Procedures, and how they are offered. It does nothing until it is bound to an address, or
/// given a connection to serve.
///
/// ```
/// use ninestep::{Channel, ClientStub, Procedures, Server, ThreadPerConnection};
///
/// let procedures = Procedures::new().on("shout", |text: String| text.to_uppercase());
/// let server = Server::new(procedures).bind("127.0.0.1:0")?;
/// let (address, stop) = (server.local_addr(), server.stop_handle());
/// let serving = std::thread::spawn(move || server.run(&ThreadPerConnection::default()));
///
/// let stub = ClientStub::new(&Channel::new(address))?;
/// assert_eq!(stub.call::<String>("shout", ("hello",))?, "HELLO");
/// stop.stop();
/// serving.join().expect("the server does not panic")?;
/// # Ok::<(), ninestep::Error>(())
/// ```
pub struct Server {
    pub(crate) procedures: Procedures,
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) limits: Limits,
    pub(crate) steps: Steps,
    pub(crate) spare: Spare,
    /// How many threads run slow calls beside those that serve connections.
    #[cfg(feature = "http2")]
    pub(crate) helpers: AtomicUsize,
}

// ANCHOR: limits
/// How long a server waits for a peer. What a message may hold is its protocol's to limit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From connect to the end of the first message: 10 s.
    pub first_message: Duration,
    /// From a message's first byte to its last: 20 s.
    pub message: Duration,
    /// From one message to the next: 75 s, nginx's keep-alive.
    pub idle: Duration,
    /// For a peer to take a reply: 20 s.
    pub write: Duration,
    /// For a child process to finish after a stop: 10 s; then it is killed. A thread cannot be
    /// killed: the server waits for it. After a stop it is also the time for a peer to take a reply.
    pub drain: Duration,
}
// ANCHOR_END: limits

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            first_message: Duration::from_secs(10),
            message: Duration::from_secs(20),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(20),
            drain: Duration::from_secs(10),
        }
    }
}

impl Server {
    /// A server of these procedures on the native wire, with default limits.
    pub fn new(procedures: Procedures) -> Server {
        Server {
            procedures,
            protocol: Arc::new(Native::default()),
            limits: Limits::default(),
            steps: Steps::default(),
            spare: Spare::default(),
            #[cfg(feature = "http2")]
            helpers: AtomicUsize::new(0),
        }
    }

    /// Speaks this protocol, which brings its own limits on messages.
    pub fn protocol(self, protocol: impl Protocol + 'static) -> Server {
        Server { protocol: Arc::new(protocol), ..self }
    }

    /// Waits as long as these limits say.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ninestep::{Limits, Procedures, Server};
    ///
    /// let limits = Limits { idle: Duration::from_secs(300), ..Limits::default() };
    /// let server = Server::new(Procedures::new()).limits(limits);
    /// ```
    pub fn limits(self, limits: Limits) -> Server {
        Server { limits, ..self }
    }

    /// Tells steps 4 to 7 of every call to `observer`.
    pub fn observer(self, observer: Arc<dyn Observer>) -> Server {
        Server { steps: Steps { observer: Some(observer) }, ..self }
    }

    /// The first thing in the `main` of a program that uses [`SpawnPerConnection`] or
    /// [`ProcessPool`]: in a child process that the strategy started, this serves what the parent
    /// hands over and ends the process; anywhere else it does nothing.
    ///
    /// # Errors
    /// This process was started as a child, but has no parent to take a connection from.
    pub fn serve_if_child(&self) -> Result<()> {
        child::serve_if_child(self)
    }

    /// Listens on an address; with port 0 the operating system chooses a free one.
    ///
    /// # Errors
    /// The address cannot be bound; or this process is a spawned child, which must not listen.
    pub fn bind(self, address: impl ToSocketAddrs) -> Result<BoundServer> {
        child::refuse_to_listen()?;
        let failed = |error| Error::transport("finding the address to listen on", error);
        let addresses: Vec<SocketAddr> = address.to_socket_addrs().map_err(failed)?.collect();
        let failed = |error| Error::transport(format!("listening on {}", join(&addresses)), error);
        let listener = tcp::listen(&addresses).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (holder, lifeline) = lifeline()?;
        let incoming = Incoming::from_listener(listener, lifeline, self.limits.drain)?;
        Ok(BoundServer { server: self, address, incoming, stop: StopHandle(Arc::new(holder)) })
    }

    /// Serves one connection to its end, on this thread.
    pub fn serve(&self, connection: Connection) {
        ServerStub::new(self, connection).serve();
    }
}

fn join(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" or ")
}

/// A server that listens. Connections wait in the kernel until [`BoundServer::run`] accepts them.
pub struct BoundServer {
    server: Server,
    address: SocketAddr,
    incoming: Incoming,
    stop: StopHandle,
}

impl BoundServer {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// What stops it, from any thread.
    pub fn stop_handle(&self) -> StopHandle {
        self.stop.clone()
    }

    /// Serves until it is told to stop; every call that was read by then is answered before this
    /// returns, if its client takes the reply and, in a child process, if it ends in
    /// [`Limits::drain`].
    ///
    /// # Errors
    /// The strategy cannot run in this process. What happens to single connections never ends
    /// the server.
    pub fn run(mut self, strategy: &dyn Strategy) -> Result<()> {
        let server = &self.server;
        strategy.run(&mut self.incoming, &|connection| server.serve(connection))
    }
}

/// Stops a server. Clones stop the same one.
///
/// ```
/// use ninestep::{Procedures, Server, SingleThreaded};
///
/// let server = Server::new(Procedures::new()).bind("127.0.0.1:0")?;
/// server.stop_handle().stop();
/// server.run(&SingleThreaded)?; // It returns at once.
/// # Ok::<(), ninestep::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct StopHandle(Arc<OwnedFd>);

impl StopHandle {
    /// Tells the server to accept nothing more, to answer what it has read, and to return.
    ///
    /// It may be called at any time, from any thread and more than once, and does not block.
    pub fn stop(&self) {
        // One byte that nobody reads. It can only fail if it was written often enough before.
        let _ = send(&self.0, b"!", SendFlags::DONTWAIT | NO_SIGNAL);
    }
}
