//! Containers: lifecycle and listing.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models;
use bytes::Bytes;
use futures::stream::StreamExt;
use spc::engine::{EngineErrorKind as Kind, ExecRequest, LogsRequest, StopRequest, label_filter};

use super::case::{Case, at_once, kind, owned};
use super::commands::{DEAF, FAIL, HEALTHY, MISSING, SERVE, SUCCEED};

pub async fn a_container_is_created_started_and_stopped(case: &Case<'_>) {
    let name = case.name("one");
    let created = case.engine.container_create(&name, None, case.body(SERVE)).await.unwrap();
    let inspected = case.engine.container_inspect(&name).await.unwrap();
    assert_eq!(inspected.id.as_ref(), Some(&created.id));
    assert_eq!(inspected.name.unwrap(), format!("/{name}"));
    assert_eq!(inspected.state.unwrap().status, Some(models::ContainerStateStatusEnum::CREATED));
    let config = inspected.config.unwrap();
    assert_eq!(config.cmd, Some(owned(SERVE)));
    assert_eq!(config.labels, Some(case.labels()));

    assert!(case.engine.container_start(&name).await.unwrap(), "it is started now");
    assert!(case.is_running(&created.id).await, "it is found by its id too");
    assert!(!case.engine.container_start(&name).await.unwrap(), "it ran already");

    assert!(
        case.engine.container_stop(&name, &StopRequest::default()).await.unwrap(),
        "it is stopped now"
    );
    let state = case.state(&name).await;
    assert_eq!(
        (state.running, state.exit_code),
        (Some(false), Some(0)),
        "its handler of TERM ended it"
    );
    assert!(
        !case.engine.container_stop(&name, &StopRequest::default()).await.unwrap(),
        "it was stopped already"
    );

    assert!(case.engine.container_start(&name).await.unwrap(), "it can be started again");
    case.engine.container_remove(&name, true, false).await.unwrap();
    assert_eq!(kind(case.engine.container_inspect(&name).await), Kind::NotFound);
}

pub async fn a_container_of_a_missing_image_is_not_created(case: &Case<'_>) {
    let body =
        models::ContainerCreateBody { image: Some("spc-none/such:1".into()), ..case.body(SERVE) };
    assert_eq!(
        kind(case.engine.container_create(&case.name("one"), None, body).await),
        Kind::NotFound
    );
}

pub async fn creating_a_container_with_a_used_name_is_a_conflict(case: &Case<'_>) {
    let name = case.created("one", case.body(SERVE)).await;
    assert_eq!(
        kind(case.engine.container_create(&name, None, case.body(SERVE)).await),
        Kind::Conflict
    );
}

pub async fn a_container_is_renamed_unless_the_name_is_in_use(case: &Case<'_>) {
    let (old, new, other) = (
        case.started("old", SERVE).await,
        case.name("new"),
        case.created("other", case.body(SERVE)).await,
    );
    case.engine.container_rename(&old, &new).await.unwrap();
    assert!(case.is_running(&new).await);
    assert_eq!(kind(case.engine.container_inspect(&old).await), Kind::NotFound);
    assert_eq!(kind(case.engine.container_rename(&new, &other).await), Kind::Conflict);
}

pub async fn the_restart_policy_of_a_running_or_stopped_container_can_change(case: &Case<'_>) {
    use models::RestartPolicyNameEnum as Policy;
    let name = case.started("one", SERVE).await;
    for policy in [Policy::ALWAYS, Policy::UNLESS_STOPPED] {
        let restart = models::RestartPolicy { name: Some(policy), ..Default::default() };
        case.engine.container_update(&name, restart).await.unwrap();
        let host = case.engine.container_inspect(&name).await.unwrap().host_config.unwrap();
        assert_eq!(host.restart_policy.unwrap().name, Some(policy));
        case.engine.container_stop(&name, &at_once()).await.unwrap();
    }
    assert!(case.engine.container_start(&name).await.unwrap());
}

