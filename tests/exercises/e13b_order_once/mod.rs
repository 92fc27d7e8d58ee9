//! The check of exercise 13b.

mod solution;
mod starter;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::kit::{Check, Exercise, ensure, equal};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "13b",
    folder: "e13b_order_once",
    title: "a lock for each name",
    starter: || {
        let orders = starter::Orders::default();
        check(&|name, work| orders.once(name, work))
    },
    solution: || {
        let orders = solution::Orders::default();
        check(&|name, work| orders.once(name, work))
    },
};

const MOMENT: Duration = Duration::from_secs(3);

fn check(once: &(dyn Fn(&str, &dyn Fn()) + Sync)) -> Check {
    // An attempt comes while the first is at work, and must not return before it.
    let (begin, begun) = channel();
    let (never, wait) = channel::<()>();
    let (worked, done) = (AtomicU32::new(0), AtomicBool::new(false));
    let count = || {
        worked.fetch_add(1, Ordering::SeqCst);
    };
    let early = thread::scope(|scope| {
        let (count, done) = (&count, &done);
        scope.spawn(move || {
            once("tea", &|| {
                let _ = begin.send(());
                let _ = wait.recv_timeout(Duration::from_millis(200));
                count();
                done.store(true, Ordering::SeqCst);
            });
        });
        let _ = begun.recv();
        once("tea", &count);
        !done.load(Ordering::SeqCst)
    });
    drop(never);
    ensure(!early, "a second attempt was over before the first one was")?;
    once("tea", &count);
    equal("the number of orders after three attempts at one", worked.load(Ordering::SeqCst), 1)?;

    // The first order waits until the second one, of another name, is at work.
    let (begin, begun) = channel();
    let (second, at_work) = channel();
    let together = thread::scope(|scope| {
        let coffee = scope.spawn(move || {
            let together = AtomicBool::new(false);
            once("coffee", &|| {
                let _ = begin.send(());
                together.store(at_work.recv_timeout(MOMENT).is_ok(), Ordering::SeqCst);
            });
            together.into_inner()
        });
        let _ = begun.recv();
        once("cake", &|| {
            let _ = second.send(());
        });
        coffee.join().unwrap_or_default()
    });
    ensure(together, "an order of cake waits until an order of coffee is done")
}
