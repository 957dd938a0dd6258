//! The build context: the files of a folder that an image is built from, their digest, and the tar
//! stream for the engine.
//!
//! The folder is read twice, so that a large one is never in memory: once by [`collect`], for the
//! digest that decides whether a build is needed, and again while it is sent.

mod archive;
mod bases;
mod dockerfile;
mod entry;
mod labels;

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;
use sha2::{Digest as _, Sha256};

use super::dockerignore::{Dockerignore, IgnoreDecision};
use crate::host::resolve::resolve;
use crate::host::{FileKind, FolderEntry, Host, HostError, HostErrorKind, records_folder};
use crate::model::dockerfile::{
    Download, SYNTAX_ARGUMENT, downloads, possible_bases, possible_downloads, possible_frontends,
};
use crate::model::spec::Build;
use crate::model::{Failure, Kind, hash};
use crate::policy::{CheckedPath, OwnAccess, Policy};
use entry::{Content, Entry, of_host};

const IGNORE_FILE: &str = ".dockerignore";

/// Permission bits, with setuid, setgid and sticky: the part of a mode that Docker sends.
const MODE_BITS: u32 = 0o7777;

/// The content of a build context: names and sizes, not data.
#[derive(Debug)]
pub struct BuildContext {
    /// Hexadecimal SHA-256 over path, kind, mode, link target and data of everything that is sent.
    /// Times don't count.
    pub digest: String,
    /// The number of files, without folders and symlinks.
    pub files: usize,
    /// The size of these files.
    pub bytes: u64,
    /// The instructions of the Dockerfile.
    pub instructions: Instructions,
    /// A sentence for each entry that can't be sent and was skipped.
    pub notes: Vec<String>,
    folder: CheckedPath,
    entries: Arc<[Entry]>,
}

/// The inputs of a build from outside of its context, according to its Dockerfile.
#[derive(Debug)]
pub struct Instructions {
    /// The path of the Dockerfile inside the context, with symlinks resolved, as spc sends it to
    /// the engine.
    pub dockerfile: String,
    /// The downloads that the Dockerfile causes: first the certain ones, then those that some
    /// builder might find in it.
    pub downloads: Vec<Download>,
    /// The images that read the Dockerfile instead of the builder.
    pub frontends: Vec<String>,
    /// The images that some builder could begin with, as written.
    pub possible_bases: BTreeSet<String>,
    /// The images that the Dockerfile begins with and copies from; `None` if they can't be
    /// determined.
    pub bases: Option<BTreeSet<String>>,
}

impl BuildContext {
    /// The context as an uncompressed tar. Files are read while they are sent. If a file has
    /// another size by then, the stream ends with an error that names it.
    pub fn stream(&self, host: &Arc<dyn Host>) -> BoxStream<'static, std::io::Result<Bytes>> {
        archive::stream(host.clone(), self.folder.clone(), self.entries.clone())
    }
}

/// Finds the entries that `build` sends: everything in the context folder except what
/// `<Dockerfile>.dockerignore`, or else `.dockerignore`, excludes. That file and the Dockerfile are
/// always sent. spc's own records are never sent, because they change with every run.
///
/// Fails with [`Kind::Usage`] if the folder or the Dockerfile is missing, or the description or a
/// line of `.dockerignore` is wrong. Fails with [`Kind::Build`] if something can't be read.
pub async fn collect(
    host: &dyn Host,
    policy: &Policy,
    build: &Build,
) -> Result<BuildContext, Failure> {
    let OpenContext { folder, own, ignore, content, instructions } = open(host, policy, build)?;
    let mut notes = Vec::new();
    let mut found = walk(host, &folder, &own, &ignore, &mut notes)?;
    keep_checked(&mut found, &instructions.dockerfile, &content)?;
    let read = read_all(host, &folder, found).await?;
    Ok(BuildContext {
        digest: read.digest,
        files: read.files,
        bytes: read.bytes,
        instructions,
        notes,
        folder,
        entries: read.entries.into(),
    })
}

