//! Docker contexts: engines with names from `docker context create`.
//!
//! They are in the folder of Docker's own client. `config.json` contains the current one,
//! `contexts/meta/<sha256 of the name>/meta.json` its engine, and `contexts/tls/<the same>/docker/`
//! its certificates.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::client_folder::client_folder;
use super::tls::TlsFiles;
use crate::engine::{EngineError, EngineErrorKind, Result};
use crate::host::resolve::named;
use crate::host::{Host, HostErrorKind};
use crate::model::suggest::did_you_mean;

/// The name that means no context: `DOCKER_HOST` or this machine's socket.
pub(super) const DEFAULT: &str = "default";

/// The contexts of one user.
pub(super) struct Contexts<'h> {
    host: &'h dyn Host,
    folder: PathBuf,
}

/// The engine of a context.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Context {
    /// The address as written. An empty one means this machine's socket.
    pub address: String,
    pub tls: Option<TlsFiles>,
}

/// The parts of `config.json` that are read.
#[derive(Deserialize)]
struct ClientConfig {
    #[serde(default, rename = "currentContext")]
    current_context: String,
}

/// The parts of `meta.json` that are read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Meta {
    #[serde(default)]
    name: String,
    #[serde(default)]
    endpoints: BTreeMap<String, MetaEndpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetaEndpoint {
    #[serde(default)]
    host: String,
    #[serde(default, rename = "SkipTLSVerify")]
    skip_tls_verify: bool,
}

impl<'h> Contexts<'h> {
    /// The contexts in `DOCKER_CONFIG`, or `~/.docker`; none if neither is known.
    pub(super) fn of(host: &'h dyn Host) -> Option<Self> {
        client_folder(host).map(|folder| Self { host, folder })
    }

    /// `config.json`, for messages.
    pub(super) fn config_file(&self) -> PathBuf {
        self.folder.join("config.json")
    }

    /// The context from `docker context use`.
    pub(super) fn current(&self) -> Result<Option<String>> {
        let path = self.config_file();
        let Some(content) = self.read(&path)? else { return Ok(None) };
        let config: ClientConfig = parse(&path, &content)
            .map_err(|error| error.with_hint("correct the file, or name the engine: --context, --host, DOCKER_CONTEXT or DOCKER_HOST"))?;
        Ok(Some(config.current_context).filter(|name| !name.is_empty()))
    }

    /// A context by its name; `by` is the source of the name, for messages.
    pub(super) fn find(&self, name: &str, by: &str) -> Result<Context> {
        let id = id(name);
        let path = self.folder.join("contexts/meta").join(&id).join("meta.json");
        let Some(content) = self.read(&path)? else { return Err(self.missing(name, by)) };
        let hint = format!(
            "create the context again: `docker context rm {name}`, then `docker context create {name} --docker host=…`"
        );
        let mut meta: Meta =
            parse(&path, &content).map_err(|error| error.with_hint(hint.clone()))?;
        let endpoint = meta.endpoints.remove("docker").ok_or_else(|| {
            let message =
                format!("the context \"{name}\" names no Docker Engine, in \"{}\"", path.display());
            EngineError::new(EngineErrorKind::Invalid, message).with_hint(hint)
        })?;
        let folder = self.folder.join("contexts/tls").join(&id).join("docker");
        let tls = TlsFiles::of_context(self.host, &folder, name, !endpoint.skip_tls_verify)?;
        Ok(Context { address: endpoint.host, tls })
    }

    fn missing(&self, name: &str, by: &str) -> EngineError {
        let names = self.names();
        let names = names.iter().map(String::as_str).chain([DEFAULT]);
        let error = EngineError::new(
            EngineErrorKind::Invalid,
            format!("there is no Docker context \"{name}\", which {by} names"),
        );
        match did_you_mean(name, names) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// The readable contexts, for suggestions.
    fn names(&self) -> Vec<String> {
        self.metas().into_iter().map(|meta| meta.name).filter(|name| !name.is_empty()).collect()
    }

    /// The addresses of the engines of all readable contexts.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.metas()
            .into_iter()
            .filter_map(|mut meta| Some(meta.endpoints.remove("docker")?.host))
            .collect()
    }

    fn metas(&self) -> Vec<Meta> {
        let folder = self.folder.join("contexts/meta");
        let entries = self.host.list(&named(self.host, &folder)).unwrap_or_default();
        let read = |name: &str| {
            self.host.read(&named(self.host, &folder.join(name).join("meta.json"))).ok()
        };
        entries
            .iter()
            .filter_map(|entry| serde_json::from_slice(&read(&entry.name)?).ok())
            .collect()
    }

    fn read(&self, path: &Path) -> Result<Option<Bytes>> {
        match self.host.read(&named(self.host, path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind == HostErrorKind::NotFound => Ok(None),
            Err(error) => Err(EngineError::new(EngineErrorKind::Invalid, error.message).with_hint(
                "let it be read, or name another folder of Docker's client with DOCKER_CONFIG",
            )),
        }
    }
}

/// The name of a context's folder.
fn id(name: &str) -> String {
    Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse<T: for<'a> Deserialize<'a>>(path: &Path, content: &[u8]) -> Result<T> {
    serde_json::from_slice(content).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = if error.is_data() {
            "holds something else than Docker's client writes"
        } else {
            "is not JSON"
        };
        let message = format!(
            "could not read \"{}\": it {what}, at line {line}, column {column}",
            path.display()
        );
        EngineError::new(EngineErrorKind::Invalid, message)
    })
}

#[cfg(test)]
mod tests;
