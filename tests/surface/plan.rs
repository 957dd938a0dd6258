//! `spc plan`: shows the steps of a run without executing them.

use crate::support::Spc;

fn plan(words: &[&str], runbook: &str) -> Spc {
    Spc::new()
        .file("scripts/a.rhai", runbook)
        .args(["plan"])
        .args(words.iter().copied())
        .args(["scripts/a.rhai"])
}

#[test]
fn a_runbook_that_changes_nothing_has_nothing_to_do() {
    plan(&[], "print(\"done\");").stdout("nothing to do\n").run();
    plan(&["--exit-code"], "print(\"done\");").stdout("nothing to do\n").run();
}

#[test]
fn a_planned_write_is_listed_and_later_lines_can_read_it() {
    let runbook =
        "fs::write(\"out\", \"x\");\nif fs::read(\"out\") == \"x\" { fs::remove(\"out\"); }\n";
    let changes = "
        scripts/a.rhai:1
          ~ write file scripts/out
        scripts/a.rhai:2
          - remove file scripts/out
        1 to remove, 1 to write
        ";
    plan(&[], runbook).stdout(changes).run();
    plan(&["--exit-code"], runbook).code(3).stdout(changes).run();
    let steps = "
        scripts/a.rhai:1
          1  write file scripts/out   requested in line 1
        scripts/a.rhai:2
          2  remove file scripts/out  requested in line 2
        1 to remove, 1 to write
        ";
    plan(&["--all-steps"], runbook).stdout(steps).run();
    // Also after the runbook's name, as spc's other options.
    let after = Spc::new().file("scripts/a.rhai", runbook);
    after.args(["plan", "scripts/a.rhai", "--all-steps"]).stdout(steps).run();
}

#[test]
fn a_plan_is_one_line_of_json_and_an_end() {
    plan(&["--json", "--exit-code"], "if http::post(\"http://localhost/\", #{}).ok { print(1); }")
        .code(3)
        .stdout(
            r#"
            {"time":"[time]","event":"plan","items":[{"kind":"call","at":{"file":"scripts/a.rhai","line":1},"steps":[{"step":1,"action":"request","object":{"kind":"request","name":"POST http://localhost/"},"cause":"requested in line 1","after":[],"changes":true}]},{"kind":"assumption","number":1,"at":{"file":"scripts/a.rhai","line":1},"answer_of":"POST http://localhost/","step":1,"assumed":"status 200, an empty body"}],"summary":{"request":1},"conditional":0,"notes":[]}
            {"time":"[time]","event":"end","ok":true,"code":3}
            "#,
        )
        .run();
}

#[test]
fn a_plan_that_can_not_continue_shows_its_position_and_assumptions() {
    plan(&[], "let status = http::post(\"http://localhost/\", #{}).json();\nfs::write(\"out\", status.name);\n")
        .code(6)
        .stdout(
            "
            This plan is incomplete: it ends at scripts/a.rhai:1, before the runbook does
            scripts/a.rhai:1
                request POST http://localhost/
            scripts/a.rhai:1: the steps below depend on POST http://localhost/; assumed: status 200, an empty body
            the plan ends at scripts/a.rhai:1: \"\" is not JSON: EOF while parsing a value at line 1 column 0
            help: give the call at scripts/a.rhai:1 the option `assume`: plans use it as the answer of POST http://localhost/
            1 to request
            ",
        )
        .run();
}

