#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the folders are real, and changed behind the host's back"
)]

mod checked;
mod host;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::{CWD, RenameFlags};
use tempfile::TempDir;

use self::host::FolderHost;
use super::*;
use crate::host::real::RealHost;
use crate::policy::Settings;

/// A context folder with a Dockerfile, and the host that reads it.
struct Folder {
    dir: TempDir,
    host: FolderHost,
    dockerfile: String,
}

impl Folder {
    fn new() -> Self {
        let folder = Self::empty();
        folder.file("Dockerfile", "FROM scratch\n");
        folder
    }

    fn empty() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            host: FolderHost::default(),
            dockerfile: "Dockerfile".into(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), content).unwrap();
        self.mode(path, 0o644);
    }

    fn mode(&self, path: &str, mode: u32) {
        std::fs::set_permissions(self.path(path), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn collect(&self) -> Result<BuildContext, Failure> {
        let build = Build {
            dockerfile: self.dockerfile.clone(),
            ..Build::of_context(self.dir.path().to_owned())
        };
        run(collect(&self.host, &self.policy(), &build))
    }

    fn policy(&self) -> Policy {
        Policy::of_folder(self.dir.path(), &|path| resolve(&self.host, path))
    }

    fn collected(&self) -> BuildContext {
        self.collect().expect("a build context")
    }

    /// The paths that are sent to the builder. Folders end with `/`.
    fn sent(&self) -> Vec<String> {
        unpack(&tar_of(&self.collected()).expect("a whole tar"))
            .into_iter()
            .map(|entry| entry.path)
            .collect()
    }
}

fn run<T>(future: impl Future<Output = T> + Send) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn tar_of(context: &BuildContext) -> std::io::Result<Vec<u8>> {
    let host: Arc<dyn Host> = Arc::new(RealHost::new());
    let chunks: Vec<std::io::Result<Bytes>> = run(context.stream(&host).collect());
    chunks.into_iter().try_fold(Vec::new(), |mut tar, chunk| {
        tar.extend_from_slice(&chunk?);
        Ok(tar)
    })
}

#[derive(Debug, PartialEq, Eq)]
struct UnpackedEntry {
    path: String,
    mode: u32,
    link: Option<PathBuf>,
    content: Vec<u8>,
}

fn unpack(tar: &[u8]) -> Vec<UnpackedEntry> {
    assert_eq!(tar.len() % 512, 0, "whole blocks");
    let mut archive = tar::Archive::new(tar);
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            assert_eq!((entry.header().uid().unwrap(), entry.header().gid().unwrap()), (0, 0));
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            UnpackedEntry {
                path: entry.path().unwrap().to_str().unwrap().to_owned(),
                mode: entry.header().mode().unwrap(),
                link: entry.link_name().unwrap().map(std::borrow::Cow::into_owned),
                content,
            }
        })
        .collect()
}

fn file(path: &str, mode: u32, content: &[u8]) -> UnpackedEntry {
    UnpackedEntry { path: path.into(), mode, link: None, content: content.to_vec() }
}

#[test]
fn files_folders_and_symlinks_are_sent_unchanged_and_sorted_by_name() {
    let folder = Folder::new();
    folder.file("app/run.sh", "#!/bin/sh\n");
    folder.mode("app/run.sh", 0o755);
    folder.file("설정/값 1.txt", "값");
    folder.file("empty", "");
    folder.file("large", vec![7; 200_000]);
    std::fs::create_dir(folder.path("none")).unwrap();
    folder.mode("none", 0o1777);
    symlink("./app//run.sh", folder.path("link")).unwrap();
    symlink("/nowhere", folder.path("broken")).unwrap();
    for path in ["app", "설정"] {
        folder.mode(path, 0o755);
    }

    let context = folder.collected();
    let link = |path: &str, target: &str| UnpackedEntry {
        path: path.into(),
        mode: 0o777,
        link: Some(target.into()),
        content: Vec::new(),
    };
    similar_asserts::assert_eq!(
        unpack(&tar_of(&context).unwrap()),
        [
            file("Dockerfile", 0o644, b"FROM scratch\n"),
            file("app/", 0o755, b""),
            file("app/run.sh", 0o755, b"#!/bin/sh\n"),
            link("broken", "/nowhere"),
            file("empty", 0o644, b""),
            file("large", 0o644, &vec![7; 200_000]),
            link("link", "./app//run.sh"),
            file("none/", 0o1777, b""),
            file("설정/", 0o755, b""),
            file("설정/값 1.txt", 0o644, "값".as_bytes()),
        ]
    );
    assert_eq!((context.files, context.bytes), (5, 13 + 10 + 200_000 + 3));
    assert!(context.notes.is_empty());
}

