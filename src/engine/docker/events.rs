//! The engine's event stream.

use bollard::models::EventMessage;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::{BoxStream, StreamExt};
use hyper::Request;

use super::reference::query_value;
use super::unreadable::not_as_described;
use super::{DockerEngine, errors, streams, wire};
use crate::engine::calls::Implementation;
use crate::engine::{ApiVersion, EngineError, EngineErrorKind, Filters, Method, Result};

/// Subscribes; see [`crate::engine::Engine::events`].
///
/// The engine sends its headers just before it registers the subscription. If spc only waited for
/// the headers, it could miss events. But the engine keeps the last 256 events, and sends those
/// after `since` when it registers the subscription, in one step. So spc subscribes from the time
/// just before, by the engine's own clock (its own may differ), to the nanosecond. Then no event is
/// missed, and no older one arrives.
pub(super) async fn subscribe(
    engine: &DockerEngine,
    filters: &Filters,
    since: Option<i64>,
) -> Result<BoxStream<'static, Result<EventMessage>>> {
    let since = match since {
        Some(seconds) => seconds.to_string(),
        None => decimal_seconds(engine_time(engine).await?),
    };
    let filters = serde_json::to_string(filters).map_err(errors::unreadable)?;
    let path = format!("/events?since={since}&filters={}", query_value(&filters));
    let response = engine
        .wire
        .exchange(wire::request(Request::get(path), Bytes::new())?, wire::limit(Method::Events))
        .await?;
    let events =
        streams::lines(streams::body(response)).filter_map(|line| std::future::ready(read(line)));
    Ok(until_lost(events.boxed()))
}

/// From this version on, simultaneous requests for `info` share the answer of the first one.
const SHARED_INFO: ApiVersion = ApiVersion { major: 1, minor: 44 };

/// The engine's time, not earlier than the beginning of this call.
async fn engine_time(engine: &DockerEngine) -> Result<DateTime<Utc>> {
    if engine.api >= SHARED_INFO {
        // A shared answer may belong to a request from before this call. The next answer can't.
        engine.info().await?;
    }
    let info = engine.info().await?;
    let text = info.system_time.unwrap_or_default();
    let time = DateTime::parse_from_rfc3339(&text)
        .map_err(|_| errors::unreadable(format!("its time is \"{text}\"")))?;
    Ok(time.to_utc())
}

/// A time in the engine's form: seconds since the epoch, a dot, nine digits.
pub(super) fn decimal_seconds(time: DateTime<Utc>) -> String {
    format!("{}.{:09}", time.timestamp(), time.timestamp_subsec_nanos())
}

/// An event, or an error. An event with an unknown type is skipped, so that events of a newer
/// engine don't hide the others.
fn read(line: Result<Bytes>) -> Option<Result<EventMessage>> {
    let line = match line {
        Ok(line) => line,
        Err(error) => return Some(Err(error)),
    };
    match serde_json::from_slice(&line) {
        Ok(event) => Some(Ok(event)),
        Err(error) if error.is_data() => None,
        Err(error) => Some(Err(not_as_described(&error.to_string(), &line))),
    }
}

/// The same events; a lost connection ends the stream like a closed one.
fn until_lost(
    events: BoxStream<'static, Result<EventMessage>>,
) -> BoxStream<'static, Result<EventMessage>> {
    let lost = |event: &Result<EventMessage>| {
        matches!(event, Err(EngineError { kind: EngineErrorKind::Unreachable, .. }))
    };
    events.take_while(move |event| std::future::ready(!lost(event))).boxed()
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[test]
    fn the_engines_time_keeps_its_nanoseconds() {
        let time =
            DateTime::parse_from_rfc3339("2026-11-24T09:47:22.000000042+01:00").unwrap().to_utc();
        assert_eq!(decimal_seconds(time), "1795510042.000000042");
    }

    #[test]
    fn an_event_of_an_unknown_type_is_passed_over() {
        assert_eq!(read(Ok(Bytes::from_static(br#"{"Type":"teleport","Action":"beam"}"#))), None);
        let known =
            read(Ok(Bytes::from_static(br#"{"Type":"container","Action":"start","timeNano":7}"#)));
        assert_eq!(known.unwrap().unwrap().action.as_deref(), Some("start"));
    }

    #[tokio::test]
    async fn a_lost_connection_ends_the_events() {
        let event = Ok(EventMessage::default());
        let events = stream::iter([event.clone(), Err(errors::cut_off("the end")), event]).boxed();
        assert_eq!(until_lost(events).collect::<Vec<_>>().await.len(), 1);
    }
}
