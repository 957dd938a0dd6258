//! The settings of a one-off container.

use std::time::Duration;

use crate::model::spec::{Project, Service};

/// A one-off container and its command.
pub struct OneOffSpec<'a> {
    pub image: &'a str,
    /// If empty, the service's own command, else the image's.
    pub command: Vec<String>,
    /// `KEY=value`; overrides the service's.
    pub environment: Vec<String>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    /// The project for its labels, and the service with its settings.
    pub project: &'a str,
    pub service: Option<(&'a Project, &'a Service)>,
    /// For a container of an image alone: the stack and the service that build the image, if one is
    /// described.
    pub built_by: Option<(&'a Project, &'a str)>,
    /// Whether to bring up the dependencies of its service first.
    pub with_dependencies: bool,
    /// The time limit of its command.
    pub timeout: Option<Duration>,
}
