//! Unfinished `guarded` functions: interrupted by a kill, a crash of the machine or a second
//! Ctrl-C, or with a failed undo. Their undo lists are closures that another process can't run. So
//! the next `up` only prints a warning.

use std::sync::Arc;

use parking_lot::Mutex;

use super::context::Context;
use crate::apply::records::{Records, UnfinishedGuard};
use crate::model::Failure;
use crate::model::event::{Event, Level};

/// The record of one running `guarded` function. It only helps a person later, so a record that
/// can't be written is no failure.
///
/// A script may put a secret into each of these texts. The record keeps them unmasked in memory and
/// writes all of them again at each change. So a value that is declared secret later is masked too.
#[derive(Clone)]
pub(super) struct Record {
    context: Arc<Context>,
    project: String,
    texts: Arc<Mutex<Texts>>,
}

struct Texts {
    label: String,
    /// The entries of its undo list, the last first.
    undo: Vec<String>,
    since: String,
    /// The undo list ran, and the entries that are left failed.
    failed: bool,
    /// Nothing is left to undo. The record is removed.
    ended: bool,
    /// The label of the record in the file.
    written: String,
}

impl Record {
    /// Fails if the records can't be read, because then nothing can be recorded.
    pub(super) fn check(context: &Context, project: &str) -> Result<(), Failure> {
        Records::new(&*context.host, &context.policy, project).check()
    }

    /// Starts the record of a function.
    pub(super) fn begin(context: &Arc<Context>, project: &str, label: &str) -> Self {
        let texts = Texts {
            label: label.to_owned(),
            undo: Vec::new(),
            since: context.host.now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            failed: false,
            ended: false,
            written: context.secrets.mask(label),
        };
        let texts = Arc::new(Mutex::new(texts));
        let record = Self { context: context.clone(), project: project.to_owned(), texts };
        record.change(|_| {});
        record
    }

    /// This has to be undone if the function does not end.
    pub(super) fn add(&self, what: &str) {
        self.change(|texts| texts.undo.insert(0, what.to_owned()));
    }

    /// This was undone: if the run ends now, only the rest is left.
    pub(super) fn undone(&self, what: &str) {
        self.change(|texts| {
            if let Some(at) = texts.undo.iter().position(|there| there == what) {
                texts.undo.remove(at);
            }
        });
    }

    /// The function ended; `left` could not be undone.
    pub(super) fn end(&self, left: Vec<String>) {
        self.change(|texts| {
            texts.ended = left.is_empty();
            texts.undo = left;
            texts.failed = true;
        });
    }

    /// Changes the texts and writes all of them, unless the record has ended.
    fn change(&self, change: impl FnOnce(&mut Texts)) {
        let mut texts = self.texts.lock();
        if texts.ended {
            return;
        }
        change(&mut texts);
        let secrets = &self.context.secrets;
        let label = secrets.mask(&texts.label);
        let before = std::mem::replace(&mut texts.written, label.clone());
        let unfinished = UnfinishedGuard {
            run: self.context.run.id.clone(),
            command: secrets.mask(&self.context.command.name),
            since: texts.since.clone(),
            undo: texts.undo.iter().map(|what| secrets.mask(what)).collect(),
            failed: texts.failed,
        };
        let records = Records::new(&*self.context.host, &self.context.policy, &self.project);
        let _ = records.update(|state| {
            // An earlier run may have written the label unmasked.
            state.guarded.retain(|key, _| *key != before && secrets.mask(key) != label);
            if !texts.ended {
                state.guarded.insert(label, unfinished);
            }
        });
    }
}

