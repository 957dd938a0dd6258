//! Writes values into `.env` files.

use super::dotenv;

/// Writes a value so that it reads back the same, also in programs of the project that read the
/// file with a library such as dotenvy. It is written without quotes if both readers accept that,
/// else
/// [`quote`]d. `None` for a value that no file can contain.
pub fn quoted(value: &str) -> Option<String> {
    // Readers differ about the source of variables and the beginning of comments.
    let is_plain = !value.contains(['$', '#'])
        && by_dotenvy(value).as_deref() == Some(value)
        && by_compose(value).as_deref() == Some(value);
    let written = if is_plain { value.to_owned() } else { quote(value) };
    (by_compose(&written).as_deref() == Some(value)).then_some(written)
}

/// The same, always in quotes: in single quotes, which are literal, or in double quotes if the
/// value can't be in single ones.
fn quote(value: &str) -> String {
    let single = format!("'{value}'");
    if !value.contains(['\\', '\r', '\n']) && by_dotenvy(&single).as_deref() == Some(value) {
        return single;
    }
    let mut quoted = "\"".to_owned();
    for character in value.chars() {
        match character {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\\' | '"' | '$' => quoted.extend(['\\', character]),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// The value that [`dotenv::parse`] reads from the written form.
fn by_compose(written: &str) -> Option<String> {
    let file = dotenv::parse(format!("VALUE={written}\n").as_bytes(), &|_| None).ok()?;
    let is_alone = file.variables.len() == 1 && file.remarks().is_empty();
    file.variables.get("VALUE").filter(|_| is_alone).map(|variable| variable.value.clone())
}

/// The value that dotenvy reads from the written form; `None` if it fails. Its dialect differs from
/// Compose's. Bare values with blanks, quotes or backslashes fail or change, `\'` ends a value in
/// single quotes, it knows the fewest escapes, and it replaces variables without defaults, from the
/// process environment. So it can't be used to read a project's `.env`.
pub(super) fn by_dotenvy(written: &str) -> Option<String> {
    let line = format!("VALUE={written}\n");
    Some(dotenvy::from_read_iter(line.as_bytes()).next()?.ok()?.1)
}
