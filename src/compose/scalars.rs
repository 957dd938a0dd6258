//! Scalars without quotes that are something else to YAML than to who wrote them.

use serde_yaml::Value as Yaml;

/// Whether the values of a map of this name become texts in the container or in what is built.
pub(super) fn becomes_text(map: &str) -> bool {
    ["environment", "labels", "args", "options", "driver_opts"].contains(&map)
}

/// What is to be said of a value that is written as `written`; nothing where it reaches the container as it stands, with Compose too.
pub(super) fn remark(written: &str, value: &Yaml) -> Option<String> {
    if written.is_empty() || written.starts_with(['"', '\'', '|', '>', '&', '*', '!', '$']) {
        return None;
    }
    let quote = format!("write \"{written}\" in quotes");
    match value {
        Yaml::Number(number) => {
            let text = rendered(number);
            (text != written)
                .then(|| format!("{written} is a number to YAML, and {text} is what reaches the container: {quote} to keep it"))
        }
        Yaml::Bool(value) => (value.to_string() != written)
            .then(|| format!("{written} is a truth value to YAML, and {value} is what reaches the container: {quote} to keep it")),
        Yaml::String(text) if text == written => {
            let made = by_compose(written)?;
            Some(format!("{written} stays as it is here, and Compose makes {made} of it: {quote}, and it is the same for both"))
        }
        _ => None,
    }
}

/// A number as the container gets it.
fn rendered(number: &serde_yaml::Number) -> String {
    match super::file::whole(number) {
        Some(whole) => whole.to_string(),
        None => number.to_string(),
    }
}

/// What Compose's YAML takes for a whole number, and what it makes of it: a leading 0 is octal, and `_` only parts digits.
fn by_compose(written: &str) -> Option<i64> {
    let (sign, digits) = written.strip_prefix('-').map_or((1, written), |digits| (-1, digits));
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) || !digits.chars().all(|digit| digit.is_ascii_digit() || digit == '_') {
        return None;
    }
    let is_octal = digits.len() > 1 && digits.starts_with('0');
    if !is_octal && !digits.contains('_') {
        return None;
    }
    let plain: String = digits.chars().filter(|digit| *digit != '_').collect();
    let value = i64::from_str_radix(&plain, if is_octal { 8 } else { 10 }).ok()?;
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scalar_that_changes_on_its_way_is_said() {
        let said = |written: &str| remark(written, &serde_yaml::from_str(written).unwrap());
        for (written, words) in [
            ("1.10", "1.1 is what reaches the container"),
            ("1e3", "1000 is what reaches the container"),
            ("0x10", "16 is what reaches the container"),
            ("True", "true is what reaches the container"),
            ("010", "Compose makes 8 of it"),
            ("1_000", "Compose makes 1000 of it"),
        ] {
            assert!(said(written).is_some_and(|text| text.contains(words)), "{written}: {:?}", said(written));
        }
        for written in ["1", "1.5", "-3", "true", "text", "\"1.10\"", "'010'", "1.2.3", "2026_x", "089", "a_b"] {
            assert_eq!(said(written), None, "{written}");
        }
    }
}
