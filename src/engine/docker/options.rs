//! What decides where the engine is, as the command line and the environment say.

use std::path::{Path, PathBuf};

use super::address::Address;
use super::endpoint::{Endpoint, EngineChoice, Source};
use crate::engine::Result;
use crate::host::resolve::named;
use crate::host::{Host, StandardStream};

/// Where the engine's socket is by default.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// What decides where the engine is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The engine that is named; without one the sockets of this machine are tried.
    pub endpoint: Option<Endpoint>,
    /// `XDG_RUNTIME_DIR`, where a rootless engine has its socket.
    pub runtime_dir: Option<PathBuf>,
    /// `HOME`, where Docker Desktop has it.
    pub home: Option<PathBuf>,
    /// Who runs spc, for hints.
    pub user: Option<String>,
    /// The content of `/etc/group`, for hints.
    pub groups: Option<String>,
    /// Whether somebody is there whom `ssh` may ask for a password.
    pub asks: bool,
}

impl ConnectOptions {
    /// What the command line and the process environment say; Docker's own files are read only if
    /// they are needed.
    pub fn from_host(host: &dyn Host, choice: &EngineChoice) -> Result<Self> {
        let variable = |name: &str| host.variable(name).filter(|value| !value.is_empty());
        let identity = host.identity();
        Ok(Self {
            endpoint: Endpoint::chosen(host, choice)?,
            runtime_dir: variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            home: variable("HOME").map(PathBuf::from),
            user: identity
                .split_once('@')
                .map(|(user, _)| user.to_owned())
                .filter(|user| !user.is_empty()),
            groups: host
                .read(&named(host, Path::new("/etc/group")))
                .ok()
                .map(|content| String::from_utf8_lossy(&content).into_owned()),
            asks: [StandardStream::Stdin, StandardStream::Stderr]
                .into_iter()
                .all(|stream| host.is_terminal(stream)),
        })
    }

    /// The engine at this address, not encrypted; nobody is asked.
    pub fn at(address: Address) -> Self {
        Self {
            endpoint: Some(Endpoint { address, tls: None, source: Source::HostOption }),
            ..Self::default()
        }
    }

    /// Whether connecting takes a moment: no login, nobody is asked.
    pub fn is_near(&self) -> bool {
        self.candidates().iter().all(|address| !matches!(address, Address::Ssh(_)))
    }

    /// Where to look, in order: at the engine that is named alone, else at the default socket, then
    /// the rootless ones.
    pub(super) fn candidates(&self) -> Vec<Address> {
        if let Some(endpoint) = &self.endpoint {
            return vec![endpoint.address.clone()];
        }
        let rootless = self.runtime_dir.as_deref().map(|folder| folder.join("docker.sock"));
        let desktop = self.home.as_deref().map(|home| home.join(".docker/run/docker.sock"));
        [Some(PathBuf::from(DEFAULT_SOCKET)), rootless, desktop]
            .into_iter()
            .flatten()
            .map(Address::Unix)
            .collect()
    }
}
