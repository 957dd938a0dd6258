//! Intended faults.

use futures::StreamExt;

use super::*;

fn names(fixture: &EngineFixture) -> Vec<String> {
    let list = fixture.run(fixture.engine.container_list(true, &Filters::new())).unwrap();
    list.into_iter().map(|container| container.names.unwrap().remove(0)).collect()
}

#[test]
fn a_refused_call_does_nothing_and_the_next_one_works() {
    let fixture = plain();
    let refused = EngineError::new(EngineErrorKind::Server, "device or resource busy");
    fixture.engine.fault(Fault {
        on: FaultPoint::method("container_start", 1),
        effect: FaultEffect::FailBefore(refused.clone()),
    });
    fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap();
    assert_eq!(fixture.run(fixture.engine.container_start("web")), Err(refused));
    assert_eq!(fixture.engine.state().container("web").unwrap().state, "created");
    assert!(fixture.run(fixture.engine.container_start("web")).unwrap());
}

#[test]
fn a_lost_reply_leaves_the_work_done() {
    let fixture = plain();
    fixture.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::ReplyLost });
    let lost =
        fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap_err();
    assert_eq!(lost.kind, EngineErrorKind::Unreachable);
    assert!(fixture.engine.state().container("web").is_some());
}

#[test]
fn a_full_disk_and_a_late_answer() {
    let fixture = plain();
    fixture.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::NoSpace });
    fixture.engine.fault(Fault {
        on: FaultPoint::Call(2),
        effect: FaultEffect::Slow(Duration::from_secs(9)),
    });
    assert!(
        fixture
            .run(fixture.engine.container_create("web", None, body("app:1")))
            .unwrap_err()
            .message
            .ends_with("no space left on device")
    );
    fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap();
    assert!(fixture.executor.now() > Duration::from_secs(9));
}

/// The time limit of a call that hangs, and its result.
fn hung<T>(
    fixture: &EngineFixture,
    call: impl Future<Output = Result<T>>,
) -> (Duration, EngineErrorKind) {
    fixture.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::Hang });
    let before = fixture.executor.now();
    let error = fixture.run(call).err().unwrap();
    (fixture.executor.now().saturating_sub(before), error.kind)
}

#[test]
fn a_call_that_hangs_ends_with_a_timeout_as_long_as_it_would_be_waited_for_at_a_real_engine() {
    let fixture = plain();
    fixture.up("web", body("app:1"));
    let short = (Duration::from_mins(2), EngineErrorKind::Timeout);
    assert_eq!(hung(&fixture, fixture.engine.version()), short);
    assert_eq!(hung(&fixture, fixture.engine.container_start("web")), short);
    assert_eq!(
        hung(&fixture, fixture.engine.container_logs("web", &LogsRequest::default())),
        short
    );
    let request = StopRequest { grace: Some(Duration::from_secs(7)), signal: None };
    assert_eq!(
        hung(&fixture, fixture.engine.container_stop("web", &request)),
        (Duration::from_secs(127), EngineErrorKind::Timeout)
    );
    assert_eq!(
        fixture.engine.state().container("web").unwrap().state,
        "running",
        "nothing was done"
    );
}

#[test]
fn a_call_that_may_last_hangs_until_its_caller_has_waited_long_enough() {
    let fixture = plain();
    fixture.up("web", body("app:1"));
    let before = fixture.executor.now();
    fixture.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::Hang });
    fixture.run(async {
        let exit = Box::pin(fixture.engine.container_wait("web"));
        let deadline = Box::pin(fixture.executor.sleep(Duration::from_secs(5)));
        assert!(matches!(
            futures::future::select(exit, deadline).await,
            futures::future::Either::Right(_)
        ));
    });
    assert_eq!(fixture.executor.now().saturating_sub(before), Duration::from_secs(5));
    fixture.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::Hang });
    fixture.run(async {
        let exit = Box::pin(fixture.engine.container_wait("web"));
        let stalled = Box::pin(fixture.executor.stalled().cancelled());
        assert!(matches!(
            futures::future::select(exit, stalled).await,
            futures::future::Either::Right(_)
        ));
    });
}

/// The pieces of a stream before it broke, and the error.
fn cut<T>(
    fixture: &EngineFixture,
    method: &str,
    call: impl Future<Output = Result<BoxStream<'static, Result<T>>>>,
) -> (usize, EngineErrorKind) {
    fixture
        .engine
        .fault(Fault { on: FaultPoint::method(method, 1), effect: FaultEffect::StreamCut });
    let mut pieces: Vec<_> = fixture.run(async { call.await.unwrap().collect().await });
    let last = pieces.pop().unwrap().err().unwrap();
    assert!(pieces.iter().all(Result::is_ok));
    (pieces.len(), last.kind)
}

