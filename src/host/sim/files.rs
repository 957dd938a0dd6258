//! The files of the simulated host: a tree in memory with the errors of a real file system.

mod by_path;

use std::path::{Component, Path, PathBuf};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};

use self::by_path::ByPath;
use super::errno::Errno;
use super::overlay::{LowerEntry, Overlay};
use crate::host::{FileInfo, FileKind, FolderEntry};

/// The most links in a path before it counts as a loop, as on Linux.
const MAXIMUM_LINKS: usize = 40;

const DEFAULT_FILE_MODE: u32 = 0o644;
const DEFAULT_FOLDER_MODE: u32 = 0o755;

/// Permission bits of the owner: the simulated user owns every file.
const OWNER_READ: u32 = 0o400;
const OWNER_WRITE: u32 = 0o200;
const OWNER_SEARCH: u32 = 0o100;

type Result<T> = std::result::Result<T, Errno>;

#[derive(Debug, Clone)]
enum Node {
    File(Bytes),
    /// A file of the host beneath, with its length.
    Beneath(u64),
    Folder,
    Symlink(PathBuf),
    Other,
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
            Node::File(_) | Node::Beneath(_) => FileKind::File,
            Node::Folder => FileKind::Folder,
            Node::Symlink(_) => FileKind::Symlink,
            Node::Other => FileKind::Other,
        }
    }
}

/// How to handle a symlink at the end of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LastSymlink {
    Follow,
    Keep,
}

/// A file system. Keys are absolute paths without symlinks, `.` and `..`.
#[derive(Debug)]
pub(super) struct Files {
    entries: ByPath<Entry>,
    /// Whether a folder may exist that the user can't search.
    barred: bool,
    /// The free space in bytes; `None` means no limit.
    free: Option<u64>,
    beneath: Option<Overlay>,
    /// Whether permission bits have no effect, as for root.
    ignores_permissions: bool,
    /// The content that was read from the files beneath.
    seen: ByPath<Bytes>,
    /// The folders whose names beneath are known.
    listed: ByPath<()>,
}

