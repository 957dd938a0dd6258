//! Each step of a plan with its number, its cause and its dependencies.

use unicode_width::UnicodeWidthStr;

use super::output::{CHANGE, Output, PLAIN};
use crate::model::plan_steps::{ImageCondition, PlanStep, PlannedValue};
use crate::model::preview::{Call, Preview};
use crate::ui::line::Line;
use crate::ui::terminal::ASIDE;

/// If a step is wider than this, its cause gets its own line.
const WIDEST: usize = 72;

/// The columns of all steps of a plan.
pub(super) struct StepLayout {
    number: usize,
    what: usize,
}

impl StepLayout {
    pub(super) fn new(preview: &Preview, width: Option<usize>) -> Self {
        // One long command must not move the causes of all the others to the right.
        let widest = width.map_or(WIDEST, |width| WIDEST.min(width * 3 / 5));
        let columns = preview.steps().map(|step| what(step).width());
        Self {
            number: preview.steps().last().map_or(1, |step| step.number().to_string().len()) + 2,
            what: columns.filter(|columns| *columns <= widest).max().unwrap_or(0),
        }
    }

    pub(super) fn call(&self, call: &Call, output: &mut Output) {
        output.heading(call);
        for step in &call.steps {
            self.step(step, output);
        }
    }

    fn step(&self, step: &PlanStep, output: &mut Output) {
        let style = if step.changes { CHANGE } else { ASIDE };
        let number = format!("{:>width$}  ", step.number(), width = self.number);
        let action = step.label.action.word();
        let rest = self.what.max(what(step).width()) - action.width();
        let line = Line::default().then(ASIDE, &number).then(style, action).column(
            PLAIN,
            &format!(" {}", step.label.object),
            rest,
        );
        let (why, indent) = (why(step), number.width() + 2);
        let wide = number.width() + action.width() + rest + 2 + why.width();
        if output.width.is_some_and(|width| wide > width) {
            output.add(line, indent);
            let own_line = Line::default().then(PLAIN, &" ".repeat(indent)).then(ASIDE, &why);
            output.add(own_line, indent);
        } else {
            output.add(line.then(PLAIN, "  ").then(ASIDE, &why), indent);
        }
    }
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
