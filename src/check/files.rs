//! Which files are meant.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::rule::Rule;
use crate::apply::dockerignore::{Dockerignore, Judgement};
use crate::host::resolve::{named, shown};
use crate::host::{FileKind, Host, HostError, HostErrorKind};
use crate::model::Failure;
use crate::model::suggest::nearest;
use crate::policy::CheckedPath;
use crate::script::place::settings_folder;
use crate::script::resolver::EXTENSION;

/// Folders that are somebody else's, also where no `.gitignore` says so.
const FOREIGN: [&str; 1] = ["node_modules"];

/// Folders inside folders that are looked into.
const DEPTH: usize = 64;

/// Files whose imports may not leave the same folder.
pub struct Group {
    pub root: PathBuf,
    /// Canonical, sorted.
    pub files: BTreeSet<PathBuf>,
}

/// The files that `paths` name, and all below those that are folders; without any, those of the project around `here`.
/// What isn't there is a finding.
pub fn find(host: &dyn Host, here: &Path, paths: &[PathBuf], findings: &mut Findings) -> Vec<Group> {
    let mut groups: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    let default = [settings_folder(host, here).unwrap_or_else(|| here.to_path_buf())];
    let paths = if paths.is_empty() { &default[..] } else { paths };
    for given in paths {
        let Ok(real) = host.canonicalize(&here.join(given)) else {
            findings.add_without_place(Rule::Unreadable, missing(host, here, given));
            continue;
        };
        let is_folder = host.info(&CheckedPath::trusted(&real)).is_ok_and(|info| info.kind == FileKind::Folder);
        let folder = if is_folder { real.as_path() } else { real.parent().unwrap_or(&real) };
        let root = settings_folder(host, folder).unwrap_or_else(|| folder.to_path_buf());
        let files = groups.entry(root.clone()).or_default();
        if is_folder {
            let mut search = Search { host, root: &root, files, ignored: Vec::new(), findings };
            // What the folders above ignore, they ignore here too.
            let above: Vec<&Path> = folder.ancestors().skip(1).take_while(|above| above.starts_with(&root)).collect();
            for above in above.into_iter().rev() {
                search.read_ignored(above);
            }
            search.folder(folder, 0);
        } else {
            files.insert(real);
        }
    }
    groups.into_iter().map(|(root, files)| Group { root, files }).collect()
}

/// A path that leads nowhere, with the nearest that is there.
fn missing(host: &dyn Host, here: &Path, given: &Path) -> Failure {
    let failure = Failure::usage(format!("There is no file or folder \"{}\"", given.display()));
    let path = here.join(given);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return failure };
    let Ok(entries) = host.list(&named(host, folder)) else {
        return failure.hint(format!("there is no folder \"{}\"", shown(host, folder)));
    };
    let is_script = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == EXTENSION);
    let names: Vec<&str> =
        entries.iter().filter(|entry| entry.kind == FileKind::Folder || is_script(&entry.name)).map(|entry| entry.name.as_str()).collect();
    let name = name.to_string_lossy();
    let whole = format!("{name}.{EXTENSION}");
    let near = names.iter().copied().find(|there| *there == whole).or_else(|| nearest(&name, names.iter().copied()));
    match near {
        Some(near) => failure.hint(format!("did you mean \"{}\"?", given.with_file_name(near).display())),
        None => failure,
    }
}

struct Search<'a> {
    host: &'a dyn Host,
    /// What no symlink may lead out of. Canonical.
    root: &'a Path,
    files: &'a mut BTreeSet<PathBuf>,
    /// The `.gitignore` of each folder on the way, and the folder.
    ignored: Vec<(PathBuf, Dockerignore)>,
    findings: &'a mut Findings,
}

impl Search<'_> {
    fn folder(&mut self, folder: &Path, depth: usize) {
        let entries = match self.at(folder).and_then(|folder| self.host.list(&folder)) {
            Ok(entries) if depth < DEPTH => entries,
            Ok(_) => return,
            Err(error) => {
                return self.findings.add_without_place(Rule::Unreadable, Failure::usage(crate::model::failure::sentence(&error.message)));
            }
        };
        let known = self.ignored.len();
        self.read_ignored(folder);
        for entry in entries {
            let path = folder.join(&entry.name);
            if entry.name.starts_with('.') || FOREIGN.contains(&entry.name.as_str()) || self.is_ignored(&path) {
                continue;
            }
            let is_script = path.extension().is_some_and(|extension| extension == EXTENSION);
            match entry.kind {
                FileKind::Folder => self.folder(&path, depth + 1),
                FileKind::Symlink if is_script => {
                    let real = self.host.canonicalize(&path).ok();
                    let real = real.and_then(|real| CheckedPath::below(self.root, &real));
                    let real = real.filter(|real| self.host.info(real).is_ok_and(|info| info.kind != FileKind::Folder));
                    self.files.extend(real.map(|real| real.as_path().to_owned()));
                }
                _ if is_script && entry.kind != FileKind::Symlink => drop(self.files.insert(path)),
                _ => {}
            }
        }
        self.ignored.truncate(known);
    }

    /// A path that the search came to. All are below the root.
    fn at(&self, path: &Path) -> crate::host::Result<CheckedPath> {
        let outside =
            || HostError::new(HostErrorKind::SymlinkInPath, format!("Could not read \"{}\": it is outside of the project", path.display()));
        CheckedPath::below(self.root, path).ok_or_else(outside)
    }

    fn read_ignored(&mut self, folder: &Path) {
        // Git itself follows no symlink of that name.
        let Ok(content) = self.at(&folder.join(".gitignore")).and_then(|path| self.host.read(&path)) else { return };
        let lines: Vec<String> = String::from_utf8_lossy(&content).lines().filter_map(of_git).collect();
        // A pattern that can't be read ignores nothing: too much is checked rather than too little.
        if let Ok(ignored) = Dockerignore::parse(".gitignore", lines.join("\n").as_bytes()) {
            self.ignored.push((folder.to_path_buf(), ignored));
        }
    }

    fn is_ignored(&self, path: &Path) -> bool {
        self.ignored.iter().any(|(folder, ignored)| {
            let below = path.strip_prefix(folder).ok().map(|path| path.to_string_lossy().into_owned());
            below.is_some_and(|below| ignored.judge(&below, &Judgement::default()).ignored)
        })
    }
}

/// A line of a `.gitignore` as Docker would write it.
fn of_git(line: &str) -> Option<String> {
    let line = line.trim_end();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (mark, pattern) = line.strip_prefix('!').map_or(("", line), |pattern| ("!", pattern));
    let pattern = pattern.trim_end_matches('/');
    Some(match pattern.strip_prefix('/') {
        Some(at_root) => format!("{mark}{at_root}"),
        None if pattern.contains('/') => format!("{mark}{pattern}"),
        None => format!("{mark}**/{pattern}"),
    })
}
