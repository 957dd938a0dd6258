//! Reads the current state of a project.

use std::collections::BTreeSet;

use super::VerbContext;
use super::observe::{ObserveScope, look_at_owners, observe};
use super::writers::look_at_folders;
use crate::model::Failure;
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
