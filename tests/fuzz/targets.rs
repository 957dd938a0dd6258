//! The targets of the fuzz tests, and the properties that hold for any input: no panic, and
//! positions inside the text.
//!
//! There is one function for each parser. `mod.rs` runs them on mutated seeds, and `fuzz/` runs
//! them under libFuzzer.

use std::collections::BTreeMap;
use std::path::Path;

use bollard::models::BuildInfo;
use spc::apply::dockerignore::{Dockerignore, IgnoreDecision};
use spc::compose::{ComposeFile, dotenv, dotenv_quoting, file, interpolate};
use spc::engine::docker::build_progress::Progress;
use spc::model::spec::{Project, ReadOptions};
use spc::model::{dockerfile, hash, image_reference, ownership};
use spc::policy::settings::Settings;

/// A parser and its property.
pub type Target = (&'static str, fn(&[u8]));

/// All targets, by the names of their seed files and fuzz targets.
pub const TARGETS: [Target; 8] = [
    ("build_progress", build_progress_reports),
    ("compose_file", compose_file),
    ("dockerfile", dockerfile_text),
    ("dockerignore", dockerignore),
    ("dotenv", dotenv_file),
    ("interpolation", interpolation),
    ("labels", labels),
    ("policy", policy),
];

fn variable(name: &str) -> Option<String> {
    match name {
        "A" => Some("a value".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

/// Asserts that a line and a column, both from 1, are the position of a character or of a line's
/// end.
fn assert_inside(text: &str, line: usize, column: usize) {
    assert!(line >= 1 && column >= 1, "{line}:{column} is no place");
    // If a text ends with a newline, it has another empty line.
    let of_line =
        text.split('\n').nth(line - 1).unwrap_or_else(|| panic!("there is no line {line}"));
    assert!(column <= of_line.chars().count() + 1, "there is no column {column} in line {line}");
}

/// Interpolation of variables in a text.
pub fn interpolation(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match interpolate::interpolate(&text, &variable) {
        Ok(filled) if !text.contains('$') => {
            assert_eq!(filled.text, text, "without a variable nothing changes");
        }
        Ok(filled) => assert!(filled.unset.iter().all(|name| variable(name).is_none())),
        Err(error) => assert!(
            text.get(error.span.clone()).is_some_and(|it| it.starts_with('$')),
            "{:?} is no expression",
            error.span
        ),
    }
}

/// An env file. Any text that is written as a value must read back unchanged.
pub fn dotenv_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = dotenv::parse(bytes, &variable) {
        assert_inside(text.trim_start_matches('\u{feff}'), error.line, error.column);
    }
    if !text.contains(['\0', '\r']) {
        let value = dotenv_quoting::quoted(&text).expect("a file can hold it");
        let written = format!("KEY={value}\n");
        let read = dotenv::parse(written.as_bytes(), &variable)
            .unwrap_or_else(|error| panic!("{written:?}: {error}"));
        let value = read
            .variables
            .iter()
            .find(|(name, _)| *name == "KEY")
            .map(|(_, value)| value.value.as_str());
        assert_eq!(value, Some(text.as_ref()), "{written:?}");
    }
}

/// A compose file and the stack that it describes.
pub fn compose_file(bytes: &[u8]) {
    let source = std::sync::Arc::new(file::source("compose.yml", bytes));
    let text = source.text.clone();
    let outcome = ComposeFile::read(source, bytes, &variable).and_then(|file| {
        let _ = file.project_name()?;
        let options = ReadOptions { directory: Path::new("/srv/shop"), lookup: &variable };
        Project::read("shop", &file.description(Vec::new()), &options)
            .map_err(|failure| file.placed(failure))
    });
    match outcome {
        Ok(project) => {
            let secrets = spc::model::secret::Secrets::new();
            for service in project.services.values() {
                assert!(hash::is_of_service(
                    &hash::service(service, &project, &secrets),
                    service,
                    &project,
                    &secrets
                ));
                let parts = hash::parts(service, &project, &secrets);
                assert_eq!(
                    hash::changed_in(&parts, service, &project, &secrets),
                    Vec::<String>::new()
                );
            }
        }
        Err(failure) => {
            if let Some(place) = failure.place {
                assert_inside(&text, place.line, place.column);
            }
        }
    }
}

/// The files of a build context that `.dockerignore` does not exclude.
pub fn dockerignore(bytes: &[u8]) {
    let Ok(patterns) = Dockerignore::parse(".dockerignore", bytes) else { return };
    let mut folder = IgnoreDecision::default();
    for path in ["src", "src/a.rs", "src/a b", "src/ä.txt"] {
        let judgement = patterns.judge(path, &folder);
        if path == "src" {
            folder = judgement;
        }
    }
}

/// A Dockerfile: its downloads, labels, images and frontends.
pub fn dockerfile_text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split('\n').count();
    let arguments = BTreeMap::from([("A".to_owned(), "a value".to_owned())]);
    assert!(dockerfile::lines(&text).iter().all(|line| (1..=lines).contains(&line.number)));
    assert!(
        dockerfile::downloads(&text, &arguments).iter().all(|it| (1..=lines).contains(&it.line))
    );
    assert!(
        dockerfile::reserved_label(&text, &arguments)
            .is_none_or(|it| (1..=lines).contains(&it.line))
    );
    dockerfile::possible_downloads(&text);
    dockerfile::possible_bases(&text);
    dockerfile::possible_frontends(&text);
    dockerfile::has_own_frontend(&text);
}

/// The builder's output, one JSON object per line, and its failure message.
pub fn build_progress_reports(bytes: &[u8]) {
    let mut progress = Progress::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Ok(report) = serde_json::from_slice::<BuildInfo>(line) {
            progress.take(report);
        }
    }
    progress.rest();
    progress.failure(&String::from_utf8_lossy(bytes));
}

/// The labels of a container and of its image as `key=value` lines. Both are untrusted.
pub fn labels(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let labels: ownership::Labels = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let inherited =
        labels.iter().step_by(2).map(|(key, value)| (key.clone(), value.clone())).collect();
    for image in [None, Some(&inherited)] {
        let proven = ownership::set_at_create("shop-web-1", &labels, image);
        assert!(
            proven.iter().all(|(key, value)| labels.get(key) == Some(value)),
            "no label is made up"
        );
    }
    for value in labels.values() {
        hash::changed_parts(value, "image=1a2b3c4d,environment.A=5e6f7a8b");
        let canonical = image_reference::canonical(value);
        assert_eq!(image_reference::canonical(&canonical), canonical, "{value:?}");
    }
}

/// A `spc.toml`.
pub fn policy(bytes: &[u8]) {
    if let Err(errors) = Settings::parse(bytes) {
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{feff}');
        for error in [errors.first].iter().chain(&errors.rest) {
            assert_inside(text, error.line, error.column);
        }
    }
}
