//! The option `assume`: the answer with which a plan continues, if the real answer is unknown. A
//! run validates it and uses the real answer.

use std::time::Duration;

use bytes::Bytes;
use rhai::{Array, Dynamic, Map};

use super::context::Context;
use crate::apply::exec::ExecResult;
use crate::host::HttpResponse;
use crate::model::failure::SpecPath;
use crate::model::{Failure, Kind};
use crate::value::json::to_json;
use crate::value::options::duration_of;
use crate::value::text::plain;
use crate::value::{Options, type_names};

const KEY: &str = "assume";

/// The most characters of an assumed text in a plan.
const SHOWN: usize = 60;

/// The assumed result of a command. A text or a number is its output, and so is a list, as JSON. A
/// map has `code`, `stdout` and `stderr`.
pub(super) fn end(options: &mut Options) -> Result<Option<ExecResult>, Failure> {
    options.take(KEY).map(|value| end_of(&value).map_err(placed)).transpose()
}

fn end_of(value: &Dynamic) -> Result<ExecResult, Failure> {
    if !value.is_map() {
        return Ok(ExecResult { stdout: text(value)?.into_bytes(), ..ExecResult::default() });
    }
    let mut parts = parts(
        value,
        &["code", "stdout", "stderr"],
        "write the output as `stdout`: assume: #{ stdout: … }",
    )?;
    let stdout = parts.take("stdout").map(|value| text(&value)).transpose()?.unwrap_or_default();
    let ended = ExecResult {
        code: parts.integer("code")?.unwrap_or(0),
        stdout: stdout.into_bytes(),
        stderr: parts.text("stderr")?.unwrap_or_default().into_bytes(),
        elapsed: Duration::ZERO,
    };
    parts.finish()?;
    Ok(ended)
}

/// The assumed answer to a request. An integer is the status. A text is the body, and so is a list,
/// as JSON. A map has `status`, `body` (as JSON unless it is a text) and `headers`.
pub(super) fn response(options: &mut Options) -> Result<Option<HttpResponse>, Failure> {
    options.take(KEY).map(|value| response_of(&value).map_err(placed)).transpose()
}

fn response_of(value: &Dynamic) -> Result<HttpResponse, Failure> {
    let of_body =
        |body: String| HttpResponse { status: 200, headers: Vec::new(), body: Bytes::from(body) };
    if let Ok(status) = value.as_int() {
        return Ok(HttpResponse { status: status_of(status)?, ..of_body(String::new()) });
    }
    if !value.is_map() {
        return Ok(of_body(text(value)?));
    }
    let mut parts = parts(
        value,
        &["status", "body", "headers"],
        "write the JSON as `body`: assume: #{ body: #{ … } }",
    )?;
    let body = parts.take("body").map(|value| text(&value)).transpose()?.unwrap_or_default();
    let status = parts.integer("status")?.unwrap_or(200);
    let headers = parts.map_of_text("headers")?.unwrap_or_default();
    parts.finish()?;
    let headers = headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    Ok(HttpResponse { status: status_of(status)?, headers, ..of_body(body) })
}

fn status_of(status: i64) -> Result<u16, Failure> {
    let known = u16::try_from(status).ok().filter(|status| (200..600).contains(status));
    known.ok_or_else(|| {
        Failure::usage(format!("{status} is not an HTTP status"))
            .hint("use a number from 200 to 599, such as 404 or 503")
    })
}

/// The failure with its position in the options.
fn placed(failure: Failure) -> Failure {
    let inner =
        failure.path.as_deref().cloned().unwrap_or(SpecPath { keys: Vec::new(), on_key: false });
    let keys = [vec![KEY.to_owned()], inner.keys].concat();
    // The key itself is valid.
    failure.at(SpecPath { on_key: inner.on_key && keys.len() > 1, keys })
}

/// A map with some of these keys. A map with none of them is probably meant as the value of the
/// answer.
fn parts(value: &Dynamic, known: &[&str], hint: &str) -> Result<Options, Failure> {
    let wrong = value.read_lock::<Map>().and_then(|map| {
        map.keys().next().filter(|_| !map.keys().any(|key| known.contains(&key.as_str()))).cloned()
    });
    match wrong {
        Some(key) => {
            Err(Failure::usage(format!("An assumed answer has no part \"{key}\"")).hint(hint))
        }
        None => Options::of(value, "parts of an assumed answer"),
    }
}

/// The text of an output or answer: a list or map as JSON.
fn text(value: &Dynamic) -> Result<String, Failure> {
    if value.read_lock::<Array>().is_some() || value.read_lock::<Map>().is_some() {
        return Ok(to_json(value)?.to_string());
    }
    if value.is_string() || value.is_int() || value.is_float() || value.is_bool() || value.is_char()
    {
        return Ok(plain(value));
    }
    Err(Failure::usage(format!(
        "An assumed answer is a text, a number, a list or a map, not {}",
        type_names::a(value)
    )))
}

/// The assumed content of a file or log of a container, as text: a list or map as JSON.
pub(super) fn content(options: &mut Options) -> Result<Option<String>, Failure> {
    options.take(KEY).map(|value| text(&value).map_err(placed)).transpose()
}

/// The assumed content of a log: a list of lines, or a text.
pub(super) fn lines(options: &mut Options) -> Result<Option<Vec<String>>, Failure> {
    let lines = |value: Dynamic| match value.read_lock::<Array>() {
        Some(list) => list.iter().map(text).collect::<Result<Vec<_>, _>>(),
        None => Ok(text(&value)?.lines().map(str::to_owned).collect()),
    };
    options.take(KEY).map(|value| lines(value).map_err(placed)).transpose()
}

