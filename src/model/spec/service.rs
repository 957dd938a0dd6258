//! One service of a stack.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::update::{RollbackConfig, UpdateConfig, UpdateOrder};
use super::verify::Verification;
use super::{Build, FileMount, HealthTest, Healthcheck, Mount, MountSource, Port, is_false};
use crate::model::Failure;

/// A service. Serialization covers everything that its containers are made from, because the hash
/// uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    #[serde(skip)]
    pub name: String,
    /// The described image. The default of a service with a build is `<project>-<service>`.
    pub image: String,
    #[serde(skip)]
    pub build: Option<Build>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Includes the content of `env_file` once [`super::Project::add_env_files`] has run.
    pub environment: BTreeMap<String, String>,
    #[serde(skip)]
    pub env_file: Vec<EnvFile>,
    pub ports: Vec<Port>,
    pub volumes: Vec<Mount>,
    /// By the key of the top-level network.
    pub networks: BTreeMap<String, NetworkAttachment>,
    pub secrets: Vec<FileMount>,
    /// Hashed with their content.
    #[serde(skip)]
    pub configs: Vec<FileMount>,
    #[serde(skip)]
    pub depends_on: BTreeMap<String, Dependency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    pub restart: Restart,
    /// Whether the description sets it, instead of the default.
    #[serde(skip)]
    pub restart_is_described: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    #[serde(skip)]
    pub profiles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    #[serde(skip)]
    pub scale: u32,
    /// Whether the description contains the number: `scale`, or `replicas` of `deploy`.
    #[serde(skip)]
    pub scale_is_described: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_grace_period: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub extra_hosts: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// The order in which a changed container is replaced.
    #[serde(skip)]
    pub update_order: UpdateOrder,
    #[serde(skip)]
    pub update: UpdateConfig,
    #[serde(skip)]
    pub rollback: RollbackConfig,
    #[serde(skip)]
    pub probe: ProbeMode,
    /// `x-spc-verify`.
    #[serde(skip)]
    pub verification: Option<Verification>,
    /// The release that the description makes of the service. A new name replaces the containers,
    /// so that their labels name it.
    #[serde(rename = "x-spc-release", skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// A file of `KEY=value` lines added to the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    pub path: PathBuf,
    pub required: bool,
}

/// The attachment of a service to a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAttachment {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4_address: Option<Ipv4Addr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_address: Option<Ipv6Addr>,
}

impl NetworkAttachment {
    /// Whether an address is fixed.
    pub fn is_static(&self) -> bool {
        self.ipv4_address.is_some() || self.ipv6_address.is_some()
    }
}

/// A dependency that a start waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    pub condition: Condition,
    /// If false, the service starts even if this dependency is missing or fails.
    pub required: bool,
}

/// Compose's three conditions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, strum::EnumString, strum::IntoStaticStr,
)]
pub enum Condition {
    #[strum(to_string = "service_started")]
    Started,
    #[strum(to_string = "service_healthy")]
    Healthy,
    #[strum(to_string = "service_completed_successfully")]
    Completed,
}

impl Condition {
    /// The condition for a word.
    pub fn from_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// Compose's word.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// Docker's restart policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    #[default]
    No,
    Always,
    UnlessStopped,
    /// At most this many times; 0 means no limit.
    OnFailure(u32),
}

/// Log driver and its options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logging {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// `x-spc-probe`: selects whether probes of spc or only the engine's checks decide that a container
/// is ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ProbeMode {
    /// spc runs the test itself, in addition to the engine.
    #[default]
    Own,
    /// Only the engine's result counts.
    Engine,
}

impl Service {
    /// Rejects more than one container if the service has something that only one container can
    /// have.
    pub fn check_scale(&self) -> Result<(), Failure> {
        let fixed = if self.container_name.is_some() {
            "a container_name"
        } else if self.ports.iter().any(|port| port.published.is_some()) {
            "a fixed host port"
        } else if self.networks.values().any(NetworkAttachment::is_static) {
            "a static address"
        } else {
            return Ok(());
        };
        if self.scale <= 1 {
            return Ok(());
        }
        Err(Failure::usage(format!(
            "The service \"{}\" can't have {} containers: it has {fixed}",
            self.name, self.scale
        ))
        .hint("remove it, or use scale 1"))
    }

    /// Whether it looks like a job: it may end with code 0 without being restarted, and has no
    /// health check and no ports.
    pub fn looks_like_a_job(&self) -> bool {
        let unchecked =
            self.healthcheck.as_ref().is_none_or(|check| check.test == Some(HealthTest::None));
        matches!(self.restart, Restart::No | Restart::OnFailure(_))
            && unchecked
            && self.ports.is_empty()
    }

    /// The named volumes it may write to.
    pub fn writable_volumes(&self) -> impl Iterator<Item = &str> {
        self.volumes.iter().filter(|mount| !mount.read_only).filter_map(|mount| {
            match &mount.source {
                MountSource::Volume { name, .. } => Some(name.as_str()),
                _ => None,
            }
        })
    }

    /// The host paths it may write to.
    pub fn writable_binds(&self) -> impl Iterator<Item = &std::path::Path> {
        self.volumes.iter().filter(|mount| !mount.read_only).filter_map(|mount| {
            match &mount.source {
                MountSource::Bind { path, .. } => Some(path.as_path()),
                _ => None,
            }
        })
    }
}
