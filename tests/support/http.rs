//! HTTP/1.1 as bare bytes, which knows nothing of the library's own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::{PATIENCE, are_read};

/// One connection. Nothing on it blocks for longer than [`PATIENCE`].
pub struct HttpRaw {
    stream: TcpStream,
    came: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// 200, say.
    pub status: u16,
    /// The status line and the headers, in lower case.
    pub head: String,
    /// What follows them.
    pub body: String,
}

/// A POST of this body as JSON.
pub fn post(body: &str) -> Vec<u8> {
    post_with("/", "content-type: application/json\r\n", body)
}

/// A POST to this path with these headers, each of which ends its line.
pub fn post_with(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nhost: test\r\n{headers}");
    format!("{head}content-length: {length}\r\n\r\n{body}").into_bytes()
}

impl HttpRaw {
    /// Connects.
    pub fn connect(address: SocketAddr) -> HttpRaw {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("the server listens");
        HttpRaw::over(stream)
    }

    /// This end of a connection that exists.
    pub fn over(stream: TcpStream) -> HttpRaw {
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        HttpRaw { stream, came: Vec::new() }
    }

    /// Sends all of it.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the peer reads");
    }

    /// Sends what the peer may refuse to read; whether the connection took it.
    pub fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Tells the peer that nothing more comes.
    pub fn finish_sending(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("a socket");
    }

    /// Posts this body and takes the response.
    pub fn ask(&mut self, body: &str) -> Response {
        self.send(&post(body));
        self.response()
    }

    /// The next response.
    pub fn response(&mut self) -> Response {
        self.next_response().expect("a response")
    }

    /// The next response; nothing at the end of the connection.
    pub fn next_response(&mut self) -> Option<Response> {
        let (head, body) = self.next_message()?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Some(Response { status: status.expect("a status"), head, body })
    }

    /// The next head, in lower case, and as many bytes of body as it says; nothing at the end of
    /// the connection.
    pub fn next_message(&mut self) -> Option<(String, String)> {
        let head = loop {
            match self.came.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => break self.take(end + 4),
                None if self.more() => {}
                None if self.came.is_empty() => return None,
                None => panic!("half a head: {:?}", String::from_utf8_lossy(&self.came)),
            }
        };
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let length = length.map_or(0, |length| length.parse().expect("a length"));
        while self.came.len() < length {
            assert!(self.more(), "half a body");
        }
        let body = self.take(length);
        Some((head, body))
    }

    /// Whether the connection ends without another byte, however rudely.
    pub fn is_over(&mut self) -> bool {
        self.came.is_empty() && !self.more() && self.came.is_empty()
    }

    /// What one read brings, if nothing is waiting to be taken.
    pub fn read_once(&mut self) -> String {
        assert!(self.came.is_empty() && self.more());
        self.take(self.came.len())
    }

    /// Waits until the server has read all that was sent.
    pub fn is_read(&self) {
        are_read([&self.stream]);
    }

    /// Whether nothing comes for a moment.
    pub fn is_silent(&mut self, moment: Duration) -> bool {
        self.stream.set_read_timeout(Some(moment)).expect("a socket");
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        peeked
            .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// Reads once; not at the connection's end.
    fn more(&mut self) -> bool {
        let mut bytes = [0; 4096];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                self.came.extend(&bytes[..count]);
                count > 0
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("nothing came: {error}"),
        }
    }

    fn take(&mut self, count: usize) -> String {
        let rest = self.came.split_off(count);
        let taken = std::mem::replace(&mut self.came, rest);
        String::from_utf8(taken).expect("UTF-8")
    }
}
