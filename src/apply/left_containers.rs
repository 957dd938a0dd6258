//! What a failed run leaves behind: containers that it created, and how to continue or remove them.

use std::collections::BTreeSet;

use super::execution::CreatedContainer;
use crate::model::observed_state::ObservedState;
use crate::model::{Failure, Kind};

/// The same failure with the containers that the run created and that still exist. An interrupt
/// reports what was done in its own way.
pub fn with_left_containers(
    failure: Failure,
    created: &[CreatedContainer],
    observed: &ObservedState,
) -> Failure {
    if failure.kind == Kind::Interrupted {
        return failure;
    }
    let (mut running, mut stopped) = (BTreeSet::new(), BTreeSet::new());
    for CreatedContainer { id, service } in created {
        let Some(container) = observed.containers.iter().find(|container| container.id == *id)
        else {
            continue;
        };
        let left = if container.is_up() { &mut running } else { &mut stopped };
        left.insert(service.as_str());
    }
    let list = |state: &str, services: BTreeSet<&str>| {
        let names = services.into_iter().collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then(|| format!("left {state}: {names}; "))
    };
    let left: String =
        [list("running", running), list("not running", stopped)].into_iter().flatten().collect();
    if left.is_empty() {
        return failure;
    }
    let next = "run the same command again to continue, or remove them with `down()`";
    failure.detail("after the failure", format!("{left}{next}"))
}