/// The last change of an entry that would be sent, or of its folder: seconds since 1970.
pub fn last_modified(host: &dyn Host, policy: &Policy, build: &Build) -> Result<u64, Failure> {
    let OpenContext { folder, own, ignore, .. } = open(host, policy, build)?;
    let found = walk(host, &folder, &own, &ignore, &mut Vec::new())?;
    let top = host.info(&folder).map_err(of_host)?.modified.timestamp();
    Ok(found.iter().map(|entry| entry.modified).chain(u64::try_from(top)).max().unwrap_or(0))
}

/// Checks the parts of a build that don't need every file: the folder, the Dockerfile, the ignore
/// file.
pub fn check(host: &dyn Host, policy: &Policy, build: &Build) -> Result<Instructions, Failure> {
    open(host, policy, build).map(|opened| opened.instructions)
}

/// An existing context, before its files are read.
struct OpenContext {
    folder: CheckedPath,
    own: Records,
    ignore: Dockerignore,
    /// The content of the Dockerfile.
    content: Bytes,
    instructions: Instructions,
}

fn open(host: &dyn Host, policy: &Policy, build: &Build) -> Result<OpenContext, Failure> {
    // Checked here and not only in the description, so that exactly the checked folder is read and
    // sent.
    let folder = policy.read_path(&build.context, &|path| resolve(host, path))?;
    require_folder(host, &folder)?;
    let dockerfile = dockerfile::find(host, &folder, build)?;
    let own = Records { folder: records_folder::folder(host, policy).ok() };
    if own.holds(&folder, &dockerfile.path) {
        return Err(Records::refused(&dockerfile.path));
    }
    let ignore = read_ignore_file(host, policy, &folder, &dockerfile)?;
    let content =
        host.read_source(&folder.join(&dockerfile.path)).map_err(|error| match error.kind {
            HostErrorKind::SymlinkInPath => of_host(error),
            _ => Failure::new(Kind::Build, error.message).field("path", dockerfile.path.as_str()),
        })?;
    let text = String::from_utf8_lossy(&content).into_owned();
    labels::refuse_reserved(&text, build, &dockerfile.path)?;
    let instructions = Instructions {
        dockerfile: dockerfile.path,
        downloads: downloads(&text, &build.args)
            .into_iter()
            .chain(possible_downloads(&text))
            .collect(),
        frontends: build
            .args
            .get(SYNTAX_ARGUMENT)
            .cloned()
            .into_iter()
            .chain(possible_frontends(&text))
            .collect(),
        possible_bases: possible_bases(&text),
        bases: bases::of(&text, &build.args),
    };
    Ok(OpenContext { folder, own, ignore, content, instructions })
}

/// Sends the Dockerfile with the checked content.
fn keep_checked(found: &mut [Entry], path: &str, content: &Bytes) -> Result<(), Failure> {
    let entry = found
        .iter_mut()
        .find(|entry| entry.path == path && matches!(entry.content, Content::File { .. }));
    let entry = entry.ok_or_else(|| {
        Failure::new(
            Kind::Build,
            format!("The Dockerfile \"{path}\" changed while the build context was read"),
        )
        .hint("run it again when nothing changes the folder")
        .field("path", path)
    })?;
    entry.content = Content::Checked(content.clone());
    Ok(())
}

/// spc's own records, of this project and of others.
struct Records {
    /// The records of this project; `None` if the policy rejects their folder.
    folder: Option<CheckedPath>,
}

impl Records {
    /// Whether `path` in the context `folder` is one of the records, or inside one.
    fn holds(&self, folder: &CheckedPath, path: &str) -> bool {
        let whole = folder.join(path);
        let is_own =
            self.folder.as_ref().is_some_and(|own| whole.as_path().starts_with(own.as_path()));
        is_own || path.split('/').any(|name| name == records_folder::FOLDER)
    }

    fn refused(dockerfile: &str) -> Failure {
        let folder = records_folder::FOLDER;
        Failure::usage(format!(
            "The Dockerfile \"{dockerfile}\" is in \"{folder}\", which is never sent to the builder"
        ))
        .hint(format!("move it out of \"{folder}\", where spc keeps its records"))
        .field("path", dockerfile)
    }
}

