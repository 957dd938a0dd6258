//! Checks the compose files of a project and of its scripts, and their variables, with the same
//! reader as a run.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use rhai::{Expr, Position};

use crate::api::Context;
use crate::api::compose::{self, ComposeFileCheck};
use crate::api::compose_files;
use crate::compose::faults::{Faults, MOST};
use crate::compose::note::{Note, NoteKind};
use crate::model::Failure;
use crate::model::diagnostic::{Source, SourceSpan};
use crate::model::spec::project::is_unknown;
use crate::model::spec::reader::is_unknown_key;
use crate::policy::CheckedPath;
use crate::script::project_context::EnvFileNote;

use super::findings::Findings;
use super::parsed_source::ParsedSource;
use super::rule::Rule;
use super::script_analysis::{Call, CallReceiver, ScriptAnalysis};

/// Checks the project's own compose file, if the project's folder is checked. Returns the number of
/// files.
pub fn check(
    context: &Arc<Context>,
    folders: &[&Path],
    seen: &BTreeSet<String>,
    findings: &mut Findings,
) -> usize {
    if !folders.iter().any(|folder| context.project.directory.starts_with(folder)) {
        return 0;
    }
    if let Some(failure) = compose_files::wrong_names(context) {
        findings.add_without_place(Rule::WrongValue, failure);
    }
    let mut read = 0;
    for name in
        compose_files::default_files(context).into_iter().filter(|name| !seen.contains(name))
    {
        if check_file(context, &name, findings) {
            read += 1;
        } else {
            findings.add_without_place(Rule::Unreadable, compose_files::unreadable(context, &name));
        }
    }
    read
}

/// Checks the compose files that a source names: `compose("deploy/prod.yml")`. `seen` holds those
/// that were checked before. Returns the number of files.
pub fn check_named(
    context: &Arc<Context>,
    parsed: &ParsedSource,
    reading: &ScriptAnalysis<'_>,
    seen: &mut BTreeSet<String>,
    findings: &mut Findings,
) -> usize {
    let mut read = 0;
    for (path, position) in reading.calls.iter().filter_map(named_file) {
        if seen.contains(path) {
            continue;
        }
        if check_file(context, path, findings) {
            read += 1;
        } else if is_beside(context, parsed.path.as_deref(), path) {
            // For the scripts of this project, the path is another file.
            continue;
        } else if !reading.calls.iter().any(|call| may_make(call, path)) {
            let failure = compose_files::unreadable_of_script(context, path);
            findings.add(Rule::Unreadable, &parsed.source, position, failure);
        }
        seen.insert(path.to_owned());
    }
    read
}

/// The path in a call of `compose`, and its place.
fn named_file<'a>(call: &Call<'a>) -> Option<(&'a str, Position)> {
    let is_compose = call.call.name == "compose" && !call.call.is_qualified();
    match call.call.args.first()? {
        Expr::StringConstant(path, position)
            if is_compose && matches!(call.on, CallReceiver::Nothing) =>
        {
            Some((path.as_str(), *position))
        }
        _ => None,
    }
}

/// Whether the file exists in the script's folder or in a parent folder below the project. Then the
/// script belongs to another project and is started in that project's folder.
fn is_beside(context: &Context, script: Option<&Path>, path: &str) -> bool {
    let root = context.project.scripts.as_deref().unwrap_or(&context.project.directory);
    let folders = script.into_iter().flat_map(|script| script.ancestors().skip(1));
    folders
        .take_while(|folder| folder.starts_with(root) && *folder != root)
        .filter_map(|folder| CheckedPath::below(root, &folder.join(path)))
        .any(|file| context.host.info(&file).is_ok())
}

/// Whether a call of another function names the file: it may make it.
fn may_make(call: &Call<'_>, path: &str) -> bool {
    call.call.is_qualified()
        && call.call.args.iter().any(
            |argument| matches!(argument, Expr::StringConstant(text, _) if text.as_str() == path),
        )
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
    for Note { line, span, kind, text } in notes {
        let line = whole_line(&source, line);
        let place =
            span.map_or(line.clone(), |(column, width)| SourceSpan { column, width, ..line });
        let rule = match kind {
            NoteKind::Unclear => Rule::UnclearValue,
            NoteKind::ComposeDifference => Rule::ComposeDifference,
            NoteKind::Obsolete => Rule::ObsoleteKey,
        };
        findings.add_at(rule, place, Failure::usage(sentence(&text)));
    }
    let Some(Faults { list, is_cut }) = faults else { return true };
    let place = |failure: &Failure| failure.place.as_ref().map(|at| (at.line, at.column));
    let last = (0..list.len()).max_by_key(|index| place(&list[*index]));
    for (index, mut failure) in list.into_iter().enumerate() {
        // The number of omitted faults is unknown, so this is not a separate finding.
        if is_cut && Some(index) == last {
            failure = failure.detail(
                "not shown",
                format!(
                    "\"{}\" has more mistakes than these {MOST}: fix them, then check again",
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
                findings.add_at(rule_of(&failure), place, failure);
            }
            None => findings.add_without_place(Rule::WrongValue, failure),
        }
    }
    true
}

/// The rule of a mistake in a compose file, the same as for the description of a script.
fn rule_of(failure: &Failure) -> Rule {
    if is_unknown_key(failure) {
        Rule::UnknownKey
    } else if is_unknown(failure) {
        Rule::UnknownName
    } else {
        Rule::WrongValue
    }
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
