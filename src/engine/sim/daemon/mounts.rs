//! The mounts of a container: binds, mounts, tmpfs and anonymous volumes, parsed as in Docker.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{ContainerConfig, HostConfig, Mount, MountPoint, MountType};

use super::errors::refusal;
use super::state::{Machine, State};
use super::tree::normal;
use crate::engine::{EngineError, Result};

/// The source of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) enum Source {
    Volume {
        name: String,
        anonymous: bool,
    },
    /// A path of the engine's machine.
    Bind(String),
    /// Memory. `listed`: given as a mount, not in the list of tmpfs paths, so that inspect shows
    /// it.
    Tmpfs {
        listed: bool,
    },
}

/// One mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) struct ContainerMount {
    pub source: Source,
    pub destination: String,
    /// The form in an inspect.
    pub mode: String,
    pub writable: bool,
}

impl ContainerMount {
    /// The volume's name, if it is a volume.
    pub fn volume(&self) -> Option<&str> {
        match &self.source {
            Source::Volume { name, .. } => Some(name),
            Source::Bind(_) | Source::Tmpfs { .. } => None,
        }
    }

    /// The form in inspect and list; the list omits a volume's source.
    pub fn point(&self, listing: bool) -> Option<MountPoint> {
        let (typ, name, source, driver, propagation) = match &self.source {
            Source::Volume { name, .. } => {
                let source = if listing { String::new() } else { mountpoint(name) };
                ("volume", Some(name.clone()), source, Some("local".to_owned()), "")
            }
            Source::Bind(path) => ("bind", None, path.clone(), None, "rprivate"),
            Source::Tmpfs { listed: true } => ("tmpfs", None, String::new(), None, ""),
            Source::Tmpfs { listed: false } => return None,
        };
        Some(MountPoint {
            typ: Some(typ.to_owned()),
            name,
            source: Some(source),
            destination: Some(self.destination.clone()),
            driver,
            mode: Some(self.mode.clone()),
            rw: Some(self.writable),
            propagation: Some(propagation.to_owned()),
        })
    }
}

/// The folder where the engine keeps a volume's files.
pub(in crate::engine::sim) fn mountpoint(volume: &str) -> String {
    format!("/var/lib/docker/volumes/{volume}/_data")
}

/// A requested mount; a volume without a name is anonymous.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) struct MountRequest {
    pub source: MountRequestSource,
    pub destination: String,
    pub mode: String,
    pub writable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) enum MountRequestSource {
    Volume {
        name: Option<String>,
        labels: BTreeMap<String, String>,
        options: BTreeMap<String, String>,
        copy: bool,
    },
    Bind(String),
    Tmpfs {
        listed: bool,
    },
}

/// All mounts of a container, in the order of their destinations.
pub(in crate::engine::sim) fn wanted(
    config: &ContainerConfig,
    host: &HostConfig,
    machine: &Machine,
) -> Result<Vec<MountRequest>> {
    let mut all = Vec::new();
    for mount in host.mounts.iter().flatten() {
        all.push(from_mount(mount, machine)?);
    }
    for bind in host.binds.iter().flatten() {
        all.push(from_bind(bind)?);
    }
    for path in host.tmpfs.iter().flatten().map(|(path, _)| path) {
        all.push(MountRequest {
            source: MountRequestSource::Tmpfs { listed: false },
            destination: normal(path),
            mode: String::new(),
            writable: true,
        });
    }
    let mut taken = BTreeSet::new();
    for wanted in &all {
        if !taken.insert(wanted.destination.clone()) {
            return Err(refusal(400, format!("Duplicate mount point: {}", wanted.destination)));
        }
    }
    for path in config.volumes.iter().flatten() {
        let destination = normal(path);
        if taken.insert(destination.clone()) {
            let source = MountRequestSource::Volume {
                name: None,
                labels: BTreeMap::new(),
                options: BTreeMap::new(),
                copy: true,
            };
            all.push(MountRequest { source, destination, mode: String::new(), writable: true });
        }
    }
    all.sort_by(|a, b| a.destination.cmp(&b.destination));
    Ok(all)
}

