//! Networks and volumes.

use bollard::models;

use super::super::DryRunEngine;
use crate::engine::{Engine, Filters, Result};
use crate::model::names::is_former_folders_volume;
use crate::model::step::{ActionKind, Object};

impl DryRunEngine {
    pub(super) async fn network_list(&self, filters: &Filters) -> Result<Vec<models::Network>> {
        let mut list = self.sim.network_list(filters).await?;
        for network in &mut list {
            if let Some(found) = network.id.as_ref().and_then(|id| self.found.networks.get(id)) {
                network.clone_from(found);
            }
        }
        Ok(list)
    }

    pub(super) async fn network_create(
        &self,
        body: models::NetworkCreateRequest,
    ) -> Result<String> {
        let name = body.name.clone();
        let id = self.sim.network_create(body).await?;
        let network = Object::network(name);
        self.effects.effect(ActionKind::Create, &network);
        self.effects.invented(&id, &network);
        Ok(id)
    }

    pub(super) async fn network_connect(
        &self,
        network: &str,
        container: &str,
        endpoint: models::EndpointSettings,
    ) -> Result<()> {
        self.touch(container)?;
        self.sim.network_connect(network, container, endpoint).await?;
        let object = Object::container(self.name_of(container))
            .with(format!("to network {}", self.network_name(network).await));
        self.effects.effect(ActionKind::Connect, &object);
        Ok(())
    }

    pub(super) async fn network_disconnect(
        &self,
        network: &str,
        container: &str,
        force: bool,
    ) -> Result<()> {
        self.touch(container)?;
        self.sim.network_disconnect(network, container, force).await?;
        let object = Object::container(self.name_of(container))
            .with(format!("from network {}", self.network_name(network).await));
        self.effects.effect(ActionKind::Disconnect, &object);
        Ok(())
    }

    pub(super) async fn network_remove(&self, network: &str) -> Result<()> {
        let name = self.network_name(network).await;
        self.sim.network_remove(network).await?;
        self.effects.effect(ActionKind::Remove, &Object::network(name));
        Ok(())
    }

    pub(super) async fn volume_list(&self, filters: &Filters) -> Result<Vec<models::Volume>> {
        let mut list = self.sim.volume_list(filters).await?;
        let state = self.state.lock();
        for volume in list.iter_mut().filter(|volume| !state.removed.contains(&volume.name)) {
            if let Some(found) = self.found.volumes.get(&volume.name) {
                volume.clone_from(found);
            }
        }
        Ok(list)
    }

    pub(super) async fn volume_inspect(&self, volume: &str) -> Result<models::Volume> {
        let seen = self.sim.volume_inspect(volume).await?;
        let is_found = !self.state.lock().removed.contains(volume);
        Ok(self.found.volumes.get(volume).filter(|_| is_found).cloned().unwrap_or(seen))
    }

    pub(super) async fn volume_create(
        &self,
        body: models::VolumeCreateRequest,
    ) -> Result<models::Volume> {
        let name = body.name.clone().unwrap_or_default();
        let is_new = name.is_empty() || self.sim.volume_inspect(&name).await.is_err();
        // The live engine's volume drivers are unknown here.
        let volume =
            self.sim.volume_create(models::VolumeCreateRequest { driver: None, ..body }).await?;
        // The record of a moved project is internal to spc, like its lock.
        if is_new && !is_former_folders_volume(&volume.name) {
            let made = Object::volume(&volume.name);
            self.effects.effect(ActionKind::Create, &made);
            if name.is_empty() {
                self.effects.invented(&volume.name, &made);
            }
        }
        Ok(volume)
    }

    pub(super) async fn volume_remove(&self, volume: &str, force: bool) -> Result<()> {
        let is_there = self.sim.volume_inspect(volume).await.is_ok();
        self.sim.volume_remove(volume, force).await?;
        // With force, the engine accepts that it does not exist.
        if is_there {
            self.state.lock().removed.insert(volume.to_owned());
            if !is_former_folders_volume(volume) {
                self.effects.effect(ActionKind::Remove, &Object::volume(volume));
            }
        }
        Ok(())
    }
}
