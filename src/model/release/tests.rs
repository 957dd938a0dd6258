use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::observed_state::{ContainerState, Health};
use crate::model::spec::ReadOptions;

fn project(description: &Value) -> Project {
    let options = ReadOptions { directory: Path::new("/srv/shop"), lookup: &|_| None };
    Project::read("shop", description, &options).unwrap()
}

/// A service with every key that containers are made from.
fn rich() -> Project {
    project(&json!({
        "services": {"web": {
            "image": "web:1",
            "command": ["serve", "--port", "80"],
            "entrypoint": ["/init"],
            "environment": {"LEVEL": "1", "EMPTY": ""},
            "ports": ["127.0.0.1:8000:80", "9000-9001:9000-9001/udp"],
            "volumes": ["data:/data:ro", "./app:/app", "/cache", {"type": "tmpfs", "target": "/t", "tmpfs": {"size": "64m"}}],
            "networks": {"front": {"aliases": ["shop"], "ipv4_address": "10.0.0.7"}, "back": {}},
            "secrets": [{"source": "token", "target": "key", "mode": "0440", "uid": 7}],
            "healthcheck": {"test": ["CMD", "curl", "-f", "http://localhost"], "interval": "10s", "retries": 3},
            "restart": "on-failure:3",
            "logging": {"driver": "json-file", "options": {"max-size": "10m"}},
            "user": "1000",
            "working_dir": "/app",
            "hostname": "web",
            "init": true,
            "stop_grace_period": "40s",
            "stop_signal": "SIGQUIT",
            "labels": {"team": "shop"},
            "extra_hosts": ["db:10.0.0.9"],
            "read_only": true,
            "container_name": "web",
            "x-spc-release": "v1",
            "depends_on": {"db": {"condition": "service_healthy"}},
            "deploy": {"update_config": {"parallelism": 2}},
        }, "db": {"image": "db:1"}},
        "networks": {"front": {"ipam": {"config": [{"subnet": "10.0.0.0/24"}]}}, "back": {}},
        "volumes": {"data": {}},
        "secrets": {"token": {"environment": "TOKEN"}},
    }))
}

fn released(service: &Service, secrets: &Secrets) -> ReleasedService {
    let (specification, withheld) = recorded(service, secrets);
    ReleasedService {
        release: "v1".to_owned(),
        image: service.image.clone(),
        image_id: "sha256:1".to_owned(),
        hash: "h1".to_owned(),
        specification,
        withheld,
    }
}

/// The record after a trip to the engine.
fn travelled(released: &ReleasedService) -> ReleasedService {
    serde_json::from_str(&serde_json::to_string(released).unwrap()).unwrap()
}

#[test]
fn a_service_is_restored_with_every_key_that_containers_are_made_from() {
    let project = rich();
    let service = &project.services["web"];
    let record = travelled(&released(service, &Secrets::new()));
    let changed = Service {
        image: "web:2".to_owned(),
        command: None,
        environment: [("LEVEL".to_owned(), "2".to_owned())].into(),
        ports: Vec::new(),
        volumes: Vec::new(),
        read_only: false,
        release: Some("v2".to_owned()),
        scale: 5,
        ..service.clone()
    };
    let restored = record.restored(&changed).unwrap();
    assert_eq!(restored, Service { scale: 5, ..service.clone() });
}

#[test]
fn what_containers_are_not_made_from_is_that_of_today() {
    let project = rich();
    let record = travelled(&released(&project.services["web"], &Secrets::new()));
    let today = Service {
        depends_on: BTreeMap::new(),
        update: super::super::spec::UpdateConfig { parallelism: 9, ..Default::default() },
        ..project.services["web"].clone()
    };
    let restored = record.restored(&today).unwrap();
    assert!(restored.depends_on.is_empty());
    assert_eq!(restored.update.parallelism, 9);
    assert_eq!(restored.build, None, "a release is never built again");
}

