//! Secrets of a run: tokens that replace values, and the mask for everything that is shown.
//!
//! A script never holds a secret's value. It holds a token. The readers of descriptions and execs
//! replace it by the value just before the engine call that delivers it. Every output passes
//! through [`Secrets::mask`]; the table in [`mask`] lists the encodings of a value that it finds.

mod cut;
mod encoded;
mod entities;
pub mod mask;
mod spelling;
mod variants;

use std::collections::BTreeMap;

use super::token::{END_MARK, EXPOSED_MARK, HIDDEN_MARK};
use super::url_credentials::without_credentials;
use mask::{Mask, SHORTEST};
use parking_lot::{RwLock, RwLockReadGuard};

/// The secrets of one run, shared by all code that delivers or shows text.
#[derive(Default)]
pub struct Secrets {
    known: RwLock<SecretTable>,
}

#[derive(Default)]
struct SecretTable {
    /// Token → name and value.
    tokens: BTreeMap<String, (String, String)>,
    /// Finds tokens and values.
    mask: Mask,
    /// Finds only tokens, also escaped ones.
    token_mask: Mask,
}

impl Secrets {
    /// An empty set of secrets.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `token`, and its exposed form, stand for `value`. The token must be impossible to
    /// guess and unlike any other text: see [`Secrets::token`].
    pub fn add(&self, name: &str, token: &str, value: &str) {
        let mut known = self.known.write();
        for form in [token.to_owned(), Self::exposed(token)] {
            known.mask.add_token(name, &form);
            known.token_mask.add_token(name, &form);
            known.tokens.insert(form, (name.to_owned(), value.to_owned()));
        }
        for part in std::iter::once(value).chain(value.lines()) {
            known.mask.add(name, part.trim());
            for form in forms_of_url(part.trim()) {
                known.mask.add(name, &form);
            }
        }
    }

    /// A warning if the value is too short to be masked in the output of others; `None` for other
    /// values.
    pub fn warning(name: &str, value: &str) -> Option<String> {
        let is_short = !value.is_empty() && value.trim().chars().count() < SHORTEST;
        is_short.then(|| format!("The secret \"{name}\" is not masked in output: it has fewer than {SHORTEST} characters"))
    }

    /// The text of a token: `nonce` is 16 random bytes of this run.
    pub fn token(name: &str, nonce: [u8; 16]) -> String {
        let nonce: String = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{HIDDEN_MARK}{name}:{nonce}{END_MARK}")
    }

    /// The form of `token` that may be used in an environment: the result of `expose(secret)`.
    pub fn exposed(token: &str) -> String {
        token.replacen(HIDDEN_MARK, EXPOSED_MARK, 1)
    }

    /// The token that was already made for this secret and value.
    pub fn token_of(&self, name: &str, value: &str) -> Option<String> {
        let known = self.read();
        known
            .tokens
            .iter()
            .find(|(token, (n, v))| n == name && v == value && !token.starts_with(EXPOSED_MARK))
            .map(|(token, _)| token.clone())
    }

    /// The name of a secret in `text` that was not exposed. It may only go where secrets are
    /// delivered as files.
    pub fn unexposed_in(&self, text: &str) -> Option<String> {
        let known = self.read();
        let found = known
            .tokens
            .iter()
            .find(|(token, _)| !token.starts_with(EXPOSED_MARK) && text.contains(token.as_str()));
        found.map(|(_, (name, _))| name.clone())
    }

    /// `text` with every token replaced by its value: only for the call that delivers it.
    pub fn reveal(&self, text: &str) -> String {
        let known = self.read();
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
        self.read()
            .tokens
            .iter()
            .filter(|(token, _)| text.contains(token.as_str()))
            .map(|(_, (name, _))| name.clone())
            .collect()
    }

