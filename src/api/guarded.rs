//! `guarded`: holds the project's lock and an undo list while a function runs.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Dynamic, EvalAltResult, FnPtr, NativeCallContext};
use tokio_util::sync::CancellationToken;

use super::Raw;
use super::context::Context;
use super::exec::GO_ON;
use super::project::{finish, verb_context};
use super::saved_options::kept_meanwhile;
use super::stack::Stack;
use super::task;
use super::unfinished_guards::Record;
use crate::apply::execute::{DONE, GOES_ON};
use crate::apply::lock;
use crate::model::event::{Event, Level};
use crate::model::time::readable;
use crate::model::{Failure, Kind};
use crate::value::error::{amended, failure_of};
use crate::value::options::duration_of;

/// The default time limit of one entry of the list.
const UNDO_LIMIT: Duration = Duration::from_secs(120);

/// The undo list of a guarded function: `g` in `|g| …`.
#[derive(Clone)]
pub struct Guard {
    entries: Arc<Mutex<Entries>>,
    record: Record,
}

#[derive(Default)]
struct Entries {
    undo: Vec<Entry>,
    always: Vec<Entry>,
    committed: bool,
}

/// One function that runs at the end.
struct Entry {
    what: String,
    function: FnPtr,
    limit: Duration,
}

fn run(
    call: &NativeCallContext,
    stack: &Stack,
    label: &str,
    function: &FnPtr,
) -> Result<Dynamic, Box<EvalAltResult>> {
    let context = stack.context.clone();
    Record::check(&context, &stack.name)?;
    let nested = context.script.held_lock(&stack.name).is_some();
    if !nested {
        let lock = finish(&context, async {
            let ctx = verb_context(&context, &stack.name).await?;
            let lock = lock::acquire(&ctx, &stack.name, ctx.lock_patience()).await?;
            match kept_meanwhile(&context, &stack.name) {
                Ok(()) => Ok(lock),
                Err(failure) => lock.release().await.and(Err(failure)),
            }
        })?;
        context.script.hold_lock(&stack.name, Arc::new(lock));
    }
    let guard = Guard {
        entries: Arc::new(Mutex::new(Entries::default())),
        record: Record::begin(&context, &stack.name, label),
    };
    context.script.options.defer(&stack.name);
    let result = function.call_within_context::<Dynamic>(call, (guard.clone(),));
    let is_undone = result.is_err() && guard.undoes();
    if let (Err(error), Some(watch)) = (&result, &context.watch)
        && is_undone
    {
        let at = call.call_source().zip(call.call_position().line());
        watch.handles_error(
            at,
            &format!("guarded \"{label}\" undoes its steps"),
            &failure_of(error).message,
        );
    }
    let undone = guard.to_undo(result.is_err());
    let troubles = clean_up(call, &context, label, &guard, result.is_err());
    context.script.options.decide(&context.run, &stack.name, !is_undone);
    guard.record.end(if is_undone {
        troubles.iter().map(|(what, _)| what.clone()).collect()
    } else {
        Vec::new()
    });
    if !nested && let Some(lock) = context.script.take_lock(&stack.name) {
        let released = finish(&context, async {
            match Arc::into_inner(lock) {
                Some(lock) => lock.release().await,
                None => Ok(()),
            }
        });
        if let Err(failure) = released {
            context
                .events
                .event(&Event::Log { level: Level::Warning, text: format!("{label}: {failure}") });
        }
    }
    match (result, troubles) {
        (Ok(value), troubles) => match troubles.into_iter().next() {
            None => Ok(value),
            Some((what, failure)) => Err(Failure {
                message: format!("{label}: could not {what}: {}", failure.message),
                ..failure
            }
            .into()),
        },
        (Err(error), troubles) => {
            Err(amended(error, |failure| with_outcome(failure, label, &undone, troubles)))
        }
    }
}

/// Adds the result of the undo list to a failure. Removes the hint that another run continues from
/// here, because the undo may have reverted earlier work.
fn with_outcome(
    mut failure: Failure,
    label: &str,
    undone: &[String],
    troubles: Vec<(String, Failure)>,
) -> Failure {
    if !undone.is_empty() {
        let advises = |hint: &str| {
            hint.strip_suffix(GO_ON)
                .or_else(|| hint.strip_suffix(GOES_ON))
                .map(|rest| rest.trim_end_matches([';', ' ']).to_owned())
        };
        failure.hint =
            failure.hint.map(|hint| advises(&hint).unwrap_or(hint)).filter(|hint| !hint.is_empty());
        if let Some(done) = failure.details.iter_mut().find(|detail| detail.title == DONE) {
            "done before the undo".clone_into(&mut done.title);
        }
    }
    for what in undone.iter().filter(|what| !troubles.iter().any(|(trouble, _)| trouble == *what)) {
        failure = failure.detail(format!("undone by guarded \"{label}\""), what.clone());
    }
    for (what, trouble) in troubles {
        failure = failure.detail(format!("could not {what}"), trouble.message);
    }
    failure
}

