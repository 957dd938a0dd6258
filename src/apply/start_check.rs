//! Checks for other writers to a container's storage right before and right after its start.
//!
//! A plan is checked against all containers, and the lock allows only one run of a project at a
//! time. But a run of another project, or a person, may start a container at the same time. This
//! check finds it. If two were started at once, the later one is stopped again.

use std::cmp::Ordering;

use futures::future::BoxFuture;

use super::VerbContext;
use super::failures::of_engine;
use super::observe::bystanders;
use super::writers::WriterCheck;
use crate::engine::StopRequest;
use crate::model::event::Level;
use crate::model::observed_state::{EngineContainer, ObservedState};
use crate::model::plan::{Action, ContainerRef, Plan, Step};
use crate::model::spec::{Project, Service};
use crate::model::storage::Storages;
use crate::model::{Failure, Kind};

/// A container that is about to start.
pub(super) struct StartCheck<'a> {
    pub ctx: &'a VerbContext,
    /// The project's name.
    pub name: &'a str,
    pub project: Option<&'a Project>,
    pub service: Option<&'a str>,
    /// The locations of volumes and folders.
    pub storages: &'a Storages,
    /// Its id.
    pub id: &'a str,
}

/// Another container that writes to the same storage, and the message about it.
struct Clash {
    holder: ContainerRef,
    refusal: Failure,
}

impl StartCheck<'_> {
    /// Fails if another container writes to a storage of this one.
    pub fn before(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            match self.clash(true).await? {
                Some(clash) => Err(clash.refusal),
                None => Ok(()),
            }
        })
    }

    /// Stops it and fails if another container that started earlier writes to the same storage.
    pub fn after(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(async move {
            let Some(Clash { holder, refusal }) = self.clash(false).await? else { return Ok(()) };
            let other = holder.id.as_deref().unwrap_or(&holder.name);
            if self
                .started(self.id)
                .await?
                .cmp(&self.started(other).await?)
                .then_with(|| self.id.cmp(other))
                == Ordering::Less
            {
                let text = format!(
                    "The container \"{}\" was started beside one that writes to the same storage: spc would stop it",
                    holder.name
                );
                self.ctx.log(Level::Warning, text);
                return Ok(());
            }
            let stopped = self.ctx.engine.container_stop(self.id, &StopRequest::default()).await;
            stopped.map_err(|error| {
                of_engine(error, "stop a container that was started beside another writer")
            })?;
            Err(refusal)
        })
    }

    /// Whether its description contains something that only one container may write to; true for a
    /// container without a description.
    fn may_clash(&self) -> bool {
        let described =
            self.project.and_then(|project| Some((project, project.services.get(self.service?)?)));
        described.is_none_or(|(project, service)| writes_alone(project, service))
    }

    async fn clash(&self, is_before: bool) -> Result<Option<Clash>, Failure> {
        if !self.may_clash() {
            return Ok(None);
        }
        let mut all: Vec<EngineContainer> = bystanders(&*self.ctx.engine).await?;
        let Some(own) = all.iter().find(|there| there.id == self.id) else { return Ok(None) };
        if own.writes.is_empty() && own.folders.is_empty() || is_before && own.is_up {
            return Ok(None);
        }
        let container = ContainerRef { name: own.name.clone(), id: Some(own.id.clone()) };
        let service = self.service.map(str::to_owned);
        let plan = Plan {
            steps: vec![Step { service, ..Step::alone(Action::StartContainer { container }) }],
            ..Plan::default()
        };
        // The earlier observation of the project's containers is out of date.
        let observed =
            ObservedState { storages: self.storages.clone(), ..ObservedState::default() };
        loop {
            let writing = WriterCheck {
                ctx: self.ctx,
                name: self.name,
                project: self.project,
                observed: &observed,
                all: &all,
            };
            let Some((holder, refusal)) = writing.second(&plan).await else { return Ok(None) };
            // The list may be out of date.
            if self.is_up(&holder).await? {
                return Ok(Some(Clash { holder, refusal }));
            }
            all.retain(|there| holder.id.as_ref() != Some(&there.id));
        }
    }

    async fn is_up(&self, container: &ContainerRef) -> Result<bool, Failure> {
        let id = container.id.as_deref().unwrap_or(&container.name);
        match self.ctx.engine.container_inspect(id).await {
            Ok(found) => Ok(found.state.is_some_and(|state| {
                [state.running, state.paused, state.restarting].contains(&Some(true))
            })),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => {
                Err(of_engine(error, &format!("inspect the container \"{}\"", container.name)))
            }
        }
    }

    /// Its start time, by the engine's clock.
    async fn started(
        &self,
        id: &str,
    ) -> Result<Option<chrono::DateTime<chrono::FixedOffset>>, Failure> {
        let found = self
            .ctx
            .engine
            .container_inspect(id)
            .await
            .map_err(|error| of_engine(error, "inspect a container"))?;
        let text = found.state.and_then(|state| state.started_at).unwrap_or_default();
        Ok(chrono::DateTime::parse_from_rfc3339(&text).ok())
    }
}

/// Whether a container of the service writes to a storage that no other container may write to.
pub(super) fn writes_alone(project: &Project, service: &Service) -> bool {
    !project.own_volumes(service).is_empty() || service.writable_binds().next().is_some()
}

/// The same failure for a one-off container, with another next step.
pub(super) fn of_one_off(failure: Failure) -> Failure {
    if failure.kind != Kind::Conflict {
        return failure;
    }
    let message = failure.message.replacen("The service", "A one-off container of", 1);
    Failure { message, ..failure }.hint(
        "run the command in that container with exec, or when it has ended; a volume that is safe to share has \"x-spc-shared\": true",
    )
}
