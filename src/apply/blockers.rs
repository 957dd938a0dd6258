//! Describes what the steps that can't start yet wait for.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::event::Event;
use crate::model::plan::{Action, Plan, Step, StepId, WaitCondition};

/// The blockers of each service, and the last report about them.
#[derive(Default)]
pub(super) struct Blockers {
    services: BTreeMap<String, Service>,
    /// Services for which something may have changed.
    looked_at: BTreeSet<String>,
}

#[derive(Default)]
struct Service {
    /// In their order in the plan.
    steps: Vec<StepId>,
    /// The number of steps, from the first on, that no longer wait.
    passed: usize,
    running: usize,
    /// The next step in the last report, and the steps that have to end before it.
    reported: Option<(StepId, Vec<StepId>)>,
}

impl Blockers {
    /// The state before any step of the plan has started.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut waits = Self::default();
        for (id, step) in plan.steps.iter().enumerate() {
            if let Some(service) = &step.service {
                waits.services.entry(service.clone()).or_default().steps.push(id);
            }
        }
        waits.looked_at = waits.services.keys().cloned().collect();
        waits
    }

    /// Call this when a step changes its state.
    pub(super) fn entered(&mut self, step: &Step, before: State, now: State) {
        let Some(service) = step.service.as_ref().and_then(|name| self.services.get_mut(name))
        else {
            return;
        };
        service.running += usize::from(now == State::Running);
        service.running -= usize::from(before == State::Running);
        self.look_at(step);
    }

    /// Call this when something that the step waits for has changed.
    pub(super) fn look_at(&mut self, step: &Step) {
        self.looked_at.extend(step.service.clone());
    }

    /// The new reports: for each service without a running step, what its next step waits for, if
    /// this has changed.
    pub(super) fn news(&mut self, plan: &Plan, states: &[State]) -> Vec<Event> {
        let mut events = Vec::new();
        for name in std::mem::take(&mut self.looked_at) {
            let Some(service) = self.services.get_mut(&name) else { continue };
            // A step never waits again.
            service.passed += service.steps[service.passed..]
                .iter()
                .take_while(|&&id| states[id] != State::Waiting)
                .count();
            let Some(&id) = service.steps.get(service.passed).filter(|_| service.running == 0)
            else {
                continue;
            };
            let step = &plan.steps[id];
            let after: Vec<StepId> = step
                .after
                .iter()
                .copied()
                .filter(|before| matches!(states[*before], State::Waiting | State::Running))
                .collect();
            let news = (id, after);
            if !news.1.is_empty() && service.reported.as_ref() != Some(&news) {
                let (label, waits_for) = (step.label(id), words(plan, &news.1));
                events.push(Event::StepWaiting {
                    label,
                    waits_for,
                    after: news.1.iter().map(|before| before + 1).collect(),
                });
                service.reported = Some(news);
            }
        }
        events
    }
}

/// `db and redis to be ready, the image spc-backend:dev to be built`.
fn words(plan: &Plan, steps: &[StepId]) -> String {
    let mut conditions: Vec<(&str, Vec<String>)> = Vec::new();
    for &step in steps {
        let (who, what) = condition(&plan.steps[step]);
        match conditions.iter_mut().find(|(known, _)| *known == what) {
            Some((_, names)) if names.contains(&who) => {}
            Some((_, names)) => names.push(who),
            None => conditions.push((what, vec![who])),
        }
    }
    let phrases: Vec<String> =
        conditions.iter().map(|(what, names)| format!("{} {what}", listed(names))).collect();
    phrases.join(", ")
}

