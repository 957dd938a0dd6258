//! `secret(name)`, `expose(secret)`, `random_text(length)`: secrets as tokens.

use std::collections::BTreeMap;

use rhai::plugin::{Engine, NativeCallContext, export_module};
use serde_json::Value;

use super::context::Context;
pub use super::declared_secrets::Source;
use super::record::no_fields;
pub use super::secret_rules::{none_in, none_in_value};
use super::{Raw, paths};
use crate::host::Host;
use crate::model::event::{Event, Level, Sink as _};
use crate::model::secret::Secrets;
use crate::model::spec::{Secret, SecretSource};
use crate::model::suggest::nearest;
use crate::model::{Failure, Kind};
use crate::value::SecretToken;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<SecretToken>("secret");
    engine.register_global_module(shared_module!(functions));
    no_fields::<SecretToken>(engine, "secret");
}

/// The folder of secrets that are not described, in the project directory: one file per secret,
/// with its name.
const FOLDER: &str = "secrets";

/// The secret with this name: the described one, or the file `secrets/<name>`.
pub(super) fn find(context: &Context, name: &str) -> Result<SecretToken, Failure> {
    let value = match context.script.declared_secrets.get(name) {
        Some(Source::Variable(variable)) => {
            let value = context.variable(&variable).filter(|value| !value.is_empty());
            value.map(str::to_owned).ok_or_else(|| {
                Failure::new(
                    Kind::NotFound,
                    format!("The variable \"{variable}\" of the secret \"{name}\" is not set"),
                )
                .hint("set it in the environment or in .env")
            })?
        }
        Some(Source::File(path)) => read(context, name, &path.to_string_lossy())?,
        None => undescribed(context, name)?,
    };
    if context.secrets.token_of(name, &value).is_none()
        && let Some(text) = Secrets::warning(name, &value)
    {
        context.events.event(&Event::Log { level: Level::Warning, text });
    }
    Ok(issue(context.host.as_ref(), &context.secrets, name, &value))
}

/// Whether this is a valid name of a secret. It is also the name of a file, and replaces the secret
/// in every masked text.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_file_name = !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !name.starts_with('.');
    if is_file_name {
        return Ok(());
    }
    Err(Failure::usage(format!("\"{name}\" is not the name of a secret"))
        .hint("use letters, digits, \"-\", \"_\" and \".\""))
}

fn undescribed(context: &Context, name: &str) -> Result<String, Failure> {
    check_name(name)?;
    let path = format!("{FOLDER}/{name}");
    if paths::exists(context, &path)? {
        return read(context, name, &path);
    }
    let fix = format!(
        "write its value to {path}, or declare it under \"secrets\" of a stack that is described before this line"
    );
    Err(Failure::new(Kind::NotFound, format!("There is no secret \"{name}\"")).hint(match nearest(
        name,
        context.script.declared_secrets.names().iter().map(String::as_str),
    ) {
        Some(near) => format!("did you mean \"{near}\"? Otherwise {fix}"),
        None => fix,
    }))
}

/// The text of a secret's file, without the line end that editors add.
fn read(context: &Context, name: &str, path: &str) -> Result<String, Failure> {
    let bytes = context.host.read(&paths::to_read(context, path)?)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::usage(format!("The secret \"{name}\" is not text"))
            .hint("deliver it as a file, under \"secrets\" of a service")
    })?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

/// A token for the value; the same secret always gets the same token.
pub fn issue(host: &dyn Host, secrets: &Secrets, name: &str, value: &str) -> SecretToken {
    let token = secrets.token_of(name, value).unwrap_or_else(|| {
        let mut nonce = [0_u8; 16];
        host.random(&mut nonce);
        let token = Secrets::token(name, nonce);
        secrets.add(name, &token, value);
        token
    });
    SecretToken { name: name.to_owned(), token }
}

/// The variables of a process that accepts exposed secrets, with revealed values.
pub fn variables(
    context: &Context,
    given: BTreeMap<String, String>,
    place: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let variable = |(name, value): (String, String)| {
        none_in(&name, "the name of a variable")?;
        Ok((name, exposed_in(context, &value, place)?))
    };
    given.into_iter().map(variable).collect()
}

/// The description of a secret for a build outside of a stack: one that a stack of this run
/// declared, or the file `secrets/<name>`.
pub(super) fn described(context: &Context, name: &str) -> Result<Secret, Failure> {
    // Find it first, so that it is masked, and a failure says where it was searched.
    find(context, name)?;
    let source = match context.script.declared_secrets.get(name) {
        Some(Source::Variable(variable)) => SecretSource::Environment(variable),
        Some(Source::File(path)) => SecretSource::File(path),
        None => SecretSource::File(context.project.directory.join(FOLDER).join(name)),
    };
    Ok(Secret { source })
}

