//! What goes wrong on purpose, and at which call.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::errors::no_space;
use super::state::State;
use crate::engine::EngineError;
use crate::host::sim::conductor::Process;

/// One thing that goes wrong once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub on: FaultPoint,
    pub effect: FaultEffect,
}

/// The call it happens at, counted from when the fault was given; 1 is the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultPoint {
    /// The so-manieth call of any method.
    Call(u64),
    /// The so-manieth call of a method of the port: `Method("container_start", 2)`.
    Method(String, u64),
}

impl FaultPoint {
    /// The so-manieth call of `method`.
    pub fn method(method: &str, nth: u64) -> Self {
        Self::Method(method.to_owned(), nth)
    }
}

/// What happens then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultEffect {
    /// The engine refuses; nothing is done.
    FailBefore(EngineError),
    /// The engine does it, but the answer is lost on the way.
    ReplyLost,
    /// No answer ever comes; nothing is done.
    Hang,
    /// A list shows what was there before the last change.
    StaleList,
    /// The engine's disk is full; nothing is done.
    NoSpace,
    /// The answer takes so much longer.
    Slow(Duration),
    /// Every event stream ends, as when the engine's connection breaks; the call itself goes on.
    EventsEnd,
}

/// On which side of the call the run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The engine never hears of the call.
    Before,
    /// The engine has done it; the run does not learn so.
    After,
}

/// Faults and crashes that are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<Fault>,
    crash: Option<(u64, When)>,
}

/// What is to happen to a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    #[default]
    Proceeds,
    Fails(EngineError),
    Hangs,
    Stale,
    ReplyLost,
    Late(Duration),
    /// The run is killed now.
    CrashesBefore,
    /// The run is killed once the engine has done it.
    CrashesAfter,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(super) fn crash_at(&mut self, call: u64, when: When) {
        self.crash = Some((call, when));
    }

    /// Whether a stale list may be asked for.
    pub(super) fn wants_stale(&self) -> bool {
        self.waiting.iter().any(|fault| fault.effect == FaultEffect::StaleList)
    }

    fn crash_now(&mut self) -> Option<When> {
        let (left, when) = self.crash.as_mut()?;
        *left = left.saturating_sub(1);
        let when = (*left == 0).then_some(*when)?;
        self.crash = None;
        Some(when)
    }

    /// The effect of the first fault whose turn it is; every fault counts the call.
    fn effect(&mut self, method: &str) -> Option<FaultEffect> {
        let mut due = None;
        for (at, fault) in self.waiting.iter_mut().enumerate() {
            let left = match &mut fault.on {
                FaultPoint::Call(left) => left,
                FaultPoint::Method(name, left) if name == method => left,
                FaultPoint::Method(..) => continue,
            };
            *left = left.saturating_sub(1);
            if *left == 0 && due.is_none() {
                due = Some(at);
            }
        }
        due.map(|at| self.waiting.remove(at).effect)
    }
}

impl State {
    /// What happens to this call of `method`.
    pub(super) fn fate(&mut self, method: &str) -> Fate {
        match self.calls.faults.crash_now() {
            Some(When::Before) => return Fate::CrashesBefore,
            Some(When::After) => return Fate::CrashesAfter,
            None => {}
        }
        match self.calls.faults.effect(method) {
            None => Fate::Proceeds,
            Some(FaultEffect::FailBefore(error)) => Fate::Fails(error),
            Some(FaultEffect::NoSpace) => Fate::Fails(no_space()),
            Some(FaultEffect::ReplyLost) => Fate::ReplyLost,
            Some(FaultEffect::Hang) => Fate::Hangs,
            Some(FaultEffect::StaleList) => Fate::Stale,
            Some(FaultEffect::Slow(time)) => Fate::Late(time),
            Some(FaultEffect::EventsEnd) => {
                self.events.end_streams();
                Fate::Proceeds
            }
        }
    }

    /// From here on the run is dead to the engine; the engine goes on.
    pub(super) fn crash(&mut self, process: Process) {
        self.crashed.cancel();
        self.conductor.kill(process);
    }

    /// The engine hears calls again: those of the next run.
    pub(super) fn recover(&mut self) {
        self.crashed = CancellationToken::new();
        self.calls.faults.crash = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_comes_at_its_call_once() {
        let mut faults = Faults::default();
        faults.add(Fault { on: FaultPoint::method("container_start", 2), effect: FaultEffect::Hang });
        faults.add(Fault { on: FaultPoint::Call(3), effect: FaultEffect::ReplyLost });
        let seen: Vec<_> = ["container_start", "network_list", "container_inspect", "container_start", "container_start"]
            .into_iter()
            .map(|method| faults.effect(method))
            .collect();
        assert_eq!(seen, [None, None, Some(FaultEffect::ReplyLost), Some(FaultEffect::Hang), None]);
    }

    #[test]
    fn a_crash_is_counted_from_the_next_call() {
        let mut faults = Faults::default();
        faults.crash_at(2, When::After);
        assert_eq!([faults.crash_now(), faults.crash_now(), faults.crash_now()], [None, Some(When::After), None]);
    }
}
