//! Ends a container by hand: stop, kill, restart, and waits for the end.

use std::time::Duration;

use super::lifecycle::{Exit, KILLED, START_TAKES};
use super::{OnExit, Phase};
use crate::engine::sim::daemon::errors::refusal;
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::timetable::Purpose;
use crate::engine::{ApiVersion, EngineError, EngineErrorKind, Result, StopRequest};

/// `stop` and `restart` accept a signal from this version on.
const STOP_SIGNAL: ApiVersion = ApiVersion { major: 1, minor: 42 };

/// The time before the engine kills a container that was asked to stop.
const GRACE: Duration = Duration::from_secs(10);
/// The time until the engine notices the end of a killed process.
const KILL_TAKES: Duration = Duration::from_millis(20);

/// Called with whether the container was stopped now.
type OnStopped = Box<dyn FnOnce(&mut State, Result<bool>) + Send>;

/// Linux's numbers of the signals that Docker knows by name, without real-time ones.
const SIGNALS: &[(&str, i64)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// A signal by name (`TERM`, `SIGTERM`) or number.
fn signal_number(signal: &str) -> Result<i64> {
    let upper = signal.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let known = SIGNALS.iter().find(|(known, number)| *known == name || number.to_string() == name);
    known
        .map(|(_, number)| *number)
        .ok_or_else(|| refusal(400, format!("Invalid signal: {signal}")))
}

fn signal_name(number: i64) -> &'static str {
    SIGNALS.iter().find(|(_, known)| *known == number).map_or("", |(name, _)| name)
}

impl State {
    /// Asks it to end, and kills it after the grace period; `then` gets whether it was running.
    pub fn stop_container(
        &mut self,
        container: &str,
        request: &StopRequest,
        then: impl FnOnce(&mut State, Result<bool>) + Send + 'static,
    ) {
        self.stop_then(container, request, Box::new(then));
    }

    /// The time that a container has to end before it is killed.
    pub fn grace_of(&self, wanted: &str, request: &StopRequest) -> Duration {
        let container = self.objects.find_container(wanted).ok();
        let own = container
            .and_then(|container| container.config.stop_timeout)
            .and_then(|seconds| u64::try_from(seconds).ok());
        request.grace.map(whole_seconds).or(own.map(Duration::from_secs)).unwrap_or(GRACE)
    }

    fn stop_then(&mut self, wanted: &str, request: &StopRequest, then: OnStopped) {
        let plan = self.container_id(wanted).and_then(|id| {
            self.check_signal(request)?;
            let container = self.container(&id)?;
            let signal = request
                .signal
                .as_ref()
                .or(container.config.stop_signal.as_ref())
                .map_or(Ok(15), |signal| signal_number(signal))?;
            let grace = self.grace_of(&id, request);
            Ok((id, signal, grace))
        });
        let (id, signal, grace) = match plan {
            Ok(plan) => plan,
            Err(error) => return then(self, Err(error)),
        };
        match self.container(&id).map(|container| container.phase) {
            Ok(Phase::Running) => {}
            Ok(Phase::Restarting) => {
                self.give_up_restarting(&id);
                self.emit_container(&id, "stop", &[]);
                return then(self, Ok(true));
            }
            _ => return then(self, Ok(false)),
        }
        let starts = self.container(&id).map_or(0, |container| container.starts);
        self.on_exit.entry(id.clone()).or_default().push(stopped(id.clone(), then));
        self.signal(&id, signal);
        self.after(grace, Purpose::Once, move |state| {
            if state.runs(&id, starts) {
                state.signal(&id, 9);
            }
            None
        });
    }

    fn check_signal(&self, request: &StopRequest) -> Result<()> {
        let Some(signal) = request.signal.as_ref().filter(|_| self.api < STOP_SIGNAL) else {
            return Ok(());
        };
        let cause = format!("this engine has API {}, and that needs {STOP_SIGNAL}", self.api);
        Err(EngineError::new(
            EngineErrorKind::Invalid,
            format!("could not stop with the signal \"{signal}\": {cause}"),
        )
        .with_hint("set the container's `stop_signal` instead"))
    }

