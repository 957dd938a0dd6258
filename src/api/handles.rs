//! Handles for scripts: references to a stack, a service and a container, by name.

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use crate::compose::ComposeFile;
use crate::model::spec::Project;

/// A script's handle of a stack; cheap to clone.
#[derive(Clone)]
pub struct Stack {
    pub(super) context: Arc<Context>,
    pub(super) name: String,
    /// The description; `None` for `stack()`, whose verbs act on the containers that exist.
    pub(super) project: Option<Arc<Project>>,
    /// The compose file that describes it, if there is one.
    pub(super) file: Option<Arc<ComposeFile>>,
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stack {}", self.name)
    }
}

/// A script's handle of a service; cheap to clone. It only refers to the service: nothing is done
/// until a verb is called.
#[derive(Clone)]
pub struct Service {
    pub(super) stack: Stack,
    pub(super) name: String,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service {}", self.name)
    }
}

/// A script's handle of a container, which may not exist.
#[derive(Clone)]
pub struct Container {
    pub(super) context: Arc<Context>,
    pub(super) name: String,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "container {}", self.name)
    }
}
