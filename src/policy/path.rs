//! Paths that scripts name.

use std::path::{Component, Path, PathBuf};

use super::settings::{SETTINGS_FILE, list_with};
use super::{Policy, Refusal};

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Its canonical name: absolute, without symlinks and `..`.
    Exists(PathBuf),
    Missing,
    /// A symlink that leads to nothing, or in a circle. What is made under its name is made elsewhere.
    Dangling,
}

/// Tells what is at a path; the host's answer.
pub type Resolve<'a> = &'a dyn Fn(&Path) -> Resolution;

/// A path that a script may use, for what it was checked for: absolute and, as far as it exists, canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedPath(PathBuf);

impl CheckedPath {
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for CheckedPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Policy {
    /// A path to read or list. Relative ones start at the project directory.
    pub fn read_path(&self, given: &Path, resolve: Resolve<'_>) -> Result<CheckedPath, Refusal> {
        let refusal = || Refusal::new("read", given.to_string_lossy());
        let real = self.real(given, resolve).map_err(|()| refusal().because(DANGLING))?;
        if self.project(&real).is_some() || within(&real, &self.readable) || within(&real, &self.writable) {
            return Ok(CheckedPath(real));
        }
        Err(refusal().because(self.outside(given, &real)).allowed_by(list_with("read", &self.settings.read, &real.to_string_lossy())))
    }

    /// A path to write, make, rename or remove. Relative ones start at the project directory, which is not itself one.
    pub fn write_path(&self, given: &Path, resolve: Resolve<'_>) -> Result<CheckedPath, Refusal> {
        let refusal = || Refusal::new("write", given.to_string_lossy());
        let real = self.real(given, resolve).map_err(|()| refusal().because(DANGLING))?;
        // Both would let a script allow itself the rest: a hook of git is a host command.
        if real.components().any(|part| part == Component::Normal(SETTINGS_FILE.as_ref())) {
            return Err(refusal().because(format!("{SETTINGS_FILE} says what scripts may do, and is written by hand")));
        }
        if within(&real, &self.writable) {
            return Ok(CheckedPath(real));
        }
        match self.project(&real) {
            Some(inner) if inner == Path::new("") => Err(refusal().because("it is the project directory itself")),
            Some(inner) if inner.components().any(|part| part == Component::Normal(".git".as_ref())) => {
                Err(refusal().because("it belongs to git"))
            }
            Some(_) => Ok(CheckedPath(real)),
            None => {
                let line = list_with("write", &self.settings.write, &real.to_string_lossy());
                Err(refusal().because(self.outside(given, &real)).allowed_by(line))
            }
        }
    }

    /// A canonical path relative to the project directory, if it is in it. The whole disk is nobody's project.
    pub(super) fn project<'p>(&self, real: &'p Path) -> Option<&'p Path> {
        self.project_directory.parent()?;
        real.strip_prefix(&self.project_directory).ok()
    }

    /// The place that a path given by a script really names.
    pub(super) fn real(&self, given: &Path, resolve: Resolve<'_>) -> Result<PathBuf, ()> {
        real(&clean(&self.project_directory.join(given)), resolve)
    }

    /// Why a path is not one of the project's.
    pub(super) fn outside(&self, given: &Path, real: &Path) -> String {
        if clean(&self.project_directory.join(given)) == real {
            "it is outside of the project".to_owned()
        } else {
            format!("it leads to \"{}\", outside of the project", real.to_string_lossy())
        }
    }
}

pub(super) const DANGLING: &str = "it is a symlink that leads nowhere";

/// Whether `path` is one of `roots` or inside one.
pub(super) fn within(path: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().any(|root| path.starts_with(root))
}

/// The path without `.` and `..`, the latter taken by name, as Compose does: `link/..` is the folder that holds `link`.
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

/// The canonical name of a cleaned path: that of its deepest folder that exists, and the rest as it is.
pub(super) fn real(path: &Path, resolve: Resolve<'_>) -> Result<PathBuf, ()> {
    for ancestor in path.ancestors() {
        match resolve(ancestor) {
            Resolution::Missing => {}
            Resolution::Dangling => return Err(()),
            Resolution::Exists(real) => {
                let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
                // Joining nothing would add a slash.
                return Ok(if rest == Path::new("") { real } else { real.join(rest) });
            }
        }
    }
    Ok(path.to_owned())
}

/// A path by its own name and, where it differs, its canonical one.
pub(super) fn both_names(path: &Path, resolve: Resolve<'_>) -> Vec<PathBuf> {
    let cleaned = clean(path);
    let real = real(&cleaned, resolve).ok().filter(|real| *real != cleaned);
    std::iter::once(cleaned).chain(real).collect()
}
