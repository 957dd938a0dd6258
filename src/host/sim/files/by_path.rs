//! A map by path with fast lookups.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};

/// Values by absolute path, in the order of the paths' parts: the content of a folder directly
/// follows it.
#[derive(Debug)]
pub(super) struct ByPath<T>(BTreeMap<Vec<u8>, (PathBuf, T)>);

impl<T> Default for ByPath<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> ByPath<T> {
    /// Bytewise comparison of this key gives that order. Comparing paths would split both of them
    /// each time.
    fn key(path: &Path) -> Vec<u8> {
        path.as_os_str()
            .as_encoded_bytes()
            .iter()
            .map(|&byte| if byte == b'/' { 0 } else { byte })
            .collect()
    }

    pub(super) fn get(&self, path: &Path) -> Option<&T> {
        self.0.get(&Self::key(path)).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, path: &Path) -> Option<&mut T> {
        self.0.get_mut(&Self::key(path)).map(|(_, value)| value)
    }

    pub(super) fn contains_key(&self, path: &Path) -> bool {
        self.0.contains_key(&Self::key(path))
    }

    pub(super) fn insert(&mut self, path: PathBuf, value: T) -> Option<T> {
        self.0.insert(Self::key(&path), (path, value)).map(|(_, before)| before)
    }

    pub(super) fn remove(&mut self, path: &Path) -> Option<T> {
        self.0.remove(&Self::key(path)).map(|(_, value)| value)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Path) -> bool) {
        self.0.retain(|_, (path, _)| keep(path));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathBuf, &T)> {
        self.0.values().map(|(path, value)| (path, value))
    }

    /// `path` and everything below it.
    pub(super) fn below<'a>(
        &'a self,
        path: &Path,
    ) -> impl Iterator<Item = (&'a PathBuf, &'a T)> + use<'a, T> {
        let (own, under) = (self.0.get(&Self::key(path)), self.under(path));
        own.into_iter().chain(under.map(|(_, entry)| entry)).map(|(path, value)| (path, value))
    }

    /// The direct children of the folder.
    pub(super) fn children<'a>(
        &'a self,
        folder: &Path,
    ) -> impl Iterator<Item = (&'a PathBuf, &'a T)> + use<'a, T> {
        self.under(folder)
            .filter(|(rest, _)| !rest.contains(&0))
            .map(|(_, (path, value))| (path, value))
    }

    /// Everything below `path`, with the rest of its keys.
    fn under<'a>(
        &'a self,
        path: &Path,
    ) -> impl Iterator<Item = (&'a [u8], &'a (PathBuf, T))> + use<'a, T> {
        let mut start = Self::key(path);
        // The root's own key ends with a separator.
        if start.last() != Some(&0) {
            start.push(0);
        }
        let after = (Bound::Excluded(vec![0]), Bound::Unbounded);
        let range = if start == [0] { self.0.range(after) } else { self.0.range(start.clone()..) };
        range.map_while(move |(key, entry)| Some((key.strip_prefix(start.as_slice())?, entry)))
    }
}
