//! Files whose content is part of a description: `env_file` and configs.
//!
//! Only code that creates containers needs their content. A missing file is stored as a failure of
//! its services. So containers can still be listed, stopped and removed, and services of inactive
//! profiles need no files.

use std::collections::{BTreeMap, BTreeSet};

use super::project::path;
use super::{Config, EnvFile, Project};
use crate::model::{Failure, Kind};

/// Reads an `env_file`; `None` if it is missing. Its values may refer to variables of the service's
/// earlier files.
pub type EnvFileReader<'a> = dyn Fn(&EnvFile, &BTreeMap<String, String>) -> Result<Option<BTreeMap<String, String>>, Failure>
    + 'a;

/// Reads the content of the config with this name.
pub type ConfigReader<'a> = dyn Fn(&str, &Config) -> Result<Vec<u8>, Failure> + 'a;

impl Project {
    /// Adds the content of `env_file` to each service's environment, with lower precedence. `read`
    /// returns `None` for a missing file. Fails only if `spc.toml` forbids a file;
    /// [`Project::check_read`] reports other files that can't be read.
    pub fn add_env_files(&mut self, read: &EnvFileReader<'_>) -> Result<(), Failure> {
        for service in self.services.values_mut() {
            let mut environment = BTreeMap::new();
            for file in &service.env_file {
                let content = read(file, &environment).and_then(|content| match content {
                    None if file.required => Err(missing(file, &service.name)),
                    content => Ok(content.unwrap_or_default()),
                });
                let at = path(&["services", &service.name, "env_file"]);
                match content.map_err(
                    |failure| if failure.path.is_some() { failure } else { failure.at(at) },
                ) {
                    Ok(content) => environment.extend(content),
                    Err(failure) if failure.kind == Kind::Policy => return Err(failure),
                    Err(failure) => {
                        self.unread.entry(service.name.clone()).or_insert(failure);
                    }
                }
            }
            environment.append(&mut service.environment);
            service.environment = environment;
        }
        Ok(())
    }

    /// Adds the content to each config that a service uses; fails like
    /// [`Project::add_env_files`].
    pub fn add_configs(&mut self, read: &ConfigReader<'_>) -> Result<(), Failure> {
        let used: BTreeSet<&String> = self
            .services
            .values()
            .flat_map(|service| &service.configs)
            .map(|mount| &mount.source)
            .collect();
        for (name, config) in self.configs.iter_mut().filter(|(name, _)| used.contains(name)) {
            let failure =
                match read(name, config).map_err(|failure| failure.at(path(&["configs", name]))) {
                    Ok(content) => {
                        config.content = content;
                        continue;
                    }
                    Err(failure) if failure.kind == Kind::Policy => return Err(failure),
                    Err(failure) => failure,
                };
            for service in self
                .services
                .values()
                .filter(|service| service.configs.iter().any(|mount| mount.source == *name))
            {
                self.unread.entry(service.name.clone()).or_insert_with(|| failure.clone());
            }
        }
        Ok(())
    }

    /// Fails if content for one of `services` could not be read. The failure shows the first one,
    /// and the others below it.
    pub fn check_read<'a>(
        &self,
        services: impl IntoIterator<Item = &'a String>,
    ) -> Result<(), Failure> {
        let mut unread: Vec<&Failure> =
            services.into_iter().filter_map(|service| self.unread.get(service)).collect();
        // Several services may use one config.
        let mut seen = BTreeSet::new();
        unread.retain(|failure| seen.insert(&failure.message));
        let Some((first, others)) = unread.split_first() else { return Ok(()) };
        let others: Vec<&str> = others.iter().map(|failure| failure.message.as_str()).collect();
        Err((*first).clone().detail("also missing", others.join("\n")))
    }
}

fn missing(file: &EnvFile, service: &str) -> Failure {
    Failure::usage(format!(
        "The env_file \"{}\" of the service \"{service}\" is missing",
        file.path.display()
    ))
    .hint("create it, or write { path: …, required: false }")
}
