//! Numbers, as people read them.

use crate::compare::Axis;

/// A number with the three digits that matter, and commas.
pub(super) fn rounded(number: f64) -> String {
    if !number.is_finite() || number == 0.0 {
        return number.to_string();
    }
    let last = number.abs().log10().floor() as i32 - 2;
    let decimals = (-last).clamp(0, 6) as usize;
    let unit = 10_f64.powi(last.max(0));
    let text = format!("{:.decimals$}", (number / unit).round() * unit);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut text = whole.to_owned();
    let mut comma = text.len();
    while comma > 3 + text.starts_with('-') as usize {
        comma -= 3;
        text.insert(comma, ',');
    }
    if !fraction.is_empty() {
        text = format!("{text}.{fraction}");
    }
    text
}

/// A place on an axis, which is never rounded.
pub(super) fn exact(number: f64) -> String {
    number.to_string()
}

/// A quantity's name and unit.
pub(super) fn heading(axis: &Axis) -> String {
    match &*axis.unit {
        "" => axis.name.clone(),
        unit => format!("{} ({unit})", axis.name),
    }
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
            (4_949.0, "4,950"),
            (138_412.0, "138,000"),
            (1_234_567.0, "1,230,000"),
            (0.012_34, "0.0123"),
            (-1_234.0, "-1,230"),
            (999.6, "1,000"),
            (9.999, "10"),
        ] {
            assert_eq!(rounded(number), text);
        }
    }
}
