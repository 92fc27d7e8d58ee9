//! HTTP/2 as bare frames, the same by another implementation, and a protocol to carry over it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use erased_serde::Deserializer as Erased;
use h2::client::SendRequest;
use ninestep::protocol::http::{HeaderMap, HeaderValue, Http, Version};
use ninestep::protocol::native::ValueError;
use ninestep::protocol::{
    Answer, Arrived, Call, Calls, Message, Outgoing, Packed, Protocol, Request, Transport,
};
use ninestep::{Fault, Limits, ProtocolError, Server, Strategy, ThreadPerConnection, demo};
use serde_json::{Value as Json, from_slice, json, to_value};

use super::{PATIENCE, ServerThread, within};

/// JSON after a byte and a length, which is what gRPC's messages look like. A call goes to a path
/// of its procedure's name; an outcome's code stands in the trailer `code`, 0 for a result, and
/// its message in `message`.
pub struct Texts(pub Http);

impl Texts {
    /// With this limit on a body, in bytes.
    pub fn new(max_message: usize) -> Texts {
        Texts(Http {
            version: Version::Http2,
            content_type: "application/texts",
            also_taken: &[],
            paths: Cow::Borrowed(&[]),
            get: None,
            max_message,
        })
    }
}

/// A message of [`Texts`].
pub fn packed(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).expect("a short text").to_be_bytes();
    [&[0], &length[..], text.as_bytes()].concat()
}

/// What a message of [`Texts`] holds.
fn unpacked(bytes: &[u8]) -> Result<Json, String> {
    let [0, a, b, c, d, text @ ..] = bytes else { return Err("no prefix".to_owned()) };
    match u32::from_be_bytes([*a, *b, *c, *d]) as usize == text.len() {
        true => from_slice(text).map_err(|why| why.to_string()),
        false => Err("another length".to_owned()),
    }
}

impl Protocol for Texts {
    fn transport(&self) -> Transport<'_> {
        Transport::Http(&self.0)
    }

    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError> {
        let head = message.head.expect("it runs over HTTP");
        let mut reply = |outcome: Result<String, Fault>| {
            let (text, code, message) = match outcome {
                Ok(text) => (Some(text), 0, String::new()),
                Err(fault) => (None, fault.code, fault.message),
            };
            answer.bytes = text.map(|text| packed(&text)).unwrap_or_default();
            answer.trailers.insert("code", code.into());
            answer.trailers.insert("message", HeaderValue::from_str(&message).expect("ASCII"));
        };
        if message.bytes.len() > self.0.max_message {
            reply(Err(Fault::new(8, format!("cut off after {}", message.bytes.len()))));
            return Ok(());
        }
        let malformed = |why| ProtocolError::Malformed(ValueError::Unfit(why));
        let mut with = <dyn Erased>::erase(unpacked(message.bytes).map_err(malformed)?);
        let call = Call {
            id: head.call,
            procedure: &head.path.as_bytes()[1..],
            arguments: Packed::Other(&mut with),
            patience_ms: head
                .headers
                .get("patience")
                .map(|ms| ms.to_str().unwrap().parse().unwrap()),
        };
        calls.call(call, &mut |outcome| {
            reply(outcome.map(|value| to_value(value.as_serde()).expect("JSON").to_string()));
            Ok(())
        });
        Ok(())
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        let with = match to_value(call.arguments.as_serde()).map_err(|why| why.to_string())? {
            Json::Null => json!([]), // Rust's empty tuple.
            with => with,
        };
        request.path = Some(format!("/{}", call.procedure));
        request.bytes = packed(&with.to_string());
        if let Some(end) = call.deadline {
            let left = end.saturating_duration_since(Instant::now()).as_millis();
            request.headers.insert("patience", u32::try_from(left).expect("a short time").into());
        }
        Ok(())
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        let head = message.head.expect("it runs over HTTP");
        let text = |name| head.headers.get(name).map(|it: &HeaderValue| it.to_str().unwrap());
        let malformed = |why| ProtocolError::Malformed(ValueError::Unfit(why));
        let outcome = match text("code").map(|code| code.parse().unwrap()) {
            Some(0) => Ok(<dyn Erased>::erase(unpacked(message.bytes).map_err(malformed)?)),
            Some(code) => Err(Fault::new(code, text("message").unwrap_or_default())),
            None => Err(Fault::new(i32::from(head.status), "no code")),
        };
        match outcome {
            Ok(mut result) => {
                let outcome = Ok(Packed::Other(&mut result));
                deliver(Arrived::Outcome { id: head.call, outcome });
            }
            Err(fault) => deliver(Arrived::Outcome { id: head.call, outcome: Err(fault) }),
        }
        Ok(())
    }
}

