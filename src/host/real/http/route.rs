//! The route of a request: its addresses, or its proxy.
//!
//! The addresses of a name are checked here, and the client may connect only to these. So nothing
//! can change in between.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::{Proxy, Url};

use super::http_messages::{innermost, shown};
use crate::host::{HostError, HostErrorKind, HttpRequest, Result};
use crate::policy::EngineAddress;
use crate::policy::engines::{addresses_in, is_own};

/// The time limit for resolving a name, if the request has no limit of its own.
const PATIENCE: Duration = Duration::from_secs(30);

/// The names of this machine. No proxy is used for them.
const OWN_NAMES: &str = "localhost,127.0.0.0/8,::1";

/// How a request leaves this process.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Route {
    /// To these addresses and no others.
    Direct { host: String, addresses: Vec<SocketAddr> },
    /// Through this proxy, which resolves names itself.
    Proxy(String),
}

/// Finds the route of a request; fails if it leads to an engine.
pub(super) async fn find(url: &Url, request: &HttpRequest, proxies: &Proxies) -> Result<Route> {
    let limit = request.timeout.unwrap_or(PATIENCE);
    let (host, port) =
        (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default());
    let own = addresses_in(url);
    let proxy = if own.iter().copied().any(is_own) { None } else { proxies.of_url(url) };
    let addresses = match (own.is_empty(), &proxy) {
        (false, _) => own.into_iter().map(|address| SocketAddr::new(address, port)).collect(),
        (true, None) => resolved(host, port, limit)
            .await
            .map_err(|(kind, cause)| could_not(url, kind, cause))?,
        // A name that only the proxy can resolve can't belong to an engine that spc reaches.
        (true, Some(_)) => resolved(host, port, limit).await.unwrap_or_default(),
    };
    for engine in request.engines.at_port(port) {
        let known = match engine.known_addresses() {
            Some(known) => known,
            None => resolved(engine.host(), port, limit)
                .await
                .unwrap_or_default()
                .iter()
                .map(SocketAddr::ip)
                .collect(),
        };
        let is_named = url.domain() == Some(engine.host());
        if is_named
            || addresses
                .iter()
                .any(|address| engine.is_reached_at(address.ip(), &known, &is_this_machines))
        {
            return Err(refusal(url, engine));
        }
    }
    Ok(proxy.map_or_else(|| Route::Direct { host: host.to_owned(), addresses }, Route::Proxy))
}

/// The addresses of a name, or why it has none.
async fn resolved(
    host: &str,
    port: u16,
    limit: Duration,
) -> std::result::Result<Vec<SocketAddr>, (HostErrorKind, &'static str)> {
    let found = tokio::time::timeout(limit, tokio::net::lookup_host((host, port))).await;
    match found {
        Err(_) => Err((HostErrorKind::Timeout, "no answer in time")),
        Ok(Err(_)) => Err((HostErrorKind::Unreachable, "the name does not resolve")),
        Ok(Ok(found)) => Ok(found.collect()),
    }
}

fn could_not(url: &Url, kind: HostErrorKind, cause: &str) -> HostError {
    HostError::new(kind, format!("Could not reach \"{}\": {cause}", shown(url)))
}

fn refusal(url: &Url, engine: &EngineAddress) -> HostError {
    let message =
        format!("A script may not send a request to \"{}\": {}", shown(url), engine.reason());
    HostError::new(HostErrorKind::Refused, message)
}

/// Whether an address belongs to this machine: sockets can be bound only to such addresses.
fn is_this_machines(address: IpAddr) -> bool {
    is_own(address) || UdpSocket::bind((address, 0)).is_ok()
}

/// Resolves nothing: the client gets its addresses and must not ask for others.
pub(super) struct NoResolver;

impl Resolve for NoResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let error = format!("\"{}\" was not resolved before", name.as_str());
        Box::pin(async move { Err(error.into()) })
    }
}

type MakeProxy = fn(String) -> reqwest::Result<Proxy>;

/// The proxies in the environment.
pub(super) struct Proxies {
    matcher: Matcher,
    http: Option<String>,
    https: Option<String>,
}

impl Proxies {
    pub(super) fn of(environment: Environment) -> Result<Self> {
        let first = |names: [&str; 2]| {
            names.iter().find_map(|name| {
                Some(((*name).to_owned(), environment(name)?))
                    .filter(|(_, value)| !value.is_empty())
            })
        };
        let proxy = |names, make: MakeProxy| match first(names) {
            None => Ok(None),
            Some((name, value)) => make(value.clone()).map(|_| Some(value)).map_err(|error| {
                let message = format!(
                    "Could not use the proxy of the variable \"{name}\": {}",
                    innermost(&error)
                );
                HostError::new(HostErrorKind::Invalid, message)
            }),
        };
        let all = proxy(["ALL_PROXY", "all_proxy"], Proxy::all)?;
        let http = proxy(["HTTP_PROXY", "http_proxy"], Proxy::http)?.or_else(|| all.clone());
        let https = proxy(["HTTPS_PROXY", "https_proxy"], Proxy::https)?.or(all);
        let direct = first(["NO_PROXY", "no_proxy"])
            .map_or(OWN_NAMES.to_owned(), |(_, names)| format!("{OWN_NAMES},{names}"));
        let matcher = Matcher::builder().no(direct);
        let matcher = matcher
            .http(http.clone().unwrap_or_default())
            .https(https.clone().unwrap_or_default())
            .build();
        Ok(Self { matcher, http, https })
    }

