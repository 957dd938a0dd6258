//! The objects of a project: scale, orphans, profiles, and objects of Docker Compose.

use bollard::models;

use super::*;
use crate::engine::Engine;

fn names(machine: &Machine) -> Vec<String> {
    machine.footprint().containers.into_keys().collect()
}

/// A service without a number of containers in its description; with additional keys.
fn web(keys: Value) -> Value {
    let mut web = json!({"image": "web:1"});
    web.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    json!({"services": {"web": web}})
}

fn scale(machine: &Machine, description: &Value, count: u32) {
    machine.run(verbs::scale(&machine.ctx(), &project(description), "web", count)).unwrap();
}

const KEPT: &str = "web has 3 containers, set with scale(3); to change that, set \"scale\" in its description, or run `down`";

#[test]
fn a_number_that_was_scaled_to_is_kept_and_up_says_so() {
    let machine = machine();
    let description = web(json!({}));
    machine.up(&description).unwrap();
    scale(&machine, &description, 3);
    assert_eq!(names(&machine), ["shop-web-1", "shop-web-2", "shop-web-3"]);
    assert!(
        !machine.logged().iter().any(|text| text.contains("set with scale(3)")),
        "who scales knows"
    );
    let calls = machine.calls();
    machine.up(&description).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "a later up keeps it");
    assert!(machine.logged().contains(&KEPT.to_owned()), "{:?}", machine.logged());
    // The default number is not stored.
    scale(&machine, &description, 1);
    let before = machine.logged().len();
    machine.up(&description).unwrap();
    assert_eq!((names(&machine), machine.logged().len()), (vec!["shop-web-1".to_owned()], before));
    scale(&machine, &description, 0);
    machine.up(&description).unwrap();
    assert_eq!(names(&machine), Vec::<String>::new());
    assert!(
        machine
            .logged()
            .iter()
            .any(|text| text.starts_with("web has 0 containers, set with scale(0)")),
        "{:?}",
        machine.logged()
    );
}

#[test]
fn down_forgets_the_number_that_was_scaled_to() {
    let machine = machine();
    let description = web(json!({}));
    scale(&machine, &description, 3);
    machine.down(false).unwrap();
    machine.up(&description).unwrap();
    assert_eq!(names(&machine), ["shop-web-1"]);
    // Also if there was nothing to remove.
    scale(&machine, &description, 0);
    machine.down(false).unwrap();
    machine.up(&description).unwrap();
    assert_eq!(names(&machine), ["shop-web-1"]);
}

#[test]
fn a_number_in_the_description_counts_whatever_was_scaled_to() {
    for replicas in [json!({"scale": 2}), json!({"deploy": {"replicas": 2}})] {
        let machine = machine();
        let (open, fixed) = (web(json!({})), web(replicas));
        machine.up(&fixed).unwrap();
        // Scaled from a description with a number: kept until the next up.
        scale(&machine, &fixed, 3);
        assert_eq!(names(&machine).len(), 3);
        assert!(
            machine
                .logged()
                .contains(&"web is scaled until the next `up`: its description says 2".to_owned()),
            "{:?}",
            machine.logged()
        );
        machine.up(&fixed).unwrap();
        assert_eq!(names(&machine), ["shop-web-1", "shop-web-2"], "the highest number goes");
        // Scaled from one without: a number that is added later counts, and the kept one is
        // forgotten.
        scale(&machine, &open, 3);
        machine.up(&fixed).unwrap();
        assert_eq!(names(&machine).len(), 2);
        machine.up(&open).unwrap();
        assert_eq!(names(&machine).len(), 1);
        assert!(!machine.logged().contains(&KEPT.to_owned()), "{:?}", machine.logged());
    }
}

#[test]
fn a_scale_that_is_not_possible_is_refused_and_not_remembered() {
    let machine = machine();
    let fixed = json!({"services": {"web": {"image": "web:1", "ports": ["8000:8000"]}}});
    machine.up(&fixed).unwrap();
    let failure =
        machine.run(verbs::scale(&machine.ctx(), &project(&fixed), "web", 2)).unwrap_err();
    assert_eq!(
        failure.message,
        "The service \"web\" can't have 2 containers: it has a fixed host port"
    );
    let owned = json!({"services": {"db": {"image": "db:1", "volumes": ["data:/data"]}}, "volumes": {"data": {}}});
    let failure = machine.run(verbs::scale(&machine.ctx(), &project(&owned), "db", 2)).unwrap_err();
    assert!(
        failure.message.starts_with("2 containers would write to the volume \"data\" at once"),
        "{failure}"
    );
    machine.up(&fixed).unwrap();
    assert_eq!(names(&machine), ["shop-web-1"]);
}

