//! The answers of a simulated machine, as a test defines them: of commands in containers and on the
//! host, and to requests.
//!
//! An answer is a text (standard output), a map, a function that returns one of these, or a list of
//! them: one after another, and the last one permanently. `()` leaves the answer to the machine.
//! Several answers are a map by patterns, in
//! which `*` matches anything; the longest matching pattern counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rhai::{Array, Dynamic, FnPtr, Map};

use crate::api::task;
use crate::engine::sim::{ExecAnswer, matches};
use crate::host::sim::{CommandAnswer, HttpAnswer};
use crate::model::Failure;
use crate::testing::test_context::TestContext;
use crate::value::text::{literal, plain};
use crate::value::{Options, type_names};

/// The keys of a map that is one answer, and not several by patterns.
const KEYS: [&str; 6] = ["code", "stdout", "stderr", "takes", "cannot_run", "runs_on"];

/// The result of a command.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CommandOutcome {
    code: i64,
    stdout: String,
    stderr: String,
    takes: Option<Duration>,
    cannot_run: Option<String>,
    runs_on: bool,
}

/// One answer.
#[derive(Clone)]
enum Answer {
    /// The one that the machine gives without the test.
    Default,
    Said(CommandOutcome),
    Asked(FnPtr),
    InTurn(Arc<(AtomicUsize, Vec<Answer>)>),
}

/// Answers of commands.
#[derive(Clone)]
pub struct Answers {
    test_context: Weak<TestContext>,
    /// The longest pattern first.
    by_pattern: Vec<(String, Answer)>,
}

impl Answers {
    /// The answers from a test.
    pub fn of(test_context: &Arc<TestContext>, value: &Dynamic) -> Result<Self, Failure> {
        let patterns = value
            .read_lock::<Map>()
            .filter(|map| !map.keys().all(|key| KEYS.contains(&key.as_str())))
            .map(|map| map.clone());
        let mut by_pattern = match patterns {
            Some(map) => map
                .iter()
                .map(|(pattern, value)| Ok((pattern.to_string(), answer(value)?)))
                .collect::<Result<Vec<_>, Failure>>()?,
            None => vec![("*".to_owned(), answer(value)?)],
        };
        by_pattern.sort_by_key(|(pattern, _)| {
            std::cmp::Reverse(pattern.chars().filter(|c| *c != '*').count())
        });
        Ok(Self { test_context: Arc::downgrade(test_context), by_pattern })
    }

    /// The answer of a command; `None` leaves it to the machine.
    pub fn give(&self, command: &[String]) -> Option<CommandOutcome> {
        let words = words_of(command);
        let (_, answer) = self.by_pattern.iter().find(|(pattern, _)| matches(pattern, &words))?;
        given(&self.test_context, answer, &words)
    }
}

/// A command as text: for a shell, its command line.
pub fn words_of(command: &[String]) -> String {
    match command {
        [shell, flag, script] if flag == "-c" && shell.ends_with("sh") => script.clone(),
        words => words.join(" "),
    }
}

fn answer(value: &Dynamic) -> Result<Answer, Failure> {
    if let Some(list) = value.read_lock::<Array>() {
        if list.is_empty() {
            return Err(Failure::usage("A list of answers is empty"));
        }
        let answers = list.iter().map(answer).collect::<Result<Vec<_>, _>>()?;
        return Ok(Answer::InTurn(Arc::new((AtomicUsize::new(0), answers))));
    }
    if value.is_unit() {
        return Ok(Answer::Default);
    }
    match value.clone().try_cast::<FnPtr>() {
        Some(function) => Ok(Answer::Asked(function)),
        None => said(value).map(Answer::Said),
    }
}

fn said(value: &Dynamic) -> Result<CommandOutcome, Failure> {
    if value.is_string() || value.is_int() || value.is_float() {
        return Ok(CommandOutcome { stdout: plain(value), ..CommandOutcome::default() });
    }
    if !value.is_map() {
        return Err(Failure::usage(format!(
            "An answer is a text, a map or a function, not {}",
            type_names::a(value)
        )));
    }
    let mut options = Options::of(value, "parts of an answer")?;
    let said = CommandOutcome {
        code: options.integer("code")?.unwrap_or(0),
        stdout: options.text("stdout")?.unwrap_or_default(),
        stderr: options.text("stderr")?.unwrap_or_default(),
        takes: options.duration("takes")?,
        cannot_run: options.text("cannot_run")?,
        runs_on: options.bool("runs_on")?.unwrap_or(false),
    };
    options.finish()?;
    Ok(said)
}