    /// The proxy for a URL.
    fn of_url(&self, url: &Url) -> Option<String> {
        let uri: Uri = url[..url::Position::AfterPort].parse().ok()?;
        self.matcher.intercept(&uri)?;
        if url.scheme() == "https" { self.https.clone() } else { self.http.clone() }
    }
}

pub(super) type Environment = fn(&str) -> Option<String>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::EngineAddresses;

    fn proxies() -> Proxies {
        Proxies::of(|_| None).unwrap()
    }

    async fn found(url: &str, engine: &str, port: u16) -> Result<Route> {
        let request = HttpRequest {
            engines: EngineAddresses::new([EngineAddress::new(engine, port)]),
            ..HttpRequest::default()
        };
        find(&Url::parse(url).unwrap(), &request, &proxies()).await
    }

    /// The address of this machine for outgoing connections; `None` if it has none.
    fn outward() -> Option<IpAddr> {
        let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
        // Nothing is sent.
        socket.connect("192.0.2.1:9").ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    }

    #[tokio::test]
    async fn localhost_and_its_subdomains_are_loopback_without_a_resolver() {
        for host in ["localhost", "web.localhost", "no-such-name.anywhere.localhost"] {
            let route = found(&format!("http://{host}:80/"), "127.0.0.1", 1).await.unwrap();
            let Route::Direct { host: named, addresses } = route else { panic!("by proxy") };
            assert_eq!(named, host);
            assert!(
                addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 80),
                "{addresses:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_an_engine_is_refused() {
        // The machine's own name usually resolves to one of its addresses.
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if resolved(&name, 4000, PATIENCE)
            .await
            .is_ok_and(|found| found.iter().all(|address| is_this_machines(address.ip())))
        {
            let error =
                found(&format!("http://{name}:4000/"), "127.0.0.1", 4000).await.unwrap_err();
            assert_eq!(error.kind, HostErrorKind::Refused);
            assert!(
                error
                    .message
                    .ends_with("it leads to the Docker Engine at \"tcp://127.0.0.1:4000\""),
                "{error}"
            );
            assert!(found(&format!("http://{name}:4001/"), "127.0.0.1", 4000).await.is_ok());
            // And the other way round: the engine is known by its name.
            assert_eq!(
                found("http://127.0.0.1:4000/", &name, 4000).await.unwrap_err().kind,
                HostErrorKind::Refused
            );
        }
    }

    #[tokio::test]
    async fn an_engine_of_this_machine_is_refused_under_its_other_addresses() {
        let Some(own) = outward() else { return };
        for engine in ["127.0.0.1", "0.0.0.0", "::"] {
            let error = found(&format!("http://{own}:4000/"), engine, 4000).await.unwrap_err();
            assert_eq!(error.kind, HostErrorKind::Refused, "{engine}: {error}");
        }
        assert_eq!(
            found("http://localhost:4000/", &own.to_string(), 4000).await.unwrap_err().kind,
            HostErrorKind::Refused
        );
        assert!(found("http://192.0.2.1:4000/", "127.0.0.1", 4000).await.is_ok());
    }

    #[tokio::test]
    async fn a_proxy_leads_to_no_engine_either() {
        let proxies = Proxies::of(|name| {
            (name == "HTTP_PROXY").then(|| "http://proxy.invalid:3128".to_owned())
        })
        .unwrap();
        let engines = ["engine.invalid", "10.0.0.1"].map(|host| EngineAddress::new(host, 4000));
        let request =
            HttpRequest { engines: EngineAddresses::new(engines), ..HttpRequest::default() };
        for url in [
            "http://engine.invalid:4000/",
            "http://10.0.0.1:4000/",
            "http://[::ffff:10.0.0.1]:4000/",
        ] {
            assert_eq!(
                find(&Url::parse(url).unwrap(), &request, &proxies).await.unwrap_err().kind,
                HostErrorKind::Refused,
                "{url}"
            );
        }
        let other = find(&Url::parse("http://other.invalid:4000/").unwrap(), &request, &proxies)
            .await
            .unwrap();
        assert_eq!(other, Route::Proxy("http://proxy.invalid:3128".to_owned()));
    }

    #[tokio::test]
    async fn a_client_connects_to_the_addresses_it_was_given_and_asks_for_no_others() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let direct = |host: &str| Route::Direct { host: host.to_owned(), addresses: vec![address] };
        let url = format!("http://anywhere.invalid:{}/", address.port());
        let client = super::super::build(&direct("anywhere.invalid")).unwrap();
        let (sent, accepted) = tokio::join!(
            client.get(&url).timeout(Duration::from_millis(200)).send(),
            listener.accept()
        );
        assert!(sent.is_err() && accepted.is_ok());
        let stranger = super::super::build(&direct("elsewhere.invalid")).unwrap();
        let error = stranger.get(&url).send().await.unwrap_err();
        assert!(innermost(&error).to_string().contains("was not resolved before"), "{error:?}");
    }
}
