//! Executes one action of a plan as calls to the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parking_lot::Mutex;

use super::container_events::ContainerEvents;
use super::create::{self, ContainerRequest};
use super::execution::Execution;
use super::failures::of_engine;
use super::images::{self, ImageBuild};
use super::observe::{find_container, inspect, is_anonymous};
use super::readiness::{self, WaitTarget};
use super::restore_network::{self, NetworkRestore};
use super::start_check::StartCheck;
use super::start_failures::RefusedStart;
use super::startup_history::StartupHistory;
use super::{OnProgress, anonymous_volumes, name_holder, secrets, verify};
use crate::engine::{EngineError, StopRequest};
use crate::model::event::Level;
use crate::model::image_reference::canonical;
use crate::model::names::label;
use crate::model::plan::{Action, Anonymous, ContainerRef, WaitCondition};
use crate::model::spec::secret::SECRETS_FOLDER;
use crate::model::spec::{ProbeMode, Project, Service};
use crate::model::{Failure, Kind, hash};

/// Docker's default time between TERM and KILL.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// The results of the steps so far that later steps need.
#[derive(Default)]
pub(super) struct RunState(Mutex<RunFacts>);

#[derive(Default, Clone)]
pub(super) struct RunFacts {
    /// Name → id of containers that this run created or renamed.
    pub(super) containers: BTreeMap<String, String>,
    /// Image, by its canonical name → id of images that this run pulled or built.
    pub(super) images: BTreeMap<String, String>,
    /// Container name → the monotonic time at which its start began.
    pub(super) begun: BTreeMap<String, Duration>,
    /// Container id → its start, if spc's own probe passed.
    pub(super) passes: BTreeMap<String, String>,
    /// Container id → time from the beginning of its start until it was ready.
    pub(super) ready: BTreeMap<String, Duration>,
    /// Service → how long a container that this run started took to become ready.
    pub(super) startup_histories: BTreeMap<String, StartupHistory>,
    /// Ids of stopped containers.
    pub(super) stopped: Vec<String>,
    /// Ids of containers whose automatic restart is suspended.
    pub(super) suspended: BTreeSet<String>,
}

impl RunState {
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut RunFacts) -> T) -> T {
        change(&mut self.0.lock())
    }

    /// The id of a container, or its name if the id is not known yet.
    pub(super) fn id(&self, container: &ContainerRef) -> String {
        container
            .id
            .clone()
            .or_else(|| self.with(|known| known.containers.get(&container.name).cloned()))
            .unwrap_or_else(|| container.name.clone())
    }
}

