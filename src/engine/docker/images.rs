//! Images that the engine has.

use bollard::models;
use bollard::query_parameters as query;

use super::client::filters;
use super::reference::{repository_and_tag, segment};
use super::{DockerEngine, errors};
use crate::engine::{Filters, Method, Result};

pub(super) async fn list(
    engine: &DockerEngine,
    filter: &Filters,
) -> Result<Vec<models::ImageSummary>> {
    let options = query::ListImagesOptions { filters: filters(filter), ..Default::default() };
    engine.client(Method::ImageList).list_images(Some(options)).await.map_err(errors::from_client)
}

pub(super) async fn inspect(engine: &DockerEngine, image: &str) -> Result<models::ImageInspect> {
    engine
        .client(Method::ImageInspect)
        .inspect_image(&segment("image", image)?)
        .await
        .map_err(errors::from_client)
}

pub(super) async fn tag(engine: &DockerEngine, image: &str, tag: &str) -> Result<()> {
    let (repository, tag) = repository_and_tag(tag);
    let options =
        query::TagImageOptions { repo: Some(repository.to_owned()), tag: Some(tag.to_owned()) };
    engine
        .client(Method::ImageTag)
        .tag_image(&segment("image", image)?, Some(options))
        .await
        .map_err(errors::from_client)
}

pub(super) async fn remove(engine: &DockerEngine, image: &str, force: bool) -> Result<()> {
    let options = query::RemoveImageOptions { force, ..Default::default() };
    let removed = engine
        .client(Method::ImageRemove)
        .remove_image(&segment("image", image)?, Some(options), None)
        .await;
    removed.map(drop).map_err(errors::from_client)
}
