//! Parses a whole stack, and checks references between its parts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::description_conflicts;
use super::project::{Project, ReadOptions, path, unknown};
use super::reader::Field;
use super::tokens::{self, DescriptionKind};
use super::{
    Condition, Config, MountSource, Network, Restart, Secret, Service, UpdateOrder, Volume, config,
};
use crate::model::failure::SpecPath;
use crate::model::storage::{NOT_SHARED, Storages, WriteTarget, WriteTargets, clash};
use crate::model::{Failure, Kind, graph, names, suggest};

/// The service that writes to a volume, and another name of the same storage if it uses one.
fn who(service: &Service, volume: &Volume, written: &WriteTarget) -> String {
    match written.name.volume() {
        Some(name) if name == volume.name => service.name.clone(),
        _ => format!("{} (by {})", service.name, written.shown()),
    }
}

/// An item of a list of a service.
fn item(service: &str, list: &str, index: usize) -> SpecPath {
    SpecPath { on_key: false, ..path(&["services", service, list, &index.to_string()]) }
}

/// A name that nothing has. If the description contains it, the description is wrong; if a script
/// passed it, the failure is `not_found`.
fn dangling<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Failure {
    let failure = Failure { kind: Kind::Usage, ..unknown(what, name, known) };
    if failure.hint.is_some() {
        failure
    } else {
        failure.hint(format!("declare it under \"{what}s\", beside \"services\""))
    }
}

fn read_objects<'a, T>(
    field: Option<Field<'a>>,
    read: impl Fn(&str, &Field<'a>) -> Result<T, Failure>,
) -> Result<BTreeMap<String, T>, Failure> {
    let mut objects = BTreeMap::new();
    for (key, field) in field.map(|field| field.entries()).transpose()?.unwrap_or_default() {
        if !names::is_object_name(&key) {
            return Err(field.fail_key(format!(
                "\"{key}\" can't be a name: use letters, digits, \".\", \"_\" and \"-\""
            )));
        }
        objects.insert(key.clone(), read(&key, &field)?);
    }
    Ok(objects)
}

impl Project {
    /// Parses the map of `stack(name, description)`. `name` overrides the name in the description.
    pub fn read(
        name: &str,
        description: &Value,
        options: &ReadOptions<'_>,
    ) -> Result<Self, Failure> {
        let project = Self::read_parts(name, description, options)?;
        project.check()?;
        Ok(project)
    }

    /// The same without checks of references between the parts, so that a part of a description can
    /// be parsed.
    pub fn read_parts(
        name: &str,
        description: &Value,
        options: &ReadOptions<'_>,
    ) -> Result<Self, Failure> {
        tokens::check(description, DescriptionKind::Stack)?;
        names::check_project(name)?;
        let root = Field::root(description);
        let mut map = root.map()?;
        map.read_filled("name", Field::name_text)?;
        map.read("version", Field::scalar)?;
        let profiles =
            map.read("profiles", Field::texts)?.unwrap_or_default().into_iter().collect();
        let mut networks =
            read_objects(map.get("networks"), |key, field| Network::read(field, name, key))?;
        let volumes = read_objects(map.get("volumes"), |key, field| {
            Volume::read(field, name, key, options.directory)
        })?;
        let secrets =
            read_objects(map.get("secrets"), |_, field| Secret::read(field, options.directory))?;
        let configs =
            read_objects(map.get("configs"), |_, field| Config::read(field, options.directory))?;
        let services_field = map.get("services");
        let services = read_objects(services_field.clone(), |key, field| {
            Service::read(key, name, field, options)
        })?;
        map.finish(&["include", "models"])?;
        if services.values().any(|service| service.networks.contains_key("default")) {
            networks.entry("default".into()).or_insert_with(|| Network {
                name: names::object(name, "default"),
                ..Network::default()
            });
        }
        Ok(Self {
            name: name.to_owned(),
            services,
            networks,
            volumes,
            secrets,
            configs,
            profiles,
            unread: BTreeMap::new(),
        })
    }

