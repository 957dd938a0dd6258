//! When two descriptions make the same container.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::secret::Secrets;
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

/// Hash of what a service's containers are made of, without the image's id and the secrets' values: those are compared
/// on their own, so that a cause can tell them apart. An exposed secret counts by its name.
pub fn service(service: &Service, project: &Project, secrets: &Secrets) -> String {
    sha256(canonical(service, project, secrets).to_string().as_bytes())
}

/// Hash of a network's definition.
pub fn network(network: &Network) -> String {
    hash_of(network)
}

/// Hash of a volume's definition.
pub fn volume(volume: &Volume) -> String {
    let Some(written) = &volume.written_device else { return hash_of(volume) };
    let mut as_written = volume.clone();
    as_written.driver_opts.insert("device".to_owned(), written.clone());
    hash_of(&as_written)
}

/// Short hashes of the parts of a service, `environment`, `labels` and configs key by key: `image=1a2b3c4d,environment.DEBUG=…`.
pub fn parts(service: &Service, project: &Project, secrets: &Secrets) -> String {
    let parts: Vec<String> =
        part_hashes(&canonical(service, project, secrets)).into_iter().map(|(key, hash)| format!("{key}={hash}")).collect();
    parts.join(",")
}

/// The keys that differ between two [`parts`], in order; a key of `environment` as `environment KEY`, a config as `config NAME`.
pub fn changed_parts(before: &str, after: &str) -> Vec<String> {
    let read = |text: &str| -> BTreeMap<String, String> {
        text.split(',').filter_map(|part| part.split_once('=')).map(|(key, hash)| (key.to_owned(), hash.to_owned())).collect()
    };
    let (before, after) = (read(before), read(after));
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)).collect();
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
                    // "," and "=" separate the parts; a name holding one is still told apart by its hash.
                    let name = name.replace([',', '='], "_");
                    parts.insert(format!("{key}.{name}"), sha256(value.to_string().as_bytes())[..8].to_owned());
                }
            }
            _ => {
                parts.insert(key.clone(), sha256(value.to_string().as_bytes())[..8].to_owned());
            }
        }
    }
    parts
}

/// The service as JSON, with the engine's names of its networks and volumes, and secrets by name.
fn canonical(service: &Service, project: &Project, secrets: &Secrets) -> Value {
    let mut value = serde_json::to_value(service).unwrap_or(Value::Null);
    if let Value::Object(map) = &mut value {
        let networks = service.networks.keys().filter_map(|key| project.networks.get(key)).map(|network| Value::from(network.name.clone()));
        map.insert("network_names".into(), networks.collect());
        let volumes = service.volumes.iter().filter_map(|mount| match &mount.source {
            super::spec::MountSource::Volume { name, .. } => project.volumes.get(name).map(|volume| Value::from(volume.name.clone())),
            _ => None,
        });
        map.insert("volume_names".into(), volumes.collect());
        if !service.configs.is_empty() {
            map.insert("config".into(), configs(service, project));
        }
    }
    without_tokens(value, secrets)
}

/// Name → where it is put, and the hash of its content.
fn configs(service: &Service, project: &Project) -> Value {
    let mut all: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for mount in &service.configs {
        let content = project.configs.get(&mount.source).map(|config| sha256(&config.content));
        all.entry(&mount.source).or_default().push(serde_json::json!([mount, content]));
    }
    all.into_iter().map(|(name, mounts)| (name.to_owned(), Value::from(mounts))).collect::<serde_json::Map<_, _>>().into()
}

fn without_tokens(value: Value, secrets: &Secrets) -> Value {
    match value {
        Value::String(text) => Value::String(secrets.replace_tokens(&text, &|name, _| format!("{{secret {name}}}"))),
        Value::Array(items) => items.into_iter().map(|item| without_tokens(item, secrets)).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, without_tokens(value, secrets))).collect(),
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
    fn a_bound_folder_counts_as_it_is_written_unless_it_was_relative() {
        let of = |device: &str| {
            let description = json!({ "driver_opts": { "o": "bind", "device": device } });
            volume(&Volume::read(&Field::root(&description), "shop_v".to_owned(), Path::new("/srv/shop")).unwrap())
        };
        let by_version_0_1_0 =
            |device: &str| sha256(format!(r#"{{"name":"shop_v","driver_opts":{{"device":"{device}","o":"bind"}}}}"#).as_bytes());
        for device in ["/data", "/data/", "/data/./x"] {
            assert_eq!(of(device), by_version_0_1_0(device), "{device}");
        }
        // The engine resolved it in a directory of its own: that volume is another one.
        assert_ne!(of("./data"), by_version_0_1_0("./data"));
        assert_eq!(of("./data"), of("/srv/shop/data"));
    }
}
