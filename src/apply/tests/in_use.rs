//! `down` with volumes, some of which containers of others mount.

use bollard::models;
use similar_asserts::assert_eq;

use super::*;
use crate::engine::Engine;
use crate::model::reconcile::DownOptions;

/// `db` with a volume, and a volume that no other container mounts.
fn stored() -> Value {
    json!({"services": {"db": {"image": "db:1", "volumes": ["data:/data", "more:/more"]}}, "volumes": {"data": {}, "more": {}}})
}

/// Labels as `docker compose run` sets them.
fn of_compose_run() -> std::collections::HashMap<String, String> {
    let labels = [
        (compose_label::PROJECT, PROJECT),
        (compose_label::SERVICE, "db"),
        (compose_label::ONEOFF, "True"),
        (compose_label::SLUG, "0a"),
        (compose_label::CONFIG_HASH, &"0a1b".repeat(16)),
        (compose_label::WORKING_DIR, DIRECTORY),
        (compose_label::VERSION, "2.40.3"),
    ];
    labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

#[test]
fn down_keeps_a_volume_that_containers_of_others_mount_and_names_them() {
    for labels in [None, Some(of_compose_run())] {
        for (mode, runs) in [("ro", true), ("ro", false), ("rw", false)] {
            let machine = machine();
            machine.up(&stored()).unwrap();
            machine.run(async {
                let binds = Some(vec![format!("shop_data:/copy:{mode}")]);
                let body = models::ContainerCreateBody {
                    image: Some("redis:1".into()),
                    labels: labels.clone(),
                    host_config: Some(models::HostConfig {
                        binds,
                        ..models::HostConfig::default()
                    }),
                    ..models::ContainerCreateBody::default()
                };
                machine.engine.container_create("other", None, body).await.unwrap();
                if runs {
                    machine.engine.container_start("other").await.unwrap();
                }
            });
            machine.down(true).unwrap();
            assert_eq!(
                machine.footprint().volumes,
                BTreeSet::from(["shop_data".to_owned()]),
                "{mode} {runs}"
            );
            let kept = "the volume shop_data is kept: the container other uses it; `down` removes it when that container is gone";
            assert!(machine.logged().iter().any(|text| text == kept), "{:?}", machine.logged());
            machine.run(machine.engine.container_remove("other", true, false)).unwrap();
            machine.down(true).unwrap();
            assert_eq!(machine.footprint(), Footprint::default());
        }
    }
}

#[test]
fn a_second_writer_of_docker_compose_run_is_reported_as_such() {
    let machine = machine();
    machine.up(&stored()).unwrap();
    machine
        .run(verbs::down(&machine.ctx(), PROJECT, DownOptions { volumes: false, adopt: false }))
        .unwrap();
    machine.run(async {
        let body = models::ContainerCreateBody {
            image: Some("db:1".into()),
            labels: Some(of_compose_run()),
            host_config: Some(models::HostConfig {
                binds: Some(vec!["shop_data:/data".into()]),
                ..models::HostConfig::default()
            }),
            ..models::ContainerCreateBody::default()
        };
        machine.engine.container_create("shop-db-run-0a", None, body).await.unwrap();
        machine.engine.container_start("shop-db-run-0a").await.unwrap();
    });
    let failure = machine.up(&stored()).unwrap_err();
    assert!(
        failure.message.ends_with(
            "which writes to it: Docker Compose created it for a one-off command in the service \"db\" of the project \"shop\", in \"/project\""
        ),
        "{failure}"
    );
}
