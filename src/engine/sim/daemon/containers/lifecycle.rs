//! Starts, exits, and restarts by policy.

use std::time::Duration;

use bollard::models::RestartPolicyNameEnum;

use super::{Container, Phase};
use crate::engine::sim::MODERN_API;
use crate::engine::sim::daemon::errors::refusal;
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::timetable::Purpose;
use crate::engine::{EngineError, Result};

const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);
/// A container that has run for this long is not in a crash loop.
const SETTLED: Duration = Duration::from_secs(10);
/// The time that the engine needs to start a container, as measured.
pub(in crate::engine::sim) const START_TAKES: Duration = Duration::from_millis(130);

/// Exit code of a container killed by the engine.
pub(in crate::engine::sim) const KILLED: i64 = 137;
/// Exit code of a container that could not be started.
const START_FAILED: i64 = 128;

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine::sim) struct Exit {
    pub code: i64,
    pub out_of_memory: bool,
    /// The engine goes down: nothing is restarted now.
    pub engine_ends: bool,
}

impl Exit {
    pub fn code(code: i64) -> Self {
        Self { code, out_of_memory: false, engine_ends: false }
    }
}

impl State {
    /// Starts a container by hand; false if it already runs.
    pub fn start_container(&mut self, id: &str) -> Result<bool> {
        let container = self.container_mut(id)?;
        if container.is_running() {
            return Ok(false);
        }
        container.restarts = 0;
        container.backoff = Duration::ZERO;
        container.stopped_by_hand = false;
        container.ends_for_good = false;
        self.run(id)?;
        Ok(true)
    }

    /// Networks, ports, mounts, process: in this order, and all or nothing.
    pub(in crate::engine::sim) fn run(&mut self, id: &str) -> Result<()> {
        let process = self.process_of(id);
        self.container_mut(id)?.process = process;
        let connected = self
            .join_networks(id)
            .and_then(|()| self.publish_ports(id))
            .map(|()| self.announce_networks(id));
        if let Err(error) =
            connected.and_then(|()| self.mount_volumes(id)).and_then(|()| self.exec_process(id))
        {
            self.leave_networks(id);
            let code = if error.message.contains("executable file not found") {
                127
            } else {
                START_FAILED
            };
            let container = self.container_mut(id)?;
            container.published.clear();
            container.error.clone_from(&error.message);
            container.exit_code = code;
            // A failed restart by policy ends the restarts.
            if container.phase == Phase::Restarting {
                container.phase = Phase::Exited;
            }
            return Err(error);
        }
        let now = self.now;
        let container = self.container_mut(id)?;
        container.phase = Phase::Running;
        container.is_listed_as_running = false;
        container.is_stopping = false;
        container.starts += 1;
        container.started = Some(now);
        container.exit_code = 0;
        container.error.clear();
        container.out_of_memory = false;
        let starts = container.starts;
        for (volume, destination, writable) in self.mounted_volumes(id) {
            self.emit_mount(id, &volume, &destination, writable);
        }
        self.start_proxy(id);
        self.emit_container(id, "start", &[]);
        self.count_writers(id);
        self.begin_process(id, starts);
        self.begin_health(id, starts);
        Ok(())
    }

    /// Rejections of the runtime itself.
    fn exec_process(&self, id: &str) -> Result<()> {
        let Some(words) = &self.container(id)?.process.cannot_start else { return Ok(()) };
        let prefix = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process";
        Err(refusal(400, format!("{prefix}: {words}: unknown")))
    }

    /// Puts the future behaviour of the process on the timetable.
    fn begin_process(&mut self, id: &str, starts: u64) {
        let Ok(container) = self.container(id) else { return };
        let process = container.process.clone();
        let again = if restarts_always(container) { Purpose::Again } else { Purpose::Once };
        for destination in &process.writes {
            self.change_volume(id, destination);
        }
        for (after, kind, line) in process.logs.clone() {
            let id = id.to_owned();
            self.after(after, again, move |state| {
                if state.runs(&id, starts) {
                    state.log(&id, kind, &line);
                }
                None
            });
        }
        if let Some((after, code)) = process.exits_after {
            let id = id.to_owned();
            let memory = process.killed_for_memory;
            self.after(after, again, move |state| {
                if state.runs(&id, starts) {
                    if memory {
                        state.emit_container(&id, "oom", &[]);
                    }
                    state.exited(&id, Exit { out_of_memory: memory, ..Exit::code(code) });
                }
                None
            });
        }
    }

    /// The process has ended.
    pub fn exited(&mut self, id: &str, exit: Exit) {
        let Exit { code, out_of_memory, engine_ends } = exit;
        self.end_execs(id);
        self.end_log(id);
        let now = self.now;
        let is_disk_full = self.is_disk_full;
        let Ok(container) = self.container_mut(id) else { return };
        let ran = now.saturating_sub(container.started.unwrap_or(now));
        container.finished = Some(now);
        container.exit_code = code;
        container.out_of_memory = out_of_memory;
        container.end_health();
        let again = !engine_ends && restarts_after(container, code);
        container.phase = if again { Phase::Restarting } else { Phase::Exited };
        container.is_listed_as_running = is_disk_full && !again;
        if again {
            container.restarts += 1;
            container.backoff = next_backoff(container.backoff, ran);
        }
        let (starts, backoff) = (container.starts, container.backoff);
        let removes = container.host.auto_remove == Some(true);
        // Newer engines notify waiters and send the event in either order: `stop` may come before
        // `die`.
        let notified_first = self.api >= MODERN_API && self.random.below(2) == 0;
        if notified_first {
            self.notify_waiters(id, code);
        }
        self.emit_container(id, "die", &[("exitCode", &code.to_string())]);
        self.leave_networks(id);
        for (volume, ..) in self.mounted_volumes(id) {
            self.emit_unmount(id, &volume);
        }
        if again {
            self.start_again(id, starts, backoff);
        }
        self.notify_waiters(id, code);
        if removes && !again {
            self.destroy_container(id, true);
        }
    }

