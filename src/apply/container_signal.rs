//! What happens to a container that is waited for.

/// What happened to a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    Started,
    Healthy,
    Unhealthy,
    Died {
        exit_code: i64,
    },
    OutOfMemory,
    Removed,
    /// Events may have been missed: look again.
    Look,
}