/// `source:destination:mode`, or only a destination.
fn from_bind(bind: &str) -> Result<MountRequest> {
    let parts: Vec<&str> = bind.split(':').collect();
    let (source, destination, mode) = match parts.as_slice() {
        [destination] => (None, *destination, ""),
        [source, destination] => (Some(*source), *destination, ""),
        [source, destination, mode] => (Some(*source), *destination, *mode),
        _ => return Err(refusal(500, format!("invalid volume specification: '{bind}'"))),
    };
    let kind = if source.is_some_and(|source| source.starts_with('/')) { "bind" } else { "volume" };
    let in_bind = |error: EngineError| {
        refusal(500, format!("invalid volume specification: '{bind}': {}", error.message))
    };
    let destination = checked_destination(destination, kind).map_err(in_bind)?;
    let mut writable = true;
    let mut copy = true;
    for option in mode.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" => writable = false,
            "nocopy" => copy = false,
            "rw" | "z" | "Z" | "shared" | "rshared" | "slave" | "rslave" | "private"
            | "rprivate" | "consistent" | "cached" | "delegated" => {}
            _ => return Err(refusal(500, format!("invalid mode: {mode}"))),
        }
    }
    let source = match source {
        Some(path) if path.starts_with('/') => MountRequestSource::Bind(normal(path)),
        name => MountRequestSource::Volume {
            name: name.map(str::to_owned),
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            copy,
        },
    };
    // Docker gives a volume without a mode its default one.
    let mode = if mode.is_empty() && kind == "volume" { "z" } else { mode };
    Ok(MountRequest { source, destination, mode: mode.to_owned(), writable })
}

fn from_mount(mount: &Mount, machine: &Machine) -> Result<MountRequest> {
    let kind = mount.typ.unwrap_or(MountType::VOLUME);
    let name = mount.source.clone().filter(|source| !source.is_empty());
    let writable = !mount.read_only.unwrap_or_default();
    let destination =
        checked_destination(mount.target.as_deref().unwrap_or_default(), &kind.to_string())?;
    let (source, mode) = match kind {
        MountType::BIND => {
            let path = name.ok_or_else(|| {
                refusal(
                    400,
                    "invalid mount config for type \"bind\": field Source must not be empty",
                )
            })?;
            let creates = mount.bind_options.as_ref().and_then(|options| options.create_mountpoint)
                == Some(true);
            if !creates && !(machine.has_path)(&path) {
                let words = format!(
                    "invalid mount config for type \"bind\": bind source path does not exist: {path}"
                );
                return Err(refusal(400, words));
            }
            (MountRequestSource::Bind(normal(&path)), "")
        }
        MountType::TMPFS => (MountRequestSource::Tmpfs { listed: true }, ""),
        MountType::VOLUME => {
            let options = mount.volume_options.as_ref();
            let labels = options
                .and_then(|options| options.labels.clone())
                .unwrap_or_default()
                .into_iter()
                .collect();
            let copy = options.and_then(|options| options.no_copy) != Some(true);
            let driver =
                options.and_then(|options| options.driver_config.clone()).unwrap_or_default();
            let options = driver.options.unwrap_or_default().into_iter().collect();
            (MountRequestSource::Volume { name, labels, options, copy }, "z")
        }
        other => {
            return Err(refusal(
                400,
                format!("invalid mount config for type \"{other}\": mount type unknown"),
            ));
        }
    };
    Ok(MountRequest { source, destination, mode: mode.to_owned(), writable })
}

fn checked_destination(path: &str, kind: &str) -> Result<String> {
    let fails = |cause: String| {
        Err(refusal(400, format!("invalid mount config for type \"{kind}\": {cause}")))
    };
    if path.is_empty() {
        return fails("field Target must not be empty".to_owned());
    }
    if !path.starts_with('/') {
        return fails(format!("invalid mount path: '{path}' mount path must be absolute"));
    }
    match normal(path) {
        root if root == "/" => fails("invalid specification: destination can't be '/'".to_owned()),
        path => Ok(path),
    }
}

