//! The display of one service: the words for its steps.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::rollback::Rollback;
use crate::model::cause::Cause;
use crate::model::event::{Detail, StepStatus};
use crate::model::step::{ActionKind, StepLabel};
use crate::model::time;
use crate::ui::step_labels::{Lines, words, worth_saying};

/// The most lines of a build's log that are shown during the build.
pub const LOG_LINES: usize = 3;

/// The word for a container that exited with code 0, as a job does.
const COMPLETED: &str = words(ActionKind::WaitUntilCompleted).1;

/// The word for a service that needed no change.
pub const UNCHANGED: &str = "unchanged";

/// The state of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Failed,
    /// It was cancelled before its end.
    CutShort,
    Moving,
    Waiting,
    Done,
}

/// One row.
#[derive(Debug, Clone)]
pub struct Row {
    pub phase: Phase,
    /// `probing`, `ready`.
    pub word: String,
    /// More text beside the word.
    pub text: String,
    /// The beginning of the current phase of work or waiting. Starting and getting ready are one
    /// phase, and so are stopping and removing.
    since: Duration,
    /// The duration, once it is completed.
    took: Option<Duration>,
    running: Vec<StepLabel>,
    /// The cause of the change, if it is worth showing.
    cause: Option<Cause>,
    /// Earlier results: `built in 42.1 s`.
    before: Vec<String>,
    /// Containers that became ready, or names of networks and volumes.
    objects: BTreeSet<String>,
    /// How its container became ready, and the time that this took.
    ready: Option<(String, Duration)>,
    /// Whether the container that a step waits for has exited with code 0.
    is_completed: bool,
    /// Whether it had failed before it was rolled back.
    has_failed: bool,
    /// What its rollback has achieved so far.
    rollback: Option<Rollback>,
    /// The end of a build's output.
    pub log: VecDeque<String>,
}

impl Row {
    /// A row before its first step.
    pub fn new(now: Duration) -> Self {
        Self {
            phase: Phase::Waiting,
            word: "waiting".to_owned(),
            text: String::new(),
            since: now,
            took: None,
            running: Vec::new(),
            cause: None,
            before: Vec::new(),
            objects: BTreeSet::new(),
            ready: None,
            is_completed: false,
            has_failed: false,
            rollback: None,
            log: VecDeque::new(),
        }
    }

    /// The duration of the current phase, or of the last one if the row is completed. `None` if
    /// nothing was done.
    pub fn elapsed(&self, now: Duration) -> Option<Duration> {
        (self.word != UNCHANGED)
            .then(|| self.took.unwrap_or_else(|| now.saturating_sub(self.since)))
    }

    /// Whether the elapsed time is still growing.
    pub fn ticks(&self) -> bool {
        self.took.is_none()
    }

    /// Whether a step is running.
    pub fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether an image is being built. Its output belongs to this row.
    pub fn builds(&self) -> bool {
        self.running.iter().any(|label| label.action == ActionKind::Build)
    }

    pub fn waits(&mut self, waits_for: &str, now: Duration) {
        if self.phase != Phase::Waiting {
            (self.since, self.took) = (now, None);
        }
        (self.phase, self.word) = (Phase::Waiting, "waiting".to_owned());
        self.text = format!("for {waits_for}");
    }

    pub fn starts(&mut self, label: &StepLabel, cause: Option<&Cause>, now: Duration) {
        self.running.push(label.clone());
        if label.undo && label.service.is_some() {
            return self.rolls_back(label);
        }
        if self.is_known_ready(label) {
            return;
        }
        if let Some(cause) = worth_saying(cause) {
            self.cause = Some(cause.clone());
        }
        let (_, _, lines) = words(label.action);
        if lines == Lines::Detail && !delivers(label.action) && self.phase != Phase::Waiting {
            return;
        }
        let goes_on = match label.action {
            ActionKind::Remove => self.word == "stopped",
            action => action.waits() && self.word == "started",
        };
        if !goes_on && self.running.len() == 1 {
            self.since = now;
        }
        self.took = None;
        self.phase = Phase::Moving;
        doing(label.action).clone_into(&mut self.word);
        self.text = if is_image(label.action) || label.service.is_none() && !is_shared(label) {
            name(label)
        } else {
            self.cause_text()
        };
        self.log.clear();
    }

