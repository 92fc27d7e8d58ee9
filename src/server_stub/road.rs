//! How messages come out of the bytes that come, and how answers become bytes that go.

use std::ops::Range;
use std::time::Instant;

use super::calls::Caller;
use crate::error::ProtocolError;
use crate::message::Fault;
#[cfg(feature = "http")]
use crate::protocol::http::{Http, Version};
use crate::protocol::{Answer, AnyFinder, Finder, Framing, Message, Protocol, Side, Transport};
#[cfg(feature = "http")]
use crate::transport::http::HttpServer;
#[cfg(feature = "http2")]
use crate::transport::http2::Http2Server;
use crate::transport::{Found, ReadBuffer};

/// The road that a protocol's messages take.
pub(super) enum Road<'a> {
    /// A stream of bytes: a message is a piece of the input.
    Stream(AnyFinder, &'a dyn Framing),
    /// HTTP, which takes the input in and keeps the message until it is answered.
    #[cfg(feature = "http")]
    Http(Box<HttpServer>, &'a Http),
    /// HTTP/2, which may have several requests. One of them is the message.
    #[cfg(feature = "http2")]
    Http2(Box<Http2Server>, &'a Http),
}

impl<'a> Road<'a> {
    pub(super) fn new(protocol: &'a dyn Protocol) -> Road<'a> {
        match protocol.transport() {
            Transport::Stream(framing) => Road::Stream(framing.finder(Side::Server), framing),
            #[cfg(feature = "http")]
            Transport::Http(http) => Road::over_http(http),
        }
    }

    // Inlined, what is made here would be part of the stack frame of every connection.
    #[cfg(feature = "http")]
    #[inline(never)]
    fn over_http(http: &'a Http) -> Road<'a> {
        match http.version {
            Version::Http1 => Road::Http(Box::new(HttpServer::new(http)), http),
            #[cfg(feature = "http2")]
            Version::Http2 => Road::Http2(Box::new(Http2Server::new()), http),
        }
    }

    /// Looks for a whole message in what came. What must be sent before there is one, the caller
    /// gets.
    pub(super) fn find(
        &mut self,
        input: &mut ReadBuffer,
        caller: &mut Caller<'_>,
    ) -> Result<Found, ProtocolError> {
        match self {
            Road::Stream(finder, _) => Ok(match input.find(finder, &caller.server.steps)? {
                Some(place) => {
                    let alone = place.end == input.unread().len();
                    caller.received = (!alone).then(Instant::now);
                    Found::Message(place)
                }
                None => Found::Nothing,
            }),
            #[cfg(feature = "http")]
            _ => self.take_in(input, caller),
        }
    }

    // Inlined, this would be part of the stack frame of every connection; as below.
    #[cfg(feature = "http")]
    #[inline(never)]
    fn take_in(
        &mut self,
        input: &mut ReadBuffer,
        caller: &mut Caller<'_>,
    ) -> Result<Found, ProtocolError> {
        caller.received = None;
        match self {
            Road::Stream(..) => Ok(Found::Nothing),
            Road::Http(server, http) => server.take_in(http, input, &mut caller.output),
            #[cfg(feature = "http2")]
            Road::Http2(server, http) => {
                server.take_in(http, input, &mut caller.output)?;
                Ok(server.choose_next())
            }
        }
    }

    /// The message at its place.
    pub(super) fn message<'m>(
        &'m self,
        input: &'m ReadBuffer,
        place: &Range<usize>,
    ) -> Message<'m> {
        match self {
            Road::Stream(..) => input.message(place),
            #[cfg(feature = "http")]
            Road::Http(server, _) => server.message(),
            #[cfg(feature = "http2")]
            Road::Http2(server, _) => server.message(),
        }
    }

    /// Hands the answer to the caller, to be sent; and looks for the next message in what came
    /// already.
    pub(super) fn answer(
        &mut self,
        input: &mut ReadBuffer,
        place: Range<usize>,
        answered: Result<(), ProtocolError>,
        answer: &mut Answer,
        caller: &mut Caller<'_>,
    ) -> Result<Found, ProtocolError> {
        match self {
            Road::Stream(finder, _) => {
                caller.collect(&mut answer.bytes);
                input.consume(place.end);
                answered?;
                match input.unread() {
                    [] => Ok(Found::Nothing),
                    rest => Ok(finder.find(rest)?.map_or(Found::Nothing, Found::Message)),
                }
            }
            #[cfg(feature = "http")]
            _ => self.respond(answered, answer, caller),
        }
    }

    #[cfg(feature = "http")]
    #[inline(never)]
    fn respond(
        &mut self,
        answered: Result<(), ProtocolError>,
        answer: &mut Answer,
        caller: &mut Caller<'_>,
    ) -> Result<Found, ProtocolError> {
        match self {
            Road::Stream(..) => Ok(Found::Nothing),
            Road::Http(server, http) => {
                // The client of a server that stops is told not to send the next request.
                let last = caller.is_told_to_stop();
                server.answer(http, answered, answer, last, &mut caller.output)
            }
            #[cfg(feature = "http2")]
            Road::Http2(server, http) => {
                server.answer_chosen(http, answered, answer);
                server.work(http, &mut caller.output)?;
                Ok(server.choose_next())
            }
        }
    }

    /// How much came of a message whose rest is missing, in bytes.
    pub(super) fn torn(&self, input: &ReadBuffer) -> usize {
        match self {
            Road::Stream(..) => input.came(),
            #[cfg(feature = "http")]
            Road::Http(server, _) => server.torn(),
            #[cfg(feature = "http2")]
            Road::Http2(server, ..) => server.torn(input),
        }
    }

    /// Gives memory back that only a large message needed.
    pub(super) fn shrink(&mut self, input: &mut ReadBuffer) {
        input.shrink();
        match self {
            Road::Stream(..) => {}
            #[cfg(feature = "http")]
            Road::Http(server, _) => server.shrink(),
            #[cfg(feature = "http2")]
            Road::Http2(server, ..) => server.shrink(),
        }
    }

    /// Whether no message can come any more, whatever the client sends.
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Road::Stream(..) => false,
            #[cfg(feature = "http")]
            Road::Http(server, _) => server.is_finished(),
            #[cfg(feature = "http2")]
            Road::Http2(server, ..) => server.is_finished(),
        }
    }

    /// Whether an answer tells the client if the connection is closed after it. Just after one that
    /// did not, when the next request may be on its way, it is not closed without a word.
    pub(super) fn tells_of_stop(&self) -> bool {
        match self {
            #[cfg(feature = "http")]
            Road::Http(..) => true,
            _ => false,
        }
    }

    /// What is said to a client before its connection is closed on it.
    pub(super) fn last_words(&mut self, why: Why<'_>, out: &mut Vec<u8>) {
        match self {
            Road::Stream(_, framing) => framing.last_words(&why.fault(), out),
            #[cfg(feature = "http")]
            Road::Http(server, _) => match why {
                Why::Broken(ProtocolError::TooSlow(_)) => server.too_slow(&why.fault(), out),
                _ => server.last_words(&why.fault(), out),
            },
            #[cfg(feature = "http2")]
            Road::Http2(server, ..) => server.last_words(&why.fault(), out),
        }
    }

    /// What is said to a client when the server stops: the highest id that it answered.
    pub(super) fn bye(&mut self, last: u32, out: &mut Vec<u8>) {
        match self {
            Road::Stream(_, framing) => framing.bye(last, out),
            #[cfg(feature = "http")]
            Road::Http(server, _) => server.bye(out),
            #[cfg(feature = "http2")]
            Road::Http2(server, ..) => server.bye(out),
        }
    }
}

/// Why a connection is closed on its client.
#[derive(Clone, Copy)]
pub(super) enum Why<'a> {
    /// The client broke the protocol.
    Broken(&'a ProtocolError),
    /// The server does not want to serve it.
    Refused(&'a Fault),
}

impl Why<'_> {
    fn fault(&self) -> Fault {
        let broken = match self {
            Why::Refused(fault) => return (*fault).clone(),
            Why::Broken(broken) => broken,
        };
        let code = match broken {
            ProtocolError::UnknownKind(_)
            | ProtocolError::UnexpectedKind(_)
            | ProtocolError::BadId(_) => Fault::INVALID_CALL,
            _ => Fault::PARSE,
        };
        Fault::new(code, broken.to_string())
    }
}
