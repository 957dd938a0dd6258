//! `duration`: times that can be compared and added, not strings.

use std::cmp::Ordering;
use std::time::Duration;

use rhai::plugin::{Dynamic, Engine, ImmutableString, export_module};

use super::record::no_fields;
use super::{Raw, comparisons};
use crate::model::Failure;
use crate::model::time::{LONGEST, TOO_LONG, format_duration};
use crate::value::options::duration_of;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Duration>("duration");
    engine.register_global_module(shared_module!(functions));
    register_order(engine, duration_of);
    no_fields::<Duration>(engine, "duration");
}

type Operator = (&'static str, fn(Ordering) -> bool);

const ORDER: [Operator; 6] = [
    ("==", Ordering::is_eq),
    ("!=", Ordering::is_ne),
    ("<", Ordering::is_lt),
    ("<=", Ordering::is_le),
    (">", Ordering::is_gt),
    (">=", Ordering::is_ge),
];

/// Registers the comparisons of a type with itself and with its text form: `took > "30s"`.
pub(super) fn register_order<T>(engine: &mut Engine, read: fn(&Dynamic) -> Result<T, Failure>)
where
    T: Ord + Clone + Send + Sync + 'static,
{
    comparisons::against_numbers::<T>(engine);
    for (operator, holds) in ORDER {
        engine.register_fn(operator, move |left: T, right: T| holds(left.cmp(&right)));
        engine.register_fn(operator, move |left: T, right: ImmutableString| -> Raw<bool> {
            Ok(holds(left.cmp(&read(&right.into())?)))
        });
        engine.register_fn(operator, move |left: ImmutableString, right: T| -> Raw<bool> {
            Ok(holds(read(&left.into())?.cmp(&right)))
        });
    }
}

fn too_long() -> Failure {
    Failure::usage(format!("The duration is too long: {TOO_LONG}"))
}

fn scaled(time: Duration, factor: f64) -> Raw<Duration> {
    let seconds = time.as_secs_f64() * factor;
    let scaled = Duration::try_from_secs_f64(seconds).map_err(|_| {
        Failure::usage(format!("{} times {factor} is not a duration", format_duration(time)))
    })?;
    if scaled > LONGEST { Err(too_long().into()) } else { Ok(scaled) }
}

#[expect(clippy::cast_precision_loss, reason = "a factor of a duration")]
fn float(number: i64) -> f64 {
    number as f64
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// A duration, from Compose's notation: numbers with `us ms s m h`. Durations can be compared,
    /// added and multiplied; `.seconds` is a float, `.millis` an integer, and a printed duration
    /// has the same notation again.
    /// Throws `usage` if the text is not a duration.
    ///
    /// ```rhai
    /// assert_eq(duration("1m30s").seconds, 90.0);
    /// assert(duration("2m") > duration("90s"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn duration(text: &str) -> Raw<Duration> {
        Ok(crate::model::time::parse_duration(text).map_err(Failure::usage)?)
    }

    /// The same duration, for options that may be text or a duration.
    #[rhai_fn(name = "duration")]
    pub fn duration_itself(time: Duration) -> Duration {
        time
    }

    /// A number without a unit is not a duration; its message says what to write.
    #[rhai_fn(name = "duration", return_raw)]
    pub fn duration_of_number(number: i64) -> Raw<Duration> {
        Ok(duration_of(&number.into())?)
    }

    /// The duration in seconds.
    #[rhai_fn(get = "seconds", pure)]
    pub fn seconds(time: &mut Duration) -> f64 {
        time.as_secs_f64()
    }

    /// The duration in whole milliseconds.
    #[rhai_fn(get = "millis", pure)]
    pub fn millis(time: &mut Duration) -> i64 {
        i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(time: &mut Duration) -> String {
        format_duration(*time)
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn add(left: Duration, right: Duration) -> Raw<Duration> {
        Ok(left.checked_add(right).filter(|sum| *sum <= LONGEST).ok_or_else(too_long)?)
    }

    #[rhai_fn(name = "-", return_raw)]
    pub fn subtract(left: Duration, right: Duration) -> Raw<Duration> {
        let negative = || {
            Failure::usage(format!(
                "{} is less than {}",
                format_duration(left),
                format_duration(right)
            ))
        };
        Ok(left.checked_sub(right).ok_or_else(negative)?)
    }

    #[rhai_fn(name = "*", return_raw)]
    pub fn times(time: Duration, factor: i64) -> Raw<Duration> {
        scaled(time, float(factor))
    }

    #[rhai_fn(name = "*", return_raw)]
    pub fn times_float(time: Duration, factor: f64) -> Raw<Duration> {
        scaled(time, factor)
    }

    #[rhai_fn(name = "*", return_raw)]
    pub fn of_times(factor: i64, time: Duration) -> Raw<Duration> {
        scaled(time, float(factor))
    }

    #[rhai_fn(name = "*", return_raw)]
    pub fn of_times_float(factor: f64, time: Duration) -> Raw<Duration> {
        scaled(time, factor)
    }

    #[rhai_fn(name = "/", return_raw)]
    pub fn divided(time: Duration, by: i64) -> Raw<Duration> {
        scaled(time, 1.0 / float(by))
    }

    #[rhai_fn(name = "/", return_raw)]
    pub fn divided_by_float(time: Duration, by: f64) -> Raw<Duration> {
        scaled(time, 1.0 / by)
    }

    /// How many times longer this duration is than the other one.
    #[rhai_fn(name = "/")]
    pub fn ratio(left: Duration, right: Duration) -> f64 {
        left.as_secs_f64() / right.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn every_example_runs() {
        Harness::examples(super::register);
    }

    #[test]
    fn durations_are_read_compared_and_written_back() {
        let run = Harness::new();
        for (script, expected) in [
            (r#"`${duration("90s")}`"#, "1m30s"),
            (r#"duration("1m30s").seconds"#, "90.0"),
            (r#"duration("1.5s").millis"#, "1500"),
            (r#"duration("2m") > duration("90s")"#, "true"),
            (r#"duration("90s") == duration("1m30s")"#, "true"),
            (r#"duration("90s") != "1m30s""#, "false"),
            (r#""10s" < duration("9s")"#, "false"),
            (r#"`${duration("1m") + duration("30s") - duration("10s")}`"#, "1m20s"),
            (r#"`${duration("10s") * 3 / 2}`"#, "15s"),
            (r#"duration("1m") / duration("20s")"#, "3.0"),
            (r#"[duration("1s"), #{ bake: duration("2s") }]"#, "[1s, #{bake: 2s}]"),
            (r#"type_of(duration("1s"))"#, "duration"),
        ] {
            assert_eq!(run.text(script), expected, "{script}");
        }
    }

    #[test]
    fn an_invalid_duration_is_rejected_with_a_suggested_fix() {
        let run = Harness::new();
        assert_eq!(
            run.fails(r#"duration("soon")"#).message,
            "\"soon\" is not a duration; write it like \"1m30s\" or \"500ms\""
        );
        assert_eq!(run.fails("duration(30)").hint.unwrap(), "add a unit: \"30s\" or \"30m\"");
        assert_eq!(run.fails(r#"duration("1s") - duration("2s")"#).message, "1s is less than 2s");
        assert_eq!(run.fails(r#"duration("1s") * -1"#).message, "1s times -1 is not a duration");
        assert_eq!(run.fails(r#"duration("1s") / 0"#).message, "1s times inf is not a duration");
        assert_eq!(run.fails(r#"duration("1s") > "soon""#).kind.word(), "usage");
        assert_eq!(run.fails(r#"duration("1s").tag"#).message, "A duration has no field \"tag\"");
        assert_eq!(
            run.fails(r#"duration("1s").minutes"#).message,
            "A duration has no field \"minutes\""
        );
    }
}
