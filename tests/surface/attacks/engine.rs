//! Requests of a script to the engine itself, bypassing the guard, under every name of the engine.

use std::sync::{Arc, Mutex};

use crate::support::{Answer, Spc, SpcOutput, TcpServer};

/// A server that records its requests.
fn server(
    answer: impl Fn(&str) -> Answer + Send + 'static,
) -> (TcpServer, Arc<Mutex<Vec<String>>>) {
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let server = TcpServer::new({
        let asked = asked.clone();
        move |request| {
            asked.lock().unwrap().push(request.to_owned());
            answer(request)
        }
    });
    (server, asked)
}

fn engine() -> (TcpServer, Arc<Mutex<Vec<String>>>) {
    server(|_| Answer::of_api("1.41", "{}").with_header("Server", "Docker/20.10.24 (linux)"))
}

/// A container that would give a script control over the machine.
fn create(url: &str) -> String {
    format!(
        "http::post(\"{url}/containers/create\", #{{ body: #{{ Image: \"x\", HostConfig: #{{ Binds: [\"/:/host\"] }} }} }});\nprint(\"went on\");"
    )
}

/// Runs a script that may send any request. `tell` configures the engine's address.
fn run(script: &str, tell: impl FnOnce(Spc) -> Spc) -> SpcOutput {
    tell(Spc::new().file("spc.toml", "[allow]\nnetwork = [\"*\"]\n")).runbook(script).output()
}

#[track_caller]
fn is_refused(ended: &SpcOutput, reason: &str) {
    assert_eq!((ended.code, ended.stdout.as_str()), (5, ""), "{ended}");
    assert!(
        ended.stderr.starts_with("error: A script may not send a request to \"")
            && ended.stderr.contains(reason),
        "{ended}"
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn no_request_reaches_the_engine_under_any_name_of_this_machine() {
    let (engine, asked) = engine();
    let port = engine.port();
    let names = [
        "127.0.0.1",
        "127.0.0.2",
        "127.1",
        "0x7f000001",
        "0177.0.0.1",
        "2130706433",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "any.localhost",
        "user@localhost",
        "evil.example@127.0.0.1",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::1]",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
    ];
    for host in ["127.0.0.1", "localhost", "0.0.0.0"] {
        for name in names {
            let ended = run(&create(&format!("http://{name}:{port}")), |spc| {
                spc.env("DOCKER_HOST", format!("tcp://{host}:{port}"))
            });
            is_refused(
                &ended,
                &format!(": it leads to the Docker Engine at \"tcp://{host}:{port}\"\n"),
            );
        }
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn no_request_reaches_the_engine_behind_a_redirect() {
    let (engine, asked) = engine();
    let target = format!("http://any.localhost:{}/containers/create", engine.port());
    for status in [301, 302, 303, 307, 308] {
        let location = target.clone();
        let (redirects, redirected) =
            server(move |_| Answer::of_stranger(status, "").with_header("Location", &location));
        let script = create(&format!("http://localhost:{}", redirects.port()));
        let ended = run(&script, |spc| {
            spc.env("DOCKER_HOST", format!("tcp://127.0.0.1:{}", engine.port()))
        });
        is_refused(&ended, ": it leads to the Docker Engine at ");
        assert_eq!(redirected.lock().unwrap().len(), 1);
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn an_engine_that_is_named_anywhere_is_no_target_also_where_another_is_in_use() {
    let (engine, asked) = engine();
    let address = format!("tcp://127.0.0.1:{}", engine.port());
    let script = create(&format!("http://localhost:{}", engine.port()));
    let context = format!(r#"{{"Name":"stage","Endpoints":{{"docker":{{"Host":"{address}"}}}}}}"#);
    is_refused(
        &run(&script, |spc| spc.args(["--host", &address])),
        "it leads to the Docker Engine",
    );
    is_refused(
        &run(&script, |spc| {
            spc.env("DOCKER_HOST", &address).args(["--host", "unix:///nowhere.sock"])
        }),
        "it leads to the Docker Engine",
    );
    is_refused(
        &run(&script, |spc| spc.file("../home/.docker/contexts/meta/0/meta.json", &context)),
        "it leads to the Docker Engine",
    );
    // The engine's address is unknown to spc. The response identifies an engine, so spc ends the
    // script.
    is_refused(&run(&script, |spc| spc), "a Docker Engine answers there\n");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn a_name_below_localhost_is_this_machine_without_asking_a_resolver() {
    let (server, _asked) = server(|_| Answer::of_stranger(200, "here"));
    let script =
        format!("print(http::get(\"http://no.such.name.localhost:{}/\").body);", server.port());
    Spc::new().runbook(&script).stdout("here\n").run();
}

#[test]
fn a_plan_refuses_what_the_run_would() {
    let (engine, asked) = engine();
    let script = create(&format!("http://any.localhost:{}", engine.port()));
    let spc = Spc::new().file("scripts/a.rhai", script).args(["plan", "scripts/a.rhai"]);
    let ended = spc.env("DOCKER_HOST", format!("tcp://127.0.0.1:{}", engine.port())).output();
    assert!(ended.to_string().contains("it leads to the Docker Engine at "), "{ended}");
    assert!(!asked.lock().unwrap().iter().any(|request| request.starts_with("POST")), "{ended}");
}
