//! Finds two running containers that write to one storage that is not shared, under any name.
//!
//! A volume can stand for a folder of the machine or a share of another one. A bind mount can lead
//! into it, or into the folder where the engine keeps a volume. It does not matter who created the
//! containers: a plan is also wrong if it starts one beside another's. Two bind mounts conflict
//! only between a container and its replacement, because services may share a folder.

use std::collections::{BTreeMap, BTreeSet};

use super::invariants::is_ours;
use crate::engine::sim::daemon::containers::Container;
use crate::engine::sim::daemon::mounts::Source;
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::tree::normal;
use crate::engine::sim::daemon::volumes::Volume;
use crate::model::names::{compose_label, label};

/// Where the engine keeps the content of volumes.
const VOLUMES: &str = "/var/lib/docker/volumes/";

/// The storage that a running container writes to.
struct WriteAccess<'a> {
    container: &'a Container,
    /// A path of the machine, a share, or the name of a volume.
    place: String,
    /// Mounted as a volume that only one container may write to.
    exclusive: bool,
}

impl State {
    /// Two running containers that write to one storage.
    pub(in crate::engine::sim) fn second_writer(&self) -> Option<String> {
        let all: Vec<WriteAccess<'_>> = self
            .running()
            .flat_map(|container| {
                let mounts = container.mounts.iter().filter(|mount| mount.writable);
                mounts.filter_map(move |mount| self.writing(container, &mount.source))
            })
            .collect();
        let mut by_place: BTreeMap<&str, Vec<&WriteAccess<'_>>> = BTreeMap::new();
        for writing in &all {
            by_place.entry(&writing.place).or_default().push(writing);
        }
        let meet = |one: &WriteAccess<'_>, other: &WriteAccess<'_>| {
            one.container.id != other.container.id && (one.exclusive || other.exclusive)
        };
        let outer = |inner: &str| {
            within(inner)
                .filter_map(|place| by_place.get(place))
                .flatten()
                .copied()
                .collect::<Vec<_>>()
        };
        let volumes = all.iter().find_map(|one| {
            outer(&one.place).into_iter().find(|other| meet(one, other)).map(|other| (other, one))
        });
        let (one, other) = volumes.or_else(|| self.replaced_beside(&all))?;
        let (first, second) = if one.container.started <= other.container.started {
            (one, other)
        } else {
            (other, one)
        };
        let place = &one.place;
        Some(format!(
            "the running containers \"{}\" and \"{}\" write to \"{place}\"",
            first.container.name, second.container.name
        ))
    }

    /// A container and its replacement that write to one folder.
    fn replaced_beside<'a>(
        &self,
        all: &'a [WriteAccess<'a>],
    ) -> Option<(&'a WriteAccess<'a>, &'a WriteAccess<'a>)> {
        let mut seen: BTreeMap<(&str, String), &WriteAccess<'_>> = BTreeMap::new();
        let mut counted: BTreeSet<(&str, &str)> = BTreeSet::new();
        for writing in all.iter().filter(|writing| writing.place.starts_with('/')) {
            let Some(which) = self.which(writing.container) else { continue };
            if counted.insert((&writing.place, &writing.container.id))
                && let Some(other) = seen.insert((&writing.place, which), writing)
            {
                return Some((other, writing));
            }
        }
        None
    }

    /// Its identity within its project; `None` for a one-off container.
    fn which(&self, container: &Container) -> Option<String> {
        let labels = self.own_labels(container);
        let own = |key: &str| labels.get(key).filter(|_| is_ours(&labels));
        let one_off = own(compose_label::ONEOFF).is_some_and(|value| value == "True");
        let which = [
            own(label::PROJECT)?,
            own(compose_label::SERVICE)?,
            own(compose_label::CONTAINER_NUMBER)?,
        ];
        (!one_off).then(|| which.map(String::as_str).join(" "))
    }

    fn writing<'a>(&'a self, container: &'a Container, source: &Source) -> Option<WriteAccess<'a>> {
        let of_volume = |name: &str, exclusive: bool| {
            let volume = self.objects.volumes.get(name);
            let exclusive =
                exclusive && volume.is_none_or(|volume| !volume.labels.contains_key(label::SHARED));
            WriteAccess {
                container,
                place: volume.and_then(Volume::elsewhere).unwrap_or_else(|| name.to_owned()),
                exclusive,
            }
        };
        match source {
            Source::Volume { name, .. } => Some(of_volume(name, true)),
            Source::Bind(path) => {
                match path.strip_prefix(VOLUMES).and_then(|rest| rest.split('/').next()) {
                    Some(name) if self.objects.volumes.contains_key(name) => {
                        Some(of_volume(name, false))
                    }
                    _ => Some(WriteAccess { container, place: normal(path), exclusive: false }),
                }
            }
            Source::Tmpfs { .. } => None,
        }
    }
}

/// The path itself and its parents, except the root of the machine, which only management
/// containers mount.
fn within(place: &str) -> impl Iterator<Item = &str> {
    let folders =
        place.match_indices('/').map(|(end, _)| &place[..end]).filter(|folder| !folder.is_empty());
    folders.chain(std::iter::once(place))
}
