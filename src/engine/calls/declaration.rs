//! The properties of a call that hold for each use of it.

use std::time::Duration;

use crate::model::step::ActionKind;

/// The time until the engine begins its answer to a short call.
pub const SHORT: Duration = Duration::from_mins(2);

/// The same for a call that takes as long as there are bytes to move or delete.
pub const LONG: Duration = Duration::from_mins(10);

/// The same for the archive of an image, which may have many gigabytes.
pub const IMPORT: Duration = Duration::from_hours(1);

/// Whether a call changes the engine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Reads,
    Changes,
}

/// How long to wait for the beginning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Within(Duration),
    /// The container's grace period and [`SHORT`], because the call ends a container.
    Grace,
    /// No limit: the call lasts until the event that it waits for. The caller watches the progress
    /// or waits for the end.
    Unlimited,
}

/// The behaviour of a call on an engine with a full disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskSpaceNeed {
    /// It works: it writes nothing, or very little.
    Enough,
    /// It fails. Docker needs space even to rename a container.
    Needed,
    /// It works, and frees space.
    Freed,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerShape {
    Value,
    /// A list of objects at one moment.
    List,
    /// A stream: it begins, and continues in pieces.
    Stream,
}

/// The properties of a call, for any arguments. Made from [`READS`] or [`CHANGES`] by the methods
/// below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declaration {
    pub effect: Effect,
    pub limit: Limit,
    pub space: DiskSpaceNeed,
    pub shape: AnswerShape,
    /// The action of the call on its container in a plan, if it does nothing else.
    pub action: Option<ActionKind>,
    /// The data that a plan requests from the live engine with this call, such as `the processes`
    /// of a container. Empty for a call that plans handle differently.
    pub about: &'static str,
}

/// A short call that changes nothing.
pub const READS: Declaration = Declaration {
    effect: Effect::Reads,
    limit: Limit::Within(SHORT),
    space: DiskSpaceNeed::Enough,
    shape: AnswerShape::Value,
    action: None,
    about: "",
};

/// A short call that changes the engine's state.
pub const CHANGES: Declaration = Declaration { effect: Effect::Changes, ..READS };

impl Declaration {
    /// The call takes up to this time.
    pub(super) const fn within(mut self, limit: Duration) -> Self {
        self.limit = Limit::Within(limit);
        self
    }

    /// The call ends a container, which has its grace period.
    pub(super) const fn with_grace(mut self) -> Self {
        self.limit = Limit::Grace;
        self
    }

    /// The call takes as long as the event that it waits for.
    pub(super) const fn unlimited(mut self) -> Self {
        self.limit = Limit::Unlimited;
        self
    }

    /// The call fails on a full disk.
    pub(super) const fn needs_space(mut self) -> Self {
        self.space = DiskSpaceNeed::Needed;
        self
    }

    /// The call frees space.
    pub(super) const fn frees_space(mut self) -> Self {
        self.space = DiskSpaceNeed::Freed;
        self
    }

    /// Its answer lists objects.
    pub(super) const fn lists(mut self) -> Self {
        self.shape = AnswerShape::List;
        self
    }

    /// Its answer is a stream.
    pub(super) const fn streams(mut self) -> Self {
        self.shape = AnswerShape::Stream;
        self
    }

    /// The call does only `action` to its container.
    pub(super) const fn does(mut self, action: ActionKind) -> Self {
        self.action = Some(action);
        self
    }

    /// A plan sends this call to the live engine.
    pub(super) const fn about(mut self, what: &'static str) -> Self {
        self.about = what;
        self
    }
}
