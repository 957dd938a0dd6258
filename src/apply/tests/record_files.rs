//! Files of `.spc/` that can't be read: each error gives the reason once and a next step, and the
//! file is not changed.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the obstacles are made on the real file system, beside the host"
)]

use std::os::unix::fs::symlink;

use rustix::fs::{CWD, Mode, mkfifoat};
use similar_asserts::assert_eq;

use super::*;
use crate::apply::saved_options;
use crate::host::memory::LARGEST_VALUE;
use crate::host::real::RealHost;

const SECRET: &str = "a secret value";

/// An obstacle in place of a file.
enum Obstacle {
    Text(&'static str),
    Folder,
    Pipe,
    Symlink,
    DanglingSymlink,
    TooLarge,
    /// The folder of the file is none.
    FileInPlaceOfFolder,
}

/// A project in a folder of this machine.
struct RealProject {
    folder: tempfile::TempDir,
    host: RealHost,
    policy: Policy,
}

impl RealProject {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = RealHost::new();
        let root = host.canonicalize(folder.path()).unwrap();
        let policy = Policy::of_folder(&root, &|path| resolve(&host, path));
        Self { folder, host, policy }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(".spc").join(name)
    }

    fn put(&self, name: &str, obstacle: &Obstacle) {
        let path = self.path(name);
        let folder = path.parent().unwrap();
        if let Obstacle::FileInPlaceOfFolder = obstacle {
            std::fs::create_dir_all(folder.parent().unwrap()).unwrap();
            std::fs::write(folder, "no folder").unwrap();
            return;
        }
        std::fs::create_dir_all(folder).unwrap();
        match obstacle {
            Obstacle::Text(text) => std::fs::write(&path, text).unwrap(),
            Obstacle::Folder => std::fs::create_dir(&path).unwrap(),
            Obstacle::Pipe => mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap(),
            Obstacle::Symlink => {
                std::fs::write(self.folder.path().join("other"), "{}").unwrap();
                symlink("../other", &path).unwrap();
            }
            Obstacle::DanglingSymlink => symlink("nowhere", &path).unwrap(),
            Obstacle::TooLarge => {
                let file = std::fs::File::create(&path).unwrap();
                file.set_len(LARGEST_VALUE as u64 + 1).unwrap();
            }
            Obstacle::FileInPlaceOfFolder => {}
        }
    }

    /// Reads a file. Asserts that reading changes nothing.
    fn read(&self, name: &str) -> Result<(), Failure> {
        let before = std::fs::symlink_metadata(self.path(name)).ok();
        let records = records::Records::new(&self.host, &self.policy, PROJECT);
        let result = match name {
            "shop/state.json" => {
                let add = |state: &mut records::State| {
                    state.adopted.insert("net".to_owned());
                };
                records.update(add).unwrap();
                records.check()
            }
            "shop/key.json" => records.fingerprint(&BTreeMap::new()).map(drop).map_err(Into::into),
            _ => {
                let kept = saved_options::keep(
                    &self.host,
                    &self.policy,
                    None,
                    PROJECT,
                    &saved_options::SavedOptions::from([(
                        "tag".to_owned(),
                        saved_options::SavedOption {
                            value: "2".to_owned(),
                            described: None,
                            project: None,
                        },
                    )]),
                    &BTreeSet::new(),
                );
                let read = saved_options::read(&self.host, &self.policy, None).map(drop);
                assert_eq!(kept.as_ref().err(), read.as_ref().err());
                read
            }
        };
        if result.is_err() {
            let after = std::fs::symlink_metadata(self.path(name)).ok();
            let what = |it: Option<std::fs::Metadata>| {
                it.map(|it| (it.file_type(), it.len(), it.modified().unwrap()))
            };
            assert_eq!(what(before), what(after), "{name}");
        }
        result
    }
}

const FILES: [&str; 3] = ["shop/state.json", "shop/key.json", "options.json"];

#[test]
fn a_record_with_more_containers_than_a_description_can_have_is_rejected() {
    let project = RealProject::new();
    let text = r#"{"format": 1, "scales": {"w": {"described": 1, "wanted": 4294967295}}}"#;
    project.put("shop/state.json", &Obstacle::Text(text));
    let failure = project.read("shop/state.json").unwrap_err();
    assert!(failure.message.contains("its content was not written by spc"), "{failure}");
}