fn require_folder(host: &dyn Host, folder: &CheckedPath) -> Result<(), Failure> {
    let shown = folder.as_path().display();
    match host.info(folder) {
        Ok(info) if matches!(info.kind, FileKind::Folder) => Ok(()),
        Ok(_) => Err(Failure::usage(format!("The build context \"{shown}\" is not a folder"))
            .hint("\"context:\" names the folder that holds the Dockerfile and what it copies")
            .field("path", shown.to_string())),
        Err(error) if error.kind == HostErrorKind::NotFound => {
            Err(Failure::usage(format!("The build context \"{shown}\" does not exist"))
                .hint("\"context:\" is relative to the project's folder")
                .field("path", shown.to_string()))
        }
        Err(error) => Err(of_host(error).field("path", shown.to_string())),
    }
}

fn read_ignore_file(
    host: &dyn Host,
    policy: &Policy,
    folder: &CheckedPath,
    dockerfile: &dockerfile::Dockerfile,
) -> Result<Dockerignore, Failure> {
    let mut ignore = Dockerignore::default();
    for name in [format!("{}{IGNORE_FILE}", dockerfile.asked), IGNORE_FILE.to_owned()] {
        // It may be a symlink on purpose. It leads only to files that scripts may read.
        let file = policy
            .own_path(folder.join(&name).as_path(), OwnAccess::Read, &|path| resolve(host, path))?;
        match host.read_source(&file) {
            Ok(content) => {
                ignore = Dockerignore::parse(&name, &content)?;
                ignore.always_send(&name);
                break;
            }
            Err(error) if error.kind == HostErrorKind::NotFound => {}
            Err(error) => return Err(of_host(error).field("path", name)),
        }
    }
    ignore.always_send(&dockerfile.path);
    Ok(ignore)
}

/// A folder during the walk.
struct Level {
    path: String,
    judgement: IgnoreDecision,
    names: std::vec::IntoIter<FolderEntry>,
    /// The folder itself, if it is ignored: it is sent once something below it is sent.
    held: Option<Entry>,
}

/// The entries to send, each folder before its content, sorted by name.
fn walk(
    host: &dyn Host,
    folder: &CheckedPath,
    own: &Records,
    ignore: &Dockerignore,
    notes: &mut Vec<String>,
) -> Result<Vec<Entry>, Failure> {
    let mut found = Vec::new();
    let root = host.list(folder).map_err(of_host)?;
    let mut levels = vec![Level {
        path: String::new(),
        judgement: IgnoreDecision::default(),
        names: root.into_iter(),
        held: None,
    }];
    while let Some(level) = levels.last_mut() {
        let Some(name) = level.names.next() else {
            levels.pop();
            continue;
        };
        let path =
            if level.path.is_empty() { name.name } else { format!("{}/{}", level.path, name.name) };
        if own.holds(folder, &path) {
            continue;
        }
        let judgement = ignore.judge(&path, &level.judgement);
        if judgement.ignored && !(name.kind == FileKind::Folder && ignore.may_send_below(&path)) {
            continue;
        }
        let Some(entry) = inspect(host, folder, &path, notes)? else { continue };
        let below = match entry.content {
            Content::Folder => list(host, folder, &path)?,
            _ => None,
        };
        let held = if judgement.ignored {
            Some(entry)
        } else {
            found.extend(levels.iter_mut().filter_map(|level| level.held.take()));
            found.push(entry);
            None
        };
        if let Some(names) = below {
            levels.push(Level { path, judgement, names: names.into_iter(), held });
        }
    }
    Ok(found)
}

/// The entry at `path`. `None`, with a note, if its kind can't be sent or it has disappeared.
fn inspect(
    host: &dyn Host,
    folder: &CheckedPath,
    path: &str,
    notes: &mut Vec<String>,
) -> Result<Option<Entry>, Failure> {
    let place = folder.join(path);
    let entry = host.info(&place).and_then(|info| {
        let content = match info.kind {
            FileKind::Folder => Content::Folder,
            FileKind::Symlink => Content::Symlink(host.link_target(&place)?),
            FileKind::File => Content::File { len: info.len },
            FileKind::Other => return Ok(None),
        };
        let modified = u64::try_from(info.modified.timestamp()).unwrap_or(0);
        Ok(Some(Entry { path: path.to_owned(), mode: info.mode & MODE_BITS, modified, content }))
    });
    match entry {
        Ok(Some(entry)) => Ok(Some(entry)),
        Ok(None) => {
            notes.push(format!(
                "\"{path}\" is not sent to the builder: it is a socket, a pipe or a device"
            ));
            Ok(None)
        }
        // The listing replaced bytes that are not UTF-8, so this name can't be found.
        Err(error)
            if error.kind == HostErrorKind::NotFound
                && path.contains(char::REPLACEMENT_CHARACTER) =>
        {
            Err(Failure::new(
                Kind::Build,
                format!("Could not read \"{}\": its name is not UTF-8", place.as_path().display()),
            )
            .hint(format!(
                "rename it, or leave it out with the line \"{}\" in {IGNORE_FILE}",
                path.replace(char::REPLACEMENT_CHARACTER, "?")
            ))
            .field("path", path))
        }
        Err(error) => gone_or_unreadable(error, path).map(|()| None),
    }
}

