//! The inspect of a container.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::{
    ContainerInspectResponse, ContainerState, DriverData, EndpointSettings, NetworkSettings,
};
use chrono::{DateTime, SecondsFormat, Utc};

use super::status::state_value;
use super::{Container, Phase};
use crate::engine::sim::MODERN_API;
use crate::engine::sim::daemon::ports::port_map;
use crate::engine::sim::daemon::state::State;
use crate::engine::{ApiVersion, Result};
use crate::host::sim::date;

/// Docker's form of a time that is not set.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl State {
    /// Everything that is known about a container.
    pub fn inspect_container(&self, wanted: &str) -> Result<ContainerInspectResponse> {
        let container = self.objects.find_container(wanted)?;
        let mut command = container.command().into_iter().map(str::to_owned);
        let path = command.next();
        let execs: Vec<String> = self
            .execs
            .iter()
            .filter(|(_, exec)| exec.container == container.id && exec.running)
            .map(|(id, _)| id.clone())
            .collect();
        Ok(ContainerInspectResponse {
            id: Some(container.id.clone()),
            created: Some(date(container.created)),
            path,
            args: Some(command.collect()),
            state: Some(container.state()),
            image: Some(container.image_id.clone()),
            name: Some(format!("/{}", container.name)),
            restart_count: Some(container.restarts),
            driver: Some("overlay2".to_owned()),
            platform: Some("linux".to_owned()),
            log_path: container
                .started
                .map(|_| format!("/var/lib/docker/containers/{0}/{0}-json.log", container.id)),
            exec_ids: (!execs.is_empty()).then_some(execs),
            host_config: Some(container.host.clone()),
            graph_driver: Some(DriverData { name: "overlay2".to_owned(), data: HashMap::new() }),
            mounts: Some(container.mounts.iter().filter_map(|mount| mount.point(false)).collect()),
            config: Some(container.config.clone()),
            network_settings: Some(NetworkSettings {
                sandbox_id: Some(String::new()),
                sandbox_key: Some(String::new()),
                ports: Some(port_map(container)),
                networks: Some(container.networks(self.api)),
            }),
            ..ContainerInspectResponse::default()
        })
    }
}

impl Container {
    fn state(&self) -> ContainerState {
        let time = |time: Option<Duration>| {
            time.map_or_else(|| NEVER.to_owned(), |time| written(date(time)))
        };
        ContainerState {
            status: Some(state_value(self.phase)),
            running: Some(self.is_running()),
            paused: Some(false),
            restarting: Some(self.phase == Phase::Restarting),
            oom_killed: Some(self.out_of_memory),
            dead: Some(false),
            pid: Some(self.pid()),
            exit_code: Some(self.exit_code),
            error: Some(self.error.clone()),
            started_at: Some(time(self.started)),
            finished_at: Some(time(self.finished)),
            health: self.health.as_ref().map(super::super::health::Health::shown),
        }
    }

    /// Its networks, for inspect and list.
    pub(super) fn networks(&self, api: ApiVersion) -> HashMap<String, EndpointSettings> {
        let modern = api >= MODERN_API;
        self.endpoints
            .iter()
            .map(|(name, endpoint)| (name.clone(), endpoint.shown(self, modern)))
            .collect()
    }
}

/// A time in Go's form: without trailing zeros in the fraction of a second.
fn written(time: DateTime<Utc>) -> String {
    let text = time.to_rfc3339_opts(SecondsFormat::Nanos, true);
    format!("{}Z", text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fraction_of_a_time_is_as_long_as_it_has_to_be() {
        let shown =
            |nanos: i64| written(DateTime::from_timestamp_nanos(1_700_000_000_000_000_000 + nanos));
        assert_eq!(shown(752_910_820), "2023-11-14T22:13:20.75291082Z");
        assert_eq!(shown(500_000_000), "2023-11-14T22:13:20.5Z");
        assert_eq!(shown(0), "2023-11-14T22:13:20Z");
    }
}
