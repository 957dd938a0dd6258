//! Log options that depend on the engine's default driver are rejected before the first change.

use super::*;

fn described(logging: &Value) -> Value {
    json!({"services": {"a": {"image": "web:1", "logging": logging}, "b": {"image": "redis:1"}}})
}

#[test]
fn an_option_of_another_driver_than_the_engines_own_is_refused_before_anything_is_made() {
    for (logging, message, key) in [
        (
            json!({"options": {"gelf-address": "udp://h:1"}}),
            "\"json-file\", the engine's default log driver, which \"a\" uses, has no option \"gelf-address\"",
            "options.gelf-address",
        ),
        (
            json!({"driver": "gelf", "options": {"tag": "x"}}),
            "The log driver \"gelf\" needs the option \"gelf-address\"",
            "driver",
        ),
        (
            json!({"driver": "splunk", "options": {"splunk-token": "x"}}),
            "The log driver \"splunk\" needs the option \"splunk-url\"",
            "driver",
        ),
    ] {
        let machine = machine();
        let failure = machine.up(&described(&logging)).unwrap_err();
        assert_eq!(failure.message, message);
        assert_eq!(
            (failure.kind, failure.path.unwrap().to_string()),
            (Kind::Usage, format!("services.a.logging.{key}"))
        );
        assert!(machine.state().containers.is_empty());
    }
}

#[test]
fn the_engine_is_asked_for_its_driver_only_where_that_decides() {
    let machine = machine();
    machine.up(&described(&json!({"options": {"max-size": "1m"}}))).unwrap();
    assert_eq!(
        machine.engine.calls().iter().filter(|call| call.method == "info").count(),
        2,
        "without the lock, and under it"
    );
    let calls = machine.calls();
    machine.up(&described(&json!({"driver": "json-file", "options": {"max-size": "1m"}}))).unwrap();
    assert!(!machine.calls_from(calls).iter().any(|call| call.method == "info"));
}
