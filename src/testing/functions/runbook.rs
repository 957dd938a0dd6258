//! `runbook`: one run as a separate process.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

use crate::api::Raw;
use crate::api::shared_module;
use crate::machine::{CompletedRun, End};
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{Event, Level};
use crate::testing::test_context::TestContext;
use crate::value::json::from_json;
use crate::value::text::plain;
use crate::value::{Record, type_names};

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

fn run(call: &NativeCallContext, name: &str, words: &[String]) -> Raw<Record> {
    let test_context = TestContext::of(call)?;
    let before = test_context.world.engine.calls().len();
    let ran = test_context.run(name, words)?;
    let calls = test_context.world.engine.calls().len() - before;
    Ok(record(&ran, calls))
}

fn record(ran: &CompletedRun, calls: usize) -> Record {
    let texts = |texts: Vec<&str>| {
        Dynamic::from(texts.into_iter().map(Dynamic::from_text).collect::<Array>())
    };
    let logged = ran.events.iter().filter_map(|event| match event {
        Event::Log { level, text } if *level != Level::Debug => Some(text.as_str()),
        _ => None,
    });
    let error = match &ran.end {
        End::Failed(diagnostic) => error(diagnostic).into(),
        _ => Dynamic::UNIT,
    };
    let events: Array = ran
        .events
        .iter()
        .filter_map(|event| serde_json::to_value(event).ok())
        .map(|event| from_json(&event))
        .collect();
    let fields: Map = [
        ("code", Dynamic::from(i64::from(ran.code()))),
        ("error", error),
        ("help", if let End::Help(text) = &ran.end { text.clone().into() } else { Dynamic::UNIT }),
        ("killed", matches!(ran.end, End::Killed).into()),
        ("printed", texts(ran.printed())),
        ("logged", texts(logged.collect())),
        ("events", events.into()),
        ("calls", i64::try_from(calls).unwrap_or(i64::MAX).into()),
        ("took", Dynamic::from(ran.took)),
    ]
    .map(|(name, value)| (name.into(), value))
    .into();
    Record::new("run", fields)
}

/// The parts of an error that a script would see, with its position and its blocks of text.
fn error(diagnostic: &Diagnostic) -> Map {
    let mut map: Map =
        diagnostic.fields.iter().map(|(name, value)| (name.into(), from_json(value))).collect();
    let place = diagnostic
        .place
        .as_ref()
        .map(|place| format!("{}:{}:{}", place.source.name, place.line, place.column));
    let details: Vec<&str> = diagnostic.details.iter().map(|detail| detail.text.as_str()).collect();
    map.insert("kind".into(), diagnostic.kind.word().into());
    map.insert("message".into(), diagnostic.message.clone().into());
    map.insert("hint".into(), diagnostic.hint.clone().map_or(Dynamic::UNIT, Dynamic::from));
    map.insert("place".into(), place.map_or(Dynamic::UNIT, Dynamic::from));
    map.insert("details".into(), details.join("\n").into());
    map
}

/// A text as a value.
trait FromText {
    fn from_text(text: &str) -> Dynamic;
}

impl FromText for Dynamic {
    fn from_text(text: &str) -> Dynamic {
        text.to_owned().into()
    }
}

#[export_module]
mod functions {
    /// Runs a runbook with arguments as on the command line, and returns the result: `code`,
    /// `error` (`()`, or `kind message hint place details` and its own fields), `printed` and
    /// `logged` (lists of texts), `events` (as with `--json`), `calls` (the number of engine
    /// calls), `took` (virtual time), `killed`, `help`.
    ///
    /// The name is that of a file in the test's folder, without its extension, or a path from
    /// there. The changes of the run stay for the next one.
    ///
    /// ```rhai,no_run
    /// let run = runbook("up", "--target production --tag v1");
    /// assert_eq(run.code, 0);
    /// assert(run.took < duration("1m"));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn runbook(call: NativeCallContext, name: &str, words: &str) -> Raw<Record> {
        let words = shell_words::split(words)
            .map_err(|_| Failure::usage(format!("A quote is left open in {words:?}")))?;
        run(&call, name, &words)
    }

    /// The same without arguments.
    ///
    /// ```rhai,no_run
    /// assert_eq(runbook("up").code, 0);
    /// ```
    #[rhai_fn(name = "runbook", return_raw, volatile)]
    pub fn runbook_alone(call: NativeCallContext, name: &str) -> Raw<Record> {
        run(&call, name, &[])
    }

    /// The same with the arguments in a list: none of them is split.
    ///
    /// ```rhai,no_run
    /// runbook("up", ["--tag", "v1", "backend"]);
    /// ```
    #[rhai_fn(name = "runbook", return_raw, volatile)]
    pub fn runbook_list(call: NativeCallContext, name: &str, list: Array) -> Raw<Record> {
        let nested = |value: &Dynamic| value.is_array() || value.is_map() || value.is_fnptr();
        if let Some(wrong) = list.iter().find(|value| nested(value)) {
            return Err(Failure::usage(format!(
                "A runbook's words are texts, not {}",
                type_names::a(wrong)
            ))
            .into());
        }
        run(&call, name, &list.iter().map(plain).collect::<Vec<_>>())
    }
}
