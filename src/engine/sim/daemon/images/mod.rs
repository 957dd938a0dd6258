//! Images: names can move, ids stay.

pub(in crate::engine::sim) mod dockerfile;
pub(in crate::engine::sim) mod import;
pub(in crate::engine::sim) mod mounts;
pub(in crate::engine::sim) mod reference;
pub(in crate::engine::sim) mod spec;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::{
    DriverData, ImageConfig, ImageInspect, ImageInspectMetadata, ImageInspectRootFs, ImageSummary,
};

use super::errors::refusal;
use super::filters::{FilterSet, label_matches};
use super::ids::short;
use super::state::{Objects, State};
use super::tree::Tree;
use crate::engine::sim::MODERN_API;
use crate::engine::sim::behaviour::processes::matches as glob;
use crate::engine::{ApiVersion, EngineError, Filters, Result};
use crate::host::sim::date;
use reference::Reference;

const FILTERS: &[&str] = &["before", "dangling", "label", "reference", "since", "until"];

/// From this version on an image without a name has an empty list of names, not `<none>:<none>`.
const NO_NONE: ApiVersion = ApiVersion { major: 1, minor: 43 };

#[derive(Debug, Clone)]
pub(in crate::engine::sim) struct Image {
    /// `sha256:` and 64 digits.
    pub id: String,
    pub serial: u64,
    pub created: Duration,
    /// `postgres:15`
    pub tags: BTreeSet<String>,
    /// `postgres@sha256:…`
    pub digests: BTreeSet<String>,
    pub config: ImageConfig,
    pub comment: String,
    pub size: i64,
    pub files: Arc<Tree>,
}

impl Objects {
    /// By name, digest, or id (or its beginning).
    pub fn find_image(&self, wanted: &str) -> Result<&Image> {
        if wanted.is_empty() {
            return Err(refusal(404, "No such image: \"\""));
        }
        if let Some(image) =
            self.images.get(wanted).or_else(|| self.images.get(&format!("sha256:{wanted}")))
        {
            return Ok(image);
        }
        let reference = Reference::parse(wanted)?;
        let full = reference.full();
        if let Some(image) = self
            .images
            .values()
            .find(|image| image.tags.contains(&full) || image.digests.contains(&full))
        {
            return Ok(image);
        }
        let digits = wanted.strip_prefix("sha256:").unwrap_or(wanted);
        if digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
            let mut begun = self
                .images
                .values()
                .filter(|image| image.id["sha256:".len()..].starts_with(digits));
            if let (Some(image), None) = (begun.next(), begun.next()) {
                return Ok(image);
            }
        }
        let shown = if wanted.starts_with("sha256:") { wanted } else { &full };
        Err(refusal(404, format!("No such image: {shown}")))
    }

    /// The newest first.
    pub fn list_images(&self, filters: &Filters, api: ApiVersion) -> Result<Vec<ImageSummary>> {
        let wanted = FilterSet::new(filters, FILTERS)?;
        let dangling = wanted.flag("dangling")?;
        let none = BTreeMap::new();
        let serial = |key: &str| -> Result<Option<u64>> {
            let Some(name) = wanted.values(key).and_then(|names| names.first()) else {
                return Ok(None);
            };
            self.find_image(name).map(|image| Some(image.serial))
        };
        let (before, since) = (serial("before")?, serial("since")?);
        let fits =
            |image: &&Image| {
                let labels = image
                    .config
                    .labels
                    .as_ref()
                    .map_or_else(|| none.clone(), |labels| labels.clone().into_iter().collect());
                wanted.values("label").is_none_or(|filters| {
                    filters.iter().all(|filter| label_matches(filter, &labels))
                }) && wanted.values("reference").is_none_or(|patterns| {
                    image.tags.iter().any(|tag| patterns.iter().any(|pattern| names(pattern, tag)))
                }) && dangling.is_none_or(|dangling| dangling == image.tags.is_empty())
                    && before.is_none_or(|serial| image.serial < serial)
                    && since.is_none_or(|serial| image.serial > serial)
            };
        let mut found: Vec<&Image> = self.images.values().filter(fits).collect();
        found.sort_by_key(|image| std::cmp::Reverse(image.serial));
        Ok(found.into_iter().map(|image| image.summary(api)).collect())
    }

    pub fn inspect_image(&self, wanted: &str, api: ApiVersion) -> Result<ImageInspect> {
        let image = self.find_image(wanted).map_err(|error| inspect_error(wanted, error, api))?;
        let layer = format!("sha256:{}", super::ids::digest([image.id.as_bytes(), b"layer"]));
        Ok(ImageInspect {
            id: Some(image.id.clone()),
            repo_tags: Some(image.tags.iter().cloned().collect()),
            repo_digests: Some(image.digests.iter().cloned().collect()),
            comment: Some(image.comment.clone()),
            created: Some(date(image.created)),
            author: Some(String::new()),
            config: Some(image.config.clone()),
            architecture: Some("amd64".to_owned()),
            os: Some("linux".to_owned()),
            size: Some(image.size),
            graph_driver: Some(DriverData { name: "overlay2".to_owned(), ..DriverData::default() }),
            root_fs: Some(ImageInspectRootFs {
                typ: "layers".to_owned(),
                layers: Some(vec![layer]),
            }),
            metadata: Some(ImageInspectMetadata { last_tag_time: None }),
            ..ImageInspect::default()
        })
    }
}

