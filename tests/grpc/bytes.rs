//! gRPC as a function from bytes to bytes: what crosses, and how a call ended.

use ninestep::protocol::grpc::Grpc;
use ninestep::protocol::http::{Head, HeaderMap};
use ninestep::protocol::{
    Answer, Arrived, Call, Calls, Message, Outcome, Outgoing, Pack, Packed, Protocol, Request,
};
use ninestep::{Fault, Procedures, Value};
use serde::{Serialize, de::DeserializeOwned};

/// Answers every call of `x` with one value, or with its own arguments.
struct Answering<'a>(Option<&'a dyn Pack>, Procedures);

impl Calls for Answering<'_> {
    fn call(
        &mut self,
        call: Call<'_, '_>,
        reply: &mut dyn FnMut(Outcome<'_>) -> Result<(), Fault>,
    ) {
        let answered = match (self.0, call.arguments.unpack::<Value>()) {
            (Some(value), Ok(_)) => reply(Ok(value)),
            (None, Ok(arguments)) => reply(Ok(&arguments)),
            (_, Err(why)) => reply(Err(Fault::new(Fault::WRONG_ARGUMENTS, why))),
        };
        if let Err(fault) = answered {
            reply(Err(fault)).expect("a fault can be packed");
        }
    }

    fn procedures(&self) -> &Procedures {
        &self.1
    }
}

/// The body of a message.
pub fn body(message: &[u8]) -> Vec<u8> {
    [&[0], &u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

/// The message of a call of `x`.
pub fn packed(grpc: &Grpc, arguments: impl Serialize) -> Result<Vec<u8>, String> {
    let mut request = Request::default();
    let call = Outgoing { id: Some(1), procedure: "x", arguments: &arguments, deadline: None };
    grpc.pack(&call, &mut request)?;
    let message = request.bytes.split_off(5);
    assert_eq!(request.bytes, body(&message)[..5]);
    Ok(message)
}

/// What a server answers to this body at `/S/X`.
pub fn answered(grpc: &Grpc, body: &[u8], value: Option<&dyn Pack>) -> Answer {
    let mut calls = Answering(value, Procedures::new().on("x", || ()));
    let (mut answer, headers) = (Answer::default(), HeaderMap::new());
    let head = Some(Head { path: "/S/X", headers: &headers, status: 0, call: 1 });
    grpc.answer(Message { head, ..Message::new(body) }, &mut calls, &mut answer).unwrap();
    answer
}

/// What a client unpacks from this body and these trailers.
pub fn unpacked<T: DeserializeOwned>(
    grpc: &Grpc,
    body: &[u8],
    trailers: &HeaderMap,
) -> Result<T, String> {
    let mut came = Err("nothing came".to_owned());
    let mut deliver = |arrived: Arrived<'_, '_>| match arrived {
        Arrived::Outcome { id: 7, outcome } => {
            came = outcome.map_err(|fault| fault.to_string()).and_then(Packed::unpack);
        }
        _ => panic!("another outcome"),
    };
    let head = Some(Head { path: "/S/X", headers: trailers, status: 200, call: 7 });
    let delivered = grpc.unpack(Message { head, ..Message::new(body) }, &mut deliver);
    delivered.map_err(|why| why.to_string())?;
    came
}

/// What a client unpacks from a result that is this message.
pub fn result<T: DeserializeOwned>(grpc: &Grpc, message: &[u8]) -> Result<T, String> {
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
    unpacked(grpc, &body(message), &trailers)
}

/// What a client unpacks from the answer that has this result.
pub fn there_and_back<T: DeserializeOwned>(
    grpc: &Grpc,
    value: &impl Serialize,
) -> Result<T, String> {
    let answer = answered(grpc, &body(b""), Some(value));
    unpacked(grpc, &answer.bytes, &answer.trailers)
}