impl State {
    /// Creates the requested volumes that don't exist yet.
    pub(in crate::engine::sim) fn mount(
        &mut self,
        wanted: MountRequest,
        image: &super::tree::Tree,
    ) -> Result<ContainerMount> {
        let MountRequest { source, destination, mode, writable } = wanted;
        let source = match source {
            MountRequestSource::Bind(path) => Source::Bind(path),
            MountRequestSource::Tmpfs { listed } => Source::Tmpfs { listed },
            MountRequestSource::Volume { name, labels, options, copy } => {
                let anonymous = name.is_none();
                let name = self.ensure_volume(name, labels, options)?;
                if copy {
                    self.fill_volume(&name, &image.subtree(&destination));
                }
                Source::Volume { name, anonymous }
            }
        };
        Ok(ContainerMount { source, destination, mode, writable })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn machine() -> Machine {
        Machine { ports: BTreeSet::new(), has_path: Arc::new(|path| path != "/none") }
    }

    fn with_binds(binds: &[&str]) -> Result<Vec<MountRequest>> {
        let binds = Some(binds.iter().map(|bind| (*bind).to_owned()).collect());
        wanted(
            &ContainerConfig::default(),
            &HostConfig { binds, ..HostConfig::default() },
            &machine(),
        )
    }

    #[test]
    fn a_bind_is_a_volume_or_a_path_by_its_first_character() {
        let all = with_binds(&["data:/a", "/srv/app:/b:ro"]).unwrap();
        assert!(
            matches!(&all[0].source, MountRequestSource::Volume { name: Some(name), .. } if name == "data")
        );
        assert_eq!(all[0].mode, "z");
        assert_eq!(
            (&all[1].source, all[1].writable),
            (&MountRequestSource::Bind("/srv/app".into()), false)
        );
    }

    #[test]
    fn refusals_are_in_dockers_words() {
        let message = |bind: &str| with_binds(&[bind]).unwrap_err().message;
        let relative = "invalid volume specification: 'v:rel': invalid mount config for type \"volume\": invalid mount path: 'rel' mount path must be absolute";
        assert_eq!(message("v:rel"), relative);
        assert_eq!(message("v:/x:bad"), "invalid mode: bad");
        let root = "invalid volume specification: 'v:/': invalid mount config for type \"volume\": invalid specification: destination can't be '/'";
        assert_eq!(message("v:/"), root);
        assert_eq!(
            with_binds(&["aa:/x", "bb:/x/"]).unwrap_err().message,
            "Duplicate mount point: /x"
        );
    }

    #[test]
    fn an_images_volume_is_anonymous_unless_something_is_mounted_there() {
        let config = ContainerConfig {
            volumes: Some(vec!["/data".into(), "/cache".into()]),
            ..ContainerConfig::default()
        };
        let host = HostConfig { binds: Some(vec!["named:/data".into()]), ..HostConfig::default() };
        let all = wanted(&config, &host, &machine()).unwrap();
        let anonymous = |wanted: &MountRequest| {
            matches!(wanted.source, MountRequestSource::Volume { name: None, .. })
        };
        assert_eq!(
            all.iter()
                .map(|wanted| (wanted.destination.as_str(), anonymous(wanted)))
                .collect::<Vec<_>>(),
            [("/cache", true), ("/data", false)]
        );
    }

    #[test]
    fn a_bind_mounts_source_has_to_exist_where_a_binds_is_made() {
        let mount = Mount {
            typ: Some(MountType::BIND),
            source: Some("/none".into()),
            target: Some("/x".into()),
            ..Mount::default()
        };
        let host = HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() };
        let error = wanted(&ContainerConfig::default(), &host, &machine()).unwrap_err();
        assert_eq!(
            error.message,
            "invalid mount config for type \"bind\": bind source path does not exist: /none"
        );
        assert!(with_binds(&["/none:/x"]).is_ok());
    }
}
