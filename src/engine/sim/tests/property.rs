//! For any calls in any order, the engine does not panic, and its objects are consistent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::engine::sim::daemon::{containers, ipam, mounts};

/// A call, and its object among a few names.
type RandomCall = (u8, u8, u8, bool);

const CALLS: u8 = 26;

fn name(kind: &str, number: u8) -> String {
    format!("{kind}{}", number % 3)
}

fn described(first: u8, second: u8, flag: bool) -> ContainerCreateBody {
    let binding = models::PortBinding {
        host_ip: None,
        host_port: Some(format!("{}", 8000 + u16::from(second % 2))),
    };
    let mut body = on_network(
        if flag { "app:1" } else { "db:1" },
        &name("net", first),
        &["alias"],
        flag.then_some(if second.is_multiple_of(2) { "10.9.0.9" } else { "10.9.1.9" }),
    );
    let host = body.host_config.get_or_insert_default();
    host.binds = Some(vec![format!("{}:/srv", name("vol", second))]);
    host.port_bindings = flag.then(|| [("8000/tcp".to_owned(), Some(vec![binding]))].into());
    host.auto_remove = Some(second.is_multiple_of(5));
    if !second.is_multiple_of(5) && first.is_multiple_of(2) {
        let policy = models::RestartPolicyNameEnum::ALWAYS;
        host.restart_policy =
            Some(models::RestartPolicy { name: Some(policy), maximum_retry_count: None });
    }
    body
}

/// Makes one call, which may succeed or fail.
async fn ask(fixture: &EngineFixture, (call, first, second, flag): RandomCall) {
    let engine = &fixture.engine;
    let (one, other) = (name("box", first), name("box", second));
    let (net, vol) = (name("net", second), name("vol", second));
    let grace =
        StopRequest { grace: Some(Duration::from_secs(u64::from(second % 3))), signal: None };
    match call % CALLS {
        0..=3 => drop(engine.container_create(&one, None, described(first, second, flag)).await),
        4..=6 => drop(engine.container_start(&one).await),
        7 => drop(engine.container_stop(&one, &grace).await),
        8 => drop(engine.container_restart(&one, &grace).await),
        9 => drop(engine.container_kill(&one, if flag { "KILL" } else { "HUP" }).await),
        10 => drop(engine.container_rename(&one, &other).await),
        11 => drop(engine.container_remove(&one, flag, second.is_multiple_of(2)).await),
        12 | 13 => drop(engine.network_create(network(&net, flag.then_some("10.9.0.0/24"))).await),
        14 => drop(engine.network_connect(&net, &one, models::EndpointSettings::default()).await),
        15 => drop(engine.network_disconnect(&net, &one, flag).await),
        16 => drop(engine.network_remove(&net).await),
        17 => drop(engine.volume_remove(&vol, flag).await),
        18 => drop(engine.image_tag("app:1", if flag { "db:1" } else { "app:2" }).await),
        19 => drop(
            engine
                .image_remove(if flag { "app:1" } else { "app:2" }, second.is_multiple_of(2))
                .await,
        ),
        20 => drop(engine.exec_start(&one, &command(&["true"])).await),
        21 => drop(engine.container_upload(&one, "/srv", tar(&[("file", "content")])).await),
        22 => engine.restart(Duration::from_secs(1)),
        23 => drop(engine.end_process(&one, i64::from(flag))),
        24 => drop(engine.container_logs(&one, &LogsRequest::default()).await),
        _ => fixture.executor.sleep(Duration::from_millis(u64::from(second) * 100)).await,
    }
}

/// The conditions between the objects of an engine.
fn check(fixture: &EngineFixture) {
    let state = fixture.engine.shared.lock();
    let objects = &state.objects;
    let names: BTreeSet<&str> =
        objects.containers.values().map(|container| container.name.as_str()).collect();
    assert_eq!(names.len(), objects.containers.len(), "names are unique");
    let mut tags = BTreeMap::new();
    for (image, tag) in
        objects.images.values().flat_map(|image| image.tags.iter().map(move |tag| (image, tag)))
    {
        assert_eq!(tags.insert(tag, &image.id), None, "a name is one image's");
    }
    let mut addresses = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for container in objects.containers.values() {
        let running = container.phase == containers::Phase::Running;
        for endpoint in container.endpoints.values() {
            let Some(joined) = &endpoint.joined else { continue };
            assert!(running, "who is on a network runs: {}", container.name);
            let network = objects
                .networks
                .get(&endpoint.network_id)
                .expect("a network with members is there");
            if let Some((address, _)) = joined.address {
                assert!(
                    network.pools.iter().any(|pool| pool.subnet.contains(&address)),
                    "an address is the network's"
                );
                assert!(
                    addresses.insert((network.id.clone(), address)),
                    "an address is given once"
                );
            }
        }
        for published in &container.published {
            assert!(running, "who publishes runs: {}", container.name);
            assert!(
                ports.insert((published.port, published.address.clone())),
                "a port is given once"
            );
        }
        for volume in container.mounts.iter().filter_map(mounts::ContainerMount::volume) {
            assert!(objects.volumes.contains_key(volume), "a volume in use is there");
        }
        assert_eq!(running, container.pid() != 0);
    }
    assert!(
        state.execs.values().all(|exec| objects.containers.contains_key(&exec.container)),
        "an exec is in a container"
    );
    let subnets: Vec<_> = objects
        .networks
        .values()
        .flat_map(|network| network.pools.iter().map(|pool| pool.subnet))
        .collect();
    for (at, subnet) in subnets.iter().enumerate() {
        assert!(
            subnets[..at].iter().all(|other| !ipam::overlap(*other, *subnet)),
            "subnets are apart"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_leave_objects_that_fit_together(
        calls in prop::collection::vec((0..CALLS, any::<u8>(), any::<u8>(), any::<bool>()), 1..60),
        modern in any::<bool>(),
        faults in prop::option::of(any::<u64>()),
    ) {
        let flaky = || Process::new().ready_after(Duration::from_secs(1)).exits_after(Duration::from_secs(7), 1);
        let fixture = fixture(|builder| {
            let builder = builder.process("db:1", flaky());
            if modern { builder.api_version(MODERN) } else { builder }
        });
        if let Some(seed) = faults {
            let effects = ["500", "reply_lost", "slow 3s", "no_space", "stale_list", "stream_cut", "events_end", "engine_restart"];
            fixture.engine.draw_faults(seed, 0.1, &effects.map(|effect| FaultEffect::parse(effect).unwrap()));
        }
        for call in calls {
            fixture.run(ask(&fixture, call));
            check(&fixture);
        }
        fixture.engine.clear_faults();
        fixture.pass(30.0);
        check(&fixture);
        let state = fixture.engine.state();
        let listed = fixture.run(fixture.engine.container_list(true, &Filters::new())).unwrap();
        prop_assert_eq!(listed.len(), state.containers.len());
        for container in &state.containers {
            let inspected = fixture.run(fixture.engine.container_inspect(&container.name)).unwrap();
            prop_assert_eq!(inspected.id.as_ref(), Some(&container.id));
        }
    }
}
