//! Read-only commands that really run, if they fail or hang; and errors that end a plan for any
//! answers.

use std::sync::Arc;

use parking_lot::Mutex;

use super::answers::{ALLOWED, running, running_with};
use super::{planned_and_run, text, try_plan_saying};
use crate::engine::sim::{ExecAnswer, Process};
use crate::machine::World;
use crate::model::diagnostic::Diagnostic;
use crate::plan::PlanOutcome;

/// A machine with this answer for a command of `cache`, and the runbook `code`.
fn answering(code: &str, command: &str, answer: ExecAnswer) -> World {
    let world = running_with(code, &[("spc.toml", ALLOWED)]);
    world.engine.set_process("cache", Process::new().answers(command, answer));
    world.engine.end_process("shop-cache-1", 1).unwrap();
    planned_and_run(&world, "up.rhai");
    world
}

/// The plan up to a failure that would also end a run, the failure, and the reports meanwhile.
fn failed(world: &World) -> (String, Box<Diagnostic>, Vec<String>) {
    let said: Arc<Mutex<Vec<String>>> = Arc::default();
    let hears = said.clone();
    let planned = try_plan_saying(
        world,
        "ask.rhai",
        Arc::new(move |text| hears.lock().push(text.to_owned())),
    );
    let Ok(PlanOutcome::Failed(preview, diagnostic)) = planned else { panic!("{planned:?}") };
    let said = said.lock().clone();
    (text(&preview), diagnostic, said)
}

#[test]
fn a_failed_read_only_command_ends_the_plan_after_the_earlier_steps() {
    let nope = ExecAnswer::failure(3, "no such thing");
    for options in ["read_only: true", "read_only: true, assume: 3"] {
        let code =
            format!("fs::write(\"before\", \"x\");\ncache.exec(\"nope\", #{{ {options} }});\n");
        let (shown, failure, said) = failed(&answering(&code, "*nope*", nope.clone()));
        let expected = "\
This plan is incomplete: it ends at ask.rhai:5, before the runbook does
ask.rhai:4
  1  write file before                                                  requested in line 4
ask.rhai:5
  2  run (read-only) command /bin/sh -c nope in container shop-cache-1  requested in line 5
the plan ends at ask.rhai:5: \"nope\" in \"cache\" ended with code 3
1 to write";
        assert_eq!(shown, expected);
        assert_eq!(
            failure.hint.as_deref(),
            Some("to continue anyway, pass check: false"),
            "{options}"
        );
        assert!(failure.details.iter().any(|detail| detail.text == "no such thing"), "{failure:?}");
        assert_eq!(said, [""; 0]);
    }
}

#[test]
fn a_slow_read_only_command_is_reported_and_limited_by_its_timeout() {
    for (options, time, words) in [
        ("", "30 s", 4),
        (", timeout: \"5s\"", "5 s", 2),
        (", timeout: \"70s\", assume: 1", "1 m 10 s", 6),
    ] {
        let code = format!(
            "http::get(\"http://localhost/\").ok;\ncache.exec(\"stuck\", #{{ read_only: true{options} }});\n"
        );
        let world = answering(&code, "*stuck*", ExecAnswer::default().running_on());
        let (shown, failure, said) = failed(&world);
        let message = format!(
            "Could not run a command in \"cache\": the read-only command did not end within {time}: a plan waits no longer"
        );
        assert_eq!((failure.kind.word(), failure.message.as_str()), ("timeout", message.as_str()));
        assert!(
            failure.hint.as_ref().unwrap().starts_with("give it more time with `timeout`"),
            "{failure:?}"
        );
        assert!(
            shown.contains("run (read-only) command /bin/sh -c stuck")
                && shown.contains("the plan ends at ask.rhai:5"),
            "{shown}"
        );
        let word = format!(
            "waiting: the read-only command \"/bin/sh -c stuck\" runs in the container shop-cache-1, for at most {time} (2 s)"
        );
        assert_eq!(said.first(), Some(&word));
        assert_eq!(said.len(), words, "{said:?}");
        assert_eq!(world.engine.violations(), [], "it is ended");
    }
}

#[test]
fn an_error_that_no_answer_avoids_fails_the_plan() {
    let asks =
        "let count = cache.exec(\"llen\");\nif count.stdout == \"\" { fs::write(\"a\", \"x\"); }\n";
    for (code, message) in [
        ("nonsense(1);", "There is no function nonsense(integer)"),
        ("cache.exec(\"x\", #{ tiemout: 1 });", "The options of exec have no \"tiemout\""),
        ("stack(\"other\", #{ services: #{ a: #{ image: \"a\", imgae: \"a\" } } });", "imgae"),
    ] {
        let (shown, failure, _) = failed(&running(&format!("{asks}{code}\n")));
        assert!(failure.kind.word() == "usage" && failure.message.contains(message), "{failure:?}");
        assert!(shown.contains("write file a ") && !shown.contains("`assume`"), "{shown}");
    }
}

#[test]
fn the_option_assume_is_named_only_where_it_leads_on() {
    // Already given: this answer itself leads to the error.
    let (shown, failure, _) =
        failed(&running("cache.exec(\"llen\", #{ assume: \"no\" }).int();\n"));
    assert_eq!(
        (failure.kind.word(), failure.message.as_str()),
        ("usage", "\"no\" is not an integer")
    );
    assert!(!shown.contains("the option `assume`"), "{shown}");
    let preview = super::planned(
        &running("if cache.exec(\"llen\", #{ assume: 3 }).int() == 3 { throw \"busy\"; }\n"),
        "ask.rhai",
    );
    let help = "this may depend on the assumed answer of the command \"/bin/sh -c llen\" in the container shop-cache-1: change `assume` at ask.rhai:4";
    assert_eq!(preview.ends.unwrap().help.as_deref(), Some(help));
    // A wait has no answer that the script could read.
    let (_, failure, _) =
        failed(&running("cache.restart();\ncache.wait(\"ready\");\nparse_int(\"x\");\n"));
    assert_eq!(failure.kind.word(), "usage");
}
