//! The project of a run: its folder, its name, its `spc.toml`.

use crate::support::Spc;

const NAME: &str = "print(stack().name);";

#[test]
fn its_name_is_the_option_then_the_variable_then_the_description_then_the_folder() {
    Spc::new().file("spc.toml", "").runbook(NAME).stdout("project\n").run();
    let described = "print(stack(\"shop\", #{}).name);";
    Spc::new().runbook(described).stdout("shop\n").run();
    Spc::new().runbook(described).env("COMPOSE_PROJECT_NAME", "stage").stdout("stage\n").run();
    Spc::new()
        .runbook(described)
        .file("scripts/.env", "COMPOSE_PROJECT_NAME=stage")
        .stdout("stage\n")
        .run();
    Spc::new()
        .args(["--project", "mine"])
        .runbook(described)
        .env("COMPOSE_PROJECT_NAME", "stage")
        .stdout("mine\n")
        .run();
    Spc::new().args(["-p", "mine"]).runbook(NAME).stdout("mine\n").run();
}

#[test]
fn a_folders_name_becomes_one_as_compose_makes_it() {
    Spc::new()
        .file("My Shop_2/a.rhai", NAME)
        .args(["run", "My Shop_2/a.rhai"])
        .stdout("myshop_2\n")
        .run();
    Spc::new()
        .file("___/a.rhai", NAME)
        .args(["run", "___/a.rhai"])
        .code(2)
        .stderr(
            r#"
            error: The folder "___" has no name that a project can have
             --> ___/a.rhai:1:7
              |
            1 | print(stack().name);
              |       ^^^^^
              |
              = help: set the name with --project
            "#,
        )
        .run();
}

#[test]
fn a_wrong_name_is_refused_before_anything_runs() {
    let said = |name: &str, hint: &str| {
        format!(
            "error: \"{name}\" is not a project name: lower-case letters, digits, \"-\" and \"_\", beginning with a letter or digit\n{hint}"
        )
    };
    let run = || Spc::new().runbook("print(\"ran\");").code(2);
    run()
        .env("COMPOSE_PROJECT_NAME", "My Shop")
        .stderr(&said("My Shop", "help: \"myshop\" would be one\n"))
        .run();
    run().env("COMPOSE_PROJECT_NAME", "").code(0).stdout("ran\n").run();
    for verb in [&["ps"][..], &["unlock"], &["run", "scripts/a.rhai"]] {
        let arguments = ["--project", "My Shop"].into_iter().chain(verb.iter().copied());
        let run = Spc::new().file("scripts/a.rhai", "print(\"ran\");").args(arguments);
        run.code(2).stderr(&said("My Shop", "help: \"myshop\" would be one\n")).run();
    }
    Spc::new().args(["-p", "", "ps"]).code(2).stderr(&said("", "")).run();
}

#[test]
fn dash_c_works_as_if_started_there() {
    Spc::new()
        .file("shop/spc.toml", "")
        .file("shop/a.rhai", NAME)
        .args(["-C", "shop", "run", "a.rhai"])
        .stdout("shop\n")
        .run();
    Spc::new()
        .file("shop/a.env", "A=1")
        .file("shop/a.rhai", "print(env(\"A\"));")
        .args(["-C", "shop", "--env-file", "a.env", "run", "a.rhai"])
        .stdout("1\n")
        .run();
}

#[test]
fn dash_c_needs_a_folder() {
    Spc::new()
        .args(["-C", "shop", "ps"])
        .code(2)
        .stderr("error: There is no folder \"shop\"\nhelp: -C names the folder to work in\n")
        .run();
    Spc::new()
        .file("shop", "")
        .args(["-C", "shop", "run", "a.rhai"])
        .code(2)
        .stderr("error: \"shop\" is not a folder\nhelp: -C names the folder to work in\n")
        .run();
}

