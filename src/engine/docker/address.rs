//! The address of an engine, in the forms of `DOCKER_HOST`, which contexts use too.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use hyper::Uri;
use percent_encoding::percent_decode_str;

use crate::policy::engines::{PLAIN_PORT, TLS_PORT};

/// The forms of an address, for messages.
const FORMS: &str = "write unix:///path/to/docker.sock, tcp://host:port or ssh://user@host";

/// The address of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket file of this machine.
    Unix(PathBuf),
    /// Another machine, or this one over the network.
    Tcp { host: String, port: u16, tls: bool },
    /// The engine of a machine that is reached by ssh.
    Ssh(SshAddress),
}

/// A machine in the form of an argument of `ssh`. The configuration of `ssh` supplies missing
/// parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshAddress {
    pub user: Option<String>,
    /// A name on the network, or one of `ssh`'s configuration.
    pub host: String,
    pub port: Option<u16>,
    /// The engine's socket there, if it is not the default one.
    pub socket: Option<String>,
}

/// Why a text is not an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressError {
    pub why: String,
    pub hint: String,
}

impl AddressError {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), hint: FORMS.to_owned() }
    }
}

type Result<T> = std::result::Result<T, AddressError>;

impl Address {
    /// Parses an address; `tls` says whether TCP is encrypted.
    pub fn parse(text: &str, tls: bool) -> Result<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some(parts) => parts,
            // Docker's own client parses `engine.example:2375` in this way.
            None if text.contains(':') && !text.contains('/') => ("tcp", text),
            None => return Err(AddressError::new("it names no protocol")),
        };
        match scheme {
            "unix" if Path::new(rest).is_absolute() => Ok(Self::Unix(rest.into())),
            "unix" => Err(AddressError::new("the socket's path has to begin with \"/\"")),
            "tcp" | "http" => tcp(rest, tls),
            "ssh" => SshAddress::parse(rest).map(Self::Ssh),
            "npipe" => Err(AddressError::new("a named pipe is there on Windows only")),
            "fd" => Err(AddressError::new("fd:// is where an engine listens; it is no way to it")),
            other => Err(AddressError::new(format!("the protocol \"{other}\" is not supported"))),
        }
    }

    /// Whether paths of this machine mean the same for the engine.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port, .. } if host.contains(':') => {
                write!(f, "tcp://[{host}]:{port}")
            }
            Self::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
            Self::Ssh(address) => write!(f, "{address}"),
        }
    }
}

fn tcp(rest: &str, tls: bool) -> Result<Address> {
    let uri: Uri =
        format!("http://{rest}").parse().map_err(|_| AddressError::new("it is not host:port"))?;
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(AddressError::new("a path after the port is not supported"));
    }
    let authority = uri.authority().ok_or_else(|| AddressError::new("it names no host"))?;
    if authority.as_str().contains('@') {
        return Err(AddressError::new("it holds a user name"));
    }
    if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none() {
        return Err(AddressError::new(BAD_PORT));
    }
    let port = authority.port_u16().unwrap_or(if tls { TLS_PORT } else { PLAIN_PORT });
    let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(Address::Tcp { host, port, tls })
}

const BAD_PORT: &str = "the port is not a number up to 65535";

impl SshAddress {
    /// Parses the text after `ssh://`.
    fn parse(rest: &str) -> Result<Self> {
        if rest.contains(['?', '#']) {
            return Err(AddressError::new("nothing may stand after the socket's path"));
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (user, place) = authority
            .rsplit_once('@')
            .map_or((None, authority), |(user, place)| (Some(user), place));
        if user.is_some_and(|user| user.contains(':')) {
            let hint = "remove the password: `ssh` logs in with a key, or asks at a terminal";
            return Err(AddressError {
                why: "it holds a password".to_owned(),
                hint: hint.to_owned(),
            });
        }
        let (host, port) = host_and_port(place)?;
        let port =
            port.map(|port| port.parse().map_err(|_| AddressError::new(BAD_PORT))).transpose()?;
        let user = user.map(decoded).transpose()?;
        let socket = Some(decoded(path)?).filter(|path| !matches!(path.as_str(), "" | "/"));
        // ssh may put them into a command of its configuration, which a shell runs.
        let plain = |text: &str, others: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.chars().all(|c| c.is_alphanumeric() || others.contains(c))
        };
        if !plain(host, "._-:%") {
            return Err(AddressError::new(if host.is_empty() {
                "it names no host"
            } else {
                "that is no host name"
            }));
        }
        if user.as_ref().is_some_and(|user| !plain(user, "._-+@\\")) {
            return Err(AddressError::new("that is no user name"));
        }
        // ssh would expand it as a variable and has no escape for it.
        if socket
            .as_ref()
            .is_some_and(|socket| socket.contains("${") || socket.contains(char::is_control))
        {
            return Err(AddressError::new("the socket's path can't be told to ssh"));
        }
        Ok(Self { user, host: host.to_owned(), port, socket })
    }
}

/// `host`, `host:port`, `[::1]:port`.
fn host_and_port(place: &str) -> Result<(&str, Option<&str>)> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, rest) =
            rest.split_once(']').ok_or_else(|| AddressError::new("a \"]\" is missing"))?;
        return match rest.strip_prefix(':') {
            None if rest.is_empty() => Ok((host, None)),
            None => Err(AddressError::new("it is not [host]:port")),
            Some(port) => Ok((host, Some(port))),
        };
    }
    match place.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err(AddressError::new("an IPv6 address is written in brackets"))
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((place, None)),
    }
}

/// A decoded part of a URL.
fn decoded(text: &str) -> Result<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| AddressError::new("it is not UTF-8"))
}

impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)
        } else {
            f.write_str(&self.host)
        }?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(self.socket.as_deref().unwrap_or_default())
    }
}

/// An address for display, without a password.
pub fn shown(text: &str) -> Cow<'_, str> {
    let hidden = || {
        let at = text.find("://").map_or(0, |at| at + "://".len());
        let (scheme, rest) = text.split_at(at);
        let (user, rest) = rest.rsplit_once('@')?;
        let (name, _) = user.split_once(':')?;
        Some(format!("{scheme}{name}:***@{rest}"))
    };
    hidden().map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests;
