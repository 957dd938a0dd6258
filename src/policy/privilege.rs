//! Settings that give a container access beyond itself.

use super::{Policy, Refusal};

/// The line that allows privileged settings and the engine's socket.
pub(super) const PRIVILEGED: &str = "privileged = true";

/// A privileged setting that `spc.toml` allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckedPrivilege(());

/// Log drivers that store the output of a container on the engine.
const LOG_DRIVERS: [&str; 5] = ["", "json-file", "local", "journald", "none"];

/// Drivers of networks that exist only on the engine.
const NETWORK_DRIVERS: [&str; 4] = ["", "bridge", "default", "overlay"];

/// Options of the bridge and overlay drivers that only affect the network itself.
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
    /// A privileged setting of a container, in the form of the description: `privileged: true`,
    /// `pid: host`, `cap_add: SYS_ADMIN`.
    pub fn privileged(&self, what: &str) -> Result<CheckedPrivilege, Refusal> {
        if self.settings.privileged {
            return Ok(CheckedPrivilege(()));
        }
        Err(Refusal::new("use", what).allowed_by(PRIVILEGED))
    }

    /// A namespace of a container, such as `network_mode: host`. The namespaces of the host and of
    /// other containers reach beyond the container.
    pub fn namespace(&self, key: &str, mode: &str) -> Result<(), Refusal> {
        let kind = mode.split(':').next().unwrap_or_default();
        if matches!(kind, "host" | "container" | "service" | "ns") {
            self.privileged(&format!("{key}: {mode}")).map(drop)
        } else {
            Ok(())
        }
    }

    /// The driver and the options of a network. These reach beyond the engine: a driver for the
    /// host's own interfaces, a plugin, an option that names an interface, and an unknown option.
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

    /// Rejects a network with a range that contains an address of this machine. Traffic to the
    /// machine's own network would go to the containers.
    pub fn range_of_machine(&self, range: &str, address: &str) -> Result<(), Refusal> {
        if self.settings.privileged {
            return Ok(());
        }
        let reason = format!("it holds {address}, an address of this machine");
        Err(Refusal::new("give a network the addresses", range)
            .because(reason)
            .allowed_by(PRIVILEGED))
    }

    /// The log driver of a container. Other drivers make the engine itself send the output
    /// elsewhere.
    pub fn log_driver(&self, driver: &str) -> Result<(), Refusal> {
        if LOG_DRIVERS.contains(&driver) {
            Ok(())
        } else {
            self.privileged(&format!("logging: {driver}")).map(drop)
        }
    }
}
