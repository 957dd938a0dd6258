//! Mounts of a service: named and anonymous volumes, bind mounts, tmpfs.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::is_false;
use super::reader::Field;
use crate::model::Failure;
use crate::model::size::parse_bytes;

/// One mount of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mount {
    /// Absolute, in the container.
    pub target: String,
    pub source: MountSource,
    #[serde(default, skip_serializing_if = "is_false")]
    pub read_only: bool,
}

/// The source of a mount.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MountSource {
    /// A volume of the description, by its key. `nocopy`: don't copy the image's content into it.
    Volume { name: String, nocopy: bool },
    /// An anonymous volume that belongs to the container and is removed with it.
    Anonymous,
    /// A folder or file of the host, absolute. `create`: create a missing folder.
    Bind { path: PathBuf, create: bool },
    /// In memory, with a maximum size in bytes.
    Tmpfs { size: Option<u64> },
}

impl Mount {
    /// The target in the engine's form: without `.`, `..` and redundant slashes.
    pub fn place(&self) -> String {
        clean_text(&self.target)
    }

    /// Reads one item of `volumes`; relative paths are below `directory`.
    pub(super) fn read(field: &Field<'_>, directory: &Path) -> Result<Self, Failure> {
        let mount = match field.value {
            Value::String(text) => Self::short(field, text, directory)?,
            _ => Self::long(field, directory)?,
        };
        let target = &mount.target;
        if !target.starts_with('/') {
            // Quotes the whole text: the mask does not recognize a part of a secret.
            let (of, whole) = match field.value {
                Value::String(text) => ("target of the mount", text),
                _ => ("mount's target", target),
            };
            let failure = field
                .fail(format!("The {of} \"{whole}\" has to be an absolute path in the container"));
            let absolute = format!("/{}", target.trim_start_matches(['.', '/']));
            return Err(match field.value {
                Value::String(text) => match text.split_once(&format!(":{target}")) {
                    Some((source, rest)) => {
                        failure.hint(format!("write \"{source}:{absolute}{rest}\""))
                    }
                    // A path alone is a target, of an anonymous volume.
                    None => {
                        failure.hint(format!("write \"{text}:/PATH\" with a path in the container"))
                    }
                },
                _ => failure.hint(format!("write \"{absolute}\"")),
            });
        }
        let place = mount.place();
        if place == "/" {
            return Err(field
                .fail(format!(
                    "A mount can't have the target \"{target}\": it is the container's root"
                ))
                .hint("mount it at a folder below"));
        }
        // The runtime does not allow mounts that hide processes. The mounted folder may itself be
        // such a file system.
        if Path::new(&place).starts_with("/proc")
            && matches!(mount.source, MountSource::Volume { .. } | MountSource::Anonymous)
        {
            return Err(field
                .fail(format!("A volume can't have the target \"{target}\": no container can be started with one in /proc"))
                .hint("mount it at another folder"));
        }
        Ok(mount)
    }

    fn short(field: &Field<'_>, text: &str, directory: &Path) -> Result<Self, Failure> {
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts[..] {
            [target] if !target.is_empty() => {
                return Ok(Self {
                    target: target.to_owned(),
                    source: MountSource::Anonymous,
                    read_only: false,
                });
            }
            [drive, path, ref rest @ ..] if is_windows_path(drive, path, rest) => {
                return Err(field
                    .fail(format!("\"{text}\" begins with a Windows path"))
                    .hint("write it relative to the project, with \"./\" and \"/\""));
            }
            [source, target] if !source.is_empty() && !target.is_empty() => (source, target, ""),
            [source, target, options] if !source.is_empty() && !target.is_empty() => {
                (source, target, options)
            }
            _ => {
                return Err(field
                    .fail(format!("\"{text}\" is not a mount"))
                    .hint("write \"SOURCE:TARGET\", \"SOURCE:TARGET:ro\" or \"TARGET\""));
            }
        };
        let (mut read_only, mut nocopy) = (false, false);
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" => read_only = true,
                "rw" | "z" | "Z" => {}
                "nocopy" => nocopy = true,
                _ => {
                    return Err(field
                        .fail(format!("\"{text}\" has an unknown mount option"))
                        .hint("available: ro, rw, nocopy"));
                }
            }
        }
        let source = if source.starts_with(['.', '/', '~']) {
            MountSource::Bind { path: host_path(field, source, directory)?, create: true }
        } else {
            MountSource::Volume { name: source.to_owned(), nocopy }
        };
        Ok(Self { target: target.to_owned(), source, read_only })
    }

    fn long(field: &Field<'_>, directory: &Path) -> Result<Self, Failure> {
        let mut map = field.long_form("a string like \"SOURCE:TARGET\" or a map")?;
        let kind = map.required("type")?.one_of(&["volume", "bind", "tmpfs"])?;
        let target = map.required("target")?.name_text()?;
        let read_only = map.read("read_only", Field::bool)?.unwrap_or(false);
        let source = match kind.as_str() {
            "volume" => {
                let nocopy = map.read("volume", |field| {
                    let mut options = field.map()?;
                    let nocopy = options.read("nocopy", Field::bool)?;
                    options.finish(&["subpath", "labels"])?;
                    Ok(nocopy.unwrap_or(false))
                })?;
                match map.read_filled("source", Field::name_text)? {
                    Some(name) => MountSource::Volume { name, nocopy: nocopy.unwrap_or(false) },
                    None => MountSource::Anonymous,
                }
            }
            "bind" => {
                let create = map.read("bind", |field| {
                    let mut options = field.map()?;
                    let create = options.read("create_host_path", Field::bool)?;
                    options.finish(&["propagation", "selinux", "recursive"])?;
                    Ok(create.unwrap_or(true))
                })?;
                let source = map.required("source")?;
                MountSource::Bind {
                    path: host_path(&source, &source.name_text()?, directory)?,
                    create: create.unwrap_or(true),
                }
            }
            _ => {
                let size = map.read("tmpfs", |field| {
                    let mut options = field.map()?;
                    let size = options.read("size", tmpfs_size)?;
                    options.finish(&["mode"])?;
                    Ok(size)
                })?;
                MountSource::Tmpfs { size: size.flatten() }
            }
        };
        map.finish(&["consistency", "image"])?;
        Ok(Self { target, source, read_only })
    }
}

