//! Intended faults, at a given call, or at one that a seed selects.

mod fault_syntax;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::call::Calls;
use crate::engine::calls::DiskSpaceNeed;
use crate::engine::sim::daemon::errors::no_space;
use crate::engine::sim::daemon::state::State;
use crate::engine::{EngineError, Method};
use crate::host::sim::executor::{Process, SplitMix64};

/// One fault, which happens once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub on: FaultPoint,
    pub effect: FaultEffect,
}

/// The call at which it happens, counted from when the fault was set; 1 is the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultPoint {
    /// The nth call of any method.
    Call(u64),
    /// The nth call of a method of the port.
    Method(Method, u64),
}

#[cfg(test)]
impl FaultPoint {
    /// The nth call of the method with this name.
    pub fn method(name: &str, nth: u64) -> Self {
        Self::Method(Method::of(name).unwrap(), nth)
    }
}

/// The effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultEffect {
    /// The engine refuses the call; nothing is done.
    FailBefore(EngineError),
    /// The engine does it, but the answer is lost.
    ReplyLost,
    /// No answer comes; nothing is done. A short call has the same time limit as on a real engine,
    /// and then fails with [`Timeout`](crate::engine::EngineErrorKind::Timeout).
    Hang,
    /// The connection of a stream (log, events, pull, build, output of an exec) breaks after its
    /// first piece.
    StreamCut,
    /// A list shows the state before the last change.
    StaleList,
    /// The engine's disk is full; nothing is done.
    NoSpace,
    /// The answer takes this much longer.
    Slow(Duration),
    /// Every event stream ends, as when the engine's connection breaks; the call itself continues.
    EventsEnd,
    /// The engine restarts instead of handling the call. It is away for two seconds, streams break,
    /// and containers without a restart policy stay down.
    EngineRestart,
}

impl FaultEffect {
    /// Whether a call of this kind can have this fault.
    fn befalls(&self, method: Method) -> bool {
        match self {
            Self::StaleList => method.lists(),
            Self::StreamCut => method.streams(),
            Self::NoSpace => method.changes() && method.declaration().space != DiskSpaceNeed::Freed,
            _ => true,
        }
    }
}

/// The side of the call on which the run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallSide {
    /// The engine never gets the call.
    Before,
    /// The engine has done it, but the run doesn't learn about it.
    After,
}

/// When the run is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KillPoint {
    /// After so many calls (1 is the next one).
    Call(u64, CallSide),
    /// At its first call from this virtual time on, before the engine gets it.
    Time(Duration),
}

/// Faults and kills that have not happened yet.
#[derive(Debug, Default)]
pub(in crate::engine::sim) struct Faults {
    waiting: Vec<Fault>,
    drawn: Option<RandomFaults>,
    crash: Option<KillPoint>,
}

/// Random faults, the same for the same seed and calls.
#[derive(Debug)]
struct RandomFaults {
    random: SplitMix64,
    rate: f64,
    effects: Vec<FaultEffect>,
}

impl RandomFaults {
    fn effect(&mut self, method: Method) -> Option<FaultEffect> {
        // The same number of random numbers for every call, so that the fault of a call does not
        // depend on which faults others could have.
        let (hit, choice) = (self.random.fraction() < self.rate, self.random.next());
        let able: Vec<&FaultEffect> =
            self.effects.iter().filter(|fault| fault.befalls(method)).collect();
        let at = usize::try_from(choice % able.len().max(1) as u64).unwrap_or_default();
        able.get(at).filter(|_| hit).map(|fault| (*fault).clone())
    }
}

/// The fault of a call.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::engine::sim) enum Fate {
    #[default]
    Proceeds,
    Fails(EngineError),
    Hangs,
    /// It is done, but the connection of its stream breaks.
    Cut,
    /// The engine restarts now.
    Restarts,
    Stale,
    ReplyLost,
    Late(Duration),
    /// The run is killed now.
    CrashesBefore,
    /// The run is killed when the engine has done it.
    CrashesAfter,
}

impl Faults {
    pub(in crate::engine::sim) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(in crate::engine::sim) fn draw(&mut self, seed: u64, rate: f64, effects: &[FaultEffect]) {
        self.drawn =
            Some(RandomFaults { random: SplitMix64(seed), rate, effects: effects.to_vec() });
    }

    pub(in crate::engine::sim) fn clear(&mut self) {
        self.waiting.clear();
        self.drawn = None;
    }

    pub(in crate::engine::sim) fn crash_at(&mut self, call: u64, when: CallSide) {
        self.crash = Some(KillPoint::Call(call, when));
    }

    /// `time`: virtual time since the start of the simulation.
    pub(in crate::engine::sim) fn crash_from(&mut self, time: Duration) {
        self.crash = Some(KillPoint::Time(time));
    }

    /// Whether a stale list may be needed.
    pub(in crate::engine::sim) fn wants_stale(&self) -> bool {
        let drawn = self.drawn.iter().flat_map(|drawn| &drawn.effects);
        self.waiting
            .iter()
            .map(|fault| &fault.effect)
            .chain(drawn)
            .any(|effect| *effect == FaultEffect::StaleList)
    }

    fn crash_now(&mut self, now: Duration) -> Option<CallSide> {
        let when = match self.crash.as_mut()? {
            KillPoint::Call(left, when) => {
                *left = left.saturating_sub(1);
                (*left == 0).then_some(*when)?
            }
            KillPoint::Time(from) => (now >= *from).then_some(CallSide::Before)?,
        };
        self.crash = None;
        Some(when)
    }

