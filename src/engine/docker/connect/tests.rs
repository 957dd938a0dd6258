#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a real socket is what is tested"
)]
use std::path::PathBuf;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;
use crate::engine::docker::endpoint::EngineChoice;
use crate::host::StandardStream;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;

fn unix(path: &str) -> Address {
    Address::Unix(path.into())
}

/// An engine with one answer, at its own socket.
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
    (folder, ConnectOptions::at(Address::Unix(path)))
}

fn failure(answer: Result<DockerEngine>) -> EngineError {
    answer.err().expect("no engine to be there")
}

#[test]
fn the_options_are_the_environments_where_empty_counts_as_unset() {
    let host = SimHost::new(SimTaskExecutor::new(1)).with_file("/etc/group", "docker:x:998:\n");
    let host = [
        ("DOCKER_HOST", ""),
        ("XDG_RUNTIME_DIR", ""),
        ("HOME", "/home/alice"),
        ("DOCKER_TLS_VERIFY", "1"),
    ]
    .iter()
    .fold(host, |host, (name, value)| host.with_variable(name, value));
    let options = ConnectOptions::from_host(&host, &EngineChoice::default()).unwrap();
    assert_eq!(
        (options.endpoint, options.runtime_dir, options.home),
        (None, None, Some("/home/alice".into()))
    );
    assert_eq!((options.groups.as_deref(), options.asks), (Some("docker:x:998:\n"), false));
}

#[test]
fn ssh_may_ask_only_where_both_question_and_answer_are_at_a_terminal() {
    let asks = |streams: &[StandardStream]| {
        let host = SimHost::new(SimTaskExecutor::new(1));
        let host = streams.iter().fold(host, |host, stream| host.with_terminal(*stream));
        ConnectOptions::from_host(&host, &EngineChoice::default()).unwrap().asks
    };
    assert!(asks(&[StandardStream::Stdin, StandardStream::Stderr]));
    assert!(!asks(&[StandardStream::Stdin, StandardStream::Stdout]));
    assert!(!asks(&[StandardStream::Stderr]));
}

#[test]
fn the_default_and_rootless_sockets_are_tried_in_order() {
    let options = ConnectOptions {
        runtime_dir: Some("/run/user/1000".into()),
        home: Some(PathBuf::from("/home/alice")),
        ..Default::default()
    };
    assert_eq!(
        options.candidates(),
        [
            unix("/var/run/docker.sock"),
            unix("/run/user/1000/docker.sock"),
            unix("/home/alice/.docker/run/docker.sock")
        ]
    );
    let named =
        ConnectOptions { runtime_dir: options.runtime_dir, ..ConnectOptions::at(unix("/a.sock")) };
    assert_eq!(named.candidates(), [unix("/a.sock")]);
}

#[tokio::test]
async fn an_engine_that_is_new_enough_is_taken_with_its_version() {
    let (_folder, options) = answering(
        "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Length: 2\r\n\r\nOK",
    );
    let engine = connect(&options).await.unwrap();
    assert_eq!(engine.api, ApiVersion { major: 1, minor: 41 });
    assert_eq!(engine.address, options.endpoint.unwrap().address.to_string());
    assert!(engine.local);
}

#[tokio::test]
async fn an_engine_that_is_too_old_is_refused_with_both_versions() {
    let (_folder, options) =
        answering("HTTP/1.1 200 OK\r\nApi-Version: 1.40\r\nContent-Length: 2\r\n\r\nOK");
    let error = failure(connect(&options).await);
    assert_eq!(error.kind, EngineErrorKind::TooOld);
    assert!(
        error.message.ends_with("is too old: it has API 1.40, and spc needs 1.41 or newer"),
        "{}",
        error.message
    );
    assert_eq!(error.hint.as_deref(), Some("upgrade it to Docker Engine 20.10 or newer"));
}

#[tokio::test]
async fn a_server_that_is_no_engine_is_reported() {
    let (_folder, options) = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK");
    assert!(failure(connect(&options).await).message.ends_with("is not a Docker Engine"));
    let (_folder, options) =
        answering("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9\r\n\r\nno proxy\n");
    assert!(
        failure(connect(&options).await).message.contains("(it answered with status 502 no proxy)")
    );
}

