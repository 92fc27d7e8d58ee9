//! A server of one's own, and all of it: two procedures, an address, a strategy.
//!
//! Chapter 1. It serves until it is ended: `cargo run --example first_server`, and in another
//! terminal `cargo run -- call 127.0.0.1:9000 shout hello`.

// ANCHOR: server
use ninestep::{Procedures, Server, ThreadPerConnection};

fn main() -> ninestep::Result<()> {
    let procedures = Procedures::new()
        .on("shout", |text: String| text.to_uppercase())
        .on("average", |a: f64, b: f64| (a + b) / 2.0);

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9000".to_string());
    let server = Server::new(procedures).bind(address)?;
    println!("listening on {}", server.local_addr());
    server.run(&ThreadPerConnection::default())
}
// ANCHOR_END: server
