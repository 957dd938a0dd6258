//! Adoption, and removal of orphans and surplus containers; `down` and `stop`.

use similar_asserts::assert_eq;

use super::*;

#[test]
fn scale_adds_and_removes_the_highest_numbers() {
    let described =
        |scale: u32| project(json!({"services": {"web": {"image": "web:1", "scale": scale}}}));
    assert!(
        plan(&described(2), &applied(&described(1)))
            .starts_with("  1  create container spc-web-2  (missing)\n")
    );
    assert_eq!(
        plan(&described(1), &applied(&described(2))),
        "  1  stop container spc-web-2  (scale is 1)\n  2  remove container spc-web-2  (scale is 1)  after 1\n"
    );
}

#[test]
fn an_orphan_is_reported_and_removed_only_on_request() {
    let mut description = stack();
    let observed = applied(&project(stack()));
    description["services"].as_object_mut().unwrap().remove("backend");
    let project = project(description);
    assert_eq!(
        plan(&project, &observed),
        "spc: nothing to do\nnote: spc-backend-1 belongs to no described service; --remove-orphans removes it\n"
    );
    let asked = UpRequest { remove_orphans: true, ..UpRequest::default() };
    assert!(
        plan_with(&project, &observed, asked)
            .unwrap()
            .to_string()
            .starts_with("  1  stop container spc-backend-1  (no longer described)\n")
    );
}

#[test]
fn a_compose_project_of_the_same_name_is_only_adopted_when_asked() {
    let (project, mut observed) = only_redis(stack(), |redis| redis.ours = false);
    for network in &mut observed.networks {
        network.ours = false;
    }
    let refused = plan_with(&project, &observed, UpRequest::default()).unwrap_err();
    assert_eq!(
        refused.message,
        "This engine has a project \"spc\" that spc did not create, with the containers spc-redis-1"
    );
    let adopted = plan_with(&project, &observed, UpRequest { adopt: true, ..UpRequest::default() })
        .unwrap()
        .to_string();
    assert!(
        adopted
            .starts_with("  1  create container spc-redis-1.new  (adopted from Docker Compose)\n"),
        "{adopted}"
    );
}

#[test]
fn adopted_objects_need_no_second_adoption() {
    let mut observed = applied(&project(stack()));
    observed
        .volumes
        .iter_mut()
        .for_each(|volume| (volume.ours, volume.compose, volume.hash) = (false, true, None));
    observed
        .networks
        .iter_mut()
        .for_each(|network| (network.ours, network.compose, network.hash) = (false, true, None));
    let refused = plan_with(&project(stack()), &observed, UpRequest::default()).unwrap_err();
    assert!(
        refused.message.ends_with("was created by Docker Compose for a project of this name"),
        "{refused}"
    );
    assert_eq!(
        refused.hint.unwrap(),
        "use --adopt to use it as it is, with its content; or choose another `name`"
    );
    let adopted = ["spc_data", "spc_default"].map(str::to_owned).into();
    let plan =
        plan_with(&project(stack()), &observed, UpRequest { adopted, ..UpRequest::default() })
            .unwrap();
    assert_eq!(plan.to_string(), "spc: nothing to do\n");
}

#[test]
fn an_adopted_network_with_other_settings_is_noted_at_each_up() {
    let mut observed = applied(&project(stack()));
    for network in &mut observed.networks {
        (network.ours, network.compose, network.hash) = (false, true, None);
        let pool = json!({"networks": {"n": {"ipam": {"config": [{"subnet": "172.18.0.0/16"}]}}}});
        network.settings.ipam.clone_from(&project(pool).networks["n"].ipam);
    }
    let adopted: BTreeSet<String> = ["spc_data", "spc_default"].map(str::to_owned).into();
    let request = || UpRequest { adopted: adopted.clone(), ..UpRequest::default() };
    let same = plan_with(&project(stack()), &observed, request()).unwrap();
    assert_eq!(same.notes, Vec::<String>::new());
    let mut isolated = stack();
    isolated["networks"]["default"] = json!({"internal": true});
    let plan = plan_with(&project(isolated), &observed, request()).unwrap();
    let note = "the network \"spc_default\" keeps its settings from Docker Compose, which differ from the description: internal: false → true";
    assert!(plan.notes.iter().any(|it| it == note), "{:?}", plan.notes);
}

#[test]
fn down_stops_dependents_first_and_keeps_volumes_unless_asked() {
    let observed = applied(&project(stack()));
    let kept =
        down("spc", &observed, DownOptions { volumes: false, adopt: false }, &BTreeSet::new())
            .to_string();
    assert_eq!(
        kept,
        "  1  stop container spc-backend-1
  2  stop container spc-db-1  after 1
  3  stop container spc-redis-1  after 1
  4  remove container spc-backend-1  after 1
  5  remove container spc-db-1  after 2
  6  remove container spc-redis-1  after 3
  7  remove network spc_default  after 4, 5, 6
"
    );
    assert!(
        down("spc", &observed, DownOptions { volumes: true, adopt: false }, &BTreeSet::new())
            .to_string()
            .ends_with("  8  remove volume spc_data  after 4, 5, 6\n")
    );
}

#[test]
fn down_removes_one_offs_before_the_networks_and_volumes_they_hang_on() {
    let mut observed =
        ObservedState { networks: applied(&project(stack())).networks, ..ObservedState::default() };
    observed.one_offs.push(OneOffContainer {
        id: "id of it".into(),
        name: "spc-db-run-1a2b".into(),
        is_up: true,
        writes: BTreeSet::new(),
        owner: String::new(),
        run: OwnerState::Unknown,
    });
    assert_eq!(
        down("spc", &observed, DownOptions { volumes: false, adopt: false }, &BTreeSet::new())
            .to_string(),
        "  1  remove container spc-db-run-1a2b  (one-off container)\n  2  remove network spc_default  after 1\n"
    );
    observed.one_offs[0].writes.insert("spc_data".into());
    let planned =
        down("spc", &observed, DownOptions { volumes: false, adopt: false }, &BTreeSet::new())
            .to_string();
    assert!(
        planned.starts_with(
            "  1  stop container spc-db-run-1a2b  (one-off container)\n  2  remove container"
        ),
        "a writer is stopped: {planned}"
    );
}

#[test]
fn secrets_of_a_removed_container_are_removed() {
    let project = project(stack());
    let mut observed = applied(&project);
    observed.orphaned_secrets.insert("0a1b".into());
    let wanted = "  1  remove volume 0a1b  (left by an interrupted run)\n";
    assert_eq!(plan(&project, &observed), wanted);
    let alone =
        ObservedState { orphaned_secrets: observed.orphaned_secrets, ..ObservedState::default() };
    assert_eq!(
        down("spc", &alone, DownOptions { volumes: false, adopt: false }, &BTreeSet::new())
            .to_string(),
        wanted
    );
}

#[test]
fn stop_start_and_restart_follow_the_dependencies() {
    let services = BTreeSet::from(["backend".to_owned(), "db".to_owned()]);
    let mut observed = applied(&project(stack()));
    assert_eq!(
        stop("spc", &observed, &services).to_string(),
        "  1  stop container spc-backend-1\n  2  stop container spc-db-1  after 1\n"
    );
    assert!(
        restart("spc", &observed, &services, &BTreeSet::new())
            .unwrap()
            .to_string()
            .contains("restart container spc-backend-1  after 2")
    );
    for container in &mut observed.containers {
        container.state = ContainerState::Exited;
    }
    assert!(
        start("spc", &observed, &services, &BTreeSet::new())
            .unwrap()
            .to_string()
            .contains("start container spc-backend-1  after 2")
    );
}
