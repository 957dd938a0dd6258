//! The order of services across an unchanged service between them: dependencies are transitive.

use super::verbs::Lifecycle;
use super::*;
use crate::model::step::StepLabel;

/// `app` needs `mid`, which needs `db`; `mid` is a job that is done, or a service that runs.
fn chain(mid: &str, version: &str) -> Value {
    let condition =
        if mid == "migrate" { "service_completed_successfully" } else { "service_healthy" };
    let mid_service = match mid {
        "migrate" => {
            json!({"image": "job:1", "depends_on": {"db": {"condition": "service_healthy"}}})
        }
        _ => {
            json!({"image": "redis:1", "healthcheck": check("ping"), "depends_on": {"db": {"condition": "service_healthy"}}})
        }
    };
    json!({"services": {
        "app": {"image": "web:1", "environment": {"V": version}, "depends_on": {mid: {"condition": condition}}},
        mid: mid_service,
        "db": {"image": "db:1", "environment": {"V": version}, "healthcheck": check("pg_isready")},
    }})
}

/// Does `work`, in which a container of `app` is started, and that only once the one of `db` that
/// is started is ready.
#[track_caller]
fn in_order(machine: &Machine, what: &str, work: impl FnOnce(&Machine)) {
    let first = machine.seen.0.lock().len();
    work(machine);
    let events = machine.seen.0.lock();
    let at = |is_it: &dyn Fn(&Event) -> bool| events[first..].iter().position(is_it);
    let is_of = |label: &StepLabel, service: &str, actions: &[&str]| {
        label.service.as_deref() == Some(service) && actions.contains(&label.action.word())
    };
    let ready = at(
        &|event| matches!(event, Event::StepDone { label, .. } if is_of(label, "db", &["wait until ready"])),
    );
    let begins = at(
        &|event| matches!(event, Event::StepStarted { label, .. } if is_of(label, "app", &["start", "restart"])),
    );
    assert!(ready.is_some() && ready < begins, "{what}: {:#?}", &events[first..]);
}

fn verb(machine: &Machine, verb: Lifecycle, services: &[&str]) {
    let services = services.iter().map(|&service| service.to_owned()).collect();
    machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None)).unwrap();
}

#[test]
fn the_start_order_of_two_services_holds_across_a_service_between_them() {
    for mid in ["migrate", "cache"] {
        let machine =
            machine_with(1, |builder| builder.process("db", Process::new().ready_after(secs(3))));
        let up = |version: &'static str| {
            move |machine: &Machine| drop(machine.up(&chain(mid, version)).unwrap())
        };
        in_order(&machine, "made", up("1"));
        in_order(&machine, "both replaced", up("2"));
        verb(&machine, Lifecycle::Stop, &["app", "db"]);
        in_order(&machine, "both started again", up("2"));
        verb(&machine, Lifecycle::Stop, &["app", "db"]);
        in_order(&machine, "replaced and stopped", up("3"));
        verb(&machine, Lifecycle::Stop, &["app", "db"]);
        in_order(&machine, "started as they are", |machine| {
            verb(machine, Lifecycle::Start, &["app", "db"])
        });
        in_order(&machine, "restarted", |machine| {
            verb(machine, Lifecycle::Restart, &["app", "db"])
        });
        let first = machine.events();
        verb(&machine, Lifecycle::Stop, &["app", "db"]);
        let happened = machine.happened_from(first);
        let at = |words: &str| happened.iter().position(|line| line.starts_with(words)).unwrap();
        assert!(at("die shop-app-1") < at("stop shop-db-1"), "{happened:#?}");
    }
}