/// In a plan, the assumed content of a file or log (`what`) of a container, if it is unknown; the
/// plan shows it.
pub(super) fn assumed_content<'a, T>(
    context: &Context,
    container: &str,
    what: &str,
    assumed: Option<&'a T>,
) -> Option<&'a T>
where
    T: AssumedContent + ?Sized,
{
    let (watch, assumed) = (context.watch.as_ref()?, assumed?);
    let name = watch.unknown(container)?;
    watch.assumes(
        &format!("{what} the container {name}"),
        &format!("it contains {} (from `assume`)", assumed.shown()),
    );
    Some(assumed)
}

/// Shows an assumed content in a plan.
pub(super) trait AssumedContent {
    /// The content in quotes, shortened.
    fn shown(&self) -> String;
}

impl AssumedContent for String {
    fn shown(&self) -> String {
        if self.is_empty() { "nothing".to_owned() } else { shortened(self) }
    }
}

impl AssumedContent for Vec<String> {
    fn shown(&self) -> String {
        self.join("\n").shown()
    }
}

/// The time limit of a wait, and whether a plan assumes that it succeeds.
#[derive(Default)]
pub(super) struct Patience {
    pub timeout: Option<Duration>,
    pub assume: Option<bool>,
}

impl Patience {
    /// Parses a duration, or a map with `timeout` and `assume`.
    pub(super) fn read(value: &Dynamic) -> Result<Self, Failure> {
        if !value.is_map() {
            return Ok(Self { timeout: Some(duration_of(value)?), assume: None });
        }
        let mut options = Options::of(value, "options of a wait")?;
        let read = Self { timeout: options.duration("timeout")?, assume: options.bool(KEY)? };
        options.finish()?;
        Ok(read)
    }

    /// In a plan with `assume: false`, the failure of the wait.
    pub(super) fn refused(&self, context: &Context, what: &str) -> Option<Failure> {
        let watch = context.watch.as_ref().filter(|_| self.assume == Some(false))?;
        watch.assumes(what, "it does not happen in time (from `assume`)");
        Some(Failure::new(Kind::Timeout, format!("{what} is assumed not to happen in time")))
    }
}

/// In a plan, the assumed result of a command; the plan shows it.
pub(super) fn assumed_end(context: &Context, assumed: Option<ExecResult>) -> Option<ExecResult> {
    let (watch, ended) = (context.watch.as_ref()?, assumed?);
    let printed = String::from_utf8_lossy(&ended.stdout);
    let output = if printed.is_empty() {
        "no output".to_owned()
    } else {
        format!("output {}", shortened(&printed))
    };
    watch.answers(&format!("exit code {}, {output} (from `assume`)", ended.code)).then_some(ended)
}

/// The same for the answer to a request.
pub(super) fn assumed_response(
    context: &Context,
    assumed: Option<HttpResponse>,
) -> Option<HttpResponse> {
    let (watch, response) = (context.watch.as_ref()?, assumed?);
    let body = String::from_utf8_lossy(&response.body);
    let body = if body.is_empty() {
        "an empty body".to_owned()
    } else {
        format!("the body {}", shortened(&body))
    };
    watch
        .answers(&format!("status {}, {body} (from `assume`)", response.status))
        .then_some(response)
}

/// A text in quotes, shortened.
fn shortened(text: &str) -> String {
    let text = text.trim_end();
    let cut: String = text.chars().take(SHOWN).collect();
    format!("{:?}{}", cut, if cut.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use crate::host::sim::{CommandAnswer, HttpAnswer};

    #[test]
    fn a_run_goes_by_the_real_answer() {
        let trial = Harness::with(
            |host| {
                host.with_file("/usr/bin/count", "")
                    .with_mode("/usr/bin/count", 0o755)
                    .on_command(|_| Some(CommandAnswer::stdout("7")))
                    .on_http(|_| Some(HttpAnswer::status(503, "busy")))
            },
            "[allow]\ncommands = [\"count\"]\n",
            |_| {},
        );
        assert_eq!(trial.text(r#"sh(["count"], #{ assume: 1 }).int()"#), "7");
        assert_eq!(trial.text(r#"http::get("http://localhost/", #{ assume: 200 }).status"#), "503");
    }

    #[test]
    fn a_run_also_rejects_an_invalid_assumed_answer() {
        let trial = Harness::on(|host| host);
        for (script, message, hint) in [
            (
                r#"sh(["x"], #{ assume: #{ cod: 1, stdout: "" } })"#,
                "The parts of an assumed answer have no \"cod\"",
                "did you mean \"code\"?",
            ),
            (
                r#"sh(["x"], #{ assume: || 1 })"#,
                "An assumed answer is a text, a number, a list or a map, not a function",
                "",
            ),
            (
                r#"http::get("http://localhost/", #{ assume: 7 })"#,
                "7 is not an HTTP status",
                "use a number from 200 to 599, such as 404 or 503",
            ),
            (
                r#"http::get("http://localhost/", #{ assume: #{ healthy: true } })"#,
                "An assumed answer has no part \"healthy\"",
                "write the JSON as `body`: assume: #{ body: #{ … } }",
            ),
        ] {
            let failure = trial.fails(script);
            assert_eq!(
                (failure.kind.word(), failure.message.as_str()),
                ("usage", message),
                "{script}"
            );
            assert_eq!(failure.hint.unwrap_or_default(), hint, "{script}");
        }
    }
}
