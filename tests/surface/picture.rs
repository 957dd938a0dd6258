//! The picture of the README, which `make pictures` draws from runs on a real engine, shows what spc
//! prints today.
//!
//! The plan in the picture is compared as a whole with a plan on a fake engine in the same state. Of
//! the run, only the names, the words and the columns are compared. Its times, the order of services
//! that start together, and its colours come from the recorded run.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex_lite::Regex;
use serde_json::json;
use similar_asserts::assert_eq;

use crate::support::{Answer, Spc};

const PICTURE: &str = include_str!("../../docs/pictures/up.svg");
const RUNBOOK: &str = include_str!("../../scripts/up.rhai");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

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

/// An engine with the images and volumes of the reference stack, as `make pictures` leaves them
/// before the first command.
fn engine(request: &str) -> Answer {
    let images = [
        "postgres:15-alpine",
        "redis:7-alpine",
        "spc-backend:dev-development",
        "spc-frontend:dev-development",
    ];
    let volumes = ["postgres_data", "redis_data", "backend_static", "backend_media"];
    let body = match request {
        "GET /_ping" => return Answer::of_api("1.41", "OK"),
        _ if request.starts_with("GET /volumes?") => {
            let volume = |name: &&str| {
                let labels = json!({
                    "dev.spc.project": "spc",
                    "com.docker.compose.project": "spc",
                    "com.docker.compose.volume": name,
                });
                json!({ "Name": format!("spc_{name}"), "Driver": "local", "Mountpoint": "", "Scope": "local", "Options": {}, "Labels": labels })
            };
            json!({ "Volumes": volumes.iter().map(volume).collect::<Vec<_>>() })
        }
        _ if request.starts_with("GET /images/json") => {
            let image = |(index, name): (usize, &&str)| json!({ "Id": format!("sha256:{index:064}"), "ParentId": "", "RepoTags": [name], "RepoDigests": [], "Created": 0, "Size": 0, "SharedSize": -1, "Containers": -1, "Labels": {} });
            images.iter().enumerate().map(image).collect()
        }
        _ if request.starts_with("GET /images/") => {
            // It is asked for by its id.
            let id = |index: &usize| request.contains(&format!("{index:064}"));
            let index = (0..images.len()).find(id).unwrap();
            json!({ "Id": format!("sha256:{index:064}"), "Config": { "Cmd": ["serve"] } })
        }
        _ if request.starts_with("GET /info") => json!({}),
        _ if request.starts_with("GET /containers/json")
            || request.starts_with("GET /networks") =>
        {
            json!([])
        }
        _ => return Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    };
    Answer::of_api("1.41", &body.to_string())
}

/// Without the line of the runbook, which another comment in it changes.
fn without_line(text: &str) -> String {
    Regex::new(r"up\.rhai:\d+").unwrap().replace(text, "up.rhai:LINE").into_owned()
}

/// The changes of the plan in the picture: the names of its objects.
fn planned() -> Vec<String> {
    let lines = below("spc plan scripts/up.rhai");
    let objects = lines.iter().filter_map(|line| line.trim_start().strip_prefix("+ "));
    objects.filter_map(|line| line.split("  ").next()).map(str::to_owned).collect()
}

#[test]
fn the_plan_in_the_picture_is_todays() {
    // Whatever networks this machine has: spc rejects a subnet with one of its addresses.
    let mut spc = Spc::new()
        .file("examples/spc/backend/manage.py", "")
        .file("examples/spc/frontend/index.html", "");
    for name in ["spc.toml", "examples/spc/.env.example"] {
        spc = spc.file(name, std::fs::read(Path::new(ROOT).join(name)).unwrap());
    }
    for entry in std::fs::read_dir(Path::new(ROOT).join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rhai") {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = format!("scripts/{}", path.file_name().unwrap().to_str().unwrap());
            spc = spc.file(&name, text.replace("172.20.0.0/16", "198.18.7.0/24"));
        }
    }
    let ended = spc
        .engine(engine)
        .args(["plan", "--env-file", "examples/spc/.env.example", "scripts/up.rhai"])
        .output();
    assert_eq!(ended.code, 0, "{ended}");
    let expected: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(
        without_line(&below("spc plan scripts/up.rhai").join("\n")),
        without_line(&expected.join("\n")),
        "run `make pictures`"
    );
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
