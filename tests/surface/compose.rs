//! Compose files: how they are found and read, and mistakes in them with line and column.

use crate::support::{Spc, SpcOutput};

const READ: &str = "let spc = compose(\"docker-compose.yml\");\nprint(spc.name);";

/// A project with this `docker-compose.yml`, and a runbook that reads it.
fn reading(text: &str) -> Spc {
    Spc::new().file("spc.toml", "").file("docker-compose.yml", text).runbook(READ)
}

/// The error about this file: the message, the excerpt, the hint.
#[track_caller]
fn refused(text: &str, expected: &str) {
    reading(text).code(2).stderr(expected).run();
}

#[test]
fn a_compose_file_is_a_stack_by_its_own_name_or_its_folders() {
    reading("services: {db: {image: x}}\n").stdout("project\n").run();
    reading("name: shop\nservices: {db: {image: x}}\n").stdout("shop\n").run();
    reading("name: My ${WHAT:-Shop}\nservices: {db: {image: x}}\n").stdout("myshop\n").run();
    reading("name: shop\nservices: {}\n")
        .env("COMPOSE_PROJECT_NAME", "stage")
        .stdout("stage\n")
        .run();
    let named = "print(compose(\"app/compose.yaml\").name + \" \" + compose(\"app/compose.yaml\", #{ project: \"other\" }).name);";
    Spc::new()
        .file("spc.toml", "")
        .file("app/compose.yaml", "services: {}")
        .runbook(named)
        .stdout("app other\n")
        .run();
    Spc::new()
        .file("spc.toml", "")
        .file("app/compose.yaml", "services: {}")
        .args(["-p", "mine"])
        .runbook(named)
        .stdout("mine mine\n")
        .run();
}

#[test]
fn the_projects_file_is_found_in_composes_order() {
    let found = || Spc::new().file("spc.toml", "").runbook("print(compose().name);");
    let file = |name: &str| {
        (name.to_owned(), format!("name: {}\nservices: {{}}\n", name.replace('.', "-")))
    };
    let with = |names: &[&str]| {
        names.iter().map(|name| file(name)).fold(found(), |spc, (name, text)| spc.file(&name, text))
    };
    with(&["docker-compose.yaml"]).stdout("docker-compose-yaml\n").run();
    with(&["docker-compose.yaml", "docker-compose.yml"])
        .stdout("docker-compose-yml\n")
        .stderr("warning: there are several compose files: spc uses \"docker-compose.yml\", as Compose does, not \"docker-compose.yaml\"\n")
        .run();
    with(&["docker-compose.yml", "compose.yml", "compose.yaml"])
        .stdout("compose-yaml\n")
        .stderr(
            "warning: there are several compose files: spc uses \"compose.yaml\", as Compose does, not \"compose.yml\", \"docker-compose.yml\"\n",
        )
        .run();
    with(&["docker-compose.yml", "stack.yml"])
        .env("COMPOSE_FILE", "stack.yml")
        .stdout("stack-yml\n")
        .run();
    found()
        .code(2)
        .stderr(
            r#"
            error: There is no compose file in "."
             --> scripts/a.rhai:1:7
              |
            1 | print(compose().name);
              |       ^^^^^^^
              |
              = help: name it compose.yaml, compose.yml, docker-compose.yml, docker-compose.yaml, or pass another name: compose("stack.yaml")
            "#,
        )
        .run();
}

#[test]
fn a_compose_override_file_is_rejected() {
    let found = || Spc::new().file("spc.toml", "").file("compose.yaml", "services: {}\n");
    found()
        .file("docker-compose.override.yml", "services: {}\n")
        .runbook("compose();")
        .code(2)
        .stderr(
            r#"
            error: Compose would merge "docker-compose.override.yml" into "compose.yaml", which is not supported yet
             --> scripts/a.rhai:1:1
              |
            1 | compose();
              | ^^^^^^^
              |
              = help: to use only the first file, write compose("compose.yaml")
            "#,
        )
        .run();
    found()
        .file("compose.override.yaml", "services: {}\n")
        .runbook("print(compose(\"compose.yaml\"));")
        .stdout("stack project\n")
        .run();
    found()
        .env("COMPOSE_FILE", "compose.yaml:more.yaml")
        .runbook("compose();")
        .code(2)
        .stderr(
            r#"
            error: COMPOSE_FILE names several files, "compose.yaml", "more.yaml", which is not supported yet
             --> scripts/a.rhai:1:1
              |
            1 | compose();
              | ^^^^^^^
              |
              = help: name one: compose("compose.yaml")
            "#,
        )
        .run();
}

