//! The check of exercise 2b.

mod solution;
mod starter;

use ninestep::protocol::native::Native;
use ninestep::protocol::{Outgoing, Protocol, Request};

use crate::kit::{Check, Exercise, ensure};

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "2b",
    folder: "e02b_by_hand",
    title: "a call packed by hand",
    starter: || check(starter::CALL),
    solution: || check(solution::CALL),
};

fn check(by_hand: &[u8]) -> Check {
    let arguments = &("Ada",);
    let call = Outgoing { id: Some(7), procedure: "sayHi", arguments, deadline: None };
    let mut request = Request::default();
    Native::default().pack(&call, &mut request)?;
    let packed = request.bytes;
    let same = by_hand.iter().zip(&packed).take_while(|(a, b)| a == b).count();
    let name = |bytes: &[u8]| {
        bytes.get(same).map_or("nothing more".to_owned(), |byte| format!("{byte:#04x}"))
    };
    ensure(
        by_hand == packed,
        format!(
            "the first {same} bytes are right\nthen the crate has {}, and you have {}",
            name(&packed),
            name(by_hand)
        ),
    )
}