    pub fn progresses(&mut self, label: &StepLabel, standing: &StepStatus) {
        if self.phase != Phase::Moving {
            return;
        }
        self.text.clone_from(&standing.text);
        match standing.detail {
            Some(Detail::Probing { exit_code }) => {
                "probing".clone_into(&mut self.word);
                self.text = exit_code.map(|code| format!("exit code {code}")).unwrap_or_default();
            }
            Some(Detail::Building { .. }) => self.log.clear(),
            Some(Detail::Transferring { .. }) => {
                self.text = format!("{}  {}", standing.text, name(label))
            }
            Some(Detail::Completed) => self.is_completed = true,
            Some(Detail::Waiting) | None => {}
        }
    }

    pub fn outputs(&mut self, text: &str) {
        // If a line was overwritten repeatedly, its last state.
        let lines = text.lines().filter_map(|line| line.trim_end().rsplit('\r').next());
        self.log.extend(lines.filter(|line| !line.trim().is_empty()).map(str::to_owned));
        self.log.drain(..self.log.len().saturating_sub(LOG_LINES));
    }

    pub fn is_done(&mut self, label: &StepLabel, elapsed: Duration, now: Duration) {
        self.stops_running(label);
        let is_completed = std::mem::take(&mut self.is_completed);
        if label.undo && label.service.is_some() {
            return self.is_rolled_back(label, now);
        }
        if self.is_known_ready(label) {
            return;
        }
        let (_, done, lines) = words(label.action);
        let done = if is_completed { COMPLETED } else { done };
        if lines == Lines::Detail && !delivers(label.action) {
            return;
        }
        let (waited, shared) = (label.action.waits(), is_shared(label));
        if waited || shared || label.service.is_none() {
            self.objects.insert(name(label));
        } else if is_image(label.action) {
            self.before.push(format!("{done} in {}", time::readable(elapsed)));
        }
        match self.running.last() {
            Some(other) => doing(other.action).clone_into(&mut self.word),
            // Its container still has to start.
            None if delivers(label.action) => {}
            None => {
                let removed = label.action == ActionKind::Remove;
                let took = if waited || shared || removed {
                    now.saturating_sub(self.since)
                } else {
                    elapsed
                };
                if waited {
                    self.ready = Some((done.to_owned(), took));
                }
                self.phase = Phase::Done;
                // A replacement ends with the removal of the old container, but the new one
                // matters.
                let (word, took) = self
                    .ready
                    .clone()
                    .filter(|_| removed)
                    .unwrap_or_else(|| (done.to_owned(), took));
                (self.word, self.took) = (word, Some(took));
                self.text = self.summary(label);
            }
        }
    }

    /// Whether this container was ready before: a replacement waits again when it has moved to its
    /// networks.
    fn is_known_ready(&self, label: &StepLabel) -> bool {
        label.action == ActionKind::WaitUntilReady
            && self.ready.is_some()
            && self.objects.contains(&name(label))
    }

    fn cause_text(&self) -> String {
        self.cause.as_ref().map(Cause::to_string).unwrap_or_default()
    }

    /// The text that stays at the end.
    fn summary(&self, label: &StepLabel) -> String {
        if is_image(label.action) || matches!(label.action, ActionKind::Push | ActionKind::Import) {
            return name(label);
        }
        let mut parts = Vec::new();
        if is_shared(label) || label.service.is_none() {
            parts.extend(self.objects.iter().cloned());
        } else if self.objects.len() > 1 {
            parts.push(format!("{} containers", self.objects.len()));
        }
        parts.extend(self.before.iter().cloned());
        parts.extend(self.cause.as_ref().map(Cause::to_string));
        parts.join(", ")
    }

    pub fn fails(&mut self, label: &StepLabel, message: &str, now: Duration) {
        self.stops_running(label);
        if label.undo && label.service.is_some() {
            return self.is_not_rolled_back(message, now);
        }
        self.ends(Phase::Failed, "failed", now);
        // The error that ends the run contains everything.
        message.lines().next().unwrap_or_default().clone_into(&mut self.text);
    }

