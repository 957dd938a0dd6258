//! Compose files on a real engine. They have the same result as an equal description in a script.

use serde_json::Value;
use similar_asserts::assert_eq;

use super::docker::{containers, exec, inspect, objects};
use super::images::busybox;
use super::project::Project;
use super::watch::{EventWatch, is_exec};

/// Writes a compose file with three services, one of them in a profile.
fn write(project: &Project) {
    let (image, subnet) = (busybox(), project.subnet());
    project
        .file(".env", &format!("IMAGE={image}\nTOKEN=of-the-env\nSTATE=ready\n"))
        .file("app/more.env", "FROM_FILE=of the file\n")
        .file("app/data/note", "hello\n")
        .file(
            "app/compose.yaml",
            &format!(
                "x-common: &common\n  image: ${{IMAGE:?which}}\n  command: sleep 1000\n  stop_grace_period: 0s\n\
                 x-logged: &logged\n  <<: *common\n  logging: {{driver: json-file, options: {{max-file: 3}}}}\n\
                 services:\n\
                 \x20 db:\n    <<: *logged\n    environment: {{WORD: $$TOKEN, STATE: }}\n    env_file: more.env\n    secrets: [token]\n\
                 \x20   volumes: ['data:/data', './data:/note:ro', /scratch]\n    \
                 healthcheck: {{test: [CMD-SHELL, 'test \"$$STATE\" = ready'], interval: 30s, retries: '3'}}\n\
                 \x20 web:\n    <<: *common\n    depends_on: {{db: {{condition: service_healthy}}}}\n    labels: [of.mine=yes]\n\
                 \x20 proxy:\n    <<: *common\n    profiles: [production]\n\
                 networks: {{default: {{ipam: {{config: [{{subnet: {subnet}}}]}}}}}}\n\
                 volumes: {{data: }}\nsecrets: {{token: {{environment: TOKEN}}}}\n"
            ),
        )
        .file("scripts/up.rhai", "let done = compose(\"app/compose.yaml\").up();\nprint(`${done.changes} changes`);\n");
}

/// Describes the same stack in a script.
fn describe(project: &Project) {
    let common = r#"image: env("IMAGE"), command: ["sleep", "1000"], stop_grace_period: "0s""#;
    project.stack(&format!(
        r##"volumes: #{{ data: #{{}} }}, secrets: #{{ token: #{{ environment: "TOKEN" }} }},
        services: #{{
            db: #{{
                {common}, logging: #{{ driver: "json-file", options: #{{ "max-file": "3" }} }},
                environment: #{{ WORD: "$TOKEN", STATE: env("STATE") }}, env_file: "app/more.env", secrets: ["token"],
                volumes: ["data:/data", "./app/data:/note:ro", "/scratch"],
                healthcheck: #{{ test: "test \"$STATE\" = ready", interval: "30s", retries: 3 }},
            }},
            web: #{{ {common}, depends_on: #{{ db: #{{ condition: "service_healthy" }} }}, labels: #{{ "of.mine": "yes" }} }},
            proxy: #{{ {common}, profiles: ["production"] }},
        }}"##
    ));
}

/// The labels of a service's container, without the run id.
fn labels(project: &Project, service: &str) -> Value {
    let mut labels = inspect(&project.container(service))["Config"]["Labels"].take();
    labels.as_object_mut().unwrap().remove("dev.spc.run");
    labels
}

#[test]
fn a_compose_file_and_an_equal_script_create_the_same_containers() {
    let project = Project::new("compose");
    write(&project);
    project.up().ends(0).prints(&["web", "ready"]);
    let there = containers(&project.name);
    assert_eq!(there.keys().collect::<Vec<_>>(), ["spct-compose-db-1", "spct-compose-web-1"]);
    let of_file = ["db", "web"].map(|service| labels(&project, service));
    assert_eq!(of_file[1]["of.mine"], "yes");
    let said = exec(
        &project.container("db"),
        &["sh", "-c", "echo $WORD $STATE $FROM_FILE; cat /note/note /run/secrets/token"],
    );
    assert_eq!(said, "$TOKEN ready of the file\nhello\nof-the-env");

    // Another `up` of the compose file changes nothing. Neither does an `up` of the script.
    for again in ["the same file", "the script"] {
        let mut watch = EventWatch::on(&project.name);
        project.up().ends(0).prints(&["unchanged"]).does_not_print(&["created", "started"]);
        assert!(watch.so_far().iter().all(|event| is_exec(event)), "{again}");
        assert_eq!(containers(&project.name), there, "{again}");
        describe(&project);
    }

    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    assert_eq!(objects(&project.name), [""; 0]);
    project.up().ends(0);
    assert_eq!(["db", "web"].map(|service| labels(&project, service)), of_file);
}

#[test]
fn a_changed_compose_file_replaces_only_the_changed_service() {
    let project = Project::new("compose-change");
    write(&project);
    project.up().ends(0);
    let before = containers(&project.name);
    project.edit("app/compose.yaml", "of.mine=yes", "of.mine=no");
    project.up().env("COMPOSE_PROFILES", "production").ends(0).prints(&["labels"]);
    let after = containers(&project.name);
    assert_eq!(
        after.keys().map(|name| name.rsplit('-').nth(1).unwrap()).collect::<Vec<_>>(),
        ["db", "proxy", "web"]
    );
    assert_eq!(before["spct-compose-change-db-1"], after["spct-compose-change-db-1"]);
    assert_ne!(before["spct-compose-change-web-1"], after["spct-compose-change-web-1"]);
    // An existing volume can't get another label. The error shows the line of the compose file.
    project.edit(
        "app/compose.yaml",
        "volumes: {data: }",
        "volumes: {data: {labels: {kind: other}}}",
    );
    project.up().ends(1).prints(&["app/compose.yaml:", "volumes: {data: {labels: {kind: other}}}"]);
}