/// Runs the undo entries, last first, then the entries that always run. Each has its own token and
/// time limit. So an interrupt does not stop it, and one that hangs does not block the others.
fn clean_up(
    call: &NativeCallContext,
    context: &Arc<Context>,
    label: &str,
    guard: &Guard,
    failed: bool,
) -> Vec<(String, Failure)> {
    let entries = std::mem::take(&mut *guard.entries.lock());
    let undo = if failed && !entries.committed { entries.undo } else { Vec::new() };
    let mut troubles = Vec::new();
    let undo = undo.into_iter().rev().map(|entry| (entry, true));
    for (Entry { what, function, limit }, undoes) in
        undo.chain(entries.always.into_iter().rev().map(|entry| (entry, false)))
    {
        context.events.event(&Event::Log { level: Level::Info, text: format!("{label}: {what}") });
        let token = CancellationToken::new();
        let _entered = task::enter(token.clone());
        let _deadline = context.executor.spawn({
            let (pause, token) = (context.host.sleep(limit), token.clone());
            async move {
                pause.await;
                token.cancel();
            }
        });
        if let Err(error) = function.call_within_context::<Dynamic>(call, ()) {
            let failure = failure_of(&error);
            let is_late = token.is_cancelled() && failure.kind == Kind::Interrupted;
            let late = || {
                Failure::new(Kind::Timeout, format!("it did not end within {}", readable(limit)))
            };
            troubles.push((what, if is_late { late() } else { failure }));
        } else if undoes {
            guard.record.undone(&what);
        }
    }
    troubles
}

impl Guard {
    /// Whether the list would undo something now.
    fn undoes(&self) -> bool {
        let entries = self.entries.lock();
        !entries.committed && !entries.undo.is_empty()
    }

    /// The entries to undo, last first, if the function `failed`.
    fn to_undo(&self, failed: bool) -> Vec<String> {
        let entries = self.entries.lock();
        if failed && !entries.committed {
            entries.undo.iter().rev().map(|entry| entry.what.clone()).collect()
        } else {
            Vec::new()
        }
    }

    fn with(&self, change: impl FnOnce(&mut Entries)) {
        change(&mut self.entries.lock());
    }
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// Call `function` with an undo list, while holding the project's lock. After an error, an
    /// interrupt or a policy violation the entries of the list run, last first.
    ///
    /// ```
    /// guarded(stack("shop", #{ services: #{} }), "restore", |g| {
    ///     g.undo("drop the copy", || log::info("dropped"));
    ///     g.commit();
    /// });
    /// ```
    #[rhai_fn(name = "guarded", return_raw)]
    pub fn guarded(
        context: NativeCallContext,
        stack: Stack,
        label: &str,
        function: FnPtr,
    ) -> Raw<Dynamic> {
        run(&context, &stack, label, &function)
    }

    /// Run `function` if the guarded function fails before `commit`. It may take two minutes.
    #[rhai_fn(name = "undo", pure)]
    pub fn undo(guard: &mut Guard, what: &str, function: FnPtr) {
        guard.record.add(what);
        guard.with(|entries| {
            entries.undo.push(Entry { what: what.to_owned(), function, limit: UNDO_LIMIT })
        });
    }

    /// The same with another time limit: `g.undo("restore the dump", || …, "10m")`.
    #[rhai_fn(name = "undo", return_raw, pure)]
    pub fn undo_within(
        guard: &mut Guard,
        what: &str,
        function: FnPtr,
        timeout: Dynamic,
    ) -> Raw<()> {
        let limit = duration_of(&timeout)?;
        guard.record.add(what);
        guard.with(|entries| entries.undo.push(Entry { what: what.to_owned(), function, limit }));
        Ok(())
    }

    /// Run `function` at the end in any case. It may take two minutes.
    #[rhai_fn(name = "always", pure)]
    pub fn always(guard: &mut Guard, what: &str, function: FnPtr) {
        guard.with(|entries| {
            entries.always.push(Entry { what: what.to_owned(), function, limit: UNDO_LIMIT })
        });
    }