    /// Notifies those who wait for the container's end.
    pub(in crate::engine::sim) fn notify_waiters(&mut self, id: &str, code: i64) {
        for waiter in self.on_exit.remove(id).unwrap_or_default() {
            waiter(self, code);
        }
    }

    fn start_again(&mut self, id: &str, starts: u64, backoff: Duration) {
        let id = id.to_owned();
        self.after(backoff + START_TAKES, Purpose::Again, move |state| {
            let waits = state.container(&id).is_ok_and(|container| {
                container.phase == Phase::Restarting && container.starts == starts
            });
            if waits {
                // A failed start is recorded in the container, so the result is not needed.
                let _ = state.run(&id);
            }
            None
        });
    }

    /// The mounted volumes of a container: name, path, whether writable.
    pub(in crate::engine::sim) fn mounted_volumes(&self, id: &str) -> Vec<(String, String, bool)> {
        let mounts =
            self.objects.containers.get(id).into_iter().flat_map(|container| &container.mounts);
        mounts
            .filter_map(|mount| {
                Some((mount.volume()?.to_owned(), mount.destination.clone(), mount.writable))
            })
            .collect()
    }

    /// The engine is away for `down`; running calls and streams break.
    pub fn restart(&mut self, down: Duration) {
        self.on_exit.clear();
        let again = self.end_all();
        self.up = false;
        self.life += 1;
        self.events.end_streams();
        self.followers.clear();
        self.after(down, Purpose::Once, move |state| {
            state.up = true;
            state.start_all(&again);
            None
        });
    }

    /// The engine goes down, with its containers. Returns those that start when it is back.
    fn end_all(&mut self) -> Vec<String> {
        let back = |container: &&Container| match policy(container) {
            RestartPolicyNameEnum::ALWAYS => container.starts > 0,
            RestartPolicyNameEnum::UNLESS_STOPPED => {
                container.is_running() && !container.stopped_by_hand
            }
            _ => false,
        };
        let again = self
            .objects
            .containers
            .values()
            .filter(back)
            .map(|container| container.id.clone())
            .collect();
        let running: Vec<(String, Phase, i64)> = self
            .objects
            .containers
            .values()
            .filter(|container| container.is_running())
            .map(|container| (container.id.clone(), container.phase, container.process.stop_code))
            .collect();
        for (id, phase, code) in running {
            if phase == Phase::Running {
                self.exited(&id, Exit { engine_ends: true, ..Exit::code(code) });
            } else if let Ok(container) = self.container_mut(&id) {
                container.phase = Phase::Exited;
            }
        }
        again
    }

    /// Starts containers after a restart of the engine, according to their restart policies.
    fn start_all(&mut self, ids: &[String]) {
        for id in ids {
            // A failed start is recorded in the container.
            let _ = self.start_container(id);
        }
    }
}

pub fn policy(container: &Container) -> RestartPolicyNameEnum {
    container
        .host
        .restart_policy
        .as_ref()
        .and_then(|policy| policy.name)
        .unwrap_or(RestartPolicyNameEnum::NO)
}

fn restarts_always(container: &Container) -> bool {
    !matches!(policy(container), RestartPolicyNameEnum::EMPTY | RestartPolicyNameEnum::NO)
}

fn restarts_after(container: &Container, code: i64) -> bool {
    let most = container
        .host
        .restart_policy
        .as_ref()
        .and_then(|policy| policy.maximum_retry_count)
        .unwrap_or_default();
    if container.ends_for_good {
        return false;
    }
    match policy(container) {
        RestartPolicyNameEnum::EMPTY | RestartPolicyNameEnum::NO => false,
        RestartPolicyNameEnum::ALWAYS => true,
        RestartPolicyNameEnum::UNLESS_STOPPED => !container.stopped_by_hand,
        RestartPolicyNameEnum::ON_FAILURE => code != 0 && (most == 0 || container.restarts < most),
    }
}

fn next_backoff(before: Duration, ran: Duration) -> Duration {
    match before {
        Duration::ZERO => FIRST_BACKOFF,
        _ if ran >= SETTLED => FIRST_BACKOFF,
        before => (before * 2).min(LONGEST_BACKOFF),
    }
}

/// The runtime's error about a container's networks, in the words of the engine's version.
pub(in crate::engine::sim) fn networking_failed(modern: bool, error: EngineError) -> EngineError {
    if modern {
        EngineError {
            message: format!("failed to set up container networking: {}", error.message),
            ..error
        }
    } else {
        error
    }
}
