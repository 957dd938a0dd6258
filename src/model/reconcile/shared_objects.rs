//! Networks and volumes that services need. Missing ones are created. The project's own and
//! external ones are used. Those of other owners, or with other settings, are rejected.

use super::super::cause::Cause;
use super::super::failure::SpecPath;
use super::super::plan::{Action, StepId};
use super::super::spec::Service;
use super::super::{Failure, Kind};
use super::planner::Planner;
use super::settings;

/// A network or volume that the description needs.
struct NeededObject<'n> {
    /// `network`.
    kind: &'static str,
    key: &'n str,
    /// Its name on the engine.
    name: &'n str,
    /// It is only used, never created.
    external: bool,
    there: Option<FoundObject<'n>>,
    /// The next step if its settings differ.
    advice: &'static str,
}

/// The object with this name on the engine.
struct FoundObject<'n> {
    ours: bool,
    compose: bool,
    owner: Option<&'n str>,
    /// The differences between the settings of the project's own object and the description.
    differences: Option<String>,
}

impl Planner<'_> {
    /// The step that creates the network; `None` if it exists.
    pub(super) fn network(
        &mut self,
        service: &Service,
        key: &str,
    ) -> Result<Option<StepId>, Failure> {
        if let Some(&known) = self.networks.get(key) {
            return Ok(known);
        }
        let network = &self.wanted.project.networks[key];
        let there = self
            .observed
            .networks
            .iter()
            .filter(|there| there.name == network.name)
            .min_by_key(|there| (!there.ours, there.created));
        let is_missing = self.is_missing(&NeededObject {
            kind: "network",
            key,
            name: &network.name,
            external: network.external,
            there: there.map(|there| FoundObject {
                ours: there.ours,
                compose: there.compose,
                owner: there.owner.as_deref(),
                differences: there.ours.then(|| settings::of_network(there, network)).flatten(),
            }),
            advice: "a network can't be changed while containers are on it: run `down`, then `up`; volumes are kept",
        })?;
        if let Some(there) = there.filter(|there| there.compose && !there.ours) {
            let differences = settings::of_adopted_network(there, network);
            self.note_adopted("network", &network.name, network.external, differences);
        }
        let action = Action::CreateNetwork { key: key.to_owned(), name: network.name.clone() };
        let step = is_missing.then(|| self.add(Some(service), action, Some(Cause::NotThere), &[]));
        self.networks.insert(key.to_owned(), step);
        Ok(step)
    }

    /// The step that creates the volume; `None` if it exists.
    pub(super) fn volume(
        &mut self,
        service: &Service,
        key: &str,
    ) -> Result<Option<StepId>, Failure> {
        if let Some(&known) = self.volumes.get(key) {
            return Ok(known);
        }
        let volume = &self.wanted.project.volumes[key];
        let there = self.observed.volumes.iter().find(|there| there.name == volume.name);
        let is_missing = self.is_missing(&NeededObject {
            kind: "volume",
            key,
            name: &volume.name,
            external: volume.external,
            there: there.map(|there| FoundObject {
                ours: there.ours,
                compose: there.compose,
                owner: there.owner.as_deref(),
                differences: there.ours.then(|| settings::of_volume(there, volume)).flatten(),
            }),
            advice: "a volume can't be changed without losing its data: restore the settings, or choose another `name`",
        })?;
        if let Some(there) = there.filter(|there| there.compose && !there.ours) {
            let differences = settings::of_volume(there, volume);
            self.note_adopted("volume", &volume.name, volume.external, differences);
        }
        let action = Action::CreateVolume { key: key.to_owned(), name: volume.name.clone() };
        let step = is_missing.then(|| self.add(Some(service), action, Some(Cause::NotThere), &[]));
        self.volumes.insert(key.to_owned(), step);
        Ok(step)
    }

    /// Whether it has to be created. Fails if the existing one can't be used.
    fn is_missing(&self, needed: &NeededObject<'_>) -> Result<bool, Failure> {
        let &NeededObject { kind, key, name, external, ref there, advice } = needed;
        let at = |failure: Failure| {
            let keys = vec![format!("{kind}s"), key.to_owned()];
            failure.at(SpecPath { keys, on_key: true })
        };
        match there {
            Some(_) if external => Ok(false),
            None if external => Err(at(Failure::new(
                Kind::NotFound,
                format!("The external {kind} \"{name}\" is not on this engine"),
            )
            .hint(format!("create it with `docker {kind} create {name}`, or remove `external`")))),
            Some(FoundObject { ours: true, differences: Some(differences), .. }) => {
                let message =
                    format!("The {kind} \"{name}\" was created with other settings: {differences}");
                Err(at(Failure::new(Kind::Conflict, message).hint(advice)))
            }
            Some(FoundObject { ours: true, .. }) => Ok(false),
            Some(FoundObject { compose: true, .. }) if self.is_adopted(name) => Ok(false),
            Some(FoundObject { owner, .. }) => {
                Err(at(taken(kind, name, *owner, &self.wanted.project.name)))
            }
            None => Ok(true),
        }
    }

    /// Says which settings an adopted object does not get: it stays as Docker Compose made it.
    fn note_adopted(
        &mut self,
        kind: &str,
        name: &str,
        external: bool,
        differences: Option<String>,
    ) {
        if let Some(differences) = differences.filter(|_| !external) {
            self.plan.notes.push(format!(
                "the {kind} \"{name}\" keeps its settings from Docker Compose, which differ from the description: {differences}"
            ));
        }
    }

    fn is_adopted(&self, name: &str) -> bool {
        self.wanted.adopt || self.wanted.adopted.contains(name)
    }
}

/// The failure if the name of a network or volume belongs to one that this project did not create.
/// The hint doesn't lead to another rejection: an object of another project also needs its name in
/// `spc.toml`.
fn taken(kind: &str, name: &str, owner: Option<&str>, project: &str) -> Failure {
    let conflict = |message: String| Failure::new(Kind::Conflict, message);
    match owner {
        Some(owner) if owner == project => conflict(format!("The {kind} \"{name}\" was created by Docker Compose for a project of this name"))
            .hint("use --adopt to use it as it is, with its content; or choose another `name`"),
        Some(owner) => conflict(format!("The {kind} \"{name}\" belongs to the project \"{owner}\"")).hint(format!(
            "choose another `name`; or, to use it as it is, mark it `external: true` and name \"{owner}\" in `projects` under [allow] in spc.toml"
        )),
        None => conflict(format!("A {kind} \"{name}\" that spc did not create is on this engine"))
            .hint("mark it `external: true` to use it, or choose another `name`"),
    }
}