/// Older engines repeat in the message that an image does not exist.
fn inspect_error(wanted: &str, error: EngineError, api: ApiVersion) -> EngineError {
    if api >= MODERN_API {
        error
    } else {
        EngineError { message: format!("no such image: {wanted}: {}", error.message), ..error }
    }
}

/// A pattern with or without a tag.
fn names(pattern: &str, tag: &str) -> bool {
    let repository = tag.rsplit_once(':').map_or(tag, |(repository, _)| repository);
    glob(pattern, tag) || glob(pattern, repository)
}

impl Image {
    fn summary(&self, api: ApiVersion) -> ImageSummary {
        let nameless = self.tags.is_empty() && api < NO_NONE;
        let or_none = |names: &BTreeSet<String>, none: &str| {
            if names.is_empty() && nameless {
                vec![none.to_owned()]
            } else {
                names.iter().cloned().collect()
            }
        };
        ImageSummary {
            id: self.id.clone(),
            parent_id: String::new(),
            repo_tags: or_none(&self.tags, "<none>:<none>"),
            repo_digests: or_none(&self.digests, "<none>@<none>"),
            created: date(self.created).timestamp(),
            size: self.size,
            shared_size: -1,
            labels: self.config.labels.clone().unwrap_or_default(),
            containers: -1,
            ..ImageSummary::default()
        }
    }
}

impl State {
    /// Adds an image to the store (or finds it there) and names it.
    pub(in crate::engine::sim) fn store_image(
        &mut self,
        id: &str,
        name: Option<&str>,
        make: impl FnOnce(&mut Self) -> Image,
    ) {
        if !self.objects.images.contains_key(id) {
            let image = make(self);
            self.objects.images.insert(id.to_owned(), image);
        }
        if let Some(name) = name {
            self.name_image(id, name);
        }
    }

    /// A name belongs to one image: the former image loses it.
    pub(in crate::engine::sim) fn name_image(&mut self, id: &str, name: &str) {
        for image in self.objects.images.values_mut() {
            if image.id == id {
                image.tags.insert(name.to_owned());
            } else {
                image.tags.remove(name);
            }
        }
    }

    pub fn tag_image(&mut self, wanted: &str, name: &str) -> Result<()> {
        let id = self.objects.find_image(wanted)?.id.clone();
        let reference = Reference::parse(name).map_err(|error| refusal(500, error.message))?;
        if reference.digest.is_some() {
            return Err(refusal(400, "refusing to create a tag with a digest reference"));
        }
        let name = reference.full();
        self.name_image(&id, &name);
        self.emit_image(&id, "tag", &name);
        Ok(())
    }

    /// Removes a name, and the image with its last name.
    pub fn remove_image(&mut self, wanted: &str, force: bool) -> Result<()> {
        let image = self.objects.find_image(wanted)?;
        let id = image.id.clone();
        let by_id = !image.tags.contains(
            &Reference::parse(wanted).map(|reference| reference.full()).unwrap_or_default(),
        );
        let names: Vec<String> = image.tags.iter().cloned().collect();
        let removed: Vec<String> = if by_id {
            names.clone()
        } else {
            Reference::parse(wanted).map(|reference| vec![reference.full()])?
        };
        let last = removed.len() == names.len();
        let user = self.objects.containers.values().find(|container| container.image_id == id);
        if by_id && names.len() > 1 && !force {
            let words = "(must be forced) - image is referenced in multiple repositories";
            return Err(refusal(409, format!("conflict: unable to delete {} {words}", short(&id))));
        }
        if let Some(container) = user.filter(|_| last) {
            let (holder, held) = (short(&container.id), short(&id));
            if container.is_running() && (by_id || !force) {
                let words = if by_id {
                    format!(
                        "conflict: unable to delete {held} (cannot be forced) - image is being used by running container {holder}"
                    )
                } else {
                    format!(
                        "conflict: unable to remove repository reference \"{wanted}\" (must force) - container {holder} is using its referenced image {held}"
                    )
                };
                return Err(refusal(409, words));
            }
            if !force {
                let words = if by_id {
                    format!(
                        "conflict: unable to delete {held} (must be forced) - image is being used by stopped container {holder}"
                    )
                } else {
                    format!(
                        "conflict: unable to remove repository reference \"{wanted}\" (must force) - container {holder} is using its referenced image {held}"
                    )
                };
                return Err(refusal(409, words));
            }
        }
        let kept = user.is_some_and(super::containers::Container::is_running);
        for name in &removed {
            if let Some(image) = self.objects.images.get_mut(&id) {
                image.tags.remove(name);
            }
            self.emit_image(&id, "untag", &id);
        }
        if last && !kept {
            self.objects.images.remove(&id);
            self.emit_image(&id, "delete", &id);
        }
        Ok(())
    }
}
