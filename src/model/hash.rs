//! Decides whether two descriptions make the same container.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::secret::Secrets;
use super::spec::network::DEFAULT_NETWORK_DRIVER;
use super::spec::{Network, Project, Service, Volume};

/// Hexadecimal SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes in hexadecimal, lower case.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The hash of what a service's containers are made from, without the image's id and the values of
/// secrets. Those are compared separately, so that the cause can name them. For an exposed secret
/// its name is hashed. Equivalent descriptions have the same hash.
pub fn service(service: &Service, project: &Project, secrets: &Secrets) -> String {
    sha256(canonical(service, project, secrets).to_string().as_bytes())
}

/// Whether a container with this hash on its label matches the description, however either is
/// written. The label may come from an earlier version.
pub fn is_of_service(label: &str, service: &Service, project: &Project, secrets: &Secrets) -> bool {
    forms(service, project, secrets).any(|form| label == sha256(form.to_string().as_bytes()))
}

/// The same, but values of a health check that equal the engine's defaults count as not set. That
/// is right if the image has no check.
pub fn is_of_service_by_defaults(
    label: &str,
    service: &Service,
    project: &Project,
    secrets: &Secrets,
) -> bool {
    service
        .with_check_defaults()
        .iter()
        .any(|service| is_of_service(label, service, project, secrets))
}

/// Whether one of the two above matches: for those who don't know whether the image has a check.
pub fn may_be_of_service(
    label: &str,
    service: &Service,
    project: &Project,
    secrets: &Secrets,
) -> bool {
    is_of_service(label, service, project, secrets)
        || is_of_service_by_defaults(label, service, project, secrets)
}

/// The hash of a network's definition.
pub fn network(network: &Network) -> String {
    hash_of(&network.canonical())
}

/// Whether a network with this hash on its label matches the definition, however either is written.
pub fn is_of_network(label: &str, network: &Network) -> bool {
    let canonical = network.canonical();
    let drivers = if canonical.driver.is_none() {
        vec![None, Some(DEFAULT_NETWORK_DRIVER.to_owned())]
    } else {
        vec![canonical.driver.clone()]
    };
    let of = |form: &Network, driver: &Option<String>| {
        hash_of(&Network { driver: driver.clone(), ..form.clone() })
    };
    drivers.iter().any(|driver| of(network, driver) == label || of(&canonical, driver) == label)
}

/// The hash of a volume's definition.
pub fn volume(volume: &Volume) -> String {
    hash_of(&Volume {
        driver: volume.own_driver().map(str::to_owned),
        ..with_written_device(volume)
    })
}

/// Whether a volume with this hash on its label matches the definition, however either is written.
pub fn is_of_volume(label: &str, volume: &Volume) -> bool {
    let driver = volume.own_driver();
    let spellings: &[Option<&str>] =
        if driver.is_none() { &[None, Some("local"), Some("")] } else { &[driver] };
    let of = |driver: Option<&str>| {
        hash_of(&Volume { driver: driver.map(str::to_owned), ..with_written_device(volume) })
    };
    spellings.iter().any(|driver| of(*driver) == label)
}

fn with_written_device(volume: &Volume) -> Volume {
    let mut as_written = volume.clone();
    as_written
        .driver_opts
        .extend(volume.written_device.iter().map(|written| ("device".to_owned(), written.clone())));
    as_written
}

/// Short hashes of the parts of a service. `environment`, `labels` and configs have one per key:
/// `image=1a2b3c4d,environment.DEBUG=…`.
pub fn parts(service: &Service, project: &Project, secrets: &Secrets) -> String {
    joined(&canonical(service, project, secrets))
}

fn joined(service: &Value) -> String {
    let parts: Vec<String> =
        part_hashes(service).into_iter().map(|(key, hash)| format!("{key}={hash}")).collect();
    parts.join(",")
}

/// The keys of a service that differ from those on a container's label. The label may come from an
/// earlier version.
pub fn changed_in(
    label: &str,
    service: &Service,
    project: &Project,
    secrets: &Secrets,
) -> Vec<String> {
    let changes = forms(service, project, secrets).map(|form| changed_parts(label, &joined(&form)));
    changes.min_by_key(Vec::len).unwrap_or_default()
}

