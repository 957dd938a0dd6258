//! Volumes: creating them is idempotent, and a mounted one can't be removed.
//!
//! A volume has a stamp that distinguishes it from all others that ever had its name, and a count
//! of the changes of its content. With these a test can check whether data was kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bollard::models::{Volume as VolumeModel, VolumeCreateRequest, VolumeScopeEnum};

use super::containers::Container;
use super::errors::refusal;
use super::filters::{FilterSet, label_matches, name_matches};
use super::mounts::mountpoint;
use super::state::{Objects, State};
use super::tree::{Tree, normal};
use crate::engine::{ApiVersion, Filters, Result};
use crate::host::sim::date;

const FILTERS: &[&str] = &["dangling", "driver", "label", "name"];

/// From this version on only a newly created volume has a `create` event.
const QUIET_CREATE: ApiVersion = ApiVersion { major: 1, minor: 42 };

#[derive(Debug, Clone)]
pub(in crate::engine::sim) struct Volume {
    pub name: String,
    pub created: Duration,
    pub labels: BTreeMap<String, String>,
    pub options: BTreeMap<String, String>,
    /// The identity of the volume.
    pub stamp: u64,
    /// The number of changes of its content.
    pub writes: u64,
    pub files: Tree,
    /// The most running containers that had it mounted writable at the same time.
    pub most_writers: usize,
}

impl Volume {
    /// The folder of the engine's machine that the volume binds.
    fn bound_folder(&self) -> Option<&str> {
        let option = |key: &str| self.options.get(key).map_or("", String::as_str);
        let binds = option("o").split(',').any(|flag| matches!(flag, "bind" | "rbind"));
        Some(option("device")).filter(|device| binds && !device.is_empty())
    }

    /// The device of the volume: a folder of the machine or a network share. `None` if the engine
    /// stores the data itself.
    pub(in crate::engine::sim) fn elsewhere(&self) -> Option<String> {
        let option = |key: &str| self.options.get(key).map_or("", String::as_str);
        match option("type") {
            "nfs" | "nfs4" => {
                let address = option("o")
                    .split(',')
                    .find_map(|flag| flag.strip_prefix("addr="))
                    .unwrap_or_default();
                Some(format!("share {address}{}", normal(option("device").trim_start_matches(':'))))
            }
            _ => self.bound_folder().map(normal),
        }
    }

    fn shown(&self) -> VolumeModel {
        VolumeModel {
            name: self.name.clone(),
            driver: "local".to_owned(),
            mountpoint: mountpoint(&self.name),
            created_at: Some(date(self.created)),
            labels: self.labels.clone().into_iter().collect(),
            options: self.options.clone().into_iter().collect(),
            scope: Some(VolumeScopeEnum::LOCAL),
            ..VolumeModel::default()
        }
    }
}

impl Objects {
    /// By name.
    pub fn list_volumes(&self, filters: &Filters) -> Result<Vec<VolumeModel>> {
        let wanted = FilterSet::new(filters, FILTERS)?;
        let dangling = wanted.flag("dangling")?;
        let used: BTreeSet<&str> = self
            .containers
            .values()
            .flat_map(|container| container.mounts.iter().filter_map(|mount| mount.volume()))
            .collect();
        let fits = |volume: &&Volume| {
            wanted
                .values("name")
                .is_none_or(|names| names.iter().any(|name| name_matches(name, &volume.name)))
                && wanted.values("label").is_none_or(|labels| {
                    labels.iter().all(|label| label_matches(label, &volume.labels))
                })
                && wanted
                    .values("driver")
                    .is_none_or(|drivers| drivers.iter().any(|driver| driver == "local"))
                && dangling.is_none_or(|dangling| dangling != used.contains(volume.name.as_str()))
        };
        Ok(self.volumes.values().filter(fits).map(Volume::shown).collect())
    }

    pub fn inspect_volume(&self, name: &str) -> Result<VolumeModel> {
        self.volumes
            .get(name)
            .map(Volume::shown)
            .ok_or_else(|| refusal(404, format!("get {name}: no such volume")))
    }
}

impl State {
    /// The volume with this name; created if it does not exist.
    pub fn create_volume(&mut self, body: VolumeCreateRequest) -> Result<VolumeModel> {
        match body.driver.as_deref() {
            None | Some("" | "local") => {}
            Some(driver) => {
                return Err(refusal(
                    404,
                    format!(
                        "create {}: error looking up volume plugin {driver}: plugin \"{driver}\" not found",
                        body.name.unwrap_or_default()
                    ),
                ));
            }
        }
        let sorted = |map: Option<std::collections::HashMap<String, String>>| {
            map.unwrap_or_default().into_iter().collect()
        };
        let name = body.name.filter(|name| !name.is_empty());
        let name = self.ensure_volume(name, sorted(body.labels), sorted(body.driver_opts))?;
        self.objects.inspect_volume(&name)
    }

    /// The name of an existing volume; one without a name gets a generated id as name.
    pub(in crate::engine::sim) fn ensure_volume(
        &mut self,
        name: Option<String>,
        labels: BTreeMap<String, String>,
        options: BTreeMap<String, String>,
    ) -> Result<String> {
        let name = match name {
            Some(name) => checked(name)?,
            None => self.ids.next(),
        };
        let known = self.objects.volumes.contains_key(&name);
        if !known {
            checked_options(&name, &options)?;
            let volume = Volume {
                name: name.clone(),
                created: self.now,
                labels,
                options,
                stamp: self.ids.serial(),
                writes: 0,
                files: Tree::default(),
                most_writers: 0,
            };
            self.objects.volumes.insert(name.clone(), volume);
        }
        if !known || self.api < QUIET_CREATE {
            self.emit_volume(&name, "create", &[("driver", "local")]);
        }
        Ok(name)
    }

