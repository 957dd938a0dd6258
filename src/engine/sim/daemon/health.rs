//! Health checks, with exactly the schedule of dockerd.
//!
//! The first probe comes only after a whole interval; the next an interval after the end of the
//! last one. Failures in the start period do not count. From API 1.44 on the start period has its
//! own interval.

use std::collections::VecDeque;
use std::time::Duration;

use bollard::models::{self, ContainerConfig, HealthStatusEnum, HealthcheckResult};

use super::containers::Container;
use super::containers::lifecycle::KILLED;
use super::state::State;
use super::timetable::Purpose;
use crate::engine::sim::MODERN_API;
use crate::engine::sim::behaviour::process::ExecAnswer;
use crate::engine::{ApiVersion, ExecRequest};
use crate::host::sim::date;
use crate::model::observed_state::Health as Observed;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: i64 = 3;
/// The number of results in an inspect.
const LOG_LENGTH: usize = 5;
/// How much output of one probe is kept.
const OUTPUT_BYTES: usize = 4096;
/// Docker's exit code for a probe that did not end by itself.
const NO_CODE: i64 = -1;
/// The exit code of Docker 20.10 for a probe that it ended itself, as measured.
const KILLED_PROBE: i64 = 127;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Starting,
    Healthy,
    Unhealthy,
}

#[derive(Debug, Clone)]
struct Probe {
    start: Duration,
    end: Duration,
    code: i64,
    output: String,
}

/// The engine's knowledge about a container's health.
#[derive(Debug, Clone)]
pub(in crate::engine::sim) struct Health {
    status: Status,
    failing: i64,
    log: VecDeque<Probe>,
}

impl Health {
    /// In the form of another engine; `None` without a check.
    pub fn found(health: Observed) -> Option<Self> {
        let status = match health {
            Observed::None => return None,
            Observed::Starting => Status::Starting,
            Observed::Healthy => Status::Healthy,
            Observed::Unhealthy => Status::Unhealthy,
        };
        Some(Self { status, failing: 0, log: VecDeque::new() })
    }

    pub fn is_healthy(&self) -> bool {
        self.status == Status::Healthy
    }

    /// The state after a passed test.
    pub fn pass(&mut self) {
        self.status = Status::Healthy;
        self.failing = 0;
    }

    /// `starting`, `healthy` or `unhealthy`.
    pub fn status_name(&self) -> &'static str {
        match self.status {
            Status::Starting => "starting",
            Status::Healthy => "healthy",
            Status::Unhealthy => "unhealthy",
        }
    }

    /// The form in the text of the list.
    pub fn words(&self) -> &'static str {
        match self.status {
            Status::Starting => "health: starting",
            Status::Healthy => "healthy",
            Status::Unhealthy => "unhealthy",
        }
    }

    /// The form in an inspect.
    pub fn shown(&self) -> models::Health {
        let status = match self.status {
            Status::Starting => HealthStatusEnum::STARTING,
            Status::Healthy => HealthStatusEnum::HEALTHY,
            Status::Unhealthy => HealthStatusEnum::UNHEALTHY,
        };
        let result = |probe: &Probe| HealthcheckResult {
            start: Some(date(probe.start)),
            end: Some(date(probe.end)),
            exit_code: Some(probe.code),
            output: Some(probe.output.clone()),
        };
        models::Health {
            status: Some(status),
            failing_streak: Some(self.failing),
            log: Some(self.log.iter().map(result).collect()),
        }
    }
}

/// A container's effective check, with defaults.
struct Check {
    command: Vec<String>,
    interval: Duration,
    timeout: Duration,
    start_period: Duration,
    start_interval: Option<Duration>,
    retries: i64,
}

