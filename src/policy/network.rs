//! Addresses for requests of scripts.

use url::{Host, Url};

use super::engines::{EngineAddress, PLAIN_PORT, TLS_PORT, addresses_in, is_own};
use super::settings::list_with;
use super::{Policy, Refusal};
use crate::model::dockerfile::hides_server;

/// An address that a script may send a request to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedUrl {
    url: Url,
    names_port: bool,
}

impl CheckedUrl {
    /// The address to request, as it was checked: every part of it in canonical form.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The address without user and password, for scripts.
    pub fn without_user(&self) -> String {
        let mut url = self.url.clone();
        // They fail only for addresses that can have neither.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
    }

    /// Whether `spc.toml` lists this server with its port. Then someone has checked what listens
    /// there.
    pub fn is_listed_with_port(&self) -> bool {
        self.names_port
    }

    /// The target of a redirect from here, not checked yet; `None` if it is not an address.
    pub fn redirected(&self, location: &str) -> Option<String> {
        self.url.join(location).ok().map(String::from)
    }

    /// Whether both are the same server, so that data for one may be sent to the other.
    pub fn is_same_server(&self, other: &Self) -> bool {
        self.url.origin() == other.url.origin()
    }
}

impl Policy {
    /// Checks the address of an HTTP request. It has to be on this machine, where the stack's ports
    /// are published, or listed under `network`. It must never be a Docker Engine's.
    ///
    /// This checks only the text. The host finds out where a name leads when it connects, and
    /// rejects the connection then.
    pub fn address(&self, given: &str) -> Result<CheckedUrl, Refusal> {
        let refusal = |reason: &str| Refusal::new("send a request to", given).because(reason);
        let url =
            canonical(given).map_err(|reason| match Url::parse(&format!("http://{given}")) {
                Ok(_) if !given.contains("://") => {
                    refusal(reason).help(format!("write \"http://{given}\""))
                }
                _ => refusal(reason),
            })?;
        if let Some(engine) = self.engines.named_by(&url) {
            return Err(self.to_engine(given, engine));
        }
        let host = url.host_str().unwrap_or_default();
        let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        let names_port = self.settings.network.iter().any(|entry| names(entry, &with_port));
        let line = |server: &str| list_with("network", &self.settings.network, server);
        if !is_this_machine(&url)
            && !names_port
            && !self.settings.network.iter().any(|entry| names(entry, host))
        {
            return Err(refusal("it is another machine").allowed_by(line(host)));
        }
        if matches!(url.port(), Some(PLAIN_PORT | TLS_PORT)) && !names_port {
            return Err(refusal("it is the port of a Docker Engine").allowed_by(line(&with_port)));
        }
        Ok(CheckedUrl { url, names_port })
    }

    /// Checks a download by the engine during a build, as seen from the engine's machine. If an
    /// engine listens over TCP, the server has to be listed under `network`, because the engine
    /// resolves names and follows redirects itself.
    pub fn download(&self, given: &str) -> Result<(), Refusal> {
        let refusal = |reason: &str| Refusal::new("let a build download", given).because(reason);
        if !self.engines.is_empty() && hides_server(given) {
            return Err(
                refusal(UNKNOWN_SOURCE).help("write the address itself into the Dockerfile; for files of the build context use COPY")
            );
        }
        let url = match canonical(given) {
            Ok(url) => url,
            Err(_) if self.engines.is_empty() => return Ok(()),
            Err(reason) if given.to_ascii_lowercase().starts_with("http") => {
                return Err(refusal(reason));
            }
            // `git://` is not a protocol of engines.
            Err(_) => return Ok(()),
        };
        if let Some(engine) = self.engines.named_by(&url) {
            return Err(refusal(&engine.reason()));
        }
        let host = url.host_str().unwrap_or_default();
        let with_port = format!("{host}:{}", url.port_or_known_default().unwrap_or_default());
        let line = |server: &str| list_with("network", &self.settings.network, server);
        let is_listed =
            |server: &str| self.settings.network.iter().any(|entry| names(entry, server));
        if matches!(url.port(), Some(PLAIN_PORT | TLS_PORT)) && !is_listed(&with_port) {
            return Err(refusal("it is the port of a Docker Engine").allowed_by(line(&with_port)));
        }
        if !self.engines.is_empty() && !is_listed(host) && !is_listed(&with_port) {
            return Err(refusal("it could redirect to a Docker Engine that listens over TCP")
                .allowed_by(line(host)));
        }
        Ok(())
    }

    /// The refusal of a request that leads to this engine.
    pub fn to_engine(&self, given: &str, engine: &EngineAddress) -> Refusal {
        Refusal::new("send a request to", given).because(engine.reason())
    }

