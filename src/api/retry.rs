//! `retry`, `wait_until`: repeat something until it works or the time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use rhai::{EvalAltResult, FnPtr};

use super::assume_option::Patience;
use super::context::{Context, ScriptObserver};
use super::control::{call, must_pass, not_bool, pause};
use super::{Raw, task};
use crate::model::event::{Event, Level};
use crate::model::time::{measured, readable};
use crate::model::{Failure, Kind};
use crate::value::Options;
use crate::value::error::{failure_of, refuse, refused};

/// The first pause of `wait_until`; it doubles up to [`LONGEST_POLL`].
const FIRST_POLL: Duration = Duration::from_millis(50);
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

/// The result of work with a time limit.
pub(super) struct TimedResult<T> {
    pub result: T,
    /// The limit passed before the work ended, so it was cancelled.
    pub late: bool,
}

/// Runs `work` in a task of its own that is cancelled after `limit`.
pub(super) fn within<T>(
    context: &Arc<Context>,
    limit: Option<Duration>,
    work: impl FnOnce() -> T,
) -> TimedResult<T> {
    let Some(limit) = limit else { return TimedResult { result: work(), late: false } };
    let token = task::current(context).child_token();
    let late = Arc::new(AtomicBool::new(false));
    let timer = {
        let (host, token, late) = (context.host.clone(), token.clone(), late.clone());
        context.executor.spawn(async move {
            host.sleep(limit).await;
            late.store(true, Ordering::SeqCst);
            token.cancel();
        })
    };
    let entered = task::enter(token);
    let result = work();
    let late = late.load(Ordering::SeqCst);
    // An error that ended the work ends the script too, unless it was the limit.
    let refusal = refused().filter(|failure| !(late && failure.kind == Kind::Interrupted));
    drop(entered);
    drop(timer);
    if let Some(failure) = refusal {
        refuse(&failure);
    }
    TimedResult { result, late }
}

/// The options of `retry`.
pub(super) struct Plan {
    times: u64,
    delay: Duration,
    backoff: f64,
    max_delay: Duration,
    timeout: Option<Duration>,
    /// `None` means every kind that another attempt may fix.
    kinds: Option<Vec<Kind>>,
}

impl Plan {
    pub(super) fn read(options: &Dynamic) -> Result<Self, Failure> {
        let mut read = match options.as_int() {
            Ok(times) => Options::new([("times".into(), times.into())].into(), "retry options"),
            Err(_) => Options::of(options, "retry options")?,
        };
        let kinds = match read.list_of_text("on")? {
            None => None,
            Some(words) => {
                Some(words.iter().map(|word| kind(&read, word)).collect::<Result<_, _>>()?)
            }
        };
        let plan = Self {
            times: read.count("times")?.unwrap_or(3),
            delay: read.duration("delay")?.unwrap_or(Duration::from_secs(1)),
            backoff: read.float("backoff")?.unwrap_or(2.0),
            max_delay: read.duration("max_delay")?.unwrap_or(Duration::from_secs(30)),
            timeout: read.duration("timeout")?,
            kinds,
        };
        if plan.times == 0 {
            return Err(read.wrong("times", "\"times\" of the retry options has to be at least 1"));
        }
        if !(1.0..=100.0).contains(&plan.backoff) {
            return Err(read.wrong(
                "backoff",
                "\"backoff\" of the retry options has to be a factor from 1 to 100",
            ));
        }
        read.finish()?;
        Ok(plan)
    }

    fn may_help(&self, failure: &Failure) -> bool {
        match &self.kinds {
            Some(kinds) => kinds.contains(&failure.kind),
            None => failure.kind != Kind::Usage,
        }
    }
}

fn kind(options: &Options, word: &str) -> Result<Kind, Failure> {
    Kind::from_word(word)
        .ok_or_else(|| options.wrong("on", format!("There is no error kind \"{word}\"")))
}

/// While this exists, a plan shows each step of the task on this thread once, however often it is
/// repeated.
struct RepeatGuard<'a> {
    watch: Option<&'a dyn ScriptObserver>,
    before: bool,
}

impl<'a> RepeatGuard<'a> {
    fn of(context: &'a Context) -> Self {
        let watch = context.watch.as_deref();
        Self { watch, before: watch.is_some_and(|watch| watch.repeats(true)) }
    }
}

impl Drop for RepeatGuard<'_> {
    fn drop(&mut self) {
        if let Some(watch) = self.watch {
            watch.repeats(self.before);
        }
    }
}

