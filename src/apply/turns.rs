//! In which turn steps begin that the engine itself is busy with: those first that most has to wait for.
//!
//! The engine creates and starts containers hardly faster ten at a time than one after the other, so a start that the rest of the
//! stack waits for must not stand behind nine that nobody waits for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::pace::Pace;
use crate::model::plan::{Action, Plan, Step, StepId};

/// Steps of this kind that run side by side.
const SIDE_BY_SIDE: usize = 4;
/// A step that takes longer holds nobody back any more: it may hang.
const PATIENCE: Duration = Duration::from_millis(300);
/// What a step counts that is no wait.
const STEP_COUNTS: Duration = Duration::from_millis(100);
/// What a wait until a container is ready counts, if nothing is known of the service.
const WAIT_COUNTS: Duration = Duration::from_secs(2);
/// Who has so much less after it stands back.
const MUCH_LESS: Duration = Duration::from_millis(1500);

/// Who is next.
pub(super) struct Turns {
    /// How long what comes after each step takes, by what is known.
    ranks: Vec<Duration>,
    /// Short steps that run, and since when.
    running: BTreeMap<StepId, Duration>,
}

impl Turns {
    pub(super) fn new(plan: &Plan, paces: &BTreeMap<String, Pace>) -> Self {
        let wait = |step: &Step| step.service.as_ref().and_then(|name| paces.get(name)?.last()).unwrap_or(WAIT_COUNTS);
        let mut ranks = vec![Duration::ZERO; plan.steps.len()];
        // A step stands behind those it comes after.
        for (id, step) in plan.steps.iter().enumerate().rev() {
            let own = ranks[id] + if matches!(step.action, Action::Wait { .. }) { wait(step) } else { STEP_COUNTS };
            for &before in &step.after {
                ranks[before] = ranks[before].max(own);
            }
        }
        Self { ranks, running: BTreeMap::new() }
    }

    /// Of `ready` those to begin at `now`, and when to ask again, if some have to wait for that. What much less comes after than
    /// after one that runs stands back for it: side by side a start takes four times as long.
    pub(super) fn next(&mut self, plan: &Plan, mut ready: Vec<StepId>, now: Duration) -> (Vec<StepId>, Option<Duration>) {
        ready.sort_by_key(|&id| (std::cmp::Reverse(self.ranks[id]), id));
        let recent = |since: &Duration| now.saturating_sub(*since) < PATIENCE;
        let mut free = SIDE_BY_SIDE.saturating_sub(self.running.values().filter(|since| recent(since)).count());
        let mut begun = Vec::new();
        let mut held_back = false;
        let mut most = self.running.iter().filter(|(_, since)| recent(since)).map(|(&id, _)| self.ranks[id]).max().unwrap_or_default();
        for id in ready {
            if !is_short(&plan.steps[id]) {
                begun.push(id);
            } else if free > 0 && self.ranks[id] + MUCH_LESS > most {
                free -= 1;
                most = most.max(self.ranks[id]);
                self.running.insert(id, now);
                begun.push(id);
            } else {
                held_back = true;
            }
        }
        let again = self.running.values().filter(|since| recent(since)).min().map(|since| *since + PATIENCE);
        (begun, again.filter(|_| held_back))
    }

    pub(super) fn is_over(&mut self, id: StepId) {
        self.running.remove(&id);
    }
}

/// Whether the engine is busy with it for a moment.
fn is_short(step: &Step) -> bool {
    matches!(step.action, Action::CreateContainer { .. } | Action::DeliverSecrets { .. } | Action::StartContainer { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{ContainerRef, Until};

    fn step(action: Action, after: &[StepId]) -> Step {
        Step { service: None, action, cause: String::new(), after: after.to_vec(), tolerates: Vec::new(), group: None, when: None }
    }

    fn start(name: &str) -> Action {
        Action::StartContainer { container: ContainerRef::new(name) }
    }

    /// Six starts that nothing waits for, then one that another waits for.
    fn plan() -> Plan {
        let mut plan = Plan::default();
        for number in 0..6 {
            plan.add(step(start(&format!("leaf-{number}")), &[]));
        }
        let db = plan.add(step(start("db"), &[]));
        let ready = plan.add(step(Action::Wait { container: ContainerRef::new("db"), until: Until::Ready }, &[db]));
        plan.add(step(start("web"), &[ready]));
        plan
    }

    #[test]
    fn what_others_wait_for_begins_first_and_only_so_many_run_side_by_side() {
        let plan = plan();
        let mut turns = Turns::new(&plan, &BTreeMap::new());
        let (begun, again) = turns.next(&plan, (0..7).collect(), Duration::ZERO);
        assert_eq!((begun, again), (vec![6], Some(PATIENCE)), "alone: others wait for what it begins");
        turns.is_over(6);
        let (begun, again) = turns.next(&plan, vec![0, 1, 2, 3, 4, 5, 7], Duration::from_millis(10));
        assert_eq!(begun, [7, 0, 1, 2, 3], "a wait takes nobody's turn");
        assert_eq!(again, Some(PATIENCE + Duration::from_millis(10)));
    }

    #[test]
    fn what_is_known_to_take_about_as_long_begins_together() {
        let mut plan = Plan::default();
        for name in ["db", "job", "page"] {
            let begun = plan.add(Step { service: Some(name.to_owned()), ..step(start(name), &[]) });
            let wait = Action::Wait { container: ContainerRef::new(name), until: Until::Ready };
            plan.add(Step { service: Some(name.to_owned()), ..step(wait, &[begun]) });
        }
        let took = |millis| Pace::new(String::new(), Duration::from_millis(millis));
        let paces = [("db", 2500), ("job", 2300), ("page", 100)].map(|(name, millis)| (name.to_owned(), took(millis))).into();
        let (begun, _) = Turns::new(&plan, &paces).next(&plan, vec![0, 2, 4], Duration::ZERO);
        assert_eq!(begun, [0, 2], "the page would only make the others late");
        let (begun, _) = Turns::new(&plan, &BTreeMap::new()).next(&plan, vec![0, 2, 4], Duration::ZERO);
        assert_eq!(begun, [0, 2, 4]);
    }

    #[test]
    fn what_takes_long_holds_nobody_back() {
        let plan = plan();
        let mut turns = Turns::new(&plan, &BTreeMap::new());
        turns.next(&plan, vec![0, 1, 2, 3], Duration::ZERO);
        let (begun, again) = turns.next(&plan, vec![4, 5], Duration::from_millis(299));
        assert_eq!((begun, again), (Vec::new(), Some(PATIENCE)));
        let (begun, again) = turns.next(&plan, vec![4, 5], PATIENCE);
        assert_eq!((begun, again), (vec![4, 5], None));
    }
}
