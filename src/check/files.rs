//! Selects the files to check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::rule::Rule;
use crate::host::git::GitFiles;
use crate::host::resolve::{named, shown};
use crate::host::{FileKind, Host, HostError, HostErrorKind};
use crate::model::Failure;
use crate::model::suggest::nearest;
use crate::policy::CheckedPath;
use crate::script::project_context::settings_folder;
use crate::script::resolver::EXTENSION;

/// Folders of others, even without a `.gitignore`.
const FOREIGN: [&str; 1] = ["node_modules"];

/// The deepest folders that are searched.
const DEPTH: usize = 64;

/// Files with the same root folder, which their imports may not leave.
pub struct Group {
    pub root: PathBuf,
    /// Canonical, sorted.
    pub files: BTreeSet<PathBuf>,
}

/// The files in `paths`, and all files below those that are folders; without paths, those of the
/// project around `here`. A missing path is a finding.
pub fn find(
    host: &dyn Host,
    here: &Path,
    paths: &[PathBuf],
    findings: &mut Findings,
) -> Vec<Group> {
    let mut groups: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    let default = [settings_folder(host, here).unwrap_or_else(|| here.to_path_buf())];
    let paths = if paths.is_empty() { &default[..] } else { paths };
    for given in paths {
        let Ok(real) = host.canonicalize(&here.join(given)) else {
            findings.add_without_place(Rule::Unreadable, missing(host, here, given));
            continue;
        };
        let is_folder =
            host.info(&CheckedPath::trusted(&real)).is_ok_and(|info| info.kind == FileKind::Folder);
        let folder = if is_folder { real.as_path() } else { real.parent().unwrap_or(&real) };
        let root = settings_folder(host, folder).unwrap_or_else(|| folder.to_path_buf());
        let files = groups.entry(root.clone()).or_default();
        if is_folder {
            let git = GitFiles::around(host, &root).with_named(host, [folder.to_path_buf()]);
            FileSearch { host, root: &root, files, git, findings }.folder(folder, 0);
        } else {
            files.insert(real);
        }
    }
    groups.into_iter().map(|(root, files)| Group { root, files }).collect()
}

/// A path that doesn't exist, with the most similar existing one.
fn missing(host: &dyn Host, here: &Path, given: &Path) -> Failure {
    let failure = Failure::usage(format!("There is no file or folder \"{}\"", given.display()));
    let path = here.join(given);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return failure };
    let Ok(entries) = host.list(&named(host, folder)) else {
        return failure.hint(format!("there is no folder \"{}\"", shown(host, folder)));
    };
    let is_script =
        |name: &str| Path::new(name).extension().is_some_and(|extension| extension == EXTENSION);
    let names: Vec<&str> = entries
        .iter()
        .filter(|entry| entry.kind == FileKind::Folder || is_script(&entry.name))
        .map(|entry| entry.name.as_str())
        .collect();
    let name = name.to_string_lossy();
    let whole = format!("{name}.{EXTENSION}");
    let near = names
        .iter()
        .copied()
        .find(|there| *there == whole)
        .or_else(|| nearest(&name, names.iter().copied()));
    match near {
        Some(near) => {
            failure.hint(format!("did you mean \"{}\"?", given.with_file_name(near).display()))
        }
        None => failure,
    }
}

struct FileSearch<'a> {
    host: &'a dyn Host,
    /// The folder that symlinks may not leave. Canonical.
    root: &'a Path,
    files: &'a mut BTreeSet<PathBuf>,
    git: GitFiles,
    findings: &'a mut Findings,
}

impl FileSearch<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let entries = match self.at(folder).and_then(|folder| self.host.list(&folder)) {
            Ok(entries) if depth < DEPTH => entries,
            Ok(_) => return,
            Err(error) => {
                return self.findings.add_without_place(
                    Rule::Unreadable,
                    Failure::usage(crate::model::failure::sentence(&error.message)),
                );
            }
        };
        for entry in entries {
            let path = folder.join(&entry.name);
            if entry.name.starts_with('.')
                || FOREIGN.contains(&entry.name.as_str())
                || self.git.hides(self.host, &path, entry.kind)
            {
                continue;
            }
            let is_script = path.extension().is_some_and(|extension| extension == EXTENSION);
            match entry.kind {
                FileKind::Folder => self.folder(&path, depth + 1),
                FileKind::Symlink if is_script => {
                    let real = self.host.canonicalize(&path).ok();
                    let real = real.and_then(|real| CheckedPath::below(self.root, &real));
                    let real = real.filter(|real| {
                        self.host.info(real).is_ok_and(|info| info.kind != FileKind::Folder)
                    });
                    self.files.extend(real.map(|real| real.as_path().to_owned()));
                }
                _ if is_script && entry.kind != FileKind::Symlink => drop(self.files.insert(path)),
                _ => {}
            }
        }
    }

    /// A path that the search found. All are below the root.
    fn at(&self, path: &Path) -> crate::host::Result<CheckedPath> {
        let outside = || {
            HostError::new(
                HostErrorKind::SymlinkInPath,
                format!("Could not read \"{}\": it is outside of the project", path.display()),
            )
        };
        CheckedPath::below(self.root, path).ok_or_else(outside)
    }
}
