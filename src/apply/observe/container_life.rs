//! The engine's events about containers.

use bollard::models;

use super::super::container_signal::Signal;
use crate::model::names::compose_label;

/// What happened to a container, for code that follows its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeChange {
    Started,
    /// Someone sent it a signal: it is being stopped, restarted or killed.
    Signalled,
    Renamed,
    Removed,
}

/// A change in a container's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeEvent {
    pub id: String,
    pub name: String,
    /// Compose's label; empty without one.
    pub service: String,
    pub change: LifeChange,
}

/// The events that [`life_event`] reads.
pub const LIFE_EVENTS: [&str; 4] = ["start", "kill", "rename", "destroy"];

/// A change in a container's life; `None` for other events.
pub fn life_event(event: &models::EventMessage) -> Option<LifeEvent> {
    let actor = event.actor.as_ref()?;
    let attribute = |key: &str| {
        actor
            .attributes
            .as_ref()
            .and_then(|attributes| attributes.get(key))
            .cloned()
            .unwrap_or_default()
    };
    let change = match event.action.as_deref()? {
        "start" => LifeChange::Started,
        "kill" => LifeChange::Signalled,
        "rename" => LifeChange::Renamed,
        "destroy" => LifeChange::Removed,
        _ => return None,
    };
    Some(LifeEvent {
        id: actor.id.clone()?,
        name: attribute("name"),
        service: attribute(compose_label::SERVICE),
        change,
    })
}

/// The container id and the signal in an event of the engine; `None` if nothing waits for such an
/// event.
pub(in crate::apply) fn signal(message: &models::EventMessage) -> Option<(String, Signal)> {
    let actor = message.actor.as_ref()?;
    let attribute =
        |name: &str| actor.attributes.as_ref().and_then(|attributes| attributes.get(name));
    let signal = match message.action.as_deref()? {
        "start" => Signal::Started,
        "die" => Signal::Died {
            exit_code: attribute("exitCode").and_then(|code| code.parse().ok()).unwrap_or(-1),
        },
        "oom" => Signal::OutOfMemory,
        "destroy" => Signal::Removed,
        // Whole words: "unhealthy" contains "healthy".
        "health_status: healthy" => Signal::Healthy,
        "health_status: unhealthy" => Signal::Unhealthy,
        _ => return None,
    };
    Some((actor.id.clone()?, signal))
}
