//! The folders that a project was created from, as the engine knows them: from labels, and from the
//! record of a move.

use std::collections::BTreeSet;

use bollard::models;

use crate::model::names::{compose_label, is_former_folders_volume, label, read_former_folders};
use crate::model::observed_state::MoveRecord;

/// The record of a move in this volume, if it contains one.
pub(super) fn record(volume: &models::Volume) -> Option<MoveRecord> {
    let former = volume
        .labels
        .get(label::FORMER_FOLDERS)
        .filter(|_| is_former_folders_volume(&volume.name))?;
    Some(MoveRecord {
        name: volume.name.clone(),
        to: volume.labels.get(compose_label::WORKING_DIR).cloned().unwrap_or_default(),
        former: read_former_folders(former).into_iter().collect(),
    })
}

/// The folders that existing objects of `project` were created from.
pub(super) fn folders(
    project: &str,
    containers: &[models::ContainerSummary],
    networks: &[models::Network],
    volumes: &[models::Volume],
) -> BTreeSet<String> {
    let networks = networks.iter().filter_map(|network| network.labels.as_ref());
    let volumes =
        volumes.iter().filter(|volume| record(volume).is_none()).map(|volume| &volume.labels);
    let all = containers
        .iter()
        .filter_map(|container| container.labels.as_ref())
        .chain(networks)
        .chain(volumes);
    let is_of = |labels: &&std::collections::HashMap<String, String>| {
        [label::PROJECT, compose_label::PROJECT]
            .iter()
            .any(|key| labels.get(*key).is_some_and(|of| of == project))
    };
    all.filter(is_of)
        .filter_map(|labels| labels.get(compose_label::WORKING_DIR))
        .filter(|folder| !folder.is_empty())
        .cloned()
        .collect()
}
