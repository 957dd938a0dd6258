//! Containers that the engine has just restarted. Between two exits, the engine's list shows them
//! as "running".

use std::time::Duration;

use super::observe::inspect;
use crate::engine::Engine;
use crate::model::observed_state::{ContainerState, Health, ObservedState, read_status};
use crate::model::spec::{Project, Restart};

/// A container that runs for this long without an exit counts as started. The engine does the same:
/// its pauses then begin at the shortest again.
pub const STEADY: Duration = Duration::from_secs(10);

/// Finds out how often the engine has restarted a container without a check that runs for less than
/// ten seconds.
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
        // If a container is gone by now, the step that needs it will notice.
        if let Ok(found) = inspect(engine, &container.id).await {
            container.restarts = u32::try_from(found.restart_count).unwrap_or(0);
        }
    }))
    .await;
}
