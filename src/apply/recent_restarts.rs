//! Containers that the engine has just started again: the list says "running" of what restarts
//! again and again, between two ends.

use std::time::Duration;

use super::observe::inspect;
use crate::engine::Engine;
use crate::model::observed_state::{ContainerState, Health, ObservedState, read_status};
use crate::model::spec::{Project, Restart};

/// What runs for so long without an end counts as started well: so does the engine, which then
/// waits for no longer at the next end.
pub const STEADY: Duration = Duration::from_secs(10);

/// Finds out how often the engine has started a container again that runs for less than ten
/// seconds, and that no check tells about.
pub async fn look_at_restarted(
    engine: &dyn Engine,
    project: Option<&Project>,
    observed: &mut ObservedState,
) {
    let restarts = |service: &String| {
        let service = project.and_then(|project| project.services.get(service));
        service.is_some_and(|service| service.restart != Restart::No)
    };
    let doubtful = observed.containers.iter_mut().filter(|container| {
        container.state == ContainerState::Running
            && container.health == Health::None
            && restarts(&container.service)
            && read_status(&container.status).2.is_some_and(|up| up < STEADY)
    });
    futures::future::join_all(doubtful.map(|container| async {
        // A container that is gone by now is found gone by the step that needs it.
        if let Ok(found) = inspect(engine, &container.id).await {
            container.restarts = u32::try_from(found.restart_count).unwrap_or(0);
        }
    }))
    .await;
}
