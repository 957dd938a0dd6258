//! Containers from create to removal.

use super::*;

#[test]
fn a_container_is_created_started_stopped_and_removed_with_dockers_events() {
    let fixture = fixture(|builder| builder.process("app:1", Process::new().stop_code(143)));
    fixture.up("web", body("app:1"));
    fixture.run(async {
        assert!(!fixture.engine.container_start("web").await.unwrap(), "it runs already");
        assert!(fixture.engine.container_stop("web", &StopRequest::default()).await.unwrap());
        assert!(
            !fixture.engine.container_stop("web", &StopRequest::default()).await.unwrap(),
            "it does not run any more"
        );
        fixture.engine.container_remove("web", false, false).await.unwrap();
        assert!(fixture.engine.container_inspect("web").await.unwrap_err().is_not_found());
    });
    assert_eq!(fixture.actions("web"), ["create", "start", "kill", "die 143", "stop", "destroy"]);
}

#[test]
fn calls_take_the_time_they_take_on_a_real_engine() {
    let fixture = plain();
    fixture.up("web", body("app:1"));
    let started = fixture.executor.now();
    assert!(
        started >= Duration::from_millis(135) && started < Duration::from_millis(205),
        "{started:?}"
    );
}

#[test]
fn a_container_is_found_by_name_id_and_the_beginning_of_its_id() {
    let fixture = plain();
    let id = fixture.up("web", body("app:1"));
    for name in ["web", "/web", &id, &id[..12]] {
        assert_eq!(
            fixture.run(fixture.engine.container_inspect(name)).unwrap().id.unwrap(),
            id,
            "{name}"
        );
    }
    assert_eq!(
        fixture.run(fixture.engine.container_inspect("we")).unwrap_err().message,
        "No such container: we"
    );
}

