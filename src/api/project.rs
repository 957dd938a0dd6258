//! Code that the verbs of handles share: the context of a call, the project's name, the owner of an
//! object.

use std::collections::BTreeMap;
use std::future::Future;

use super::context::Context;
use super::task;
use crate::apply::VerbContext;
use crate::apply::preflight::may;
use crate::engine::Intent;
use crate::model::names::{compose_label, label, normalise_project};
use crate::model::{Failure, Kind};

/// The context of a call in the task of this thread. `project`: the project whose lock the context
/// contains, if the script holds it.
pub async fn verb_context(context: &Context, project: &str) -> Result<VerbContext, Failure> {
    Ok(VerbContext::new(
        context.run.clone(),
        context.engine().await?,
        task::current(context),
        context.script.held_lock(project),
    ))
}

/// Waits for work that ends itself when the task is cancelled: plans, execs, one-off containers.
pub fn finish<T>(
    context: &Context,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    super::task::may_wait()?;
    let result = context.executor.block_on(future);
    result
        .map_err(|failure| with_builder_of_image(context, with_variable_of_port(context, failure)))
}

/// The same failure. If an image does not exist and could not be pulled, it names the service that
/// builds the image, if a stack of this run describes one.
pub fn with_builder_of_image(context: &Context, failure: Failure) -> Failure {
    let image = failure
        .fields
        .get("image")
        .and_then(|image| image.as_str())
        .filter(|_| matches!(failure.kind, Kind::Image | Kind::NotFound));
    let Some((project, service)) = image.and_then(|image| context.script.builder_of(image)) else {
        return failure;
    };
    let stack = &project.name;
    failure.hint(format!("the service \"{service}\" of the stack \"{stack}\" builds it: call that stack's `build([\"{service}\"])` first"))
}

/// The same failure. If a port is in use, it names the variable that contains the port, if there is
/// one.
fn with_variable_of_port(context: &Context, failure: Failure) -> Failure {
    let port = failure.fields.get("port").filter(|_| failure.kind == Kind::Conflict);
    let variables = port
        .map(|port| {
            context.script.variables_that_gave(&port.to_string(), &context.project.environment)
        })
        .unwrap_or_default();
    let Some(first) = variables.first() else { return failure };
    let set = context.project.environment.get(first);
    let is_outside =
        set.is_some() && context.project.files.get(first).map(|variable| &variable.value) != set;
    let place = if is_outside { "the environment" } else { ".env" };
    let variables = variables.join(" or ");
    failure.hint(format!(
        "stop the program that uses it, or set {variables} to another port in {place}"
    ))
}

/// The current project: `--project`, the stack described in this run, or the project directory's
/// name.
pub fn name(context: &Context) -> Result<String, Failure> {
    if let Some(name) = &context.project.name {
        return Ok(name.clone());
    }
    if let Some(name) = context.script.described_project() {
        return Ok(name);
    }
    let folder = context
        .project
        .directory
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name = normalise_project(&folder);
    if name.is_empty() {
        return Err(Failure::usage(format!(
            "The folder \"{folder}\" has no name that a project can have"
        ))
        .hint("set the name with --project"));
    }
    Ok(name)
}

/// Rejects a change of an object without the project's own label. `object`: `volume "x"`.
pub fn check_ours(
    context: &Context,
    object: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let project = name(context)?;
    let owner = labels.get(label::PROJECT);
    if owner.is_some_and(|owner| *owner == project || context.policy.names_project(owner)) {
        return Ok(());
    }
    if let (None, Some(owner)) = (owner, labels.get(compose_label::PROJECT)) {
        let (kind, name) = object.split_once(' ').unwrap_or(("object", object));
        return Err(context
            .policy
            .of_compose(&format!("change the {kind}"), name.trim_matches('"'), owner)
            .into());
    }
    Err(of_another(context, "change the", object, owner))
}

/// Rejects work in an object that does not belong to the project. It may be created by spc or by
/// Docker Compose.
pub fn check_project(
    context: &Context,
    object: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let project = name(context)?;
    let mut owners =
        [label::PROJECT, compose_label::PROJECT].into_iter().filter_map(|label| labels.get(label));
    if owners.clone().any(|owner| *owner == project || context.policy.names_project(owner)) {
        return Ok(());
    }
    Err(of_another(context, "look into the", object, owners.next()))
}

/// Rejects an inspect of a network or volume of another project, and of one without a project that
/// no description of this run uses.
pub async fn may_look(
    context: &Context,
    intent: Intent<'_>,
    kind: &str,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let is_of_nobody = [label::PROJECT, compose_label::PROJECT]
        .iter()
        .all(|key| labels.get(*key).is_none_or(String::is_empty));
    if is_of_nobody && !context.script.uses_external(name) {
        return Err(context.policy.undescribed(&format!("look into the {kind}"), name).into());
    }
    may(&*context.engine().await?, intent).await
}

fn of_another(context: &Context, doing: &str, object: &str, owner: Option<&String>) -> Failure {
    let (kind, name) = object.split_once(' ').unwrap_or(("object", object));
    let (doing, name) = (format!("{doing} {kind}"), name.trim_matches('"'));
    match owner {
        Some(owner) => context.policy.foreign(&doing, name, owner, ""),
        None => context.policy.of_nobody(&doing, name),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::super::context::FileVariable;
    use super::super::harness::Harness;
    use super::*;

    fn hint(trial: &Harness) -> Option<String> {
        trial.text(r#"`${env("HTTP_PORT", 80)} ${env("HTTPS_PORT", 443)} ${env("NAME", "80s")}`"#);
        let taken = Failure::new(Kind::Conflict, "The port 80 is taken")
            .hint("publish another")
            .field("port", 80);
        with_variable_of_port(&trial.context, taken).hint
    }

    #[test]
    fn a_port_that_is_taken_comes_with_the_variable_that_gave_it_and_its_place() {
        assert_eq!(
            hint(&Harness::new()).unwrap(),
            "stop the program that uses it, or set HTTP_PORT to another port in .env"
        );
        let by_environment = hint(&Harness::with_variables(&[
            ("HTTP_PORT", "8080"),
            ("HTTPS_PORT", "80"),
            ("OTHER", "80"),
        ]));
        assert_eq!(
            by_environment.unwrap(),
            "stop the program that uses it, or set HTTPS_PORT to another port in the environment"
        );
        let by_file = Harness::with(
            |host| host,
            "",
            |run| {
                run.project.environment.insert("HTTP_PORT".to_owned(), "80".to_owned());
                run.project.files.insert(
                    "HTTP_PORT".to_owned(),
                    FileVariable { value: "80".to_owned(), place: ".env:1".to_owned() },
                );
            },
        );
        assert_eq!(
            hint(&by_file).unwrap(),
            "stop the program that uses it, or set HTTP_PORT to another port in .env"
        );
        assert_eq!(
            hint(&Harness::with_variables(&[("HTTP_PORT", "8080")])).unwrap(),
            "publish another",
            "nobody's variable"
        );
    }
}
