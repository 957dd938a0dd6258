//! The lines of a plan, wrapped at the width of the terminal; those that are no changes or steps.

use anstyle::{AnsiColor, Style};

use crate::model::preview::{Assumption, Call, HandledError, PlanEnd, Preview};
use crate::ui::line::Line;
use crate::ui::terminal::{FAILURE, SUBJECT, WARNING};

pub(super) const PLAIN: Style = Style::new();
pub(super) const CHANGE: Style = AnsiColor::Cyan.on_default();
/// The indentation of the rest of a long line.
pub(super) const INDENT: usize = 4;

/// The lines so far.
pub(super) struct Output {
    pub(super) lines: Vec<String>,
    pub(super) width: Option<usize>,
}

impl Output {
    /// No line yet; `width`: the columns of the terminal.
    pub(super) fn new(width: Option<usize>) -> Self {
        Self { lines: Vec::new(), width }
    }

    /// What a reader has to know first.
    pub(super) fn begin(&mut self, preview: &Preview) {
        if let Some(ends) = &preview.ends {
            let text =
                format!("This plan is incomplete: it ends{}, before the runbook does", at(ends));
            self.add(Line::default().then(WARNING, &text), INDENT);
        }
        preview.handled_errors.iter().for_each(|error| self.handled_error(error));
    }

    /// Adds a line; if it is too long, the rest is indented.
    pub(super) fn add(&mut self, line: Line, indent: usize) {
        match self.width {
            Some(width) => self.lines.extend(line.wrapped(width, indent)),
            None => self.lines.push(line.fitted(usize::MAX)),
        }
    }

    /// The line of the runbook, and the verb.
    pub(super) fn heading(&mut self, call: &Call) {
        let at = call.at.as_ref().map_or_else(|| "the runbook".to_owned(), ToString::to_string);
        let verb: Vec<&str> =
            [call.verb.as_deref(), call.project.as_deref()].into_iter().flatten().collect();
        let verb = verb.join(" ");
        let gap = if verb.is_empty() { "" } else { "  " };
        let line = Line::default().then(SUBJECT, &at).then(PLAIN, gap).then(PLAIN, &verb);
        self.add(line, INDENT);
    }

    fn handled_error(&mut self, handled: &HandledError) {
        let HandledError { at, what, error } = handled;
        let at = at.as_ref().map_or_else(String::new, |at| format!("{at}: "));
        let error = if error.is_empty() { String::new() } else { format!(": {error}") };
        self.marked(WARNING, "this plan handles an error:", &format!("{at}{what}{error}"));
    }

    /// The answer that the rest of the plan depends on. `step`: the step that would get it.
    pub(super) fn assumption(&mut self, assumption: &Assumption, step: Option<usize>) {
        let Assumption { at, answer_of, assumed, .. } = assumption;
        let at = at.as_ref().map_or_else(String::new, |at| format!("{at}: "));
        let step = step.map_or_else(String::new, |step| format!(" (step {step})"));
        let text = format!("{at}the steps below depend on {answer_of}{step}; assumed: {assumed}");
        self.add(Line::default().then(WARNING, &text), INDENT);
    }

    /// Notes, and why the plan ends early.
    pub(super) fn end(&mut self, preview: &Preview) {
        for note in &preview.notes {
            self.marked(WARNING, "note:", note);
        }
        if let Some(ends) = &preview.ends {
            self.marked(FAILURE, &format!("the plan ends{}:", at(ends)), &ends.message);
            if let Some(help) = &ends.help {
                self.marked(SUBJECT, "help:", help);
            }
        }
    }

    fn marked(&mut self, style: Style, mark: &str, text: &str) {
        self.add(Line::default().then(style, mark).then(PLAIN, " ").then(PLAIN, text), INDENT);
    }
}

fn at(ends: &PlanEnd) -> String {
    ends.at.as_ref().map_or_else(String::new, |at| format!(" at {at}"))
}

/// `1 step`, `2 steps`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
