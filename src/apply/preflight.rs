//! Finds rejections before the first change: checks the description and the plan against the state
//! of the engine.
//!
//! A plan is checked before its first step and before the lock is taken for it. The engine's guard
//! checks each call again. This module contains every check that needs only the description and the
//! observed state. A check that needs an earlier change can't be here.

use std::collections::BTreeSet;
use std::path::Path;

use super::VerbContext;
use super::bind_sources;
use super::create::{self, ContainerRequest};
use super::failures::of_engine;
use super::images::{self, ImageBuild};
use super::log_drivers;
use super::name_holder::check_name;
use super::ports;
use super::start_ports;
use super::writers::WriterCheck;
use crate::engine::{Engine, Intent};
use crate::model::failure::SpecPath;
use crate::model::observed_state::{EngineContainer, ObservedState};
use crate::model::plan::{Action, Plan, Step};
use crate::model::spec::{MountSource, Project, Service, Volume};
use crate::model::{Failure, Kind};

/// Fails if the engine's guard would reject it.
pub async fn may(engine: &dyn Engine, intent: Intent<'_>) -> Result<(), Failure> {
    engine.check(intent).await.map_err(|error| of_engine(error, "check what is going to be done"))
}

/// The same for an object that is checked by its id and shown by its name.
async fn may_by_id(
    engine: &dyn Engine,
    intent: Intent<'_>,
    id: &str,
    name: &str,
) -> Result<(), Failure> {
    may(engine, intent).await.map_err(|failure| {
        let message = failure.message.replace(&format!("\"{id}\""), &format!("\"{name}\""));
        Failure { message, ..failure }
    })
}

/// A plan with the state that it was made from.
pub struct Preflight<'a> {
    pub ctx: &'a VerbContext,
    /// The description of new containers; `None` for verbs that create nothing.
    pub project: Option<&'a Project>,
    pub name: &'a str,
    pub plan: &'a Plan,
    pub observed: &'a ObservedState,
    /// Every container on the engine.
    pub all: &'a [EngineContainer],
}

/// Adds the path of the entry `key` in the section `section` to a failure.
fn at(section: &str, key: &str) -> impl FnOnce(Failure) -> Failure {
    let keys = vec![section.to_owned(), key.to_owned()];
    |failure| {
        if failure.path.is_some() { failure } else { failure.at(SpecPath { keys, on_key: true }) }
    }
}

