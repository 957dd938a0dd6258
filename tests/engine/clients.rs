//! Clients that connect to the published ports of the reference stack.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use postgres::{Client, Config, NoTls};
use serde_json::Value;
use tokio::net::TcpStream;

use super::project::Project;

/// The response of the health API if every part is healthy.
pub const HEALTHY: &str = r#"{"status":"healthy","database":"connected","redis":"connected"}"#;
/// The time limit of a request, generous for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The response of a web server.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// Sends a request to a web server on this machine, over a new connection. `body` is JSON.
pub fn ask(port: u16, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = async { tokio::time::timeout(LIMIT, exchange(port, method, path, body)).await };
    runtime.block_on(answer).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn exchange(port: u16, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    let stream = TokioIo::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(io::Error::other)?;
    let connection = tokio::spawn(connection);
    let request =
        Request::builder().method(method).uri(path).header(HOST, format!("localhost:{port}"));
    let request = request.header(CONNECTION, "close").header(CONTENT_TYPE, "application/json");
    let request =
        request.body(Full::new(Bytes::from(body.to_owned()))).map_err(io::Error::other)?;
    let (head, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    connection.abort();
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

/// Asserts that the health API of a reference stack reports every part as healthy.
#[track_caller]
pub fn assert_healthy(project: &Project) {
    let port = project.variable("BACKEND_PORT").parse().unwrap();
    let answer = ask(port, "GET", "/api/health/", "")
        .unwrap_or_else(|error| panic!("the health API answers: {error}"));
    assert_eq!((answer.status, answer.body.as_str()), (200, HEALTHY));
}

/// A new connection to the database of a reference stack.
pub fn database(project: &Project) -> Result<Client, postgres::Error> {
    Config::new()
        .host("127.0.0.1")
        .port(project.variable("POSTGRES_PORT").parse().unwrap())
        .user("postgres")
        .password(project.variable("POSTGRES_PASSWORD"))
        .dbname("spc_db")
        .connect_timeout(Duration::from_secs(10))
        .connect(NoTls)
}
