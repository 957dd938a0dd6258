//! The results of a crash sweep.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::points::{NamedCall, Point, Port};

use super::state::Difference;
use super::undisturbed_run::{Task, UndisturbedRun};
use crate::engine::sim::Violation;
use crate::model::diagnostic::Diagnostic;
use crate::model::time::in_milliseconds;

/// A completed sweep.
#[derive(Debug)]
pub struct Report {
    /// `up.rhai --build`.
    pub task: String,
    pub seed: u64,
    /// The calls of an undisturbed run.
    pub calls: usize,
    /// The number of them that change something.
    pub changes: usize,
    /// The number of changed files and folders on the host, and of commands.
    pub host_changes: usize,
    /// The number of killed runs.
    pub points: usize,
    /// The number of runs that were killed a second time, during recovery.
    pub recoveries: usize,
    /// The number of these in which the run ended before.
    pub too_late: usize,
    pub findings: Vec<Finding>,
    /// It was cancelled before it had covered all points.
    pub interrupted: bool,
}

/// A point after which the next run did not reach the state.
#[derive(Debug, Clone)]
pub struct Finding {
    pub point: Point,
    /// The action of the run at the point.
    pub mutation: NamedCall,
    /// The point at which the run after it was killed.
    pub second: Option<(Point, NamedCall)>,
    pub problem: Problem,
}

/// The problem.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The last run did not reach its end.
    pub error: Option<Box<Diagnostic>>,
    /// It reported success, but its state is wrong.
    pub differences: Vec<Difference>,
    /// An invariant was violated meanwhile.
    pub violations: Vec<Violation>,
}

impl Problem {
    pub(super) fn is_none(&self) -> bool {
        self.error.is_none() && self.differences.is_empty() && self.violations.is_empty()
    }
}

impl Report {
    pub(super) fn new(task: &Task, seed: u64, clean: &UndisturbedRun) -> Self {
        Self {
            task: task.words(),
            seed,
            calls: clean.mutations.calls.len(),
            host_changes: clean.mutations.changes.len(),
            changes: clean.mutations.calls.iter().filter(|call| call.is_change()).count(),
            points: 0,
            recoveries: 0,
            too_late: 0,
            findings: Vec::new(),
            interrupted: false,
        }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match (self.interrupted, self.findings.is_empty()) {
            (true, _) => 130,
            (false, false) => 1,
            (false, true) => 0,
        }
    }

    /// The last line: the summary.
    pub fn summary(&self) -> String {
        let (calls, changes) = (count(self.calls, "engine call"), count(self.changes, "change"));
        let host = count(self.host_changes, "host change");
        let points = count(self.points, "point");
        let mut text = format!("{}: {calls} ({changes}), {host}; killed at {points}", self.task);
        if self.recoveries > 0 {
            let _ = write!(text, ", {} of the next runs killed too", self.recoveries);
        }
        let _ = match self.findings.len() {
            0 => write!(text, "; every next run reached the expected state"),
            wrong => {
                write!(text, "; {} did not reach the expected state", count(wrong, "next run"))
            }
        };
        if self.interrupted {
            text.push_str("; interrupted before the end of the sweep");
        }
        text
    }

    /// Lines about problems that are not findings.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.changes == 0 && self.host_changes == 0 && !self.interrupted {
            notes.push(
                "warning: the runbook changed nothing, so this shows little; `--after RUNBOOK` runs another one first".to_owned(),
            );
        }
        if self.too_late > 0 {
            notes.push(format!(
                "{} ended before the point at which spc would kill it",
                count(self.too_late, "run")
            ));
        }
        notes
    }

    /// The fields of the event `sweep`.
    pub fn json(&self) -> Value {
        json!({
            "runbook": self.task,
            "seed": self.seed,
            "calls": self.calls,
            "changes": self.changes,
            "host_changes": self.host_changes,
            "points": self.points,
            "recoveries": self.recoveries,
            "too_late": self.too_late,
            "failed": self.findings.len(),
            "interrupted": self.interrupted,
        })
    }
}

impl Finding {
    /// The value of `--at` that repeats it.
    pub fn at(&self) -> String {
        self.second.as_ref().map_or_else(
            || self.point.to_string(),
            |(second, _)| format!("{},{second}", self.point),
        )
    }

    /// The action: `killed after engine call 17 (volume_create shop_data)`.
    pub fn title(&self) -> String {
        let at = |point: &Point, mutation: &NamedCall| {
            let what = match point.on {
                Port::Engine => "engine call",
                Port::Host => "host change",
            };
            format!("{} {what} {} ({mutation})", point.side, point.number)
        };
        let again = self
            .second
            .as_ref()
            .map(|(point, mutation)| format!(", and the next run {}", at(point, mutation)))
            .unwrap_or_default();
        format!("killed {}{again}", at(&self.point, &self.mutation))
    }

    /// The problem, one line each.
    pub fn lines(&self) -> Vec<String> {
        let Problem { error, differences, violations } = &self.problem;
        let error = error.iter().flat_map(|diagnostic| {
            let place = diagnostic
                .place
                .as_ref()
                .map(|place| format!("{}:{}: ", place.source.name, place.line))
                .unwrap_or_default();
            let hint = diagnostic.hint.iter().map(|hint| format!("help: {hint}"));
            [format!("the next run failed: {place}{}", diagnostic.message)]
                .into_iter()
                .chain(hint)
                .collect::<Vec<_>>()
        });
        error
            .chain(differences.iter().map(Difference::line))
            .chain(violations.iter().map(Violation::to_string))
            .collect()
    }

    /// The error of the next run, if that failed.
    pub fn error(&self) -> Option<&Diagnostic> {
        self.problem.error.as_deref()
    }

    /// The fields of the event `finding` except for the error.
    pub fn json(&self) -> Value {
        let point = |point: &Point, mutation: &NamedCall| {
            let on = match point.on {
                Port::Engine => "engine",
                Port::Host => "host",
            };
            json!({
                "on": on, "number": point.number, "side": point.side.to_string(), "method": mutation.method, "target": mutation.target,
            })
        };
        json!({
            "at": self.at(),
            "killed": point(&self.point, &self.mutation),
            "killed_again": self.second.as_ref().map(|(second, mutation)| point(second, mutation)),
            "differences": self.problem.differences.iter().map(Difference::json).collect::<Vec<_>>(),
            "violations": self.problem.violations.iter().map(violation_json).collect::<Vec<_>>(),
        })
    }
}

impl Difference {
    /// `container shop-db-1: state: expected running, found exited (0)`
    pub fn line(&self) -> String {
        let aspect =
            if self.aspect.is_empty() { String::new() } else { format!("{}: ", self.aspect) };
        if self.expected == self.found {
            return format!("{}: {aspect}differs from the expected value", self.object);
        }
        let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        format!(
            "{}: {aspect}expected {}, found {}",
            self.object,
            side(&self.expected),
            side(&self.found)
        )
    }

    fn json(&self) -> Value {
        json!({"object": self.object, "aspect": self.aspect, "expected": self.expected, "found": self.found})
    }
}

fn violation_json(violation: &Violation) -> Value {
    json!({"at_ms": in_milliseconds(violation.at).as_millis(), "call": violation.call, "what": violation.what})
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
