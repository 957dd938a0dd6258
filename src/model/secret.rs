//! Secrets of a run: tokens that stand for values, and the mask over everything that is shown.
//!
//! A script never holds a secret's value. It holds a token, which spec and exec readers turn back
//! just before the engine call that delivers it. Every output passes through [`Secrets::mask`].

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;

/// Shown in place of a value or a token.
fn mask_of(name: &str) -> String {
    format!("[secret {name}]")
}

/// The secrets of one run. Shared by everything that delivers or shows.
#[derive(Default)]
pub struct Secrets {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Token → name and value.
    tokens: BTreeMap<String, (String, String)>,
    /// What is hidden → what is shown, the longest first.
    hidden: Vec<(String, String)>,
}

/// How a token begins.
const HIDDEN_MARK: &str = "\u{27e8}secret:";

/// How the form of a token begins that may stand in an environment.
const EXPOSED_MARK: &str = "\u{27e8}exposed:";

/// Values shorter than this are not searched for in foreign output: masking "1" would hide everything.
const SHORTEST_SEARCHED: usize = 4;

impl Secrets {
    /// No secrets yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `token` stand for `value`, and so its exposed form. The token has to be unguessable and unlike
    /// any text: see [`Secrets::token`].
    pub fn add(&self, name: &str, token: &str, value: &str) {
        let mut known = self.lock();
        let mut forms = vec![token.to_owned(), Self::exposed(token)];
        for form in &forms {
            known.tokens.insert(form.clone(), (name.to_owned(), value.to_owned()));
        }
        for part in std::iter::once(value).chain(value.lines()) {
            if part.trim().chars().count() >= SHORTEST_SEARCHED {
                forms.extend(spellings(part.trim()));
            }
        }
        for form in forms {
            if !known.hidden.iter().any(|(hidden, _)| *hidden == form) {
                known.hidden.push((form, mask_of(name)));
            }
        }
        known.hidden.sort_by_key(|(hidden, _)| std::cmp::Reverse(hidden.len()));
    }

    /// The spelling of a token: `nonce` is 16 bytes of randomness of this run.
    pub fn token(name: &str, nonce: [u8; 16]) -> String {
        let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{HIDDEN_MARK}{name}:{nonce}\u{27e9}")
    }

    /// The form of `token` that may stand in an environment: what `expose(secret)` answers.
    pub fn exposed(token: &str) -> String {
        token.replacen(HIDDEN_MARK, EXPOSED_MARK, 1)
    }

    /// The token already given out for that secret and value.
    pub fn token_of(&self, name: &str, value: &str) -> Option<String> {
        let known = self.lock();
        known
            .tokens
            .iter()
            .find(|(token, (n, v))| n == name && v == value && !token.starts_with(EXPOSED_MARK))
            .map(|(token, _)| token.clone())
    }

    /// The name of a secret in `text` that was not exposed: it may go to where secrets are delivered as files, nowhere else.
    pub fn unexposed_in(&self, text: &str) -> Option<String> {
        let known = self.lock();
        let found = known.tokens.iter().find(|(token, _)| !token.starts_with(EXPOSED_MARK) && text.contains(token.as_str()));
        found.map(|(_, (name, _))| name.clone())
    }

    /// `text` with every token replaced by its value: for the call that delivers it, nothing else.
    pub fn reveal(&self, text: &str) -> String {
        let known = self.lock();
        let mut text = text.to_owned();
        for (token, (_, value)) in &known.tokens {
            if text.contains(token.as_str()) {
                text = text.replace(token, value);
            }
        }
        text
    }

    /// The names of the secrets whose tokens are in `text`.
    pub fn named_in(&self, text: &str) -> Vec<String> {
        self.lock().tokens.iter().filter(|(token, _)| text.contains(token.as_str())).map(|(_, (name, _))| name.clone()).collect()
    }