pub async fn every_call_reports_an_unknown_container_as_not_found(case: &Case<'_>) {
    let (engine, name) = (case.engine, case.name("none"));
    assert_eq!(kind(engine.container_inspect(&name).await), Kind::NotFound);
    assert_eq!(kind(engine.container_start(&name).await), Kind::NotFound);
    assert_eq!(kind(engine.container_stop(&name, &at_once()).await), Kind::NotFound);
    assert_eq!(kind(engine.container_restart(&name, &at_once()).await), Kind::NotFound);
    assert_eq!(kind(engine.container_kill(&name, "KILL").await), Kind::NotFound);
    assert_eq!(kind(engine.container_rename(&name, &case.name("new")).await), Kind::NotFound);
    assert_eq!(
        kind(engine.container_update(&name, models::RestartPolicy::default()).await),
        Kind::NotFound
    );
    assert_eq!(kind(engine.container_remove(&name, true, true).await), Kind::NotFound);
    assert_eq!(kind(engine.container_wait(&name).await), Kind::NotFound);
    assert_eq!(kind(engine.container_logs(&name, &LogsRequest::default()).await), Kind::NotFound);
    assert_eq!(kind(engine.container_top(&name).await), Kind::NotFound);
    assert_eq!(kind(engine.container_upload(&name, "/", Bytes::new()).await), Kind::NotFound);
    assert_eq!(kind(engine.container_download(&name, "/").await), Kind::NotFound);
    let request = ExecRequest { command: owned(SUCCEED), ..Default::default() };
    assert_eq!(kind(engine.exec_start(&name, &request).await), Kind::NotFound);
}

pub async fn an_invalid_container_name_is_not_found(case: &Case<'_>) {
    for name in ["", "..", "no such name", "a?all=1", "a#b"] {
        assert_eq!(kind(case.engine.container_inspect(name).await), Kind::NotFound, "{name}");
        assert_eq!(
            kind(case.engine.container_remove(name, true, true).await),
            Kind::NotFound,
            "{name}"
        );
    }
}

pub async fn waiting_for_a_container_returns_its_exit_code(case: &Case<'_>) {
    let failed = case.started("failed", FAIL).await;
    assert_eq!(case.engine.container_wait(&failed).await, Ok(3));
    assert_eq!(case.engine.container_wait(&failed).await, Ok(3), "it has ended already");
    let succeeded = case.started("succeeded", SUCCEED).await;
    assert_eq!(case.engine.container_wait(&succeeded).await, Ok(0));
}

pub async fn a_killed_container_exits_with_128_plus_the_signal(case: &Case<'_>) {
    let name = case.started("one", DEAF).await;
    case.engine.container_kill(&name, "KILL").await.unwrap();
    assert_eq!(case.engine.container_wait(&name).await, Ok(137));
    assert_eq!(kind(case.engine.container_kill(&name, "KILL").await), Kind::Conflict);
}

pub async fn a_container_that_ignores_sigterm_is_killed_after_its_grace_period(case: &Case<'_>) {
    let name = case.started("one", DEAF).await;
    let request = StopRequest { grace: Some(Duration::from_secs(1)), signal: None };
    assert!(case.engine.container_stop(&name, &request).await.unwrap());
    assert_eq!(case.state(&name).await.exit_code, Some(137));
}

pub async fn a_restarted_container_runs_again(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    case.engine.container_restart(&name, &StopRequest::default()).await.unwrap();
    assert!(case.is_running(&name).await);
    case.engine.container_stop(&name, &at_once()).await.unwrap();
    case.engine.container_restart(&name, &at_once()).await.unwrap();
    assert!(case.is_running(&name).await, "one that does not run is started");
}

pub async fn removing_a_running_container_needs_force(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    assert_eq!(kind(case.engine.container_remove(&name, false, false).await), Kind::Conflict);
    assert!(case.is_running(&name).await);
    case.engine.container_remove(&name, true, false).await.unwrap();
    let stopped = case.created("two", case.body(SERVE)).await;
    case.engine.container_remove(&stopped, false, false).await.unwrap();
    assert_eq!(case.engine.container_list(true, &case.filter()).await.unwrap(), []);
}

