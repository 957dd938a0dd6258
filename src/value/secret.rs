//! A secret as a script holds it.

use std::fmt;

/// Stands for a secret's value; see [`crate::model::secret::Secrets`]. Written anywhere it is its
/// token, which every output masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretToken {
    /// The secret's name in the description.
    pub name: String,
    /// What stands for the value in this run.
    pub token: String,
}

impl fmt::Display for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token)
    }
}