    /// Mistakes that only the whole description shows: unknown names, cycles, an impossible
    /// `start-first`.
    fn check(&self) -> Result<(), Failure> {
        for (name, service) in &self.services {
            for network in service.networks.keys() {
                if !self.networks.contains_key(network) {
                    return Err(dangling("network", network, self.networks.keys())
                        .at(path(&["services", name, "networks"])));
                }
            }
            for (index, mount) in service.volumes.iter().enumerate() {
                if let MountSource::Volume { name: volume, .. } = &mount.source
                    && !self.volumes.contains_key(volume)
                {
                    return Err(dangling("volume", volume, self.volumes.keys())
                        .hint(format!(
                            "declare \"{volume}\" under \"volumes\", beside \"services\"; a \
                             path begins with \"./\""
                        ))
                        .at(item(name, "volumes", index)));
                }
            }
            for (index, secret) in service.secrets.iter().enumerate() {
                if !self.secrets.contains_key(&secret.source) {
                    return Err(dangling("secret", &secret.source, self.secrets.keys())
                        .at(item(name, "secrets", index)));
                }
            }
            for (index, secret) in service.build.iter().flat_map(|build| &build.secrets).enumerate()
            {
                if !self.secrets.contains_key(&secret.source) {
                    let at = path(&["services", name, "build", "secrets", &index.to_string()]);
                    return Err(dangling("secret", &secret.source, self.secrets.keys()).at(at));
                }
            }
            for (index, mount) in service.configs.iter().enumerate() {
                if !self.configs.contains_key(&mount.source) {
                    return Err(dangling("config", &mount.source, self.configs.keys())
                        .at(item(name, "configs", index)));
                }
                config::check_place(service, mount).map_err(|failure| {
                    failure.at(path(&["services", name, "configs", &index.to_string()]))
                })?;
            }
            for (dependency, how) in &service.depends_on {
                let Some(job) = self.services.get(dependency) else {
                    if how.required {
                        return Err(dangling("service", dependency, self.services.keys())
                            .at(path(&["services", name, "depends_on"])));
                    }
                    continue;
                };
                if how.condition == Condition::Completed && job.verification.is_some() {
                    let message = format!(
                        "\"{name}\" waits for \"{dependency}\" to complete, so it has no server that x-spc-verify could ask"
                    );
                    return Err(Failure::usage(message).hint("remove x-spc-verify").at(path(&[
                        "services",
                        dependency,
                        "x-spc-verify",
                    ])));
                }
                if how.condition == Condition::Completed
                    && matches!(job.restart, Restart::Always | Restart::UnlessStopped)
                {
                    let message = format!(
                        "\"{name}\" waits for \"{dependency}\" to complete, but \"{dependency}\" restarts whenever it ends"
                    );
                    return Err(Failure::usage(message)
                        .hint(format!("give \"{dependency}\" `restart: \"no\"` or \"on-failure\""))
                        .at(path(&["services", dependency, "restart"])));
                }
            }
            if service.update_order == UpdateOrder::StartFirst {
                self.check_start_first(service)?;
            }
        }
        self.check_built_names(&|service| self.is_active(service))?;
        self.check_writers(&|service| self.is_active(service))?;
        description_conflicts::check(self)?;
        self.check_profiles()?;
        if let Some(cycle) = graph::cycle(self) {
            return Err(Failure::usage(format!(
                "The services depend on each other in a circle: {}",
                cycle.join(" → ")
            ))
            .hint("remove one of these dependencies from depends_on")
            .at(path(&["services", &cycle[0], "depends_on"])));
        }
        Ok(())
    }

    /// An active profile that no service has is a mistake: `up` would silently bring up less than
    /// intended.
    fn check_profiles(&self) -> Result<(), Failure> {
        let known: BTreeSet<&str> = self
            .services
            .values()
            .flat_map(|service| &service.profiles)
            .map(String::as_str)
            .collect();
        let slip = self
            .profiles
            .iter()
            .find(|profile| *profile != "*" && !known.contains(profile.as_str()));
        let Some(profile) = slip else { return Ok(()) };
        let failure = Failure::usage(format!("No service has the profile \"{profile}\""))
            .at(path(&["profiles"]));
        let hint = suggest::did_you_mean(profile, known)
            .unwrap_or_else(|| "no service has a profile: remove it".to_owned());
        Err(failure.hint(hint))
    }

