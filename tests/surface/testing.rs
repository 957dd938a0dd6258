//! `spc test`: finding, running and reporting tests.

use regex_lite::Regex;
use similar_asserts::assert_eq;

use crate::support::{Spc, SpcOutput};

/// A project with a runbook and these tests.
fn project(tests: &str) -> Spc {
    Spc::new()
        .file("spc.toml", "spc = \"0.1\"\n")
        .file("scripts/up.rhai", UP)
        .file("scripts/up_test.rhai", tests)
        .args(["test", "--jobs", "1"])
}

const UP: &str = r#"
let o = args(#{ tag: arg::text("v1", "Release") });
let shop = stack("shop", #{ services: #{ web: #{ image: `web:${o.tag}` } } });
shop.up();
print(`web:${o.tag} is up`);
"#;

/// The same output without real times.
fn without_times(ended: SpcOutput) -> SpcOutput {
    let masks = [
        (r"  \d+ ms, ", "  [took], "),
        (r" in \d+ ms", " in [took]"),
        (r#""elapsed_ms":\d+"#, r#""elapsed_ms":[took]"#),
        (r#" time="[0-9.]+""#, r#" time="[took]""#),
        (r#" (timestamp|uuid)="[^"]+""#, ""),
    ];
    let masked = |text: String| {
        masks.iter().fold(text, |text, (pattern, mask)| {
            Regex::new(pattern).unwrap().replace_all(&text, *mask).into_owned()
        })
    };
    SpcOutput { stdout: masked(ended.stdout), stderr: masked(ended.stderr), ..ended }
}

#[track_caller]
fn said(spc: Spc, code: i32, stdout: &str, stderr: &str) {
    let expected = SpcOutput { code, stdout: stdout.to_owned(), stderr: stderr.to_owned() };
    assert_eq!(without_times(spc.output()).to_string(), expected.to_string());
}

#[test]
fn tests_that_pass_have_a_line_each() {
    let tests = r#"
private fn test_helper() { fail("failed", "not a test") }
fn helper() { 600 }
fn test_ten_minutes() { sleep(helper()); }
fn test_up() {
    let run = runbook("up", "--tag 'v 2'");
    assert_eq(run.error.kind, "usage");
    assert_eq(runbook("up", ["--tag", "v2"]).printed, ["web:v2 is up"]);
    sim::pass("1m");
    assert_eq(sim::containers().map(|it| it.image), ["web:v2"]);
}
"#;
    let spc = project(tests).file("scripts/down.rhai", "").file("target/x_test.rhai", "nonsense(");
    let ended = without_times(spc.output());
    let up = ended.stdout.lines().nth(1).unwrap_or_default().to_owned();
    assert!(
        up.starts_with("ok     scripts/up_test.rhai::test_up  [took], 1 m ")
            && up.ends_with("s simulated"),
        "{ended}"
    );
    let stdout = format!(
        "ok     scripts/up_test.rhai::test_ten_minutes  [took], 10 m simulated\n{up}\n2 tests passed in [took]\n"
    );
    assert_eq!(ended.to_string(), SpcOutput { code: 0, stdout, stderr: String::new() }.to_string());
}

#[test]
fn a_one_off_container_brings_along_what_it_needs_and_runs_its_services_own_command() {
    let tool = r#"
let shop = stack("shop", #{
    services: #{ db: #{ image: "db:1" }, tool: #{ image: "tool:1", command: ["report"], depends_on: ["db"], profiles: ["tools"] } },
});
for options in [#{}, #{ no_deps: true }] { print(shop.service("tool").run(options).stdout.trimmed()); }
print(attempt(|| shop.service("tool").run(#{ nodeps: true })).error.hint);
"#;
    let tests = r#"
fn test_tool() {
    sim::process("report", #{ logs: ["reported"], exits_after: "1s" });
    assert_eq(runbook("tool").printed, ["reported", "reported", "did you mean \"no_deps\"?"]);
    assert_eq(sim::containers().map(|it| it.name), ["shop-db-1"]);
}
"#;
    let ended = without_times(project(tests).file("scripts/tool.rhai", tool).output());
    assert!(ended.code == 0 && ended.stdout.ends_with("\n1 test passed in [took]\n"), "{ended}");
}

#[test]
fn a_failed_test_shows_its_line_both_values_and_the_output_of_its_runs() {
    let tests = r#"fn test_up() {
    let run = runbook("up", "--tgg v2");
    same(run.code);
}
fn same(code) { assert_eq(code, 0, "it comes up"); }
"#;
    let stdout = r#"FAILED scripts/up_test.rhai::test_up  [took], 0 ms simulated
error: Assertion failed: it comes up
 --> scripts/up_test.rhai:5:17
  |
5 | fn same(code) { assert_eq(code, 0, "it comes up"); }
  |                 ^^^^^^^^^
  |
  = called from: scripts/up_test.rhai:3:5, in the call of "same"
the first (-) and the second (+):
    - 2
    + 0
up --tgg v2 ended with 2 after 0 ms:
    There is no option "--tgg"

"#;
    said(project(tests), 1, stdout, "error: 1 of 1 test failed\n");
}

#[test]
fn a_file_that_does_not_compile_stops_no_other() {
    let spc = project("fn test_a() {}")
        .file("scripts/b_test.rhai", "fn test_b( {")
        .file("scripts/c_test.rhai", "fn helper() {}");
    let stdout = r#"BROKEN scripts/b_test.rhai
error: Expecting ")" to close the parameters list of function "test_b"
 --> scripts/b_test.rhai:1:12
  |
1 | fn test_b( {
  |            ^

BROKEN scripts/c_test.rhai
error: There are no tests in "scripts/c_test.rhai"
help: a test is a function without parameters whose name begins with test_

ok     scripts/up_test.rhai::test_a  [took], 0 ms simulated
"#;
    said(spc, 2, stdout, "error: 2 files could not be tested\n");
}

#[test]
fn a_test_that_takes_parameters_is_not_left_out_in_silence() {
    let stdout = r#"BROKEN scripts/up_test.rhai
error: "test_b" in line 2 of "scripts/up_test.rhai" takes parameters, and a test takes none
help: if it helps other tests, begin its name otherwise, or write private fn

"#;
    said(
        project("fn test_a() {}\nfn test_b(image) {}\nprivate fn test_c(x) {}\n"),
        2,
        stdout,
        "error: 1 file could not be tested\n",
    );
}

#[test]
fn a_path_without_tests_is_reported() {
    let spc = || Spc::new().file("scripts/up.rhai", UP);
    let hint = "help: a test is a function test_… in a file …_test.rhai\n";
    said(spc().args(["test"]), 2, "", &format!("error: There are no tests here\n{hint}"));
    said(
        spc().args(["test", "scripts"]),
        2,
        "",
        &format!("error: There are no tests in \"scripts\"\n{hint}"),
    );
    said(spc().args(["test", "nowhere"]), 2, "", "error: There is no file or folder \"nowhere\"\n");
    let near = spc().file("scripts/up_test.rhai", "").args(["test", "scripts/up"]);
    said(
        near,
        2,
        "",
        "error: There is no file or folder \"scripts/up\"\nhelp: did you mean \"scripts/up_test.rhai\"?\n",
    );
}

const TWO: &str = "fn test_one() {}\nfn test_two() { assert(false); }\nfn test_three() {}\n";

#[test]
fn a_filter_chooses_by_the_full_name() {
    let stdout =
        "ok     scripts/up_test.rhai::test_one  [took], 0 ms simulated\n1 test passed in [took]\n";
    said(project(TWO).args(["-k", "up_test.rhai::test_o"]), 0, stdout, "");
    let stderr =
        "error: No test's name contains \"test_thre_\"\nhelp: did you mean \"test_three\"?\n";
    said(project(TWO).args(["-k", "test_thre_"]), 2, "", stderr);
}

#[test]
fn they_are_named_without_being_run() {
    let stdout = "scripts/up_test.rhai::test_one\nscripts/up_test.rhai::test_two\nscripts/up_test.rhai::test_three\n";
    said(project(TWO).args(["--list"]), 0, stdout, "");
}

#[test]
fn after_a_failure_no_more_begin_if_that_is_wanted() {
    let ended = project(TWO).args(["--fail-fast"]).output();
    assert!(!ended.stdout.contains("test_three"), "{ended}");
    assert_eq!(ended.stderr, "error: 1 of 2 tests failed; 1 test not run\n");
}

#[test]
fn a_failure_that_a_seed_brought_about_says_how_to_have_it_again() {
    let tests = r#"fn test_drawn() {
    parallel([|| sleep("1s"), || sleep("1s")]);
    assert(sim::seed() != 4);
}
"#;
    let ended = without_times(project(tests).args(["--seeds", "9"]).output());
    let again = "it failed:\n    with seed 4; repeat with: spc test scripts/up_test.rhai -k ::test_drawn --seed 4\n";
    assert!(
        ended.code == 1 && ended.stdout.contains(again) && ended.stdout.contains("4 seeds"),
        "{ended}"
    );
    assert_eq!(project(tests).args(["--seed", "5", "--seeds", "3"]).output().code, 0);
}

#[test]
fn as_json_each_is_an_event_and_the_end_the_last() {
    let stdout = r#"{"time":"[time]","event":"test","file":"scripts/up_test.rhai","name":"test_one","line":1,"ok":true,"seed":1,"seeds":1,"elapsed_ms":[took],"simulated_ms":0}
{"time":"[time]","event":"test","file":"scripts/up_test.rhai","name":"test_two","line":2,"ok":false,"seed":1,"seeds":1,"elapsed_ms":[took],"simulated_ms":0,"error":{"severity":"error","kind":"failed","message":"The condition is false","place":{"file":"scripts/up_test.rhai","line":2,"column":17}}}
{"time":"[time]","event":"test","file":"scripts/up_test.rhai","name":"test_three","line":3,"ok":true,"seed":1,"seeds":1,"elapsed_ms":[took],"simulated_ms":0}
{"time":"[time]","event":"tests","passed":2,"failed":1,"broken":0,"left_out":0,"elapsed_ms":[took]}
{"time":"[time]","event":"end","ok":false,"code":1,"error":{"severity":"error","kind":"failed","message":"1 of 3 tests failed"}}
"#;
    said(project(TWO).args(["--json"]), 1, stdout, "");
}

#[test]
fn junits_report_has_a_suite_for_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.xml");
    let ended = project(TWO).args(["--quiet", "--junit"]).args([&path]).output();
    assert_eq!(ended.code, 1);
    let report =
        without_times(SpcOutput { stdout: std::fs::read_to_string(&path).unwrap(), ..ended })
            .stdout;
    let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="spc test" tests="3" skipped="0" failures="1" errors="0" time="[took]">
    <testsuite name="scripts/up_test.rhai" tests="3" skipped="0" errors="0" failures="1">
        <testcase name="test_one" classname="scripts/up_test.rhai" time="[took]">
            <properties>
                <property name="seed" value="1"/>
                <property name="simulated_seconds" value="0.000"/>
            </properties>
        </testcase>
        <testcase name="test_two" classname="scripts/up_test.rhai" time="[took]">
            <properties>
                <property name="seed" value="1"/>
                <property name="simulated_seconds" value="0.000"/>
            </properties>
            <failure message="The condition is false" type="failed">error: The condition is false
 --&gt; scripts/up_test.rhai:2:17
  |
2 | fn test_two() { assert(false); }
  |                 ^^^^^^</failure>
        </testcase>
"#;
    assert!(report.starts_with(expected), "{report}");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_any_test_runs() {
    for (path, cause) in [
        ("nowhere/report.xml", "its folder does not exist\nhelp: create the folder first\n"),
        ("scripts", ""),
    ] {
        let ended = project(TWO).args(["--junit", path]).output();
        assert!(ended.code == 2 && ended.stdout.is_empty(), "{ended}");
        assert!(
            ended.stderr.starts_with(&format!(
                "error: Could not write the JUnit report to \"[project]/{path}\": {cause}"
            )),
            "{ended}"
        );
    }
}

#[test]
fn an_endless_test_is_ended_with_its_line_and_the_limit() {
    let tests = r#"fn test_loop() {
    let i = 0;
    loop { attempt(|| i += 1); }
}
fn test_wait() { while true { sleep("1h"); } }
fn test_in_a_run() { attempt(|| runbook("waits")); }
"#;
    let spc = project(tests)
        .file("scripts/waits.rhai", "print(\"waiting\");\nloop { sleep(\"10h\"); }\n");
    let ended = without_times(spc.args(["--max-operations", "20000"]).output());
    for reported in [
        "error: The script took more than 20000 operations\n --> scripts/up_test.rhai:1:4\n",
        "  = help: if it is not an endless loop, raise the limit with --max-operations\n",
        "error: The test ran for more than 24 h of virtual time\n --> scripts/up_test.rhai:5:31\n",
        "  = help: if it may wait that long, raise the limit with --max-time\n",
        "error: The test ran for more than 24 h of virtual time\n --> scripts/waits.rhai:2:8\n",
    ] {
        assert!(ended.stdout.contains(reported), "{reported}\n{ended}");
    }
    assert_eq!((ended.code, ended.stderr.as_str()), (1, "error: 3 of 3 tests failed\n"));
}

#[test]
fn a_fault_of_a_wrong_name_comes_with_the_nearest() {
    let tests = "fn test_call() { sim::fault(#{ on: \"container_strat\", effect: 500 }); }\nfn test_effect() { sim::fault(#{ on: \"container_start\", effect: \"hag\" }); }\n";
    let ended = project(tests).output();
    for reported in [
        "There is no call \"container_strat\"",
        "did you mean \"container_start\"?",
        "There is no effect \"hag\"",
        "did you mean \"hang\"?",
    ] {
        assert!(
            ended.stdout.contains(&reported.replace("There is no call", "The engine has no call")),
            "{reported}\n{ended}"
        );
    }
    assert_eq!(ended.code, 1);
}

#[test]
fn an_error_in_a_sim_process_handler_fails_the_test_with_its_line() {
    let tests = r#"fn test_up() {
    sim::process("web", #{ exec: |cmd| { assert(cmd == "nginx -t", cmd); "fine" } });
    runbook("up");
    let web = stack("shop", #{ services: #{ web: #{ image: "web:v1" } } }).service("web");
    assert_eq(web.exec("nginx -t").stdout, "fine\n");
    attempt(|| web.exec("nginx -s stop"));
}
fn test_waits() {
    sim::process("web", #{ exec: |cmd| { sleep("1s"); "" } });
    runbook("up");
    let web = stack("shop", #{ services: #{ web: #{ image: "web:v1" } } }).service("web");
    attempt(|| web.exec("true"));
}
"#;
    let ended = project(tests).output();
    assert!(
        ended
            .stdout
            .contains("error: Assertion failed: nginx -s stop\n --> scripts/up_test.rhai:2:42\n"),
        "{ended}"
    );
    assert!(
        ended
            .stdout
            .contains("error: A function that answers for the simulated machine can't wait"),
        "{ended}"
    );
}

#[test]
fn options_that_name_another_machine_are_rejected() {
    let stderr = "error: --env-file can't be used with tests: each has its own simulated machine\nhelp: set up the machine in the test, with sim::\n";
    said(project(TWO).args(["--env-file", "x"]), 2, "", stderr);
}

#[test]
fn files_of_tests_are_no_runbooks_and_no_modules() {
    let ended = project(TWO).args(["--list"]).output();
    assert_eq!(ended.code, 0);
    let missing = Spc::new()
        .file("scripts/up_test.rhai", TWO)
        .file("scripts/up.rhai", UP)
        .args(["run", "scripts/up_tests.rhai"]);
    said(
        missing,
        2,
        "",
        "error: There is no runbook \"scripts/up_tests.rhai\"\nhelp: available: scripts/up.rhai\n",
    );
    let ended = Spc::new().runbook("import \"std/dotenv_test\" as t;").output();
    assert!(ended.stderr.contains("there is no such module in the standard library"), "{ended}");
}

#[test]
fn a_run_that_tells_a_secret_fails_its_test() {
    let tests =
        "fn test_told() { sim::secret(\"TOKEN\", \"correct horse\"); runbook(\"tells\"); }\n";
    let ended =
        project(tests).file("scripts/tells.rhai", "print(`it is ${env(\"TOKEN\")}`);").output();
    assert!(
        ended.code == 1
            && ended.stdout.contains("error: A run told the value of the secret \"TOKEN\"\n"),
        "{ended}"
    );
}

#[test]
fn a_function_of_tests_outside_tests_is_reported_as_such() {
    for code in ["sim::pass(\"1h\")", "assert(true)"] {
        let ended = Spc::new().args(["run", "-e", code]).output();
        assert!(
            ended.code == 2 && ended.stderr.contains("= help: it exists only in tests"),
            "{ended}"
        );
    }
}

#[test]
fn a_test_sees_nothing_of_whoever_works_with_the_project() {
    let tests = r#"fn test_private() {
    assert(!fs::exists(".env"));
    assert_eq(env("HOME", ""), "");
    fs::write("made.txt", "by a test");
}
fn test_alone() { assert(!fs::exists("made.txt")); }
"#;
    let ended = project(tests).file(".env", "A=1\nnonsense here\n").output();
    assert_eq!(ended.code, 0, "{ended}");
}

const JOBS: &str = r#"
let shop = stack("shop", #{ services: #{
    migrate: #{ image: "app:1" },
    web: #{ image: "app:1", depends_on: #{ migrate: #{ condition: "service_completed_successfully" } } },
    report: #{ image: "app:1" },
} });
shop.up();
shop.service("report").wait("completed");
print(run("tool:1", ["version"]).code);
"#;

#[test]
fn jobs_of_which_a_test_says_nothing_end_well_where_something_waits_for_them() {
    let tests = r#"
fn test_jobs() {
    let run = runbook("jobs");
    assert_eq(run.error, ());
    assert_eq(run.printed, ["0"]);
    let states = sim::containers().map(|it| `${it.name} ${it.state}`);
    states.sort();
    assert_eq(states, ["shop-migrate-1 exited", "shop-report-1 exited", "shop-web-1 running"]);
}
fn test_a_job_that_fails() {
    sim::process("migrate", #{ exits_after: "2s", exit_code: 3 });
    assert_eq(runbook("jobs").error.message, "\"migrate\" exited with code 3");
}
"#;
    let ended = project(tests).file("scripts/jobs.rhai", JOBS).output();
    assert!(ended.code == 0 && ended.stdout.contains("2 tests passed"), "{ended}");
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn the_failure_of_a_test_that_never_ends_names_what_it_waited_for() {
    let tests = |service: &str| {
        format!(
            "fn test_jobs() {{\n    sim::process(\"{service}\", #{{ ready_after: \"1s\" }});\n    runbook(\"jobs\");\n}}\n"
        )
    };
    for (service, waited, place) in [
        ("migrate", "the container shop-migrate-1 to complete", "scripts/jobs.rhai:7:6"),
        ("report", "the service \"report\" to complete", "scripts/jobs.rhai:8:24"),
    ] {
        let ended = project(&tests(service)).file("scripts/jobs.rhai", JOBS).output();
        let message = format!(
            "error: The test ran for more than 24 h of virtual time: it waited for {waited}\n"
        );
        assert!(ended.code == 1 && ended.to_string().contains(&message), "{ended}");
        assert!(ended.to_string().contains(place), "{ended}");
        let help = "help: say with sim::process when that comes, as in #{ exits_after: \"1s\" } or #{ ready_after: \"1s\" }";
        assert!(ended.to_string().contains(help), "{ended}");
    }
}
