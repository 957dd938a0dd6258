//! Converts failures to Rhai errors and back, without loss.
//!
//! A script sees a failure as a map: `kind`, `message`, `hint`, the failure's own fields, and, if
//! present, `details` (blocks of text) and `at` (the position in the description or in a file). If
//! the script throws this map again, it is the same failure, whatever the script did with it.
//!
//! Scripts can't swallow interrupts and policy violations. Once thrown, they are also stored in a
//! slot of the thread, which the engine's progress callback checks before anything else is
//! evaluated.

use std::cell::RefCell;

use rhai::{Dynamic, EvalAltResult, Map, Position};

use super::json::{from_json, to_json};
use super::rhai_messages;
use super::size;
use super::text::plain;
use crate::model::failure::{Detail, FileSpan, SpecPath};
use crate::model::{Failure, Kind};

/// The field of a failure that concerns the words of the command line, and not a position in the
/// script.
pub const COMMAND_LINE: &str = "command_line";

thread_local! {
    static REFUSED: RefCell<Option<Failure>> = const { RefCell::new(None) };
    /// The message of the last thrown failure: see [`take_thrown`].
    static THROWN: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The interrupt or policy violation that ends the script of this thread.
pub fn refused() -> Option<Failure> {
    REFUSED.with_borrow(Clone::clone)
}

/// Stores an interrupt or a policy violation for the script of this thread; does nothing for other
/// failures.
pub fn refuse(failure: &Failure) {
    if is_final(failure) {
        REFUSED.set(Some(failure.clone()));
    }
}

/// Forgets [`refused`] until the result is dropped: for scripts inside scripts, and for code that
/// runs after an interrupt.
#[must_use = "the refusal is in force again when this is dropped"]
pub fn set_refusal_aside() -> RefusalGuard {
    RefusalGuard { before: REFUSED.take() }
}

/// See [`set_refusal_aside`].
pub struct RefusalGuard {
    before: Option<Failure>,
}

impl Drop for RefusalGuard {
    fn drop(&mut self) {
        REFUSED.set(self.before.take());
    }
}

impl From<Failure> for Box<EvalAltResult> {
    fn from(failure: Failure) -> Self {
        throw(failure)
    }
}

/// The Rhai error for a failure. Rhai adds the position of the call.
pub fn throw(failure: Failure) -> Box<EvalAltResult> {
    refuse(&failure);
    THROWN.set(Some(failure.message.clone()));
    Box::new(EvalAltResult::ErrorRuntime(error_map(&failure).into(), Position::NONE))
}

/// The message of the last failure that a function threw on this thread since [`forget_thrown`];
/// returned once.
pub fn take_thrown() -> Option<String> {
    THROWN.take()
}

/// See [`take_thrown`].
pub fn forget_thrown() {
    THROWN.take();
}

/// Whether scripts can't catch it.
pub fn is_final(failure: &Failure) -> bool {
    matches!(failure.kind, Kind::Policy | Kind::Interrupted)
}

/// The same error at the same position, with additions to its failure.
pub fn amended(
    mut error: Box<EvalAltResult>,
    change: impl FnOnce(Failure) -> Failure,
) -> Box<EvalAltResult> {
    match &mut *error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => {
            let place = std::mem::replace(
                inner,
                Box::new(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE)),
            );
            *inner = amended(place, change);
        }
        EvalAltResult::ErrorTerminated(token, _) => {
            let failure = token.read_lock::<Failure>().map(|failure| (*failure).clone());
            if let Some(failure) = failure {
                *token = Dynamic::from(change(failure));
            }
        }
        other => {
            let position = other.position();
            let failure = change(failure_of(other));
            refuse(&failure);
            *other = EvalAltResult::ErrorRuntime(error_map(&failure).into(), position);
        }
    }
    error
}

/// The failure in any Rhai error.
pub fn failure_of(error: &EvalAltResult) -> Failure {
    match innermost(error).0 {
        EvalAltResult::ErrorRuntime(thrown, _) => from_thrown(thrown),
        EvalAltResult::ErrorTerminated(token, _) => token
            .read_lock::<Failure>()
            .map_or_else(Failure::interrupted, |failure| (*failure).clone()),
        other => rhai_messages::describe(other),
    }
}

