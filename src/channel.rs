//! The channel: where the server is, and how it is spoken to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::pending::Deadline;
use crate::protocol::Protocol;
use crate::protocol::native::Native;
use crate::steps::{Observer, Steps};
use crate::transport::{Connection, memory, tcp};

/// Where to connect to and how; [`ClientStub::new`](crate::ClientStub::new) takes one.
///
/// ```
/// use std::time::Duration;
/// use ninestep::Channel;
///
/// let channel = Channel::new("127.0.0.1:9000").connect_timeout(Duration::from_secs(1));
/// # let _ = channel;
/// ```
// ANCHOR: channel
pub struct Channel {
    dial: Dial,
    #[cfg(feature = "http")]
    pub(crate) path: Option<String>,
    pub(crate) call_timeout: Option<Duration>,
    pub(crate) protocol: Arc<dyn Protocol>,
    pub(crate) steps: Steps,
}
// ANCHOR_END: channel

/// How to connect. Clones connect to the same server.
#[derive(Clone)]
pub(crate) struct Dial {
    place: Arc<Place>,
    connect_timeout: Duration,
}

enum Place {
    Tcp(String),
    /// The client's end of a pair, until somebody connects.
    Memory(Mutex<Option<Connection>>),
}

impl Channel {
    /// A channel over TCP to an address like `127.0.0.1:9000` or `localhost:9000`. Nothing
    /// happens yet.
    pub fn new(address: impl ToString) -> Channel {
        Channel::at(Place::Tcp(address.to_string()))
    }

    /// A channel inside this machine's memory, and the server's end of it, for
    /// [`Server::serve`](crate::Server::serve). It can be connected once.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn in_memory() -> Result<(Channel, Connection)> {
        let (client, server) = memory::pair()?;
        Ok((Channel::at(Place::Memory(Mutex::new(Some(client)))), server))
    }

    fn at(place: Place) -> Channel {
        Channel {
            dial: Dial { place: Arc::new(place), connect_timeout: Duration::from_secs(10) },
            #[cfg(feature = "http")]
            path: None,
            call_timeout: None,
            protocol: Arc::new(Native::default()),
            steps: Steps::default(),
        }
    }

    /// Speaks this protocol instead of the native one.
    pub fn protocol(self, protocol: impl Protocol + 'static) -> Channel {
        Channel { protocol: Arc::new(protocol), ..self }
    }

    /// Posts to this path instead of the protocol's own, where the protocol runs over HTTP.
    #[cfg(feature = "http")]
    pub fn path(self, path: impl Into<String>) -> Channel {
        Channel { path: Some(path.into()), ..self }
    }

    /// Waits this long for a connection: 10 s unless told otherwise.
    pub fn connect_timeout(self, timeout: Duration) -> Channel {
        Channel { dial: Dial { connect_timeout: timeout, ..self.dial }, ..self }
    }

    /// Waits this long for every reply, and tells the server so if the protocol can; for ever
    /// unless told otherwise.
    pub fn call_timeout(self, timeout: Duration) -> Channel {
        Channel { call_timeout: Some(timeout), ..self }
    }

    /// Tells steps 1 to 3, 8 and 9 of every call to `observer`.
    pub fn observer(self, observer: Arc<dyn Observer>) -> Channel {
        Channel { steps: Steps { observer: Some(observer) }, ..self }
    }

    /// Connects. What goes over the bare connection is up to the caller.
    ///
    /// # Errors
    /// [`Error::Connect`] if nobody answers in time; [`Error::Closed`] if an in-memory channel
    /// was connected before.
    pub fn connect(&self) -> Result<Connection> {
        self.dial.connect(None)
    }

    /// For whoever connects again.
    #[cfg(feature = "http")]
    pub(crate) fn dial(&self) -> Dial {
        self.dial.clone()
    }
}

impl Dial {
    /// Connects; a call that needs the connection waits no longer than until its deadline.
    pub(crate) fn connect(&self, deadline: Deadline) -> Result<Connection> {
        match &*self.place {
            Place::Tcp(address) => {
                let left = deadline.map(|(end, _)| end.saturating_duration_since(Instant::now()));
                tcp::connect(address, self.connect_timeout.min(left.unwrap_or(Duration::MAX)))
            }
            Place::Memory(end) => {
                let mut end = end.lock().unwrap_or_else(PoisonError::into_inner);
                end.take().ok_or(Error::Closed { sent: false })
            }
        }
    }

    /// The server's name, as HTTP wants to have it repeated.
    #[cfg(feature = "http")]
    pub(crate) fn host(&self) -> &str {
        match &*self.place {
            Place::Tcp(address) => address,
            Place::Memory(_) => "localhost",
        }
    }
}
