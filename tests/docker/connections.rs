//! Connections to the engine: each one closes when its call ends, and a lost one is reported.

use futures::stream::{StreamExt, TryStreamExt};
use spc::engine::{
    BuildEvent, BuildRequest, Engine, EngineErrorKind as Kind, ExecRequest, LogsRequest,
};

use super::relay::{Relay, THROUGH};
use super::{engine, run_on};
use crate::conformance::builds::{built, request};
use crate::conformance::case::owned;
use crate::conformance::commands::{ANNOUNCE, DEAF, SERVE};

/// The response of an engine without BuildKit.
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_wait_stream_or_session_closes_its_connection() {
    let mut relay = Relay::to(&engine().await, THROUGH);
    let engine = relay.engine().await;
    run_on(&engine, "dropped_calls", async |case| {
        let name = case.started("one", SERVE).await;
        relay.until_open(0).await;

        let mut wait = engine.container_wait(&name);
        assert!(futures::poll!(&mut wait).is_pending());
        let mut events = engine.events(&case.filter(), None).await.unwrap();
        let mut log = engine
            .container_logs(&name, &LogsRequest { follow: true, ..Default::default() })
            .await
            .unwrap();
        assert!(
            futures::poll!(events.next()).is_pending() && futures::poll!(log.next()).is_pending()
        );
        let session = engine
            .exec_start(&name, &ExecRequest { command: owned(ANNOUNCE), ..Default::default() })
            .await
            .unwrap();
        let waited_first = {
            let all_open = std::pin::pin!(relay.until_open(4));
            matches!(
                futures::future::select(&mut wait, all_open).await,
                futures::future::Either::Left(_)
            )
        };
        assert!(!waited_first, "the container runs");
        drop((wait, events, log, session));
        relay.until_open(0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_or_dropped_build_closes_its_connections() {
    let mut relay = Relay::to(&engine().await, THROUGH);
    let engine = relay.engine().await;
    run_on(&engine, "dropped_build", async |case| {
        built(case, request(case, &format!("FROM {}\nCOPY note /\n", case.fixture.image))).await.unwrap();
        relay.until_open(0).await;

        let dockerfile = format!("FROM {}\nRUN echo begun; sleep 4223\n", case.fixture.image);
        let mut events = engine.image_build(BuildRequest { no_cache: true, ..request(case, &dockerfile) }).await.unwrap();
        while !matches!(events.next().await.unwrap().unwrap(), BuildEvent::Output(bytes) if bytes.starts_with(b"begun")) {}
        drop(events);
        relay.until_open(0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_the_engine_ends_events_and_fails_waits() {
    let relay = Relay::to(&engine().await, THROUGH);
    let through = relay.engine().await;
    run_on(&engine().await, "engine_gone", async |case| {
        let name = case.started("one", DEAF).await;
        let mut events = through.events(&case.filter(), None).await.unwrap();
        let session = through
            .exec_start(&name, &ExecRequest { command: owned(ANNOUNCE), ..Default::default() })
            .await
            .unwrap();
        let cut = async {
            // The third connection is the wait, so cutting the relay also breaks the wait.
            let mut relay = relay;
            relay.until_open(3).await;
            drop(relay);
        };
        let (waited, ()) = futures::join!(through.container_wait(&name), cut);
        assert_eq!(waited.unwrap_err().kind, Kind::Unreachable);
        let ended: Vec<_> = events.by_ref().try_collect::<Vec<_>>().await.unwrap();
        assert!(
            ended.iter().all(|event| event
                .action
                .as_deref()
                .is_some_and(|action| action.starts_with("exec_"))),
            "{ended:?}"
        );
        let _ = session.output.collect::<Vec<_>>().await;
        assert_eq!(through.container_inspect(&name).await.unwrap_err().kind, Kind::Unreachable);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_without_buildkit_builds_with_the_classic_builder() {
    let relay =
        Relay::to(&engine().await, |line| line.starts_with("POST /session ").then_some(NOT_FOUND));
    let engine = relay.engine().await;
    run_on(&engine, "classic_build", async |case| {
        let dockerfile = format!("FROM {}\nCOPY note /\nRUN echo built classically\n", case.fixture.image);
        let build = || BuildRequest { tags: vec![case.image_name("one"), case.image_name("two")], ..request(case, &dockerfile) };
        let first = built(case, BuildRequest { no_cache: true, ..build() }).await.unwrap();
        assert!(first.contains(&BuildEvent::Step("[3/4] RUN echo built classically".into())), "{first:?}");
        assert!(first.contains(&BuildEvent::Output("built classically\n".into())), "{first:?}");
        let Some(BuildEvent::Image(id)) = first.last() else { panic!("the last event is the image: {first:?}") };
        for tag in ["one", "two"] {
            assert_eq!(engine.image_inspect(&case.image_name(tag)).await.unwrap().id.as_ref(), Some(id));
        }
        let second = built(case, build()).await.unwrap();
        assert!(second.contains(&BuildEvent::Cached("[3/4] RUN echo built classically".into())), "{second:?}");
        assert_eq!(first.last(), second.last());

        let secrets = std::collections::BTreeMap::from([("key".to_owned(), "the value".into())]);
        let error = built(case, BuildRequest { secrets, ..build() }).await.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(error.message.contains("need BuildKit, and the engine does not have it") && error.hint.is_some(), "{error:?}");

        let failing = format!("FROM {}\nRUN echo about to fail && exit 3\n", case.fixture.image);
        let error = built(case, request(case, &failing)).await.unwrap_err();
        assert_eq!(error.kind, Kind::Failed);
        assert_eq!(error.message, "\"[2/3] RUN echo about to fail && exit 3\" failed with exit code 3; its last output:\n  about to fail");
    })
    .await;
}