/// The error inside all calls and imports, and the source of its position if there were calls or
/// imports.
pub fn innermost(error: &EvalAltResult) -> (&EvalAltResult, Option<&str>) {
    let (mut error, mut place) = (error, None);
    loop {
        (error, place) = match error {
            EvalAltResult::ErrorInFunctionCall(_, source, inner, _)
            | EvalAltResult::ErrorInModule(source, inner, _) => {
                (&**inner, if source.is_empty() { place } else { Some(source.as_str()) })
            }
            _ => return (error, place),
        }
    }
}

/// Translates Rhai's map for a caught error of Rhai. `None` for errors that a script or a function
/// threw. `source` is the source of the `catch`, unless the map contains it.
pub fn caught(map: &Map, source: Option<&str>) -> Option<Map> {
    let mut said = error_map(&rhai_messages::of_caught(map)?);
    let number = |key: &str| map.get(key).and_then(|value| value.as_int().ok());
    let source = map.get("source").map(plain).or_else(|| source.map(str::to_owned));
    if let (Some(source), Some(line)) = (source, number("line")) {
        said.insert(
            "place".into(),
            format!("{source}:{line}:{}", number("position").unwrap_or(1)).into(),
        );
    }
    Some(said)
}

/// The map for scripts.
pub fn error_map(failure: &Failure) -> Map {
    let mut map: Map =
        failure.fields.iter().map(|(name, value)| (name.into(), from_json(value))).collect();
    if !failure.details.is_empty() {
        map.insert(
            "details".into(),
            failure.details.iter().map(detail_map).collect::<rhai::Array>().into(),
        );
    }
    if let Some(place) = &failure.place {
        map.insert("at".into(), place_map(place).into());
    } else if let Some(path) = &failure.path {
        let keys: rhai::Array = path.keys.iter().map(|key| key.clone().into()).collect();
        map.insert(
            "at".into(),
            Map::from([("keys".into(), keys.into()), ("on_key".into(), path.on_key.into())]).into(),
        );
    }
    map.insert("kind".into(), failure.kind.word().into());
    map.insert("message".into(), failure.message.clone().into());
    map.insert("hint".into(), failure.hint.clone().map_or(Dynamic::UNIT, Dynamic::from));
    map
}

fn place_map(place: &FileSpan) -> Map {
    let number = |number: usize| Dynamic::from(i64::try_from(number).unwrap_or(i64::MAX));
    Map::from([
        ("file".into(), place.file.clone().into()),
        ("line".into(), number(place.line)),
        ("column".into(), number(place.column)),
        ("width".into(), number(place.width)),
    ])
}

fn detail_map(detail: &Detail) -> Dynamic {
    Map::from([
        ("title".into(), detail.title.clone().into()),
        ("text".into(), detail.text.clone().into()),
    ])
    .into()
}

/// The failure for a thrown value: an error map keeps its content, any other value becomes the
/// message of a failure of kind `failed`.
pub fn from_thrown(thrown: &Dynamic) -> Failure {
    if let Err(failure) = size::check(thrown) {
        return failure;
    }
    match thrown.read_lock::<Map>() {
        Some(map) if map.contains_key("message") => from_error_map(&map),
        _ if thrown.is_unit() => Failure::new(Kind::Failed, "The script threw nothing"),
        _ => Failure::new(Kind::Failed, plain(thrown)),
    }
}

