//! Formats rows as lines for a terminal of a given size.

use std::time::Duration;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::row::{Phase, Row, UNCHANGED};
use super::{Board, Verb};
use crate::model::time;
use crate::ui::line::Line;
use crate::ui::live_region::TerminalSize;
use crate::ui::step_labels::{FIRST_COLUMN, TIME_COLUMN, WORD_COLUMN, word_and_time};
use crate::ui::terminal::{ASIDE, FAILURE, MOTION, SUBJECT, SUCCESS, WARNING};

/// The spaces between two columns.
const GAP: &str = "  ";
/// Below this width some parts are not shown in columns.
const NARROW: usize = 60;

impl Board {
    /// The lines during a run: at most `size.rows - 2` lines, each shorter than `size.columns`.
    pub fn lines(&self, now: Duration, size: TerminalSize) -> Vec<String> {
        let rows_left = size.rows.saturating_sub(2).max(1);
        let verb_lines = self.verb_lines(now);
        let mut shown = self.most_important(rows_left.saturating_sub(verb_lines.len()));
        let (name_column, narrow) = (self.name_column(size.columns), size.columns < NARROW);
        let mut left = rows_left.saturating_sub(verb_lines.len() + shown.len());
        let mut lines = Vec::new();
        for (name, row) in shown.drain(..) {
            lines.push(row_line(name, row, now, name_column));
            let logged = row.log.len().min(left);
            left -= logged;
            let indent = if narrow {
                GAP.len()
            } else {
                name_column + WORD_COLUMN + TIME_COLUMN + 3 * GAP.len()
            };
            lines.extend(
                row.log.iter().skip(row.log.len() - logged).map(|text| log_line(indent, text)),
            );
        }
        lines.extend(
            verb_lines.into_iter().map(|live_region| live_region.line(name_column, narrow)),
        );
        fitted(&lines[..lines.len().min(rows_left)], size)
    }

    /// The lines that stay at the end.
    pub fn last_lines(&self, now: Duration, size: TerminalSize) -> Vec<String> {
        let name_column = self.name_column(size.columns);
        let rows = self.rows().map(|(name, row)| row_line(name, row, now, name_column));
        let verb_lines = self
            .verb_lines(now)
            .into_iter()
            .map(|live_region| live_region.line(name_column, size.columns < NARROW));
        fitted(&rows.chain(verb_lines).collect::<Vec<_>>(), size)
    }

    /// At most this many rows: those that failed, then active ones, waiting ones, and completed
    /// ones, in their own order.
    fn most_important(&self, rows_left: usize) -> Vec<(&str, &Row)> {
        let rows: Vec<(&str, &Row)> = self.rows().collect();
        let mut places: Vec<usize> = (0..rows.len()).collect();
        places.sort_by_key(|&place| (rows[place].1.phase, place));
        places.truncate(rows_left);
        places.sort_unstable();
        places.into_iter().map(|place| rows[place]).collect()
    }

    fn name_column(&self, columns: usize) -> usize {
        let projects = self
            .verbs
            .iter()
            .chain(self.ended.iter().map(|(verb, ..)| verb))
            .map(|verb| verb.project.as_str());
        let names = self.rows().map(|(name, _)| name).chain(projects);
        let widest = names.map(UnicodeWidthStr::width).max().unwrap_or(0);
        widest.min(columns / 3).max(FIRST_COLUMN)
    }

    fn verb_lines(&self, now: Duration) -> Vec<VerbLine> {
        let counts = self.counts();
        let live_region = |verb: &Verb, style, elapsed, ticks| VerbLine {
            project: verb.project.clone(),
            verb: verb.name.clone(),
            style,
            elapsed: shown_time(elapsed, ticks),
            counts: counts.clone(),
        };
        let ended = self.ended.iter().map(|(verb, ok, elapsed)| {
            live_region(verb, if *ok { SUCCESS } else { FAILURE }, *elapsed, false)
        });
        let running = self
            .verbs
            .iter()
            .map(|verb| live_region(verb, MOTION, now.saturating_sub(verb.begun), true));
        ended.chain(running).collect()
    }

    /// `1 failed, 3 ready, 2 waiting, 4 unchanged`: the number of services for each word.
    fn counts(&self) -> String {
        let mut counts: Vec<(Phase, &str, usize)> = Vec::new();
        let unchanged = std::iter::repeat_n((Phase::Done, UNCHANGED), self.unchanged);
        for (phase, word) in
            self.services.values().map(|row| (row.phase, row.word.as_str())).chain(unchanged)
        {
            match counts.iter_mut().find(|(_, known, _)| *known == word) {
                Some((_, _, count)) => *count += 1,
                None => counts.push((phase, word, 1)),
            }
        }
        // Completed services come before others, except for failures.
        let rank = |phase: Phase| match phase {
            Phase::Failed => 0,
            Phase::CutShort => 1,
            Phase::Done => 2,
            Phase::Moving => 3,
            Phase::Waiting => 4,
        };
        counts.sort_by_key(|(phase, word, _)| (rank(*phase), *word == UNCHANGED));
        counts
            .iter()
            .map(|(_, word, count)| format!("{count} {word}"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The line of a verb, below its rows.
struct VerbLine {
    project: String,
    verb: String,
    style: Style,
    elapsed: String,
    counts: String,
}

impl VerbLine {
    /// On a narrow terminal it is omitted: the counts represent the rows that are not shown.
    fn line(&self, name_column: usize, narrow: bool) -> Line {
        if narrow {
            let line = Line::default()
                .then(SUBJECT, &self.project)
                .then(Style::new(), " ")
                .then(self.style, &self.verb);
            return line.then(Style::new(), &format!(" {}{GAP}{}", self.elapsed, self.counts));
        }
        columns(&self.project, name_column, (self.style, &self.verb), &self.elapsed)
            .then(Style::new(), &self.counts)
    }
}

fn row_line(name: &str, row: &Row, now: Duration, name_column: usize) -> Line {
    let (style, text_style) = match row.phase {
        Phase::Failed => (FAILURE, Style::new()),
        Phase::CutShort => (WARNING, ASIDE),
        Phase::Moving => (MOTION, ASIDE),
        Phase::Waiting => (ASIDE, ASIDE),
        Phase::Done => (SUCCESS, ASIDE),
    };
    columns(
        name,
        name_column,
        (style, &row.word),
        &row.elapsed(now).map(|time| shown_time(time, row.ticks())).unwrap_or_default(),
    )
    .then(text_style, &row.text)
}

fn columns(name: &str, name_column: usize, (style, word): (Style, &str), elapsed: &str) -> Line {
    let (word_column, time_column) = word_and_time(word);
    Line::default()
        .column(SUBJECT, name, name_column)
        .then(Style::new(), GAP)
        .column(style, word, word_column)
        .then(Style::new(), &format!("{GAP}{elapsed:>time_column$}{GAP}"))
}

fn log_line(indent: usize, text: &str) -> Line {
    Line::default().then(Style::new(), &" ".repeat(indent)).then(ASIDE, &format!("| {text}"))
}

/// A growing time always has the same unit and a decimal; otherwise it would flicker.
fn shown_time(time: Duration, ticks: bool) -> String {
    if ticks && time < Duration::from_mins(1) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        time::readable(time)
    }
}

/// The last column stays empty: on some terminals a character there breaks the line.
fn fitted(lines: &[Line], size: TerminalSize) -> Vec<String> {
    lines.iter().map(|line| line.fitted(size.columns.saturating_sub(1).max(1))).collect()
}
