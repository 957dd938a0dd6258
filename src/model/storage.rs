//! The storage of volumes and folders. One storage can have several names.
//!
//! A volume of the default driver can represent a folder of the machine, a network share or a
//! device. Another volume or a bind mount can represent the same one. A folder inside another one
//! is a part of it. Targets of symlinks are known only if they were resolved: see
//! [`Storages::links`]. The storage of other volume drivers is unknown, and so are folders that the
//! machine mounts at two places.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use super::spec::mount::clean;
use super::spec::{Project, Service, Volume};

/// A storage location.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Storage {
    origin: Origin,
    /// Absolute within its origin; empty means all of it.
    path: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// The engine stores the volume with this name.
    Volume(String),
    /// The machine of the engine.
    Machine,
    /// Another machine, by protocol and name.
    Share(&'static str, String),
}

impl Storage {
    fn own(volume: &str) -> Self {
        Self { origin: Origin::Volume(volume.to_owned()), path: String::new() }
    }

    fn folder(path: &str) -> Self {
        Self {
            origin: Origin::Machine,
            path: clean(Path::new(path)).to_string_lossy().into_owned(),
        }
    }

    /// The location that the options of the driver `local` denote; `None` if the engine stores the
    /// volume itself.
    fn of_options(options: &BTreeMap<String, String>) -> Option<Self> {
        let option = |key: &str| options.get(key).map_or("", String::as_str);
        let (device, kind) = (option("device"), option("type"));
        let share = |protocol, server: &str, path: &str| {
            let path = clean(&Path::new("/").join(path.trim_start_matches('/')))
                .to_string_lossy()
                .into_owned();
            Some(Self { origin: Origin::Share(protocol, server.to_lowercase()), path })
        };
        match kind {
            "tmpfs" | "ramfs" => None,
            "nfs" | "nfs4" => {
                let (server, path) = device.split_once(':')?;
                share("nfs", flag(option("o"), "addr").unwrap_or(server), path)
            }
            "cifs" | "smb3" => {
                let (server, path) = device.trim_start_matches('/').split_once('/')?;
                // The server and the share are not case-sensitive.
                share("cifs", server, &path.to_lowercase())
            }
            // A folder, or a device such as /dev/sdb1.
            _ => device.starts_with('/').then(|| Self::folder(device)),
        }
    }

    /// Whether data written to one can be in the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.origin == other.origin && (self.is_within(other) || other.is_within(self))
    }

    fn is_within(&self, outer: &Self) -> bool {
        self.path.strip_prefix(&outer.path).is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || outer.path.ends_with('/')
        })
    }
}

/// The value of `key` among mount options.
fn flag<'a>(options: &'a str, key: &str) -> Option<&'a str> {
    options.split(',').find_map(|flag| flag.trim().strip_prefix(key)?.strip_prefix('='))
}

/// Whether the mount options are read-only.
fn is_read_only(options: &BTreeMap<String, String>) -> bool {
    options.get("o").is_some_and(|flags| flags.split(',').any(|flag| flag.trim() == "ro"))
}

/// A volume of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVolume {
    /// Its settings on the engine.
    pub settings: Volume,
    /// The folder of the machine where the engine mounts it.
    pub mountpoint: String,
    /// Its label says that several containers may write to it.
    pub shared: bool,
    /// Whether spc created it, so that a shared volume would have the label.
    pub labelled: bool,
}

/// The known volumes of the engine and folders of the machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storages {
    /// Every volume of the engine, by name.
    pub volumes: BTreeMap<String, StoredVolume>,
    /// Folder → resolved path, for paths with symlinks.
    pub links: BTreeMap<String, String>,
}

