//! Mistakes in descriptions of stacks, reported with line and column.

use crate::support::Spc;

#[test]
fn an_unknown_key_is_shown_at_its_own_column() {
    Spc::new()
        .runbook("let spc = stack(\"spc\", #{\n    services: #{\n        db: #{ image: \"postgres:15\", helthcheck: #{ test: \"true\" } },\n    },\n});")
        .code(2)
        .stderr(
            r#"
            error: Unknown key "helthcheck" in "services.db"
             --> scripts/a.rhai:3:38
              |
            3 |         db: #{ image: "postgres:15", helthcheck: #{ test: "true" } },
              |                                      ^^^^^^^^^^
              |
              = help: did you mean "healthcheck"?
            "#,
        )
        .run();
}

#[test]
fn an_unknown_key_is_shown_in_the_module_and_map_it_was_merged_from() {
    Spc::new()
        .file(
            "scripts/stack.rhai",
            "fn describe() {\n    let common = #{ restart: \"always\", netwroks: [\"front\"] };\n    #{\n        services: #{\n            db: common + #{ image: \"postgres\" },\n        },\n    }\n}\n",
        )
        .runbook("import \"stack\" as app;\nlet spc = stack(\"spc\", app::describe() + #{ networks: #{ front: #{} } });")
        .code(2)
        .stderr(
            r#"
            error: Unknown key "netwroks" in "services.db"
             --> scripts/stack.rhai:2:40
              |
            2 |     let common = #{ restart: "always", netwroks: ["front"] };
              |                                        ^^^^^^^^
              |
              = called from: scripts/a.rhai:2:11, in the call of "stack"
              = help: did you mean "networks"?
            "#,
        )
        .run();
}

