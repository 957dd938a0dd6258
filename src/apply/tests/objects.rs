//! Volumes and networks of containers that are created and removed.

use super::*;
use crate::apply::one_off::{self, OneOffSpec};
use crate::engine::{ApiVersion, Engine};
use crate::model::cause::Cause;

fn anonymous(machine: &Machine, container: &str) -> BTreeMap<String, String> {
    let state = machine.state();
    let mounts = &state.container(container).unwrap().mounts;
    let anonymous =
        mounts.iter().filter(|mount| crate::apply::observe::is_anonymous(&mount.source));
    anonymous.map(|mount| (mount.destination.clone(), mount.source.clone())).collect()
}

#[test]
fn a_replacement_keeps_anonymous_volumes() {
    let machine = machine_with(1, |builder| {
        builder.image("cached:1", ImageSpec::command(&["run"]).with_volume("/cache"))
    });
    let description = |level: &str| json!({"services": {"web": {"image": "cached:1", "volumes": ["/modules"], "environment": {"LEVEL": level}}}});
    machine.up(&description("1")).unwrap();
    let before = anonymous(&machine, "shop-web-1");
    assert_eq!(before.keys().collect::<Vec<_>>(), ["/cache", "/modules"]);
    for level in ["2", "3"] {
        machine.up(&description(level)).unwrap();
        assert_eq!(anonymous(&machine, "shop-web-1"), before);
    }
    assert_eq!(machine.footprint().anonymous, 2);
    machine.down(false).unwrap();
    assert_eq!(machine.footprint().anonymous, 2, "kept unless asked");
    machine.up(&description("3")).unwrap();
    machine.down(true).unwrap();
    assert_eq!(machine.footprint().anonymous, 2, "those of before belong to nobody spc knows");
}

#[test]
fn down_with_volumes_takes_the_carried_over_ones_along() {
    let machine = machine();
    let description = |level: &str| json!({"services": {"web": {"image": "web:1", "volumes": ["/modules"], "environment": {"LEVEL": level}}}});
    machine.up(&description("1")).unwrap();
    machine.up(&description("2")).unwrap();
    machine.down(true).unwrap();
    assert_eq!(machine.footprint(), Footprint::default());
}

#[test]
fn a_carried_over_volume_gives_way_to_a_named_one() {
    let machine = machine();
    let described = |mount: &str| json!({"services": {"web": {"image": "web:1", "volumes": [mount]}}, "volumes": {"named": {}}});
    machine.up(&described("/state")).unwrap();
    machine.up(&described("named:/state")).unwrap();
    let state = machine.state();
    let mounts: Vec<_> = state
        .container("shop-web-1")
        .unwrap()
        .mounts
        .iter()
        .map(|mount| mount.source.as_str())
        .collect();
    assert_eq!(mounts, ["shop_named"]);
}

#[test]
fn the_secrets_volume_of_a_read_only_service_goes_with_its_container() {
    let machine = machine();
    let description = |level: &str| {
        json!({
            "services": {"web": {"image": "web:1", "read_only": true, "secrets": ["token"], "environment": {"LEVEL": level}}},
            "secrets": {"token": {"environment": "TOKEN"}},
        })
    };
    machine.up(&description("1")).unwrap();
    let first = anonymous(&machine, "shop-web-1");
    machine.up(&description("2")).unwrap();
    let second = anonymous(&machine, "shop-web-1");
    assert!(first != second && machine.footprint().anonymous == 1);
    machine
        .run(verbs::lifecycle(
            &machine.ctx(),
            PROJECT,
            &BTreeSet::from(["web".into()]),
            verbs::Lifecycle::Remove { volumes: false },
            None,
        ))
        .unwrap();
    assert_eq!(machine.footprint().anonymous, 0);
}

#[test]
fn a_container_with_a_removed_network_is_replaced() {
    let machine = machine();
    let description = json!({"services": {"web": {"image": "web:1", "networks": ["front"], "restart": "always"}}, "networks": {"front": {}}});
    machine.up(&description).unwrap();
    let before = machine.state().container("shop-web-1").unwrap().id.clone();
    machine.run(async {
        machine
            .engine
            .container_stop("shop-web-1", &crate::engine::StopRequest::default())
            .await
            .unwrap();
        machine.engine.network_remove("shop_front").await.unwrap();
    });
    machine.up(&description).unwrap();
    let state = machine.state();
    let web = state.container("shop-web-1").unwrap();
    assert!(web.id != before && web.state == "running");
    assert!(
        machine
            .seen
            .0
            .lock()
            .iter()
            .any(|event| matches!(event, Event::StepStarted { cause, .. } if *cause == Some(Cause::NetworkRemoved)))
    );
}

/// web on three networks, with a static address on one.
fn on_three(level: &str) -> Value {
    json!({
        "services": {"web": {
            "image": "web:1",
            "environment": {"LEVEL": level},
            "healthcheck": check("curl"),
            "networks": {"a": {}, "b": {"aliases": ["site"], "ipv4_address": "10.7.0.9"}, "c": {}},
        }},
        "networks": {"a": {}, "b": {"ipam": {"config": [{"subnet": "10.7.0.0/24"}]}}, "c": {}},
    })
}

