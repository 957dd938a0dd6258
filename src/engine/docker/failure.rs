//! Explains why no engine answered.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use super::address::Address;
use super::advice::Advice;
use super::endpoint::{Endpoint, Source};
use super::errors;
use super::options::ConnectOptions;
use super::tls::TlsFiles;
use super::tls::tls_errors::trouble;
use crate::engine::calls::SHORT;
use crate::engine::{EngineError, EngineErrorKind};

/// The answer of Go's servers to plain HTTP on a TLS port.
const ASKED_IN_PLAIN: &str = "HTTP request to an HTTPS server";

/// An address that did not work.
#[derive(Debug)]
pub(super) struct Attempt {
    pub address: Address,
    pub failure: Failure,
    /// The id of the group that owns the socket, if a permission is missing.
    pub group: Option<u32>,
}

/// Why it did not.
#[derive(Debug)]
pub(super) enum Failure {
    Io(io::ErrorKind, String),
    Silent,
    /// The connection was accepted, and ended without an answer.
    Closed,
    /// The server speaks TLS, but spc did not.
    WantsTls,
    /// An error with its own next step.
    Advised(Advice),
    Other(String),
}

impl Failure {
    /// The error of a request; `tls` is its encryption.
    pub(super) fn of_client(error: &bollard::errors::Error, tls: Option<&TlsFiles>) -> Self {
        if let bollard::errors::Error::DockerResponseServerError {
            status_code: status @ (401 | 403),
            message,
        } = error
        {
            return Self::of_status(*status, message);
        }
        // bollard prints its own error and the inner one as one text. Their causes begin below
        // both.
        let error: &(dyn Error + 'static) = match error {
            bollard::errors::Error::HyperResponseError { err } => err,
            bollard::errors::Error::IOError { err } => err,
            other => other,
        };
        if let Some((error, files)) = cause::<rustls::Error>(error).zip(tls) {
            return Self::Advised(trouble(error, files));
        }
        if cause::<hyper::Error>(error).is_some_and(hyper::Error::is_parse) {
            return Self::Other("what answers does not speak HTTP".to_owned());
        }
        if cause::<hyper::Error>(error).is_some_and(hyper::Error::is_incomplete_message) {
            return Self::Closed;
        }
        match cause::<io::Error>(error) {
            Some(error) if is_end(error.kind()) => Self::Closed,
            Some(error) if error.to_string().starts_with("failed to lookup address") => {
                Self::Other("the name does not resolve".to_owned())
            }
            Some(error) => Self::Io(error.kind(), error.to_string()),
            None => Self::Other(errors::root_cause(error).to_string()),
        }
    }

    /// An answer that is not from an engine.
    pub(super) fn of_status(status: u16, body: &str) -> Self {
        if status == 400 && body.contains(ASKED_IN_PLAIN) {
            return Self::WantsTls;
        }
        let words = body.lines().next().unwrap_or_default().trim_end_matches('.');
        if matches!(status, 401 | 403) {
            let words = errors::own_words(words);
            let number = if words.starts_with(&status.to_string()) {
                String::new()
            } else {
                format!("{status} ")
            };
            let why = format!(
                "\"GET /_ping\" is forbidden there, which spc asks for the engine's version: {number}{words}"
            );
            return Self::Advised(Advice {
                why: why.trim_end().to_owned(),
                hint: errors::allow("/_ping"),
            });
        }
        Self::Other(format!("it answered with status {status} {words}").trim_end().to_owned())
    }

    pub(super) fn is_permission(&self) -> bool {
        matches!(self, Self::Io(io::ErrorKind::PermissionDenied, _))
    }
}

fn is_end(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
    )
}

