//! Swaps a folder and a file for symlinks out of the project, again and again, while paths of
//! scripts are checked and used. A container that shares the folder can do the same.

#![expect(
    clippy::disallowed_methods,
    reason = "somebody else swaps the files, and at the same time"
)]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags};

use crate::host::real::RealHost;
use crate::host::resolve::resolve;
use crate::host::{Host, HostErrorKind, Result};
use crate::model::{Failure, Kind};
use crate::policy::{CheckedPath, Policy, Settings};

/// The number of uses of a path, and of swaps, that are required for a valid race.
const USES: usize = 300;
const SWAPS: usize = 300;
const DEADLINE: Duration = Duration::from_secs(60);

struct RaceFixture {
    _dir: tempfile::TempDir,
    root: PathBuf,
    host: RealHost,
    policy: Policy,
}

impl RaceFixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (path, content) in [
            ("project/data/file", "mine"),
            ("project/data/inner/file", "mine"),
            ("outside/file", "theirs"),
            ("outside/inner/file", "theirs"),
        ] {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), content).unwrap();
        }
        symlink("../outside", root.join("project/aside")).unwrap();
        let host = RealHost::new();
        let policy =
            Policy::new(&root.join("project"), Settings::default(), &|path| resolve(&host, path))
                .unwrap();
        Self { _dir: dir, root, host, policy }
    }

    /// Swaps `data`, the folder, for a symlink to the folder outside and back, each in one step.
    fn swap_folder(&self) {
        for _ in 0..2 {
            self.exchange("data");
            std::thread::yield_now();
        }
    }

    fn exchange(&self, name: &str) {
        let (data, aside) = (self.root.join("project").join(name), self.root.join("project/aside"));
        rustix::fs::renameat_with(CWD, data, CWD, aside, RenameFlags::EXCHANGE).unwrap();
    }

    /// Swaps `data/file` for a symlink to the file outside, whatever exists there.
    fn swap_file(&self) {
        let (file, new) = (self.root.join("project/data/file"), self.root.join("project/new"));
        symlink("../../outside/file", &new).unwrap();
        std::fs::rename(&new, &file).unwrap();
        std::thread::yield_now();
        std::fs::write(&new, "mine").unwrap();
        std::fs::rename(&new, &file).unwrap();
    }

    /// Uses paths while another thread swaps them. Returns how many uses succeeded and how many
    /// were rejected.
    fn run(
        &self,
        swap: fn(&Self),
        use_path: impl Fn(&Self) -> std::result::Result<(), Failure>,
    ) -> (usize, usize) {
        let (over, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
        let begun = Instant::now();
        let (mut done, mut refused) = (0, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    swap(self);
                    swaps.fetch_add(1, Ordering::Relaxed);
                }
            });
            let _over = StopOnDrop(&over);
            while (done + refused < USES || swaps.load(Ordering::Relaxed) < SWAPS)
                && begun.elapsed() < DEADLINE
            {
                match use_path(self) {
                    Ok(()) => done += 1,
                    Err(failure) => {
                        // In between, nothing exists there; and a folder that is being removed may
                        // get new files.
                        let expected =
                            matches!(failure.kind, Kind::Policy | Kind::NotFound | Kind::Conflict);
                        refused += 1;
                        assert!(expected, "{failure}");
                    }
                }
            }
        });
        self.outside_is_untouched();
        (done, refused)
    }

    fn outside_is_untouched(&self) {
        let outside = self.root.join("outside");
        for file in ["file", "inner/file"] {
            assert_eq!(std::fs::read_to_string(outside.join(file)).unwrap(), "theirs", "{file}");
        }
        let count = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
        assert_eq!((count(&outside), count(&outside.join("inner")), count(&self.root)), (2, 1, 2));
    }

    fn read(&self, path: &str) -> std::result::Result<String, Failure> {
        let path = self.policy.read_path(Path::new(path), &|path| resolve(&self.host, path))?;
        Ok(String::from_utf8(self.host.read(&path)?.into()).unwrap())
    }

    /// Uses a path that was checked before the swaps began: the longest possible time between check
    /// and use.
    fn write(
        &self,
        path: &str,
        act: impl Fn(&RealHost, &CheckedPath) -> Result<()>,
    ) -> std::result::Result<(), Failure> {
        let project = self.root.join("project");
        let path = CheckedPath::below(&project, &project.join(path)).unwrap();
        Ok(act(&self.host, &path)?)
    }
}

