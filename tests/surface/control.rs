//! Errors as values, repetition, and parallel tasks.

use crate::support::Spc;

#[test]
fn attempt_returns_a_value_or_an_error_and_the_script_continues() {
    Spc::new()
        .runbook(
            r#"let well = attempt(|| 5);
print([well.ok, well.value, well.error]);
let badly = attempt(|| fail("conflict", "taken", #{ hint: "stop it", service: "db" }));
print([badly.ok, badly.value, badly.error.kind, badly.error.message, badly.error.hint, badly.error.service, badly.error.place]);
let own = attempt(|| [1][7]);
print([own.error.kind, own.error.message]);
let thrown = attempt(|| { throw "as it is" });
print([thrown.error.kind, thrown.error.message]);
print(attempt(|| fail("exec", "x")).error?.service ?? "none");"#,
        )
        .stdout(
            r#"
            [true, 5, ()]
            [false, (), "conflict", "taken", "stop it", "db", "scripts/a.rhai:3:24"]
            ["usage", "Index 7 is outside the list, which has 1 element"]
            ["failed", "as it is"]
            none
            "#,
        )
        .run();
}

#[test]
fn a_kind_that_there_is_not_is_refused_with_all_there_are() {
    Spc::new()
        .runbook("fail(\"broken\", \"x\");")
        .code(2)
        .stderr(
            r#"
            error: There is no error kind "broken"
             --> scripts/a.rhai:1:1
              |
            1 | fail("broken", "x");
              | ^^^^
              |
              = help: available: build, conflict, engine, exec, failed, image, interrupted, lock, not_found, policy, timeout, unhealthy, usage
            "#,
        )
        .run();
}

#[test]
fn a_caught_error_thrown_again_is_the_same_error() {
    Spc::new()
        .runbook("try {\n    fail(\"lock\", \"held\", #{ hint: \"wait\" });\n} catch (e) {\n    print(e.kind);\n    throw e;\n}")
        .code(4)
        .stdout("lock\n")
        .stderr(
            r"
            error: held
             --> scripts/a.rhai:5:5
              |
            5 |     throw e;
              |     ^^^^^
              |
              = help: wait
            ",
        )
        .run();
}

#[test]
fn retry_tries_again_and_says_so_and_gives_the_last_error() {
    Spc::new()
        .runbook("let n = 0;\nprint(retry(#{ times: 3, delay: \"1ms\" }, || { n += 1; if n < 3 { fail(\"exec\", `no ${n}`) } n }));")
        .stdout("3\n")
        .stderr("Attempt 1 of 3 failed: no 1; again in 1 ms\nAttempt 2 of 3 failed: no 2; again in 2 ms\n")
        .run();
    Spc::new()
        .args(["--quiet"])
        .runbook("retry(#{ times: 2, delay: \"1ms\" }, ||\n    fail(\"exec\", \"never\"));")
        .code(1)
        .stderr(
            r#"
            error: never
             --> scripts/a.rhai:2:5
              |
            2 |     fail("exec", "never"));
              |     ^^^^
              |
              = called from: scripts/a.rhai:1:1, in the call of a closure (|| …)
            "#,
        )
        .run();
}

#[test]
fn a_wrong_option_of_retry_is_shown_at_its_key() {
    Spc::new()
        .runbook("retry(#{\n    times: 2,\n    dealy: \"1s\",\n}, || print(\"ran\"));")
        .code(2)
        .stderr(
            r#"
            error: The retry options have no "dealy"
             --> scripts/a.rhai:3:5
              |
            3 |     dealy: "1s",
              |     ^^^^^
              |
              = help: did you mean "delay"?
            "#,
        )
        .run();
}

#[test]
fn wait_until_ends_with_true_or_with_a_timeout() {
    Spc::new()
        .runbook("let n = 0;\nwait_until(\"30s\", || { n += 1; n == 3 });\nprint(n);")
        .stdout("3\n")
        .run();
    Spc::new()
        .runbook("wait_until(\"20ms\", || false);")
        .code(1)
        .stderr(
            r#"
            error: The condition did not become true within 20 ms
             --> scripts/a.rhai:1:1
              |
            1 | wait_until("20ms", || false);
              | ^^^^^^^^^^
            "#,
        )
        .run();
    Spc::new()
        .runbook("wait_until(\"1s\", || 7);")
        .code(2)
        .stderr(
            r#"
            error: The function of wait_until has to return true or false, not an integer
             --> scripts/a.rhai:1:1
              |
            1 | wait_until("1s", || 7);
              | ^^^^^^^^^^
            "#,
        )
        .run();
}

#[test]
fn parallel_answers_in_the_shape_of_its_question_and_throws_the_first_error() {
    Spc::new()
        .runbook("print(parallel([|| 1, || \"two\"]));\nprint(parallel(#{ b: || 2, a: || 1 }).b);")
        .stdout("[1, \"two\"]\n2\n")
        .run();
    Spc::new()
        .runbook("parallel(#{\n    db: || sleep(\"1h\"),\n    redis: || fail(\"exec\", \"redis is gone\"),\n});")
        .code(1)
        .stderr(
            r#"
            error: redis is gone
             --> scripts/a.rhai:3:15
              |
            3 |     redis: || fail("exec", "redis is gone"),
              |               ^^^^
              |
              = called from: scripts/a.rhai:1:1, in the call of a closure (|| …)
            "#,
        )
        .run();
    Spc::new()
        .runbook("parallel([|| 1, 5]);")
        .code(2)
        .stderr(
            r"
            error: Element 1 of parallel has to be a function, not an integer
             --> scripts/a.rhai:1:1
              |
            1 | parallel([|| 1, 5]);
              | ^^^^^^^^
              |
              = help: write it as a closure: || …
            ",
        )
        .run();
}

#[test]
fn a_duration_needs_its_unit() {
    Spc::new()
        .runbook("sleep(\"30\");")
        .code(2)
        .stderr(
            r#"
            error: "30" is not a duration; write it like "1m30s" or "500ms"
             --> scripts/a.rhai:1:1
              |
            1 | sleep("30");
              | ^^^^^
            "#,
        )
        .run();
}