fn from_error_map(map: &Map) -> Failure {
    let text = |key: &str| map.get(key).filter(|value| !value.is_unit()).map(plain);
    // For Rhai's own errors, `catch` gets the name of the error in place of a kind.
    let unnamed = if map.contains_key("error") { Kind::Usage } else { Kind::Failed };
    let kind = text("kind").and_then(|word| Kind::from_word(&word)).unwrap_or(unnamed);
    let mut failure = Failure::new(kind, text("message").unwrap_or_default());
    if let Some(hint) = text("hint") {
        failure = failure.hint(hint);
    }
    failure.path = map.get("at").and_then(spec_path).map(Box::new);
    failure.place = map.get("at").and_then(file_place).map(Box::new);
    for detail in map
        .get("details")
        .and_then(rhai::Dynamic::read_lock::<rhai::Array>)
        .iter()
        .flat_map(|list| list.iter())
    {
        if let Some(detail) = detail.read_lock::<Map>() {
            let text = |key: &str| detail.get(key).map(plain).unwrap_or_default();
            failure = failure.detail(text("title"), text("text"));
        }
    }
    for (name, value) in map {
        if !["kind", "message", "hint", "details", "at"].contains(&name.as_str()) {
            let value = to_json(value).unwrap_or_else(|_| plain(value).into());
            failure.fields.insert(name.to_string(), value);
        }
    }
    failure
}

fn spec_path(at: &Dynamic) -> Option<SpecPath> {
    let at = at.read_lock::<Map>()?;
    let keys = at.get("keys")?.read_lock::<rhai::Array>()?.iter().map(plain).collect();
    Some(SpecPath { keys, on_key: at.get("on_key")?.as_bool().ok()? })
}

fn file_place(at: &Dynamic) -> Option<FileSpan> {
    let at = at.read_lock::<Map>()?;
    let number =
        |key: &str| at.get(key)?.as_int().ok().and_then(|number| usize::try_from(number).ok());
    Some(FileSpan {
        file: plain(at.get("file")?),
        line: number("line")?,
        column: number("column")?,
        width: number("width")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Failure {
        Failure::new(Kind::Unhealthy, "Service \"db\" did not become ready")
            .hint("look at its log")
            .field("service", "db")
            .field("code", 1)
            .detail("Last log lines", "FATAL: no\n")
            .at(SpecPath { keys: vec!["services".into(), "db".into()], on_key: true })
    }

    #[test]
    fn a_failure_goes_through_a_script_without_loss() {
        let error = throw(full());
        assert_eq!(failure_of(&error), full());
        let wrapped = EvalAltResult::ErrorInFunctionCall(
            "f".into(),
            "up.rhai".into(),
            error,
            Position::new(3, 5),
        );
        assert_eq!(failure_of(&wrapped), full());
        assert_eq!(innermost(&wrapped).1, Some("up.rhai"));
        let in_file = Failure { path: None, ..full() }.in_file(FileSpan {
            file: "compose.yaml".into(),
            line: 3,
            column: 5,
            width: 2,
        });
        assert_eq!(failure_of(&throw(in_file.clone())), in_file);
    }

    #[test]
    fn an_error_thrown_by_a_script_has_the_kind_failed() {
        let thrown = |value: Dynamic| from_thrown(&value);
        assert_eq!(thrown("no".into()), Failure::new(Kind::Failed, "no"));
        assert_eq!(thrown(vec![Dynamic::from(1_i64)].into()), Failure::new(Kind::Failed, "[1]"));
        let map = Map::from([
            ("kind".into(), "exec".into()),
            ("message".into(), "exit 1".into()),
            ("code".into(), 1_i64.into()),
        ]);
        assert_eq!(thrown(map.into()), Failure::new(Kind::Exec, "exit 1").field("code", 1));
        let odd = Map::from([("kind".into(), "nonsense".into()), ("message".into(), "m".into())]);
        assert_eq!(thrown(odd.into()).kind, Kind::Failed);
    }

    #[test]
    fn a_refusal_stays_until_it_is_set_aside() {
        let before = set_refusal_aside();
        let _ = throw(Failure::new(Kind::Policy, "no"));
        assert_eq!(refused().unwrap().kind, Kind::Policy);
        {
            let _aside = set_refusal_aside();
            assert_eq!(refused(), None);
        }
        assert_eq!(refused().unwrap().kind, Kind::Policy);
        drop(before);
        assert_eq!(refused(), None);
    }
}
