//! Stacks of earlier versions: `up` does not change them, and `down` removes them.
//!
//! The engine's answers were recorded from real stacks (`tools/record_upgrade_fixture.sh`), with
//! their descriptions and records. A simulated engine begins with them, and the recorded runbooks
//! run again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use similar_asserts::assert_eq;
use spc::engine::ApiVersion;
use spc::engine::sim::{SimEngine, Snapshot};
use spc::host::sim::executor::SimTaskExecutor;
use spc::host::sim::{SimHost, epoch};
use spc::machine::{CompletedRun, World};
use spc::model::event::Event;
use spc::policy::CheckedPath;

/// The folder in which the stacks were recorded. Bind mounts are compared by their absolute paths.
const ROOT: &str = "/srv/spc-upgrade";

/// Each recording: its name, the folder of its description, and its project directory.
const RECORDINGS: [(&str, &str, &str); 3] = [
    ("development", "reference", "examples/spc"),
    ("production", "reference", "examples/spc"),
    ("features", "features", ""),
];

/// The content of one recording.
#[derive(Deserialize)]
struct Recording {
    spc: String,
    project: String,
    at: DateTime<Utc>,
    api: String,
    containers: Vec<models::ContainerSummary>,
    container_inspects: Vec<models::ContainerInspectResponse>,
    images: Vec<models::ImageSummary>,
    image_inspects: Vec<models::ImageInspect>,
    networks: Vec<models::Network>,
    volumes: Vec<models::Volume>,
}

/// Every version's recordings.
fn versions() -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut found: Vec<PathBuf> = fs::read_dir(fixtures)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("upgrade-"))
        .collect();
    found.sort();
    found
}

/// A machine with a running stack of an earlier version.
struct Machine {
    world: World,
    recording: Recording,
    scripts: PathBuf,
}

impl Machine {
    fn new(version: &Path, (name, folder, directory): (&str, &str, &str)) -> Self {
        let recording: Recording =
            serde_json::from_slice(&fs::read(version.join(format!("{name}.json"))).unwrap())
                .unwrap();
        let (major, minor) = recording.api.split_once('.').unwrap();
        let snapshot = Snapshot {
            api: ApiVersion { major: major.parse().unwrap(), minor: minor.parse().unwrap() },
            containers: recording.containers.clone(),
            networks: recording.networks.clone(),
            volumes: recording.volumes.clone(),
            images: recording.images.clone(),
        };
        // One minute after the recording, so that all containers are healthy.
        let executor = SimTaskExecutor::starting_at(1, (recording.at - epoch()).to_std().unwrap());
        let engine = SimEngine::builder(executor.clone()).seeded(&snapshot).build();
        recording.container_inspects.iter().for_each(|found| engine.learn_container(found.clone()));
        recording.image_inspects.iter().for_each(|found| engine.learn_image(found.clone()));
        let root = Path::new(ROOT).join(folder);
        let mut host = SimHost::new(executor.clone()).with_current_folder(&root);
        for (from, to) in [
            (version.join(folder), root.clone()),
            (version.join(format!("{name}-records")), root.join(directory).join(".spc")),
        ] {
            for (path, content) in files(&from) {
                // git ignores `.env`, so the recording contains it under another name.
                let path = to
                    .join(path)
                    .to_string_lossy()
                    .replace("/examples/spc/env", "/examples/spc/.env");
                host = host.with_file(path, content);
            }
        }
        let world = World::of(executor, engine, host, 1);
        Self { world, recording, scripts: root.join("scripts") }
    }

    fn run(&self, runbook: &str) -> CompletedRun {
        self.world.run(&self.scripts.join(runbook), &[])
    }
}

/// All files below `folder`, by their paths relative to it.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let entry = entry.unwrap();
        let name = PathBuf::from(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.extend(
                files(&entry.path()).into_iter().map(|(path, content)| (name.join(path), content)),
            );
        } else {
            found.push((name, fs::read(entry.path()).unwrap()));
        }
    }
    found
}

/// The steps of a plan and the reports, to show the cause of a change.
fn said(ran: &CompletedRun) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Planned { steps, notes, .. } => Some(format!("{steps:#?}\n{notes:#?}")),
        Event::Log { text, .. } | Event::Print { text } => Some(text.clone()),
        _ => None,
    };
    ran.events.iter().filter_map(text).collect()
}

