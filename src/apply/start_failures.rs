//! Explains why the engine did not start a container: its command, or the holder of a port or
//! address that it needs.

use std::collections::BTreeSet;
use std::time::Duration;

use super::VerbContext;
use super::failures::{
    cause_of, is_paused, is_taken_address, not_executable, of_engine, taken_port, taken_port_hint,
};
use super::observe::{ObserveScope, observe, publisher, wanted_names};
use crate::engine::EngineError;
use crate::model::reconcile::{taken_address, taken_address_of};
use crate::model::spec::Project;
use crate::model::{Failure, Kind};

/// How long it may take until the engine lists a starting container as running.
const STARTING: Duration = Duration::from_secs(2);
/// The pause between two looks at the engine's list.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A start that the engine rejected.
pub struct RefusedStart<'a> {
    pub ctx: &'a VerbContext,
    /// `start` or `restart`.
    pub verb: &'a str,
    /// The project's name.
    pub project: &'a str,
    /// The description of the container; `None` for verbs that need no description.
    pub described: Option<&'a Project>,
    pub service: Option<&'a str>,
    pub container: &'a str,
    pub id: &'a str,
}

impl RefusedStart<'_> {
    /// The engine's error in the words of a user, with the next step.
    pub async fn explain(&self, error: EngineError) -> Failure {
        let failure = self.reason(error).await;
        match self.service {
            Some(service) => failure.field("service", service),
            None => failure,
        }
    }

    async fn reason(&self, error: EngineError) -> Failure {
        let name = self.container;
        if let Some(code) = not_executable(&error) {
            return Failure::new(
                Kind::Unhealthy,
                format!("The command of \"{name}\" can't run: {}", cause_of(&error.message)),
            )
            .hint("check that the image has this program, and that it is executable")
            .field("code", code);
        }
        if is_paused(&error) {
            return Failure::paused(name);
        }
        if is_taken_address(&error) {
            return match self.who_has_address().await {
                Some(failure) => failure,
                None => of_engine(error, &self.doing()).hint(
                    "`docker network inspect` of its networks names the container that has its address; it may be free by now: run it again",
                ),
            };
        }
        let Some(port) = taken_port(&error) else { return of_engine(error, &self.doing()) };
        let (publisher, owner) = self.who_has_port(port).await;
        let by = match (&publisher, &owner) {
            (Some(container), _) => format!(" by the container \"{container}\""),
            (None, Some(process)) => format!(" by the process {process}"),
            (None, None) => String::new(),
        };
        Failure::new(Kind::Conflict, format!("The port {port} of \"{name}\" is already taken{by}"))
            .hint(taken_port_hint(&error, publisher.is_some(), owner.as_deref()))
            .field("port", u64::from(port))
    }

    /// The container that publishes the port, or else the process that uses it.
    async fn who_has_port(&self, port: u16) -> (Option<String>, Option<String>) {
        let host = &self.ctx.host;
        let begun = host.monotonic();
        loop {
            let publisher = publisher(&*self.ctx.engine, port)
                .await
                .filter(|container| container != self.container);
            let owner = if publisher.is_none() { host.port_owner(port) } else { None };
            // The engine lists a starting container as running a moment after its proxy has taken
            // the port.
            let is_starting =
                owner.as_ref().is_some_and(|owner| owner.starts_with("docker-proxy "));
            if !is_starting || host.monotonic().saturating_sub(begun) >= STARTING {
                return (publisher, owner);
            }
            host.sleep(LOOK_AGAIN).await;
        }
    }

    fn doing(&self) -> String {
        format!("{} the container \"{}\"", self.verb, self.container)
    }

    /// The message of the next run about the address, if it is still in use.
    async fn who_has_address(&self) -> Option<Failure> {
        let ctx = self.ctx;
        let names = self.described.map_or_else(BTreeSet::new, wanted_names);
        let records = ctx.records(self.project);
        let observed =
            observe(&*ctx.engine, self.project, ObserveScope::Engine, &names, &records.state())
                .await
                .ok()?;
        let described = self
            .described
            .and_then(|project| Some((project, project.services.get(self.service?)?)));
        match described {
            Some((project, service)) => taken_address_of(self.id, service, project, &observed),
            None => taken_address(self.id, &observed),
        }
    }
}
