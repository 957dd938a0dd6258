//! The dependencies of a service: `depends_on` and its conditions.

use std::collections::BTreeSet;

use super::super::observed_state::Container;
use super::super::plan::StepId;
use super::super::spec::{Condition, Service};
use super::planner::Planner;

impl Planner<'_> {
    /// The steps after which the conditions of `service` hold, and those of them that may fail.
    pub(super) fn conditions(&self, service: &Service) -> (Vec<StepId>, Vec<StepId>) {
        let (mut needed, mut all) = (Vec::new(), Vec::new());
        self.add_conditions(service, true, &mut BTreeSet::new(), &mut needed);
        self.add_conditions(service, false, &mut BTreeSet::new(), &mut all);
        let tolerated = all.iter().filter(|step| !needed.contains(step)).copied().collect();
        (all, tolerated)
    }

    /// Adds these steps, each once. If no container of a dependency is started, adds the
    /// dependency's own dependencies instead: for example, a completed job between a service and
    /// its database. `required` excludes steps that may fail.
    pub(super) fn add_conditions<'s>(
        &'s self,
        service: &'s Service,
        required: bool,
        seen: &mut BTreeSet<&'s str>,
        steps: &mut Vec<StepId>,
    ) {
        for (dependency, how) in
            service.depends_on.iter().filter(|(_, how)| how.required || !required)
        {
            let own = match how.condition {
                Condition::Started => self.started.get(dependency),
                Condition::Healthy => self.ready.get(dependency),
                Condition::Completed => self.completed.get(dependency),
            };
            for step in own.into_iter().flatten() {
                if !steps.contains(step) {
                    steps.push(*step);
                }
            }
            if !self.started.contains_key(dependency)
                && seen.insert(dependency)
                && let Some(dependency) = self.wanted.project.services.get(dependency)
            {
                self.add_conditions(dependency, required, seen, steps);
            }
        }
    }

    /// Whether another service waits for the end of this one.
    pub(super) fn is_job(&self, service: &Service) -> bool {
        self.jobs.contains(service.name.as_str())
    }

    /// Whether this is a one-shot service that completed: it exited with code 0 and was not
    /// stopped.
    pub(super) fn is_completed(&self, service: &Service, container: &Container) -> bool {
        container.exit_code == Some(0)
            && (self.is_job(service) || service.looks_like_a_job())
            && !self.wanted.stopped.contains(&container.id)
    }
}
