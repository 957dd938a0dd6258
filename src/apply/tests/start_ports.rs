//! Host ports that containers need which are started as they are, without a description.

use super::super::start_failures::RefusedStart;
use super::verbs::Lifecycle;
use super::*;
use crate::engine::{Engine, EngineError, EngineErrorKind};
use crate::host::Listener;

/// Two services that are not brought up together, on one host port.
fn two() -> Value {
    let on = |profile: &str, port: &str| json!({"image": "web:1", "ports": [port], "profiles": [profile]});
    json!({"services": {"a": on("x", "8000:8000"), "b": on("y", "127.0.0.1:8000:8000"), "c": {"image": "redis:1"}}})
}

fn up(machine: &Machine, service: &str) {
    machine
        .up_with(
            &two(),
            &UpOptions { services: Some(vec![service.to_owned()]), ..UpOptions::default() },
        )
        .unwrap();
}

fn verb(machine: &Machine, verb: Lifecycle, services: &[&str]) -> Result<Outcome, Failure> {
    let services = services.iter().map(|&service| service.to_owned()).collect();
    machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, verb, None))
}

/// Both services have a container, and neither runs.
fn stopped() -> Machine {
    let machine = machine();
    for service in ["a", "b", "c"] {
        up(&machine, service);
        verb(&machine, Lifecycle::Stop, &[service]).unwrap();
    }
    machine
}

fn refused(machine: &Machine, lifecycle: Lifecycle, services: &[&str], message: &str, hint: &str) {
    let events = machine.events();
    let failure = verb(machine, lifecycle, services).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str(), failure.hint.as_deref()),
        (Kind::Conflict, message, Some(hint)),
        "{lifecycle:?}"
    );
    assert_eq!(failure.fields["port"], 8000);
    let happened =
        machine.happened_from(events).into_iter().filter(|line| !line.contains("spc-lock"));
    assert_eq!(happened.collect::<Vec<_>>(), Vec::<String>::new(), "nothing was touched");
}

const BOTH: [Lifecycle; 2] = [Lifecycle::Start, Lifecycle::Restart];

#[test]
fn two_containers_of_one_port_are_not_started_together() {
    let machine = stopped();
    for lifecycle in BOTH {
        let message = "The containers \"shop-a-1\" and \"shop-b-1\" both need the host port 8000";
        refused(
            &machine,
            lifecycle,
            &["a", "b", "c"],
            message,
            "start only one of the two, or publish another host port for one and run `up`",
        );
    }
    verb(&machine, Lifecycle::Start, &["a", "c"]).unwrap();
}

#[test]
fn the_port_of_another_container_is_refused_before_anything_is_touched() {
    let machine = stopped();
    verb(&machine, Lifecycle::Start, &["a"]).unwrap();
    let message = "The container \"shop-b-1\" needs the host port 8000 on 127.0.0.1, which is taken by the container \"shop-a-1\"";
    for lifecycle in BOTH {
        for services in [&["b", "c"][..], &["a", "b", "c"]] {
            refused(
                &machine,
                lifecycle,
                services,
                message,
                "`stop([\"a\"])` first, or publish another host port and run `up`",
            );
        }
    }
    // A restarted container does not conflict with its own port.
    verb(&machine, Lifecycle::Restart, &["a"]).unwrap();
    let alone = machine
        .run(super::super::writers::check_start(&machine.ctx(), PROJECT, "shop-b-1"))
        .unwrap_err();
    assert_eq!(alone.message, message);

    verb(&machine, Lifecycle::Stop, &["a"]).unwrap();
    let binding = bollard::models::PortBinding {
        host_ip: Some(String::new()),
        host_port: Some("8000".into()),
    };
    let host = bollard::models::HostConfig {
        port_bindings: Some([("80/tcp".to_owned(), Some(vec![binding]))].into()),
        ..Default::default()
    };
    let labels = [(compose_label::PROJECT.to_owned(), "other".to_owned())].into();
    let body = bollard::models::ContainerCreateBody {
        image: Some("redis:1".into()),
        exposed_ports: Some(vec!["80/tcp".into()]),
        host_config: Some(host),
        labels: Some(labels),
        ..Default::default()
    };
    machine.run(async {
        machine.engine.container_create("stranger", None, body).await.unwrap();
        machine.engine.container_start("stranger").await.unwrap();
    });
    for lifecycle in BOTH {
        let message = "The container \"shop-a-1\" needs the host port 8000, which is taken by the container \"stranger\" of the project \"other\"";
        refused(
            &machine,
            lifecycle,
            &["a", "c"],
            message,
            "stop that container first, or publish another host port and run `up`",
        );
    }
}