#[test]
fn names_and_targets_longer_than_a_header_are_kept_whole() {
    let folder = Folder::new();
    let long = format!("{}/{}/{}", "깊".repeat(60), "b".repeat(200), "c".repeat(120));
    folder.file(&long, "x");
    symlink(format!("./{long}"), folder.path("link")).unwrap();
    let sent = unpack(&tar_of(&folder.collected()).unwrap());
    assert!(sent.iter().any(|entry| entry.path == long && entry.content == b"x"));
    assert!(
        sent.iter().any(|entry| entry.link.as_deref() == Some(Path::new(&format!("./{long}"))))
    );
}

#[test]
fn a_tar_of_sizes_around_a_block_stays_whole() {
    let folder = Folder::new();
    for len in [1, 511, 512, 513, 1024, 65_535, 65_536, 65_537] {
        folder.file(&format!("f{len}"), vec![b'x'; len]);
    }
    let sent = unpack(&tar_of(&folder.collected()).unwrap());
    for entry in sent.iter().filter(|entry| entry.path.starts_with('f')) {
        assert_eq!(entry.path, format!("f{}", entry.content.len()));
    }
}

#[test]
fn dockerignore_excludes_files_except_those_that_the_builder_needs() {
    let folder = Folder::new();
    folder.file(".dockerignore", "**\n!app\n**/*.pyc\n");
    folder.file("app/main.py", "");
    folder.file("app/main.pyc", "");
    folder.file("readme.md", "");
    assert_eq!(folder.sent(), [".dockerignore", "Dockerfile", "app/", "app/main.py"]);
}

#[test]
fn the_dockerfiles_own_ignore_file_wins() {
    let mut folder = Folder::empty();
    folder.dockerfile = "./docker/prod.Dockerfile".into();
    folder.file("docker/prod.Dockerfile", "FROM scratch\n");
    folder.file("docker/prod.Dockerfile.dockerignore", "*\n!a");
    folder.file(".dockerignore", "a");
    folder.file("a", "");
    folder.file("b", "");
    assert_eq!(
        folder.sent(),
        ["a", "docker/", "docker/prod.Dockerfile", "docker/prod.Dockerfile.dockerignore"]
    );
    assert_eq!(folder.collected().instructions.dockerfile, "docker/prod.Dockerfile");
}

#[test]
fn a_folder_around_an_exception_is_sent_and_ignored_ones_are_not_read() {
    let folder = Folder::new();
    folder.file(".dockerignore", "vendor\n!vendor/*/keep\n!*.md\n");
    folder.file("vendor/a/keep", "");
    folder.file("vendor/a/drop", "");
    folder.file("vendor/b/drop", "");
    folder.file("other/x", "");
    assert_eq!(
        folder.sent(),
        [
            ".dockerignore",
            "Dockerfile",
            "other/",
            "other/x",
            "vendor/",
            "vendor/a/",
            "vendor/a/keep"
        ]
    );

    folder.file(".dockerignore", "vendor\n!*.md\n");
    folder.host.listed.lock().clear();
    folder.collected();
    assert_eq!(*folder.host.listed.lock(), [folder.dir.path().to_owned(), folder.path("other")]);
}

