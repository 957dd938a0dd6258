//! The state of the simulated machine, as records.

use std::collections::BTreeMap;

use rhai::{Array, Dynamic, Map};

use crate::engine::sim::{Call, ContainerView, EventView, LostRequest, MountView};
use crate::model::names::compose_label;
use crate::testing::test_context::TestContext;
use crate::value::Record;

fn record<const N: usize>(what: &str, fields: [(&str, Dynamic); N]) -> Dynamic {
    let fields: Map = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Dynamic::from(Record::new(what, fields))
}

fn texts<T: Into<String>>(texts: impl IntoIterator<Item = T>) -> Dynamic {
    texts.into_iter().map(|text| Dynamic::from(text.into())).collect::<Array>().into()
}

fn map(pairs: &BTreeMap<String, String>) -> Dynamic {
    pairs
        .iter()
        .map(|(name, value)| (name.as_str().into(), value.clone().into()))
        .collect::<Map>()
        .into()
}

fn count(number: u64) -> Dynamic {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}

/// In the order they were created.
pub fn containers(test_context: &TestContext) -> Array {
    test_context.world.engine.state().containers.iter().map(container).collect()
}

fn container(view: &ContainerView) -> Dynamic {
    let environment: BTreeMap<String, String> = view
        .environment
        .iter()
        .filter_map(|entry| entry.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    record(
        "container",
        [
            ("name", view.name.clone().into()),
            (
                "service",
                view.labels.get(compose_label::SERVICE).cloned().unwrap_or_default().into(),
            ),
            ("state", view.state.into()),
            ("health", view.health.map_or(Dynamic::UNIT, Dynamic::from)),
            ("exit_code", view.exit_code.into()),
            ("error", view.error.clone().into()),
            ("image", view.image.clone().into()),
            ("image_id", view.image_id.clone().into()),
            ("id", view.id.clone().into()),
            ("starts", count(view.starts)),
            ("networks", texts(view.networks.keys())),
            ("mounts", texts(view.mounts.iter().map(mount))),
            ("ports", texts(&view.ports)),
            ("signals", texts(&view.signals)),
            ("environment", map(&environment)),
            ("labels", map(&view.labels)),
        ],
    )
}

fn mount(view: &MountView) -> String {
    format!("{}:{}{}", view.source, view.destination, if view.read_only { ":ro" } else { "" })
}

/// By name.
pub fn volumes(test_context: &TestContext) -> Array {
    let state = test_context.world.engine.state();
    let all = state.volumes.iter().map(|view| {
        let fields = [
            ("name", view.name.clone().into()),
            ("stamp", count(view.stamp)),
            ("writes", count(view.writes)),
            ("most_writers", count(view.most_writers as u64)),
            ("labels", map(&view.labels)),
        ];
        record("volume", fields)
    });
    all.collect()
}

/// In the order they were created.
pub fn networks(test_context: &TestContext) -> Array {
    let state = test_context.world.engine.state();
    let all = state.networks.iter().map(|view| {
        record(
            "network",
            [
                ("name", view.name.clone().into()),
                ("subnets", texts(&view.subnets)),
                ("labels", map(&view.labels)),
            ],
        )
    });
    all.collect()
}

/// In the order in which they arrived.
pub fn images(test_context: &TestContext) -> Array {
    let state = test_context.world.engine.state();
    let all = state.images.iter().map(|view| {
        record(
            "image",
            [
                ("id", view.id.clone().into()),
                ("tags", texts(&view.tags)),
                ("digests", texts(&view.digests)),
            ],
        )
    });
    all.collect()
}

/// The engine's calls so far.
pub fn calls(test_context: &TestContext) -> Array {
    let call = |call: &Call| {
        let fields = [
            ("index", count(call.index)),
            ("method", call.method.into()),
            ("target", call.target.clone().into()),
            ("mutates", call.mutates.into()),
            ("at", Dynamic::from(call.at)),
        ];
        record("call", fields)
    };
    test_context.world.engine.calls().iter().map(call).collect()
}

/// The engine's events so far.
pub fn events(test_context: &TestContext) -> Array {
    let event = |event: EventView| {
        let code = event.exit_code.and_then(|code| code.parse::<i64>().ok());
        let fields = [
            ("at", Dynamic::from(event.at)),
            ("kind", event.kind.into()),
            ("action", event.action.into()),
            ("name", event.whom.into()),
            ("exit_code", code.map_or(Dynamic::UNIT, Dynamic::from)),
        ];
        record("event", fields)
    };
    test_context.world.engine.event_views().into_iter().map(event).collect()
}

/// What became of the clients' requests.
pub fn requests(test_context: &TestContext) -> Dynamic {
    let report = test_context.world.engine.requests();
    let failure = |lost: &LostRequest| {
        let status = if lost.status == 0 { Dynamic::UNIT } else { i64::from(lost.status).into() };
        let fields = [
            ("at", Dynamic::from(lost.at)),
            ("container", lost.container.clone().into()),
            ("reason", lost.reason.clone().into()),
            ("status", status),
            ("during", lost.during.clone().into()),
        ];
        record("failure", fields)
    };
    let fields = [
        ("sent", count(report.sent)),
        ("errors", count(report.errors)),
        ("failed", count(report.lost)),
        ("failures", report.failures.iter().map(failure).collect::<Array>().into()),
    ];
    record("requests", fields)
}
