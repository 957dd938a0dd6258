//! `deploy.update_config` and `deploy.rollback_config`.

use std::time::Duration;

use serde_json::{Value, json};
use similar_asserts::assert_eq;

use super::{message, read, service};
use crate::model::hash;
use crate::model::secret::Secrets;
use crate::model::spec::{FailureAction, RollbackConfig, UpdateConfig, UpdateOrder, Verification};

fn deployed(deploy: Value) -> Value {
    json!({"image": "x", "deploy": deploy})
}

#[test]
fn every_key_is_read_also_as_text() {
    let found = service(deployed(json!({
        "update_config": {
            "order": "start-first", "parallelism": "0", "delay": "10s", "monitor": "1m", "failure_action": "continue",
            "max_failure_ratio": "0.5",
        },
        "rollback_config": {"order": "stop-first", "parallelism": 2, "delay": "1s", "monitor": "2s", "failure_action": "pause"},
    })));
    assert_eq!(found.update_order, UpdateOrder::StartFirst);
    let UpdateConfig { parallelism, delay, monitor, failure_action, max_failure_ratio } =
        found.update;
    assert_eq!(
        (parallelism, delay, monitor, failure_action, max_failure_ratio.of(4)),
        (0, Duration::from_secs(10), Duration::from_mins(1), FailureAction::Continue, 2)
    );
    assert_eq!(
        found.rollback,
        RollbackConfig {
            order: Some(UpdateOrder::StopFirst),
            parallelism: 2,
            delay: Duration::from_secs(1),
            monitor: Duration::from_secs(2),
            goes_on: false,
            ..RollbackConfig::default()
        }
    );
}

#[test]
fn only_a_described_update_is_monitored_by_default() {
    let monitor = |deploy: Value| service(deployed(deploy)).update.monitor;
    assert_eq!(monitor(json!({"replicas": 2})), Duration::ZERO);
    assert_eq!(monitor(json!({"update_config": {"parallelism": 1}})), Duration::from_secs(5));
    assert_eq!(monitor(json!({"update_config": {"monitor": "0s"}})), Duration::ZERO);
    assert_eq!(
        service(deployed(json!({"update_config": {}}))).update.failure_action,
        FailureAction::Rollback
    );
}

#[test]
fn values_that_mean_nothing_are_rejected_at_their_key() {
    for (config, key, value, expected) in [
        (
            "update_config",
            "order",
            json!("start"),
            "\"…\" can't be \"start\" (available: start-first, stop-first)",
        ),
        (
            "update_config",
            "parallelism",
            json!(-1),
            "\"…\" has to be a whole number from 0 on, but it is the number -1 ()",
        ),
        (
            "update_config",
            "parallelism",
            json!("many"),
            "\"…\" has to be a whole number from 0 on, but it is the string \"many\" ()",
        ),
        ("update_config", "delay", json!(10), "\"…\" needs a unit (write \"10s\" for seconds)"),
        (
            "update_config",
            "monitor",
            json!("soon"),
            "\"soon\" is not a duration; write it like \"1m30s\" or \"500ms\" ()",
        ),
        (
            "update_config",
            "failure_action",
            json!("stop"),
            "\"…\" can't be \"stop\" (available: continue, pause, rollback)",
        ),
        (
            "update_config",
            "failure_action",
            json!(true),
            "\"…\" has to be a string, but it is the truth value true ()",
        ),
        (
            "update_config",
            "max_failure_ratio",
            json!(1.5),
            "\"…\" has to be a number from 0 to 1, but it is the number 1.5 ()",
        ),
        (
            "update_config",
            "max_failure_ratio",
            json!("30%"),
            "\"…\" has to be a number from 0 to 1, but it is the string \"30%\" ()",
        ),
        (
            "rollback_config",
            "max_failure_ratio",
            json!(-0.1),
            "\"…\" has to be a number from 0 to 1, but it is the number -0.1 ()",
        ),
        (
            "rollback_config",
            "failure_action",
            json!("rollback"),
            "\"…\" can't be \"rollback\" (available: continue, pause)",
        ),
        (
            "rollback_config",
            "order",
            json!("start-first"),
            "\"rollback_config\" can have the order \"start-first\" only if \"update_config\" has it (leave it out: a rollback has the order of the update)",
        ),
        (
            "rollback_config",
            "paralelism",
            json!(1),
            "Unknown key \"paralelism\" in \"services.a.deploy.rollback_config\" (did you mean \"parallelism\"?)",
        ),
    ] {
        let path = format!("services.a.deploy.{config}.{key}");
        let found = message(json!({"services": {"a": deployed(json!({config: {key: value}}))}}));
        assert_eq!(found, format!("{path}: {}", expected.replace('…', &path)));
    }
}

