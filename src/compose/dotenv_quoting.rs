//! Values as they are written into a `.env` file.

use super::dotenv;

/// Writes a value so that it reads back the same, also in the programs of the project that read the
/// file with a library of the kind of dotenvy: as it is where both readers take it so, else
/// [`quote`]d. Nothing for a value that no file can hold.
pub fn quoted(value: &str) -> Option<String> {
    // Where a variable is looked up, and where a comment begins, differs between readers.
    let is_plain = !value.contains(['$', '#'])
        && by_dotenvy(value).as_deref() == Some(value)
        && by_compose(value).as_deref() == Some(value);
    let written = if is_plain { value.to_owned() } else { quote(value) };
    (by_compose(&written).as_deref() == Some(value)).then_some(written)
}

/// The same, always in quotes: in single ones, where nothing has a meaning, or in double ones where
/// it holds what single quotes can't.
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

/// What [`dotenv::parse`] reads of a value as it is written.
fn by_compose(written: &str) -> Option<String> {
    let file = dotenv::parse(format!("VALUE={written}\n").as_bytes(), &|_| None).ok()?;
    let is_alone = file.variables.len() == 1 && file.remarks().is_empty();
    file.variables.get("VALUE").filter(|_| is_alone).map(|variable| variable.value.clone())
}

/// What dotenvy reads of a value as it is written; nothing where it can't. It reads another dialect
/// than Compose: bare values with blanks, quotes or backslashes fail or change, `\'` ends a value in
/// single quotes, of the escapes it knows the fewest, and it replaces variables without defaults,
/// from the process environment. So it can't read a project's `.env`.
pub(super) fn by_dotenvy(written: &str) -> Option<String> {
    let line = format!("VALUE={written}\n");
    Some(dotenvy::from_read_iter(line.as_bytes()).next()?.ok()?.1)
}
