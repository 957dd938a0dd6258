//! Events of a container that something waits for.

/// An event of a container.
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
    /// Events may have been missed, so look again.
    Look,
}
