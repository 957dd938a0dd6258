//! `guarded` functions that were cut off (by a kill, a lost machine or a second Ctrl-C), or whose
//! undo failed. Their undo lists are closures that another process can't run. So spc only warns
//! whoever runs the next `up`.

use std::sync::Arc;

use super::context::Context;
use crate::apply::records::{Records, State, UnfinishedGuard};
use crate::model::event::{Event, Level};

/// The record of one running `guarded` function. It only helps a person later, so a record that
/// can't be written is no failure.
#[derive(Clone)]
pub(super) struct Record {
    context: Arc<Context>,
    project: String,
    label: String,
}

impl Record {
    pub(super) fn begin(context: &Arc<Context>, project: &str, label: &str) -> Self {
        let record =
            Self { context: context.clone(), project: project.to_owned(), label: label.to_owned() };
        record.update(|state, label| {
            let since = context.host.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let (run, command) = (context.run.id.clone(), context.command.name.clone());
            state.guarded.insert(
                label.to_owned(),
                UnfinishedGuard { run, command, since, undo: Vec::new(), failed: false },
            );
        });
        record
    }

    /// This has to be undone if the function does not end.
    pub(super) fn add(&self, what: &str) {
        self.update(|state, label| {
            if let Some(unfinished) = state.guarded.get_mut(label) {
                unfinished.undo.insert(0, what.to_owned());
            }
        });
    }

    /// This was undone: if the run ends now, only the rest is left.
    pub(super) fn undone(&self, what: &str) {
        self.update(|state, label| {
            if let Some(unfinished) = state.guarded.get_mut(label)
                && let Some(at) = unfinished.undo.iter().position(|there| there == what)
            {
                unfinished.undo.remove(at);
            }
        });
    }

    /// The function ended; `left` could not be undone.
    pub(super) fn end(&self, left: Vec<String>) {
        self.update(|state, label| {
            if left.is_empty() {
                state.guarded.remove(label);
            } else if let Some(unfinished) = state.guarded.get_mut(label) {
                unfinished.undo = left;
                unfinished.failed = true;
            }
        });
    }

    fn update(&self, change: impl FnOnce(&mut State, &str)) {
        let records = Records::new(&*self.context.host, &self.context.policy, &self.project);
        let _ = records.update(|state| change(state, &self.label));
    }
}

/// Warns about functions that were cut off in earlier runs and may have left the project half
/// changed.
pub(super) fn warn(context: &Context, records: &Records<'_>) {
    let state = records.state();
    for (label, unfinished) in state
        .guarded
        .iter()
        .filter(|(_, unfinished)| unfinished.run != context.run.id && !unfinished.undo.is_empty())
    {
        let UnfinishedGuard { command, since, undo, failed, .. } = unfinished;
        let how = if *failed {
            format!("failed (it began at {since}), and this could not be undone")
        } else {
            format!("was cut off (it began at {since}), and this was not undone")
        };
        let text = format!(
            "guarded \"{label}\" of \"{command}\" {how}: {}; the warning ends when it runs again to its end",
            undo.join("; ")
        );
        context.events.event(&Event::Log { level: Level::Warning, text });
    }
}