#[test]
fn a_file_that_is_not_there_comes_with_the_nearest() {
    Spc::new()
        .file("spc.toml", "")
        .file("docker-compose.yml", "services: {}\n")
        .runbook("compose(\"docker_compose.yml\");")
        .code(2)
        .stderr(
            r#"
            error: There is no compose file "docker_compose.yml"
             --> scripts/a.rhai:1:1
              |
            1 | compose("docker_compose.yml");
              | ^^^^^^^
              |
              = help: did you mean "docker-compose.yml"?
            "#,
        )
        .run();
    Spc::new()
        .file("spc.toml", "")
        .runbook("compose(\"/etc/compose.yaml\");")
        .code(5)
        .stderr(
            r#"
            error: A script may not read "/etc/compose.yaml": it is outside of the project
             --> scripts/a.rhai:1:1
              |
            1 | compose("/etc/compose.yaml");
              | ^^^^^^^
              |
              = help: to allow it, write read = ["/etc/compose.yaml"] under [allow] in spc.toml
            "#,
        )
        .run();
}

#[test]
fn an_unknown_key_is_shown_at_its_place_with_the_nearest() {
    refused(
        "services:\n  db:\n    image: postgres:15\n    helthcheck:\n      test: [CMD, \"true\"]\n",
        r#"
        error: Unknown key "helthcheck" in "services.db"
         --> docker-compose.yml:4:5
          |
        4 |     helthcheck:
          |     ^^^^^^^^^^
          |
          = called from: scripts/a.rhai:1:11, in the call of "compose"
          = help: did you mean "healthcheck"?
        "#,
    );
}

#[test]
fn an_unknown_key_that_was_merged_is_shown_where_it_was_written_in_an_editors_other_line_ends() {
    refused(
        "\u{feff}x-공통: &c\r\n  restrat: always\r\nservices:\r\n  a: {<<: *c, image: x}\r\n",
        r#"
        error: Unknown key "restrat" in "services.a"
         --> docker-compose.yml:2:3
          |
        2 |   restrat: always
          |   ^^^^^^^
          |
          = called from: scripts/a.rhai:1:11, in the call of "compose"
          = help: did you mean "restart"?
        "#,
    );
}

#[test]
fn a_key_of_compose_that_is_not_supported_yet_is_refused_by_name() {
    refused(
        "services:\n  db:\n    image: x\n    gpus: all\n",
        r#"
        error: The Compose key "gpus" in "services.db" is not supported yet
         --> docker-compose.yml:4:5
          |
        4 |     gpus: all
          |     ^^^^
          |
          = called from: scripts/a.rhai:1:11, in the call of "compose"
          = help: supported here: build, command, configs, container_name, depends_on, deploy, entrypoint, env_file, environment, extra_hosts, healthcheck, hostname, image, init, labels, logging, networks, ports, profiles, read_only, restart, scale, secrets, stop_grace_period, stop_signal, user, volumes, working_dir, x-spc-probe, x-spc-release, x-spc-verify
        "#,
    );
}

#[test]
fn a_required_variable_that_is_not_set_is_shown_at_its_place_with_its_message() {
    refused(
        "services:\n  db:\n    image: postgres\n    environment:\n      - PW=${DB_PASSWORD:?set a password}\n",
        r#"
        error: Required variable "DB_PASSWORD" is not set: set a password
         --> docker-compose.yml:5:12
          |
        5 |       - PW=${DB_PASSWORD:?set a password}
          |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = called from: scripts/a.rhai:1:11, in the call of "compose"
          = help: set it in the environment or in .env: DB_PASSWORD=…
        "#,
    );
    reading("services: {db: {image: \"x:${TAG:?which}\"}}\n")
        .file(".env", "TAG=15\n")
        .stdout("project\n")
        .run();
}

