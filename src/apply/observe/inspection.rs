//! One container, from the engine's inspect.

use std::collections::BTreeMap;

use bollard::models;

use super::super::failures::of_engine;
use super::container_list::container_state;
use crate::engine::Engine;
use crate::model::Failure;
use crate::model::names::label;
use crate::model::observed_state::{ContainerState, Health};

/// A container's state, from an inspect.
pub struct InspectedContainer {
    pub id: String,
    pub name: String,
    pub state: ContainerState,
    pub exit_code: i64,
    pub oom_killed: bool,
    /// The engine's message about a failed start.
    pub error: String,
    pub started_at: String,
    pub health: Health,
    /// Output and exit code of the engine's last check since the container's start. The engine also
    /// keeps those of earlier starts.
    pub last_check: Option<(String, i64)>,
    /// The effective check in Docker's form; empty if there is none.
    pub test: Vec<String>,
    pub interval: std::time::Duration,
    pub timeout: std::time::Duration,
    pub start_period: std::time::Duration,
    pub retries: u32,
    /// The shell for `CMD-SHELL`.
    pub shell: Vec<String>,
    pub user: String,
    pub tty: bool,
    /// Whether the engine restarts it when it exits.
    pub restarts: bool,
    /// Whether the engine also restarts it after an exit with code 0.
    pub restarts_always: bool,
    /// How often the engine restarted it.
    pub restart_count: i64,
    /// The limit for this; 0 means no limit.
    pub restart_limit: i64,
    /// Whether a restart of the engine starts it, even if it was stopped by hand.
    pub restarts_with_engine: bool,
    /// Whether it publishes ports.
    pub publishes: bool,
    /// Target → name of the mounted volumes.
    pub volumes: BTreeMap<String, String>,
    pub image_id: String,
    /// spc's label with the hash of the description.
    pub hash: String,
}

impl InspectedContainer {
    /// The description and the image. Containers with the same value behave alike.
    pub fn made_of(&self) -> String {
        format!("{} {}", self.hash, self.image_id)
    }
}

/// Docker's defaults for missing values of a check.
const DEFAULT_INTERVAL: std::time::Duration = std::time::Duration::from_secs(30);

const DEFAULT_RETRIES: u32 = 3;

/// Inspects one container.
pub async fn inspect(engine: &dyn Engine, container: &str) -> Result<InspectedContainer, Failure> {
    let found = engine
        .container_inspect(container)
        .await
        .map_err(|error| of_engine(error, &format!("inspect the container \"{container}\"")))?;
    let state = found.state.unwrap_or_default();
    let config = found.config.unwrap_or_default();
    let check = config.healthcheck.unwrap_or_default();
    let health = state.health.as_ref();
    let started = state
        .started_at
        .as_deref()
        .and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok())
        .map(|time| time.to_utc());
    let time = |nanos: Option<i64>, default: std::time::Duration| match nanos
        .and_then(|nanos| u64::try_from(nanos).ok())
    {
        Some(nanos) if nanos > 0 => std::time::Duration::from_nanos(nanos),
        _ => default,
    };
    let host = found.host_config.unwrap_or_default();
    let restart_limit =
        host.restart_policy.as_ref().and_then(|policy| policy.maximum_retry_count).unwrap_or(0);
    let policy = host.restart_policy.and_then(|policy| policy.name);
    Ok(InspectedContainer {
        id: found.id.unwrap_or_default(),
        name: found.name.unwrap_or_default().trim_start_matches('/').to_owned(),
        state: container_state(state.status),
        exit_code: state.exit_code.unwrap_or(0),
        oom_killed: state.oom_killed.unwrap_or(false),
        error: state.error.unwrap_or_default(),
        started_at: state.started_at.unwrap_or_default(),
        health: health.and_then(|health| health.status).map_or(Health::None, health_status),
        last_check: health
            .and_then(|health| health.log.as_ref())
            .and_then(|log| log.last())
            .filter(|last| {
                last.start.zip(started).is_none_or(|(checked, started)| checked >= started)
            })
            .map(|last| (last.output.clone().unwrap_or_default(), last.exit_code.unwrap_or(0))),
        test: check.test.unwrap_or_default(),
        interval: time(check.interval, DEFAULT_INTERVAL),
        timeout: time(check.timeout, DEFAULT_INTERVAL),
        start_period: time(check.start_period, std::time::Duration::ZERO),
        retries: check
            .retries
            .and_then(|retries| u32::try_from(retries).ok())
            .filter(|&retries| retries > 0)
            .unwrap_or(DEFAULT_RETRIES),
        shell: config
            .shell
            .filter(|shell| !shell.is_empty())
            .unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]),
        user: config.user.unwrap_or_default(),
        tty: config.tty.unwrap_or(false),
        restarts_always: matches!(
            policy,
            Some(
                models::RestartPolicyNameEnum::ALWAYS
                    | models::RestartPolicyNameEnum::UNLESS_STOPPED
            )
        ),
        restart_count: found.restart_count.unwrap_or(0),
        restart_limit,
        restarts_with_engine: policy == Some(models::RestartPolicyNameEnum::ALWAYS),
        restarts: policy.is_some_and(|name| {
            !matches!(
                name,
                models::RestartPolicyNameEnum::NO | models::RestartPolicyNameEnum::EMPTY
            )
        }),
        publishes: host.port_bindings.is_some_and(|bindings| !bindings.is_empty()),
        volumes: found
            .mounts
            .unwrap_or_default()
            .into_iter()
            .filter(|mount| mount.typ.as_deref() == Some("volume"))
            .filter_map(|mount| Some((mount.destination?, mount.name?)))
            .collect(),
        image_id: found.image.unwrap_or_default(),
        hash: config.labels.and_then(|mut labels| labels.remove(label::HASH)).unwrap_or_default(),
    })
}

fn health_status(status: models::HealthStatusEnum) -> Health {
    match status {
        models::HealthStatusEnum::STARTING => Health::Starting,
        models::HealthStatusEnum::HEALTHY => Health::Healthy,
        models::HealthStatusEnum::UNHEALTHY => Health::Unhealthy,
        _ => Health::None,
    }
}
