//! HTTP requests.

use std::error::Error;
use std::io;
use std::sync::OnceLock;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Method, NoProxy, Proxy, Url};

use super::error::{cause, kind};
use crate::host::{HostError, HostErrorKind, HttpRequest, HttpResponse, Result};

/// This machine under its own names: no proxy leads there.
const LOOPBACK: &str = "localhost,127.0.0.0/8,::1,0.0.0.0";

/// As many redirects as browsers and curl follow, about.
const MOST_REDIRECTS: usize = 10;

type Environment = fn(&str) -> Option<String>;
type MakeProxy = fn(String) -> reqwest::Result<Proxy>;

/// Clients with their connections, made when first used.
pub(super) struct Http {
    environment: Environment,
    following: OnceLock<Result<Client>>,
    not_following: OnceLock<Result<Client>>,
}

impl Http {
    pub(super) fn new(environment: Environment) -> Self {
        Self { environment, following: OnceLock::new(), not_following: OnceLock::new() }
    }

    pub(super) async fn send(&self, request: &HttpRequest) -> Result<HttpResponse> {
        let url = url(&request.url)?;
        let could_not = |error: reqwest::Error| failure(&url, &error);
        let method = Method::from_bytes(request.method.to_uppercase().as_bytes()).map_err(|_| {
            HostError::new(HostErrorKind::Invalid, format!("Could not send the request: \"{}\" is no HTTP method", request.method))
        })?;
        let mut builder = self.client(request.follow)?.request(method, url.clone());
        for (name, value) in &request.headers {
            // The value may be a password.
            let wrong =
                |_| HostError::new(HostErrorKind::Invalid, format!("Could not send the request: the header \"{name}\" is malformed"));
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(error.to_string()))?;
            builder = builder.header(header, HeaderValue::from_str(value).map_err(|error| wrong(error.to_string()))?);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }
        let response = builder.send().await.map_err(could_not)?;
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
        let body = response.bytes().await.map_err(could_not)?;
        Ok(HttpResponse { status, headers, body })
    }

    fn client(&self, follow: bool) -> Result<&Client> {
        let client = if follow { &self.following } else { &self.not_following };
        client.get_or_init(|| build(self.environment, follow)).as_ref().map_err(Clone::clone)
    }
}

fn build(environment: Environment, follow: bool) -> Result<Client> {
    // Already there if the engine's client, or the client beside this one, was first: the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let proxies = proxies(environment)?;
    let builder = || {
        let redirects = if follow { Policy::limited(MOST_REDIRECTS) } else { Policy::none() };
        let builder = Client::builder().user_agent(concat!("spc/", env!("CARGO_PKG_VERSION"))).redirect(redirects);
        proxies.iter().cloned().fold(builder.no_proxy(), ClientBuilder::proxy)
    };
    // A machine without any trusted certificate can still ask over http.
    let client = builder().build().or_else(|_| builder().tls_certs_only([]).build());
    client.map_err(|error| HostError::new(HostErrorKind::Other, format!("Could not prepare for HTTP: {}", innermost(&error))))
}

fn url(text: &str) -> Result<Url> {
    let invalid = |cause: &str| HostError::new(HostErrorKind::Invalid, format!("Could not send a request to \"{text}\": {cause}"));
    let url = Url::parse(text).map_err(|error| invalid(&error.to_string()))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(invalid("a URL begins with http:// or https://")) }
}

/// The proxies that the environment names.
fn proxies(environment: Environment) -> Result<Vec<Proxy>> {
    let first = |names: [&str; 2]| {
        names.iter().find_map(|name| Some((name.to_string(), environment(name)?)).filter(|(_, value)| !value.is_empty()))
    };
    let direct = first(["NO_PROXY", "no_proxy"]).map_or(LOOPBACK.to_owned(), |(_, names)| format!("{LOOPBACK},{names}"));
    let direct = NoProxy::from_string(&direct);
    let kinds: [([&str; 2], MakeProxy); 3] = [
        (["HTTP_PROXY", "http_proxy"], Proxy::http::<String>),
        (["HTTPS_PROXY", "https_proxy"], Proxy::https::<String>),
        (["ALL_PROXY", "all_proxy"], Proxy::all::<String>),
    ];
    kinds
        .into_iter()
        .filter_map(|(names, make)| {
            let (name, value) = first(names)?;
            let wrong = |error: reqwest::Error| {
                HostError::new(HostErrorKind::Invalid, format!("Could not use the proxy of the variable \"{name}\": {}", innermost(&error)))
            };
            Some(make(value).map(|proxy| proxy.no_proxy(direct.clone())).map_err(wrong))
        })
        .collect()
}

fn failure(url: &Url, error: &reqwest::Error) -> HostError {
    let innermost = innermost(error);
    let (kind, cause) = if error.is_timeout() {
        (HostErrorKind::Timeout, "no answer in time".to_owned())
    } else if error.is_redirect() {
        (HostErrorKind::Other, format!("it redirects more than {MOST_REDIRECTS} times"))
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

/// Why a TLS connection was not made.
fn distrust(error: &rustls::Error) -> String {
    use rustls::CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(Certificate::UnknownIssuer) => {
            "this machine does not trust the issuer of its certificate".to_owned()
        }
        rustls::Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            "its certificate has expired".to_owned()
        }
        rustls::Error::InvalidCertificate(Certificate::NotValidForName | Certificate::NotValidForNameContext { .. }) => {
            "its certificate is for another name".to_owned()
        }
        rustls::Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        _ => error.to_string(),
    }
}

/// A URL without what may be a password or a token.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // They fail only where there can be neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// The error at the bottom, which says what happened; those above say only where.
fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut innermost = error;
    loop {
        // An I/O error gives its content's source, not its content.
        let content = innermost.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match content.map(|content| -> &(dyn Error + 'static) { content }).or_else(|| innermost.source()) {
            Some(inner) => innermost = inner,
            None => return innermost,
        }
    }
}

#[cfg(test)]
mod tests;