#[test]
fn a_variable_without_a_value_is_empty_with_a_warning_and_version_with_one_too() {
    reading("version: \"3.8\"\nservices:\n  db:\n    image: x\n    command: [\"$UNSET\", \"${UNSET}\", \"${FINE:-}\"]\n")
        .stdout("project\n")
        .stderr(
            "warning: docker-compose.yml:1: \"version\" is obsolete and ignored: remove it\n\
             warning: docker-compose.yml:5: the variable \"UNSET\" is not set, so it is empty\n",
        )
        .run();
}

#[test]
fn invalid_yaml_is_shown_at_its_position() {
    refused(
        "services:\n  db:\n\timage: x\n",
        r#"
        error: The file is not YAML: found character that cannot start any token, while scanning for the next token
         --> docker-compose.yml:3:1
          |
        3 |     image: x
          | ^^^^^^^^^
          |
          = called from: scripts/a.rhai:1:11, in the call of "compose"
          = help: indent with spaces: YAML takes no tabs there
        "#,
    );
    refused(
        "services:\n  db: {image: x}\n  db: {image: y}\n",
        r#"
        error: The key "db" is defined twice in this map
         --> docker-compose.yml:3:3
          |
        3 |   db: {image: y}
          |   ^^
          |
          = called from: scripts/a.rhai:1:11, in the call of "compose"
        "#,
    );
    refused(
        "",
        r#"
        error: The compose file is empty
         --> docker-compose.yml:1:1
          |
        1 |
          | ^
          |
          = called from: scripts/a.rhai:1:11, in the call of "compose"
          = help: it describes services: services: { NAME: { image: … } }
        "#,
    );
}

#[test]
fn a_mount_from_outside_of_the_project_is_refused_at_its_place() {
    Spc::new()
        .file("spc.toml", "")
        .file("app/compose.yaml", "services:\n  db:\n    image: x\n    volumes:\n      - ./data:/data\n      - ../..:/all:ro\n")
        .runbook("compose(\"app/compose.yaml\");")
        .code(5)
        .stderr(
            r#"
            error: A script may not mount "[root]": it is outside of the project
             --> app/compose.yaml:6:9
              |
            6 |       - ../..:/all:ro
              |         ^^^^^^^^^^^^^
              |
              = called from: scripts/a.rhai:1:1, in the call of "compose"
              = help: to allow it, write bind_mounts = ["[root]"] under [allow] in spc.toml
            "#,
        )
        .run();
}

#[test]
fn a_wrong_option_is_shown_in_the_script() {
    Spc::new()
        .file("spc.toml", "")
        .file("docker-compose.yml", "services: {}\n")
        .runbook("compose(\"docker-compose.yml\", #{ profile: [\"production\"] });")
        .code(2)
        .stderr(
            r#"
            error: The options of compose have no "profile"
             --> scripts/a.rhai:1:34
              |
            1 | compose("docker-compose.yml", #{ profile: ["production"] });
              |                                  ^^^^^^^
              |
              = help: did you mean "profiles"?
            "#,
        )
        .run();
}

#[test]
fn all_faults_of_a_file_are_reported_together() {
    refused(
        "services:\n  web: {imge: x}\n  db: {image: x, ports: [x], depends_on: [wbe, web]}\n",
        r#"
        error: Unknown key "imge" in "services.web"
         --> docker-compose.yml:2:9
          |
        2 |   web: {imge: x}
          |         ^^^^
          |
          = called from: scripts/a.rhai:1:11, in the call of "compose"
          = help: did you mean "image"?
        also wrong in this file:
            3:26: "x" is not a port (write "HOST:CONTAINER", "IP:HOST:CONTAINER" or "CONTAINER"; a range is "8000-8003")
            3:43: There is no service "wbe" (did you mean "web"?)
        "#,
    );
}

#[test]
fn an_error_in_a_file_can_be_caught_read_and_thrown_again() {
    let ended: SpcOutput = Spc::new()
        .file("compose.yaml", "services:\n  db: {imge: x}\n")
        .file("spc.toml", "")
        .runbook(
            "let r = attempt(|| compose());\nprint(`${r.error.kind} in ${r.error.at.file}:${r.error.at.line}:${r.error.at.column}`);\nthrow r.error;",
        )
        .output();
    assert_eq!((ended.code, ended.stdout.as_str()), (2, "usage in compose.yaml:2:8\n"));
    assert!(ended.stderr.contains(" --> compose.yaml:2:8\n"), "{ended}");
}
