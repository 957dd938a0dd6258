//! The files of the simulated host: a tree in memory that fails where a real one fails.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::host::{FileInfo, FileKind, FolderEntry, HostErrorKind};

/// Links followed before a path counts as a loop, as Linux has it.
const MAXIMUM_LINKS: usize = 40;

const DEFAULT_FILE_MODE: u32 = 0o644;
const DEFAULT_FOLDER_MODE: u32 = 0o755;

/// Permission bits of the owner: the simulated user owns every file.
const OWNER_READ: u32 = 0o400;
const OWNER_WRITE: u32 = 0o200;
const OWNER_SEARCH: u32 = 0o100;

/// Why a file operation failed, as the operating system says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errno {
    NotFound,
    NotAFolder,
    IsAFolder,
    NotEmpty,
    Denied,
    Loop,
    NoSpace,
    /// A relative path, a folder moved into itself, no symlink where one is wanted.
    Invalid,
}

impl Errno {
    pub(super) fn kind(self) -> HostErrorKind {
        match self {
            Self::NotFound | Self::NotAFolder => HostErrorKind::NotFound,
            Self::Denied => HostErrorKind::PermissionDenied,
            Self::NotEmpty => HostErrorKind::AlreadyExists,
            Self::NoSpace => HostErrorKind::NoSpace,
            Self::IsAFolder | Self::Invalid => HostErrorKind::Invalid,
            Self::Loop => HostErrorKind::Other,
        }
    }

    /// The cause, in the words of the real host.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::NotFound => "it is not there",
            Self::NotAFolder => "a part of the path is not a folder",
            Self::IsAFolder => "it is a folder",
            Self::NotEmpty => "the folder is not empty",
            Self::Denied => "permission denied",
            Self::Loop => "symlinks lead in a circle",
            Self::NoSpace => "the disk is full",
            Self::Invalid => "invalid argument",
        }
    }
}

type Result<T> = std::result::Result<T, Errno>;

#[derive(Debug, Clone)]
enum Node {
    File(Bytes),
    Folder,
    Symlink(PathBuf),
}

#[derive(Debug, Clone)]
struct Entry {
    node: Node,
    mode: u32,
    modified: DateTime<Utc>,
}

impl Entry {
    fn kind(&self) -> FileKind {
        match self.node {
            Node::File(_) => FileKind::File,
            Node::Folder => FileKind::Folder,
            Node::Symlink(_) => FileKind::Symlink,
        }
    }
}

/// What to do with a symlink at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Follow,
    Keep,
}

/// A file system. Keys are absolute paths without symlinks, `.` and `..`.
#[derive(Debug)]
pub(super) struct Files {
    entries: BTreeMap<PathBuf, Entry>,
    /// Bytes that may still be written; no limit if not given.
    free: Option<u64>,
}

