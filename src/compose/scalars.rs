//! Scalars without quotes that YAML reads in another way than their author intended.

use serde_yaml::Value as Yaml;

use super::note::NoteKind;

/// Whether the values of a map with this name become texts in the container or in the build.
pub(super) fn becomes_text(map: &str) -> bool {
    ["environment", "labels", "args", "options", "driver_opts"].contains(&map)
}

/// The remark about a value written as `written`; `None` if it reaches the container as written,
/// also with Compose.
pub(super) fn remark(written: &str, value: &Yaml) -> Option<(NoteKind, String)> {
    if written.is_empty() || written.starts_with(['"', '\'', '|', '>', '&', '*', '!', '$']) {
        return None;
    }
    let quote = format!("write \"{written}\" in quotes");
    let same_for_both = |made: String| {
        let text = format!(
            "{written} stays as it is in spc, but Compose turns it into {made}: {quote} to get the same value in both"
        );
        (NoteKind::ComposeDifference, text)
    };
    let other = |text: String| (NoteKind::Unclear, text);
    match value {
        Yaml::Number(number) => {
            let text = rendered(number);
            if text != written {
                return Some(other(format!("YAML reads {written} as a number, and the container gets {text}: {quote} to keep it")));
            }
            let made = fraction_by_compose(number)?;
            (made != written).then(|| same_for_both(made))
        }
        Yaml::Bool(value) => (value.to_string() != written)
            .then(|| other(format!("YAML reads {written} as a truth value, and the container gets {value}: {quote} to keep it"))),
        Yaml::String(text) if text == written => whole_by_compose(written).map(same_for_both),
        _ => None,
    }
}

/// A number in the form that the container gets.
fn rendered(number: &serde_yaml::Number) -> String {
    match whole(number) {
        Some(whole) => whole.to_string(),
        None => number.to_string(),
    }
}

/// Compose's form of a number with a fraction or an exponent: the shortest digits, with an exponent
/// of at least two digits if the number is below 0.0001 or at least a million.
fn fraction_by_compose(number: &serde_yaml::Number) -> Option<String> {
    let value = number.as_f64().filter(|value| number.is_f64() && value.is_finite())?;
    let shortest = format!("{value:e}");
    let (digits, exponent) = shortest.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (sign, size) = (if exponent < 0 { '-' } else { '+' }, exponent.abs());
    Some(if (-4..6).contains(&exponent) {
        value.to_string()
    } else {
        format!("{digits}e{sign}{size:02}")
    })
}

/// Compose's reading of a whole number: a leading 0 means octal if the digits allow it, and `_`
/// separates digits.
fn whole_by_compose(written: &str) -> Option<String> {
    let (sign, digits) = written.strip_prefix('-').map_or(("", written), |digits| ("-", digits));
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    if !digits.starts_with(|first: char| first.is_ascii_digit())
        || !digits.chars().all(|digit| digit.is_ascii_digit() || digit == '_')
    {
        return None;
    }
    let has_zero = digits.len() > 1 && digits.starts_with('0');
    if !has_zero && !digits.contains('_') {
        return None;
    }
    let plain: String = digits.chars().filter(|digit| *digit != '_').collect();
    let octal = has_zero.then(|| i64::from_str_radix(&plain, 8).ok()).flatten();
    Some(format!("{sign}{}", octal.map_or_else(|| plain.parse::<i64>(), Ok).ok()?))
}

/// A float without a fraction: Compose writes it as a whole number.
pub(super) fn whole(number: &serde_yaml::Number) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let value = number
        .as_f64()
        .filter(|value| number.is_f64() && value.fract() == 0.0 && value.abs() < EXACT)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole, and small enough to be exact")]
    Some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_that_yaml_changes_is_reported() {
        let said = |written: &str| remark(written, &serde_yaml::from_str(written).unwrap());
        for (written, words) in [
            ("1.10", "the container gets 1.1:"),
            ("1e3", "the container gets 1000:"),
            ("0x10", "the container gets 16:"),
            ("True", "the container gets true:"),
            ("010", "Compose turns it into 8:"),
            ("-010", "Compose turns it into -8:"),
            ("089", "Compose turns it into 89:"),
            ("1_000", "Compose turns it into 1000:"),
            ("1.5e-7", "Compose turns it into 1.5e-07:"),
            ("1234567.5", "Compose turns it into 1.2345675e+06:"),
        ] {
            let (kind, text) = said(written).unwrap();
            assert!(text.contains(words), "{written}: {text}");
            let of_compose = words.starts_with("Compose");
            assert_eq!(kind == NoteKind::ComposeDifference, of_compose, "{written}");
        }
        for written in [
            "1", "1.5", "-3", "true", "text", "\"1.10\"", "'010'", "1.2.3", "2026_x", "a_b", "0.5",
            "0.0001",
        ] {
            assert_eq!(said(written), None, "{written}");
        }
    }
}
