//! Copies archives into and out of containers.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::containers::Container;
use super::errors::refusal;
use super::mounts::{ContainerMount, Source};
use super::state::State;
use super::tree::{Tree, TreeEntry, normal};
use crate::engine::Result;

/// The real location of a path in a container.
enum FileLocation {
    /// In the container's own layer, under this path.
    Layer(String),
    Volume {
        name: String,
        path: String,
    },
}

impl State {
    /// Unpacks an archive at a folder of the container, running or not.
    pub fn upload(&mut self, wanted: &str, path: &str, tar: &[u8]) -> Result<()> {
        let id = self.container_id(wanted)?;
        self.with_volumes_mounted(&id, |state| {
            let container = state.container(&id)?;
            match state.archive_files(container).find(path) {
                None => return Err(missing(wanted, path)),
                Some(TreeEntry::File) => {
                    return Err(refusal(500, "extraction point is not a directory"));
                }
                Some(TreeEntry::Folder) => {}
            }
            let mount = mount_of(container, path);
            if mount.is_some_and(|mount| {
                !mount.writable && !matches!(mount.source, Source::Tmpfs { .. })
            }) {
                return Err(refusal(500, "mounted volume is marked read-only"));
            }
            let place = place(container, path);
            if matches!(place, FileLocation::Layer(_))
                && container.host.readonly_rootfs == Some(true)
                && !matches!(mount, Some(ContainerMount { source: Source::Bind(_), .. }))
            {
                return Err(refusal(500, "container rootfs is marked read-only"));
            }
            let unpacked = match place {
                FileLocation::Layer(path) => state.container_mut(&id)?.layer.unpack(&path, tar),
                FileLocation::Volume { name, path } => {
                    state.objects.volumes.get_mut(&name).map_or(Ok(()), |volume| {
                        volume.writes += 1;
                        volume.files.unpack(&path, tar)
                    })
                }
            };
            unpacked.map_err(|error| {
                refusal(500, format!("Error processing tar file(exit status 1): {error}"))
            })?;
            state.emit_container(&id, "extract-to-dir", &[]);
            Ok(())
        })
    }

    /// A file or folder of the container as an archive.
    pub fn download(&mut self, wanted: &str, path: &str) -> Result<Bytes> {
        let id = self.container_id(wanted)?;
        self.with_volumes_mounted(&id, |state| {
            let packed = state.archive_files(state.container(&id)?).pack(path);
            let tar = packed
                .map_err(|error| refusal(500, format!("could not pack {path}: {error}")))?
                .ok_or_else(|| missing(wanted, path))?;
            state.emit_container(&id, "archive-path", &[]);
            Ok(tar)
        })
    }

    /// The engine mounts a container's volumes during the work, and sends events about it.
    fn with_volumes_mounted<T>(
        &mut self,
        id: &str,
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let volumes = self.mounted_volumes(id);
        for (volume, destination, writable) in &volumes {
            self.emit_mount(id, volume, destination, *writable);
        }
        let result = work(self);
        for (volume, ..) in &volumes {
            self.emit_unmount(id, volume);
        }
        result
    }

    /// Writes a file from inside the container.
    pub(in crate::engine::sim) fn write_file(&mut self, id: &str, path: &str, content: Bytes) {
        let Ok(container) = self.container(id) else { return };
        match place(container, path) {
            FileLocation::Layer(path) => {
                if let Ok(container) = self.container_mut(id) {
                    container.layer.write(&path, content);
                }
            }
            FileLocation::Volume { name, path } => {
                if let Some(volume) = self.objects.volumes.get_mut(&name) {
                    volume.writes += 1;
                    volume.files.write(&path, content);
                }
            }
        }
    }

    /// The files as the engine's archives see them, including those hidden by a tmpfs.
    fn archive_files(&self, container: &Container) -> Tree {
        let mut files = container.image_files.as_ref().clone();
        // Mount points are created with the container, those of tmpfs at its first start.
        let started = container.started.is_some();
        for mount in container
            .mounts
            .iter()
            .filter(|mount| started || !matches!(mount.source, Source::Tmpfs { .. }))
        {
            files.add_folder(&mount.destination);
        }
        files.overlay(&container.layer, "/");
        for mount in &container.mounts {
            if let Some(volume) = mount.volume().and_then(|name| self.objects.volumes.get(name)) {
                files.remove(&mount.destination);
                files.add_folder(&mount.destination);
                files.overlay(&volume.files, &mount.destination);
            }
        }
        files
    }
}

fn missing(container: &str, path: &str) -> crate::engine::EngineError {
    refusal(404, format!("Could not find the file {path} in container {container}"))
}

/// The innermost mount that contains `path`.
fn mount_of<'a>(container: &'a Container, path: &str) -> Option<&'a ContainerMount> {
    let path = normal(path);
    let above: BTreeSet<&str> = ancestors(&path).collect();
    container
        .mounts
        .iter()
        .filter(|mount| above.contains(mount.destination.as_str()))
        .max_by_key(|mount| mount.destination.len())
}

/// `path` itself and all its parents, except the root.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(folder, _)| folder))
        .filter(|path| !path.is_empty())
}

fn place(container: &Container, path: &str) -> FileLocation {
    let path = normal(path);
    match mount_of(container, &path) {
        Some(mount @ ContainerMount { source: Source::Volume { name, .. }, .. }) => {
            FileLocation::Volume {
                name: name.clone(),
                path: normal(&path[mount.destination.len()..]),
            }
        }
        _ => FileLocation::Layer(path),
    }
}
