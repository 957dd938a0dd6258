//! What a one-off container is asked for.

use std::time::Duration;

use crate::model::spec::{Project, Service};

/// What is run.
pub struct OneOffSpec<'a> {
    pub image: &'a str,
    /// The service's own command if empty, or else the image's.
    pub command: Vec<String>,
    /// `KEY=value`; over the service's.
    pub environment: Vec<String>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    /// The project it is labelled with, and the service whose settings it has.
    pub project: &'a str,
    pub service: Option<(&'a Project, &'a Service)>,
    /// The stack and its service that build the image, where one is described and the container is
    /// of an image alone.
    pub built_by: Option<(&'a Project, &'a str)>,
    /// Whether the services that its service depends on are brought up first.
    pub with_dependencies: bool,
    /// How long its command may take.
    pub timeout: Option<Duration>,
}
