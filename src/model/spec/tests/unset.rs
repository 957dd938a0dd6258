//! Empty texts, such as `"${X}"` if X is not set: the key counts as not set, or the text is
//! rejected, as in Compose.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::read;
use crate::model::hash;
use crate::model::secret::Secrets;

/// A description with every text that is a single value and not a name that the user chooses in a
/// list.
fn full() -> Value {
    json!({
        "name": "shop",
        "services": {"a": {
            "image": "x", "build": {
                "context": "./app", "dockerfile": "Dockerfile.dev", "target": "dev", "network": "host",
                "secrets": [{"source": "s", "target": "t"}],
            },
            "working_dir": "/w", "hostname": "h", "user": "app", "stop_signal": "SIGINT", "restart": "always", "container_name": "shop-one",
            "stop_grace_period": "5s", "init": "true", "read_only": "false", "scale": "1", "x-spc-probe": "engine",
            "x-spc-verify": {"url": "http://localhost/"},
            "command": "run", "entrypoint": "enter",
            "healthcheck": {
                "disable": "false", "interval": "5s", "timeout": "5s", "retries": "5", "start_period": "5s", "start_interval": "5s",
            },
            "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2", "compress": "true"}},
            "networks": {"n": {"ipv4_address": "10.1.0.9"}, "m": {"ipv6_address": "fd00:1::9"}},
            "ports": [{"target": "80", "published": "8080", "host_ip": "127.0.0.1", "protocol": "udp", "mode": "host"}],
            "volumes": [
                {"type": "volume", "source": "v", "target": "/v", "read_only": "true", "volume": {"nocopy": "true"}},
                {"type": "bind", "source": "./b", "target": "/b", "bind": {"create_host_path": "true"}},
                {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1m"}},
            ],
            "secrets": [{"source": "s", "target": "/run/secrets/t", "uid": "1", "gid": "1", "mode": "0400"}],
            "configs": [{"source": "c", "target": "/run/secrets/c", "uid": "1", "gid": "1", "mode": "0400"}],
            "env_file": [{"path": "./e", "required": "true"}],
            "depends_on": {"b": {"condition": "service_started", "required": "true"}},
            "deploy": {"replicas": "1", "update_config": {
                "order": "stop-first", "parallelism": "2", "delay": "1s", "monitor": "1s", "failure_action": "pause", "max_failure_ratio": "0.1",
            }},
            "extra_hosts": {"h": "10.0.0.1"},
        }, "b": {"image": "y"}},
        "networks": {"n": {
            "name": "net", "driver": "nas", "external": "false", "internal": "false", "attachable": "false", "enable_ipv6": "true",
            "ipam": {"driver": "default", "config": [
                {"subnet": "10.1.0.0/16", "gateway": "10.1.0.1", "ip_range": "10.1.1.0/24"}, {"subnet": "fd00:2::/64"},
            ]},
        }, "m": {"ipam": {"config": [{"subnet": "fd00:1::/64"}]}}},
        "volumes": {"v": {"name": "vol", "driver": "nas", "external": "false", "x-spc-shared": "true"}},
        "secrets": {"s": {"name": "sec", "file": "./s"}, "t": {"environment": "T"}},
        "configs": {"c": {"name": "con", "file": "./c"}, "d": {"environment": "D"}},
    })
}

/// Empty texts that count as not set in `docker-compose config` (2.40.3).
const UNSET: &[&str] = &[
    "/name",
    "/services/a/image",
    "/services/a/build/context",
    "/services/a/build/dockerfile",
    "/services/a/build/target",
    "/services/a/build/network",
    "/services/a/build/secrets/0/target",
    "/services/a/working_dir",
    "/services/a/hostname",
    "/services/a/user",
    "/services/a/stop_signal",
    "/services/a/restart",
    "/services/a/logging/driver",
    "/services/a/networks/n/ipv4_address",
    "/services/a/networks/m/ipv6_address",
    "/services/a/ports/0/published",
    "/services/a/ports/0/protocol",
    "/services/a/ports/0/mode",
    "/services/a/volumes/0/source",
    "/services/a/secrets/0/target",
    "/services/a/secrets/0/uid",
    "/services/a/secrets/0/gid",
    "/services/a/configs/0/target",
    "/services/a/configs/0/uid",
    "/services/a/configs/0/gid",
    "/networks/n/name",
    "/networks/n/driver",
    "/networks/n/ipam/driver",
    "/networks/n/ipam/config/0/gateway",
    "/networks/n/ipam/config/0/ip_range",
    "/networks/n/ipam/config/1/subnet",
    "/volumes/v/name",
    "/volumes/v/driver",
    "/secrets/s/name",
    "/configs/c/name",
];

/// Empty texts that are values, also in Compose.
const VALUES: &[&str] = &["/services/a/command", "/services/a/entrypoint"];

