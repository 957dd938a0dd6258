//! Answers that no engine gives, over calls of every kind of answer.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a real socket is what is tested"
)]

use bollard::models;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::*;
use crate::engine::docker::{Address, ConnectOptions, DockerEngine, connect};
use crate::engine::{Engine, Filters, StatsRequest};

const PING: &str =
    "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\nContent-Length: 2\r\n\r\nOK";

/// An engine that answers a ping, and everything else so.
async fn engine(answer: Vec<u8>) -> (tempfile::TempDir, DockerEngine) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("docker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut request = vec![0; 64 << 10];
                let length = stream.read(&mut request).await.unwrap_or_default();
                let is_ping = request[..length].starts_with(b"GET /_ping");
                let answer = if is_ping { PING.as_bytes() } else { &answer };
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    let engine = connect(&ConnectOptions::at(Address::Unix(path))).await.unwrap();
    (folder, engine)
}

fn http(kind: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn json(body: &str) -> Vec<u8> {
    http("application/json", body)
}

/// The errors that these calls end with.
async fn failures(engine: &DockerEngine) -> Vec<(&'static str, EngineError)> {
    let mut failures = Vec::new();
    let mut take = |doing: &'static str, error: Option<EngineError>| {
        failures.extend(error.map(|error| (doing, error)));
    };
    let none = Filters::default();
    take("read the version", engine.version().await.err());
    take("read the clock", engine.info().await.err());
    take("measure the disk", engine.system_df().await.err());
    take("list the containers", engine.container_list(true, &none).await.err());
    take("inspect the container", engine.container_inspect("web").await.err());
    take(
        "create the container",
        engine.container_create("web", None, models::ContainerCreateBody::default()).await.err(),
    );
    take("list the processes", engine.container_top("web").await.err());
    take("wait for the container", engine.container_wait("web").await.err());
    take("list the images", engine.image_list(&none).await.err());
    take("inspect the image", engine.image_inspect("web:1").await.err());
    take("ask the registry", engine.image_registry_digest("web:1", None).await.err());
    take("remove the image", engine.image_remove("web:1", false).await.err());
    take("list the networks", engine.network_list(&none).await.err());
    take("inspect the network", engine.network_inspect("net").await.err());
    take(
        "create the network",
        engine.network_create(models::NetworkCreateRequest::default()).await.err(),
    );
    take("list the volumes", engine.volume_list(&none).await.err());
    take("inspect the volume", engine.volume_inspect("data").await.err());
    take(
        "create the volume",
        engine.volume_create(models::VolumeCreateRequest::default()).await.err(),
    );
    take("look at the command", engine.exec_inspect("1").await.err());
    match engine.image_pull("web:1", None, None).await {
        Ok(mut reports) => {
            while let Some(report) = reports.next().await {
                take("pull the image", report.err());
            }
        }
        Err(error) => take("pull the image", Some(error)),
    }
    match engine.container_stats("web", &StatsRequest { follow: false }).await {
        Ok(mut readings) => {
            while let Some(reading) = readings.next().await {
                take("measure the container", reading.err());
            }
        }
        Err(error) => take("measure the container", Some(error)),
    }
    match engine.container_download("web", "/x").await {
        Ok(mut chunks) => {
            while let Some(chunk) = chunks.next().await {
                take("read the file", chunk.err());
            }
        }
        Err(error) => take("read the file", Some(error)),
    }
    failures
}

/// Words of a program, which say nothing to a user.
fn is_plain(text: &str) -> bool {
    const OF_PROGRAMS: [&str; 18] = [
        "struct ",
        "enum ",
        "variant ",
        "Option<",
        "Vec<",
        "::",
        "u64",
        "i64",
        "u32",
        "i32",
        "f64",
        "usize",
        "deserial",
        "serde",
        "hyper",
        "bollard",
        "invalid type",
        "sequence",
    ];
    !OF_PROGRAMS.iter().any(|word| text.contains(word)) && !text.contains('`')
        && !text.split(|c: char| !c.is_alphanumeric()).any(|word| {
            word.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
                // Names of the Engine API's own fields are in quotes.
                && !text.contains(&format!("\"{word}\"")) && !text.contains(&format!(".{word}"))
        })
}

#[tokio::test]
async fn no_error_about_an_answer_names_a_type_of_this_program() {
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let objects = r#"[{"Id":5,"Created":"yesterday","Names":"x"}]"#;
    for (what, answer, fails) in [
        ("a text", json("\"x\""), 8),
        ("a number", json("5"), 8),
        ("null", json("null"), 8),
        ("a list of numbers", json("[1]"), 8),
        ("an empty object where lists belong", json("{}"), 3),
        ("wrong fields in a list", json(objects), 8),
        ("wrong fields", json(&objects[1..objects.len() - 1]), 8),
        ("a state of another type", json(r#"{"Id":"x","State":[],"Config":5,"Containers":[[]]}"#), 8),
        ("a page", http("text/html", "<html><body>Welcome!</body></html>"), 8),
        ("a page that says to be JSON", json("<!doctype html><p>Sign in"), 8),
        ("text", http("text/plain", "it works"), 8),
        ("nothing", json(""), 8),
        ("JSON that is cut off", json(r#"[{"Id":"x","#), 8),
        ("JSON that goes on", json("{}{}"), 8),
        ("deep JSON", json(&deep), 8),
        ("bytes", [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n".as_slice(), b"\xff\xfe\x00"].concat(), 8),
        ("a body that is cut off", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n[".to_vec(), 8),
        ("chunks of another length", b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n".to_vec(), 8),
        ("another protocol", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec(), 8),
        ("no answer", Vec::new(), 8),
        ("a page with a status", b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n<h1>502 Bad Gateway</h1>".to_vec(), 8),
        ("a list as an error", b"HTTP/1.1 500 Oh\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]".to_vec(), 8),
    ] {
        let (_folder, engine) = engine(answer).await;
        let failures = failures(&engine).await;
        assert!(failures.len() >= fails, "{what}: {failures:?}");
        for (doing, failure) in failures {
            let said = failure.message.as_str();
            assert!(is_plain(said), "{what}, {doing}: {said}");
            if failure.message.contains("answer:") {
                assert_eq!(failure.hint.as_deref(), Some(OTHER_ENGINE), "{what}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn the_field_and_what_is_wrong_with_it_are_named() {
    for (answer, said) in [
        ("5", "it is a number where a list belongs"),
        ("[5]", "\"[0]\" is a number where an object belongs"),
        (
            r#"[{"Id":"a"},{"Id":"b","Created":"yesterday"}]"#,
            "\"[1].Created\" is a text where a number belongs",
        ),
        ("[\n {\"Id\": \"a\",\n  \"Names\": 5}]", "\"[0].Names\" is a number where a list belongs"),
        (
            r#"[{"Ports":[{"PrivatePort":1,"Type":"tcp"},{"PrivatePort":"80"}]}]"#,
            "\"[0].Ports[1].PrivatePort\" is a text where a number belongs",
        ),
        (r#"[{"Labels":{"a\"b":[]}}]"#, "\"[0].Labels.a\"b\" is a list where a text belongs"),
        ("[{\"Id\":", "it ends too early"),
        ("[}", "it is not JSON"),
        ("<html>", "it is a page (HTML), not JSON"),
    ] {
        let (_folder, engine) = engine(json(answer)).await;
        let error = engine.container_list(true, &Filters::default()).await.unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Server);
        assert_eq!(
            error.message,
            format!("could not read the Docker Engine's answer: {said}"),
            "{answer}"
        );
    }
}
