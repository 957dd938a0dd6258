//! The words for what a run does: for the steps of a plan, what a primitive does in the plan of a
//! runbook, and work outside of plans.
//!
//! Closed, and matched exhaustively where they are shown: a new word is a decision of each place
//! that shows it.

use std::fmt;

use serde::{Serialize, Serializer};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActionKind {
    AppendTo,
    Attach,
    Build,
    Connect,
    Create,
    DeliverConfigs,
    DeliverSecrets,
    Disconnect,
    Import,
    Make,
    Pull,
    Push,
    Remove,
    Rename,
    Request,
    Restart,
    Restore,
    Run,
    /// A command that a script declares to change nothing: a plan runs it.
    RunReadOnly,
    Signal,
    Start,
    Stop,
    Tag,
    Update,
    WaitUntilCompleted,
    WaitUntilReady,
    Write,
    WriteInto,
}

impl ActionKind {
    /// What people read before an object: `wait until ready`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::AppendTo => "append to",
            Self::Attach => "attach",
            Self::Build => "build",
            Self::Connect => "connect",
            Self::Create => "create",
            Self::DeliverConfigs => "deliver configs to",
            Self::DeliverSecrets => "deliver secrets to",
            Self::Disconnect => "disconnect",
            Self::Import => "import",
            Self::Make => "make",
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::Request => "request",
            Self::Restart => "restart",
            Self::Restore => "restore",
            Self::Run => "run",
            Self::RunReadOnly => "run (read-only)",
            Self::Signal => "send a signal to",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Tag => "tag",
            Self::Update => "update",
            Self::WaitUntilCompleted => "wait until completed",
            Self::WaitUntilReady => "wait until ready",
            Self::Write => "write",
            Self::WriteInto => "write into",
        }
    }

    /// Whether it only waits for something.
    pub const fn waits(self) -> bool {
        matches!(self, Self::WaitUntilCompleted | Self::WaitUntilReady)
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl Serialize for ActionKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What something is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    Command,
    Container,
    File,
    Folder,
    Image,
    Network,
    /// A method and a URL, which say for themselves what they are.
    Request,
    Volume,
}

impl ObjectKind {
    /// What people read before a name; empty where the name says it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Container => "container",
            Self::File => "file",
            Self::Folder => "folder",
            Self::Image => "image",
            Self::Network => "network",
            Self::Request => "",
            Self::Volume => "volume",
        }
    }

    /// Whether it belongs to the stack, though a service is the first to need it.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Network | Self::Volume)
    }
}

/// One thing that something is done to: `container shop-web-1.new to shop-web-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object {
    pub kind: ObjectKind,
    /// `shop-web-1.new`.
    pub name: String,
    /// What it has to do with something else, `to shop-web-1`; empty for most.
    pub relation: String,
}

impl Object {
    /// An object by its name.
    pub fn new(kind: ObjectKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), relation: String::new() }
    }

    /// A container by its name.
    pub fn container(name: impl Into<String>) -> Self {
        Self::new(ObjectKind::Container, name)
    }

    /// An image by its name.
    pub fn image(name: impl Into<String>) -> Self {
        Self::new(ObjectKind::Image, name)
    }

    /// A network by its name.
    pub fn network(name: impl Into<String>) -> Self {
        Self::new(ObjectKind::Network, name)
    }

    /// A volume by its name.
    pub fn volume(name: impl Into<String>) -> Self {
        Self::new(ObjectKind::Volume, name)
    }

    /// The same, with what it has to do with something else.
    #[must_use]
    pub fn with(self, relation: impl Into<String>) -> Self {
        Self { relation: relation.into(), ..self }
    }

    /// The same with other texts.
    #[must_use]
    pub fn map(&self, text: impl Fn(&str) -> String) -> Self {
        Self { kind: self.kind, name: text(&self.name), relation: text(&self.relation) }
    }

    /// Without its kind: `shop-web-1.new to shop-web-1`.
    pub fn what(&self) -> String {
        if self.relation.is_empty() {
            self.name.clone()
        } else {
            format!("{} {}", self.name, self.relation)
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.word();
        let space = if kind.is_empty() { "" } else { " " };
        f.pad(&format!("{kind}{space}{}", self.what()))
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    const ACTIONS: [ActionKind; 28] = {
        use ActionKind::*;
        [
            AppendTo,
            Attach,
            Build,
            Connect,
            Create,
            DeliverConfigs,
            DeliverSecrets,
            Disconnect,
            Import,
            Make,
            Pull,
            Push,
            Remove,
            Rename,
            Request,
            Restart,
            Restore,
            Run,
            RunReadOnly,
            Signal,
            Start,
            Stop,
            Tag,
            Update,
            WaitUntilCompleted,
            WaitUntilReady,
            Write,
            WriteInto,
        ]
    };

    const OBJECTS: [ObjectKind; 8] = {
        use ObjectKind::*;
        [Command, Container, File, Folder, Image, Network, Request, Volume]
    };

    /// The action of that word.
    pub fn action(word: &str) -> ActionKind {
        ACTIONS
            .into_iter()
            .find(|action| action.word() == word)
            .unwrap_or_else(|| panic!("no action \"{word}\""))
    }

    /// The object that is shown so.
    pub fn object(text: &str) -> Object {
        let (kind, name) = text.split_once(' ').unwrap_or_else(|| panic!("no object \"{text}\""));
        let kind = OBJECTS
            .into_iter()
            .find(|object| object.word() == kind)
            .unwrap_or_else(|| panic!("no kind \"{kind}\""));
        Object::new(kind, name)
    }

    #[test]
    fn words_are_told_from_each_other() {
        let actions: std::collections::BTreeSet<_> =
            ACTIONS.iter().map(|action| action.word()).collect();
        let objects: std::collections::BTreeSet<_> =
            OBJECTS.iter().map(|object| object.word()).collect();
        assert_eq!((actions.len(), objects.len()), (ACTIONS.len(), OBJECTS.len()));
    }

    #[test]
    fn an_object_is_shown_with_its_kind_and_what_it_has_to_do_with_others() {
        let renamed = Object::container("web-1.new").with("to web-1");
        assert_eq!(
            (renamed.to_string(), renamed.what()),
            ("container web-1.new to web-1".into(), "web-1.new to web-1".into())
        );
        assert_eq!(
            Object::new(ObjectKind::Request, "GET http://localhost/").to_string(),
            "GET http://localhost/"
        );
        assert_eq!(serde_json::to_value(Object::volume("data")).unwrap(), "volume data");
        assert_eq!(serde_json::to_value(ActionKind::WaitUntilReady).unwrap(), "wait until ready");
    }
}

/// Which step: its number in the plan, whose it is, what is done and to what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepLabel {
    /// From 1; 0 for work outside of a plan.
    pub step: usize,
    pub service: Option<String>,
    pub action: ActionKind,
    pub object: Object,
}
