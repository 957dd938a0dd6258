//! Finds the Dockerfile, and checks that it is inside the context.

use std::collections::VecDeque;
use std::path::{Component, Path};

use crate::host::{FileKind, Host, HostErrorKind};
use crate::model::Failure;
use crate::model::spec::Build;
use crate::model::suggest::nearest;
use crate::policy::CheckedPath;

/// The most links in a path before it counts as a loop, as on Linux.
const MAXIMUM_LINKS: usize = 40;

pub(super) struct Dockerfile {
    /// Relative to the context, as described: `<asked>.dockerignore` belongs to it.
    pub asked: String,
    /// Relative to the context, with symlinks resolved.
    pub path: String,
}

/// Finds the Dockerfile of `build` in the checked `folder` of its context.
pub(super) fn find(
    host: &dyn Host,
    folder: &CheckedPath,
    build: &Build,
) -> Result<Dockerfile, Failure> {
    let described = build.dockerfile.as_str();
    let whole = Path::new(described);
    // An absolute path is allowed if it leads into the context.
    let relative =
        whole.strip_prefix(folder).or_else(|_| whole.strip_prefix(&build.context)).unwrap_or(whole);
    let outside = || {
        Failure::usage(format!("The Dockerfile \"{described}\" is outside the build context \"{}\"", folder.as_path().display()))
            .hint("the builder sees nothing but the context: move the Dockerfile into it, or make \"context:\" a folder that holds both")
            .field("path", described)
    };
    let asked = names(relative).and_then(lexical).ok_or_else(outside)?;
    // Name by name, so that no symlink leads out of the context.
    let mut ahead: VecDeque<String> = asked.clone().into();
    let mut path: Vec<String> = Vec::new();
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            path.pop().ok_or_else(outside)?;
            continue;
        }
        path.push(name);
        let place = folder.join(path.join("/"));
        let kind = host.info(&place).map(|info| info.kind).map_err(|error| match error.kind {
            HostErrorKind::NotFound => missing(host, folder, described, &path),
            _ => super::of_host(error).field("path", described),
        })?;
        match kind {
            FileKind::Symlink => {
                links += 1;
                if links > MAXIMUM_LINKS {
                    return Err(Failure::usage(format!(
                        "The Dockerfile \"{described}\" is a symlink that leads back to itself"
                    )));
                }
                let target = host.link_target(&place).map_err(super::of_host)?;
                path.pop();
                for name in names(&target).ok_or_else(outside)?.into_iter().rev() {
                    ahead.push_front(name);
                }
            }
            FileKind::Folder if !ahead.is_empty() => {}
            FileKind::File if ahead.is_empty() => {
                return Ok(Dockerfile { asked: asked.join("/"), path: path.join("/") });
            }
            // A file in place of a folder.
            FileKind::File => return Err(missing(host, folder, described, &path)),
            FileKind::Folder | FileKind::Other => break,
        }
    }
    Err(Failure::usage(format!(
        "The Dockerfile \"{described}\" in the build context \"{}\" is not a file",
        folder.as_path().display()
    ))
    .hint("\"dockerfile:\" names a file, relative to the context")
    .field("path", described))
}

/// The names of a relative path, with `..`; `None` for an absolute path or one that is not UTF-8.
fn names(path: &Path) -> Option<Vec<String>> {
    let name = |component: Component<'_>| match component {
        Component::CurDir => None,
        Component::ParentDir => Some(Some("..".to_owned())),
        Component::Normal(name) => Some(name.to_str().map(str::to_owned)),
        Component::RootDir | Component::Prefix(_) => Some(None),
    };
    path.components().filter_map(name).collect()
}

/// Without `..`; `None` if the path leads out.
fn lexical(names: Vec<String>) -> Option<Vec<String>> {
    let mut path = Vec::new();
    for name in names {
        if name == ".." {
            path.pop()?;
        } else {
            path.push(name);
        }
    }
    Some(path)
}

/// The failure if the last part of `path` doesn't exist.
fn missing(host: &dyn Host, folder: &CheckedPath, described: &str, path: &[String]) -> Failure {
    let name = path.last().map(String::as_str).unwrap_or_default();
    let place = folder.join(path[..path.len().saturating_sub(1)].join("/"));
    let there: Vec<String> =
        host.list(&place).unwrap_or_default().into_iter().map(|entry| entry.name).collect();
    let similar: Vec<&str> = there
        .iter()
        .map(String::as_str)
        .filter(|there| there.to_lowercase().contains("dockerfile"))
        .collect();
    let hint = match nearest(name, there.iter().map(String::as_str)) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if similar.is_empty() => {
            "write one there, or name another with \"dockerfile:\"".to_owned()
        }
        None => format!("available: {}", similar.join(", ")),
    };
    Failure::usage(format!(
        "There is no Dockerfile \"{described}\" in the build context \"{}\"",
        folder.as_path().display()
    ))
    .hint(hint)
    .field("path", folder.as_path().join(described).display().to_string())
}