impl Execution<'_> {
    /// Executes one action. `service` is the service of the step.
    pub(super) async fn perform(
        &self,
        container_events: &ContainerEvents,
        run_state: &RunState,
        service: Option<&str>,
        action: &Action,
        progress: &OnProgress<'_>,
    ) -> Result<(), Failure> {
        let ctx = self.ctx;
        let engine = &*ctx.engine;
        if action.changes()
            && let Some(lock) = self.lock
        {
            lock.verify().await?;
        }
        let_end(container_events, run_state, action);
        match action {
            Action::PullImage { image } => {
                let id = images::pull(ctx, image, None, progress).await?;
                run_state.with(|known| known.images.insert(canonical(image), id));
            }
            Action::BuildImage { image, service } => {
                let (project, service) = self.described(service)?;
                let Some(build) = &service.build else {
                    return Err(Failure::usage(format!(
                        "The service \"{}\" is not built",
                        service.name
                    )));
                };
                let building = ImageBuild {
                    image,
                    build,
                    of: Some(&service.name),
                    project: &project.name,
                    secrets: &project.secrets,
                };
                let id = images::build(ctx, &building, progress).await?;
                run_state.with(|known| {
                    known
                        .images
                        .extend(service.built_names().map(|name| (canonical(name), id.clone())))
                });
            }
            Action::CreateNetwork { key, name } => self.create_network(key, name).await?,
            Action::RemoveNetwork { name, id } => match engine.network_remove(id).await {
                Ok(()) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    return Err(of_engine(error, &format!("remove the network \"{name}\""))
                        .hint("other containers may still be connected: `docker network inspect` lists them"));
                }
            },
            Action::RestoreNetwork { key, network, hash, instead, containers } => {
                let restored = NetworkRestore {
                    project: &self.plan.project,
                    key,
                    network,
                    hash: hash.as_deref(),
                    instead,
                };
                restore_network::restore(ctx, &restored, containers).await?;
            }
            Action::CreateVolume { key, name } => {
                let project = self.project()?;
                let body = create::volume(
                    &project.name,
                    &ctx.project.directory,
                    key,
                    &project.volumes[key],
                );
                engine
                    .volume_create(body)
                    .await
                    .map_err(|error| of_engine(error, &format!("create the volume \"{name}\"")))?;
            }
            Action::RemoveVolume { name } => match remove_volume(engine, name).await {
                // The anonymous volume was unused when spc observed the engine. A conflict means
                // that a container uses it now, so it stays.
                Err(failure) if failure.kind == Kind::Conflict && is_anonymous(name) => {}
                result => result?,
            },
            Action::CreateContainer { name, number, alias, replaces } => {
                let id = self
                    .create_container(run_state, service, name, *number, *alias, replaces.as_ref())
                    .await?;
                run_state.with(|known| known.containers.insert(name.clone(), id));
            }
            Action::DeliverConfigs { container } => {
                let (project, service) = self.described(service.unwrap_or_default())?;
                secrets::deliver_configs(ctx, project, service, &run_state.id(container)).await?;
            }
            Action::DeliverSecrets { container } => {
                let (project, service) = self.described(service.unwrap_or_default())?;
                secrets::deliver(ctx, project, service, &run_state.id(container)).await?;
            }
            Action::StartContainer { container } => {
                run_state
                    .with(|known| known.begun.insert(container.name.clone(), ctx.host.monotonic()));
                self.start(run_state, service, container).await?;
                self.forget_stop(run_state, &run_state.id(container));
            }
            Action::RestartContainer { container } => {
                run_state
                    .with(|known| known.begun.insert(container.name.clone(), ctx.host.monotonic()));
                let id = run_state.id(container);
                if let Err(error) = engine.container_restart(&id, &StopRequest::default()).await {
                    return Err(self
                        .start_failure(error, "restart", (&container.name, &id), service)
                        .await);
                }
                self.forget_stop(run_state, &id);
            }
            Action::Wait { container, until } => {
                self.wait(container_events, run_state, service, container, *until, progress).await?
            }
            Action::Verify { container } => {
                let (_, service) = self.described(service.unwrap_or_default())?;
                if let Some(request) = &service.verification {
                    let id = run_state.id(container);
                    verify::verify(ctx, &id, &service.name, request).await?;
                }
            }
            Action::Monitor { container, time } => {
                let id = run_state.id(container);
                let waiting = self.wait_target(&id, service, container, WaitCondition::Ready);
                readiness::monitor(ctx, container_events, &waiting, *time).await?;
            }
            Action::Delay { time, .. } => ctx.host.sleep(*time).await,
            Action::Attach { container } => self.attach(run_state, service, container).await?,
            Action::StopContainer { container } => {
                let id = run_state.id(container);
                self.remember_stop(&id);
                // The rollback of a group also stops containers that were ready.
                run_state.with(|known| known.ready.remove(&id));
                // Only `up` stops a container so that another one can start.
                if self.project.is_some() {
                    self.suspend_restart(run_state, &id).await?;
                }
                match engine.container_stop(&id, &StopRequest::default()).await {
                    Ok(_) => run_state.with(|known| known.stopped.push(id)),
                    // Another container is about to start in its place, so it really has to be
                    // stopped.
                    Err(error) if error.is_not_found() && self.is_down(&id).await? => {}
                    Err(error) => {
                        return Err(of_engine(
                            error,
                            &format!("stop the container \"{}\"", container.name),
                        ));
                    }
                }
            }
            Action::RemoveContainer { container, volumes } => {
                self.remove(&run_state.id(container), &container.name, *volumes).await?
            }
            Action::RenameContainer { container, to } => {
                let id = run_state.id(container);
                engine.container_rename(&id, to).await.map_err(|error| {
                    of_engine(
                        error,
                        &format!("rename the container \"{}\" to \"{to}\"", container.name),
                    )
                })?;
                run_state.with(|known| known.containers.insert(to.clone(), id));
            }
        }
        Ok(())
    }

    /// Whether a container has no process, or doesn't exist.
    async fn is_down(&self, id: &str) -> Result<bool, Failure> {
        match inspect(&*self.ctx.engine, id).await {
            Ok(found) => Ok(!found.state.is_up()),
            Err(failure) if failure.kind == Kind::NotFound => Ok(true),
            Err(failure) => Err(failure),
        }
    }

    async fn create_network(&self, key: &str, name: &str) -> Result<(), Failure> {
        let project = self.project()?;
        let body = create::network(
            &project.name,
            &self.ctx.project.directory,
            key,
            &project.networks[key],
        );
        match self.ctx.engine.network_create(body).await {
            Ok(_) => Ok(()),
            // Newer engines reject a second network with the same name: another run created it a
            // moment ago. A subnet that is in use is a conflict too.
            Err(error) if error.is_conflict() && error.message.contains("already exists") => Ok(()),
            Err(error) => Err(network_failure(error, name)),
        }
    }

    /// Records the stop before it happens. Otherwise, after a kill of this run, the service would
    /// look like a job that exited by itself.
    fn remember_stop(&self, id: &str) {
        let ctx = self.ctx;
        let records = ctx.records(&self.plan.project);
        let kept = records.update(|state| {
            state.stopped.insert(id.to_owned());
        });
        if let Err(error) = kept {
            ctx.log(
                Level::Warning,
                format!("Could not record that a container is stopped: {error}"),
            );
        }
    }

    /// Removes the record of the stop when the container starts again, also in a rollback.
    fn forget_stop(&self, run_state: &RunState, id: &str) {
        run_state.with(|known| known.stopped.retain(|stopped| stopped != id));
        // If the record can't be written, the records at the end of the run report it.
        let _ = self.ctx.records(&self.plan.project).update(|state| {
            state.stopped.remove(id);
        });
    }

    /// Whether a container existed before this run or was created by it. If the engine did not
    /// answer the create call, it may still have created the container, or the name may belong to
    /// another container. Then the labels decide.
    pub(super) async fn is_of_this_run(
        &self,
        run_state: &RunState,
        container: &ContainerRef,
    ) -> bool {
        if container.id.is_some()
            || run_state.with(|known| known.containers.contains_key(&container.name))
        {
            return true;
        }
        match find_container(&*self.ctx.engine, &container.name).await {
            Ok(Some(found)) => found.labels.get(label::RUN) == Some(&self.ctx.run.id),
            Ok(None) => false,
            // The later removal reports the error.
            Err(_) => true,
        }
    }

    fn project(&self) -> Result<&Project, Failure> {
        self.project.ok_or_else(|| Failure::usage("This needs the stack's description"))
    }

    fn described(&self, service: &str) -> Result<(&Project, &Service), Failure> {
        let project = self.project()?;
        Ok((project, project.service(service)?))
    }

    async fn create_container(
        &self,
        run_state: &RunState,
        service: Option<&str>,
        name: &str,
        number: u32,
        alias: bool,
        replaces: Option<&ContainerRef>,
    ) -> Result<String, Failure> {
        let ctx = self.ctx;
        let (project, service) = self.described(service.unwrap_or_default())?;
        if let Some(old) = replaces {
            let gives_up = |id: &str| {
                self.plan.steps.iter().any(|step| match &step.action {
                    Action::RemoveContainer { container, .. }
                    | Action::RenameContainer { container, .. } => {
                        container.id.as_deref() == Some(id)
                    }
                    _ => false,
                })
            };
            name_holder::check_final_name(&*ctx.engine, name, old, service, &gives_up).await?;
        }
        let inherited = match replaces {
            Some(old) => {
                anonymous_volumes::inherited(
                    ctx,
                    service,
                    name,
                    &run_state.id(old),
                    self.renew_anonymous_volumes,
                )
                .await?
            }
            None => BTreeMap::new(),
        };
        if let (false, Some(target)) = (alias, inherited.keys().next()) {
            // Both containers would write to the volume until the new one is ready.
            return Err(Failure::usage(format!(
                "\"start-first\" is not possible: the image of the service \"{}\" has a volume at \"{target}\"",
                service.name
            ))
            .hint("use \"stop-first\", or mount a tmpfs there")
            .field("service", service.name.clone()));
        }
        let body = create::container(&ContainerRequest {
            project,
            service,
            number,
            alias,
            fingerprint: self.fingerprints.get(&service.name).map(String::as_str),
            inherited: &inherited,
            secrets: &ctx.secrets,
            api: ctx.engine.api_version(),
            directory: &ctx.project.directory.to_string_lossy(),
            run: &ctx.run.id,
        });
        let created = match ctx.engine.container_create(name, None, body).await {
            Ok(created) => created,
            Err(error) if error.is_conflict() => {
                return Err(name_holder::conflict(&*ctx.engine, name, service).await);
            }
            Err(error) if error.is_not_found() => {
                return Err(Failure::new(
                    Kind::Image,
                    format!(
                        "The image \"{}\" of the service \"{}\" is not on the engine",
                        service.image, service.name
                    ),
                ));
            }
            Err(error) => {
                return Err(of_engine(error, &format!("create the container \"{name}\""))
                    .field("service", service.name.clone()));
            }
        };
        for warning in created.warnings.iter().filter(|warning| !warning.is_empty()) {
            ctx.log(Level::Warning, format!("{name}: {warning}"));
        }
        Ok(created.id)
    }

    async fn start(
        &self,
        run_state: &RunState,
        service: Option<&str>,
        container: &ContainerRef,
    ) -> Result<(), Failure> {
        let engine = &*self.ctx.engine;
        let id = run_state.id(container);
        if let Some(project) = self.project
            && let Some(service) = service.and_then(|name| project.services.get(name))
            && service.networks.len() > 1
        {
            self.connect_missing(project, service, &id).await?;
        }
        let last_look = StartCheck {
            ctx: self.ctx,
            name: &self.plan.project,
            project: self.project,
            service,
            storages: self.storages,
            id: &id,
        };
        last_look.before().await?;
        match engine.container_start(&id).await {
            Ok(_) => {
                last_look.after().await?;
                self.restore_restart(run_state, &id).await
            }
            Err(error) => {
                Err(self.start_failure(error, "start", (&container.name, &id), service).await)
            }
        }
    }

    /// Connects a container to its missing networks before it starts. A run may have been killed
    /// after it created the container.
    async fn connect_missing(
        &self,
        project: &Project,
        service: &Service,
        id: &str,
    ) -> Result<(), Failure> {
        let engine = &*self.ctx.engine;
        let found = engine
            .container_inspect(id)
            .await
            .map_err(|error| of_engine(error, "inspect a container"))?;
        let config = found.config.unwrap_or_default();
        let hash = config.labels.and_then(|mut labels| labels.remove(label::HASH));
        let secrets = &self.ctx.secrets;
        let is_made_of = |hash: &str, service: &Service| {
            hash::may_be_of_service(hash, service, project, secrets)
        };
        // Its image may have had another name.
        let by_old_name = config.image.map(|image| Service { image, ..service.clone() });
        let is_made_of_it = |hash: String| {
            is_made_of(&hash, service)
                || by_old_name.as_ref().is_some_and(|service| is_made_of(&hash, service))
        };
        if !hash.is_some_and(is_made_of_it) {
            // A rollback starts an old container, which has the networks of its own description.
            return Ok(());
        }
        let there =
            found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let alias = there
            .values()
            .next()
            .and_then(|endpoint| endpoint.aliases.as_ref())
            .is_some_and(|aliases| aliases.contains(&service.name));
        for (network, endpoint) in create::further_networks(project, service, alias) {
            if !there.contains_key(&network) {
                engine.network_connect(&network, id, endpoint).await.map_err(|error| {
                    of_engine(
                        error,
                        &format!("connect \"{}\" to the network \"{network}\"", service.name),
                    )
                })?;
            }
        }
        Ok(())
    }

    async fn start_failure(
        &self,
        error: EngineError,
        verb: &str,
        (container, id): (&str, &str),
        service: Option<&str>,
    ) -> Failure {
        let (ctx, described) = (self.ctx, self.project);
        RefusedStart { ctx, verb, project: &self.plan.project, described, service, container, id }
            .explain(error)
            .await
    }

    /// A container to wait for, without its earlier starts.
    fn wait_target<'t>(
        &self,
        id: &'t str,
        service: Option<&'t str>,
        container: &'t ContainerRef,
        until: WaitCondition,
    ) -> WaitTarget<'t> {
        let described =
            service.and_then(|name| self.project.and_then(|project| project.services.get(name)));
        WaitTarget {
            container: id,
            service: service.unwrap_or(&container.name),
            until,
            probe: described.map_or(ProbeMode::Own, |service| service.probe),
            may_complete: described.map(Service::looks_like_a_job),
            deadline: self.deadline,
            startup_history: None,
        }
    }

    async fn wait(
        &self,
        container_events: &ContainerEvents,
        run_state: &RunState,
        service: Option<&str>,
        container: &ContainerRef,
        until: WaitCondition,
        progress: &OnProgress<'_>,
    ) -> Result<(), Failure> {
        let id = run_state.id(container);
        let waiting = WaitTarget {
            startup_history: service
                .filter(|_| run_state.with(|known| known.begun.contains_key(&container.name)))
                .and_then(|name| self.startup_histories.get(name)),
            ..self.wait_target(&id, service, container, until)
        };
        let ready = readiness::wait(self.ctx, container_events, &waiting, progress).await?;
        if !ready.completed {
            container_events.rely_on(&id);
        }
        let now = self.ctx.host.monotonic();
        run_state.with(|known| {
            let elapsed = known
                .begun
                .get(&container.name)
                .map_or(ready.elapsed, |begun| now.saturating_sub(*begun));
            known.ready.insert(id.clone(), elapsed);
            if let (Some(service), Some(startup_history), true) =
                (service, ready.startup_history, known.begun.contains_key(&container.name))
            {
                known.startup_histories.insert(service.to_owned(), startup_history);
            }
            if let Some(started) = ready.own_pass {
                known.passes.insert(id, started);
            }
        });
        Ok(())
    }

    /// Reconnects a container to its networks with the service's names, because aliases can only be
    /// set when a container is connected.
    async fn attach(
        &self,
        run_state: &RunState,
        service: Option<&str>,
        container: &ContainerRef,
    ) -> Result<(), Failure> {
        let (project, service) = self.described(service.unwrap_or_default())?;
        let engine = &*self.ctx.engine;
        let id = run_state.id(container);
        // A killed run may have attached it. Then it serves, and must not lose its connections.
        let attached = match &container.id {
            Some(_) => self.networks_with_alias(&id, &service.name).await?,
            None => BTreeSet::new(),
        };
        for (network, endpoint) in create::all_networks(project, service) {
            if attached.contains(&network) {
                continue;
            }
            match engine.network_disconnect(&network, &id, false).await {
                Ok(()) => {}
                Err(error)
                    if error.is_not_found() || error.message.contains("is not connected") => {}
                Err(error) => {
                    return Err(of_engine(
                        error,
                        &format!(
                            "disconnect \"{}\" from the network \"{network}\"",
                            container.name
                        ),
                    ));
                }
            }
            engine.network_connect(&network, &id, endpoint).await.map_err(|error| {
                of_engine(
                    error,
                    &format!("connect \"{}\" to the network \"{network}\"", container.name),
                )
            })?;
        }
        Ok(())
    }

    /// The networks on which a container has this alias.
    async fn networks_with_alias(
        &self,
        id: &str,
        alias: &str,
    ) -> Result<BTreeSet<String>, Failure> {
        let found = self
            .ctx
            .engine
            .container_inspect(id)
            .await
            .map_err(|error| of_engine(error, "inspect a container"))?;
        let networks = found.network_settings.and_then(|settings| settings.networks);
        let has_it = |aliases: &Vec<String>| aliases.iter().any(|known| known == alias);
        let networks = networks.unwrap_or_default().into_iter();
        let networks =
            networks.filter(|(_, endpoint)| endpoint.aliases.as_ref().is_some_and(has_it));
        Ok(networks.map(|(network, _)| network).collect())
    }

    /// Removes a container and the volume of its secrets. `volumes` decides about its other
    /// anonymous volumes.
    async fn remove(&self, id: &str, name: &str, volumes: Anonymous) -> Result<(), Failure> {
        let engine = &*self.ctx.engine;
        let found = match inspect(engine, id).await {
            Ok(found) => found,
            Err(failure) if failure.kind == Kind::NotFound => return Ok(()),
            Err(failure) => return Err(failure),
        };
        match engine.container_remove(&found.id, true, volumes != Anonymous::Kept).await {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) if error.is_conflict() && error.message.contains("already in progress") => {}
            Err(error) => {
                return Err(of_engine(error, &format!("remove the container \"{name}\"")));
            }
        }
        // For the engine, an anonymous volume taken over from an old container is a named one, so
        // it does not remove it.
        for (target, volume) in &found.volumes {
            if is_anonymous(volume) && (volumes == Anonymous::All || target == SECRETS_FOLDER) {
                remove_volume(engine, volume).await?;
            }
        }
        Ok(())
    }

    /// The longest grace period of a stop, for the deadline of a rollback.
    pub(super) fn grace(&self, service: Option<&str>) -> Duration {
        service
            .and_then(|name| self.project.and_then(|project| project.services.get(name)))
            .and_then(|service| service.stop_grace_period)
            .unwrap_or(DEFAULT_GRACE)
    }
}

/// From now on, the exit of a container that this action stops, restarts or removes is expected.
fn let_end(container_events: &ContainerEvents, run_state: &RunState, action: &Action) {
    if let Action::StopContainer { container }
    | Action::RestartContainer { container }
    | Action::RemoveContainer { container, .. } = action
    {
        container_events.let_end(&run_state.id(container));
    }
}

async fn remove_volume(engine: &dyn crate::engine::Engine, name: &str) -> Result<(), Failure> {
    match engine.volume_remove(name, false).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => {
            let conflict = error.is_conflict();
            let failure = of_engine(error, &format!("remove the volume \"{name}\""));
            Err(if conflict {
                failure.hint(format!(
                    "a container still uses it: `docker ps -a --filter volume={name}` names it"
                ))
            } else {
                failure
            })
        }
    }
}

fn network_failure(error: EngineError, name: &str) -> Failure {
    let overlap =
        error.message.contains("overlaps") || error.message.contains("conflicts with network");
    let mut failure = of_engine(error, &format!("create the network \"{name}\""));
    if overlap {
        failure.kind = Kind::Conflict;
        failure = failure
            .hint("another network has this subnet: `docker network ls` and `docker network inspect` name it; choose another `subnet`");
    }
    failure
}