/// Empty texts that Compose rejects, or treats in an unintended way: as the project's folder for a
/// file or bind mount, or as an address that the engine rejects.
const REFUSED: &[&str] = &[
    "/services/a/container_name",
    "/services/a/stop_grace_period",
    "/services/a/init",
    "/services/a/read_only",
    "/services/a/scale",
    "/services/a/x-spc-probe",
    "/services/a/x-spc-verify/url",
    "/services/a/healthcheck/disable",
    "/services/a/healthcheck/interval",
    "/services/a/healthcheck/timeout",
    "/services/a/healthcheck/retries",
    "/services/a/healthcheck/start_period",
    "/services/a/healthcheck/start_interval",
    "/services/a/logging/options/max-size",
    "/services/a/logging/options/max-file",
    "/services/a/logging/options/compress",
    "/services/a/build/secrets/0/source",
    "/services/a/ports/0/target",
    "/services/a/ports/0/host_ip",
    "/services/a/volumes/0/type",
    "/services/a/volumes/0/target",
    "/services/a/volumes/0/read_only",
    "/services/a/volumes/0/volume/nocopy",
    "/services/a/volumes/1/type",
    "/services/a/volumes/1/source",
    "/services/a/volumes/1/target",
    "/services/a/volumes/1/bind/create_host_path",
    "/services/a/volumes/2/type",
    "/services/a/volumes/2/target",
    "/services/a/volumes/2/tmpfs/size",
    "/services/a/secrets/0/source",
    "/services/a/secrets/0/mode",
    "/services/a/configs/0/source",
    "/services/a/configs/0/mode",
    "/services/a/env_file/0/path",
    "/services/a/env_file/0/required",
    "/services/a/depends_on/b/condition",
    "/services/a/depends_on/b/required",
    "/services/a/deploy/replicas",
    "/services/a/deploy/update_config/order",
    "/services/a/deploy/update_config/parallelism",
    "/services/a/deploy/update_config/delay",
    "/services/a/deploy/update_config/monitor",
    "/services/a/deploy/update_config/failure_action",
    "/services/a/deploy/update_config/max_failure_ratio",
    "/services/a/extra_hosts/h",
    "/networks/n/external",
    "/networks/n/internal",
    "/networks/n/attachable",
    "/networks/n/enable_ipv6",
    "/networks/n/ipam/config/0/subnet",
    "/volumes/v/external",
    "/volumes/v/x-spc-shared",
    "/secrets/s/file",
    "/secrets/t/environment",
    "/configs/c/file",
    "/configs/d/environment",
];

/// The pointers of all texts, except two that others need unchanged.
fn texts(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| texts(value, &format!("{at}/{key}"), found))
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(key, value)| texts(value, &format!("{at}/{key}"), found)),
        _ if ["/services/b/image", "/networks/m/ipam/config/0/subnet"].contains(&at) => {}
        _ => drop(found.insert(at.to_owned())),
    }
}

/// The objects that the description would create.
fn made(description: &Value) -> Result<Vec<String>, String> {
    let project =
        read(description.clone()).map_err(|failure| failure.path.unwrap().keys.join("/"))?;
    let mut made = vec![hash::service(&project.services["a"], &project, &Secrets::new())];
    made.extend(
        project
            .networks
            .values()
            .map(hash::network)
            .chain(project.volumes.values().map(hash::volume)),
    );
    made.push(format!(
        "{:?} {:?} {:?}",
        project.services["a"].build, project.secrets, project.configs
    ));
    Ok(made)
}

#[test]
fn an_empty_text_means_for_every_key_what_it_means_to_compose() {
    assert!(made(&full()).is_ok(), "{:?}", made(&full()));
    let mut all = BTreeSet::new();
    texts(&full(), "", &mut all);
    let listed: BTreeSet<String> =
        UNSET.iter().chain(VALUES).chain(REFUSED).map(|&at| at.to_owned()).collect();
    assert_eq!(all, listed);
    let with = |at: &str, value: Option<Value>| {
        let mut description = full();
        let (parent, key) = at.rsplit_once('/').unwrap();
        let map = if parent.is_empty() {
            &mut description
        } else {
            description.pointer_mut(parent).unwrap()
        };
        let map = map.as_object_mut().unwrap();
        match value {
            Some(value) => map.insert(key.to_owned(), value),
            None => map.remove(key),
        };
        description
    };
    for at in UNSET {
        assert_eq!(made(&with(at, Some(json!("")))), made(&with(at, None)), "{at}");
        assert!(
            made(&with(at, Some(json!("")))).is_ok()
                && made(&with(at, Some(json!(" ")))) != made(&with(at, None)),
            "{at}"
        );
    }
    for at in VALUES {
        assert!(made(&with(at, Some(json!("")))).is_ok(), "{at}");
    }
    for at in REFUSED {
        let found = made(&with(at, Some(json!("")))).expect_err(at);
        let near = &at[1..at.rfind('/').unwrap()];
        assert!(
            at[1..].starts_with(&found) || found.starts_with(near),
            "{at} is refused at {found}"
        );
    }
}

#[test]
fn a_service_with_an_empty_image_and_no_build_has_neither() {
    assert_eq!(
        super::message(json!({"services": {"a": {"image": ""}}})),
        "services.a: The service \"a\" has neither \"image\" nor \"build\" ()"
    );
}

#[test]
fn an_empty_protocol_of_a_port_and_an_empty_test_are_left_to_their_defaults() {
    let of = |service: Value| made(&json!({"services": {"a": service}})).unwrap();
    assert_eq!(
        of(json!({"image": "x", "ports": ["80/"]})),
        of(json!({"image": "x", "ports": [80]}))
    );
    assert_eq!(
        of(json!({"image": "x", "ports": [":80"]})),
        of(json!({"image": "x", "ports": [80]}))
    );
    assert_eq!(
        of(json!({"image": "x", "healthcheck": {"test": [], "retries": 5}})),
        of(json!({"image": "x", "healthcheck": {"retries": 5}}))
    );
}