#[test]
fn how_containers_are_replaced_is_no_reason_to_replace_them() {
    let hash = |deploy: Value| {
        let project = read(json!({"services": {"a": deployed(deploy)}})).unwrap();
        let service = &project.services["a"];
        (
            hash::service(service, &project, &Secrets::new()),
            hash::parts(service, &project, &Secrets::new()),
        )
    };
    let all = json!({
        "update_config": {"order": "start-first", "parallelism": 3, "delay": "1s", "monitor": "9s", "failure_action": "pause", "max_failure_ratio": 1},
        "rollback_config": {"parallelism": 3, "failure_action": "pause"},
    });
    assert_eq!(hash(all), hash(json!({})));
}

#[test]
fn a_request_that_does_not_stay_in_the_container_is_rejected() {
    for (verify, expected) in [
        (
            json!({}),
            "services.a.x-spc-verify: \"services.a.x-spc-verify\" needs the key \"url\" ()",
        ),
        (
            json!({"url": "localhost:8080/up"}),
            "services.a.x-spc-verify.url: \"localhost:8080/up\" has to begin with \"http://\": the request stays in the container (write it like \"http://localhost:8080/health\" or \"http://a/\")",
        ),
        (
            json!({"url": "/up"}),
            "services.a.x-spc-verify.url: \"/up\" is not a URL: relative URL without a base (write it like \"http://localhost:8080/health\" or \"http://a/\")",
        ),
        (
            json!({"url": "http://b/up"}),
            "services.a.x-spc-verify.url: \"http://b/up\" has to name \"localhost\" or the service \"a\", without a user (write it like \"http://localhost:8080/health\" or \"http://a/\")",
        ),
        (
            json!({"url": 80}),
            "services.a.x-spc-verify.url: \"services.a.x-spc-verify.url\" has to be a string, but it is the number 80 (write it in quotes)",
        ),
        (
            json!({"url": "http://a/", "header": ["X-A: b"]}),
            "services.a.x-spc-verify.header: \"services.a.x-spc-verify.header\" has to be a map, but it is a list ()",
        ),
        (
            json!({"url": "http://a/", "header": {"X A": "b"}}),
            "services.a.x-spc-verify.header.X A: \"X A\" can't be the name of a header ()",
        ),
        (
            json!({"url": "http://a/", "header": {"X-A": "b\n"}}),
            "services.a.x-spc-verify.header.X-A: The value of the header \"X-A\" has a control character, or a space at its beginning or end ()",
        ),
        (
            json!({"url": "http://a/", "headers": {}}),
            "services.a.x-spc-verify.headers: Unknown key \"headers\" in \"services.a.x-spc-verify\" (did you mean \"header\"?)",
        ),
    ] {
        let service = json!({"image": "x", "x-spc-verify": verify});
        assert_eq!(message(json!({"services": {"a": service}})), expected);
    }
    let job = json!({"services": {
        "a": {"image": "x", "x-spc-verify": {"url": "http://a/"}},
        "b": {"image": "x", "depends_on": {"a": {"condition": "service_completed_successfully"}}},
    }});
    assert!(message(job).starts_with("services.a.x-spc-verify: \"b\" waits for \"a\" to complete"));
}

#[test]
fn a_verified_request_goes_to_the_container_with_the_described_host() {
    let read = |url: &str| {
        let found =
            service(json!({"image": "x", "x-spc-verify": {"url": url, "header": {"X-N": 2}}}));
        let Verification { host, inside, header, .. } = found.verification.unwrap();
        (host, inside, header["X-N"].clone())
    };
    let wanted = |host: &str, inside: &str| (host.to_owned(), inside.to_owned(), "2".to_owned());
    assert_eq!(read("http://a:8080/up?x=1"), wanted("a:8080", "http://127.0.0.1:8080/up?x=1"));
    assert_eq!(read("http://localhost"), wanted("localhost", "http://127.0.0.1/"));
}
