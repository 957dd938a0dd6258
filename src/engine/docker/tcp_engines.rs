//! The engines that listen over TCP, as far as spc can know. No request of a script may reach one.

use std::path::Path;

use serde::Deserialize;

use super::address::Address;
use super::contexts::Contexts;
use super::endpoint::EngineChoice;
use crate::host::Host;
use crate::host::resolve::named;
use crate::policy::{EngineAddress, EngineAddresses};

/// The settings file of this machine's engine, with its addresses.
const DAEMON_FILE: &str = "/etc/docker/daemon.json";

/// The file with the process id of this machine's engine.
const PID_FILES: [&str; 2] = ["/run/docker.pid", "/var/run/docker.pid"];

/// The parts of it that are read.
#[derive(Deserialize)]
struct Daemon {
    #[serde(default)]
    hosts: Vec<String>,
}

/// The engines of the command line, `DOCKER_HOST`, all Docker contexts of this user, this machine's
/// `daemon.json`, and the command line of this machine's running engine, whether they are in use or
/// not.
///
/// A file that can't be read names no engine. Code that needs it will report the error.
pub fn known_engines(host: &dyn Host, choice: &EngineChoice) -> EngineAddresses {
    let daemon = host
        .read(&named(host, Path::new(DAEMON_FILE)))
        .ok()
        .and_then(|content| serde_json::from_slice::<Daemon>(&content).ok());
    let contexts = Contexts::of(host).map(|contexts| contexts.addresses()).unwrap_or_default();
    let named = choice.host.clone().into_iter().chain(host.variable("DOCKER_HOST"));
    let all = named
        .chain(contexts)
        .chain(daemon.into_iter().flat_map(|daemon| daemon.hosts))
        .chain(hosts_of_running(host));
    // If an address has no port, TLS decides about the default, and that is configured elsewhere:
    // so both count.
    EngineAddresses::new(
        all.flat_map(|text| [false, true].into_iter().filter_map(move |tls| tcp(&text, tls))),
    )
}

/// The addresses in the command line of this machine's running engine: `-H ADDRESS`,
/// `--host=ADDRESS`.
fn hosts_of_running(host: &dyn Host) -> Vec<String> {
    let text = |path: &Path| {
        host.read(&named(host, path))
            .ok()
            .map(|content| String::from_utf8_lossy(&content).into_owned())
    };
    let number =
        PID_FILES.iter().find_map(|file| text(Path::new(file))?.trim().parse::<u32>().ok());
    let Some(command) = number
        .and_then(|number| text(&Path::new("/proc").join(number.to_string()).join("cmdline")))
    else {
        return Vec::new();
    };
    let mut words = command.split('\0');
    // The id may belong to another process by now.
    if words.next().and_then(|program| program.rsplit('/').next()) != Some("dockerd") {
        return Vec::new();
    }
    let mut hosts = Vec::new();
    while let Some(word) = words.next() {
        let value = match word {
            "-H" | "--host" => words.next(),
            _ => word
                .strip_prefix("--host=")
                .or_else(|| word.strip_prefix("-H"))
                .map(|value| value.trim_start_matches('=')),
        };
        hosts.extend(value.map(str::to_owned));
    }
    hosts
}

fn tcp(text: &str, tls: bool) -> Option<EngineAddress> {
    // An engine that listens on every address may be configured without a host name.
    let text = text.replacen("tcp://:", "tcp://0.0.0.0:", 1);
    match Address::parse(&text, tls).ok()? {
        Address::Tcp { host, port, .. } => Some(EngineAddress::new(&host, port)),
        Address::Unix(_) | Address::Ssh(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sim::SimHost;
    use crate::host::sim::executor::SimTaskExecutor;

    fn context(name: &str, address: &str) -> (String, String) {
        let path = format!("/home/alice/.docker/contexts/meta/{name}/meta.json");
        (path, format!(r#"{{"Name":"{name}","Endpoints":{{"docker":{{"Host":"{address}"}}}}}}"#))
    }

    #[test]
    fn every_engine_that_is_named_anywhere_is_known() {
        let files = [
            context("one", "tcp://one.example:1001"),
            context("two", "ssh://two.example"),
            (
                DAEMON_FILE.to_owned(),
                r#"{"hosts":["unix:///var/run/docker.sock","tcp://0.0.0.0:1003","tcp://:1004"],"debug":true}"#.to_owned(),
            ),
        ];
        let host = SimHost::new(SimTaskExecutor::new(1))
            .with_variable("HOME", "/home/alice")
            .with_variable("DOCKER_HOST", "127.0.0.1:1002");
        let host =
            files.into_iter().fold(host, |host, (path, content)| host.with_file(path, content));
        let known = known_engines(
            &host,
            &EngineChoice { host: Some("tcp://option.example".to_owned()), context: None },
        );
        let at = |port| known.at_port(port).next().map(ToString::to_string);
        assert_eq!(at(1001).unwrap(), "tcp://one.example:1001");
        assert_eq!(at(1002).unwrap(), "tcp://127.0.0.1:1002");
        assert_eq!(at(1003).unwrap(), "tcp://0.0.0.0:1003");
        assert_eq!(at(1004).unwrap(), "tcp://0.0.0.0:1004");
        assert_eq!(at(2375).unwrap(), "tcp://option.example:2375");
        assert_eq!(at(2376).unwrap(), "tcp://option.example:2376");
    }

    #[test]
    fn an_engine_that_was_started_with_an_address_is_known() {
        let listening = |command: &str| {
            let host = SimHost::new(SimTaskExecutor::new(1))
                .with_file("/run/docker.pid", "812\n")
                .with_file("/proc/812/cmdline", command.to_owned());
            let known = known_engines(&host, &EngineChoice::default());
            [4000, 4001, 4002]
                .map(|port| known.at_port(port).next().map(ToString::to_string).unwrap_or_default())
        };
        assert_eq!(
            listening(
                "/usr/bin/dockerd\0-H\0fd://\0-H\0tcp://127.0.0.1:4000\0--host=tcp://:4001\0-Htcp://a.example:4002\0"
            ),
            ["tcp://127.0.0.1:4000", "tcp://0.0.0.0:4001", "tcp://a.example:4002"]
        );
        assert_eq!(
            listening("/usr/bin/dockerd\0-H=tcp://127.0.0.1:4000\0")[0],
            "tcp://127.0.0.1:4000"
        );
        assert_eq!(listening("curl\0-H\0tcp://127.0.0.1:4000\0"), ["", "", ""]);
    }

    #[test]
    fn unreadable_configuration_names_no_tcp_engines() {
        let host = SimHost::new(SimTaskExecutor::new(1))
            .with_variable("DOCKER_HOST", "nonsense")
            .with_file(DAEMON_FILE, "{");
        assert_eq!(known_engines(&host, &EngineChoice::default()), EngineAddresses::default());
    }
}