#[test]
fn up_does_not_touch_a_stack_of_an_earlier_version() {
    assert!(!versions().is_empty());
    for version in versions() {
        for recording in RECORDINGS {
            let machine = Machine::new(&version, recording);
            let before = machine.world.engine.state();
            let ran = machine.run("up.rhai");
            let what = format!("{} of version {}", recording.0, machine.recording.spc);
            assert_eq!(ran.code(), 0, "{what}: {:?} {:#?}", ran.end, said(&ran));
            let changing: Vec<String> = machine
                .world
                .engine
                .calls()
                .iter()
                .filter(|call| call.mutates)
                .map(|call| format!("{} {}", call.method, call.target))
                .collect();
            assert_eq!(changing, [""; 0], "{what}: {:#?}", said(&ran));
            assert_eq!(ran.printed(), ["0 changes"], "{what}");
            assert!(
                !ran.events.iter().any(|event| matches!(event, Event::Planned { .. })),
                "{what}: {:#?}",
                said(&ran)
            );
            assert_eq!(machine.world.engine.state(), before, "{what}");
            assert_eq!(machine.world.engine.violations(), [], "{what}");
        }
    }
}

#[test]
fn down_removes_a_stack_of_an_earlier_version() {
    for version in versions() {
        for recording in RECORDINGS {
            let machine = Machine::new(&version, recording);
            let ran = machine.run("down.rhai");
            assert_eq!(ran.code(), 0, "{}: {:?} {:#?}", recording.0, ran.end, said(&ran));
            let state = machine.world.engine.state();
            let left = (state.containers.len(), state.networks.len(), state.volumes.len());
            assert_eq!(
                left,
                (0, 0, 0),
                "{} {}: {state:#?}",
                machine.recording.project,
                recording.0
            );
            assert_eq!(machine.world.engine.violations(), [], "{}", recording.0);
        }
    }
}

/// Checks that the tests above can fail: the compared values exist.
#[test]
fn a_changed_description_of_a_recorded_stack_is_seen() {
    for version in versions() {
        for (recording, file, from, to) in [
            (RECORDINGS[0], "scripts/stack.rhai", "REDIS_PORT: \"6379\"", "REDIS_PORT: \"6380\""),
            (
                RECORDINGS[1],
                "scripts/stack.rhai",
                "stop_grace_period: \"40s\"",
                "stop_grace_period: \"41s\"",
            ),
            (RECORDINGS[2], "compose.yaml", "content: \"a = 1\\n\"", "content: \"a = 2\\n\""),
        ] {
            let machine = Machine::new(&version, recording);
            let path = CheckedPath::trusted(Path::new(ROOT).join(recording.1).join(file));
            let text = String::from_utf8(
                spc::host::Host::read(&*machine.world.host, &path).unwrap().into(),
            )
            .unwrap();
            assert!(text.contains(from), "{file} holds {from}");
            spc::host::Host::write(
                &*machine.world.host,
                &path,
                text.replace(from, to).as_bytes(),
                None,
            )
            .unwrap();
            let calls = machine.world.engine.calls().len();
            machine.world.engine.crash_at(calls as u64 + 60, spc::engine::sim::CallSide::Before);
            machine.run("up.rhai");
            assert!(
                machine.world.engine.calls().iter().any(|call| call.mutates),
                "{} in {}",
                to,
                recording.0
            );
        }
    }
}

#[test]
fn an_image_that_an_earlier_version_built_is_not_built_again() {
    for version in versions() {
        let machine = Machine::new(&version, RECORDINGS[2]);
        let script = "compose(\"compose.yaml\").build();\n";
        spc::host::Host::write(
            &*machine.world.host,
            &CheckedPath::trusted(machine.scripts.join("build.rhai")),
            script.as_bytes(),
            None,
        )
        .unwrap();
        let ran = machine.run("build.rhai");
        assert_eq!(ran.code(), 0, "{:?}", ran.end);
        assert!(
            !machine.world.engine.calls().iter().any(|call| call.method == "image_build"),
            "{:#?}",
            said(&ran)
        );
    }
}

/// Reads the recording at once, without virtual time.
#[test]
fn an_untouched_stack_takes_no_time() {
    for version in versions() {
        let machine = Machine::new(&version, RECORDINGS[1]);
        assert!(machine.run("up.rhai").took < Duration::from_secs(1));
    }
}
