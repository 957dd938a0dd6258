//! One table for both implementations: no operation follows a symlink, wherever it leads.

#![expect(clippy::disallowed_methods, reason = "the host port makes no symlinks")]

use std::os::unix::fs::symlink;
use std::path::Path;

use futures::TryStreamExt;
use similar_asserts::assert_eq;

use crate::host::real::RealHost;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::host::{Host, HostErrorKind, Result};
use crate::policy::CheckedPath;

const FILES: [(&str, &str); 4] = [
    ("project/note", "kept"),
    ("project/folder/inner", "in"),
    ("project/old/a", "a"),
    ("outside/secret", "told"),
];

const LINKS: [(&str, &str); 6] = [
    ("project/in", "folder"),
    ("project/link", "note"),
    ("project/out", "../outside"),
    ("project/secret", "../outside/secret"),
    ("project/gone", "../outside/new"),
    ("project/folder/up", ".."),
];

/// An operation below the project, as text: `rename old/a to out/x`.
const TABLE: &str = "\
read note → kept
read folder/inner → in
read link → refused
read in/inner → refused
read out/secret → refused
read secret → refused
read gone → refused
read folder/up/note → refused
read folder → invalid
read missing → not found
read note/x → not found
stream note → kept
stream secret → refused
stream in/inner → refused
list . → .. folder gone in link note old out secret
list folder → .. inner up
list in → refused
list out → refused
info link → symlink
info secret → symlink
info in/inner → refused
info out/secret → refused
info . → folder
target link → note
target out/secret → refused
target note → invalid
write note → done: note
write new → done: new
write link → done: link
write secret → done: secret
write gone → done: gone
write out/x → refused
write in/x → refused
write missing/x → not found
write folder → invalid
write . → invalid
create new → done: new
create secret → done: secret
create out/x → refused
append note → done: note
append new → done: new
append link → refused
append secret → refused
append gone → refused
append out/x → refused
folder new/a → done: new
folder folder → done
folder in → refused
folder in/a → refused
folder out/a → refused
folder gone → refused
folder note → in the way
remove note → done: note
remove old → done: old
remove out → done: out
remove secret → done: secret
remove in → done: in
remove out/secret → refused
remove in/inner → refused
remove . → invalid
rename note to new → done: new note
rename secret to new → done: new secret
rename note to secret → done: note secret
rename out/secret to new → refused
rename note to out/x → refused
rename note to in/x → refused
rename . to new → invalid
";

fn at(root: &Path, name: &str) -> CheckedPath {
    CheckedPath::root_itself(root.join("project")).join(name)
}

/// Executes one line of a script. Returns the result if there is one.
fn act(host: &dyn Host, root: &Path, words: &[&str]) -> Result<Option<String>> {
    let path = at(root, words[1]);
    let run = |future: futures::future::BoxFuture<'_, Result<()>>| {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    };
    let text = |bytes: &[u8]| Some(String::from_utf8_lossy(bytes).into_owned());
    match words[0] {
        "read" => host.read(&path).map(|content| text(&content)),
        "stream" => {
            let stream = host.open(&path)?;
            let chunks = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(stream.try_collect::<Vec<_>>());
            Ok(text(&chunks.unwrap().concat()))
        }
        "list" => {
            let names = host.list(&path)?.into_iter().map(|entry| entry.name);
            Ok(Some(std::iter::once("..".to_owned()).chain(names).collect::<Vec<_>>().join(" ")))
        }
        "info" => host.info(&path).map(|info| Some(format!("{:?}", info.kind).to_lowercase())),
        "target" => {
            host.link_target(&path).map(|target| text(target.as_os_str().as_encoded_bytes()))
        }
        "write" => host.write(&path, b"new", None).map(|()| None),
        "create" => {
            let mut sink = host.create(&path)?;
            run(Box::pin(async {
                sink.write("new".into()).await?;
                sink.finish().await
            }))
            .map(|()| None)
        }
        "append" => host.append(&path, b"new").map(|()| None),
        "folder" => host.create_folder(&path).map(|()| None),
        "remove" => host.remove(&path).map(|()| None),
        "rename" => host.rename(&path, &at(root, words[3])).map(|()| None),
        other => panic!("no operation is called {other}"),
    }
}