#[test]
fn the_digest_follows_content_mode_name_kind_and_target_but_no_time() {
    let folder = Folder::new();
    folder.file("a", "1");
    symlink("a", folder.path("link")).unwrap();
    let first = folder.collected().digest;
    assert_eq!(first.len(), 64);

    let old =
        std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1));
    std::fs::File::options().write(true).open(folder.path("a")).unwrap().set_times(old).unwrap();
    assert_eq!(folder.collected().digest, first);

    let mut seen = BTreeSet::from([first.clone()]);
    let mut changed = |folder: &Folder| assert!(seen.insert(folder.collected().digest));
    folder.file("a", "2");
    changed(&folder);
    folder.mode("a", 0o755);
    changed(&folder);
    std::fs::rename(folder.path("a"), folder.path("b")).unwrap();
    changed(&folder);
    std::fs::remove_file(folder.path("link")).unwrap();
    symlink("b", folder.path("link")).unwrap();
    changed(&folder);
    std::fs::create_dir(folder.path("c")).unwrap();
    changed(&folder);
    std::fs::remove_dir(folder.path("c")).unwrap();
    folder.file("c", "");
    changed(&folder);

    let same = Folder::new();
    same.file("a", "1");
    symlink("a", same.path("link")).unwrap();
    assert_eq!(same.collected().digest, first, "the folder's own place doesn't count");
}

#[test]
fn the_time_a_file_was_changed_is_sent() {
    let folder = Folder::new();
    let time = std::fs::FileTimes::new()
        .set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    std::fs::File::options()
        .write(true)
        .open(folder.path("Dockerfile"))
        .unwrap()
        .set_times(time)
        .unwrap();
    let tar = tar_of(&folder.collected()).unwrap();
    let times: Vec<u64> = tar::Archive::new(&tar[..])
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().header().mtime().unwrap())
        .collect();
    assert_eq!(times, [1_700_000_000]);
}

#[test]
fn a_socket_is_left_out_with_a_note() {
    let folder = Folder::new();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path("app.sock")).unwrap();
    let context = folder.collected();
    assert_eq!(
        context.notes,
        ["\"app.sock\" is not sent to the builder: it is a socket, a pipe or a device"]
    );
    assert_eq!(folder.sent(), ["Dockerfile"]);
}

#[test]
fn a_file_that_grows_shrinks_or_disappears_while_it_is_sent_is_named() {
    let folder = Folder::new();
    folder.file("log", vec![b'x'; 5000]);
    let context = folder.collected();
    for len in [0, 4999, 5001, 100_000] {
        folder.file("log", vec![b'x'; len]);
        let error = tar_of(&context).unwrap_err().to_string();
        let log = folder.path("log");
        assert_eq!(
            error,
            format!(
                "\"{}\" changed while it was sent to the builder: it no longer has 5000 bytes; try again, or leave it out in .dockerignore",
                log.display()
            )
        );
    }
    std::fs::remove_file(folder.path("log")).unwrap();
    assert!(tar_of(&context).unwrap_err().to_string().contains("log"));
}

#[test]
fn an_unreadable_file_is_named_with_the_way_to_leave_it_out() {
    let mut folder = Folder::new();
    folder.file("secrets/key", "");
    folder.host.denied.insert(folder.path("secrets/key"));
    let failure = folder.collect().unwrap_err();
    assert_eq!(failure.kind, Kind::Build);
    assert!(failure.message.contains("secrets/key\""), "{failure}");
    assert_eq!(
        failure.hint.unwrap(),
        "if the image doesn't need it, leave it out with the line \"secrets/key\" in .dockerignore"
    );

    folder.host.denied = BTreeSet::from([folder.path("secrets")]);
    assert!(folder.collect().unwrap_err().hint.unwrap().contains("\"secrets\""));
    folder.file(".dockerignore", "secrets");
    assert_eq!(folder.sent(), [".dockerignore", "Dockerfile"]);
}

#[test]
fn a_name_that_is_not_utf_8_is_refused_unless_it_is_ignored() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = Folder::new();
    std::fs::write(folder.dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt")), "")
        .unwrap();
    let failure = folder.collect().unwrap_err();
    assert!(failure.message.ends_with("its name is not UTF-8"), "{failure}");
    assert_eq!(
        failure.hint.unwrap(),
        "rename it, or leave it out with the line \"caf?.txt\" in .dockerignore"
    );
    folder.file(".dockerignore", "caf?.txt");
    assert_eq!(folder.sent(), [".dockerignore", "Dockerfile"]);
}