/// The object of a step, and the state that it has to reach.
fn condition(step: &Step) -> (String, &'static str) {
    let service = |name: &str| step.service.clone().unwrap_or_else(|| name.to_owned());
    match &step.action {
        Action::PullImage { image } => (format!("the image {image}"), "to be pulled"),
        Action::BuildImage { image, .. } => (format!("the image {image}"), "to be built"),
        Action::CreateNetwork { name, .. } => (format!("the network {name}"), "to be created"),
        Action::RemoveNetwork { name, .. } => (format!("the network {name}"), "to be removed"),
        Action::RestoreNetwork { network, .. } => {
            (format!("the network {}", network.name), "to be restored")
        }
        Action::CreateVolume { name, .. } => (format!("the volume {name}"), "to be created"),
        Action::RemoveVolume { name } => (format!("the volume {name}"), "to be removed"),
        Action::CreateContainer { name, .. } => (service(name), "to be created"),
        Action::DeliverConfigs { container } => (service(&container.name), "to have its configs"),
        Action::DeliverSecrets { container } => (service(&container.name), "to have its secrets"),
        Action::StartContainer { container } | Action::RestartContainer { container } => {
            (service(&container.name), "to start")
        }
        Action::Wait { container, until: WaitCondition::Ready } => {
            (service(&container.name), "to be ready")
        }
        Action::Wait { container, until: WaitCondition::Completed } => {
            (service(&container.name), "to complete")
        }
        Action::Verify { container } => (service(&container.name), "to be verified"),
        Action::Monitor { container, .. } => (service(&container.name), "to be monitored"),
        Action::Delay { batch, .. } => (format!("batch {batch}"), "to be due"),
        Action::Attach { container } => (service(&container.name), "to be attached"),
        Action::StopContainer { container } => (service(&container.name), "to stop"),
        Action::RemoveContainer { container, .. } => (service(&container.name), "to be removed"),
        Action::RenameContainer { container, .. } => (service(&container.name), "to be renamed"),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Waiting,
    Running,
    Done,
    /// Its condition does not hold: nothing to do, and other steps can go on.
    Skipped,
    Failed,
    /// Cancelled, or behind a failed step.
    NotDone,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::ContainerRef;

    fn plan() -> Plan {
        let mut plan = Plan::default();
        let mut add = |service: &str, action: Action, after: &[StepId]| {
            let (service, after) = (Some(service.to_owned()), after.to_vec());
            plan.add(Step { service, after, ..Step::alone(action) });
        };
        let ready = |name: &str| Action::Wait {
            container: ContainerRef::new(name),
            until: WaitCondition::Ready,
        };
        add("db", ready("db"), &[]);
        add("redis", ready("redis"), &[]);
        add(
            "web",
            Action::BuildImage { image: "web:1".to_owned(), service: "web".to_owned() },
            &[],
        );
        add("web", Action::StartContainer { container: ContainerRef::new("web") }, &[0, 1, 2]);
        plan
    }

    /// An execution in which the steps change their states.
    struct StateWalk {
        plan: Plan,
        waits: Blockers,
        states: Vec<State>,
    }

    impl StateWalk {
        fn reported(&mut self, states: &[State]) -> Vec<String> {
            for (id, state) in
                states.iter().enumerate().filter(|(id, state)| self.states[*id] != **state)
            {
                self.waits.entered(&self.plan.steps[id], self.states[id], *state);
                let after = self.plan.steps.iter().filter(|step| step.after.contains(&id));
                after.for_each(|step| self.waits.look_at(step));
            }
            self.states = states.to_vec();
            let text = |event| match event {
                Event::StepWaiting { label, waits_for, after } => {
                    format!("{} {} for {waits_for} {after:?}", label.step.unwrap(), label.object)
                }
                _ => unreachable!("nothing else is reported"),
            };
            self.waits.news(&self.plan, states).into_iter().map(text).collect()
        }
    }

    #[test]
    fn a_wait_is_reported_again_only_when_its_causes_change() {
        use State::{Done, Running, Waiting};
        let plan = plan();
        let mut walk = StateWalk { waits: Blockers::new(&plan), plan, states: vec![Waiting; 4] };
        assert!(walk.reported(&[Running, Running, Running, Waiting]).is_empty(), "web builds");
        let both = ["4 container web for db and redis to be ready [1, 2]"];
        assert_eq!(walk.reported(&[Running, Running, Done, Waiting]), both);
        assert!(walk.reported(&[Running, Running, Done, Waiting]).is_empty(), "that is known");
        assert_eq!(
            walk.reported(&[Done, Running, Done, Waiting]),
            ["4 container web for redis to be ready [2]"]
        );
        assert!(walk.reported(&[Done, Done, Done, Running]).is_empty());
    }

    #[test]
    fn different_conditions_are_listed_one_after_the_other() {
        assert_eq!(
            words(&plan(), &[0, 2, 1]),
            "db and redis to be ready, the image web:1 to be built"
        );
    }
}
