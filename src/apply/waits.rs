//! What the steps that can't begin yet wait for, in words.

use std::collections::BTreeMap;

use super::execute::State;
use crate::model::event::Event;
use crate::model::plan::{Action, Plan, Step, StepId, Until};

/// What each service was last said to wait for: its next step, and the steps that have to be done first.
#[derive(Default)]
pub(super) struct Waits(BTreeMap<String, (StepId, Vec<StepId>)>);

impl Waits {
    /// What has to be told now: of each service of which nothing is under way, what its next step waits for, if that is news.
    pub(super) fn news(&mut self, plan: &Plan, states: &[State]) -> Vec<Event> {
        let mut next: BTreeMap<&str, StepId> = BTreeMap::new();
        for (id, step) in plan.steps.iter().enumerate().filter(|(id, _)| states[*id] == State::Waiting) {
            if let Some(service) = &step.service {
                next.entry(service).or_insert(id);
            }
        }
        for (step, _) in plan.steps.iter().zip(states).filter(|(_, state)| **state == State::Running) {
            if let Some(service) = &step.service {
                next.remove(service.as_str());
            }
        }
        let mut events = Vec::new();
        for (service, id) in next {
            let step = &plan.steps[id];
            let after: Vec<StepId> =
                step.after.iter().copied().filter(|before| matches!(states[*before], State::Waiting | State::Running)).collect();
            let news = (id, after);
            if !news.1.is_empty() && self.0.get(service) != Some(&news) {
                let (label, waits_for) = (step.label(id), words(plan, &news.1));
                events.push(Event::StepWaiting { label, waits_for, after: news.1.iter().map(|before| before + 1).collect() });
                self.0.insert(service.to_owned(), news);
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
    let phrases: Vec<String> = conditions.iter().map(|(what, names)| format!("{} {what}", listed(names))).collect();
    phrases.join(", ")
}

/// Who has to come how far.
fn condition(step: &Step) -> (String, &'static str) {
    let service = |name: &str| step.service.clone().unwrap_or_else(|| name.to_owned());
    match &step.action {
        Action::PullImage { image } => (format!("the image {image}"), "to be pulled"),
        Action::BuildImage { image, .. } => (format!("the image {image}"), "to be built"),
        Action::CreateNetwork { name, .. } => (format!("the network {name}"), "to be created"),
        Action::RemoveNetwork { name, .. } => (format!("the network {name}"), "to be removed"),
        Action::CreateVolume { name, .. } => (format!("the volume {name}"), "to be created"),
        Action::RemoveVolume { name } => (format!("the volume {name}"), "to be removed"),
        Action::CreateContainer { name, .. } => (service(name), "to be created"),
        Action::DeliverSecrets { container } => (service(&container.name), "to have its secrets"),
        Action::StartContainer { container } | Action::RestartContainer { container } => (service(&container.name), "to start"),
        Action::Wait { container, until: Until::Ready } => (service(&container.name), "to be ready"),
        Action::Wait { container, until: Until::Completed } => (service(&container.name), "to complete"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::ContainerRef;

    fn plan() -> Plan {
        let mut plan = Plan::default();
        let mut add = |service: &str, action: Action, after: &[StepId]| {
            let (service, cause, after) = (Some(service.to_owned()), String::new(), after.to_vec());
            plan.add(Step { service, action, cause, after, tolerates: Vec::new(), group: None, when: None });
        };
        let ready = |name: &str| Action::Wait { container: ContainerRef::new(name), until: Until::Ready };
        add("db", ready("db"), &[]);
        add("redis", ready("redis"), &[]);
        add("web", Action::BuildImage { image: "web:1".to_owned(), service: "web".to_owned() }, &[]);
        add("web", Action::StartContainer { container: ContainerRef::new("web") }, &[0, 1, 2]);
        plan
    }

    fn told(waits: &mut Waits, states: &[State]) -> Vec<String> {
        let text = |event| match event {
            Event::StepWaiting { label, waits_for, after } => format!("{} {} for {waits_for} {after:?}", label.step, label.object),
            _ => unreachable!("nothing else is told"),
        };
        waits.news(&plan(), states).into_iter().map(text).collect()
    }

    #[test]
    fn a_wait_is_told_with_its_causes_once_and_again_when_they_change() {
        use State::{Done, Running, Waiting};
        let mut waits = Waits::default();
        assert!(told(&mut waits, &[Running, Running, Running, Waiting]).is_empty(), "web builds");
        let both = ["4 container web for db and redis to be ready [1, 2]"];
        assert_eq!(told(&mut waits, &[Running, Running, Done, Waiting]), both);
        assert!(told(&mut waits, &[Running, Running, Done, Waiting]).is_empty(), "that is known");
        assert_eq!(told(&mut waits, &[Done, Running, Done, Waiting]), ["4 container web for redis to be ready [2]"]);
        assert!(told(&mut waits, &[Done, Done, Done, Running]).is_empty());
    }

    #[test]
    fn different_conditions_are_listed_one_after_the_other() {
        assert_eq!(words(&plan(), &[0, 2, 1]), "db and redis to be ready, the image web:1 to be built");
    }
}
