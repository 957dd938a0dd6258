//! Progress as plain lines: progress goes to standard error, the runbook's output to standard
//! output.
//!
//! ```text
//! network     created       34 ms  spc_spc-network
//! db          created       12 ms  spc-db-1
//! db          started      151 ms  spc-db-1
//! db          ready         1.2 s  spc-db-1
//! backend     building             image spc-backend:dev
//! backend     | #7 RUN pip install
//! backend     built        42.1 s  spc-backend:dev
//! ```
//!
//! A short step has one line, at its end. A long one also has one at its beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anstyle::Style;
use parking_lot::Mutex;
use unicode_width::UnicodeWidthStr;

use super::step_labels::{FIRST_COLUMN, Lines, word_and_time, words, worth_saying};
use super::terminal::{ASIDE, FAILURE, SUBJECT, SUCCESS, Terminal, WARNING, styled};
use crate::model::cause::Cause;
use crate::model::event::{Detail, Event, Level, StepStatus};
use crate::model::masking::{Consumer, Masked};
use crate::model::names::NEW_SUFFIX;
use crate::model::step::{ActionKind, Object, StepLabel};
use crate::model::time;
use crate::model::visible::{visible, visible_line};

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors, and the runbook's output.
    Quiet,
    Normal,
    /// In addition: debug lines of `log::`, the start and cause of every step, and on a terminal
    /// the logs of builds.
    Verbose,
}

/// The time since any fixed moment: the host's monotonic clock.
pub type MonotonicClock = Box<dyn Fn() -> Duration + Send + Sync>;

/// Writes events as lines.
pub struct Progress {
    terminal: Arc<Terminal>,
    verbosity: Verbosity,
    clock: MonotonicClock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The width of the first column, which grows with the names.
    column: usize,
    steps: BTreeMap<Key, RunningStep>,
    /// Service → since when its next step can't start, and what it waited for then.
    waiting: BTreeMap<String, (Duration, String)>,
    /// Containers that became ready under the name of a replacement.
    replacements: BTreeSet<String>,
}

/// A step's number and its object. Work outside of plans has no number.
type Key = (Option<usize>, Object);

fn key(label: &StepLabel) -> Key {
    (label.step, label.object.clone())
}

/// State of a running step.
struct RunningStep {
    waits: bool,
    /// Whether the container that it waits for has exited with code 0.
    is_completed: bool,
    /// The cause, until it was printed.
    cause: Option<Cause>,
    /// When its last line was printed, or when it started.
    reported: Duration,
    text: String,
}

/// The shortest time between two reports about a wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// A shorter wait is not reported.
const WORTH_SAYING: Duration = Duration::from_secs(1);

impl Progress {
    /// Prints lines on `terminal`. The clock only limits repeated reports; elapsed times come with
    /// the events.
    pub fn new(terminal: Arc<Terminal>, verbosity: Verbosity, clock: MonotonicClock) -> Self {
        Self {
            terminal,
            verbosity,
            clock,
            state: Mutex::new(State { column: FIRST_COLUMN, ..State::default() }),
        }
    }

    /// One line: service, action, duration, and object.
    fn line(
        &self,
        state: &mut State,
        subject: &str,
        (style, word): (Style, &str),
        elapsed: Option<Duration>,
        rest: &str,
    ) {
        let elapsed = elapsed.map(time::readable).unwrap_or_default();
        let (word_column, time_column) = word_and_time(word);
        let mut line = format!(
            "{}  {}  {elapsed:>time_column$}  {}",
            state.first_column(subject),
            styled(style, &padded(word, word_column)),
            styled(ASIDE, &visible_line(rest)),
        );
        if rest.is_empty() {
            line.truncate(line.len() - styled(ASIDE, "").len());
            line.truncate(line.trim_end().len());
        }
        self.terminal.masked_err(&line);
    }

