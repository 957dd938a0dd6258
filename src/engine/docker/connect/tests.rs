#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a real socket is what is tested")]
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;

const GROUPS: &str = "root:x:0:\nadm:x:4:syslog\ndocker:x:998:somebody\n";

fn unix(path: &str) -> Address {
    Address::Unix(path.into())
}

fn attempt(path: &str, kind: io::ErrorKind, group: Option<u32>) -> Attempt {
    Attempt { address: unix(path), failure: Failure::Io(kind, kind.to_string()), group }
}

fn options() -> ConnectOptions {
    ConnectOptions { user: Some("alice".into()), groups: Some(GROUPS.into()), ..ConnectOptions::default() }
}

/// An engine of one answer, at a socket of its own.
fn answering(answer: &'static str) -> (tempfile::TempDir, ConnectOptions) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).await.unwrap();
        assert!(request[..length].starts_with(b"GET /_ping HTTP/1.1\r\n"));
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    (folder, ConnectOptions { docker_host: Some(format!("unix://{}", path.display())), ..options() })
}

fn failure(answer: Result<DockerEngine>) -> EngineError {
    answer.err().expect("no engine to be there")
}

/// The options of an environment and of files, by user `alice`.
fn gathered(variables: &[(&str, &str)], files: &[(&str, &'static str)]) -> Result<ConnectOptions> {
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let read = |path: &Path| {
        let file = files.iter().find(|(known, _)| Path::new(known) == path);
        file.map(|(_, content)| (*content).into()).ok_or_else(|| host::HostError::new(host::HostErrorKind::NotFound, "no such file"))
    };
    ConnectOptions::gather(&variable, &read, "alice@machine")
}

#[test]
fn the_options_are_the_environments_where_empty_counts_as_unset() {
    let variables = [("DOCKER_HOST", ""), ("XDG_RUNTIME_DIR", "/run/user/1000"), ("HOME", "/home/alice"), ("DOCKER_TLS_VERIFY", "1")];
    let expected = ConnectOptions { runtime_dir: Some("/run/user/1000".into()), home: Some("/home/alice".into()), ..options() };
    assert_eq!(gathered(&variables, &[("/etc/group", GROUPS)]), Ok(expected));
}

#[test]
fn tls_files_are_read_for_tcp_only_and_a_missing_one_is_named() {
    let tcp = [("DOCKER_HOST", "tcp://engine"), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", "/certs")];
    let files = [("/certs/ca.pem", "CA"), ("/certs/cert.pem", "CERT"), ("/certs/key.pem", "KEY")];
    let tls = gathered(&tcp, &files).unwrap().tls.unwrap();
    assert_eq!((tls.authority, tls.identity), ("CA".into(), Some(("CERT".into(), "KEY".into()))));
    assert_eq!(gathered(&tcp, &files[..1]).unwrap().tls.unwrap().identity, None);

    let error = gathered(&tcp, &files[..2]).unwrap_err();
    assert_eq!(error.message, "DOCKER_TLS_VERIFY is set, but there is no \"/certs/key.pem\"");
    let home = [tcp[0], tcp[1], ("HOME", "/home/alice")];
    let error = gathered(&home, &[]).unwrap_err();
    assert_eq!(error.message, "DOCKER_TLS_VERIFY is set, but there is no \"/home/alice/.docker/ca.pem\"");
    assert!(gathered(&[("DOCKER_HOST", "unix:///a.sock"), tcp[1]], &[]).unwrap().tls.is_none());
}

#[test]
fn without_docker_host_the_default_and_the_rootless_sockets_are_tried_in_order() {
    let options = ConnectOptions { runtime_dir: Some("/run/user/1000".into()), home: Some(PathBuf::from("/home/alice")), ..options() };
    assert_eq!(
        options.candidates().unwrap(),
        [unix("/var/run/docker.sock"), unix("/run/user/1000/docker.sock"), unix("/home/alice/.docker/run/docker.sock")]
    );
}

#[test]
fn docker_host_is_tried_alone_and_an_empty_one_counts_as_unset() {
    let set = ConnectOptions { docker_host: Some("tcp://engine:2375".into()), runtime_dir: Some("/run/user/1000".into()), ..options() };
    assert_eq!(set.candidates().unwrap(), [Address::Tcp { host: "engine".into(), port: 2375, tls: false }]);
    let empty = ConnectOptions { docker_host: Some(String::new()), ..options() };
    assert_eq!(empty.candidates().unwrap(), [unix("/var/run/docker.sock")]);
}

#[test]
fn a_docker_context_is_refused_rather_than_overlooked() {
    let context = |name: &str| ConnectOptions { docker_context: Some(name.into()), ..options() };
    let error = context("staging").candidates().unwrap_err();
    assert_eq!(error.message, "DOCKER_CONTEXT is \"staging\", and Docker contexts are not supported yet");
    assert_eq!(error.hint.unwrap(), "set DOCKER_HOST to the engine's address, which `docker context inspect staging` shows");
    assert!(context("default").candidates().is_ok());
}

#[test]
fn when_no_engine_runs_every_address_is_named_with_its_reason() {
    let attempts = [
        attempt("/var/run/docker.sock", io::ErrorKind::NotFound, None),
        attempt("/run/user/1000/docker.sock", io::ErrorKind::ConnectionRefused, None),
    ];
    let error = explain(&attempts, &options());
    assert_eq!(error.kind, EngineErrorKind::Unreachable);
    assert_eq!(
        error.message,
        "no Docker Engine answers at \"unix:///var/run/docker.sock\" (there is no such socket), \
         nor at \"unix:///run/user/1000/docker.sock\" (nothing listens there)"
    );
    assert!(error.hint.unwrap().contains("`sudo systemctl start docker`"));
}

#[test]
fn without_permission_the_hint_names_the_sockets_group_and_the_user() {
    let attempts = [
        attempt("/var/run/docker.sock", io::ErrorKind::PermissionDenied, Some(998)),
        attempt("/run/user/1000/docker.sock", io::ErrorKind::NotFound, None),
    ];
    let error = explain(&attempts, &options());
    assert_eq!(error.kind, EngineErrorKind::PermissionDenied);
    assert_eq!(error.hint.unwrap(), "join the group \"docker\", which owns it: `sudo usermod -aG docker alice`, then log in again");
}

#[test]
fn nobody_is_told_to_join_the_group_root() {
    let error = explain(&[attempt("/var/run/docker.sock", io::ErrorKind::PermissionDenied, Some(0))], &options());
    assert_eq!(error.hint.unwrap(), "only root may open it: use sudo, or start the engine with `--group docker` and join that group");
}

#[test]
fn a_group_without_a_name_is_its_number() {
    assert_eq!(group_name(998, Some(GROUPS)), "docker");
    assert_eq!(group_name(7, Some(GROUPS)), "7");
    assert_eq!(group_name(7, None), "7");
}

#[tokio::test]
async fn an_engine_that_is_new_enough_is_taken_with_its_version() {
    let (_folder, options) = answering("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Length: 2\r\n\r\nOK");
    let engine = connect(&options).await.unwrap();
    assert_eq!(engine.api, ApiVersion { major: 1, minor: 41 });
    assert_eq!(Some(engine.address.as_str()), options.docker_host.as_deref());
    assert!(engine.local);
}

#[tokio::test]
async fn an_engine_that_is_too_old_is_refused_with_both_versions() {
    let (_folder, options) = answering("HTTP/1.1 200 OK\r\nApi-Version: 1.40\r\nContent-Length: 2\r\n\r\nOK");
    let error = failure(connect(&options).await);
    assert_eq!(error.kind, EngineErrorKind::TooOld);
    assert!(error.message.ends_with("is too old: it has API 1.40, and spc needs 1.41 or newer"), "{}", error.message);
    assert_eq!(error.hint.as_deref(), Some("upgrade it to Docker Engine 20.10 or newer"));
}

#[tokio::test]
async fn what_answers_without_being_an_engine_is_told_so() {
    let (_folder, options) = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    assert!(failure(connect(&options).await).message.ends_with("is not a Docker Engine"));
    let (_folder, options) = answering("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9\r\n\r\nno proxy\n");
    assert!(failure(connect(&options).await).message.contains("(it answered with status 502 no proxy)"));
}

#[tokio::test]
async fn a_missing_socket_and_one_that_nobody_listens_at_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let options = ConnectOptions { docker_host: Some(format!("unix://{}", path.display())), ..options() };
    let missing = failure(connect(&options).await);
    assert!(missing.message.ends_with("(there is no such socket), the address in DOCKER_HOST"), "{}", missing.message);
    drop(UnixListener::bind(&path).unwrap());
    let dead = failure(connect(&options).await);
    assert_eq!(dead.kind, EngineErrorKind::Unreachable);
    assert!(dead.message.contains("(nothing listens there)"), "{}", dead.message);
}