#[test]
fn an_orphan_is_reported_and_removed_on_request() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    let mut described = shop();
    described["services"].as_object_mut().unwrap().remove("redis");
    described["services"]["web"]["depends_on"].as_object_mut().unwrap().remove("redis");
    machine.up(&described).unwrap();
    assert!(machine.logged().contains(
        &"shop-redis-1 belongs to no described service; --remove-orphans removes it".to_owned()
    ));
    assert!(names(&machine).contains(&"shop-redis-1".to_owned()));
    let events = machine.events();
    machine
        .up_with(&described, &UpOptions { remove_orphans: true, ..UpOptions::default() })
        .unwrap();
    assert_eq!(names(&machine), ["shop-db-1", "shop-migrate-1", "shop-web-1"]);
    let happened: Vec<_> = machine
        .happened_from(events)
        .into_iter()
        .filter(|line| !line.contains("spc-lock"))
        .collect();
    assert_eq!(happened, ["die shop-redis-1", "stop shop-redis-1", "destroy shop-redis-1"]);
}

#[test]
fn services_of_inactive_profiles_stay_unchanged() {
    let machine = machine();
    let described = |profiles: Value| {
        json!({
            "profiles": profiles,
            "services": {"web": {"image": "web:1"}, "proxy": {"image": "redis:1", "profiles": ["production"], "restart": "always"}},
        })
    };
    machine.up(&described(json!([]))).unwrap();
    assert_eq!(names(&machine), ["shop-web-1"]);
    machine.up(&described(json!(["production"]))).unwrap();
    assert_eq!(names(&machine), ["shop-proxy-1", "shop-web-1"]);
    let events = machine.events();
    machine
        .up_with(&described(json!([])), &UpOptions { remove_orphans: true, ..UpOptions::default() })
        .unwrap();
    assert_eq!(machine.events(), events);
    machine.down(true).unwrap();
    let named = UpOptions { services: Some(vec!["proxy".into()]), ..UpOptions::default() };
    machine.up_with(&described(json!([])), &named).unwrap();
    assert_eq!(names(&machine), ["shop-proxy-1"], "who is named is active");
}

