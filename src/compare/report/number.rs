//! Numbers, as people read them.

use crate::compare::{Axis, Remnant};

/// A number with the three digits that matter, and commas.
pub(super) fn rounded(number: f64) -> String {
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    let digits = number.abs().log10().floor() as i32;
    if digits < 2 {
        let decimals = (2 - digits).min(9) as usize;
        let text = format!("{number:.decimals$}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let coarse = 10_f64.powi(digits - 2);
    let mut text = format!("{:.0}", (number / coarse).round() * coarse);
    let sign = usize::from(number < 0.0);
    let mut comma = text.len();
    while comma > sign + 3 {
        comma -= 3;
        text.insert(comma, ',');
    }
    text
}

/// A number with the two digits that another run would show as well.
pub(super) fn two_digits(number: f64) -> String {
    if !number.is_finite() || number <= 0.0 {
        return rounded(number);
    }
    let unit = 10_f64.powi(number.log10().floor() as i32 - 1);
    rounded((number / unit).round() * unit)
}

/// `a, b and c`.
pub(super) fn list(items: &[impl AsRef<str>]) -> String {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    match items.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => items.concat(),
    }
}

/// A quantity's name and unit.
pub(super) fn heading(axis: &Axis) -> String {
    match &*axis.unit {
        "" => axis.name.clone(),
        unit => format!("{} ({unit})", axis.name),
    }
}

/// What is left behind, such as `memory (320 MiB)`.
pub(super) fn remnant(remnant: &Remnant) -> String {
    let amount = format!("{} {}", rounded(remnant.amount), remnant.unit);
    format!("{} ({})", remnant.what, amount.trim_end())
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn numbers_have_three_digits_and_commas() {
        for (number, text) in [
            (0.0, "0"),
            (7.0, "7"),
            (7.456, "7.46"),
            (98.64, "98.6"),
            (647.3, "647"),
            (999.6, "1,000"),
            (4_949.0, "4,950"),
            (138_412.0, "138,000"),
            (1_234_567.0, "1,230,000"),
            (0.012_34, "0.0123"),
            (9.999, "10"),
            (-1_234.0, "-1,230"),
            (-123.4, "-123"),
        ] {
            assert_eq!(rounded(number), text);
        }
    }
}
