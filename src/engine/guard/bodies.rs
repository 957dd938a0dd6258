//! Checks the body of a create call: mounts, namespaces, privileges, networks, volumes.

use std::collections::HashMap;
use std::path::Path;

use bollard::models;
use serde_json::Value;

use super::Kind;
use super::ranges::ranges_of;
use super::{EngineError, EngineErrorKind, Guard, Result, labels_of};
use crate::model::spec::network::special_range;

/// Host settings that give a container no access beyond itself. All others, except those handled
/// below, need a line in `spc.toml`. So a setting that a later Docker version adds is rejected
/// until it is added here.
const HARMLESS: [&str; 41] = [
    "AutoRemove",
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeight",
    "BlkioWeightDevice",
    "CapDrop",
    "ConsoleSize",
    "CpuCount",
    "CpuPercent",
    "CpuPeriod",
    "CpuQuota",
    "CpuShares",
    "CpusetCpus",
    "CpusetMems",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "Init",
    "IOMaximumBandwidth",
    "IOMaximumIOps",
    "Isolation",
    "Links",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "MemorySwappiness",
    "NanoCpus",
    "OomKillDisable",
    "PidsLimit",
    "PortBindings",
    "PublishAllPorts",
    "ReadonlyRootfs",
    "RestartPolicy",
    "ShmSize",
    "StorageOpt",
    "Tmpfs",
    "Ulimits",
];

impl Guard {
    /// Checks a container's create call against the policy. Returns the body that was checked, and
    /// that the caller has to send.
    pub(super) async fn checked_container(
        &self,
        name: &str,
        body: models::ContainerCreateBody,
    ) -> Result<models::ContainerCreateBody> {
        let (volumes, mut body) = self.container_body(name, body).await?;
        for volume in volumes {
            self.may("mount the volume", Kind::Volume, &volume).await?;
        }
        // The engine passes a linked container's environment on.
        for link in body.host_config.iter().flat_map(|host| host.links.iter().flatten()) {
            let linked = link.split_once(':').map_or(link.as_str(), |(linked, _)| linked);
            self.may("link to the container", Kind::Container, linked).await?;
        }
        let mode = body.host_config.as_ref().and_then(|host| host.network_mode.clone());
        let mode = mode.filter(|mode| {
            !matches!(mode.as_str(), "" | "default" | "bridge" | "none" | "host")
                && !mode.contains(':')
        });
        let mut endpoints =
            body.networking_config.take().unwrap_or_default().endpoints_config.unwrap_or_default();
        for network in endpoints.keys().chain(&mode) {
            self.policy.namespace("network", network)?;
            self.may("connect to the network", Kind::Network, network).await?;
        }
        endpoints.values_mut().for_each(by_name_only);
        body.networking_config = (!endpoints.is_empty())
            .then_some(models::NetworkingConfig { endpoints_config: Some(endpoints) });
        Ok(body)
    }

    /// Checks the container's own settings in a create call. Returns the checked body and the names
    /// of the mounted volumes. Does not check the owners of volumes, networks and linked
    /// containers.
    pub(super) async fn container_body(
        &self,
        name: &str,
        mut body: models::ContainerCreateBody,
    ) -> Result<(Vec<String>, models::ContainerCreateBody)> {
        let labels = labels_of(body.labels.as_ref());
        super::names::may_create(name, body.image.as_deref().unwrap_or_default(), &labels)?;
        let mut host = body.host_config.take().unwrap_or_default();
        self.host_settings(&host)?;
        let volumes = self.mounts(&mut host)?;
        self.labels_are_own("create the container", name, &labels).await?;
        body.host_config = Some(host);
        Ok((volumes, body))
    }

