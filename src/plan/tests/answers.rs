//! Answers of a runbook for its plan, commands that a plan runs, and reasons why a plan ends early.

use similar_asserts::assert_eq;

use super::{planned, planned_and_run, stack, text, up, world};
use crate::engine::sim::{ExecAnswer, Process};
use crate::machine::World;

const CACHE: &str = r#"cache: #{ image: "cache:1" }"#;
pub(super) const ALLOWED: &str =
    "spc = \"0.1\"\n[allow]\ncommands = [\"*\"]\nread_only_execs = true\n";

/// A machine with a running `cache`, and the plan of a runbook that begins with its description.
pub(super) fn running(code: &str) -> World {
    running_with(code, &[])
}

pub(super) fn running_with(code: &str, files: &[(&str, &str)]) -> World {
    let runbook = stack(CACHE) + "let cache = shop.service(\"cache\");\n" + code;
    let up = up(CACHE);
    let own = [("up.rhai", up.as_str()), ("ask.rhai", runbook.as_str())];
    let world = world(&[&own[..], files].concat());
    world.engine.set_process("cache", Process::new().answers("*llen*", ExecAnswer::stdout("7\n")));
    planned_and_run(&world, "up.rhai");
    world
}

fn asked(code: &str) -> String {
    text(&planned(&running(code), "ask.rhai"))
}

