//! The engine's events: kept for ever, and sent to listeners.

use std::collections::BTreeMap;

use bollard::models::{EventActor, EventMessage, EventMessageScopeEnum, EventMessageTypeEnum};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::filters::label_matches;
use super::state::State;
use crate::engine::{Filters, Result};

/// The most past events that a stream with `since` can still get, as on a real engine.
const REMEMBERED: usize = 256;

/// Actions with details after a colon: a filter compares only the beginning.
const DETAILED: [&str; 3] = ["exec_create", "exec_start", "health_status"];

struct Listener {
    filters: Filters,
    sender: UnboundedSender<Result<EventMessage>>,
}

/// Follows the daemon. It may look at the objects at the time of an event, and changes nothing.
pub(in crate::engine::sim) trait EventObserver: Send + Sync {
    fn event(&self, state: &State, event: &EventMessage);

    /// The last call of spc.
    fn last_call(&self) -> String;
}

/// All events so far, and the listeners.
#[derive(Default)]
pub(in crate::engine::sim) struct EventLog {
    past: Vec<EventMessage>,
    listeners: Vec<Listener>,
}

impl EventLog {
    fn add(&mut self, event: EventMessage) {
        self.listeners.retain(|listener| {
            !passes(&event, &listener.filters)
                || listener.sender.unbounded_send(Ok(event.clone())).is_ok()
        });
        self.past.push(event);
    }

    /// Every event so far, also those that a stream can no longer get.
    pub fn past(&self) -> &[EventMessage] {
        &self.past
    }

    /// Future events, after those since `since` (seconds since 1970).
    pub fn listen(
        &mut self,
        filters: Filters,
        since: Option<i64>,
    ) -> UnboundedReceiver<Result<EventMessage>> {
        let (sender, receiver) = unbounded();
        if let Some(since) = since {
            let remembered = &self.past[self.past.len().saturating_sub(REMEMBERED)..];
            for event in remembered.iter().filter(|event| {
                event.time.is_some_and(|time| time >= since) && passes(event, &filters)
            }) {
                // The receiver still exists.
                let _ = sender.unbounded_send(Ok(event.clone()));
            }
        }
        self.listeners.push(Listener { filters, sender });
        receiver
    }

    /// Ends every stream.
    pub fn end_streams(&mut self) {
        self.listeners.clear();
    }
}

fn passes(event: &EventMessage, filters: &Filters) -> bool {
    let none = std::collections::HashMap::new();
    let action = event.action.as_deref().unwrap_or_default();
    let kind = event.typ.map(|kind| kind.to_string()).unwrap_or_default();
    let id = event.actor.as_ref().and_then(|actor| actor.id.as_deref()).unwrap_or_default();
    let attributes =
        event.actor.as_ref().and_then(|actor| actor.attributes.as_ref()).unwrap_or(&none);
    let attribute = |key: &str| attributes.get(key).map_or("", String::as_str);
    filters.iter().filter(|(_, values)| !values.is_empty()).all(|(key, values)| {
        match key.as_str() {
            "type" => values.contains(&kind),
            "event" if values.iter().any(|value| DETAILED.contains(&value.as_str())) => {
                values.iter().any(|value| action.starts_with(value.as_str()))
            }
            "event" => values.iter().any(|value| value == action),
            "label" => {
                let labels: BTreeMap<String, String> = attributes.clone().into_iter().collect();
                values.iter().all(|value| label_matches(value, &labels))
            }
            "image" => {
                let name = attribute(if kind == "container" { "image" } else { "name" });
                let plain = name.rsplit_once(':').map_or(name, |(plain, _)| plain);
                values.iter().any(|value| value == id || value == name || value == plain)
            }
            "scope" => values.iter().any(|value| value == "local"),
            // An object, by the beginning of its id or name, of this kind only.
            "container" | "network" | "volume" => {
                kind == *key
                    && values.iter().any(|value| {
                        id.starts_with(value.as_str())
                            || attribute("name").starts_with(value.as_str())
                    })
            }
            _ => false,
        }
    })
}