    /// The refusal of a request that an unknown engine answered.
    pub fn answered_by_engine(&self, url: &CheckedUrl) -> Refusal {
        let server = &url.url[url::Position::BeforeHost..url::Position::AfterPort];
        let port = if url.url.port().is_some() {
            String::new()
        } else {
            format!(":{}", url.url.port_or_known_default().unwrap_or_default())
        };
        let line = list_with("network", &self.settings.network, &format!("{server}{port}"));
        Refusal::new("send a request to", url.as_str())
            .because("a Docker Engine answers there")
            .allowed_by(line)
    }
}

const UNKNOWN_SOURCE: &str =
    "a variable stands for the address, which could be that of a Docker Engine";

/// The address in the canonical form that is checked and requested, or why it is not an address.
fn canonical(given: &str) -> Result<Url, &'static str> {
    const NOT_AN_ADDRESS: &str = "it is not an address like \"http://localhost:8000/\"";
    let mut url = Url::parse(given).map_err(|_| NOT_AN_ADDRESS)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http and https are supported");
    }
    // A name with a final dot is the same name. Lists and resolvers must not see two forms of it.
    if let Some(name) = url.domain().and_then(|name| name.strip_suffix('.')).map(str::to_owned) {
        url.set_host(Some(&name)).map_err(|_| NOT_AN_ADDRESS)?;
    }
    match url.host() {
        None => return Err("it names no server"),
        Some(Host::Domain(name)) if name.ends_with('.') => return Err(NOT_AN_ADDRESS),
        Some(Host::Ipv4(address)) if address.is_unspecified() => {
            return Err("it names no server; write \"localhost\" for this machine");
        }
        Some(Host::Ipv6(address))
            if std::net::IpAddr::from(address).to_canonical().is_unspecified() =>
        {
            return Err("it names no server; write \"localhost\" for this machine");
        }
        Some(_) => {}
    }
    if url.port() == Some(0) {
        return Err("nothing listens at port 0");
    }
    Ok(url)
}