fn labels(more: &[(&str, &str)]) -> std::collections::HashMap<String, String> {
    let own = [(compose_label::PROJECT, PROJECT)];
    own.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A container as Docker Compose creates it, from the project directory.
pub(super) fn compose_container(
    service: &str,
    image: &str,
    bind: Option<&str>,
) -> models::ContainerCreateBody {
    let hash = "0a1b".repeat(16);
    let container = labels(&[
        (compose_label::SERVICE, service),
        (compose_label::CONTAINER_NUMBER, "1"),
        (compose_label::ONEOFF, "False"),
        (compose_label::CONFIG_HASH, &hash),
        (compose_label::WORKING_DIR, DIRECTORY),
        (compose_label::VERSION, "2.40.3"),
    ]);
    let binds = bind.map(|bind| vec![bind.to_owned()]);
    models::ContainerCreateBody {
        image: Some(image.into()),
        labels: Some(container),
        host_config: Some(models::HostConfig { binds, ..models::HostConfig::default() }),
        ..models::ContainerCreateBody::default()
    }
}

/// The project as Docker Compose would have created it: db with its volume and network, and a
/// service that is no longer described.
pub(super) fn composed() -> Machine {
    let machine = machine();
    let engine = &machine.engine;
    machine.run(async {
        let network = models::NetworkCreateRequest {
            name: "shop_default".into(),
            labels: Some(labels(&[(compose_label::NETWORK, "default")])),
            ..models::NetworkCreateRequest::default()
        };
        engine.network_create(network).await.unwrap();
        let volume = models::VolumeCreateRequest {
            name: Some("shop_data".into()),
            labels: Some(labels(&[(compose_label::VOLUME, "data")])),
            ..models::VolumeCreateRequest::default()
        };
        engine.volume_create(volume).await.unwrap();
        for (service, image) in [("db", "db:1"), ("gone", "redis:1")] {
            let mut body =
                compose_container(service, image, (service == "db").then_some("shop_data:/data"));
            body.host_config.get_or_insert_default().network_mode = Some("shop_default".into());
            let name = format!("shop-{service}-1");
            engine.container_create(&name, None, body).await.unwrap();
            engine.container_start(&name).await.unwrap();
        }
    });
    machine
}

pub(super) fn described() -> Value {
    json!({"services": {"db": {"image": "db:1", "volumes": ["data:/data"], "restart": "always", "healthcheck": check("pg_isready")}}, "volumes": {"data": {}}})
}

pub(super) fn adopt() -> UpOptions {
    UpOptions { adopt: true, ..UpOptions::default() }
}

#[test]
fn a_compose_project_of_the_same_name_is_refused_untouched() {
    let machine = composed();
    let calls = machine.calls();
    let failure = machine.up(&described()).unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert_eq!(
        failure.message,
        "This engine has a project \"shop\" that spc did not create, with the containers shop-db-1, shop-gone-1"
    );
    assert!(failure.hint.unwrap().starts_with("use --adopt to let spc manage it"));
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
}

#[test]
fn adopting_replaces_the_containers_and_uses_the_volumes_in_place() {
    let machine = composed();
    let before = machine.state().volume("shop_data").unwrap().clone();
    machine.up_with(&described(), &adopt()).unwrap();
    let state = machine.state();
    let db = state.container("shop-db-1").unwrap();
    assert_eq!(
        (db.state, db.labels.get(label::PROJECT).map(String::as_str)),
        ("running", Some(PROJECT))
    );
    assert_eq!((state.volume("shop_data").unwrap().stamp, state.networks.len()), (before.stamp, 1));
    assert_eq!(state.volume("shop_data").unwrap().most_writers, 1);
    assert!(
        state.container("shop-gone-1").is_some(),
        "what is not described is not touched unasked"
    );
}

#[test]
fn adopted_objects_stay_adopted() {
    let machine = composed();
    machine.up_with(&described(), &UpOptions { remove_orphans: true, ..adopt() }).unwrap();
    assert_eq!(names(&machine), ["shop-db-1"]);
    let calls = machine.calls();
    machine.up(&described()).unwrap();
    assert!(
        machine.calls_from(calls).iter().all(|call| !call.mutates),
        "and is not asked about again"
    );
    machine.up(&with(described(), "services.db.environment", json!({"LEVEL": "2"}))).unwrap();
    machine.down(true).unwrap();
    let left = machine.footprint();
    assert!(left.containers.is_empty());
    assert!(
        left.volumes.is_empty() && left.networks.is_empty(),
        "what was taken over is the project's: {left:?}"
    );
    machine.up(&described()).unwrap();
}

#[test]
fn verbs_report_that_they_leave_compose_containers_unchanged() {
    let machine = composed();
    let calls = machine.calls();
    let services = BTreeSet::from(["db".to_owned()]);
    for lifecycle in [
        verbs::Lifecycle::Stop,
        verbs::Lifecycle::Start,
        verbs::Lifecycle::Restart,
        verbs::Lifecycle::Remove { volumes: false },
    ] {
        machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, &services, lifecycle, None)).unwrap();
    }
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates));
    let said = "kept, because spc did not create them: shop-db-1; `up` with --adopt adopts them";
    assert_eq!(machine.logged(), [said; 4]);
}

/// Left by `docker compose down`, or by a killed one: the volume, the network.
pub(super) fn left_by_compose() -> Machine {
    let machine = composed();
    machine.run(async {
        for name in ["shop-db-1", "shop-gone-1"] {
            machine.engine.container_remove(name, true, true).await.unwrap();
        }
    });
    machine
}

#[test]
fn volumes_left_by_compose_are_adopted_unchanged() {
    let machine = left_by_compose();
    let before = machine.state().volume("shop_data").unwrap().clone();
    let failure = machine.up(&described()).unwrap_err();
    assert!(
        failure.message.ends_with("was created by Docker Compose for a project of this name"),
        "{failure}"
    );
    assert!(
        failure.hint.as_deref().unwrap().starts_with("use --adopt to use it as it is"),
        "{failure:?}"
    );
    machine.up_with(&described(), &adopt()).unwrap();
    assert_eq!(machine.state().volume("shop_data").unwrap().stamp, before.stamp);
    machine.down(false).unwrap();
    machine.up(&described()).unwrap();
    assert_eq!(machine.state().volume("shop_data").unwrap().stamp, before.stamp, "and stays so");
    machine.down(true).unwrap();
    assert_eq!(machine.footprint(), Footprint::default());
    // Objects that Compose creates later under the same names have to be adopted again.
    let volume = models::VolumeCreateRequest {
        name: Some("shop_data".into()),
        labels: Some(labels(&[(compose_label::VOLUME, "data")])),
        ..models::VolumeCreateRequest::default()
    };
    machine.run(machine.engine.volume_create(volume)).unwrap();
    assert_eq!(machine.up(&described()).unwrap_err().kind, Kind::Conflict);
}