pub async fn anonymous_volumes_are_removed_with_their_container_on_request(case: &Case<'_>) {
    for volumes in [true, false] {
        let body =
            models::ContainerCreateBody { volumes: Some(vec!["/data".into()]), ..case.body(SERVE) };
        let name = case.created("one", body).await;
        let mounts = case.engine.container_inspect(&name).await.unwrap().mounts.unwrap();
        let volume = mounts[0].name.clone().unwrap();
        case.engine.volume_inspect(&volume).await.unwrap();
        case.engine.container_remove(&name, true, volumes).await.unwrap();
        assert_eq!(case.engine.volume_inspect(&volume).await.is_err(), volumes);
        if !volumes {
            case.engine.volume_remove(&volume, false).await.unwrap();
        }
    }
}

pub async fn the_container_list_contains_state_and_exit_code(case: &Case<'_>) {
    let (running, failed) =
        (case.started("running", SERVE).await, case.started("failed", FAIL).await);
    let created = case.created("created", case.body(SERVE)).await;
    case.engine.container_wait(&failed).await.unwrap();

    let all = case.engine.container_list(true, &case.filter()).await.unwrap();
    let reported: HashMap<_, _> = all
        .into_iter()
        .map(|container| {
            let name = container.names.unwrap().remove(0);
            (
                name,
                (
                    container.state.unwrap().to_string(),
                    container.status.unwrap_or_default(),
                    container.labels.unwrap(),
                ),
            )
        })
        .collect();
    let of = |name: &str| &reported[&format!("/{name}")];
    assert_eq!(reported.len(), 3);
    assert_eq!(of(&running).0, "running");
    assert!(of(&running).1.starts_with("Up "), "{}", of(&running).1);
    assert_eq!(of(&failed).0, "exited");
    assert!(of(&failed).1.starts_with("Exited (3) "), "{}", of(&failed).1);
    assert_eq!((of(&created).0.as_str(), of(&created).1.as_str()), ("created", "Created"));
    assert_eq!(of(&created).2, case.labels());

    let up = case.engine.container_list(false, &case.filter()).await.unwrap();
    assert_eq!(up.len(), 1, "without `all` only what runs is listed");
    let other = case
        .engine
        .container_list(true, &label_filter("dev.spc.conformance", "none"))
        .await
        .unwrap();
    assert_eq!(other, []);
}

pub async fn creating_a_container_with_invalid_values_fails(case: &Case<'_>) {
    let logging = |driver: &str, option: &str| {
        let config = HashMap::from([(option.to_owned(), "1m".to_owned())]);
        let log_config =
            models::HostConfigLogConfig { typ: Some(driver.into()), config: Some(config) };
        models::ContainerCreateBody {
            host_config: Some(models::HostConfig {
                log_config: Some(log_config),
                ..Default::default()
            }),
            ..case.body(SERVE)
        }
    };
    let signal = |signal: &str| models::ContainerCreateBody {
        stop_signal: Some(signal.into()),
        ..case.body(SERVE)
    };
    let folder = |folder: &str| models::ContainerCreateBody {
        working_dir: Some(folder.into()),
        ..case.body(SERVE)
    };
    let variable = |variable: &str| models::ContainerCreateBody {
        env: Some(vec![variable.into()]),
        ..case.body(SERVE)
    };
    for body in [
        folder("rel"),
        signal("SIGFOO"),
        signal("0"),
        signal("RTMIN+16"),
        variable(""),
        variable("=x"),
        logging("json-file", "max-sizex"),
        logging("local", "tag"),
    ] {
        let shown = format!("{body:?}");
        assert_eq!(
            kind(case.engine.container_create(&case.name("one"), None, body).await),
            Kind::Invalid,
            "{shown}"
        );
    }
    for body in [
        folder("/a b"),
        signal("sigrtmin+3"),
        variable("A B"),
        logging("json-file", "max-size"),
        logging("none", "foo"),
    ] {
        case.engine.container_create(&case.name("one"), None, body).await.unwrap();
        case.engine.container_remove(&case.name("one"), true, true).await.unwrap();
    }
}

pub async fn a_container_with_a_missing_command_fails_to_start(case: &Case<'_>) {
    let name = case.created("one", case.body(MISSING)).await;
    let error = case.engine.container_start(&name).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.message.contains("no-such-command"), "{}", error.message);
    assert!(!case.is_running(&name).await);
}

