//! The words for the actions of a run: for steps of a plan, for primitives in the plan of a
//! runbook, and for work outside of plans.
//!
//! These enums are closed, and each place that shows them matches all variants. So each of these
//! places has to decide about a new word.

use std::fmt;

use serde::Serialize;

/// The action of a step. People read its word before an object (`wait until ready`), programs read
/// its name (`wait_until_ready`).
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    strum::Display,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum ActionKind {
    #[strum(to_string = "append to")]
    AppendTo,
    Attach,
    Build,
    Connect,
    Create,
    Delay,
    #[strum(to_string = "deliver configs to")]
    DeliverConfigs,
    #[strum(to_string = "deliver secrets to")]
    DeliverSecrets,
    Disconnect,
    Import,
    Make,
    Monitor,
    Pull,
    Push,
    Remove,
    Rename,
    Request,
    Restart,
    Restore,
    Run,
    /// A command that a script declares to change nothing. A plan runs it.
    #[strum(to_string = "run (read-only)")]
    RunReadOnly,
    #[strum(to_string = "send a signal to")]
    Signal,
    Start,
    Stop,
    Tag,
    Update,
    Verify,
    #[strum(to_string = "wait until completed")]
    WaitUntilCompleted,
    #[strum(to_string = "wait until ready")]
    WaitUntilReady,
    Write,
    #[strum(to_string = "write into")]
    WriteInto,
}

impl ActionKind {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        self.into_str()
    }

    /// Whether the action only waits.
    pub const fn waits(self) -> bool {
        matches!(self, Self::WaitUntilCompleted | Self::WaitUntilReady)
    }
}

/// The kind of an action's object; for people and programs like [`ActionKind`].
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    strum::EnumIter,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum ObjectKind {
    /// Containers of a service that are replaced at the same time.
    Batch,
    Command,
    Container,
    File,
    Folder,
    Image,
    Network,
    /// A method and a URL. They need no word for the kind.
    #[strum(to_string = "")]
    Request,
    Volume,
}

impl ObjectKind {
    /// The word before a name, for people; empty if the name needs none.
    pub const fn word(self) -> &'static str {
        self.into_str()
    }

    /// Whether the object belongs to the stack, even if a service is the first to need it.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Network | Self::Volume)
    }
}

/// Identifies a step: its number in the plan, its service, action and object. Every event of a step
/// contains these fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepLabel {
    /// From 1; `None` for work outside of a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    pub action: ActionKind,
    pub object: Object,
    /// Whether a run does it to undo other steps.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
}

/// The object of an action: `container shop-web-1.new to shop-web-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Object {
    pub kind: ObjectKind,
    /// `shop-web-1.new`.
    pub name: String,
    /// Its relation to something else, `to shop-web-1`; mostly empty.
    #[serde(skip_serializing_if = "String::is_empty")]
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

    /// The same with a relation.
    #[must_use]
    pub fn with(self, relation: impl Into<String>) -> Self {
        Self { relation: relation.into(), ..self }
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

#[cfg(test)]
pub mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use strum::IntoEnumIterator;

    /// The action for a word.
    pub fn action(word: &str) -> ActionKind {
        word.parse().unwrap_or_else(|_| panic!("no action \"{word}\""))
    }

    /// The object for a text.
    pub fn object(text: &str) -> Object {
        let (kind, name) = text.split_once(' ').unwrap_or_else(|| panic!("no object \"{text}\""));
        let kind = kind.parse().unwrap_or_else(|_| panic!("no kind \"{kind}\""));
        Object::new(kind, name)
    }

    /// The number of words, and the number of different words: for people, for programs.
    fn counted<K: IntoEnumIterator + Into<&'static str> + Serialize>() -> [usize; 3] {
        let distinct = |words: Vec<String>| words.into_iter().collect::<BTreeSet<_>>().len();
        let name = |kind: K| serde_json::to_string(&kind).unwrap();
        [
            K::iter().count(),
            distinct(K::iter().map(|kind| kind.into().to_owned()).collect()),
            distinct(K::iter().map(name).collect()),
        ]
    }

    #[test]
    fn the_words_of_actions_and_objects_are_distinct() {
        let [actions, words, names] = counted::<ActionKind>();
        assert_eq!((words, names), (actions, actions));
        let [objects, words, names] = counted::<ObjectKind>();
        assert_eq!((words, names), (objects, objects));
    }

    #[test]
    fn words_of_people_have_spaces_and_those_of_programs_have_none() {
        for (action, word, name) in [
            (ActionKind::DeliverSecrets, "deliver secrets to", "deliver_secrets"),
            (ActionKind::RunReadOnly, "run (read-only)", "run_read_only"),
            (ActionKind::WaitUntilReady, "wait until ready", "wait_until_ready"),
        ] {
            assert_eq!((action.word(), action.to_string().as_str()), (word, word));
            assert_eq!(serde_json::to_value(action).unwrap(), name);
        }
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
        assert_eq!(
            serde_json::to_value([renamed, Object::volume("data")]).unwrap(),
            serde_json::json!([
                { "kind": "container", "name": "web-1.new", "relation": "to web-1" },
                { "kind": "volume", "name": "data" }
            ])
        );
    }
}
