//! Names and addresses on the simulated host, by the rules of the real one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use url::Url;

use crate::host::HttpRequest;
use crate::policy::EngineAddress;
use crate::policy::engines::{addresses_in, is_own};

/// The names that resolve, and the addresses of the machine itself, except loopback.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) names: BTreeMap<String, Vec<IpAddr>>,
    pub(super) own: BTreeSet<IpAddr>,
}

impl Network {
    /// The engine that a request would reach.
    pub(super) fn engine_reached_by<'r>(
        &self,
        request: &'r HttpRequest,
    ) -> Option<&'r EngineAddress> {
        let url = Url::parse(&request.url).ok()?;
        let mut targets = addresses_in(&url);
        if targets.is_empty() {
            targets = self.resolved(url.domain()?);
        }
        let is_local = |address: IpAddr| is_own(address) || self.own.contains(&address);
        request.engines.at_port(url.port_or_known_default()?).find(|engine| {
            let addresses =
                engine.known_addresses().unwrap_or_else(|| self.resolved(engine.host()));
            url.domain() == Some(engine.host())
                || targets.iter().any(|target| engine.is_reached_at(*target, &addresses, &is_local))
        })
    }

    fn resolved(&self, name: &str) -> Vec<IpAddr> {
        self.names.get(name).cloned().unwrap_or_default()
    }
}