/// Whether a short mount begins with a path of Windows, `C:\\data` or `C:/data`. A volume may also
/// be named with one letter.
fn is_windows_path(drive: &str, path: &str, rest: &[&str]) -> bool {
    let is_drive =
        drive.len() == 1 && drive.starts_with(|letter: char| letter.is_ascii_alphabetic());
    is_drive
        && (path.starts_with('\\')
            || path.starts_with('/') && rest.first().is_some_and(|target| target.starts_with('/')))
}

/// The size of a `tmpfs` in bytes. A number that is too large for the engine is rejected, because
/// the engine would treat it as no limit.
fn tmpfs_size(field: &Field<'_>) -> Result<u64, Failure> {
    let text = field.scalar()?;
    let bytes = parse_bytes(&text).map_err(|message| field.fail(message))?;
    if i64::try_from(bytes).is_err() {
        return Err(
            field.fail(format!("\"{text}\" is too large: a size is at most {} bytes", i64::MAX))
        );
    }
    Ok(bytes)
}

/// A host path of a description, absolute and without `.` and `..`.
pub(super) fn host_path(
    field: &Field<'_>,
    text: &str,
    directory: &Path,
) -> Result<PathBuf, Failure> {
    if text.starts_with('~') {
        return Err(field
            .fail(format!("\"~\" in \"{text}\" is not expanded"))
            .hint("write the path in full, or relative to the project with \"./\""));
    }
    Ok(clean(&directory.join(text)))
}

/// [`clean`] for a path in a container.
pub(super) fn clean_text(path: &str) -> String {
    clean(Path::new(path)).to_string_lossy().into_owned()
}

/// The path without `.`, `..` and redundant slashes. Symlinks in it are not resolved.
pub fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                cleaned.pop();
            }
            other => cleaned.push(other),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Mount, String> {
        Mount::read(&Field::root(&value), Path::new("/srv/프로젝트 1"))
            .map_err(|failure| failure.message)
    }

    #[test]
    fn the_short_form_tells_volumes_binds_and_anonymous_volumes_apart() {
        assert_eq!(
            read(json!("data:/var/lib")).unwrap().source,
            MountSource::Volume { name: "data".into(), nocopy: false }
        );
        assert_eq!(
            read(json!("./app:/app")).unwrap().source,
            MountSource::Bind { path: "/srv/프로젝트 1/app".into(), create: true }
        );
        assert_eq!(
            read(json!("../x:/app:ro")).unwrap(),
            Mount {
                target: "/app".into(),
                source: MountSource::Bind { path: "/srv/x".into(), create: true },
                read_only: true
            }
        );
        assert_eq!(read(json!("/app/node_modules")).unwrap().source, MountSource::Anonymous);
    }

    #[test]
    fn the_long_form_reads_into_the_same_values() {
        assert_eq!(
            read(json!({"type": "volume", "source": "data", "target": "/d", "read_only": true})),
            read(json!("data:/d:ro"))
        );
        assert_eq!(
            read(json!({"type": "bind", "source": "./app", "target": "/app"})),
            read(json!("./app:/app"))
        );
        assert_eq!(
            read(json!({"type": "tmpfs", "target": "/t", "tmpfs": {"size": "64m"}}))
                .unwrap()
                .source,
            MountSource::Tmpfs { size: Some(64 << 20) }
        );
    }

    #[test]
    fn a_tmpfs_has_a_size_that_the_engine_has_a_number_for() {
        let size = |size: Value| {
            read(json!({"type": "tmpfs", "target": "/t", "tmpfs": {"size": size}}))
                .map(|mount| mount.source)
        };
        assert_eq!(
            size(json!(i64::MAX)).unwrap(),
            MountSource::Tmpfs { size: Some(u64::try_from(i64::MAX).unwrap()) }
        );
        assert_eq!(size(json!("1k")).unwrap(), MountSource::Tmpfs { size: Some(1024) });
        // The engine would treat these as no limit, or as a negative one.
        for wrong in [
            json!("9223372036854775808"),
            json!(u64::MAX),
            json!("8388608t"),
            json!("-1"),
            json!(-1),
            json!("1.5x"),
            json!(""),
        ] {
            assert!(size(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_mount_is_named() {
        assert!(read(json!("data:lib")).unwrap_err().contains("\"data:lib\""));
        for root in ["data:/", "/..", "./x:/a/.."] {
            assert!(
                read(json!(root)).unwrap_err().ends_with("it is the container's root"),
                "{root}"
            );
        }
        assert!(read(json!({"type": "tmpfs", "target": "/"})).unwrap_err().contains("\"/\""));
        assert!(read(json!("data:/proc/x")).unwrap_err().contains("\"/proc/x\""));
        assert!(read(json!("/processes")).is_ok() && read(json!("./x:/proc/cpuinfo")).is_ok());
        assert!(read(json!("data:/x:rx")).unwrap_err().contains("\"data:/x:rx\""));
        assert!(read(json!(":/x")).unwrap_err().contains("\":/x\""));
        assert!(read(json!({"type": "bind", "target": "/x"})).unwrap_err().contains("\"source\""));
    }
}