#[test]
fn all_networks_are_connected_before_the_start_on_every_engine() {
    for minor in [41, 43, 44, 51] {
        let machine =
            machine_with(1, |builder| builder.api_version(ApiVersion { major: 1, minor }));
        for level in ["1", "2"] {
            machine.up(&on_three(level)).unwrap();
            let state = machine.state();
            let web = state.container("shop-web-1").unwrap();
            assert_eq!(
                web.networks.keys().collect::<Vec<_>>(),
                ["shop_a", "shop_b", "shop_c"],
                "API 1.{minor}"
            );
            assert_eq!(web.networks["shop_b"].address, Some("10.7.0.9".parse().unwrap()));
            assert_eq!(web.networks["shop_b"].aliases, ["web", "site"]);
            assert_eq!(web.starts, 1);
        }
        let calls = machine.engine.calls();
        let at = |method: &str| {
            calls
                .iter()
                .position(|call| call.method == method && call.target != lock_container(PROJECT))
        };
        assert!(at("network_connect") < at("container_start"));
    }
}

#[test]
fn networks_that_were_not_connected_before_a_kill_are_connected_after_it() {
    for when in [crate::engine::sim::CallSide::Before, crate::engine::sim::CallSide::After] {
        for nth in 1..=2 {
            let machine = machine();
            let clean = self::machine();
            clean.up(&on_three("1")).unwrap();
            let connects: Vec<_> = clean
                .engine
                .calls()
                .into_iter()
                .filter(|call| call.method == "network_connect")
                .collect();
            machine.engine.crash_at(connects[nth - 1].index, when);
            assert!(
                machine
                    .killed(verbs::up(
                        &machine.ctx(),
                        &project(&on_three("1")),
                        &UpOptions::default()
                    ))
                    .is_none()
            );
            machine.engine.recover();
            machine.up(&on_three("1")).unwrap();
            assert_eq!(machine.footprint(), clean.footprint(), "{when:?} connect {nth}");
        }
    }
}

#[test]
fn a_replacement_takes_over_the_address() {
    let machine = machine();
    machine.up(&on_three("1")).unwrap();
    machine.pass(secs(15));
    machine.engine.set_process("shop-web-1.new", Process::new().ready_after(secs(9000)));
    machine.up(&on_three("2")).unwrap_err();
    assert_eq!(
        machine.state().container("shop-web-1").unwrap().networks["shop_b"].address,
        Some("10.7.0.9".parse().unwrap()),
        "and gets it back"
    );
    machine.engine.set_process("shop-web-1.new", Process::new());
    machine.up(&on_three("2")).unwrap();
    assert_eq!(
        machine.state().container("shop-web-1").unwrap().networks["shop_b"].address,
        Some("10.7.0.9".parse().unwrap())
    );
}

#[test]
fn a_network_or_volume_with_other_settings_is_refused_before_anything_is_touched() {
    let machine = machine();
    machine.up(&on_three("1")).unwrap();
    let calls = machine.calls();
    let failure = machine.up(&with(on_three("1"), "networks.a.internal", true)).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (
            Kind::Conflict,
            "The network \"shop_a\" was created with other settings: internal: false → true"
        )
    );
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
}

/// A command in a container like the database's.
fn of_db(described: &Project) -> OneOffSpec<'_> {
    OneOffSpec {
        image: "db:1",
        command: vec!["psql".into()],
        environment: Vec::new(),
        user: None,
        working_dir: None,
        project: PROJECT,
        service: Some((described, &described.services["db"])),
        built_by: None,
        with_dependencies: true,
        timeout: None,
    }
}

fn stop_db(machine: &Machine) {
    let db = BTreeSet::from(["db".to_owned()]);
    machine
        .run(verbs::lifecycle(&machine.ctx(), PROJECT, &db, verbs::Lifecycle::Stop, None))
        .unwrap();
}

#[test]
fn a_one_off_never_writes_to_a_volume_beside_its_service() {
    let machine = machine_with(1, |builder| {
        builder.process("psql", Process::new().exits_after(millis(10), 0))
    });
    machine.up(&shop()).unwrap();
    let (described, before) = (project(&shop()), machine.events());
    let refused = machine.run(one_off::run(&machine.ctx(), &of_db(&described))).unwrap_err();
    assert_eq!(
        (refused.kind, refused.message.as_str()),
        (
            Kind::Conflict,
            "A one-off container of \"db\" would write to the volume \"shop_data\" beside the container \"shop-db-1\", which writes to it: \
             spc created it for the service \"db\" of the project \"shop\", in \"/project\""
        )
    );
    assert_eq!(machine.happened_from(before), Vec::<String>::new());
    stop_db(&machine);
    assert_eq!(machine.run(one_off::run(&machine.ctx(), &of_db(&described))).unwrap().code, 0);
}

#[test]
fn a_one_off_left_behind_does_not_keep_down_from_its_networks_and_volumes() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    stop_db(&machine);
    let described = project(&shop());
    let one_off = of_db(&described);
    machine.engine.crash_at(5, crate::engine::sim::CallSide::Before);
    assert!(machine.killed(one_off::run(&machine.ctx(), &one_off)).is_none());
    machine.engine.recover();
    machine.down(true).unwrap();
    assert_eq!(machine.footprint(), Footprint::default());
}