#[test]
fn down_names_what_it_keeps_of_composes_and_why() {
    let machine = left_by_compose();
    machine.down(true).unwrap();
    let footprint = machine.footprint();
    assert_eq!((footprint.volumes.len(), footprint.networks.len()), (1, 1));
    let why = "is kept: Docker Compose created it, and it was not adopted; `down` with --adopt removes it";
    assert_eq!(
        machine.logged(),
        [format!("the network shop_default {why}"), format!("the volume shop_data {why}")]
    );
    machine.engine.allow_adoption();
    machine
        .run(verbs::down(&machine.ctx(), PROJECT, DownOptions { volumes: true, adopt: true }))
        .unwrap();
    assert_eq!(machine.footprint(), Footprint::default());
    // A container of Compose still uses them.
    let machine = composed();
    machine.down(true).unwrap();
    let logged = machine.logged().join("\n");
    assert!(logged.contains("the volume shop_data is kept: Docker Compose created it, and the container shop-db-1 uses it"), "{logged}");
}

#[test]
fn a_killed_adoption_continues_without_the_option() {
    let machine = composed();
    let calls = machine.calls();
    machine.up_with(&described(), &adopt()).unwrap();
    let made = machine.calls_from(calls);
    for (at, _) in
        made.iter().enumerate().filter(|(_, call)| call.mutates && call.target.starts_with("shop-"))
    {
        let machine = composed();
        machine.engine.allow_adoption();
        let before = machine.state().volume("shop_data").unwrap().clone();
        machine.engine.crash_at(at as u64 + 1, crate::engine::sim::CallSide::After);
        assert!(
            machine.killed(verbs::up(&machine.ctx(), &project(&described()), &adopt())).is_none()
        );
        machine.engine.recover();
        machine.up_with(&described(), &adopt()).unwrap();
        let state = machine.state();
        assert_eq!(
            state.container("shop-db-1").unwrap().labels.get(label::PROJECT).map(String::as_str),
            Some(PROJECT)
        );
        assert_eq!(state.volume("shop_data").unwrap().stamp, before.stamp);
        one_writer_each(&state);
    }
}

#[test]
fn down_leaves_what_spc_did_not_make() {
    let machine = composed();
    machine.down(true).unwrap();
    assert_eq!(names(&machine), ["shop-db-1", "shop-gone-1"]);
    assert!(
        machine
            .logged()
            .iter()
            .any(|line| line == "kept, because spc did not create them: shop-db-1, shop-gone-1; `down` with --adopt removes them")
    );
}

#[test]
fn down_keeps_a_network_that_containers_of_others_hang_on_and_names_them() {
    for (name, labels_there) in [
        ("mine", vec![]),
        (
            "shop-db-run-1",
            vec![
                (compose_label::PROJECT, PROJECT),
                (compose_label::SERVICE, "db"),
                (compose_label::ONEOFF, "True"),
            ],
        ),
        (
            "shop-db-9",
            vec![
                (compose_label::PROJECT, PROJECT),
                (compose_label::SERVICE, "db"),
                (compose_label::CONTAINER_NUMBER, "9"),
            ],
        ),
    ] {
        let machine = machine();
        machine.up(&json!({"services": {"web": {"image": "redis:1"}}})).unwrap();
        machine.run(async {
            let mut body = compose_container("db", "redis:1", None);
            body.labels = (!labels_there.is_empty()).then(|| labels(&labels_there));
            body.host_config.get_or_insert_default().network_mode = Some("shop_default".into());
            machine.engine.container_create(name, None, body).await.unwrap();
            machine.engine.container_start(name).await.unwrap();
        });
        machine.down(false).unwrap();
        assert_eq!(names(&machine), [name]);
        let kept = format!(
            "the network shop_default is kept: the container {name} uses it; `down` removes it when that container is gone"
        );
        assert!(machine.logged().contains(&kept), "{:?}", machine.logged());
        machine.run(machine.engine.container_remove(name, true, false)).unwrap();
        machine.down(false).unwrap();
        assert_eq!(machine.footprint().networks.len(), 0, "{name}");
    }
}

#[test]
fn down_with_adopt_removes_what_docker_compose_made_in_this_folder() {
    let machine = composed();
    let logged = machine.logged().len();
    machine.engine.allow_adoption();
    let options = DownOptions { volumes: true, adopt: true };
    machine.run(verbs::down(&machine.ctx(), PROJECT, options)).unwrap();
    assert_eq!(names(&machine), Vec::<String>::new());
    let state = machine.state();
    assert!(state.volume("shop_data").is_none() && state.network("shop_default").is_none());
    assert_eq!(machine.logged()[logged..], Vec::<String>::new());
}
