//! No consumer of events shows or stores a secret.

use super::*;
use crate::host::records_folder;
use crate::host::resolve::resolve;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::texts::tests as samples;
use crate::policy::{Policy, Settings};
use crate::ui::fixture::CapturedTerminal;
use crate::ui::live_region::TerminalSize;
use parking_lot::Mutex;
use std::path::Path;

/// The output of each consumer for `events`, by its name.
fn shown(events: &[Event], secrets: &Arc<Secrets>) -> Vec<(&'static str, String)> {
    let host: Arc<dyn Host> = Arc::new(SimHost::new(SimTaskExecutor::new(1)));
    let policy =
        Policy::new(Path::new("/project"), Settings::default(), &|path| resolve(&*host, path))
            .unwrap();
    let journal = Arc::new(Journal::new(host.clone(), policy.clone(), "one".to_owned()));
    // The terminals know no secrets, so only events that are already masked are hidden.
    let size = Arc::new(Mutex::new(TerminalSize { columns: 40, rows: 200 }));
    let (plain, coloured, screen, json) = (
        CapturedTerminal::plain(),
        CapturedTerminal::coloured(),
        CapturedTerminal::screen(&size, false),
        CapturedTerminal::plain(),
    );
    let clock = || Box::new(|| Duration::ZERO);
    let lines = |captured: &CapturedTerminal| {
        Progress::new(captured.terminal.clone(), Verbosity::Verbose, clock())
    };
    let of_host = host.clone();
    let consumers: [Arc<dyn Consumer>; 5] = [
        Arc::new(lines(&plain)),
        Arc::new(lines(&coloured)),
        Arc::new(LiveProgress::new(screen.terminal.clone(), Verbosity::Normal, clock())),
        Arc::new(JsonLines::new(json.terminal.clone(), Box::new(move || of_host.now()))),
        journal,
    ];
    let sink = MaskingSink::new(secrets.clone(), consumers);
    for event in events {
        sink.event(event);
    }
    let path = records_folder::folder(&*host, &policy).unwrap().join("runs").join("one.jsonl");
    let kept = host.read(&path).map(|content| String::from_utf8(content.to_vec()).unwrap());
    vec![
        ("lines", plain.stdout() + &*plain.stderr()),
        ("coloured lines", coloured.stdout() + &*coloured.stderr()),
        ("screen", screen.stderr()),
        ("JSON", json.stdout() + &*json.stderr()),
        ("journal", kept.unwrap_or_default()),
    ]
}

#[test]
fn no_text_of_any_event_reaches_a_terminal_json_or_the_journal_unmasked() {
    const SECRET: &str = "hunter2hunter2";
    let secrets = Arc::new(Secrets::new());
    // Without the mask, all of them show the text: so the samples reach them.
    for (consumer, text) in shown(&samples::events(SECRET), &secrets) {
        assert!(text.contains(SECRET), "{consumer}: {text}");
    }
    secrets.add("key", &Secrets::token("key", [1; 16]), SECRET);
    let token = Secrets::token("key", [1; 16]);
    let encoded = "aHVudGVyMmh1bnRlcjI=";
    for written in [SECRET, &token, encoded, "hunter2\\u0068unter2", "%68unter2hunter2"] {
        for events in [samples::events(written), samples::events(&format!("a {written} b"))] {
            for (consumer, text) in shown(&events, &secrets) {
                assert!(text.contains("[secret"), "{consumer}: {text}");
                let leaks = [written, "unter2", &encoded[4..12], &token[..8]];
                let leak = leaks.iter().find(|leak| text.contains(**leak));
                assert_eq!(leak, None, "{consumer}: {text}");
            }
        }
    }
}
