//! Who else writes to a volume, before something is started that would: see `model::reconcile::Writers`.

use std::collections::BTreeSet;

use super::Surroundings;
use super::name_holder::Holder;
use super::observe::{bystanders, find_container};
use super::records::Records;
use crate::model::observed::{Bystander, Observed};
use crate::model::plan::{Action, ContainerRef, Plan, Step};
use crate::model::reconcile::{SecondWriter, Writers};
use crate::model::spec::Project;
use crate::model::{Failure, Kind};

/// A plan, and what it is held against.
pub struct Writing<'a> {
    pub around: &'a Surroundings,
    /// The project's name.
    pub name: &'a str,
    pub project: Option<&'a Project>,
    pub observed: &'a Observed,
    /// Every container on the engine.
    pub all: &'a [Bystander],
}

impl Writing<'_> {
    /// Fails if `plan` would start a second writer on a volume that is not marked as shared.
    pub async fn check(&self, plan: &Plan) -> Result<(), Failure> {
        let shared = Records::new(&*self.around.host, &self.around.policy, self.name).state().shared;
        let writers = Writers { plan, project: self.project, observed: self.observed, all: self.all, shared: &shared };
        match writers.second() {
            Some(second) => Err(self.refusal(&second).await),
            None => Ok(()),
        }
    }

    async fn refusal(&self, second: &SecondWriter) -> Failure {
        let SecondWriter { volume, service, starting, holder } = second;
        let who = service.as_ref().map_or_else(|| format!("The container \"{starting}\""), |service| format!("The service \"{service}\""));
        let message = format!("{who} would write to the volume \"{volume}\" beside the container \"{}\", which writes to it", holder.name);
        let orphan = |id: &String| {
            let found = self.observed.containers.iter().find(|there| there.id == *id && there.ours)?;
            Some((found.service.clone(), !self.project?.services.contains_key(&found.service)))
        };
        let found = find_container(&*self.around.engine, holder.id.as_ref().unwrap_or(&holder.name)).await.ok().flatten();
        let whose = found.as_ref().map(|found| Holder::of(found).to_string());
        let hint = match holder.id.as_ref().and_then(orphan) {
            Some((_, true)) => "--remove-orphans stops and removes that one before".to_owned(),
            Some((service, false)) => format!("stop the service \"{service}\" first: `.stop([\"{service}\"])`"),
            None => {
                "run it again when that one has ended; a volume that several containers may write to has \"x-spc-shared\": true".to_owned()
            }
        };
        let message = whose.map_or_else(|| message.clone(), |whose| format!("{message}: {whose}"));
        let failure =
            Failure::new(Kind::Conflict, message).hint(hint).field("volume", volume.clone()).field("container", holder.name.clone());
        match service {
            Some(service) => failure.field("service", service.clone()),
            None => failure,
        }
    }
}

/// Fails if a container that is there would be a second writer once it is started.
pub async fn check_start(around: &Surroundings, project: &str, container: &str) -> Result<(), Failure> {
    let all = bystanders(&*around.engine).await?;
    let Some(there) = all.iter().find(|there| there.id == container || there.name == container) else { return Ok(()) };
    if there.writes.is_empty() || there.is_up {
        return Ok(());
    }
    let observed = super::verbs::look(around, project).await?;
    let action = Action::StartContainer { container: ContainerRef { name: there.name.clone(), id: Some(there.id.clone()) } };
    let plan = Plan { steps: vec![Step::alone(action)], ..Plan::default() };
    Writing { around, name: project, project: None, observed: &observed, all: &all }.check(&plan).await
}

/// Fails if a new container that writes to `volumes` would be a second writer.
pub async fn check_new(
    around: &Surroundings,
    project: &Project,
    service: &str,
    observed: &Observed,
    all: &[Bystander],
) -> Result<(), Failure> {
    let step = Step { service: Some(service.to_owned()), ..Step::alone(Action::StartContainer { container: ContainerRef::new("") }) };
    let plan = Plan { steps: vec![step], ..Plan::default() };
    Writing { around, name: &project.name, project: Some(project), observed, all }.check(&plan).await
}

/// The engine's names of the volumes that a description lets several containers write to.
pub fn shared_volumes(project: &Project) -> BTreeSet<String> {
    project.volumes.values().map(|volume| &volume.name).filter(|name| project.is_shared(name)).cloned().collect()
}