/// Repeats until an attempt works, another attempt can't help, or no attempts are left. Returns the
/// last error unchanged.
fn attempts(
    call_context: &NativeCallContext,
    context: &Context,
    plan: &Plan,
    f: &FnPtr,
    last: &mut Option<Failure>,
) -> Raw<Dynamic> {
    let mut delay = plan.delay;
    let _repeating = RepeatGuard::of(context);
    for attempt in 1..=plan.times {
        let error = match call(call_context, f) {
            Ok(value) => return Ok(value),
            Err(error) if must_pass(&error) => return Err(error),
            Err(error) => error,
        };
        let failure = failure_of(&error);
        if attempt == plan.times || !plan.may_help(&failure) {
            return Err(error);
        }
        let text = format!(
            "Attempt {attempt} of {} failed: {}; again in {}",
            plan.times,
            failure.message,
            readable(delay)
        );
        context.events.event(&Event::Log { level: Level::Info, text });
        *last = Some(failure);
        pause(context, delay)?;
        delay = delay.mul_f64(plan.backoff).min(plan.max_delay.max(plan.delay));
    }
    Err(Failure::new(Kind::Failed, "No attempt was made").into())
}

/// Polls until `f` returns true; keeps the last of its errors.
fn polls(
    call_context: &NativeCallContext,
    context: &Context,
    f: &FnPtr,
    last: &mut Option<Failure>,
) -> Raw<()> {
    let mut poll = FIRST_POLL;
    let _repeating = RepeatGuard::of(context);
    loop {
        match call(call_context, f) {
            Ok(value) => match value.as_bool() {
                Ok(true) => return Ok(()),
                Ok(false) => *last = None,
                Err(_) => return Err(not_bool("wait_until", &value).into()),
            },
            Err(error) if must_pass(&error) => return Err(error),
            Err(error) => {
                let failure = failure_of(&error);
                if failure.kind == Kind::Usage {
                    return Err(error);
                }
                *last = Some(failure);
            }
        }
        pause(context, poll)?;
        poll = (poll * 2).min(LONGEST_POLL);
    }
}

/// The timeout failure if the work was cancelled at its time limit; otherwise its own error.
fn late_or(
    late: bool,
    context: &Context,
    error: Box<EvalAltResult>,
    timeout: impl FnOnce() -> Failure,
) -> Box<EvalAltResult> {
    if ended_late(late, context, &error) { timeout().into() } else { error }
}

/// Whether work ended with `error` because its time was over.
fn ended_late(late: bool, context: &Context, error: &EvalAltResult) -> bool {
    late && failure_of(error).kind == Kind::Interrupted && !task::current(context).is_cancelled()
}