    /// The effect of the first fault that is due, else a random one. Every fault counts the call.
    fn effect(&mut self, method: Method) -> Option<FaultEffect> {
        let drawn = self.drawn.as_mut().and_then(|drawn| drawn.effect(method));
        let mut due = None;
        for (at, fault) in self.waiting.iter_mut().enumerate() {
            let left = match &mut fault.on {
                FaultPoint::Call(left) => left,
                FaultPoint::Method(named, left) if *named == method => left,
                FaultPoint::Method(..) => continue,
            };
            *left = left.saturating_sub(1);
            if *left == 0 && due.is_none() {
                due = Some(at);
            }
        }
        due.map(|at| self.waiting.remove(at).effect).or(drawn)
    }
}

impl Calls {
    /// The fault of this call of `method` for `target`.
    pub(in crate::engine::sim) fn fate(
        &mut self,
        state: &mut State,
        method: Method,
        target: &str,
    ) -> Fate {
        match self.faults.crash_now(state.now) {
            Some(CallSide::Before) => return Fate::CrashesBefore,
            Some(CallSide::After) => return Fate::CrashesAfter,
            None => {}
        }
        match self.faults.effect(method) {
            None if state.is_disk_full
                && method.declaration().space == DiskSpaceNeed::Needed
                && !is_name_taken(state, method, target) =>
            {
                Fate::Fails(no_space())
            }
            None => Fate::Proceeds,
            Some(FaultEffect::FailBefore(error)) => Fate::Fails(error),
            Some(FaultEffect::NoSpace) => Fate::Fails(no_space()),
            Some(FaultEffect::ReplyLost) => Fate::ReplyLost,
            Some(FaultEffect::Hang) => Fate::Hangs,
            Some(FaultEffect::StreamCut) => Fate::Cut,
            Some(FaultEffect::EngineRestart) => Fate::Restarts,
            Some(FaultEffect::StaleList) => Fate::Stale,
            Some(FaultEffect::Slow(time)) => Fate::Late(time),
            Some(FaultEffect::EventsEnd) => {
                state.events.end_streams();
                Fate::Proceeds
            }
        }
    }

    /// From here on the engine ignores the run; the engine itself continues.
    pub(in crate::engine::sim) fn crash(&self, state: &mut State, process: Process) {
        self.crashed.cancel();
        state.excuse_execs();
        state.executor.kill(process);
    }

    /// The engine accepts calls again: those of the next run.
    pub(in crate::engine::sim) fn recover(&mut self) {
        self.crashed = CancellationToken::new();
        self.faults.crash = None;
    }
}

/// Why a create is refused before anything is written.
fn is_name_taken(state: &State, method: Method, target: &str) -> bool {
    method == Method::ContainerCreate && state.objects.find_container(target).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_comes_at_its_call_once() {
        let mut faults = Faults::default();
        faults.add(Fault {
            on: FaultPoint::Method(Method::ContainerStart, 2),
            effect: FaultEffect::Hang,
        });
        faults.add(Fault { on: FaultPoint::Call(3), effect: FaultEffect::ReplyLost });
        let seen: Vec<_> = [
            Method::ContainerStart,
            Method::NetworkList,
            Method::ContainerInspect,
            Method::ContainerStart,
            Method::ContainerStart,
        ]
        .into_iter()
        .map(|method| faults.effect(method))
        .collect();
        assert_eq!(seen, [None, None, Some(FaultEffect::ReplyLost), Some(FaultEffect::Hang), None]);
    }

    #[test]
    fn drawn_faults_follow_from_their_seed_and_befall_only_what_they_can() {
        let calls =
            [Method::ContainerList, Method::ContainerStart, Method::ContainerLogs].repeat(200);
        let seen = |seed: u64| {
            let mut faults = Faults::default();
            faults.draw(
                seed,
                0.25,
                &[FaultEffect::StaleList, FaultEffect::StreamCut, FaultEffect::Hang],
            );
            calls.iter().map(|method| faults.effect(*method)).collect::<Vec<_>>()
        };
        assert_eq!(seen(1), seen(1));
        assert_ne!(seen(1), seen(2));
        let met = seen(1).iter().flatten().count();
        assert!((100..200).contains(&met), "{met} of 600 at a rate of 0.25");
        for (method, effect) in calls.iter().zip(seen(1)) {
            assert!(effect.is_none_or(|effect| effect.befalls(*method)), "{method}");
        }
        let mut faults = Faults::default();
        faults.draw(1, 1.0, &[FaultEffect::NoSpace]);
        assert_eq!(faults.effect(Method::ContainerInspect), None);
        assert_eq!(faults.effect(Method::ContainerCreate), Some(FaultEffect::NoSpace));
        assert_eq!(faults.effect(Method::ContainerRemove), None, "it makes space");
        faults.clear();
        assert_eq!(faults.effect(Method::ContainerCreate), None);
    }

    #[test]
    fn a_crash_is_counted_from_the_next_call() {
        let mut faults = Faults::default();
        faults.crash_at(2, CallSide::After);
        let mut crash_now = || faults.crash_now(Duration::ZERO);
        assert_eq!([crash_now(), crash_now(), crash_now()], [None, Some(CallSide::After), None]);
    }

    #[test]
    fn a_crash_after_a_time_happens_once() {
        let mut faults = Faults::default();
        faults.crash_from(Duration::from_secs(5));
        assert_eq!(
            [4, 6, 7].map(|second| faults.crash_now(Duration::from_secs(second))),
            [None, Some(CallSide::Before), None]
        );
    }
}
