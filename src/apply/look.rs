//! Reads the current state of a project.

use std::collections::BTreeSet;
use std::path::Path;

use super::VerbContext;
use super::observe::{ObserveScope, look_at_owners, observe};
use super::writers::look_at_folders;
use crate::engine::label_filter;
use crate::model::Failure;
use crate::model::names::compose_label;
use crate::model::observed_state::ObservedState;

/// The current state of a project.
pub async fn look(ctx: &VerbContext, project: &str) -> Result<ObservedState, Failure> {
    let records = ctx.records(project);
    let mut observed =
        observe(&*ctx.engine, project, ObserveScope::Project, &BTreeSet::new(), &records.state())
            .await?;
    look_at_owners(&*ctx.host, &mut observed);
    look_at_folders(ctx, None, &mut observed);
    Ok(observed)
}

/// The names of the projects whose containers were created from `folder`, as a suggestion: empty if
/// the engine can't list them.
pub async fn projects_of_folder(ctx: &VerbContext, folder: &Path) -> BTreeSet<String> {
    let filter = label_filter(compose_label::WORKING_DIR, &folder.to_string_lossy());
    let containers = ctx.engine.container_list(true, &filter).await.unwrap_or_default();
    let labels = containers.into_iter().filter_map(|container| container.labels);
    // A lock belongs to no service.
    labels
        .filter(|labels| labels.contains_key(compose_label::SERVICE))
        .filter_map(|mut labels| labels.remove(compose_label::PROJECT))
        .collect()
}
