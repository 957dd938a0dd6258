//! Finds the engine: the one that is named, or the first one of this machine that answers.

use std::sync::Arc;

use http_body_util::{BodyExt, Limited};
use hyper::header::HeaderMap;

use super::address::{Address, SshAddress};
use super::failure::{Attempt, Failure, explain, owner_group};
use super::options::ConnectOptions;
use super::ssh::{SshTransport, Tunnel};
use super::tls::TlsFiles;
use super::transport::within;
use super::wire::Wire;
use super::{DockerEngine, errors};
use crate::engine::calls::SHORT;
use crate::engine::{ApiVersion, EngineError, EngineErrorKind, MINIMUM_API, Result};

/// Finds the engine as Docker's own client does, and checks its version, in one round trip.
pub async fn connect(options: &ConnectOptions) -> Result<DockerEngine> {
    // bollard's BuildKit session needs the process's crypto provider, and would panic without it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let files = options.endpoint.as_ref().and_then(|endpoint| endpoint.tls.as_ref());
    let tls = files.map(TlsFiles::client_config).transpose()?;
    let mut attempts = Vec::new();
    for address in options.candidates() {
        let reached = match &address {
            Address::Ssh(machine) => over_ssh(machine, options.asks).await,
            _ => {
                let wire =
                    Wire::new(&address, tls.clone()).map_err(|error| errors::from_io(&error))?;
                greet(&wire, files).await.map(|greeting| (wire, greeting))
            }
        };
        match reached {
            Ok((wire, greeting)) => {
                return engine(Arc::new(wire), &address, &greeting.check(&address, options)?);
            }
            Err(failure) => {
                let group = match &address {
                    Address::Unix(path) if failure.is_permission() => owner_group(path),
                    _ => None,
                };
                attempts.push(Attempt { address, failure, group });
            }
        }
    }
    Err(explain(&attempts, options))
}

/// The engine of a machine that is reached by ssh: at its forwarded socket. If forwarding is
/// forbidden or the socket is elsewhere, through Docker's own client there.
async fn over_ssh(
    machine: &SshAddress,
    asks: bool,
) -> std::result::Result<(Wire, Greeting), Failure> {
    let tunnel = Arc::new(Tunnel::open(machine, asks).await.map_err(Failure::Advised)?);
    let forwarded = Wire::through(tunnel.clone(), SshTransport::Forward);
    match greet(&forwarded, None).await {
        Err(Failure::Closed | Failure::Io(..)) => {}
        answered => return answered.map(|greeting| (forwarded, greeting)),
    }
    let dialed = Wire::through(tunnel.clone(), SshTransport::Dial);
    match greet(&dialed, None).await {
        Err(Failure::Closed | Failure::Io(..)) => Err(Failure::Advised(tunnel.refusal())),
        answered => answered.map(|greeting| (dialed, greeting)),
    }
}

fn engine(wire: Arc<Wire>, address: &Address, greeting: &EngineInfo) -> Result<DockerEngine> {
    Ok(DockerEngine {
        connection: wire.client()?,
        wire,
        api: greeting.api,
        windows: greeting.windows,
        address: address.to_string(),
        local: address.is_local(),
        credentials: None,
    })
}

/// The engine's information in the headers of a ping. It takes a fifteenth of the time of
/// `version`, which asks containerd and runc.
struct Greeting {
    api: Option<String>,
    os: Option<String>,
    /// The version of Podman, if it answers instead of Docker.
    podman: Option<String>,
}

struct EngineInfo {
    api: ApiVersion,
    windows: bool,
}

/// The most bytes that are read of a refusing answer.
const MOST_WORDS: usize = 64 << 10;

async fn greet(wire: &Wire, tls: Option<&TlsFiles>) -> std::result::Result<Greeting, Failure> {
    let request = hyper::Request::get("/_ping").body(bollard::body_full(bytes::Bytes::new()));
    let request = request.map_err(|error| Failure::Other(error.to_string()))?;
    let response = within(SHORT, wire.send(request)).await.map_err(|_| Failure::Silent)?;
    let response = response.map_err(|error| Failure::of_client(&error, tls))?;
    if !response.status().is_success() {
        let status = response.status().as_u16();
        // The other side may not be an engine, and may never end.
        let body = Limited::new(response.into_body(), MOST_WORDS).collect();
        let words = within(SHORT, body).await.ok().and_then(std::result::Result::ok);
        let words = words.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned());
        return Err(Failure::of_status(status, &words.unwrap_or_default()));
    }
    let header = |headers: &HeaderMap, name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    Ok(Greeting {
        api: header(response.headers(), "api-version"),
        os: header(response.headers(), "ostype"),
        podman: header(response.headers(), "libpod-api-version"),
    })
}

impl Greeting {
    fn check(self, address: &Address, options: &ConnectOptions) -> Result<EngineInfo> {
        if let Some(version) = self.podman {
            let lacks = "it can't import an image under a given name, which locks need, and it shows unchanged containers as changed";
            let message = format!(
                "the server at \"{address}\" is Podman {version}, not a Docker Engine: {lacks}"
            );
            return Err(EngineError::new(EngineErrorKind::Unreachable, message).with_hint(
                "use a Docker Engine from 20.10 on: name its address with --host or DOCKER_HOST",
            ));
        }
        let api = self.api.as_deref().and_then(ApiVersion::parse).ok_or_else(|| {
            let named = options
                .endpoint
                .as_ref()
                .map_or_else(|| "DOCKER_HOST".to_owned(), |endpoint| endpoint.source.name());
            EngineError::new(
                EngineErrorKind::Unreachable,
                format!("the server at \"{address}\" is not a Docker Engine"),
            )
            .with_hint(format!("check {named}"))
        })?;
        if api < MINIMUM_API {
            return Err(EngineError::new(
                EngineErrorKind::TooOld,
                format!("the Docker Engine at \"{address}\" is too old: it has API {api}, and spc needs {MINIMUM_API} or newer"),
            )
            .with_hint("upgrade it to Docker Engine 20.10 or newer"));
        }
        Ok(EngineInfo { api, windows: self.os.as_deref() == Some("windows") })
    }
}

#[cfg(test)]
mod tests;
