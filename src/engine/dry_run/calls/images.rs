//! Images.

use std::collections::HashMap;

use bollard::models;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::super::DryRunEngine;
use super::stream_of;
use crate::engine::sim::bases;
use crate::engine::{
    BuildEvent, BuildRequest, Engine, EngineError, EngineErrorKind, Filters, RegistryAuth, Result,
    TransferEvent,
};
use crate::model::names::LOCK_IMAGE;
use crate::model::step::{ActionKind, Object};

impl DryRunEngine {
    pub(super) async fn image_list(&self, filters: &Filters) -> Result<Vec<models::ImageSummary>> {
        let mut list = self.sim.image_list(filters).await?;
        for summary in &mut list {
            if let Some(found) = self.found.images.get(&summary.id) {
                let (tags, digests) = (
                    std::mem::take(&mut summary.repo_tags),
                    std::mem::take(&mut summary.repo_digests),
                );
                *summary = models::ImageSummary {
                    repo_tags: tags,
                    repo_digests: digests,
                    ..found.clone()
                };
            }
        }
        Ok(list)
    }

    pub(super) async fn image_inspect(&self, image: &str) -> Result<models::ImageInspect> {
        self.meet_image(image)?;
        let seen = self.sim.image_inspect(image).await?;
        let found = seen.id.as_ref().and_then(|id| self.state.lock().images.get(id).cloned());
        Ok(match found {
            Some(found) => models::ImageInspect {
                repo_tags: seen.repo_tags,
                repo_digests: seen.repo_digests,
                ..found
            },
            None => seen,
        })
    }

    pub(super) fn image_registry_digest(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<String> {
        let what = format!("the image {image} in its registry");
        self.live.ask(&what, self.live.engine.image_registry_digest(image, auth))
    }

    pub(super) fn image_pull(
        &self,
        image: &str,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        let step = self.effects.effect(ActionKind::Pull, &Object::image(image));
        self.sim.arrives(image, HashMap::new())?;
        self.opens(step, image);
        if let Some(id) = self.sim.image_id(image) {
            self.effects.invented_image(&id, image);
        }
        Ok(stream_of(Vec::new()))
    }

    pub(super) async fn image_push(
        &self,
        image: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<BoxStream<'static, Result<TransferEvent>>> {
        self.effects.effect(ActionKind::Push, &Object::image(image));
        self.sim.image_push(image, auth).await
    }

    pub(super) async fn image_build(
        &self,
        request: BuildRequest,
    ) -> Result<BoxStream<'static, Result<BuildEvent>>> {
        let add = |mut all: BytesMut, chunk: Bytes| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        };
        let context = request.context.try_fold(BytesMut::new(), add).await;
        let context = context
            .map_err(|error| {
                EngineError::new(
                    EngineErrorKind::Failed,
                    format!("could not read the build context: {error}"),
                )
            })?
            .freeze();
        let image = request.tags.first().cloned().unwrap_or_default();
        let tags = request.tags.clone();
        let step = self.effects.effect(ActionKind::Build, &Object::image(&image));
        let reports = match bases(&context, &request.dockerfile, &request.args) {
            Ok(bases) => {
                for base in bases {
                    self.meet_image(&base)?;
                }
                let request =
                    BuildRequest { context: stream::iter([Ok(context)]).boxed(), ..request };
                self.sim.image_build(request).await?.collect().await
            }
            // The live builder may understand what the simulated one can't.
            Err(why) => {
                self.effects.unclear(&format!("what the build of the image {image} makes: {why}"));
                self.comes_out(&request.tags, request.labels).await?
            }
        };
        for tag in &tags {
            self.opens(step, tag);
            if let Some(id) = self.sim.image_id(tag) {
                self.effects.invented_image(&id, tag);
            }
        }
        Ok(stream_of(reports))
    }

    pub(super) async fn image_import(
        &self,
        tag: &str,
        changes: &[String],
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> Result<String> {
        // The image of locks is internal to spc.
        if tag == LOCK_IMAGE {
            return self.sim.image_import(tag, changes, tar).await;
        }
        let step = self.effects.effect(ActionKind::Import, &Object::image(tag));
        let id = self.sim.image_import(tag, changes, tar).await?;
        self.opens(step, tag);
        self.effects.invented_image(&id, tag);
        Ok(id)
    }

    pub(super) async fn image_tag(&self, image: &str, tag: &str) -> Result<()> {
        let before = self.sim.image_id(tag);
        self.sim.image_tag(image, tag).await?;
        if self.sim.image_id(tag) != before {
            self.effects.effect(ActionKind::Tag, &Object::image(image).with(format!("as {tag}")));
        }
        Ok(())
    }

    pub(super) async fn image_remove(&self, image: &str, force: bool) -> Result<()> {
        self.sim.image_remove(image, force).await?;
        self.effects.effect(ActionKind::Remove, &Object::image(image));
        Ok(())
    }
}