/// Everything below the project and outside of it, one line each.
fn tree(host: &dyn Host, root: &Path) -> Vec<String> {
    fn add(host: &dyn Host, folder: &CheckedPath, lines: &mut Vec<String>) {
        for entry in host.list(folder).unwrap() {
            let path = folder.join(&entry.name);
            let shown = path.relative().display();
            match entry.kind {
                crate::host::FileKind::Folder => {
                    lines.push(format!("{shown}/"));
                    add(host, &path, lines);
                }
                crate::host::FileKind::Symlink => {
                    lines.push(format!("{shown} -> {}", host.link_target(&path).unwrap().display()))
                }
                _ => lines.push(format!(
                    "{shown}: {}",
                    String::from_utf8_lossy(&host.read(&path).unwrap())
                )),
            }
        }
    }
    let mut lines = Vec::new();
    add(host, &CheckedPath::root_itself(root), &mut lines);
    lines
}

/// The names directly below the project at which something changed. Nothing outside may change.
fn changed(before: &[String], after: &[String]) -> Vec<String> {
    let differs = |line: &&String| !before.contains(line) || !after.contains(line);
    let mut names: Vec<String> = before
        .iter()
        .chain(after)
        .filter(differs)
        .map(|line| {
            let below = line
                .strip_prefix("project/")
                .unwrap_or_else(|| panic!("changed outside of the project: {line}"));
            below.split(['/', ':', ' ']).next().unwrap().to_owned()
        })
        .collect();
    names.sort();
    names.dedup();
    names
}

fn outcome(host: &dyn Host, root: &Path, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let before = tree(host, root);
    let done = act(host, root, &words);
    let changed = changed(&before, &tree(host, root));
    let shown = match done {
        Ok(Some(answer)) => answer,
        Ok(None) if changed.is_empty() => "done".to_owned(),
        Ok(None) => return format!("{line} → done: {}", changed.join(" ")),
        Err(error) => match error.kind {
            HostErrorKind::SymlinkInPath => {
                assert!(
                    error
                        .message
                        .ends_with("\": a symlink is in its path, which spc does not follow"),
                    "{error}"
                );
                "refused".to_owned()
            }
            HostErrorKind::NotFound => "not found".to_owned(),
            HostErrorKind::Invalid => "invalid".to_owned(),
            HostErrorKind::AlreadyExists => "in the way".to_owned(),
            _ => panic!("{line}: {error}"),
        },
    };
    assert_eq!(changed, Vec::<String>::new(), "{line}");
    format!("{line} → {shown}")
}

fn check(made: impl Fn() -> (Box<dyn Host>, std::path::PathBuf, Option<tempfile::TempDir>)) {
    let outcomes = TABLE.lines().map(|line| {
        let (host, root, _kept) = made();
        outcome(&*host, &root, line.split(" → ").next().unwrap()) + "\n"
    });
    assert_eq!(outcomes.collect::<String>(), TABLE);
}

#[test]
fn the_real_host_follows_no_symlink() {
    check(|| {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        for (path, content) in FILES {
            std::fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            std::fs::write(root.join(path), content).unwrap();
        }
        for (path, target) in LINKS {
            symlink(target, root.join(path)).unwrap();
        }
        (Box::new(RealHost::new()), root, Some(dir))
    });
}

#[test]
fn the_simulated_host_follows_no_symlink() {
    check(|| {
        let host =
            FILES.iter().fold(SimHost::bare(SimTaskExecutor::new(1)), |host, (path, content)| {
                host.with_file(format!("/{path}"), *content)
            });
        let host = LINKS
            .iter()
            .fold(host, |host, (path, target)| host.with_symlink(format!("/{path}"), *target));
        (Box::new(host), "/".into(), None)
    });
}

#[test]
fn a_simulated_host_over_real_files_follows_no_symlink() {
    check(|| {
        let beneath =
            FILES.iter().fold(SimHost::bare(SimTaskExecutor::new(1)), |host, (path, content)| {
                host.with_file(format!("/{path}"), *content)
            });
        let beneath = LINKS
            .iter()
            .fold(beneath, |host, (path, target)| host.with_symlink(format!("/{path}"), *target));
        let over = crate::host::sim::Overlay::new(std::sync::Arc::new(beneath), ["/".into()]);
        (Box::new(SimHost::bare(SimTaskExecutor::new(1)).over(over)), "/".into(), None)
    });
}