#[test]
fn the_port_of_a_process_is_refused_before_anything_is_touched() {
    let machine = stopped();
    let process = Some("nginx (pid 812)".to_owned());
    machine.host.listen(Listener {
        address: "0.0.0.0".parse().unwrap(),
        port: 8000,
        protocol: "tcp".to_owned(),
        process,
    });
    for lifecycle in BOTH {
        let message =
            "The port 8000 of \"shop-a-1\" is already taken by the process nginx (pid 812)";
        refused(
            &machine,
            lifecycle,
            &["a", "c"],
            message,
            "stop the program that uses it, or publish another host port",
        );
    }
    machine.host.stop_listening(8000);
    verb(&machine, Lifecycle::Start, &["a"]).unwrap();
}

#[test]
fn a_job_and_the_service_that_waits_for_its_end_may_share_a_port() {
    let machine = machine();
    let description = json!({"services": {
        "job": {"image": "job:1", "ports": ["8000:8000"]},
        "web": {"image": "web:1", "ports": ["8000:8000"], "depends_on": {"job": {"condition": "service_completed_successfully"}}},
    }});
    machine.up(&description).unwrap();
    verb(&machine, Lifecycle::Stop, &["web"]).unwrap();
    for lifecycle in BOTH {
        let services = ["job", "web"].map(str::to_owned).into();
        machine
            .run(verbs::lifecycle_of(
                &machine.ctx(),
                PROJECT,
                &services,
                verbs::ServiceChoice::ByName,
                lifecycle,
                None,
            ))
            .unwrap();
        verb(&machine, Lifecycle::Stop, &["web"]).unwrap();
    }
}

#[test]
fn a_port_conflict_on_start_or_restart_names_the_owner_of_the_port() {
    let machine = stopped();
    verb(&machine, Lifecycle::Start, &["a"]).unwrap();
    for verb in ["start", "restart"] {
        let ctx = machine.ctx();
        let refused = RefusedStart {
            ctx: &ctx,
            verb,
            project: PROJECT,
            described: None,
            service: Some("b"),
            container: "shop-b-1",
            id: "b",
        };
        let explain = |message: &str| {
            machine.run(refused.explain(EngineError::new(EngineErrorKind::Server, message)))
        };
        let port = explain(
            "driver failed programming external connectivity: Bind for 0.0.0.0:8000 failed: port is already allocated",
        );
        assert_eq!(
            port.message,
            "The port 8000 of \"shop-b-1\" is already taken by the container \"shop-a-1\""
        );
        assert_eq!(port.fields["service"], "b");
        let address = explain("Address already in use");
        assert_eq!(
            address.message,
            format!("Could not {verb} the container \"shop-b-1\": Address already in use")
        );
        assert!(address.hint.is_some());
        let paused = explain("cannot start a paused container, try unpause instead");
        assert_eq!(paused.hint.as_deref(), Some("resume it with `docker unpause shop-b-1`"));
    }
    // A port that is taken between the look and the step.
    verb(&machine, Lifecycle::Stop, &["a"]).unwrap();
    machine.engine.take_port(8000);
    for lifecycle in BOTH {
        let failure = verb(&machine, lifecycle, &["a"]).unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (Kind::Conflict, "The port 8000 of \"shop-a-1\" is already taken")
        );
        assert!(failure.hint.is_some());
    }
}

#[test]
fn a_proxy_of_the_engine_is_looked_behind_for_the_container_that_is_being_started() {
    let machine = stopped();
    machine.host.set_port_owner(8000, Some("docker-proxy (pid 7)"));
    let ctx = machine.ctx();
    let refused = RefusedStart {
        ctx: &ctx,
        verb: "start",
        project: PROJECT,
        described: None,
        service: None,
        container: "shop-b-1",
        id: "b",
    };
    let taken = || {
        EngineError::new(
            EngineErrorKind::Server,
            "listen tcp4 0.0.0.0:8000: bind: address already in use",
        )
    };
    let failure = machine.run(refused.explain(taken()));
    assert_eq!(
        failure.message,
        "The port 8000 of \"shop-b-1\" is already taken by the process docker-proxy (pid 7)"
    );
    let starts = async {
        machine.executor.sleep(Duration::from_millis(500)).await;
        machine.engine.container_start("shop-a-1").await.unwrap();
    };
    let (failure, ()) = machine.run(futures::future::join(refused.explain(taken()), starts));
    assert_eq!(
        failure.message,
        "The port 8000 of \"shop-b-1\" is already taken by the container \"shop-a-1\""
    );
}