/// What a client says first.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Kinds of frames (RFC 9113, section 6).
pub mod kind {
    /// A piece of a body.
    pub const DATA: u8 = 0;
    /// A head, or trailers.
    pub const HEADERS: u8 = 1;
    /// The end of one stream.
    pub const RESET: u8 = 3;
    /// What a side allows the other.
    pub const SETTINGS: u8 = 4;
    /// Are you there?
    pub const PING: u8 = 6;
    /// No further streams.
    pub const GOAWAY: u8 = 7;
    /// More room.
    pub const WINDOW_UPDATE: u8 = 8;
}

/// Flags of frames.
pub mod flag {
    /// Of settings and pings: it is an answer.
    pub const ACK: u8 = 1;
    /// The last of its stream.
    pub const END_STREAM: u8 = 1;
    /// The whole list of headers.
    pub const END_HEADERS: u8 = 4;
}

/// What RST_STREAM and GOAWAY say (RFC 9113, section 7).
pub mod reason {
    /// All is well.
    pub const NO_ERROR: u32 = 0;
    /// The rules were broken.
    pub const PROTOCOL_ERROR: u32 = 1;
    /// A frame has a length that its kind cannot have.
    pub const FRAME_SIZE_ERROR: u32 = 6;
    /// Nothing was executed.
    pub const REFUSED_STREAM: u32 = 7;
    /// The answer is not wanted any more.
    pub const CANCEL: u32 = 8;
    /// That is too much of it.
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// A frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// One of [`kind`].
    pub kind: u8,
    /// Some of [`flag`].
    pub flags: u8,
    /// 0 is the connection itself.
    pub stream: u32,
    /// The rest.
    pub body: Vec<u8>,
}

/// The bytes of a frame.
pub fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a short body").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), body].concat()
}

/// Headers in the plainest form of HPACK (RFC 7541, section 6.2.2): names and values as they are.
pub fn headers(pairs: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        // A length of up to 126 is one byte, and none here is longer than 253.
        let mut bytes = match text.len() {
            short @ ..127 => vec![short as u8],
            long => vec![127, (long - 127) as u8],
        };
        bytes.extend(text.bytes());
        bytes
    };
    pairs.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

/// The frames of a call.
pub fn call(stream: u32, procedure: &str, arguments: &str) -> Vec<u8> {
    let block = call_headers(&format!("/{procedure}"));
    let head = frame(kind::HEADERS, flag::END_HEADERS, stream, &block);
    [head, frame(kind::DATA, flag::END_STREAM, stream, &packed(arguments))].concat()
}

/// The headers of a call to this path.
pub fn call_headers(path: &str) -> Vec<u8> {
    headers(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "test"),
        ("content-type", "application/texts"),
    ])
}

/// The code in a reset or behind the last stream in a GOAWAY.
pub fn code(frame: &Frame) -> u32 {
    let at = if frame.kind == kind::GOAWAY { 4 } else { 0 };
    u32::from_be_bytes(frame.body[at..at + 4].try_into().expect("four bytes"))
}

/// The last stream in a GOAWAY.
pub fn last(frame: &Frame) -> u32 {
    assert_eq!(frame.kind, kind::GOAWAY, "{frame:?}");
    u32::from_be_bytes(frame.body[..4].try_into().expect("four bytes"))
}

/// One connection of bare frames. Nothing on it blocks for longer than [`PATIENCE`].
pub struct Frames(pub TcpStream, HashMap<u32, Vec<Frame>>);

impl Frames {
    /// Connects, and says nothing.
    pub fn connect(address: SocketAddr) -> Frames {
        Frames::over(TcpStream::connect_timeout(&address, PATIENCE).expect("the server listens"))
    }

    /// This end of a connection that exists.
    pub fn over(stream: TcpStream) -> Frames {
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        Frames(stream, HashMap::new())
    }

    /// Connects as a client that speaks HTTP/2.
    pub fn greeted(address: SocketAddr) -> Frames {
        let mut frames = Frames::connect(address);
        frames.send(&[PREFACE, &frame(kind::SETTINGS, 0, 0, &[])].concat());
        frames
    }

    /// Takes a client's preface.
    pub fn preface(&mut self) {
        let mut came = [0; PREFACE.len()];
        self.0.read_exact(&mut came).expect("the client speaks");
        assert_eq!(came, PREFACE);
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the peer reads");
    }

    /// Sends what the peer may refuse to read; whether the connection took it.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Tells the peer that nothing more comes.
    pub fn finish_sending(&mut self) {
        self.0.shutdown(Shutdown::Write).expect("a socket");
    }

