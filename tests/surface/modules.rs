//! The files that imports can reach.

use crate::support::Spc;

#[test]
fn an_import_is_relative_to_the_importing_file() {
    Spc::new()
        .file("scripts/lib/a.rhai", "import \"b\" as b;\nfn name() { `a of ${b::name()}` }")
        .file("scripts/lib/b.rhai", "fn name() { \"b\" }")
        .runbook("import \"lib/a\" as a;\nprint(a::name());")
        .stdout("a of b\n")
        .run();
}

/// Asserts that an import in the first line of a runbook in `scripts/` is rejected with the
/// position of its path. Imports may not leave that folder.
#[track_caller]
fn refused(run: Spc, path: &str, why: &str, hint: &str) {
    let caret = "^".repeat(path.chars().count() + 2);
    let expected = format!(
        "error: Could not import \"{path}\": {why}\n --> scripts/a.rhai:1:8\n  |\n1 | import \"{path}\" as x;\n  |        {caret}\n  |\n  = help: {hint}\n"
    );
    run.runbook(&format!("import \"{path}\" as x;\n")).code(2).stderr(&expected).run();
}

#[test]
fn no_import_leaves_the_scripts() {
    let outside =
        || Spc::new().file("secret.rhai", "print(\"told\");").file("scripts/in/here.rhai", "");
    let (why, hint) = ("it is outside of the project's scripts", "imports stay inside \"scripts\"");
    refused(outside(), "../secret", why, hint);
    refused(outside(), "in/../../secret", why, hint);
    refused(outside().link("scripts/link.rhai", "../secret.rhai"), "link", why, hint);
    refused(outside().link("scripts/folder", ".."), "folder/secret", why, hint);
    refused(
        outside(),
        "/etc/passwd",
        "the path is absolute",
        "imports are relative to the importing file",
    );
}

#[test]
fn imports_reach_the_whole_project_and_nothing_outside() {
    let project = || {
        Spc::new()
            .file("spc.toml", "")
            .file("shared/a.rhai", "fn name() { \"shared\" }")
            .file("../secret.rhai", "")
    };
    project().runbook("import \"../shared/a\" as a;\nprint(a::name());").stdout("shared\n").run();
    let ended = project().runbook("import \"../../secret\" as x;").output();
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(
        ended.stderr.starts_with(
            "error: Could not import \"../../secret\": it is outside of the project's scripts\n"
        ),
        "{ended}"
    );
}

#[test]
fn imports_do_not_reveal_whether_outside_files_exist() {
    let (why, hint) = ("it is outside of the project's scripts", "imports stay inside \"scripts\"");
    refused(Spc::new(), "../nothing", why, hint);
}

#[test]
fn the_folder_spc_was_started_in_has_a_name() {
    let ended = Spc::new()
        .file("a.rhai", "import \"../secret\" as x;")
        .file("../secret.rhai", "")
        .args(["run", "a.rhai"])
        .output();
    assert!(ended.stderr.contains("= help: imports stay inside \".\"\n"), "{ended}");
    Spc::new()
        .args(["run", "a.rhai"])
        .code(2)
        .stderr("error: There is no runbook \"a.rhai\"\nhelp: there are no runbooks in \".\"\n")
        .run();
}

#[test]
fn a_missing_module_suggests_a_similar_name() {
    let scripts = || Spc::new().file("scripts/lib/ports.rhai", "");
    refused(
        scripts(),
        "lib/prots",
        "there is no file \"scripts/lib/prots.rhai\"",
        "did you mean \"lib/ports\"?",
    );
    refused(
        scripts(),
        "lib/ports.rhai",
        "there is no file \"scripts/lib/ports.rhai.rhai\"",
        "remove the file extension: import \"lib/ports\"",
    );
}

#[test]
fn a_circle_is_named_in_full() {
    Spc::new()
        .file("scripts/b.rhai", "\nimport \"c\" as c;")
        .file("scripts/c.rhai", "import \"b\" as b;")
        .runbook("import \"b\" as b;")
        .code(2)
        .stderr(
            r#"
            error: Imports go in a circle: scripts/b.rhai → scripts/c.rhai → scripts/b.rhai
             --> scripts/c.rhai:1:8
              |
            1 | import "b" as b;
              |        ^^^
              |
              = called from: scripts/b.rhai:2:8, in the call of "import"
              = called from: scripts/a.rhai:1:8, in the call of "import"
            "#,
        )
        .run();
}

#[test]
fn a_function_that_the_module_has_not_comes_with_the_nearest() {
    Spc::new()
        .file("scripts/stack.rhai", "fn describe(options) { options }")
        .runbook("import \"stack\" as app;\nlet spc = app::descrbe(#{});")
        .code(2)
        .stderr(
            r#"
            error: There is no function app::descrbe(map)
             --> scripts/a.rhai:2:16
              |
            2 | let spc = app::descrbe(#{});
              |                ^^^^^^^
              |
              = help: did you mean "describe"?
            "#,
        )
        .run();
}
