//! Chapter 7: lose the request, lose the reply. The caller cannot tell which it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;

use ninestep::{Channel, ClientStub, Connection, Error, Procedures, Result, Server};

/// What the network does to one call.
#[derive(Clone, Copy, PartialEq)]
enum Network {
    LosesTheRequest,
    LosesTheReply,
    Works,
}

/// One account, which a call may find or not, depending on the network that day.
struct Bank(Arc<AtomicI64>);

impl Bank {
    fn server(&self) -> Server {
        let account = Arc::clone(&self.0);
        Server::new(
            Procedures::new().on("deposit", move |amount: i64| {
                account.fetch_add(amount, Ordering::SeqCst) + amount
            }),
        )
    }

    // ANCHOR: deposit
    /// One call over one connection, with a network in between that does as it is told.
    fn deposit(&self, amount: i64, network: Network) -> Result<i64> {
        let (near, from_client) = Channel::in_memory()?;
        let (far, to_serve) = Channel::in_memory()?;
        let (server, to_server) = (self.server(), far.connect()?);
        thread::scope(|scope| {
            scope.spawn(move || server.serve(to_serve));
            scope.spawn(move || carry(network, &from_client, &to_server));
            ClientStub::new(&near)?.call("deposit", (amount,))
        })
    }
    // ANCHOR_END: deposit
}

/// Carries a request there and the reply back, unless one of them is lost; then it hangs up.
fn carry(network: Network, client: &Connection, server: &Connection) {
    let (mut request, mut reply) = (Vec::new(), Vec::new());
    let _ = client.receive(&mut request);
    if network == Network::LosesTheRequest {
        return;
    }
    let _ = server.send(&request);
    let _ = server.receive(&mut reply);
    if network == Network::Works {
        let _ = client.send(&reply);
    }
}

pub(crate) fn run() -> crate::Result {
    for lost in [Network::LosesTheRequest, Network::LosesTheReply] {
        let bank = Bank(Arc::new(AtomicI64::new(0)));
        println!(
            "A deposit of 10 over a network that {}:",
            match lost {
                Network::LosesTheRequest => "loses the request",
                _ => "loses the reply",
            }
        );
        match bank.deposit(10, lost) {
            Ok(balance) => println!("  the caller is told: {balance}"),
            Err(error) => tell(&error),
        }
        println!("  the account holds {}", bank.0.load(Ordering::SeqCst));
        println!("  the caller tries again and is told: {}", bank.deposit(10, Network::Works)?);
    }
    Ok(())
}

fn tell(error: &Error) {
    println!("  the caller is told: {error}; executed: {:?}", error.execution());
}
