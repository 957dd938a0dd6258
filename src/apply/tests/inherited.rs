//! Labels that containers inherit from their images: they neither give a container to the project
//! nor hide one from it.

use similar_asserts::assert_eq;

use super::*;
use crate::apply::lock;
use crate::engine::Engine;
use crate::engine::sim::ImageSpec;
use crate::model::names::LOCK_IMAGE;
use crate::model::ownership::{Labels, SPC_LABELS, complete};

/// An image with these labels.
fn image(labels: Labels) -> ImageSpec {
    ImageSpec { labels, ..ImageSpec::command(&["serve"]) }
}

/// Every label that spc reads from a container, with the values of a container of the project.
fn all_labels(oneoff: &str, more: &[(&str, &str)]) -> Labels {
    let own = [
        (compose_label::PROJECT, PROJECT),
        (compose_label::SERVICE, "gone"),
        (compose_label::CONTAINER_NUMBER, "1"),
        (compose_label::ONEOFF, oneoff),
        (compose_label::CONFIG_HASH, "0a"),
        (compose_label::WORKING_DIR, DIRECTORY),
        (label::FORMAT, "2"),
        (label::PROJECT, PROJECT),
        (label::SERVICE, "gone"),
        (label::HASH, "0a"),
        (label::RUN, "20260101T000000-0a0a0a"),
    ];
    own.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Each way to write them.
fn forgeries() -> Vec<Labels> {
    vec![
        all_labels("False", &[]),
        all_labels("True", &[]),
        all_labels("False", &[(label::LOCK, PROJECT)]),
        complete(all_labels("False", &[])),
        Labels::from([
            (label::PROJECT.to_owned(), PROJECT.to_owned()),
            (compose_label::PROJECT.to_owned(), PROJECT.to_owned()),
        ]),
    ]
}

fn machine_of(labels: Labels) -> Machine {
    machine_with(1, |builder| {
        builder
            .image("forged:1", image(labels))
            .process("forged", Process::new().ready_after(millis(10)))
    })
}

fn one_service() -> Value {
    json!({"services": {"one": {"image": "forged:1", "restart": "always"}}})
}

#[test]
fn a_foreign_container_of_an_image_with_project_labels_is_not_touched() {
    for labels in forgeries() {
        let machine = machine_of(labels.clone());
        // Its image may claim that it is a one-off container, which would end by itself.
        machine.engine.set_process("eager_turing", Process::new());
        let body = bollard::models::ContainerCreateBody {
            image: Some("forged:1".into()),
            ..Default::default()
        };
        machine.run(async {
            machine.engine.container_create("eager_turing", None, body).await.unwrap();
            machine.engine.container_start("eager_turing").await.unwrap();
        });
        let orphans = UpOptions { remove_orphans: true, ..UpOptions::default() };
        machine.up_with(&json!({"services": {"web": {"image": "web:1"}}}), &orphans).unwrap();
        let seen = machine.run(verbs::look(&machine.ctx(), PROJECT)).unwrap();
        assert_eq!(
            seen.containers.iter().map(|container| container.name.as_str()).collect::<Vec<_>>(),
            ["shop-web-1"]
        );
        assert!(!seen.locked && seen.one_offs.is_empty(), "{seen:?}");
        machine.down(true).unwrap();
        let state = machine.state();
        let left: Vec<_> = state
            .containers
            .iter()
            .map(|container| (container.name.as_str(), container.state, container.starts))
            .collect();
        assert_eq!(left, [("eager_turing", "running", 1)], "{labels:?}");
        let adopting = UpOptions { adopt: true, remove_orphans: true, ..UpOptions::default() };
        machine.up_with(&json!({"services": {"gone": {"image": "web:1"}}}), &adopting).unwrap();
        assert_eq!(machine.state().container("eager_turing").unwrap().state, "running");
    }
}

#[test]
fn an_image_does_not_hide_the_services_that_are_made_of_it() {
    for labels in forgeries() {
        let machine = machine_of(labels);
        machine.up(&one_service()).unwrap();
        let own = machine.state().container("shop-one-1").unwrap().labels.clone();
        for key in SPC_LABELS {
            let is_used = [
                label::FORMAT,
                label::PROJECT,
                label::SERVICE,
                label::HASH,
                label::PARTS,
                label::RUN,
            ]
            .contains(&key);
            assert_eq!(own[key].is_empty(), !is_used, "{key} is set, empty where it has no use");
        }
        machine.pass(secs(10));
        let calls = machine.calls();
        machine.up(&one_service()).unwrap();
        assert_eq!(machine.calls_from(calls).len(), 4, "the four lists");
        machine.down(true).unwrap();
        assert_eq!(machine.footprint(), Footprint::default());
    }
}

/// Recreates the container of `one_service` with the labels of version 0.1.0.
fn as_version_0_1_0(machine: &Machine) {
    machine.up(&one_service()).unwrap();
    let set = machine.state().container("shop-one-1").unwrap().labels.clone();
    let mut labels: Labels = set.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    labels.insert(label::FORMAT.to_owned(), "1".to_owned());
    labels.insert(label::PROFILES.to_owned(), String::new());
    labels.insert(compose_label::DEPENDS_ON.to_owned(), String::new());
    let inspected = machine.run(machine.engine.container_inspect("shop-one-1")).unwrap();
    let networks = bollard::models::NetworkingConfig {
        endpoints_config: inspected.network_settings.unwrap().networks,
    };
    let body = bollard::models::ContainerCreateBody {
        image: Some("forged:1".into()),
        labels: Some(labels.into_iter().collect()),
        host_config: inspected.host_config,
        networking_config: Some(networks),
        ..Default::default()
    };
    machine.run(async {
        machine.engine.container_remove("shop-one-1", true, true).await.unwrap();
        machine.engine.container_create("shop-one-1", None, body).await.unwrap();
        machine.engine.container_start("shop-one-1").await.unwrap();
    });
}

#[test]
fn a_container_of_version_0_1_0_is_recognized_and_unchanged_for_any_image_labels() {
    for labels in forgeries().into_iter().chain([Labels::new()]) {
        let machine = machine_of(labels);
        as_version_0_1_0(&machine);
        machine.pass(secs(10));
        let calls = machine.calls();
        machine.up(&one_service()).unwrap();
        assert_eq!(machine.calls_from(calls).len(), 4, "the four lists");
        machine.down(true).unwrap();
        assert_eq!(machine.footprint(), Footprint::default());
    }
}

#[test]
fn a_container_with_a_removed_image_is_recognized_by_its_name() {
    for labels in forgeries() {
        let machine = machine_of(labels);
        as_version_0_1_0(&machine);
        machine.run(async {
            machine.engine.container_rename("shop-one-1", "eager_turing").await.unwrap();
            machine
                .engine
                .container_stop("eager_turing", &crate::engine::StopRequest::default())
                .await
                .unwrap();
            machine.engine.image_remove("forged:1", true).await.unwrap();
        });
        machine.down(true).unwrap();
        assert!(
            machine.state().container("eager_turing").is_some(),
            "nothing says that spc made it"
        );
        machine.run(machine.engine.container_rename("eager_turing", "shop-one-1")).unwrap();
        machine.down(true).unwrap();
        assert_eq!(machine.footprint(), Footprint::default());
    }
}

#[test]
fn a_lock_made_of_an_image_with_labels_is_a_lock() {
    for labels in forgeries() {
        let machine = machine_with(1, |builder| builder.image(LOCK_IMAGE, image(labels)));
        let held = machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
        assert!(machine.run(verbs::look(&machine.ctx(), PROJECT)).unwrap().locked);
        assert!(machine.run(lock::holder(&machine.ctx(), PROJECT)).unwrap().is_some());
        machine.run(held.release()).unwrap();
        machine.up(&json!({"services": {"web": {"image": "web:1"}}})).unwrap();
    }
}

#[test]
fn images_are_built_with_every_label_of_spcs_and_their_bases_labels_hidden() {
    let future = Labels::from([
        ("dev.spc.future".to_owned(), "x".to_owned()),
        (compose_label::PROJECT.to_owned(), "other".to_owned()),
    ]);
    let labels: Labels = all_labels("True", &[(label::LOCK, PROJECT), (label::SECRETS, "k:1")])
        .into_iter()
        .chain(future)
        .collect();
    let mut machine = machine_with(1, |builder| builder.image("forged:1", image(labels)));
    let dockerfile = "FROM forged:1\nLABEL tier=front\nCMD [\"serve\"]\n";
    machine.host = Arc::new(
        SimHost::new(machine.executor.clone()).with_file("/project/app/Dockerfile", dockerfile),
    );
    let description = json!({"services": {"web": {"build": "./app"}}});
    machine.up(&description).unwrap();
    let built = machine
        .run(machine.engine.image_inspect("shop-web"))
        .unwrap()
        .config
        .unwrap()
        .labels
        .unwrap();
    let is_set = |key: &&String| !built[*key].is_empty();
    let mut set: Vec<&str> = built.keys().filter(is_set).map(String::as_str).collect();
    set.sort_unstable();
    let expected = [
        compose_label::PROJECT,
        compose_label::SERVICE,
        label::ARGUMENTS,
        label::BASE,
        label::BUILD,
        label::FORMAT,
        label::IMAGE,
        label::PROJECT,
        "tier",
    ];
    assert_eq!(set, expected);
    assert_eq!(
        (built[compose_label::PROJECT].as_str(), built["dev.spc.future"].as_str()),
        (PROJECT, "")
    );
    let build = |machine: &Machine| {
        let build = project(&description).services["web"].build.clone().unwrap();
        let before =
            machine.engine.calls().iter().filter(|call| call.method == "image_build").count();
        let (of, secrets) = (Some("web"), BTreeMap::new());
        let building = crate::apply::images::ImageBuild {
            image: "shop-web",
            build: &build,
            of,
            project: PROJECT,
            secrets: &secrets,
        };
        machine.run(crate::apply::images::build(&machine.ctx(), &building, &|_| {})).unwrap();
        machine.engine.calls().iter().filter(|call| call.method == "image_build").count() - before
    };
    assert_eq!(build(&machine), 0, "it is known to be built from the very same");
}

#[test]
fn a_dockerfile_that_sets_a_label_of_spcs_is_refused_with_its_line() {
    let mut machine = machine();
    let dockerfile =
        "ARG PREFIX=dev.spc\nFROM web:1\nARG PREFIX\nLABEL tier=front \\\n  ${PREFIX}.lock=shop\n";
    machine.host = Arc::new(
        SimHost::new(machine.executor.clone()).with_file("/project/app/Dockerfile", dockerfile),
    );
    let failure = machine.up(&json!({"services": {"web": {"build": "./app"}}})).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (
            Kind::Usage,
            "\"/project/app/Dockerfile\", line 4, sets the label \"dev.spc.lock\", which is reserved for spc"
        )
    );
    assert_eq!(failure.hint.as_deref(), Some("remove it, or choose another key"));
    assert!(machine.state().image("shop-web:latest").is_none());
}