#[test]
fn a_missing_image_and_a_taken_name_are_refused() {
    let fixture = plain();
    let id = fixture.up("web", body("app:1"));
    let missing =
        fixture.run(fixture.engine.container_create("other", None, body("nothere"))).unwrap_err();
    assert_eq!(
        (missing.kind, missing.message.as_str()),
        (EngineErrorKind::NotFound, "No such image: nothere:latest")
    );
    let taken =
        fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap_err();
    assert!(taken.is_conflict());
    let words = "You have to remove (or rename) that container to be able to reuse that name";
    assert_eq!(
        taken.message,
        format!(
            "Conflict. The container name \"/web\" is already in use by container \"{id}\". {words}"
        )
    );
    let bad = fixture.run(fixture.engine.container_create("a/b", None, body("app:1"))).unwrap_err();
    assert_eq!(
        bad.message,
        "Invalid container name (a/b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    );
}

#[test]
fn one_of_two_concurrent_creates_with_the_same_name_fails() {
    let fixture = plain();
    let (one, other) = fixture.run(futures::future::join(
        fixture.engine.container_create("lock", None, body("app:1")),
        fixture.engine.container_create("lock", None, body("app:1")),
    ));
    assert_eq!([&one, &other].iter().filter(|result| result.is_ok()).count(), 1);
    assert!(one.err().or(other.err()).unwrap().is_conflict());
}

#[test]
fn removing_a_running_container_needs_force() {
    let fixture = plain();
    let id = fixture.up("web", body("app:1"));
    let refused = fixture.run(fixture.engine.container_remove("web", false, false)).unwrap_err();
    assert!(refused.is_conflict());
    assert_eq!(
        refused.message,
        format!(
            "You cannot remove a running container {id}. Stop the container before attempting removal or force remove"
        )
    );
    fixture.run(fixture.engine.container_remove("web", true, false)).unwrap();
    assert_eq!(fixture.actions("web"), ["create", "start", "kill", "die 137", "destroy"]);
}

#[test]
fn a_process_that_ignores_term_is_killed_after_the_grace() {
    let fixture = fixture(|builder| builder.process("app:1", Process::new().ignores_term()));
    fixture.up("web", body("app:1"));
    let before = fixture.executor.now();
    fixture
        .run(fixture.engine.container_stop(
            "web",
            &StopRequest { grace: Some(Duration::from_secs(3)), signal: None },
        ))
        .unwrap();
    let took = fixture.executor.now().checked_sub(before).unwrap();
    assert!(took >= Duration::from_secs(3) && took < Duration::from_millis(3100), "{took:?}");
    assert_eq!(fixture.actions("web"), ["create", "start", "kill", "kill", "die 137", "stop"]);
    assert_eq!(fixture.engine.state().container("web").unwrap().signals, ["TERM", "KILL"]);
}

#[test]
fn the_containers_own_stop_signal_and_timeout_are_used() {
    let fixture = fixture(|builder| {
        builder.process("app:1", Process::new().stop_takes(Duration::from_secs(5)))
    });
    let own = ContainerCreateBody {
        stop_signal: Some("SIGQUIT".into()),
        stop_timeout: Some(2),
        ..body("app:1")
    };
    fixture.up("web", own);
    fixture.run(fixture.engine.container_stop("web", &StopRequest::default())).unwrap();
    assert_eq!(fixture.engine.state().container("web").unwrap().signals, ["QUIT", "KILL"]);
}

#[test]
fn a_signal_for_a_stop_needs_a_newer_engine() {
    let quit = StopRequest { grace: None, signal: Some("QUIT".into()) };
    let old = plain();
    old.up("web", body("app:1"));
    let refused = old.run(old.engine.container_stop("web", &quit)).unwrap_err();
    assert_eq!(
        refused.message,
        "could not stop with the signal \"QUIT\": this engine has API 1.41, and that needs 1.42"
    );
    let new = fixture(|builder| builder.api_version(MODERN));
    new.up("web", body("app:1"));
    new.run(new.engine.container_stop("web", &quit)).unwrap();
    assert_eq!(new.engine.state().container("web").unwrap().signals, ["QUIT"]);
}

#[test]
fn a_stop_continues_after_its_caller_is_gone() {
    let fixture = plain();
    fixture.up("web", body("app:1"));
    fixture.run(async {
        let request = StopRequest::default();
        let stop = Box::pin(fixture.engine.container_stop("web", &request));
        futures::future::select(stop, Box::pin(fixture.executor.sleep(Duration::from_millis(1))))
            .await;
    });
    fixture.pass(1.0);
    assert_eq!(fixture.engine.state().container("web").unwrap().state, "exited");
}

#[test]
fn a_stopped_container_rejects_kill_and_top() {
    let fixture = plain();
    let id = fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap().id;
    let killed = fixture.run(fixture.engine.container_kill("web", "KILL")).unwrap_err();
    assert!(killed.is_conflict());
    assert_eq!(
        killed.message,
        format!("Cannot kill container: web: Container {id} is not running")
    );
    assert_eq!(
        fixture.run(fixture.engine.container_top("web")).unwrap_err().message,
        format!("Container {id} is not running")
    );
    fixture.run(fixture.engine.container_start("web")).unwrap();
    assert_eq!(
        fixture.run(fixture.engine.container_kill("web", "NOPE")).unwrap_err().message,
        "Invalid signal: NOPE"
    );
    let top = fixture.run(fixture.engine.container_top("web")).unwrap();
    assert_eq!(top.processes.unwrap()[0].last().unwrap(), "serve");
}

#[test]
fn waiting_answers_with_the_exit_code() {
    let fixture = fixture(|builder| {
        builder.process("app:1", Process::new().exits_after(Duration::from_secs(90), 3))
    });
    fixture.up("job", body("app:1"));
    assert_eq!(fixture.run(fixture.engine.container_wait("job")).unwrap(), 3);
    assert!(fixture.executor.now() > Duration::from_secs(90));
    assert_eq!(
        fixture.run(fixture.engine.container_wait("job")).unwrap(),
        3,
        "it has exited before"
    );
    fixture.run(fixture.engine.container_create("new", None, body("app:1"))).unwrap();
    assert_eq!(fixture.run(fixture.engine.container_wait("new")).unwrap(), 0, "it never ran");
}

#[test]
fn renaming_is_refused_where_docker_refuses_it() {
    let fixture = plain();
    fixture.up("a1", body("app:1"));
    fixture.up("b1", body("app:1"));
    let rename = |from: &str, to: &str| fixture.run(fixture.engine.container_rename(from, to));
    let taken = rename("b1", "a1").unwrap_err();
    assert!(taken.is_conflict());
    assert!(
        taken.message.starts_with(
            "Error when allocating new name: Conflict. The container name \"/a1\" is already in use"
        ),
        "{}",
        taken.message
    );
    assert_eq!(
        rename("b1", "b1").unwrap_err().message,
        "Renaming a container with the same name as its current name"
    );
    assert_eq!(rename("b1", "").unwrap_err().message, "Neither old nor new names may be empty");
    rename("b1", "c1").unwrap();
    assert_eq!(fixture.actions("c1"), ["rename"]);
    assert!(fixture.engine.state().container("b1").is_none());
}

#[test]
fn the_lists_text_is_dockers() {
    let fixture = fixture(|builder| {
        builder.process("app:1", Process::new().exits_after(Duration::from_mins(2), 4))
    });
    fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap();
    assert_eq!(fixture.status("web"), "Created");
    fixture.run(fixture.engine.container_start("web")).unwrap();
    assert_eq!(fixture.status("web"), "Up Less than a second");
    fixture.pass(5.0);
    assert_eq!(fixture.status("web"), "Up 5 seconds");
    fixture.pass(90.0);
    assert_eq!(fixture.status("web"), "Up About a minute");
    fixture.pass(28.0);
    assert_eq!(fixture.status("web"), "Exited (4) 3 seconds ago");
}

#[test]
fn the_list_shows_running_containers_newest_first_unless_asked_for_more() {
    let fixture = plain();
    let labelled = ContainerCreateBody {
        labels: Some([("role".to_owned(), "lock".to_owned())].into()),
        ..body("app:1")
    };
    fixture.up("one", body("app:1"));
    fixture.up("two", body("app:1"));
    fixture.run(fixture.engine.container_create("lock", None, labelled)).unwrap();
    let names = |all: bool, filters: &[(&str, &str)]| {
        let filters = filters
            .iter()
            .map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()]))
            .collect();
        let list = fixture.run(fixture.engine.container_list(all, &filters))?;
        Ok::<_, EngineError>(
            list.into_iter()
                .map(|container| container.names.unwrap().remove(0))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(names(false, &[]).unwrap(), ["/two", "/one"]);
    assert_eq!(names(true, &[]).unwrap(), ["/lock", "/two", "/one"]);
    assert_eq!(names(true, &[("label", "role=lock")]).unwrap(), ["/lock"]);
    assert_eq!(names(false, &[("status", "created")]).unwrap(), ["/lock"], "a state asks for all");
    assert_eq!(names(true, &[("ancestor", "db:1")]).unwrap(), [""; 0]);
    assert_eq!(names(true, &[("bogus", "x")]).unwrap_err().message, "Invalid filter 'bogus'");
    assert_eq!(
        names(true, &[("status", "bogus")]).unwrap_err().message,
        "Invalid filter 'status=bogus'"
    );
}