    fn host_settings(&self, host: &models::HostConfig) -> Result<()> {
        let settings = serde_json::to_value(host)
            .map_err(|error| EngineError::new(EngineErrorKind::Invalid, error.to_string()))?;
        for (key, value) in
            settings.as_object().into_iter().flatten().filter(|(_, value)| says_something(value))
        {
            let text = value.as_str().unwrap_or_default();
            match key.as_str() {
                // Checked separately.
                "Binds" | "Mounts" | "LogConfig" => {}
                "NetworkMode" => self.policy.namespace("network_mode", text)?,
                "PidMode" => self.policy.namespace("pid", text)?,
                "IpcMode" => self.policy.namespace("ipc", text)?,
                "UTSMode" => self.policy.namespace("uts", text)?,
                "UsernsMode" => self.policy.namespace("userns_mode", text)?,
                "CgroupnsMode" => self.policy.namespace("cgroup", text)?,
                "CapAdd" => self.each(value, "cap_add")?,
                "Devices" => self.each(value, "devices")?,
                "DeviceRequests" => self.each(value, "gpus")?,
                "DeviceCgroupRules" => self.each(value, "device_cgroup_rules")?,
                "VolumesFrom" => self.each(value, "volumes_from")?,
                "SecurityOpt" => {
                    let opts = value.as_array().into_iter().flatten();
                    for opt in opts.filter(|opt| {
                        !opt.as_str().is_some_and(|opt| opt.starts_with("no-new-privileges"))
                    }) {
                        self.policy.privileged(&format!("security_opt: {}", shown(opt)))?;
                    }
                }
                key if HARMLESS.contains(&key) => {}
                key => self
                    .policy
                    .privileged(&format!("{}: {}", compose_word(key), shown(value)))
                    .map(drop)?,
            }
        }
        // An empty list counts too: it unmasks everything in `/proc` and `/sys`.
        if host.masked_paths.is_some() || host.readonly_paths.is_some() {
            self.policy.privileged("security_opt: systempaths=unconfined")?;
        }
        let driver =
            host.log_config.as_ref().and_then(|config| config.typ.as_deref()).unwrap_or_default();
        Ok(self.policy.log_driver(driver)?)
    }

    fn each(&self, values: &Value, key: &str) -> Result<()> {
        for value in values.as_array().into_iter().flatten() {
            self.policy.privileged(&format!("{key}: {}", shown(value)))?;
        }
        Ok(())
    }

    /// Checks bind mounts against the policy, and replaces their sources by the checked ones.
    /// Returns the names of the mounted volumes.
    fn mounts(&self, host: &mut models::HostConfig) -> Result<Vec<String>> {
        let mut volumes = Vec::new();
        for bind in host.binds.iter_mut().flatten() {
            let (source, rest) = bind.split_once(':').unwrap_or((bind, ""));
            if !source.starts_with('/') {
                volumes.push(source.to_owned());
                continue;
            }
            let options = rest.split_once(':').map_or("", |(_, options)| options);
            if let Some(shared) = options.split(',').find(|option| reaches_out(option)) {
                self.policy.privileged(&format!("propagation: {shared}"))?;
            }
            let checked = self.bound(source)?;
            if checked.contains(':') {
                let words = format!(
                    "\"{source}\" leads to \"{checked}\": a colon can't be in the source of a bind of the short form"
                );
                return Err(EngineError::new(EngineErrorKind::Invalid, words));
            }
            *bind = format!("{checked}:{rest}");
        }
        for mount in host.mounts.iter_mut().flatten() {
            super::names::is_no_record_of_a_move(mount)?;
            let source = mount.source.as_deref().unwrap_or_default();
            match mount.typ {
                Some(models::MountType::BIND) => {
                    mount.source = Some(self.bound(source)?);
                    let propagation =
                        mount.bind_options.as_ref().and_then(|options| options.propagation);
                    if let Some(propagation) =
                        propagation.map(|it| it.to_string()).filter(|it| reaches_out(it))
                    {
                        self.policy.privileged(&format!("propagation: {propagation}"))?;
                    }
                }
                Some(models::MountType::VOLUME) | None => {
                    volumes.extend((!source.is_empty()).then(|| source.to_owned()));
                    if let Some(driver) = mount
                        .volume_options
                        .as_mut()
                        .and_then(|options| options.driver_config.as_mut())
                    {
                        driver.options =
                            self.volume_options(driver.name.as_deref(), driver.options.take())?;
                    }
                }
                Some(models::MountType::TMPFS) => {}
                Some(other) => {
                    self.policy.privileged(&format!("mount of the type {other}")).map(drop)?
                }
            }
        }
        Ok(volumes)
    }

