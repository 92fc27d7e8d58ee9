//! Masks what differs from run to run in the output of an example, so that two runs compare equal.
//!
//! The same masks are laid on the expected output and on the real one: the file that a reader
//! sees has real numbers in it.

/// A number after one of these words is masked.
const BEFORE: [&str; 3] = ["process", "thread", "error"];
/// A number before one of these words is masked.
const AFTER: [&str; 4] = ["µs", "ms", "calls/s", "connections/s"];

/// The text with `#` in the place of ports on loopback, of process and thread numbers, of times,
/// of HTTP's dates, of rates, and of the operating system's error numbers.
pub(crate) fn mask(text: &str) -> String {
    text.split_inclusive('\n').map(mask_line).collect()
}

fn mask_line(line: &str) -> String {
    // In a dump the date stands behind its bytes, which differ as well.
    if line.contains("date: ") {
        return "date: #\n".to_owned();
    }
    // A word keeps the space that follows it.
    let words: Vec<&str> = line.split_inclusive(' ').collect();
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    let mask_word = |index: usize| {
        let before = index.checked_sub(1).map_or("", word).trim_end();
        let before = before.trim_start_matches(|c: char| !c.is_alphanumeric());
        let after = word(index + 1).trim_matches(|c: char| !c.is_alphanumeric());
        if BEFORE.contains(&before) || AFTER.contains(&after) {
            mask_number(word(index))
        } else {
            mask_port(word(index))
        }
    };
    (0..words.len()).map(mask_word).collect()
}

/// `4,711)` becomes `#)`; a word without digits stays.
fn mask_number(word: &str) -> String {
    let is_digit = |c: char| c.is_ascii_digit();
    match (word.find(is_digit), word.rfind(is_digit)) {
        (Some(first), Some(last)) => format!("{}#{}", &word[..first], &word[last + 1..]),
        _ => word.to_owned(),
    }
}

/// `127.0.0.1:40001,` becomes `127.0.0.1:#,`.
fn mask_port(word: &str) -> String {
    const HOST: &str = "127.0.0.1:";
    match word.split_once(HOST) {
        Some((before, port)) => format!("{before}{HOST}{}", mask_number(port)),
        None => word.to_owned(),
    }
}
