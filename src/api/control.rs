//! `attempt`, `fail`, `sleep`, `timestamp`: errors as values, and time.

use std::time::Duration;

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use rhai::{EvalAltResult, FnPtr, Map};

use super::context::Context;
use super::{Raw, task};
use crate::model::suggest::did_you_mean;
use crate::model::time::measured;
use crate::model::{Failure, Kind};
use crate::value::error::{error_map, failure_of, forget_thrown, innermost, is_final};
use crate::value::json::to_json;
use crate::value::options::number;
use crate::value::text::{literal, plain};
use crate::value::{Record, type_names};

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Timestamp>("timestamp");
    engine.register_global_module(shared_module!(functions));
}

/// A point in time of the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(Duration);

/// Calls a function of the script without arguments.
pub(super) fn call(context: &NativeCallContext, function: &FnPtr) -> Raw<Dynamic> {
    function.call_raw(context, None, []).map(Dynamic::flatten)
}

/// Whether an error must reach the end of the run although the script catches errors: an interrupt,
/// a policy violation, help.
pub(super) fn must_pass(error: &EvalAltResult) -> bool {
    match innermost(error).0 {
        EvalAltResult::ErrorTerminated(..) => true,
        inner if inner.is_pseudo_error() => true,
        _ => is_final(&failure_of(error)),
    }
}

/// The map of a caught error, with its `place` (`up.rhai:3:5`).
pub(super) fn caught(context: &NativeCallContext, error: &EvalAltResult) -> Map {
    let mut map = error_map(&failure_of(error));
    let (inner, source) = innermost(error);
    let position = inner.position();
    if let (Some(source), Some(line)) = (source.or(context.call_source()), position.line()) {
        let place = format!("{source}:{line}:{}", position.position().unwrap_or(1));
        map.entry("place".into()).or_insert_with(|| place.into());
    }
    map
}

/// Sleeps on the executor. Ends early with the task.
pub(super) fn pause(context: &Context, time: Duration) -> Result<(), Failure> {
    task::wait(context, async {
        context.host.sleep(time).await;
        Ok(())
    })
}

/// A failure that the script itself creates.
fn failure(kind: &str, message: &str, fields: &Map) -> Result<Failure, Failure> {
    let Some(kind) = Kind::from_word(kind) else {
        let failure = Failure::usage(format!("There is no error kind \"{kind}\""));
        return Err(match did_you_mean(kind, Kind::ALL.iter().map(|kind| kind.word())) {
            Some(hint) => failure.hint(hint),
            None => failure,
        });
    };
    let mut failure = Failure::new(kind, message);
    for (name, value) in fields {
        match name.as_str() {
            "hint" => failure.hint = Some(plain(value)),
            "kind" | "message" => {
                return Err(Failure::usage(format!(
                    "fail takes its {name} as an argument, not as a field"
                )));
            }
            _ => failure = failure.field(name, to_json(value)?),
        }
    }
    Ok(failure)
}