    pub fn is_interrupted(&mut self, label: &StepLabel, now: Duration) {
        self.stops_running(label);
        if label.undo && label.service.is_some() {
            return self.ends_rolled_back(now);
        }
        if self.phase == Phase::Moving {
            self.ends(
                Phase::CutShort,
                if label.action == ActionKind::WaitUntilReady {
                    "not ready"
                } else {
                    "interrupted"
                },
                now,
            );
        }
    }

    /// The verb has ended, so whatever this row showed no longer runs.
    pub fn is_over(&mut self, ok: bool, now: Duration) {
        let was_running = !std::mem::take(&mut self.running).is_empty();
        match self.phase {
            // The result of its wait was that there is nothing to do: the newly built image is the
            // same.
            Phase::Waiting if ok => {
                self.ends(Phase::Done, UNCHANGED, now);
                self.text.clear();
            }
            Phase::Waiting => {
                self.ends(Phase::CutShort, "not begun", now);
                if !self.text.is_empty() {
                    self.text = format!("waited {}", self.text);
                }
            }
            // After a delivery there was nothing to start.
            Phase::Moving if ok && !was_running => self.ends(Phase::Done, "created", now),
            Phase::Moving => self.ends(Phase::CutShort, "interrupted", now),
            Phase::Failed | Phase::CutShort | Phase::Done => {}
        }
    }

    /// A step of a rollback starts. The time goes on: the rollback belongs to the change.
    fn rolls_back(&mut self, label: &StepLabel) {
        self.has_failed |= self.phase == Phase::Failed;
        self.took = None;
        self.phase = Phase::Moving;
        doing(label.action).clone_into(&mut self.word);
        "rolling back".clone_into(&mut self.text);
        self.log.clear();
    }

    fn is_rolled_back(&mut self, label: &StepLabel, now: Duration) {
        self.rollback = self.rollback.max(Some(Rollback::of(label.action)));
        self.ends_rolled_back(now);
    }

    /// The state after the last step of the rollback, and between two of its steps.
    fn ends_rolled_back(&mut self, now: Duration) {
        if self.has_failed {
            self.ends(Phase::Failed, "failed", now);
        } else {
            self.ends(Phase::CutShort, "interrupted", now);
        }
        self.rollback.map_or("", Rollback::text).clone_into(&mut self.text);
    }

    fn is_not_rolled_back(&mut self, message: &str, now: Duration) {
        self.ends(Phase::Failed, "failed", now);
        self.text = format!("not rolled back: {}", message.lines().next().unwrap_or_default());
    }

    fn ends(&mut self, phase: Phase, word: &str, now: Duration) {
        self.took.get_or_insert(now.saturating_sub(self.since));
        self.phase = phase;
        word.clone_into(&mut self.word);
        self.log.clear();
    }

    fn stops_running(&mut self, label: &StepLabel) {
        if let Some(index) = self.running.iter().position(|running| running == label) {
            self.running.remove(index);
        }
    }
}

/// Networks and volumes belong to the stack, even if a service is the first to need them.
pub fn is_shared(label: &StepLabel) -> bool {
    label.object.kind.is_shared()
}

/// Whether the action delivers files to a container before it starts. It may take some time but
/// gets no separate line.
const fn delivers(action: ActionKind) -> bool {
    matches!(action, ActionKind::DeliverConfigs | ActionKind::DeliverSecrets)
}

/// Whether the line contains the image's name.
const fn is_image(action: ActionKind) -> bool {
    matches!(action, ActionKind::Build | ActionKind::Pull)
}

/// The word during an action. "waiting" is only for services that wait for others.
fn doing(action: ActionKind) -> &'static str {
    match action {
        ActionKind::WaitUntilReady => "starting",
        ActionKind::WaitUntilCompleted => "running",
        other => words(other).0,
    }
}

/// The name in `container spc-db-1`.
fn name(label: &StepLabel) -> String {
    label.object.what()
}
