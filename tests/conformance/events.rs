//! The event stream, and the engine's version and system information.

use bollard::models::EventMessage;
use futures::stream::{BoxStream, StreamExt};
use spc::engine::{ApiVersion, EngineError, Filters};

use super::case::{Case, at_once};
use super::commands::{FAIL, SERVE, SUCCEED};

type Events = BoxStream<'static, Result<EventMessage, EngineError>>;

/// Filters for events of the case's containers.
fn filters(case: &Case<'_>) -> Filters {
    let mut filters = case.filter();
    filters.insert("type".into(), vec!["container".into()]);
    filters
}

async fn next(events: &mut Events) -> EventMessage {
    events.next().await.expect("the events go on").unwrap()
}

async fn next_action(events: &mut Events) -> String {
    next(events).await.action.unwrap()
}

pub async fn the_engine_reports_its_version_and_time(case: &Case<'_>) {
    let version = case.engine.version().await.unwrap();
    assert_eq!(ApiVersion::parse(&version.api_version.unwrap()), Some(case.engine.api_version()));
    let time = case.engine.info().await.unwrap().system_time.unwrap();
    chrono::DateTime::parse_from_rfc3339(&time).unwrap();
    assert!(case.engine.address().contains("://"));
}

pub async fn an_event_subscription_starts_exactly_when_its_call_returns(case: &Case<'_>) {
    // Repeated, because a faulty subscription loses events only right after the call.
    for round in 0..20 {
        let name = case.created("one", case.body(SERVE)).await;
        let mut events = case.engine.events(&filters(case), None).await.unwrap();
        case.engine.container_rename(&name, &case.name("two")).await.unwrap();
        case.engine.container_remove(&case.name("two"), true, true).await.unwrap();
        let reported = next(&mut events).await;
        assert_eq!(reported.action.as_deref(), Some("rename"), "round {round}");
        assert_eq!(reported.actor.unwrap().attributes.unwrap()["name"], case.name("two"));
        assert_eq!(next_action(&mut events).await, "destroy", "round {round}");
    }
}

pub async fn a_subscription_since_a_time_includes_past_events(case: &Case<'_>) {
    let now = case.engine.info().await.unwrap().system_time.unwrap();
    let now = chrono::DateTime::parse_from_rfc3339(&now).unwrap().timestamp();
    let name = case.created("one", case.body(SERVE)).await;
    case.engine.container_remove(&name, true, true).await.unwrap();
    let id = case.engine.container_create(&name, None, case.body(SERVE)).await.unwrap().id;
    let mut events = case.engine.events(&filters(case), Some(now)).await.unwrap();
    let mut seen = Vec::new();
    loop {
        let event = next(&mut events).await;
        seen.push(event.action.unwrap());
        if event.actor.unwrap().id.as_ref() == Some(&id) {
            break;
        }
    }
    assert!(seen.ends_with(&["create".into(), "destroy".into(), "create".into()]), "{seen:?}");
}

pub async fn events_are_filtered_by_type_and_action(case: &Case<'_>) {
    let mut filters = filters(case);
    filters.insert("event".into(), vec!["start".into(), "destroy".into()]);
    let mut events = case.engine.events(&filters, None).await.unwrap();
    let name = case.started("one", SERVE).await;
    case.engine.container_stop(&name, &at_once()).await.unwrap();
    case.engine.container_remove(&name, false, true).await.unwrap();
    assert_eq!(next_action(&mut events).await, "start");
    assert_eq!(next_action(&mut events).await, "destroy");
}

pub async fn the_end_of_an_exec_and_of_a_container_is_an_event(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let mut events = case.engine.events(&filters(case), None).await.unwrap();
    case.exec(&name, FAIL).await;
    let mut exit = loop {
        let event = next(&mut events).await;
        if event.action.as_deref() == Some("exec_die") {
            break event.actor.unwrap().attributes.unwrap();
        }
    };
    assert_eq!(exit.remove("exitCode").as_deref(), Some("3"));

    case.started("two", SUCCEED).await;
    let exit = loop {
        let event = next(&mut events).await;
        if event.action.as_deref() == Some("die") {
            break event.actor.unwrap().attributes.unwrap();
        }
    };
    assert_eq!(
        (exit["exitCode"].as_str(), exit["name"].as_str()),
        ("0", case.name("two").as_str())
    );
}

pub async fn container_events_arrive_in_order(case: &Case<'_>) {
    let mut filters = filters(case);
    filters.insert(
        "event".into(),
        ["create", "start", "die", "stop", "rename", "destroy"].map(str::to_owned).to_vec(),
    );
    let events = case.engine.events(&filters, None).await.unwrap();
    let name = case.started("one", SERVE).await;
    case.engine.container_rename(&name, &case.name("two")).await.unwrap();
    case.engine.container_stop(&case.name("two"), &at_once()).await.unwrap();
    case.engine.container_start(&case.name("two")).await.unwrap();
    case.engine.container_remove(&case.name("two"), true, true).await.unwrap();
    let mut reported: Vec<String> =
        events.take(8).map(|event| event.unwrap().action.unwrap()).collect().await;
    // Newer engines report these two in either order.
    if case.engine.api_version() >= (ApiVersion { major: 1, minor: 44 }) {
        reported[3..5].sort();
    }
    assert_eq!(reported, ["create", "start", "rename", "die", "stop", "start", "die", "destroy"]);
}
