//! A second protocol fits the seam of `ninestep::protocol` and touches nothing else. It doubles as
//! the example of how a protocol is written: JSON, one message to a line.
//!
//! - A call is `{"id":1,"call":"add","with":[10,5],"ms":100}`; without `id` it gets no reply.
//! - A reply is `{"id":1,"result":15}` or `{"id":1,"fault":{"code":1,"message":"no"}}`.
//! - A bye is `{"bye":7}`.
//! - An array of calls on one line is answered by one array of their outcomes.
pub mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{
    mem,
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use erased_serde::Deserializer as Erased;
use ninestep::protocol::native::ValueError;
use ninestep::protocol::{
    Answer, AnyFinder, Arrived, Call, Calls, Finder, Framing, Message, Outcome, Outgoing, Packed,
    Protocol, Request, Side, Transport,
};
use ninestep::{Channel, ClientStub, Connection, Error, Fault, Procedures, ProtocolError, Server};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, from_slice, json, to_string, to_value, to_writer};
use support::{ServerThread, within};

#[derive(Serialize, Deserialize)]
struct Asked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    call: &'a str,
    with: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u32>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Reply {
    Result { id: u32, result: Json },
    Fault { id: u32, fault: FaultFields },
    Bye { bye: u32 },
}

#[derive(Deserialize)]
struct FaultFields {
    code: i32,
    message: String,
}

