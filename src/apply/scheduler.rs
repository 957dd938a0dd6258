//! Decides the order of steps that keep the engine busy: the step with the most delayed dependents
//! comes first.
//!
//! The engine creates and starts ten containers in parallel hardly faster than one by one. So a
//! container with dependents must not wait behind nine containers without dependents.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::startup_history::StartupHistory;
use crate::model::plan::{Action, Plan, Step, StepId};

/// The number of such steps that run in parallel.
const SIDE_BY_SIDE: usize = 4;
/// A step that takes longer no longer counts against this limit: it may hang.
const PATIENCE: Duration = Duration::from_millis(300);
/// The assumed time of a step that is not a wait.
const STEP_COUNTS: Duration = Duration::from_millis(100);
/// The assumed time of a wait until a container is ready, if nothing is known about the service.
const WAIT_COUNTS: Duration = Duration::from_secs(2);
/// An additional time for a step that other services wait for: their starts come after it, and
/// known times vary.
const LEAD: Duration = Duration::from_secs(1);

/// Selects the next steps.
pub(super) struct Scheduler {
    /// For each step, the time of the longest chain of steps behind it, as far as known.
    ranks: Vec<Duration>,
    /// Whether steps of other services depend on this one.
    leads: Vec<bool>,
    /// Short steps that could start and are held back, the next one first.
    held_back: BTreeSet<(Reverse<Duration>, StepId)>,
    /// Running short steps, with their start times.
    running: BTreeMap<StepId, Duration>,
}

impl Scheduler {
    pub(super) fn new(plan: &Plan, startup_histories: &BTreeMap<String, StartupHistory>) -> Self {
        let wait = |step: &Step| {
            step.service
                .as_ref()
                .and_then(|name| startup_histories.get(name)?.last())
                .unwrap_or(WAIT_COUNTS)
        };
        let mut ranks = vec![Duration::ZERO; plan.steps.len()];
        let mut leads = vec![false; plan.steps.len()];
        // A step comes after those that it depends on.
        for (id, step) in plan.steps.iter().enumerate().rev() {
            let own = ranks[id]
                + match &step.action {
                    Action::Wait { .. } => wait(step),
                    Action::Monitor { time, .. } | Action::Delay { time, .. } => *time,
                    _ => STEP_COUNTS,
                };
            for &before in &step.after {
                ranks[before] = ranks[before].max(own);
                leads[before] |= leads[id] || step.service != plan.steps[before].service;
            }
        }
        for (rank, _) in ranks.iter_mut().zip(&leads).filter(|(_, leads)| **leads) {
            *rank += LEAD;
        }
        Self { ranks, leads, held_back: BTreeSet::new(), running: BTreeMap::new() }
    }

    /// The steps to start at `now`, from `ready` and from those held back before. Also the time of
    /// the next call, if some have to wait for it. While a step runs that other services wait for,
    /// steps with less behind them are held back: in parallel, a start takes four times as long.
    pub(super) fn next(
        &mut self,
        plan: &Plan,
        ready: Vec<StepId>,
        now: Duration,
    ) -> (Vec<StepId>, Option<Duration>) {
        let recent = |since: &Duration| now.saturating_sub(*since) < PATIENCE;
        let (short, mut begun): (Vec<StepId>, Vec<StepId>) =
            ready.into_iter().partition(|&id| is_short(&plan.steps[id]));
        self.held_back.extend(short.into_iter().map(|id| (Reverse(self.ranks[id]), id)));
        let mut free = SIDE_BY_SIDE
            .saturating_sub(self.running.values().filter(|since| recent(since)).count());
        let leading = |id: StepId| if self.leads[id] { self.ranks[id] } else { Duration::ZERO };
        let mut most = self
            .running
            .iter()
            .filter(|(_, since)| recent(since))
            .map(|(&id, _)| leading(id))
            .max()
            .unwrap_or_default();
        while let Some(&(_, id)) =
            self.held_back.first().filter(|(Reverse(rank), _)| free > 0 && *rank >= most)
        {
            self.held_back.pop_first();
            free -= 1;
            most = most.max(leading(id));
            self.running.insert(id, now);
            begun.push(id);
        }
        begun.sort_by_key(|&id| (Reverse(self.ranks[id]), id));
        let again = self
            .running
            .values()
            .filter(|since| recent(since))
            .min()
            .map(|since| *since + PATIENCE);
        (begun, again.filter(|_| !self.held_back.is_empty()))
    }

    /// Returns the steps that are held back, so that the caller can decide about them again.
    pub(super) fn give_back(&mut self) -> impl Iterator<Item = StepId> + use<> {
        std::mem::take(&mut self.held_back).into_iter().map(|(_, id)| id)
    }

