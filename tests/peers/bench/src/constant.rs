//! A server that knows nothing but one answer, and gives it to whatever comes. Whoever reads what he is
//! asked takes longer.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::Result;

/// A Thrift reply (kind 2) to `ping`, with the number that thriftpy2 gives all its calls: the text
/// `pong` in field 0.
const PONG: &[u8] = b"\x80\x01\0\x02\0\0\0\x04ping\0\0\0\0\x0b\0\0\0\0\0\x04pong\0";

pub(crate) fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    loop {
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        // A short call comes in one piece.
        while stream.read(&mut [0; 1024])? > 0 {
            stream.write_all(PONG)?;
        }
    }
}
