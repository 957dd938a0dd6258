//! Engines that are not there, not to be opened, too old, or none at all.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

use crate::support::{Answer, Spc};

/// The runbook of a stack that is to come up; its third line needs the engine.
const UP: &str = "let spc = stack(\"shop\", #{ services: #{ db: #{ image: \"x\" } } });\nprint(\"described\");\nspc.up();";

#[test]
fn an_engine_that_does_not_run_is_told_with_what_was_tried_and_the_next_step() {
    Spc::new()
        .runbook(UP)
        .code(1)
        .stdout("described\n")
        .stderr(
            r#"
            error: No Docker Engine answers at "unix://[root]/no-engine.sock" (there is no such socket), the address in DOCKER_HOST
             --> scripts/a.rhai:3:5
              |
            3 | spc.up();
              |     ^^
              |
              = help: start that engine, or unset DOCKER_HOST to use the one of this machine
            "#,
        )
        .run();
    for verb in ["ps", "unlock"] {
        Spc::new()
            .args([verb])
            .code(1)
            .stderr(
                r#"
                error: No Docker Engine answers at "unix://[root]/no-engine.sock" (there is no such socket), the address in DOCKER_HOST
                help: start that engine, or unset DOCKER_HOST to use the one of this machine
                "#,
            )
            .run();
    }
}

#[test]
fn a_socket_that_nobody_listens_at_is_told_from_one_that_is_not_there() {
    let run = Spc::new();
    drop(UnixListener::bind(run.root().join("no-engine.sock")).unwrap());
    run.args(["ps"])
        .code(1)
        .stderr(
            r#"
            error: No Docker Engine answers at "unix://[root]/no-engine.sock" (nothing listens there), the address in DOCKER_HOST
            help: start that engine, or unset DOCKER_HOST to use the one of this machine
            "#,
        )
        .run();
    Spc::new()
        .env("DOCKER_HOST", "tcp://127.0.0.1:1")
        .args(["ps"])
        .code(1)
        .stderr(
            r#"
            error: No Docker Engine answers at "tcp://127.0.0.1:1" (nothing listens there), the address in DOCKER_HOST
            help: start that engine, or unset DOCKER_HOST to use the one of this machine
            "#,
        )
        .run();
}

/// A run as nobody, at a socket of root's and of that group.
fn at_a_closed_socket(group: u32) -> Spc {
    let run = Spc::new().by_nobody().engine(|_| Answer::of_api("1.41", "[]"));
    let socket = run.root().join("engine.sock");
    std::os::unix::fs::chown(&socket, Some(0), Some(group)).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o660)).unwrap();
    run
}

#[test]
fn a_socket_without_permission_names_the_group_to_join() {
    let nameless = 54_321;
    at_a_closed_socket(nameless)
        .args(["ps"])
        .code(1)
        .stderr(
            r#"
            error: Could not open the Docker Engine's socket at "unix://[root]/engine.sock" (no permission)
            help: join the group "54321", which owns it: `sudo usermod -aG 54321 nobody`, then log in again
            "#,
        )
        .run();
    at_a_closed_socket(0)
        .args(["ps"])
        .code(1)
        .stderr(
            r#"
            error: Could not open the Docker Engine's socket at "unix://[root]/engine.sock" (no permission)
            help: only root may open it: use sudo, or start the engine with `--group docker` and join that group
            "#,
        )
        .run();
}

#[test]
fn an_engine_that_is_too_old_is_refused_with_both_versions() {
    Spc::new()
        .engine(|_| Answer::of_api("1.40", "OK"))
        .args(["ps"])
        .code(1)
        .stderr(
            r#"
            error: The Docker Engine at "unix://[root]/engine.sock" is too old: it has API 1.40, and spc needs 1.41 or newer
            help: upgrade it to Docker Engine 20.10 or newer
            "#,
        )
        .run();
}

#[test]
fn what_answers_and_is_no_engine_is_told() {
    Spc::new()
        .engine(|_| Answer::of_stranger(200, "hello"))
        .args(["ps"])
        .code(1)
        .stderr(
            r#"
            error: What answers at "unix://[root]/engine.sock" is not a Docker Engine
            help: check DOCKER_HOST
            "#,
        )
        .run();
    let ended = Spc::new().engine(|_| Answer::of_stranger(502, "no such upstream")).args(["ps"]).output();
    assert_eq!(ended.code, 1);
    assert!(ended.stderr.contains("(it answered with status 502 no such upstream), the address in DOCKER_HOST\n"), "{ended}");
}

