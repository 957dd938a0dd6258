//! Paths in scripts.

use std::path::{Component, Path, PathBuf};

use super::settings::{SETTINGS_FILE, list_with};
use super::{CheckedPath, Policy, Refusal};

/// The result of a lookup of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Its canonical path: absolute, without symlinks and `..`.
    Exists(PathBuf),
    Missing,
    /// A symlink that leads to nothing, or in a cycle. A file created under its name would be
    /// somewhere else.
    Dangling,
}

/// Looks up a path; the host implements it.
pub type Resolve<'a> = &'a dyn Fn(&Path) -> Resolution;

/// How spc uses one of its own files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnAccess {
    Read,
    Write,
}

impl Policy {
    /// Checks a path to read or list. Relative paths start at the project directory.
    pub fn read_path(&self, given: &Path, resolve: Resolve<'_>) -> Result<CheckedPath, Refusal> {
        let refusal = || Refusal::new("read", given.to_string_lossy());
        let real = self.real(given, resolve).map_err(|()| refusal().because(DANGLING))?;
        self.readable(&real).ok_or_else(|| self.unreadable(refusal(), given, &real))
    }

    /// Checks a path to write, create, rename or remove. Relative paths start at the project
    /// directory. The directory itself is not allowed.
    pub fn write_path(&self, given: &Path, resolve: Resolve<'_>) -> Result<CheckedPath, Refusal> {
        let refusal = || Refusal::new("write", given.to_string_lossy());
        let real = self.real(given, resolve).map_err(|()| refusal().because(DANGLING))?;
        if let Some(reason) = self.written_by_hand(&real) {
            return Err(refusal().because(reason));
        }
        if let Some(path) = below_any(&real, &self.writable) {
            return Ok(path);
        }
        match self.project(&real) {
            Some(inner) if inner == Path::new("") => {
                Err(refusal().because("it is the project directory itself"))
            }
            Some(_) => CheckedPath::below(&self.project_directory, &real).ok_or_else(refusal),
            None => Err(self.unwritable(refusal(), given, &real)),
        }
    }

    /// Checks a file or folder that spc itself uses: `.env`, `.spc`, `.dockerignore`. A container
    /// or a script can replace it by a symlink, so the same limits apply as for a script's own
    /// paths.
    pub fn own_path(
        &self,
        given: &Path,
        access: OwnAccess,
        resolve: Resolve<'_>,
    ) -> Result<CheckedPath, Refusal> {
        let verb = match access {
            OwnAccess::Read => "read",
            OwnAccess::Write => "write",
        };
        let refusal = || Refusal::of_spc(verb, given.to_string_lossy());
        let real = self.real(given, resolve).map_err(|()| refusal().because(DANGLING))?;
        // Unlike a script, spc works even if the project is the whole disk.
        let own = || CheckedPath::below(&self.project_directory, &real);
        match access {
            OwnAccess::Read => self
                .readable(&real)
                .or_else(own)
                .ok_or_else(|| self.unreadable(refusal(), given, &real)),
            OwnAccess::Write => match self.written_by_hand(&real) {
                Some(reason) => Err(refusal().because(reason)),
                None => below_any(&real, &self.writable)
                    .or_else(own)
                    .ok_or_else(|| self.unwritable(refusal(), given, &real)),
            },
        }
    }

    /// A canonical path that may be read.
    fn readable(&self, real: &Path) -> Option<CheckedPath> {
        let own =
            self.project(real).and_then(|_| CheckedPath::below(&self.project_directory, real));
        own.or_else(|| below_any(real, &self.readable)).or_else(|| below_any(real, &self.writable))
    }

    fn unreadable(&self, refusal: Refusal, given: &Path, real: &Path) -> Refusal {
        refusal.because(self.outside(given, real)).allowed_by(list_with(
            "read",
            &self.settings.read,
            &real.to_string_lossy(),
        ))
    }

    fn unwritable(&self, refusal: Refusal, given: &Path, real: &Path) -> Refusal {
        refusal.because(self.outside(given, real)).allowed_by(list_with(
            "write",
            &self.settings.write,
            &real.to_string_lossy(),
        ))
    }

    /// Why a canonical path is never written by scripts. For example, a git hook is a host command,
    /// so a script could allow itself everything else.
    fn written_by_hand(&self, real: &Path) -> Option<String> {
        let has = |path: &Path, name: &str| {
            path.components().any(|part| part == Component::Normal(name.as_ref()))
        };
        if has(real, SETTINGS_FILE) {
            return Some(format!(
                "{SETTINGS_FILE} defines what scripts may do, and only people change it"
            ));
        }
        let in_project = self.project(real).filter(|_| !within(real, &self.writable));
        in_project.filter(|inner| has(inner, ".git")).map(|_| "it belongs to git".to_owned())
    }

    /// A canonical path relative to the project directory, if it is inside. The whole disk does not
    /// count as a project.
    pub(super) fn project<'p>(&self, real: &'p Path) -> Option<&'p Path> {
        self.project_directory.parent()?;
        real.strip_prefix(&self.project_directory).ok()
    }

    /// The real location of a path from a script.
    pub(super) fn real(&self, given: &Path, resolve: Resolve<'_>) -> Result<PathBuf, ()> {
        real(&clean(&self.project_directory.join(given)), resolve)
    }

    /// Why a path does not belong to the project.
    pub(super) fn outside(&self, given: &Path, real: &Path) -> String {
        if clean(&self.project_directory.join(given)) == real {
            "it is outside of the project".to_owned()
        } else {
            format!("it leads to \"{}\", outside of the project", real.to_string_lossy())
        }
    }
}

pub(super) const DANGLING: &str = "it is a symlink that can't be followed";

/// Whether `path` is one of `roots` or inside one.
pub(super) fn within(path: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().any(|root| path.starts_with(root))
}

/// A canonical path below one of `roots`. A root that equals the path may be a file; then its
/// folder is opened.
fn below_any(real: &Path, roots: &[PathBuf]) -> Option<CheckedPath> {
    let root = roots.iter().find(|root| real.starts_with(root))?;
    if root == real { Some(CheckedPath::trusted(real)) } else { CheckedPath::below(root, real) }
}

/// The path without `.` and `..`. `..` removes the name before it, as in Compose: `link/..` is the
/// folder that contains `link`.
pub fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            _ => cleaned.push(component),
        }
    }
    cleaned
}

/// The canonical form of a cleaned path: that of its deepest existing folder, and the rest as it
/// is.
pub(super) fn real(path: &Path, resolve: Resolve<'_>) -> Result<PathBuf, ()> {
    for ancestor in path.ancestors() {
        match resolve(ancestor) {
            Resolution::Missing => {}
            Resolution::Dangling => return Err(()),
            Resolution::Exists(real) => {
                let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
                // An empty rest would add a slash.
                return Ok(if rest == Path::new("") { real } else { real.join(rest) });
            }
        }
    }
    Ok(path.to_owned())
}

/// A path in its own form and, if that differs, in its canonical form.
pub(super) fn both_names(path: &Path, resolve: Resolve<'_>) -> Vec<PathBuf> {
    let cleaned = clean(path);
    let real = real(&cleaned, resolve).ok().filter(|real| *real != cleaned);
    std::iter::once(cleaned).chain(real).collect()
}
