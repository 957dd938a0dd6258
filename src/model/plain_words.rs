//! A library's words as a user can read them: names of values in a program become words.

/// `text` with each name of a program as words: `received fatal alert: HandshakeFailure` is
/// `received fatal alert: handshake failure`.
pub fn without_names(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = text;
    while let Some(begin) = rest.find(is_name) {
        let length = rest[begin..].find(|c| !is_name(c)).unwrap_or(rest.len() - begin);
        plain.push_str(&rest[..begin]);
        plain.push_str(&words(&rest[begin..begin + length]));
        rest = &rest[begin + length..];
    }
    plain + rest
}

/// A name as words; a word, or an abbreviation, as it is.
fn words(name: &str) -> String {
    let humps = name
        .as_bytes()
        .windows(2)
        .filter(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    if humps.count() == 0 {
        return name.to_owned();
    }
    let mut words = String::new();
    let mut is_lower = false;
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && is_lower {
            words.push(' ');
        }
        is_lower = letter.is_ascii_lowercase();
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words_and_words_stay() {
        for (said, plain) in [
            ("received fatal alert: HandshakeFailure", "received fatal alert: handshake failure"),
            (
                "peer is incompatible: NoCipherSuitesInCommon",
                "peer is incompatible: no cipher suites in common",
            ),
            ("BadSignature", "bad signature"),
            ("TLS failed: it is OK", "TLS failed: it is OK"),
            ("", ""),
        ] {
            assert_eq!(without_names(said), plain);
        }
    }
}
