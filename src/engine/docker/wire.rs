//! The connection to the engine, below bollard and beside it.
//!
//! bollard sends its requests through [`Wire::client`], which limits their answers. If the port
//! promises more than bollard provides (an active subscription, raw terminal output, a stream
//! without end), the other files call [`Wire::exchange`] themselves. Every request has a connection
//! of its own, as in the engine's own client for streams: opening one takes about 50 µs, and an
//! idle one may have died with the engine. Only a connection over a session of `ssh` carries one
//! request after another (`idle_connections.rs`).

#![expect(
    clippy::disallowed_types,
    reason = "the connection to a real engine is this implementation's own"
)]

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ClientError;
use bollard::{BollardRequest, Docker};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::idle_connections::{Exchange, IdleConnections, SendError};
use super::ssh::{SshTransport, Tunnel};
use super::transport::{Stream, within};
use super::{errors, streams};
use crate::engine::calls::{Limit, SHORT};
use crate::engine::{Method, Result};

/// For calls that take as long as the event that they wait for.
pub(super) const UNLIMITED: Duration = Duration::from_secs(u32::MAX as u64);
/// How long another machine may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long the answer to the call may take to begin. A call that ends a container also gets its
/// grace period.
pub(super) const fn limit(method: Method) -> Duration {
    match method.declaration().limit {
        Limit::Within(limit) => limit,
        Limit::Grace => SHORT,
        Limit::Unlimited => UNLIMITED,
    }
}

/// How to reach the engine.
pub(super) struct Wire {
    route: Route,
    host: HeaderValue,
    /// Set if a connection carries more than one request.
    kept: Option<Arc<IdleConnections>>,
}

enum Route {
    Unix(PathBuf),
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16, name: ServerName<'static>, connector: TlsConnector },
    Ssh { tunnel: Arc<Tunnel>, way: SshTransport },
}

/// The host name that HTTP requires, for a socket without one.
const NAMELESS: HeaderValue = HeaderValue::from_static("localhost");

/// The engine's message in an answer with an error.
#[derive(Deserialize)]
struct ErrorBody {
    message: String,
}

impl Wire {
    /// A wire to `address`, except over ssh; `tls` is the client side of TLS if the address needs
    /// it.
    pub(super) fn new(
        address: &Address,
        tls: Option<Arc<rustls::ClientConfig>>,
    ) -> io::Result<Self> {
        let (host, port) = match address {
            Address::Unix(path) => {
                return Ok(Self { route: Route::Unix(path.clone()), host: NAMELESS, kept: None });
            }
            Address::Ssh(_) => return Err(io::Error::other("ssh has to log in first")),
            Address::Tcp { host, port, .. } => (host.clone(), *port),
        };
        let route = match (address, tls) {
            (Address::Tcp { tls: true, .. }, Some(config)) => {
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                Route::Tls { host, port, name, connector: TlsConnector::from(config) }
            }
            _ => Route::Tcp { host, port },
        };
        let name = address.to_string();
        let host =
            HeaderValue::try_from(name.trim_start_matches("tcp://")).map_err(io::Error::other)?;
        Ok(Self { route, host, kept: None })
    }

    /// A wire through a login.
    pub(super) fn through(tunnel: Arc<Tunnel>, way: SshTransport) -> Self {
        let kept = (way == SshTransport::Dial).then(Arc::default);
        Self { route: Route::Ssh { tunnel, way }, host: NAMELESS, kept }
    }

    async fn open(&self) -> io::Result<Box<dyn Stream>> {
        match &self.route {
            Route::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Route::Tcp { host, port } => Ok(Box::new(connect_tcp(host, *port).await?)),
            Route::Tls { host, port, name, connector } => {
                let stream = connect_tcp(host, *port).await?;
                let encrypted = within(CONNECT, connector.connect(name.clone(), stream)).await;
                Ok(Box::new(encrypted.map_err(|_| io::ErrorKind::TimedOut)??))
            }
            Route::Ssh { tunnel, way } => Ok(Box::new(tunnel.connect(*way).await?)),
        }
    }

