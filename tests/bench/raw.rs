//! Raw blocking TCP: what the same exchange costs without a remote procedure call around it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use ninestep::protocol::native::frame;
use ninestep::protocol::native::{self, Native};
use ninestep::protocol::{Outgoing, Protocol, Request};

use crate::compare::{self, LONE_CALLS};
use crate::plans::{self, IN_FLIGHT};
use crate::{Result, fork, ours};

/// The bytes of an exchange.
#[derive(Clone, Copy)]
struct Sizes {
    request: usize,
    reply: usize,
}

impl Sizes {
    /// Those of the frames in which ninestep sends a call and its outcome.
    fn of(
        procedure: &str,
        arguments: impl serde::Serialize,
        result: impl serde::Serialize,
    ) -> Result<Sizes> {
        let call = Outgoing { id: Some(1), procedure, arguments: &arguments, deadline: None };
        let (mut request, mut reply) = (Request::default(), Vec::new());
        Native::default().pack(&call, &mut request)?;
        let start = frame::begin(&mut reply, frame::REPLY, 1);
        native::pack(&result, 64, &mut reply)?;
        frame::end(&mut reply, start, usize::MAX)?;
        Ok(Sizes { request: request.bytes.len(), reply: reply.len() })
    }

    fn of_add() -> Result<Sizes> {
        Sizes::of("add", (10_i64, 5_i64), 15_i64)
    }

    fn of_mib() -> Result<Sizes> {
        let mib = ours::mib();
        Sizes::of("echo", (&mib,), &mib)
    }
}

/// The bytes of the exchange of `add`; constants, so that the server may keep them on its stack.
const REQUEST: usize = 43;
const REPLY: usize = 18;

pub(crate) fn serve(what: &str) -> Result<()> {
    let Sizes { request, reply } = Sizes::of_add()?;
    assert_eq!((request, reply), (REQUEST, REPLY), "the wire has changed");
    let listener = TcpListener::bind("127.0.0.1:0")?;
    rustix::net::listen(&listener, 1024)?;
    println!("{}", listener.local_addr()?);
    match what {
        "thread" => serve_on_threads(&listener, |stream| answer_small(&stream)),
        "fork" => fork::serve(&listener, answer_small),
        "mib" => {
            let sizes = Sizes::of_mib()?;
            serve_on_threads(&listener, move |stream| echo(&stream, sizes))
        }
        _ => Err("no such server".into()),
    }
}

fn serve_on_threads(
    listener: &TcpListener,
    answer: impl Fn(TcpStream) -> io::Result<()> + Copy + Send + 'static,
) -> Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        thread::Builder::new().spawn(move || answer(stream))?;
    }
}

/// Answers every whole request that one read brought with one write.
fn answer_small(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = [0; IN_FLIGHT * REQUEST];
    let output = [0; IN_FLIGHT * REPLY];
    let mut unanswered = 0;
    loop {
        match stream.read(&mut input)? {
            0 => return Ok(()),
            came => unanswered += came,
        }
        stream.write_all(&output[..unanswered / REQUEST * REPLY])?;
        unanswered %= REQUEST;
    }
}

/// Reads a whole message, then sends as much: a procedure cannot return before it has its
/// arguments.
fn echo(mut stream: &TcpStream, sizes: Sizes) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut message = vec![0; sizes.request];
    loop {
        stream.read_exact(&mut message)?;
        stream.write_all(&message[..sizes.reply])?;
    }
}

pub(crate) fn client(work: &str, address: SocketAddr) -> Result<()> {
    let rate = match work {
        "lone" => compare::rate(LONE_CALLS, exchange(address, 1, LONE_CALLS)?),
        "many" => compare::rate_of_threads(64, || exchange(address, 1, 1)),
        "batch" => compare::rate(IN_FLIGHT, exchange(address, IN_FLIGHT, 1)?),
        "mib" => {
            let Sizes { request, reply } = Sizes::of_mib()?;
            let mut stream = connect(address)?;
            let mut message = vec![0; request];
            compare::rate(1, move || {
                stream.write_all(&message)?;
                Ok(stream.read_exact(&mut message[..reply])?)
            })
        }
        "connect" => plans::rate_of_connections(|| {
            let mut stream = connect(address)?;
            stream.write_all(&[0; REQUEST])?;
            Ok(stream.read_exact(&mut [0; REPLY])?)
        }),
        _ => return Err("no such work".into()),
    }?;
    println!("{rate}");
    Ok(())
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends so many requests in one write and reads as many replies, as often as it says.
fn exchange(
    address: SocketAddr,
    requests: usize,
    times: usize,
) -> Result<impl FnMut() -> Result<()>> {
    let mut stream = connect(address)?;
    let output = vec![0; requests * REQUEST];
    let mut input = vec![0; requests * REPLY];
    Ok(move || {
        for _ in 0..times {
            stream.write_all(&output)?;
            stream.read_exact(&mut input)?;
        }
        Ok(())
    })
}
