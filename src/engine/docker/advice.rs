//! Why no engine was reached, with a next step: what TLS and ssh say of it.

/// A cause and what leads on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Advice {
    /// A clause without a full stop.
    pub why: String,
    pub hint: String,
}