/// The outermost error of this type among an error and its causes. An I/O error returns the causes
/// of its content, not the content itself.
fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        let content = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next =
            content.map(|content| -> &(dyn Error + 'static) { content }).or_else(|| error.source());
    }
    None
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(io::ErrorKind::NotFound, _) => f.write_str("there is no such socket"),
            Self::Io(io::ErrorKind::ConnectionRefused, _) => f.write_str("nothing listens there"),
            Self::Io(io::ErrorKind::PermissionDenied, _) => f.write_str("no permission"),
            Self::Io(io::ErrorKind::TimedOut, _) => f.write_str("no connection in time"),
            Self::Io(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable, _) => {
                f.write_str("there is no route to it")
            }
            Self::Silent => {
                write!(f, "connected, but no answer within {} s", SHORT.as_secs())
            }
            Self::Closed => f.write_str("connected, but closed without an answer"),
            Self::WantsTls => f.write_str("it requires TLS"),
            Self::Advised(advice) => f.write_str(&advice.why),
            Self::Io(_, words) | Self::Other(words) => f.write_str(words),
        }
    }
}

/// Every address that was tried, with its error. The hint is for the one that the user probably
/// meant.
pub(super) fn explain(attempts: &[Attempt], options: &ConnectOptions) -> EngineError {
    let tried: Vec<_> = attempts
        .iter()
        .map(|Attempt { address, failure, .. }| format!("\"{address}\" ({failure})"))
        .collect();
    let tried = tried.join(", nor at ");
    if let Some(attempt) = attempts.iter().find(|attempt| attempt.failure.is_permission()) {
        return EngineError::new(
            EngineErrorKind::PermissionDenied,
            format!("could not open the Docker Engine's socket at {tried}"),
        )
        .with_hint(permission_hint(attempt, options));
    }
    let silent = attempts.iter().any(|attempt| matches!(attempt.failure, Failure::Silent));
    let kind = if silent { EngineErrorKind::Timeout } else { EngineErrorKind::Unreachable };
    let endpoint = options.endpoint.as_ref();
    let from = endpoint.map_or_else(String::new, |endpoint| match &endpoint.source {
        Source::HostOption => String::new(),
        Source::DockerHost => ", the address in DOCKER_HOST".to_owned(),
        Source::Context { .. } => format!(", the address of {}", endpoint.source.name()),
    });
    let own = attempts.iter().find_map(|attempt| own_hint(&attempt.failure, endpoint));
    let hint = own.unwrap_or_else(|| match endpoint {
        Some(Endpoint { source, .. }) => format!("start that engine, or {} to use the one of this machine", source.way_back()),
        None => {
            "start the Docker Engine (`sudo systemctl start docker`, or Docker Desktop), or set DOCKER_HOST to a running one".to_owned()
        }
    });
    EngineError::new(kind, format!("no Docker Engine answers at {tried}{from}")).with_hint(hint)
}

/// The hint of a failure that has its own.
fn own_hint(failure: &Failure, endpoint: Option<&Endpoint>) -> Option<String> {
    match (failure, endpoint.map(|endpoint| &endpoint.source)) {
        (Failure::Advised(advice), _) => Some(advice.hint.clone()),
        (Failure::WantsTls, Some(Source::Context { name, .. })) => {
            Some(format!("give the context its certificates: `docker context update {name} --docker host=…,ca=…,cert=…,key=…`"))
        }
        (Failure::WantsTls, _) => {
            Some("set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH to the folder that holds ca.pem, cert.pem and key.pem".to_owned())
        }
        _ => None,
    }
}

fn permission_hint(attempt: &Attempt, options: &ConnectOptions) -> String {
    let user = options.user.as_deref().unwrap_or("$USER");
    match attempt.group.map(|id| group_name(id, options.groups.as_deref())) {
        // Group 0 gives access to far more than the engine.
        Some(group) if group != "root" && group != "0" => {
            format!("join the group \"{group}\", which owns it: `sudo usermod -aG {group} {user}`, then log in again")
        }
        _ => "only root may open it: use sudo, or start the engine with `--group docker` and join that group".to_owned(),
    }
}

/// The group of a socket.
pub(super) fn owner_group(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    #[allow(
        clippy::disallowed_methods,
        reason = "the engine's own socket is the engine's to look at"
    )]
    std::fs::metadata(path).ok().map(|socket| socket.gid())
}

/// A group's name from `/etc/group` (`name:password:id:members`); its number if it has none.
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
