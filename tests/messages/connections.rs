//! The messages about engines that can't be reached over TLS or ssh, about credentials of
//! registries, and about locks of a newer version. No case needs an engine: what answers is a server or a program of the test.
//!
//! Certificates that the engine or spc rejects need a TLS server: `tests/engine/over_tls.rs` has
//! their messages. That another run holds the lock is an error only after two minutes:
//! `apply/tests/` has this message.

use std::fs;

use super::catalogue::{assert_catalogue, end};
use crate::support::{Answer, Spc, SpcOutput, TcpServer};

/// The content of a context's or of the client's certificate file that is no certificate.
const NOT_PEM: &str = "not PEM";

/// spc with these files in `DOCKER_CERT_PATH`.
fn over_tls(files: &[(&str, &str)]) -> SpcOutput {
    let mut spc = Spc::new()
        .folder("certs")
        .env("DOCKER_HOST", "tcp://127.0.0.1:1")
        .env("DOCKER_TLS_VERIFY", "1");
    for (name, content) in files {
        spc = spc.file(&format!("certs/{name}"), content);
    }
    let folder = spc.project().join("certs");
    spc.env("DOCKER_CERT_PATH", folder.to_string_lossy()).args(["ps", "--json"]).output()
}

/// The same for a server that speaks no TLS.
fn without_tls() -> SpcOutput {
    let server = TcpServer::new(|_| Answer::of_stranger(400, "Bad Request"));
    let address = format!("tcp://127.0.0.1:{}", server.port());
    Spc::new().env("DOCKER_HOST", address).env("DOCKER_TLS", "1").args(["ps", "--json"]).output()
}

/// spc whose `ssh` ends with this message.
fn over_ssh(address: &str, said: &str) -> SpcOutput {
    with_programs(&[("ssh", &format!("echo \"{said}\" >&2\nexit 255\n"))])
        .env("DOCKER_HOST", address)
        .args(["ps", "--json"])
        .output()
}

/// The programs that spc itself starts, and these, are in the search path.
fn with_programs(programs: &[(&str, &str)]) -> Spc {
    use std::os::unix::fs::PermissionsExt as _;
    let spc = Spc::new();
    let folder = spc.root().join("programs");
    fs::create_dir(&folder).unwrap();
    for (name, script) in programs {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    spc.env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
}

/// A pull with this `config.json` of Docker's client, from a registry that answers `said`.
fn pull(config: &str, helper: Option<&str>, said: &'static str) -> SpcOutput {
    let programs: Vec<(&str, &str)> =
        helper.map(|script| ("docker-credential-test", script)).into_iter().collect();
    let spc = with_programs(&programs);
    let folder = spc.root().join("client");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config.json"), config).unwrap();
    let engine = move |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        request if request.starts_with("POST /images/create") => {
            Answer::of_api("1.41", &format!("{{\"message\":\"{said}\"}}")).with_status(500)
        }
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    };
    spc.env("DOCKER_CONFIG", folder.to_string_lossy())
        .engine(engine)
        .args(["run", "--json", "-e", "image(\"registry.example/team/app:1\").pull()"])
        .output()
}

const DENIED: &str = "pull access denied for registry.example/team/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied";
const UNAUTHORIZED: &str = "Head \\\"https://registry.example/v2/team/app/manifests/1\\\": unauthorized: authentication required";
const HELPER: &str = r#"{"credsStore":"test"}"#;
const STORED: &str = r#"{"auths":{"registry.example":{"auth":"YW5uYTpwdw=="}}}"#;