#[test]
fn a_key_of_compose_that_is_not_done_yet_is_refused_by_name() {
    Spc::new()
        .runbook("stack(\"spc\", #{ services: #{ db: #{ image: \"x\", gpus: \"all\" } } });")
        .code(2)
        .stderr(
            r#"
            error: The Compose key "gpus" in "services.db" is not supported yet
             --> scripts/a.rhai:1:49
              |
            1 | stack("spc", #{ services: #{ db: #{ image: "x", gpus: "all" } } });
              |                                                 ^^^^
              |
              = help: supported here: build, command, configs, container_name, depends_on, deploy, entrypoint, env_file, environment, extra_hosts, healthcheck, hostname, image, init, labels, logging, networks, ports, profiles, read_only, restart, scale, secrets, stop_grace_period, stop_signal, user, volumes, working_dir, x-spc-probe, x-spc-release, x-spc-verify
            "#,
        )
        .run();
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_what_it_has_to_be() {
    Spc::new()
        .runbook("stack(\"spc\", #{ services: #{ db: #{ image: 15 } } });")
        .code(2)
        .stderr(
            r#"
            error: "services.db.image" has to be a string, but it is the number 15
             --> scripts/a.rhai:1:44
              |
            1 | stack("spc", #{ services: #{ db: #{ image: 15 } } });
              |                                            ^^
              |
              = help: write it in quotes
            "#,
        )
        .run();
    Spc::new()
        .runbook("stack(\"spc\", #{ services: #{ db: #{ image: \"x\", healthcheck: #{ test: \"true\", interval: 10 } } } });")
        .code(2)
        .stderr(
            r#"
            error: "services.db.healthcheck.interval" needs a unit
             --> scripts/a.rhai:1:89
              |
            1 | stack("spc", #{ services: #{ db: #{ image: "x", healthcheck: #{ test: "true", interval: 10 } } } });
              |                                                                                         ^^
              |
              = help: write "10s" for seconds
            "#,
        )
        .run();
}

#[test]
fn a_service_needs_an_image_or_a_build() {
    Spc::new()
        .runbook("stack(\"spc\", #{ services: #{ db: #{ command: \"true\" } } });")
        .code(2)
        .stderr(
            r#"
            error: The service "db" has neither "image" nor "build"
             --> scripts/a.rhai:1:30
              |
            1 | stack("spc", #{ services: #{ db: #{ command: "true" } } });
              |                              ^^
            "#,
        )
        .run();
}

#[test]
fn a_circle_of_dependencies_is_named_in_full() {
    Spc::new()
        .runbook(
            "stack(\"spc\", #{ services: #{\n    backend: #{ image: \"x\", depends_on: [\"db\"] },\n    \
             db: #{ image: \"x\", depends_on: #{ worker: #{ condition: \"service_healthy\" } } },\n    \
             worker: #{ image: \"x\", depends_on: [\"backend\"] },\n} });",
        )
        .code(2)
        .stderr(
            r#"
            error: The services depend on each other in a circle: backend → db → worker → backend
             --> scripts/a.rhai:2:29
              |
            2 |     backend: #{ image: "x", depends_on: ["db"] },
              |                             ^^^^^^^^^^
              |
              = help: remove one of these dependencies from depends_on
            "#,
        )
        .run();
}

#[test]
fn a_run_names_all_that_is_wrong_in_a_description() {
    Spc::new()
        .runbook("stack(\"spc\", #{ services: #{\n    db: #{ imge: \"x\", ports: [\"x:1\"] },\n    web: #{ image: \"x\", expose: [80] },\n} });")
        .code(2)
        .stderr(
            r#"
            error: "x:1" is not a port
             --> scripts/a.rhai:2:31
              |
            2 |     db: #{ imge: "x", ports: ["x:1"] },
              |                               ^^^^^
              |
              = help: write "HOST:CONTAINER", "IP:HOST:CONTAINER" or "CONTAINER"; a range is "8000-8003"
            also wrong in this description:
                Unknown key "imge" in "services.db" (did you mean "image"?)
                The Compose key "expose" in "services.web" is not supported yet (remove it: containers on one network reach all ports of each other)
            "#,
        )
        .run();
}

#[test]
fn a_name_in_a_description_that_nothing_has_comes_with_the_nearest() {
    Spc::new()
        .runbook("stack(\"spc\", #{ services: #{\n    backend: #{ image: \"x\", depends_on: [\"reids\"] },\n    redis: #{ image: \"x\" },\n} });")
        .code(2)
        .stderr(
            r#"
            error: There is no service "reids"
             --> scripts/a.rhai:2:42
              |
            2 |     backend: #{ image: "x", depends_on: ["reids"] },
              |                                          ^^^^^^^
              |
              = help: did you mean "redis"?
            "#,
        )
        .run();
    Spc::new()
        .runbook(
            "stack(\"spc\", #{ services: #{ db: #{ image: \"x\", volumes: [\"data:/data\"] } } });",
        )
        .code(2)
        .stderr(
            r#"
            error: There is no volume "data"
             --> scripts/a.rhai:1:59
              |
            1 | stack("spc", #{ services: #{ db: #{ image: "x", volumes: ["data:/data"] } } });
              |                                                           ^^^^^^^^^^^^
              |
              = help: declare "data" under "volumes", beside "services"; a path begins with "./"
            "#,
        )
        .run();
}

#[test]
fn a_service_asked_for_that_is_not_described_comes_with_the_nearest() {
    Spc::new()
        .runbook(
            "let spc = stack(\"spc\", #{ services: #{ redis: #{ image: \"x\" } } });\nspc.service(\"reids\").exec(\"redis-cli ping\");",
        )
        .code(1)
        .stderr(
            r#"
            error: There is no service "reids"
             --> scripts/a.rhai:2:5
              |
            2 | spc.service("reids").exec("redis-cli ping");
              |     ^^^^^^^
              |
              = help: did you mean "redis"?
            "#,
        )
        .run();
}

#[test]
fn an_undescribed_service_is_reported_before_any_engine_connection() {
    Spc::new()
        .runbook("let spc = stack(\"spc\", #{ services: #{ redis: #{ image: \"x\" } } });\nspc.up([\"reids\"]);")
        .code(1)
        .stderr(
            r#"
            error: There is no service "reids"
             --> scripts/a.rhai:2:5
              |
            2 | spc.up(["reids"]);
              |     ^^
              |
              = help: did you mean "redis"?
            "#,
        )
        .run();
}

#[test]
fn an_unknown_method_or_option_of_a_stack_comes_with_the_nearest() {
    Spc::new()
        .runbook(
            "let spc = stack(\"spc\", #{ services: #{ db: #{ image: \"x\" } } });\nspc.strat();",
        )
        .code(2)
        .stderr(
            r#"
            error: There is no function strat(stack)
             --> scripts/a.rhai:2:5
              |
            2 | spc.strat();
              |     ^^^^^
              |
              = help: did you mean "start"?
            "#,
        )
        .run();
    Spc::new()
        .runbook("let spc = stack(\"spc\", #{ services: #{ db: #{ image: \"x\" } } });\nspc.up((), #{ remove_orphan: true });")
        .code(2)
        .stderr(
            r#"
            error: The options of up have no "remove_orphan"
             --> scripts/a.rhai:2:15
              |
            2 | spc.up((), #{ remove_orphan: true });
              |               ^^^^^^^^^^^^^
              |
              = help: did you mean "remove_orphans"?
            "#,
        )
        .run();
}

#[test]
fn a_stack_without_a_description_can_not_be_brought_up() {
    Spc::new()
        .runbook("stack().up();")
        .code(2)
        .stderr(
            r#"
            error: The stack "scripts" has no description here
             --> scripts/a.rhai:1:9
              |
            1 | stack().up();
              |         ^^
              |
              = help: `stack()` has only what runs; to bring it up, describe it: `stack("name", #{ services: … })`
            "#,
        )
        .run();
}

#[test]
fn an_unknown_profile_suggests_a_similar_name() {
    Spc::new()
        .runbook("stack(\"spc\", #{\n    profiles: [\"prodution\"],\n    services: #{ nginx: #{ image: \"nginx\", profiles: [\"production\"] } },\n});")
        .code(2)
        .stderr(
            r#"
            error: No service has the profile "prodution"
             --> scripts/a.rhai:2:5
              |
            2 |     profiles: ["prodution"],
              |     ^^^^^^^^
              |
              = help: did you mean "production"?
            "#,
        )
        .run();
}