impl Preflight<'_> {
    /// Fails with the first rejection, and its path in the description if it has one.
    pub async fn check(&self) -> Result<(), Failure> {
        may(&*self.ctx.engine, Intent::ChangeProject(self.name)).await?;
        if let Some(project) = self.project {
            self.used_objects(project).await?;
        }
        for step in &self.plan.steps {
            let checked = self.step(step).await;
            checked.map_err(|failure| match &step.service {
                Some(service) => at("services", service)(failure).field("service", service.clone()),
                None => failure,
            })?;
        }
        let Self { ctx, project, name, plan, observed, all } = self;
        if let Some(project) = project {
            log_drivers::check(ctx, project, plan).await?;
            ports::check(ctx, project, plan).await?;
        } else {
            start_ports::check(ctx, plan, observed).await?;
        }
        WriterCheck { ctx, name, project: *project, observed, all }.check(plan).await
    }

    /// Existing networks and volumes that services with changes will use.
    async fn used_objects(&self, project: &Project) -> Result<(), Failure> {
        let concerned: BTreeSet<&String> =
            self.plan.steps.iter().filter_map(|step| step.service.as_ref()).collect();
        let services =
            || project.services.values().filter(|service| concerned.contains(&service.name));
        let networks: BTreeSet<&String> =
            services().flat_map(|service| service.networks.keys()).collect();
        for key in networks {
            let name = &project.networks[key].name;
            for network in self.observed.networks.iter().filter(|there| there.name == *name) {
                let used = may_by_id(
                    &*self.ctx.engine,
                    Intent::UseNetwork(&network.id),
                    &network.id,
                    name,
                )
                .await;
                used.map_err(at("networks", key))?;
            }
        }
        let volumes: BTreeSet<&str> = services().flat_map(mounted_volumes).collect();
        for key in volumes {
            let name = &project.volumes[key].name;
            if self.observed.volumes.iter().any(|there| there.name == *name) {
                may(&*self.ctx.engine, Intent::UseVolume(name))
                    .await
                    .map_err(at("volumes", key))?;
            }
        }
        Ok(())
    }

    async fn step(&self, step: &Step) -> Result<(), Failure> {
        let engine = &*self.ctx.engine;
        match &step.action {
            Action::PullImage { image } => may(engine, Intent::PullImage(image)).await,
            Action::BuildImage { image, service } => match self.described(service) {
                Some((project, service)) => match &service.build {
                    Some(build) => {
                        let of = Some(service.name.as_str());
                        let building = ImageBuild {
                            image,
                            build,
                            of,
                            project: &project.name,
                            secrets: &project.secrets,
                        };
                        images::check(self.ctx, &building)
                            .await
                            .map_err(|failure| in_build(service, failure))
                    }
                    None => Ok(()),
                },
                None => Ok(()),
            },
            Action::CreateNetwork { key, .. } => match self.project {
                Some(project) => {
                    let body = create::network(
                        &project.name,
                        &self.ctx.project.directory,
                        key,
                        &project.networks[key],
                    );
                    may(engine, Intent::CreateNetwork(&body)).await.map_err(at("networks", key))
                }
                None => Ok(()),
            },
            Action::CreateVolume { key, .. } => match self.project {
                Some(project) => {
                    self.bound_folder(key, &project.volumes[key])?;
                    let body = create::volume(
                        &project.name,
                        &self.ctx.project.directory,
                        key,
                        &project.volumes[key],
                    );
                    may(engine, Intent::CreateVolume(&body)).await.map_err(at("volumes", key))
                }
                None => Ok(()),
            },
            Action::CreateContainer { name, number, alias, .. } => {
                match step.service.as_deref().and_then(|service| self.described(service)) {
                    Some((project, service)) => {
                        check_name(engine, name, service, self.plan, self.all).await?;
                        self.bind_sources(service)?;
                        self.container(project, service, name, *number, *alias).await
                    }
                    None => Ok(()),
                }
            }
            Action::RemoveNetwork { id, name } => {
                may_by_id(engine, Intent::RemoveNetwork(id), id, name).await
            }
            // Only in a rollback.
            Action::RestoreNetwork { .. } => Ok(()),
            Action::RemoveVolume { name } => may(engine, Intent::RemoveVolume(name)).await,
            Action::StartContainer { container } | Action::RestartContainer { container } => {
                match &container.id {
                    Some(id) => {
                        may_by_id(engine, Intent::StartContainer(id), id, &container.name).await
                    }
                    None => Ok(()),
                }
            }
            Action::StopContainer { container } => match &container.id {
                Some(id) => may_by_id(engine, Intent::StopContainer(id), id, &container.name).await,
                None => Ok(()),
            },
            Action::RemoveContainer { container, .. } => match &container.id {
                Some(id) => {
                    may_by_id(engine, Intent::RemoveContainer(id), id, &container.name).await
                }
                None => Ok(()),
            },
            Action::RenameContainer { container, to } => match &container.id {
                Some(id) => {
                    if let Some((_, service)) =
                        step.service.as_deref().and_then(|service| self.described(service))
                    {
                        check_name(engine, to, service, self.plan, self.all).await?;
                    }
                    may_by_id(
                        engine,
                        Intent::RenameContainer { container: id, to },
                        id,
                        &container.name,
                    )
                    .await
                }
                None => Ok(()),
            },
            Action::Wait { container, .. }
            | Action::Verify { container }
            | Action::Monitor { container, .. }
            | Action::Attach { container } => match &container.id {
                Some(id) => {
                    may_by_id(engine, Intent::LookIntoContainer(id), id, &container.name).await
                }
                None => Ok(()),
            },
            // Into a container that is checked where it is created.
            Action::DeliverConfigs { .. }
            | Action::DeliverSecrets { .. }
            | Action::Delay { .. } => Ok(()),
        }
    }

    fn described(&self, service: &str) -> Option<(&Project, &Service)> {
        let project = self.project?;
        Some((project, project.services.get(service)?))
    }

    /// A source that is mounted has to exist, and nothing can be below a file.
    fn bind_sources(&self, service: &Service) -> Result<(), Failure> {
        for (index, mount) in service.volumes.iter().enumerate() {
            let MountSource::Bind { path, create } = &mount.source else { continue };
            if !self.is_missing(path) {
                continue;
            }
            bind_sources::check(&*self.ctx.host, service, index, path)?;
            if !create {
                let message = format!(
                    "\"{}\", which the service \"{}\" mounts, does not exist",
                    path.display(),
                    service.name
                );
                return Err(Failure::new(Kind::NotFound, message)
                    .hint("create it; or remove `create_host_path: false`, and the engine creates an empty folder")
                    .at(bind_sources::place(service, index)));
            }
        }
        Ok(())
    }

    /// The folder of a new volume that binds it has to exist.
    fn bound_folder(&self, key: &str, volume: &Volume) -> Result<(), Failure> {
        let device = volume.driver_opts.get("device").filter(|_| volume.is_bound()).map(Path::new);
        match device.filter(|device| device.is_absolute() && self.is_missing(device)) {
            Some(device) => {
                let message = format!(
                    "\"{}\", which the volume \"{key}\" binds, does not exist",
                    device.display()
                );
                Err(at("volumes", key)(
                    Failure::new(Kind::NotFound, message)
                        .hint("create the folder, or change the volume's `device`"),
                ))
            }
            None => Ok(()),
        }
    }

    fn is_missing(&self, path: &Path) -> bool {
        bind_sources::is_missing(self.ctx, path)
    }

    async fn container(
        &self,
        project: &Project,
        service: &Service,
        name: &str,
        number: u32,
        alias: bool,
    ) -> Result<(), Failure> {
        let body = create::container(&ContainerRequest {
            project,
            service,
            number,
            alias,
            fingerprint: None,
            inherited: &std::collections::BTreeMap::new(),
            secrets: &self.ctx.secrets,
            api: self.ctx.engine.api_version(),
            directory: &self.ctx.project.directory.to_string_lossy(),
            run: &self.ctx.run.id,
        });
        may(&*self.ctx.engine, Intent::CreateContainer { name, body: &body }).await
    }
}

/// The keys of the named volumes that a service mounts.
fn mounted_volumes(service: &Service) -> impl Iterator<Item = &str> {
    service.volumes.iter().filter_map(|mount| match &mount.source {
        MountSource::Volume { name, .. } => Some(name.as_str()),
        _ => None,
    })
}

/// Adds the service to a failure of its build.
pub fn in_build(service: &Service, failure: Failure) -> Failure {
    if failure.path.is_some() {
        return failure;
    }
    failure.at(SpecPath {
        keys: vec!["services".into(), service.name.clone(), "build".into()],
        on_key: true,
    })
}

/// The networks and volumes that a one-off container of `service` will use; by name, because it has
/// no plan.
pub async fn one_off_objects(
    ctx: &VerbContext,
    project: &Project,
    service: &Service,
) -> Result<(), Failure> {
    for key in service.networks.keys() {
        let intent = Intent::UseNetwork(&project.networks[key].name);
        may(&*ctx.engine, intent).await.map_err(at("networks", key))?;
    }
    for key in mounted_volumes(service) {
        may(&*ctx.engine, Intent::UseVolume(&project.volumes[key].name))
            .await
            .map_err(at("volumes", key))?;
    }
    Ok(())
}
