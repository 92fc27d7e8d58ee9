//! The check of exercise 5a. It is a macro because it is for two types of the same name.

mod solution;
mod starter;

use crate::kit::{Exercise, ensure, equal};

macro_rules! check {
    ($answer:ident) => {{
        let mut table = $answer::Table::default();
        let ids = ["Ann", "Bob", "Cid"].map(|caller| table.insert(caller));
        equal("the first three ids", ids, [1, 2, 3])?;
        equal("complete(2)", table.complete(2), Some("Bob"))?;
        equal("complete(2) again", table.complete(2), None)?;
        table.give_up(1);
        equal("complete(1) after give_up(1)", table.complete(1), None)?;
        equal("complete(9), which nobody inserted,", table.complete(9), None)?;
        equal("the next id", table.insert("Dan"), 4)?;

        let mut table = $answer::Table::default();
        let ids = [table.insert("slow"), table.insert("as slow")];
        equal("the first two ids", ids, [1, 2])?;
        table.start_after(u32::MAX - 1);
        equal("the id after u32::MAX - 1", table.insert("last"), u32::MAX)?;
        equal("the id after u32::MAX, with 1 and 2 still in the table,", table.insert("new"), 3)?;
        ensure(table.complete(1) == Some("slow"), "call 1 was lost when the ids began again")?;
        table.start_after(u32::MAX);
        equal("the id after u32::MAX, with 1 free,", table.insert("first"), 1)
    }};
}

pub(crate) const EXERCISE: Exercise = Exercise {
    number: "5a",
    folder: "e05a_table",
    title: "the table of pending calls",
    starter: || check!(starter),
    solution: || check!(solution),
};
