//! One line for each service or object that changes: `~ backend ×2  replace  environment RELEASE
//! stop-first`.

use unicode_width::UnicodeWidthStr;

use super::output::{CHANGE, Output, PLAIN};
use crate::model::plan_changes::{ChangeFinder, PlanChange};
use crate::model::preview::{Call, Preview, PreviewItem};
use crate::ui::line::Line;
use crate::ui::terminal::ASIDE;

/// If a name is wider than this, the columns after it start later in its own line.
const WIDEST: usize = 40;
/// The columns that the rest of a wrapped line needs at least.
const NARROWEST_REST: usize = 30;

/// The columns of all changes of a plan.
pub(super) struct ChangeLayout {
    finder: ChangeFinder,
    subject: usize,
    actions: usize,
}

impl ChangeLayout {
    pub(super) fn new(preview: &Preview, width: Option<usize>) -> Self {
        let finder = ChangeFinder::new(preview);
        let widest = width.map_or(WIDEST, |width| WIDEST.min(width / 2));
        let calls = preview.items.iter().filter_map(PreviewItem::as_call);
        let (mut subject, mut actions) = (0, 0);
        for (change, count) in
            calls.filter(|call| call.verb.is_some()).flat_map(|call| finder.changes(call))
        {
            let columns = shown_subject(&change, count).width();
            subject = subject.max(if columns > widest { 0 } else { columns });
            actions = actions.max(change.actions.width());
        }
        Self { finder, subject, actions }
    }

    /// Adds the changes of a call under its line of the runbook; nothing if there are none.
    pub(super) fn call(&self, call: &Call, output: &mut Output) {
        let changes = self.finder.changes(call);
        if changes.is_empty() {
            return;
        }
        output.heading(call);
        for (change, count) in &changes {
            let sign = format!("  {} ", change.sign.sign());
            let line = Line::default().then(CHANGE, &sign);
            if call.verb.is_none() {
                primitive(change, line, output);
            } else {
                self.change(change, *count, line, output);
            }
        }
    }

    fn change(&self, change: &PlanChange, count: usize, line: Line, output: &mut Output) {
        let subject = shown_subject(change, count);
        let columns = self.subject.max(subject.width());
        let line = line
            .column(PLAIN, &subject, columns)
            .then(PLAIN, "  ")
            .column(CHANGE, &change.actions, self.actions)
            .then(PLAIN, "  ")
            .then(ASIDE, &joined(&[&change.cause, &change.condition]));
        let line = match change.order {
            Some(order) => line.then(PLAIN, "  ").then(PLAIN, order),
            None => line,
        };
        let beside = 4 + columns + 2 + self.actions + 2;
        let is_beside = output.width.is_none_or(|width| width >= beside + NARROWEST_REST);
        output.add(line, if is_beside { beside } else { 6 });
    }
}

/// The action of a primitive: `run command date in container web`.
fn primitive(change: &PlanChange, line: Line, output: &mut Output) {
    let line = line.then(CHANGE, &change.actions).then(PLAIN, " ").then(PLAIN, &change.subject);
    let why = joined(&[&change.cause, &change.condition]);
    let gap = if why.is_empty() { "" } else { "  " };
    output.add(line.then(PLAIN, gap).then(ASIDE, &why), 6);
}

fn shown_subject(change: &PlanChange, count: usize) -> String {
    match count {
        1 => change.subject.clone(),
        _ => format!("{} ×{count}", change.subject),
    }
}

fn joined(parts: &[&String]) -> String {
    let parts: Vec<&str> =
        parts.iter().map(|part| part.as_str()).filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}
