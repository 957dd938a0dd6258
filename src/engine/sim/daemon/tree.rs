//! File trees: of an image, of a container's own layer, of a volume.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::Bytes;

/// The folders of any Linux image that is not empty.
const USUAL_FOLDERS: &[&str] = &[
    "/bin",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/media",
    "/mnt",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/tmp",
    "/usr",
    "/usr/bin",
    "/usr/lib",
    "/usr/local",
    "/usr/local/bin",
    "/usr/share",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/log",
    "/var/run",
    "/var/tmp",
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Folder,
    File { content: Bytes, mode: u32, owner: (u64, u64) },
    Symlink(String),
}

/// The entry at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::sim) enum TreeEntry {
    Folder,
    File,
}

/// Files by absolute path. The parents of a file exist implicitly; the root always exists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine::sim) struct Tree {
    nodes: BTreeMap<String, Node>,
}

impl Tree {
    /// An empty Linux root file system.
    pub fn linux() -> Self {
        Self {
            nodes: USUAL_FOLDERS.iter().map(|path| ((*path).to_owned(), Node::Folder)).collect(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    pub fn write(&mut self, path: &str, content: Bytes) {
        self.nodes.insert(normal(path), Node::File { content, mode: 0o644, owner: (0, 0) });
    }

    pub fn add_folder(&mut self, path: &str) {
        self.nodes.entry(normal(path)).or_insert(Node::Folder);
    }

    /// Removes the entry at `path`, with everything in it.
    pub fn remove(&mut self, path: &str) {
        let path = normal(path);
        let below = format!("{}/", path.trim_end_matches('/'));
        self.nodes.retain(|at, _| *at != path && !at.starts_with(&below));
    }

    pub fn file(&self, path: &str) -> Option<Bytes> {
        match self.nodes.get(&normal(path))? {
            Node::File { content, .. } => Some(content.clone()),
            Node::Folder | Node::Symlink(_) => None,
        }
    }

    /// All files, with their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Bytes)> {
        self.nodes.iter().filter_map(|(path, node)| match node {
            Node::File { content, .. } => Some((path.as_str(), content)),
            Node::Folder | Node::Symlink(_) => None,
        })
    }

    pub fn find(&self, path: &str) -> Option<TreeEntry> {
        let path = normal(path);
        match self.nodes.get(&path) {
            Some(Node::Folder) => Some(TreeEntry::Folder),
            Some(Node::File { .. } | Node::Symlink(_)) => Some(TreeEntry::File),
            None if path == "/" || self.below(&path).next().is_some() => Some(TreeEntry::Folder),
            None => None,
        }
    }

    /// Adds all of `other`, moved to `at`, on top of the existing files.
    pub fn overlay(&mut self, other: &Self, at: &str) {
        for (path, node) in &other.nodes {
            self.nodes.insert(normal(&format!("{at}/{path}")), node.clone());
        }
    }

    /// The entry at `path` with everything below it, as a separate tree.
    pub fn subtree(&self, path: &str) -> Self {
        let path = normal(path);
        let here = self.nodes.get(&path).into_iter().map(|node| ("/".to_owned(), node.clone()));
        let below = self
            .below(&path)
            .map(|(at, node)| (normal(&at[path.trim_end_matches('/').len()..]), node.clone()));
        Self {
            nodes: here
                .chain(below)
                .filter(|(at, node)| at != "/" || *node != Node::Folder)
                .collect(),
        }
    }

    fn below(&self, path: &str) -> impl Iterator<Item = (&String, &Node)> {
        let prefix = if path == "/" { "/".to_owned() } else { format!("{path}/") };
        self.nodes
            .range(prefix.clone()..)
            .take_while(move |(at, _)| at.starts_with(&prefix))
            .filter(|(at, _)| at.as_str() != "/")
    }

    /// Unpacks a tar archive at `at`. If the archive can't be read, nothing is unpacked.
    pub fn unpack(&mut self, at: &str, tar: &[u8]) -> io::Result<()> {
        let mut unpacked = Self::default();
        for entry in tar::Archive::new(tar).entries()? {
            let mut entry = entry?;
            let path = format!("/{}", entry.path()?.to_string_lossy());
            let node = match entry.header().entry_type() {
                tar::EntryType::Directory => Node::Folder,
                tar::EntryType::Symlink | tar::EntryType::Link => Node::Symlink(
                    entry
                        .link_name()?
                        .map(|target| target.to_string_lossy().into_owned())
                        .unwrap_or_default(),
                ),
                _ => {
                    let mut content = Vec::new();
                    entry.read_to_end(&mut content)?;
                    let header = entry.header();
                    // An empty field counts as zero, as in Docker's reader.
                    let owner =
                        (header.uid().unwrap_or_default(), header.gid().unwrap_or_default());
                    Node::File { content: content.into(), mode: header.mode()?, owner }
                }
            };
            unpacked.nodes.insert(normal(&path), node);
        }
        self.overlay(&unpacked, at);
        Ok(())
    }

    /// The entry at `path` as a tar archive, named by the last part of the path; `None` if it does
    /// not exist.
    pub fn pack(&self, path: &str) -> io::Result<Option<Bytes>> {
        if self.find(path).is_none() {
            return Ok(None);
        }
        let path = normal(path);
        let name =
            path.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(".").to_owned();
        let mut archive = tar::Builder::new(Vec::new());
        match self.nodes.get(&path) {
            Some(node @ (Node::File { .. } | Node::Symlink(_))) => {
                append(&mut archive, &name, node)?
            }
            Some(Node::Folder) | None => {
                append(&mut archive, &name, &Node::Folder)?;
                for (at, node) in self.below(&path) {
                    append(
                        &mut archive,
                        &format!("{name}{}", &at[path.trim_end_matches('/').len()..]),
                        node,
                    )?;
                }
            }
        }
        archive.into_inner().map(|bytes| Some(bytes.into()))
    }
}

fn append(archive: &mut tar::Builder<Vec<u8>>, name: &str, node: &Node) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    match node {
        Node::Folder => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0o755);
            header.set_size(0);
            archive.append_data(&mut header, format!("{name}/"), io::empty())
        }
        Node::File { content, mode, owner } => {
            header.set_mode(*mode);
            header.set_uid(owner.0);
            header.set_gid(owner.1);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, name, content.as_ref())
        }
        Node::Symlink(target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            archive.append_link(&mut header, name, target)
        }
    }
}