    /// The source of a bind mount, after the check.
    fn bound(&self, source: &str) -> Result<String> {
        let checked = self.policy.bind_mount(Path::new(source), &|path| self.resolve(path))?;
        Ok(checked.source().to_string_lossy().into_owned())
    }

    /// A volume's driver options, after the check.
    pub(super) fn volume_options(
        &self,
        driver: Option<&str>,
        given: Option<Options>,
    ) -> Result<Option<Options>> {
        let is_given = given.is_some();
        let given = given.into_iter().flatten().collect();
        let checked = self.policy.volume_options(driver, &given, &|path| self.resolve(path))?;
        Ok(is_given.then(|| checked.into_map().into_iter().collect()))
    }

    /// Checks a network's create call: it must use nothing of the host and nothing of another
    /// network.
    pub(super) async fn network(&self, body: &models::NetworkCreateRequest) -> Result<()> {
        super::names::is_no_id("create the network", &body.name)?;
        self.address_pools(body.ipam.as_ref()).await?;
        self.policy
            .network(body.driver.as_deref().unwrap_or_default(), body.options.iter().flatten())?;
        if let Some(driver) = body
            .ipam
            .as_ref()
            .and_then(|ipam| ipam.driver.as_deref())
            .filter(|driver| !matches!(*driver, "" | "default"))
        {
            self.policy.privileged(&format!("ipam driver: {driver}"))?;
        }
        if let Some(from) = body
            .config_from
            .as_ref()
            .and_then(|from| from.network.as_deref())
            .filter(|from| !from.is_empty())
        {
            self.may("take the configuration of the network", Kind::Network, from).await?;
        }
        self.labels_are_own("create the network", &body.name, &labels_of(body.labels.as_ref()))
            .await
    }
}

impl Guard {
    /// Checks the address ranges of a network. They must not have a special meaning, and must not
    /// contain an address of this machine: the engine would route that address to the new network.
    async fn address_pools(&self, ipam: Option<&models::Ipam>) -> Result<()> {
        let ranges = ipam.map(ranges_of).unwrap_or_default();
        for net in ranges {
            if let Some(reason) = special_range(&net) {
                let message = format!("A network can't have the addresses {net}: {reason}");
                return Err(EngineError::new(EngineErrorKind::Refused, message));
            }
            let own = if self.engine.is_local() { self.host.addresses() } else { Vec::new() };
            if let Some(address) = own.iter().find(|address| net.contains(*address))
                && !self.is_of_a_network(address).await?
            {
                self.policy.range_of_machine(&net.to_string(), &address.to_string())?;
            }
        }
        Ok(())
    }
}

impl Guard {
    /// Whether the machine's address belongs to a network of the engine. In this case the engine
    /// itself reports the overlap.
    async fn is_of_a_network(&self, address: &std::net::IpAddr) -> Result<bool> {
        if self.owners.is_in_known_range(address) {
            return Ok(true);
        }
        let networks = self.engine.network_list(&super::Filters::new()).await?;
        let taken: Vec<ipnet::IpNet> = networks
            .iter()
            .filter_map(|network| network.ipam.as_ref())
            .flat_map(ranges_of)
            .collect();
        Ok(taken.iter().any(|range| range.contains(address)))
    }
}

/// Driver options in the engine's form.
type Options = HashMap<String, String>;

/// Removes the id from an endpoint: the engine would prefer it to the name that was checked.
pub(super) fn by_name_only(endpoint: &mut models::EndpointSettings) {
    endpoint.network_id = None;
}

/// Whether mounts made inside the container appear outside, or the other way round.
fn reaches_out(propagation: &str) -> bool {
    propagation.contains("shared") || propagation.contains("slave")
}

/// Whether a setting has a value; Docker treats all of these as unset.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) => true,
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Docker's name of a setting in the form that Compose uses: `CgroupParent` becomes
/// `cgroup_parent`.
fn compose_word(key: &str) -> String {
    let mut word = String::new();
    for (index, letter) in key.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}
