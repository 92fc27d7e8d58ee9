//! Packing by hand, in big-endian bytes: the lesson's `divide(num1, num2 = 1)`. Chapter 2.
//! Request: u32 length, name; u32 length of all arguments; for each of them u8 position, i32.
//! Result: u8 1, f32; or u8 2, u32 length, message. `serve ADDR` and `call ADDR` run one end.
use byteorder::{BE, ByteOrder, ReadBytesExt, WriteBytesExt};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::{env, thread};

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

// ANCHOR: take
/// A length is only the peer's word: it is believed up to a limit. One read may bring less.
fn take(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let len @ ..=1024 = from.read_u32::<BE>()? else { return Err(ErrorKind::InvalidData.into()) };
    let mut bytes = vec![0; len as usize];
    from.read_exact(&mut bytes).map(|()| bytes)
}
// ANCHOR_END: take

// ANCHOR: divide
fn divide(arguments: &[u8]) -> Result<f32, &'static str> {
    let (num1, num2) = match arguments.as_chunks::<5>() {
        ([[1, num1 @ ..]], []) => (num1, 1),
        ([[1, num1 @ ..], [2, num2 @ ..]], []) => (num1, BE::read_i32(num2)),
        _ => return Err("wrong arguments"),
    };
    if num2 == 0 { Err("division by zero") } else { Ok(BE::read_i32(num1) as f32 / num2 as f32) }
}
// ANCHOR_END: divide

fn serve(mut stream: &TcpStream) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    // A client may leave before a request's first byte; after it, the request is torn.
    while !input.fill_buf()?.is_empty() {
        let (name, arguments) = (take(&mut input)?, take(&mut input)?);
        let result = if name == b"divide" { divide(&arguments) } else { Err("no such procedure") };
        let mut reply = vec![if result.is_ok() { 1 } else { 2 }];
        match result {
            Ok(quotient) => reply.write_f32::<BE>(quotient)?,
            Err(message) => reply.extend(with_length(message.as_bytes())),
        }
        println!("  reply   {reply:02x?}");
        stream.write_all(&reply)?;
    }
    Ok(())
}

fn call(mut stream: TcpStream) -> io::Result<()> {
    for (name, numbers) in [("divide", "8 3"), ("divide", "1 0"), ("add", "8 3"), ("divide", "8")] {
        // ANCHOR: pack
        let mut arguments = Vec::new();
        for (position, number) in (1..).zip(numbers.split(' ')) {
            arguments.write_u8(position)?;
            arguments.write_i32::<BE>(number.parse().map_err(io::Error::other)?)?;
        }
        let request = [with_length(name.as_bytes()), with_length(&arguments)].concat();
        // ANCHOR_END: pack
        println!("{name} {numbers}\n  request {request:02x?}");
        stream.write_all(&request)?;
        match stream.read_u8()? {
            1 => println!("  = {}", stream.read_f32::<BE>()?),
            _ => println!("  error: {}", String::from_utf8_lossy(&take(&mut stream)?)),
        }
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let [role, address] = [1, 2].map(|n| env::args().nth(n).unwrap_or_default());
    if role == "call" {
        return call(TcpStream::connect(address)?);
    }
    let listener = TcpListener::bind(if role == "serve" { &address } else { "127.0.0.1:0" })?;
    println!("listening on {}", listener.local_addr()?);
    if role != "serve" {
        let stream = TcpStream::connect(listener.local_addr()?)?;
        thread::spawn(move || serve(&listener.accept()?.0));
        return call(stream);
    }
    loop {
        serve(&listener.accept()?.0).unwrap_or_else(|error| println!("a client is gone: {error}"));
    }
}
