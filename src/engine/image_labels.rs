//! The labels of images, to separate the labels that a container inherited from those that were set
//! when it was created.

use std::collections::{BTreeMap, HashMap};

use bollard::models;

use super::{Engine, Result};
use crate::model::names::is_reserved_label;
use crate::model::ownership::{Labels, set_at_create};

/// Known images, from their list, which contains the labels, or from an inspect.
#[derive(Debug, Clone, Default)]
pub struct ImageLabels {
    /// By the digits of the id; `None` if the image was removed.
    of: BTreeMap<String, Option<Labels>>,
}

/// Not every engine writes an id with its algorithm everywhere.
fn digits(id: &str) -> &str {
    id.strip_prefix("sha256:").unwrap_or(id)
}

/// Labels as the engine's models have them, in order.
pub fn sorted(labels: Option<&HashMap<String, String>>) -> Labels {
    labels.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl ImageLabels {
    /// From a list of images.
    pub fn of_list(images: &[models::ImageSummary]) -> Self {
        let mut known = Self::default();
        known.add_list(images);
        known
    }

    /// Adds the images of a list.
    pub fn add_list(&mut self, images: &[models::ImageSummary]) {
        self.of.extend(
            images
                .iter()
                .map(|image| (digits(&image.id).to_owned(), Some(sorted(Some(&image.labels))))),
        );
    }

    /// Whether a container of this image needs no further call. One without reserved labels claims
    /// nothing.
    pub fn knows(&self, labels: &Labels, image: &str) -> bool {
        image.is_empty()
            || self.of.contains_key(digits(image))
            || !labels.keys().any(|key| is_reserved_label(key))
    }

    /// Adds the answer of [`ask`].
    pub fn add(&mut self, image: &str, labels: Option<Labels>) {
        self.of.insert(digits(image).to_owned(), labels);
    }

    /// Inspects the image of a container, unless it is known.
    async fn learn(&mut self, engine: &dyn Engine, labels: &Labels, image: &str) -> Result<()> {
        if !self.knows(labels, image) {
            self.add(image, ask(engine, image).await?);
        }
        Ok(())
    }

    /// The labels that were set when the container was created, as far as known.
    pub fn set_at_create(&self, name: &str, labels: &Labels, image: &str) -> Labels {
        let none = Labels::new();
        let of_image = self.of.get(digits(image)).map_or(Some(&none), Option::as_ref);
        set_at_create(name.trim_start_matches('/'), labels, of_image)
    }
}

/// The labels of an image by its id; `None` if it was removed.
pub async fn ask(engine: &dyn Engine, image: &str) -> Result<Option<Labels>> {
    match engine.image_inspect(image).await {
        Ok(found) => Ok(Some(sorted(found.config.and_then(|config| config.labels).as_ref()))),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The labels that were set when an inspected container was created.
pub async fn of_inspected(
    engine: &dyn Engine,
    found: &models::ContainerInspectResponse,
) -> Result<Labels> {
    let labels = sorted(found.config.as_ref().and_then(|config| config.labels.as_ref()));
    let image = found.image.as_deref().unwrap_or_default();
    let mut images = ImageLabels::default();
    images.learn(engine, &labels, image).await?;
    Ok(images.set_at_create(found.name.as_deref().unwrap_or_default(), &labels, image))
}

/// Removes inherited labels from listed containers. `images`: the engine's list. The image of a
/// container that is not in it (it was removed, or is only a layer of another one) is inspected
/// once.
pub async fn keep_own(
    engine: &dyn Engine,
    containers: &mut [models::ContainerSummary],
    images: &[models::ImageSummary],
) -> Result<()> {
    let mut images = ImageLabels::of_list(images);
    for container in containers {
        let labels = sorted(container.labels.as_ref());
        let image = container.image_id.as_deref().unwrap_or_default();
        images.learn(engine, &labels, image).await?;
        let name = container.names.iter().flatten().next().map_or("", String::as_str);
        container.labels = Some(images.set_at_create(name, &labels, image).into_iter().collect());
    }
    Ok(())
}
