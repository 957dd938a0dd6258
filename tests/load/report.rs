//! The table of a run, in `target/load/`.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::scenario::Expected;
use crate::engine::docker::docker;
use crate::support::load_generator::{Kind, Latency, Measurement, Period};

/// A scenario that has run.
pub struct Row {
    pub name: &'static str,
    /// How long each deploy took.
    pub deploys: Vec<Duration>,
    pub measured: Measurement,
}

impl Row {
    pub fn new(name: &'static str, deploys: Vec<Duration>, measured: Measurement) -> Self {
        Self { name, deploys, measured }
    }

    fn seconds_per_deploy(&self) -> String {
        let mut sorted = self.deploys.clone();
        sorted.sort_unstable();
        let seconds = |time: &Duration| format!("{:.1}", time.as_secs_f64());
        match &sorted[..] {
            [] => "-".to_owned(),
            [only] => seconds(only),
            [least, .., most] => {
                format!(
                    "{} ({} to {})",
                    seconds(&sorted[sorted.len() / 2]),
                    seconds(least),
                    seconds(most)
                )
            }
        }
    }
}

/// The rows of a run. They are written as they come, so that a run that ends early has them too.
pub struct Report {
    name: &'static str,
    rows: Vec<(Row, Expected)>,
}

impl Report {
    pub fn new(name: &'static str) -> Self {
        Self { name, rows: Vec::new() }
    }

    pub fn add(&mut self, row: Row, expected: Expected) {
        self.rows.push((row, expected));
        let path = self.path();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, self.markdown()).unwrap();
    }

    /// Prints the report. Panics if a scenario was not as expected.
    #[expect(clippy::print_stdout, reason = "the report is what the run is for")]
    pub fn finish(self) {
        println!("{}", self.markdown());
        println!("written to {}", self.path().display());
        let mut wrong = Vec::new();
        for (row, expected) in &self.rows {
            let failed = row.measured.failed();
            match expected {
                Expected::NoFailure if failed > 0 => {
                    wrong.push(format!("{}: {failed} requests failed", row.name));
                }
                Expected::Failures if failed == 0 => wrong
                    .push(format!("{}: no request failed, so this measurement is blind", row.name)),
                Expected::FailuresOf(release) => {
                    let elsewhere = row.measured.failed_elsewhere(release.tag());
                    if elsewhere > 0 {
                        wrong.push(format!("{}: {elsewhere} requests failed elsewhere", row.name));
                    }
                }
                Expected::NoFailure | Expected::Failures | Expected::Any => {}
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn path(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        root.join("target/load").join(self.name).with_extension("md")
    }

    fn markdown(&self) -> String {
        let mut text = format!("# Requests during deploys: {}\n\n{}\n\n", self.name, machine());
        text.push_str(
            "| scenario | deploys | requests | failed | WebSockets cut | p50 / p99 during, ms | p50 / p99 outside, ms | seconds per deploy |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for (row, _) in &self.rows {
            let measured = &row.measured;
            let latency = |period| milliseconds(measured.latency(period, Kind::is_quick));
            writeln!(
                text,
                "| {} | {} | {} | {} | {} of {} | {} | {} | {} |",
                row.name,
                row.deploys.len(),
                measured.requests(),
                failures(measured),
                measured.cuts.len(),
                opened_sockets(measured),
                latency(Period::During),
                latency(Period::Outside),
                row.seconds_per_deploy(),
            )
            .unwrap();
        }
        text.push_str("\nLatency is that of keep-alive GET, keep-alive POST and fresh connections. \"During\" are requests that overlap with a deploy.\n");
        text.push_str(&self.by_kind());
        text.push_str(&self.notes());
        text
    }

    fn by_kind(&self) -> String {
        let mut text = "\n## By kind: requests, failed\n\n| scenario |".to_owned();
        for kind in Kind::ALL {
            write!(text, " {kind} |").unwrap();
        }
        text.push_str(" messages | answered by | seconds of load |\n|---|");
        text.push_str(&"---|".repeat(Kind::ALL.len() + 3));
        text.push('\n');
        for (row, _) in &self.rows {
            write!(text, "| {} |", row.name).unwrap();
            for kind in Kind::ALL {
                match row.measured.of(kind) {
                    (requests, 0) => write!(text, " {requests} |").unwrap(),
                    (requests, failed) => write!(text, " {requests}, **{failed}** |").unwrap(),
                }
            }
            let releases = row.measured.releases();
            let releases: Vec<String> =
                releases.iter().map(|(release, answers)| format!("{release}: {answers}")).collect();
            let (messages, lasted) = (row.measured.messages, row.measured.lasted.as_secs());
            writeln!(text, " {messages} | {} | {lasted} |", releases.join(", ")).unwrap();
        }
        text
    }

    fn notes(&self) -> String {
        let mut text = String::new();
        for (row, _) in &self.rows {
            let Measurement { notes, cuts, .. } = &row.measured;
            if notes.is_empty() && cuts.is_empty() {
                continue;
            }
            write!(text, "\n## {}\n\n", row.name).unwrap();
            for note in notes {
                let at = note.at.as_secs_f64();
                let reason: Vec<&str> = note.failure.reason.split_whitespace().collect();
                let reason = reason.join(" ");
                writeln!(text, "- {at:.2} s, {}: {}: {reason}", note.kind, note.failure.class)
                    .unwrap();
            }
            for cut in cuts.iter().take(5) {
                let (at, lived) = (cut.at.as_secs_f64(), cut.lived.as_secs_f64());
                writeln!(text, "- {at:.2} s, WebSocket cut after {lived:.1} s: {}", cut.reason)
                    .unwrap();
            }
        }
        text
    }
}

/// The number, and the classes if there are any.
fn failures(measured: &Measurement) -> String {
    let classes = measured.failures();
    if classes.is_empty() {
        return "0".to_owned();
    }
    let classes: Vec<String> =
        classes.iter().map(|(class, count)| format!("{class} {count}")).collect();
    format!("**{}** ({})", measured.failed(), classes.join(", "))
}

fn opened_sockets(measured: &Measurement) -> usize {
    let (handshakes, failed) = measured.of(Kind::WebSocket);
    handshakes - failed
}

fn milliseconds(latency: Option<Latency>) -> String {
    let number = |time: Duration| format!("{:.0}", time.as_secs_f64() * 1000.0);
    latency.map_or_else(|| "-".to_owned(), |it| format!("{} / {}", number(it.p50), number(it.p99)))
}

/// What the figures depend on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let engine = docker(&["version", "--format", "{{.Server.Version}}"]);
    format!("{cores} cores, Docker Engine {}.", engine.trim())
}
