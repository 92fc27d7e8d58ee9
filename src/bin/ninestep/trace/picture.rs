//! Where the bytes of a message stand in the picture of a step.

use ninestep::Step;

/// A byte, and the number of its field.
pub(super) struct Square {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) size: f32,
    pub(super) field: usize,
}

/// Of a longer message, only so many bytes are drawn.
pub(super) const MOST: usize = 64;
/// The letters that stand beside an arrow.
const LETTERS: usize = 12;

/// The bytes of a message whose fields have these lengths.
pub(super) fn squares(step: Step, lengths: &[usize]) -> Vec<Square> {
    let fields = lengths.iter().enumerate();
    let fields = fields.flat_map(|(index, length)| std::iter::repeat_n(index + 1, *length));
    let count = lengths.iter().sum::<usize>().min(MOST);
    let square = |(index, field)| {
        let (x, y, pitch) = place(step, index, count);
        Square { x, y, size: pitch * 0.8, field }
    };
    fields.take(MOST).enumerate().map(square).collect()
}

/// Where a byte stands, and how far from the next.
fn place(step: Step, index: usize, count: usize) -> (f32, f32, f32) {
    let heap = |left: f32| {
        let (column, row) = (index % 16, index / 16);
        (left + column as f32 * 8.0, 157.0 + row as f32 * 8.0, 8.0)
    };
    let pitch = (300.0 / count as f32).min(8.0);
    let row = |place: usize| (180.0 + (place as f32 - count as f32 / 2.0) * pitch, 220.0, pitch);
    match step {
        // Under way, the first byte is ahead.
        Step::Send => row(count - 1 - index),
        Step::Reply => row(index),
        Step::Unpack => heap(217.0),
        _ => heap(15.0),
    }
}

/// As much of a text as has room.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
