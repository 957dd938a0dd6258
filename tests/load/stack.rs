//! The reference stack in production, ready for a load test.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::releases::{RELEASES, tag_releases};
use crate::engine::project::Project;
use crate::engine::spc::Spc;
use crate::support::load_generator::Load;

const ENV: &str = "examples/spc/.env";
/// The time limit of one command.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(600);
/// The time limit for a release to answer alone after a command has ended.
const SERVES_LIMIT: Duration = Duration::from_secs(15);
/// So many answers in a row, each over a new connection, show which release serves.
const ANSWERS: usize = 20;

/// Whether nginx sends a request to the next backend if one fails. Then fewer failures are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyRetries {
    Off,
    AsShipped,
}

pub struct LoadStack {
    pub project: Project,
    pub port: u16,
}

impl LoadStack {
    /// The files of the stack, changed for a load test. Nothing runs yet.
    pub fn files(name: &str, retries: ProxyRetries) -> Project {
        let project = Project::production_reference(name);
        tag_releases();
        project.edit("scripts/stack.rhai", "INSPECTORS:", "LOAD_TEST: \"1\", INSPECTORS:");
        if retries == ProxyRetries::Off {
            let env = fs::read_to_string(project.path(ENV)).unwrap();
            project.file(ENV, &format!("{env}PROXY_NEXT_UPSTREAM=off\n"));
        }
        project
    }

    /// Brings up the first of the [`RELEASES`] and initialises its database.
    pub fn up(project: Project) -> Self {
        let stack = Self { port: project.variable("NGINX_HTTP_PORT").parse().unwrap(), project };
        let production = ["--profile", "production", "--tag", RELEASES[0]];
        let up = stack.spc(&["run", "scripts/up.rhai"]).args(&production);
        up.env("BUILD_TARGET", "production").ends(0);
        stack.spc(&["run", "scripts/db_init.rhai", "--tag", RELEASES[0]]).ends(0);
        stack.assert_serves(RELEASES[0]);
        stack
    }

    pub fn spc(&self, words: &[&str]) -> Spc {
        self.project.spc(words).within(COMMAND_LIMIT)
    }

    pub fn load(&self) -> Load {
        Load::mixed(self.port)
    }

    /// Asserts that only this release answers, on new connections through nginx.
    #[track_caller]
    pub fn assert_serves(&self, release: &str) {
        assert_serves_within(SERVES_LIMIT, self.port, release);
    }
}

#[track_caller]
pub fn assert_serves_within(limit: Duration, port: u16, release: &str) {
    let end = Instant::now() + limit;
    loop {
        let answers: BTreeSet<_> = (0..ANSWERS).map(|_| release_at(port)).collect();
        if answers.iter().all(|answer| answer.as_deref() == Some(release)) {
            return;
        }
        assert!(Instant::now() < end, "not only {release} serves within {limit:?}: {answers:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The release that answers a request on a new connection.
pub fn release_at(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(SERVES_LIMIT)).ok()?;
    let request = format!(
        "GET /api/load/echo/?text=release HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let value = answer.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-release").then(|| value.trim().to_owned())
    });
    value.filter(|_| answer.starts_with("HTTP/1.1 200"))
}
