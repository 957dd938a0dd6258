//! The last check of `up`: when the verb returns, the containers that it brought up, and those that
//! were ready and did not change, are still running.

use std::collections::BTreeSet;

use futures::FutureExt;

use super::VerbContext;
use super::container_events::ContainerEvents;
use super::execution::ExecutionReport;
pub use super::execution::UnchangedContainer;
use super::readiness::{self, WaitTarget};
use crate::model::event::{Detail, Level, StepStatus};
use crate::model::failure::unpause;
use crate::model::observed_state::{Container, ContainerState, Health, ObservedState};
use crate::model::plan::{Action, Plan, WaitCondition};
use crate::model::spec::{Project, Restart, Service};
use crate::model::{Failure, Kind};

/// The containers of `services` that are ready and that the plan doesn't change, except those that
/// are only optional for other services.
pub fn kept(
    observed: &ObservedState,
    plan: &Plan,
    project: &Project,
    services: &BTreeSet<String>,
) -> Vec<UnchangedContainer> {
    let is_required = |service: &String| {
        let mut uses =
            project.services.values().filter_map(|other| other.depends_on.get(service)).peekable();
        uses.peek().is_none() || uses.any(|dependency| dependency.required)
    };
    let concerned: BTreeSet<&str> =
        plan.steps.iter().filter_map(|step| container_of(&step.action)).collect();
    let is_kept = |container: &&Container| {
        container.is_ready()
            && services.contains(&container.service)
            && is_required(&container.service)
            && !concerned.contains(container.id.as_str())
    };
    observed
        .containers
        .iter()
        .filter(is_kept)
        .map(|it| UnchangedContainer { id: it.id.clone(), service: it.service.clone() })
        .collect()
}

/// The id of the action's container, if it exists.
fn container_of(action: &Action) -> Option<&str> {
    match action {
        Action::StartContainer { container }
        | Action::RestartContainer { container }
        | Action::StopContainer { container }
        | Action::RemoveContainer { container, .. }
        | Action::RenameContainer { container, .. }
        | Action::Wait { container, .. }
        | Action::Verify { container }
        | Action::Monitor { container, .. }
        | Action::Attach { container } => container.id.as_deref(),
        Action::CreateContainer { replaces, .. } => replaces.as_ref()?.id.as_deref(),
        _ => None,
    }
}

/// The containers that have to be up now: those that a step waited for, and those that were kept.
/// Removed ones are included, with their service.
pub fn to_check(
    observed: &ObservedState,
    report: &ExecutionReport,
    kept: &[UnchangedContainer],
) -> Vec<UnchangedContainer> {
    let waited =
        observed.containers.iter().filter(|container| report.ready.contains_key(&container.id));
    let waited = waited.map(|container| UnchangedContainer {
        id: container.id.clone(),
        service: container.service.clone(),
    });
    waited.chain(kept.iter().cloned()).collect()
}

/// The last check before the verb returns.
pub struct FinalCheck<'a> {
    pub ctx: &'a VerbContext,
    pub project: &'a Project,
    pub plan: &'a Plan,
    pub deadline: Option<std::time::Duration>,
}

impl FinalCheck<'_> {
    /// Fails if one of `all` is no longer up. If one is unhealthy now, waits for it once more,
    /// because this may pass. Returns whether it waited.
    pub async fn check(
        &self,
        observed: &ObservedState,
        all: &[UnchangedContainer],
    ) -> Result<bool, Failure> {
        let mut waited = false;
        for UnchangedContainer { id, service } in all {
            let Some(container) = observed.containers.iter().find(|there| there.id == *id) else {
                let message =
                    format!("\"{service}\" was ready, but another program removed its container");
                return Err(
                    Failure::new(Kind::Unhealthy, message).field("service", service.clone())
                );
            };
            match container.state {
                ContainerState::Running if container.health == Health::Unhealthy => {
                    waited = true;
                    self.wait(container, None).await?;
                }
                ContainerState::Running => {}
                ContainerState::Paused => {
                    let message = format!("\"{service}\" was ready and is paused now");
                    return Err(Failure::new(Kind::Unhealthy, message)
                        .hint(unpause(&container.name))
                        .field("service", service.clone()));
                }
                _ if self.is_done(container) => {}
                _ => {
                    waited = true;
                    self.wait(container, Some(container.exit_code.unwrap_or_default())).await?;
                }
            }
        }
        Ok(waited)
    }

    /// Whether this is a job: the engine doesn't restart it.
    fn is_done(&self, container: &Container) -> bool {
        let ended_well =
            container.exit_code == Some(0) && container.state == ContainerState::Exited;
        let restart = self.project.services.get(&container.service).map(|service| &service.restart);
        ended_well && matches!(restart, Some(Restart::No | Restart::OnFailure(_)))
    }

    fn waiting<'w>(&'w self, container: &'w Container) -> WaitTarget<'w> {
        let described = self.project.services.get(&container.service);
        WaitTarget {
            container: &container.id,
            service: &container.service,
            until: WaitCondition::Ready,
            probe: described.map_or_else(Default::default, |service| service.probe),
            may_complete: described.map(Service::looks_like_a_job),
            deadline: self.deadline,
            startup_history: None,
        }
    }

    /// Waits until the container is ready again. `ended`: its exit code, if it ended.
    async fn wait(&self, container: &Container, ended: Option<i64>) -> Result<(), Failure> {
        let container_events = ContainerEvents::new(&self.plan.project);
        let events = container_events.subscribe(self.ctx).await?;
        let waiting = self.waiting(container);
        let say = |standing: StepStatus| {
            if standing.detail == Some(Detail::Waiting) {
                self.ctx.log(
                    Level::Info,
                    format!(
                        "waiting for \"{}\" to be ready again: {}",
                        container.service, standing.text
                    ),
                );
            }
        };
        let work = async {
            match ended {
                Some(code) => {
                    readiness::ended(self.ctx, &container_events, &waiting, code, 1).await
                }
                None => {
                    readiness::wait(self.ctx, &container_events, &waiting, &say).await.map(drop)
                }
            }
        };
        futures::select_biased! {
            result = Box::pin(work).fuse() => result,
            () = Box::pin(container_events.dispatch(self.ctx, events)).fuse() => Ok(()),
            () = self.ctx.cancel.cancelled().fuse() => Err(Failure::interrupted()),
        }
    }
}
