//! Checks for other writers to a volume before a start: see `model::reconcile::Writers`.

use std::collections::BTreeSet;
use std::path::Path;

use super::VerbContext;
use super::name_holder::Holder;
use super::observe::{ObserveScope, bystanders, find_container, observe};
use super::start_ports;
use crate::host::Host;
use crate::model::observed_state::{Container, EngineContainer, ObservedState};
use crate::model::plan::{Action, ContainerRef, Plan, Step};
use crate::model::reconcile::{SecondWriter, Writers};
use crate::model::spec::mount::clean;
use crate::model::spec::{Project, Service};
use crate::model::storage::Storages;
use crate::model::{Failure, Kind};

/// A plan, and the containers and storages to check it against.
pub struct WriterCheck<'a> {
    pub ctx: &'a VerbContext,
    /// The project's name.
    pub name: &'a str,
    pub project: Option<&'a Project>,
    pub observed: &'a ObservedState,
    /// Every container on the engine.
    pub all: &'a [EngineContainer],
}

impl WriterCheck<'_> {
    /// Fails if `plan` would start a second writer on a volume that is not marked as shared.
    pub async fn check(&self, plan: &Plan) -> Result<(), Failure> {
        match self.second(plan).await {
            Some((_, refusal)) => Err(refusal),
            None => Ok(()),
        }
    }

    /// The first container for which `plan` would start a second writer, with the failure.
    pub(super) async fn second(&self, plan: &Plan) -> Option<(ContainerRef, Failure)> {
        let remembered = self.ctx.records(self.name).state();
        let mut storages = self.observed.storages.clone();
        let mounted = self.all.iter().flat_map(|there| there.folders.iter().cloned());
        follow_links(self.ctx, &mut storages, mounted);
        let Self { project, observed, all, .. } = *self;
        let writers = Writers {
            plan,
            project,
            observed,
            storages: &storages,
            all,
            shared: &remembered.shared,
        };
        let second = writers.second()?;
        Some((second.holder.clone(), self.refusal(&second).await))
    }

    async fn refusal(&self, second: &SecondWriter) -> Failure {
        let SecondWriter { written, held, service, starting, holder } = second;
        let who = service.as_ref().map_or_else(
            || format!("The container \"{starting}\""),
            |service| format!("The service \"{service}\""),
        );
        let message = if written.name == held.name {
            format!(
                "{who} would write to {} beside the container \"{}\", which writes to it",
                written.name, holder.name
            )
        } else {
            let (written, held) = (written.shown(), held.shown());
            format!(
                "{who} would write to {written} beside the container \"{}\", which writes to the same storage as {held}",
                holder.name
            )
        };
        let of_project =
            |id: &String| self.observed.containers.iter().find(|there| there.id == *id);
        let is_orphan =
            |there: &Container| Some(!self.project?.services.contains_key(&there.service));
        let found = find_container(&*self.ctx.engine, holder.id.as_ref().unwrap_or(&holder.name))
            .await
            .ok()
            .flatten();
        let whose = found.as_ref().map(|found| Holder::of(found).to_string());
        let hint = match holder
            .id
            .as_ref()
            .and_then(of_project)
            .and_then(|there| Some((there, is_orphan(there)?)))
        {
            Some((there, true)) if there.ours => {
                "--remove-orphans stops and removes that container first".to_owned()
            }
            Some((_, true)) => {
                "--adopt --remove-orphans stops and removes that container first".to_owned()
            }
            Some((there, false)) if there.ours => {
                format!("stop the service \"{0}\" first: `.stop([\"{0}\"])`", there.service)
            }
            Some((there, false)) => format!("stop it first: `docker stop {}`", there.name),
            None => {
                let is_one_off = found.as_ref().is_some_and(|found| Holder::of(found).is_one_off());
                let first = if is_one_off {
                    "run it again when that container has ended"
                } else {
                    "stop that container first"
                };
                format!(
                    "{first}; a volume that several containers may write to has \"x-spc-shared\": true"
                )
            }
        };
        let message = whose.map_or_else(|| message.clone(), |whose| format!("{message}: {whose}"));
        let volume =
            [written, held].into_iter().find_map(|it| it.name.volume()).unwrap_or_default();
        let failure = Failure::new(Kind::Conflict, message)
            .hint(hint)
            .field("volume", volume)
            .field("container", holder.name.clone());
        match service {
            Some(service) => failure.field("service", service.clone()),
            None => failure,
        }
    }
}