/// `path` as an absolute path, without double slashes, `.` and `..`.
pub(in crate::engine::sim) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &'static str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, content) in files {
            tree.write(path, Bytes::from_static(content.as_bytes()));
        }
        tree
    }

    #[test]
    fn a_file_brings_the_folders_it_is_in() {
        let tree = tree(&[("/run/secrets/key", "k")]);
        assert_eq!(tree.find("/run/secrets"), Some(TreeEntry::Folder));
        assert_eq!(tree.find("/run/secrets/key"), Some(TreeEntry::File));
        assert_eq!(tree.find("/run/sec"), None);
        assert_eq!(Tree::default().find("/"), Some(TreeEntry::Folder));
    }

    #[test]
    fn a_packed_tree_can_be_unpacked_elsewhere() {
        let from = tree(&[("/data/a", "1"), ("/data/b/c", "2"), ("/other", "3")]);
        let mut to = Tree::default();
        to.unpack("/restored", &from.pack("/data").unwrap().unwrap()).unwrap();
        assert_eq!(to.file("/restored/data/b/c").unwrap(), "2");
        assert_eq!(to.find("/restored/other"), None);
        assert_eq!(from.pack("/none").unwrap(), None);
    }

    #[test]
    fn a_single_file_is_packed_under_its_own_name() {
        let mut to = Tree::default();
        to.unpack("/", &tree(&[("/data/a", "1")]).pack("/data/a").unwrap().unwrap()).unwrap();
        assert_eq!(to.file("/a").unwrap(), "1");
    }

    #[test]
    fn a_broken_archive_leaves_nothing() {
        let mut tree = Tree::default();
        assert!(tree.unpack("/", &[7; 600]).is_err());
        assert!(tree.is_empty());
    }

    #[test]
    fn a_subtree_is_cut_out_and_laid_over() {
        let from = tree(&[("/data/a", "1"), ("/data/b/c", "2"), ("/database", "3")]);
        let cut = from.subtree("/data");
        assert_eq!(cut, tree(&[("/a", "1"), ("/b/c", "2")]));
        let mut to = Tree::default();
        to.overlay(&cut, "/data");
        assert_eq!(to, tree(&[("/data/a", "1"), ("/data/b/c", "2")]));
    }
}
