//! The verbs of a run that have started and not ended.

use super::event::Event;

/// Follows the verbs of a run, so that each one ends once in a record. A run that exits at once
/// reports the end of its verbs from another thread, beside the verbs themselves. `T`: what is kept
/// of the start of a verb.
#[derive(Debug)]
pub struct OpenVerbs<T>(Vec<OpenVerb<T>>);

/// A verb that has started and not ended.
#[derive(Debug)]
pub struct OpenVerb<T> {
    pub project: String,
    pub verb: String,
    pub start: T,
}

impl<T> Default for OpenVerbs<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> OpenVerbs<T> {
    /// Whether a record takes this event: false for the end of a verb that has already ended.
    /// `start` is kept if a verb starts.
    pub fn admit(&mut self, event: &Event, start: T) -> bool {
        match event {
            Event::VerbStarted { project, verb, .. } => {
                self.0.push(OpenVerb { project: project.clone(), verb: verb.clone(), start });
                true
            }
            Event::VerbDone { project, verb, .. } => {
                let open =
                    self.0.iter().position(|open| open.project == *project && open.verb == *verb);
                open.map(|index| self.0.remove(index)).is_some()
            }
            _ => true,
        }
    }

    /// The open verbs, which count as ended from now on.
    pub fn end(&mut self) -> Vec<OpenVerb<T>> {
        std::mem::take(&mut self.0)
    }
}
