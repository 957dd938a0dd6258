//! `parallel`: runs functions in parallel.

use parking_lot::Mutex;
use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use rhai::{Array, EvalAltResult, FnPtr, Map};

use super::context::Context;
use super::control::call;
use super::{Raw, task};
use crate::host::executor::{Job, broke_off};
use crate::model::Failure;
use crate::value::error::{failure_of, refuse, refused};
use crate::value::type_names;

/// Each function has a thread with a large stack.
const MOST_TASKS: usize = 256;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

/// Runs all functions, each in a task of its own. Returns the results in the same order, or the
/// first error, after which the other tasks are cancelled.
fn run_all(call_context: &NativeCallContext, functions: Vec<FnPtr>) -> Raw<Vec<Dynamic>> {
    let context = Context::of(call_context)?;
    if functions.len() > MOST_TASKS {
        let failure = Failure::usage(format!(
            "parallel takes at most {MOST_TASKS} functions at once, not {}",
            functions.len()
        ));
        return Err(failure.hint("split the list: list.chop(100)").into());
    }
    let group = task::current(&context).child_token();
    let first_error: Mutex<Option<Box<EvalAltResult>>> = Mutex::new(None);
    let branch_of = task::branch().split();
    let jobs = functions.into_iter().enumerate().map(|(index, function)| -> Job<'_, Dynamic> {
        let (token, context, group, first_error) =
            (group.child_token(), &context, &group, &first_error);
        let branch = branch_of(index);
        Box::new(move || {
            task::enter_branch(branch);
            let _entered = task::enter(token);
            // A policy violation ends the task even if the script caught it at the last moment.
            let called = call(call_context, &function);
            context.report_swallowed();
            let result = match (called, refused()) {
                (Ok(_), Some(failure)) => Err(failure.into()),
                (result, _) => result,
            };
            result.unwrap_or_else(|error| {
                first_error.lock().get_or_insert(error);
                group.cancel();
                Dynamic::UNIT
            })
        })
    });
    task::may_wait()?;
    let results = context.executor.tasks(jobs.collect())?;
    if let Some(error) = first_error.into_inner() {
        return Err(rethrown(error));
    }
    let answers =
        results.into_iter().map(|result| result.map_err(|panic| broke_off(&*panic).into()));
    answers.collect()
}

/// Rethrows the error of a task in its parent. A policy violation counts there too.
fn rethrown(error: Box<EvalAltResult>) -> Box<EvalAltResult> {
    refuse(&failure_of(&error));
    error
}

/// The function without any variable that it shares with others.
fn isolated(value: &Dynamic, place: &str) -> Result<FnPtr, Failure> {
    let function = cut_off(value).try_cast::<FnPtr>();
    function.ok_or_else(|| {
        Failure::usage(format!(
            "{place} of parallel has to be a function, not {}",
            type_names::a(value)
        ))
        .hint("write it as a closure: || …")
    })
}

