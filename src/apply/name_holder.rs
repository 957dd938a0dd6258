//! Describes a container that blocks a name, and its owner.

use std::fmt;

use super::observe::{EngineObject, find_container};
use crate::engine::Engine;
use crate::model::names::{NEW_SUFFIX, compose_label, label, lock_container};
use crate::model::observed_state::EngineContainer;
use crate::model::plan::{Action, ContainerRef, Plan};
use crate::model::spec::Service;
use crate::model::{Failure, Kind};

fn text<'a>(found: &'a EngineObject, pointer: &str) -> &'a str {
    found.json.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or("unknown")
}

/// `Its image is "app:1", its state is running, and it was created at 2026-01-02T03:04:05Z`
fn described(found: &EngineObject) -> String {
    let created = text(found, "/Created");
    // Omits the nanoseconds.
    let created = created
        .split_once('.')
        .map_or_else(|| created.to_owned(), |(seconds, _)| format!("{seconds}Z"));
    format!(
        "Its image is \"{}\", its state is {}, and it was created at {created}",
        text(found, "/Config/Image"),
        text(found, "/State/Status")
    )
}

/// The creator of a container, as a clause: `spc created it for the service "web" of the project
/// "shop", in "/srv/shop"`.
pub struct Holder<'a> {
    maker: Option<(&'static str, &'a str)>,
    service: Option<&'a str>,
    is_one_off: bool,
    folder: Option<&'a str>,
}

impl<'a> Holder<'a> {
    /// From the labels that were set when the container was created.
    pub fn of(found: &'a EngineObject) -> Self {
        let label = |key: &str| found.labels.get(key).map(String::as_str);
        let by_spc = label(label::PROJECT).map(|project| ("spc", project));
        Self {
            maker: by_spc.or_else(|| {
                label(compose_label::PROJECT).map(|project| ("Docker Compose", project))
            }),
            service: label(compose_label::SERVICE),
            is_one_off: label(compose_label::ONEOFF)
                .is_some_and(|value| value.eq_ignore_ascii_case("true")),
            folder: label(compose_label::WORKING_DIR),
        }
    }

    /// Whether it is a one-off container.
    pub fn is_one_off(&self) -> bool {
        self.is_one_off
    }
}

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((maker, project)) = self.maker else {
            return f.write_str("neither spc nor Docker Compose created it");
        };
        write!(f, "{maker} created it for ")?;
        if self.is_one_off {
            f.write_str("a one-off command in ")?;
        }
        if let Some(service) = self.service {
            write!(f, "the service \"{service}\" of ")?;
        }
        write!(f, "the project \"{project}\"")?;
        self.folder.map_or(Ok(()), |folder| write!(f, ", in \"{folder}\""))
    }
}

/// A container that has the name of the project's lock and is not a lock. spc never removes it, and
/// waiting would not help.
pub fn not_a_lock(found: &EngineObject, project: &str) -> Failure {
    let name = lock_container(project);
    let message = format!(
        "The project \"{project}\" can't be locked: the container \"{name}\" has the name of its lock but is not a lock. {}; {}",
        described(found),
        Holder::of(found)
    );
    Failure::new(Kind::Conflict, message).hint(another_name(&name)).field("container", name)
}

/// The next step to keep a container that has one of spc's own names.
fn another_name(name: &str) -> String {
    format!("give that container another name: `docker rename {name} OTHER-NAME`")
}

/// The failure if `found` has the name of a container of `service`. It may be someone's database,
/// so the hint never suggests to remove it.
fn taken(found: &EngineObject, name: &str, service: &Service) -> Failure {
    let message = format!(
        "The container name \"{name}\" is taken by another container: {}. {}",
        Holder::of(found),
        described(found)
    );
    let hint = if name.ends_with(NEW_SUFFIX) {
        another_name(name)
    } else if service.container_name.is_some() {
        "choose another \"container_name\"".to_owned()
    } else {
        "choose another name for this project with --project".to_owned()
    };
    Failure::new(Kind::Conflict, message)
        .hint(hint)
        .field("service", service.name.clone())
        .field("container", name)
}

/// Why `name` can't be given to a container of `service`, after the engine said that it is in use.
pub async fn conflict(engine: &dyn Engine, name: &str, service: &Service) -> Failure {
    match find_container(engine, name).await {
        Ok(Some(found)) => taken(&found, name, service),
        // It is gone by now, or the engine doesn't say.
        _ => Failure::new(Kind::Conflict, format!("The container name \"{name}\" is taken"))
            .hint("run it again: the name may be free now")
            .field("service", service.name.clone()),
    }
}

/// Rejects a replacement before `old` is changed if another container has its final name.
/// `gives_up` says whether the plan takes the name from the container with this id.
pub async fn check_final_name(
    engine: &dyn Engine,
    new: &str,
    old: &ContainerRef,
    service: &Service,
    gives_up: &(dyn Fn(&str) -> bool + Sync),
) -> Result<(), Failure> {
    let Some(name) = new.strip_suffix(NEW_SUFFIX).filter(|name| *name != old.name) else {
        return Ok(());
    };
    match find_container(engine, name).await? {
        Some(found) if old.id.as_ref() != Some(&found.id) && !gives_up(&found.id) => {
            Err(taken(&found, name, service))
        }
        _ => Ok(()),
    }
}

/// Before the first step of a plan: rejects a name for a container of `service` if another
/// container has it and keeps it. `all`: every container on the engine.
pub async fn check_name(
    engine: &dyn Engine,
    name: &str,
    service: &Service,
    plan: &Plan,
    all: &[EngineContainer],
) -> Result<(), Failure> {
    let final_name = name.strip_suffix(NEW_SUFFIX).unwrap_or(name);
    let lets_go = |there: &EngineContainer| {
        plan.steps.iter().any(|step| match &step.action {
            Action::RemoveContainer { container, .. }
            | Action::RenameContainer { container, .. } => container.id.as_ref() == Some(&there.id),
            // The new one stays under its own name until a later plan lets it take over.
            Action::CreateContainer { replaces: Some(old), .. } => {
                old.id.as_ref() == Some(&there.id)
            }
            _ => false,
        })
    };
    let has_it = |there: &&EngineContainer| there.name == name || there.name == final_name;
    match all.iter().filter(has_it).find(|there| !lets_go(there)) {
        Some(holder) => Err(conflict(engine, &holder.name, service).await),
        None => Ok(()),
    }
}
