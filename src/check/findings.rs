//! Collects the findings of all rules.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::Position;

use super::rule::Rule;
use crate::model::diagnostic::{Diagnostic, RULE, Source, SourceSpan};
use crate::model::{Failure, Kind};
use crate::value::spans;

/// Findings in any order, each position once per rule.
#[derive(Default)]
pub struct Findings {
    list: Vec<Diagnostic>,
    seen: BTreeSet<(String, usize, usize, Rule)>,
}

impl Findings {
    /// Adds a failure at a position in a source.
    pub fn add(&mut self, rule: Rule, source: &Arc<Source>, position: Position, failure: Failure) {
        let place = spans::place(source, position).unwrap_or_else(|| SourceSpan {
            source: source.clone(),
            line: 1,
            column: 1,
            width: 1,
        });
        self.add_at(rule, place, failure);
    }

    /// The same with a known position.
    pub fn add_at(&mut self, rule: Rule, place: SourceSpan, failure: Failure) {
        if self.seen.insert((place.source.name.clone(), place.line, place.column, rule)) {
            self.list.push(diagnostic(rule, Some(place), failure));
        }
    }

    /// Adds a finding about a whole file or folder, once.
    pub fn add_without_place(&mut self, rule: Rule, failure: Failure) {
        let finding = diagnostic(rule, None, failure);
        if !self.list.contains(&finding) {
            self.list.push(finding);
        }
    }

    /// Whether this rule has a finding at a position.
    pub fn has(&self, rule: Rule, source: &Source, position: Position) -> bool {
        let at = (position.line().unwrap_or(1), position.position().unwrap_or(1));
        self.seen.contains(&(source.name.clone(), at.0, at.1, rule))
    }

    /// All findings, by file, line and column; those without a position first.
    pub fn sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_cached_key(|finding| {
            finding.place.as_ref().map(|place| {
                (place.source.name.clone(), place.line, place.column, finding.message.clone())
            })
        });
        self.list
    }
}

fn diagnostic(rule: Rule, place: Option<SourceSpan>, failure: Failure) -> Diagnostic {
    Diagnostic {
        severity: rule.severity(),
        kind: Kind::Usage,
        message: failure.message,
        hint: failure.hint,
        place,
        trace: Vec::new(),
        details: failure.details,
        fields: [(RULE.to_owned(), rule.name().into())].into(),
        after_changes: false,
    }
}