/// Warns about functions that were cut off in earlier runs and may have left the project half
/// changed.
pub(super) fn warn(context: &Context, records: &Records<'_>) {
    let state = records.state();
    for (label, unfinished) in state
        .guarded
        .iter()
        .filter(|(_, unfinished)| unfinished.run != context.run.id && !unfinished.undo.is_empty())
    {
        let UnfinishedGuard { command, since, undo, failed, .. } = unfinished;
        let how = if *failed {
            format!("failed (it began at {since}), and this could not be undone")
        } else {
            format!("was cut off (it began at {since}), and this was not undone")
        };
        let text = format!(
            "guarded \"{label}\" of \"{command}\" {how}: {}; this warning ends when it runs again and completes",
            undo.join("; ")
        );
        context.events.event(&Event::Log { level: Level::Warning, text });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::harness::Harness;
    use crate::engine::sim::SimEngine;
    use crate::host::sim::SimHost;
    use crate::host::sim::executor::SimTaskExecutor;

    const STATE: &str = "/project/.spc/shop/state.json";
    const VALUE: &str = "hunter2 & more";

    fn trial(host: impl FnOnce(SimHost) -> SimHost) -> Harness {
        let sim = SimTaskExecutor::new(1);
        let engine = Arc::new(SimEngine::builder(sim.clone()).build());
        let toml = "[allow]\ncommands = [\"show\"]\n";
        Harness::on_engine(
            &sim,
            engine,
            |given| host(given.with_file("/project/secrets/token", format!("{VALUE}\n"))),
            toml,
        )
    }

    /// The record of a `guarded` function that failed, with a failed undo.
    fn recorded(trial: &Harness, before: &str, label: &str, what: &str) -> String {
        trial.fails(&format!(
            r#"{before}
            guarded(stack("shop", #{{ services: #{{}} }}), {label}, |g| {{ {what}; fail("failed", "no"); }})"#
        ));
        trial.file(STATE)
    }

    #[test]
    fn a_record_holds_no_secret_and_no_token_and_ends_when_the_function_runs_to_its_end() {
        let expose = r#"let t = expose(secret("token"));"#;
        let late = format!(r#"let t = "{VALUE}";"#);
        let undo = r#"g.undo(`drop ${t}`, || fail("failed", "no"))"#;
        for (before, label, what, is_known) in [
            (expose, "\"restore\"", undo.to_owned(), true),
            (expose, "`restore ${t}`", undo.to_owned(), true),
            (r#"let t = secret("token");"#, "`restore ${t}`", undo.to_owned(), true),
            // Known as a secret only once it was written.
            (
                &late,
                "`restore ${t}`",
                format!(r#"{undo}; secret("token"); g.undo("more", || fail("failed", "no"))"#),
                false,
            ),
        ] {
            let trial = trial(|host| host);
            let text = recorded(&trial, before, label, &what);
            assert!(!text.contains("hunter2") && !text.contains("token:"), "{text}");
            assert!(text.contains("\"drop "), "{text}");
            assert_eq!(trial.mode(STATE), Some(0o600));
            // Another run has other tokens.
            let known = if is_known { before.to_owned() } else { format!("{before} {expose}") };
            trial.text(&format!(
                r#"{known} guarded(stack("shop", #{{ services: #{{}} }}), {label}, |g| {{ {what}; g.commit(); }}); """#
            ));
            let text = trial.file(STATE);
            assert!(text.contains("\"guarded\": {}"), "{text}");
        }
    }

    #[test]
    fn a_label_that_an_earlier_run_did_not_hide_is_replaced() {
        let old = format!(
            r#"{{"guarded": {{"restore {VALUE}": {{"run": "a", "command": "b", "since": "c", "undo": ["d"]}}}}}}"#
        );
        let trial = trial(|host| host.with_file(STATE, old));
        trial.text(
            r#"let t = expose(secret("token"));
            guarded(stack("shop", #{ services: #{} }), `restore ${t}`, |g| { g.commit(); }); """#,
        );
        assert!(trial.file(STATE).contains("\"guarded\": {}"), "{}", trial.file(STATE));
    }

    #[test]
    fn a_guarded_function_does_not_begin_beside_a_record_that_can_t_be_read() {
        for (text, why) in [
            ("{bad", "its content was not written by spc"),
            (r#"{"format": 2}"#, "format 2 is newer than this spc, which reads formats up to 1"),
        ] {
            let trial = trial(|host| host.with_file(STATE, text));
            let failure = trial.fails(
                r#"guarded(stack("shop", #{ services: #{} }), "restore", |g| { log::info("begun"); })"#,
            );
            assert_eq!(
                failure.message,
                format!(
                    "Could not read the record of the project \"shop\" from \"{STATE}\": {why}"
                )
            );
            assert!(!format!("{:?}", trial.events()).contains("begun"));
            assert_eq!(trial.file(STATE), text);
        }
        let trial = trial(|host| host.with_folder(STATE));
        let failure =
            trial.fails(r#"guarded(stack("shop", #{ services: #{} }), "restore", |g| 1)"#);
        assert!(failure.message.ends_with(": it is a folder"), "{failure}");
    }
}
