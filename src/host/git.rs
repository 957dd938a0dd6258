//! The files that a clone of the project would have: tracked files, and untracked ones that are not
//! ignored.
//!
//! This runs no program and reads no git setting, so an untrusted checkout can't cause any harm: it
//! reads the index, the `.gitignore` of each folder and `info/exclude` as files. A person's own
//! ignore file (`core.excludesFile`) has no effect here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::{BStr, ByteSlice};
use gix_ignore::glob::{pattern::Case, search::pattern::List};
use gix_ignore::search::{Ignore, pattern_matching_relative_path};
use parking_lot::Mutex;

use super::resolve::named;
use super::{FileKind, Host};
use crate::policy::CheckedPath;

/// git's own folder, or a file that says where that folder is.
const GIT: &str = ".git";

type Patterns = List<Ignore>;

/// The files of a folder as git sees them. Each file is read once.
pub struct GitFiles {
    /// The folder that contains `.git`; without a repository, the requested folder.
    root: PathBuf,
    index: Option<gix_index::State>,
    /// `info/exclude`.
    exclude: Option<Patterns>,
    folders: Mutex<HashMap<PathBuf, Arc<Folder>>>,
    /// Paths that a person named. They are shown even if git ignores them.
    named: Vec<PathBuf>,
}

/// What is known about a folder.
#[derive(Debug)]
struct Folder {
    ignored: bool,
    /// Its `.gitignore`.
    patterns: Option<Patterns>,
}

impl GitFiles {
    /// The files of the repository that `folder` is in. Without a repository only `.gitignore`
    /// files count, from `folder` on. `folder` is absolute and without symlinks.
    pub fn around(host: &dyn Host, folder: &Path) -> Self {
        let found = folder.ancestors().find_map(|root| Some((root, private_folder(host, root)?)));
        let (root, git) = found.map_or((folder, None), |(root, git)| (root, Some(git)));
        let index = git.as_ref().and_then(|git| read_index(host, &git.join("index")));
        let exclude = git.map(|git| shared_folder(host, &git)).and_then(|git| {
            let content = host.read(&named(host, &git.join("info/exclude"))).ok()?;
            Patterns::from_bytes(&content, GIT.into(), None, Ignore::default()).ok()
        });
        let files = Self {
            root: root.to_path_buf(),
            index,
            exclude,
            folders: Mutex::default(),
            named: Vec::new(),
        };
        // Folders above the project can be read only now, not later through a host that has only
        // the project.
        files.folder(host, folder.strip_prefix(root).unwrap_or(Path::new("")));
        files
    }

    /// Shows `paths` that git ignores, with everything below them, because a person named them.
    #[must_use]
    pub fn with_named(mut self, host: &dyn Host, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        for path in paths {
            let kind = CheckedPath::below(&self.root, &path)
                .and_then(|path| Some(host.info(&path).ok()?.kind));
            if kind.is_some_and(|kind| self.hides(host, &path, kind)) {
                self.named.push(path);
            }
        }
        self
    }

    /// Whether a clone of the project would lack the file at `path`, an absolute path without
    /// symlinks.
    pub fn hides(&self, host: &dyn Host, path: &Path, kind: FileKind) -> bool {
        let Ok(relative) = path.strip_prefix(&self.root) else { return false };
        if self.named.iter().any(|named| path.starts_with(named) || named.starts_with(path)) {
            return false;
        }
        if relative.components().any(|part| part.as_os_str() == GIT) {
            return true;
        }
        let is_folder = kind == FileKind::Folder;
        !self.tracks(relative, is_folder) && self.ignores(host, relative, is_folder)
    }

    /// Whether git tracks it, or something in it.
    fn tracks(&self, relative: &Path, is_folder: bool) -> bool {
        let Some(index) = &self.index else { return false };
        let name = git_path(relative);
        // A folder may be a submodule, which has its own entry.
        name.is_empty()
            || index.entry_by_path(name).is_some()
            || is_folder && index.path_is_directory(name)
    }

    fn ignores(&self, host: &dyn Host, relative: &Path, is_folder: bool) -> bool {
        let Some(parent) = relative.parent() else { return false };
        if self.folder(host, parent).ignored {
            return true;
        }
        let name = git_path(relative);
        let start = name.rfind_byte(b'/').map(|slash| slash + 1);
        let judge = |patterns: &Patterns| {
            let found = pattern_matching_relative_path(
                patterns,
                name,
                start,
                Some(is_folder),
                Case::Sensitive,
            )?;
            Some(!found.pattern.is_negative())
        };
        // The nearest `.gitignore` decides, and in it the last line that matches.
        let near = parent
            .ancestors()
            .find_map(|folder| self.folder(host, folder).patterns.as_ref().and_then(judge));
        near.or_else(|| self.exclude.as_ref().and_then(judge)).unwrap_or(false)
    }

    fn folder(&self, host: &dyn Host, relative: &Path) -> Arc<Folder> {
        if let Some(known) = self.folders.lock().get(relative) {
            return known.clone();
        }
        let ignored = self.ignores(host, relative, true);
        let patterns = if ignored { None } else { self.read_patterns(host, relative) };
        let folder = Arc::new(Folder { ignored, patterns });
        self.folders.lock().insert(relative.to_path_buf(), folder.clone());
        folder
    }

    fn read_patterns(&self, host: &dyn Host, relative: &Path) -> Option<Patterns> {
        let path = self.root.join(relative).join(".gitignore");
        // git does not follow a symlink with this name, and neither does the host.
        let content = host.read(&CheckedPath::below(&self.root, &path)?).ok()?;
        Patterns::from_bytes(&content, path, Some(&self.root), Ignore::default()).ok()
    }
}

impl std::fmt::Debug for GitFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GitFiles").field("root", &self.root).finish_non_exhaustive()
    }
}

/// git's own folder for the work tree `root`, if it is one; it contains the index.
fn private_folder(host: &dyn Host, root: &Path) -> Option<PathBuf> {
    let git = root.join(GIT);
    match host.info(&CheckedPath::below(root, &git)?).ok()?.kind {
        FileKind::File => Some(root.join(text(host, &git)?.strip_prefix("gitdir:")?.trim())),
        // git ignores a folder with this name that is not a repository.
        _ => host.info(&named(host, &git.join("HEAD"))).is_ok().then_some(git),
    }
}

/// The folder that the work trees of a repository share.
fn shared_folder(host: &dyn Host, git: &Path) -> PathBuf {
    text(host, &git.join("commondir"))
        .map_or_else(|| git.to_path_buf(), |shared| git.join(shared.trim()))
}

fn text(host: &dyn Host, path: &Path) -> Option<String> {
    let content = host.read(&named(host, path)).ok()?;
    Some(content.to_str_lossy().into_owned())
}

/// `None` if it can't be read. Then only ignored files are hidden.
fn read_index(host: &dyn Host, path: &Path) -> Option<gix_index::State> {
    let content = host.read(&named(host, path)).ok()?;
    let options = gix_index::decode::Options {
        thread_limit: Some(1),
        // The limit of a value is 64 MiB. An entry needs less than twice its file size in memory.
        alloc_limit_bytes: Some(128 << 20),
        ..Default::default()
    };
    let read = gix_index::State::from_bytes(
        &content,
        filetime::FileTime::zero(),
        gix_index::hash::Kind::Sha1,
        options,
    );
    read.ok().map(|(state, _)| state).filter(|state| state.link().is_none() && !state.is_sparse())
}

fn git_path(relative: &Path) -> &BStr {
    use std::os::unix::ffi::OsStrExt;
    relative.as_os_str().as_bytes().as_bstr()
}