impl Storages {
    /// The storage of a volume, by the engine's name; `None` if no container can write to it.
    fn of_volume(&self, name: &str, project: Option<&Project>) -> Option<Storage> {
        let described = || project?.volumes.values().find(|volume| volume.name == name);
        let Some(volume) = self.volumes.get(name).map(|there| &there.settings).or_else(described)
        else {
            return Some(Storage::own(name));
        };
        if volume.own_driver().is_some() {
            return Some(Storage::own(name));
        }
        let storage = match Storage::of_options(&volume.driver_opts) {
            Some(Storage { origin: Origin::Machine, path }) => {
                Storage::folder(self.links.get(&path).unwrap_or(&path))
            }
            Some(share) => share,
            None => return Some(Storage::own(name)),
        };
        (!is_read_only(&volume.driver_opts)).then_some(storage)
    }

    /// The storage of a mounted folder. A container that mounts the whole machine manages it, and
    /// does not count as a writer.
    fn of_folder(&self, path: &str, project: Option<&Project>) -> Option<Storage> {
        let folder = Storage::folder(self.links.get(path).map_or(path, String::as_str));
        if folder.path == "/" {
            return None;
        }
        let at =
            |there: &&String| folder.is_within(&Storage::folder(&self.volumes[*there].mountpoint));
        match self.volumes.keys().filter(|name| !self.volumes[*name].mountpoint.is_empty()).find(at)
        {
            Some(volume) => self.of_volume(volume, project),
            None => Some(folder),
        }
    }

    /// The folders behind volumes: of the engine's volumes, and of those that `project` describes.
    pub fn bound_folders(&self, project: Option<&Project>) -> Vec<String> {
        let described = project.into_iter().flat_map(|project| project.volumes.values());
        let all = self
            .volumes
            .values()
            .map(|there| &there.settings)
            .chain(described)
            .filter(|volume| volume.own_driver().is_none());
        let folder = |volume: &Volume| {
            Storage::of_options(&volume.driver_opts)
                .filter(|storage| storage.origin == Origin::Machine)
        };
        all.filter_map(folder).map(|storage| storage.path).collect()
    }
}

/// A storage that a container writes to, with one of its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteTarget {
    pub storage: Storage,
    pub name: WriteTargetName,
    /// Whether no other container may write to it.
    pub exclusive: bool,
}

impl WriteTarget {
    /// `the volume "data" at "/srv/data"`, as in the middle of a sentence.
    pub fn shown(&self) -> String {
        let at = self.storage.to_string();
        match &self.name {
            WriteTargetName::Volume(_) if !at.is_empty() => format!("{} at \"{at}\"", self.name),
            name => name.to_string(),
        }
    }
}

/// How the storage is mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteTargetName {
    /// The engine's name of a volume.
    Volume(String),
    /// A folder or file of the machine.
    Folder(String),
}

impl WriteTargetName {
    /// The engine's name of the volume, if it is one.
    pub fn volume(&self) -> Option<&str> {
        match self {
            Self::Volume(name) => Some(name),
            Self::Folder(_) => None,
        }
    }
}

impl fmt::Display for WriteTargetName {
    /// `the volume "data"`, as in the middle of a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Volume(name) => write!(f, "the volume \"{name}\""),
            Self::Folder(path) => write!(f, "the folder \"{path}\""),
        }
    }
}

impl fmt::Display for Storage {
    /// The folder or share; empty if the engine stores the volume.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Volume(_) => Ok(()),
            Origin::Machine => f.write_str(&self.path),
            Origin::Share(_, server) => write!(f, "{server}:{}", self.path),
        }
    }
}

/// The first two targets that only one container may write to. Two bind mounts don't conflict:
/// services may share a folder.
pub fn clash<'a>(
    one: &'a [WriteTarget],
    other: &'a [WriteTarget],
) -> Option<(&'a WriteTarget, &'a WriteTarget)> {
    one.iter().find_map(|one| {
        let meets = |other: &&WriteTarget| {
            (one.exclusive || other.exclusive) && one.storage.overlaps(&other.storage)
        };
        other.iter().find(meets).map(|other| (one, other))
    })
}

/// For cases in which only the description and the label say that a volume is shared.
pub const NOT_SHARED: &BTreeSet<String> = &BTreeSet::new();

