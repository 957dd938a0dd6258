//! Dockerfiles, as far as they determine the configuration of an image.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::{HealthConfig, ImageConfig};

use crate::model::dockerfile::{self, Argument, StageStart, declared, filled, lines};

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) struct Instruction {
    /// In capitals.
    pub name: String,
    pub rest: String,
}

/// From one `FROM` to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) struct Stage {
    /// The image or stage that it begins with, with the values of variables.
    pub base: String,
    /// `AS name`, in lower case.
    pub name: Option<String>,
    pub instructions: Vec<Instruction>,
    /// The values of `ARG`s before the first `FROM`, for stages that repeat them.
    globals: BTreeMap<String, String>,
}

const KNOWN: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Instructions whose variables are replaced.
const EXPANDED: &[&str] = &["ENV", "EXPOSE", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"];

/// Variables with values from the builder itself.
const PLATFORM: &[(&str, &str)] = &[
    ("BUILDARCH", "amd64"),
    ("BUILDOS", "linux"),
    ("BUILDPLATFORM", "linux/amd64"),
    ("TARGETARCH", "amd64"),
    ("TARGETOS", "linux"),
    ("TARGETPLATFORM", "linux/amd64"),
    ("TARGETVARIANT", ""),
];

type ParseResult<T> = Result<T, String>;

impl Instruction {
    pub fn parse(line: &str) -> Self {
        let (name, rest) = dockerfile::instruction(line);
        Self { name, rest: rest.to_owned() }
    }

    /// The form in the output of a build.
    pub fn words(&self) -> String {
        format!("{} {}", self.name, self.rest).trim_end().to_owned()
    }
}

/// The stages of a Dockerfile. `arguments` are the build arguments.
pub(in crate::engine::sim) fn stages(
    text: &str,
    arguments: &BTreeMap<String, String>,
) -> ParseResult<Vec<Stage>> {
    let own = |(name, value): &(&str, &str)| {
        ((*name).to_owned(), arguments.get(*name).cloned().unwrap_or_else(|| (*value).to_owned()))
    };
    let mut global: BTreeMap<String, String> = PLATFORM.iter().map(own).collect();
    let mut stages: Vec<Stage> = Vec::new();
    for line in lines(text) {
        let (instruction, number) = (Instruction::parse(&line.text), line.number);
        if !KNOWN.contains(&instruction.name.as_str()) {
            return Err(format!(
                "dockerfile parse error on line {number}: unknown instruction: {}",
                instruction.name
            ));
        }
        match (instruction.name.as_str(), stages.last_mut()) {
            ("FROM", _) => {
                let begun = stage(&instruction.rest, &global);
                stages.push(begun.map_err(|words| {
                    format!("dockerfile parse error on line {number}: {words}")
                })?);
            }
            ("ARG", None) => {
                for Argument { name, default } in declared(&instruction.rest) {
                    let value = match (arguments.get(&name), default) {
                        (Some(value), _) => value.clone(),
                        (None, Some(default)) => fill(&default, &global)?,
                        (None, None) => global.get(&name).cloned().unwrap_or_default(),
                    };
                    global.insert(name, value);
                }
            }
            (_, Some(stage)) => stage.instructions.push(instruction),
            (_, None) => {
                return Err(format!(
                    "dockerfile parse error on line {number}: no build stage in current context"
                ));
            }
        }
    }
    if stages.is_empty() { Err("the Dockerfile cannot be empty".to_owned()) } else { Ok(stages) }
}

fn stage(rest: &str, globals: &BTreeMap<String, String>) -> ParseResult<Stage> {
    let StageStart { image, name } = StageStart::parse(rest)
        .ok_or_else(|| "FROM requires either one or three arguments".to_owned())?;
    let base = fill(image, globals)?;
    if base.is_empty() {
        return Err(format!("base name ({image}) should not be blank"));
    }
    Ok(Stage { base, name, instructions: Vec::new(), globals: globals.clone() })
}

/// With the values of variables; one without a value is empty.
fn fill(text: &str, values: &BTreeMap<String, String>) -> ParseResult<String> {
    filled(text, &|name| Some(values.get(name).cloned().unwrap_or_default()))
        .ok_or_else(|| format!("the simulated builder can't tell what \"{text}\" stands for"))
}

impl Stage {
    /// Applies the stage's instructions to an image's configuration.
    pub fn configure(
        &self,
        config: &mut ImageConfig,
        arguments: &BTreeMap<String, String>,
    ) -> ParseResult<()> {
        for trigger in config.on_build.take().unwrap_or_default() {
            apply(config, &Instruction::parse(&trigger))?;
        }
        let mut values = BTreeMap::new();
        for instruction in &self.instructions {
            if instruction.name == "ARG" {
                for Argument { name, default } in declared(&instruction.rest) {
                    let value = arguments
                        .get(&name)
                        .or_else(|| if default.is_none() { self.globals.get(&name) } else { None })
                        .cloned();
                    let default = default.map(|default| fill(&default, &values)).transpose()?;
                    values.extend(value.or(default).map(|value| (name, value)));
                }
            } else if EXPANDED.contains(&instruction.name.as_str()) {
                let mut known = values.clone();
                // The environment overrides the arguments.
                known.extend(
                    config
                        .env
                        .iter()
                        .flatten()
                        .filter_map(|entry| entry.split_once('='))
                        .map(|(key, value)| (key.to_owned(), value.to_owned())),
                );
                apply(
                    config,
                    &Instruction {
                        name: instruction.name.clone(),
                        rest: fill(&instruction.rest, &known)?,
                    },
                )?;
            } else {
                apply(config, instruction)?;
            }
        }
        Ok(())
    }
}

/// The effect of an instruction on an image's configuration; most have none.
pub(in crate::engine::sim) fn apply(
    config: &mut ImageConfig,
    instruction: &Instruction,
) -> ParseResult<()> {
    let rest = instruction.rest.as_str();
    match instruction.name.as_str() {
        "CMD" => config.cmd = Some(command(rest, config)),
        "ENTRYPOINT" => {
            config.entrypoint = Some(command(rest, config));
            config.cmd = None;
        }
        "SHELL" => {
            config.shell = Some(
                json(rest)
                    .ok_or_else(|| "SHELL requires the arguments to be in JSON form".to_owned())?,
            )
        }
        "ENV" => {
            for (key, value) in pairs(rest) {
                let all = config.env.get_or_insert_default();
                all.retain(|entry| entry.split('=').next() != Some(key.as_str()));
                all.push(format!("{key}={value}"));
            }
        }
        "LABEL" => config.labels.get_or_insert_default().extend(pairs(rest)),
        "EXPOSE" => {
            let full = |port: &str| {
                if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") }
            };
            config.exposed_ports.get_or_insert_default().extend(rest.split_whitespace().map(full));
        }
        "VOLUME" => {
            let paths =
                json(rest).unwrap_or_else(|| rest.split_whitespace().map(str::to_owned).collect());
            config.volumes.get_or_insert_default().extend(paths);
        }
        "USER" => config.user = Some(rest.to_owned()),
        "WORKDIR" => {
            let before = config.working_dir.clone().unwrap_or_default();
            config.working_dir = Some(if rest.starts_with('/') {
                rest.to_owned()
            } else {
                crate::engine::sim::daemon::tree::normal(&format!("{before}/{rest}"))
            });
        }
        "STOPSIGNAL" => config.stop_signal = Some(rest.to_owned()),
        "HEALTHCHECK" => config.healthcheck = Some(health(rest)?),
        "ONBUILD" => config.on_build.get_or_insert_default().push(rest.to_owned()),
        _ => {}
    }
    Ok(())
}

fn json(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}

/// A list is an argument vector, anything else is for the shell.
fn command(rest: &str, config: &ImageConfig) -> Vec<String> {
    json(rest).unwrap_or_else(|| {
        let shell =
            config.shell.clone().unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
        shell.into_iter().chain([rest.to_owned()]).collect()
    })
}

/// `KEY=value KEY="a value"`, or the old `KEY value`.
fn pairs(rest: &str) -> Vec<(String, String)> {
    let first = rest.split_whitespace().next().unwrap_or_default();
    if !first.contains('=') {
        let (key, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        return vec![(key.to_owned(), value.trim().to_owned())];
    }
    words(rest)
        .iter()
        .filter_map(|word| word.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Splits at spaces that are not in quotes, and removes the quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in text.chars() {
        match (quote, character) {
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None, space) if space.is_whitespace() => words.push(String::new()),
            _ => words.iter_mut().last().into_iter().for_each(|word| word.push(character)),
        }
    }
    words
}

fn health(rest: &str) -> ParseResult<HealthConfig> {
    let mut health = HealthConfig::default();
    let mut rest = rest.trim();
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let time =
            || nanoseconds(value).ok_or_else(|| format!("time: invalid duration \"{value}\""));
        match name {
            "interval" => health.interval = Some(time()?),
            "timeout" => health.timeout = Some(time()?),
            "start-period" => health.start_period = Some(time()?),
            "start-interval" => health.start_interval = Some(time()?),
            "retries" => {
                health.retries = Some(
                    value.parse().map_err(|_| format!("--retries: invalid number \"{value}\""))?,
                )
            }
            _ => return Err(format!("unknown flag: {name}")),
        }
        rest = after.trim_start();
    }
    let (kind, test) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    health.test = Some(match kind.to_ascii_uppercase().as_str() {
        "NONE" => vec!["NONE".to_owned()],
        "CMD" => match json(test.trim()) {
            Some(words) => ["CMD".to_owned()].into_iter().chain(words).collect(),
            None => vec!["CMD-SHELL".to_owned(), test.trim().to_owned()],
        },
        _ => return Err(format!("Unknown type \"{kind}\" in HEALTHCHECK (try CMD)")),
    });
    Ok(health)
}

/// `1m30s`, `500ms`.
fn nanoseconds(text: &str) -> Option<i64> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at(end);
        let unit = after
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(after.len());
        let seconds = match &after[..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "us" | "µs" => 0.000_001,
            "ns" => 0.000_000_001,
            _ => return None,
        };
        sum = sum.checked_add(
            Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?,
        )?;
        rest = &after[unit..];
    }
    i64::try_from(sum.as_nanos()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# the backend
ARG BASE=local/python:3.11-slim
ARG TAG
FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1 \\
    # in between
    NAME=\"two words\"
WORKDIR /app
FROM base as Development
CMD python manage.py runserver
FROM --platform=linux/amd64 base AS production
SHELL [\"/bin/bash\", \"-c\"]
EXPOSE 8000
USER 1000
VOLUME [\"/data\"]
HEALTHCHECK --interval=1m30s --timeout=500ms --retries=2 CMD curl -f http://localhost:8000/
ENTRYPOINT [\"gunicorn\"]
";

    fn given(arguments: &[(&str, &str)]) -> Vec<Stage> {
        stages(
            TEXT,
            &arguments
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        )
        .unwrap()
    }

    #[test]
    fn stages_are_cut_at_from_and_named() {
        let stages = given(&[]);
        let names: Vec<_> = stages
            .iter()
            .map(|stage| (stage.base.as_str(), stage.name.as_deref().unwrap()))
            .collect();
        assert_eq!(
            names,
            [("local/python:3.11-slim", "base"), ("base", "development"), ("base", "production")]
        );
        assert_eq!(given(&[("BASE", "other:1")])[0].base, "other:1");
    }

    #[test]
    fn instructions_configure_the_image() {
        let mut config = ImageConfig::default();
        let stages = given(&[]);
        for stage in [&stages[0], &stages[2]] {
            stage.configure(&mut config, &BTreeMap::new()).unwrap();
        }
        assert_eq!(config.env.unwrap(), ["PYTHONUNBUFFERED=1", "NAME=two words"]);
        assert_eq!(config.working_dir.unwrap(), "/app");
        assert_eq!(config.exposed_ports.unwrap(), ["8000/tcp"]);
        assert_eq!(config.volumes.unwrap(), ["/data"]);
        assert_eq!(config.user.unwrap(), "1000");
        assert_eq!(config.entrypoint.unwrap(), ["gunicorn"]);
        let health = config.healthcheck.unwrap();
        assert_eq!(health.test.unwrap(), ["CMD-SHELL", "curl -f http://localhost:8000/"]);
        assert_eq!(
            (health.interval, health.timeout, health.retries),
            (Some(90_000_000_000), Some(500_000_000), Some(2))
        );
    }

    #[test]
    fn a_command_without_a_list_is_for_the_shell() {
        let mut config = ImageConfig::default();
        apply(&mut config, &given(&[])[1].instructions[0]).unwrap();
        assert_eq!(config.cmd.unwrap(), ["/bin/sh", "-c", "python manage.py runserver"]);
    }

    #[test]
    fn an_invalid_dockerfile_is_rejected_with_its_line() {
        let none = BTreeMap::new();
        assert_eq!(stages("", &none).unwrap_err(), "the Dockerfile cannot be empty");
        assert_eq!(
            stages("FROM a\n\nBOGUS x", &none).unwrap_err(),
            "dockerfile parse error on line 3: unknown instruction: BOGUS"
        );
        assert_eq!(
            stages("RUN x", &none).unwrap_err(),
            "dockerfile parse error on line 1: no build stage in current context"
        );
    }

    #[test]
    fn current_dockerfile_syntax_is_parsed() {
        let text = "\
# syntax=docker/dockerfile:1
ARG VERSION=3.11 FLAVOUR=\"slim\"
ARG BASE=python:${VERSION}-${FLAVOUR}
FROM --platform=$BUILDPLATFORM ${BASE} AS build
ARG VERSION
ARG PORT=80
ENV HOME_OF=/srv PYTHON=$VERSION
RUN --mount=type=cache,target=/root/.cache <<EOF
pip install x
USER nobody
EOF
COPY --link --chmod=0644 <<one <<-two /etc/
FROM x
one
\ttwo
WORKDIR ${HOME_OF}/app
EXPOSE $PORT 443
ONBUILD USER later
FROM build
EXPOSE ${PORT:-81}
";
        let stages =
            stages(text, &BTreeMap::from([("PORT".to_owned(), "8080".to_owned())])).unwrap();
        let bases: Vec<&str> = stages.iter().map(|stage| stage.base.as_str()).collect();
        assert_eq!(bases, ["python:3.11-slim", "build"]);
        let mut config = ImageConfig::default();
        let arguments = BTreeMap::from([("PORT".to_owned(), "8080".to_owned())]);
        stages[0].configure(&mut config, &arguments).unwrap();
        assert_eq!(config.env.as_ref().unwrap(), &["HOME_OF=/srv", "PYTHON=3.11"]);
        assert_eq!(config.working_dir.as_ref().unwrap(), "/srv/app");
        assert_eq!(
            (config.user.as_ref(), config.on_build.as_ref().unwrap()),
            (None, &vec!["USER later".to_owned()])
        );
        stages[1].configure(&mut config, &arguments).unwrap();
        let mut ports = config.exposed_ports.unwrap();
        ports.sort();
        // An argument ends with its stage.
        assert_eq!(ports, ["443/tcp", "8080/tcp", "81/tcp"]);
        assert_eq!((config.user.unwrap(), config.on_build), ("later".to_owned(), None));
    }

    #[test]
    fn the_simulated_builder_reports_unsupported_substitutions() {
        let none = BTreeMap::new();
        let words = stages("FROM a:${B#x}", &none).unwrap_err();
        assert_eq!(
            words,
            "dockerfile parse error on line 1: the simulated builder can't tell what \"a:${B#x}\" stands for"
        );
        let words = stages("FROM $B", &none).unwrap_err();
        assert_eq!(words, "dockerfile parse error on line 1: base name ($B) should not be blank");
    }
}
