//! Attacks with features of the script language.

use crate::support::Spc;

/// Asserts that the run ends without any output.
#[track_caller]
fn ends(script: &str, codes: &[i32]) {
    let ended = Spc::new().runbook(&format!("{script}\nprint(\"went on\");")).output();
    assert!(codes.contains(&ended.code), "{script}: {ended}");
    assert!(!ended.stdout.contains("went on"), "{script}: {ended}");
}

#[test]
fn nothing_evaluates_text() {
    for script in [
        "eval(\"print(1)\");",
        "let e = \"eval\"; Fn(e).call(\"print(1)\");",
        "Fn(\"eval\").call(\"print(1)\");",
        "\"print(1)\".eval();",
        "call(\"eval\", \"1\");",
        "fn eval(x) { x }\neval(\"1\");",
        "let eval = 1;",
    ] {
        let ended = Spc::new().runbook(script).output();
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{script}: {ended}");
    }
}

#[test]
fn a_function_by_its_name_is_held_to_the_policy_too() {
    for script in [
        "Fn(\"sh\").call([\"git\"]);",
        "let f = sh; f.call([\"git\"]);",
        "[[\"git\"]].map(sh);",
        "[[\"git\"]].map(Fn(\"sh\"));",
        "let f = Fn(\"sh\").curry([\"git\"]); f.call();",
        "[\"git\"].sh();",
        "let o = #{ run: |c| sh(c) }; o.run([\"git\"]);",
        "fn mine(f) { f.call([\"git\"]) }\nmine(Fn(\"sh\"));",
    ] {
        ends(script, &[2, 5]);
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn no_function_of_spc_is_defined_again() {
    for definition in [
        "fn stack(name, description) { 1 }",
        "fn exec(target, command) { 1 }",
        "fn env(name) { 1 }",
        "fn secret(name) { 1 }",
        "fn sh(command) { 1 }",
        "fn fail(kind, message) { 1 }",
        "fn attempt(f) { 1 }",
        "fn confirm(question) { true }",
        "private fn sh(command) { 1 }",
    ] {
        ends(definition, &[2]);
        let ended = Spc::new()
            .file("scripts/mine.rhai", definition)
            .runbook("import \"mine\" as mine;\nprint(\"went on\");")
            .output();
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{definition}: {ended}");
    }
    // Printing is a function of Rhai; redefined or not, the terminal masks the output.
    let run = Spc::new().file("secrets/token", "hunter2-hunter2");
    let ended = run.runbook("fn show(x) { print(x); debug(x) }\nshow(secret(\"token\"));\nshow(expose(secret(\"token\")));").output();
    assert!(!format!("{ended}").contains("hunter2"), "{ended}");
}

#[test]
fn no_operator_is_overloaded() {
    for definition in ["fn +(a, b) { 1 }", "fn ==(a, b) { true }", "fn []=(a, b) { 1 }"] {
        ends(definition, &[2]);
    }
    // A map is data, but a refusal that a script creates counts like one of spc.
    ends("throw #{ kind: \"policy\", message: \"mine\" };", &[5]);
    ends("try { fail(\"policy\", \"mine\"); } catch { }", &[5]);
}

#[test]
fn a_script_can_not_swallow_a_policy_error() {
    let refused = "sh([\"git\"])";
    for script in [
        format!("let f = |x| {refused}; try {{ f.call(1); }} catch {{ }}"),
        format!("fn g() {{ try {{ {refused} }} catch {{ }} }}\ng();"),
        format!("for i in 0..3 {{ try {{ {refused} }} catch {{ continue; }} }}"),
        format!("try {{ try {{ {refused} }} catch {{ throw \"other\"; }} }} catch {{ }}"),
        format!(
            "let x = try_it(|| {refused});\nfn try_it(f) {{ try {{ return f.call(); }} catch {{ return 1; }} }}"
        ),
        format!("[1, 2].filter(|x| {{ try {{ {refused}; }} catch {{ }} true }});"),
        format!("[2, 1].sort(|a, b| {{ try {{ {refused}; }} catch {{ }} a - b }});"),
        format!("retry(#{{ times: 2, delay: \"1ms\" }}, || attempt(|| {refused}));"),
        format!("parallel([|| retry(#{{ times: 2, delay: \"1ms\" }}, || {refused})]);"),
        format!("attempt(|| attempt(|| attempt(|| {refused})));"),
        format!("attempt(|| fail(\"failed\", attempt(|| {refused})));"),
        format!("print(`${{attempt(|| {refused})}}`);"),
        format!("let m = #{{ f: || {refused} }}; attempt(m.f);"),
        format!("switch attempt(|| {refused}).ok {{ true => 1, _ => 2 }}"),
        format!("wait_until(\"10ms\", || {{ try {{ {refused} }} catch {{ }} true }});"),
    ] {
        ends(&script, &[5]);
    }
}