#[test]
fn errors_help_and_refusals_are_those_of_a_run() {
    let wrong = plan(&[], "nonsense();").output();
    assert!(wrong.code == 2 && wrong.stderr.contains("There is no function nonsense()"), "{wrong}");
    let refused = plan(&[], "sh([\"git\"]);").output();
    assert!(refused.code == 5 && refused.stderr.contains("commands = [\"git\"]"), "{refused}");
    let absent =
        plan(&["--json"], "stack(\"x\", #{ services: #{ a: #{ image: \"a\" } } }).up();").output();
    assert!(absent.code == 1 && absent.stdout.contains(r#""kind":"engine""#), "{absent}");
    let help = Spc::new()
        .file("a.rhai", "//! Do it.\nargs(#{});\nfs::write(\"out\", \"x\");")
        .args(["plan", "a.rhai", "--help"])
        .output();
    assert!(
        help.code == 0 && help.stdout.starts_with("Do it.\n\nUsage: spc plan a.rhai"),
        "{help}"
    );
    Spc::new().args(["plan", "-e", "1"]).stdout("nothing to do\n").run();
}

#[test]
fn an_answer_that_the_runbook_assumes_leads_the_plan_on() {
    let runbook = "
        let status = http::post(\"http://localhost/\", #{ assume: #{ body: #{ name: \"out\" } } }).json();
        fs::write(status.name, \"x\");
        if !confirm(\"More?\", #{ assume: false }) { print(\"no\"); }
        ";
    plan(&[], runbook)
        .stdout(
            r#"
            scripts/a.rhai:2
                request POST http://localhost/
            scripts/a.rhai:2: the steps below depend on POST http://localhost/; assumed: status 200, the body "{\"name\":\"out\"}" (from `assume`)
            scripts/a.rhai:3
              ~ write file scripts/out
            scripts/a.rhai:4: the steps below depend on the question "More?"; assumed: no (from `assume`)
            1 to request, 1 to write
            "#,
        )
        .run();
}

#[test]
fn an_invalid_assumed_answer_is_reported_with_its_position() {
    let runbook = "http::post(\"http://localhost/\", #{ assume: #{ stats: 200, body: \"\" } });\n";
    for verb in ["plan", "run", "check"] {
        let ended =
            Spc::new().file("scripts/a.rhai", runbook).args([verb, "scripts/a.rhai"]).output();
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(
            ended.code == 2 && said.contains("The parts of an assumed answer have no \"stats\""),
            "{verb}: {ended}"
        );
        assert!(
            said.contains("did you mean \"status\"?") && said.contains("scripts/a.rhai:1:"),
            "{verb}: {ended}"
        );
    }
}

#[test]
fn a_plan_that_ends_at_a_refusal_exits_as_a_refused_run_and_names_the_line() {
    let runbook =
        "if http::post(\"http://localhost/\", #{}).ok { http::get(\"http://evil.example/\"); }\n";
    plan(&[], runbook)
        .code(5)
        .stdout(
            "
            This plan is incomplete: it ends at scripts/a.rhai:1, before the runbook does
            scripts/a.rhai:1
                request POST http://localhost/
            scripts/a.rhai:1: the steps below depend on POST http://localhost/; assumed: status 200, an empty body
            the plan ends at scripts/a.rhai:1: A script may not send a request to \"http://evil.example/\": it is another machine
            help: to allow it, write network = [\"evil.example\"] under [allow] in spc.toml
            1 to request
            ",
        )
        .run();
    let json = plan(&["--json"], runbook).output();
    assert_eq!(json.code, 5);
    assert!(
        json.stdout.contains(r#""refused":true"#)
            && json.stdout.contains(r#""event":"end","ok":false,"code":5"#),
        "{json}"
    );
}

#[test]
fn an_incomplete_plan_has_a_separate_exit_code() {
    assert_eq!(plan(&[], "http::post(\"http://localhost/\", #{}).int();").output().code, 6);
    assert_eq!(
        plan(&["--exit-code"], "http::post(\"http://localhost/\", #{}).int();").output().code,
        6
    );
    let ended = plan(&["--exit-code"], "loop { sleep(\"1h\"); }\n").output();
    assert!(ended.code == 6 && ended.stdout.contains("nothing to do up to here"), "{ended}");
}

#[test]
fn a_plan_that_handles_an_error_says_so_first() {
    let runbook = "try {\n    http::post(\"http://localhost/\", #{}).int();\n} catch (error) {\n    fs::write(\"bad\", \"x\");\n}\n";
    plan(&[], runbook)
        .stdout(
            "
            this plan handles an error: scripts/a.rhai:4: catch continues: \"\" is not an integer
            scripts/a.rhai:2
                request POST http://localhost/
            scripts/a.rhai:2: the steps below depend on POST http://localhost/; assumed: status 200, an empty body
            scripts/a.rhai:4
              ~ write file scripts/bad
            1 to request, 1 to write
            ",
        )
        .run();
    let json = plan(&["--json"], runbook).output();
    let handled = r#""handled_errors":[{"at":{"file":"scripts/a.rhai","line":4},"what":"catch continues","error":"\"\" is not an integer"}]"#;
    assert!(json.stdout.contains(handled), "{json}");
}

#[test]
fn the_switch_for_read_only_commands_is_true_or_false() {
    let ended = Spc::new()
        .file("spc.toml", "[allow]\nread_only_execs = [\"psql\"]\n")
        .args(["plan", "-e", "1"])
        .output();
    assert!(
        ended.code == 2
            && ended.stderr.contains("read_only_execs")
            && ended.stderr.contains("spc.toml:2:19"),
        "{ended}"
    );
}

#[test]
fn a_plan_is_held_to_permissions_as_its_process_is() {
    use std::os::unix::fs::PermissionsExt;
    assert!(
        rustix::process::geteuid().is_root(),
        "this test needs root, whom no permission bits bar"
    );
    let project = || {
        let run = Spc::new()
            .file("spc.toml", "")
            .folder("closed")
            .file("a.rhai", "fs::write(\"closed/new\", \"x\");");
        std::fs::set_permissions(
            run.project().join("closed"),
            std::fs::Permissions::from_mode(0o555),
        )
        .unwrap();
        run
    };
    let text = "
        a.rhai:1
          ~ write file closed/new
        1 to write
        ";
    project().args(["plan", "a.rhai"]).stdout(text).run();
    let run = project().args(["run", "a.rhai"]);
    let written = run.project().join("closed/new");
    let (ended, is_written) = run.start().ends_then(|| written.exists());
    assert!(ended.code == 0 && is_written, "{ended}");
    for verb in ["plan", "run"] {
        let ended = project().by_nobody().args([verb, "a.rhai"]).output();
        assert_eq!(ended.code, 1, "{verb}: {ended}");
        assert!(ended.stderr.contains("closed/new"), "{verb}: {ended}");
    }
}

#[test]
fn an_error_that_depends_on_no_answer_ends_a_plan_as_it_ends_a_run() {
    let asks = "if http::post(\"http://localhost/\", #{}).ok { fs::write(\"out\", \"x\"); }\n";
    plan(&[], &format!("{asks}fs::write(\"a\", \"x\").nonsense();\n"))
        .code(2)
        .stdout(
            "
            This plan is incomplete: it ends at scripts/a.rhai:2, before the runbook does
            scripts/a.rhai:1
                request POST http://localhost/
            scripts/a.rhai:1: the steps below depend on POST http://localhost/; assumed: status 200, an empty body
            scripts/a.rhai:1
              ~ write file scripts/out
            scripts/a.rhai:2
              ~ write file scripts/a
            the plan ends at scripts/a.rhai:2: There is no function nonsense(nothing)
            1 to request, 2 to write
            ",
        )
        .stderr(
            r#"
            error: There is no function nonsense(nothing)
             --> scripts/a.rhai:2:21
              |
            2 | fs::write("a", "x").nonsense();
              |                     ^^^^^^^^
            "#,
        )
        .run();
    // With an answer from `assume`, the error is the runbook's error.
    let given = plan(&[], "http::post(\"http://localhost/\", #{ assume: \"x\" }).int();").output();
    assert!(given.code == 2 && given.stderr.contains("\"x\" is not an integer"), "{given}");
    let json = plan(&["--json"], &format!("{asks}nonsense();\n")).output();
    assert!(
        json.code == 2
            && json.stdout.contains(r#""event":"plan""#)
            && json.stdout.contains(r#""ok":false,"code":2"#),
        "{json}"
    );
}

#[test]
fn a_request_that_only_reads_is_no_change() {
    for code in ["http::get(\"http://localhost/\");", "http::head(\"http://localhost/\");"] {
        plan(&["--exit-code"], code).code(0).stdout("nothing to do\n").run();
    }
    let ended = plan(&["--all-steps"], "http::get(\"http://localhost/\");").output();
    assert!(ended.stdout.contains("request GET http://localhost/"), "{ended}");
}
