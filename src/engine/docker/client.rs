//! An engine that answered, and the connections that calls are made over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;

use super::credentials::Credentials;
use super::wire::{self, Wire};
use crate::engine::{ApiVersion, Filters, Method};
use crate::host::Host;

/// A Docker Engine that answered. Calls may go on at the same time.
#[derive(Clone)]
pub struct DockerEngine {
    pub(super) connection: Docker,
    pub(super) wire: Arc<Wire>,
    pub(super) api: ApiVersion,
    pub(super) windows: bool,
    pub(super) address: String,
    pub(super) local: bool,
    /// Whose registries' credentials are sent; nobody's if not given.
    pub(super) credentials: Option<Credentials>,
}

impl DockerEngine {
    /// The same engine, asked with the registries' credentials of the person who runs spc on this
    /// host.
    #[must_use]
    pub fn with_credentials_of(mut self, host: Arc<dyn Host>) -> Self {
        self.credentials = Some(Credentials::new(host));
        self
    }

    /// The client for this call, which limits its answer as the call is declared.
    pub(super) fn client(&self, method: Method) -> Docker {
        self.connection.clone().with_timeout(wire::limit(method))
    }

    /// The client for a call that ends a container, and has `grace` besides.
    pub(super) fn client_with_grace(&self, method: Method, grace: Duration) -> Docker {
        let limit = wire::limit(method).checked_add(grace).unwrap_or(wire::UNLIMITED);
        self.connection.clone().with_timeout(limit.min(wire::UNLIMITED))
    }
}

/// The port's filters as bollard takes them.
pub(super) fn filters(filters: &Filters) -> Option<HashMap<String, Vec<String>>> {
    (!filters.is_empty()).then(|| filters.clone().into_iter().collect())
}