/// The keys that differ between two [`parts`], in order. A key of `environment` is `environment
/// KEY`, a config is `config NAME`.
pub fn changed_parts(before: &str, after: &str) -> Vec<String> {
    let read = |text: &str| -> BTreeMap<String, String> {
        text.split(',')
            .filter_map(|part| part.split_once('='))
            .map(|(key, hash)| (key.to_owned(), hash.to_owned()))
            .collect()
    };
    let (before, after) = (read(before), read(after));
    let mut keys: Vec<&String> = before
        .keys()
        .chain(after.keys())
        .filter(|key| before.get(*key) != after.get(*key))
        .collect();
    keys.sort();
    keys.dedup();
    keys.into_iter().map(|key| key.replacen('.', " ", 1)).collect()
}

fn part_hashes(canonical: &Value) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    let Value::Object(map) = canonical else { return parts };
    for (key, value) in map {
        match value {
            Value::Object(inner) if ["environment", "labels", "config"].contains(&key.as_str()) => {
                for (name, value) in inner {
                    // "," and "=" separate the parts. The hash still distinguishes names that
                    // contain one.
                    let name = name.replace([',', '='], "_");
                    parts.insert(
                        format!("{key}.{name}"),
                        sha256(value.to_string().as_bytes())[..8].to_owned(),
                    );
                }
            }
            _ => {
                parts.insert(key.clone(), sha256(value.to_string().as_bytes())[..8].to_owned());
            }
        }
    }
    parts
}

/// The service as JSON in all forms that versions of spc have hashed, the current one first.
fn forms<'a>(
    service: &'a Service,
    project: &'a Project,
    secrets: &'a Secrets,
) -> impl Iterator<Item = Value> + 'a {
    (0..3).map(move |form| match form {
        0 => canonical(service, project, secrets),
        1 => with_engine_names(&service.canonical_at_first(&project.name), project, secrets),
        _ => as_written(service, project, secrets),
    })
}

/// The service as JSON in its canonical form, see [`Service::canonical`].
fn canonical(service: &Service, project: &Project, secrets: &Secrets) -> Value {
    with_engine_names(&service.canonical(&project.name), project, secrets)
}

/// The service as JSON, with the engine's names of networks and volumes.
fn with_engine_names(service: &Service, project: &Project, secrets: &Secrets) -> Value {
    let mut value = as_written(service, project, secrets);
    if let Value::Object(map) = &mut value {
        map.remove("network_names");
        map.remove("volume_names");
        let by_name = service.networks.iter().map(|(key, attachment)| {
            let name = project.networks.get(key).map_or(key, |network| &network.name);
            (name.clone(), serde_json::to_value(attachment).unwrap_or(Value::Null))
        });
        map.insert("networks".into(), Value::Object(by_name.collect()));
        let named = service.volumes.iter().map(|mount| {
            let mut mount = mount.clone();
            if let super::spec::MountSource::Volume { name, .. } = &mut mount.source
                && let Some(volume) = project.volumes.get(name)
            {
                name.clone_from(&volume.name);
            }
            serde_json::to_value(mount).unwrap_or(Value::Null)
        });
        map.insert("volumes".into(), named.collect());
    }
    value
}

/// The service as JSON in the form that version 0.1.0 hashed: with the engine's names of its
/// networks and volumes beside the keys, and with the names of secrets.
fn as_written(service: &Service, project: &Project, secrets: &Secrets) -> Value {
    let mut value = serde_json::to_value(service).unwrap_or(Value::Null);
    if let Value::Object(map) = &mut value {
        let networks = service
            .networks
            .keys()
            .filter_map(|key| project.networks.get(key))
            .map(|network| Value::from(network.name.clone()));
        map.insert("network_names".into(), networks.collect());
        let volumes = service.volumes.iter().filter_map(|mount| match &mount.source {
            super::spec::MountSource::Volume { name, .. } => {
                project.volumes.get(name).map(|volume| Value::from(volume.name.clone()))
            }
            _ => None,
        });
        map.insert("volume_names".into(), volumes.collect());
        if !service.configs.is_empty() {
            map.insert("config".into(), configs(service, project));
        }
    }
    without_tokens(value, secrets)
}

