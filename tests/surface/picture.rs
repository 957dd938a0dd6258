//! The picture of the README, which `make pictures` draws from runs on a real engine, shows what spc
//! prints today.
//!
//! The names, the words and the columns of the run are compared with the plan in the picture and with
//! the runbook. Times, the order of services that start together, and colours come from the recorded
//! run.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use similar_asserts::assert_eq;

const PICTURE: &str = include_str!("../../docs/pictures/up.svg");
const RUNBOOK: &str = include_str!("../../scripts/up.rhai");

/// The width of a character in the picture.
const CHARACTER: f64 = 12.2;

/// The lines of text in the picture.
fn lines() -> Vec<String> {
    let text = Regex::new(r#"<text class="[^"]*" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>"#);
    let mut lines: BTreeMap<u64, String> = BTreeMap::new();
    for found in text.unwrap().captures_iter(PICTURE) {
        let number = |index: usize| found[index].parse::<f64>().unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positions")]
        let (column, row) = ((number(1) / CHARACTER).round() as usize, (number(2) * 10.0) as u64);
        let line = lines.entry(row).or_default();
        let missing = column.saturating_sub(line.chars().count());
        line.extend(std::iter::repeat_n(' ', missing));
        *line += &found[3].replace("&#160;", " ").replace("&quot;", "\"").replace("&amp;", "&");
    }
    lines.into_values().map(|line| line.trim_end().to_owned()).collect()
}

/// The lines below `$ command`, up to the next empty one.
fn below(command: &str) -> Vec<String> {
    let prompt = format!("$ {command}");
    let after = lines().into_iter().skip_while(move |line| *line != prompt).skip(1);
    let found: Vec<String> = after.take_while(|line| !line.is_empty()).collect();
    assert!(!found.is_empty(), "{command}: {:?}", lines());
    found
}

/// The changes of the plan in the picture: the names of its objects.
fn planned() -> Vec<String> {
    let lines = below("spc plan scripts/up.rhai");
    let objects = lines.iter().filter_map(|line| line.trim_start().strip_prefix("+ "));
    objects.filter_map(|line| line.split("  ").next()).map(str::to_owned).collect()
}

#[test]
fn the_run_in_the_picture_does_what_the_plan_lists() {
    let lines = below("spc run scripts/up.rhai");
    // The rows of the runbook's own table follow its heading.
    let heading = lines.iter().position(|line| line.starts_with("SERVICE")).unwrap();
    let (progress, rows) = lines.split_at(heading);
    let first = |line: &String| line.chars().take(14).collect::<String>().trim().to_owned();
    let services: BTreeSet<String> =
        planned().into_iter().filter(|name| !name.contains(' ')).collect();
    let done: BTreeSet<String> = progress.iter().map(first).collect();
    let others = ["network", "spc"].map(str::to_owned);
    assert_eq!(done, services.iter().cloned().chain(others).collect());
    let words: BTreeSet<&str> = progress
        .iter()
        .filter(|line| services.contains(&first(line)))
        .filter_map(|line| line.get(14..)?.split_whitespace().next())
        .collect();
    assert_eq!(words, BTreeSet::from(["ready"]));
    let last = progress.last().unwrap();
    assert!(last.ends_with(&format!("{} ready", services.len())), "{last}");
    let columns: Vec<String> = RUNBOOK
        .split_once("print(table(done.services, [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(columns, _)| {
            columns.split(", ").map(|name| name.trim_matches('"').to_uppercase().replace('_', " "))
        })
        .unwrap()
        .collect();
    let shown: Vec<String> = rows[0]
        .split("  ")
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(shown, columns);
    assert_eq!(rows[1..].iter().map(first).collect::<BTreeSet<_>>(), services);
}
