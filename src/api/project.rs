//! What the verbs of handles share: the surroundings of a call, the project's name, whose an object is.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use super::context::Context;
use super::task;
use crate::apply::Surroundings;
use crate::model::names::{compose_label, label, normalise_project};
use crate::model::{Failure, Kind};

/// The surroundings of a call by the task that runs on this thread. `project`: whose lock is held, if it is.
pub async fn surroundings(context: &Context, project: &str) -> Result<Surroundings, Failure> {
    Ok(Surroundings {
        engine: context.engine().await?,
        host: context.host.clone(),
        conductor: context.conductor.clone(),
        events: context.events.clone(),
        secrets: context.secrets.clone(),
        cancel: task::current(context),
        directory: context.project.directory.clone(),
        environment: Arc::new(context.project.environment.clone()),
        run: context.run.clone(),
        lock: context.held_lock(project),
    })
}

/// Waits for what ends itself in order when the task is cancelled: plans, execs, one-off containers.
pub fn finish<T>(context: &Context, future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    context.conductor.block_on(future)
}

/// The project at hand: `--project`, the stack described in this run, or the project directory's name.
pub fn name(context: &Context) -> Result<String, Failure> {
    if let Some(name) = &context.project.name {
        return Ok(name.clone());
    }
    if let Some(name) = context.described_project() {
        return Ok(name);
    }
    let folder = context.project.directory.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = normalise_project(&folder);
    if name.is_empty() {
        return Err(Failure::usage(format!("The folder \"{folder}\" gives no project name")).hint("name the project with --project"));
    }
    Ok(name)
}

/// Refuses to change what does not carry the project's own label. `object`: `volume "x"`.
pub fn check_ours(context: &Context, object: &str, labels: &BTreeMap<String, String>) -> Result<(), Failure> {
    let project = name(context)?;
    if labels.get(label::PROJECT) == Some(&project) {
        return Ok(());
    }
    Err(of_another(object, &project, labels.get(label::PROJECT)).hint("a script changes only what its own project made"))
}

/// Refuses to work in what is not of the project, made by spc or by Docker Compose.
pub fn check_project(context: &Context, object: &str, labels: &BTreeMap<String, String>) -> Result<(), Failure> {
    let project = name(context)?;
    let owners = [label::PROJECT, compose_label::PROJECT].map(|label| labels.get(label));
    if owners.contains(&Some(&project)) {
        return Ok(());
    }
    Err(of_another(object, &project, owners.into_iter().flatten().next()).hint("a script works only in its own project's containers"))
}

fn of_another(object: &str, project: &str, owner: Option<&String>) -> Failure {
    let whose = owner.map_or_else(|| "spc did not make it".to_owned(), |owner| format!("it belongs to the project \"{owner}\""));
    Failure::new(Kind::Policy, format!("The {object} is not of the project \"{project}\": {whose}"))
}
