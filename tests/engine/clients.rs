//! Clients of the reference stack, from outside of the engine.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use postgres::{Client, Config, NoTls};

use super::project::Project;

/// What the health API answers when all is well.
pub const HEALTHY: &str = r#"{"status":"healthy","database":"connected","redis":"connected"}"#;
const LIMIT: Duration = Duration::from_secs(10);

/// Asks a web server on this machine: status line and body, or how it failed. On a connection of its own.
pub fn get(port: u16, path: &str) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.lines().next().unwrap_or_default().to_owned(), body.to_owned()))
}

/// Asks the health API of a reference stack; it must answer that all is well.
#[track_caller]
pub fn assert_healthy(project: &Project) {
    let port = project.variable("BACKEND_PORT").parse().unwrap();
    let (status, body) = get(port, "/api/health/").unwrap_or_else(|error| panic!("the health API answers: {error}"));
    assert_eq!((status.as_str(), body.as_str()), ("HTTP/1.1 200 OK", HEALTHY));
}

/// A connection of its own to the database of a reference stack.
pub fn database(project: &Project) -> Result<Client, postgres::Error> {
    Config::new()
        .host("127.0.0.1")
        .port(project.variable("POSTGRES_PORT").parse().unwrap())
        .user("postgres")
        .password(project.variable("POSTGRES_PASSWORD"))
        .dbname("spc_db")
        .connect_timeout(LIMIT)
        .connect(NoTls)
}