impl Files {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        let root = Entry { node: Node::Folder, mode: DEFAULT_FOLDER_MODE, modified: now };
        Self { entries: BTreeMap::from([(PathBuf::from("/"), root)]), free: None }
    }

    pub(super) fn set_free(&mut self, bytes: Option<u64>) {
        self.free = bytes;
    }

    pub(super) fn read(&self, path: &Path) -> Result<Bytes> {
        let path = self.resolve(path, Last::Follow)?;
        let entry = self.entries.get(&path).ok_or(Errno::NotFound)?;
        match &entry.node {
            Node::File(_) if entry.mode & OWNER_READ == 0 => Err(Errno::Denied),
            Node::File(content) => Ok(content.clone()),
            Node::Folder => Err(Errno::IsAFolder),
            Node::Symlink(_) => Err(Errno::Loop),
        }
    }

    /// A new file in the place of whatever file or symlink had the name: what writing aside and renaming does.
    pub(super) fn replace(&mut self, path: &Path, content: Bytes, mode: Option<u32>, now: DateTime<Utc>) -> Result<()> {
        let path = self.resolve(path, Last::Keep)?;
        let before = match self.entries.get(&path).map(|entry| (entry.kind(), entry.mode)) {
            Some((FileKind::Folder, _)) => return Err(Errno::IsAFolder),
            // A file that was there keeps its mode.
            Some((FileKind::File, mode)) => Some(mode),
            _ => None,
        };
        self.may_change_folder_of(&path)?;
        self.take_space(content.len())?;
        let mode = mode.or(before).unwrap_or(DEFAULT_FILE_MODE);
        self.entries.insert(path, Entry { node: Node::File(content), mode, modified: now });
        Ok(())
    }

    /// Whether [`Files::replace`] could make a file here now.
    pub(super) fn may_create(&self, path: &Path) -> Result<()> {
        let path = self.resolve(path, Last::Keep)?;
        match self.entries.get(&path).map(Entry::kind) {
            Some(FileKind::Folder) => Err(Errno::IsAFolder),
            _ => self.may_change_folder_of(&path),
        }
    }

    pub(super) fn append(&mut self, path: &Path, content: &[u8], now: DateTime<Utc>) -> Result<()> {
        let path = self.resolve(path, Last::Follow)?;
        let Some(entry) = self.entries.get(&path) else {
            return self.replace(&path, Bytes::copy_from_slice(content), None, now);
        };
        let whole = match &entry.node {
            Node::File(_) if entry.mode & OWNER_WRITE == 0 => return Err(Errno::Denied),
            Node::File(before) => [before.as_ref(), content].concat(),
            Node::Folder => return Err(Errno::IsAFolder),
            Node::Symlink(_) => return Err(Errno::Loop),
        };
        let mode = entry.mode;
        self.take_space(content.len())?;
        self.entries.insert(path, Entry { node: Node::File(whole.into()), mode, modified: now });
        Ok(())
    }

    /// With its parents; an existing folder is fine.
    pub(super) fn create_folder(&mut self, path: &Path, now: DateTime<Utc>) -> Result<()> {
        let mut made = PathBuf::from("/");
        for part in absolute(path)?.components() {
            match part {
                Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
                Component::ParentDir => made.push(".."),
                Component::Normal(name) => made.push(name),
            }
            let at = self.resolve(&made, Last::Follow)?;
            match self.entries.get(&at).map(Entry::kind) {
                Some(FileKind::Folder) => {}
                Some(_) => return Err(Errno::NotAFolder),
                None => {
                    self.may_change_folder_of(&at)?;
                    self.entries.insert(at.clone(), Entry { node: Node::Folder, mode: DEFAULT_FOLDER_MODE, modified: now });
                }
            }
            made = at;
        }
        Ok(())
    }

    pub(super) fn symlink(&mut self, path: &Path, target: PathBuf, now: DateTime<Utc>) -> Result<()> {
        let path = self.resolve(path, Last::Keep)?;
        self.may_change_folder_of(&path)?;
        self.entries.insert(path, Entry { node: Node::Symlink(target), mode: 0o777, modified: now });
        Ok(())
    }

    pub(super) fn set_mode(&mut self, path: &Path, mode: u32) -> Result<()> {
        let path = self.resolve(path, Last::Follow)?;
        self.entries.get_mut(&path).ok_or(Errno::NotFound)?.mode = mode;
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> Result<Vec<FolderEntry>> {
        let path = self.resolve(path, Last::Follow)?;
        let entry = self.entries.get(&path).ok_or(Errno::NotFound)?;
        match entry.kind() {
            FileKind::Folder if entry.mode & OWNER_READ == 0 => Err(Errno::Denied),
            FileKind::Folder => Ok(self.children(&path).map(|(name, entry)| FolderEntry { name, kind: entry.kind() }).collect()),
            _ => Err(Errno::NotAFolder),
        }
    }

    pub(super) fn info(&self, path: &Path) -> Result<FileInfo> {
        let path = self.resolve(path, Last::Keep)?;
        let entry = self.entries.get(&path).ok_or(Errno::NotFound)?;
        let len = match &entry.node {
            Node::File(content) => content.len(),
            Node::Folder => 0,
            Node::Symlink(target) => target.as_os_str().len(),
        };
        Ok(FileInfo { kind: entry.kind(), len: len as u64, mode: entry.mode, modified: entry.modified })
    }

    pub(super) fn link_target(&self, path: &Path) -> Result<PathBuf> {
        let path = self.resolve(path, Last::Keep)?;
        match &self.entries.get(&path).ok_or(Errno::NotFound)?.node {
            Node::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::Invalid),
        }
    }

    pub(super) fn canonicalize(&self, path: &Path) -> Result<PathBuf> {
        let path = self.resolve(path, Last::Follow)?;
        if self.entries.contains_key(&path) { Ok(path) } else { Err(Errno::NotFound) }
    }

    /// A file, a symlink, or a folder with all it holds.
    pub(super) fn remove(&mut self, path: &Path) -> Result<()> {
        let path = self.resolve(path, Last::Keep)?;
        if !self.entries.contains_key(&path) {
            return Err(Errno::NotFound);
        }
        self.may_change_folder_of(&path)?;
        self.entries.retain(|at, _| !at.starts_with(&path));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let from = self.resolve(from, Last::Keep)?;
        let to = self.resolve(to, Last::Keep)?;
        let moved = self.entries.get(&from).ok_or(Errno::NotFound)?.kind();
        if from == to {
            return Ok(());
        }
        if to.starts_with(&from) {
            return Err(Errno::Invalid);
        }
        match self.entries.get(&to).map(Entry::kind) {
            Some(FileKind::Folder) if moved != FileKind::Folder => return Err(Errno::IsAFolder),
            Some(FileKind::Folder) if self.children(&to).next().is_some() => return Err(Errno::NotEmpty),
            Some(kind) if moved == FileKind::Folder && kind != FileKind::Folder => return Err(Errno::NotAFolder),
            _ => {}
        }
        self.may_change_folder_of(&from)?;
        self.may_change_folder_of(&to)?;
        let paths: Vec<PathBuf> = self.below(&from).map(|(path, _)| path.clone()).collect();
        for path in paths {
            if let (Some(entry), Ok(rest)) = (self.entries.remove(&path), path.strip_prefix(&from)) {
                let target = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                self.entries.insert(target, entry);
            }
        }
        Ok(())
    }

    fn children<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = (String, &'a Entry)> {
        self.below(folder)
            .filter(move |(path, _)| path.parent() == Some(folder))
            .filter_map(|(path, entry)| Some((path.file_name()?.to_string_lossy().into_owned(), entry)))
    }

    /// `path` and all under it: paths sort by their parts, so they stand together.
    fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a PathBuf, &'a Entry)> {
        self.entries.range(path.to_path_buf()..).take_while(move |(at, _)| at.starts_with(path))
    }

    fn may_change_folder_of(&self, path: &Path) -> Result<()> {
        // The root itself can be neither made nor removed.
        let folder = path.parent().ok_or(Errno::Denied)?;
        match self.entries.get(folder) {
            None => Err(Errno::NotFound),
            Some(entry) if entry.kind() != FileKind::Folder => Err(Errno::NotAFolder),
            Some(entry) if entry.mode & OWNER_WRITE == 0 => Err(Errno::Denied),
            Some(_) => Ok(()),
        }
    }

    fn take_space(&mut self, bytes: usize) -> Result<()> {
        if let Some(free) = &mut self.free {
            *free = free.checked_sub(bytes as u64).ok_or(Errno::NoSpace)?;
        }
        Ok(())
    }

    /// The place of `path`, which itself need not exist; every folder on the way has to.
    fn resolve(&self, path: &Path, last: Last) -> Result<PathBuf> {
        let mut links = 0;
        let mut at = PathBuf::from("/");
        let mut rest: Vec<PathBuf> = parts(absolute(path)?);
        while let Some(part) = rest.pop() {
            let here = self.entries.get(&at).ok_or(Errno::NotFound)?;
            match here.node {
                Node::Folder if here.mode & OWNER_SEARCH == 0 => return Err(Errno::Denied),
                Node::Folder => {}
                _ => return Err(Errno::NotAFolder),
            }
            if part == Path::new("..") {
                at.pop();
                continue;
            }
            let next = at.join(&part);
            match self.entries.get(&next).map(|entry| &entry.node) {
                Some(Node::Symlink(target)) if !rest.is_empty() || last == Last::Follow => {
                    links += 1;
                    if links > MAXIMUM_LINKS {
                        return Err(Errno::Loop);
                    }
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    rest.extend(parts(target));
                }
                _ => at = next,
            }
        }
        Ok(at)
    }
}

fn absolute(path: &Path) -> Result<&Path> {
    if path.is_absolute() { Ok(path) } else { Err(Errno::Invalid) }
}

/// The names of a path, last first; `..` is one of them.
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().into())
        .collect()
}

#[cfg(test)]
mod tests;
