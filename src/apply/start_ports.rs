//! Host ports of containers that are started without a description. The engine's list shows ports
//! only for running containers, so each container is inspected.

use std::collections::BTreeMap;

use super::VerbContext;
use super::ports::{RequiredPort, check_listeners};
use crate::engine::Engine;
use crate::model::Failure;
use crate::model::observed_state::{ObservedState, PublishedPort};
use crate::model::plan::{Action, Plan};
use crate::model::reconcile::check_ports;

/// Fails if a container that the plan starts or restarts needs a host port that another container
/// or a process of this machine uses.
pub async fn check(
    ctx: &VerbContext,
    plan: &Plan,
    observed: &ObservedState,
) -> Result<(), Failure> {
    let started: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::StartContainer { container } | Action::RestartContainer { container } => {
                Some((container.id.as_ref()?, container, step.service.as_ref()))
            }
            _ => None,
        })
        .collect();
    let ports = futures::future::join_all(
        started.iter().map(|(id, ..)| published_at_start(&*ctx.engine, id)),
    )
    .await;
    let ports: BTreeMap<String, Vec<PublishedPort>> =
        started.iter().map(|(id, ..)| (*id).clone()).zip(ports).collect();
    check_ports(plan, observed, &ports)?;
    let wanted = started.iter().flat_map(|(id, container, service)| {
        ports[*id].iter().map(|port| RequiredPort {
            name: container.name.clone(),
            service: service.map(|service| (*service).clone()),
            resource: port.resource(),
            keys: None,
        })
    });
    check_listeners(ctx, wanted.collect()).await
}

/// The host ports of a container when it runs, without those that the engine chooses.
async fn published_at_start(engine: &dyn Engine, container: &str) -> Vec<PublishedPort> {
    // If a container is gone by now, its step will notice.
    let Ok(found) = engine.container_inspect(container).await else { return Vec::new() };
    let host = found.host_config.unwrap_or_default();
    let mode = host.network_mode.unwrap_or_default();
    if mode == "host" || mode == "none" || mode.starts_with("container:") {
        return Vec::new();
    }
    let bindings = host.port_bindings.unwrap_or_default().into_iter();
    let mut ports: Vec<PublishedPort> = bindings
        .flat_map(|(inside, bindings)| {
            let (target, protocol) = inside.split_once('/').unwrap_or((&inside, "tcp"));
            let published = bindings.into_iter().flatten().filter_map(|binding| {
                let published = binding.host_port?.parse().ok().filter(|&port: &u16| port > 0)?;
                let host_ip = binding.host_ip.unwrap_or_default();
                Some(PublishedPort {
                    host_ip,
                    published,
                    target: target.parse().ok()?,
                    protocol: protocol.to_owned(),
                })
            });
            published.collect::<Vec<_>>()
        })
        .collect();
    ports.sort();
    ports
}