    /// `text` with every token replaced by `replacement(name, value)`: for hashes and canonical forms.
    pub fn replace_tokens(&self, text: &str, replacement: &dyn Fn(&str, &str) -> String) -> String {
        let known = self.lock();
        let mut text = text.to_owned();
        for (token, (name, value)) in &known.tokens {
            if text.contains(token.as_str()) {
                text = text.replace(token, &replacement(name, value));
            }
        }
        text
    }

    /// `text` with every token and every value hidden: plain, in base64, URL- and JSON-escaped.
    pub fn mask(&self, text: &str) -> String {
        let known = self.lock();
        let mut masked: Option<String> = None;
        for (hidden, shown) in &known.hidden {
            let current = masked.as_deref().unwrap_or(text);
            if current.contains(hidden.as_str()) {
                masked = Some(current.replace(hidden, shown));
            }
        }
        masked.unwrap_or_else(|| text.to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The ways a value is commonly written.
fn spellings(value: &str) -> Vec<String> {
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
    let escaped_url: String =
        value
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            })
            .collect();
    let json = serde_json::Value::from(value).to_string();
    let mut all = vec![value.to_owned(), escaped_url, json[1..json.len() - 1].to_owned()];
    // A value inside a longer encoded text starts at one of three offsets; the middle part is the same there.
    for offset in 0..3 {
        let padded = [vec![0_u8; offset], value.as_bytes().to_vec()].concat();
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&padded);
            let skip = [0, 2, 3][offset];
            let end = encoded.len() - usize::from(padded.len() % 3 != 0);
            if end > skip + 2 * SHORTEST_SEARCHED {
                all.push(encoded[skip..end].to_owned());
            }
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn secrets() -> Secrets {
        let secrets = Secrets::new();
        secrets.add("db_password", &Secrets::token("db_password", [7; 16]), "p/ss\"wörd 12345");
        secrets
    }

    #[test]
    fn a_token_is_turned_back_and_masked() {
        let secrets = secrets();
        let token = Secrets::token("db_password", [7; 16]);
        assert_eq!(secrets.reveal(&format!("PW={token}!")), "PW=p/ss\"wörd 12345!");
        assert_eq!(secrets.mask(&format!("PW={token}!")), "PW=[secret db_password]!");
    }

    #[test]
    fn an_exposed_token_is_masked_and_turned_back_like_the_other_and_told_apart() {
        let secrets = secrets();
        let token = Secrets::token("db_password", [7; 16]);
        let exposed = Secrets::exposed(&token);
        assert_eq!(secrets.reveal(&exposed), "p/ss\"wörd 12345");
        assert_eq!(secrets.mask(&exposed), "[secret db_password]");
        assert_eq!(secrets.unexposed_in(&exposed), None);
        assert_eq!(secrets.unexposed_in(&format!("a {token} b")).unwrap(), "db_password");
        assert_eq!(secrets.token_of("db_password", "p/ss\"wörd 12345"), Some(token));
    }

    #[test]
    fn a_value_is_hidden_in_every_common_spelling() {
        let secrets = secrets();
        let value = "p/ss\"wörd 12345";
        let spelt = [
            value.to_owned(),
            "p%2Fss%22w%C3%B6rd%2012345".to_owned(),
            serde_json::json!({ "password": value }).to_string(),
            STANDARD.encode(value),
            STANDARD.encode(format!("user:{value}")),
            STANDARD.encode(format!("xuser:{value}:more")),
        ];
        for text in spelt {
            let masked = secrets.mask(&format!("before {text} after"));
            assert!(masked.contains("[secret db_password]"), "{text} → {masked}");
            assert!(masked.starts_with("before ") && masked.ends_with(" after"));
        }
    }

    #[test]
    fn a_very_short_value_does_not_hide_everything_else() {
        let secrets = Secrets::new();
        secrets.add("pin", &Secrets::token("pin", [1; 16]), "1");
        assert_eq!(secrets.mask("port 15432"), "port 15432");
    }
}
