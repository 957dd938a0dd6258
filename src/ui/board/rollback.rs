//! What a rollback of a service has achieved, for its row.

use crate::model::step::ActionKind;

/// What a rollback has achieved so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rollback {
    /// The container of the run is stopped.
    Stopped,
    /// It is removed.
    Removed,
    /// The previous container runs.
    Started,
    /// The previous container is ready.
    Ready,
}

impl Rollback {
    /// What a step of a rollback achieves.
    pub const fn of(action: ActionKind) -> Self {
        match action {
            ActionKind::Start | ActionKind::Restart => Self::Started,
            ActionKind::WaitUntilReady | ActionKind::WaitUntilCompleted => Self::Ready,
            ActionKind::Stop => Self::Stopped,
            _ => Self::Removed,
        }
    }

    /// The text of the row.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Stopped => "rolled back: the container is stopped",
            Self::Removed => "rolled back: the new container is removed",
            Self::Started => "rolled back: the previous container runs",
            Self::Ready => "rolled back: the previous container is ready",
        }
    }
}
