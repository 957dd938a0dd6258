//! Where an engine is: the forms of `DOCKER_HOST`.

use std::fmt;
use std::path::{Path, PathBuf};

use hyper::Uri;

use crate::engine::{EngineError, EngineErrorKind, Result};

/// The port of an engine that speaks plain HTTP, where the address names none.
const PLAIN_PORT: u16 = 2375;
/// The port of an engine that speaks TLS, where the address names none.
const TLS_PORT: u16 = 2376;

/// What an address may look like, for messages.
const FORMS: &str = "write unix:///path/to/docker.sock or tcp://host:port";

/// Where an engine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket file of this machine.
    Unix(PathBuf),
    /// Another machine, or this one over its network.
    Tcp { host: String, port: u16, tls: bool },
}

impl Address {
    /// Reads the value of `DOCKER_HOST`; `tls` says whether tcp is encrypted.
    pub fn parse(text: &str, tls: bool) -> Result<Self> {
        let invalid =
            |why: &str| EngineError::new(EngineErrorKind::Invalid, format!("could not use DOCKER_HOST \"{text}\": {why}")).with_hint(FORMS);
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(invalid("it names no protocol"));
        };
        match scheme {
            "unix" if Path::new(rest).is_absolute() => Ok(Self::Unix(rest.into())),
            "unix" => Err(invalid("the socket's path has to begin with \"/\"")),
            "tcp" | "http" => {
                let uri: Uri = format!("http://{rest}").parse().map_err(|_| invalid("it is not host:port"))?;
                if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
                    return Err(invalid("a path after the port is not supported"));
                }
                let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
                if authority.as_str().contains('@') {
                    return Err(invalid("it holds a user name"));
                }
                if authority.as_str().len() > authority.host().len() && authority.port_u16().is_none() {
                    return Err(invalid("the port is not a number up to 65535"));
                }
                let port = authority.port_u16().unwrap_or(if tls { TLS_PORT } else { PLAIN_PORT });
                let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
                Ok(Self::Tcp { host, port, tls })
            }
            "ssh" => Err(EngineError::new(EngineErrorKind::Invalid, format!("DOCKER_HOST \"{text}\": ssh is not supported yet"))
                .with_hint(
                    "forward the engine's socket, `ssh -nNT -L /tmp/docker.sock:/var/run/docker.sock user@host`, \
                 and set DOCKER_HOST=unix:///tmp/docker.sock",
                )),
            other => Err(invalid(&format!("the protocol \"{other}\" is not supported"))),
        }
    }

    /// Whether paths of this machine mean the same to the engine.
    pub fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port, .. } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port, .. } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, tls: bool) -> Address {
        Address::Tcp { host: host.into(), port, tls }
    }

    #[test]
    fn the_supported_forms_are_read_and_written_back() {
        assert_eq!(Address::parse("unix:///run/user/1000/docker.sock", false), Ok(Address::Unix("/run/user/1000/docker.sock".into())));
        assert_eq!(Address::parse("tcp://build.example:4000", false), Ok(tcp("build.example", 4000, false)));
        assert_eq!(Address::parse("http://10.0.0.7:2375/", false), Ok(tcp("10.0.0.7", 2375, false)));
        assert_eq!(Address::parse("tcp://[::1]:2375", false), Ok(tcp("::1", 2375, false)));
        assert_eq!(tcp("::1", 2375, false).to_string(), "tcp://[::1]:2375");
        assert_eq!(Address::Unix("/a.sock".into()).to_string(), "unix:///a.sock");
    }

    #[test]
    fn without_a_port_tls_decides_which_is_meant() {
        assert_eq!(Address::parse("tcp://engine", false), Ok(tcp("engine", 2375, false)));
        assert_eq!(Address::parse("tcp://engine", true), Ok(tcp("engine", 2376, true)));
    }

    #[test]
    fn a_malformed_address_is_refused_with_the_reason_and_the_forms() {
        let cases = [
            ("/var/run/docker.sock", "it names no protocol"),
            ("unix://docker.sock", "the socket's path has to begin with \"/\""),
            ("tcp://", "it is not host:port"),
            ("tcp://engine:port", "the port is not a number up to 65535"),
            ("tcp://engine:99999", "the port is not a number up to 65535"),
            ("tcp://me@engine:2375", "it holds a user name"),
            ("tcp://engine:2375/docker", "a path after the port is not supported"),
            ("fd://3", "the protocol \"fd\" is not supported"),
        ];
        for (text, why) in cases {
            let error = Address::parse(text, false).unwrap_err();
            assert_eq!(error.kind, EngineErrorKind::Invalid, "{text}");
            assert_eq!(error.message, format!("could not use DOCKER_HOST \"{text}\": {why}"));
            assert_eq!(error.hint.as_deref(), Some(FORMS));
        }
    }

    #[test]
    fn ssh_is_named_as_not_supported_yet() {
        let error = Address::parse("ssh://me@engine", false).unwrap_err();
        assert_eq!(error.message, "DOCKER_HOST \"ssh://me@engine\": ssh is not supported yet");
        assert!(error.hint.unwrap().contains("DOCKER_HOST=unix://"));
    }
}
