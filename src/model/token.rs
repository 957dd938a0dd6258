//! Finds tokens of secrets in a text, without the secrets of the run.
//!
//! In scripts and descriptions a token represents the value of a secret. Where spc delivers no
//! value, the token must not arrive either, because the author meant the secret. So these places
//! search for the mark that starts a token.

/// The beginning of a token.
pub(super) const HIDDEN_MARK: &str = "\u{27e8}secret:";

/// The beginning of an exposed token, which may be used in an environment.
pub(super) const EXPOSED_MARK: &str = "\u{27e8}exposed:";

/// The end of a token.
pub(super) const END_MARK: char = '\u{27e9}';

/// Hexadecimal digits of a token's nonce.
const NONCE_DIGITS: usize = 32;

/// A token found in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// The name of the secret.
    pub name: &'a str,
    /// Whether `expose` made it.
    pub is_exposed: bool,
}

/// The tokens in `text`, in order. A token that was cut off counts, because it also meant the
/// secret.
pub fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let marks = [(HIDDEN_MARK, false), (EXPOSED_MARK, true)];
    let mut found: Vec<(usize, Token<'_>)> = marks
        .into_iter()
        .flat_map(|(mark, is_exposed)| {
            text.match_indices(mark).map(move |(at, _)| {
                (at, Token { name: name_in(&text[at + mark.len()..]), is_exposed })
            })
        })
        .collect();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, token)| token)
}

/// The first token in `text`.
pub fn first(text: &str) -> Option<Token<'_>> {
    tokens(text).next()
}

/// Whether `bytes` contain a whole token. For content that others wrote, which may contain the mark
/// by chance.
pub fn is_in_bytes(bytes: &[u8]) -> bool {
    [HIDDEN_MARK, EXPOSED_MARK].iter().any(|mark| {
        let mark = mark.as_bytes();
        bytes.windows(mark.len()).enumerate().filter(|(_, part)| *part == mark).any(|(at, _)| {
            let rest = &bytes[at + mark.len()..];
            let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
            String::from_utf8_lossy(line).split(END_MARK).any(|before| nonce_at(before).is_some())
        })
    })
}

/// The name in the text after a mark.
fn name_in(rest: &str) -> &str {
    // A name may contain the end mark: the token ends where a nonce precedes the mark.
    let mut ends = rest.match_indices(END_MARK).map(|(at, _)| &rest[..at]);
    let whole = ends.find_map(|before| nonce_at(before).map(|colon| &before[..colon]));
    whole.unwrap_or_else(|| rest.split([':', END_MARK]).next().unwrap_or_default())
}

/// The beginning of the nonce at the end of `text`: its colon.
fn nonce_at(text: &str) -> Option<usize> {
    let (name, nonce) = text.rsplit_once(':')?;
    (nonce.len() == NONCE_DIGITS && nonce.bytes().all(|digit| digit.is_ascii_hexdigit()))
        .then_some(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Secrets;

    #[test]
    fn a_token_is_found_with_its_name_and_form() {
        let (hidden, odd) =
            (Secrets::token("db", [7; 16]), Secrets::token("a:b\u{27e9}c", [1; 16]));
        let text = format!("x{}y{hidden}{odd}", Secrets::exposed(&hidden));
        let found: Vec<_> = tokens(&text).map(|token| (token.name, token.is_exposed)).collect();
        assert_eq!(found, [("db", true), ("db", false), ("a:b\u{27e9}c", false)]);
        assert_eq!(first("no secret: none"), None);
    }

    #[test]
    fn a_token_that_was_cut_off_is_still_one() {
        let token = Secrets::token("db", [7; 16]);
        let cut: String = token.chars().take(20).collect();
        assert_eq!(first(&cut), Some(Token { name: "db", is_exposed: false }));
    }

    #[test]
    fn only_a_complete_token_in_bytes_counts() {
        let token = Secrets::token("db", [7; 16]);
        let packed = |text: &str| [b"\xff\0head\n", text.as_bytes(), b"\ntail\xfe"].concat();
        assert!(
            is_in_bytes(&packed(&token))
                && is_in_bytes(&packed(&format!("a {}", Secrets::exposed(&token))))
        );
        assert!(!is_in_bytes(&packed(
            "a token begins with \u{27e8}secret: and ends with \u{27e9}"
        )));
    }
}
