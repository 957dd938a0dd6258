//! Runbooks that exhaust a resource. Ctrl-C ends endless ones. spc ends those that use too much
//! memory, with a message.

use std::time::Duration;

use crate::support::Spc;

/// Asserts that spc ended the run with a message.
#[track_caller]
fn bursts(run: Spc, script: &str, says: &str) {
    let ended = run.runbook(&format!("{script}\nprint(\"went on\");")).output();
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{script}: {ended}");
    assert!(ended.stderr.contains(says), "{script}: {ended}");
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn values_have_a_size() {
    for script in [
        "let s = \"x\"; loop { s += s; }",
        "let s = \"ab\"; loop { s = `${s}${s}`; }",
        "let s = \"a\"; for i in 0..40 { s.replace(\"a\", s + s); }",
        "let s = \"a\"; for i in 0..40 { s.replace('a', s + s); }",
        "let s = \"\"; s.replace(\"\", \"x\"); s.pad(100_000_000, \"y\");",
        "let a = [1]; loop { a += a; }",
        "let a = []; a.pad(10_000_000, 0);",
        "let a = []; a.pad(900_000, []); let b = []; b.pad(10, a);",
        "let b = blob(1_000_000_000);",
        "let s = \"x\"; s.pad(1_000_000, \"y\"); let l = []; loop { l.push(s + l.len); }",
    ] {
        bursts(Spc::new(), script, "error: The value is too large");
    }
}

#[test]
fn calls_expressions_and_data_have_a_depth() {
    bursts(Spc::new(), "fn f(n) { f(n + 1) + 1 }\nf(0);", "Calls are nested too deeply");
    bursts(Spc::new(), "let f = |f| f.call(f); f.call(f);", "Calls are nested too deeply");
    bursts(Spc::new(), "fn f() { try { f() } catch { f() } }\nf();", "Calls are nested too deeply");
    let two = Spc::new().file("scripts/b.rhai", "fn on(f) { f.call() }");
    bursts(
        two,
        "import \"b\" as b;\nfn f() { b::on(|| f()) }\nf();",
        "Calls are nested too deeply",
    );
    for format in ["json", "yaml"] {
        bursts(
            Spc::new(),
            &format!("let s = \"[\"; for i in 0..20 {{ s += s; }} {format}::parse(s);"),
            "The text is not",
        );
    }
    let aliases: String = ('b'..='j')
        .map(|c| {
            format!(
                "{c}: &{c} [{}]\\n",
                ["*"; 9].map(|star| format!("{star}{}", (c as u8 - 1) as char)).join(",")
            )
        })
        .collect();
    bursts(
        Spc::new(),
        &format!("yaml::parse(\"a: &a [x, x]\\n{aliases}\");"),
        "The text is not YAML: repetition limit exceeded",
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn reading_a_huge_file_is_rejected() {
    for call in [
        "fs::read(\"img\")",
        "json::read(\"img\")",
        "yaml::read(\"img\")",
        "secret(\"img\")",
        "compose(\"img\")",
    ] {
        let run = Spc::new().file("spc.toml", "").folder("secrets");
        for path in ["img", "secrets/img"] {
            std::fs::File::create(run.project().join(path)).unwrap().set_len(10 << 30).unwrap();
        }
        let ended = run.runbook(&format!("{call};\nprint(\"went on\");")).output();
        assert!(ended.code != 0 && ended.stdout.is_empty(), "{call}: {ended}");
        assert!(ended.stderr.contains("it is larger than 64 MiB"), "{call}: {ended}");
    }
}

#[test]
fn tasks_have_a_number() {
    bursts(
        Spc::new(),
        "let l = []; for i in 0..10_000 { l.push(|| 1); } parallel(l);",
        "parallel takes at most 256 functions at once",
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn whatever_never_ends_ends_with_ctrl_c() {
    for script in [
        "loop { }",
        "try { loop { } } catch { }",
        "try { throw 1; } catch { loop { } }",
        "while true { try { throw 1; } catch { } }",
        "loop { attempt(|| fail(\"failed\", \"x\")); }",
        "attempt(|| { loop { } });",
        "for i in 0..1_000_000_000_000 { i; }",
        "let m = #{}; loop { m[`k${m.len()}`] = 1; if m.len() > 1000 { m = #{}; } }",
        "[1].map(|x| { loop { } });",
        "retry(#{ times: 1_000_000_000, delay: \"1h\" }, || fail(\"failed\", \"x\"));",
        "wait_until(\"100000h\", || false);",
        "sleep(\"100000h\");",
        "parallel([|| { loop { } }, || sleep(\"1h\")]);",
        "fn f() { loop { } }\nparallel([|| f()]);",
    ] {
        let run = Spc::new()
            .runbook(&format!("print(\"begun\");\n{script}\nprint(\"went on\");"))
            .start();
        run.until_stdout("begun\n");
        run.interrupt();
        let ended = run.ends_within(Duration::from_secs(5));
        assert_eq!((ended.code, ended.stdout.as_str()), (130, "begun\n"), "{script}: {ended}");
    }
}
