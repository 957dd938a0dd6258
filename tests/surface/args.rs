//! The options that a runbook declares.

use crate::support::Spc;

const RUNBOOK: &str = r#"//! Move the traffic.
//!
//! In shares, watched.
let o = args(#{
    tag: arg::text((), "Release"), build: arg::flag("Build images first"), services: arg::rest("Services (default: all)"),
    steps: arg::list([5, 25], "Shares in percent"), keep: arg::number(7, "Backups kept"), bake: arg::duration("30s", "Watch each share"),
    target: arg::one_of(["development", "production"], env("TARGET", "development"), "Image stage"),
    max_errors: arg::number(0.01, "Error rate that ends it"),
});
print([o.tag, o.build, o.services, o.steps, o.keep, o.bake, o.target, o.max_errors]);
"#;

/// The output for these arguments.
#[track_caller]
fn given(words: &[&str], expected: &str) {
    Spc::new().runbook(RUNBOOK).args(words).stdout(&format!("{expected}\n")).run();
}

/// The error for these arguments. They are not in the script, so no line of it is shown.
#[track_caller]
fn refused(words: &[&str], message: &str, hint: &str) {
    let hint = if hint.is_empty() { String::new() } else { format!("help: {hint}\n") };
    let said = format!("error: {message}\n{hint}");
    Spc::new().runbook(RUNBOOK).args(words).code(2).stderr(&said).run();
}

#[test]
fn help_shows_them_and_does_nothing_else() {
    let expected = r"
        Move the traffic.

        In shares, watched.

        Usage: spc run scripts/a.rhai [OPTIONS] [SERVICES]...

        Arguments:
          [SERVICES]...          Services (default: all)

        Options:
          --bake <DURATION>      Watch each share [default: 30s]
          --build                Build images first
          --keep <NUMBER>        Backups kept [default: 7]
          --max-errors <NUMBER>  Error rate that ends it [default: 0.01]
          --steps <LIST>         Shares in percent [default: 5,25]
          --tag <TEXT>           Release
          --target <CHOICE>      Image stage (one of: development, production) [default: production]
          --help                 Print this help

        Options of spc itself: spc run --help
        ";
    for words in [&["--help"][..], &["-h"], &["db", "--build", "--help", "--nonsense"]] {
        Spc::new().env("TARGET", "production").runbook(RUNBOOK).args(words).stdout(expected).run();
    }
}

#[test]
fn help_of_a_runbook_without_options_runs_nothing_of_it() {
    let expected = "Just do it.\n\nUsage: spc run scripts/a.rhai [OPTIONS]\n\nOptions:\n  --help  Print this help\n\nOptions of spc itself: spc run --help\n";
    Spc::new().runbook("//! Just do it.\nprint(\"ran\");").args(["--help"]).stdout(expected).run();
}

