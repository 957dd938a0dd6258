//! HTTP requests.

mod http_messages;
mod route;

use std::collections::HashMap;
use std::io;
use std::sync::OnceLock;
use std::time::Instant;

use parking_lot::Mutex;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Proxy, Url};

use super::environment;
use super::error::{cause, kind};
use crate::host::memory::{CollectError, CollectedBytes, LARGEST_VALUE};
use crate::host::{HostError, HostErrorKind, HttpRequest, HttpResponse, Result};
use crate::model::plain_words::without_names;
use http_messages::{innermost, shown};
use route::{Environment, Proxies, Route};

/// The most clients that are kept.
const MOST_CLIENTS: usize = 16;

/// Clients with their connections, created on first use: one for each route of requests.
pub(super) struct Http {
    environment: Environment,
    proxies: OnceLock<Result<Proxies>>,
    clients: Mutex<HashMap<Route, Client>>,
}

impl Http {
    pub(super) fn new(environment: Environment) -> Self {
        Self { environment, proxies: OnceLock::new(), clients: Mutex::default() }
    }

    pub(super) async fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let url = url(&request.url)?;
        let could_not = |error: reqwest::Error| failure(&url, &error);
        let method =
            Method::from_bytes(request.method.to_uppercase().as_bytes()).map_err(|_| {
                HostError::new(
                    HostErrorKind::Invalid,
                    format!(
                        "Could not send the request: \"{}\" is not an HTTP method",
                        request.method
                    ),
                )
            })?;
        let proxies = self
            .proxies
            .get_or_init(|| Proxies::of(self.environment))
            .as_ref()
            .map_err(Clone::clone)?;
        let begun = Instant::now();
        let route = route::find(&url, request, proxies).await?;
        let timeout = request.timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
        let mut builder = self.client(route)?.request(method, url.clone());
        for (name, value) in &request.headers {
            // The value may be a password.
            let wrong = |_| {
                HostError::new(
                    HostErrorKind::Invalid,
                    format!("Could not send the request: the header \"{name}\" is malformed"),
                )
            };
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|error| wrong(error.to_string()))?;
            builder = builder.header(
                header,
                HeaderValue::from_str(value).map_err(|error| wrong(error.to_string()))?,
            );
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        if let Some(timeout) = timeout {
            builder = builder.timeout(timeout);
        }
        let mut response = builder.send().await.map_err(could_not)?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let mut body = CollectedBytes::default();
        while let Some(chunk) = response.chunk().await.map_err(could_not)? {
            // If the answer is dropped, the connection is closed and the rest is not sent.
            body.push(environment::memory, &chunk).map_err(|full| too_large(&url, full))?;
        }
        Ok(HttpResponse { status, headers, body: body.into_bytes().into() })
    }

    fn client(&self, route: Route) -> Result<Client> {
        let mut clients = self.clients.lock();
        if let Some(client) = clients.get(&route) {
            return Ok(client.clone());
        }
        let client = build(&route)?;
        if clients.len() == MOST_CLIENTS {
            clients.clear();
        }
        clients.insert(route, client.clone());
        Ok(client)
    }
}

fn build(route: &Route) -> Result<Client> {
    // The engine's client, or another client, may have installed the same one before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let could_not = |error| {
        HostError::new(
            HostErrorKind::Other,
            format!("Could not prepare for HTTP: {}", innermost(&error)),
        )
    };
    let proxy = match route {
        Route::Direct { .. } => None,
        Route::Proxy(address) => Some(Proxy::all(address).map_err(could_not)?),
    };
    let builder = || {
        let builder = Client::builder()
            .user_agent(concat!("spc/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .no_proxy();
        match (route, &proxy) {
            (Route::Direct { host, addresses }, _) => {
                builder.dns_resolver(route::NoResolver).resolve_to_addrs(host, addresses)
            }
            (Route::Proxy(_), Some(proxy)) => builder.proxy(proxy.clone()),
            (Route::Proxy(_), None) => builder,
        }
    };
    // A machine without trusted certificates can still send requests over http.
    builder().build().or_else(|_| builder().tls_certs_only([]).build()).map_err(could_not)
}

fn url(text: &str) -> Result<Url> {
    let invalid = |cause: &str| {
        HostError::new(
            HostErrorKind::Invalid,
            format!("Could not send a request to \"{text}\": {cause}"),
        )
    };
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if matches!(url.scheme(), "http" | "https") {
        Ok(url)
    } else {
        Err(invalid("a URL begins with http:// or https://"))
    }
}

fn failure(url: &Url, error: &reqwest::Error) -> HostError {
    let innermost = innermost(error);
    let (kind, cause) = if error.is_timeout() {
        (HostErrorKind::Timeout, "no answer in time".to_owned())
    } else if error.is_dns() {
        (HostErrorKind::Unreachable, "the name does not resolve".to_owned())
    } else if let Some(error) = innermost.downcast_ref::<io::Error>() {
        (kind(error), cause(error))
    } else if let Some(error) = innermost.downcast_ref::<rustls::Error>() {
        (HostErrorKind::Unreachable, distrust(error))
    } else if error.is_builder() {
        (HostErrorKind::Invalid, innermost.to_string())
    } else {
        (HostErrorKind::Unreachable, innermost.to_string())
    };
    HostError::new(kind, format!("Could not reach \"{}\": {cause}", shown(url)))
}

/// The error for a body that is not read to its end.
fn too_large(url: &Url, full: CollectError) -> HostError {
    match full {
        CollectError::Run(error) => error,
        CollectError::Value => {
            let message = format!(
                "The answer of \"{}\" is larger than {} MiB",
                shown(url),
                LARGEST_VALUE >> 20
            );
            HostError::new(HostErrorKind::TooLarge, message)
        }
    }
}

/// Why a TLS connection failed.
fn distrust(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer) => {
            "this machine does not trust the issuer of its certificate".to_owned()
        }
        rustls::Error::InvalidCertificate(
            Certificate::Expired | Certificate::ExpiredContext { .. },
        ) => "its certificate has expired".to_owned(),
        rustls::Error::InvalidCertificate(
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. },
        ) => "its certificate is for another name".to_owned(),
        rustls::Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        _ => without_names(&error.to_string()),
    }
}

#[cfg(test)]
mod tests;
