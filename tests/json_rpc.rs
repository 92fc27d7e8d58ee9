//! JSON-RPC 2.0: its specification, and what is not in it.
#![cfg(feature = "json-rpc")]

pub mod support;

use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::*;
use support::http::HttpRaw;
use support::{ServerThread, within};

#[test]
fn smoke() {
    within("smoke", || {
        let procedures = Procedures::new().on("add", |a: i64, b: i64| a + b);
        let server = ServerThread::run(
            Server::new(procedures).protocol(JsonRpc::default()),
            ThreadPerConnection::default(),
        );
        let mut raw = HttpRaw::connect(server.address());
        for body in [
            r#"{"jsonrpc":"2.0","method":"add","params":[10,5],"id":1}"#,
            r#"{"jsonrpc":"2.0","method":"add","params":[10,5]}"#,
            "x",
            "[]",
        ] {
            println!("{:?}", raw.ask(body));
        }
        let stub =
            ClientStub::new(&Channel::new(server.address()).protocol(JsonRpc::default())).unwrap();
        println!("{:?}", stub.call::<i64>("add", (1, 2)));
        println!("{:?}", stub.call::<i64>("add", (1, "a")));
        println!("{:?}", stub.call::<i64>("ad", ()));
        let a = stub.send::<i64>("add", (1, 2)).unwrap();
        let b = stub.send::<i64>("add", (1, 3)).unwrap();
        println!("{:?} {:?}", b.wait(), a.wait());
        println!("{:?}", stub.notify("add", (1, "a")));
        let mut batch = stub.batch();
        let a = batch.send::<i64>("add", (1, 2)).unwrap();
        batch.notify("add", (1, 2)).unwrap();
        let b = batch.send::<i64>("sub", (1, 3)).unwrap();
        batch.flush().unwrap();
        println!("{:?} {:?}", b.wait(), a.wait());
        raw.send(b"GET / HTTP/1.1\r\n\r\n");
        println!("{:?}", raw.response());
        drop(batch);
        drop(stub);
        server.stop_handle().stop();
        println!("{:?}", raw.is_over());
        drop(raw);
        println!("{:?}", server.ended());
    });
}