#[test]
fn values_are_typed_like_their_defaults() {
    given(&[], r#"[(), false, (), [5, 25], 7, 30s, "development", 0.01]"#);
    given(
        &[
            "db",
            "--tag=v2",
            "--build",
            "--steps",
            "1,2",
            "--keep",
            "-1",
            "redis",
            "--bake",
            "1m30s",
            "--target",
            "production",
            "--max-errors",
            "1",
        ],
        r#"["v2", true, ["db", "redis"], [1, 2], -1, 1m30s, "production", 1.0]"#,
    );
    given(
        &["--no-build", "--", "--tag"],
        r#"[(), false, ["--tag"], [5, 25], 7, 30s, "development", 0.01]"#,
    );
}

#[test]
fn a_word_that_fits_none_is_refused_with_the_nearest() {
    refused(&["--taget", "x"], "There is no option \"--taget\"", "did you mean \"--target\"?");
    refused(
        &["--target", "prod"],
        "\"--target\" is one of development, production, not \"prod\"",
        "did you mean \"production\"?",
    );
    refused(&["--keep", "many"], "\"--keep\" takes an integer, not \"many\"", "");
    refused(&["--steps", "5,x"], "\"--steps\" takes integers, not \"x\"", "");
    refused(
        &["--bake", "30"],
        "\"--bake\": \"30\" is not a duration; write it like \"1m30s\" or \"500ms\"",
        "",
    );
    refused(&["--tag"], "\"--tag\" needs a value", "write --tag TEXT");
    refused(&["--build=yes"], "\"--build\" takes no value", "write --build or --no-build");
    refused(&["--tag", "a", "--tag", "b"], "\"--tag\" is given twice", "");
}

#[test]
fn a_default_of_the_environment_that_fits_none_is_refused_too() {
    Spc::new()
        .env("TARGET", "staging")
        .runbook(RUNBOOK)
        .code(2)
        .stderr(
            r#"
            error: The default "staging" is not one of: development, production
             --> scripts/a.rhai:7:18
              |
            7 |     target: arg::one_of(["development", "production"], env("TARGET", "development"), "Image stage"),
              |                  ^^^^^^
            "#,
        )
        .run();
}

#[test]
fn a_runbook_that_declares_none_takes_none() {
    for word in ["db", "--build"] {
        let said = format!(
            "error: scripts/a.rhai takes no arguments, but \"{word}\" is given\nhelp: a runbook declares what it takes with args(#{{ … }})\n"
        );
        Spc::new().runbook("print(\"ran\");").args([word]).code(2).stderr(&said).run();
    }
}

#[test]
fn options_of_spc_may_follow_the_runbook() {
    let script = "let o = args(#{ rest: arg::rest(\"Words\") });\nlog::info(\"hidden\");\nprint(confirm(\"Sure?\"));\nprint(o.rest);";
    Spc::new().runbook(script).args(["--quiet", "--yes", "db"]).stdout("true\n[\"db\"]\n").run();
    Spc::new()
        .runbook("print(args(#{ rest: arg::rest(\"Words\") }).rest);")
        .args(["--", "--json"])
        .stdout("[\"--json\"]\n")
        .run();
}

#[test]
fn an_option_that_spc_takes_for_itself_is_refused_at_its_declaration() {
    for (key, option) in [
        ("adopt", "adopt"),
        ("all_steps", "all-steps"),
        ("exit_code", "exit-code"),
        ("help", "help"),
        ("json", "json"),
        ("quiet", "quiet"),
        ("remove_orphans", "remove-orphans"),
        ("renew_anon_volumes", "renew-anon-volumes"),
        ("verbose", "verbose"),
        ("wait_lock", "wait-lock"),
        ("yes", "yes"),
        ("\"exit-code\"", "exit-code"),
    ] {
        let name = key.trim_matches('"');
        let runbook = format!(
            "let o = args(#{{\n    tag: arg::text((), \"Release\"),\n    {key}: arg::flag(\"Whether\"),\n}});\nprint(o);\n"
        );
        let marks = "^".repeat(key.len());
        let said = format!(
            "error: A runbook can't declare the option \"{name}\": --{option} is an option of spc itself\n --> scripts/a.rhai:3:5\n  |\n\
             3 |     {key}: arg::flag(\"Whether\"),\n  |     {marks}\n  |\n  = help: give it another name, such as my_{}\n",
            option.replace('-', "_")
        );
        Spc::new().runbook(&runbook).code(2).stderr(&said).run();
        let checked = Spc::new().file("scripts/a.rhai", &runbook).args(["check"]).output();
        assert_eq!(checked.code, 2);
        assert!(
            checked.stderr.starts_with(&said.replacen("error:", "error[unknown-key]:", 1)),
            "{}",
            checked.stderr
        );
    }
}

#[test]
fn each_option_that_spc_takes_out_of_the_words_is_one_that_no_runbook_can_declare() {
    let runbook = r#"let o = args(#{ words: arg::rest("Words") }); print(o.words);"#;
    for own in spc::model::help::OWN_OPTIONS {
        let word = format!("--{}", own.replace('_', "-"));
        let ended = Spc::new().runbook(runbook).args([&word]).output();
        // Two are only of `plan`, and one needs a value.
        let is_refused = ["all_steps", "exit_code", "wait_lock"].contains(&own);
        assert_eq!(ended.code, if is_refused { 2 } else { 0 }, "{word}: {ended}");
    }
}

#[test]
fn a_wrong_time_to_wait_for_the_lock_is_named() {
    for (words, reported) in [
        (&["run", "scripts/a.rhai", "--wait-lock"][..], "--wait-lock needs a duration"),
        (&["run", "scripts/a.rhai", "--wait-lock", "soon"], "--wait-lock: "),
        (&["run", "scripts/a.rhai", "--wait-lock=-1s"], "--wait-lock: "),
        (&["run", "--wait-lock", "soon", "scripts/a.rhai"], "'--wait-lock <DURATION>'"),
    ] {
        let ended =
            Spc::new().file("scripts/a.rhai", "print(\"ran\");").args(words.to_vec()).output();
        assert!(ended.code == 2 && ended.stderr.contains(reported), "{words:?}: {ended}");
        assert!(!ended.stdout.contains("ran"));
    }
    let runbook = "let o = args(#{ tag: arg::text((), \"Release\") });\nprint(o.tag);";
    let words = ["run", "scripts/a.rhai", "--wait-lock", "5m", "--tag", "v1"];
    Spc::new().file("scripts/a.rhai", runbook).args(words).stdout("v1\n").run();
}