    fn step_started(&self, state: &mut State, label: &StepLabel, cause: Option<&Cause>) {
        let (doing, _, lines) = words(label.action);
        let now = (self.clock)();
        let (subject, object) = subject_and_object(label);
        if let Some((since, waits_for)) =
            label.service.as_ref().and_then(|service| state.waiting.remove(service))
        {
            let waited = now.saturating_sub(since);
            if waited >= WORTH_SAYING {
                self.line(
                    state,
                    subject,
                    (Style::new(), "waited"),
                    Some(waited),
                    &format!("for {waits_for}"),
                );
            }
        }
        let cause = worth_saying(cause).cloned();
        let waits = label.action.waits();
        let mut running =
            RunningStep { waits, is_completed: false, cause, reported: now, text: String::new() };
        if lines == Lines::Both || self.verbosity == Verbosity::Verbose {
            self.line(
                state,
                subject,
                (Style::new(), doing),
                None,
                &with_cause(&object, running.cause.take().as_ref()),
            );
        }
        state.steps.insert(key(label), running);
    }

    fn step_done(&self, state: &mut State, label: &StepLabel, elapsed: Duration) {
        let running = state.steps.remove(&key(label));
        let (_, mut done, lines) = words(label.action);
        if running.as_ref().is_some_and(|running| running.is_completed) {
            done = words(ActionKind::WaitUntilCompleted).1;
        }
        let cause = running.and_then(|running| running.cause);
        // A replacement waits again after its new container moved to the networks.
        let is_repeated = label.action.waits()
            && label.object.name.ends_with(NEW_SUFFIX)
            && !state.replacements.insert(label.object.name.clone());
        // A replacement ends when the new container is ready. The rest tidies up.
        let is_tidying = label.action == ActionKind::Remove
            && state.replacements.remove(&format!("{}{NEW_SUFFIX}", label.object.name));
        if lines != Lines::Detail && !is_tidying && !is_repeated
            || self.verbosity == Verbosity::Verbose
        {
            let (subject, object) = subject_and_object(label);
            self.line(
                state,
                subject,
                (SUCCESS, done),
                Some(elapsed),
                &with_cause(&object, cause.as_ref()),
            );
        }
    }

    fn step_progress(&self, state: &mut State, label: &StepLabel, standing: &StepStatus) {
        let now = (self.clock)();
        let StepStatus { text, detail } = standing;
        let transfers = matches!(detail, Some(Detail::Transferring { .. }));
        let mut waits = label.action.waits() || matches!(detail, Some(Detail::Waiting));
        if let Some(running) = state.steps.get_mut(&key(label)) {
            waits |= running.waits;
            running.is_completed |= matches!(detail, Some(Detail::Completed));
            if (waits || transfers) && now.saturating_sub(running.reported) < PATIENCE
                || running.text == *text
            {
                return;
            }
            running.reported = now;
            text.clone_into(&mut running.text);
        }
        let service = label.service.as_deref().unwrap_or_default();
        if waits || transfers {
            self.line(state, service, (Style::new(), words(label.action).0), None, text);
        } else {
            self.foreign(state, service, text);
        }
    }

    /// A line of another program, with its source.
    fn foreign(&self, state: &mut State, from: &str, text: &str) {
        for line in text.trim_end_matches(['\r', '\n']).split('\n') {
            let line = visible(line.strip_suffix('\r').unwrap_or(line));
            self.terminal.masked_err(&format!(
                "{}  {} {line}",
                state.first_column(from),
                styled(ASIDE, "|")
            ));
        }
    }

    fn log(&self, level: Level, text: &str) {
        let text = visible(text);
        match level {
            Level::Error => {
                self.terminal.masked_err(&format!("{} {text}", styled(FAILURE, "error:")))
            }
            _ if self.verbosity == Verbosity::Quiet => {}
            Level::Warning => {
                self.terminal.masked_err(&format!("{} {text}", styled(WARNING, "warning:")))
            }
            Level::Info | Level::Notice => self.terminal.masked_err(&text),
            Level::Debug if self.verbosity == Verbosity::Verbose => {
                self.terminal.masked_err(&styled(ASIDE, &format!("debug: {text}")))
            }
            Level::Debug => {}
        }
    }
}

