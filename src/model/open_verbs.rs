//! The verbs of a run that have started and not ended.

use super::event::Event;

/// Follows the verbs of a run, so that each one ends once in a record. A run that exits at once
/// reports the end of its verbs from another thread, beside the verbs themselves.
#[derive(Debug, Default)]
pub struct OpenVerbs(Vec<(String, String)>);

impl OpenVerbs {
    /// Whether a record takes this event: false for the end of a verb that has already ended.
    pub fn admit(&mut self, event: &Event) -> bool {
        match event {
            Event::VerbStarted { project, verb, .. } => {
                self.0.push((project.clone(), verb.clone()));
                true
            }
            Event::VerbDone { project, verb, .. } => {
                let open = self.0.iter().position(|open| open.0 == *project && open.1 == *verb);
                open.map(|index| self.0.swap_remove(index)).is_some()
            }
            _ => true,
        }
    }
}