    /// `text` with every token replaced by `replacement(name, value)`: for hashes and canonical
    /// forms.
    pub fn replace_tokens(&self, text: &str, replacement: &dyn Fn(&str, &str) -> String) -> String {
        let known = self.read();
        let mut text = text.to_owned();
        for (token, (name, value)) in &known.tokens {
            if text.contains(token.as_str()) {
                text = text.replace(token, &replacement(name, value));
            }
        }
        text
    }

    /// The name of a secret whose token is in `text` in an encoded form, so that it can't be
    /// replaced by its value.
    pub fn escaped_in(&self, text: &str) -> Option<String> {
        let known = self.read();
        let name = known.token_mask.first_in(text)?;
        (!known.tokens.keys().any(|token| text.contains(token.as_str()))).then(|| name.to_owned())
    }

    /// `text` with every token and every value masked, in each encoding that [`mask`] lists.
    pub fn mask(&self, text: &str) -> String {
        self.masked(text).unwrap_or_else(|| text.to_owned())
    }

    /// The same; `None` if nothing in `text` has to be masked.
    pub fn masked(&self, text: &str) -> Option<String> {
        self.read().mask.apply(text)
    }

    /// The last position up to `at` where `text` can be split without splitting a value that has to
    /// be masked.
    pub fn boundary(&self, text: &str, at: usize) -> usize {
        self.read().mask.boundary(text, at)
    }

    fn read(&self) -> RwLockReadGuard<'_, SecretTable> {
        self.known.read()
    }
}

/// The forms in which messages show a URL, or the rest of one: without the user, with `***` for the
/// password, and without the query. They are masked like the value.
fn forms_of_url(value: &str) -> Vec<String> {
    let (scheme, rest) = match value.find("://") {
        Some(at) => value.split_at(at + "://".len()),
        None if value.contains('/') => ("", value),
        None => return Vec::new(),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let authority = if scheme.is_empty() { 0 } else { rest[..end].find('/').unwrap_or(end) };
    let user = rest[..authority].rfind('@').map_or(0, |at| at + 1);
    // A server alone is no secret.
    let is_more_than_server = |form: &String| {
        let path = form[scheme.len()..].split_once('/').map_or("", |(_, path)| path);
        !path.trim_matches('/').is_empty()
    };
    let mut forms: Vec<String> = [&rest[..end], &rest[user..end], rest, &rest[user..]]
        .map(|shown| format!("{scheme}{shown}"))
        .into();
    forms.retain(is_more_than_server);
    let hidden: Vec<String> =
        forms.iter().map(|form| without_credentials(form).into_owned()).collect();
    forms.extend(hidden);
    forms.retain(|form| form != value);
    forms
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod token_tests {
    use super::*;

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
    fn an_exposed_token_is_masked_and_revealed_like_others_but_is_distinct() {
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
    fn a_very_short_value_does_not_hide_everything_else_and_is_warned_of() {
        let secrets = Secrets::new();
        secrets.add("pin", &Secrets::token("pin", [1; 16]), "15");
        assert_eq!(secrets.mask("port 15432"), "port 15432");
        assert_eq!(
            Secrets::warning("pin", "15").unwrap(),
            "The secret \"pin\" is not masked in output: it has fewer than 3 characters"
        );
        assert!(Secrets::warning("pin", " 15\n").is_some());
        assert_eq!((Secrets::warning("pin", "154"), Secrets::warning("pin", "")), (None, None));
    }

    #[test]
    fn a_token_that_something_escaped_is_noticed_and_masked() {
        let secrets = secrets();
        let token = Secrets::token("db_password", [7; 16]);
        for token in [token.clone(), Secrets::exposed(&token)] {
            let escaped: String = token.bytes().map(|byte| format!("%{byte:02X}")).collect();
            assert_eq!(secrets.escaped_in(&format!("a={escaped}")).unwrap(), "db_password");
            assert_eq!(secrets.mask(&format!("a={escaped}")), "a=[secret db_password]");
            assert_eq!(secrets.escaped_in(&token), None);
        }
        assert_eq!(secrets.escaped_in("a=b"), None);
    }
}