impl Consumer for Progress {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        let mut state = self.state.lock();
        match &**event {
            Event::Print { text } => self.terminal.masked_out(&visible(text)),
            Event::Log { level, text } => self.log(*level, text),
            Event::StepFailed { label, message } => {
                state.steps.remove(&key(label));
                let (subject, object) = subject_and_object(label);
                let action = label.action;
                let rest = if object.is_empty() {
                    format!("{action}: {message}")
                } else {
                    format!("{action} {object}: {message}")
                };
                self.line(&mut state, subject, (FAILURE, "failed"), None, &rest);
            }
            _ if self.verbosity == Verbosity::Quiet => {}
            Event::StepWaiting { label, waits_for, .. } => {
                let since = (self.clock)();
                state
                    .waiting
                    .entry(label.service.clone().unwrap_or_default())
                    .or_insert_with(|| (since, waits_for.clone()));
            }
            Event::StepStarted { label, cause } => {
                self.step_started(&mut state, label, cause.as_ref())
            }
            Event::StepProgress { label, standing } => {
                self.step_progress(&mut state, label, standing)
            }
            Event::StepDone { label, elapsed } => self.step_done(&mut state, label, *elapsed),
            Event::StepInterrupted { label } => {
                state.steps.remove(&key(label));
                let (subject, object) = subject_and_object(label);
                self.line(
                    &mut state,
                    subject,
                    (WARNING, "interrupted"),
                    None,
                    &format!("{} {object}", label.action),
                );
            }
            // The end of a verb ends all waits.
            Event::VerbDone { .. } => {
                state.waiting.clear();
                state.replacements.clear();
            }
            // The lines of steps contain this information, and the caller prints the question.
            Event::Planned { .. }
            | Event::VerbStarted { .. }
            | Event::Question { .. }
            | Event::Answer { answer: Some(_), .. } => {}
            // The cursor is still in the question's line, because no key ended it.
            Event::Answer { answer: None, .. } => self.terminal.masked_err(""),
            Event::Unchanged { project, verb } => {
                self.line(
                    &mut state,
                    project,
                    (SUCCESS, "unchanged"),
                    None,
                    &format!("{verb}: nothing to do"),
                );
            }
            Event::Output { from, text } => self.foreign(&mut state, from, text),
            Event::Waiting { text } => {
                self.line(&mut state, "lock", (WARNING, "waiting"), None, text)
            }
        }
        Ok(())
    }
}

impl State {
    /// A name in the first column, which grows to fit.
    fn first_column(&mut self, name: &str) -> String {
        let name = visible_line(name);
        self.column = self.column.max(name.width());
        styled(SUBJECT, &padded(&name, self.column))
    }
}

/// The texts of the first and the last column. An object of one service, such as `container
/// spc-db-1`, has the service in the first column and its name in the last. Other objects have
/// their kind in the first column.
fn subject_and_object(label: &StepLabel) -> (&str, String) {
    let Object { kind, .. } = &label.object;
    let subject =
        label.service.as_deref().filter(|_| !kind.is_shared()).unwrap_or_else(|| kind.word());
    let mark = if label.undo { " (rollback)" } else { "" };
    (subject, format!("{}{mark}", label.object.what()))
}

fn with_cause(object: &str, cause: Option<&Cause>) -> String {
    cause.map_or_else(|| object.to_owned(), |cause| format!("{object} ({cause})"))
}

