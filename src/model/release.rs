//! Releases: what a stack ran, and what a rollback restores.
//!
//! A release is recorded once it runs, from what runs: the containers' labels and image ids, and the
//! description that they have. The records are on the engine (`apply::releases`), so that another
//! machine can roll back. A record says what was deployed; what serves now is derived from the
//! containers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Failure;
use super::hash;
use super::observed_state::{Container, ObservedState};
use super::secret::Secrets;
use super::short_id::{SHORT_ID, short_id};
use super::spec::{Project, Service};

#[cfg(test)]
mod tests;

/// The version of the format of a record.
pub const FORMAT: u32 = 1;

/// The recorded releases that are kept, apart from failed ones.
pub const KEPT: usize = 5;

/// The longest tag that the engine accepts.
const LONGEST_TAG: usize = 128;

/// The field of a specification whose values are recorded one by one.
const ENVIRONMENT: &str = "environment";

/// The name that keeps the image of a release: `docker image prune` removes an image without any
/// name.
pub fn kept_image(project: &str, image_id: &str) -> String {
    let tag = format!("{project}-{}", short_id(image_id));
    if tag.len() <= LONGEST_TAG {
        return format!("spc-releases:{tag}");
    }
    format!("spc-releases:{}", hash::sha256(tag.as_bytes()))
}

/// Whether an image name is one of [`kept_image`] for `project`.
pub fn is_kept_image(name: &str, project: &str) -> bool {
    let is_id =
        |rest: &str| rest.len() == SHORT_ID && rest.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.strip_prefix("spc-releases:")
        .and_then(|tag| tag.strip_prefix(project))
        .and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(is_id)
}

/// A recorded release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    pub format: u32,
    /// From 1, one after the other.
    pub id: u64,
    /// When it was recorded: RFC 3339. It has a label of its own.
    #[serde(skip)]
    pub at: String,
    /// How it was deployed: `up`, `rolling`, `rollback` and so on.
    pub strategy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Why it failed; not set for a release that was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Of a rollback: the id of the release that it restored. Where that was a rollback itself, the
    /// one that this one restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// The id of the release that a rollback left. A later rollback does not go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
    /// The services that have a release. Of a failed one, what it tried.
    pub services: BTreeMap<String, ReleasedService>,
}

/// What a service ran in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedService {
    /// Its name: `x-spc-release`.
    pub release: String,
    /// The image as described.
    pub image: String,
    /// The image's id; empty if the release failed.
    pub image_id: String,
    /// The hash on the containers' labels; empty if the release failed.
    pub hash: String,
    /// The service as it is hashed, without the values in `withheld`. The number of containers and
    /// the order of an update are not part of it.
    pub specification: Map<String, Value>,
    /// Keys whose values contain secrets, such as `environment.DATABASE_URL`. They are not
    /// recorded.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub withheld: BTreeSet<String>,
}

impl Release {
    /// Whether it was deployed.
    pub fn is_good(&self) -> bool {
        self.failed.is_none()
    }

    /// Whether every service of it runs as recorded.
    pub fn runs(&self, observed: &ObservedState) -> bool {
        let runs = |(name, service): (&String, &ReleasedService)| {
            let containers: Vec<&Container> = serving(observed, name).collect();
            !containers.is_empty() && containers.iter().all(|container| service.is_of(container))
        };
        self.is_good() && !self.services.is_empty() && self.services.iter().all(runs)
    }

    /// The name that people use: that of its services, or all of them if they differ.
    pub fn name(&self) -> String {
        let names: BTreeSet<&str> =
            self.services.values().map(|service| service.release.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}

impl ReleasedService {
    /// `service` of a project, as a container with this label and image runs it.
    fn of(service: &Service, container: &Container, secrets: &Secrets) -> Option<Self> {
        let (specification, withheld) = recorded(service, secrets);
        Some(Self {
            release: service.release.clone()?,
            image: service.image.clone(),
            image_id: container.image_id.clone(),
            hash: container.hash.clone()?,
            specification,
            withheld,
        })
    }

    fn is_of(&self, container: &Container) -> bool {
        container.hash.as_deref() == Some(&*self.hash) && container.image_id == self.image_id
    }

    /// The recorded service. `current` is its description today: it has the values that were not
    /// recorded, and everything that containers are not made from. A release is never built again.
    pub fn restored(&self, current: &Service) -> Result<Service, Failure> {
        let unreadable = |reason: String| {
            Failure::usage(format!(
                "The record of the service \"{}\" in the release {} can't be read: {reason}",
                current.name, self.release
            ))
            .hint("deploy the release again by its tag")
        };
        let Ok(Value::Object(today)) = serde_json::to_value(current) else {
            return Err(unreadable("today's description has no JSON form".to_owned()));
        };
        let mut fields = self.specification.clone();
        for key in &self.withheld {
            match key.split_once('.') {
                None => {
                    if let Some(value) = today.get(key) {
                        fields.insert(key.clone(), value.clone());
                    }
                }
                Some((field, name)) => {
                    let value = today.get(field).and_then(|inner| inner.get(name));
                    let inner = fields.entry(field).or_insert_with(|| Map::new().into());
                    if let (Some(value), Some(inner)) = (value, inner.as_object_mut()) {
                        inner.insert(name.to_owned(), value.clone());
                    }
                }
            }
        }
        let service: Service = serde_json::from_value(Value::Object(fields))
            .map_err(|error| unreadable(error.to_string()))?;
        Ok(Service {
            name: current.name.clone(),
            build: None,
            configs: current.configs.clone(),
            depends_on: current.depends_on.clone(),
            restart_is_described: current.restart_is_described,
            profiles: current.profiles.clone(),
            scale: current.scale,
            scale_is_described: current.scale_is_described,
            update_order: current.update_order,
            update: current.update.clone(),
            rollback: current.rollback.clone(),
            probe: current.probe,
            verification: current.verification.clone(),
            ..service
        })
    }
}

/// The service as it is hashed, and the keys that were left out because they contain secrets.
fn recorded(service: &Service, secrets: &Secrets) -> (Map<String, Value>, BTreeSet<String>) {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(service) else {
        return Default::default();
    };
    let mut withheld = BTreeSet::new();
    if let Some(Value::Object(environment)) = fields.get_mut(ENVIRONMENT) {
        environment.retain(|key, value| {
            let is_secret = contains_secret(key, secrets)
                || value.as_str().is_some_and(|text| contains_secret(text, secrets));
            if is_secret {
                withheld.insert(format!("{ENVIRONMENT}.{key}"));
            }
            !is_secret
        });
    }
    fields.retain(|key, value| {
        let is_secret = contains_secret(&value.to_string(), secrets);
        if is_secret {
            withheld.insert(key.clone());
        }
        !is_secret
    });
    (fields, withheld)
}

fn contains_secret(text: &str, secrets: &Secrets) -> bool {
    !secrets.named_in(text).is_empty() || secrets.masked(text).is_some()
}

/// The containers of a service that serve: those that run, or all if none does. A new one beside
/// another doesn't count.
fn serving<'a>(
    observed: &'a ObservedState,
    service: &'a str,
) -> impl Iterator<Item = &'a Container> {
    let of = move |container: &&Container| container.service == service && !container.is_new();
    let is_up = observed.containers.iter().filter(of).any(|container| container.state.is_up());
    observed.containers.iter().filter(of).filter(move |it| it.state.is_up() || !is_up)
}

