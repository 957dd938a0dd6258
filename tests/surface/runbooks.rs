//! Runbooks as files: missing ones, and files of other editors.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use crate::support::Spc;

fn scripts() -> Spc {
    Spc::new()
        .file("scripts/up.rhai", "print(\"up\");")
        .file("scripts/down.rhai", "print(\"down\");")
}

#[test]
fn an_existing_runbook_runs() {
    scripts().args(["run", "scripts/up.rhai"]).stdout("up\n").run();
    let absolute = scripts();
    let path = absolute.project().join("scripts/up.rhai");
    absolute.args(["run".into(), path.into_os_string()]).stdout("up\n").run();
}

#[test]
fn a_missing_runbook_suggests_a_similar_name() {
    for given in ["scripts/upp.rhai", "scripts/up", "scripts/up.rhai/"] {
        let said = format!(
            "error: There is no runbook \"{given}\"\nhelp: did you mean \"scripts/up.rhai\"?\n"
        );
        scripts()
            .args(["run", given])
            .code(2)
            .stderr(&said.replace(".rhai/\"\n", ".rhai\"\n"))
            .run();
    }
}

#[test]
fn a_runbook_in_scripts_is_found_by_its_name() {
    for given in ["up", "up.rhai"] {
        let said = format!(
            "error: There is no runbook \"{given}\"\nhelp: did you mean \"scripts/up.rhai\"?\n"
        );
        scripts().args(["run", given]).code(2).stderr(&said).run();
    }
}

#[test]
fn an_option_of_one_letter_after_the_name_is_the_runbooks() {
    for (letter, rest) in [
        ("-v", "; after it write --verbose"),
        ("-q", "; after it write --quiet"),
        ("-y", "; after it write --yes"),
        ("-p", ""),
    ] {
        let said = format!(
            "error: scripts/up.rhai takes no arguments, but \"{letter}\" is given\n\
             help: spc's own \"{letter}\" has to come before the runbook's name: spc run {letter} … RUNBOOK{rest}\n"
        );
        scripts().args(["run", "scripts/up.rhai", letter]).code(2).stderr(&said).run();
    }
    let own = "let o = args(#{ verbosity: arg::flag(\"More\") });";
    let ended =
        scripts().file("scripts/own.rhai", own).args(["run", "scripts/own.rhai", "-v"]).output();
    assert!(ended.code == 2 && ended.stderr.contains("did you mean \"--verbosity\"?"), "{ended}");
}

#[test]
fn an_unknown_runbook_without_a_similar_name_lists_all_runbooks() {
    scripts()
        .args(["run", "scripts/migrate.rhai"])
        .code(2)
        .stderr(
            r#"
            error: There is no runbook "scripts/migrate.rhai"
            help: available: scripts/down.rhai, scripts/up.rhai
            "#,
        )
        .run();
}

#[test]
fn a_missing_or_empty_folder_is_reported() {
    scripts()
        .args(["run", "script/up.rhai"])
        .code(2)
        .stderr(
            r#"
            error: There is no runbook "script/up.rhai"
            help: there is no folder "script"
            "#,
        )
        .run();
    scripts()
        .folder("empty")
        .args(["run", "empty/up.rhai"])
        .code(2)
        .stderr(
            r#"
            error: There is no runbook "empty/up.rhai"
            help: there are no runbooks in "empty"
            "#,
        )
        .run();
}

#[test]
fn a_folder_is_no_runbook() {
    scripts()
        .args(["run", "scripts"])
        .code(2)
        .stderr("error: Could not read \"scripts\": it is a folder\n")
        .run();
}

#[test]
fn an_empty_one_does_nothing_well() {
    Spc::new().runbook("").run();
    Spc::new().runbook("// Nothing yet.\n").run();
}

#[test]
fn one_in_another_encoding_is_refused_with_the_line() {
    Spc::new()
        .file("latin.rhai", b"let a = 1;\nlet b = \"\xe4\";")
        .args(["run", "latin.rhai"])
        .code(2)
        .stderr("error: Could not read \"latin.rhai\": line 2 is not UTF-8 text\n")
        .run();
}

#[test]
fn an_unreadable_runbook_is_reported() {
    let run = scripts().args(["run", "scripts/up.rhai"]).by_nobody();
    std::fs::set_permissions(run.project().join("scripts/up.rhai"), Permissions::from_mode(0o600))
        .unwrap();
    run.code(2)
        .stderr("error: Could not read \"[project]/scripts/up.rhai\": permission denied\n")
        .run();
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_move_no_column() {
    Spc::new()
        .file("scripts/a.rhai", "\u{feff}print(\"größe\");\r\n  let x = `two\r\nlines`; print(x.lines().len() + typo);\r\n")
        .args(["run", "scripts/a.rhai"])
        .code(2)
        .stderr(
            r#"
            error: There is no variable "typo"
             --> scripts/a.rhai:3:33
              |
            3 | lines`; print(x.lines().len() + typo);
              |                                 ^^^^
            "#,
        )
        .run();
    Spc::new().runbook("\u{feff}print(`a\r\nb`);\r\n").stdout("a\nb\n").run();
}

#[test]
fn blanks_and_other_alphabets_in_a_path_are_no_obstacle() {
    let run = Spc::new().folder("프로젝트 1").started_in("프로젝트 1");
    run.file(
        "프로젝트 1/ä ö/ü b.rhai",
        "import \"lib/ñ\" as lib;\nprint(lib::name());\nfail(\"exec\", \"데이터\");",
    )
    .file("프로젝트 1/ä ö/lib/ñ.rhai", "fn name() { \"größe\" }")
    .args(["run", "ä ö/ü b.rhai"])
    .code(1)
    .stdout("größe\n")
    .stderr(
        r#"
            error: 데이터
             --> ä ö/ü b.rhai:3:1
              |
            3 | fail("exec", "데이터");
              | ^^^^
            "#,
    )
    .run();
}

#[test]
fn a_first_line_for_the_shell_is_no_code() {
    Spc::new().runbook("#!/usr/bin/env -S spc run\nprint(5);").stdout("5\n").run();
}
