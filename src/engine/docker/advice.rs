//! Why no engine was reached, with the next step, for errors of TLS and ssh.

/// A cause and the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advice {
    /// A clause without a full stop.
    pub why: String,
    pub hint: String,
}