    /// From here on nothing is undone.
    #[rhai_fn(name = "commit", pure)]
    pub fn commit(guard: &mut Guard) {
        guard.record.end(Vec::new());
        guard.with(|entries| entries.committed = true);
    }

    /// An undo list has no tag.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(guard: &mut Guard) -> Raw<Dynamic> {
        let _ = guard;
        Err(Failure::usage("An undo list has no \"tag\"").into())
    }
}

/// Registers the type and its functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Guard>("undo list");
    engine.register_global_module(shared_module!(functions));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::harness::Harness;
    use crate::engine::sim::SimEngine;
    use crate::host::sim::executor::SimTaskExecutor;

    #[test]
    fn an_entry_that_hangs_keeps_no_other_from_being_done() {
        let sim = SimTaskExecutor::new(1);
        let engine = SimEngine::builder(sim.clone()).build();
        let trial = Harness::on_engine(&sim, std::sync::Arc::new(engine), |host| host, "");
        let script = r#"
            let done = [];
            let shop = stack("shop", #{ services: #{} });
            let failed = attempt(|| guarded(shop, "change", |g| {
                g.undo("first", || log::info("first is undone"));
                g.undo("second", || sleep("1h"));
                g.undo("third", || sleep("1h"), "5s");
                fail("failed", "no");
            }));
            failed.error.message
        "#;
        assert_eq!(trial.text(script), "no");
        assert_eq!(
            sim.now().as_secs(),
            Duration::from_secs(125).as_secs(),
            "five seconds, and two minutes"
        );
        let events = format!("{:?}", trial.events());
        assert!(events.contains("change: third") && events.contains("first is undone"), "{events}");
    }

    #[test]
    fn an_error_lists_undone_work_and_does_not_suggest_to_continue() {
        let sim = SimTaskExecutor::new(1);
        let engine = SimEngine::builder(sim.clone()).build();
        let host = |host: crate::host::sim::SimHost| {
            host.with_file("/usr/bin/migrate", "")
                .with_mode("/usr/bin/migrate", 0o755)
                .on_command(|_| Some(crate::host::sim::CommandAnswer::failure(1, "no")))
        };
        let trial = Harness::on_engine(
            &sim,
            std::sync::Arc::new(engine),
            host,
            "[allow]\ncommands = [\"migrate\"]\n",
        );
        let script = |undo: &str| {
            format!(
                r#"guarded(stack("shop", #{{ services: #{{}} }}), "restore", |g| {{
                    {undo}
                    sh(["migrate"]);
                }})"#
            )
        };
        let failure = trial.fails(&script(
            r#"g.undo("take the dump back", || 1); g.undo("start the old one", || 1);"#,
        ));
        let details: Vec<_> = failure
            .details
            .iter()
            .map(|detail| (detail.title.as_str(), detail.text.as_str()))
            .collect();
        assert!(
            details.contains(&(
                "undone by guarded \"restore\"",
                "start the old one\ntake the dump back"
            )),
            "{details:?}"
        );
        assert!(
            failure.hint.as_deref().is_some_and(|hint| !hint.contains(super::GO_ON)),
            "only that part is left out: {failure:?}"
        );
        let failure = trial.fails(&script(
            r#"g.undo("take the dump back", || fail("failed", "full")); g.undo("start", || 1);"#,
        ));
        let details: Vec<_> = failure
            .details
            .iter()
            .map(|detail| (detail.title.as_str(), detail.text.as_str()))
            .collect();
        assert!(details.contains(&("undone by guarded \"restore\"", "start")), "{details:?}");
        assert!(details.contains(&("could not take the dump back", "full")), "{details:?}");
        // The hint of `up` about an interrupt describes the state before the undo list ran.
        let interrupt = r#"throw #{ kind: "failed", message: "x", hint: "run the same command again to continue", details: [#{ title: "done", text: "create web" }] };"#;
        let failure = trial.fails(&script(&format!(r#"g.undo("down", || 1); {interrupt}"#)));
        let titles: Vec<_> = failure.details.iter().map(|detail| detail.title.as_str()).collect();
        assert_eq!(
            (titles, failure.hint),
            (vec!["done before the undo", "undone by guarded \"restore\""], None)
        );
        // Nothing was undone, so this is an error like any other.
        for undo in ["", r#"g.undo("take the dump back", || 1); g.commit();"#] {
            let failure = trial.fails(&script(undo));
            assert!(
                failure.details.iter().all(|detail| !detail.title.contains("undone")),
                "{failure:?}"
            );
            assert!(
                failure.hint.as_deref().is_some_and(|hint| hint.ends_with(super::GO_ON)),
                "{failure:?}"
            );
        }
    }
}