#[test]
fn a_context_that_is_missing_or_no_folder_is_named() {
    let folder = Folder::new();
    for (context, kind, words) in
        [("backend", Kind::Usage, "does not exist"), ("Dockerfile", Kind::Usage, "is not a folder")]
    {
        let build = Build::of_context(folder.path(context));
        let failure = run(collect(&folder.host, &folder.policy(), &build)).unwrap_err();
        assert_eq!(failure.kind, kind);
        assert_eq!(
            failure.message,
            format!("The build context \"{}\" {words}", folder.path(context).display())
        );
    }
}

#[test]
fn a_context_behind_a_symlink_is_read() {
    let folder = Folder::new();
    let outer = tempfile::tempdir().unwrap();
    symlink(folder.dir.path(), outer.path().join("link")).unwrap();
    let build = Build::of_context(outer.path().join("link"));
    assert_eq!(run(collect(&folder.host, &folder.policy(), &build)).unwrap().files, 1);
}

#[test]
fn a_missing_dockerfile_is_reported_with_existing_alternatives() {
    for (there, hint) in [
        (vec!["dockerfile"], "did you mean \"dockerfile\"?"),
        (
            vec!["x.Dockerfile.production", "Dockerfile.production"],
            "available: Dockerfile.production, x.Dockerfile.production",
        ),
        (vec!["main.py"], "write one there, or name another with \"dockerfile:\""),
    ] {
        let folder = Folder::empty();
        for name in there {
            folder.file(name, "");
        }
        let failure = folder.collect().unwrap_err();
        assert_eq!(failure.kind, Kind::Usage);
        assert_eq!(
            failure.message,
            format!(
                "There is no Dockerfile \"Dockerfile\" in the build context \"{}\"",
                folder.dir.path().display()
            )
        );
        assert_eq!(failure.hint.unwrap(), hint);
    }
}

#[test]
fn a_dockerfile_outside_the_context_is_refused_by_name_and_through_symlinks() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("Dockerfile"), "FROM scratch\n").unwrap();
    let mut folder = Folder::empty();
    symlink(outside.path().join("Dockerfile"), folder.path("absolute")).unwrap();
    symlink("../Dockerfile", folder.path("relative")).unwrap();
    symlink(outside.path(), folder.path("folder")).unwrap();
    let absolute = outside.path().join("Dockerfile").to_str().unwrap().to_owned();
    for dockerfile in [
        "../Dockerfile",
        "a/../../Dockerfile",
        absolute.as_str(),
        "absolute",
        "relative",
        "folder/Dockerfile",
    ] {
        folder.dockerfile = dockerfile.into();
        let failure = folder.collect().unwrap_err();
        assert_eq!(failure.kind, Kind::Usage, "{dockerfile}");
        assert!(
            failure.message.starts_with(&format!(
                "The Dockerfile \"{dockerfile}\" is outside the build context"
            )),
            "{failure}"
        );
    }
    symlink("loop", folder.path("loop")).unwrap();
    folder.dockerfile = "loop".into();
    assert!(folder.collect().unwrap_err().message.contains("leads back to itself"));
    folder.dockerfile = ".".into();
    assert!(folder.collect().unwrap_err().message.ends_with("is not a file"));
}

#[test]
fn a_dockerfile_behind_symlinks_inside_the_context_is_found_and_always_sent() {
    let mut folder = Folder::empty();
    folder.file("build/docker/real", "FROM scratch\n");
    folder.file(".dockerignore", "*");
    symlink("build/docker", folder.path("docker")).unwrap();
    symlink("../docker/real", folder.path("build/docker/Dockerfile")).unwrap();
    folder.dockerfile = folder.path("docker/Dockerfile").to_str().unwrap().to_owned();
    assert_eq!(folder.collected().instructions.dockerfile, "build/docker/real");
    assert_eq!(folder.sent(), [".dockerignore", "build/", "build/docker/", "build/docker/real"]);
}

