//! Turns Rhai errors into diagnostics: the message in the words of scripts, the excerpt, the calls
//! that led there.

use rhai::{Engine, EvalAltResult, Position};

use super::library::Library;
use super::names::{Names, Suggestion};
use super::syntax_error::SyntaxError;
use crate::api::Context;
use crate::model::Failure;
use crate::model::diagnostic::{CLOSURE, Diagnostic, Frame, Severity, SourceSpan};
use crate::model::failure::FileSpan;
use crate::value::error::{COMMAND_LINE, failure_of, innermost};
use crate::value::rhai_messages::{MissingName, is_closure, missing, unmarked};
use crate::value::spans::place;

/// The number of calls that are shown at each end of a long trace.
const FRAMES: usize = 8;

/// The diagnostic for an error of the source `name`.
pub fn diagnose(
    library: &Library,
    engine: &Engine,
    name: &str,
    error: &EvalAltResult,
) -> Diagnostic {
    let (inner, source, mut trace) = unwound(library, name, error);
    let failure = failure_of(error);
    if failure.fields.contains_key(COMMAND_LINE) {
        return without_place(failure);
    }
    let (failure, mut found) = match syntax_error(library, engine, &source, inner) {
        Some(SyntaxError { failure, position, .. }) => {
            (failure, place_of(library, &source, position))
        }
        None => (failure, place_of(library, &source, inner.position()).map(past_dot)),
    };
    if found.is_none() && !trace.is_empty() {
        found = Some(trace.remove(0).place);
    }
    let literal = || {
        failure.path.as_ref().and_then(|path| library.find(&path.keys, path.on_key, found.as_ref()))
    };
    let faulty = failure.place.as_ref().and_then(|place| in_file(engine, place)).or_else(literal);
    if let Some(faulty) = faulty
        && let Some(call) = found
            .replace(faulty)
            .filter(|call| found.as_ref().is_some_and(|found| found.source != call.source))
    {
        trace.insert(0, Frame { function: word_at(&call), place: call });
    }
    let wrong_key = failure.path.as_ref().is_some_and(|path| path.on_key);
    let mut diagnostic =
        Diagnostic { place: found, trace: shortened(trace), ..without_place(failure) };
    match suggestion(library, engine, &source, inner) {
        Some(Suggestion::Hint(hint)) => diagnostic.hint = Some(hint),
        Some(Suggestion::Takes(forms)) => {
            diagnostic.message = other_arguments(inner);
            diagnostic.hint = Some(format!("it takes {forms}"));
        }
        None => {}
    }
    if let Some(watch) = Context::of_engine(engine).and_then(|context| context.watch.clone())
        && (wrong_key || is_certain(inner, &diagnostic))
    {
        watch.fails(&diagnostic.message);
    }
    diagnostic
}

/// Whether the runbook is wrong for any answers: a syntax error, or a name that does not exist.
/// Other errors about a value may depend on answers.
fn is_certain(inner: &EvalAltResult, diagnostic: &Diagnostic) -> bool {
    match missing(inner) {
        Some(MissingName::Function { .. }) => diagnostic.message == failure_of(inner).message,
        Some(MissingName::Variable(_) | MissingName::Module(_)) => true,
        Some(MissingName::Field { .. }) => false,
        None => matches!(inner, EvalAltResult::ErrorParsing(..)),
    }
}

fn syntax_error(
    library: &Library,
    engine: &Engine,
    source: &str,
    error: &EvalAltResult,
) -> Option<SyntaxError> {
    let EvalAltResult::ErrorParsing(kind, position) = error else { return None };
    Some(SyntaxError::new(engine, &*library.source(source)?, kind.clone(), *position))
}

/// The message for a function that exists with other arguments.
fn other_arguments(inner: &EvalAltResult) -> String {
    match missing(inner) {
        Some(MissingName::Function { name, arguments, .. }) if arguments.is_empty() => {
            format!("\"{name}\" is called without arguments")
        }
        Some(MissingName::Function { name, arguments, .. }) => {
            format!("\"{name}\" does not take ({})", arguments.join(", "))
        }
        _ => failure_of(inner).message,
    }
}