#[test]
fn values_with_secrets_are_not_recorded_and_come_from_today() {
    let secrets = Secrets::new();
    let token = Secrets::token("DB_PASSWORD", [7; 16]);
    secrets.add("DB_PASSWORD", &token, "a very secret value");
    let mut service = rich().services["web"].clone();
    service.environment.insert("URL".to_owned(), format!("db://{}@db", Secrets::exposed(&token)));
    service.environment.insert("PLAIN".to_owned(), "x a very secret value".to_owned());
    service.command = Some(vec!["--key=a very secret value".to_owned()]);
    let record = travelled(&released(&service, &secrets));
    let text = serde_json::to_string(&record).unwrap();
    assert!(!text.contains("very secret") && !text.contains("\u{27e8}"), "{text}");
    assert_eq!(
        record.withheld.iter().map(String::as_str).collect::<Vec<_>>(),
        ["command", "environment.PLAIN", "environment.URL"]
    );
    let mut today = service.clone();
    today.environment.insert("URL".to_owned(), "today's".to_owned());
    today.environment.insert("NEW".to_owned(), "1".to_owned());
    let restored = record.restored(&today).unwrap();
    assert_eq!(restored.environment["URL"], "today's");
    assert_eq!(restored.environment.get("NEW"), None);
    assert_eq!(restored.command, service.command);
}

#[test]
fn an_unreadable_specification_is_an_error_that_names_service_and_release() {
    let project = rich();
    let mut record = released(&project.services["web"], &Secrets::new());
    record.specification.insert("ports".to_owned(), json!("eighty"));
    let failure = record.restored(&project.services["web"]).unwrap_err();
    assert!(
        failure.message.starts_with("The record of the service \"web\" in the release v1"),
        "{failure}"
    );
}

fn container(image: &str, hash: &str) -> Container {
    Container {
        id: "1".to_owned(),
        name: "shop-web-1".to_owned(),
        service: "web".to_owned(),
        number: 1,
        ours: true,
        hash: Some(hash.to_owned()),
        parts: None,
        secrets: None,
        release: None,
        is_beside: false,
        image_id: image.to_owned(),
        image: String::new(),
        state: ContainerState::Running,
        health: Health::None,
        exit_code: None,
        networks: BTreeSet::new(),
        addresses: BTreeSet::new(),
        static_addresses: BTreeSet::new(),
        depends_on: BTreeMap::new(),
        ports: Vec::new(),
        writes: BTreeSet::new(),
        folders: BTreeSet::new(),
        volumes: BTreeSet::new(),
        has_anonymous_volumes: false,
        created: 0,
        status: String::new(),
        restarts: 0,
    }
}

fn running_now(image: &str, hash: &str) -> ObservedState {
    ObservedState { containers: vec![container(image, hash)], ..ObservedState::default() }
}

/// A release whose image and hash are its name.
fn release(id: u64, name: &str) -> Release {
    let mut service = released(&rich().services["web"], &Secrets::new());
    service.release = name.to_owned();
    service.image_id = name.to_owned();
    service.hash = name.to_owned();
    Release {
        format: FORMAT,
        id,
        at: String::new(),
        strategy: "up".to_owned(),
        by: None,
        commit: None,
        failed: None,
        restores: None,
        left: None,
        services: [("web".to_owned(), service)].into(),
    }
}

fn target(records: &[Release], runs: &str) -> Option<u64> {
    rollback_target(records, &running_now(runs, runs)).map(|release| release.id)
}

#[test]
fn a_rollback_goes_to_the_newest_good_release_before_the_one_that_runs() {
    let failed = Release { failed: Some("bad".to_owned()), ..release(3, "v3") };
    let records = [release(1, "v1"), release(2, "v2"), failed, release(4, "v4")];
    assert_eq!(target(&records, "v4"), Some(2));
    assert_eq!(target(&records, "v2"), Some(1));
    assert_eq!(target(&records, "v1"), None);
    assert_eq!(target(&records, "other"), Some(4), "what runs was never recorded");
    assert_eq!(target(&[], "v1"), None);
}