    /// The next frame; nothing at the end of the connection, however rude it is.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        match self.0.read(&mut head[..1]) {
            Ok(0) => return None,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
            came => came.expect("the peer answers in time"),
        };
        self.0.read_exact(&mut head[1..]).expect("a whole frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes(head[5..].try_into().expect("four bytes"));
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a whole frame");
        Some(Frame { kind: head[3], flags: head[4], stream, body })
    }

    /// The next frame that is about a call or about the connection's end.
    pub fn news(&mut self) -> Frame {
        self.next_news().expect("the connection has not ended")
    }

    /// The same; nothing at the end.
    pub fn next_news(&mut self) -> Option<Frame> {
        loop {
            let frame = self.next_frame()?;
            if let kind::DATA | kind::HEADERS | kind::RESET | kind::GOAWAY = frame.kind {
                return Some(frame);
            }
        }
    }

    /// The next answer that is whole: its stream and its text.
    pub fn answer(&mut self) -> (u32, String) {
        let frames = loop {
            let frame = self.news();
            assert!(matches!(frame.kind, kind::HEADERS | kind::DATA), "{frame:?}");
            let (stream, is_last) = (frame.stream, frame.flags & flag::END_STREAM != 0);
            self.1.entry(stream).or_default().push(frame);
            if is_last && let Some(frames) = self.1.remove(&stream) {
                break frames;
            }
        };
        let [head, body, trailers] = &frames[..] else { panic!("{frames:?}") };
        let kinds = [head.kind, body.kind, trailers.kind];
        assert_eq!(kinds, [kind::HEADERS, kind::DATA, kind::HEADERS], "{frames:?}");
        (head.stream, String::from_utf8(body.body[5..].to_vec()).expect("UTF-8"))
    }

    /// Whether the connection ends without news.
    pub fn is_over(&mut self) -> bool {
        self.next_news().is_none()
    }
}

const HOUR: Duration = Duration::from_secs(3600);
/// Every limit is an hour, but for those that a test sets.
pub const PATIENT: Limits =
    Limits { first_message: HOUR, message: HOUR, idle: HOUR, write: HOUR, drain: HOUR };

/// A server of at most 1,000 bytes in a message.
pub fn serve(limits: Limits, strategy: impl Strategy + 'static) -> ServerThread {
    let server = Server::new(demo::procedures()).protocol(Texts::new(1000)).limits(limits);
    ServerThread::run(server, strategy)
}

/// A test against a patient server of at most 1,000 bytes in a message.
pub fn over_http2(test: impl FnOnce(&ServerThread) + Send + 'static) {
    within("a test over HTTP/2", || test(&serve(PATIENT, ThreadPerConnection::default())));
}

/// The server still answers on this connection.
pub fn is_served(frames: &mut Frames, stream: u32) {
    frames.send(&call(stream, "add", "[10,5]"));
    assert_eq!(frames.answer(), (stream, "15".to_owned()));
}

/// A call without a body.
pub fn whole_head(stream: u32, procedure: &str) -> Vec<u8> {
    let flags = flag::END_HEADERS | flag::END_STREAM;
    frame(kind::HEADERS, flags, stream, &call_headers(&format!("/{procedure}")))
}

/// A client by the crate `h2` itself.
pub struct Other {
    runtime: tokio::runtime::Runtime,
    sender: SendRequest<Cursor<Vec<u8>>>,
}

/// An answer, as another client sees it.
#[derive(Debug)]
pub struct Seen {
    /// 200, say.
    pub status: u16,
    /// What stands before the body.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
    /// What stands behind it.
    pub trailers: HeaderMap,
}

impl Other {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Other {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let sender = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(address).await.expect("a server");
            let builder = h2::client::Builder::new();
            let (sender, connection) = builder.handshake(stream).await.expect("HTTP/2");
            tokio::spawn(connection);
            sender
        });
        Other { runtime, sender }
    }

    /// Sends a request and takes its response.
    pub fn ask(&mut self, request: http::Request<Vec<u8>>) -> Result<Seen, h2::Error> {
        let (parts, body) = request.into_parts();
        let sender = self.sender.clone();
        self.runtime.block_on(async {
            let mut sender = sender.ready().await?;
            let request = http::Request::from_parts(parts, ());
            let (response, mut stream) = sender.send_request(request, body.is_empty())?;
            if !body.is_empty() {
                stream.send_data(Cursor::new(body), true)?;
            }
            let (parts, mut stream) = response.await?.into_parts();
            let mut body = Vec::new();
            while let Some(piece) = stream.data().await {
                let piece = piece?;
                stream.flow_control().release_capacity(piece.len())?;
                body.extend(piece);
            }
            let trailers = stream.trailers().await?.unwrap_or_default();
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Seen { status: parts.status.as_u16(), headers: parts.headers, body, trailers })
        })
    }
}

/// A request as [`Texts`] wants it.
pub fn request(procedure: &str, arguments: &str) -> http::Request<Vec<u8>> {
    let request = http::Request::post(format!("http://test/{procedure}"));
    let request = request.header("content-type", "application/texts");
    request.body(packed(arguments)).expect("a request")
}
