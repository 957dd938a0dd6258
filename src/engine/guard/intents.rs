//! Checks calls that will be made later, in the same way as the calls themselves.

use super::Kind;
use super::{Guard, Result, labels_of, names};
use crate::engine::Intent;
use crate::model::names::label;

impl Guard {
    /// Rejects an intent if the later call would be rejected. Missing objects pass, because the
    /// call reports them.
    pub(super) async fn check_intent(&self, intent: Intent<'_>) -> Result<()> {
        match intent {
            Intent::ChangeProject(project) => self.project(project).await,
            Intent::UseService { doing, service, project } => {
                self.service(doing, service, project).await
            }
            Intent::CreateContainer { name, body } => {
                self.container_body(name, body.clone()).await.map(drop)
            }
            Intent::StartContainer(container) => {
                self.may("start the container", Kind::Container, container).await?;
                self.mounts_lead_where_they_did(container).await
            }
            Intent::StopContainer(container) => {
                self.may("stop the container", Kind::Container, container).await
            }
            Intent::RemoveContainer(container) => {
                self.may("remove the container", Kind::Container, container).await
            }
            Intent::RenameContainer { container, to } => {
                self.may("rename the container", Kind::Container, container).await?;
                names::may_rename(container, to)
            }
            Intent::CreateNetwork(body) => self.network(body).await,
            Intent::UseNetwork(network) => {
                self.policy.namespace("network", network)?;
                self.may("connect to the network", Kind::Network, network).await
            }
            Intent::RemoveNetwork(network) => {
                self.may("remove the network", Kind::Network, network).await
            }
            Intent::CreateVolume(body) => self.volume(body.clone()).await.map(drop),
            Intent::UseVolume(volume) => self.may("mount the volume", Kind::Volume, volume).await,
            Intent::RemoveVolume(volume) => {
                self.may("remove the volume", Kind::Volume, volume).await
            }
            Intent::BuildImage { tags, network, labels } => self.build(tags, network, labels).await,
            Intent::PullImage(image) => names::may_name_image("pull the image", image),
            Intent::LookIntoContainer(container) => {
                self.may("look into the container", Kind::Container, container).await
            }
            Intent::LookIntoNetwork(network) => {
                self.may("look into the network", Kind::Network, network).await
            }
            Intent::LookIntoVolume(volume) => {
                self.may("look into the volume", Kind::Volume, volume).await
            }
        }
    }

    /// Checks a volume's create call. The caller sends the returned body.
    pub(super) async fn volume(
        &self,
        mut body: bollard::models::VolumeCreateRequest,
    ) -> Result<bollard::models::VolumeCreateRequest> {
        body.driver_opts = self.volume_options(body.driver.as_deref(), body.driver_opts.take())?;
        let (name, labels) =
            (body.name.as_deref().unwrap_or_default(), labels_of(body.labels.as_ref()));
        if labels.contains_key(label::FORMER_FOLDERS) {
            names::may_record_move(&self.policy, name, &labels)?;
        }
        self.labels_are_own("create the volume", name, &labels).await?;
        Ok(body)
    }

    /// Checks a build: its names, the network of its steps, and the owner in its labels.
    pub(super) async fn build(
        &self,
        tags: &[String],
        network: Option<&str>,
        labels: &std::collections::BTreeMap<String, String>,
    ) -> Result<()> {
        self.policy.namespace("build with network", network.unwrap_or_default())?;
        tags.iter().try_for_each(|tag| names::may_name_image("build the image", tag))?;
        tags.iter().try_for_each(|tag| self.policy.image_name("build the image", tag))?;
        self.labels_are_own("build the image", tags.first().map_or("", String::as_str), labels)
            .await
    }
}
