//! Containers and results of verbs, for scripts and tables.

use std::time::Duration;

use rhai::{Array, Dynamic, Map};

use super::stack::Stack;
use crate::apply::verbs::Outcome;
use crate::model::observed_state::{Container, ContainerState, Health};
use crate::value::Record;

impl Stack {
    /// The result of a verb: `services`, a record per container; `changes`, their number;
    /// `changed`.
    pub(super) fn outcome(&self, outcome: &Outcome) -> Record {
        let services: Array = outcome
            .containers
            .iter()
            .map(|container| Dynamic::from(self.row(container, outcome.ready.get(&container.id))))
            .collect();
        Record::new(
            "result",
            Map::from([
                ("services".into(), services.into()),
                ("changes".into(), i64::try_from(outcome.changes).unwrap_or(i64::MAX).into()),
                ("changed".into(), (outcome.changes > 0).into()),
            ]),
        )
    }

    /// A container, for scripts and tables.
    pub(super) fn row(&self, container: &Container, ready: Option<&Duration>) -> Record {
        let ports: Array = container
            .ports
            .iter()
            .map(|port| {
                format!("{}:{}->{}/{}", port.host_ip, port.published, port.target, port.protocol)
                    .into()
            })
            .collect();
        Record::new(
            "container",
            Map::from([
                ("id".into(), container.id.clone().into()),
                ("name".into(), container.name.clone().into()),
                ("service".into(), container.service.clone().into()),
                ("number".into(), i64::from(container.number).into()),
                ("state".into(), container.state.word().into()),
                ("ready".into(), is_ready(container).into()),
                ("completed".into(), is_completed(container).into()),
                ("health".into(), container.health.word().into()),
                ("status".into(), container.status.clone().into()),
                ("exit_code".into(), container.exit_code.map_or(Dynamic::UNIT, Dynamic::from)),
                ("image_id".into(), container.image_id.clone().into()),
                ("ports".into(), ports.into()),
                (
                    "ready_ms".into(),
                    ready.map_or(Dynamic::UNIT, |time| {
                        i64::try_from(time.as_millis()).unwrap_or(i64::MAX).into()
                    }),
                ),
                ("url".into(), self.url(container).map_or(Dynamic::UNIT, Dynamic::from)),
            ]),
        )
    }

    /// Its address on this machine: a URL if its health check shows that it speaks HTTP, else
    /// `host:port`.
    fn url(&self, container: &Container) -> Option<String> {
        let port = container.ports.iter().find(|port| port.protocol == "tcp")?;
        let host = match port.host_ip.as_str() {
            "" | "0.0.0.0" | "::" => "localhost",
            other => other,
        };
        let check = self
            .project
            .as_ref()
            .and_then(|project| project.services.get(&container.service))
            .and_then(|service| service.healthcheck.as_ref());
        let test = check
            .and_then(|check| check.test.as_ref())
            .map(|test| test.to_engine().join(" "))
            .unwrap_or_default();
        let scheme = match port.target {
            443 => Some("https"),
            80 | 5173 | 5555 | 8000 | 8080 => Some("http"),
            _ if test.contains("http://") => Some("http"),
            _ if test.contains("https://") => Some("https"),
            _ => None,
        };
        Some(match scheme {
            Some(scheme) => format!("{scheme}://{host}:{}", port.published),
            None => format!("{host}:{}", port.published),
        })
    }
}

/// Whether it runs and its health check passes.
fn is_ready(container: &Container) -> bool {
    container.state == ContainerState::Running
        && matches!(container.health, Health::Healthy | Health::None)
}

/// Whether it has completed: it exited with code 0.
fn is_completed(container: &Container) -> bool {
    container.state == ContainerState::Exited && container.exit_code == Some(0)
}
