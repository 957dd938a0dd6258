//! Connections to engines that are missing, inaccessible or too old, and to other servers.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use crate::support::{Answer, Spc};

/// A runbook with a stack. Its third line needs the engine.
const UP: &str = "let spc = stack(\"shop\", #{ services: #{ db: #{ image: \"x\" } } });\nprint(\"described\");\nspc.up();";

#[test]
fn an_unreachable_engine_is_reported_with_its_address_and_a_suggested_fix() {
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
fn a_call_that_a_proxy_forbids_fails_immediately() {
    let page = "<html><body><h1>403 Forbidden</h1>Request forbidden by administrative rules.</body></html>";
    let engine = move |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        post if post.starts_with("POST ") => {
            Answer::of_stranger(403, page).with_header("Content-Type", "text/html")
        }
        "GET /images/spc-empty%3A1/json" | "GET /images/spc-empty:1/json" => {
            Answer::of_api("1.41", r#"{"Id":"sha256:0a"}"#)
        }
        volumes if volumes.starts_with("GET /volumes") => {
            Answer::of_api("1.41", r#"{"Volumes":[]}"#)
        }
        list if list.contains("/json?") || list.starts_with("GET /networks") => {
            Answer::of_api("1.41", "[]")
        }
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    };
    Spc::new()
        .runbook(UP)
        .engine(engine)
        .code(1)
        .stdout("described\n")
        .stderr(
            r#"
            error: Could not take the project's lock: a proxy or plugin in front of the Docker Engine forbids it (403): 403 Forbidden Request forbidden by administrative rules
             --> scripts/a.rhai:3:5
              |
            3 | spc.up();
              |     ^^
              |
              = help: ask the administrator of the proxy or plugin to allow this request
            "#,
        )
        .run();
}

#[test]
fn a_query_that_a_proxy_forbids_is_reported_with_its_purpose() {
    let page = "<html><body><h1>403 Forbidden</h1></body></html>";
    Spc::new()
        .engine(move |_| Answer::of_stranger(403, page).with_header("Content-Type", "text/html"))
        .args(["ps"])
        .code(1)
        .stderr(
            r#"
            error: No Docker Engine answers at "unix://[root]/engine.sock" ("GET /_ping" is forbidden there, which spc asks for the engine's version: 403 Forbidden), the address in DOCKER_HOST
            help: ask the administrator of the proxy or plugin to allow "GET /_ping"
            "#,
        )
        .run();
    let engine = |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        "GET /info" => {
            Answer::of_api("1.41", r#"{"message":"Forbidden by rules"}"#).with_status(403)
        }
        volumes if volumes.starts_with("GET /volumes") => {
            Answer::of_api("1.41", r#"{"Volumes":[]}"#)
        }
        _ => Answer::of_api("1.41", "[]"),
    };
    let code = "for line in stack(\"x\", #{ services: #{ a: #{ image: \"a\" } } }).logs((), #{ follow: true }) { print(line); }";
    let ended = Spc::new()
        .file("scripts/a.rhai", code)
        .engine(engine)
        .args(["run", "scripts/a.rhai"])
        .output();
    let said = "forbids it: spc asks \"GET /info\" for the engine's clock: Forbidden by rules";
    assert!(ended.code == 1 && ended.stderr.contains(said), "{ended}");
    assert!(
        ended
            .stderr
            .contains("help: ask the administrator of the proxy or plugin to allow \"GET /info\""),
        "{ended}"
    );
}

#[test]
fn a_socket_without_a_listener_differs_from_a_missing_socket() {
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

/// A run as the user `nobody` with a socket of root and this group.
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
fn a_server_that_is_no_engine_is_an_error() {
    Spc::new()
        .engine(|_| Answer::of_stranger(200, "hello"))
        .args(["ps"])
        .code(1)
        .stderr(
            r#"
            error: The server at "unix://[root]/engine.sock" is not a Docker Engine
            help: check DOCKER_HOST
            "#,
        )
        .run();
    let ended =
        Spc::new().engine(|_| Answer::of_stranger(502, "no such upstream")).args(["ps"]).output();
    assert_eq!(ended.code, 1);
    assert!(
        ended.stderr.contains(
            "(it answered with status 502 no such upstream), the address in DOCKER_HOST\n"
        ),
        "{ended}"
    );
}

#[test]
fn an_invalid_address_is_reported_with_its_setting() {
    let cases = [
        ("nonsense", "it names no protocol"),
        ("tcp://", "it is not host:port"),
        ("npipe:////./pipe/docker_engine", "a named pipe is there on Windows only"),
        ("ssh://deploy@host:none", "the port is not a number up to 65535"),
    ];
    for (value, why) in cases {
        let stderr = |who: &str| {
            format!(
                "error: Could not use {who} \"{value}\": {why}\nhelp: write unix:///path/to/docker.sock, tcp://host:port or ssh://user@host\n"
            )
        };
        Spc::new()
            .env("DOCKER_HOST", value)
            .args(["ps"])
            .code(2)
            .stderr(&stderr("DOCKER_HOST"))
            .run();
        Spc::new().args(["-H", value, "ps"]).code(2).stderr(&stderr("--host")).run();
    }
}

#[test]
fn a_password_in_an_address_is_refused_and_not_shown() {
    Spc::new()
        .env("DOCKER_HOST", "ssh://me:secret@host")
        .args(["ps"])
        .code(2)
        .stderr(
            r#"
            error: Could not use DOCKER_HOST "ssh://me:***@host": it holds a password
            help: remove the password: `ssh` logs in with a key, or asks at a terminal
            "#,
        )
        .run();
}

/// A run with the Docker context `stage`, whose socket does not exist.
fn with_context(meta: &str) -> Spc {
    let run = Spc::new().without_env("DOCKER_HOST");
    let id =
        Sha256::digest("stage").iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}"));
    let folder = run.root().join("home/.docker/contexts/meta").join(id);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("meta.json"), meta).unwrap();
    run
}

const STAGE: &str = r#"{"Name":"stage","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///spc-none/stage 1.sock"}}}"#;

#[test]
fn a_context_leads_to_its_engine_and_is_named_where_that_does_not_answer() {
    let stderr = |way_back: &str| {
        format!(
            "error: No Docker Engine answers at \"unix:///spc-none/stage 1.sock\" (there is no such socket), the address of the context \"stage\"\n\
             help: start that engine, or {way_back} to use the one of this machine\n"
        )
    };
    with_context(STAGE)
        .args(["--context", "stage", "ps"])
        .code(1)
        .stderr(&stderr("leave --context out"))
        .run();
    with_context(STAGE)
        .env("DOCKER_CONTEXT", "stage")
        .args(["ps"])
        .code(1)
        .stderr(&stderr("unset DOCKER_CONTEXT"))
        .run();
    let in_use = with_context(STAGE);
    std::fs::write(in_use.root().join("home/.docker/config.json"), r#"{"currentContext":"stage"}"#)
        .unwrap();
    in_use.args(["ps"]).code(1).stderr(&stderr("use --context default")).run();
}

#[test]
fn a_missing_or_malformed_context_is_reported_with_a_suggested_fix() {
    with_context(STAGE)
        .env("DOCKER_CONTEXT", "stag")
        .args(["ps"])
        .code(2)
        .stderr(
            r#"
            error: There is no Docker context "stag", which DOCKER_CONTEXT names
            help: did you mean "stage"?
            "#,
        )
        .run();
    let ended = with_context("{").args(["--context", "stage", "ps"]).output();
    assert_eq!(ended.code, 2, "{ended}");
    assert!(
        ended.stderr.starts_with("error: Could not read \"[home]/.docker/contexts/meta/"),
        "{ended}"
    );
    assert!(
        ended.stderr.contains(
            "/meta.json\": it is not JSON, at line 1, column 1\nhelp: create the context again: "
        ),
        "{ended}"
    );
    let broken = Spc::new().without_env("DOCKER_HOST");
    std::fs::create_dir(broken.root().join("home/.docker")).unwrap();
    std::fs::write(broken.root().join("home/.docker/config.json"), "{\n\"currentContext\": 1}")
        .unwrap();
    broken
        .args(["ps"])
        .code(2)
        .stderr(
            r#"
            error: Could not read "[home]/.docker/config.json": it holds something else than Docker's client writes, at line 2, column 19
            help: correct the file, or name the engine: --context, --host, DOCKER_CONTEXT or DOCKER_HOST
            "#,
        )
        .run();
}

#[test]
fn missing_or_invalid_certificates_are_reported_with_their_file() {
    let run = || {
        Spc::new()
            .env("DOCKER_HOST", "tcp://127.0.0.1:1")
            .env("DOCKER_TLS_VERIFY", "1")
            .args(["ps"])
            .code(2)
    };
    run()
        .stderr(
            r#"
            error: DOCKER_TLS_VERIFY is set, but there is no "[home]/.docker/ca.pem"
            help: set DOCKER_CERT_PATH to the folder that holds ca.pem, cert.pem and key.pem
            "#,
        )
        .run();
    let no_certificate = run();
    std::fs::create_dir(no_certificate.root().join("home/.docker")).unwrap();
    std::fs::write(no_certificate.root().join("home/.docker/ca.pem"), "not PEM").unwrap();
    no_certificate
        .stderr(
            r#"
            error: Could not use "[home]/.docker/ca.pem": it holds no certificate
            help: give it a file in PEM, as `docker` takes it
            "#,
        )
        .run();
}

#[test]
fn host_and_context_together_are_refused() {
    let ended = Spc::new().args(["--host", "ssh://a", "--context", "b", "ps"]).output();
    assert_eq!(ended.code, 2, "{ended}");
    assert!(
        ended.stderr.contains("'--host <ADDRESS>' cannot be used with '--context <NAME>'"),
        "{ended}"
    );
}

#[test]
fn a_script_can_act_on_an_engine_that_is_not_there() {
    Spc::new()
        .runbook("let tried = attempt(|| stack().ps());\nprint([tried.ok, tried.error.kind, tried.error.place]);")
        .stdout("[false, \"engine\", \"scripts/a.rhai:1:32\"]\n")
        .run();
}

/// One container of the project `shop`, as the engine lists it, and nothing else.
/// An engine on which the project shop has a container.
pub fn of_shop(request: &str) -> Answer {
    let body = match request {
        _ if request.starts_with("GET /containers/json") => {
            r#"[{"Id":"c0ffee","Names":["/shop-db-1"],"Image":"x","ImageID":"sha256:1","State":"running","Status":"Up 2 minutes (healthy)",
               "Ports":[{"IP":"0.0.0.0","PrivatePort":5432,"PublicPort":15432,"Type":"tcp"}],
               "Labels":{"com.docker.compose.project":"shop","com.docker.compose.service":"db","com.docker.compose.container-number":"1","dev.spc.project":"shop"}}]"#
        }
        _ if request.starts_with("GET /volumes") => r#"{"Volumes":[],"Warnings":[]}"#,
        _ if request.starts_with("GET /images/json") => {
            r#"[{"Id":"sha256:1","ParentId":"","RepoTags":["x:latest"],"RepoDigests":[],"Created":0,"Size":0,"SharedSize":-1,"Labels":null,"Containers":-1}]"#
        }
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
            {"time":"[time]","event":"container","health":"healthy","id":"c0ffee","name":"shop-db-1","number":1,"ports":[{"host_ip":"0.0.0.0","protocol":"tcp","published":15432,"target":5432}],"service":"db","state":"running","status":"Up 2 minutes (healthy)"}
            {"time":"[time]","event":"end","ok":true,"code":0}
            "#,
        )
        .run();
}

#[test]
fn ps_asks_for_one_project_and_changes_nothing() {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let reported = asked.clone();
    let answer = move |request: &str| {
        reported.lock().unwrap().push(request.to_owned());
        of_shop(if request.starts_with("GET /containers/json") { "GET /nothing" } else { request })
    };
    Spc::new()
        .engine(answer)
        .args(["-p", "shop", "ps"])
        .stderr("the project \"shop\" has no containers; --project NAME shows another project, with the name in its `stack(\"NAME\", …)`\n")
        .run();
    let asked = asked.lock().unwrap();
    assert!(asked.iter().all(|request| request.starts_with("GET ")), "{asked:?}");
    let list = asked
        .iter()
        .find(|request| request.starts_with("GET /containers/json"))
        .expect("containers are listed");
    assert!(list.contains("com.docker.compose.project%3Dshop"), "{list}");
}

#[test]
fn ps_names_the_other_projects_of_the_folder() {
    let ps = |projects: &'static [&'static str]| {
        let answer = move |request: &str| {
            if !request.contains("working_dir") {
                return of_shop(if request.starts_with("GET /containers/json") {
                    "GET /nothing"
                } else {
                    request
                });
            }
            let list: Vec<_> = projects
                .iter()
                .map(|name| {
                    let labels = serde_json::json!({
                        "com.docker.compose.project": name,
                        "com.docker.compose.service": "web",
                    });
                    serde_json::json!({ "Id": "c0ffee", "Labels": labels })
                })
                .collect();
            Answer::of_api("1.41", &serde_json::Value::from(list).to_string())
        };
        Spc::new().engine(answer).args(["-p", "shop", "ps"])
    };
    ps(&["staging", "staging"])
        .stderr("the project \"shop\" has no containers; those from this folder are of the project \"staging\": spc ps --project staging\n")
        .run();
    ps(&["staging", "live"])
        .stderr("the project \"shop\" has no containers; those from this folder are of the projects \"live\", \"staging\": spc ps --project live\n")
        .run();
}

#[test]
fn unlock_without_a_lock_reports_that_there_is_none() {
    let answer = |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        _ => Answer::of_api("1.41", r#"{"message":"No such container: shop"}"#).with_status(404),
    };
    Spc::new()
        .engine(answer)
        .args(["-p", "shop", "unlock"])
        .stderr("The project \"shop\" is not locked\n")
        .run();
}

#[test]
fn a_lock_of_a_newer_version_is_removed_only_after_confirmation() {
    let locked = |removed: Arc<Mutex<bool>>| {
        move |request: &str| match request {
            "GET /_ping" => Answer::of_api("1.41", "OK"),
            "GET /containers/shop.spc-lock/json" | "GET /containers/c/json" => Answer::of_api(
                "1.41",
                r#"{"Id":"c","Name":"/shop.spc-lock","Image":"i","Config":{"Labels":{"dev.spc.project":"shop","dev.spc.lock":"shop","dev.spc.format":"99"}}}"#,
            ),
            "GET /images/i/json" => Answer::of_api("1.41", r#"{"Id":"i","Config":{}}"#),
            _ if request.starts_with("DELETE /containers/c") => {
                *removed.lock().unwrap() = true;
                Answer::of_api("1.41", "").with_status(204)
            }
            _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
        }
    };
    let removed = Arc::new(Mutex::new(false));
    Spc::new()
        .engine(locked(removed.clone()))
        .args(["-p", "shop", "unlock"])
        .code(2)
        .stderr(
            "error: The project \"shop\" is locked by a run of a newer version of spc\nhelp: without a terminal to ask on, --yes removes the lock\n",
        )
        .run();
    assert!(!*removed.lock().unwrap());
    Spc::new()
        .engine(locked(removed.clone()))
        .args(["-p", "shop", "--yes", "unlock"])
        .stderr("The lock of \"shop\" is removed\n")
        .run();
    assert!(*removed.lock().unwrap());
}
