//! The message of a deployment to a webhook, as a real server gets it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use crate::support::Spc;

/// A server that answers one request with this status. Returns its port and what it gets.
fn listening(status: &str) -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let server = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let (mut got, mut part) = (Vec::new(), [0; 4096]);
        // The body is one object, and ends with the first closing brace.
        while !got.ends_with(b"}") {
            let count = client.read(&mut part).unwrap();
            assert!(count > 0, "{}", String::from_utf8_lossy(&got));
            got.extend_from_slice(&part[..count]);
        }
        client.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(got).unwrap()
    });
    (port, server)
}

fn runbook(port: u16) -> Spc {
    Spc::new().file("spc.toml", "").file("secrets/token", "T0/B0/abcdef").runbook(&format!(
        r#"import "std/deploy" as deploy;
        let notify = deploy::webhook("http://localhost:{port}/" + expose(secret("token")), #{{ headers: #{{ authorization: "Bearer " + expose(secret("token")) }} }});
        let tried = attempt(|| notify.call(#{{ event: "failure", service: "web", strategy: "rolling", release: "v1", error: #{{ kind: "failed", message: "it broke" }} }}));
        print(tried.error?.message ?? "sent");"#
    ))
}

#[test]
fn a_message_is_posted_as_json_with_the_secret() {
    let (port, server) = listening("204 No Content");
    runbook(port).stdout("sent\n").run();
    let request = server.join().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /T0/B0/abcdef HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    for header in ["authorization: bearer t0/b0/abcdef", "content-type: application/json"] {
        assert!(head.contains(header), "{head}");
    }
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let wanted = serde_json::json!({
        "event": "failure", "service": "web", "strategy": "rolling", "release": "v1", "error": "it broke",
    });
    assert_eq!(body, wanted);
}

#[test]
fn another_status_than_success_is_an_error_for_the_caller() {
    let (port, server) = listening("503 Service Unavailable");
    runbook(port).stdout("the webhook answers with status 503\n").run();
    server.join().unwrap();
}
