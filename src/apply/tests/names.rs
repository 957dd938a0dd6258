//! Container names that a foreign container already has: of a lock, of a replacement, of a service.

use similar_asserts::assert_eq;

use super::*;
use crate::apply::lock;
use crate::engine::Engine;

/// Starts a foreign container with this name.
fn taken(machine: &Machine, name: &str) {
    let body = bollard::models::ContainerCreateBody {
        image: Some("redis:1".into()),
        ..Default::default()
    };
    machine.run(async {
        machine.engine.container_create(name, None, body).await.unwrap();
        machine.engine.container_start(name).await.unwrap();
    });
}

fn named(name: &str) -> Value {
    json!({"services": {"web": {"image": "web:1", "container_name": name, "restart": "always"}}})
}

#[test]
fn a_foreign_container_with_the_lock_name_is_reported_immediately_and_kept() {
    let machine = machine();
    taken(&machine, "shop.spc-lock");
    let begun = machine.executor.now();
    let failure = machine.up(&shop()).unwrap_err();
    assert!(machine.executor.now() < begun + secs(1), "nobody waits for it");
    assert_eq!(failure.kind, Kind::Conflict);
    let expected = "The project \"shop\" can't be locked: the container \"shop.spc-lock\" has the name of its lock but is not a lock. \
                    Its image is \"redis:1\", its state is running, and it was created at 2026-01-01T00:00:00Z; neither spc nor Docker Compose created it";
    assert_eq!(failure.message, expected);
    let hint = "give that container another name: `docker rename shop.spc-lock OTHER-NAME`";
    assert_eq!(failure.hint.as_deref(), Some(hint));
    assert_eq!(
        machine.run(lock::holder(&machine.ctx(), PROJECT)).unwrap_err().message,
        expected,
        "as `unlock` says it"
    );
    assert_eq!(machine.run(verbs::look(&machine.ctx(), PROJECT)).unwrap(), only_lists(&machine));
    machine.run(machine.engine.container_rename("shop.spc-lock", "other")).unwrap();
    machine.up(&shop()).unwrap();
    assert_eq!(machine.state().container("other").unwrap().starts, 1);
}

/// Observes a project without objects.
fn only_lists(machine: &Machine) -> ObservedState {
    let seen = machine.run(verbs::look(&machine.ctx(), PROJECT)).unwrap();
    ObservedState {
        images: seen.images,
        network_ids: seen.network_ids,
        others: seen.others,
        subnets: seen.subnets,
        ..ObservedState::default()
    }
}

#[test]
fn a_container_with_the_lock_name_is_reported_with_its_project() {
    // A container like version 0.1.0 created it for `container_name`.
    let machine = machine();
    let labels = [
        (label::PROJECT, "another"),
        (compose_label::PROJECT, "another"),
        (compose_label::SERVICE, "db"),
    ];
    let body = bollard::models::ContainerCreateBody {
        image: Some("redis:1".into()),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        ..Default::default()
    };
    machine.run(machine.engine.container_create("shop.spc-lock", None, body)).unwrap();
    let failure = machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).err().unwrap();
    assert!(
        failure
            .message
            .ends_with("spc created it for the service \"db\" of the project \"another\""),
        "{failure}"
    );
    assert!(
        failure.hint.as_deref().unwrap().contains("`docker rename shop.spc-lock OTHER-NAME`"),
        "{failure:?}"
    );
}

#[test]
fn a_replacement_with_a_used_name_fails_and_the_old_container_keeps_running() {
    let machine = machine();
    machine.up(&shop()).unwrap();
    taken(&machine, "shop-db-1.new");
    let failure =
        machine.up(&with(shop(), "services.db.environment", json!({"LEVEL": "2"}))).unwrap_err();
    assert!(
        failure.message.starts_with(
            "The container name \"shop-db-1.new\" is taken by another container: neither spc nor Docker Compose created it. Its image is"
        ),
        "{failure}"
    );
    assert_eq!(
        failure.hint.as_deref(),
        Some("give that container another name: `docker rename shop-db-1.new OTHER-NAME`")
    );
    let state = machine.state();
    let facts =
        |name: &str| (state.container(name).unwrap().state, state.container(name).unwrap().starts);
    assert_eq!([facts("shop-db-1"), facts("shop-db-1.new")], [("running", 1), ("running", 1)]);
}

