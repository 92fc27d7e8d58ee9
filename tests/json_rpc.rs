//! JSON-RPC 2.0: its specification, and what is not in it.
#![cfg(feature = "json-rpc")]

pub mod support;

use ninestep::protocol::json_rpc::JsonRpc;
use ninestep::{Procedures, Server, ThreadPerConnection};
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
        raw.send(b"GET / HTTP/1.1\r\n\r\n");
        println!("{:?}", raw.response());
        server.stop_handle().stop();
        println!("{:?}", raw.is_over());
        println!("{:?}", server.ended());
    });
}
