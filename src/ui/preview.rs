//! Prints a plan for people, by lines of the runbook.
//!
//! - [`changes`]: one line for each service or object that changes
//! - [`folded`]: one line for many commands and files
//! - [`all_steps`]: each step with its cause and its dependencies
//! - [`output`]: the lines around them, and the wrapping

mod all_steps;
mod changes;
mod folded;
mod output;
#[cfg(test)]
mod tests;

use self::all_steps::StepLayout;
use self::changes::ChangeLayout;
use self::output::{INDENT, Output, counted};
use super::line::Line;
use super::terminal::{SUBJECT, SUCCESS, Terminal};
use crate::model::masking::Masked;
use crate::model::plan_changes::ChangeFinder;
use crate::model::plan_steps::SummaryKey;
use crate::model::preview::{Preview, PreviewItem, without_steps};
use crate::model::step::ActionKind;
use crate::model::texts::Texts;

/// Lines are never shortened to fewer columns than this.
const NARROWEST: usize = 40;
/// The kinds of the summary that come first, in this order.
const ORDER: [SummaryKey; 9] = [
    SummaryKey::Action(ActionKind::Pull),
    SummaryKey::Action(ActionKind::Build),
    SummaryKey::Action(ActionKind::Create),
    SummaryKey::Replace,
    SummaryKey::Action(ActionKind::Start),
    SummaryKey::Action(ActionKind::Restart),
    SummaryKey::Action(ActionKind::Stop),
    SummaryKey::Action(ActionKind::Remove),
    SummaryKey::Action(ActionKind::Run),
];

/// What is shown of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What changes: a line for each service or object.
    Changes,
    AllSteps,
}

/// Writes the plan to standard output.
pub fn print(terminal: &Terminal, preview: &Masked<Preview>, detail: Detail) {
    terminal.masked_out(&text(preview, detail, terminal.width()));
}

/// The plan as text with styles, without a line end at its end. Long lines are wrapped at `width`
/// columns, if given.
pub fn text(preview: &Preview, detail: Detail, width: Option<usize>) -> String {
    let mut output = Output::new(width.map(|width| width.max(NARROWEST)));
    match detail {
        Detail::Changes => {
            // The numbers of steps are not shown.
            let preview = preview.clone().with_texts(without_steps);
            output.begin(&preview);
            let layout = ChangeLayout::new(&preview, output.width);
            let mut items = &preview.items[..];
            while let Some((first, rest)) = items.split_first() {
                if let Some(folded) = folded::leading(items) {
                    folded.show(&mut output);
                    items = &items[folded.items..];
                    continue;
                }
                match first {
                    PreviewItem::Call(call) => layout.call(call, &mut output),
                    PreviewItem::Assumption(it) => output.assumption(it, None),
                }
                items = rest;
            }
            output.end(&preview);
        }
        Detail::AllSteps => {
            output.begin(preview);
            let layout = StepLayout::new(preview, output.width);
            for item in &preview.items {
                match item {
                    PreviewItem::Call(call) => layout.call(call, &mut output),
                    PreviewItem::Assumption(it) => output.assumption(it, it.step),
                }
            }
            output.end(preview);
        }
    }
    let style = if preview.changes() { SUBJECT } else { SUCCESS };
    output.add(Line::default().then(style, &summary(preview, detail)), INDENT);
    output.lines.join("\n")
}

/// `2 to create, 1 to replace; 5 steps only if an image changes`.
fn summary(preview: &Preview, detail: Detail) -> String {
    if !preview.changes() {
        let waits = preview.steps().filter(|step| step.label.action.waits()).count();
        return match (waits, preview.ends.is_some()) {
            (0, false) => "nothing to do".to_owned(),
            (0, true) => "nothing to do up to here".to_owned(),
            (1, _) => "nothing to change, 1 wait".to_owned(),
            (count, _) => format!("nothing to change, {count} waits"),
        };
    }
    let place =
        |kind: SummaryKey| ORDER.iter().position(|known| *known == kind).unwrap_or(ORDER.len());
    let mut kinds: Vec<(SummaryKey, usize)> =
        preview.summary.iter().map(|(kind, count)| (*kind, *count)).collect();
    kinds.sort_by_key(|(kind, _)| (place(*kind), kind.word()));
    let mut text = kinds
        .iter()
        .map(|(kind, count)| format!("{count} to {}", kind.word()))
        .collect::<Vec<_>>()
        .join(", ");
    if text.is_empty() {
        // The rest of what an interrupted run began.
        text = match detail {
            Detail::Changes => counted(changes(preview), "change"),
            Detail::AllSteps => {
                counted(preview.steps().filter(|step| step.changes).count(), "step")
            }
        };
    }
    match preview.conditional {
        0 => text,
        _ if detail == Detail::Changes => {
            format!("{text}; some depend on an image that is not known yet")
        }
        1 => format!("{text}; 1 step depends on an image that is not known yet"),
        count => format!("{text}; {count} steps depend on an image that is not known yet"),
    }
}

/// The number of changes, each of which has a line or is counted in one.
fn changes(preview: &Preview) -> usize {
    let finder = ChangeFinder::new(preview);
    let calls = preview.items.iter().filter_map(PreviewItem::as_call);
    calls.flat_map(|call| finder.changes(call)).map(|(_, count)| count).sum()
}
