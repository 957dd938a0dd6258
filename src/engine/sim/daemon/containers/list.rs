//! The list of containers, and its filters.

use std::time::Duration;

use bollard::models::{
    ContainerSummary, ContainerSummaryHostConfig, ContainerSummaryNetworkSettings,
};

use super::status::{state_name, status_text};
use super::{Container, Phase};
use crate::engine::sim::daemon::errors::refusal;
use crate::engine::sim::daemon::filters::{FilterSet, label_matches, name_matches};
use crate::engine::sim::daemon::ports::port_summaries;
use crate::engine::sim::daemon::state::Objects;
use crate::engine::{ApiVersion, Filters, Result};
use crate::host::sim::date;

const FILTERS: &[&str] = &[
    "ancestor", "before", "exited", "health", "id", "label", "name", "network", "since", "status",
    "volume",
];
const STATES: &[&str] =
    &["created", "dead", "exited", "paused", "removing", "restarting", "running"];
const HEALTHS: &[&str] = &["healthy", "none", "starting", "unhealthy"];

impl Objects {
    /// The newest first; only running ones unless `all` or a state is requested.
    pub fn list_containers(
        &self,
        all: bool,
        filters: &Filters,
        api: ApiVersion,
        now: Duration,
    ) -> Result<Vec<ContainerSummary>> {
        let filter = Filter::new(self, filters)?;
        let all = all || filters.contains_key("status");
        let mut found: Vec<&Container> = self
            .containers
            .values()
            .filter(|container| {
                (all || container.is_running() || container.is_listed_as_running)
                    && filter.matches(container)
            })
            .collect();
        found.sort_by_key(|container| std::cmp::Reverse(container.serial));
        Ok(found.into_iter().map(|container| self.summary(container, api, now)).collect())
    }

    fn summary(&self, container: &Container, api: ApiVersion, now: Duration) -> ContainerSummary {
        // If an image's name now denotes another one, its id is shown.
        let named =
            self.find_image(&container.image).is_ok_and(|image| image.id == container.image_id);
        ContainerSummary {
            id: Some(container.id.clone()),
            names: Some(vec![format!("/{}", container.name)]),
            image: Some(if named { &container.image } else { &container.image_id }.clone()),
            image_id: Some(container.image_id.clone()),
            command: Some(
                container.command().into_iter().map(quoted).collect::<Vec<_>>().join(" "),
            ),
            created: Some(date(container.created).timestamp()),
            ports: Some(port_summaries(container)),
            labels: Some(container.labels.clone().into_iter().collect()),
            state: state_name(container.listed_phase()).parse().ok(),
            status: Some(status_text(container, now)),
            host_config: Some(ContainerSummaryHostConfig {
                network_mode: container.host.network_mode.clone(),
                ..ContainerSummaryHostConfig::default()
            }),
            network_settings: Some(ContainerSummaryNetworkSettings {
                networks: Some(container.networks(api)),
            }),
            mounts: Some(container.mounts.iter().filter_map(|mount| mount.point(true)).collect()),
            ..ContainerSummary::default()
        }
    }
}

/// A word of a command in the list's form.
fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{}'", word.replace('\'', "\\'")) } else { word.to_owned() }
}

struct Filter<'a> {
    wanted: FilterSet<'a>,
    exited: Option<Vec<i64>>,
    /// The images of an ancestor filter.
    images: Option<Vec<String>>,
    before: Option<u64>,
    since: Option<u64>,
}

impl<'a> Filter<'a> {
    fn new(objects: &Objects, filters: &'a Filters) -> Result<Self> {
        let wanted = FilterSet::new(filters, FILTERS)?;
        for state in wanted.values("status").unwrap_or_default() {
            if !STATES.contains(&state.as_str()) {
                return Err(refusal(400, format!("Invalid filter 'status={state}'")));
            }
        }
        for health in wanted.values("health").unwrap_or_default() {
            if !HEALTHS.contains(&health.as_str()) {
                return Err(refusal(
                    400,
                    format!("Unrecognised filter value for health: {health}"),
                ));
            }
        }
        let code = |code: &String| {
            code.parse().map_err(|_| {
                refusal(500, format!("strconv.Atoi: parsing \"{code}\": invalid syntax"))
            })
        };
        let exited = wanted
            .values("exited")
            .map(|codes| codes.iter().map(code).collect::<Result<Vec<i64>>>())
            .transpose()?;
        let images = wanted.values("ancestor").map(|names| {
            names
                .iter()
                .filter_map(|name| objects.find_image(name).ok().map(|image| image.id.clone()))
                .collect()
        });
        let serial = |key: &str| -> Result<Option<u64>> {
            let Some(name) = wanted.values(key).and_then(|names| names.first()) else {
                return Ok(None);
            };
            objects.find_container(name).map(|container| Some(container.serial))
        };
        Ok(Self { before: serial("before")?, since: serial("since")?, wanted, exited, images })
    }

    fn matches(&self, container: &Container) -> bool {
        let any = |key: &str, fits: &dyn Fn(&str) -> bool| {
            self.wanted.values(key).is_none_or(|values| values.iter().any(|value| fits(value)))
        };
        let all = |key: &str, fits: &dyn Fn(&str) -> bool| {
            self.wanted.values(key).is_none_or(|values| values.iter().all(|value| fits(value)))
        };
        any("id", &|value| name_matches(value, &container.id))
            && any("name", &|value| {
                name_matches(value, &container.name)
                    || name_matches(value, &format!("/{}", container.name))
            })
            && all("label", &|value| label_matches(value, &container.labels))
            && any("status", &|value| value == state_name(container.listed_phase()))
            && any("health", &|value| {
                value == container.health.as_ref().map_or("none", |health| health.status_name())
            })
            && any("network", &|value| {
                container.endpoints.iter().any(|(name, endpoint)| {
                    name == value || !value.is_empty() && endpoint.network_id.starts_with(value)
                })
            })
            && any("volume", &|value| {
                container
                    .mounts
                    .iter()
                    .any(|mount| mount.volume() == Some(value) || mount.destination == value)
            })
            && self.exited.as_ref().is_none_or(|codes| {
                container.phase == Phase::Exited && codes.contains(&container.exit_code)
            })
            && self.images.as_ref().is_none_or(|images| images.contains(&container.image_id))
            && self.before.is_none_or(|serial| container.serial < serial)
            && self.since.is_none_or(|serial| container.serial > serial)
    }
}