/// What the services with a release run, by their description if they are as described, else by the
/// newest record that matches them. A service that matches neither is left out.
pub fn running(
    project: &Project,
    observed: &ObservedState,
    records: &[Release],
    secrets: &Secrets,
) -> BTreeMap<String, ReleasedService> {
    let of = |service: &Service| {
        let containers: Vec<&Container> = serving(observed, &service.name).collect();
        let first = *containers.first()?;
        let is_described = |container: &&Container| {
            container
                .hash
                .as_deref()
                .is_some_and(|label| hash::may_be_of_service(label, service, project, secrets))
        };
        let is_one =
            containers.iter().all(|it| it.image_id == first.image_id && it.hash == first.hash);
        if is_one && is_described(&first) {
            return ReleasedService::of(service, first, secrets);
        }
        newest_first(records)
            .filter(|record| record.is_good())
            .filter_map(|record| record.services.get(&service.name))
            .find(|known| is_one && known.is_of(first))
            .cloned()
    };
    project
        .services
        .values()
        .filter(|service| service.release.is_some())
        .filter_map(|service| Some((service.name.clone(), of(service)?)))
        .collect()
}

/// What a failed deployment of `service` tried.
pub fn tried(service: &Service) -> ReleasedService {
    tried_as(service.release.clone().unwrap_or_default(), service.image.clone())
}

/// What a failed rollback to `release` tried.
pub fn tried_again(release: &Release) -> BTreeMap<String, ReleasedService> {
    let tried = |it: &ReleasedService| tried_as(it.release.clone(), it.image.clone());
    release.services.iter().map(|(name, service)| (name.clone(), tried(service))).collect()
}

fn tried_as(release: String, image: String) -> ReleasedService {
    ReleasedService {
        release,
        image,
        image_id: String::new(),
        hash: String::new(),
        specification: Map::new(),
        withheld: BTreeSet::new(),
    }
}

fn newest_first(records: &[Release]) -> impl Iterator<Item = &Release> {
    let mut sorted: Vec<&Release> = records.iter().collect();
    sorted.sort_by_key(|record| std::cmp::Reverse(record.id));
    sorted.into_iter()
}

/// The newest release that runs.
pub fn current<'a>(records: &'a [Release], observed: &ObservedState) -> Option<&'a Release> {
    newest_first(records).find(|record| record.runs(observed))
}

/// The release that a rollback without a name goes to: the newest good one before the one that
/// runs, without those that a rollback left. If no recorded release runs, the newest good one.
pub fn rollback_target<'a>(
    records: &'a [Release],
    observed: &ObservedState,
) -> Option<&'a Release> {
    let current = current(records, observed);
    // A rollback that failed or was killed left something only until the next deployment.
    let newest = newest_first(records).next().map(|newest| newest.id);
    let left: BTreeSet<u64> = records
        .iter()
        .filter(|it| it.is_good() || Some(it.id) == newest)
        .filter_map(|it| it.left)
        .collect();
    // A restored release is as old as its first record.
    let first = current.map(|current| current.restores.unwrap_or(current.id));
    newest_first(records)
        .filter(|record| record.is_good() && !record.services.is_empty())
        .filter(|record| !left.contains(&record.id))
        .filter(|record| first.is_none_or(|first| record.id < first))
        .find(|record| !record.runs(observed))
}

/// The records that retention removes: those older than the newest `kept` good ones. The one that a
/// rollback goes to, and the one that runs, stay.
pub fn surplus<'a>(
    records: &'a [Release],
    observed: &ObservedState,
    kept: usize,
) -> Vec<&'a Release> {
    let oldest = newest_first(records).filter(|record| record.is_good()).nth(kept.max(1) - 1);
    let Some(oldest) = oldest else { return Vec::new() };
    let stays = [current(records, observed), rollback_target(records, observed)];
    records
        .iter()
        .filter(|record| record.id < oldest.id)
        .filter(|record| !stays.iter().flatten().any(|stays| stays.id == record.id))
        .collect()
}
