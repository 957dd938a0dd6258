//! The canonical form of a service, for the hash: equivalent services are equal in this form.

use std::net::IpAddr;
use std::time::Duration;

use super::mount::clean_text;
use super::{HealthTest, Healthcheck, Logging, MountSource, Service, log_options};
use crate::model::{image_reference, names, signal};

/// The engine's default time for a container to stop.
const DEFAULT_GRACE: Duration = Duration::from_secs(10);

impl Service {
    /// The canonical form. A missing value equals its default. Paths, sizes, signals and addresses
    /// that the engine reads in the same way are equal. Lists whose order has no meaning are
    /// sorted.
    #[must_use]
    pub fn canonical(&self, project: &str) -> Self {
        let mut service = self.canonical_at_first(project);
        for mount in &mut service.volumes {
            mount.target = mount.place();
            if mount.source == (MountSource::Tmpfs { size: Some(0) }) {
                mount.source = MountSource::Tmpfs { size: None };
            }
        }
        service.volumes.sort_by(|a, b| a.target.cmp(&b.target));
        service
            .secrets
            .iter_mut()
            .chain(&mut service.configs)
            .for_each(|mount| mount.target = mount.place());
        service.secrets.sort();
        service.configs.sort();
        for port in &mut service.ports {
            port.host_ip = port.host_ip.as_deref().map(address);
        }
        service.ports.sort();
        for host in &mut service.extra_hosts {
            if let Some((name, text)) = host.split_once(':') {
                *host = format!("{name}:{}", address(text));
            }
        }
        service.extra_hosts.sort();
        service.extra_hosts.dedup();
        // The service's own name is always an alias.
        service
            .networks
            .values_mut()
            .for_each(|attachment| attachment.aliases.retain(|alias| *alias != self.name));
        service.user = service.user.filter(|user| !user.is_empty());
        // For the engine, an empty command means that of the image.
        service.command = service.command.filter(|command| !command.is_empty());
        service.working_dir = service.working_dir.as_deref().map(clean_text);
        service.stop_signal = service.stop_signal.as_deref().map(signal::canonical);
        service.healthcheck = service
            .healthcheck
            .map(Healthcheck::canonical)
            .filter(|check| *check != Healthcheck::default());
        service.logging = service.logging.as_ref().map(log_options::canonical);
        service
    }

    /// The form of the first hashes that used a canonical form. A container with such a hash is not
    /// replaced.
    #[must_use]
    pub fn canonical_at_first(&self, project: &str) -> Self {
        let mut service = self.clone();
        service.image = image_reference::canonical(&service.image);
        for mount in &mut service.volumes {
            if mount.target.len() > 1 {
                mount.target = mount.target.trim_end_matches('/').to_owned();
            }
        }
        service.volumes.sort_by(|a, b| a.target.cmp(&b.target));
        service.secrets.sort();
        service.configs.sort();
        service.extra_hosts.sort();
        service.extra_hosts.dedup();
        service.networks.values_mut().for_each(|attachment| attachment.aliases.dedup());
        service.healthcheck = service.healthcheck.filter(|check| *check != Healthcheck::default());
        service.logging = service.logging.filter(|logging| *logging != Logging::default());
        service.stop_grace_period =
            service.stop_grace_period.filter(|grace| *grace != DEFAULT_GRACE);
        service.stop_signal = service.stop_signal.map(|signal| {
            let signal = signal.to_ascii_uppercase();
            if signal.starts_with("SIG") || signal.starts_with(|digit: char| digit.is_ascii_digit())
            {
                signal
            } else {
                format!("SIG{signal}")
            }
        });
        let default_name = names::container(project, &service.name, 1);
        service.container_name = service.container_name.filter(|name| *name != default_name);
        service
    }

    /// The service with each unset value of its check replaced by the engine's default, or the
    /// other way round. All these forms are equivalent if the image has no check.
    pub fn with_check_defaults(&self) -> Vec<Self> {
        let Some(check) = self.healthcheck.clone().map(Healthcheck::canonical) else {
            return Vec::new();
        };
        let mut checks = vec![check];
        let mut vary = |toggle: &dyn Fn(&mut Healthcheck) -> bool| {
            let mut others = checks.clone();
            others.retain_mut(toggle);
            checks.extend(others);
        };
        vary(&|check| toggle(&mut check.interval, DEFAULT_INTERVAL));
        vary(&|check| toggle(&mut check.timeout, DEFAULT_TIMEOUT));
        vary(&|check| toggle(&mut check.retries, DEFAULT_RETRIES));
        vary(&|check| toggle(&mut check.start_interval, DEFAULT_START_INTERVAL));
        checks.into_iter().map(|check| Self { healthcheck: Some(check), ..self.clone() }).collect()
    }
}

/// The engine's defaults for a check.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_RETRIES: u32 = 3;
const DEFAULT_START_INTERVAL: Duration = Duration::from_secs(5);

/// Removes a value that equals the default, or sets an unset value to the default. Returns whether
/// one of them applied.
fn toggle<T: PartialEq>(value: &mut Option<T>, default: T) -> bool {
    let is_default = value.as_ref().is_none_or(|value| *value == default);
    if is_default {
        *value = value.is_none().then_some(default);
    }
    is_default
}

impl Healthcheck {
    /// For the engine 0 means not set, and a check that never runs has no times.
    #[must_use]
    fn canonical(self) -> Self {
        if self.test == Some(HealthTest::None) {
            return Self { test: self.test, ..Self::default() };
        }
        let set = |time: Option<Duration>| time.filter(|time| !time.is_zero());
        Self {
            test: self.test,
            interval: set(self.interval),
            timeout: set(self.timeout),
            retries: self.retries.filter(|retries| *retries != 0),
            start_period: set(self.start_period),
            start_interval: set(self.start_interval),
        }
    }
}

/// An IP address in its shortest form; other texts stay as they are.
fn address(text: &str) -> String {
    text.parse::<IpAddr>().map_or_else(|_| text.to_owned(), |address| address.to_string())
}