#[test]
fn an_answer_that_is_assumed_leads_the_plan_on() {
    let said = asked(
        "if cache.exec(\"llen\", #{ assume: 3 }).int() > 2 {\n    fs::write(\"busy\", \"x\");\n}\n",
    );
    let expected = "\
ask.rhai:4
  1  run command /bin/sh -c llen in container shop-cache-1  requested in line 4
ask.rhai:4: the steps below depend on the command \"/bin/sh -c llen\" in the container shop-cache-1 (step 1); assumed: exit code 0, output \"3\" (from `assume`)
ask.rhai:5
  2  write file busy                                        requested in line 5
1 to run, 1 to write";
    assert_eq!(said, expected);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn every_kind_of_question_takes_an_assumed_answer() {
    for (code, answer) in [
        (r#"cache.exec("x", #{ assume: "a\nb" }).lines()[1]"#, "b"),
        (r#"cache.exec("x", #{ assume: [1, 2] }).json()[1].to_string()"#, "2"),
        (
            r#"cache.exec("x", #{ assume: #{ code: 4, stdout: #{ a: 5 }, stderr: "no" }, check: false }).json().a.to_string()"#,
            "5",
        ),
        (r#"cache.containers()[0].exec(["x"], #{ assume: "c" }).stdout"#, "c"),
        (r#"exec("cache", "x", #{ assume: "d" }).stdout"#, "d"),
        (r#"cache.run(["x"], #{ assume: "e" }).stdout"#, "e"),
        (r#"run("tool:1", ["x"], #{ assume: 6 }).int().to_string()"#, "6"),
        (r#"sh(["git", "tag"], #{ assume: "v7" }).stdout"#, "v7"),
        (r#"sh(["git", "tag"], #{ assume: 8, quiet: true }).int().to_string()"#, "8"),
        (r#"http::get("http://localhost/", #{ assume: 503 }).status.to_string()"#, "503"),
        (r#"http::get("http://localhost/", #{ assume: "up" }).body"#, "up"),
        (
            r#"http::post("http://localhost/", #{ body: "x", assume: #{ status: 201, body: #{ id: 9 }, headers: #{ "X-Id": "9" } } }).json().id.to_string()"#,
            "9",
        ),
        (
            r#"http::head("http://localhost/", #{ assume: #{ headers: #{ "X-Id": "9" } } }).headers["x-id"]"#,
            "9",
        ),
        (
            r#"healthcheck(cache, #{ test: ["CMD", "x"], assume: #{ code: 3, stdout: "ill" } }).output"#,
            "ill",
        ),
        (r#"confirm("Sure?", #{ assume: false }).to_string()"#, "false"),
        (
            r#"attempt(|| cache.wait("ready", #{ timeout: "1s", assume: false })).error.kind"#,
            "timeout",
        ),
        (r#"attempt(|| shop.wait((), #{ assume: false })).error.kind"#, "timeout"),
        (
            r#"attempt(|| wait_until(#{ timeout: "1s", assume: false }, || true)).error.kind"#,
            "timeout",
        ),
        (r#"attempt(|| cache.exec("x", #{ assume: #{ code: 2 } })).error.code.to_string()"#, "2"),
    ] {
        let said = asked(&format!("fs::write({code}, \"x\");\n"));
        assert!(said.contains(&format!("write file {answer} ")), "{code}: {said}");
        assert!(
            said.contains("from `assume`") && !said.contains("the plan ends"),
            "{code}: {said}"
        );
    }
}

#[test]
fn an_unknown_file_or_log_has_the_assumed_content() {
    let again = stack(r#"cache: #{ image: "cache:1", labels: #{ other: "x" } }"#)
        + "shop.up();\nlet cache = shop.service(\"cache\");\n";
    for (code, answer) in [
        (r#"cache.read("/etc/port", #{ assume: 6379 })"#, "6379"),
        (
            r#"json::parse(cache.containers()[0].read("/etc/c.json", #{ assume: #{ port: 80 } })).port.to_string()"#,
            "80",
        ),
        (r#"cache.logs(#{ assume: ["one", "two"] })[1].text"#, "two"),
        (r#"cache.containers()[0].logs(#{ assume: "one\ntwo" })[0].text"#, "one"),
        (r#"shop.logs((), #{ assume: ["three"] })[0].text"#, "three"),
    ] {
        let code = format!("fs::write({code}, \"x\");\n");
        let (up, changed) = (up(CACHE), format!("{again}{code}"));
        let world = world(&[("up.rhai", &up), ("ask.rhai", &changed)]);
        planned_and_run(&world, "up.rhai");
        let said = text(&planned(&world, "ask.rhai"));
        assert!(
            said.contains(&format!("write file {answer} ")) && said.contains("from `assume`"),
            "{code}: {said}"
        );
        // For unchanged objects the plan has the real answer.
        let known = super::try_plan(&running(&code), "ask.rhai");
        assert!(
            known.as_ref().map_or(true, |preview| !text(preview).contains("from `assume`")),
            "{code}"
        );
    }
}

#[test]
fn an_assumed_output_is_in_the_file_it_goes_to() {
    for code in [
        r#"cache.exec("dump", #{ stdout: fs::file("dump"), assume: "rows" });"#,
        r#"sh(["git", "log"], #{ stdout: fs::file("dump"), assume: "rows" });"#,
    ] {
        let said = asked(&format!("{code}\nfs::write(fs::read(\"dump\"), \"x\");\n"));
        assert!(said.contains("write file rows "), "{code}: {said}");
        assert_eq!(said.matches("write file dump ").count(), 1, "{said}");
    }
}

#[test]
fn a_secret_in_an_assumed_answer_is_hidden() {
    let said = asked(
        "let s = random_secret(\"key\", 20);\nprint(cache.exec(\"x\", #{ assume: \"pw: \" + expose(s) }).stdout);\n",
    );
    assert!(said.contains("output \"pw: [secret key]"), "{said}");
}

#[test]
fn a_read_only_command_is_run_where_plans_may_and_its_answer_is_known() {
    let code =
        "fs::write(\"n\" + cache.exec(\"llen\", #{ read_only: true, assume: 3 }).int(), \"x\");\n";
    let world = running_with(code, &[("spc.toml", ALLOWED)]);
    // The plan runs the command: the only call of a plan that does not only read.
    let calls = world.engine.calls().len();
    let preview = super::try_plan(&world, "ask.rhai").unwrap();
    let made: Vec<_> = world.engine.calls()[calls..]
        .iter()
        .filter(|call| call.mutates)
        .map(|call| call.method)
        .collect();
    assert_eq!(made, ["exec_start"]);
    let expected = "\
ask.rhai:4
  1  run (read-only) command /bin/sh -c llen in container shop-cache-1  requested in line 4
  2  write file n7                                                      requested in line 4; after 1
1 to write";
    assert_eq!(text(&preview), expected);
}

#[test]
fn a_read_only_command_alone_is_nothing_to_do() {
    let world =
        running_with("cache.exec(\"llen\", #{ read_only: true });\n", &[("spc.toml", ALLOWED)]);
    let preview = super::try_plan(&world, "ask.rhai").unwrap();
    assert!(!preview.changes() && text(&preview).ends_with("nothing to do"), "{}", text(&preview));
}

#[test]
fn a_forbidden_read_only_command_is_not_run_and_the_plan_names_the_setting() {
    let said = asked(
        "fs::write(\"n\" + cache.exec(\"llen\", #{ read_only: true, assume: 3 }).int(), \"x\");\n",
    );
    assert!(said.contains("write file n3 "), "{said}");
    let note = "note: read-only commands were not run, as in the container shop-cache-1: to have plans run them, write read_only_execs = true under [allow] in spc.toml";
    assert!(said.contains(note), "{said}");
}

#[test]
fn a_read_only_command_is_not_run_in_a_container_that_the_plan_changed() {
    for code in ["cache.restart();\n", "shop.down();\nshop.up();\n"] {
        let read = "fs::write(\"n\" + cache.exec(\"llen\", #{ read_only: true, assume: 3 }).int(), \"x\");\n";
        let world = running_with(&format!("{code}{read}"), &[("spc.toml", ALLOWED)]);
        let said = text(&planned(&world, "ask.rhai"));
        assert!(
            said.contains("write file n3 ") && !said.contains("read-only commands were not run"),
            "{said}"
        );
    }
}

#[test]
fn a_plan_that_ends_at_an_unknown_answer_names_the_call_and_the_option() {
    let said = asked(
        "let count = cache.exec(\"llen\");\nprint(count.int());\nfs::write(\"done\", \"x\");\n",
    );
    let end = "\
the plan ends at ask.rhai:5: \"\" is not an integer
help: give the call at ask.rhai:4 the option `assume`: plans use it as the answer of the command \"/bin/sh -c llen\" in the container shop-cache-1
1 to run";
    assert!(said.ends_with(end), "{said}");
}

#[test]
fn a_refusal_after_an_unknown_answer_is_one_and_names_the_line_that_allows_it() {
    let code = "if cache.exec(\"llen\").ok {\n    http::get(\"http://evil.example/\");\n}\n";
    let preview = planned(&running(code), "ask.rhai");
    let ends = preview.ends.clone().unwrap();
    assert!(ends.refused, "{ends:?}");
    let said = text(&preview);
    assert!(said.contains("the plan ends at ask.rhai:5: A script may not send a request to \"http://evil.example/\""), "{said}");
    assert!(
        said.contains(
            "help: to allow it, write network = [\"evil.example\"] under [allow] in spc.toml"
        ),
        "{said}"
    );
}

#[test]
fn a_guarded_function_that_fails_in_the_plan_is_reported_first() {
    let code = "guarded(shop, \"restore\", |g| {\n    g.undo(\"take it back\", || fs::remove(\"copy\"));\n    fs::write(\"copy\", \"x\");\n    cache.exec(\"check\").int();\n});\n";
    let said = asked(code);
    assert!(
        said.starts_with("This plan is incomplete: it ends at ask.rhai:7, before the runbook does\nthis plan handles an error: ask.rhai:4: guarded \"restore\" undoes its steps: \"\" is not an integer\n"),
        "{said}"
    );
    assert!(said.contains("remove file copy"), "{said}");
    // Nothing is undone after a commit, or without an error.
    for code in [
        code.replace("    cache.exec", "    g.commit();\n    cache.exec"),
        code.replace(".int()", ""),
    ] {
        let said = asked(&code);
        assert!(!said.contains("handles an error"), "{said}");
    }
}

#[test]
fn a_caught_error_in_the_plan_is_reported_first() {
    for (code, line, because) in [
        (
            "try { cache.exec(\"x\").int(); } catch (e) { fs::write(\"bad\", \"x\"); }\n",
            4,
            "\"\" is not an integer",
        ),
        (
            "try { cache.exec(\"x\").json(); } catch { }\nfs::write(\"bad\", \"x\");\n",
            4,
            "\"\" is not JSON: EOF while parsing a value at line 1 column 0",
        ),
        ("let a = [];\ntry {\n    a[1];\n} catch {\n    fs::write(\"bad\", \"x\");\n}\n", 8, ""),
        (
            "if !attempt(|| cache.exec(\"x\").int()).ok { fs::write(\"bad\", \"x\"); }\n",
            4,
            "\"\" is not an integer",
        ),
        (
            "fn look(it) { try { it.exec(\"x\").int(); } catch (e) { fs::write(\"bad\", \"x\"); } }\nlook(cache);\n",
            4,
            "\"\" is not an integer",
        ),
    ] {
        let said = asked(code);
        let first = said.lines().next().unwrap();
        assert!(
            first.starts_with(&format!("this plan handles an error: ask.rhai:{line}: ")),
            "{code}: {said}"
        );
        assert!(
            first.ends_with(&if because.is_empty() {
                "catch continues".to_owned()
            } else {
                format!(": {because}")
            }),
            "{code}: {said}"
        );
        assert!(said.contains("write file bad"), "{code}: {said}");
    }
    // Nothing is evaluated after these.
    for code in [
        "try { cache.exec(\"x\").int(); } catch { }",
        "try { cache.exec(\"x\").int(); } catch (e) { }\n",
        "try { cache.exec(\"x\").int(); } catch { () }",
        "try { cache.exec(\"x\").int(); } catch { 1 }",
        "try { cache.exec(\"x\").int(); } catch { let found = false; }",
        "fn look(it) { try { it.exec(\"x\").int(); } catch { } }\nlook(cache);",
        "if true { try { cache.exec(\"x\").int(); } catch { ; } }",
        "parallel([|| { try { cache.exec(\"x\").int(); } catch { } }]);",
    ] {
        let said = asked(code);
        assert!(
            said.starts_with(
                "this plan handles an error: ask.rhai:4: catch continues: \"\" is not an integer"
            ),
            "{code}: {said}"
        );
    }
    assert!(!asked("try { cache.exec(\"x\"); } catch { }").contains("handles an error"));
    for code in [
        "try { cache.exec(\"x\"); } catch { fs::write(\"bad\", \"x\"); }\nfs::write(\"well\", \"x\");\n",
        "attempt(|| 1);\nfs::write(\"well\", \"x\");\n",
    ] {
        let said = asked(code);
        assert!(
            !said.contains("handles an error") && said.contains("write file well"),
            "{code}: {said}"
        );
    }
}
