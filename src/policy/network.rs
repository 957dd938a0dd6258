//! Addresses that scripts send requests to.

use url::{Host, Url};

use super::settings::list_with;
use super::{Policy, Refusal};

/// An address that a script may send a request to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedUrl(Url);

impl CheckedUrl {
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address that a redirect from here leads to, not yet checked; nothing if it is none.
    pub fn redirected(&self, location: &str) -> Option<String> {
        self.0.join(location).ok().map(String::from)
    }

    /// Whether both are the same server: what is meant for one may be sent to the other.
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.0.origin() == other.0.origin()
    }
}

impl Policy {
    /// The address of an HTTP request: on this machine, where the stack's ports are published, or listed under `network`.
    pub fn address(&self, given: &str) -> Result<CheckedUrl, Refusal> {
        let refusal = |reason: &str| Refusal::new("send a request to", given).because(reason);
        let url = Url::parse(given).map_err(|_| refusal("it is no address like \"http://localhost:8000/\""))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refusal("only http and https are spoken"));
        }
        let Some(host) = url.host() else { return Err(refusal("it names no server")) };
        if is_this_machine(&host) || self.settings.network.iter().any(|entry| is_listed(&url, entry)) {
            return Ok(CheckedUrl(url));
        }
        let line = list_with("network", &self.settings.network, &host.to_string());
        Err(refusal("it is another machine").allowed_by(line))
    }
}

impl Policy {
    /// Another machine by its name or address alone: one that a volume is mounted from.
    pub(super) fn machine(&self, doing: &str, server: &str) -> Result<(), Refusal> {
        let server = server.to_ascii_lowercase();
        let listed = |entry: &String| match entry.to_ascii_lowercase().strip_prefix('*') {
            Some("") => true,
            Some(end) => end.starts_with('.') && server.ends_with(end),
            None => *entry.to_ascii_lowercase() == server,
        };
        if self.settings.network.iter().any(listed) {
            return Ok(());
        }
        let line = list_with("network", &self.settings.network, &server);
        Err(Refusal::new(doing, server).because("it is another machine").allowed_by(line))
    }
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback()),
    }
}

/// Whether an entry (`example.org`, `*.example.org`, `example.org:8443`, `*`) covers the address.
fn is_listed(url: &Url, entry: &str) -> bool {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().map_or(String::new(), |port| format!(":{port}"));
    let entry = entry.to_ascii_lowercase();
    let covers = |name: &str| match entry.strip_prefix('*') {
        Some("") => true,
        Some(end) => end.starts_with('.') && name.ends_with(end),
        None => entry == name,
    };
    covers(host) || covers(&format!("{host}{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Resolution, Settings};
    use std::path::Path;

    fn policy(network: &[&str]) -> Policy {
        let settings = Settings { network: network.iter().map(|entry| (*entry).to_owned()).collect(), ..Settings::default() };
        Policy::new(Path::new("/work"), settings, &|path| Resolution::Exists(path.to_owned())).unwrap()
    }

    #[test]
    fn this_machine_is_allowed_under_each_of_its_names() {
        for url in [
            "http://localhost:8000/api/",
            "https://127.0.0.1/",
            "http://127.9.9.9:1",
            "http://[::1]:80/",
            "http://web.localhost",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(policy(&[]).address(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn another_machine_needs_its_line() {
        let refusal = policy(&["a.example"]).address("https://b.example/x").unwrap_err();
        assert_eq!(refusal.message(), "A script may not send a request to \"https://b.example/x\": it is another machine");
        assert_eq!(refusal.hint().unwrap(), "to allow it, write network = [\"a.example\", \"b.example\"] under [allow] in spc.toml");
        for url in ["http://localhost.example/", "http://127.0.0.1.example/", "http://localhost@b.example/", "http://3232235777/"] {
            assert!(policy(&[]).address(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_entry_covers_a_name_its_subdomains_or_one_port() {
        for (entry, allowed, refused) in [
            ("example.org", "https://example.org:9/", "https://www.example.org/"),
            ("*.example.org", "https://www.example.org/", "https://example.org/"),
            ("example.org:8443", "https://EXAMPLE.org:8443/", "https://example.org/"),
            ("example.org:443", "https://example.org/", "http://example.org/"),
        ] {
            assert!(policy(&[entry]).address(allowed).is_ok(), "{entry} covers {allowed}");
            assert!(policy(&[entry]).address(refused).is_err(), "{entry} does not cover {refused}");
        }
        assert!(policy(&["*"]).address("http://10.0.0.1/").is_ok());
        assert!(policy(&["*example.org"]).address("http://notexample.org/").is_err());
    }

    #[test]
    fn what_is_no_http_address_is_refused() {
        for url in ["localhost:8000", "file:///etc/passwd", "unix:///var/run/docker.sock", "", "http://"] {
            assert!(policy(&["*"]).address(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_redirect_is_resolved_and_its_server_compared() {
        let from = policy(&["*"]).address("http://localhost:8000/a/b").unwrap();
        assert_eq!(from.redirected("../c").unwrap(), "http://localhost:8000/c");
        let to = policy(&["*"]).address("http://localhost:8001/").unwrap();
        assert!(!from.is_same_server(&to) && from.is_same_server(&from));
    }
}
