//! Selects the points of the kills from the calls of an undisturbed run. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::engine::sim::{Call, CallSide};
use crate::host::sim::Change;
pub use crate::host::sim::ChangeSide;
use crate::model::names::locked_project;

/// The method of a heartbeat, if its object is the lock's container.
const BEAT: &str = "container_upload";

/// A point in a run: a call of the engine, or a change on the host. The first of each is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub on: Port,
    pub number: u64,
    pub side: ChangeSide,
}

/// The port that the run uses at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    Engine,
    Host,
}

impl From<ChangeSide> for CallSide {
    fn from(side: ChangeSide) -> Self {
        match side {
            ChangeSide::Before => Self::Before,
            ChangeSide::After => Self::After,
        }
    }
}

/// The folder of spc's own records.
const RECORDS: &str = ".spc";

/// The prefix of changes on the host: `h3:after`.
const HOST_MARK: char = 'h';

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.on {
            Port::Engine => write!(f, "{}:{}", self.number, self.side),
            Port::Host => write!(f, "{HOST_MARK}{}:{}", self.number, self.side),
        }
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is not a point of a run: the number of an engine call (17), or of a change on the host (h3), and a side of it, \
                 as in 17:before or h3:after"
            )
        };
        let (number, side) = text.split_once(':').ok_or_else(wrong)?;
        let (on, number) = number
            .strip_prefix(HOST_MARK)
            .map_or((Port::Engine, number), |number| (Port::Host, number));
        let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        let side = [ChangeSide::Before, ChangeSide::After]
            .into_iter()
            .find(|known| known.to_string() == side)
            .ok_or_else(wrong)?;
        Ok(Self { on, number, side })
    }
}

/// The actions of a run, in order: its calls, and its changes on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MutationLog {
    pub calls: Vec<NamedCall>,
    pub changes: Vec<NamedCall>,
}

impl MutationLog {
    /// The action at a point.
    pub fn at(&self, point: Point) -> Option<&NamedCall> {
        let mutations = match point.on {
            Port::Engine => &self.calls,
            Port::Host => &self.changes,
        };
        mutations.get(usize::try_from(point.number).ok()?.checked_sub(1)?)
    }
}

/// A call, with the name of its object in place of the id; or a change on the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedCall {
    pub method: &'static str,
    /// Empty for lists.
    pub target: String,
    pub mutates: bool,
}

impl NamedCall {
    /// `names`: the names of ids.
    pub fn new(call: &Call, names: &BTreeMap<String, String>) -> Self {
        let target = names.get(&call.target).unwrap_or(&call.target).clone();
        Self { method: call.method, target, mutates: call.mutates }
    }

    /// A change on the host; paths are relative to `root`.
    pub fn on_host(change: &Change, root: &Path) -> Self {
        let target =
            change.target.strip_prefix(root).unwrap_or(&change.target).display().to_string();
        Self { method: change.method, target, mutates: true }
    }

    fn is_heartbeat(&self) -> bool {
        self.method == BEAT && locked_project(&self.target).is_some()
    }

    /// Whether the caller chooses the name of the object that it creates.
    pub fn names(&self) -> bool {
        self.method.ends_with("_create")
            || matches!(self.method, "image_build" | "image_pull" | "image_tag" | "image_import")
    }

    /// Whether it changes something, and doesn't only read from a container.
    pub fn is_change(&self) -> bool {
        self.mutates && !self.is_heartbeat() && self.method != "exec_start"
    }
}

impl fmt::Display for NamedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method)?;
        if self.target.is_empty() { Ok(()) } else { write!(f, " {}", self.target) }
    }
}

/// Both sides of everything.
pub fn all(mutations: &MutationLog) -> Vec<Point> {
    let every = |on, mutations: &[NamedCall]| {
        (1..=mutations.len() as u64)
            .flat_map(move |number| both_sides(on, number))
            .collect::<Vec<_>>()
    };
    [every(Port::Engine, &mutations.calls), every(Port::Host, &mutations.changes)].concat()
}

