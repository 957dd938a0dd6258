//! The containers that have to release a storage before a service may write to it.

use super::super::observed_state::{Container, ObservedState};
use super::super::spec::{Project, Service};
use super::super::storage::{NOT_SHARED, WriteTargets, clash};

/// The containers of other services that write to a storage, if they and `service` may not both
/// write to it.
pub(super) fn holders<'a>(
    project: &Project,
    service: &Service,
    observed: &'a ObservedState,
) -> impl Iterator<Item = &'a Container> {
    let writes =
        WriteTargets { project: Some(project), storages: &observed.storages, shared: NOT_SHARED };
    let own = writes.of_service(service);
    let meets = |other: &&Container| {
        other.service != service.name
            && clash(&own, &writes.of_running(other.writes.iter(), other.folders.iter())).is_some()
    };
    observed.containers.iter().filter(meets).collect::<Vec<_>>().into_iter()
}