/// `text` with the values of its exposed secrets, for a place that others may see. Fails if it
/// contains one that was not exposed. `place`: `the environment of a command`.
pub fn exposed_in(context: &Context, text: &str, place: &str) -> Result<String, Failure> {
    if let Some(name) = context.secrets.escaped_in(text) {
        return Err(Failure::usage(format!(
            "The secret \"{name}\" was changed before it reached {place}: only its placeholder would be there"
        ))
        .hint("insert expose(secret(…)) unchanged, and don't encode the text that contains it"));
    }
    match context.secrets.unexposed_in(text) {
        None => Ok(context.secrets.reveal(text)),
        Some(name) => {
            Err(Failure::usage(format!("The secret \"{name}\" can't be used in {place}"))
                .hint(format!("if that is intended, write expose(secret(\"{name}\"))")))
        }
    }
}

/// The same for every text in a value and for its keys. Call it before the value is written as JSON
/// or YAML, so that the result stays valid.
pub fn exposed_in_value(context: &Context, value: Value, place: &str) -> Result<Value, Failure> {
    Ok(match value {
        Value::String(text) => Value::String(exposed_in(context, &text, place)?),
        Value::Array(items) => items
            .into_iter()
            .map(|item| exposed_in_value(context, item, place))
            .collect::<Result<_, _>>()?,
        Value::Object(fields) => fields
            .into_iter()
            .map(|(key, value)| {
                Ok((exposed_in(context, &key, place)?, exposed_in_value(context, value, place)?))
            })
            .collect::<Result<_, Failure>>()?,
        other => other,
    })
}

/// Random letters and digits: 62 to the power of `length` possibilities with equal probability.
fn random_text(host: &dyn Host, length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        host.random(&mut bytes);
        // Bytes after the last whole multiple of 62 are dropped, because they would make some
        // letters more likely.
        let letters = bytes
            .iter()
            .filter(|byte| **byte < 248)
            .map(|byte| char::from(LETTERS[usize::from(byte % 62)]));
        text.extend(letters.take(length - text.len()));
    }
    text
}

