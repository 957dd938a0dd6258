//! Names, words and quotes of an instruction.

/// The name of an instruction in capitals, and the text after it.
pub fn instruction(text: &str) -> (String, &str) {
    let text = text.trim();
    let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (name.to_ascii_uppercase(), rest.trim())
}

/// The pairs of `KEY=value "KEY"="a value"`, or of the old `KEY value`. Quotes and escapes stay in
/// the text.
pub(super) fn pairs(rest: &str) -> Vec<(String, String)> {
    let words = words(rest);
    match words.first() {
        Some(first) if !first.contains('=') => {
            vec![(first.clone(), rest[first.len()..].trim().to_owned())]
        }
        _ => words
            .iter()
            .filter_map(|word| word.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}

/// Splits at spaces that are neither quoted nor escaped.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut is_escaped = false;
    for character in text.chars() {
        if quote.is_none() && !is_escaped && character.is_whitespace() {
            words.push(String::new());
            continue;
        }
        match (quote, character) {
            _ if is_escaped => {}
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
        is_escaped = !is_escaped && character == '\\' && quote != Some('\'');
        words.iter_mut().last().into_iter().for_each(|word| word.push(character));
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Removes quotes, and backslashes that escape anything but a dollar. The others are left to
/// [`filled`](super::filled).
pub(super) fn unquoted(text: &str) -> String {
    let mut plain = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            // Variables in single quotes are not replaced.
            (Some('\''), '$') => plain.push_str("\\$"),
            (Some('\''), _) => plain.push(character),
            (_, '\\') => match characters.next() {
                Some('$') => plain.push_str("\\$"),
                Some(escaped) => plain.push(escaped),
                None => {}
            },
            _ => plain.push(character),
        }
    }
    plain
}