/// Name → target, and the hash of the content.
fn configs(service: &Service, project: &Project) -> Value {
    let mut all: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for mount in &service.configs {
        let content = project.configs.get(&mount.source).map(|config| sha256(&config.content));
        all.entry(&mount.source).or_default().push(serde_json::json!([mount, content]));
    }
    all.into_iter()
        .map(|(name, mounts)| (name.to_owned(), Value::from(mounts)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn without_tokens(value: Value, secrets: &Secrets) -> Value {
    match value {
        Value::String(text) => {
            Value::String(secrets.replace_tokens(&text, &|name, _| format!("{{secret {name}}}")))
        }
        Value::Array(items) => {
            items.into_iter().map(|item| without_tokens(item, secrets)).collect()
        }
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key, without_tokens(value, secrets))).collect()
        }
        other => other,
    }
}

fn hash_of(value: &impl serde::Serialize) -> String {
    sha256(serde_json::to_string(value).unwrap_or_default().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::super::spec::reader::Field;
    use super::*;

    #[test]
    fn a_bound_folder_is_hashed_as_written_unless_it_is_relative() {
        let of = |device: &str| {
            let description = json!({ "driver_opts": { "o": "bind", "device": device } });
            volume(
                &Volume::read(&Field::root(&description), "shop", "v", Path::new("/srv/shop"))
                    .unwrap(),
            )
        };
        let by_version_0_1_0 = |device: &str| {
            sha256(
                format!(r#"{{"name":"shop_v","driver_opts":{{"device":"{device}","o":"bind"}}}}"#)
                    .as_bytes(),
            )
        };
        for device in ["/data", "/data/", "/data/./x"] {
            assert_eq!(of(device), by_version_0_1_0(device), "{device}");
        }
        // The engine resolved this path in its own directory, so it is another volume.
        assert_ne!(of("./data"), by_version_0_1_0("./data"));
        assert_eq!(of("./data"), of("/srv/shop/data"));
    }

    fn described(service: Value, networks: Value, volumes: Value) -> Project {
        let description =
            json!({"services": {"a": service}, "networks": networks, "volumes": volumes});
        Project::read(
            "shop",
            &description,
            &super::super::spec::ReadOptions { directory: Path::new("/srv"), lookup: &|_| None },
        )
        .unwrap()
    }

    #[test]
    fn services_that_mean_the_same_have_the_same_hash() {
        let of = |more: Value| {
            let mut service = json!({"image": "x"});
            service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let project = described(
                service,
                json!({"n": {}, "m": {"name": "shop_n2"}}),
                json!({"v": {}, "w": {}}),
            );
            let secrets = Secrets::new();
            (
                self::service(&project.services["a"], &project, &secrets),
                parts(&project.services["a"], &project, &secrets),
            )
        };
        for (one, other) in [
            (
                json!({}),
                json!({"restart": "no", "read_only": false, "scale": 1, "logging": {}, "healthcheck": {}, "labels": {}}),
            ),
            (
                json!({}),
                json!({"stop_grace_period": "10s", "networks": ["default"], "container_name": "shop-a-1"}),
            ),
            (json!({}), json!({"ports": [], "environment": {}, "extra_hosts": [], "volumes": []})),
            (json!({"stop_grace_period": "60s"}), json!({"stop_grace_period": "1m"})),
            (json!({"stop_signal": "TERM"}), json!({"stop_signal": "SIGTERM"})),
            (
                json!({"volumes": ["v:/v", "w:/w"]}),
                json!({"volumes": [{"type": "volume", "source": "w", "target": "/w/"}, "v:/v:rw"]}),
            ),
            (
                json!({"ports": ["80:80", "81:81/tcp"]}),
                json!({"ports": [{"target": 81, "published": 81}, {"target": 80, "published": "80"}]}),
            ),
            (json!({"networks": ["n", "m"]}), json!({"networks": {"m": {}, "n": {"aliases": []}}})),
            (
                json!({"networks": {"n": {"aliases": ["x", "y"]}}}),
                json!({"networks": {"n": {"aliases": ["y", "x", "x"]}}}),
            ),
            (json!({"environment": {"A": 1, "B": "x"}}), json!({"environment": ["B=x", "A=1"]})),
            (
                json!({"extra_hosts": ["b:10.0.0.1", "a:10.0.0.2"]}),
                json!({"extra_hosts": {"a": "10.0.0.2", "b": "10.0.0.1"}}),
            ),
            (json!({"user": 1000}), json!({"user": "1000"})),
            (
                json!({"healthcheck": {"test": "x", "interval": "60s"}}),
                json!({"healthcheck": {"test": ["CMD-SHELL", "x"], "interval": "1m0s"}}),
            ),
            (json!({"command": "serve --a"}), json!({"command": ["serve", "--a"]})),
            (json!({"image": "x"}), json!({"image": "docker.io/library/x:latest"})),
        ] {
            assert_eq!(of(one.clone()), of(other.clone()), "{one} and {other}");
        }
        assert_ne!(of(json!({})).0, of(json!({"stop_grace_period": "11s"})).0);
    }

    #[test]
    fn the_label_of_version_0_1_0_is_over_what_was_written_and_still_matches() {
        let project = described(
            json!({"image": "x", "volumes": ["w:/w", "v:/v"]}),
            json!({}),
            json!({"v": {}, "w": {}}),
        );
        let (service, secrets) = (&project.services["a"], Secrets::new());
        let before = sha256(as_written(service, &project, &secrets).to_string().as_bytes());
        assert_ne!(before, self::service(service, &project, &secrets));
        assert!(is_of_service(&before, service, &project, &secrets));
        let parts_before = joined(&as_written(service, &project, &secrets));
        let changed = described(
            json!({"image": "y", "volumes": ["w:/w", "v:/v"]}),
            json!({}),
            json!({"v": {}, "w": {}}),
        );
        assert_eq!(
            changed_in(&parts_before, &changed.services["a"], &changed, &secrets),
            ["image"]
        );
    }

    #[test]
    fn the_labels_of_earlier_spellings_still_match() {
        let written = json!({
            "image": "x", "user": "", "stop_signal": "15", "working_dir": "/tmp/", "volumes": ["v:/data/../v"], "command": [],
            "logging": {"options": {"max-size": "1000k"}}, "healthcheck": {"test": "x", "start_period": "0s"}, "networks": {"n": {"aliases": ["a"]}},
        });
        let project = described(written, json!({"n": {}}), json!({"v": {}}));
        let (service, secrets) = (&project.services["a"], Secrets::new());
        let labels: Vec<String> = forms(service, &project, &secrets)
            .map(|form| sha256(form.to_string().as_bytes()))
            .collect();
        assert_eq!(labels.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
        for label in &labels {
            assert!(is_of_service(label, service, &project, &secrets));
        }
        let changed = described(
            json!({"image": "x", "working_dir": "/tmp"}),
            json!({"n": {}}),
            json!({"v": {}}),
        );
        assert!(labels.iter().all(|label| !is_of_service(
            label,
            &changed.services["a"],
            &changed,
            &secrets
        )));
        // A value that always had only one spelling has the same hash as before.
        let plain = described(
            json!({"image": "x", "stop_signal": "SIGINT", "working_dir": "/w", "user": "app"}),
            json!({}),
            json!({}),
        );
        let mut hashes = forms(&plain.services["a"], &plain, &secrets);
        assert_eq!(hashes.next(), hashes.next());
    }

    #[test]
    fn networks_and_volumes_that_mean_the_same_match_each_others_labels() {
        let network = |value: Value| {
            super::super::spec::Network::read(&Field::root(&value), "shop", "n").unwrap()
        };
        let pools = |first: &str, second: &str| json!({"driver": "nas", "ipam": {"driver": "default", "config": [{"subnet": first}, {"subnet": second}]}});
        for (one, other) in [
            (json!({}), json!({"driver": "bridge"})),
            (
                json!({}),
                json!({"external": false, "attachable": false, "internal": false, "labels": {}, "driver_opts": {}, "ipam": {}}),
            ),
            (pools("10.1.0.0/24", "10.2.0.0/24"), pools("10.2.0.0/24", "10.1.0.9/24")),
        ] {
            let (one, other) = (network(one), network(other));
            assert_eq!(self::network(&one), self::network(&other));
            // As version 0.1.0 wrote the label. The order of address pools is compared in the
            // settings.
            if one.ipam == other.ipam {
                assert!(
                    is_of_network(&hash_of(&one), &other) && is_of_network(&hash_of(&other), &one),
                    "{one:?} and {other:?}"
                );
            }
        }
        assert!(!is_of_network(
            &self::network(&network(json!({"driver": "macvlan"}))),
            &network(json!({}))
        ));
        let volume = |value: Value| {
            Volume::read(&Field::root(&value), "shop", "v", Path::new("/srv")).unwrap()
        };
        let (one, other) = (volume(json!({})), volume(json!({"driver": "local"})));
        for (label, now) in [(hash_of(&one), &other), (hash_of(&other), &one)] {
            assert!(is_of_volume(&label, now));
        }
    }
}
