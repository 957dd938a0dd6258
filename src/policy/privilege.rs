//! Settings by which a container reaches beyond itself.

use super::{Policy, Refusal};

/// The line that allows privileged settings and the engine's socket.
pub(super) const PRIVILEGED: &str = "privileged = true";

/// A privileged setting that `spc.toml` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedPrivilege(());

/// Log drivers that keep what a container says on the engine.
const LOG_DRIVERS: [&str; 5] = ["", "json-file", "local", "journald", "none"];

/// Drivers of networks that are the engine's alone.
const NETWORK_DRIVERS: [&str; 4] = ["", "bridge", "default", "overlay"];

impl Policy {
    /// A privileged setting of a container, as it is written: `privileged: true`, `pid: host`, `cap_add: SYS_ADMIN`.
    pub fn privileged(&self, what: &str) -> Result<CheckedPrivilege, Refusal> {
        if self.settings.privileged {
            return Ok(CheckedPrivilege(()));
        }
        Err(Refusal::new("use", what).allowed_by(PRIVILEGED))
    }

    /// A namespace of a container, as `network_mode: host`: the host's, and another container's, reach beyond it.
    pub fn namespace(&self, key: &str, mode: &str) -> Result<(), Refusal> {
        let kind = mode.split(':').next().unwrap_or_default();
        if matches!(kind, "host" | "container" | "service" | "ns") { self.privileged(&format!("{key}: {mode}")).map(drop) } else { Ok(()) }
    }

    /// The driver of a network: those on the host's own interfaces, and plugins, reach beyond the engine.
    pub fn network_driver(&self, driver: &str) -> Result<(), Refusal> {
        if NETWORK_DRIVERS.contains(&driver) { Ok(()) } else { self.privileged(&format!("driver: {driver}")).map(drop) }
    }

    /// The log driver of a container: the engine itself sends what others are given, and to where it is told.
    pub fn log_driver(&self, driver: &str) -> Result<(), Refusal> {
        if LOG_DRIVERS.contains(&driver) { Ok(()) } else { self.privileged(&format!("logging: {driver}")).map(drop) }
    }
}
