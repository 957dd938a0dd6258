//! `spc plan`: what would be done is told, and is not done.

use crate::support::Spc;

fn plan(words: &[&str], runbook: &str) -> Spc {
    Spc::new().file("scripts/a.rhai", runbook).args(["plan"]).args(words.iter().copied()).args(["scripts/a.rhai"])
}

#[test]
fn a_runbook_that_changes_nothing_has_nothing_to_do() {
    plan(&[], "print(\"done\");").stdout("nothing to do\n").run();
    plan(&["--exit-code"], "print(\"done\");").stdout("nothing to do\n").run();
}

#[test]
fn what_would_be_written_is_told_and_can_be_read_by_what_follows() {
    let runbook = "fs::write(\"out\", \"x\");\nif fs::read(\"out\") == \"x\" { fs::remove(\"out\"); }\n";
    let text = "
        scripts/a.rhai:1
          1  write file scripts/out   asked for in line 1
        scripts/a.rhai:2
          2  remove file scripts/out  asked for in line 2
        1 to remove, 1 to write
        ";
    plan(&[], runbook).stdout(text).run();
    plan(&["--exit-code"], runbook).code(3).stdout(text).run();
}

#[test]
fn a_plan_is_one_line_of_json_and_an_end() {
    plan(&["--json", "--exit-code"], "if http::get(\"http://localhost/\").ok { print(1); }")
        .code(3)
        .stdout(
            r#"
            {"time":"[time]","event":"plan","items":[{"kind":"call","at":{"file":"scripts/a.rhai","line":1},"steps":[{"number":1,"action":"request","object":"GET http://localhost/","cause":"asked for in line 1","after":[],"changes":true,"assumptions":0}]},{"kind":"assumption","number":1,"at":{"file":"scripts/a.rhai","line":1},"answer_of":"GET http://localhost/","step":1,"assumed":"status 200, an empty body"}],"summary":{"request":1},"conditional":0,"notes":[]}
            {"time":"[time]","event":"end","ok":true,"code":3}
            "#,
        )
        .run();
}

#[test]
fn a_plan_that_can_not_go_on_says_where_and_what_it_assumed() {
    plan(&[], "let status = http::get(\"http://localhost/\").json();\nfs::write(\"out\", status.name);\n")
        .stdout(
            "
            scripts/a.rhai:1
              1  request GET http://localhost/  asked for in line 1
            scripts/a.rhai:1: from here on it depends on GET http://localhost/ (step 1); assumed: status 200, an empty body
            the plan ends at scripts/a.rhai:1: \"\" is not JSON: EOF while parsing a value at line 1 column 0
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
    let absent = plan(&["--json"], "stack(\"x\", #{ services: #{ a: #{ image: \"a\" } } }).up();").output();
    assert!(absent.code == 1 && absent.stdout.contains(r#""kind":"engine""#), "{absent}");
    let help = Spc::new().file("a.rhai", "//! Do it.\nargs(#{});\nfs::write(\"out\", \"x\");").args(["plan", "a.rhai", "--help"]).output();
    assert!(help.code == 0 && help.stdout.starts_with("Do it.\n\nUsage: spc plan a.rhai"), "{help}");
    Spc::new().args(["plan", "-e", "1"]).stdout("nothing to do\n").run();
}
