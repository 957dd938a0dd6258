//! Masks passwords and tokens in URLs. They are not declared as secrets, and people who write a URL
//! into a description, a variable or a script don't think of messages. So messages of spc never
//! show them.
//!
//! | written | shown |
//! |---|---|
//! | `https://me:password@host/repo.git`, `https://token@host/` | `https://***@host/repo.git`, `https://***@host/` |
//! | `postgres://me:password@db/app`, `me:password@registry/image` | `postgres://me:***@db/app`, `me:***@registry/image` |
//! | `https://host/?token=abc&page=2` | `https://host/?token=***&page=2` |
//!
//! A password that breaks the URL (`https://me:pa/ss@host`) is masked too, because the error is
//! about this URL. A user name before `@` stays unless it is a token: `ssh://me@host`.

use std::borrow::Cow;
use std::ops::Range;

/// Replaces a password.
const HIDDEN: &str = "***";

/// Words in the name of a parameter whose value gives access.
const TELLING: [&str; 7] =
    ["token", "secret", "passw", "signature", "credential", "apikey", "api_key"];
/// Whole names of such parameters.
const TELLING_NAMES: [&str; 5] = ["auth", "key", "sig", "pass", "pwd"];

/// `text` with the credentials of all its URLs masked.
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    if !text.contains(['@', '?', '&']) {
        return Cow::Borrowed(text);
    }
    let mut hidden = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let word = word_at(text, at);
        find_in(&text[word.clone()], word.start, &mut hidden);
        at = word.end + text[word.end..].chars().next().map_or(0, char::len_utf8);
    }
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut end = 0;
    for range in hidden {
        shown.push_str(&text[end..range.start]);
        shown.push_str(HIDDEN);
        end = range.end;
    }
    Cow::Owned(shown + &text[end..])
}

/// The range that a URL may cover from `at`: up to white space or a quote. If the URL is in quotes
/// and its password contains a space, up to the closing quote.
fn word_at(text: &str, at: usize) -> Range<usize> {
    let rest = &text[at..];
    let end = rest
        .find(|c: char| c.is_whitespace() || matches!(c, '"' | '`' | '<' | '>'))
        .unwrap_or(rest.len());
    let is_quoted = text[..at].ends_with('"');
    if is_quoted
        && rest[end..].starts_with(' ')
        && scheme_end(&rest[..end])
            .is_some_and(|(_, from)| has_odd_port(authority(&rest[from..end])))
        && let Some(closing) = rest.find('"').filter(|closing| rest[end..*closing].contains('@'))
    {
        return at..at + closing;
    }
    at..at + end
}

/// Finds the ranges to mask in a word that begins `offset` bytes into its text.
fn find_in(word: &str, offset: usize, hidden: &mut Vec<Range<usize>>) {
    let Some((scheme, mut from)) = scheme_end(word) else {
        hidden.extend(without_scheme(word).map(|range| range.start + offset..range.end + offset));
        return;
    };
    let mut scheme = scheme;
    loop {
        let next = scheme_end(&word[from..]);
        let end = next.as_ref().map_or(word.len(), |(scheme, _)| from + scheme.start);
        let url = &word[from..end];
        let mut found = |range: Range<usize>| {
            hidden.push(offset + from + range.start..offset + from + range.end)
        };
        if let Some(user) = user_info(url) {
            let is_web = matches!(word[scheme.clone()].rsplit('+').next(), Some(last) if last.to_ascii_lowercase().starts_with("http"));
            match url[..user].find(':') {
                _ if is_web => found(0..user),
                Some(colon) => found(colon + 1..user),
                None => {}
            }
        }
        parameters(url).for_each(&mut found);
        match next {
            Some((next, after)) => {
                (scheme, from) = (from + next.start..from + next.end, from + after)
            }
            None => return,
        }
    }
}

/// The first scheme in `word`, and the position after its slashes. `http:` needs no slashes,
/// because browsers accept it without them.
fn scheme_end(word: &str) -> Option<(Range<usize>, usize)> {
    word.match_indices(':').find_map(|(colon, _)| {
        let before = &word[..colon];
        let start = before
            .rfind(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '.' | '-'))
            .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let name = &before[start..];
        let rest = &word[colon + 1..];
        let slashes = rest.len() - rest.trim_start_matches(['/', '\\']).len();
        let is_scheme = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_web = matches!(name.to_ascii_lowercase().as_str(), "http" | "https");
        (is_scheme && (slashes > 0 || is_web)).then_some((start..colon, colon + 1 + slashes))
    })
}

fn authority(url: &str) -> &str {
    &url[..url.find(['/', '?', '#', '\\']).unwrap_or(url.len())]
}

