//! Changes of a description or an image that replace a container.

use similar_asserts::assert_eq;

use super::*;

#[test]
fn on_an_empty_engine_everything_is_made_and_waits_only_for_what_it_names() {
    let project = project(stack());
    assert_eq!(
        plan(&project, &ObservedState::default()),
        "  1  pull image postgres:15  (missing)
  2  create network spc_default  (missing)
  3  create volume spc_data  (missing)
  4  create container spc-db-1  (missing)  after 1, 2, 3
  5  deliver secrets to container spc-db-1  after 4
  6  start container spc-db-1  after 4, 5
  7  wait until ready container spc-db-1  after 6
  8  pull image redis:7  (missing)
  9  create container spc-redis-1  (missing)  after 2, 8
 10  start container spc-redis-1  after 9
 11  wait until ready container spc-redis-1  after 10
 12  build image backend:dev  (missing)
 13  create container spc-backend-1  (missing)  after 2, 12
 14  start container spc-backend-1  after 7, 10, 13
 15  wait until ready container spc-backend-1  after 14
"
    );
}

#[test]
fn an_unchanged_stack_has_an_empty_plan() {
    let project = project(stack());
    assert_eq!(plan(&project, &applied(&project)), "spc: nothing to do\n");
}

#[test]
fn a_changed_variable_replaces_its_container_only_and_is_named() {
    let before = applied(&project(stack()));
    let mut description = stack();
    description["services"]["db"]["environment"]["A"] = json!("2");
    let project = project(description);
    let plan = plan_with(&project, &before, UpRequest::default()).unwrap();
    assert_eq!(
        plan.to_string(),
        "  1  create container spc-db-1.new  (environment A changed)
  2  deliver secrets to container spc-db-1.new  after 1
  3  stop container spc-db-1  after 1, 2
  4  start container spc-db-1.new  after 1, 2, 3
  5  wait until ready container spc-db-1.new  after 4
  6  remove container spc-db-1  after 5
  7  rename container spc-db-1.new to spc-db-1  after 6
"
    );
    let way_back: Vec<String> = plan.rollbacks[&0].undo.iter().map(undone).collect();
    assert_eq!(
        way_back,
        [
            "stop container spc-db-1.new (of 4)",
            "start container spc-db-1 (of 3)",
            "remove container spc-db-1.new (of 1)",
            "wait until ready container spc-db-1 (of 3)"
        ]
    );
}

#[test]
fn a_changed_image_differs_from_a_changed_description() {
    let project = project(stack());
    let mut observed = applied(&project);
    observed.images.insert("redis:7".into(), "sha256:0123456789abcdef".into());
    let first =
        "  1  create container spc-redis-1.new  (image changed (id of redis: → 0123456789ab))\n";
    let plan = plan(&project, &observed);
    assert!(plan.starts_with(first), "{plan}");
}

#[test]
fn a_changed_secret_replaces_its_container() {
    let project = project(stack());
    let observed = applied(&project);
    let asked = |fingerprint| UpRequest { fingerprint, ..UpRequest::default() };
    let changed = plan_with(&project, &observed, asked("key:two")).unwrap();
    assert!(
        changed
            .to_string()
            .starts_with("  1  create container spc-db-1.new  (a secret's value changed)\n")
    );
}

#[test]
fn start_first_serves_beside_the_old_one_and_takes_the_alias_when_ready() {
    let described = |value: &str| {
        project(
            json!({"services": {"web": {"image": "web", "environment": {"A": value}, "scale": 2, "deploy": {"update_config": {"order": "start-first"}}}}}),
        )
    };
    let mut observed = applied(&described("1"));
    observed.images.insert("web:latest".into(), "id of web".into());
    assert_eq!(
        plan(&described("2"), &observed),
        "  1  create container spc-web-1.new  (environment A changed)
  2  start container spc-web-1.new  after 1
  3  wait until ready container spc-web-1.new  after 2
  4  attach container spc-web-1.new  after 3
  5  wait until ready container spc-web-1.new  after 4
  6  monitor container spc-web-1.new for 5s  after 5
  7  stop container spc-web-1  after 6
  8  create container spc-web-2.new  (environment A changed)  after 7
  9  start container spc-web-2.new  after 8
 10  wait until ready container spc-web-2.new  after 9
 11  attach container spc-web-2.new  after 10
 12  wait until ready container spc-web-2.new  after 11
 13  monitor container spc-web-2.new for 5s  after 12
 14  stop container spc-web-2  after 13
 15  remove container spc-web-1  after 6, 7, 13
 16  rename container spc-web-1.new to spc-web-1  after 15
 17  remove container spc-web-2  after 6, 13, 14
 18  rename container spc-web-2.new to spc-web-2  after 17
"
    );
}

#[test]
fn a_running_container_that_was_taken_off_its_network_is_replaced() {
    let (project, observed) = only_redis(stack(), |redis| redis.networks.clear());
    let plan = plan_with(&project, &observed, UpRequest::default()).unwrap().to_string();
    assert!(
        plan.starts_with(
            "  1  create container spc-redis-1.new  (not on the network \"spc_default\")\n"
        ),
        "{plan}"
    );
    // The engine's list does not show this for others.
    let (project, observed) = only_redis(stack(), |redis| {
        redis.networks.clear();
        redis.state = ContainerState::Created;
    });
    let plan = plan_with(&project, &observed, UpRequest::default()).unwrap().to_string();
    assert!(plan.starts_with("  1  start container spc-redis-1  (never started)\n"), "{plan}");
}

#[test]
fn a_volume_or_network_with_other_settings_is_refused_rather_than_lost() {
    let observed = applied(&project(stack()));
    let mut description = stack();
    description["volumes"]["data"]["driver"] = json!("other");
    let refused = plan_with(&project(description), &observed, UpRequest::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "The volume \"spc_data\" was created with other settings: driver: local → other"
    );
    let mut foreign = images_only(&project(stack()));
    foreign.volumes.push(Volume {
        name: "spc_data".into(),
        ours: false,
        compose: false,
        owner: Some("other".into()),
        hash: None,
        shared: false,
        settings: crate::model::spec::Volume::default(),
    });
    let refused = plan_with(&project(stack()), &foreign, UpRequest::default()).unwrap_err();
    assert_eq!(refused.message, "The volume \"spc_data\" belongs to the project \"other\"");
    assert!(
        refused.hint.unwrap().contains("mark it `external: true` and name \"other\" in `projects`")
    );
    foreign.volumes[0].owner = None;
    let refused = plan_with(&project(stack()), &foreign, UpRequest::default()).unwrap_err();
    assert_eq!(refused.message, "A volume \"spc_data\" that spc did not create is on this engine");
}

#[test]
fn containers_with_anonymous_volumes_are_replaced_where_those_are_renewed() {
    let project = project(stack());
    let mut observed = applied(&project);
    let asked = || UpRequest { renew: true, ..UpRequest::default() };
    assert!(plan_with(&project, &observed, asked()).unwrap().steps.is_empty());
    observed.containers[0].has_anonymous_volumes = true;
    assert!(plan_with(&project, &observed, UpRequest::default()).unwrap().steps.is_empty());
    let plan = plan_with(&project, &observed, asked()).unwrap().to_string();
    assert!(plan.contains("(anonymous volumes are renewed)"), "{plan}");
}
