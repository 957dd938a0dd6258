//! A script's handle of a secret.

use std::fmt;

/// Represents a secret's value; see [`crate::model::secret::Secrets`]. As text it is its token,
/// which every output masks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretToken {
    /// The secret's name in the description.
    pub name: String,
    /// The token for the value in this run.
    pub token: String,
}

impl fmt::Display for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token)
    }
}