#[test]
fn a_second_rollback_goes_further_back_and_not_to_what_was_left() {
    let back = Release { restores: Some(2), left: Some(3), ..release(4, "v2") };
    let records = [release(1, "v1"), release(2, "v2"), release(3, "v3"), back];
    assert_eq!(target(&records, "v2"), Some(1));
    let mut later = records.to_vec();
    later.push(release(5, "v5"));
    assert_eq!(target(&later, "v5"), Some(4), "the restored release, not the one that was left");
}

#[test]
fn a_rollback_that_did_not_end_goes_on_and_is_forgotten_by_the_next_deployment() {
    let failed = Some("it did not end".to_owned());
    let begun = Release { restores: Some(2), left: Some(3), failed, ..release(4, "v2") };
    let records = [release(1, "v1"), release(2, "v2"), release(3, "v3"), begun];
    assert_eq!(target(&records, "a mixture"), Some(2));
    assert_eq!(target(&records, "v3"), Some(2));
    let mut later = records.to_vec();
    later.push(release(5, "v5"));
    assert_eq!(target(&later, "v5"), Some(3), "it serves all the time if the rollback failed");
}

#[test]
fn the_same_release_deployed_again_goes_back_to_the_one_between() {
    let records = [release(1, "v1"), release(2, "v2"), release(3, "v1")];
    assert_eq!(target(&records, "v1"), Some(2));
}

#[test]
fn a_name_that_keeps_an_image_belongs_to_one_project() {
    let name = kept_image("shop", "sha256:0123456789abcdef");
    assert_eq!(name, "spc-releases:shop-0123456789ab");
    assert!(is_kept_image(&name, "shop"));
    for other in ["sho", "shop-0", "spc"] {
        assert!(!is_kept_image(&name, other), "{other}");
    }
    assert!(!is_kept_image(&kept_image("shop-b", "0123456789abcdef"), "shop"));
    assert!(kept_image(&"x".repeat(200), "0123456789abcdef").len() <= 141);
}

#[test]
fn retention_keeps_the_newest_and_never_the_target_goes() {
    let records: Vec<Release> = (1..=8).map(|id| release(id, &format!("v{id}"))).collect();
    let gone = |runs: &str, kept| -> Vec<u64> {
        surplus(&records, &running_now(runs, runs), kept).iter().map(|it| it.id).collect()
    };
    assert_eq!(gone("v8", 5), [1, 2, 3]);
    assert_eq!(gone("v3", 5), [1], "2 is the target of a rollback from 3");
    assert_eq!(gone("v8", 1), [1, 2, 3, 4, 5, 6]);
    assert_eq!(gone("v8", 20), Vec::<u64>::new());
}

#[test]
fn what_runs_is_recorded_by_its_description_or_else_as_before() {
    let project = rich();
    let secrets = Secrets::new();
    let hash = hash::service(&project.services["web"], &project, &secrets);
    let now = running(&project, &running_now("sha256:1", &hash), &[], &secrets);
    assert_eq!(now["web"].release, "v1");
    assert_eq!(now["web"].image_id, "sha256:1");
    assert_eq!(now.len(), 1, "db has no release");
    let old = release(1, "v0");
    let now = running(&project, &running_now("v0", "v0"), std::slice::from_ref(&old), &secrets);
    assert_eq!(now, old.services);
    assert!(running(&project, &running_now("x", "x"), &[old], &secrets).is_empty());
}

proptest! {
    /// The restored service has the recorded hash, whatever the environment contains.
    #[test]
    fn a_restored_service_has_the_hash_of_its_release(environment in prop::collection::btree_map("[A-Z.]{1,8}", ".{0,12}", 0..6)) {
        let mut project = rich();
        let secrets = Secrets::new();
        let service = Service { environment, ..project.services["web"].clone() };
        let hash = hash::service(&service, &project, &secrets);
        let record = travelled(&released(&service, &secrets));
        let restored = record.restored(&rich().services["web"]).unwrap();
        project.services.insert("web".to_owned(), restored);
        prop_assert_eq!(hash::service(&project.services["web"], &project, &secrets), hash);
    }
}
