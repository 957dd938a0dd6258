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

/// Options of the bridge and overlay drivers that say how a network of one's own works.
const NETWORK_OPTIONS: [&str; 10] = [
    "com.docker.network.bridge.enable_icc",
    "com.docker.network.bridge.enable_ip_masquerade",
    "com.docker.network.bridge.gateway_mode_ipv4",
    "com.docker.network.bridge.gateway_mode_ipv6",
    "com.docker.network.bridge.host_binding_ipv4",
    "com.docker.network.bridge.inhibit_ipv4",
    "com.docker.network.container_iface_prefix",
    "com.docker.network.driver.mtu",
    "com.docker.network.enable_ipv6",
    "encrypted",
];

impl Policy {
    /// A privileged setting of a container, as it is written: `privileged: true`, `pid: host`,
    /// `cap_add: SYS_ADMIN`.
    pub fn privileged(&self, what: &str) -> Result<CheckedPrivilege, Refusal> {
        if self.settings.privileged {
            return Ok(CheckedPrivilege(()));
        }
        Err(Refusal::new("use", what).allowed_by(PRIVILEGED))
    }

    /// A namespace of a container, as `network_mode: host`: the host's, and another container's,
    /// reach beyond it.
    pub fn namespace(&self, key: &str, mode: &str) -> Result<(), Refusal> {
        let kind = mode.split(':').next().unwrap_or_default();
        if matches!(kind, "host" | "container" | "service" | "ns") {
            self.privileged(&format!("{key}: {mode}")).map(drop)
        } else {
            Ok(())
        }
    }

    /// The driver of a network and its options: one on the host's own interfaces, a plugin, an
    /// option that names an interface or that nobody looked at reach beyond the engine.
    pub fn network<'o>(
        &self,
        driver: &str,
        options: impl IntoIterator<Item = (&'o String, &'o String)>,
    ) -> Result<(), Refusal> {
        if !NETWORK_DRIVERS.contains(&driver) {
            self.privileged(&format!("driver: {driver}"))?;
        }
        for (key, value) in
            options.into_iter().filter(|(key, _)| !NETWORK_OPTIONS.contains(&key.as_str()))
        {
            self.privileged(&format!("{key}: {value}"))?;
        }
        Ok(())
    }

    /// A network whose range has an address of this machine: traffic to the machine's own network
    /// would go to the containers.
    pub fn range_of_machine(&self, range: &str, address: &str) -> Result<(), Refusal> {
        if self.settings.privileged {
            return Ok(());
        }
        let reason = format!("it holds {address}, an address of this machine");
        Err(Refusal::new("give a network the addresses", range)
            .because(reason)
            .allowed_by(PRIVILEGED))
    }

    /// The log driver of a container: the engine itself sends what others are given, and to where
    /// it is reported.
    pub fn log_driver(&self, driver: &str) -> Result<(), Refusal> {
        if LOG_DRIVERS.contains(&driver) {
            Ok(())
        } else {
            self.privileged(&format!("logging: {driver}")).map(drop)
        }
    }
}
