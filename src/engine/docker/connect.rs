//! Finding the engine: where to look, and what to say when none answers.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::header::HeaderMap;

use super::address::Address;
use super::tls::TlsFiles;
use super::wire::{self, Wire};
use super::{DockerEngine, errors};
use crate::engine::{ApiVersion, EngineError, EngineErrorKind, MINIMUM_API, Result};
use crate::host::{self, Host};

/// Where the engine's socket is by default.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// What decides where the engine is: the environment's values, unread and unchecked.
///
/// Docker contexts (`~/.docker/config.json`, `DOCKER_CONTEXT`) are to come between `docker_host`
/// and the default sockets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectOptions {
    /// `DOCKER_HOST`; an empty one counts as unset.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// Encrypt `tcp://` (`DOCKER_TLS_VERIFY`), with these files (`DOCKER_CERT_PATH`).
    pub tls: Option<TlsFiles>,
    /// `XDG_RUNTIME_DIR`, where a rootless engine has its socket.
    pub runtime_dir: Option<PathBuf>,
    /// `HOME`, where Docker Desktop has it.
    pub home: Option<PathBuf>,
    /// Who runs spc, for hints.
    pub user: Option<String>,
    /// The content of `/etc/group`, for hints.
    pub groups: Option<String>,
}

impl ConnectOptions {
    /// Reads them from the process environment; the TLS files only if they are needed.
    pub fn from_host(host: &dyn Host) -> Result<Self> {
        Self::gather(&|name| host.variable(name), &|path| host.read(path), &host.identity())
    }

    fn gather(
        variable: &dyn Fn(&str) -> Option<String>,
        read: &dyn Fn(&Path) -> host::Result<bytes::Bytes>,
        identity: &str,
    ) -> Result<Self> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let home = variable("HOME").map(PathBuf::from);
        let docker_host = variable("DOCKER_HOST");
        let encrypted =
            variable("DOCKER_TLS_VERIFY").is_some() && docker_host.as_deref().is_some_and(|address| !address.starts_with("unix:"));
        let tls = if encrypted {
            let default = || home.as_deref().map(|home| home.join(".docker"));
            let folder = variable("DOCKER_CERT_PATH").map(PathBuf::from).or_else(default).ok_or_else(|| {
                EngineError::new(EngineErrorKind::Invalid, "DOCKER_TLS_VERIFY is set, but neither DOCKER_CERT_PATH nor HOME is")
            })?;
            Some(TlsFiles::read(read, &folder)?)
        } else {
            None
        };
        Ok(Self {
            docker_host,
            docker_context: variable("DOCKER_CONTEXT"),
            tls,
            runtime_dir: variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            home,
            user: identity.split_once('@').map(|(user, _)| user.to_owned()).filter(|user| !user.is_empty()),
            groups: read(Path::new("/etc/group")).ok().map(|content| String::from_utf8_lossy(&content).into_owned()),
        })
    }

    /// Where to look, in order: `DOCKER_HOST` alone, else the default socket, then the rootless ones.
    fn candidates(&self) -> Result<Vec<Address>> {
        if let Some(address) = self.docker_host.as_deref().filter(|address| !address.is_empty()) {
            return Ok(vec![Address::parse(address, self.tls.is_some())?]);
        }
        if let Some(context) = self.docker_context.as_deref().filter(|context| !matches!(*context, "" | "default")) {
            return Err(EngineError::new(
                EngineErrorKind::Invalid,
                format!("DOCKER_CONTEXT is \"{context}\", and Docker contexts are not supported yet"),
            )
            .with_hint(format!("set DOCKER_HOST to the engine's address, which `docker context inspect {context}` shows")));
        }
        let rootless = self.runtime_dir.as_deref().map(|folder| folder.join("docker.sock"));
        let desktop = self.home.as_deref().map(|home| home.join(".docker/run/docker.sock"));
        Ok([Some(PathBuf::from(DEFAULT_SOCKET)), rootless, desktop].into_iter().flatten().map(Address::Unix).collect())
    }
}

/// Finds the engine as Docker's own client does, and makes sure that it is new enough: one round trip.
pub async fn connect(options: &ConnectOptions) -> Result<DockerEngine> {
    // bollard's BuildKit session asks for the process's provider, and would panic without.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tls = options.tls.as_ref().map(TlsFiles::client_config).transpose()?;
    let mut attempts = Vec::new();
    for address in options.candidates()? {
        let wire = Wire::new(&address, tls.clone()).map_err(|error| errors::from_io(&error))?;
        match greet(&wire).await {
            Ok(greeting) => return engine(Arc::new(wire), &address, &greeting.check(&address)?),
            Err(failure) => {
                let group = if failure.is_permission() { owner_group(&address) } else { None };
                attempts.push(Attempt { address, failure, group });
            }
        }
    }
    Err(explain(&attempts, options))
}

fn engine(wire: Arc<Wire>, address: &Address, greeting: &Checked) -> Result<DockerEngine> {
    Ok(DockerEngine {
        client: wire.client(None)?,
        wire,
        api: greeting.api,
        windows: greeting.windows,
        address: address.to_string(),
        local: address.is_local(),
    })
}

/// What the engine says of itself in the headers of a ping: a fifteenth of what `version` costs, which asks containerd and runc.
struct Greeting {
    api: Option<String>,
    os: Option<String>,
}

struct Checked {
    api: ApiVersion,
    windows: bool,
}

