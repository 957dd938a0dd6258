//! Where a run is killed: chosen from the calls of a clean one. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::engine::sim::{Call, When};
use crate::model::names::locked_project;

/// The method of a heartbeat, when it is made for the lock's container.
const BEAT: &str = "container_upload";

/// A run's first call is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point {
    pub call: u64,
    pub when: Side,
}

/// On which side of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The engine never hears of it.
    Before,
    /// The engine has done it, and the run does not learn so.
    After,
}

impl From<Side> for When {
    fn from(side: Side) -> Self {
        match side {
            Side::Before => Self::Before,
            Side::After => Self::After,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.call, self.when)
    }
}

impl FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("\"{text}\" is no point of a run: the number of a call and a side of it, as in 17:before or 17:after");
        let (call, when) = text.split_once(':').ok_or_else(wrong)?;
        let call = call.parse().ok().filter(|call| *call > 0).ok_or_else(wrong)?;
        let when = match when {
            "before" => Side::Before,
            "after" => Side::After,
            _ => return Err(wrong()),
        };
        Ok(Self { call, when })
    }
}

/// A call with the name of what it was made for in place of its id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub method: &'static str,
    /// Empty for lists.
    pub target: String,
    pub mutates: bool,
}

impl Named {
    /// `names`: what an id is called.
    pub fn new(call: &Call, names: &BTreeMap<String, String>) -> Self {
        let target = names.get(&call.target).unwrap_or(&call.target).clone();
        Self { method: call.method, target, mutates: call.mutates }
    }

    /// Whether it asks for a project's lock.
    pub fn locks(&self) -> bool {
        self.method == "container_create" && locked_project(&self.target).is_some()
    }

    fn is_heartbeat(&self) -> bool {
        self.method == BEAT && locked_project(&self.target).is_some()
    }

    /// Whether what it makes has a name that is the caller's choice.
    pub fn names(&self) -> bool {
        self.method.ends_with("_create") || matches!(self.method, "image_build" | "image_pull" | "image_tag" | "image_import")
    }

    /// Whether it brings about something of its own, and not a look into a container.
    pub fn is_change(&self) -> bool {
        self.mutates && !self.is_heartbeat() && self.method != "exec_start"
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.method)?;
        if self.target.is_empty() { Ok(()) } else { write!(f, " {}", self.target) }
    }
}

/// Both sides of every call.
pub fn all(calls: &[Named]) -> Vec<Point> {
    (1..=calls.len() as u64).flat_map(both_sides).collect()
}

/// Both sides of every change; of reads, of commands in containers and of heartbeats each kind once in every phase: between two
/// kinds of changes. What only reads leaves nothing behind, so that killing after it is killing before the next call.
pub fn chosen(calls: &[Named]) -> Vec<Point> {
    let mut phase = "";
    let mut known = BTreeSet::new();
    let mut points = Vec::new();
    for (call, index) in calls.iter().zip(1..) {
        if call.is_change() {
            points.extend(both_sides(index));
            phase = call.method;
        } else if known.insert((phase, call.method)) {
            points.extend(both_sides(index).into_iter().filter(|point| call.mutates || point.when == Side::Before));
        }
    }
    let last = Point { call: calls.len() as u64, when: Side::After };
    if !calls.is_empty() && points.last() != Some(&last) {
        points.push(last);
    }
    points
}

fn both_sides(call: u64) -> [Point; 2] {
    [Point { call, when: Side::Before }, Point { call, when: Side::After }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use similar_asserts::assert_eq;

    fn call(text: &'static str) -> Named {
        let (method, target) = text.split_once(' ').unwrap_or((text, ""));
        let mutates = !["list", "inspect", "events"].iter().any(|end| method.ends_with(end));
        Named { method, target: target.to_owned(), mutates }
    }

    fn words(points: &[Point]) -> String {
        points.iter().map(Point::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn every_change_is_a_point_on_both_sides_and_every_kind_of_read_once_in_a_phase() {
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
        ]
        .map(call);
        let expected = "1:before 3:before 3:after 4:before 6:before 6:after 8:before 8:after 9:before 9:after";
        assert_eq!(words(&chosen(&calls)), expected);
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
        ]
        .map(call);
        let expected = "1:before 1:after 2:before 2:after 3:before 3:after 4:before 4:after 5:before 5:after 6:after";
        assert_eq!(words(&chosen(&calls)), expected);
    }

    #[test]
    fn all_points_are_both_sides_of_every_call() {
        assert_eq!(words(&all(&["container_list", "container_start a"].map(call))), "1:before 1:after 2:before 2:after");
        assert_eq!(chosen(&[]), []);
    }

    #[test]
    fn a_point_reads_as_it_is_written() {
        for text in ["1:before", "17:after"] {
            assert_eq!(text.parse::<Point>().unwrap().to_string(), text);
        }
        for text in ["", "17", "0:after", "x:after", "17:during", ":", "17:after "] {
            let error = text.parse::<Point>().unwrap_err();
            assert_eq!(
                error,
                format!("\"{text}\" is no point of a run: the number of a call and a side of it, as in 17:before or 17:after")
            );
        }
    }
}
