//! What the policy asks of the disk, and how a path on it is told.

use std::path::Path;

use super::{FileKind, Host};
use crate::policy::Resolution;

/// What is at `path`, for [`Policy`](crate::policy::Policy): `&|path| resolve(host, path)`.
pub fn resolve(host: &dyn Host, path: &Path) -> Resolution {
    match host.canonicalize(path) {
        Ok(real) => Resolution::Exists(real),
        Err(_) if host.info(path).is_ok_and(|info| info.kind == FileKind::Symlink) => Resolution::Dangling,
        Err(_) => Resolution::Missing,
    }
}

/// A canonical path as the user would write it: relative to the folder that spc was started in.
pub fn shown(host: &dyn Host, path: &Path) -> String {
    let here = host.current_folder().and_then(|folder| host.canonicalize(&folder));
    let shown = here.ok().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path).display().to_string();
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
            host.create_folder(folder).unwrap();
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
