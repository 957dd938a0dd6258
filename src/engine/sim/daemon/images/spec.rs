//! An image in the description of a test.

use std::collections::BTreeMap;

use bollard::models::{HealthConfig, ImageConfig};
use bytes::Bytes;

use crate::engine::sim::daemon::ids::digest;
use crate::engine::sim::daemon::tree::Tree;

const SIZE_BYTES: i64 = 80 << 20;

/// The content of an image. Empty lists count as not set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImageSpec {
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// `KEY=value`.
    pub environment: Vec<String>,
    pub user: String,
    pub working_dir: String,
    /// `5432/tcp`.
    pub exposed_ports: Vec<String>,
    /// Paths.
    pub volumes: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub healthcheck: Option<HealthConfig>,
    pub stop_signal: Option<String>,
    pub shell: Vec<String>,
    /// By absolute path, in addition to the folders of a Linux root file system.
    pub files: BTreeMap<String, Bytes>,
}

impl ImageSpec {
    /// An image that runs this command.
    pub fn command(words: &[&str]) -> Self {
        Self { command: words.iter().map(|word| (*word).to_owned()).collect(), ..Self::default() }
    }

    /// The same with a health check that the shell runs, with Docker's default times.
    #[must_use]
    pub fn with_health_test(mut self, test: &str) -> Self {
        self.healthcheck = Some(HealthConfig {
            test: Some(vec!["CMD-SHELL".to_owned(), test.to_owned()]),
            ..HealthConfig::default()
        });
        self
    }

    /// The same with an anonymous volume at `path`.
    #[must_use]
    pub fn with_volume(mut self, path: &str) -> Self {
        self.volumes.push(path.to_owned());
        self
    }

    /// The same with an exposed port: `5432/tcp`.
    #[must_use]
    pub fn with_port(mut self, port: &str) -> Self {
        self.exposed_ports.push(port.to_owned());
        self
    }

    /// The same with a file.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: impl Into<Bytes>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    pub(in crate::engine::sim) fn config(&self) -> ImageConfig {
        let list = |list: &Vec<String>| Some(list.clone()).filter(|list| !list.is_empty());
        ImageConfig {
            user: Some(self.user.clone()),
            exposed_ports: list(&self.exposed_ports),
            env: list(&self.environment),
            cmd: list(&self.command),
            healthcheck: self.healthcheck.clone(),
            volumes: list(&self.volumes),
            working_dir: Some(self.working_dir.clone()),
            entrypoint: list(&self.entrypoint),
            labels: Some(self.labels.clone().into_iter().collect())
                .filter(|_| !self.labels.is_empty()),
            stop_signal: self.stop_signal.clone(),
            shell: list(&self.shell),
            ..ImageConfig::default()
        }
    }

    pub(in crate::engine::sim) fn tree(&self) -> Tree {
        let mut tree = Tree::linux();
        for folder in self.volumes.iter().chain([&self.working_dir]).filter(|path| !path.is_empty())
        {
            tree.add_folder(folder);
        }
        for (path, content) in &self.files {
            tree.write(path, content.clone());
        }
        tree
    }

    /// An id that depends on the whole content and on the name.
    pub(in crate::engine::sim) fn id(&self, name: &str) -> String {
        // In the debug form, labels have the order of the sorted map.
        format!("sha256:{}", digest([name, &format!("{self:?}")]))
    }

    pub(in crate::engine::sim) fn size(&self) -> i64 {
        self.files.values().fold(SIZE_BYTES, |sum, content| {
            sum + i64::try_from(content.len()).unwrap_or(i64::MAX - sum)
        })
    }
}
