//! Who has a container name that spc wants to give.

use super::observe::{Found, find_container};
use crate::engine::Engine;
use crate::model::names::{NEW_SUFFIX, compose_label, label, lock_container};
use crate::model::plan::ContainerRef;
use crate::model::{Failure, Kind};

fn text<'a>(found: &'a Found, pointer: &str) -> &'a str {
    found.json.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or("unknown")
}

/// `of the image "app:1", running, created 2026-01-02T03:04:05Z`
fn described(found: &Found) -> String {
    let created = text(found, "/Created");
    // Nobody needs its nanoseconds.
    let created = created.split_once('.').map_or_else(|| created.to_owned(), |(seconds, _)| format!("{seconds}Z"));
    format!("of the image \"{}\", {}, created {created}", text(found, "/Config/Image"), text(found, "/State/Status"))
}

/// The command that removes it.
fn removal(found: &Found, name: &str) -> String {
    let is_up = ["running", "paused", "restarting"].contains(&text(found, "/State/Status"));
    format!("docker rm {}{name}", if is_up { "--force " } else { "" })
}

/// `the service "web" of the project "shop"`
fn owner(found: &Found, project: &str) -> String {
    match found.labels.get(compose_label::SERVICE) {
        Some(service) => format!("the service \"{service}\" of the project \"{project}\""),
        None => format!("the project \"{project}\""),
    }
}

/// What has the name of a project's lock and is no lock: it is never removed, and waiting for it would help nobody.
pub fn not_a_lock(found: &Found, project: &str) -> Failure {
    let name = lock_container(project);
    let by = match (found.labels.get(label::PROJECT), found.labels.get(compose_label::PROJECT)) {
        (Some(owner_project), _) => format!("spc made it for {}", owner(found, owner_project)),
        (None, Some(owner_project)) => format!("Docker Compose made it for {}", owner(found, owner_project)),
        (None, None) => "spc did not make it".to_owned(),
    };
    let message = format!(
        "The project \"{project}\" can't be locked: the container \"{name}\" has the name of its lock and is none. It is {}; {by}",
        described(found)
    );
    Failure::new(Kind::Conflict, message)
        .hint(format!("`docker rename {name} OTHER-NAME` keeps it, `{}` removes it; spc leaves it alone", removal(found, &name)))
        .field("container", name)
}

/// The name of a service's container is taken by `found`.
fn taken(found: &Found, name: &str, service: &str) -> Failure {
    let of_spc = found.labels.get(label::PROJECT).map(|project| ("spc", project));
    let of_compose = || found.labels.get(compose_label::PROJECT).map(|project| ("Docker Compose", project));
    let failure = match of_spc.or_else(of_compose) {
        // It may be somebody's database: the hint never advises to remove it.
        Some((maker, project)) => {
            let message = format!(
                "The container name \"{name}\" is taken: {maker} made the container for {}. It is {}",
                owner(found, project),
                described(found)
            );
            let down = if maker == "spc" {
                format!("with --project {project}")
            } else {
                format!("with `docker compose --project-name {project} down`")
            };
            Failure::new(Kind::Conflict, message).hint(format!("choose another \"container_name\", or take that one down first, {down}"))
        }
        None => Failure::new(Kind::Conflict, format!("A container \"{name}\" that spc did not make is on this engine"))
            .hint(format!("remove it with `{}`, or choose another --project", removal(found, name)))
            .detail("what it is", described(found)),
    };
    failure.field("service", service.to_owned())
}

/// Why `name` can't be given to a container of `service`: the engine said that it is taken.
pub async fn conflict(engine: &dyn Engine, name: &str, service: &str) -> Failure {
    match find_container(engine, name).await {
        Ok(Some(found)) => taken(&found, name, service),
        // Gone by now, or the engine does not say.
        _ => Failure::new(Kind::Conflict, format!("The container name \"{name}\" is taken"))
            .hint("run it again: whatever had the name may be gone by now")
            .field("service", service.to_owned()),
    }
}

/// Before anything is done to `old`: refuses a replacement that would have to take over a name that another container has. Where the
/// name stays, `old` has it.
pub async fn check_final_name(engine: &dyn Engine, new: &str, old: &ContainerRef, service: &str) -> Result<(), Failure> {
    let Some(name) = new.strip_suffix(NEW_SUFFIX).filter(|name| *name != old.name) else { return Ok(()) };
    match find_container(engine, name).await? {
        Some(found) if old.id.as_ref() != Some(&found.id) => Err(taken(&found, name, service)),
        _ => Ok(()),
    }
}