impl Files {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        let root = Entry { node: Node::Folder, mode: DEFAULT_FOLDER_MODE, modified: now };
        let mut entries = ByPath::default();
        entries.insert(PathBuf::from("/"), root);
        Self {
            entries,
            barred: false,
            free: None,
            beneath: None,
            ignores_permissions: false,
            seen: ByPath::default(),
            listed: ByPath::default(),
        }
    }

    /// The files beneath are read with the permissions of the reader.
    pub(super) fn set_beneath(&mut self, beneath: Overlay) {
        self.ignores_permissions = beneath.ignores_permissions();
        self.beneath = Some(beneath);
    }

    fn bars(&self, entry: &Entry, bit: u32) -> bool {
        !self.ignores_permissions && entry.mode & bit == 0
    }

    pub(super) fn set_free(&mut self, bytes: Option<u64>) {
        self.free = bytes;
    }

    /// Fails if a checked path contains a symlink, as on a real host. `last` says whether the
    /// operation would follow a symlink at the end of the path.
    pub(super) fn without_symlinks(&mut self, path: &Path, last: LastSymlink) -> Result<()> {
        // Keys contain no symlinks, so neither does the path of a known folder.
        let is_known = |folder: &&Path| {
            self.entries.get(folder).is_some_and(|entry| matches!(entry.node, Node::Folder))
        };
        let mut at = path.parent().filter(is_known).unwrap_or(Path::new("/")).to_path_buf();
        let rest = path.strip_prefix(&at).map_err(|_| Errno::Invalid)?;
        for name in rest.components() {
            at.push(name);
            if last == LastSymlink::Keep && at == path {
                break;
            }
            self.load(&at);
            if self.entries.get(&at).is_some_and(|entry| matches!(entry.node, Node::Symlink(_))) {
                return Err(Errno::SymlinkInPath);
            }
        }
        Ok(())
    }

    pub(super) fn read(&mut self, path: &Path) -> Result<Bytes> {
        let path = self.resolve(path, LastSymlink::Follow)?;
        let entry = self.entries.get(&path).ok_or(Errno::NotFound)?;
        match &entry.node {
            Node::File(_) if self.bars(entry, OWNER_READ) => Err(Errno::Denied),
            Node::File(content) => Ok(content.clone()),
            Node::Beneath(_) => self.read_beneath(&path),
            Node::Folder => Err(Errno::IsAFolder),
            Node::Symlink(_) => Err(Errno::Loop),
            Node::Other => Err(Errno::Denied),
        }
    }

    /// The reason why the host beneath has the path but this host doesn't.
    pub(super) fn left_out(&self, path: &Path) -> Option<&'static str> {
        self.beneath.as_ref()?.left_out(path)
    }

    /// Reads a file of the host beneath the first time. From then on its content stays the same.
    fn read_beneath(&mut self, path: &Path) -> Result<Bytes> {
        let beneath = self.beneath.as_ref().ok_or(Errno::NotFound)?;
        if let Some(content) = self.seen.get(path) {
            return Ok(content.clone());
        }
        let content = beneath.read(path)?;
        self.seen.insert(path.to_path_buf(), content.clone());
        Ok(content)
    }

    fn content(&self, path: &Path, entry: &Entry) -> Result<Bytes> {
        match (&entry.node, &self.beneath) {
            (Node::File(content), _) => Ok(content.clone()),
            (Node::Beneath(_), Some(beneath)) => beneath.read(path),
            _ => Err(Errno::IsAFolder),
        }
    }

    /// A new file that replaces any file or symlink with its name, as a write to a temporary name
    /// and a rename do.
    pub(super) fn replace(
        &mut self,
        path: &Path,
        content: Bytes,
        mode: Option<u32>,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let path = self.resolve(path, LastSymlink::Keep)?;
        let before = match self.entries.get(&path).map(|entry| (entry.kind(), entry.mode)) {
            Some((FileKind::Folder, _)) => return Err(Errno::IsAFolder),
            // An existing file keeps its mode.
            Some((FileKind::File, mode)) => Some(mode),
            _ => None,
        };
        self.may_change_folder_of(&path)?;
        self.take_space(content.len())?;
        let mode = mode.or(before).unwrap_or(DEFAULT_FILE_MODE);
        self.entries.insert(path, Entry { node: Node::File(content), mode, modified: now });
        Ok(())
    }

    /// Whether [`Files::replace`] could create a file here now.
    pub(super) fn may_create(&mut self, path: &Path) -> Result<()> {
        let path = self.resolve(path, LastSymlink::Keep)?;
        match self.entries.get(&path).map(Entry::kind) {
            Some(FileKind::Folder) => Err(Errno::IsAFolder),
            _ => self.may_change_folder_of(&path),
        }
    }

    pub(super) fn append(&mut self, path: &Path, content: &[u8], now: DateTime<Utc>) -> Result<()> {
        let path = self.resolve(path, LastSymlink::Follow)?;
        let Some(entry) = self.entries.get(&path) else {
            return self.replace(&path, Bytes::copy_from_slice(content), None, now);
        };
        match &entry.node {
            Node::File(_) | Node::Beneath(_) if self.bars(entry, OWNER_WRITE) => {
                return Err(Errno::Denied);
            }
            Node::File(_) | Node::Beneath(_) => {}
            Node::Folder => return Err(Errno::IsAFolder),
            Node::Symlink(_) => return Err(Errno::Loop),
            Node::Other => return Err(Errno::Denied),
        }
        self.bring_up(&path)?;
        self.take_space(content.len())?;
        if let Some(entry) = self.entries.get_mut(&path)
            && let Node::File(before) = &mut entry.node
        {
            // Appends without a copy if the content is not shared. Journals are written line by
            // line.
            let before_alone = std::mem::take(before).try_into_mut();
            let mut whole = before_alone.unwrap_or_else(|shared| BytesMut::from(shared.as_ref()));
            whole.extend_from_slice(content);
            *before = whole.freeze();
            entry.modified = now;
        }
        Ok(())
    }

    /// Every file that differs from the host beneath, with its permission bits.
    pub(super) fn own(&self) -> impl Iterator<Item = (&PathBuf, &Bytes, u32)> {
        self.entries.iter().filter_map(|(path, entry)| match &entry.node {
            Node::File(content) => Some((path, content, entry.mode)),
            _ => None,
        })
    }

    /// Paths of the host beneath that this one has removed.
    pub(super) fn removed(&self) -> impl Iterator<Item = &PathBuf> {
        let removed = self.beneath.iter().flat_map(Overlay::removed);
        removed.filter(|path| !self.entries.contains_key(path))
    }

    /// Creates a folder and its parents. Succeeds if the folder exists.
    pub(super) fn create_folder(&mut self, path: &Path, now: DateTime<Utc>) -> Result<()> {
        let mut made = PathBuf::from("/");
        let mut parts = absolute(path)?.components().peekable();
        while let Some(part) = parts.next() {
            match part {
                Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
                Component::ParentDir => made.push(".."),
                Component::Normal(name) => made.push(name),
            }
            let at = self.resolve(&made, LastSymlink::Follow)?;
            match self.entries.get(&at).map(Entry::kind) {
                Some(FileKind::Folder) => {}
                Some(_) => {
                    return Err(if parts.peek().is_none() {
                        Errno::Exists
                    } else {
                        Errno::NotAFolder
                    });
                }
                None => {
                    self.may_change_folder_of(&at)?;
                    self.entries.insert(
                        at.clone(),
                        Entry { node: Node::Folder, mode: DEFAULT_FOLDER_MODE, modified: now },
                    );
                }
            }
            made = at;
        }
        Ok(())
    }

    pub(super) fn symlink(
        &mut self,
        path: &Path,
        target: PathBuf,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let path = self.resolve(path, LastSymlink::Keep)?;
        self.may_change_folder_of(&path)?;
        self.entries
            .insert(path, Entry { node: Node::Symlink(target), mode: 0o777, modified: now });
        Ok(())
    }

    pub(super) fn set_mode(&mut self, path: &Path, mode: u32) -> Result<()> {
        let path = self.resolve(path, LastSymlink::Follow)?;
        self.entries.get_mut(&path).ok_or(Errno::NotFound)?.mode = mode;
        self.barred |= mode & OWNER_SEARCH == 0;
        Ok(())
    }

    pub(super) fn list(&mut self, path: &Path) -> Result<Vec<FolderEntry>> {
        let path = self.resolve(path, LastSymlink::Follow)?;
        self.load_children(&path);
        let entry = self.entries.get(&path).ok_or(Errno::NotFound)?;
        match entry.kind() {
            FileKind::Folder if self.bars(entry, OWNER_READ) => Err(Errno::Denied),
            FileKind::Folder => Ok(self
                .children(&path)
                .map(|(name, entry)| FolderEntry { name, kind: entry.kind() })
                .collect()),
            _ => Err(Errno::NotAFolder),
        }
    }

    pub(super) fn info(&mut self, path: &Path) -> Result<FileInfo> {
        let path = self.resolve(path, LastSymlink::Keep)?;
        let entry = self.entries.get(&path).ok_or(Errno::NotFound)?;
        let len = match &entry.node {
            Node::File(content) => content.len() as u64,
            Node::Beneath(len) => *len,
            Node::Folder | Node::Other => 0,
            Node::Symlink(target) => target.as_os_str().len() as u64,
        };
        Ok(FileInfo { kind: entry.kind(), len, mode: entry.mode, modified: entry.modified })
    }

    pub(super) fn link_target(&mut self, path: &Path) -> Result<PathBuf> {
        let path = self.resolve(path, LastSymlink::Keep)?;
        match &self.entries.get(&path).ok_or(Errno::NotFound)?.node {
            Node::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::Invalid),
        }
    }

    pub(super) fn canonicalize(&mut self, path: &Path) -> Result<PathBuf> {
        let path = self.resolve(path, LastSymlink::Follow)?;
        if self.entries.contains_key(&path) { Ok(path) } else { Err(Errno::NotFound) }
    }

    /// Removes a file, a symlink, or a folder with its content.
    pub(super) fn remove(&mut self, path: &Path) -> Result<()> {
        let path = self.resolve(path, LastSymlink::Keep)?;
        if !self.entries.contains_key(&path) {
            return Err(Errno::NotFound);
        }
        self.may_change_folder_of(&path)?;
        self.entries.retain(|at| !at.starts_with(&path));
        self.forget_beneath(&path);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let from = self.resolve(from, LastSymlink::Keep)?;
        let to = self.resolve(to, LastSymlink::Keep)?;
        let moved = self.entries.get(&from).ok_or(Errno::NotFound)?.kind();
        if from == to {
            return Ok(());
        }
        if to.starts_with(&from) {
            return Err(Errno::Invalid);
        }
        self.load_children(&to);
        self.load_tree(&from);
        match self.entries.get(&to).map(Entry::kind) {
            Some(FileKind::Folder) if moved != FileKind::Folder => return Err(Errno::IsAFolder),
            Some(FileKind::Folder) if self.children(&to).next().is_some() => {
                return Err(Errno::NotEmpty);
            }
            Some(kind) if moved == FileKind::Folder && kind != FileKind::Folder => {
                return Err(Errno::NotAFolder);
            }
            _ => {}
        }
        self.may_change_folder_of(&from)?;
        self.may_change_folder_of(&to)?;
        let paths: Vec<PathBuf> = self.entries.below(&from).map(|(path, _)| path.clone()).collect();
        for path in paths {
            self.bring_up(&path)?;
            if let (Some(entry), Ok(rest)) = (self.entries.remove(&path), path.strip_prefix(&from))
            {
                let target = if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                self.entries.insert(target, entry);
            }
        }
        self.forget_beneath(&from);
        // The target hides the files beneath it, even if it is an empty folder.
        self.forget_beneath(&to);
        Ok(())
    }

    /// Loads the file beneath `path`, if nothing is known there yet.
    fn load(&mut self, path: &Path) {
        let Some(beneath) = self.beneath.as_ref().filter(|_| !self.entries.contains_key(path))
        else {
            return;
        };
        let way = |modified| Entry { node: Node::Folder, mode: DEFAULT_FOLDER_MODE, modified };
        let entry = match beneath.look(path) {
            None => return,
            Some(LowerEntry::File(info)) => {
                Entry { node: Node::Beneath(info.len), mode: info.mode, modified: info.modified }
            }
            Some(LowerEntry::Folder(info)) if info.mode & OWNER_SEARCH == 0 => {
                self.barred = true;
                Entry { node: Node::Folder, mode: info.mode, modified: info.modified }
            }
            Some(LowerEntry::Folder(info)) => {
                Entry { node: Node::Folder, mode: info.mode, modified: info.modified }
            }
            Some(LowerEntry::Symlink(info, target)) => {
                Entry { node: Node::Symlink(target), mode: info.mode, modified: info.modified }
            }
            Some(LowerEntry::Other(info)) => {
                Entry { node: Node::Other, mode: info.mode, modified: info.modified }
            }
            Some(LowerEntry::Way) => way(self
                .entries
                .get(Path::new("/"))
                .map_or(DateTime::UNIX_EPOCH, |root| root.modified)),
        };
        self.entries.insert(path.to_path_buf(), entry);
    }

    fn load_children(&mut self, folder: &Path) {
        if self.listed.insert(folder.to_path_buf(), ()).is_some() {
            return;
        }
        let names = self.beneath.as_ref().map(|beneath| beneath.names(folder)).unwrap_or_default();
        for name in names {
            self.load(&folder.join(name));
        }
    }

    fn load_tree(&mut self, top: &Path) {
        let mut folders = vec![top.to_path_buf()];
        while let Some(folder) = folders.pop() {
            self.load_children(&folder);
            let inner =
                self.children(&folder).filter(|(_, entry)| entry.kind() == FileKind::Folder);
            folders.extend(inner.map(|(name, _)| folder.join(name)).collect::<Vec<_>>());
        }
    }

    /// Copies a file of the host beneath into this one, with its content.
    fn bring_up(&mut self, path: &Path) -> Result<()> {
        if let Some(entry) =
            self.entries.get(path).filter(|entry| matches!(entry.node, Node::Beneath(_)))
        {
            let whole = Entry { node: Node::File(self.content(path, entry)?), ..entry.clone() };
            self.entries.insert(path.to_path_buf(), whole);
        }
        Ok(())
    }

    fn forget_beneath(&mut self, path: &Path) {
        if let Some(beneath) = &mut self.beneath {
            beneath.remove(path);
        }
    }

    fn children<'a>(
        &'a self,
        folder: &Path,
    ) -> impl Iterator<Item = (String, &'a Entry)> + use<'a> {
        self.entries.children(folder).filter_map(|(path, entry)| {
            Some((path.file_name()?.to_string_lossy().into_owned(), entry))
        })
    }

    fn may_change_folder_of(&self, path: &Path) -> Result<()> {
        // The root itself can be neither created nor removed.
        let folder = path.parent().ok_or(Errno::Denied)?;
        match self.entries.get(folder) {
            None => Err(Errno::NotFound),
            Some(entry) if entry.kind() != FileKind::Folder => Err(Errno::NotAFolder),
            Some(entry) if self.bars(entry, OWNER_WRITE) => Err(Errno::Denied),
            Some(_) => Ok(()),
        }
    }

    fn take_space(&mut self, bytes: usize) -> Result<()> {
        if let Some(free) = &mut self.free {
            *free = free.checked_sub(bytes as u64).ok_or(Errno::NoSpace)?;
        }
        Ok(())
    }

    /// The folder and the name of a path without symlinks in a known folder. This is the common
    /// case.
    fn known_folder_of<'a>(&self, path: &'a Path) -> Option<(&'a Path, PathBuf)> {
        let (folder, name) = (path.parent()?, path.file_name()?);
        let is_plain = folder.join(name).as_os_str() == path.as_os_str();
        let is_known =
            !self.barred && is_plain && matches!(self.entries.get(folder)?.node, Node::Folder);
        is_known.then(|| (folder, name.into()))
    }

    /// Resolves `path`, which itself need not exist; every folder in it has to.
    fn resolve(&mut self, path: &Path, last: LastSymlink) -> Result<PathBuf> {
        let mut links = 0;
        let (mut at, mut rest) = match self.known_folder_of(absolute(path)?) {
            Some((folder, name)) => (folder.to_path_buf(), vec![name]),
            None => (PathBuf::from("/"), parts(path)),
        };
        while let Some(part) = rest.pop() {
            let here = self.entries.get(&at).ok_or(Errno::NotFound)?;
            match here.node {
                Node::Folder if self.bars(here, OWNER_SEARCH) => return Err(Errno::Denied),
                Node::Folder => {}
                _ => return Err(Errno::NotAFolder),
            }
            if part == Path::new("..") {
                at.pop();
                continue;
            }
            let next = at.join(&part);
            self.load(&next);
            match self.entries.get(&next).map(|entry| &entry.node) {
                Some(Node::Symlink(target)) if !rest.is_empty() || last == LastSymlink::Follow => {
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
