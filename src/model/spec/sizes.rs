//! Numbers with units, and booleans, in the form that log drivers accept.

pub(super) const SIZE: &str = "write it like \"10m\"";

pub(super) fn not_a_size(text: &str) -> String {
    format!("\"{text}\" is not a size that a log driver accepts")
}

/// A boolean in Go's form.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The factor between two units: of log files, and of the memory between a container and its
/// driver.
pub(super) const DECIMAL: u64 = 1000;

pub(super) const BINARY: u64 = 1024;

pub(super) const UNITS: &str = "kmgtp";

/// Parses a size as Docker's log drivers do: a number, then a letter for the unit, optionally with
/// `b`, `i` or `ib`. In bytes.
pub(super) fn size(text: &str, step: u64) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let is_number = number.split('.').all(|part| !part.is_empty());
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let power = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => 0,
        letter => i32::try_from(UNITS.find(letter).filter(|_| letter.len() == 1)? + 1).ok()?,
    };
    if !is_number || !matches!(unit.len(), 0..=3) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "it is not below 0; what is too large is largest"
    )]
    Some((number.parse::<f64>().ok()? * (step as f64).powi(power)) as u64)
}

/// Formats with the largest unit that results in a whole number: `10m`.
pub(super) fn in_units(bytes: u64, step: u64) -> String {
    let (mut number, mut units) = (bytes, UNITS.chars());
    let mut unit = None;
    while number > 0 && number.is_multiple_of(step) {
        let Some(next) = units.next() else { break };
        (number, unit) = (number / step, Some(next));
    }
    format!("{number}{}", unit.map(String::from).unwrap_or_default())
}
