//! What HTTP knows of a message besides its body.

pub mod explain;

use std::borrow::Cow;

pub use http::{HeaderMap, HeaderName, HeaderValue};

/// How a protocol uses HTTP.
#[derive(Clone, Debug)]
pub struct Http {
    /// Which HTTP.
    pub version: Version,
    /// The media type of a request and of an answer.
    pub content_type: &'static str,
    /// The media types that a server takes besides; `*/*` is any, and none.
    pub also_taken: &'static [&'static str],
    /// The paths that are served, and the first is where a client posts to unless its channel or
    /// its call says otherwise. None of them: every path is served, and a client posts to `/`.
    pub paths: Cow<'static, [Cow<'static, str>]>,
    /// The message that a GET stands for; `None`: it is answered with status 405.
    pub get: Option<&'static [u8]>,
    /// The longest body, in bytes.
    pub max_message: usize,
}

impl Http {
    /// Whether a server answers at this path.
    pub(crate) fn serves(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|served| served == path)
    }

    /// Whether a server takes a body of this media type. Parameters say nothing here.
    pub(crate) fn takes(&self, media_type: Option<&HeaderValue>) -> bool {
        if media_type.is_some_and(|it| it == self.content_type) {
            return true;
        }
        let media_type = media_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let taken = |known: &str| known.eq_ignore_ascii_case(essence) || known == "*/*";
        taken(self.content_type) || self.also_taken.iter().any(|known| taken(known))
    }
}

/// The versions of HTTP that a protocol can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1, and HTTP/1.0 for clients that are so old.
    Http1,
    /// HTTP/2 without TLS, which the client knows beforehand ("prior knowledge").
    ///
    /// - A server answers a message with status 200, the protocol's media type, the answer's bytes
    ///   and its trailers. An answer without bytes is one block of headers, in which the trailers
    ///   stand ("trailers only").
    /// - A body whose `content-length` is over the limit is refused with status 413. One that does
    ///   not say how long it is reaches [`answer`](super::Protocol::answer) cut off behind
    ///   `max_message + 1` bytes, so that the protocol can refuse it in its own words.
    /// - A client hands every whole answer to [`unpack`](super::Protocol::unpack), with or without
    ///   a body, and the protocol judges its status; only where that is 200 the media type must be
    ///   the protocol's. It sends `te: trailers` with every call.
    #[cfg(feature = "http2")]
    Http2,
}

/// What stood before a message's body.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The path that was asked for.
    pub path: &'a str,
    /// The headers; on a client the trailers too, which count more.
    pub headers: &'a HeaderMap,
    /// The status of the answer, on a client; 0 on a server.
    pub status: u16,
    /// For protocols that carry no id. On a client, the id of the call that this answers; on a
    /// server over HTTP/2, a number for the call, which counts up from 1 on each connection.
    pub call: u32,
}
