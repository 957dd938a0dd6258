//! The website of the reference stack: its API and its WebSocket.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::clients::{Answer, HEALTHY, ask};
use super::docker::inspect;
use super::project::Project;
use super::until::until;

/// The time limit of a Celery job, a reload or a restart, generous for a busy machine.
pub const SOON: Duration = Duration::from_secs(60);

/// The website at one of the published ports.
pub struct Site<'a> {
    pub project: &'a Project,
    port: u16,
}

impl<'a> Site<'a> {
    /// The website at the port that this variable in `.env` sets.
    pub fn at(project: &'a Project, port: &str) -> Self {
        Self { project, port: project.variable(port).parse().unwrap() }
    }

    /// The URL of a page.
    pub fn url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    pub fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(SOON))?;
        Ok(stream)
    }

    pub fn ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<Answer> {
        ask(self.port, method, path, body)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        let answer = self
            .ask("GET", path, "")
            .unwrap_or_else(|error| panic!("GET {path} at {}: {error}", self.port));
        assert_eq!(answer.status, 200, "GET {path}: {answer:?}");
        answer
    }

    #[track_caller]
    pub fn healthy(&self) {
        assert_eq!(self.get("/api/health/").body, HEALTHY);
    }

    /// The id of the first characteristic with this subgroup size.
    pub fn characteristic(&self, subgroup_size: i64) -> i64 {
        let all = self.get("/api/characteristics/").json();
        let found = all["results"]
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["subgroup_size"] == subgroup_size);
        found.unwrap_or_else(|| panic!("{all}"))["id"].as_i64().unwrap()
    }

    /// The chart of a characteristic, if a job has computed one.
    pub fn chart_now(&self, characteristic: i64) -> Option<Value> {
        let answer = self.ask("GET", &format!("/api/charts/{characteristic}/"), "").ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// Waits until a Celery job has computed the characteristic's chart from at least this many
    /// measurements. Returns the chart.
    pub fn chart(&self, characteristic: i64, measurements: i64) -> Value {
        until("a job computes the chart", SOON, || {
            self.chart_now(characteristic)
                .filter(|chart| chart["measurements"].as_i64().unwrap() >= measurements)
        })
    }

    /// Posts a measurement, as a gauge does.
    #[track_caller]
    pub fn measure(&self, characteristic: i64, value: f64) {
        let body = json!({"characteristic": characteristic, "value": value}).to_string();
        let posted = self.ask("POST", "/api/measurements/", &body).unwrap();
        assert_eq!(posted.status, 201, "{posted:?}");
    }

    /// Posts a measurement. Waits until the WebSocket reports a new chart and the chart contains
    /// the measurement.
    pub fn measure_and_see(&self, characteristic: i64) {
        let before = self.chart(characteristic, 1)["measurements"].as_i64().unwrap();
        let mut live = self.listen();
        self.measure(characteristic, 10.01);
        live.until_reported(&[
            r#""type":"chart""#,
            &format!(r#""characteristic":{characteristic}"#),
        ]);
        self.chart(characteristic, before + 1);
    }

    /// Opens the WebSocket, as the page does.
    fn listen(&self) -> WebSocket {
        let mut stream = self.connect().unwrap();
        let host = format!("localhost:{}", self.port);
        write!(
            stream,
            "GET /ws/live/ HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: c3BjIHRlc3RzIG5vbmNlIQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        .unwrap();
        let mut live = WebSocket { stream, heard: String::new() };
        live.until_reported(&["\r\n\r\n"]);
        assert!(live.heard.starts_with("HTTP/1.1 101"), "{}", live.heard);
        live
    }

    /// The start time of the service's container.
    pub fn started(&self, service: &str) -> Value {
        inspect(&self.project.container(service))["State"]["StartedAt"].clone()
    }
}

/// An open WebSocket. Servers don't mask WebSocket frames, so their texts appear literally in the
/// stream.
struct WebSocket {
    stream: TcpStream,
    heard: String,
}

impl WebSocket {
    fn until_reported(&mut self, texts: &[&str]) {
        let end = Instant::now() + SOON;
        while !texts.iter().all(|text| self.heard.replace("\": ", "\":").contains(text)) {
            assert!(Instant::now() < end, "the WebSocket told only {:?}", self.heard);
            let mut bytes = [0; 4096];
            let length = self.stream.read(&mut bytes).unwrap();
            assert_ne!(length, 0, "the WebSocket was closed after {:?}", self.heard);
            self.heard.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    }
}
