//! A connected engine, and the connections of its calls.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;

use super::credentials::Credentials;
use super::wire::{self, Wire};
use crate::engine::{ApiVersion, Filters, Method};
use crate::host::Host;

/// A connected Docker Engine. Calls may run in parallel.
#[derive(Clone)]
pub struct DockerEngine {
    pub(super) connection: Docker,
    pub(super) wire: Arc<Wire>,
    pub(super) api: ApiVersion,
    pub(super) windows: bool,
    pub(super) address: String,
    pub(super) local: bool,
    /// The source of registry credentials; none by default.
    pub(super) credentials: Option<Credentials>,
}

impl DockerEngine {
    /// The same engine with the registry credentials of the person who runs spc on this host.
    #[must_use]
    pub fn with_credentials_of(mut self, host: Arc<dyn Host>) -> Self {
        self.credentials = Some(Credentials::new(host));
        self
    }

    /// The client for this call, with the limits in the call's declaration.
    pub(super) fn client(&self, method: Method) -> Docker {
        self.connection.clone().with_timeout(wire::limit(method))
    }

    /// The client for a call that ends a container, with `grace` as additional time.
    pub(super) fn client_with_grace(&self, method: Method, grace: Duration) -> Docker {
        let limit = wire::limit(method).checked_add(grace).unwrap_or(wire::UNLIMITED);
        self.connection.clone().with_timeout(limit.min(wire::UNLIMITED))
    }
}

/// The port's filters in bollard's form.
pub(super) fn filters(filters: &Filters) -> Option<HashMap<String, Vec<String>>> {
    (!filters.is_empty()).then(|| filters.clone().into_iter().collect())
}
