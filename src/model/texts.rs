//! Visits every text that a run reports: in events, the preview of a plan, and diagnostics.
//! [`super::masking`] uses this visitor to mask secrets.
//!
//! Each type is destructured with all its fields. So a new field or variant compiles only after
//! this file decides whether it is a text. `field: _` marks a number, a flag or an enum.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::cause::{Cause, ChangedKeys, OtherImage};
use super::diagnostic::{Diagnostic, Frame, Source, SourceSpan};
use super::event::{Event, StepStatus};
use super::failure::Detail;
use super::help::{Help, HelpArgument, HelpOption};
use super::plan_steps::{
    ImageCondition, PlanStep, PlannedValue, RollbackSteps, StepImage, UndoStep,
};
use super::preview::{Assumption, Call, HandledError, PlanEnd, Preview, PreviewItem, RunbookLine};
use super::step::{Object, StepLabel};

/// The author of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A sentence of spc, a name, or a value in a description.
    Spc,
    /// Output of a runbook or of another program.
    Others,
}

/// Called with each text, and may change it.
pub type Visit<'a> = dyn FnMut(Author, &mut String) + 'a;

/// Data with texts.
pub trait Texts {
    /// Calls `visit` with each text, once.
    fn visit(&mut self, visit: &mut Visit<'_>);

    /// The same data with changed texts.
    #[must_use]
    fn with_texts(mut self, change: impl Fn(&str) -> String) -> Self
    where
        Self: Sized,
    {
        self.visit(&mut |_, text| *text = change(text));
        self
    }
}

impl Texts for String {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        visit(Author::Spc, self);
    }
}

impl<T: Texts> Texts for Option<T> {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        if let Some(content) = self {
            content.visit(visit);
        }
    }
}

impl<T: Texts> Texts for Vec<T> {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        for content in self {
            content.visit(visit);
        }
    }
}

impl Texts for BTreeSet<String> {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        *self = take(self).into_iter().map(|text| visited(text, visit)).collect();
    }
}

/// Keys are texts too: a script chooses the field names of its own errors.
impl Texts for BTreeMap<String, Value> {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let fields = take(self).into_iter();
        *self = fields.map(|(key, value)| (visited(key, visit), visited(value, visit))).collect();
    }
}

impl Texts for Value {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        match self {
            Self::Null | Self::Bool(_) => {}
            // A number that is a secret becomes a text: a script may have made it of one. Digits in
            // a longer number are no secret.
            Self::Number(number) => {
                let text = number.to_string();
                let changed = visited(text.clone(), visit);
                let rest = changed.trim_start_matches('-');
                let after = rest.rsplit(']').next().unwrap_or_default();
                if changed != text
                    && rest.starts_with('[')
                    && !after.starts_with(|c: char| c.is_ascii_digit())
                {
                    *self = Self::String(changed);
                }
            }
            Self::String(text) => text.visit(visit),
            Self::Array(values) => values.visit(visit),
            Self::Object(fields) => {
                let fields_before = take(fields).into_iter();
                *fields = fields_before
                    .map(|(key, value)| (visited(key, visit), visited(value, visit)))
                    .collect::<Map<_, _>>();
            }
        }
    }
}

fn visited<T: Texts>(mut content: T, visit: &mut Visit<'_>) -> T {
    content.visit(visit);
    content
}

impl Texts for Event {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        match self {
            Self::Planned { verb, project, steps, rollbacks, notes } => {
                verb.visit(visit);
                project.visit(visit);
                steps.visit(visit);
                rollbacks.visit(visit);
                notes.visit(visit);
            }
            Self::VerbStarted { project, verb, steps: _, services, unchanged } => {
                project.visit(visit);
                verb.visit(visit);
                services.visit(visit);
                unchanged.visit(visit);
            }
            Self::VerbDone { project, verb, ok: _, elapsed: _ }
            | Self::Unchanged { project, verb } => {
                project.visit(visit);
                verb.visit(visit);
            }
            Self::StepWaiting { label, waits_for, after: _ } => {
                label.visit(visit);
                waits_for.visit(visit);
            }
            Self::StepStarted { label, cause } => {
                label.visit(visit);
                cause.visit(visit);
            }
            Self::StepProgress { label, standing } => {
                label.visit(visit);
                standing.visit(visit);
            }
            Self::StepDone { label, elapsed: _ } | Self::StepInterrupted { label } => {
                label.visit(visit);
            }
            Self::StepFailed { label, message } => {
                label.visit(visit);
                message.visit(visit);
            }
            Self::Print { text } => visit(Author::Others, text),
            Self::Output { from, text } => {
                from.visit(visit);
                visit(Author::Others, text);
            }
            Self::Log { level: _, text }
            | Self::Waiting { text }
            | Self::Question { text }
            | Self::Answer { text, answer: _ } => text.visit(visit),
        }
    }
}

impl Texts for StepStatus {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { text, detail: _ } = self;
        text.visit(visit);
    }
}

impl Texts for StepLabel {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { step: _, service, action: _, object, undo: _ } = self;
        service.visit(visit);
        object.visit(visit);
    }
}