/// Resolves symlinks in the paths of folders, if the engine runs on this machine.
fn follow_links(ctx: &VerbContext, storages: &mut Storages, folders: impl Iterator<Item = String>) {
    if !ctx.engine.is_local() {
        return;
    }
    for folder in folders {
        if let Some(real) = real_folder(&*ctx.host, &folder) {
            storages.links.insert(folder, real);
        }
    }
}

/// The resolved path of a folder, as far as it exists; `None` if it equals the path.
fn real_folder(host: &dyn Host, folder: &str) -> Option<String> {
    let path = clean(Path::new(folder));
    let (real, rest) = path.ancestors().find_map(|ancestor| {
        Some((host.canonicalize(ancestor).ok()?, path.strip_prefix(ancestor).ok()?))
    })?;
    let real = if rest == Path::new("") { real } else { real.join(rest) };
    (real != Path::new(folder)).then(|| real.to_string_lossy().into_owned())
}

/// Resolves the folders that the containers of a project mount or will mount, and those behind
/// volumes.
pub fn look_at_folders(ctx: &VerbContext, project: Option<&Project>, observed: &mut ObservedState) {
    let described = project
        .into_iter()
        .flat_map(|project| project.services.values())
        .flat_map(Service::writable_binds);
    let described = described.map(|path| path.to_string_lossy().into_owned());
    let mounted =
        observed.containers.iter().flat_map(|container| container.folders.iter().cloned());
    let folders: Vec<String> =
        described.chain(mounted).chain(observed.storages.bound_folders(project)).collect();
    follow_links(ctx, &mut observed.storages, folders.into_iter());
}

/// Fails if an existing container would be a second writer once it starts, or needs a host port
/// that is in use.
pub async fn check_start(ctx: &VerbContext, project: &str, container: &str) -> Result<(), Failure> {
    let all = bystanders(&*ctx.engine).await?;
    let Some(there) = all.iter().find(|there| there.id == container || there.name == container)
    else {
        return Ok(());
    };
    if there.is_up {
        return Ok(());
    }
    let records = ctx.records(project);
    let mut observed =
        observe(&*ctx.engine, project, ObserveScope::Engine, &BTreeSet::new(), &records.state())
            .await?;
    look_at_folders(ctx, None, &mut observed);
    let action = Action::StartContainer {
        container: ContainerRef { name: there.name.clone(), id: Some(there.id.clone()) },
    };
    let plan = Plan { steps: vec![Step::alone(action)], ..Plan::default() };
    WriterCheck { ctx, name: project, project: None, observed: &observed, all: &all }
        .check(&plan)
        .await?;
    start_ports::check(ctx, &plan, &observed).await
}

/// Fails if a new container that writes to `volumes` would be a second writer.
pub async fn check_new(
    ctx: &VerbContext,
    project: &Project,
    service: &str,
    observed: &ObservedState,
    all: &[EngineContainer],
) -> Result<(), Failure> {
    let step = Step {
        service: Some(service.to_owned()),
        ..Step::alone(Action::StartContainer { container: ContainerRef::new("") })
    };
    let plan = Plan { steps: vec![step], ..Plan::default() };
    WriterCheck { ctx, name: &project.name, project: Some(project), observed, all }
        .check(&plan)
        .await
}

/// The engine's names of the volumes that several containers may write to, by the description.
pub fn shared_volumes(project: &Project) -> BTreeSet<String> {
    project
        .volumes
        .values()
        .map(|volume| &volume.name)
        .filter(|name| project.is_shared(name))
        .cloned()
        .collect()
}
