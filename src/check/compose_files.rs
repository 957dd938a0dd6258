//! Checks the compose file of a project and its variables, with the same reader as a run.

use std::path::Path;
use std::sync::Arc;

use crate::api::Context;
use crate::api::compose::{self, ComposeFileCheck};
use crate::compose::faults::{Faults, MOST};
use crate::compose::file::Note;
use crate::model::Failure;
use crate::model::diagnostic::{Source, SourceSpan};
use crate::script::project_context::EnvFileNote;

use super::findings::Findings;
use super::rule::Rule;

/// Checks the project's own compose file, if the project's folder is checked. Returns the number of
/// files.
pub fn check(context: &Arc<Context>, folders: &[&Path], findings: &mut Findings) -> usize {
    if !folders.iter().any(|folder| *folder == context.project.directory) {
        return 0;
    }
    if let Some(failure) = compose::wrong_names(context) {
        findings.add_without_place(Rule::WrongValue, failure);
    }
    let mut read = 0;
    for name in compose::default_files(context) {
        if check_file(context, &name, findings) {
            read += 1;
        } else {
            findings.add_without_place(Rule::Unreadable, compose::unreadable(context, &name));
        }
    }
    read
}

/// Whether a file is a YAML description and not a script.
pub fn is_one(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// Checks a compose file. Returns whether it could be read.
pub fn check_file(context: &Arc<Context>, path: &str, findings: &mut Findings) -> bool {
    let Some(ComposeFileCheck { source, notes, faults }) = compose::check(context, path) else {
        return false;
    };
    for Note { line, span, text } in notes {
        let line = whole_line(&source, line);
        let place =
            span.map_or(line.clone(), |(column, width)| SourceSpan { column, width, ..line });
        findings.add_at(Rule::UnclearValue, place, Failure::usage(sentence(&text)));
    }
    let Some(Faults { list, is_cut }) = faults else { return true };
    let place = |failure: &Failure| failure.place.as_ref().map(|at| (at.line, at.column));
    let last = (0..list.len()).max_by_key(|index| place(&list[*index]));
    for (index, mut failure) in list.into_iter().enumerate() {
        // No finding of its own: nothing says how many more there are.
        if is_cut && Some(index) == last {
            failure = failure.detail(
                "not shown",
                format!(
                    "\"{}\" has more faults than these {MOST}: correct them, then check again",
                    source.name
                ),
            );
        }
        match failure.place.as_deref() {
            Some(at) => {
                let place = SourceSpan {
                    source: source.clone(),
                    line: at.line,
                    column: at.column,
                    width: at.width,
                };
                findings.add_at(Rule::WrongValue, place, failure);
            }
            None => findings.add_without_place(Rule::WrongValue, failure),
        }
    }
    true
}

/// Reports the remarks about files of variables.
pub fn remark(remarks: &[EnvFileNote], findings: &mut Findings) {
    for EnvFileNote { source, line, text } in remarks {
        findings.add_at(
            Rule::UnclearValue,
            whole_line(source, *line),
            Failure::usage(sentence(text)),
        );
    }
}

/// A line from its first character to its last that are not spaces.
fn whole_line(source: &Arc<Source>, line: usize) -> SourceSpan {
    let text = source.text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
    let width = (text.trim_end().chars().count() + 1).saturating_sub(column).max(1);
    SourceSpan { source: source.clone(), line, column, width }
}

fn sentence(text: &str) -> String {
    crate::model::failure::sentence(text)
}
