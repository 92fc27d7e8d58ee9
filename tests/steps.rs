//! Which steps an observer is told, for each way a call can end.

use std::sync::Arc;
use std::thread;

use ninestep::{Channel, ClientStub, Error, Fault, Procedures, Recorded, Recorder, Server, Value};

/// Makes one call in a pair of threads and returns the steps that both ends told.
fn steps_of(procedure: &str, arguments: Vec<Value>) -> (Result<i64, Error>, Vec<Recorded>) {
    let recorder = Arc::new(Recorder::default());
    let procedures = Procedures::new()
        .on("add", |a: i64, b: i64| a + b)
        .on("panic", || -> i64 { panic!("asked to") })
        .on("refuse", || -> Result<i64, Fault> { Err(Fault::new(7, "no")) });
    let server = Server::new(procedures).observer(recorder.clone());
    let (channel, connection) = Channel::in_memory().unwrap();
    let serving = thread::spawn(move || server.serve(connection));
    let stub = ClientStub::new(&channel.observer(recorder.clone())).unwrap();
    let outcome = stub.call(procedure, arguments);
    drop(stub);
    serving.join().unwrap();
    let mut steps = recorder.take();
    steps.sort_by_key(|recorded| recorded.step);
    (outcome, steps)
}

fn numbers(steps: &[Recorded]) -> Vec<u8> {
    steps.iter().map(|recorded| recorded.step.number()).collect()
}

#[test]
fn a_call_takes_nine_steps_and_both_ends_see_the_same_bytes() {
    let (outcome, steps) = steps_of("add", vec![Value::Int(10), Value::Int(5)]);
    assert_eq!(outcome.unwrap(), 15);
    assert_eq!(numbers(&steps), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let packed = b"\0\0\0\x27C\0\0\0\x01\0\0\0\0\0\0\0\x03add[\0\0\0\x02q\0\0\0\0\0\0\0\x0aq\0\0\0\0\0\0\0\x05";
    let reply = b"\0\0\0\x0eR\0\0\0\x01q\0\0\0\0\0\0\0\x0f";
    assert_eq!(steps[1].bytes, packed);
    assert_eq!(steps[2].bytes, [b"9ST\x01".as_slice(), packed].concat());
    assert_eq!(steps[3].bytes, packed);
    assert_eq!(steps[6].bytes, reply);
    assert_eq!(steps[7].bytes, reply);
    assert!(steps.iter().all(|recorded| recorded.id == 1));
    assert!(steps[..6].iter().all(|recorded| recorded.procedure == "add"));
}

#[test]
fn steps_5_and_6_are_told_only_if_the_procedure_was_called() {
    let (outcome, steps) = steps_of("nope", vec![]);
    assert!(matches!(outcome, Err(Error::Fault(Fault { code: -32601, .. }))));
    assert_eq!(numbers(&steps), [1, 2, 3, 4, 7, 8, 9]);

    let (outcome, steps) = steps_of("add", vec![Value::from("ten")]);
    assert!(matches!(outcome, Err(Error::Fault(Fault { code: -32602, .. }))));
    assert_eq!(numbers(&steps), [1, 2, 3, 4, 7, 8, 9]);
}

#[test]
fn step_6_is_told_only_if_the_procedure_returned() {
    let (outcome, steps) = steps_of("refuse", vec![]);
    assert!(matches!(outcome, Err(Error::Fault(Fault { code: 7, .. }))));
    assert_eq!(numbers(&steps), [1, 2, 3, 4, 5, 6, 7, 8, 9]);

    let (outcome, steps) = steps_of("panic", vec![]);
    assert!(matches!(outcome, Err(Error::Fault(Fault { code: -32603, .. }))));
    assert_eq!(numbers(&steps), [1, 2, 3, 4, 5, 7, 8, 9]);
}
