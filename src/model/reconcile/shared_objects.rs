//! The networks and volumes that services use.

use super::super::cause::Cause;
use super::super::failure::SpecPath;
use super::super::plan::{Action, StepId};
use super::super::spec::Service;
use super::super::{Failure, Kind};
use super::planner::Planner;
use super::settings;

/// The name of a network or volume is taken by one that this project did not make. The hint leads
/// to no other refusal: what another project made needs its name in `spc.toml` too.
fn taken(kind: &str, name: &str, owner: Option<&str>, project: &str) -> Failure {
    let conflict = |message: String| Failure::new(Kind::Conflict, message);
    match owner {
        Some(owner) if owner == project => conflict(format!("The {kind} \"{name}\" was made by Docker Compose, for a project of this name"))
            .hint("--adopt takes it over as it is, with what is in it; or choose another `name`"),
        Some(owner) => conflict(format!("The {kind} \"{name}\" belongs to the project \"{owner}\"")).hint(format!(
            "choose another `name`; or, to use it as it is, mark it `external: true` and name \"{owner}\" in `projects` under [allow] in spc.toml"
        )),
        None => conflict(format!("A {kind} \"{name}\" that spc did not make is on this engine"))
            .hint("mark it `external: true` to use it, or choose another `name`"),
    }
}

impl Planner<'_> {
    pub(super) fn network(
        &mut self,
        service: &Service,
        key: &str,
    ) -> Result<Option<StepId>, Failure> {
        if let Some(&known) = self.networks.get(key) {
            return Ok(known);
        }
        let network = &self.wanted.project.networks[key];
        let name = &network.name;
        let at = |failure: Failure| {
            failure.at(SpecPath { keys: vec!["networks".into(), key.into()], on_key: true })
        };
        let there = self
            .observed
            .networks
            .iter()
            .filter(|there| there.name == *name)
            .min_by_key(|there| (!there.ours, there.created));
        let step = match there {
            Some(_) if network.external => None,
            None if network.external => {
                return Err(at(Failure::new(
                    Kind::NotFound,
                    format!("The external network \"{name}\" is not on this engine"),
                )
                .hint(format!(
                    "make it with `docker network create {name}`, or leave `external` out"
                ))));
            }
            Some(there) if there.ours => {
                if let Some(differences) = settings::of_network(there, network) {
                    return Err(at(Failure::new(
                        Kind::Conflict,
                        format!("The network \"{name}\" was made with other settings than these: {differences}"),
                    )
                    .hint("a network can't be changed while containers are on it: run `down`, then `up`; volumes are kept")));
                }
                None
            }
            Some(there) if there.compose && self.is_adopted(name) => None,
            Some(there) => {
                return Err(at(taken(
                    "network",
                    name,
                    there.owner.as_deref(),
                    &self.wanted.project.name,
                )));
            }
            None => {
                let action = Action::CreateNetwork { key: key.to_owned(), name: name.clone() };
                Some(self.add(Some(service), action, Some(Cause::NotThere), &[]))
            }
        };
        self.networks.insert(key.to_owned(), step);
        Ok(step)
    }

    pub(super) fn is_adopted(&self, name: &str) -> bool {
        self.wanted.adopt || self.wanted.adopted.contains(name)
    }

    pub(super) fn volume(
        &mut self,
        service: &Service,
        key: &str,
    ) -> Result<Option<StepId>, Failure> {
        if let Some(&known) = self.volumes.get(key) {
            return Ok(known);
        }
        let volume = &self.wanted.project.volumes[key];
        let name = &volume.name;
        let at = |failure: Failure| {
            failure.at(SpecPath { keys: vec!["volumes".into(), key.into()], on_key: true })
        };
        let step = match self.observed.volumes.iter().find(|there| there.name == *name) {
            Some(_) if volume.external => None,
            None if volume.external => {
                return Err(at(Failure::new(
                    Kind::NotFound,
                    format!("The external volume \"{name}\" is not on this engine"),
                )
                .hint(format!(
                    "make it with `docker volume create {name}`, or leave `external` out"
                ))));
            }
            Some(there) if there.ours => {
                if let Some(differences) = settings::of_volume(there, volume) {
                    let message = format!(
                        "The volume \"{name}\" was made with other settings than these: {differences}"
                    );
                    return Err(at(Failure::new(Kind::Conflict, message)
                        .hint("a volume can't be changed without losing its data: put the settings back, or choose another `name`")));
                }
                None
            }
            Some(there) if there.compose && self.is_adopted(name) => None,
            Some(there) => {
                return Err(at(taken(
                    "volume",
                    name,
                    there.owner.as_deref(),
                    &self.wanted.project.name,
                )));
            }
            None => {
                let action = Action::CreateVolume { key: key.to_owned(), name: name.clone() };
                Some(self.add(Some(service), action, Some(Cause::NotThere), &[]))
            }
        };
        self.volumes.insert(key.to_owned(), step);
        Ok(step)
    }
}
