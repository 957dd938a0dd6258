//! Containers in the states that a run may find: stopped, starting, never started, completed, half
//! replaced.

use similar_asserts::assert_eq;

use super::*;

#[test]
fn a_stopped_container_is_started_and_one_that_still_starts_is_waited_for() {
    let (project, observed) = only_redis(stack(), |redis| {
        redis.state = ContainerState::Exited;
        redis.exit_code = Some(137);
    });
    assert_eq!(
        plan(&project, &observed),
        "  1  start container spc-redis-1  (exited with code 137)\n  2  wait until ready container spc-redis-1  after 1\n"
    );
    let (project, observed) = only_redis(stack(), |redis| redis.health = Health::Starting);
    let waits = plan_with(&project, &observed, UpRequest::default()).unwrap();
    assert_eq!(waits.to_string(), "  1  wait until ready container spc-redis-1  (not ready yet)\n");
    assert!(!waits.changes());
}

#[test]
fn a_container_that_was_never_started_gets_its_secrets_again() {
    let project = project(stack());
    let mut observed = applied(&project);
    let db = observed.containers.iter_mut().find(|container| container.service == "db").unwrap();
    db.state = ContainerState::Created;
    db.health = Health::None;
    assert!(plan(&project, &observed).starts_with(
        "  1  deliver secrets to container spc-db-1  (never started)\n  2  start container spc-db-1"
    ));
}

#[test]
fn a_job_that_exited_with_0_is_done_until_its_description_changes() {
    let description = |command: &str| {
        json!({"services": {
            "migrate": {"image": "x", "command": command},
            "web": {"image": "x", "restart": "always", "depends_on": {"migrate": {"condition": "service_completed_successfully"}}},
        }})
    };
    let described = project(description("one"));
    assert!(
        plan(&described, &ObservedState::default())
            .contains("wait until completed container spc-migrate-1")
    );
    let mut observed = applied(&described);
    observed.images.insert("x:latest".into(), "id of x".into());
    let migrate =
        observed.containers.iter_mut().find(|container| container.service == "migrate").unwrap();
    migrate.state = ContainerState::Exited;
    migrate.health = Health::None;
    migrate.exit_code = Some(0);
    assert_eq!(plan(&described, &observed), "spc: nothing to do\n");
    assert!(plan(&project(description("two")), &observed).contains("command changed"));
    let failed =
        observed.containers.iter_mut().find(|container| container.service == "migrate").unwrap();
    failed.exit_code = Some(3);
    assert!(plan(&described, &observed).starts_with(
        "  1  start container spc-migrate-1  (exited with code 3)\n  2  wait until completed"
    ));
}

#[test]
fn a_job_that_is_done_is_run_again_where_it_is_asked_for_by_name() {
    let reporter = |depends: Value| {
        project(json!({"services": {
            "report": {"image": "x"},
            "web": {"image": "x", "restart": "always", "depends_on": depends},
        }}))
    };
    for (depends, wait) in [
        (json!({}), "ready"),
        (json!({"report": {"condition": "service_completed_successfully"}}), "completed"),
    ] {
        let described = reporter(depends);
        let mut observed = applied(&described);
        observed.images.insert("x:latest".into(), "id of x".into());
        let report =
            observed.containers.iter_mut().find(|container| container.service == "report").unwrap();
        (report.state, report.health, report.exit_code) =
            (ContainerState::Exited, Health::None, Some(0));
        let named =
            |name: &str| UpRequest { names: Some(vec![name.to_owned()]), ..UpRequest::default() };
        let again = format!(
            "  1  start container spc-report-1  (requested by name)\n  2  wait until {wait} container spc-report-1  after 1\n"
        );
        assert_eq!(plan_with(&described, &observed, named("report")).unwrap().to_string(), again);
        // A completed job that another service only needs does not run again.
        for asked in [named("web"), UpRequest::default()] {
            assert!(plan_with(&described, &observed, asked).unwrap().steps.is_empty());
        }
        // A running job is the requested run.
        let report =
            observed.containers.iter_mut().find(|container| container.service == "report").unwrap();
        (report.state, report.exit_code) = (ContainerState::Running, None);
        let running = plan_with(&described, &observed, named("report")).unwrap().to_string();
        assert!(!running.contains("start container"), "{running}");
    }
}

#[test]
fn a_service_that_spc_stopped_is_no_finished_job() {
    let (project, observed) = only_redis(stack(), |redis| {
        redis.state = ContainerState::Exited;
        redis.exit_code = Some(0);
    });
    let why = "note: spc-redis-1 exited with code 0 and counts as a completed job, so spc does not start it: `up([\"redis\"])` starts it, and \
               `restart: \"unless-stopped\"` is for services that keep running";
    assert_eq!(plan(&project, &observed), format!("spc: nothing to do\n{why}\n"));
    let stopped =
        UpRequest { stopped: BTreeSet::from(["id of redis-1".to_owned()]), ..UpRequest::default() };
    assert!(
        plan_with(&project, &observed, stopped)
            .unwrap()
            .to_string()
            .contains("start container spc-redis-1")
    );
}

#[test]
fn a_killed_replacement_continues_if_the_new_container_runs_and_is_undone_otherwise() {
    let described = project(stack());
    let with_new = |state: ContainerState| {
        let mut observed = applied(&described);
        let db =
            observed.containers.iter_mut().find(|container| container.service == "db").unwrap();
        let mut new = db.clone();
        db.state = ContainerState::Exited;
        db.hash = Some("of the old description".into());
        new.name = "spc-db-1.new".into();
        new.id = "id of new".into();
        new.state = state;
        observed.containers.push(new);
        observed
    };
    assert_eq!(
        plan(&described, &with_new(ContainerState::Running)),
        "  1  wait until ready container spc-db-1.new
  2  remove container spc-db-1  after 1
  3  rename container spc-db-1.new to spc-db-1  after 2
"
    );
    let undone = plan(&described, &with_new(ContainerState::Created));
    assert!(
        undone.starts_with("  1  remove container spc-db-1.new  (left by an interrupted run)\n  2  create container spc-db-1.new"),
        "{undone}"
    );
    let mut removed = with_new(ContainerState::Running);
    removed.containers.retain(|container| container.name != "spc-db-1");
    assert_eq!(
        plan(&described, &removed),
        "  1  rename container spc-db-1.new to spc-db-1  (left by an interrupted run)\n"
    );
}
