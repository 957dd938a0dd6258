//! What a script holds of a stack, a service and a container: where they are, by name.

use std::fmt;
use std::sync::Arc;

use super::context::Context;
use crate::compose::ComposeFile;
use crate::model::spec::Project;

/// A stack as a script holds it; cheap to clone.
#[derive(Clone)]
pub struct Stack {
    pub(super) context: Arc<Context>,
    pub(super) name: String,
    /// What was described; none for `stack()`, which has what runs.
    pub(super) project: Option<Arc<Project>>,
    /// The compose file that it was described in, if it was one.
    pub(super) file: Option<Arc<ComposeFile>>,
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stack {}", self.name)
    }
}

/// A service as a script holds it; cheap to clone. It only fetches: nothing is done until a verb is
/// called.
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

/// A container as a script holds it, whether it is there or not.
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