fn list(
    host: &dyn Host,
    folder: &CheckedPath,
    path: &str,
) -> Result<Option<Vec<FolderEntry>>, Failure> {
    match host.list(&folder.join(path)) {
        Ok(names) => Ok(Some(names)),
        Err(error) => gone_or_unreadable(error, path).map(|()| None),
    }
}

/// Folders may change while they are read. An entry that has disappeared since the listing is not
/// part of the context. Everything else is a failure.
fn gone_or_unreadable(error: HostError, path: &str) -> Result<(), Failure> {
    match error.kind {
        HostErrorKind::NotFound => Ok(()),
        HostErrorKind::SymlinkInPath => Err(of_host(error)),
        _ => Err(unreadable(error.message, path)),
    }
}

fn unreadable(message: String, path: &str) -> Failure {
    Failure::new(Kind::Build, message)
        .hint(format!(
            "if the image doesn't need it, leave it out with the line \"{path}\" in {IGNORE_FILE}"
        ))
        .field("path", path)
}

/// The entries that still existed when they were read, and their totals.
#[derive(Default)]
struct ContextContent {
    digest: String,
    files: usize,
    bytes: u64,
    entries: Vec<Entry>,
}

/// Reads every file once.
async fn read_all(
    host: &dyn Host,
    folder: &CheckedPath,
    found: Vec<Entry>,
) -> Result<ContextContent, Failure> {
    let mut read = ContextContent::default();
    let mut digest = Sha256::new();
    // Every part has a fixed length or is preceded by its length, so no two contexts have the same
    // input.
    digest.update(b"spc build context 1\n");
    for mut entry in found {
        let (kind, mode, content) = match &mut entry.content {
            Content::Folder => (b'd', entry.mode, Vec::new()),
            // The mode of a symlink has no meaning and differs between systems.
            Content::Symlink(target) => (b'l', 0, target.as_os_str().as_encoded_bytes().to_vec()),
            Content::File { len } => {
                let Some((bytes, hash)) = read_file(host, folder, &entry.path).await? else {
                    continue;
                };
                *len = bytes;
                read.files += 1;
                read.bytes += bytes;
                (b'f', entry.mode, hash)
            }
            Content::Checked(content) => {
                read.files += 1;
                read.bytes += content.len() as u64;
                (b'f', entry.mode, Sha256::digest(content.as_ref()).to_vec())
            }
        };
        digest.update([kind]);
        digest.update(mode.to_be_bytes());
        for part in [entry.path.as_bytes(), &content] {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        read.entries.push(entry);
    }
    read.digest = hash::hex(&digest.finalize());
    Ok(read)
}

/// Length and SHA-256 of a file; `None` if it has disappeared.
async fn read_file(
    host: &dyn Host,
    folder: &CheckedPath,
    path: &str,
) -> Result<Option<(u64, Vec<u8>)>, Failure> {
    let place = folder.join(path);
    let mut chunks = match host.open(&place) {
        Ok(chunks) => chunks,
        Err(error) => return gone_or_unreadable(error, path).map(|()| None),
    };
    let (mut len, mut digest) = (0, Sha256::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| {
            unreadable(format!("Could not read \"{}\": {error}", place.as_path().display()), path)
        })?;
        len += chunk.len() as u64;
        digest.update(&chunk);
    }
    Ok(Some((len, digest.finalize().to_vec())))
}

#[cfg(test)]
mod tests;
