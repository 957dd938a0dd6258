//! Variables of the process, of `.env`, and of the files of `--env-file`.

use crate::support::Spc;

#[test]
fn no_env_file_is_fine_and_a_variable_that_is_not_set_is_reported() {
    Spc::new()
        .runbook("print(env(\"PORT\", 5432) + 1);\nenv(\"POSTGRES_USER\");")
        .stdout("5433\n")
        .code(2)
        .stderr(
            r#"
            error: The variable "POSTGRES_USER" is not set
             --> scripts/a.rhai:2:1
              |
            2 | env("POSTGRES_USER");
              | ^^^
              |
              = help: set it in the environment or in .env, or give a default: env(name, default)
            "#,
        )
        .run();
}

#[test]
fn a_variable_of_another_type_than_its_default_is_reported() {
    Spc::new()
        .env("PORT", "high")
        .runbook("env(\"PORT\", 5432);")
        .code(2)
        .stderr(
            r#"
            error: The variable "PORT" is "high", which is not a whole number
             --> scripts/a.rhai:1:1
              |
            1 | env("PORT", 5432);
              | ^^^
              |
              = help: its default is 5432
            "#,
        )
        .run();
}

#[test]
fn the_process_wins_over_the_file_and_a_later_file_over_an_earlier() {
    let script = "print(env(\"A\"));\nprint(env(\"B\", \"none\"));";
    let run = || {
        Spc::new()
            .file("scripts/.env", "A=.env\nB=.env")
            .file("one.env", "A=one\nB=one")
            .file("two.env", "A=two")
    };
    run().runbook(script).stdout(".env\n.env\n").run();
    run().runbook(script).env("A", "process").stdout("process\n.env\n").run();
    run()
        .args(["--env-file", "one.env", "--env-file", "two.env"])
        .runbook(script)
        .stdout("two\none\n")
        .run();
    run().args(["--env-file", "two.env"]).runbook(script).stdout("two\nnone\n").run();
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_no_part_of_a_value() {
    Spc::new()
        .file("scripts/.env", "\u{feff}A=1\r\n# note\r\nB=\"two words\"\r\nC=$A-${B:-x}\r\n")
        .runbook("print([env(\"A\"), env(\"B\"), env(\"C\")]);")
        .stdout("[\"1\", \"two words\", \"1-two words\"]\n")
        .run();
}

/// The error about this `.env`. The runbook does not run. The excerpt hides values and lines
/// without an assignment, because they may contain passwords.
#[track_caller]
fn refused(content: &[u8], expected: &str) {
    Spc::new()
        .file("spc.toml", "")
        .file(".env", content)
        .runbook("print(\"ran\");")
        .code(2)
        .stderr(expected)
        .run();
}

#[test]
fn a_malformed_env_file_is_reported_with_its_position_and_without_values() {
    refused(
        b"A=1\n\n  some text\n",
        r#"
        error: A variable's name can't contain " "
         --> .env:3:7
          |
        3 |   •••• ••••
          |       ^
          |
          = help: write NAME=value, one to a line; a value that spans lines needs quotes
        "#,
    );
    refused(
        "A=größe\r\nDB_PASSWORD='hunter2\r\n".as_bytes(),
        r#"
        error: The quoted value of "DB_PASSWORD" is not closed
         --> .env:2:13
          |
        2 | DB_PASSWORD=••••••••
          |             ^
          |
          = help: close it with '; inside, write \' for the quote itself
        "#,
    );
    refused(
        b"\xff\xfeA\0=\x001\0",
        "
        error: The file is written in UTF-16
         --> .env:1:1
          |
        1 | ••••••••
          | ^
          |
          = help: save the file as UTF-8
        ",
    );
}

#[test]
fn a_required_variable_that_is_not_set_says_its_message() {
    refused(
        b"A=1\nIMAGE=${REGISTRY:?name the registry}/app\n",
        r#"
        error: Required variable "REGISTRY" is not set: name the registry
         --> .env:2:7
          |
        2 | IMAGE=•••••••••••••••• ••• •••••••••••••
          |       ^
          |
          = help: set it in the environment or in .env: REGISTRY=…
        "#,
    );
    Spc::new()
        .env("REGISTRY", "localhost:5000")
        .file("scripts/.env", "IMAGE=${REGISTRY:?name the registry}/app")
        .runbook("print(env(\"IMAGE\"));")
        .stdout("localhost:5000/app\n")
        .run();
}

#[test]
fn a_variable_that_is_used_and_not_set_is_warned_of() {
    let run = || {
        Spc::new().file("scripts/.env", "A=1\nB=x$C\n").runbook("print(env(\"B\"));").stdout("x\n")
    };
    run().stderr("warning: scripts/.env:2: the variable \"C\" is not set, so it is empty\n").run();
    run().args(["--quiet"]).run();
}

#[test]
fn a_file_that_is_asked_for_has_to_be_there() {
    Spc::new()
        .args(["--env-file", "stage.env"])
        .runbook("")
        .code(2)
        .stderr("error: Could not read \"[project]/stage.env\": it does not exist\nhelp: give another --env-file\n")
        .run();
    Spc::new()
        .folder("scripts/.env")
        .runbook("")
        .code(2)
        .stderr("error: Could not read \"[project]/scripts/.env\": it is a folder\nhelp: a .env file holds variables; use another one with --env-file\n")
        .run();
}

#[test]
fn the_env_file_of_a_service_has_to_be_there_and_well_formed() {
    let script =
        "stack(\"spc\", #{ services: #{ db: #{ image: \"x\", env_file: \"db.env\" } } }).up();";
    Spc::new()
        .runbook(script)
        .code(2)
        .stderr(
            r#"
            error: The env_file "[project]/scripts/db.env" of the service "db" is missing
             --> scripts/a.rhai:1:49
              |
            1 | stack("spc", #{ services: #{ db: #{ image: "x", env_file: "db.env" } } }).up();
              |                                                 ^^^^^^^^
              |
              = help: create it, or write { path: …, required: false }
            "#,
        )
        .run();
    let ended = Spc::new().file("scripts/db.env", "A=1\nB C\n").runbook(script).output();
    assert_eq!(ended.code, 2);
    assert!(
        ended.stderr.contains("db.env:2:2: A variable's name can't contain \" \"\n"),
        "{ended}"
    );
}

#[test]
fn an_unused_env_variable_is_reported_with_a_similar_name() {
    let env =
        "\nIMAGE=redis:7\nPOSTGRES_PASWORD=x\nCOMPOSE_FILE=x\nELSEWHERE=x\nZEBRA=x\nEXAMPLE=x\n";
    let run = Spc::new()
        .file("scripts/.env", env)
        .file("scripts/.env.example", "EXAMPLE=\n")
        .file("scripts/other.rhai", "env(\"ELSEWHERE\")");
    let script = r#"stack("shop", #{
    services: #{ cache: #{ image: env("IMAGE"), environment: #{ PASSWORD: env("POSTGRES_PASSWORD", "none") } } },
}).up();"#;
    let said = run.runbook(script).code(1).output().stderr;
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains("nothing uses")).collect();
    assert_eq!(
        warnings,
        [
            "warning: scripts/.env:3: nothing uses the variable \"POSTGRES_PASWORD\"; did you mean \"POSTGRES_PASSWORD\"?",
            "warning: scripts/.env:6: nothing uses the variable \"ZEBRA\"",
        ]
    );
}
