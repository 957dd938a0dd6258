//! A whole stack.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Condition, Config, EnvFile, Network, Secret, Service, Volume};
use crate::model::failure::SpecPath;
use crate::model::{Failure, Kind, suggest};

const THERE_IS_NO: &str = "There is no ";

/// Input that the reader of a description needs from outside.
pub struct ReadOptions<'a> {
    /// Base of relative paths; absolute.
    pub directory: &'a Path,
    /// Variables of the process environment and `.env`.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
}

/// The description of a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    pub name: String,
    pub services: BTreeMap<String, Service>,
    pub networks: BTreeMap<String, Network>,
    pub volumes: BTreeMap<String, Volume>,
    pub secrets: BTreeMap<String, Secret>,
    pub configs: BTreeMap<String, Config>,
    /// The active profiles.
    pub profiles: BTreeSet<String>,
    /// By service, the content that could not be read: see [`Project::check_read`].
    pub unread: BTreeMap<String, Failure>,
}

impl Project {
    /// The `env_file` files of all services.
    pub fn env_files(&self) -> impl Iterator<Item = &EnvFile> {
        self.services.values().flat_map(|service| &service.env_file)
    }

    /// Whether a service is active: it has no profile, or one of the active ones. As with Docker
    /// Compose, an empty profile (a variable without a value) is active if no profile is.
    pub fn is_active(&self, service: &Service) -> bool {
        service.profiles.is_empty()
            || self.profiles.contains("*")
            || service.profiles.iter().any(|profile| {
                self.profiles.contains(profile) || profile.is_empty() && self.profiles.is_empty()
            })
    }

    /// The service with this name; the failure suggests the most similar one.
    pub fn service(&self, name: &str) -> Result<&Service, Failure> {
        self.services.get(name).ok_or_else(|| unknown("service", name, self.services.keys()))
    }

    /// The services that `names` selects, with all their dependencies, in order of dependency.
    /// `None` selects all active ones; a named one is active.
    pub fn select(&self, names: Option<&[String]>) -> Result<BTreeSet<String>, Failure> {
        let mut wanted: Vec<String> = match names {
            Some(names) => names
                .iter()
                .map(|name| self.service(name).map(|service| service.name.clone()))
                .collect::<Result<_, _>>()?,
            None => self
                .services
                .values()
                .filter(|service| self.is_active(service))
                .map(|service| service.name.clone())
                .collect(),
        };
        let mut selected = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if !selected.insert(name.clone()) {
                continue;
            }
            for (dependency, how) in &self.services[&name].depends_on {
                let Some(service) = self.services.get(dependency) else { continue };
                if self.is_active(service) || names.is_some_and(|names| names.contains(dependency))
                {
                    wanted.push(dependency.clone());
                } else if how.required {
                    return Err(Failure::usage(format!("The service \"{name}\" depends on \"{dependency}\", whose profile is not active"))
                        .hint(format!("activate the profile {}", service.profiles.join(" or ")))
                        .at(path(&["services", &name, "depends_on"])));
                }
            }
        }
        Ok(selected)
    }

    /// The service with this name and all its required dependencies, direct or not.
    pub fn required_by(&self, name: &str) -> Result<BTreeSet<String>, Failure> {
        self.select(Some(&[name.to_owned()]))?;
        let (mut open, mut required) = (vec![name], BTreeSet::new());
        while let Some(name) = open.pop() {
            if required.insert(name.to_owned()) {
                let services =
                    self.services[name].depends_on.iter().filter(|(_, how)| how.required);
                open.extend(services.map(|(dependency, _)| dependency.as_str()));
            }
        }
        Ok(required)
    }

    /// Whether `job` has ended before `other` starts.
    pub fn ends_before(&self, job: &str, other: &str) -> bool {
        let (mut open, mut seen) = (vec![other], BTreeSet::new());
        while let Some(name) = open.pop() {
            let Some(service) = self.services.get(name).filter(|_| seen.insert(name)) else {
                continue;
            };
            if service
                .depends_on
                .get(job)
                .is_some_and(|how| how.condition == Condition::Completed && how.required)
            {
                return true;
            }
            // A wait for an optional dependency may be given up while the job still runs.
            open.extend(
                service
                    .depends_on
                    .iter()
                    .filter(|(_, how)| how.required)
                    .map(|(name, _)| name.as_str()),
            );
        }
        false
    }

    /// Whether one of the two has always ended before the other starts.
    pub fn never_together(&self, one: &str, other: &str) -> bool {
        self.ends_before(one, other) || self.ends_before(other, one)
    }

    /// The engine's names of the volumes that a container of the service writes to and that only
    /// one container may write to.
    pub fn own_volumes(&self, service: &Service) -> BTreeSet<&str> {
        let named = |volume: &str| self.volumes.get(volume).map(|volume| volume.name.as_str());
        service.writable_volumes().filter_map(named).filter(|name| !self.is_shared(name)).collect()
    }

    /// Whether the volume is described, and each of its entries allows several containers to write
    /// to it.
    pub fn is_shared(&self, volume: &str) -> bool {
        let mut described =
            self.volumes.values().filter(|described| described.name == volume).peekable();
        described.peek().is_some() && described.all(|described| described.shared)
    }
}

pub(super) fn path(keys: &[&str]) -> SpecPath {
    SpecPath { keys: keys.iter().map(|&key| key.to_owned()).collect(), on_key: true }
}

/// Whether the failure is one of [`unknown`].
pub fn is_unknown(failure: &Failure) -> bool {
    failure.kind == Kind::NotFound && failure.message.starts_with(THERE_IS_NO)
}

/// A failure for an unknown name.
pub fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Failure {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let failure = Failure::new(Kind::NotFound, format!("{THERE_IS_NO}{what} \"{name}\""));
    match suggest::did_you_mean(name, known) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