pub async fn a_container_with_an_allocated_host_port_fails_to_start(case: &Case<'_>) {
    let publish = || {
        let binding = models::PortBinding {
            host_ip: Some("127.0.0.1".into()),
            host_port: Some("42131".into()),
        };
        models::ContainerCreateBody {
            exposed_ports: Some(vec!["80/tcp".into()]),
            host_config: Some(models::HostConfig {
                port_bindings: Some(HashMap::from([("80/tcp".into(), Some(vec![binding]))])),
                ..Default::default()
            }),
            ..case.body(SERVE)
        }
    };
    let (first, second) =
        (case.created("first", publish()).await, case.created("second", publish()).await);
    case.engine.container_start(&first).await.unwrap();
    let error = case.engine.container_start(&second).await.unwrap_err();
    assert_eq!(error.kind, Kind::Server);
    assert!(error.message.contains("port is already allocated"), "{}", error.message);
    assert!(!case.is_running(&second).await);

    let ports = case
        .engine
        .container_inspect(&first)
        .await
        .unwrap()
        .network_settings
        .unwrap()
        .ports
        .unwrap();
    assert_eq!(ports["80/tcp"].as_ref().unwrap()[0].host_port.as_deref(), Some("42131"));
}

/// Starts a container that publishes a port on `first`. Returns whether another container can
/// publish the same port on `second`.
async fn start_on(case: &Case<'_>, (first, second): (&str, &str), protocol: &str) -> bool {
    let publish = |address: &str| {
        let binding =
            models::PortBinding { host_ip: Some(address.into()), host_port: Some("42132".into()) };
        let inside = format!("80/{protocol}");
        models::ContainerCreateBody {
            exposed_ports: Some(vec![inside.clone()]),
            host_config: Some(models::HostConfig {
                port_bindings: Some(HashMap::from([(inside, Some(vec![binding]))])),
                ..Default::default()
            }),
            ..case.body(SERVE)
        }
    };
    let names = (
        case.created("first", publish(first)).await,
        case.created("second", publish(second)).await,
    );
    case.engine.container_start(&names.0).await.unwrap();
    let started = match case.engine.container_start(&names.1).await {
        Ok(_) => true,
        Err(error) => {
            let words = ["port is already allocated", "address already in use"];
            assert!(words.iter().any(|words| error.message.contains(words)), "{}", error.message);
            false
        }
    };
    for name in [&names.0, &names.1] {
        case.engine.container_remove(name, true, true).await.unwrap();
    }
    started
}

pub async fn a_published_port_is_allocated_only_on_its_host_address(case: &Case<'_>) {
    for (first, second, both) in [
        ("127.0.0.1", "", false),
        ("", "127.0.0.1", false),
        ("0.0.0.0", "127.0.0.1", false),
        ("127.0.0.1", "127.0.0.2", true),
        ("0.0.0.0", "::", true),
        ("::1", "0.0.0.0", true),
        ("::1", "", false),
        ("", "::1", false),
        ("::", "::1", false),
    ] {
        assert_eq!(
            start_on(case, (first, second), "tcp").await,
            both,
            "\"{first}\" and then \"{second}\""
        );
    }
    assert!(!start_on(case, ("0.0.0.0", "127.0.0.1"), "udp").await);
}

pub async fn a_stopped_container_releases_its_host_port(case: &Case<'_>) {
    let publish = || {
        let binding = models::PortBinding {
            host_ip: Some("127.0.0.1".into()),
            host_port: Some("42133".into()),
        };
        models::ContainerCreateBody {
            exposed_ports: Some(vec!["80/tcp".into()]),
            host_config: Some(models::HostConfig {
                port_bindings: Some(HashMap::from([("80/tcp".into(), Some(vec![binding]))])),
                ..Default::default()
            }),
            ..case.body(SERVE)
        }
    };
    let (first, second) =
        (case.created("first", publish()).await, case.created("second", publish()).await);
    case.engine.container_start(&first).await.unwrap();
    let published = |list: Vec<models::ContainerSummary>| {
        let ports = list.into_iter().flat_map(|container| container.ports.unwrap_or_default());
        ports.filter_map(|port| port.public_port).collect::<Vec<_>>()
    };
    assert_eq!(published(case.engine.container_list(true, &case.filter()).await.unwrap()), [42133]);
    case.engine
        .container_stop(
            &first,
            &StopRequest { grace: Some(Duration::ZERO), ..StopRequest::default() },
        )
        .await
        .unwrap();
    let none = Vec::<u16>::new();
    assert_eq!(
        published(case.engine.container_list(true, &case.filter()).await.unwrap()),
        none,
        "the list tells who has a port now"
    );
    case.engine.container_start(&second).await.unwrap();
    assert!(case.engine.container_start(&first).await.is_err());
}

