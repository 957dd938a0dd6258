//! Configs of a stack: files that a service gets, without secret content.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::mount::host_path;
use super::reader::Field;
use super::secret::{FileMount, SECRETS_FOLDER};
use super::{MountSource, Service};
use crate::model::Failure;

/// A top-level config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Config {
    pub source: ConfigSource,
    /// Set once [`super::Project::add_configs`] has run.
    #[serde(skip)]
    pub content: Vec<u8>,
}

/// The source of a config's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigSource {
    /// The content of a file.
    File(PathBuf),
    /// Text in the description.
    Content(String),
    /// A variable of the process environment or `.env`.
    Environment(String),
}

impl Config {
    pub(super) fn read(field: &Field<'_>, directory: &Path) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let file = map.read("file", |field| host_path(field, &field.name_text()?, directory))?;
        let content = map.read("content", Field::text)?;
        let environment = map.read("environment", Field::name_text)?;
        map.read_filled("name", Field::name_text)?;
        if map.read("external", Field::bool)?.unwrap_or(false) {
            return Err(field
                .fail(format!(
                    "The config \"{}\" can't be external: an engine without Swarm stores no configs",
                    field.key()
                ))
                .hint("give it a \"file\" or \"content\""));
        }
        map.finish(&["driver", "driver_opts", "labels", "template_driver"])?;
        let source = match (file, content, environment) {
            (Some(path), None, None) => ConfigSource::File(path),
            (None, Some(text), None) => ConfigSource::Content(text),
            (None, None, Some(name)) => ConfigSource::Environment(name),
            _ => {
                return Err(
                    field.fail(format!("The config \"{}\" needs exactly one of \"file\", \"content\" and \"environment\"", field.key()))
                );
            }
        };
        Ok(Self { source, content: Vec::new() })
    }
}

/// A config as a file in a container, by default at `/<name>`.
pub(super) fn read_mount(field: &Field<'_>) -> Result<FileMount, Failure> {
    FileMount::read(field, "config", "")
}

/// Rejects a path where a config can't be put, or where other containers would see it.
pub(super) fn check_place(service: &Service, mount: &FileMount) -> Result<(), Failure> {
    let source = &mount.source;
    let target = &mount.place();
    let beneath = |folder: &str| {
        target == folder
            || target
                .strip_prefix(folder.trim_end_matches('/'))
                .is_some_and(|rest| rest.starts_with('/'))
    };
    if let Some(over) = service.volumes.iter().find(|volume| beneath(&volume.place())) {
        let what = match over.source {
            MountSource::Bind { .. } => "the bind mount",
            MountSource::Tmpfs { .. } => "the tmpfs",
            MountSource::Volume { .. } | MountSource::Anonymous => "the volume",
        };
        return Err(Failure::usage(format!(
            "The config \"{source}\" of the service \"{}\" would lie in {what} at \"{}\"",
            service.name, over.target
        ))
        .hint(format!("give it a target outside of that, or mount the file itself: `volumes: [\"./{source}:{target}:ro\"]`")));
    }
    if service.read_only && !(beneath(SECRETS_FOLDER) && target != SECRETS_FOLDER) {
        return Err(Failure::usage(format!(
            "The config \"{source}\" of the read-only service \"{}\" can't be at \"{target}\"",
            service.name
        ))
        .hint(format!("mount the file itself: `volumes: [\"./{source}:{target}:ro\"]`; or give it a target below {SECRETS_FOLDER}")));
    }
    Ok(())
}
