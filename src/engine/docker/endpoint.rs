//! Finds the engine in the same order as Docker's own client.

use std::path::PathBuf;

use super::address::{self, Address};
use super::contexts::{self, Contexts};
use super::tls::TlsFiles;
use crate::engine::{EngineError, EngineErrorKind, Result};
use crate::host::Host;

/// The options of the command line about the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineChoice {
    /// `--host`: an address.
    pub host: Option<String>,
    /// `--context`: the name of a Docker context; an empty one counts as not given.
    pub context: Option<String>,
}

/// An engine that something names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub address: Address,
    /// Set if the connection has to be encrypted.
    pub tls: Option<TlsFiles>,
    pub source: Source,
}

/// The source of the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `--host`.
    HostOption,
    /// `DOCKER_HOST`.
    DockerHost,
    /// A Docker context, and the source of its name.
    Context { name: String, by: ContextBy },
}

/// The source of a context's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContextBy {
    /// `--context`.
    Option,
    /// `DOCKER_CONTEXT`.
    Variable,
    /// `currentContext` in this `config.json`.
    Current(PathBuf),
}

impl ContextBy {
    fn name(&self) -> String {
        match self {
            Self::Option => "--context".to_owned(),
            Self::Variable => "DOCKER_CONTEXT".to_owned(),
            Self::Current(file) => format!("\"{}\"", file.display()),
        }
    }
}

impl Source {
    /// The source of an address: `DOCKER_HOST`, `the context "x"`.
    pub(super) fn name(&self) -> String {
        match self {
            Self::HostOption => "--host".to_owned(),
            Self::DockerHost => "DOCKER_HOST".to_owned(),
            Self::Context { name, .. } => format!("the context \"{name}\""),
        }
    }

    /// The next step to use this machine's engine instead.
    pub(super) fn way_back(&self) -> &'static str {
        match self {
            Self::HostOption => "leave --host out",
            Self::DockerHost => "unset DOCKER_HOST",
            Self::Context { by: ContextBy::Option, .. } => "leave --context out",
            Self::Context { by: ContextBy::Variable, .. } => "unset DOCKER_CONTEXT",
            Self::Context { by: ContextBy::Current(_), .. } => "use --context default",
        }
    }
}

impl Endpoint {
    /// The engine from `--context` or `--host`, `DOCKER_HOST`, `DOCKER_CONTEXT`, or the current
    /// context; `None` means this machine's own.
    ///
    /// The context "default" means no context: `DOCKER_HOST`, or this machine's own engine.
    pub(super) fn chosen(host: &dyn Host, choice: &EngineChoice) -> Result<Option<Self>> {
        let variable = |name: &str| host.variable(name).filter(|value| !value.is_empty());
        if let Some(name) =
            choice.context.as_deref().filter(|name| !name.is_empty() && *name != contexts::DEFAULT)
        {
            return Self::of_context(host, name, ContextBy::Option);
        }
        if let Some(address) = &choice.host {
            return Self::at(host, address, Source::HostOption).map(Some);
        }
        if let Some(address) = variable("DOCKER_HOST") {
            return Self::at(host, &address, Source::DockerHost).map(Some);
        }
        if choice.context.as_deref() == Some(contexts::DEFAULT) {
            return Ok(None);
        }
        if let Some(name) = variable("DOCKER_CONTEXT") {
            return Self::of_context(host, &name, ContextBy::Variable);
        }
        let Some(contexts) = Contexts::of(host) else { return Ok(None) };
        match contexts.current()? {
            Some(name) => Self::of_context(host, &name, ContextBy::Current(contexts.config_file())),
            None => Ok(None),
        }
    }

    /// An address without a context, encrypted if the environment requires it.
    fn at(host: &dyn Host, text: &str, source: Source) -> Result<Self> {
        let wants_tls = ["DOCKER_TLS_VERIFY", "DOCKER_TLS"]
            .iter()
            .any(|name| host.variable(name).is_some_and(|value| !value.is_empty()));
        let address = Address::parse(text, wants_tls).map_err(|malformed| {
            let message = format!(
                "could not use {} \"{}\": {}",
                source.name(),
                address::shown(text),
                malformed.why
            );
            EngineError::new(EngineErrorKind::Invalid, message).with_hint(malformed.hint)
        })?;
        let tls = if matches!(address, Address::Tcp { tls: true, .. }) {
            Some(TlsFiles::of_environment(host)?)
        } else {
            None
        };
        Ok(Self { address, tls, source })
    }

    fn of_context(host: &dyn Host, name: &str, by: ContextBy) -> Result<Option<Self>> {
        if name == contexts::DEFAULT {
            return Ok(None);
        }
        let contexts = Contexts::of(host).ok_or_else(|| {
            let message = format!("could not look for the Docker context \"{name}\": neither DOCKER_CONFIG nor HOME is set");
            EngineError::new(EngineErrorKind::Invalid, message).with_hint("set DOCKER_CONFIG to the folder that holds contexts/")
        })?;
        let context = contexts.find(name, &by.name())?;
        if context.address.is_empty() {
            return Ok(None);
        }
        let address =
            Address::parse(&context.address, context.tls.is_some()).map_err(|malformed| {
                let shown = address::shown(&context.address);
                let message = format!(
                    "could not use \"{shown}\", the address of the context \"{name}\": {}",
                    malformed.why
                );
                EngineError::new(EngineErrorKind::Invalid, message).with_hint(format!(
                    "{}, with `docker context update {name} --docker host=…`",
                    malformed.hint
                ))
            })?;
        let tls = context.tls.filter(|_| matches!(address, Address::Tcp { .. }));
        Ok(Some(Self { address, tls, source: Source::Context { name: name.to_owned(), by } }))
    }
}

#[cfg(test)]
mod tests;
