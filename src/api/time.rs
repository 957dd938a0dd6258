//! `time::`: points in time, in UTC.

use std::time::Duration;

use rhai::plugin::{Dynamic, Engine, ImmutableString, NativeCallContext, export_module};

use super::duration::register_order;
use super::record::no_fields;
use super::{Raw, placed};
use crate::model::Failure;
use crate::value::Time;
use crate::value::text::literal;

/// Registers `time::`.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Time>("time");
    engine.register_static_module("time", shared_module!(module, "time"));
    engine.register_global_module(shared_module!(methods));
    register_order(engine, time_of);
    no_fields::<Time>(engine, "time");
}

/// A time, or its text.
fn time_of(value: &Dynamic) -> Result<Time, Failure> {
    if let Some(time) = value.read_lock::<Time>() {
        return Ok(*time);
    }
    let text = value.read_lock::<ImmutableString>().map(|text| text.to_string());
    let failure = || {
        Failure::usage(format!("{} is not a time", literal(value)))
            .hint("write it like \"2026-01-01T00:00:00Z\"")
    };
    text.and_then(|text| Time::parse(&text)).ok_or_else(failure)
}

fn beyond() -> Failure {
    Failure::usage("The time is out of range")
}

#[export_module]
mod module {
    /// The current time. Times can be compared with `<` and subtracted (the result is a duration),
    /// and are printed as RFC 3339 in UTC.
    ///
    /// ```rhai
    /// let deadline = time::now() + duration("5m");
    /// assert(time::now() < deadline);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn now(call: NativeCallContext) -> Raw<Time> {
        placed(&call, |context| Ok(Time(context.host.now())))
    }

    /// The current time as `20260101T000000000Z`, with milliseconds: for names that sort by time.
    /// Each call in a run returns a later stamp than the one before.
    ///
    /// ```rhai
    /// let folder = `backups/${time::stamp()}`;
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn stamp(call: NativeCallContext) -> Raw<String> {
        placed(&call, |context| Ok(context.script.next_stamp(context.host.now()).stamp()))
    }

    /// Parses a time in RFC 3339 form. Throws `usage` if the text is not a time.
    ///
    /// ```rhai
    /// let start = time::parse("2026-01-01T00:00:00Z");
    /// assert_eq(`${start + duration("1h")}`, "2026-01-01T01:00:00.000Z");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn parse(call: NativeCallContext, text: &str) -> Raw<Time> {
        placed(&call, |_| time_of(&text.into()))
    }
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
mod methods {
    /// Seconds since 1970.
    ///
    /// ```rhai
    /// assert_eq(time::parse("1970-01-01T00:01:00Z").unix, 60);
    /// ```
    #[rhai_fn(get = "unix", pure)]
    pub fn unix(time: &mut Time) -> i64 {
        time.0.timestamp()
    }

    /// The time as text: RFC 3339 in UTC, with milliseconds.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(time: &mut Time) -> String {
        time.to_string()
    }

    /// This time plus a duration.
    #[rhai_fn(name = "+", return_raw)]
    pub fn later(a: Time, b: Duration) -> Raw<Time> {
        Ok(a.later(b).ok_or_else(beyond)?)
    }

    /// This time minus a duration.
    #[rhai_fn(name = "-", return_raw)]
    pub fn earlier(a: Time, b: Duration) -> Raw<Time> {
        Ok(a.earlier(b).ok_or_else(beyond)?)
    }

    /// The duration from `b` to `a`. Throws `usage` if `b` is later, because a duration has no
    /// sign.
    #[rhai_fn(name = "-", return_raw)]
    pub fn between(a: Time, b: Time) -> Raw<Duration> {
        let failure = || {
            Failure::usage(format!("{b} is later than {a}"))
                .hint("subtract the earlier time from the later one")
        };
        Ok(a.since(b).ok_or_else(failure)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn the_time_is_the_hosts_and_can_be_reckoned_with() {
        let trial = Harness::new();
        for (script, expected) in [
            ("`${time::now()}`", "2026-01-01T00:00:00.000Z"),
            ("time::stamp()", "20260101T000000000Z"),
            (
                "[time::stamp(), time::stamp()].join(\" \")",
                "20260101T000000001Z 20260101T000000002Z",
            ),
            (
                "let start = time::now(); sleep(duration(\"90s\")); `${time::now() - start}`",
                "1m30s",
            ),
            ("`${time::now() + duration(\"1h\") - duration(\"30m\")}`", "2026-01-01T00:31:30.000Z"),
            ("time::now() > \"2025-12-31T23:59:59Z\"", "true"),
            (
                "time::parse(\"2026-01-01T01:00:00+01:00\") == time::parse(\"2026-01-01T00:00:00Z\")",
                "true",
            ),
            ("time::parse(\"1970-01-01T00:01:00Z\").unix", "60"),
            (
                "json::text(#{ at: time::parse(\"2026-01-01T00:00:00Z\") })",
                "{\"at\":\"2026-01-01T00:00:00.000Z\"}",
            ),
        ] {
            assert_eq!(trial.text(script), expected, "{script}");
        }
    }

    #[test]
    fn an_invalid_time_and_a_negative_duration_are_errors() {
        let trial = Harness::new();
        assert_eq!(
            trial.fails(r#"time::parse("yesterday")"#).message,
            "\"yesterday\" is not a time"
        );
        let failure = trial.fails(r#"let a = time::now(); sleep(duration("1s")); a - time::now()"#);
        assert_eq!(
            failure.message,
            "2026-01-01T00:00:01.000Z is later than 2026-01-01T00:00:00.000Z"
        );
        assert_eq!(trial.fails("time::now().tag").message, "A time has no field \"tag\"");
    }
}