/// The diagnostic for a failure without a position in a source.
pub fn without_place(failure: Failure) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        kind: failure.kind,
        message: failure.message,
        hint: failure.hint,
        place: None,
        trace: Vec::new(),
        details: failure.details,
        fields: Failure::shown_fields(failure.fields),
        after_changes: false,
    }
}

/// The error inside all calls, the name of its source, and the calls, innermost first.
fn unwound<'a>(
    library: &Library,
    name: &str,
    error: &'a EvalAltResult,
) -> (&'a EvalAltResult, String, Vec<Frame>) {
    let (mut error, mut source) = (error, name.to_owned());
    let mut frames: Vec<Frame> = Vec::new();
    loop {
        let (function, inside, inner, position) = match error {
            EvalAltResult::ErrorInFunctionCall(function, inside, inner, position) => {
                (function.as_str(), inside, inner, *position)
            }
            EvalAltResult::ErrorInModule(inside, inner, position) => {
                ("import", inside, inner, *position)
            }
            _ => break,
        };
        if let Some(place) = place_of(library, &source, position) {
            // A host function that got the closure reports the call as its own.
            if frames.last().is_some_and(|frame| frame.place == place) {
                frames.pop();
            }
            let function = if is_closure(function) { CLOSURE } else { unmarked(function) };
            frames.push(Frame { function: function.to_owned(), place });
        }
        if !inside.is_empty() {
            source.clone_from(inside);
        }
        error = inner;
    }
    frames.reverse();
    (error, source, frames)
}

fn place_of(library: &Library, source: &str, position: Position) -> Option<SourceSpan> {
    library.source(source).and_then(|source| place(&source, position))
}

/// A position in a file that the run has read.
fn in_file(engine: &Engine, place: &FileSpan) -> Option<SourceSpan> {
    let source = Context::of_engine(engine)?.script.text(&place.file);
    Some(SourceSpan { source, line: place.line, column: place.column, width: place.width })
}

/// For some fields Rhai reports the position of the dot. The field after it is meant.
fn past_dot(found: SourceSpan) -> SourceSpan {
    let line = found.source.text.lines().nth(found.line - 1).unwrap_or_default();
    let skipped =
        line.chars().skip(found.column - 1).take_while(|c| matches!(c, '.' | '?')).count();
    let Ok(column) = u16::try_from(found.column + skipped) else { return found };
    let Ok(line) = u16::try_from(found.line) else { return found };
    place(&found.source, Position::new(line, column)).unwrap_or(found)
}

/// The word at a position in the source.
fn word_at(place: &SourceSpan) -> String {
    let line = place.source.text.lines().nth(place.line - 1).unwrap_or_default();
    line.chars().skip(place.column - 1).take(place.width).collect()
}

/// A long trace of a recursion, without its middle.
fn shortened(mut trace: Vec<Frame>) -> Vec<Frame> {
    if trace.len() > 2 * FRAMES {
        trace.drain(FRAMES..trace.len() - FRAMES);
    }
    trace
}

/// The name that is most similar to an unknown one.
fn suggestion(
    library: &Library,
    engine: &Engine,
    source: &str,
    inner: &EvalAltResult,
) -> Option<Suggestion> {
    let missing = missing(inner)?;
    // If a function uses a variable of the file, Rhai says that the variable does not exist.
    let defined = library.defined(source);
    if let MissingName::Variable(name) = &missing
        && defined.variables.contains(name)
    {
        let hint = format!(
            "functions see their parameters only: pass {name} as one, or make it a const and write global::{name}"
        );
        return Some(Suggestion::Hint(hint));
    }
    Names::all(engine).suggestion(&missing, &defined)
}

/// Whether an error is the intended end of `args` with `--help`.
pub fn is_help(error: &EvalAltResult) -> bool {
    matches!(innermost(error).0, EvalAltResult::ErrorTerminated(token, _) if token.read_lock::<rhai::ImmutableString>().is_some_and(|word| word.as_str() == "help"))
}
