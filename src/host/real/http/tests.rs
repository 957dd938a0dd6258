use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::policy::{EngineAddress, EngineAddresses};

/// A server that answers each connection with the next of `answers`, then stops listening. Returns
/// its address, and the requests that it received.
async fn server(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !complete(&request) {
                assert!(connection.read_buf(&mut request).await.unwrap() > 0, "the request ends");
            }
            connection.write_all(answer.as_bytes()).await.unwrap();
            requests.push(String::from_utf8(request).unwrap());
        }
        requests
    });
    (address, serving)
}

/// Whether `request` has a whole head and a body of the announced length.
fn complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    body.len() >= length
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}",
        body.len()
    )
}

fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest { method: "GET".to_owned(), url: url.into(), ..HttpRequest::default() }
}

async fn send(request: &HttpRequest) -> Result<HttpResponse> {
    Http::new(|_| None).send(request).await
}

#[tokio::test]
async fn a_request_is_sent_unchanged_and_the_response_is_read_completely() {
    let (address, serving) = server(vec![answer("201 Created", "X-Kind: Test\r\n", "é!")]).await;
    let request = HttpRequest {
        method: "post".to_owned(),
        headers: vec![("X-Token".to_owned(), "t".to_owned())],
        body: Some("content".into()),
        ..get(format!("http://{address}/path?a=1"))
    };
    let response = send(&request).await.unwrap();
    assert_eq!((response.status, &response.body[..]), (201, "é!".as_bytes()));
    assert!(
        response.headers.contains(&("x-kind".to_owned(), "Test".to_owned())),
        "{:?}",
        response.headers
    );
    let sent = serving.await.unwrap().remove(0);
    assert!(
        sent.starts_with("POST /path?a=1 HTTP/1.1\r\n")
            && sent.contains("x-token: t\r\n")
            && sent.ends_with("content"),
        "{sent}"
    );
    assert!(sent.contains(&format!("user-agent: spc/{}\r\n", env!("CARGO_PKG_VERSION"))), "{sent}");
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let (from, _serving) =
        server(vec![answer("302 Found", "location: http://localhost:1/\r\n", "")]).await;
    let response = send(&get(format!("http://{from}/"))).await.unwrap();
    assert_eq!(response.status, 302);
    assert!(response.headers.contains(&("location".to_owned(), "http://localhost:1/".to_owned())));
}

#[tokio::test]
async fn a_request_to_an_engine_makes_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let engines = EngineAddresses::new([EngineAddress::new("localhost", port)]);
    for host in [
        "127.0.0.1",
        "127.0.0.2",
        "localhost",
        "any.localhost",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
    ] {
        let request = HttpRequest {
            engines: engines.clone(),
            ..get(format!("http://u:p@{host}:{port}/x?token=t"))
        };
        let error = send(&request).await.unwrap_err();
        let message = format!(
            "A script may not send a request to \"http://{host}:{port}/x\": it leads to the Docker Engine at \"tcp://localhost:{port}\""
        );
        assert_eq!(
            (error.kind, error.message.replace("[::ffff:7f00:1]", "[::ffff:127.0.0.1]")),
            (HostErrorKind::Refused, message)
        );
    }
    assert!(
        tokio::time::timeout(Duration::from_millis(50), listener.accept()).await.is_err(),
        "somebody connected"
    );
}

#[tokio::test]
async fn a_status_of_failure_is_an_answer() {
    let (address, _serving) = server(vec![answer("503 Service Unavailable", "", "later")]).await;
    assert_eq!(send(&get(format!("http://{address}/"))).await.unwrap().status, 503);
}

#[tokio::test]
async fn a_refused_connection_differs_from_a_missing_or_incomplete_response() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error =
        send(&get(format!("http://user:pass@{closed}/health?token=t#f"))).await.unwrap_err();
    assert_eq!(error.kind, HostErrorKind::Unreachable);
    assert_eq!(
        error.message,
        format!(
            "Could not reach \"http://{closed}/health\": connection refused: nobody listens there"
        )
    );

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let request = HttpRequest {
        timeout: Some(Duration::from_millis(20)),
        ..get(format!("http://{}/", silent.local_addr().unwrap()))
    };
    let error = send(&request).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.ends_with(": no answer in time")),
        (HostErrorKind::Timeout, true),
        "{error}"
    );

    let (address, _serving) =
        server(vec!["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_owned()]).await;
    assert_eq!(
        send(&get(format!("http://{address}/"))).await.unwrap_err().kind,
        HostErrorKind::Unreachable
    );

    let error = send(&get("http://no-such-host.invalid/")).await.unwrap_err();
    assert_eq!(
        error.message,
        "Could not reach \"http://no-such-host.invalid/\": the name does not resolve"
    );
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_named_so() {
    let (address, _serving) = server_without_tls().await;
    let error = send(&get(format!("https://{address}/"))).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message),
        (
            HostErrorKind::Unreachable,
            format!("Could not reach \"https://{address}/\": it does not speak TLS")
        )
    );
}

async fn server_without_tls() -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut hello = [0; 16];
        let _ = connection.read(&mut hello).await.unwrap();
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    (address, serving)
}

#[tokio::test]
async fn an_invalid_request_is_reported() {
    for (request, message) in [
        (
            get("localhost:80"),
            "Could not send a request to \"localhost:80\": a URL begins with http:// or https://",
        ),
        (get("/health"), "Could not send a request to \"/health\": relative URL without a base"),
        (
            HttpRequest { method: "GE T".to_owned(), ..get("http://localhost/") },
            "Could not send the request: \"GE T\" is not an HTTP method",
        ),
        (
            HttpRequest {
                headers: vec![("X".to_owned(), "a\nb".to_owned())],
                ..get("http://localhost/")
            },
            "Could not send the request: the header \"X\" is malformed",
        ),
    ] {
        let error = send(&request).await.unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (HostErrorKind::Invalid, message));
    }
}

#[tokio::test]
async fn a_proxy_is_used_for_the_world_and_not_for_this_machine() {
    // The environment is a function, so the proxy's address travels in a static.
    static PROXY: OnceLock<String> = OnceLock::new();
    let (proxy, serving) = server(vec![answer("200 OK", "", "by proxy")]).await;
    PROXY.set(format!("http://{proxy}")).unwrap();
    let http = Http::new(|name| (name == "http_proxy").then(|| PROXY.get().unwrap().clone()));
    assert_eq!(&http.send(&get("http://example.invalid/")).await.unwrap().body[..], b"by proxy");
    assert!(serving.await.unwrap()[0].starts_with("GET http://example.invalid/ HTTP/1.1\r\n"));

    let (address, _serving) = server(vec![answer("200 OK", "", "direct"); 2]).await;
    let port = address.rsplit_once(':').unwrap().1;
    for host in ["127.0.0.1", "localhost"] {
        assert_eq!(
            &http.send(&get(format!("http://{host}:{port}/"))).await.unwrap().body[..],
            b"direct",
            "{host}"
        );
    }
}

#[tokio::test]
async fn a_proxy_that_is_no_url_is_named_by_its_variable() {
    let http = Http::new(|name| (name == "HTTPS_PROXY").then(|| "http://[".to_owned()));
    let error = http.send(&get("http://example.invalid/")).await.unwrap_err();
    assert!(
        error.message.starts_with("Could not use the proxy of the variable \"HTTPS_PROXY\": "),
        "{error}"
    );
}