impl Check {
    fn of(config: &ContainerConfig, api: ApiVersion) -> Option<Self> {
        let health = config.healthcheck.as_ref()?;
        let time = |nanoseconds: Option<i64>, default| match nanoseconds
            .and_then(|time| u64::try_from(time).ok())
        {
            None | Some(0) => default,
            Some(time) => Duration::from_nanos(time),
        };
        Some(Self {
            command: health_command(config)?,
            interval: time(health.interval, INTERVAL),
            timeout: time(health.timeout, TIMEOUT),
            start_period: time(health.start_period, Duration::ZERO),
            start_interval: (api >= ApiVersion::START_INTERVAL)
                .then(|| time(health.start_interval, START_INTERVAL)),
            retries: health.retries.filter(|retries| *retries > 0).unwrap_or(RETRIES),
        })
    }

    /// The time from the last probe (or the start) to the next one.
    fn pause(&self, ran: Duration, health: &Health) -> Duration {
        match self.start_interval {
            Some(interval) if ran < self.start_period && health.status == Status::Starting => {
                interval
            }
            _ => self.interval,
        }
    }
}

/// The command of a container's health check; `None` without one.
pub(in crate::engine::sim) fn health_command(config: &ContainerConfig) -> Option<Vec<String>> {
    let (kind, words) = config.healthcheck.as_ref()?.test.as_deref()?.split_first()?;
    match kind.as_str() {
        "CMD" => Some(words.to_vec()),
        "CMD-SHELL" => {
            let shell =
                config.shell.clone().unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()]);
            Some(shell.into_iter().chain([words.join(" ")]).collect())
        }
        _ => None,
    }
}

impl Container {
    /// A container that no longer runs is not healthy.
    pub(in crate::engine::sim) fn end_health(&mut self) {
        if let Some(health) = &mut self.health {
            health.status = Status::Unhealthy;
        }
    }
}

impl State {
    /// At a start: the health is unknown again, and the first probe is due after a pause.
    pub(in crate::engine::sim) fn begin_health(&mut self, id: &str, starts: u64) {
        let api = self.api;
        let Ok(container) = self.container_mut(id) else { return };
        let Some(check) = Check::of(&container.config, api) else {
            container.health = None;
            return;
        };
        // The results of earlier starts stay visible.
        let log = container.health.take().map(|health| health.log).unwrap_or_default();
        let health = Health { status: Status::Starting, failing: 0, log };
        let pause = check.pause(Duration::ZERO, &health);
        container.health = Some(health);
        self.next_probe(id, starts, pause);
    }

    fn next_probe(&mut self, id: &str, starts: u64, pause: Duration) {
        let id = id.to_owned();
        self.after(pause, Purpose::Again, move |state| {
            let api = state.api;
            let container = state.container(&id).ok().filter(|_| state.runs(&id, starts))?;
            let check = Check::of(&container.config, api)?;
            let request = ExecRequest { command: check.command.clone(), ..ExecRequest::default() };
            let exec = state.create_exec(&id, &request);
            state.begin_exec(&id, &exec, &request);
            let start = state.now;
            let container = id.clone();
            state.script(&id, request, Some(bytes::Bytes::new()), move |state, answer| {
                state.end_probe_later(&container, starts, &exec, start, &check, answer);
            })
        });
    }

    /// The probe is running: it ends with its command, or at its timeout.
    fn end_probe_later(
        &mut self,
        id: &str,
        starts: u64,
        exec: &str,
        start: Duration,
        check: &Check,
        answer: ExecAnswer,
    ) {
        let (timeout, retries) = (check.timeout, check.retries);
        let late = answer.runs_on || answer.takes > timeout;
        let (id, exec) = (id.to_owned(), exec.to_owned());
        let ends = if late { timeout } else { answer.takes };
        self.after(ends, Purpose::Again, move |state| {
            if !state.runs(&id, starts) {
                return None;
            }
            let (code, output) = if late {
                (NO_CODE, format!("Health check exceeded timeout ({})", go_duration(timeout)))
            } else {
                let said = [answer.stdout.as_ref(), answer.stderr.as_ref()].concat();
                let shown =
                    String::from_utf8_lossy(&said[..said.len().min(OUTPUT_BYTES)]).into_owned();
                (if answer.unrunnable { NO_CODE } else { answer.code }, shown)
            };
            let probe = Probe { start, end: state.now, code, output };
            if late {
                // The engine ends a late probe; its exit comes after the verdict.
                let code = if state.api >= MODERN_API { KILLED } else { KILLED_PROBE };
                state.judge(&id, probe, retries);
                state.end_exec(&exec, code);
            } else {
                if answer.unrunnable {
                    state.forget_exec(&exec, answer.code);
                } else {
                    state.end_exec(&exec, answer.code);
                }
                state.judge(&id, probe, retries);
            }
            // Forgets the exec of the probe. There may be thousands of them.
            state.execs.remove(&exec);
            state.plan_probe(&id, starts);
            None
        });
    }