impl Policy {
    /// Checks another machine by its name or address alone: the server of a volume.
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

fn is_this_machine(url: &Url) -> bool {
    addresses_in(url).into_iter().next().is_some_and(is_own)
}

/// Whether an entry (`example.org`, `*.example.org`, `example.org:8443`, `*`) covers a server, with
/// or without its port.
fn names(entry: &str, server: &str) -> bool {
    let entry = entry.to_ascii_lowercase();
    match entry.strip_prefix('*') {
        Some("") => !has_port(server),
        Some(end) => end.starts_with('.') && server.ends_with(end),
        None => entry == server,
    }
}

/// Whether `server` is `host:port` and not only a host, which may be an IPv6 address in brackets.
fn has_port(server: &str) -> bool {
    server.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{EngineAddresses, Resolution, Settings};
    use std::path::Path;

    fn policy(network: &[&str]) -> Policy {
        let settings = Settings {
            network: network.iter().map(|entry| (*entry).to_owned()).collect(),
            ..Settings::default()
        };
        Policy::new(Path::new("/work"), settings, &|path| Resolution::Exists(path.to_owned()))
            .unwrap()
    }

    #[test]
    fn a_build_downloads_from_listed_servers_alone_where_an_engine_listens_over_tcp() {
        let engines = EngineAddresses::new([EngineAddress::new("127.0.0.1", 4000)]);
        for url in [
            "http://localhost:8000/x",
            "https://example.org/x",
            "http://${HOST}/x",
            "$URL",
            "git://example.org/x",
        ] {
            assert!(policy(&[]).download(url).is_ok(), "{url}");
        }
        assert!(policy(&[]).download("http://localhost:2375/x").is_err());
        let all = policy(&["*"]).with_engines(engines.clone());
        for url in
            ["http://${HOST}/x", "ht${X}tp://127.0.0.1:4000/", "h${X}", "$X", "https://a:$P/"]
        {
            assert_eq!(
                all.download(url).unwrap_err().because.as_deref(),
                Some(UNKNOWN_SOURCE),
                "{url}"
            );
        }
        assert!(all.download("http://a.example/$X").is_ok() && all.download("app-$V.tgz").is_ok());
        let listed = policy(&["example.org", "localhost:8000"]).with_engines(engines);
        for url in [
            "http://localhost:8000/x",
            "https://example.org/x",
            "git://other.example/x",
            "git@other.example:x",
        ] {
            assert!(listed.download(url).is_ok(), "{url}");
        }
        for url in [
            "http://127.1:4000/x",
            "http://localhost:4000/",
            "http://0.0.0.0:4000/",
            "http://${HOST}/x",
            "${URL}",
            "http://localhost:8001/x",
        ] {
            assert_eq!(listed.download(url).unwrap_err().what, "let a build download", "{url}");
        }
        let refusal = listed.download("http://other.example/x").unwrap_err();
        assert_eq!(
            refusal.add,
            ["network = [\"example.org\", \"localhost:8000\", \"other.example\"]"]
        );
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
        assert_eq!(
            refusal.message(),
            "A script may not send a request to \"https://b.example/x\": it is another machine"
        );
        assert_eq!(
            refusal.hint().unwrap(),
            "to allow it, write network = [\"a.example\", \"b.example\"] under [allow] in spc.toml"
        );
        for url in [
            "http://localhost.example/",
            "http://127.0.0.1.example/",
            "http://localhost@b.example/",
            "http://3232235777/",
        ] {
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
    fn the_requested_url_is_the_checked_url() {
        for (given, requested) in [
            ("http://127.1/", "http://127.0.0.1/"),
            ("http://0x7f000001:80/", "http://127.0.0.1/"),
            ("http://0177.0.0.1/%7e", "http://127.0.0.1/%7e"),
            ("http://LOCALHOST./", "http://localhost/"),
            ("http://%6cocalhost/", "http://localhost/"),
            ("HTTP:\\\\localhost\\a", "http://localhost/a"),
            ("http://ｌocalhost/\u{e9}", "http://localhost/%C3%A9"),
            ("http://b.example@localhost/", "http://b.example@localhost/"),
            (" http://local\thost/\n", "http://localhost/"),
        ] {
            let checked = policy(&[]).address(given).unwrap();
            assert_eq!(checked.as_str(), requested, "{given:?}");
            // Parsing it again gives the same result.
            assert_eq!(policy(&[]).address(checked.as_str()).unwrap(), checked);
        }
        assert_eq!(
            policy(&["b\u{fc}cher.example", "xn--bcher-kva.example"])
                .address("http://B\u{dc}CHER.example./")
                .unwrap()
                .as_str(),
            "http://xn--bcher-kva.example/"
        );
    }

    #[test]
    fn an_address_without_a_server_is_always_rejected() {
        for url in [
            "http://0.0.0.0/",
            "http://0/",
            "http://[::]/",
            "http://[::ffff:0.0.0.0]/",
            "http://localhost:0/",
            "http://localhost../",
            "http://[fe80::1%25lo]/",
        ] {
            let refusal = policy(&["*", "localhost:0", "0.0.0.0"]).address(url).unwrap_err();
            assert_eq!(refusal.hint(), None, "{url}");
        }
    }

    #[test]
    fn the_port_of_an_engine_needs_an_entry_that_names_it() {
        for (url, entry) in [
            ("http://localhost:2375/", "localhost:2375"),
            ("https://localhost:2376/", "localhost:2376"),
            ("http://[::1]:2375/", "[::1]:2375"),
            ("http://127.1:2375/", "127.0.0.1:2375"),
            ("http://build.example:2375/", "build.example:2375"),
        ] {
            let refusal = policy(&["*"]).address(url).unwrap_err();
            assert_eq!(
                refusal.hint().unwrap(),
                format!(
                    "to allow it, write network = [\"*\", \"{entry}\"] under [allow] in spc.toml"
                )
            );
            assert!(policy(&[entry]).address(url).unwrap().is_listed_with_port(), "{url}");
        }
        assert!(!policy(&["*"]).address("http://a.example/").unwrap().is_listed_with_port());
    }

    #[test]
    fn no_entry_leads_to_an_engine_that_is_known() {
        let engines = EngineAddresses::new([
            EngineAddress::new("engine.example", 2375),
            EngineAddress::new("127.0.0.1", 4000),
        ]);
        let policy = policy(&["*", "engine.example:2375", "localhost:4000"]).with_engines(engines);
        for url in [
            "http://engine.example:2375/",
            "http://Engine.Example.:2375/",
            "http://localhost:4000/",
            "http://[::1]:4000/",
        ] {
            let refusal = policy.address(url).unwrap_err();
            assert!(
                refusal.message().contains("it leads to the Docker Engine at \"tcp://")
                    && refusal.hint().is_none(),
                "{url}"
            );
        }
        assert!(policy.address("http://engine.example:4000/").is_ok());
    }

    #[test]
    fn an_address_that_is_not_http_is_rejected() {
        for url in
            ["localhost:8000", "file:///etc/passwd", "unix:///var/run/docker.sock", "", "http://"]
        {
            assert!(policy(&["*"]).address(url).is_err(), "{url}");
        }
    }

    #[test]
    fn an_address_without_a_scheme_is_shown_with_one() {
        let hint = |url: &str| policy(&["*"]).address(url).unwrap_err().hint();
        assert_eq!(hint("localhost:8000/x").unwrap(), "write \"http://localhost:8000/x\"");
        assert_eq!(hint("a.example").unwrap(), "write \"http://a.example\"");
        for url in ["file:///etc/passwd", "unix:///var/run/docker.sock", "http://", ""] {
            assert_eq!(hint(url), None, "{url}");
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
