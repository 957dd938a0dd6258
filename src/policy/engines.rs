//! Docker Engines that listen over TCP. No request of a script may reach one, because an engine
//! executes every request.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use url::{Host, Url};

/// The default port of an engine with plain HTTP.
pub const PLAIN_PORT: u16 = 2375;
/// The default port of an engine with TLS.
pub const TLS_PORT: u16 = 2376;

/// The addresses of `localhost` and every name below it, without a resolver (RFC 6761).
pub const LOOPBACK: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The address of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAddress {
    /// In lower case, without brackets and without a final dot.
    host: String,
    port: u16,
}

impl EngineAddress {
    /// The address of an engine at `host`, which is a name or an IP address.
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Self { host: host.strip_suffix('.').unwrap_or(&host).to_owned(), port }
    }

    /// The name or IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Why no request may go to this engine.
    pub fn reason(&self) -> String {
        format!("it leads to the Docker Engine at \"{self}\"")
    }

    /// The addresses that the text alone determines: an IP address, or a name of this machine.
    pub fn known_addresses(&self) -> Option<Vec<IpAddr>> {
        if let Ok(address) = self.host.parse() {
            return Some(vec![address]);
        }
        is_localhost(&self.host).then(|| LOOPBACK.to_vec())
    }

    /// Whether a connection to `target` at this engine's port reaches the engine, if it listens at
    /// `addresses`. An engine of this machine may listen on each of its addresses.
    pub fn is_reached_at(
        &self,
        target: IpAddr,
        addresses: &[IpAddr],
        is_local: &dyn Fn(IpAddr) -> bool,
    ) -> bool {
        let target = target.to_canonical();
        addresses.iter().any(|address| address.to_canonical() == target)
            || is_local(target) && addresses.iter().any(|address| is_local(address.to_canonical()))
    }
}

impl fmt::Display for EngineAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "tcp://[{host}]:{port}")
        } else {
            write!(f, "tcp://{host}:{port}")
        }
    }
}

/// The engines that spc knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAddresses(Arc<[EngineAddress]>);

impl EngineAddresses {
    /// The engines at these addresses.
    pub fn new(addresses: impl IntoIterator<Item = EngineAddress>) -> Self {
        Self(addresses.into_iter().collect())
    }

    /// Whether no engine is known that listens over TCP.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The engines at this port.
    pub fn at_port(&self, port: u16) -> impl Iterator<Item = &EngineAddress> {
        self.0.iter().filter(move |engine| engine.port == port)
    }

    /// The engine that a URL leads to, as far as its text shows: by the same name, or by an address
    /// that needs no resolver.
    pub(super) fn named_by(&self, url: &Url) -> Option<&EngineAddress> {
        let port = url.port_or_known_default()?;
        let targets = addresses_in(url);
        let name = url.domain().map(|name| name.strip_suffix('.').unwrap_or(name));
        self.at_port(port).find(|engine| {
            let addresses = engine.known_addresses().unwrap_or_default();
            name == Some(engine.host())
                || targets.iter().any(|target| engine.is_reached_at(*target, &addresses, &is_own))
        })
    }
}

impl Default for EngineAddresses {
    fn default() -> Self {
        Self::new([])
    }
}

/// The addresses of a URL's host that need no resolver.
pub fn addresses_in(url: &Url) -> Vec<IpAddr> {
    match url.host() {
        Some(Host::Ipv4(address)) => vec![address.into()],
        Some(Host::Ipv6(address)) => vec![address.into()],
        Some(Host::Domain(name)) if is_localhost(name) => LOOPBACK.to_vec(),
        Some(Host::Domain(_)) | None => Vec::new(),
    }
}

/// Whether a name always means this machine, whatever a resolver answers.
pub fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether an address means the own machine on every machine: loopback, or "any", which connects to
/// loopback.
pub fn is_own(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(engine: (&str, u16), url: &str) -> bool {
        let engines = EngineAddresses::new([EngineAddress::new(engine.0, engine.1)]);
        engines.named_by(&Url::parse(url).unwrap()).is_some()
    }

    #[test]
    fn an_engine_of_this_machine_is_recognized_under_each_spelling_of_its_address() {
        for engine in [
            "127.0.0.1",
            "localhost",
            "::1",
            "[::1]",
            "0.0.0.0",
            "::",
            "LOCALHOST.",
            "dev.localhost",
            "::ffff:127.0.0.1",
        ] {
            for host in [
                "127.0.0.1",
                "127.0.0.2",
                "127.1",
                "0x7f.0.0.1",
                "0177.0.0.1",
                "2130706433",
                "0.0.0.0",
                "0",
                "localhost",
                "LocalHost",
                "%6c%6fcalhost",
                "ｌｏｃａｌｈｏｓｔ",
                "engine.localhost",
                "[::1]",
                "[::]",
                "[0:0:0:0:0:0:0:1]",
                "[::ffff:127.0.0.1]",
                "[::ffff:7f00:1]",
                "user:pass@localhost",
            ] {
                assert!(
                    named((engine, 4000), &format!("http://{host}:4000/")),
                    "{engine} as {host}"
                );
                assert!(
                    !named((engine, 4000), &format!("http://{host}:4001/")),
                    "{engine} as {host}, at another port"
                );
            }
        }
        assert!(
            named(("localhost", 80), "http://127.0.0.1/")
                && named(("localhost", 443), "https://127.0.0.1/")
        );
    }

    #[test]
    fn an_engine_of_another_machine_is_recognized_by_its_name_or_address() {
        for (engine, url) in [
            ("engine.example", "http://ENGINE.example:4000/"),
            ("Engine.Example.", "http://engine.example.:4000/"),
            ("10.0.0.1", "http://0xa000001:4000/"),
            ("10.0.0.1", "http://[::ffff:10.0.0.1]:4000/"),
            ("fd00::1", "http://[fd00:0::0:1]:4000/"),
        ] {
            assert!(named((engine, 4000), url), "{engine} as {url}");
        }
        assert!(!named(("engine.example", 4000), "http://other.example:4000/"));
        assert!(!named(("10.0.0.1", 4000), "http://10.0.0.2:4000/"));
        assert!(!named(("10.0.0.1", 4000), "http://127.0.0.1:4000/"));
    }

    #[test]
    fn an_engine_is_reached_by_every_address_of_its_machine() {
        let engine = EngineAddress::new("0.0.0.0", 4000);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let is_local = |address: IpAddr| is_own(address) || address == at("192.0.2.7");
        assert!(engine.is_reached_at(at("192.0.2.7"), &[at("0.0.0.0")], &is_local));
        assert!(engine.is_reached_at(at("127.0.0.1"), &[at("192.0.2.7")], &is_local));
        assert!(!engine.is_reached_at(at("192.0.2.8"), &[at("0.0.0.0")], &is_local));
    }

    #[test]
    fn an_address_is_shown_as_docker_writes_it() {
        assert_eq!(EngineAddress::new("[::1]", 2375).to_string(), "tcp://[::1]:2375");
        assert_eq!(EngineAddress::new("Engine.example", 1).to_string(), "tcp://engine.example:1");
    }
}