    /// Sends a signal by hand.
    pub fn kill_container(&mut self, wanted: &str, signal: &str) -> Result<()> {
        let number = if signal.is_empty() { 9 } else { signal_number(signal)? };
        let id = self.container_id(wanted)?;
        let container = self.container(&id)?;
        match container.phase {
            Phase::Running => {
                self.signal(&id, number);
                Ok(())
            }
            // Its process is already gone: only the next start is cancelled.
            Phase::Restarting => {
                self.give_up_restarting(&id);
                Ok(())
            }
            Phase::Created | Phase::Exited => Err(refusal(
                409,
                format!("Cannot kill container: {wanted}: Container {id} is not running"),
            )),
        }
    }

    pub(super) fn give_up_restarting(&mut self, id: &str) {
        if let Ok(container) = self.container_mut(id) {
            container.phase = Phase::Exited;
            container.stopped_by_hand = true;
        }
        self.end_log(id);
        let code = self.container(id).map_or(0, |container| container.exit_code);
        self.notify_waiters(id, code);
    }

    /// A signal reaches the main process.
    fn signal(&mut self, id: &str, number: i64) {
        self.emit_container(id, "kill", &[("signal", &number.to_string())]);
        // A process that is asked to end finishes its requests first.
        let busy = self.requests.busy_until(id).map(|end| end.saturating_sub(self.now));
        let Ok(container) = self.container_mut(id) else { return };
        // Also for a signal that ends nothing: the engine assumes that the container should end.
        container.stopped_by_hand = true;
        container.signals.push(signal_name(number).to_owned());
        let own =
            container.config.stop_signal.as_ref().and_then(|signal| signal_number(signal).ok());
        container.ends_for_good |= number == 9 || own.is_none_or(|own| own == number);
        let asks = matches!(number, 2 | 3 | 15) || own == Some(number);
        let (after, code) = match number {
            9 => (KILL_TAKES, KILLED),
            _ if asks && !container.process.ignores_term => (
                container
                    .process
                    .stop_takes
                    .max(busy.filter(|_| !container.process.drops_requests).unwrap_or_default()),
                container.process.stop_code,
            ),
            _ => return,
        };
        container.is_stopping = true;
        let (id, starts) = (id.to_owned(), container.starts);
        self.after(after, Purpose::Once, move |state| {
            if state.runs(&id, starts) {
                state.exited(&id, Exit::code(code));
            }
            None
        });
    }

    /// Stops it if it runs, and then starts it.
    pub fn restart_container(
        &mut self,
        wanted: &str,
        request: &StopRequest,
        then: impl FnOnce(&mut State, Result<()>) + Send + 'static,
    ) {
        let id = match self.container_id(wanted) {
            Ok(id) => id,
            Err(error) => return then(self, Err(error)),
        };
        let target = id.clone();
        self.stop_then(
            &id,
            request,
            Box::new(move |state, stopped| match stopped {
                Err(error) => then(state, Err(error)),
                Ok(_) => state.after(START_TAKES, Purpose::Once, move |state| {
                    let started = state
                        .start_container(&target)
                        .map(|_| state.emit_container(&target, "restart", &[]));
                    then(state, started);
                    None
                }),
            }),
        );
    }

    /// Passes the exit code to `then` once it does not run.
    pub fn wait_container(
        &mut self,
        wanted: &str,
        then: impl FnOnce(&mut State, Result<i64>) + Send + 'static,
    ) {
        let id = match self.container_id(wanted) {
            Ok(id) => id,
            Err(error) => return then(self, Err(error)),
        };
        match self.container(&id).map(|container| (container.is_running(), container.exit_code)) {
            Ok((true, _)) => self
                .on_exit
                .entry(id)
                .or_default()
                .push(Box::new(|state, code| then(state, Ok(code)))),
            Ok((false, code)) => then(self, Ok(code)),
            Err(error) => then(self, Err(error)),
        }
    }
}

/// The engine accepts whole seconds; never less than requested.
fn whole_seconds(grace: Duration) -> Duration {
    Duration::from_secs(grace.as_secs() + u64::from(grace.subsec_nanos() > 0))
}

fn stopped(id: String, then: OnStopped) -> OnExit {
    Box::new(move |state, _| {
        state.emit_container(&id, "stop", &[]);
        then(state, Ok(true));
    })
}
