//! The secrets that a container has, compared by themselves: where its label can't be, which was
//! made with another folder's key.

use std::collections::BTreeSet;

/// How the secrets in a container compare with those that would be delivered now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeliveredSecrets {
    Same,
    /// The names of those that have another value.
    Changed(BTreeSet<String>),
    /// Why they could not be compared.
    Unread(String),
}

/// Whether two labels `<key id>:<fingerprint>` were made with the same key: only then does what
/// they say differ with the values.
pub fn are_of_one_key(label: &str, other: &str) -> bool {
    let key = |text: &'_ str| text.split_once(':').map(|(key, _)| key.to_owned());
    key(label).is_some() && key(label) == key(other)
}
