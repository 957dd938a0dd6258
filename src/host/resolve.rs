//! Resolves paths: for the policy, and for paths that persons name.

use std::path::{Path, PathBuf};

use super::{FileKind, Host, Result};
use crate::policy::{CheckedPath, Entry, Resolution};

/// Resolves `path` for [`Policy`](crate::policy::Policy): `&|path| resolve(host, path)`.
pub fn resolve(host: &dyn Host, path: &Path) -> Resolution {
    match host.canonicalize(path) {
        Ok(real) => Resolution::Exists(real),
        Err(_) if is_symlink(host, path) => Resolution::Dangling,
        Err(_) => Resolution::Missing,
    }
}

/// The nearest existing parent of `path`, if it is not a folder.
pub fn file_above(host: &dyn Host, path: &Path) -> Option<PathBuf> {
    let above =
        path.ancestors().skip(1).find_map(|above| Some((above, host.canonicalize(above).ok()?)));
    above
        .filter(|(_, real)| matches!(look(host, real), Entry::File { .. } | Entry::Other))
        .map(|(above, _)| above.to_owned())
}

fn is_symlink(host: &dyn Host, path: &Path) -> bool {
    // Below the root of the file system: a path that is only inspected need not be kept open.
    let place =
        in_real_folder(host, path).ok().and_then(|path| CheckedPath::below(Path::new("/"), &path));
    place.is_some_and(|path| host.info(&path).is_ok_and(|info| info.kind == FileKind::Symlink))
}

/// The path with the canonical name of its folder.
fn in_real_folder(host: &dyn Host, path: &Path) -> Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => Ok(host.canonicalize(folder)?.join(name)),
        _ => host.canonicalize(path),
    }
}

/// A path that a person named, or that belongs to a tool of this machine. It may lead anywhere, and
/// the policy is not asked. `path` is absolute. Don't use this for paths that scripts, descriptions
/// or containers can choose or replace.
pub fn named(host: &dyn Host, path: &Path) -> CheckedPath {
    let real = host.canonicalize(path).or_else(|_| in_real_folder(host, path));
    // If even its folder does not exist, the operation reports what is missing.
    CheckedPath::trusted(real.unwrap_or_else(|_| path.to_owned()))
}

/// The same for a file that is created or removed: a symlink with its name is not followed.
pub fn named_itself(host: &dyn Host, path: &Path) -> CheckedPath {
    CheckedPath::trusted(in_real_folder(host, path).unwrap_or_else(|_| path.to_owned()))
}

/// `name` in the canonical folder `root`, if no symlink leads out of the folder; otherwise the
/// target of the symlink.
pub fn inside(
    host: &dyn Host,
    root: &Path,
    name: impl AsRef<Path>,
) -> Result<std::result::Result<CheckedPath, PathBuf>> {
    let real = host.canonicalize(&root.join(name))?;
    Ok(CheckedPath::below(root, &real).ok_or(real))
}

/// Looks at `path` without following a symlink, for [`Policy`](crate::policy::Policy): `&|path|
/// look(host, path)`.
pub fn look(host: &dyn Host, path: &Path) -> Entry {
    // Below the root of the file system: a path that is only inspected need not be kept open.
    let Some(path) = CheckedPath::below(Path::new("/"), path) else { return Entry::Missing };
    let Ok(info) = host.info(&path) else { return Entry::Missing };
    match info.kind {
        FileKind::File => Entry::File { is_executable: info.mode & 0o111 != 0 },
        FileKind::Folder => Entry::Folder,
        FileKind::Symlink => host.link_target(&path).map_or(Entry::Missing, Entry::Symlink),
        FileKind::Other => Entry::Other,
    }
}

/// A canonical path in the form that the user would write: relative to the folder in which spc was
/// started.
pub fn shown(host: &dyn Host, path: &Path) -> String {
    let here = host.current_folder().and_then(|folder| host.canonicalize(&folder));
    let shown = here
        .ok()
        .and_then(|here| path.strip_prefix(here).ok())
        .unwrap_or(path)
        .display()
        .to_string();
    if shown.is_empty() { ".".to_owned() } else { shown }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the host port makes no symlinks")]

    use std::os::unix::fs::symlink;

    use super::*;
    use crate::host::real::RealHost;
    use crate::policy::{Policy, Settings};

    #[test]
    fn on_a_real_disk_no_symlink_leads_out_of_the_project() {
        let host = RealHost::new();
        let resolve = |path: &Path| resolve(&host, path);
        let root = tempfile::tempdir().unwrap();
        let (project, other) = (root.path().join("Projekt é"), root.path().join("other"));
        for folder in [&project, &other] {
            host.create_folder(&named(&host, folder)).unwrap();
        }
        symlink(&other, project.join("out")).unwrap();
        symlink(other.join("gone"), project.join("nowhere")).unwrap();
        symlink("circle", project.join("circle")).unwrap();
        symlink(".", project.join("in")).unwrap();

        let policy = Policy::new(&project, Settings::default(), &resolve).unwrap();
        for given in ["out", "out/new", "nowhere", "nowhere/x", "circle", "../other"] {
            assert!(policy.write_path(Path::new(given), &resolve).is_err(), "{given}");
        }
        let checked = policy.write_path(Path::new("in/in/new file"), &resolve).unwrap();
        assert_eq!(checked.as_path(), host.canonicalize(&project).unwrap().join("new file"));
    }
}
