//! Checks where a description contains secrets: only in `environment`, and only exposed ones.
//!
//! The check runs on the description as written, on keys and values, before it is parsed. So a new
//! key accepts no secret until this file names it.

use serde_json::Value;

use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::token::{self, Token};

/// The kind of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescriptionKind {
    /// A whole stack.
    Stack,
    /// One `build`.
    Build,
    /// One network or volume.
    Object,
}

/// Rejects a secret in a place where spc delivers none, or an unexposed one in an environment.
pub fn check(description: &Value, described: DescriptionKind) -> Result<(), Failure> {
    TokenPass { described, path: Vec::new(), is_item: false }.value(description)
}

/// The kinds of places in a description, for secrets.
enum TokenLocation<'a> {
    Environment {
        service: &'a str,
        key: String,
    },
    /// Expects the name of a secret.
    SecretName,
    Config {
        name: &'a str,
    },
    BuildArgument,
    /// Any other place in a `build`.
    Build,
    /// The arguments of a process.
    Process,
    Label,
    /// Any other place in a service.
    Service,
    Elsewhere,
}

struct TokenPass {
    described: DescriptionKind,
    path: Vec<String>,
    /// Whether the last element of the path is an index.
    is_item: bool,
}

impl TokenPass {
    fn value(&mut self, value: &Value) -> Result<(), Failure> {
        match value {
            Value::String(text) => match token::first(text) {
                Some(_) => self.text(text),
                None => Ok(()),
            },
            Value::Array(items) => items
                .iter()
                .enumerate()
                .try_for_each(|(index, item)| self.within(index.to_string(), true, item)),
            Value::Object(fields) => {
                fields.iter().try_for_each(|(key, value)| match token::first(key) {
                    Some(token) => {
                        self.path.push(key.clone());
                        Err(self.refused_key(token))
                    }
                    None => self.within(key.clone(), false, value),
                })
            }
            _ => Ok(()),
        }
    }

    fn within(&mut self, key: String, is_item: bool, value: &Value) -> Result<(), Failure> {
        self.path.push(key);
        self.is_item = is_item;
        let checked = self.value(value);
        self.path.pop();
        checked
    }

    /// Checks a text that may contain a token.
    fn text(&self, text: &str) -> Result<(), Failure> {
        let mut tokens = token::tokens(text);
        let place = match self.place(text) {
            TokenLocation::Environment { key, .. } if token::first(&key).is_some() => {
                TokenLocation::Service
            }
            place => place,
        };
        let refused = match place {
            TokenLocation::Environment { .. } => tokens.find(|token| !token.is_exposed),
            _ => tokens.next(),
        };
        refused.map_or(Ok(()), |token| Err(self.refuse(token, &place).at(self.at(false))))
    }

