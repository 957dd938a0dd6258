//! An engine that requires TLS client certificates. spc gets them from environment variables and
//! from Docker contexts.

use std::path::Path;
use std::process::Command;

use super::docker::docker;
use super::heavy;
use super::images::busybox;
use super::project::Project;
use super::relay::Relay;
use super::remote::serves_as_a_local_engine;
use super::spc::Spc;
use super::tls_engine::{TlsEngine, authority};

fn with_certificates(spc: Spc, engine: &TlsEngine, folder: &Path) -> Spc {
    spc.env("DOCKER_HOST", engine.docker_host())
        .env("DOCKER_TLS_VERIFY", "1")
        .env("DOCKER_CERT_PATH", folder)
}

#[test]
fn an_engine_behind_tls_behaves_like_a_local_one() {
    let _one = heavy();
    let project = Project::new("tls");
    let engine = TlsEngine::new();
    engine.load(busybox());
    serves_as_a_local_engine(
        &project,
        &|spc| with_certificates(spc, &engine, &engine.client()),
        &|words| engine.docker(words),
    );
}

#[test]
fn wrong_certificates_are_reported_with_their_file_and_a_suggested_fix() {
    let _one = heavy();
    let project = Project::new("tls-refused");
    let engine = TlsEngine::new();
    let ps = |folder: &Path| with_certificates(project.spc(&["ps"]), &engine, folder);
    ps(&engine.client()).ends(0);

    let stranger = engine.certificates("stranger", None);
    ps(&stranger).ends(1).prints(&[
        "it wants a client certificate, and there is no",
        "stranger/cert.pem\"",
        "put cert.pem and key.pem into",
    ]);
    let other = engine.certificates("other", Some(&authority()));
    ps(&other).ends(1).prints(&["it does not accept", "other/cert.pem\"", "dockerd --tlscacert"]);
    std::fs::write(other.join("ca.pem"), authority().pem()).unwrap();
    ps(&other).ends(1).prints(&["other/ca.pem\" did not issue its certificate", "take the ca.pem"]);
    let named =
        ps(&engine.client()).env("DOCKER_HOST", format!("tcp://localhost:{}", engine.port()));
    named.ends(1).prints(&[
        "its certificate is for \"127.0.0.1\"",
        "use a name that the certificate is for",
    ]);

    let plain = project.spc(&["ps"]).env("DOCKER_HOST", engine.docker_host());
    plain.ends(1).prints(&["it requires TLS", "set DOCKER_TLS_VERIFY=1"]);
    let reverse = ps(&engine.client()).env("DOCKER_HOST", Relay::new().docker_host());
    reverse.ends(1).prints(&["it does not speak TLS", "unset DOCKER_TLS_VERIFY"]);

    // `DOCKER_TLS` encrypts the connection but does not verify the server's certificate.
    let unverified =
        project.spc(&["ps"]).env("DOCKER_HOST", engine.docker_host()).env("DOCKER_TLS", "1");
    unverified.env("DOCKER_CERT_PATH", engine.client()).ends(0);
}

#[test]
fn docker_contexts_select_their_engines() {
    let _one = heavy();
    let project = Project::new("tls-context");
    let engine = TlsEngine::new();
    let config = project.path("client");
    let client = |words: &[&str]| {
        let status = Command::new("docker")
            .args(words)
            .env("DOCKER_CONFIG", &config)
            .env_remove("DOCKER_HOST")
            .output()
            .unwrap();
        assert!(
            status.status.success(),
            "docker {words:?}: {}",
            String::from_utf8_lossy(&status.stderr)
        );
    };
    let (host, certs) = (engine.docker_host(), engine.client());
    let file = |name: &str| certs.join(name).display().to_string();
    let identity = format!("host={host},cert={},key={}", file("cert.pem"), file("key.pem"));
    client(&[
        "context",
        "create",
        "stage",
        "--docker",
        &format!("{identity},ca={}", file("ca.pem")),
    ]);
    client(&[
        "context",
        "create",
        "loose",
        "--docker",
        &format!("{identity},skip-tls-verify=true"),
    ]);
    client(&["context", "create", "strict", "--docker", &identity]);
    client(&[
        "context",
        "create",
        "plain",
        "--docker",
        &format!("host={}", Relay::new().docker_host()),
    ]);

    let spc =
        |words: &[&str]| project.spc(words).env("DOCKER_CONFIG", &config).env("DOCKER_HOST", "");
    // Only one of the engines has this volume, so it shows which engine answers.
    let volume = format!("{}-there", project.name);
    engine.docker(&["volume", "create", &volume]);
    project.file("scripts/there.rhai", &format!("print(volume(\"{volume}\").exists());\n"));
    let run = ["run", "scripts/there.rhai"];
    let answers = |words: &[&str], variable: Option<&str>, there: &str| {
        let spc = spc(&[words, &run].concat());
        let spc = match variable {
            Some(name) => spc.env("DOCKER_CONTEXT", name),
            None => spc,
        };
        spc.ends(0).printed(&[there]);
    };
    answers(&["--context", "stage"], None, "true\n");
    answers(&["--context", "loose"], None, "true\n");
    answers(&["--context", "plain"], None, "false\n");
    answers(&[], Some("stage"), "true\n");
    answers(&["--context", "plain"], Some("stage"), "false\n");
    client(&["context", "use", "stage"]);
    answers(&[], None, "true\n");
    answers(&["--context", "default"], None, "false\n");
    spc(&run).env("DOCKER_HOST", Relay::new().docker_host()).ends(0).printed(&["false\n"]);

    spc(&["--context", "strict", "ps"]).ends(1).prints(&[
        "this machine does not trust the issuer",
        "the address of the context \"strict\"",
    ]);
    spc(&["--context", "stagee", "ps"]).ends(2).prints(&[
        "There is no Docker context \"stagee\", which --context names",
        "did you mean \"stage\"?",
    ]);
    assert!(docker(&["volume", "ls", "--quiet"]).lines().all(|name| name != volume));
}