impl State {
    /// An event about a container, with its labels, image and name.
    pub(in crate::engine::sim) fn emit_container(
        &mut self,
        id: &str,
        action: &str,
        details: &[(&str, &str)],
    ) {
        let Some(container) = self.objects.containers.get(id) else { return };
        let own = [
            ("image".to_owned(), container.image.clone()),
            ("name".to_owned(), container.name.clone()),
        ];
        let attributes = container.labels.clone().into_iter().chain(own).collect();
        self.emit(EventMessageTypeEnum::CONTAINER, action, id, attributes, details);
        self.note_traffic();
        self.cut_requests();
    }

    pub(in crate::engine::sim) fn emit_volume(
        &mut self,
        name: &str,
        action: &str,
        details: &[(&str, &str)],
    ) {
        self.emit(EventMessageTypeEnum::VOLUME, action, name, BTreeMap::new(), details);
    }

    pub(in crate::engine::sim) fn emit_network(
        &mut self,
        id: &str,
        action: &str,
        details: &[(&str, &str)],
    ) {
        self.emit(EventMessageTypeEnum::NETWORK, action, id, BTreeMap::new(), details);
        self.cut_requests();
    }

    /// An event about an image; `name` is the requested name.
    pub(in crate::engine::sim) fn emit_image(&mut self, id: &str, action: &str, name: &str) {
        let labels = self
            .objects
            .images
            .get(id)
            .and_then(|image| image.config.labels.clone())
            .unwrap_or_default();
        self.emit(
            EventMessageTypeEnum::IMAGE,
            action,
            id,
            labels.into_iter().collect(),
            &[("name", name)],
        );
    }

    fn emit(
        &mut self,
        kind: EventMessageTypeEnum,
        action: &str,
        id: &str,
        mut attributes: BTreeMap<String, String>,
        details: &[(&str, &str)],
    ) {
        attributes
            .extend(details.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let now = self.date();
        let event = EventMessage {
            typ: Some(kind),
            action: Some(action.to_owned()),
            actor: Some(EventActor {
                id: Some(id.to_owned()),
                attributes: Some(attributes.into_iter().collect()),
            }),
            scope: Some(EventMessageScopeEnum::LOCAL),
            time: Some(now.timestamp()),
            time_nano: now.timestamp_nanos_opt(),
        };
        if let Some(observer) = &self.observer {
            observer.event(self, &event);
        }
        self.events.add(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str) -> EventMessage {
        let attributes =
            [("name", "spc-db-1"), ("image", "postgres:15"), ("com.docker.compose.project", "spc")];
        EventMessage {
            typ: Some(EventMessageTypeEnum::CONTAINER),
            action: Some(action.to_owned()),
            actor: Some(EventActor {
                id: Some("abcdef".to_owned()),
                attributes: Some(
                    attributes
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value.to_owned()))
                        .collect(),
                ),
            }),
            ..EventMessage::default()
        }
    }

    fn filter(key: &str, value: &str) -> Filters {
        Filters::from([(key.to_owned(), vec![value.to_owned()])])
    }

    #[test]
    fn a_filter_on_an_action_with_details_is_about_its_beginning() {
        assert!(passes(&event("health_status: unhealthy"), &filter("event", "health_status")));
        assert!(!passes(&event("die"), &filter("event", "health_status")));
        assert!(!passes(&event("exec_create: true "), &filter("event", "die")));
        assert!(passes(
            &event("health_status: healthy"),
            &filter("event", "health_status: healthy")
        ));
    }

    #[test]
    fn objects_are_found_by_the_beginning_of_id_or_name_and_only_of_their_kind() {
        assert!(passes(&event("die"), &filter("container", "abc")));
        assert!(passes(&event("die"), &filter("container", "spc-db")));
        assert!(!passes(&event("die"), &filter("network", "spc")));
        assert!(passes(&event("die"), &filter("label", "com.docker.compose.project=spc")));
        assert!(!passes(&event("die"), &filter("label", "com.docker.compose.project=other")));
        assert!(passes(&event("die"), &filter("image", "postgres")));
        assert!(!passes(&event("die"), &filter("type", "network")));
    }
}
