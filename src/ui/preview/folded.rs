//! Many commands and files of one line of the runbook, as one line: a deployment asks its proxy
//! often.

use super::output::{CHANGE, Output, PLAIN, counted};
use crate::model::preview::{Call, PreviewItem, RunbookLine};
use crate::model::step::ActionKind;
use crate::ui::line::Line;
use crate::ui::terminal::ASIDE;

/// Fewer commands and files than this have a line each.
const FEWEST: usize = 4;

/// Ends an assumed answer that the runbook gives itself.
const OWN_ANSWER: &str = "(from `assume`)";

/// What a line of the runbook does in one container.
#[derive(Debug, Default)]
struct Counts {
    place: String,
    commands: usize,
    files: usize,
}

/// Commands and files that are shown as one line for each container.
pub(super) struct Folded<'a> {
    /// The first of their calls.
    call: &'a Call,
    /// How many items of the plan they are.
    pub(super) items: usize,
    /// `run 9 commands, write 4 files in container shop-nginx-1`.
    lines: Vec<String>,
}

impl Folded<'_> {
    pub(super) fn show(&self, output: &mut Output) {
        output.heading(self.call);
        for text in &self.lines {
            let line = Line::default().then(PLAIN, "    ").then(CHANGE, text);
            output.add(line.then(ASIDE, "  (--all-steps lists them)"), 6);
        }
    }
}

/// What the first of these items and those after it are together; `None` if that is little.
pub(super) fn leading(items: &[PreviewItem]) -> Option<Folded<'_>> {
    let first = items.first()?;
    let belongs = |item: &&PreviewItem| at(item) == at(first) && is_small(item);
    let count = items.iter().take_while(belongs).count();
    let calls: Vec<&Call> = items[..count].iter().filter_map(PreviewItem::as_call).collect();
    if calls.iter().map(|call| call.steps.len()).sum::<usize>() < FEWEST {
        return None;
    }
    let mut all: Vec<Counts> = Vec::new();
    for step in calls.iter().flat_map(|call| &call.steps) {
        let object = &step.label.object;
        let place = object
            .relation
            .strip_prefix("in ")
            .map_or_else(|| format!("{} {}", object.kind.word(), object.name), str::to_owned);
        let at = all.iter().position(|counts| counts.place == place).unwrap_or_else(|| {
            all.push(Counts { place, ..Counts::default() });
            all.len() - 1
        });
        match step.label.action {
            ActionKind::WriteInto => all[at].files += 1,
            _ => all[at].commands += 1,
        }
    }
    Some(Folded { call: calls[0], items: count, lines: all.iter().map(line).collect() })
}

fn line(counts: &Counts) -> String {
    let done = [("run", counts.commands, "command"), ("write", counts.files, "file")]
        .into_iter()
        .filter(|(_, count, _)| *count > 0)
        .map(|(verb, count, what)| format!("{verb} {}", counted(count, what)));
    format!("{} in {}", done.collect::<Vec<_>>().join(", "), counts.place)
}

fn at(item: &PreviewItem) -> Option<&RunbookLine> {
    match item {
        PreviewItem::Call(call) => call.at.as_ref(),
        PreviewItem::Assumption(assumption) => assumption.at.as_ref(),
    }
}

/// Whether it is a command, a file, or an answer that the runbook gives.
fn is_small(item: &PreviewItem) -> bool {
    match item {
        PreviewItem::Call(call) => {
            let is_small = |action| {
                matches!(action, ActionKind::Run | ActionKind::RunReadOnly | ActionKind::WriteInto)
            };
            call.verb.is_none() && call.steps.iter().all(|step| is_small(step.label.action))
        }
        PreviewItem::Assumption(assumption) => assumption.assumed.ends_with(OWN_ANSWER),
    }
}
