//! Attacks of hostile runbooks on the real binary. Each is rejected without an effect. The error
//! shows the setting that would allow it.

mod attempts;
mod bombs;
mod commands;
mod descriptions;
mod engine;
mod files;
mod imports;
mod language;
mod memory;
mod projects;
mod reference;
mod trials;

use std::sync::{Arc, Mutex};

use crate::support::{Answer, Spc, SpcOutput};

/// Requests that reached the engine.
#[derive(Clone, Default)]
pub struct EngineRequests(Arc<Mutex<Vec<String>>>);

impl EngineRequests {
    /// An empty engine that records its requests.
    pub fn engine(
        &self,
        answer: impl Fn(&str) -> Option<Answer> + Send + 'static,
    ) -> impl Fn(&str) -> Answer + Send + 'static {
        let asked = self.0.clone();
        move |request| {
            asked.lock().unwrap().push(request.to_owned());
            answer(request).unwrap_or_else(|| match request {
                "GET /_ping" => Answer::of_api("1.41", "OK"),
                _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
            })
        }
    }

    /// The requests that change something.
    pub fn changes(&self) -> Vec<String> {
        let asked = self.0.lock().unwrap();
        let is_read = |request: &str| request.starts_with("GET ") || request.starts_with("HEAD ");
        asked.iter().filter(|request| !is_read(request)).cloned().collect()
    }
}

/// Runs a runbook. Asserts that the policy rejects it without output and without a request to the
/// engine.
#[track_caller]
pub fn refused(run: Spc, script: &str) -> SpcOutput {
    let asked = EngineRequests::default();
    let ended = run
        .engine(asked.engine(|_| None))
        .runbook(&format!("{script}\nprint(\"went on\");"))
        .output();
    assert_eq!((ended.code, ended.stdout.as_str()), (5, ""), "{script}: {ended}");
    assert_eq!(asked.0.lock().unwrap().as_slice(), [] as [String; 0], "{script}");
    ended
}

/// The suggested line in a policy error.
#[track_caller]
pub fn line(ended: &SpcOutput) -> String {
    let (_, line) = ended
        .stderr
        .split_once("to allow it, write ")
        .unwrap_or_else(|| panic!("no line to add: {ended}"));
    line.split_once(" under [allow] in spc.toml\n").expect("where to add it").0.to_owned()
}