    /// Mounts the folders that volumes of a container bind: they have to exist, and a relative one
    /// starts at the engine's own folder.
    pub(in crate::engine::sim) fn mount_volumes(&self, id: &str) -> Result<()> {
        let mounts = self.container(id)?.mounts.iter().filter_map(|mount| mount.volume());
        for volume in mounts.filter_map(|name| self.objects.volumes.get(name)) {
            let Some(device) = volume.bound_folder() else { continue };
            if !(self.machine.has_path)(&normal(&format!("/{device}"))) {
                let at = mountpoint(&volume.name);
                let words = format!(
                    "failed to mount local volume: mount {device}:{at}, flags: 0x1000: no such file or directory"
                );
                return Err(refusal(500, format!("error while mounting volume '{at}': {words}")));
            }
        }
        Ok(())
    }

    pub fn remove_volume(&mut self, name: &str, force: bool) -> Result<()> {
        let users: Vec<&str> = self
            .objects
            .containers
            .values()
            .filter(|container| container.mounts.iter().any(|mount| mount.volume() == Some(name)))
            .map(|container| container.id.as_str())
            .collect();
        if !self.objects.volumes.contains_key(name) {
            return if force {
                Ok(())
            } else {
                Err(refusal(404, format!("get {name}: no such volume")))
            };
        }
        if !users.is_empty() {
            return Err(refusal(
                409,
                format!("remove {name}: volume is in use - [{}]", users.join(", ")),
            ));
        }
        self.drop_volume(name);
        Ok(())
    }

    pub(in crate::engine::sim) fn drop_volume(&mut self, name: &str) {
        if self.objects.volumes.remove(name).is_some() {
            self.emit_volume(name, "destroy", &[("driver", "local")]);
        }
    }

    pub(in crate::engine::sim) fn emit_mount(
        &mut self,
        container: &str,
        volume: &str,
        destination: &str,
        writable: bool,
    ) {
        let writable = if writable { "true" } else { "false" };
        let details = [
            ("container", container),
            ("destination", destination),
            ("driver", "local"),
            ("propagation", ""),
            ("read/write", writable),
        ];
        self.emit_volume(volume, "mount", &details);
    }

    pub(in crate::engine::sim) fn emit_unmount(&mut self, container: &str, volume: &str) {
        self.emit_volume(volume, "unmount", &[("container", container), ("driver", "local")]);
    }

    /// Copies the image's content at the mount point into an empty volume.
    pub(in crate::engine::sim) fn fill_volume(&mut self, name: &str, files: &Tree) {
        if let Some(volume) = self
            .objects
            .volumes
            .get_mut(name)
            .filter(|volume| volume.files.is_empty() && volume.writes == 0)
        {
            volume.files.overlay(files, "/");
        }
    }

    /// A process changes the volume mounted at `destination`.
    pub(in crate::engine::sim) fn change_volume(&mut self, id: &str, destination: &str) {
        let mounts = self.objects.containers.get(id).map(|container| &container.mounts);
        let mount = mounts
            .into_iter()
            .flatten()
            .find(|mount| mount.destination == destination && mount.writable);
        let Some(name) = mount.and_then(|mount| mount.volume()).map(str::to_owned) else { return };
        if let Some(volume) = self.objects.volumes.get_mut(&name) {
            volume.writes += 1;
        }
    }

    /// After a start: counts for each of its volumes how many running containers may write to it
    /// now.
    pub(in crate::engine::sim) fn count_writers(&mut self, started: &str) {
        let own: BTreeSet<&str> =
            self.objects.containers.get(started).into_iter().flat_map(written).collect();
        if own.is_empty() {
            return;
        }
        let mut writers: BTreeMap<&str, usize> = BTreeMap::new();
        for container in self
            .objects
            .containers
            .values()
            .filter(|container| container.phase == super::containers::Phase::Running)
        {
            for name in
                written(container).filter(|name| own.contains(name)).collect::<BTreeSet<_>>()
            {
                *writers.entry(name).or_default() += 1;
            }
        }
        for (name, count) in writers {
            if let Some(volume) = self.objects.volumes.get_mut(name) {
                volume.most_writers = volume.most_writers.max(count);
            }
        }
    }
}

/// The volumes that a container may write to.
fn written(container: &Container) -> impl Iterator<Item = &str> {
    container.mounts.iter().filter(|mount| mount.writable).filter_map(|mount| mount.volume())
}

/// The options that the driver `local` accepts and requires.
fn checked_options(name: &str, options: &BTreeMap<String, String>) -> Result<()> {
    if let Some(unknown) =
        options.keys().find(|key| !matches!(key.as_str(), "type" | "o" | "device" | "size"))
    {
        return Err(refusal(400, format!("create {name}: invalid option: \"{unknown}\"")));
    }
    let has = |key: &str| options.contains_key(key);
    if (has("type") || has("o")) && !has("device") {
        return Err(refusal(400, format!("create {name}: missing required option: \"device\"")));
    }
    if has("device") && !has("type") {
        return Err(refusal(400, format!("create {name}: missing required option: \"type\"")));
    }
    Ok(())
}

fn checked(name: String) -> Result<String> {
    if name.len() < 2 {
        return Err(refusal(
            400,
            format!(
                "create {name}: volume name is too short, names should be at least two alphanumeric characters"
            ),
        ));
    }
    let first = name.starts_with(|character: char| character.is_ascii_alphanumeric());
    if first
        && name.chars().all(|character| {
            character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
        })
    {
        return Ok(name);
    }
    let allowed = "only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path";
    Err(refusal(
        400,
        format!(
            "create {name}: \"{name}\" includes invalid characters for a local volume name, {allowed}"
        ),
    ))
}