    /// Checks the numbers of containers again after one has changed.
    pub fn check_scales(&self) -> Result<(), Failure> {
        self.services.values().try_for_each(Service::check_scale)?;
        self.check_writers(&|service| self.is_active(service))
    }

    /// Two containers never write to one volume, unless it is marked as shared. Checks the services
    /// for which `counts` is true. A job that has ended before another service starts does not
    /// count. Several entries may name one volume, and several volumes and bind mounts may name one
    /// folder.
    pub fn check_writers(&self, counts: &dyn Fn(&Service) -> bool) -> Result<(), Failure> {
        let storages = Storages::default();
        let writes = WriteTargets { project: Some(self), storages: &storages, shared: NOT_SHARED };
        let counted = self.services.values().filter(|service| service.scale > 0 && counts(service));
        let written: Vec<(&Service, Vec<WriteTarget>)> =
            counted.map(|service| (service, writes.of_service(service))).collect();
        let is_written = |volume: &Volume| {
            self.services
                .values()
                .any(|service| self.own_volumes(service).contains(volume.name.as_str()))
        };
        for (key, volume) in self.volumes.iter().filter(|(_, volume)| is_written(volume)) {
            let own = writes.of_started(std::iter::once(&volume.name), std::iter::empty());
            let mut writers: Vec<(&Service, String)> = Vec::new();
            for (service, written) in &written {
                writers.extend(
                    clash(&own, written).map(|(_, other)| (*service, who(service, volume, other))),
                );
            }
            let is_beside = |one: &Service, other: &Service| {
                one.name != other.name && !self.never_together(&one.name, &other.name)
            };
            let all: Vec<&Service> = writers.iter().map(|(service, _)| *service).collect();
            writers.retain(|(service, _)| {
                service.scale > 1 || all.iter().any(|other| is_beside(service, other))
            });
            let containers: u32 = writers.iter().map(|(service, _)| service.scale).sum();
            if containers > 1 {
                let names: Vec<&str> = writers.iter().map(|(_, who)| who.as_str()).collect();
                return Err(Failure::usage(format!(
                    "{containers} containers would write to the volume \"{key}\" at once: {}",
                    names.join(", ")
                ))
                .hint(format!(
                    "give the volume \"{key}\" the key \"x-spc-shared\": true if that is safe (never for a database), or mount it with \":ro\""
                ))
                .at(path(&["volumes", key])));
            }
        }
        Ok(())
    }

    /// Rejects `start-first` if two containers of the service can't run at the same time.
    fn check_start_first(&self, service: &Service) -> Result<(), Failure> {
        let name = &service.name;
        let obstacle = if let Some(volume) = service.writable_volumes().find(|volume| {
            self.volumes.get(*volume).is_none_or(|volume| !self.is_shared(&volume.name))
        }) {
            Some(format!(
                "writes to the volume \"{volume}\", which is not marked `\"x-spc-shared\": true`"
            ))
        } else if let Some(bind) = service.writable_binds().next() {
            Some(format!("writes to the bind mount \"{}\"", bind.display()))
        } else if let Some(mount) = service
            .volumes
            .iter()
            .find(|mount| mount.source == MountSource::Anonymous && !mount.read_only)
        {
            Some(format!("writes to the anonymous volume at \"{}\"", mount.target))
        } else if service.ports.iter().any(|port| port.published.is_some()) {
            Some("has a fixed host port".to_owned())
        } else if service.networks.values().any(super::NetworkAttachment::is_static) {
            Some("has a static address".to_owned())
        } else {
            None
        };
        match obstacle {
            Some(obstacle) => Err(Failure::usage(format!(
                "\"start-first\" is not possible: the service \"{name}\" {obstacle}"
            ))
            .hint("use \"stop-first\"")
            .at(path(&["services", name, "deploy", "update_config", "order"]))),
            None => Ok(()),
        }
    }
}