fn write(outcome: Outcome<'_>, id: u32, out: &mut Vec<u8>) -> serde_json::Result<()> {
    let (key, value) = match outcome {
        Ok(result) => ("result", to_string(result.as_serde())?),
        Err(Fault { code, message, .. }) => {
            ("fault", json!({"code": code, "message": message}).to_string())
        }
    };
    out.extend(format!(r#"{{"id":{id},"{key}":{value}}}"#).bytes());
    Ok(())
}

fn malformed(why: serde_json::Error) -> ProtocolError {
    ProtocolError::Malformed(ValueError::Unfit(why.to_string()))
}

/// Remembers how many bytes it has searched in vain. In earnest it would also limit them.
struct LineFinder(usize);

impl Finder for LineFinder {
    fn find(&mut self, buffered: &[u8]) -> Result<Option<Range<usize>>, ProtocolError> {
        let searched = mem::replace(&mut self.0, buffered.len());
        let found = buffered[searched..].iter().position(|byte| *byte == b'\n');
        Ok(found.map(|at| {
            self.0 = 0;
            0..searched + at + 1
        }))
    }
}

struct JsonLines;

impl Framing for JsonLines {
    fn finder(&self, _: Side) -> AnyFinder {
        AnyFinder::other(LineFinder(0))
    }

    fn last_words(&self, fault: &Fault, out: &mut Vec<u8>) {
        write(Err(fault.clone()), 0, out).expect("a number and a text");
        out.push(b'\n');
    }

    fn bye(&self, last: u32, out: &mut Vec<u8>) {
        out.extend(format!("{{\"bye\":{last}}}\n").bytes());
    }
}

impl Protocol for JsonLines {
    fn transport(&self) -> Transport<'_> {
        Transport::Stream(self)
    }

    fn answer(
        &self,
        message: Message<'_>,
        calls: &mut dyn Calls,
        answer: &mut Answer,
    ) -> Result<(), ProtocolError> {
        let out = &mut answer.bytes;
        let line: Json = from_slice(message.bytes).map_err(malformed)?;
        let (line, open, close) =
            if line.is_array() { (line, "[", "]\n") } else { (json!([line]), "", "\n") };
        let all = Vec::<Asked<'_>>::deserialize(&line).map_err(malformed)?;
        let before = out.len();
        out.extend(open.bytes());
        for Asked { id, call: name, with, ms: patience_ms } in all {
            let (start, mut with) = (out.len(), <dyn Erased>::erase(with));
            let (procedure, arguments) = (name.as_bytes(), Packed::Other(&mut with));
            let call = Call { id: id.unwrap_or(0), procedure, arguments, patience_ms };
            calls.call(call, &mut |outcome| {
                out.truncate(start); // The last outcome counts.
                let written =
                    id.map_or(Ok(()), |id| write(outcome, id, out).map(|()| out.push(b',')));
                written.map_err(|why| Fault::new(Fault::INTERNAL, why.to_string()))
            });
        }
        match out.pop_if(|last| *last == b',') {
            Some(_) => out.extend(close.bytes()),
            None => out.truncate(before),
        }
        Ok(())
    }

    fn pack(&self, call: &Outgoing<'_>, request: &mut Request) -> Result<(), String> {
        let out = &mut request.bytes;
        let with = match to_value(call.arguments.as_serde()).map_err(|why| why.to_string())? {
            Json::Null => json!([]), // Rust's empty tuple.
            with => with,
        };
        let left = call.deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let ms = left.map(|left| left.as_millis().try_into().unwrap_or(u32::MAX));
        let asked = Asked { id: call.id, call: call.procedure, with, ms };
        to_writer(&mut *out, &asked).expect("numbers, a text and JSON");
        out.push(b'\n');
        Ok(())
    }

    fn unpack(
        &self,
        message: Message<'_>,
        deliver: &mut dyn FnMut(Arrived<'_, '_>),
    ) -> Result<(), ProtocolError> {
        match from_slice(message.bytes).map_err(malformed)? {
            Reply::Result { id, result } => {
                let outcome = Ok(Packed::Other(&mut <dyn Erased>::erase(result)));
                deliver(Arrived::Outcome { id, outcome });
            }
            Reply::Fault { id, fault } => {
                let fault = Fault::new(fault.code, fault.message);
                deliver(match id {
                    0 => Arrived::Refused(fault),
                    _ => Arrived::Outcome { id, outcome: Err(fault) },
                });
            }
            Reply::Bye { bye: last } => deliver(Arrived::Bye { last }),
        }
        Ok(())
    }
}

fn server(count: &Arc<AtomicUsize>) -> Server {
    let count = Arc::clone(count);
    let procedures = Procedures::new()
        .on("add", |a: i64, b: i64| a + b)
        .on_named("subtract", &["a", "b"], |a: i64, b: i64| a - b)
        .on("refuse", || -> Result<i64, Fault> { Err(Fault::new(7, "no")) })
        .on("odd", || std::collections::HashMap::from([([1], 2)]))
        .on("sleep", |ms| thread::sleep(Duration::from_millis(ms)))
        .on("panic", || -> i64 { panic!("asked to") })
        .on("count", move || count.fetch_add(1, Ordering::SeqCst) + 1);
    Server::new(procedures).protocol(JsonLines)
}

/// Both ends in memory. The server ends with the channel.
fn in_memory(test: impl FnOnce(Channel) + Send + 'static) {
    within("a test in memory", || {
        let (channel, connection) = Channel::in_memory().unwrap();
        thread::spawn(|| server(&Arc::default()).serve(connection));
        test(channel.protocol(JsonLines));
    });
}

/// The next line; nothing at the connection's end.
fn line(connection: &Connection) -> String {
    let mut bytes = Vec::new();
    while bytes.last() != Some(&b'\n') && connection.receive(&mut bytes).unwrap() > 0 {}
    String::from_utf8(bytes).unwrap()
}

fn ask(connection: &Connection, asked: &str, answer: &str) {
    connection.send(format!("{asked}\n").as_bytes()).unwrap();
    assert_eq!(line(connection).trim_end(), answer);
}

#[test]
fn arguments_come_by_position_and_by_name() {
    in_memory(|channel| {
        let stub = ClientStub::new(&channel).unwrap();
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
        assert_eq!(stub.call::<i64>("subtract", json!({"b": 10, "a": 5})).unwrap(), -5);
        assert_eq!(stub.call::<i64>("count", ()).unwrap(), 1);
    });
}

#[test]
fn every_no_is_a_fault() {
    let wrong =
        "expected (a: i64, b: i64): argument 2 (b): invalid type: string \"5\", expected i64";
    in_memory(move |channel| {
        let stub = ClientStub::new(&channel).unwrap();
        let refused = |procedure, with: Json, code, message: &str| {
            let fault = stub.call::<i64>(procedure, with).unwrap_err();
            assert!(
                matches!(&fault, Error::Fault(it) if *it == Fault::new(code, message)),
                "{fault:?}"
            );
        };
        refused("refuse", json!([]), 7, "no");
        refused("subtract", json!([10, "5"]), -32602, wrong);
        refused("nope", json!([]), -32601, "there is no procedure \"nope\"");
        refused("odd", json!([]), -32603, "key must be a string");
        refused("panic", json!([]), -32603, "panic failed inside");
    });
}

#[test]
fn one_message_may_hold_several_calls() {
    in_memory(|channel| {
        let raw = channel.connect().unwrap();
        ask(&raw, r#"{"id":1,"call":"add","with":[10,5],"ms":100}"#, r#"{"id":1,"result":15}"#);
        ask(
            &raw,
            r#"[{"id":2,"call":"add","with":[1,2]},{"id":4,"call":"refuse","with":[]},{"id":3,"call":"add","with":[5,6]}]"#,
            r#"[{"id":2,"result":3},{"id":4,"fault":{"code":7,"message":"no"}},{"id":3,"result":11}]"#,
        );
    });
}

#[test]
fn a_later_call_of_a_message_has_waited_for_the_earlier() {
    in_memory(|channel| {
        let raw = channel.connect().unwrap();
        let late = "the deadline had passed when the call came up; it was not executed";
        ask(
            &raw,
            r#"[{"id":1,"call":"sleep","with":[30],"ms":10},{"id":2,"call":"add","with":[1,2],"ms":20},{"id":3,"call":"add","with":[5,6],"ms":20000}]"#,
            &format!(
                r#"[{{"id":1,"result":null}},{{"id":2,"fault":{{"code":-32001,"message":"{late}"}}}},{{"id":3,"result":11}}]"#
            ),
        );
    });
}

#[test]
fn a_result_of_another_type_leaves_the_connection_usable() {
    in_memory(|channel| {
        let stub = ClientStub::new(&channel).unwrap();
        let error = stub.call::<String>("add", (10, 5)).unwrap_err();
        assert!(matches!(&error, Error::Unpack(why) if why.contains("integer `15`")), "{error:?}");
        assert_eq!(stub.call::<i64>("add", (10, 5)).unwrap(), 15);
    });
}

#[test]
fn a_call_after_the_bye_is_not_executed() {
    within("a stop", || {
        let count = Arc::default();
        let server = ServerThread::run(server(&count), ninestep::ThreadPerConnection::default());
        let raw = Channel::new(server.address()).connect().unwrap();
        ask(&raw, r#"{"id":7,"call":"count","with":[]}"#, r#"{"id":7,"result":1}"#);
        server.stop_handle().stop();
        assert_eq!(line(&raw), "{\"bye\":7}\n");
        ask(&raw, r#"{"id":8,"call":"count","with":[]}"#, "");
        drop(raw);
        server.ended().unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn the_client_writes_lines_and_heeds_the_bye() {
    within("a bye", || {
        let (channel, raw) = Channel::in_memory().unwrap();
        let stub = ClientStub::new(&channel.protocol(JsonLines)).unwrap();
        raw.send(b"{\"bye\":0}\n").unwrap();
        stub.notify("log", ("x",)).unwrap();
        assert_eq!(line(&raw), "{\"call\":\"log\",\"with\":[\"x\"]}\n");
        let error = stub.call::<i64>("add", (10, 5)).unwrap_err();
        assert!(matches!(&error, Error::Fault(it) if it.code == Fault::STOPPING), "{error:?}");
        assert_eq!(line(&raw), "{\"id\":1,\"call\":\"add\",\"with\":[10,5]}\n");
    });
}
