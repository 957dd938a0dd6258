//! What goes wrong on purpose.

use futures::StreamExt;

use super::*;

fn names(bed: &Bed) -> Vec<String> {
    let list = bed.run(bed.engine.container_list(true, &Filters::new())).unwrap();
    list.into_iter().map(|container| container.names.unwrap().remove(0)).collect()
}

#[test]
fn a_refused_call_does_nothing_and_the_next_one_works() {
    let bed = plain();
    let refused = EngineError::new(EngineErrorKind::Server, "device or resource busy");
    bed.engine.fault(Fault { on: FaultPoint::method("container_start", 1), effect: FaultEffect::FailBefore(refused.clone()) });
    bed.run(bed.engine.container_create("web", None, body("app:1"))).unwrap();
    assert_eq!(bed.run(bed.engine.container_start("web")), Err(refused));
    assert_eq!(bed.engine.state().container("web").unwrap().state, "created");
    assert!(bed.run(bed.engine.container_start("web")).unwrap());
}

#[test]
fn a_lost_reply_leaves_the_work_done() {
    let bed = plain();
    bed.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::ReplyLost });
    let lost = bed.run(bed.engine.container_create("web", None, body("app:1"))).unwrap_err();
    assert_eq!(lost.kind, EngineErrorKind::Unreachable);
    assert!(bed.engine.state().container("web").is_some());
}

#[test]
fn a_full_disk_and_a_late_answer() {
    let bed = plain();
    bed.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::NoSpace });
    bed.engine.fault(Fault { on: FaultPoint::Call(2), effect: FaultEffect::Slow(Duration::from_secs(9)) });
    assert!(bed.run(bed.engine.container_create("web", None, body("app:1"))).unwrap_err().message.ends_with("no space left on device"));
    bed.run(bed.engine.container_create("web", None, body("app:1"))).unwrap();
    assert!(bed.conductor.now() > Duration::from_secs(9));
}

#[test]
fn a_call_that_hangs_stalls_the_run_unless_somebody_has_a_deadline() {
    let bed = plain();
    bed.engine.fault(Fault { on: FaultPoint::Call(1), effect: FaultEffect::Hang });
    bed.run(async {
        let ping = bed.engine.version();
        let deadline = Box::pin(bed.conductor.sleep(Duration::from_secs(5)));
        assert!(matches!(futures::future::select(ping, deadline).await, futures::future::Either::Right(_)));
    });
    bed.run(bed.conductor.stalled().cancelled());
}

#[test]
fn a_stale_list_shows_what_was_there_before_the_last_change() {
    let bed = plain();
    bed.engine.fault(Fault { on: FaultPoint::method("container_list", 1), effect: FaultEffect::StaleList });
    bed.up("one", body("app:1"));
    bed.run(bed.engine.container_create("two", None, body("app:1"))).unwrap();
    assert_eq!(names(&bed), ["/one"]);
    assert_eq!(names(&bed), ["/two", "/one"]);
}

#[test]
fn event_streams_can_break_while_calls_go_on() {
    let bed = plain();
    bed.engine.fault(Fault { on: FaultPoint::method("container_create", 1), effect: FaultEffect::EventsEnd });
    bed.run(async {
        let mut events = bed.engine.events(&Filters::new(), None).await.unwrap();
        bed.engine.container_create("web", None, body("app:1")).await.unwrap();
        assert!(events.next().await.is_none());
        // What was missed can be asked for again.
        let since = crate::host::sim::epoch().timestamp();
        let mut events = bed.engine.events(&Filters::new(), Some(since)).await.unwrap();
        assert_eq!(events.next().await.unwrap().unwrap().action.as_deref(), Some("create"));
    });
}

#[test]
fn a_crash_before_a_call_leaves_it_undone_and_one_after_it_done() {
    for (when, made) in [(When::Before, false), (When::After, true)] {
        let bed = plain();
        bed.engine.crash_at(2, when);
        let crashed = bed.engine.crashed();
        bed.run(async {
            let mut events = bed.engine.events(&Filters::new(), None).await.unwrap();
            let error = bed.engine.container_create("web", None, body("app:1")).await.unwrap_err();
            assert_eq!(error.kind, EngineErrorKind::Unreachable);
            assert!(crashed.is_cancelled());
            assert_eq!(bed.engine.version().await.unwrap_err().kind, EngineErrorKind::Unreachable);
            let rest: Vec<_> = events.by_ref().collect().await;
            assert_eq!(rest.last().unwrap().as_ref().unwrap_err().kind, EngineErrorKind::Unreachable);
        });
        assert_eq!(bed.engine.state().container("web").is_some(), made, "{when:?}");
        bed.engine.recover();
        assert!(bed.run(bed.engine.version()).is_ok());
    }
}

#[test]
fn the_engine_goes_on_after_a_crash_with_what_it_was_told() {
    let bed = plain();
    bed.run(bed.engine.container_create("web", None, body("app:1"))).unwrap();
    bed.engine.crash_at(2, When::Before);
    let results = bed.run(async { futures::future::join(bed.engine.container_start("web"), bed.engine.version()).await });
    assert!(results.0.is_err() && results.1.is_err());
    bed.pass(1.0);
    assert_eq!(bed.engine.state().container("web").unwrap().state, "running", "the start was on its way");
}

#[test]
fn every_call_is_written_down() {
    let bed = plain();
    bed.up("web", body("app:1"));
    bed.run(bed.engine.network_list(&Filters::new())).unwrap();
    let calls: Vec<_> = bed.engine.calls().into_iter().map(|call| (call.index, call.method, call.target, call.mutates)).collect();
    let expected = [(1, "container_create", "web", true), (2, "container_start", "web", true), (3, "network_list", "", false)];
    assert_eq!(calls, expected.map(|(index, method, target, mutates)| (index, method, target.to_owned(), mutates)));
}

/// A bring-up that looks before it acts, as a run has to.
async fn bring_up(engine: &SimEngine) -> Result<()> {
    engine.volume_create(models::VolumeCreateRequest { name: Some("pg".into()), ..models::VolumeCreateRequest::default() }).await?;
    if engine.network_list(&Filters::from([("name".to_owned(), vec!["^net$".to_owned()])])).await?.is_empty() {
        engine.network_create(network("net", None)).await?;
    }
    if engine.container_list(true, &Filters::from([("name".to_owned(), vec!["^/db$".to_owned()])])).await?.is_empty() {
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
fn killed_at_every_call_the_next_run_arrives() {
    let whole = plain();
    whole.run(bring_up(&whole.engine)).unwrap();
    let calls = u64::try_from(whole.engine.calls().len()).unwrap();
    assert_eq!(calls, 7);
    for call in 1..=calls {
        for when in [When::Before, When::After] {
            let bed = plain();
            bed.engine.crash_at(call, when);
            assert!(bed.run(bring_up(&bed.engine)).is_err(), "{call} {when:?}");
            bed.engine.recover();
            bed.run(bring_up(&bed.engine)).unwrap();
            let state = bed.engine.state();
            assert_eq!((state.containers.len(), state.networks.len(), state.volumes.len()), (1, 1, 1), "{call} {when:?}");
            assert_eq!((state.containers[0].state, state.volumes[0].most_writers), ("running", 1), "{call} {when:?}");
        }
    }
}