async fn greet(wire: &Wire) -> std::result::Result<Greeting, Failure> {
    let request = hyper::Request::get("/_ping").body(bollard::body_full(bytes::Bytes::new()));
    let request = request.map_err(|error| Failure::Other(error.to_string()))?;
    let response = wire::within(wire::QUICK, wire.send(request)).await.map_err(|_| Failure::Silent)?;
    let response = response.map_err(Failure::from_client)?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        let words = response.into_body().collect().await.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
        let words = words.ok().and_then(|words| words.lines().next().map(str::to_owned)).unwrap_or_default();
        return Err(Failure::Other(format!("it answered with status {status} {}", words.trim_end_matches('.')).trim_end().to_owned()));
    }
    let header = |headers: &HeaderMap, name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Greeting { api: header(response.headers(), "api-version"), os: header(response.headers(), "ostype") })
}

impl Greeting {
    fn check(self, address: &Address) -> Result<Checked> {
        let api = self.api.as_deref().and_then(ApiVersion::parse).ok_or_else(|| {
            EngineError::new(EngineErrorKind::Unreachable, format!("what answers at \"{address}\" is not a Docker Engine"))
                .with_hint("check DOCKER_HOST")
        })?;
        if api < MINIMUM_API {
            return Err(EngineError::new(
                EngineErrorKind::TooOld,
                format!("the Docker Engine at \"{address}\" is too old: it has API {api}, and spc needs {MINIMUM_API} or newer"),
            )
            .with_hint("upgrade it to Docker Engine 20.10 or newer"));
        }
        Ok(Checked { api, windows: self.os.as_deref() == Some("windows") })
    }
}

/// One address that did not serve.
#[derive(Debug)]
struct Attempt {
    address: Address,
    failure: Failure,
    /// The id of the group that owns the socket, if permission is what was missing.
    group: Option<u32>,
}

/// Why it did not.
#[derive(Debug)]
enum Failure {
    Io(io::ErrorKind, String),
    Silent,
    Other(String),
}

impl Failure {
    fn from_client(error: bollard::errors::Error) -> Self {
        match error {
            bollard::errors::Error::IOError { err } => Self::Io(err.kind(), err.to_string()),
            other => Self::Other(errors::root_cause(&other).to_string()),
        }
    }

    fn is_permission(&self) -> bool {
        matches!(self, Self::Io(io::ErrorKind::PermissionDenied, _))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(io::ErrorKind::NotFound, _) => f.write_str("there is no such socket"),
            Self::Io(io::ErrorKind::ConnectionRefused, _) => f.write_str("nothing listens there"),
            Self::Io(io::ErrorKind::PermissionDenied, _) => f.write_str("no permission"),
            Self::Io(io::ErrorKind::TimedOut, _) => f.write_str("no connection in time"),
            Self::Silent => write!(f, "connected, but no answer within {} s", wire::QUICK.as_secs()),
            Self::Io(_, words) | Self::Other(words) => f.write_str(words),
        }
    }
}

/// The group that owns a socket.
fn owner_group(address: &Address) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let Address::Unix(path) = address else { return None };
    #[allow(clippy::disallowed_methods, reason = "the engine's own socket is the engine's to look at")]
    std::fs::metadata(path).ok().map(|socket| socket.gid())
}

/// Every address tried and why it failed; the hint is for the one the user most likely meant.
fn explain(attempts: &[Attempt], options: &ConnectOptions) -> EngineError {
    let tried: Vec<_> = attempts.iter().map(|Attempt { address, failure, .. }| format!("\"{address}\" ({failure})")).collect();
    let tried = tried.join(", nor at ");
    if let Some(attempt) = attempts.iter().find(|attempt| attempt.failure.is_permission()) {
        return EngineError::new(EngineErrorKind::PermissionDenied, format!("could not open the Docker Engine's socket at {tried}"))
            .with_hint(permission_hint(attempt, options));
    }
    let silent = attempts.iter().any(|attempt| matches!(attempt.failure, Failure::Silent));
    let kind = if silent { EngineErrorKind::Timeout } else { EngineErrorKind::Unreachable };
    let from = options.docker_host.as_ref().map_or("", |_| ", the address in DOCKER_HOST");
    EngineError::new(kind, format!("no Docker Engine answers at {tried}{from}")).with_hint(match (&options.docker_host, &options.tls) {
        (Some(_), Some(tls)) => format!("check that the engine runs, and that the certificates in \"{}\" are for it", tls.folder.display()),
        (Some(_), None) => "start that engine, or unset DOCKER_HOST to use the one of this machine".to_owned(),
        (None, _) => {
            "start the Docker Engine (`sudo systemctl start docker`, or Docker Desktop), or set DOCKER_HOST to one that runs".to_owned()
        }
    })
}

fn permission_hint(attempt: &Attempt, options: &ConnectOptions) -> String {
    let user = options.user.as_deref().unwrap_or("$USER");
    match attempt.group.map(|id| group_name(id, options.groups.as_deref())) {
        // Group 0 opens far more than the engine.
        Some(group) if group != "root" && group != "0" => {
            format!("join the group \"{group}\", which owns it: `sudo usermod -aG {group} {user}`, then log in again")
        }
        _ => "only root may open it: use sudo, or start the engine with `--group docker` and join that group".to_owned(),
    }
}

/// A group's name by `/etc/group` (`name:password:id:members`); its number if it has none.
fn group_name(id: u32, groups: Option<&str>) -> String {
    let number = id.to_string();
    groups
        .into_iter()
        .flat_map(str::lines)
        .find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == number).then(|| name.to_owned())
        })
        .unwrap_or(number)
}

#[cfg(test)]
mod tests;