#[test]
fn an_address_that_is_none_or_not_done_yet_is_told() {
    for (name, value) in [("DOCKER_HOST", "nonsense"), ("DOCKER_HOST", "tcp://"), ("DOCKER_HOST", "ssh://deploy@host")] {
        let ended = Spc::new().env(name, value).args(["ps"]).output();
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{value}");
        assert!(
            ended.stderr.starts_with("error: ")
                && ended.stderr.contains(&format!("DOCKER_HOST \"{value}\""))
                && ended.stderr.contains("\nhelp: "),
            "{value}: {ended}"
        );
    }
    Spc::new()
        .without_env("DOCKER_HOST")
        .env("DOCKER_CONTEXT", "stage")
        .args(["ps"])
        .code(2)
        .stderr(
            r#"
            error: Could not connect to the engine: DOCKER_CONTEXT is "stage", and Docker contexts are not supported yet
            help: set DOCKER_HOST to the engine's address, which `docker context inspect stage` shows
            "#,
        )
        .run();
}

#[test]
fn a_script_can_act_on_an_engine_that_is_not_there() {
    Spc::new()
        .runbook("let tried = attempt(|| stack().ps());\nprint([tried.ok, tried.error.kind, tried.error.place]);")
        .stdout("[false, \"engine\", \"scripts/a.rhai:1:32\"]\n")
        .run();
}

/// One container of the project `shop`, as the engine lists it, and nothing else.
fn of_shop(request: &str) -> Answer {
    let body = match request {
        _ if request.starts_with("GET /containers/json") => {
            r#"[{"Id":"c0ffee","Names":["/shop-db-1"],"Image":"x","ImageID":"sha256:1","State":"running","Status":"Up 2 minutes (healthy)",
               "Ports":[{"IP":"0.0.0.0","PrivatePort":5432,"PublicPort":15432,"Type":"tcp"}],
               "Labels":{"com.docker.compose.project":"shop","com.docker.compose.service":"db","com.docker.compose.container-number":"1","dev.spc.project":"shop"}}]"#
        }
        _ if request.starts_with("GET /volumes") => r#"{"Volumes":[],"Warnings":[]}"#,
        _ if request.starts_with("GET /_ping") => "OK",
        _ => "[]",
    };
    Answer::of_api("1.41", body)
}

#[test]
fn ps_shows_the_projects_containers_as_a_table_or_as_json() {
    Spc::new()
        .engine(of_shop)
        .args(["ps", "--project", "shop"])
        .stdout(
            r"
            NAME        SERVICE   STATE     HEALTH    STATUS                   PORTS
            shop-db-1   db        running   healthy   Up 2 minutes (healthy)   0.0.0.0:15432->5432/tcp
            ",
        )
        .run();
    Spc::new()
        .engine(of_shop)
        .args(["ps", "--project", "shop", "--json"])
        .stdout(
            r#"
            {"exit_code":null,"health":"healthy","id":"c0ffee","name":"shop-db-1","number":1,"ports":[{"host_ip":"0.0.0.0","protocol":"tcp","published":15432,"target":5432}],"service":"db","state":"running","status":"Up 2 minutes (healthy)"}
            {"time":"[time]","event":"end","ok":true,"code":0}
            "#,
        )
        .run();
}

#[test]
fn ps_asks_for_one_project_and_changes_nothing() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = asked.clone();
    let answer = move |request: &str| {
        told.lock().unwrap().push(request.to_owned());
        of_shop(if request.starts_with("GET /containers/json") { "GET /nothing" } else { request })
    };
    Spc::new().engine(answer).args(["-p", "shop", "ps"]).stdout("NAME   SERVICE   STATE   HEALTH   STATUS   PORTS\n").run();
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|request| request.starts_with("GET ")), "{asked:?}");
    let list = asked.iter().find(|request| request.starts_with("GET /containers/json")).expect("containers are listed");
    assert!(list.contains("com.docker.compose.project%3Dshop"), "{list}");
}

#[test]
fn an_engine_without_a_lock_says_that_there_is_none_to_remove() {
    let answer = |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        _ => Answer::of_api("1.41", r#"{"message":"No such container: shop"}"#).with_status(404),
    };
    Spc::new().engine(answer).args(["-p", "shop", "unlock"]).stderr("The project \"shop\" is not locked\n").run();
}