#[test]
fn an_ignore_file_that_leads_out_of_what_may_be_read_is_refused_with_the_line_that_allows_it() {
    let outside = tempfile::tempdir().unwrap();
    let outside_file = outside.path().canonicalize().unwrap().join("ignore");
    std::fs::write(&outside_file, "left-out\n").unwrap();
    for name in [".dockerignore", "Dockerfile.dockerignore"] {
        let folder = Folder::new();
        folder.file("left-out", "");
        symlink(&outside_file, folder.path(name)).unwrap();
        let failure = folder.collect().unwrap_err();
        assert_eq!(failure.kind, Kind::Policy);
        let (path, target) = (folder.path(name), outside_file.display());
        assert_eq!(
            failure.message,
            format!(
                "spc may not read \"{}\": it leads to \"{target}\", outside of the project",
                path.display()
            )
        );
        assert_eq!(
            failure.hint.unwrap(),
            format!("to allow it, write read = [\"{target}\"] under [allow] in spc.toml")
        );
        let settings = Settings { read: vec![target.to_string()], ..Settings::default() };
        let policy =
            Policy::new(folder.dir.path(), settings, &|path| resolve(&folder.host, path)).unwrap();
        let build = Build::of_context(folder.dir.path().to_owned());
        assert_eq!(run(collect(&folder.host, &policy, &build)).unwrap().files, 1, "the Dockerfile");
    }
}

#[test]
fn an_ignore_file_that_is_a_symlink_inside_the_project_counts() {
    let folder = Folder::new();
    folder.file("docker/ignore", "left-out\n");
    folder.file("left-out", "");
    symlink("docker/ignore", folder.path(".dockerignore")).unwrap();
    assert_eq!(folder.sent(), [".dockerignore", "Dockerfile", "docker/", "docker/ignore"]);
}

/// Ends the swapping thread, also if the test fails. Otherwise the test would wait for it.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_context_is_packed_without_anything_that_a_swapped_symlink_leads_to() {
    let folder = Folder::new();
    let outside = tempfile::tempdir().unwrap();
    for number in 0..20 {
        folder.file(&format!("data/file{number}"), "mine");
        std::fs::write(outside.path().join(format!("file{number}")), "told").unwrap();
    }
    // Inside `outside`, so that it is removed with that folder.
    let (data, link, over) =
        (folder.path("data"), outside.path().join("link"), AtomicBool::new(false));
    symlink(outside.path(), &link).unwrap();
    let (mut packed, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                rustix::fs::renameat_with(CWD, &data, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                std::thread::yield_now();
            }
        });
        let _over = StopOnDrop(&over);
        let started = std::time::Instant::now();
        while (packed < 20 || refused < 20) && started.elapsed() < Duration::from_secs(20) {
            match folder.collect().map(|context| tar_of(&context)) {
                Ok(Ok(tar)) => {
                    packed += 1;
                    assert!(unpack(&tar).iter().all(|entry| entry.content != b"told"));
                }
                Ok(Err(error)) => {
                    refused += 1;
                    assert!(error.to_string().contains("a symlink is in its path"), "{error}");
                }
                Err(failure) => {
                    refused += 1;
                    // The symlink may have become a folder before its target is read.
                    let is_changed = failure.kind == Kind::Build
                        && failure.message.ends_with("it is not a symlink");
                    assert!(failure.kind == Kind::Policy || is_changed, "{failure}");
                }
            }
        }
    });
    assert!(packed > 0 && refused > 0, "{packed} were packed, {refused} refused");
}

#[test]
fn a_dockerfile_too_large_to_be_checked_is_refused() {
    let folder = Folder::new();
    for bytes in [5 << 20, 65 << 20] {
        // A sparse file takes no space on the disk.
        std::fs::File::create(folder.path("Dockerfile")).unwrap().set_len(bytes).unwrap();
        let failure = folder.collect().expect_err("it is too large");
        assert!(failure.message.contains("/Dockerfile\": it is larger than "), "{failure:?}");
        let build = Build::of_context(folder.dir.path().to_owned());
        assert_eq!(
            check(&folder.host, &folder.policy(), &build).expect_err("it is too large").message,
            failure.message
        );
    }
}

#[test]
fn the_dockerfile_that_was_checked_is_the_one_sent() {
    let folder = Folder::new();
    let context = folder.collected();
    folder.file("Dockerfile", "FROM another\n");
    assert_eq!(unpack(&tar_of(&context).unwrap()), [file("Dockerfile", 0o644, b"FROM scratch\n")]);
    assert_ne!(context.digest, folder.collected().digest);
}
