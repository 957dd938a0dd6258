//! The description of a stack: Compose's specification, typed and in canonical form.
//!
//! Short and long forms are parsed into the same types, so equivalent descriptions are equal
//! values.
//!
//! - [`project`], [`service`]: a whole stack, and one service; [`read_project`], [`read_service`]
//!   read them with [`reader`]
//! - [`build`], [`health`], [`mount`], [`port`], [`network`], [`volume`], [`secret`], [`config`]: the
//!   parts
//! - [`update`], [`verify`]: how the containers of a service are replaced, and what they have to
//!   answer before
//! - [`builders`]: finds the service that builds an image which others name
//! - [`contents`], [`tokens`]: files whose content is part of a description, and the places where
//!   secrets may be
//! - [`description_conflicts`], [`container_fields`], [`values`], [`log_options`], [`log_values`],
//!   [`sizes`]: find mistakes that the engine would reject later
//! - [`canonical`]: the canonical form, for the hash

pub mod build;
pub mod builders;
mod canonical;
pub mod config;
mod container_fields;
pub mod contents;
mod description_conflicts;
pub mod health;
pub mod log_options;
mod log_values;
pub mod mount;
pub mod network;
pub mod port;
pub mod project;
mod read_project;
mod read_service;
pub mod reader;
pub mod secret;
pub mod service;
mod sizes;
pub mod tokens;
mod update;
mod values;
pub mod verify;
pub mod volume;

#[cfg(test)]
mod tests;

pub use build::{Build, BuildSecret};
pub use builders::Bases;
pub use config::{Config, ConfigSource};
pub use health::{HealthTest, Healthcheck};
pub use mount::{Mount, MountSource};
pub use network::{IpamConfig, Network};
pub use port::Port;
pub use project::{Project, ReadOptions};
pub use read_service::MOST_CONTAINERS;
pub use secret::{FileMount, Secret, SecretSource};
pub use service::{
    Condition, Dependency, EnvFile, Logging, NetworkAttachment, ProbeMode, Restart, Service,
};
pub use update::{FailureAction, FailureRatio, RollbackConfig, UpdateConfig, UpdateOrder};
pub use verify::Verification;
pub use volume::Volume;

/// Whether a flag is not set. Such a flag is omitted from the canonical form.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !*value
}