fn given(test_context: &Weak<TestContext>, answer: &Answer, words: &str) -> Option<CommandOutcome> {
    match answer {
        Answer::Default => None,
        Answer::Said(said) => Some(said.clone()),
        Answer::InTurn(all) => {
            let (next, answers) = &**all;
            let at = next.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            given(test_context, &answers[at], words)
        }
        Answer::Asked(function) => {
            let value = ask(test_context, function, words.to_owned().into())?;
            if value.is_unit() {
                return None;
            }
            match said(&value) {
                Ok(said) => Some(said),
                Err(failure) => {
                    let test_context = test_context.upgrade()?;
                    test_context.fail(crate::script::project_context::plain(
                        failure.field("answer", literal(&value)),
                    ));
                    Some(failed())
                }
            }
        }
    }
}

/// The result of a function of the test. Its failure is the test's failure.
fn ask(test_context: &Weak<TestContext>, function: &FnPtr, argument: Dynamic) -> Option<Dynamic> {
    let test_context = test_context.upgrade()?;
    let script = test_context.script()?;
    match task::answering(|| script.answer(function, vec![argument])) {
        Ok(value) => Some(value),
        Err(diagnostic) => {
            test_context.fail(diagnostic);
            None
        }
    }
}

fn failed() -> CommandOutcome {
    CommandOutcome {
        code: 1,
        stderr: "the test's answer failed\n".to_owned(),
        ..CommandOutcome::default()
    }
}

/// Adds a line end to a text.
fn whole_lines(text: String) -> String {
    if text.is_empty() || text.ends_with('\n') { text } else { text + "\n" }
}

impl From<CommandOutcome> for ExecAnswer {
    fn from(said: CommandOutcome) -> Self {
        let mut answer = match &said.cannot_run {
            Some(words) => Self::cannot_run(words),
            None => Self::default(),
        };
        if said.cannot_run.is_none() {
            answer.stdout = whole_lines(said.stdout).into();
            answer.stderr = whole_lines(said.stderr).into();
            answer.code = said.code;
        }
        let answer = match said.takes {
            Some(time) => answer.taking(time),
            None => answer,
        };
        if said.runs_on { answer.running_on() } else { answer }
    }
}

impl From<CommandOutcome> for CommandAnswer {
    fn from(said: CommandOutcome) -> Self {
        Self {
            stdout: whole_lines(said.stdout).into(),
            stderr: whole_lines(said.stderr).into(),
            code: said.code,
            takes: said.takes.unwrap_or_default(),
            ..Self::default()
        }
    }
}

/// Answers to requests.
#[derive(Clone)]
pub struct Pages {
    test_context: Weak<TestContext>,
    answer: Dynamic,
}

impl Pages {
    /// The answers from a test: a status, a body, a map, or a function of the request (`"GET
    /// http://…"`).
    pub fn of(test_context: &Arc<TestContext>, value: &Dynamic) -> Result<Self, Failure> {
        if !value.is_fnptr() {
            page(value)?;
        }
        Ok(Self { test_context: Arc::downgrade(test_context), answer: value.clone() })
    }

    /// The answer to a request.
    pub fn give(&self, request: &str) -> Option<HttpAnswer> {
        let value = match self.answer.clone().try_cast::<FnPtr>() {
            Some(function) => ask(&self.test_context, &function, request.to_owned().into())
                .filter(|value| !value.is_unit())?,
            None => self.answer.clone(),
        };
        page(&value)
            .map_err(|failure| {
                self.test_context.upgrade().inspect(|test_context| {
                    test_context.fail(crate::script::project_context::plain(failure))
                })
            })
            .ok()
    }
}

fn page(value: &Dynamic) -> Result<HttpAnswer, Failure> {
    let status = |status: i64| {
        u16::try_from(status).map_err(|_| Failure::usage(format!("{status} is not an HTTP status")))
    };
    if let Ok(number) = value.as_int() {
        return Ok(HttpAnswer::status(status(number)?, ""));
    }
    if value.is_string() {
        return Ok(HttpAnswer::status(200, plain(value)));
    }
    let mut options = Options::of(value, "parts of an answer")?;
    let code = status(options.integer("status")?.unwrap_or(200))?;
    let body = options.text("body")?.unwrap_or_default();
    let takes = options.duration("takes")?.unwrap_or_default();
    let headers = options.map_of_text("headers")?.unwrap_or_default();
    options.finish()?;
    let answer = HttpAnswer::status(code, body).taking(takes);
    Ok(headers
        .iter()
        .fold(answer, |answer, (name, value)| answer.with_header(&name.to_lowercase(), value)))
}