    fn plan_probe(&mut self, id: &str, starts: u64) {
        let (now, api) = (self.now, self.api);
        let Ok(container) = self.container(id) else { return };
        let (Some(check), Some(health)) = (Check::of(&container.config, api), &container.health)
        else {
            return;
        };
        let ran = now.saturating_sub(container.started.unwrap_or(now));
        let pause = check.pause(ran, health);
        self.next_probe(id, starts, pause);
    }

    fn judge(&mut self, id: &str, probe: Probe, retries: i64) {
        let api = self.api;
        let Ok(container) = self.container_mut(id) else { return };
        let started = container.started.unwrap_or_default();
        let start_period =
            Check::of(&container.config, api).map_or(Duration::ZERO, |check| check.start_period);
        let Some(health) = &mut container.health else { return };
        let before = health.status;
        if probe.code == 0 {
            health.failing = 0;
            health.status = Status::Healthy;
        } else if health.status != Status::Starting
            || probe.start.saturating_sub(started) >= start_period
        {
            health.failing += 1;
            if health.failing >= retries {
                health.status = Status::Unhealthy;
            }
        }
        health.log.push_back(probe);
        if health.log.len() > LOG_LENGTH {
            health.log.pop_front();
        }
        let (after, name) = (health.status, health.status_name());
        if after != before {
            self.emit_container(id, &format!("health_status: {name}"), &[]);
        }
    }
}

/// A duration in Go's form: `500ms`, `1m30s`.
fn go_duration(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        return format!("{}ms", time.as_millis());
    }
    let (minutes, seconds) = (time.as_secs() / 60, time.as_secs_f64() % 60.0);
    match minutes {
        0 => format!("{seconds}s"),
        1..60 => format!("{minutes}m{seconds}s"),
        _ => format!("{}h{}m{seconds}s", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_run_as_it_says() {
        let command = |test: &[&str], shell: Option<&[&str]>| {
            let words =
                |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            let healthcheck = Some(models::HealthConfig {
                test: Some(words(test)),
                ..models::HealthConfig::default()
            });
            health_command(&ContainerConfig {
                healthcheck,
                shell: shell.map(words),
                ..ContainerConfig::default()
            })
            .map(|words| words.join("|"))
        };
        assert_eq!(command(&["CMD", "redis-cli", "ping"], None).unwrap(), "redis-cli|ping");
        assert_eq!(command(&["CMD-SHELL", "a && b"], None).unwrap(), "/bin/sh|-c|a && b");
        assert_eq!(
            command(&["CMD-SHELL", "a"], Some(&["/bin/bash", "-c"])).unwrap(),
            "/bin/bash|-c|a"
        );
        assert_eq!(command(&["NONE"], None), None);
        assert_eq!(command(&[], None), None);
    }

    #[test]
    fn times_are_written_as_go_writes_them() {
        assert_eq!(go_duration(Duration::from_millis(500)), "500ms");
        assert_eq!(go_duration(Duration::from_secs(5)), "5s");
        assert_eq!(go_duration(Duration::from_secs(90)), "1m30s");
        assert_eq!(go_duration(Duration::from_mins(61)), "1h1m0s");
    }
}