fn seconds(value: &Dynamic) -> Result<Duration, Failure> {
    let seconds = number(value).unwrap_or(f64::NAN);
    Duration::try_from_secs_f64(seconds).map_err(|_| {
        Failure::usage(format!("Can't sleep for {} seconds", literal(value)))
            .hint("take a duration: sleep(\"30s\")")
    })
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// Calls `f` and returns an error as a value instead of throwing it.
    ///
    /// The result has `ok`, `value` (the result of `f`, or `()`) and `error`: `()`, or a map with
    /// `kind`, `message`, `hint`, `place` and the error's own fields. Errors of the script itself
    /// have the kind `usage`. A value that was thrown with `throw` and is not an error map has the
    /// kind `failed`. Interrupts and policy violations are not caught.
    ///
    /// ```rhai
    /// let tried = attempt(|| "5 apples".int());
    /// if !tried.ok { print(tried.error.message); }
    /// ```
    #[rhai_fn(return_raw)]
    pub fn attempt(context: NativeCallContext, f: FnPtr) -> Raw<Record> {
        let (ok, value, error) = match call(&context, &f) {
            Ok(value) => (true, value, Dynamic::UNIT),
            Err(error) if must_pass(&error) => return Err(error),
            Err(error) => {
                // This error is handled here, so no `catch` handles it.
                forget_thrown();
                if let Some(watch) = &Context::of(&context)?.watch {
                    let at = context.call_source().zip(context.call_position().line());
                    watch.handles_error(at, "attempt continues", &failure_of(&error).message);
                }
                (false, Dynamic::UNIT, caught(&context, &error).into())
            }
        };
        let fields = [("ok".into(), ok.into()), ("value".into(), value), ("error".into(), error)];
        Ok(Record::new("answer of attempt", fields))
    }

    /// Ends the script, or the `attempt` around it, with an error of this `kind`: `usage`,
    /// `not_found`, `conflict`, `unhealthy`, `timeout`, `image`, `build`, `exec`, `engine`,
    /// `policy`, `lock`, `interrupted` or `failed`.
    ///
    /// ```rhai
    /// let tried = attempt(|| fail("unhealthy", "no worker answers"));
    /// assert_eq(tried.error.kind, "unhealthy");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn fail(kind: &str, message: &str) -> Raw<()> {
        Err(failure(kind, message, &Map::new())?.into())
    }

    /// Ends the script, or the `attempt` around it, with an error of this `kind` and with `fields`;
    /// `hint` is the next step for the reader.
    ///
    /// ```rhai
    /// let tried = attempt(|| fail("conflict", "the database runs", #{ hint: "stop it first", service: "db" }));
    /// assert_eq(tried.error.service, "db");
    /// ```
    #[rhai_fn(name = "fail", return_raw)]
    pub fn fail_with_fields(kind: &str, message: &str, fields: Map) -> Raw<()> {
        Err(failure(kind, message, &fields)?.into())
    }

    /// Waits for a duration. An interrupt ends it.
    ///
    /// ```rhai
    /// sleep("50ms");
    /// ```
    #[rhai_fn(name = "sleep", return_raw, volatile)]
    pub fn sleep_text(context: NativeCallContext, time: &str) -> Raw<()> {
        let time = crate::model::time::parse_duration(time).map_err(Failure::usage)?;
        Ok(pause(&*Context::of(&context)?, time)?)
    }

    /// Waits for a duration. An interrupt ends it.
    ///
    /// ```rhai
    /// sleep(duration("50ms") * 2);
    /// ```
    #[rhai_fn(name = "sleep", return_raw, volatile)]
    pub fn sleep_duration(context: NativeCallContext, time: Duration) -> Raw<()> {
        Ok(pause(&*Context::of(&context)?, time)?)
    }

    /// Waits for a number of seconds. An interrupt ends it.
    ///
    /// ```rhai
    /// sleep(1);
    /// ```
    #[rhai_fn(name = "sleep", return_raw, volatile)]
    pub fn sleep_seconds(context: NativeCallContext, seconds: i64) -> Raw<()> {
        Ok(pause(&*Context::of(&context)?, super::seconds(&seconds.into())?)?)
    }

    /// Waits for a number of seconds. An interrupt ends it.
    ///
    /// ```rhai
    /// sleep(0.5);
    /// ```
    #[rhai_fn(name = "sleep", return_raw, volatile)]
    pub fn sleep_fraction(context: NativeCallContext, seconds: f64) -> Raw<()> {
        Ok(pause(&*Context::of(&context)?, super::seconds(&seconds.into())?)?)
    }

    /// The current time, for measurements: `.elapsed` is the duration since then, and the
    /// difference of two is the duration between them.
    ///
    /// ```rhai
    /// let start = timestamp();
    /// sleep("10ms");
    /// print(start.elapsed);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn timestamp(context: NativeCallContext) -> Raw<Timestamp> {
        Ok(Timestamp(Context::of(&context)?.host.monotonic()))
    }

    /// The duration since then.
    #[rhai_fn(name = "elapsed", get = "elapsed", pure, return_raw, volatile)]
    pub fn elapsed(context: NativeCallContext, start: &mut Timestamp) -> Raw<Duration> {
        Ok(measured(Context::of(&context)?.host.monotonic().saturating_sub(start.0)))
    }

    /// The duration from `start` to `end`; zero if `start` is later.
    #[rhai_fn(name = "-")]
    pub fn between(end: Timestamp, start: Timestamp) -> Duration {
        measured(end.0.saturating_sub(start.0))
    }

    /// `exit` does not exist; its message says what to use.
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit() -> Raw<()> {
        Err(no_exit().into())
    }

    /// `exit` does not exist; its message says what to use.
    #[rhai_fn(name = "exit", return_raw)]
    pub fn exit_with(_value: Dynamic) -> Raw<()> {
        Err(no_exit().into())
    }
}

