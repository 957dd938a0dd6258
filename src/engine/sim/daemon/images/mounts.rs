//! `RUN --mount=…`, as far as it decides whether a build succeeds: its syntax, and the secrets that
//! a step requires.

type ParseResult<T> = Result<T, String>;

/// A mount of a step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::engine::sim) struct Mount {
    kind: String,
    id: Option<String>,
    source: Option<String>,
    target: Option<String>,
    is_required: bool,
}

/// The mounts of a `RUN`; `rest` is the text after the word. `takes_env`: the builder supports
/// `env=` of secrets, as from Docker 27 on.
pub(in crate::engine::sim) fn of_run(rest: &str, takes_env: bool) -> ParseResult<Vec<Mount>> {
    let flags = rest.split_whitespace().take_while(|word| word.starts_with("--"));
    flags
        .filter_map(|flag| flag.strip_prefix("--mount="))
        .map(|options| Mount::parse(options, takes_env))
        .collect()
}

impl Mount {
    /// The id of the secret without which the step fails.
    pub fn required_secret(&self) -> Option<String> {
        let named = || {
            self.id
                .as_deref()
                .or(self.source.as_deref())
                .or_else(|| self.target.as_deref()?.rsplit('/').next())
        };
        if self.kind == "secret" && self.is_required { named().map(str::to_owned) } else { None }
    }

    fn parse(options: &str, takes_env: bool) -> ParseResult<Self> {
        let mut mount = Self { kind: "bind".to_owned(), ..Self::default() };
        let mut has_env = false;
        for option in options.split(',') {
            let Some((key, value)) = option.split_once('=') else {
                match option.to_ascii_lowercase().as_str() {
                    "required" => mount.is_required = true,
                    "readonly" | "ro" | "readwrite" | "rw" => {}
                    _ => return Err(format!("invalid field '{option}' must be a key=value pair")),
                }
                continue;
            };
            match key.to_ascii_lowercase().as_str() {
                "type" if ["bind", "cache", "secret", "ssh", "tmpfs"].contains(&value) => {
                    value.clone_into(&mut mount.kind)
                }
                "type" => return Err(format!("unsupported mount type \"{value}\"")),
                "id" => mount.id = Some(value.to_owned()),
                "source" | "src" => mount.source = Some(value.to_owned()),
                "target" | "dst" | "destination" => mount.target = Some(value.to_owned()),
                "required" => {
                    mount.is_required = truth(value)
                        .ok_or_else(|| format!("invalid value for required: {value}"))?
                }
                "mode" if u32::from_str_radix(value, 8).is_err() => {
                    return Err(format!("invalid value {value} for mode"));
                }
                "uid" | "gid" if value.parse::<u32>().is_err() => {
                    return Err(format!("invalid value {value} for {key}"));
                }
                "env" if takes_env => has_env = true,
                "from" | "readonly" | "ro" | "readwrite" | "rw" | "sharing" | "size" | "mode"
                | "uid" | "gid" => {}
                _ => return Err(format!("unexpected key '{key}' in '{option}'")),
            }
        }
        if mount.kind == "secret" {
            if mount.id.is_some() && mount.source.is_some() {
                return Err("both source and id can't be set".to_owned());
            }
            if mount.id.is_none() && mount.source.is_none() && mount.target.is_none() && !has_env {
                return Err("invalid secret mount. one of source, target required".to_owned());
            }
        }
        Ok(mount)
    }
}

/// A boolean, with Go's spellings.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(rest: &str) -> Vec<String> {
        of_run(rest, false).unwrap().iter().filter_map(Mount::required_secret).collect()
    }

    #[test]
    fn a_required_secret_goes_by_its_id_its_source_or_its_target() {
        assert_eq!(
            required(
                "--mount=type=secret,id=a,required=true --mount=type=secret,src=b,required --mount=type=cache,target=/c x"
            ),
            ["a", "b"]
        );
        assert_eq!(required("--mount=type=secret,target=/etc/c,required=1 cat"), ["c"]);
        assert_eq!(
            required("--mount=type=secret,id=a cat --mount=type=secret,id=b,required"),
            Vec::<String>::new()
        );
    }

    /// In the words of Docker 20.10.
    #[test]
    fn a_mount_that_the_builder_does_not_take_is_refused_in_its_words() {
        for (mount, words) in [
            ("type=secret", "invalid secret mount. one of source, target required"),
            ("type=secret,id=x,src=y", "both source and id can't be set"),
            ("type=secret,id=x,env=X", "unexpected key 'env' in 'env=X'"),
            ("type=secret,id=x,bogus=1", "unexpected key 'bogus' in 'bogus=1'"),
            ("type=secret,id=x,bogus", "invalid field 'bogus' must be a key=value pair"),
            ("type=secret,id=x,required=maybe", "invalid value for required: maybe"),
            ("type=secret,id=x,mode=9", "invalid value 9 for mode"),
            ("type=bogus,id=x", "unsupported mount type \"bogus\""),
        ] {
            assert_eq!(of_run(&format!("--mount={mount} true"), false).unwrap_err(), words);
        }
        assert!(of_run("--mount=type=secret,id=x,env=X true", true).is_ok());
    }
}
