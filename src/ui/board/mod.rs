//! The current state of a run and its display: events → rows → lines. Pure.
//!
//! ```text
//! network     created        34 ms  spc_spc-network
//! db          ready          1.2 s
//! backend     building      12.3 s  [4/7] RUN pip install -r requirements.txt
//!                                   | Collecting django
//! worker      waiting       12.4 s  for the image spc-backend:dev to be built
//! spc         up            13.6 s  1 ready, 1 building, 1 waiting
//! ```

mod lines;
mod rollback;
mod row;
#[cfg(test)]
mod tests;

use std::time::Duration;

use indexmap::IndexMap;

use self::row::{Row, is_shared};
use crate::model::event::Event;
use crate::model::step::{ActionKind, ObjectKind, StepLabel};

/// Everything that is shown together: from the first step or verb to the end of the last one.
#[derive(Debug, Default)]
pub struct Board {
    /// The running verbs; several if a runbook works in parallel.
    verbs: Vec<Verb>,
    /// Verbs that have ended, with their results.
    ended: Vec<(Verb, bool, Duration)>,
    /// Networks and volumes, one row for each action.
    objects: IndexMap<(ObjectKind, ActionKind), Row>,
    services: IndexMap<String, Row>,
    unchanged: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Verb {
    project: String,
    name: String,
    begun: Duration,
}

impl Board {
    /// Handles an event. Returns whether the board shows it, so that it needs no separate line.
    pub fn take(&mut self, event: &Event, now: Duration) -> bool {
        match event {
            Event::VerbStarted { project, verb, services, unchanged, .. } => {
                self.verbs.push(Verb { project: project.clone(), name: verb.clone(), begun: now });
                self.unchanged += unchanged.len();
                for service in services {
                    self.services.entry(service.clone()).or_insert_with(|| Row::new(now));
                }
            }
            Event::VerbDone { project, verb, ok, elapsed } => {
                self.verb_done(project, verb, *ok, *elapsed, now)
            }
            Event::StepWaiting { label, waits_for, .. } => {
                self.row(label, now).waits(waits_for, now)
            }
            Event::StepStarted { label, cause } => {
                self.row(label, now).starts(label, cause.as_ref(), now)
            }
            Event::StepProgress { label, standing } => {
                self.row(label, now).progresses(label, standing)
            }
            Event::StepDone { label, elapsed } => {
                self.row(label, now).is_done(label, *elapsed, now)
            }
            Event::StepFailed { label, message } => self.row(label, now).fails(label, message, now),
            Event::StepInterrupted { label } => self.row(label, now).is_interrupted(label, now),
            Event::Output { from, text } => {
                match self.services.get_mut(from).filter(|row| row.builds()) {
                    Some(row) => row.outputs(text),
                    None => return false,
                }
            }
            Event::Unchanged { .. }
            | Event::Planned { .. }
            | Event::Print { .. }
            | Event::Log { .. }
            | Event::Waiting { .. }
            | Event::Question { .. }
            | Event::Answer { .. } => return false,
        }
        true
    }

    /// Whether anything is running.
    pub fn is_active(&self) -> bool {
        !self.verbs.is_empty() || self.rows().any(|(_, row)| row.is_running())
    }

    /// Whether there is anything to show, running or completed.
    pub fn is_empty(&self) -> bool {
        self.verbs.is_empty() && self.ended.is_empty() && self.rows().next().is_none()
    }

    fn verb_done(&mut self, project: &str, verb: &str, ok: bool, elapsed: Duration, now: Duration) {
        if let Some(index) =
            self.verbs.iter().position(|known| known.project == project && known.name == verb)
        {
            let verb = self.verbs.remove(index);
            self.ended.push((verb, ok, elapsed));
        }
        if self.verbs.is_empty() {
            self.services
                .values_mut()
                .chain(self.objects.values_mut())
                .for_each(|row| row.is_over(ok, now));
        }
    }

    fn row(&mut self, label: &StepLabel, now: Duration) -> &mut Row {
        match &label.service {
            Some(service) if !is_shared(label) => {
                self.services.entry(service.clone()).or_insert_with(|| Row::new(now))
            }
            _ => self
                .objects
                .entry((label.object.kind, label.action))
                .or_insert_with(|| Row::new(now)),
        }
    }

    fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        let objects = self.objects.iter().map(|((kind, _), row)| (kind.word(), row));
        objects.chain(self.services.iter().map(|(name, row)| (name.as_str(), row)))
    }
}
