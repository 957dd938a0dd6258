//! How a service's image is built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::is_false;
use super::mount::host_path;
use super::reader::Field;
use crate::model::Failure;
use crate::model::names::is_reserved_image;

/// A `build:` map, or the string form (only the context).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Build {
    /// Absolute folder.
    pub context: PathBuf,
    /// Relative to the context.
    pub dockerfile: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_false")]
    pub no_cache: bool,
    /// Ask the registry for a newer base image even if one exists here.
    #[serde(skip_serializing_if = "is_false")]
    pub pull: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Additional names of the image.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The secrets that steps with `--mount=type=secret` may read. They are not part of the image's
    /// configuration or history.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<BuildSecret>,
}

/// A secret that a build gets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct BuildSecret {
    /// The key of the top-level secret.
    pub source: String,
    /// The id that the Dockerfile uses: `--mount=type=secret,id=…`. Compose's `target`; the
    /// source's name by default.
    pub id: String,
}

/// The folder of a build context.
fn context_path(field: &Field<'_>, text: &str, directory: &Path) -> Result<PathBuf, Failure> {
    // The addresses that Docker recognizes.
    if text.contains("://") || text.starts_with("git@") || text.starts_with("github.com/") {
        return Err(field
            .fail(format!("The build context \"{text}\" is remote, which is not supported yet"))
            .hint("download it, and use the path of the folder"));
    }
    host_path(field, text, directory)
}

impl Build {
    /// Reads a build. `lookup` returns the value of an argument without one.
    pub fn read(
        field: &Field<'_>,
        directory: &Path,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        if let Value::String(context) = field.value {
            return Ok(Self::of_context(context_path(field, context, directory)?));
        }
        let mut map = field.long_form("a folder or a map")?;
        let context = map.read_filled("context", |context| {
            context_path(context, &context.name_text()?, directory)
        })?;
        let build = Self {
            dockerfile: map
                .read_filled("dockerfile", Field::name_text)?
                .unwrap_or_else(|| "Dockerfile".into()),
            target: map.read_filled("target", Field::name_text)?,
            args: map.read("args", |field| field.pairs(lookup))?.unwrap_or_default(),
            labels: map.read("labels", Field::labels)?.unwrap_or_default(),
            no_cache: map.read("no_cache", Field::bool)?.unwrap_or(false),
            pull: map.read("pull", Field::bool)?.unwrap_or(false),
            network: map.read_filled("network", Field::name_text)?,
            tags: map
                .read("tags", |field| match field.value {
                    Value::Array(_) => field.list()?.iter().map(read_built_image).collect(),
                    _ => field.texts(),
                })?
                .unwrap_or_default(),
            secrets: map.read("secrets", read_secrets)?.unwrap_or_default(),
            context: context.unwrap_or_else(|| directory.to_path_buf()),
        };
        map.finish(&[
            "additional_contexts",
            "cache_from",
            "cache_to",
            "dockerfile_inline",
            "entitlements",
            "extra_hosts",
            "isolation",
            "platforms",
            "privileged",
            "provenance",
            "sbom",
            "shm_size",
            "ssh",
            "ulimits",
        ])?;
        Ok(build)
    }

    /// A build of `context` with Compose's defaults.
    pub fn of_context(context: PathBuf) -> Self {
        Self {
            context,
            dockerfile: "Dockerfile".into(),
            target: None,
            args: BTreeMap::new(),
            labels: BTreeMap::new(),
            no_cache: false,
            pull: false,
            network: None,
            tags: Vec::new(),
            secrets: Vec::new(),
        }
    }
}

/// The name of an image that is built. It must not be the image of the locks, which all projects
/// share.
pub(super) fn read_built_image(field: &Field<'_>) -> Result<String, Failure> {
    let name = field.image_name()?;
    if is_reserved_image(&name) {
        return Err(field
            .fail(format!("An image can't be built as \"{name}\": spc uses that image for the locks of all projects"))
            .hint("choose another name"));
    }
    Ok(name)
}

fn read_secrets(field: &Field<'_>) -> Result<Vec<BuildSecret>, Failure> {
    let mut secrets: Vec<BuildSecret> = Vec::new();
    for item in field.list()? {
        let secret = BuildSecret::read(&item)?;
        if secrets.iter().any(|before| before.id == secret.id) {
            return Err(item
                .fail(format!("The build has two secrets named \"{}\"", secret.id))
                .hint("give one of them another `target`"));
        }
        secrets.push(secret);
    }
    Ok(secrets)
}

impl BuildSecret {
    /// `name`, or `{source, target}`.
    fn read(field: &Field<'_>) -> Result<Self, Failure> {
        if let Value::String(source) = field.value {
            return Ok(Self { source: source.clone(), id: source.clone() });
        }
        let mut map = field.long_form("the name of a secret or a map")?;
        let source = map.required("source")?.name_text()?;
        let id = map.read_filled("target", Field::name_text)?.unwrap_or_else(|| source.clone());
        for key in ["uid", "gid", "mode"] {
            if let Some(field) = map.get(key) {
                return Err(field
                    .fail_key(format!("\"{key}\" of a build's secret can't be set here: builders read it from the Dockerfile only"))
                    .hint(format!("remove it, and write `RUN --mount=type=secret,id={id},{key}=…`")));
            }
        }
        map.finish(&[])?;
        Ok(Self { source, id })
    }
}