fn no_exit() -> Failure {
    Failure::usage("There is no function \"exit\"")
        .hint("return ends the script without an error; fail(kind, message) ends it with an error")
}

/// The error if a function returns a value of the wrong type.
pub(super) fn not_bool(who: &str, value: &Dynamic) -> Failure {
    Failure::usage(format!(
        "The function of {who} has to return true or false, not {}",
        type_names::a(value)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use std::time::Duration;

    #[test]
    fn every_example_runs() {
        Harness::examples(super::register);
    }

    #[test]
    fn attempt_gives_a_value_or_an_error_alike_whatever_was_thrown() {
        let run = Harness::new();
        assert_eq!(run.text("attempt(|| 5)"), "#{error: (), ok: true, value: 5}");
        for (thrown, expected) in [
            (r#"throw "no""#, r"failed: no"),
            (r"throw 42", r"failed: 42"),
            (r#"throw #{ kind: "exec", message: "exit 1" }"#, "exec: exit 1"),
            (r#"fail("lock", "taken")"#, "lock: taken"),
            (r"1 / 0", "usage: Division by zero: 1 / 0"),
            (
                r"nothing_of_that_name(1)",
                "usage: There is no function nothing_of_that_name(integer)",
            ),
            (r#"fail("helthy", "x")"#, "usage: There is no error kind \"helthy\""),
        ] {
            let script =
                format!("let e = attempt(|| {{ {thrown} }}).error; `${{e.kind}}: ${{e.message}}`");
            assert_eq!(run.text(&script), expected, "{thrown}");
        }
    }

    #[test]
    fn an_error_keeps_its_fields_and_says_its_place() {
        let run = Harness::new();
        let script = r#"
            let e = attempt(|| fail("conflict", "taken", #{ hint: "stop it", port: 80 })).error;
            [e.kind, e.hint, e.port, e.place]"#;
        assert_eq!(run.text(script), r#"["conflict", "stop it", 80, "test.rhai:2:32"]"#);
    }

    #[test]
    fn an_interrupt_and_a_refusal_are_not_caught_by_anything() {
        for kind in ["interrupted", "policy"] {
            let run = Harness::new();
            let script = format!(
                "try {{ attempt(|| fail(\"{kind}\", \"stop\")); }} catch {{ print(\"caught\"); while true {{}} }} print(\"went on\")"
            );
            assert_eq!(run.fails(&script).kind.word(), kind);
            assert_eq!(run.printed(), Vec::<String>::new());
        }
    }

    #[test]
    fn sleep_takes_text_durations_and_seconds_in_virtual_time() {
        let run = Harness::new();
        run.text(r#"sleep("1m"); sleep(duration("30s")); sleep(2); sleep(0.5);"#);
        assert_eq!(run.sim.now(), Duration::from_millis(92_500));
        assert_eq!(run.fails("sleep(-1)").message, "Can't sleep for -1 seconds");
        assert_eq!(
            run.fails("sleep(\"soon\")").message,
            "\"soon\" is not a duration; write it like \"1m30s\" or \"500ms\""
        );
    }

    #[test]
    fn a_cancelled_run_ends_a_sleep_and_an_endless_loop() {
        for script in [
            r#"sleep("1h")"#,
            "loop {}",
            "let f = || loop {}; attempt(f)",
            "fn f() { loop {} } f()",
        ] {
            let run = Harness::new();
            run.context.cancel.cancel();
            assert_eq!(run.fails(script).kind.word(), "interrupted", "{script}");
        }
    }

    #[test]
    fn elapsed_time_is_the_hosts() {
        let run = Harness::new();
        assert_eq!(run.text("let t = timestamp(); sleep(\"90s\"); `${t.elapsed}`"), "1m30s");
        assert_eq!(run.text("let t = timestamp(); sleep(\"2s\"); `${timestamp() - t}`"), "2s");
    }

    #[test]
    fn exit_is_refused_with_what_to_write() {
        assert_eq!(Harness::new().fails("exit(3)").message, "There is no function \"exit\"");
    }
}