/// What happens, and how.
type Case = (&'static str, fn() -> SpcOutput);

const TLS: &[Case] = &[
    ("no file in DOCKER_CERT_PATH", || over_tls(&[])),
    ("a certificate without its key", || over_tls(&[("ca.pem", NOT_PEM), ("cert.pem", NOT_PEM)])),
    ("a key without its certificate", || over_tls(&[("ca.pem", NOT_PEM), ("key.pem", NOT_PEM)])),
    ("a ca.pem that is no certificate", || over_tls(&[("ca.pem", NOT_PEM)])),
    ("a server that speaks no TLS", without_tls),
];

const SSH: &[Case] = &[
    ("Permission denied (publickey).", || {
        over_ssh("ssh://anna@web1", "anna@web1: Permission denied (publickey).")
    }),
    ("Host key verification failed.", || over_ssh("ssh://web1", "Host key verification failed.")),
    ("Could not resolve hostname", || {
        over_ssh("ssh://web1", "ssh: Could not resolve hostname web1: Name or service not known")
    }),
    ("Connection refused", || {
        over_ssh("ssh://web1:2222", "ssh: connect to host web1 port 2222: Connection refused")
    }),
    ("Connection timed out", || {
        over_ssh("ssh://web1", "ssh: connect to host web1 port 22: Connection timed out")
    }),
    ("no message", || over_ssh("ssh://web1", "")),
    ("no ssh on this machine", || {
        Spc::new()
            .env("PATH", "/nonexistent")
            .env("DOCKER_HOST", "ssh://web1")
            .args(["ps", "--json"])
            .output()
    }),
    ("a password in the address", || over_ssh("ssh://anna:pw@web1", "")),
];

const REGISTRIES: &[Case] = &[
    ("no credentials", || pull("{}", None, DENIED)),
    ("no credentials, and the registry asks for some", || pull("{}", None, UNAUTHORIZED)),
    ("credentials that the registry rejects", || pull(STORED, None, UNAUTHORIZED)),
    ("a credential helper that is not installed", || pull(HELPER, None, DENIED)),
    ("a credential helper that fails", || pull(HELPER, Some("echo 'locked'; exit 1\n"), DENIED)),
    ("a credential helper that answers no JSON", || pull(HELPER, Some("echo hello\n"), DENIED)),
    ("a helper whose name is a path", || pull(r#"{"credsStore":"../x"}"#, None, DENIED)),
    ("an entry that is not base64", || {
        pull(r#"{"auths":{"registry.example":{"auth":"!"}}}"#, None, DENIED)
    }),
    ("a config.json that is no JSON", || pull("{", None, DENIED)),
];

/// `up` and `unlock` where the project has a lock of a newer version.
fn with_newer_lock(arguments: &[&str]) -> SpcOutput {
    let engine = |request: &str| {
        match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        "GET /containers/shop.spc-lock/json" | "GET /containers/c/json" => Answer::of_api(
            "1.41",
            r#"{"Id":"c","Name":"/shop.spc-lock","Image":"i","Config":{"Labels":{"dev.spc.project":"shop","dev.spc.lock":"shop","dev.spc.format":"99"}}}"#,
        ),
        request if request.starts_with("GET /images/") && request.ends_with("/json") => {
            Answer::of_api("1.41", r#"{"Id":"i","Config":{}}"#)
        }
        request if request.starts_with("POST /containers/create") => Answer::of_api(
            "1.41",
            r#"{"message":"Conflict. The container name \"/shop.spc-lock\" is already in use by container \"c\"."}"#,
        )
        .with_status(409),
        request if request.starts_with("GET /volumes?") => {
            Answer::of_api("1.41", r#"{"Volumes":[]}"#)
        }
        request if request.contains("/json?") || request.starts_with("GET /networks?") => {
            Answer::of_api("1.41", "[]")
        }
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    }
    };
    Spc::new().engine(engine).args(arguments.to_vec()).output()
}

const UP: &str = "stack(\"shop\", #{ services: #{ web: #{ image: \"web:1\" } } }).up()";

const LOCK: &[Case] = &[
    ("up beside a run of a newer version", || with_newer_lock(&["run", "--json", "-e", UP])),
    ("unlock of a newer version's lock", || {
        with_newer_lock(&["--project", "shop", "unlock", "--json"])
    }),
];

#[test]
fn the_messages_about_connections_and_credentials_are_these() {
    let headings = [
        ("The engine over TLS", TLS),
        ("The engine over ssh, and what ssh says", SSH),
        ("Credentials of registries", REGISTRIES),
        ("The lock", LOCK),
    ];
    let mut text = String::new();
    for (heading, cases) in headings {
        text += &format!("# {heading}\n");
        text.extend(cases.iter().map(|(what, _)| format!("{what}\n")));
    }
    let all: Vec<Case> = headings.iter().flat_map(|(_, cases)| cases.iter().copied()).collect();
    assert_catalogue("connections", text.leak(), |number, _| stable(&end(&(all[number - 1].1)())));
}

/// The text without the port that the system chose.
fn stable(text: &str) -> String {
    regex_lite::Regex::new(r"tcp://127\.0\.0\.1:\d{2,}")
        .unwrap()
        .replace_all(text, "tcp://127.0.0.1:PORT")
        .into_owned()
}
