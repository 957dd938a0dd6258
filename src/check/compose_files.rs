//! The compose file of a project: read as a run reads it.

use std::path::Path;
use std::sync::Arc;

use crate::api::Context;
use crate::api::compose::{self, Checked};
use crate::model::Failure;
use crate::model::diagnostic::Place;

use super::findings::Findings;
use super::rule::Rule;

/// Checks the project's own compose file, where the project's folder is what is checked; how many files that were.
pub fn check(context: &Arc<Context>, folders: &[&Path], findings: &mut Findings) -> usize {
    if !folders.iter().any(|folder| *folder == context.project.directory) {
        return 0;
    }
    let checked = compose::default_file(context).and_then(|name| compose::check(context, name));
    let Some(Checked { source, notes, failure }) = checked else { return 0 };
    for (line, text) in notes {
        let width = source.text.lines().nth(line - 1).map_or(1, |line| line.trim_end().chars().count().max(1));
        let column = source.text.lines().nth(line - 1).map_or(1, |line| line.chars().take_while(|c| c.is_whitespace()).count() + 1);
        let place = Place { source: source.clone(), line, column, width: (width + 1).saturating_sub(column).max(1) };
        findings.add_at(Rule::UnclearValue, place, Failure::usage(sentence(&text)));
    }
    if let Some(failure) = failure {
        match failure.place.as_deref() {
            Some(at) => {
                let place = Place { source: source.clone(), line: at.line, column: at.column, width: at.width };
                findings.add_at(Rule::WrongValue, place, failure);
            }
            None => findings.add_without_place(Rule::WrongValue, failure),
        }
    }
    1
}

fn sentence(text: &str) -> String {
    crate::model::failure::sentence(text)
}
