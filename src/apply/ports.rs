//! Checks ports of this machine before anything is stopped: a process that is not a container may
//! use one.
//!
//! The plan knows the ports of containers. If it is uncertain whether a port is in use, the engine
//! will report it.

use std::collections::BTreeSet;

use super::VerbContext;
use super::observe::{published_ports, uses_host_network};
use crate::engine::Filters;
use crate::host::Listener;
use crate::model::exclusive_resources::{Resource, taken_at_start};
use crate::model::failure::SpecPath;
use crate::model::plan::{Action, Plan};
use crate::model::spec::Project;
use crate::model::{Failure, Kind};

/// Processes that hold ports for containers: of this engine, which may just be releasing them, of
/// another one, or of a network of several engines.
const OF_ENGINES: [&str; 5] =
    ["docker-proxy", "dockerd", "rootlesskit", "rootlessport", "com.docker"];

/// A port that a container needs when it starts.
pub struct RequiredPort {
    /// The name of the container for display.
    pub name: String,
    pub service: Option<String>,
    pub resource: Resource,
    /// Its path in the description, if there is one.
    pub keys: Option<Vec<String>>,
}

/// Fails if a container that the plan starts publishes a port that a process of this machine uses.
pub async fn check(ctx: &VerbContext, project: &Project, plan: &Plan) -> Result<(), Failure> {
    let starts =
        plan.steps.iter().filter(|step| matches!(step.action, Action::StartContainer { .. }));
    let services: BTreeSet<&String> = starts.filter_map(|step| step.service.as_ref()).collect();
    let wanted = services.into_iter().filter_map(|service| project.services.get(service)).flat_map(
        |service| {
            taken_at_start(service, project).into_iter().map(|(resource, keys)| {
                let keys =
                    ["services".to_owned(), service.name.clone()].into_iter().chain(keys).collect();
                RequiredPort {
                    name: service.name.clone(),
                    service: Some(service.name.clone()),
                    resource,
                    keys: Some(keys),
                }
            })
        },
    );
    check_listeners(ctx, wanted.collect()).await
}

/// Fails if a process of this machine uses one of the ports.
pub async fn check_listeners(ctx: &VerbContext, wanted: Vec<RequiredPort>) -> Result<(), Failure> {
    if wanted.is_empty() || !ctx.engine.publishes_here() {
        return Ok(());
    }
    for RequiredPort { name, service, resource, keys } in wanted {
        let Resource::HostPort { address, port, protocol } = &resource else { continue };
        let Some(holder) = ctx.host.port_holder(*address, *port, protocol).filter(is_no_engine)
        else {
            continue;
        };
        // Only now: a container may use the port, or may be on the machine's own network.
        let Ok(running) = ctx.engine.container_list(false, &Filters::new()).await else {
            return Ok(());
        };
        if running.iter().any(|container| {
            uses_host_network(container)
                || published_ports(container).iter().any(|port| port.resource().overlaps(&resource))
        }) {
            continue;
        }
        let by = holder.process.map_or_else(
            || " by a process of this machine".to_owned(),
            |process| format!(" by the process {process}"),
        );
        let shown = if protocol == "tcp" { port.to_string() } else { format!("{port}/{protocol}") };
        let failure = Failure::new(
            Kind::Conflict,
            format!("The port {shown} of \"{name}\" is already taken{by}"),
        )
        .hint("stop the program that uses it, or publish another host port")
        .field("port", u64::from(*port));
        let failure = match service {
            Some(service) => failure.field("service", service),
            None => failure,
        };
        return Err(match keys {
            Some(keys) => failure.at(SpecPath { keys, on_key: true }),
            None => failure,
        });
    }
    Ok(())
}

fn is_no_engine(holder: &Listener) -> bool {
    holder
        .process
        .as_ref()
        .is_none_or(|process| !OF_ENGINES.iter().any(|engine| process.starts_with(engine)))
}
