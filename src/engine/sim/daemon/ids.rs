//! Identifiers: 64 hexadecimal digits, the same for the same seed.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The digits of an id for people.
const SHORT: usize = 12;

/// Generates ids.
#[derive(Debug)]
pub(in crate::engine::sim) struct Ids {
    seed: u64,
    given: u64,
}

impl Ids {
    pub(in crate::engine::sim) fn new(seed: u64) -> Self {
        Self { seed, given: 0 }
    }

    /// A new id.
    pub(in crate::engine::sim) fn next(&mut self) -> String {
        self.given += 1;
        digest([self.seed.to_le_bytes(), self.given.to_le_bytes()])
    }

    /// A number larger than all before: the order of creation.
    pub(in crate::engine::sim) fn serial(&mut self) -> u64 {
        self.given += 1;
        self.given
    }
}

/// SHA-256 over `parts` with their lengths, in hexadecimal.
pub(in crate::engine::sim) fn digest(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether this is a whole id: the engine's name for unnamed objects.
pub(in crate::engine::sim) fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The first twelve digits of an id, with or without the prefix `sha256:`.
pub(in crate::engine::sim) fn short(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..SHORT).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_64_digits_follow_from_the_seed_and_are_given_once() {
        let mut ids = Ids::new(7);
        let first = ids.next();
        assert_eq!(first.len(), 64);
        assert_ne!(first, ids.next());
        assert_eq!(first, Ids::new(7).next());
        assert_ne!(first, Ids::new(8).next());
    }

    #[test]
    fn a_digest_depends_on_where_the_parts_are_cut() {
        assert_ne!(digest(["ab", "c"]), digest(["a", "bc"]));
    }

    #[test]
    fn the_short_id_leaves_the_algorithm_out() {
        assert_eq!(short("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short("0123456789abcdef"), "0123456789ab");
        assert_eq!(short("abc"), "abc");
    }
}
