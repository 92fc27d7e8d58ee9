//! Exercise 10b, solved.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crossbeam_channel::bounded;
use ninestep::{Connection, Fault, Incoming, Result, Strategy};

pub(crate) struct Refusing;

// ANCHOR: answer
impl Strategy for Refusing {
    fn run(&self, incoming: &mut Incoming, serve: &(dyn Fn(Connection) + Sync)) -> Result<()> {
        let free = AtomicUsize::new(4);
        // There is room for all that may be handed over, so the acceptor never waits here.
        let (hand_over, handed) = bounded(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for connection in &handed {
                        serve(connection);
                        free.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            for connection in incoming {
                if free.load(Ordering::SeqCst) == 0 {
                    let fault = Fault::new(Fault::OVERLOADED, "all threads are busy");
                    serve(connection.refused(fault));
                } else {
                    free.fetch_sub(1, Ordering::SeqCst);
                    let _ = hand_over.send(connection);
                }
            }
            drop(hand_over);
        });
        Ok(())
    }
}
// ANCHOR_END: answer
