//! Compares the secrets of a container by their values. This is needed if the container's label was
//! made with the key of another folder, so that the label can't be compared.

use std::collections::BTreeSet;

/// The result of comparing a container's secrets with those that would be delivered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveredSecrets {
    Same,
    /// The secrets with these names have another value.
    Changed(BTreeSet<String>),
    /// The comparison failed, for this reason.
    Unread(String),
}

/// Whether two labels `<key id>:<fingerprint>` were made with the same key. Only then can their
/// fingerprints be compared.
pub fn are_of_one_key(label: &str, other: &str) -> bool {
    let key = |text: &'_ str| text.split_once(':').map(|(key, _)| key.to_owned());
    key(label).is_some() && key(label) == key(other)
}