#[test]
fn every_stream_can_break_after_its_first_piece() {
    let fixture = fixture(|builder| {
        let chatty = Process::new().says(Duration::ZERO, "one").says(Duration::ZERO, "two");
        builder.process("app:1", chatty).registry_image(
            "far:1",
            ImageSpec::command(&["run"]),
            Duration::from_secs(1),
        )
    });
    fixture.up("web", body("app:1"));
    let (engine, broken) = (&fixture.engine, (1, EngineErrorKind::Unreachable));
    assert_eq!(
        cut(&fixture, "container_logs", engine.container_logs("web", &LogsRequest::default())),
        broken
    );
    assert_eq!(
        cut(&fixture, "container_download", engine.container_download("web", "/tmp")),
        broken
    );
    assert_eq!(cut(&fixture, "image_pull", engine.image_pull("far:1", None, None)), broken);
    let session =
        async { engine.exec_start("web", &command(&["true"])).await.map(|session| session.output) };
    assert_eq!(
        cut(&fixture, "exec_start", session),
        (0, EngineErrorKind::Unreachable),
        "it wrote nothing"
    );
    let events = async {
        let events = engine.events(&Filters::new(), None).await;
        engine.container_rename("web", "other").await?;
        engine.container_rename("other", "web").await?;
        events
    };
    assert_eq!(cut(&fixture, "events", events), broken);
    fixture.pass(5.0);
    assert!(engine.state().image("far:1").is_none(), "a pull that nobody reads is called off");
}

#[test]
fn an_engine_that_restarts_at_a_call_ends_streams_and_what_has_no_restart_policy() {
    let fixture = plain();
    let policy = models::RestartPolicy {
        name: Some(models::RestartPolicyNameEnum::ALWAYS),
        maximum_retry_count: None,
    };
    fixture.up(
        "kept",
        with_host("app:1", HostConfig { restart_policy: Some(policy), ..HostConfig::default() }),
    );
    fixture.up("once", body("app:1"));
    fixture.engine.fault(Fault::parse("container_inspect", 1, "engine_restart").unwrap());
    fixture.run(async {
        let events = fixture.engine.events(&Filters::new(), None).await.unwrap();
        assert_eq!(
            fixture.engine.container_inspect("once").await.unwrap_err().kind,
            EngineErrorKind::Unreachable
        );
        assert_eq!(
            fixture.engine.version().await.unwrap_err().kind,
            EngineErrorKind::Unreachable,
            "it is away"
        );
        let answers: Vec<_> = events.collect().await;
        assert!(answers.iter().all(Result::is_ok), "the stream ends");
    });
    fixture.pass(3.0);
    let state = fixture.engine.state();
    assert_eq!(
        (state.container("kept").unwrap().state, state.container("once").unwrap().state),
        ("running", "exited")
    );
    assert!(fixture.run(fixture.engine.version()).is_ok());
}

#[test]
fn drawn_faults_come_to_calls_and_stop_when_they_are_cleared() {
    let fixture = plain();
    fixture.engine.draw_faults(3, 0.5, &[FaultEffect::parse("500").unwrap()]);
    let results: Vec<bool> =
        (0..20).map(|_| fixture.run(fixture.engine.version()).is_ok()).collect();
    assert!(results.contains(&true) && results.contains(&false), "{results:?}");
    fixture.engine.clear_faults();
    assert!((0..20).all(|_| fixture.run(fixture.engine.version()).is_ok()));
}

#[test]
fn a_stale_list_shows_what_was_there_before_the_last_change() {
    let fixture = plain();
    fixture.engine.fault(Fault {
        on: FaultPoint::method("container_list", 1),
        effect: FaultEffect::StaleList,
    });
    fixture.up("one", body("app:1"));
    fixture.run(fixture.engine.container_create("two", None, body("app:1"))).unwrap();
    assert_eq!(names(&fixture), ["/one"]);
    assert_eq!(names(&fixture), ["/two", "/one"]);
}

#[test]
fn event_streams_can_break_while_calls_continue() {
    let fixture = plain();
    fixture.engine.fault(Fault {
        on: FaultPoint::method("container_create", 1),
        effect: FaultEffect::EventsEnd,
    });
    fixture.run(async {
        let mut events = fixture.engine.events(&Filters::new(), None).await.unwrap();
        fixture.engine.container_create("web", None, body("app:1")).await.unwrap();
        assert!(events.next().await.is_none());
        // Missed events can be requested again.
        let since = crate::host::sim::epoch().timestamp();
        let mut events = fixture.engine.events(&Filters::new(), Some(since)).await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap().action.as_deref(), Some("create"));
    });
}

