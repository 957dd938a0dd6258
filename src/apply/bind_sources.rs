//! Sources of bind mounts that don't exist on this machine.

use std::path::Path;

use super::VerbContext;
use crate::host::Host;
use crate::host::resolve::{file_above, resolve, shown};
use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::plan::{Action, Plan};
use crate::model::spec::{MountSource, Project, Service};
use crate::policy::Resolution;

/// Whether nothing exists at `path`. spc can look only if the engine runs on this machine.
pub(super) fn is_missing(ctx: &VerbContext, path: &Path) -> bool {
    ctx.engine.is_local() && resolve(&*ctx.host, path) == Resolution::Missing
}

/// The path of a mount in the description.
pub(super) fn place(service: &Service, index: usize) -> SpecPath {
    let keys = vec!["services".into(), service.name.clone(), "volumes".into(), index.to_string()];
    SpecPath { keys, on_key: false }
}

/// Rejects an impossible source: its parent is a file.
pub(super) fn check(
    host: &dyn Host,
    service: &Service,
    index: usize,
    path: &Path,
) -> Result<(), Failure> {
    let Some(file) = file_above(host, path) else { return Ok(()) };
    let (source, file) = (shown(host, path), shown(host, &file));
    Err(Failure::usage(format!(
        "\"{source}\", which the service \"{}\" mounts, can't be there: \"{file}\" is not a folder",
        service.name
    ))
    .hint("mount the file itself, or another folder")
    .at(place(service, index)))
}

/// Rejects sources in `folder` whose parent is a file. Other sources may be on another machine, so
/// they need the engine.
pub fn check_in<'a>(
    host: &dyn Host,
    folder: &Path,
    services: impl Iterator<Item = &'a Service>,
) -> Result<(), Failure> {
    for service in services {
        for (index, mount) in service.volumes.iter().enumerate() {
            if let MountSource::Bind { path, .. } = &mount.source
                && path.starts_with(folder)
                && resolve(host, path) == Resolution::Missing
            {
                check(host, service, index, path)?;
            }
        }
    }
    Ok(())
}

/// Adds a note for each new container about the folders that the engine creates for its mounts.
pub(super) fn note_made_folders(ctx: &VerbContext, project: &Project, plan: &mut Plan) {
    let made =
        plan.steps.iter().filter(|step| matches!(step.action, Action::CreateContainer { .. }));
    let services = made.filter_map(|step| project.services.get(step.service.as_deref()?));
    let mut notes: Vec<String> = Vec::new();
    for service in services {
        for mount in &service.volumes {
            let MountSource::Bind { path, create: true } = &mount.source else { continue };
            if is_missing(ctx, path) {
                let folder = shown(&*ctx.host, path);
                notes.push(format!(
                    "the folder \"{folder}\" does not exist on this machine: the engine creates it for the mount of \"{}\"",
                    service.name
                ));
            }
        }
    }
    notes.dedup();
    plan.notes.extend(notes);
}
