//! The last reports of a run whose process exits at a second signal: how its verbs ended, and the
//! last line.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::host::Host;
use crate::journal::Journal;
use crate::model::event::Event;
use crate::model::masking::{Consumer, Masked};
use crate::model::open_verbs::{OpenVerb, OpenVerbs};
use crate::model::secret::Secrets;
use crate::model::{Failure, Kind};
use crate::script::project_context::plain;
use crate::ui::json_lines::JsonLines;

/// Follows the verbs of a run, and reports their end where the run would have reported it.
pub struct ForcedEnd {
    host: Arc<dyn Host>,
    secrets: Arc<Secrets>,
    /// The lines of `--json`, if the run writes them.
    lines: Option<Arc<JsonLines>>,
    journal: Mutex<Option<Arc<Journal>>>,
    /// With the monotonic times of their starts.
    verbs: Mutex<OpenVerbs<Duration>>,
}

impl ForcedEnd {
    pub fn new(host: Arc<dyn Host>, secrets: Arc<Secrets>, lines: Option<Arc<JsonLines>>) -> Self {
        Self { host, secrets, lines, journal: Mutex::new(None), verbs: Mutex::default() }
    }

    /// The run's journal, once there is one.
    pub fn keep_in(&self, journal: Arc<Journal>) {
        *self.journal.lock() = Some(journal);
    }

    /// Reports that each open verb has failed, and then the end of the run. `about` says what is
    /// left. May wait for another thread that prints, so the thread of signals must not call it.
    pub fn report(&self, about: &str) {
        let verbs = self.verbs.lock().end();
        let ends: Vec<Masked<Event>> = verbs
            .into_iter()
            .map(|OpenVerb { project, verb, start }| {
                let elapsed = self.host.monotonic().saturating_sub(start);
                let end = Event::VerbDone { project, verb, ok: false, elapsed };
                Masked::new(end, &self.secrets)
            })
            .collect();
        if let Some(lines) = &self.lines {
            // Nobody would read of a failure.
            for end in &ends {
                drop(lines.event(end));
            }
            let error = plain(Failure::interrupted().hint(about));
            lines.end(Kind::Interrupted.exit_code(), false, Some(&error));
        }
        // The disk may be the slower one.
        if let Some(journal) = &*self.journal.lock() {
            for end in &ends {
                drop(journal.event(end));
            }
        }
    }

    /// The exit code: the one that the last line of `--json` says, if the run wrote one.
    pub fn exit_code(&self) -> u8 {
        let written = self.lines.as_ref().and_then(|lines| lines.exit_code());
        written.unwrap_or(Kind::Interrupted.exit_code())
    }
}

impl Consumer for ForcedEnd {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        self.verbs.lock().admit(event, self.host.monotonic());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::records_folder;
    use crate::host::resolve::resolve;
    use crate::host::sim::SimHost;
    use crate::host::sim::executor::SimTaskExecutor;
    use crate::model::event::Sink;
    use crate::model::masking::MaskingSink;
    use crate::model::step::{ActionKind, Object, StepLabel};
    use crate::policy::{Policy, Settings};
    use crate::ui::fixture::CapturedTerminal;
    use similar_asserts::assert_eq;
    use std::path::Path;

    fn started(verb: &str) -> Event {
        Event::VerbStarted {
            project: "shop".to_owned(),
            verb: verb.to_owned(),
            steps: 1,
            services: Vec::new(),
            unchanged: Vec::new(),
        }
    }

    /// The event, and what there is to know of it, on each line.
    fn told(text: &str) -> Vec<String> {
        let lines =
            text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let lines = lines.filter(|line| line.get("event").is_some());
        let what = |line: &serde_json::Value| {
            let words = ["event", "verb", "ok", "code"].map(|name| line[name].to_string());
            words.join(" ").replace('"', "").replace(" null", "")
        };
        lines.map(|line| what(&line)).collect()
    }

    #[test]
    fn verbs_under_way_and_the_run_end_in_json_and_the_journal_and_nothing_comes_after() {
        let host: Arc<dyn Host> = Arc::new(SimHost::new(SimTaskExecutor::new(1)));
        let resolved = |path: &Path| resolve(&*host, path);
        let policy = Policy::new(Path::new("/project"), Settings::default(), &resolved).unwrap();
        let journal = Arc::new(Journal::new(host.clone(), policy.clone(), "one".to_owned()));
        let captured = CapturedTerminal::plain();
        let clock = host.clone();
        let lines =
            Arc::new(JsonLines::new(captured.terminal.clone(), Box::new(move || clock.now())));
        let secrets = Arc::new(Secrets::new());
        let end = Arc::new(ForcedEnd::new(host.clone(), secrets.clone(), Some(lines.clone())));
        end.keep_in(journal.clone());
        let consumers: [Arc<dyn Consumer>; 3] = [lines.clone(), journal, end.clone()];
        let events = MaskingSink::new(secrets, consumers);
        let done = |verb: &str| Event::VerbDone {
            project: "shop".to_owned(),
            verb: verb.to_owned(),
            ok: true,
            elapsed: Duration::ZERO,
        };
        for event in [started("stop"), done("stop"), started("up")] {
            events.event(&event);
        }
        let label = StepLabel {
            step: Some(1),
            service: None,
            action: ActionKind::Start,
            object: Object::container("shop-web-1"),
            undo: false,
        };
        events.event(&Event::StepStarted { label, cause: None });
        end.report("exited early");
        events.event(&Event::Print { text: "too late".to_owned() });
        assert_eq!(lines.end(0, true, None), 130, "the code of the last line counts");
        let expected = [
            "verb_started stop",
            "verb_done stop true",
            "verb_started up",
            "step_started",
            "verb_done up false",
            "end false 130",
        ];
        assert_eq!(told(&captured.stdout()), expected);
        let path = records_folder::folder(&*host, &policy).unwrap().join("runs").join("one.jsonl");
        let kept = String::from_utf8(host.read(&path).unwrap().to_vec()).unwrap();
        assert_eq!(told(&kept).last().map(String::as_str), Some("verb_done up false"));
    }
}