/// Ends the swaps even if the test fails, which would otherwise wait for them.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const SWAPPERS: [fn(&RaceFixture); 2] = [RaceFixture::swap_folder, RaceFixture::swap_file];

#[test]
#[ignore = "slow: `make test` runs it"]
fn nothing_outside_is_read_while_a_path_is_swapped() {
    for swap in SWAPPERS {
        RaceFixture::new().run(swap, |race| {
            for path in ["data/file", "data/inner/file"] {
                assert_eq!(race.read(path)?, "mine");
            }
            let folder =
                race.policy.read_path(Path::new("data"), &|path| resolve(&race.host, path))?;
            // The folder outside has no such file.
            race.host.list(&folder)?;
            Ok(())
        });
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn nothing_outside_is_written_made_or_removed_while_a_path_is_swapped() {
    for swap in SWAPPERS {
        RaceFixture::new().run(swap, |race| {
            race.write("data/written", |host, path| host.write(path, b"x", Some(0o600)))?;
            race.write("data/inner/appended", |host, path| host.append(path, b"x"))?;
            race.write("data/made/inner", Host::create_folder)?;
            race.write("data/made/inner/x", |host, path| host.write(path, b"x", None))?;
            race.write("data/made", Host::remove)?;
            race.write("data/written", |host, path| {
                host.rename(path, &path.parent().unwrap().join("moved"))
            })?;
            race.write("data/moved", Host::remove)
        });
        RaceFixture::new()
            .run(swap, |race| race.write("data/file", |host, path| host.append(path, b"")));
    }
}

#[test]
fn a_tree_that_is_removed_takes_nothing_with_it_that_a_swapped_symlink_leads_to() {
    let race = RaceFixture::new();
    race.run(RaceFixture::swap_folder, |race| {
        let made = race.write("data/tree/a/b", Host::create_folder);
        made.and_then(|()| race.write("data/tree", Host::remove))
    });
    // Removes the tree itself while a folder in it is sometimes a symlink.
    let swap = |race: &RaceFixture| {
        let inner = race.root.join("project/data/tree/inner");
        // The tree appears and disappears, so any of this may fail.
        let _ = std::fs::create_dir_all(inner.join("x"));
        let _ = rustix::fs::renameat_with(
            CWD,
            &inner,
            CWD,
            race.root.join("project/aside"),
            RenameFlags::EXCHANGE,
        );
        std::thread::yield_now();
        let _ = rustix::fs::renameat_with(
            CWD,
            &inner,
            CWD,
            race.root.join("project/aside"),
            RenameFlags::EXCHANGE,
        );
    };
    race.run(swap, |race| {
        let _ = std::fs::create_dir_all(race.root.join("project/data/tree/inner/x/y"));
        race.write("data/tree", Host::remove)
    });
}

#[test]
fn a_stream_is_written_only_where_it_was_begun() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    RaceFixture::new().run(RaceFixture::swap_folder, |race| {
        race.write("data/stream", |host, path| {
            let mut sink = host.create(path)?;
            runtime.block_on(async {
                sink.write("x".into()).await?;
                sink.finish().await
            })
        })
    });
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_race_meets_both_states_of_what_is_swapped() {
    let (done, refused) =
        RaceFixture::new().run(RaceFixture::swap_folder, |race| race.read("data/file").map(drop));
    assert!(done > 0 && refused > 0, "{done} went well, {refused} were refused");
    let error = crate::host::HostError::new(HostErrorKind::SymlinkInPath, "x");
    assert_eq!(
        (Failure::from(error.clone()).kind, Failure::from(error).kind.exit_code()),
        (Kind::Policy, 5)
    );
}