    /// bollard's client over this wire.
    pub(super) fn client(self: &Arc<Self>) -> Result<Docker> {
        let wire = Arc::clone(self);
        let transport = move |request| {
            let wire = Arc::clone(&wire);
            async move { wire.send_over(request, true).await }
        };
        // The address is only part of the URL, and the wire uses only the URL's path.
        Docker::connect_with_custom_transport(
            transport,
            Some("http://localhost"),
            SHORT.as_secs(),
            bollard::API_DEFAULT_VERSION,
        )
        .map_err(errors::from_client)
    }

    /// Sends one request; ready once the headers of the answer have arrived. The rest has no time
    /// limit.
    ///
    /// Dropping the future, or the answer before its end, closes the connection. The status 304 is
    /// an error here, because bollard treats it as success.
    pub(super) async fn send(
        &self,
        request: BollardRequest,
    ) -> std::result::Result<Response<Incoming>, ClientError> {
        self.send_over(request, false).await
    }

    async fn send_over(
        &self,
        request: BollardRequest,
        limits: bool,
    ) -> std::result::Result<Response<Incoming>, ClientError> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = path.parse::<Uri>()?;
        head.headers.insert(HOST, self.host.clone());

        let mut request = Request::from_parts(head, body.boxed_unsync());
        let response = loop {
            let mut exchange = match &self.kept {
                Some(kept) => kept.take(self.open()).await?,
                None => Exchange::begin(self.open().await?).await?,
            };
            match (exchange.send(request, limits).await, &self.kept) {
                (Ok(response), kept) => {
                    if let Some(kept) = kept {
                        kept.keep(exchange);
                    }
                    break response;
                }
                // An idle connection ended at this moment; a new one doesn't return the request.
                (Err(SendError { request: Some(again), .. }), Some(_)) => request = again,
                (Err(unsent), _) => return Err(unsent.error),
            }
        };
        if response.status() == StatusCode::NOT_MODIFIED {
            return Err(ClientError::DockerResponseServerError {
                status_code: 304,
                message: String::new(),
            });
        }
        if response.status() == StatusCode::FORBIDDEN && !is_json(&response) {
            let page = streams::whole(response).await.unwrap_or_default();
            let message = errors::forbidden_before(&String::from_utf8_lossy(&page));
            return Err(ClientError::DockerResponseServerError { status_code: 403, message });
        }
        Ok(response)
    }

    /// Sends a request and returns the answer if it is a success. Its headers have to arrive within
    /// `limit`.
    pub(super) async fn exchange(
        &self,
        request: BollardRequest,
        limit: Duration,
    ) -> Result<Response<Incoming>> {
        let Ok(answer) = within(limit, self.send(request)).await else {
            return Err(errors::from_client(ClientError::RequestTimeoutError));
        };
        let response = answer.map_err(errors::from_client)?;
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response);
        }
        let body = streams::whole(response).await?;
        let message = serde_json::from_slice(&body).map_or_else(
            |_| String::from_utf8_lossy(&body).trim().to_owned(),
            |ErrorBody { message }| message,
        );
        Err(errors::from_status(status.as_u16(), &message))
    }

    /// Sends a request after which the connection carries raw bytes in both directions.
    pub(super) async fn upgrade(&self, path: &str, body: Bytes) -> Result<TokioIo<Upgraded>> {
        let head = Request::post(path).header(CONNECTION, "Upgrade").header(UPGRADE, "tcp");
        let response = self.exchange(request(head, body)?, SHORT).await?;
        let upgraded =
            hyper::upgrade::on(response).await.map_err(|error| errors::connection(&error))?;
        Ok(TokioIo::new(upgraded))
    }
}

/// Whether an answer is JSON, as every error of the engine is. A proxy may answer otherwise.
fn is_json(response: &Response<Incoming>) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// A request with a JSON body, or an empty one.
pub(super) fn request(head: hyper::http::request::Builder, body: Bytes) -> Result<BollardRequest> {
    head.header(CONTENT_TYPE, "application/json")
        .body(bollard::body_full(body))
        .map_err(|error| errors::from_client(error.into()))
}

async fn connect_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = within(CONNECT, TcpStream::connect((host, port)))
        .await
        .map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}