#[test]
fn its_files_are_those_of_the_project_directory() {
    Spc::new()
        .file("spc.toml", "project_directory = \"app\"")
        .file("app/.env", "A=from the project")
        .file("app/note.txt", "of the project")
        .file("scripts/.env", "A=from the scripts")
        .file("scripts/note.txt", "of the scripts")
        .runbook("print(env(\"A\"));\nprint(fs::read(\"note.txt\"));")
        .stdout("from the project\nof the project\n")
        .run();
}

/// The error about this `spc.toml`; the runbook does not run.
#[track_caller]
fn refused(settings: &str, expected: &str) {
    Spc::new().file("spc.toml", settings).runbook("print(\"ran\");").code(2).stderr(expected).run();
}

#[test]
fn a_wrong_key_of_the_project_file_is_shown_at_its_place_with_the_nearest() {
    refused(
        "spc = \"0.1\"\n\n[allow]\n  comands = [\"git\"]\n",
        r#"
        error: Unknown key "comands"
         --> spc.toml:4:3
          |
        4 |   comands = ["git"]
          |   ^
          |
          = help: did you mean "commands"?
        "#,
    );
    refused(
        "\u{feff}spc = \"0.1\"\r\ndirectory = \"app\"\r\n",
        r#"
        error: Unknown key "directory"
         --> spc.toml:2:1
          |
        2 | directory = "app"
          | ^
          |
          = help: available: allow, project_directory, spc
        "#,
    );
}

#[test]
fn a_wrong_value_of_the_project_file_is_shown_at_its_place() {
    refused(
        "[allow]\nread = \"/srv\"\n",
        r#"
        error: "read" takes a list of strings, not "/srv"
         --> spc.toml:2:8
          |
        2 | read = "/srv"
          |        ^
          |
          = help: write read = ["/srv/data"]
        "#,
    );
    refused(
        "project_directory = \"app\"\n",
        r#"
        error: The project_directory "app" does not exist
         --> spc.toml:1:21
          |
        1 | project_directory = "app"
          |                     ^
          |
          = help: create the folder, or choose an existing one; it is relative to spc.toml
        "#,
    );
    refused(
        "project_directory = \"../app\"\n",
        r#"
        error: The project_directory "../app" is not below the folder of spc.toml
         --> spc.toml:1:21
          |
        1 | project_directory = "../app"
          |                     ^
          |
          = help: name a folder relative to that one, without ".."
        "#,
    );
}

#[test]
fn a_project_for_another_spc_is_not_run_by_this_one() {
    refused(
        "spc = \"99\"\nlater = true\n",
        concat!(
            "error: The project needs spc 99, and this is spc ",
            env!("CARGO_PKG_VERSION"),
            "\n --> spc.toml:1:7\n  |\n1 | spc = \"99\"\n  |       ^\n  |\n",
            "  = help: install a matching spc, or change spc.toml if the project works with this one\n"
        ),
    );
}

#[test]
fn a_project_file_that_is_no_toml_or_no_file_is_reported() {
    let ended = Spc::new().file("spc.toml", "[allow\n").runbook("").output();
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.starts_with("error: The file is not valid TOML: ")
            && ended.stderr.contains(" --> spc.toml:1:7\n"),
        "{ended}"
    );
    Spc::new()
        .folder("spc.toml")
        .runbook("")
        .code(2)
        .stderr("error: Could not read \"[project]/spc.toml\": it is a folder\n")
        .run();
}

#[test]
fn paths_with_dash_c_are_shown_relative_to_the_start_folder() {
    Spc::new()
        .file("shop/.env", "A B\n")
        .file("shop/a.rhai", "")
        .args(["-C", "shop", "run", "a.rhai"])
        .code(2)
        .stderr(
            r#"
            error: A variable's name can't contain " "
             --> shop/.env:1:2
              |
            1 | • •
              |  ^
              |
              = help: write NAME=value, one to a line; a value that spans lines needs quotes
            "#,
        )
        .run();
}