impl Texts for Object {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { kind: _, name, relation } = self;
        name.visit(visit);
        relation.visit(visit);
    }
}

impl Texts for OtherImage {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { before, now } = self;
        before.visit(visit);
        now.visit(visit);
    }
}

impl Texts for Cause {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        match self {
            Self::Verb(verb) => verb.visit(visit),
            Self::DescriptionChanged(ChangedKeys { keys, image }) => {
                keys.visit(visit);
                if let Some(image) = image {
                    image.visit(visit);
                }
            }
            Self::ImageChanged(Some(image)) => image.visit(visit),
            Self::NotOnNetwork(network) => network.visit(visit),
            Self::SecretsChanged(names) => names.visit(visit),
            Self::SubnetTaken { by, subnet: _ } => by.visit(visit),
            Self::NotThere
            | Self::AskedFor
            | Self::AskedForInLine(_)
            | Self::AskedForByName
            | Self::Interrupted
            | Self::SecondOfNumber
            | Self::ImageChanged(None)
            | Self::Adopted
            | Self::Dead
            | Self::AnonymousVolumesRenewed
            | Self::NetworkRemoved
            | Self::SecretChanged
            | Self::NeverStarted
            | Self::Stopped
            | Self::Exited(_)
            | Self::NotRunning
            | Self::RestartsAgain(_)
            | Self::Unhealthy
            | Self::StartedAgain(_)
            | Self::NotReady
            | Self::Scale(_)
            | Self::NoLongerDescribed
            | Self::Replaced
            | Self::OneOff => {}
        }
    }
}

impl Texts for PlanStep {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self {
            label,
            cause,
            after: _,
            tolerates: _,
            group: _,
            changes: _,
            only_if,
            image,
            assumptions: _,
            counts: _,
        } = self;
        label.visit(visit);
        cause.visit(visit);
        if let Some(ImageCondition { image, known_after: _, changed: _ }) = only_if {
            image.visit(visit);
        }
        if let Some(StepImage { name, id }) = image {
            name.visit(visit);
            match id {
                PlannedValue::Now(id) => id.visit(visit),
                PlannedValue::Until(_) => {}
            }
        }
    }
}

impl Texts for RollbackSteps {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { group: _, undo, until: _ } = self;
        undo.visit(visit);
    }
}

impl Texts for UndoStep {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { label, if_begun: _ } = self;
        label.visit(visit);
    }
}

impl Texts for Preview {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { handled_errors, items, summary: _, conditional: _, notes, ends } = self;
        handled_errors.visit(visit);
        items.visit(visit);
        notes.visit(visit);
        ends.visit(visit);
    }
}

impl Texts for HandledError {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { at, what, error } = self;
        at.visit(visit);
        what.visit(visit);
        error.visit(visit);
    }
}

impl Texts for PreviewItem {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        match self {
            Self::Call(Call { at, verb, project, steps }) => {
                at.visit(visit);
                verb.visit(visit);
                project.visit(visit);
                steps.visit(visit);
            }
            Self::Assumption(Assumption { number: _, at, answer_of, step: _, assumed }) => {
                at.visit(visit);
                answer_of.visit(visit);
                assumed.visit(visit);
            }
        }
    }
}

impl Texts for PlanEnd {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { at, message, help, refused: _ } = self;
        at.visit(visit);
        message.visit(visit);
        help.visit(visit);
    }
}

impl Texts for RunbookLine {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { file, line: _ } = self;
        file.visit(visit);
    }
}

impl Texts for Diagnostic {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self {
            severity: _,
            kind: _,
            message,
            hint,
            place,
            trace,
            details,
            fields,
            after_changes: _,
        } = self;
        message.visit(visit);
        hint.visit(visit);
        place.visit(visit);
        trace.visit(visit);
        details.visit(visit);
        fields.visit(visit);
    }
}

impl Texts for Help {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { command, doc, options, arguments } = self;
        command.visit(visit);
        visit(Author::Others, doc);
        options.visit(visit);
        arguments.visit(visit);
    }
}

impl Texts for HelpOption {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { name, value, doc, default, choices } = self;
        [name, doc].into_iter().chain(value).chain(default).chain(choices).for_each(|text| {
            visit(Author::Others, text);
        });
    }
}

impl Texts for HelpArgument {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { name, doc, default, many: _ } = self;
        [name, doc].into_iter().chain(default).for_each(|text| visit(Author::Others, text));
    }
}

impl Texts for Frame {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { function, place } = self;
        function.visit(visit);
        place.visit(visit);
    }
}

impl Texts for Detail {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { title, text } = self;
        title.visit(visit);
        text.visit(visit);
    }
}

/// Line by line, so that a changed text does not move the following lines.
impl Texts for SourceSpan {
    fn visit(&mut self, visit: &mut Visit<'_>) {
        let Self { source, line: _, column: _, width: _ } = self;
        let Source { name, text } = &**source;
        let lines = text.split_inclusive('\n').map(|line| visited(line.to_owned(), visit));
        let text = lines.collect();
        let changed = Source { name: visited(name.clone(), visit), text };
        if changed != **source {
            *source = Arc::new(changed);
        }
    }
}

#[cfg(test)]
pub mod tests;
