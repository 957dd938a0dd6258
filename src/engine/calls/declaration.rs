//! What is known of a call before it is made: facts that hold for each use of it.

use std::time::Duration;

use crate::model::step::ActionKind;

/// How long the engine may take to begin its answer to a call that should be short.
pub const SHORT: Duration = Duration::from_mins(2);

/// How long it may take over a call that lasts as long as there are bytes to move or delete.
pub const LONG: Duration = Duration::from_mins(10);

/// The same for the archive of an image, which may have many gigabytes.
pub const IMPORT: Duration = Duration::from_hours(1);

/// Whether a call changes the engine's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Reads,
    Changes,
}

/// How long the beginning of an answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Within(Duration),
    /// The container's grace period and [`SHORT`]: the call ends a container.
    Grace,
    /// As long as what it waits for. Who asks watches what is reported, or waits for an end.
    Unlimited,
}

/// What a call does on an engine whose disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskSpaceNeed {
    /// It works: it writes nothing, or so little that it fits.
    Enough,
    /// It fails. Docker needs space even for renaming a container.
    Needed,
    /// It works, and makes space.
    Freed,
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerShape {
    Value,
    /// A list of objects, as of the moment at which the engine looked.
    List,
    /// It begins, and goes on in pieces.
    Stream,
}

/// What a call is, whatever its arguments. Made from [`READS`] or [`CHANGES`] by the methods below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declaration {
    pub effect: Effect,
    pub limit: Limit,
    pub space: DiskSpaceNeed,
    pub shape: AnswerShape,
    /// What a plan says that the call does to its container, where it does nothing else.
    pub action: Option<ActionKind>,
    /// What the live engine is asked for by a plan: `the processes`, of the container that the call
    /// names; empty for a call that plans answer in a way of their own.
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
    /// It has that long.
    pub(super) const fn within(mut self, limit: Duration) -> Self {
        self.limit = Limit::Within(limit);
        self
    }

    /// It ends a container, which has its grace period.
    pub(super) const fn with_grace(mut self) -> Self {
        self.limit = Limit::Grace;
        self
    }

    /// It lasts as long as what it waits for.
    pub(super) const fn unlimited(mut self) -> Self {
        self.limit = Limit::Unlimited;
        self
    }

    /// It fails on a full disk.
    pub(super) const fn needs_space(mut self) -> Self {
        self.space = DiskSpaceNeed::Needed;
        self
    }

    /// It makes space.
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

    /// All that it does is `action` to the container that it names.
    pub(super) const fn does(mut self, action: ActionKind) -> Self {
        self.action = Some(action);
        self
    }

    /// A plan asks the live engine about this.
    pub(super) const fn about(mut self, what: &'static str) -> Self {
        self.about = what;
        self
    }
}