fn with_last(failure: Failure, last: Option<Failure>) -> Failure {
    match last {
        Some(last) => {
            let message = format!("{}: {}", failure.message, last.message);
            Failure {
                message,
                hint: last.hint,
                details: last.details,
                fields: last.fields,
                ..failure
            }
            .field("last", last.kind.word())
        }
        None => failure,
    }
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// Calls `f` until it does not throw, and returns its result. After the last attempt it throws
    /// the last error.
    ///
    /// `options` is the number of attempts, or a map: `times` (3), `delay` before the second
    /// attempt (`"1s"`), `backoff`, the factor by which the delay grows (2), `max_delay` (`"30s"`),
    /// `timeout` for all attempts together, `on`: the error kinds after which to try again (all but
    /// `usage`).
    ///
    /// ```rhai
    /// let answer = retry(#{ times: 5, delay: "10ms", on: ["exec", "unhealthy"] }, || 42);
    /// assert_eq(answer, 42);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn retry(call_context: NativeCallContext, options: Dynamic, f: FnPtr) -> Raw<Dynamic> {
        let context = Context::of(&call_context)?;
        let plan = Plan::read(&options)?;
        let mut last = None;
        let TimedResult { result, late } = within(&context, plan.timeout, || {
            attempts(&call_context, &context, &plan, &f, &mut last)
        });
        let limit = readable(plan.timeout.unwrap_or_default());
        result.map_err(|error| {
            late_or(late, &context, error, || {
                with_last(
                    Failure::new(Kind::Timeout, format!("No attempt succeeded within {limit}")),
                    last,
                )
            })
        })
    }

    /// Calls `f` until it returns true, and returns the time that this took. Errors of `f` count as
    /// false, except those of kind `usage`. The next call comes after 50 ms at first, then at
    /// growing intervals up to a second.
    ///
    /// After `timeout` it throws `timeout` with the last error's message, and ends `f` if it is
    /// still running. A plan can't observe changes of the live machine. So at this point it assumes
    /// that the condition became true. In place of the time, a map sets `timeout` and `assume`. With
    /// `assume: false`, a plan assumes that the condition does not become true.
    ///
    /// ```rhai
    /// let start = timestamp();
    /// wait_until("5s", || start.elapsed > duration("100ms"));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn wait_until(
        call_context: NativeCallContext,
        timeout: Dynamic,
        f: FnPtr,
    ) -> Raw<Duration> {
        let context = Context::of(&call_context)?;
        let patience = Patience::read(&timeout)?;
        let wrong = || {
            Failure::usage("wait_until needs a time limit")
                .hint("write it like \"1m\", or #{ timeout: \"1m\" }")
        };
        let timeout = patience.timeout.ok_or_else(wrong)?;
        if let Some(failure) = patience.refused(&context, "The condition") {
            return Err(failure.into());
        }
        let start = context.host.monotonic();
        let mut last = None;
        let TimedResult { result, late } =
            within(&context, Some(timeout), || polls(&call_context, &context, &f, &mut last));
        let waited = measured(context.host.monotonic().saturating_sub(start));
        let message = || format!("The condition did not become true within {}", readable(timeout));
        // A plan can't observe changes of the live machine.
        if let (Err(error), Some(watch)) = (&result, &context.watch)
            && ended_late(late, &context, error)
        {
            watch.awaits_condition();
            return Ok(waited);
        }
        result.map(|()| waited).map_err(|error| {
            late_or(late, &context, error, || {
                with_last(Failure::new(Kind::Timeout, message()), last)
            })
        })
    }
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
    fn retry_calls_again_with_growing_pauses_until_it_works() {
        let run = Harness::new();
        let script = r#"
            let calls = 0;
            retry(#{ times: 5, delay: "1s" }, || { calls += 1; if calls < 4 { fail("exec", `call ${calls}`); } calls })"#;
        assert_eq!(run.text(script), "4");
        assert_eq!(run.sim.now(), Duration::from_secs(1 + 2 + 4));
    }

    #[test]
    fn retry_throws_the_last_error_and_none_is_retried_that_cannot_help() {
        let run = Harness::new();
        assert_eq!(
            run.fails(r#"let n = 0; retry(2, || { n += 1; fail("exec", `call ${n}`) })"#).message,
            "call 2"
        );
        assert_eq!(run.fails(r#"retry(#{ on: ["lock"] }, || fail("exec", "no"))"#).message, "no");
        assert_eq!(run.sim.now(), Duration::from_secs(1));
        assert_eq!(
            run.fails("retry(9, || [].nonsense())").message,
            "There is no function nonsense(list)"
        );
        assert_eq!(run.sim.now(), Duration::from_secs(1));
    }

    #[test]
    fn retry_under_a_timeout_ends_what_runs_and_says_the_last_error() {
        let run = Harness::new();
        let script = r#"let n = 0; retry(#{ timeout: "10s" }, || { n += 1; if n > 1 { sleep("1h"); } fail("exec", "exit 1") })"#;
        let failure = run.fails(script);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("timeout", "No attempt succeeded within 10 s: exit 1")
        );
        assert_eq!(run.sim.now(), Duration::from_secs(10));
    }

    #[test]
    fn retry_options_are_checked() {
        let run = Harness::new();
        assert_eq!(
            run.fails("retry(#{ attempts: 3 }, || 1)").message,
            "The retry options have no \"attempts\""
        );
        assert_eq!(
            run.fails("retry(#{ on: [\"exce\"] }, || 1)").message,
            "There is no error kind \"exce\""
        );
        assert_eq!(
            run.fails("retry(0, || 1)").message,
            "\"times\" of the retry options has to be at least 1"
        );
    }

    #[test]
    fn wait_until_polls_until_true() {
        let run = Harness::new();
        assert_eq!(
            run.text(
                "let n = 0; let took = wait_until(\"1m\", || { n += 1; n > 3 }); `${took} ${n}`"
            ),
            "350ms 4"
        );
    }

    #[test]
    fn wait_until_says_how_long_and_the_last_error() {
        let run = Harness::new();
        let failure = run.fails(r#"wait_until("10s", || fail("exec", "connection refused"))"#);
        assert_eq!(
            failure.message,
            "The condition did not become true within 10 s: connection refused"
        );
        assert_eq!((failure.kind.word(), run.sim.now()), ("timeout", Duration::from_secs(10)));
        assert_eq!(
            run.fails(r#"wait_until("1s", || "yes")"#).message,
            "The function of wait_until has to return true or false, not a string"
        );
        assert_eq!(
            run.fails(r"wait_until(30, || true)").hint.unwrap(),
            "add a unit: \"30s\" or \"30m\""
        );
    }

    #[test]
    fn a_refusal_or_an_interrupt_is_not_swallowed_by_a_limit() {
        for kind in ["policy", "interrupted"] {
            for call in ["retry(#{ timeout: \"1h\" }, f)", "wait_until(\"1h\", f)", "retry(3, f)"] {
                let run = Harness::new();
                let script = format!(
                    "let f = || {{ try {{ fail(\"{kind}\", \"no\") }} catch {{ }} }}; try {{ {call} }} catch {{ }} print(\"went on\")"
                );
                assert_eq!(run.fails(&script).kind.word(), kind, "{call}");
                assert_eq!(run.printed(), Vec::<String>::new(), "{call}");
            }
        }
    }

    #[test]
    fn an_endless_loop_ends_with_the_timeout_and_can_be_caught() {
        let run = Harness::new();
        let script = r#"attempt(|| wait_until("1s", || { loop { sleep("10ms"); } })).error.kind"#;
        assert_eq!(run.text(script), "timeout");
    }
}