/// The storages that containers write to, as far as a description and the engine show.
pub struct WriteTargets<'a> {
    pub project: Option<&'a Project>,
    pub storages: &'a Storages,
    /// Shared volumes that are not in the current description.
    pub shared: &'a BTreeSet<String>,
}

impl WriteTargets<'_> {
    /// Whether the volume is shared. The description decides if it contains the volume.
    fn is_volume_shared(&self, volume: &str) -> bool {
        match self
            .project
            .filter(|project| project.volumes.values().any(|described| described.name == volume))
        {
            Some(project) => project.is_shared(volume),
            None => {
                self.shared.contains(volume)
                    || self.storages.volumes.get(volume).is_some_and(|there| there.shared)
            }
        }
    }

    /// The targets of a new container of a service.
    pub fn of_service(&self, service: &Service) -> Vec<WriteTarget> {
        let Some(project) = self.project else { return Vec::new() };
        let volumes = service
            .writable_volumes()
            .filter_map(|key| project.volumes.get(key))
            .map(|volume| volume.name.as_str());
        let folders: Vec<String> =
            service.writable_binds().map(|path| path.to_string_lossy().into_owned()).collect();
        self.of_mounts(volumes, folders.iter().map(String::as_str), &|_| true)
    }

    /// The targets of a container that is to be started: every volume that is not shared is
    /// exclusive.
    pub fn of_started<'m>(
        &self,
        volumes: impl Iterator<Item = &'m String>,
        folders: impl Iterator<Item = &'m String>,
    ) -> Vec<WriteTarget> {
        self.of_mounts(volumes.map(String::as_str), folders.map(String::as_str), &|_| true)
    }

    /// The targets of an existing container. If spc did not create a volume, no label could say
    /// whether it is shared. Then it counts only against a target that is exclusive itself.
    pub fn of_running<'m>(
        &self,
        volumes: impl Iterator<Item = &'m String>,
        folders: impl Iterator<Item = &'m String>,
    ) -> Vec<WriteTarget> {
        let is_labelled = |name: &str| {
            let is_described = self.project.is_some_and(|project| {
                project.volumes.values().any(|described| described.name == name)
            });
            is_described || self.storages.volumes.get(name).is_some_and(|there| there.labelled)
        };
        self.of_mounts(volumes.map(String::as_str), folders.map(String::as_str), &is_labelled)
    }

    fn of_mounts<'m>(
        &self,
        volumes: impl Iterator<Item = &'m str>,
        folders: impl Iterator<Item = &'m str>,
        may_be_exclusive: &dyn Fn(&str) -> bool,
    ) -> Vec<WriteTarget> {
        let volume = |name: &str| {
            let storage = self.storages.of_volume(name, self.project)?;
            let exclusive = may_be_exclusive(name) && !self.is_volume_shared(name);
            Some(WriteTarget { storage, name: WriteTargetName::Volume(name.to_owned()), exclusive })
        };
        let folder = |path: &str| {
            let storage = self.storages.of_folder(path, self.project)?;
            Some(WriteTarget {
                storage,
                name: WriteTargetName::Folder(path.to_owned()),
                exclusive: false,
            })
        };
        volumes.filter_map(volume).chain(folders.filter_map(folder)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn storages(volumes: &[(&str, &[(&str, &str)])]) -> Storages {
        let stored = |name: &str, pairs: &[(&str, &str)]| StoredVolume {
            settings: Volume {
                name: name.to_owned(),
                driver_opts: options(pairs),
                ..Volume::default()
            },
            mountpoint: format!("/var/lib/docker/volumes/{name}/_data"),
            shared: name.starts_with("shared"),
            labelled: !name.starts_with("foreign"),
        };
        Storages {
            volumes: volumes
                .iter()
                .map(|(name, pairs)| ((*name).to_owned(), stored(name, pairs)))
                .collect(),
            links: BTreeMap::from([("/link".to_owned(), "/srv/data".to_owned())]),
        }
    }

    fn bound(device: &str) -> [(&str, &str); 3] {
        [("type", "none"), ("o", "bind"), ("device", device)]
    }

    /// Whether two containers may not write at the same time: volumes by their names, folders by
    /// their paths.
    fn clashes(storages: &Storages, started: &str, running: &str) -> bool {
        let writes = WriteTargets { project: None, storages, shared: NOT_SHARED };
        let split = |name: &str| {
            let name = BTreeSet::from([name.to_owned()]);
            if name.first().unwrap().starts_with('/') {
                (BTreeSet::new(), name)
            } else {
                (name, BTreeSet::new())
            }
        };
        let (started, running) = (split(started), split(running));
        let started = writes.of_started(started.0.iter(), started.1.iter());
        clash(&started, &writes.of_running(running.0.iter(), running.1.iter())).is_some()
    }

    #[test]
    fn one_storage_is_known_by_each_of_its_names() {
        let storages = storages(&[
            ("data", &bound("/srv/data")),
            ("same", &[("o", "rbind,noatime"), ("device", "/srv/./data/")]),
            ("part", &bound("/srv/data/part")),
            ("link", &bound("/link")),
            ("beside", &bound("/srv/database")),
            ("shared", &bound("/srv/data")),
            ("shared2", &bound("/srv/data")),
            ("read", &[("type", "none"), ("o", "bind,ro"), ("device", "/srv/data")]),
            ("foreign", &bound("/srv/data")),
            ("nfs", &[("type", "nfs"), ("o", "addr=NAS,rw"), ("device", ":/export")]),
            ("nfs4", &[("type", "nfs4"), ("o", "addr=nas,nfsvers=4"), ("device", ":/export/sub")]),
            ("other-nas", &[("type", "nfs"), ("o", "addr=nas2"), ("device", ":/export")]),
            ("cifs", &[("type", "cifs"), ("o", "username=a"), ("device", "//Nas/Share")]),
            ("cifs2", &[("type", "cifs"), ("o", "username=b"), ("device", "//nas/share/x")]),
            ("disk", &[("type", "ext4"), ("device", "/dev/sdb1")]),
            ("disk2", &[("type", "ext4"), ("device", "/dev/sdb1")]),
            ("memory", &[("type", "tmpfs"), ("device", "tmpfs")]),
            ("memory2", &[("type", "tmpfs"), ("device", "tmpfs")]),
            ("plain", &[]),
            ("plain2", &[]),
        ]);
        for (one, other) in [
            ("data", "data"),
            ("data", "same"),
            ("data", "part"),
            ("same", "link"),
            ("data", "shared"),
            ("data", "foreign"),
            ("data", "/srv/data"),
            ("data", "/srv"),
            ("data", "/srv/data/part/deep"),
            ("data", "/link"),
            ("part", "/link"),
            ("part", "/var/lib/docker/volumes/data/_data"),
            ("plain", "/var/lib/docker/volumes/plain/_data/sub"),
            ("nfs", "nfs4"),
            ("cifs", "cifs2"),
            ("disk", "disk2"),
        ] {
            assert!(clashes(&storages, one, other), "{one} and {other}");
            assert!(
                one == "data" && other == "foreign" || clashes(&storages, other, one),
                "{other} and {one}"
            );
        }
        for (one, other) in [
            ("data", "beside"),
            ("data", "read"),
            ("data", "/srv/data2"),
            ("data", "/"),
            ("data", "plain"),
            ("part", "/srv/data/other"),
            ("shared", "shared2"),
            ("shared", "/srv/data"),
            ("shared", "foreign"),
            ("/srv/data", "/srv/data"),
            ("/srv/data", "foreign"),
            ("nfs", "other-nas"),
            ("nfs", "/export"),
            ("nfs", "cifs"),
            ("memory", "memory2"),
            ("plain", "plain2"),
            ("plain", "/var/lib/docker/volumes"),
        ] {
            assert!(!clashes(&storages, one, other), "{one} and {other}");
        }
    }
}