#[test]
fn inspect_shows_the_effective_configuration() {
    let fixture = plain();
    let request = ContainerCreateBody {
        env: Some(vec!["A=1".into()]),
        cmd: Some(vec!["postgres".into(), "-c".into()]),
        ..body("db:1")
    };
    let id = fixture.run(fixture.engine.container_create("db", None, request)).unwrap().id;
    let seen = fixture.run(fixture.engine.container_inspect("db")).unwrap();
    assert_eq!(seen.name.as_deref(), Some("/db"));
    assert_eq!((seen.path.as_deref(), seen.args), (Some("postgres"), Some(vec!["-c".to_owned()])));
    let config = seen.config.unwrap();
    assert_eq!(config.hostname.as_deref(), Some(&id[..12]));
    assert_eq!(config.volumes, Some(vec!["/data".to_owned()]));
    let state = seen.state.unwrap();
    assert_eq!(
        (state.started_at.as_deref(), state.exit_code),
        (Some("0001-01-01T00:00:00Z"), Some(0))
    );
    assert_eq!(seen.host_config.unwrap().log_config.unwrap().typ.as_deref(), Some("json-file"));
    let mounts = seen.mounts.unwrap();
    assert_eq!(
        (mounts[0].typ.as_deref(), mounts[0].destination.as_deref()),
        (Some("volume"), Some("/data"))
    );
}

#[test]
fn a_container_that_removes_itself_is_gone_with_its_anonymous_volumes() {
    let fixture = fixture(|builder| {
        builder.process("db:1", Process::new().exits_after(Duration::from_secs(1), 0))
    });
    fixture.up(
        "job",
        with_host("db:1", HostConfig { auto_remove: Some(true), ..HostConfig::default() }),
    );
    assert_eq!(fixture.engine.state().volumes.len(), 1);
    fixture.pass(2.0);
    let state = fixture.engine.state();
    assert_eq!((state.containers.len(), state.volumes.len()), (0, 0));
    assert_eq!(fixture.actions("job"), ["create", "start", "die 0", "destroy"]);
}

#[test]
fn a_command_that_cannot_be_run_fails_the_start() {
    let fixture = fixture(|builder| {
        builder.process(
            "app:1",
            Process::new().cannot_start("exec: \"x\": executable file not found in $PATH"),
        )
    });
    fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap();
    let error = fixture.run(fixture.engine.container_start("web")).unwrap_err();
    let words = "unable to start container process: exec: \"x\": executable file not found in $PATH: unknown";
    assert_eq!(
        error.message,
        format!(
            "failed to create shim task: OCI runtime create failed: runc create failed: {words}"
        )
    );
    let state = fixture.engine.state();
    let web = state.container("web").unwrap();
    assert_eq!(
        (web.state, web.exit_code, web.error.as_str()),
        ("created", 127, error.message.as_str())
    );
}