    /// The kind of a value's place. For an item `KEY=value` of a list, `text` contains the key.
    fn place(&self, text: &str) -> TokenLocation<'_> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        if path.contains(&"labels") {
            return TokenLocation::Label;
        }
        match (self.described, path.as_slice()) {
            (DescriptionKind::Stack, ["services", service, "environment", key]) => {
                let key =
                    if self.is_item { text.split('=').next().unwrap_or_default() } else { key };
                TokenLocation::Environment { service, key: key.to_owned() }
            }
            (
                DescriptionKind::Stack,
                ["services", _, "secrets", ..] | ["services", _, "build", "secrets", ..],
            )
            | (DescriptionKind::Build, ["secrets", ..]) => TokenLocation::SecretName,
            (DescriptionKind::Stack, ["services", _, "build", "args", ..])
            | (DescriptionKind::Build, ["args", ..]) => TokenLocation::BuildArgument,
            (DescriptionKind::Stack, ["services", _, "build", ..])
            | (DescriptionKind::Build, _) => TokenLocation::Build,
            (
                DescriptionKind::Stack,
                ["services", _, "command" | "entrypoint" | "healthcheck", ..],
            ) => TokenLocation::Process,
            (DescriptionKind::Stack, ["services", ..]) => TokenLocation::Service,
            (DescriptionKind::Stack, ["configs", name, ..]) => TokenLocation::Config { name },
            _ => TokenLocation::Elsewhere,
        }
    }

    /// A failure about the last key.
    fn refused_key(&self, token: Token<'_>) -> Failure {
        let place = match self.place("") {
            // A secret in the name of a variable is not a value.
            TokenLocation::Environment { .. } => TokenLocation::Service,
            place => place,
        };
        self.refuse(token, &place).at(self.at(true))
    }

    fn at(&self, on_key: bool) -> SpecPath {
        SpecPath { keys: self.path.clone(), on_key }
    }

    fn refuse(&self, token: Token<'_>, place: &TokenLocation<'_>) -> Failure {
        let (name, path) = (token.name, self.path.join("."));
        let stands = |reason: &str| {
            Failure::usage(format!("The secret \"{name}\" can't be used in \"{path}\"{reason}"))
        };
        let as_file = format!("deliver it as a file with `secrets: [\"{name}\"]`");
        let anywhere = format!(
            "{as_file}; if it must be in the environment, write expose(secret(\"{name}\")) there"
        );
        match place {
            TokenLocation::Environment { service, key } => {
                Failure::usage(format!("The secret \"{name}\" can't be used in the environment of \"{service}\" as {key} without expose()"))
                    .hint(format!("{as_file}; if it must be there, write expose(secret(\"{name}\"))"))
            }
            TokenLocation::SecretName => {
                Failure::usage(format!("\"{path}\" takes the name of a secret, not the secret itself")).hint(format!("write \"{name}\""))
            }
            TokenLocation::Config { name: config } => Failure::usage(format!("The secret \"{name}\" can't be used in the config \"{config}\""))
                .hint(format!("deliver it as a file of its own with `secrets: [\"{name}\"]`")),
            TokenLocation::BuildArgument => stands(": build arguments stay in the image's history").hint(format!(
                "give it to the build with `secrets: [\"{name}\"]` under `build`, and read it in a step `RUN --mount=type=secret,id={name} …`"
            )),
            TokenLocation::Build => stands(": the image or the engine would show it").hint(format!(
                "give it to the build with `secrets: [\"{name}\"]` under `build`, and read it in a step `RUN --mount=type=secret,id={name} …`"
            )),
            TokenLocation::Process => stands(": every process can see the arguments of another one").hint(anywhere),
            TokenLocation::Label => stands(": labels are visible to every user of the engine").hint(match self.described {
                DescriptionKind::Stack | DescriptionKind::Build => anywhere,
                DescriptionKind::Object => "only containers get secrets: use `secrets` of a service".to_owned(),
            }),
            TokenLocation::Service => stands(": it would be visible to every user of the engine").hint(anywhere),
            TokenLocation::Elsewhere if self.path.len() == 2 && self.path[0] == "secrets" => {
                Failure::usage(format!("\"{path}\" names the source of the secret \"{name}\", not the secret itself")).hint(format!(
                    "write it with fs::write(\"secrets/{name}\", expose(…)), and describe it as #{{ file: \"secrets/{name}\" }}"
                ))
            }
            TokenLocation::Elsewhere => stands(": it would be visible to every user of the engine")
                .hint("only containers get secrets: use `secrets` of a service"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use similar_asserts::assert_eq;

    use super::*;
    use crate::model::secret::Secrets;

    fn hidden() -> String {
        Secrets::token("key", [7; 16])
    }

    fn refusal(description: &Value, described: DescriptionKind) -> String {
        match check(description, described) {
            Ok(()) => "fine".to_owned(),
            Err(failure) => {
                let token = hidden();
                let text = format!("{} | {}", failure.message, failure.hint.unwrap_or_default());
                text.replace(&token, "TOKEN").replace(&Secrets::exposed(&token), "TOKEN")
            }
        }
    }

    #[test]
    fn an_environment_takes_an_exposed_secret_and_no_other() {
        let of = |value: Value| json!({"services": {"db": {"environment": value}}});
        let exposed = Secrets::exposed(&hidden());
        assert_eq!(
            refusal(&of(json!({"PW": format!("a{exposed}b")})), DescriptionKind::Stack),
            "fine"
        );
        assert_eq!(refusal(&of(json!([format!("PW={exposed}")])), DescriptionKind::Stack), "fine");
        let refused = "The secret \"key\" can't be used in the environment of \"db\" as PW without expose() | \
                       deliver it as a file with `secrets: [\"key\"]`; if it must be there, write expose(secret(\"key\"))";
        assert_eq!(refusal(&of(json!({"PW": hidden()})), DescriptionKind::Stack), refused);
        assert_eq!(
            refusal(&of(json!([format!("PW={}", hidden())])), DescriptionKind::Stack),
            refused
        );
        assert_eq!(
            refusal(&of(json!({"PW": format!("{exposed}{}", hidden())})), DescriptionKind::Stack),
            refused
        );
        // A secret in the name of a variable is not a value, exposed or not.
        for wrong in [
            json!({exposed.as_str(): "x"}),
            json!([format!("{exposed}=x")]),
            json!([exposed.clone()]),
        ] {
            assert!(
                refusal(&of(wrong.clone()), DescriptionKind::Stack)
                    .starts_with("The secret \"key\" can't be used in"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn each_place_says_why_it_takes_no_secret_and_what_does() {
        let anywhere = "deliver it as a file with `secrets: [\"key\"]`; if it must be in the environment, write expose(secret(\"key\")) there";
        let mounted = "give it to the build with `secrets: [\"key\"]` under `build`, and read it in a step `RUN --mount=type=secret,id=key …`";
        let only = "only containers get secrets: use `secrets` of a service";
        for token in [hidden(), Secrets::exposed(&hidden())] {
            let token = token.as_str();
            for (description, described, expected) in [
                (
                    json!({"services": {"a": {"build": {"args": {"T": token}}}}}),
                    DescriptionKind::Stack,
                    format!(
                        "The secret \"key\" can't be used in \"services.a.build.args.T\": build arguments stay in the image's history | {mounted}"
                    ),
                ),
                (
                    json!({"args": [format!("T={token}")]}),
                    DescriptionKind::Build,
                    format!("The secret \"key\" can't be used in \"args.0\": build arguments stay in the image's history | {mounted}"),
                ),
                (
                    json!({"target": token}),
                    DescriptionKind::Build,
                    format!("The secret \"key\" can't be used in \"target\": the image or the engine would show it | {mounted}"),
                ),
                (
                    json!({"services": {"a": {"command": ["x", token]}}}),
                    DescriptionKind::Stack,
                    format!(
                        "The secret \"key\" can't be used in \"services.a.command.1\": every process can see the arguments of another one | {anywhere}"
                    ),
                ),
                (
                    json!({"services": {"a": {"labels": {"l": token}}}}),
                    DescriptionKind::Stack,
                    format!(
                        "The secret \"key\" can't be used in \"services.a.labels.l\": labels are visible to every user of the engine | {anywhere}"
                    ),
                ),
                (
                    json!({"services": {token: {}}}),
                    DescriptionKind::Stack,
                    format!(
                        "The secret \"key\" can't be used in \"services.TOKEN\": it would be visible to every user of the engine | {anywhere}"
                    ),
                ),
                (
                    json!({"secrets": {"key": token}}),
                    DescriptionKind::Stack,
                    "\"secrets.key\" names the source of the secret \"key\", not the secret itself | write it with \
                     fs::write(\"secrets/key\", expose(…)), and describe it as #{ file: \"secrets/key\" }"
                        .to_owned(),
                ),
                (
                    json!({"driver_opts": {"o": token}}),
                    DescriptionKind::Object,
                    format!("The secret \"key\" can't be used in \"driver_opts.o\": it would be visible to every user of the engine | {only}"),
                ),
                (
                    json!({"secrets": [token]}),
                    DescriptionKind::Build,
                    "\"secrets.0\" takes the name of a secret, not the secret itself | write \"key\"".to_owned(),
                ),
                (
                    json!({"configs": {"c": {"content": token}}}),
                    DescriptionKind::Stack,
                    "The secret \"key\" can't be used in the config \"c\" | deliver it as a file of its own with `secrets: [\"key\"]`"
                        .to_owned(),
                ),
            ] {
                assert_eq!(refusal(&description, described), expected);
            }
        }
    }
}