/// Whether the text after the colon of a server is not a port: then it is a password that was cut
/// off.
fn has_odd_port(authority: &str) -> bool {
    let port = if authority.starts_with('[') {
        None
    } else {
        authority.split_once(':').map(|(_, port)| port)
    };
    port.is_some_and(|port| !port.is_empty() && !port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The length of the user information after the scheme: up to the `@`. With a password, up to the
/// last `@`: the text before it may be the rest of a password that contains `@` and `/`.
fn user_info(url: &str) -> Option<usize> {
    let authority = authority(url);
    let end = authority.rfind('@');
    let has_password = end.is_some_and(|end| authority[..end].contains(':'));
    let last = url.rfind('@').filter(|last| !url[*last..].starts_with("@sha256:"));
    let end = if has_password || has_odd_port(authority) { last.or(end) } else { end };
    end.filter(|end| *end > 0)
}

/// The values of parameters that give access.
fn parameters(url: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let begin = url.find('?').unwrap_or(url.len());
    let mut at = begin;
    url[begin..].split_inclusive(['?', '&', ';', '#']).filter_map(move |part| {
        let from = at;
        at += part.len();
        let part = part.trim_end_matches(['?', '&', ';', '#']);
        let (name, value) = part.split_once('=')?;
        let lower = name.to_ascii_lowercase();
        let is_secret = TELLING.iter().any(|word| lower.contains(word))
            || TELLING_NAMES.contains(&lower.as_str());
        (is_secret && !value.is_empty()).then_some(from + name.len() + 1..from + part.len())
    })
}

/// The password in `me:password@registry/image`. A digest (`image:tag@sha256:…`) has no slash after
/// it.
fn without_scheme(word: &str) -> Option<Range<usize>> {
    let at = word.rfind('@')?;
    let colon = word[..at].find(':')?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    let server = word[at + 1..].split_once('/').map(|(server, _)| server)?;
    let is_user =
        colon > 0 && word[..colon].chars().all(|c| c.is_alphanumeric() || "._-%+".contains(c));
    (is_user && colon + 1 < at && !server.is_empty() && server.chars().all(is_host))
        .then_some(colon + 1..at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    #[test]
    fn credentials_of_a_url_anywhere_in_a_text_are_hidden() {
        for (text, shown) in [
            ("https://me:hunter2@host/repo.git#main", "https://***@host/repo.git#main"),
            ("\"https://hunter2@host/repo.git\" is", "\"https://***@host/repo.git\" is"),
            ("http:me:hunter2@host/", "http:***@host/"),
            ("http:\\\\me:hunter2@host\\", "http:\\\\***@host\\"),
            ("/srv/https:/me:hunter2@host/x", "/srv/https:/***@host/x"),
            ("HTTPS:\\/\\/me:hunter2@host", "HTTPS:\\/\\/***@host"),
            ("git+https://hunter2:x-oauth-basic@host/r", "git+https://***@host/r"),
            ("A=postgres://me:hunter2@db:5432/app B", "A=postgres://me:***@db:5432/app B"),
            (
                "tcp://me:hunter2@host:2375,https://a:hunter2@b",
                "tcp://me:***@host:2375,https://***@b",
            ),
            ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
            ("https://me:hun/ter2@host/", "https://***@host/"),
            ("https://me:hun#ter?2@host/", "https://***@host/"),
            ("https://me:hun@ter2@host/", "https://***@host/"),
            ("https://me:hun@t/er2@host/", "https://***@host/"),
            ("postgres://me:hun@t?er#2@db/app", "postgres://me:***@db/app"),
            ("https://me:hunter2@host/a@sha256:0123", "https://***@host/a@sha256:0123"),
            ("\"https://me:hun ter2@host/\": no", "\"https://***@host/\": no"),
            ("me:hunter2@registry.example:5000/image:1", "me:***@registry.example:5000/image:1"),
            (
                "https://host/?a=1&access_token=hunter2&b=2#x",
                "https://host/?a=1&access_token=***&b=2#x",
            ),
            ("https://host/?X-Amz-Signature=hunter2", "https://host/?X-Amz-Signature=***"),
            (
                "see https://host/?u=https://me:hunter2@a/ and é",
                "see https://host/?u=https://***@a/ and é",
            ),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }

    #[test]
    fn other_text_stays() {
        for text in [
            "ssh://me@host/run/docker.sock",
            "write unix:///path/to/docker.sock, tcp://host:port or ssh://user@host",
            "git@github.com:me/repo.git",
            "nginx:1.22@sha256:0123",
            "registry.example:5000/a@sha256:0123",
            "http://localhost:8000/a@b",
            "http://[::1]:8000/a@b",
            "./data:/var/lib/a@b",
            "https://host/?page=2&monkey=1",
            "mail me@host, or a: b@c/d",
            "@",
            "?",
            "http://",
            "http:",
            ":@/",
            "a:@b/",
        ] {
            assert!(
                matches!(without_credentials(text), Cow::Borrowed(_)),
                "{text}: {}",
                without_credentials(text)
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_twice_is_as_once(text in "[a:/@?=&\" \\\\hé.]{0,40}|(https?://[a:@/?=\" é]{0,20}){0,3}") {
            let once = without_credentials(&text).into_owned();
            prop_assert_eq!(without_credentials(&once).into_owned(), once);
        }
    }
}