/// A copy without shared variables: functions contain shared variables, and lists and maps contain
/// functions.
fn cut_off(value: &Dynamic) -> Dynamic {
    let mut value = value.flatten_clone();
    if let Some(mut function) = value.write_lock::<FnPtr>() {
        for captured in function.iter_curry_mut() {
            *captured = cut_off(captured);
        }
    }
    if let Some(mut list) = value.write_lock::<Array>() {
        list.iter_mut().for_each(|item| *item = cut_off(item));
    }
    if let Some(mut map) = value.write_lock::<Map>() {
        map.values_mut().for_each(|item| *item = cut_off(item));
    }
    value
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// Calls all functions at the same time and returns their results in the order of the list.
    ///
    /// The first error cancels the others and is thrown. Each function works on copies of its
    /// variables, so it has to return its result.
    ///
    /// ```rhai
    /// assert_eq(parallel([|| 1 + 1, || 2 + 2]), [2, 4]);
    /// ```
    #[rhai_fn(name = "parallel", return_raw, volatile)]
    pub fn parallel_list(context: NativeCallContext, functions: Array) -> Raw<Array> {
        let named = functions
            .iter()
            .enumerate()
            .map(|(index, value)| isolated(value, &format!("Element {index}")));
        run_all(&context, named.collect::<Result<_, _>>()?)
    }

    /// Calls all functions at the same time and returns their results in a map with the same keys.
    ///
    /// ```rhai
    /// assert_eq(parallel(#{ a: || 1, b: || 2 }), #{ a: 1, b: 2 });
    /// ```
    #[rhai_fn(name = "parallel", return_raw, volatile)]
    pub fn parallel_map(context: NativeCallContext, functions: Map) -> Raw<Map> {
        let named = functions.iter().map(|(key, value)| isolated(value, &format!("\"{key}\"")));
        let answers = run_all(&context, named.collect::<Result<_, _>>()?)?;
        Ok(functions.into_keys().zip(answers).collect())
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
    fn answers_come_in_the_shape_of_the_question() {
        let run = Harness::new();
        assert_eq!(run.text("parallel([|| { sleep(2); 1 }, || 2])"), "[1, 2]");
        assert_eq!(run.text("parallel(#{ b: || 2, a: || 1 })"), "#{a: 1, b: 2}");
        assert_eq!(run.text("parallel([])"), "[]");
    }

    #[test]
    fn a_system_out_of_threads_is_an_error_and_no_function_was_called() {
        let run = Harness::new();
        run.sim.limit_threads(2);
        let failure = run.fails("parallel([|| print(1), || print(2), || print(3)])");
        assert_eq!(
            failure.message,
            "Could not start 3 tasks at once: the system can't create more threads"
        );
        assert!(failure.hint.unwrap().starts_with("run fewer at once"));
        assert_eq!(run.printed(), Vec::<String>::new());
        assert_eq!(run.text("attempt(|| parallel([|| 1, || 2, || 3])).error.kind"), "failed");
        assert_eq!(run.text("parallel([|| 1, || 2])"), "[1, 2]");
    }

    #[test]
    fn tasks_sleep_at_the_same_time() {
        let run = Harness::new();
        run.text("parallel([1, 2, 3].map(|n| || sleep(n)))");
        assert_eq!(run.sim.now(), Duration::from_secs(3));
    }

    #[test]
    fn the_same_seed_gives_the_same_trace() {
        let script = r#"
            let f = |name| { for i in 0..5 { sleep("10ms"); print(`${name} ${i}`); } };
            parallel([|| f.call("a"), || f.call("b"), || f.call("c")])"#;
        let trace = |seed| {
            let run = Harness::seeded(seed);
            run.text(script);
            run.printed()
        };
        let first = trace(7);
        assert_eq!(first.len(), 15);
        for _ in 0..20 {
            assert_eq!(trace(7), first);
        }
        assert!((0..20).map(trace).any(|other| other != first));
    }

    #[test]
    fn tasks_share_no_variable_not_even_through_a_function() {
        let run = Harness::new();
        let script = r"
            let n = 0; let list = [];
            let add = || { n += 1; n };
            let answers = parallel([|| { list.push(1); list.len() + add.call() }, || { list.push(2); list.len() + add.call() }]);
            [answers, n, list]";
        assert_eq!(run.text(script), "[[2, 2], 0, []]");
    }

    #[test]
    fn the_first_error_in_time_is_thrown_and_the_others_end() {
        let run = Harness::new();
        let failure = run
            .fails(r#"parallel([|| { sleep("1h"); 1 }, || { sleep(2); fail("exec", "second") }, || { sleep(3); fail("exec", "third") }])"#);
        assert_eq!((failure.kind.word(), failure.message.as_str()), ("exec", "second"));
        assert_eq!(run.sim.now(), Duration::from_secs(2));
        assert_eq!(
            run.text(r#"attempt(|| parallel([|| fail("lock", "taken")])).error.kind"#),
            "lock"
        );
    }

    #[test]
    fn a_refusal_in_a_task_ends_the_run() {
        let run = Harness::new();
        let script = r#"attempt(|| parallel([|| { try { fail("policy", "no") } catch {} }])); print("went on")"#;
        assert_eq!(run.fails(script).kind.word(), "policy");
        assert_eq!(run.printed(), Vec::<String>::new());
    }

    #[test]
    fn parallel_names_the_element_that_is_no_function() {
        let run = Harness::new();
        assert_eq!(
            run.fails("parallel([|| 1, 5])").message,
            "Element 1 of parallel has to be a function, not an integer"
        );
        assert_eq!(
            run.fails("parallel(#{ db: \"x\" })").message,
            "\"db\" of parallel has to be a function, not a string"
        );
    }
}