/// The minimum length of random text: a shorter one can be guessed, and is not masked in output of
/// others.
const SHORTEST: i64 = 8;
const LONGEST: i64 = 4096;

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
mod functions {
    /// The secret with this name, as a token. Printed, interpolated or thrown it is masked, and
    /// only the call that delivers it puts in the value. It is the secret that an earlier
    /// description declares under `secrets`, else the file `secrets/<name>`.
    ///
    /// Throws `not_found` if the secret does not exist.
    ///
    /// ```rhai,no_run
    /// let password = secret("admin_password");
    /// print(password.name);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn secret(call: NativeCallContext, name: &str) -> Raw<SecretToken> {
        Ok(find(&*Context::of(&call)?, name)?)
    }

    /// The secret as text for an environment, a file or a request. It is still masked in all
    /// output.
    ///
    /// ```rhai
    /// let environment = #{ PASSWORD: expose(random_secret("password", 32)) };
    /// ```
    pub fn expose(secret: SecretToken) -> String {
        Secrets::exposed(&secret.token)
    }

    /// A new secret of `length` random letters and digits (8 to 4096), masked under `name`. spc
    /// does not store it. If you write it to `secrets/<name>`, `secret(name)` finds it later, and a
    /// description delivers it with `file: "secrets/<name>"`.
    ///
    /// ```rhai
    /// let key = random_secret("django_secret_key", 50);
    /// fs::write("secrets/django_secret_key", expose(key));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn random_secret(call: NativeCallContext, name: &str, length: i64) -> Raw<SecretToken> {
        let context = Context::of(&call)?;
        check_name(name)?;
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(Failure::usage(format!("A secret can't be {length} characters long"))
                .hint(format!("use {SHORTEST} to {LONGEST} characters"))
                .into());
        }
        let value = random_text(context.host.as_ref(), usize::try_from(length).unwrap_or_default());
        Ok(issue(context.host.as_ref(), &context.secrets, name, &value))
    }

    /// A secret's text is its token, which every output masks.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(secret: &mut SecretToken) -> String {
        secret.token.clone()
    }

    /// The secret's name.
    #[rhai_fn(get = "name", pure)]
    pub fn name(secret: &mut SecretToken) -> String {
        secret.name.clone()
    }

    /// Whether both have the same value of the same secret.
    #[rhai_fn(name = "==")]
    pub fn equals(a: SecretToken, b: SecretToken) -> bool {
        a == b
    }

    /// Whether they have different values.
    #[rhai_fn(name = "!=")]
    pub fn differs(a: SecretToken, b: SecretToken) -> bool {
        a != b
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use super::*;

    fn with_secrets() -> Harness {
        let trial = Harness::with(
            |host| host.with_file("/project/secrets/admin_password", "correct horse\n"),
            "",
            |run| {
                run.project
                    .environment
                    .insert("POSTGRES_PASSWORD".to_owned(), "battery staple".to_owned());
            },
        );
        trial
            .context
            .script
            .declared_secrets
            .declare("db_password", Source::Variable("POSTGRES_PASSWORD".to_owned()));
        trial
            .context
            .script
            .declared_secrets
            .declare("api_key", Source::Variable("API_KEY".to_owned()));
        trial
            .context
            .script
            .declared_secrets
            .declare("tls_key", Source::File("/etc/tls.key".into()));
        trial
    }

    #[test]
    fn a_secret_is_a_token_that_is_masked_and_turned_back() {
        let trial = with_secrets();
        for (name, value) in
            [("db_password", "battery staple"), ("admin_password", "correct horse")]
        {
            let token = trial.text(&format!("`${{secret(\"{name}\")}}`"));
            assert!(!token.contains(value), "{token}");
            assert_eq!(trial.context.secrets.reveal(&token), value);
            assert_eq!(
                trial.context.secrets.mask(&format!("{token} {value}")),
                format!("[secret {name}] [secret {name}]")
            );
        }
    }

    #[test]
    fn the_same_secret_is_the_same_token_and_has_its_name() {
        let trial = with_secrets();
        assert_eq!(trial.text(r#"secret("db_password") == secret("db_password")"#), "true");
        assert_eq!(trial.text(r#"secret("db_password").name"#), "db_password");
        assert_eq!(
            trial.fails(r#"secret("db_password").tag"#).message,
            "A secret has no field \"tag\""
        );
    }

    #[test]
    fn an_exposed_secret_is_allowed_in_more_places() {
        let trial = with_secrets();
        let exposed = trial.text(r#"`postgres://app:${expose(secret("db_password"))}@db`"#);
        assert_eq!(
            exposed_in(&trial.context, &exposed, "a place").unwrap(),
            "postgres://app:battery staple@db"
        );
        let hidden = trial.text(r#"`postgres://app:${secret("db_password")}@db`"#);
        let failure = exposed_in(&trial.context, &hidden, "a place").unwrap_err();
        assert_eq!(failure.message, "The secret \"db_password\" can't be used in a place");
        assert_eq!(
            failure.hint.unwrap(),
            "if that is intended, write expose(secret(\"db_password\"))"
        );
    }

    #[test]
    fn a_secret_that_is_not_there_says_where_it_could_be() {
        let trial = with_secrets();
        let failure = trial.fails(r#"secret("db_pasword")"#);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("not_found", "There is no secret \"db_pasword\"")
        );
        assert!(failure.hint.unwrap().starts_with("did you mean \"db_password\"?"));
        let hint = trial.fails(r#"secret("other")"#).hint.unwrap();
        assert!(
            hint.starts_with(
                "write its value to secrets/other, or declare it under \"secrets\" of a stack"
            ),
            "{hint}"
        );
        assert_eq!(
            trial.fails(r#"secret("api_key")"#).message,
            "The variable \"API_KEY\" of the secret \"api_key\" is not set"
        );
        assert_eq!(
            trial.fails(r#"secret("../.env")"#).message,
            "\"../.env\" is not the name of a secret"
        );
        assert_eq!(trial.fails(r#"secret("tls_key")"#).kind.word(), "policy");
    }

    #[test]
    fn a_random_secret_has_a_name_that_can_be_shown() {
        let trial = with_secrets();
        for name in ["", "a b", "a\\nb", "a:b", "../a", "⟨secret:a⟩"] {
            let failure = trial.fails(&format!("random_secret(\"{name}\", 20)"));
            assert!(
                failure.message.ends_with("is not the name of a secret"),
                "{name}: {}",
                failure.message
            );
        }
        let nested = trial.fails(r#"random_secret(expose(secret("db_password")), 20)"#);
        assert!(nested.message.ends_with("is not the name of a secret"), "{}", nested.message);
    }

    #[test]
    fn random_secrets_are_long_differ_and_are_masked() {
        let trial = with_secrets();
        let token = trial.text(r#"`${random_secret("key", 50)}`"#);
        let value = trial.context.secrets.reveal(&token);
        assert!(value.len() == 50 && value.chars().all(|c| c.is_ascii_alphanumeric()), "{value}");
        assert_eq!(trial.context.secrets.mask(&value), "[secret key]");
        assert_eq!(trial.text(r#"random_secret("key", 50) == random_secret("key", 50)"#), "false");
        assert_eq!(
            trial.fails(r#"random_secret("key", 3)"#).hint.unwrap(),
            "use 8 to 4096 characters"
        );
    }
}