#[test]
fn only_a_record_that_is_not_there_counts_as_none() {
    for (obstacle, why) in [
        (Obstacle::Folder, "it is a folder"),
        (Obstacle::Pipe, "it is a pipe"),
        (Obstacle::Symlink, "a symlink is in its path, which spc does not follow"),
        (Obstacle::DanglingSymlink, "a symlink is in its path, which spc does not follow"),
        (Obstacle::TooLarge, "it is larger than 64 MiB"),
        (Obstacle::FileInPlaceOfFolder, "is not a folder"),
        (Obstacle::Text(""), " not "),
        (Obstacle::Text("{bad"), " not "),
        (Obstacle::Text("[]"), " not "),
        (Obstacle::Text(r#"{"x": {"y": 1, "y": 1}}"#), "the key \"y\" is in it twice"),
        (Obstacle::Text(r#"{"format": 1, "format": 1}"#), "the key \"format\" is in it twice"),
        (Obstacle::Text(r#"{"format": 0}"#), "its format is 0, not a whole number"),
        (Obstacle::Text(r#"{"format": 1.0}"#), "its format is 1.0, not a whole number"),
        (Obstacle::Text(r#"{"format": "1"}"#), "its format is \"1\", not a whole number"),
        (Obstacle::Text(r#"{"format": 3}"#), "format 3 is newer than this spc"),
        (
            Obstacle::Text(r#"{"format": 18446744073709551616}"#),
            "format above 18446744073709551615 is newer than this spc",
        ),
        (Obstacle::Text(r#"{"format": {"a": 1}}"#), ""),
    ] {
        for name in FILES {
            if matches!(obstacle, Obstacle::FileInPlaceOfFolder) && name == "options.json" {
                continue; // `.spc` itself
            }
            let project = RealProject::new();
            project.put(name, &obstacle);
            let failure = project.read(name).unwrap_err();
            let path = project.host.canonicalize(project.folder.path()).unwrap();
            let path = path.join(".spc").join(name).display().to_string();
            assert!(failure.message.contains(&path), "{name}: {failure}");
            assert!(failure.message.contains(why), "{name}: {failure}");
            assert_eq!(failure.message.matches("ould not read").count(), 1, "{failure}");
            assert_eq!(failure.message.matches(&path).count(), 1, "{failure}");
            let step = format!("{} {:?}", failure.message, failure.hint);
            assert!(step.contains("remove it") || step.contains("use the version"), "{failure:?}");
        }
    }
    for name in FILES {
        assert_eq!(RealProject::new().read(name), Ok(()), "{name}");
    }
}

#[test]
fn records_are_for_the_owners_eyes_alone() {
    use std::os::unix::fs::PermissionsExt;

    for name in FILES {
        let project = RealProject::new();
        for _ in 0..2 {
            project.read(name).unwrap();
            let mode = std::fs::metadata(project.path(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
            // The file as earlier versions wrote it.
            let text = match name {
                "shop/key.json" => r#"{"format": 1, "id": "a", "key": "b"}"#,
                "options.json" => r#"{"": {}}"#,
                _ => "{}",
            };
            std::fs::write(project.path(name), text).unwrap();
        }
    }
}

#[test]
fn a_record_that_one_may_not_read_stops_what_goes_by_it_before_anything_changes() {
    let path = "/project/.spc/shop/state.json";
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.host.set_mode(path, 0);
    let calls = machine.calls();
    let changed = with(shop(), "services.web.command", "other");
    let failure = machine.up(&changed).unwrap_err();
    assert_eq!(
        (failure.message.as_str(), failure.hint.as_deref()),
        (
            "Could not read the record of the project \"shop\" from \"/project/.spc/shop/state.json\": permission denied",
            Some(
                "give the user who runs spc read and write access to it, or remove it; spc then forgets numbers set with `scale`, and objects of Docker Compose need --adopt again"
            ),
        )
    );
    assert!(!machine.calls_from(calls).iter().any(|call| call.mutates));
    machine.host.set_mode(path, 0o600);
    machine.host.set_mode("/project/.spc/shop/key.json", 0);
    let failure = machine.up(&changed).unwrap_err();
    assert!(failure.message.contains("permission denied; give the user who runs spc"), "{failure}");
    assert!(!failure.message.contains(SECRET));
    assert!(!machine.calls_from(calls).iter().any(|call| call.mutates));
}