pub async fn a_container_with_a_health_check_starts_with_health_starting(case: &Case<'_>) {
    let test = [&["CMD"], HEALTHY].concat();
    let check = models::HealthConfig {
        test: Some(owned(&test)),
        interval: Some(3_600_000_000_000),
        timeout: Some(5_000_000_000),
        retries: Some(5),
        ..Default::default()
    };
    let name = case
        .created(
            "one",
            models::ContainerCreateBody { healthcheck: Some(check), ..case.body(SERVE) },
        )
        .await;
    case.engine.container_start(&name).await.unwrap();
    let inspected = case.engine.container_inspect(&name).await.unwrap();
    let kept = inspected.config.unwrap().healthcheck.unwrap();
    assert_eq!(
        (kept.test, kept.interval, kept.retries),
        (Some(owned(&test)), Some(3_600_000_000_000), Some(5))
    );
    let health = inspected.state.unwrap().health.unwrap();
    assert_eq!(health.status, Some(models::HealthStatusEnum::STARTING));
    let listed = case.engine.container_list(true, &case.filter()).await.unwrap();
    assert!(
        listed[0].status.as_ref().unwrap().ends_with("(health: starting)"),
        "{:?}",
        listed[0].status
    );
}

pub async fn a_failing_container_restarts_up_to_its_maximum_retry_count(case: &Case<'_>) {
    let policy = models::RestartPolicy {
        name: Some(models::RestartPolicyNameEnum::ON_FAILURE),
        maximum_retry_count: Some(1),
    };
    let host = models::HostConfig { restart_policy: Some(policy), ..Default::default() };
    let name = case
        .created("one", models::ContainerCreateBody { host_config: Some(host), ..case.body(FAIL) })
        .await;
    let mut filters = case.filter();
    filters.insert("event".into(), vec!["start".into(), "die".into()]);
    let events = case.engine.events(&filters, None).await.unwrap();
    case.engine.container_start(&name).await.unwrap();
    let seen: Vec<String> =
        events.take(4).map(|event| event.unwrap().action.unwrap()).collect().await;
    assert_eq!(seen, ["start", "die", "start", "die"]);
    assert_eq!(case.engine.container_wait(&name).await, Ok(3));
    let inspected = case.engine.container_inspect(&name).await.unwrap();
    assert_eq!(
        (inspected.restart_count, inspected.state.unwrap().restarting),
        (Some(1), Some(false))
    );
}

pub async fn a_container_is_found_by_a_prefix_of_its_id(case: &Case<'_>) {
    let id =
        case.engine.container_create(&case.name("one"), None, case.body(SERVE)).await.unwrap().id;
    let found = case.engine.container_inspect(&id[..20]).await.unwrap();
    assert_eq!(
        (found.id.as_ref(), found.name),
        (Some(&id), Some(format!("/{}", case.name("one"))))
    );
    case.engine.container_remove(&id[..20], false, false).await.unwrap();
    assert_eq!(kind(case.engine.container_inspect(&id).await), Kind::NotFound);
}

pub async fn an_auto_remove_container_is_gone_after_it_exits(case: &Case<'_>) {
    let host = models::HostConfig { auto_remove: Some(true), ..Default::default() };
    let name = case
        .created(
            "one",
            models::ContainerCreateBody { host_config: Some(host), ..case.body(SUCCEED) },
        )
        .await;
    let mut filters = case.filter();
    filters.insert("event".into(), vec!["destroy".into()]);
    let mut events = case.engine.events(&filters, None).await.unwrap();
    case.engine.container_start(&name).await.unwrap();
    events.next().await.unwrap().unwrap();
    assert_eq!(kind(case.engine.container_inspect(&name).await), Kind::NotFound);
}
