//! A look at what there is of a project.

use std::collections::BTreeSet;

use super::Surroundings;
use super::observe::{Scope, look_at_owners, observe};
use super::records::Records;
use super::writers::look_at_folders;
use crate::model::Failure;
use crate::model::observed::Observed;

/// What there is of a project.
pub async fn look(around: &Surroundings, project: &str) -> Result<Observed, Failure> {
    let records = Records::new(&*around.host, &around.policy, project);
    let mut observed =
        observe(&*around.engine, project, Scope::Project, &BTreeSet::new(), &records.state())
            .await?;
    look_at_owners(&*around.host, &mut observed);
    look_at_folders(around, None, &mut observed);
    Ok(observed)
}