#[test]
fn a_name_used_by_another_project_is_reported_with_that_project() {
    let machine = machine();
    let other = Project::read(
        "bugfirst",
        &named("shared"),
        &ReadOptions { directory: Path::new(DIRECTORY), lookup: &|_| None },
    )
    .unwrap();
    machine.run(verbs::up(&machine.ctx(), &other, &UpOptions::default())).unwrap();
    let failure = machine.up(&named("shared")).unwrap_err();
    assert!(
        failure.message.starts_with(
            "The container name \"shared\" is taken by another container: spc created it for the service \"web\" of the project \"bugfirst\", \
             in \"/project\". Its image is \"web:1\", its state is running, and it was created at "
        ),
        "{failure}"
    );
    assert_eq!(failure.hint.as_deref(), Some("choose another \"container_name\""));
}

#[test]
fn a_container_name_that_is_taken_is_refused_before_the_old_container_is_touched() {
    let machine = machine();
    machine.up(&json!({"services": {"web": {"image": "web:1", "restart": "always"}}})).unwrap();
    taken(&machine, "mine");
    let events = machine.events();
    let failure = machine.up(&named("mine")).unwrap_err();
    let expected = "The container name \"mine\" is taken by another container: neither spc nor Docker Compose created it. Its image is ";
    assert!(failure.message.starts_with(expected), "{failure}");
    assert_eq!(
        failure.path.as_ref().unwrap().to_string(),
        "services.web",
        "and its place is known"
    );
    assert!(
        !failure.details.iter().any(|detail| detail.title == "after the failure"),
        "nothing was to be undone: {failure:?}"
    );
    let happened: Vec<_> = machine
        .happened_from(events)
        .into_iter()
        .filter(|line| !line.contains("spc-lock"))
        .collect();
    assert_eq!(happened, Vec::<String>::new());
    machine.run(machine.engine.container_rename("mine", "other")).unwrap();
    machine.up(&named("mine")).unwrap();
    assert_eq!(machine.footprint().containers.into_keys().collect::<Vec<_>>(), ["mine", "other"]);
}

#[test]
fn the_hint_never_suggests_removing_a_container_of_a_compose_project() {
    let machine = machine();
    let mut body = super::ownership::compose_container("db", "redis:1", None);
    body.labels
        .get_or_insert_default()
        .insert(compose_label::PROJECT.to_owned(), "another".to_owned());
    machine.run(machine.engine.container_create("mine", None, body)).unwrap();
    let failure = machine.up(&named("mine")).unwrap_err();
    let expected = "The container name \"mine\" is taken by another container: Docker Compose created it for the service \"db\" of the project \
                    \"another\", in \"/project\". Its image is \"redis:1\", its state is created, and it was created at 2026-01-01T00:00:00Z";
    assert_eq!(failure.message, expected);
    assert_eq!(failure.hint.as_deref(), Some("choose another \"container_name\""));
}

#[test]
fn a_name_that_another_service_of_the_project_has_is_refused_before_anything_is_done() {
    let machine = machine();
    machine
        .up(&json!({"services": {"old": {"image": "web:1", "container_name": "mine"}}}))
        .unwrap();
    let events = machine.events();
    let failure = machine.up(&named("mine")).unwrap_err();
    let expected = "The service \"web\" needs the container name \"mine\", which is taken by the container of the service \"old\"";
    assert_eq!(failure.message, expected);
    assert!(
        failure.hint.as_deref().unwrap().contains("`--remove-orphans` removes it first"),
        "{failure:?}"
    );
    assert!(machine.happened_from(events).is_empty());
}

#[test]
fn the_default_name_that_another_container_has_leads_to_another_project() {
    let machine = machine();
    taken(&machine, "shop-web-1");
    let failure = machine.up(&json!({"services": {"web": {"image": "web:1"}}})).unwrap_err();
    assert_eq!(
        failure.hint.as_deref(),
        Some("choose another name for this project with --project")
    );
}
