//! Apache's Thrift crate. What its compiler writes for `i64 add(1: i64 a, 2: i64 b)` is here by
//! hand, without what the benchmark does not need.

use std::net::{TcpListener, TcpStream};
use std::thread;

use thrift::protocol::{
    TBinaryInputProtocol, TBinaryInputProtocolFactory, TBinaryOutputProtocol,
    TBinaryOutputProtocolFactory, TFieldIdentifier, TInputProtocol, TMessageIdentifier,
    TMessageType, TOutputProtocol, TStructIdentifier, TType, verify_expected_message_type,
    verify_expected_sequence_number, verify_expected_service_call,
};
use thrift::server::{TProcessor, TServer};
use thrift::transport::{
    ReadHalf, TBufferedReadTransport, TBufferedReadTransportFactory, TBufferedWriteTransport,
    TBufferedWriteTransportFactory, TIoChannel, TTcpChannel, WriteHalf,
};

use crate::compare::{self, LONE_CALLS};
use crate::{Result, check};

/// Its server's threads. A connection has one until its end.
pub(crate) const WORKERS: usize = 80;

/// Its server cannot say which port the system chose, nor when it listens.
pub(crate) fn serve() -> Result<()> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut server = TServer::new(
        TBufferedReadTransportFactory::new(),
        TBinaryInputProtocolFactory::new(),
        TBufferedWriteTransportFactory::new(),
        TBinaryOutputProtocolFactory::new(),
        Add,
        WORKERS,
    );
    let serving = thread::spawn(move || server.listen(address));
    while TcpStream::connect(address).is_err() && !serving.is_finished() {
        thread::yield_now();
    }
    println!("{address}");
    Ok(serving.join().map_err(|_| "the server panicked")??)
}

struct Add;

impl TProcessor for Add {
    fn process(
        &self,
        input: &mut dyn TInputProtocol,
        output: &mut dyn TOutputProtocol,
    ) -> thrift::Result<()> {
        let call = input.read_message_begin()?;
        verify_expected_service_call("add", &call.name)?;
        let [a, b] = read_fields(input, [1, 2])?;
        let kind = TMessageType::Reply;
        output.write_message_begin(&TMessageIdentifier::new("add", kind, call.sequence_number))?;
        write_fields(output, "CalculatorAddResult", [("result", 0, a + b)])
    }
}

fn write_fields<const COUNT: usize>(
    output: &mut dyn TOutputProtocol,
    name: &str,
    fields: [(&str, i16, i64); COUNT],
) -> thrift::Result<()> {
    output.write_struct_begin(&TStructIdentifier::new(name))?;
    for (name, number, value) in fields {
        output.write_field_begin(&TFieldIdentifier::new(name, TType::I64, number))?;
        output.write_i64(value)?;
        output.write_field_end()?;
    }
    output.write_field_stop()?;
    output.write_struct_end()?;
    output.write_message_end()?;
    output.flush()
}

fn read_fields<const COUNT: usize>(
    input: &mut dyn TInputProtocol,
    numbers: [i16; COUNT],
) -> thrift::Result<[i64; COUNT]> {
    let mut values = [None; COUNT];
    input.read_struct_begin()?;
    loop {
        let field = input.read_field_begin()?;
        if field.field_type == TType::Stop {
            break;
        }
        match numbers.iter().position(|number| field.id == Some(*number)) {
            Some(at) => values[at] = Some(input.read_i64()?),
            None => input.skip(field.field_type)?,
        }
        input.read_field_end()?;
    }
    input.read_struct_end()?;
    input.read_message_end()?;
    match values.iter().all(Option::is_some) {
        true => Ok(values.map(Option::unwrap_or_default)),
        false => Err("a field is missing".into()),
    }
}

type Input = TBinaryInputProtocol<TBufferedReadTransport<ReadHalf<TTcpChannel>>>;
type Output = TBinaryOutputProtocol<TBufferedWriteTransport<WriteHalf<TTcpChannel>>>;

struct Client {
    input: Input,
    output: Output,
    sequence: i32,
}

impl Client {
    fn new(address: &str) -> Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        let (read, write) = TTcpChannel::with_stream(stream).split()?;
        Ok(Client {
            input: TBinaryInputProtocol::new(TBufferedReadTransport::new(read), true),
            output: TBinaryOutputProtocol::new(TBufferedWriteTransport::new(write), true),
            sequence: 0,
        })
    }

    fn add(&mut self, a: i64, b: i64) -> thrift::Result<i64> {
        self.sequence += 1;
        let call = TMessageIdentifier::new("add", TMessageType::Call, self.sequence);
        self.output.write_message_begin(&call)?;
        write_fields(&mut self.output, "CalculatorAddArgs", [("a", 1, a), ("b", 2, b)])?;
        let reply = self.input.read_message_begin()?;
        verify_expected_sequence_number(self.sequence, reply.sequence_number)?;
        verify_expected_service_call("add", &reply.name)?;
        verify_expected_message_type(TMessageType::Reply, reply.message_type)?;
        read_fields(&mut self.input, [0]).map(|[sum]| sum)
    }
}

pub(crate) fn client(work: &str, address: &str) -> Result<()> {
    let one = |calls| {
        let mut client = Client::new(address)?;
        Ok(move || (0..calls).try_for_each(|_| check(client.add(10, 5)? == 15)))
    };
    let rate = match work {
        "lone" => compare::rate(LONE_CALLS, one(LONE_CALLS)?),
        "threads" => compare::rate_of_threads(64, || one(1)),
        _ => return Err("no such work".into()),
    }?;
    println!("{rate}");
    Ok(())
}