#[tokio::test]
async fn a_missing_socket_differs_from_a_socket_without_a_listener() {
    let folder = tempfile::tempdir().unwrap();
    // With a space and non-ASCII letters in its path.
    let path = folder.path().join("데이터 1.sock");
    let options = ConnectOptions::at(Address::Unix(path.clone()));
    let missing = failure(connect(&options).await);
    assert!(
        missing.message.ends_with("데이터 1.sock\" (there is no such socket)"),
        "{}",
        missing.message
    );
    drop(UnixListener::bind(&path).unwrap());
    let dead = failure(connect(&options).await);
    assert_eq!(dead.kind, EngineErrorKind::Unreachable);
    assert!(dead.message.ends_with("(nothing listens there)"), "{}", dead.message);
    assert_eq!(
        dead.hint.as_deref(),
        Some("start that engine, or leave --host out to use the one of this machine")
    );
}

#[tokio::test]
async fn a_connection_that_closes_or_is_not_http_is_reported() {
    let (_folder, options) = answering("");
    assert!(
        failure(connect(&options).await)
            .message
            .ends_with("(connected, but closed without an answer)")
    );
    let (_folder, options) = answering("220 mail.example ESMTP\r\n");
    assert!(
        failure(connect(&options).await).message.ends_with("(what answers does not speak HTTP)")
    );
}

#[tokio::test]
async fn an_engine_that_requires_tls_is_reported_with_a_suggested_fix() {
    const ANSWER: &str =
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    let (_folder, options) = answering(ANSWER);
    let error = failure(connect(&options).await);
    assert!(error.message.ends_with("(it requires TLS)"), "{}", error.message);
    assert!(error.hint.unwrap().starts_with("set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH"));
}

/// A listener at its own port that speaks TLS, with a certificate with this name and validity.
async fn behind_tls(name: &str, last_year: i32) -> ConnectOptions {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority =
        rcgen::CertifiedIssuer::self_signed(params, rcgen::KeyPair::generate().unwrap()).unwrap();
    let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = server
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that rejects the certificate ends the handshake.
        if let Ok(mut stream) =
            tokio_rustls::TlsAcceptor::from(Arc::new(server)).accept(stream).await
        {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n")
                .await
                .unwrap();
        }
    });
    let mut options =
        ConnectOptions::at(Address::Tcp { host: "127.0.0.1".into(), port, tls: true });
    let files = TlsFiles {
        folder: "/certs".into(),
        authority: Some(authority.pem().into()),
        identity: None,
        verify: true,
        context: None,
    };
    options.endpoint.as_mut().unwrap().tls = Some(files);
    options
}

#[tokio::test]
async fn a_certificate_that_has_expired_or_is_for_another_name_is_reported() {
    assert!(connect(&behind_tls("127.0.0.1", 2999).await).await.is_ok());
    let expired = failure(connect(&behind_tls("127.0.0.1", 2021).await).await);
    assert!(expired.message.ends_with("(its certificate has expired)"), "{}", expired.message);
    assert_eq!(expired.hint.as_deref(), Some("give the engine a new certificate"));
    let other = failure(connect(&behind_tls("engine.example", 2999).await).await);
    assert!(
        other.message.ends_with("(its certificate is for \"engine.example\")"),
        "{}",
        other.message
    );
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_taken_where_nothing_is_to_be_proved() {
    let mut options = behind_tls("engine.example", 2021).await;
    options.endpoint.as_mut().unwrap().tls.as_mut().unwrap().verify = false;
    assert!(connect(&options).await.is_ok());
}

#[tokio::test]
async fn podman_is_refused_in_one_sentence() {
    let (_folder, options) = answering(
        "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nLibpod-Api-Version: 4.3.1\r\nServer: Libpod/4.3.1 (linux)\r\nContent-Length: 2\r\n\r\nOK",
    );
    let error = failure(connect(&options).await);
    assert!(error.message.contains("is Podman 4.3.1, not a Docker Engine: "), "{error}");
    assert!(error.hint.unwrap().contains("20.10"));
}