#[test]
fn a_crash_before_a_call_leaves_it_undone_and_one_after_it_done() {
    for (when, made) in [(CallSide::Before, false), (CallSide::After, true)] {
        let fixture = plain();
        fixture.engine.crash_at(2, when);
        let crashed = fixture.engine.crashed();
        fixture.run(async {
            let mut events = fixture.engine.events(&Filters::new(), None).await.unwrap();
            let error =
                fixture.engine.container_create("web", None, body("app:1")).await.unwrap_err();
            assert_eq!(error.kind, EngineErrorKind::Unreachable);
            assert!(crashed.is_cancelled());
            assert_eq!(
                fixture.engine.version().await.unwrap_err().kind,
                EngineErrorKind::Unreachable
            );
            let rest: Vec<_> = events.by_ref().collect().await;
            assert_eq!(
                rest.last().unwrap().as_ref().unwrap_err().kind,
                EngineErrorKind::Unreachable
            );
        });
        assert_eq!(fixture.engine.state().container("web").is_some(), made, "{when:?}");
        fixture.engine.recover();
        assert!(fixture.run(fixture.engine.version()).is_ok());
    }
}

#[test]
fn the_engine_keeps_its_state_after_a_crash() {
    let fixture = plain();
    fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap();
    fixture.engine.crash_at(2, CallSide::Before);
    let results = fixture.run(async {
        futures::future::join(fixture.engine.container_start("web"), fixture.engine.version()).await
    });
    assert!(results.0.is_err() && results.1.is_err());
    fixture.pass(1.0);
    assert_eq!(
        fixture.engine.state().container("web").unwrap().state,
        "running",
        "the start was on its way"
    );
}

#[test]
fn every_call_is_written_down() {
    let fixture = plain();
    fixture.up("web", body("app:1"));
    fixture.run(fixture.engine.network_list(&Filters::new())).unwrap();
    let calls: Vec<_> = fixture
        .engine
        .calls()
        .into_iter()
        .map(|call| (call.index, call.method, call.target, call.mutates))
        .collect();
    let expected = [
        (1, "container_create", "web", true),
        (2, "container_start", "web", true),
        (3, "network_list", "", false),
    ];
    assert_eq!(
        calls,
        expected.map(|(index, method, target, mutates)| (
            index,
            method,
            target.to_owned(),
            mutates
        ))
    );
}

/// A bring-up that looks before each action, as a run has to.
async fn bring_up(engine: &SimEngine) -> Result<()> {
    engine
        .volume_create(models::VolumeCreateRequest {
            name: Some("pg".into()),
            ..models::VolumeCreateRequest::default()
        })
        .await?;
    if engine
        .network_list(&Filters::from([("name".to_owned(), vec!["^net$".to_owned()])]))
        .await?
        .is_empty()
    {
        engine.network_create(network("net", None)).await?;
    }
    if engine
        .container_list(true, &Filters::from([("name".to_owned(), vec!["^/db$".to_owned()])]))
        .await?
        .is_empty()
    {
        let mut body = on_network("db:1", "net", &["db"], None);
        body.host_config.get_or_insert_default().binds = Some(vec!["pg:/data".into()]);
        engine.container_create("db", None, body).await?;
    }
    engine.container_start("db").await?;
    let session = engine.exec_start("db", &command(&["true"])).await?;
    session.output.try_collect::<Vec<_>>().await?;
    Ok(())
}

#[test]
fn the_next_run_succeeds_after_a_kill_at_every_call() {
    let whole = plain();
    whole.run(bring_up(&whole.engine)).unwrap();
    let calls = u64::try_from(whole.engine.calls().len()).unwrap();
    assert_eq!(calls, 7);
    for call in 1..=calls {
        for when in [CallSide::Before, CallSide::After] {
            let fixture = plain();
            fixture.engine.crash_at(call, when);
            assert!(fixture.run(bring_up(&fixture.engine)).is_err(), "{call} {when:?}");
            fixture.engine.recover();
            fixture.run(bring_up(&fixture.engine)).unwrap();
            let state = fixture.engine.state();
            assert_eq!(
                (state.containers.len(), state.networks.len(), state.volumes.len()),
                (1, 1, 1),
                "{call} {when:?}"
            );
            assert_eq!(
                (state.containers[0].state, state.volumes[0].most_writers),
                ("running", 1),
                "{call} {when:?}"
            );
        }
    }
}
