use super::*;
use crate::host::resolve::resolve;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::event::{Level, Sink};
use crate::model::masking::MaskingSink;
use crate::model::secret::Secrets;
use crate::model::step::{ActionKind, Object, StepLabel};
use crate::policy::Settings;
use serde_json::{Value, json};
use similar_asserts::assert_eq;
use std::path::Path;
use std::time::Duration;

#[derive(Default)]
struct Seen(Mutex<Vec<Event>>);

impl Consumer for Seen {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        self.0.lock().push(Event::clone(event));
        Ok(())
    }
}

/// Passes a run's events on, on `host`.
struct Run {
    host: Arc<SimHost>,
    seen: Arc<Seen>,
    events: MaskingSink,
}

fn run(host: impl FnOnce(SimHost) -> SimHost) -> Run {
    let host = Arc::new(host(SimHost::new(SimTaskExecutor::new(1))));
    let resolved = |path: &Path| resolve(&*host, path);
    let policy = Policy::new(Path::new("/project"), Settings::default(), &resolved).unwrap();
    let seen = Arc::new(Seen::default());
    let journal = Arc::new(Journal::new(host.clone(), policy, "one".to_owned()));
    let consumers: [Arc<dyn Consumer>; 2] = [seen.clone(), journal];
    Run { events: MaskingSink::new(Arc::new(Secrets::new()), consumers), host, seen }
}

fn label() -> StepLabel {
    let object = Object::container("web-1");
    StepLabel { step: Some(1), service: None, action: ActionKind::Start, object, undo: false }
}

fn started() -> Event {
    Event::StepStarted { label: label(), cause: None }
}

fn log(text: &str) -> Event {
    Event::Log { level: Level::Warning, text: text.to_owned() }
}

/// The lines of the journal; empty without one.
fn lines(run: &Run) -> Vec<Value> {
    let content = run
        .host
        .read(&CheckedPath::root_itself("/project").join(".spc/runs/one.jsonl"))
        .unwrap_or_default();
    let text = String::from_utf8(content.to_vec()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_journal_begins_with_its_version_and_has_each_verb_with_its_steps_in_order() {
    let run = run(|host| host);
    for event in [
        log("before the first step"),
        Event::Unchanged { project: "shop".to_owned(), verb: "up".to_owned() },
    ] {
        run.events.event(&event);
    }
    assert!(lines(&run).is_empty(), "nothing was changed yet");
    let (project, verb) = (|| "shop".to_owned(), || "up".to_owned());
    let verb_started = || Event::VerbStarted {
        project: project(),
        verb: verb(),
        steps: 1,
        services: Vec::new(),
        unchanged: Vec::new(),
    };
    let verb_done = || Event::VerbDone {
        project: project(),
        verb: verb(),
        ok: true,
        elapsed: Duration::from_millis(4),
    };
    for event in [
        verb_started(),
        started(),
        log("slow"),
        Event::Print { text: "not the journal's".to_owned() },
        Event::StepDone { label: label(), elapsed: Duration::from_millis(3) },
        verb_done(),
        // Another verb has steps of the same numbers.
        verb_started(),
        started(),
    ] {
        run.events.event(&event);
    }
    let lines = lines(&run);
    assert_eq!(lines[0], json!({"format": 1, "run": "one"}));
    let names: Vec<_> = lines[1..].iter().map(|line| line["event"].as_str().unwrap()).collect();
    let expected = ["verb_started", "step_started", "log", "step_done", "verb_done"];
    assert_eq!(names, [&expected[..], &expected[..2]].concat());
    assert!(lines[1..].iter().all(|line| line.get("format").is_none()));
    assert!(lines[1..].iter().all(|line| line["time"].is_string()));
}

#[test]
fn a_symlink_to_the_journals_is_not_followed_and_the_others_say_once_that_nothing_is_recorded() {
    let run = run(|host| {
        host.with_folder("/project/.spc")
            .with_folder("/outside")
            .with_symlink("/project/.spc/runs", "/outside")
    });
    run.events.event(&started());
    run.events.event(&started());
    assert_eq!(run.host.list(&CheckedPath::root_itself("/outside")).unwrap(), []);
    let seen = run.seen.0.lock();
    let [first, Event::Log { level: Level::Warning, text }, second] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!((first, second), (&started(), &started()));
    assert!(text.starts_with("Could not record the run in the journal: "), "{text}");
}

#[test]
fn a_journal_is_for_the_owners_eyes_alone() {
    let run = run(|host| host);
    run.events.event(&started());
    run.events.event(&log("more"));
    assert_eq!(lines(&run).len(), 3);
    let path = CheckedPath::root_itself("/project").join(".spc/runs/one.jsonl");
    assert_eq!(run.host.info(&path).unwrap().mode & 0o777, 0o600);
}