    pub(super) fn is_over(&mut self, id: StepId) {
        self.running.remove(&id);
    }
}

/// Whether the step keeps the engine busy for a moment.
fn is_short(step: &Step) -> bool {
    matches!(
        step.action,
        Action::CreateContainer { .. }
            | Action::DeliverConfigs { .. }
            | Action::DeliverSecrets { .. }
            | Action::StartContainer { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{ContainerRef, WaitCondition};

    fn step(service: &str, action: Action, after: &[StepId]) -> Step {
        let service = Some(service.to_owned());
        Step { service, after: after.to_vec(), ..Step::alone(action) }
    }

    fn start(plan: &mut Plan, name: &str, after: &[StepId]) -> StepId {
        plan.add(step(name, Action::StartContainer { container: ContainerRef::new(name) }, after))
    }

    fn wait(plan: &mut Plan, name: &str, after: StepId) -> StepId {
        plan.add(step(
            name,
            Action::Wait { container: ContainerRef::new(name), until: WaitCondition::Ready },
            &[after],
        ))
    }

    /// Six starts that nothing depends on, then one that another step depends on.
    fn plan() -> Plan {
        let mut plan = Plan::default();
        for number in 0..6 {
            start(&mut plan, &format!("leaf-{number}"), &[]);
        }
        let db = start(&mut plan, "db", &[]);
        let ready = wait(&mut plan, "db", db);
        start(&mut plan, "web", &[ready]);
        plan
    }

    #[test]
    fn steps_with_dependents_start_first_up_to_the_concurrency_limit() {
        let plan = plan();
        let mut scheduler = Scheduler::new(&plan, &BTreeMap::new());
        let (begun, again) = scheduler.next(&plan, (0..7).collect(), Duration::ZERO);
        assert_eq!(
            (begun, again),
            (vec![6], Some(PATIENCE)),
            "alone: others wait for what it begins"
        );
        scheduler.is_over(6);
        let (begun, again) = scheduler.next(&plan, vec![7], Duration::from_millis(10));
        assert_eq!(begun, [7, 0, 1, 2, 3], "a wait takes nobody's turn");
        assert_eq!(again, Some(PATIENCE + Duration::from_millis(10)));
    }

    #[test]
    fn a_service_that_is_known_to_be_fast_starts_later() {
        let mut plan = Plan::default();
        let begun: Vec<StepId> =
            ["api", "page", "job"].into_iter().map(|name| start(&mut plan, name, &[])).collect();
        let waits: Vec<StepId> = ["api", "page", "job"]
            .into_iter()
            .zip(&begun)
            .map(|(name, &id)| wait(&mut plan, name, id))
            .collect();
        start(&mut plan, "proxy", &waits[..2]);
        let order = |startup_histories: &BTreeMap<String, StartupHistory>| {
            let mut scheduler = Scheduler::new(&plan, startup_histories);
            let (first, _) = scheduler.next(&plan, begun.clone(), Duration::ZERO);
            for &id in &first {
                scheduler.is_over(id);
            }
            (first, scheduler.next(&plan, Vec::new(), Duration::ZERO).0)
        };
        assert_eq!(order(&BTreeMap::new()), (vec![0, 1], vec![2]));
        let took = |millis| StartupHistory::new(String::new(), Duration::from_millis(millis));
        let startup_histories = [("api", 2000), ("page", 100), ("job", 2300)]
            .map(|(name, millis)| (name.to_owned(), took(millis)))
            .into();
        assert_eq!(order(&startup_histories), (vec![0], vec![2, 1]));
    }

    #[test]
    fn a_slow_step_does_not_delay_others() {
        let plan = plan();
        let mut scheduler = Scheduler::new(&plan, &BTreeMap::new());
        scheduler.next(&plan, vec![0, 1, 2, 3], Duration::ZERO);
        let (begun, again) = scheduler.next(&plan, vec![4, 5], Duration::from_millis(299));
        assert_eq!((begun, again), (Vec::new(), Some(PATIENCE)));
        let (begun, again) = scheduler.next(&plan, Vec::new(), PATIENCE);
        assert_eq!((begun, again), (vec![4, 5], None));
    }

    #[test]
    fn delayed_steps_can_be_given_back() {
        let plan = plan();
        let mut scheduler = Scheduler::new(&plan, &BTreeMap::new());
        scheduler.next(&plan, (0..7).collect(), Duration::ZERO);
        assert_eq!(scheduler.give_back().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        scheduler.is_over(6);
        assert_eq!(scheduler.next(&plan, Vec::new(), Duration::ZERO), (Vec::new(), None));
    }
}
