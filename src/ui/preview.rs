//! Prints a plan for people: by lines of the runbook, each step with its cause.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::line::Line;
use super::terminal::{ASIDE, FAILURE, SUBJECT, SUCCESS, Terminal, WARNING, styled};
use crate::model::masking::Masked;
use crate::model::plan_steps::{ImageCondition, PlanStep, PlannedValue, SummaryKey};
use crate::model::preview::{Assumption, Call, HandledError, Preview, PreviewItem};
use crate::model::step::ActionKind;
use crate::model::visible::visible_line;

/// If a step is wider than this, its cause gets its own line.
const WIDEST: usize = 72;
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

const PLAIN: Style = Style::new();
const CHANGE: Style = AnsiColor::Cyan.on_default();

/// Writes the plan to standard output.
pub fn print(terminal: &Terminal, preview: &Masked<Preview>) {
    terminal.masked_out(&text(preview, terminal.width()));
}

/// The plan as text with styles, without a line end at its end; fitted to `width` columns, if
/// given.
pub fn text(preview: &Preview, width: Option<usize>) -> String {
    let mut lines = Vec::new();
    let numbers = preview.steps().last().map_or(1, |step| step.number().to_string().len());
    let width = width.map(|width| width.max(NARROWEST));
    // One long command must not move the causes of all the others to the right.
    let widest = width.map_or(WIDEST, |width| WIDEST.min(width * 3 / 5));
    let columns = preview
        .steps()
        .map(|step| what(step).width())
        .filter(|columns| *columns <= widest)
        .max()
        .unwrap_or(0);
    let layout = Layout { numbers, columns, width };
    if let Some(ends) = &preview.ends {
        let at = ends.at.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
        lines.push(styled(
            WARNING,
            &format!("This plan is incomplete: it ends{at}, before the runbook does"),
        ));
    }
    lines.extend(preview.handled_errors.iter().map(handled_error));
    for item in &preview.items {
        match item {
            PreviewItem::Call(call) => layout.call(call, &mut lines),
            PreviewItem::Assumption(assumption) => {
                lines.push(styled(WARNING, &assumed(assumption)))
            }
        }
    }
    for note in &preview.notes {
        lines.push(format!("{} {}", styled(WARNING, "note:"), visible_line(note)));
    }
    if let Some(ends) = &preview.ends {
        let at = ends.at.as_ref().map_or_else(String::new, |at| format!(" at {at}"));
        lines.push(format!(
            "{} {}",
            styled(FAILURE, &format!("the plan ends{at}:")),
            visible_line(&ends.message)
        ));
        if let Some(help) = &ends.help {
            lines.push(format!("{} {}", styled(SUBJECT, "help:"), visible_line(help)));
        }
    }
    lines.push(styled(if preview.changes() { SUBJECT } else { SUCCESS }, &summary(preview)));
    lines.join("\n")
}

/// `2 to create, 1 to replace; 5 steps only if an image changes`.
fn summary(preview: &Preview) -> String {
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
        let count = preview.steps().filter(|step| step.changes).count();
        text = format!("{count} {}", if count == 1 { "step" } else { "steps" });
    }
    match preview.conditional {
        0 => text,
        1 => format!("{text}; 1 step depends on an image that is not known yet"),
        count => format!("{text}; {count} steps depend on an image that is not known yet"),
    }
}

fn handled_error(handled: &HandledError) -> String {
    let at = handled.at.as_ref().map_or_else(String::new, |at| format!("{at}: "));
    let error = if handled.error.is_empty() {
        String::new()
    } else {
        format!(": {}", visible_line(&handled.error))
    };
    format!(
        "{} {at}{}{error}",
        styled(WARNING, "this plan handles an error:"),
        visible_line(&handled.what)
    )
}

fn assumed(assumption: &Assumption) -> String {
    let at = assumption.at.as_ref().map_or_else(String::new, |at| format!("{at}: "));
    let step = assumption.step.map_or_else(String::new, |step| format!(" (step {step})"));
    let (answer_of, assumed) =
        (visible_line(&assumption.answer_of), visible_line(&assumption.assumed));
    format!("{at}the lines below depend on {answer_of}{step}; the plan assumes: {assumed}")
}

fn what(step: &PlanStep) -> String {
    format!("{} {}", step.label.action, step.label.object)
}

/// The cause and the dependencies.
fn why(step: &PlanStep) -> String {
    let mut parts = vec![step.cause.to_string()];
    if let Some(ImageCondition { image, known_after, changed }) = &step.only_if {
        let how = if *changed { "changes" } else { "does not change" };
        parts.push(format!("only if the image {image} {how}, unknown until step {known_after}"));
    } else if let Some(PlannedValue::Until(known_after)) =
        step.image.as_ref().map(|image| &image.id)
    {
        parts.push(format!("its image is unknown until step {known_after}"));
    }
    if !step.after.is_empty() {
        let after: Vec<String> = step.after.iter().map(usize::to_string).collect();
        parts.push(format!("after {}", after.join(", ")));
    }
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

struct Layout {
    numbers: usize,
    columns: usize,
    width: Option<usize>,
}

impl Layout {
    fn call(&self, call: &Call, lines: &mut Vec<String>) {
        let at = call.at.as_ref().map_or_else(|| "the runbook".to_owned(), ToString::to_string);
        let verb = [call.verb.as_deref(), call.project.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        lines.push(
            Line::default()
                .then(SUBJECT, &at)
                .then(PLAIN, if verb.is_empty() { "" } else { "  " })
                .then(PLAIN, &verb)
                .fitted(usize::MAX),
        );
        for step in &call.steps {
            self.step(step, lines);
        }
    }

    fn step(&self, step: &PlanStep, lines: &mut Vec<String>) {
        let style = if step.changes { CHANGE } else { ASIDE };
        let number = format!("{:>width$}  ", step.number(), width = self.numbers + 2);
        let rest = self.columns.max(what(step).width()) - step.label.action.word().width();
        let line = |columns| {
            Line::default().then(ASIDE, &number).then(style, step.label.action.word()).column(
                PLAIN,
                &format!(" {}", step.label.object),
                columns,
            )
        };
        let why = why(step);
        let wide = number.width() + step.label.action.word().width() + rest + 2 + why.width();
        if self.width.is_some_and(|width| wide > width) {
            lines.push(line(rest).fitted(usize::MAX));
            lines.push(format!(
                "{}{}",
                " ".repeat(number.width() + 2),
                styled(ASIDE, &visible_line(&why))
            ));
        } else {
            lines.push(line(rest).then(PLAIN, "  ").then(ASIDE, &why).fitted(usize::MAX));
        }
    }
}
