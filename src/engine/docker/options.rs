//! The options of the command line and the environment that select the engine.

use std::path::{Path, PathBuf};

use super::address::Address;
use super::endpoint::{Endpoint, EngineChoice, Source};
use crate::engine::Result;
use crate::host::resolve::named;
use crate::host::{Host, StandardStream};

/// The default socket of an engine.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// The options that select the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The named engine; without one the sockets of this machine are tried.
    pub endpoint: Option<Endpoint>,
    /// `XDG_RUNTIME_DIR`, which contains the socket of a rootless engine.
    pub runtime_dir: Option<PathBuf>,
    /// `HOME`, which contains that of Docker Desktop.
    pub home: Option<PathBuf>,
    /// The user who runs spc, for hints.
    pub user: Option<String>,
    /// The content of `/etc/group`, for hints.
    pub groups: Option<String>,
    /// Whether `ssh` may ask a person for a password.
    pub asks: bool,
}

impl ConnectOptions {
    /// From the command line and the process environment. Docker's own files are read only if
    /// necessary.
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

    /// The engine at this address, without encryption and without questions.
    pub fn at(address: Address) -> Self {
        Self {
            endpoint: Some(Endpoint { address, tls: None, source: Source::HostOption }),
            ..Self::default()
        }
    }

    /// Whether connecting takes only a moment: no login and no question.
    pub fn is_near(&self) -> bool {
        self.candidates().iter().all(|address| !matches!(address, Address::Ssh(_)))
    }

    /// The addresses to try, in order: only the named engine, else the default socket, then the
    /// rootless ones.
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