/// Both sides of every change. Of commands in containers and of heartbeats, each kind once in every
/// phase (between two kinds of changes). Of reads, each kind once. A read has no effect, so a kill
/// after it equals a kill before the next call. On the host, each file to which the run appends
/// counts once, and so does each of spc's own records.
pub fn chosen(mutations: &MutationLog) -> Vec<Point> {
    let calls = &mutations.calls;
    let mut phase = "";
    let mut known = BTreeSet::new();
    let mut points = Vec::new();
    for (call, number) in calls.iter().zip(1..) {
        let both = both_sides(Port::Engine, number);
        if call.is_change() {
            points.extend(both);
            phase = call.method;
        } else if known.insert((call.method, if call.mutates { phase } else { "" })) {
            points.extend(
                both.into_iter().filter(|point| call.mutates || point.side == ChangeSide::Before),
            );
        }
    }
    let last = Point { on: Port::Engine, number: calls.len() as u64, side: ChangeSide::After };
    if !calls.is_empty() && points.last() != Some(&last) {
        points.push(last);
    }
    let mut repeated = BTreeSet::new();
    for (change, number) in mutations.changes.iter().zip(1..) {
        let counts_once = change.method == "append"
            || Path::new(&change.target).components().any(|part| part.as_os_str() == RECORDS);
        if !counts_once || repeated.insert((change.method, &change.target)) {
            points.extend(both_sides(Port::Host, number));
        }
    }
    points
}

fn both_sides(on: Port, number: u64) -> [Point; 2] {
    [ChangeSide::Before, ChangeSide::After].map(|side| Point { on, number, side })
}

#[cfg(test)]
mod tests {
    use super::*;
    use similar_asserts::assert_eq;

    fn mutations(calls: &[&'static str], changes: &[&'static str]) -> MutationLog {
        let named = |mutations: &[&'static str]| mutations.iter().map(|text| call(text)).collect();
        MutationLog { calls: named(calls), changes: named(changes) }
    }

    fn call(text: &'static str) -> NamedCall {
        let (method, target) = text.split_once(' ').unwrap_or((text, ""));
        let mutates = !["list", "inspect", "events"].iter().any(|end| method.ends_with(end));
        NamedCall { method, target: target.to_owned(), mutates }
    }

    fn words(points: &[Point]) -> String {
        points.iter().map(Point::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_change_is_a_point_on_both_sides_and_every_kind_of_read_once() {
        let calls = [
            "container_list",
            "container_list",
            "volume_create shop_data",
            "container_inspect shop-db-1",
            "container_inspect shop-web-1",
            "exec_start shop-db-1",
            "exec_start shop-db-1",
            "container_start shop-db-1",
            "container_inspect shop-db-1",
        ];
        let expected =
            "1:before 3:before 3:after 4:before 6:before 6:after 8:before 8:after 9:after";
        assert_eq!(words(&chosen(&mutations(&calls, &[]))), expected);
    }

    #[test]
    fn heartbeats_count_once_in_a_phase_and_other_uploads_always() {
        let calls = [
            "container_create shop.spc-lock",
            "container_upload shop.spc-lock",
            "container_upload shop-db-1",
            "container_upload shop-web-1",
            "container_upload shop.spc-lock",
            "container_upload shop.spc-lock",
        ];
        let expected = "1:before 1:after 2:before 2:after 3:before 3:after 4:before 4:after 5:before 5:after 6:after";
        assert_eq!(words(&chosen(&mutations(&calls, &[]))), expected);
    }

    #[test]
    fn on_the_host_every_change_counts_and_what_is_added_to_a_file_once() {
        let changes = [
            "write a",
            "append log",
            "write a",
            "append log",
            "append other",
            "write .spc/state.json",
            "write .spc/state.json",
        ];
        let expected = "h1:before h1:after h2:before h2:after h3:before h3:after h5:before h5:after h6:before h6:after";
        assert_eq!(words(&chosen(&mutations(&[], &changes))), expected);
    }

    #[test]
    fn all_points_are_both_sides_of_everything() {
        let mutations = mutations(&["container_list", "container_start a"], &["write a"]);
        assert_eq!(words(&all(&mutations)), "1:before 1:after 2:before 2:after h1:before h1:after");
        assert_eq!(chosen(&MutationLog::default()), []);
    }

    #[test]
    fn a_point_parses_back_from_its_text() {
        for text in ["1:before", "17:after", "h3:after"] {
            assert_eq!(text.parse::<Point>().unwrap().to_string(), text);
        }
        for text in
            ["", "17", "0:after", "x:after", "17:during", ":", "17:after ", "h:after", "h0:before"]
        {
            let error = text.parse::<Point>().unwrap_err();
            assert!(error.starts_with(&format!("\"{text}\" is not a point of a run: ")), "{error}");
        }
    }
}