/// `text`, padded to `width` columns.
fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cause::ChangedKeys;
    use crate::model::step;
    use crate::ui::fixture::CapturedTerminal;
    use similar_asserts::assert_eq;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Run {
        captured: CapturedTerminal,
        progress: Progress,
        seconds: Arc<AtomicU64>,
    }

    impl Run {
        fn tell(&self, event: &Event) {
            self.captured.tell(&self.progress, event);
        }
    }

    fn run(captured: CapturedTerminal, verbosity: Verbosity) -> Run {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = seconds.clone();
        let clock: MonotonicClock =
            Box::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        Run {
            progress: Progress::new(captured.terminal.clone(), verbosity, clock),
            captured,
            seconds,
        }
    }

    fn label(step: usize, service: Option<&str>, action: &str, object: &str) -> StepLabel {
        StepLabel {
            step: Some(step),
            service: service.map(str::to_owned),
            action: step::tests::action(action),
            object: step::tests::object(object),
            undo: false,
        }
    }

    fn started(
        step: usize,
        service: Option<&str>,
        action: &str,
        object: &str,
        cause: Option<Cause>,
    ) -> Event {
        Event::StepStarted { label: label(step, service, action, object), cause }
    }

    fn done(step: usize, service: Option<&str>, action: &str, object: &str, millis: u64) -> Event {
        Event::StepDone {
            label: label(step, service, action, object),
            elapsed: Duration::from_millis(millis),
        }
    }

    fn progress(step: usize, service: &str, action: &str, object: &str, text: &str) -> Event {
        Event::StepProgress {
            label: label(step, Some(service), action, object),
            standing: text.into(),
        }
    }

    /// The events of an `up` of two services, one of them built.
    fn bring_up(run: &Run) {
        for event in [
            started(0, Some("db"), "create", "network spc_spc-network", Some(Cause::NotThere)),
            done(0, Some("db"), "create", "network spc_spc-network", 34),
            started(1, Some("backend"), "build", "image spc-backend:dev", Some(Cause::NotThere)),
            started(2, Some("db"), "create", "container spc-db-1", Some(Cause::NotThere)),
            progress(1, "backend", "build", "image spc-backend:dev", "[2/5] RUN pip install"),
            done(2, Some("db"), "create", "container spc-db-1", 12),
            Event::Output { from: "backend".into(), text: "\u{1b}[2KCollecting django\r".into() },
            started(3, Some("db"), "start", "container spc-db-1", None),
            done(3, Some("db"), "start", "container spc-db-1", 151),
            started(4, Some("db"), "wait until ready", "container spc-db-1", None),
            progress(4, "db", "wait until ready", "container spc-db-1", "probing, exit code 2"),
            done(1, Some("backend"), "build", "image spc-backend:dev", 42_100),
            done(4, Some("db"), "wait until ready", "container spc-db-1", 1_210),
            Event::Print { text: "SERVICE   STATE\ndb        ready".into() },
        ] {
            run.tell(&event);
        }
    }

    #[test]
    fn a_run_reads_as_aligned_lines() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        bring_up(&run);
        let expected = "\
network     created        34 ms  spc_spc-network
backend     building              spc-backend:dev
backend     | [2/5] RUN pip install
db          created        12 ms  spc-db-1
backend     | ␛[2KCollecting django
db          started       151 ms  spc-db-1
backend     built         42.1 s  spc-backend:dev
db          ready          1.2 s  spc-db-1
";
        assert_eq!(run.captured.stderr(), expected);
        assert_eq!(run.captured.stdout(), "SERVICE   STATE\ndb        ready\n");
    }

    #[test]
    fn on_a_terminal_names_are_bold_and_results_coloured() {
        let run = run(CapturedTerminal::coloured(), Verbosity::Normal);
        run.tell(&done(0, Some("db"), "create", "container spc-db-1", 12));
        assert_eq!(
            run.captured.stderr(),
            "\u{1b}[1mdb        \u{1b}[0m  \u{1b}[32mcreated  \u{1b}[0m      12 ms  \u{1b}[2mspc-db-1\u{1b}[0m\n"
        );
    }

    #[test]
    fn quiet_shows_errors_and_what_is_printed() {
        let run = run(CapturedTerminal::plain(), Verbosity::Quiet);
        bring_up(&run);
        run.tell(&Event::Log { level: Level::Warning, text: "slow".into() });
        run.tell(&Event::StepFailed {
            label: label(5, Some("redis"), "start", "container spc-redis-1"),
            message: "the port 6379 is taken".into(),
        });
        assert_eq!(
            run.captured.stderr(),
            "redis       failed                start spc-redis-1: the port 6379 is taken\n"
        );
        assert_eq!(run.captured.stdout(), "SERVICE   STATE\ndb        ready\n");
    }

    #[test]
    fn a_replacement_says_its_cause_once_and_leaves_details_out() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        let changed = Cause::DescriptionChanged(ChangedKeys {
            keys: vec!["environment TZ".to_owned()],
            image: None,
        });
        for (step, action, object, cause) in [
            (0, "create", "container spc-db-1.new", Some(changed)),
            (1, "deliver secrets to", "container spc-db-1.new", None),
            (2, "stop", "container spc-db-1", None),
            (3, "rename", "container spc-db-1.new to spc-db-1", None),
        ] {
            run.tell(&started(step, Some("db"), action, object, cause));
            run.tell(&done(step, Some("db"), action, object, 40));
        }
        let expected = "\
db          created        40 ms  spc-db-1.new (environment TZ changed)
db          stopping              spc-db-1
db          stopped        40 ms  spc-db-1
";
        assert_eq!(run.captured.stderr(), expected);
    }

    #[test]
    fn the_last_line_of_a_replaced_service_is_that_it_is_ready() {
        let removed = |verbosity| {
            let run = run(CapturedTerminal::plain(), verbosity);
            for (step, action, object) in [
                (0, "start", "container spc-db-1.new"),
                (1, "wait until ready", "container spc-db-1.new"),
                (2, "remove", "container spc-db-1"),
                (3, "rename", "container spc-db-1.new to spc-db-1"),
                (4, "remove", "container spc-db-2"),
            ] {
                run.tell(&done(step, Some("db"), action, object, 40));
            }
            run.captured.stderr()
        };
        let expected = "\
db          started        40 ms  spc-db-1.new
db          ready          40 ms  spc-db-1.new
db          removed        40 ms  spc-db-2
";
        assert_eq!(removed(Verbosity::Normal), expected);
        assert!(removed(Verbosity::Verbose).contains("removed        40 ms  spc-db-1\n"));
    }

    #[test]
    fn a_new_container_that_is_ready_again_after_it_was_attached_has_one_line() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        for (step, action) in [(0, "wait until ready"), (1, "attach"), (2, "wait until ready")] {
            run.tell(&done(step, Some("db"), action, "container spc-db-1.new", 40));
        }
        assert_eq!(run.captured.stderr(), "db          ready          40 ms  spc-db-1.new\n");
    }

    #[test]
    fn a_job_that_has_ended_is_completed_and_a_step_of_a_rollback_is_marked() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        let wait = label(1, Some("job"), "wait until ready", "container spc-job-1");
        run.tell(&Event::StepStarted { label: wait.clone(), cause: None });
        let standing = StepStatus::new("completed", Detail::Completed);
        run.tell(&Event::StepProgress { label: wait.clone(), standing });
        run.tell(&Event::StepDone { label: wait, elapsed: Duration::from_millis(500) });
        let start = label(2, Some("db"), "start", "container spc-db-1");
        let label = StepLabel { step: None, undo: true, ..start };
        run.tell(&Event::StepDone { label, elapsed: Duration::from_millis(40) });
        let expected = "\
job         completed     500 ms  spc-job-1
db          started        40 ms  spc-db-1 (rollback)
";
        assert_eq!(run.captured.stderr(), expected);
    }

    #[test]
    fn only_a_long_wait_is_reported() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        run.tell(&started(1, Some("db"), "wait until ready", "container spc-db-1", None));
        for second in 1..=11 {
            run.seconds.store(second, Ordering::Relaxed);
            run.tell(&progress(
                1,
                "db",
                "wait until ready",
                "container spc-db-1",
                &format!("exit code 2, {second} probes"),
            ));
        }
        let expected = "\
db          waiting               exit code 2, 5 probes
db          waiting               exit code 2, 10 probes
";
        assert_eq!(run.captured.stderr(), expected);
    }

    #[test]
    fn a_finished_wait_is_reported_once() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        let start =
            |service: &str| label(7, Some(service), "start", &format!("container spc-{service}-1"));
        for (service, waits_for) in [
            ("web", "db and redis to be ready"),
            ("web", "redis to be ready"),
            ("soon", "the network to be created"),
        ] {
            run.tell(&Event::StepWaiting {
                label: start(service),
                waits_for: waits_for.into(),
                after: vec![1],
            });
        }
        run.tell(&Event::StepStarted { label: start("soon"), cause: None });
        run.seconds.store(3, Ordering::Relaxed);
        run.tell(&Event::StepStarted { label: start("web"), cause: None });
        run.tell(&Event::StepInterrupted { label: start("web") });
        let expected = "\
web         waited           3 s  for db and redis to be ready
web         interrupted           start spc-web-1
";
        assert_eq!(run.captured.stderr(), expected);
    }

    #[test]
    fn pull_progress_is_reported_periodically() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        let pull = || label(1, Some("db"), "pull", "image postgres:15");
        run.tell(&Event::StepStarted { label: pull(), cause: None });
        for second in 1..=6 {
            run.seconds.store(second, Ordering::Relaxed);
            let standing = StepStatus::new(
                format!("{second} MiB of 9 MiB"),
                Detail::Transferring { current: second, total: 9 },
            );
            run.tell(&Event::StepProgress { label: pull(), standing });
        }
        let expected = "\
db          pulling               postgres:15
db          pulling               5 MiB of 9 MiB
";
        assert_eq!(run.captured.stderr(), expected);
    }

    #[test]
    fn an_unchanged_project_and_a_held_lock_are_reported() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        run.tell(&Event::Waiting { text: "another run changes \"spc\": anna@desk".into() });
        run.tell(&Event::Unchanged { project: "spc".into(), verb: "up".into() });
        let expected = "\
lock        waiting               another run changes \"spc\": anna@desk
spc         unchanged             up: nothing to do
";
        assert_eq!(run.captured.stderr(), expected);
    }

    #[test]
    fn a_long_name_widens_the_column_from_then_on() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        run.tell(&done(0, Some("celery-worker"), "start", "container spc-celery-worker-1", 150));
        run.tell(&done(1, Some("db"), "disconnect", "container spc-db-1", 5));
        let expected = "\
celery-worker  started       150 ms  spc-celery-worker-1
db             disconnected    5 ms  spc-db-1
";
        assert_eq!(run.captured.stderr(), expected);
    }

    #[test]
    fn log_lines_carry_their_level_and_debug_needs_verbose() {
        let levels = [Level::Debug, Level::Info, Level::Warning, Level::Error];
        for (verbosity, expected) in [
            (Verbosity::Normal, "note\nwarning: note\nerror: note\n"),
            (Verbosity::Verbose, "debug: note\nnote\nwarning: note\nerror: note\n"),
            (Verbosity::Quiet, "error: note\n"),
        ] {
            let run = run(CapturedTerminal::plain(), verbosity);
            for level in levels {
                run.tell(&Event::Log { level, text: "note".into() });
            }
            assert_eq!(run.captured.stderr(), expected);
        }
    }

    #[test]
    fn printed_text_cannot_drive_the_terminal() {
        let run = run(CapturedTerminal::plain(), Verbosity::Normal);
        run.tell(&Event::Print { text: "\u{1b}]0;title\u{7}two\r\nlines".into() });
        assert_eq!(run.captured.stdout(), "␛]0;title␇two\r\nlines\n");
    }
}
