//! The output of containers.

use super::*;

fn text(fixture: &EngineFixture, request: LogsRequest) -> String {
    fixture.run(async {
        let log = fixture.engine.container_logs("web", &request).await.unwrap();
        let chunks: Vec<crate::engine::OutputChunk> = log.try_collect().await.unwrap();
        chunks.iter().map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()).collect()
    })
}

fn talking() -> EngineFixture {
    let second = Duration::from_secs;
    let process = Process::new()
        .says(second(0), "starting")
        .says(second(2), "ready")
        .complains(second(4), "oops")
        .exits_after(second(6), 1);
    let fixture = fixture(|builder| builder.process("app:1", process));
    fixture.up("web", body("app:1"));
    fixture
}

#[test]
fn a_log_grows_with_time_and_is_cut_as_asked() {
    let fixture = talking();
    fixture.pass(3.0);
    assert_eq!(text(&fixture, LogsRequest::default()), "starting\nready\n");
    assert_eq!(text(&fixture, LogsRequest { tail: Some(1), ..LogsRequest::default() }), "ready\n");
    let at = |seconds| Some(crate::host::sim::epoch() + Duration::from_secs(seconds));
    assert_eq!(text(&fixture, LogsRequest { since: at(2), ..LogsRequest::default() }), "ready\n");
    assert_eq!(
        text(&fixture, LogsRequest { until: at(1), ..LogsRequest::default() }),
        "starting\n"
    );
}

#[test]
fn following_ends_with_the_container() {
    let fixture = talking();
    assert_eq!(
        text(&fixture, LogsRequest { follow: true, ..LogsRequest::default() }),
        "starting\nready\noops\n"
    );
    assert!(fixture.executor.now() >= Duration::from_secs(6));
}

#[test]
fn timestamps_precede_log_lines() {
    let fixture = talking();
    let line = text(&fixture, LogsRequest { timestamps: true, ..LogsRequest::default() });
    assert!(line.starts_with("2026-01-01T00:00:00.") && line.ends_with("Z starting\n"), "{line}");
    assert_eq!(line.split(' ').next().unwrap().len(), "2026-01-01T00:00:00.000000000Z".len());
}

#[test]
fn nginx_logs_the_configured_traffic_while_it_runs() {
    let fixture = fixture(|builder| {
        builder
            .image("local/nginx:1", ImageSpec::command(&["nginx"]))
            .image("api:v1", ImageSpec::command(&["serve"]))
    });
    let figures = TrafficStats { error_rate: 0.5, p95_ms: 80.0 };
    let traffic = Traffic { rps: 10.0, by_release: [("v1".to_owned(), figures)].into() };
    fixture.up("web", body("local/nginx:1"));
    fixture.pass(5.0);
    fixture.engine.set_traffic(traffic);
    fixture.pass(1.0);
    let labels = [("com.docker.compose.service".to_owned(), "api".to_owned())];
    fixture.up("api", ContainerCreateBody { labels: Some(labels.into()), ..body("api:v1") });
    let since = crate::host::sim::epoch() + fixture.executor.now() + Duration::from_secs(1);
    fixture.pass(10.0);
    let statuses = |text: &str, status: u16| text.matches(&format!("\"status\":{status}")).count();
    let all = text(&fixture, LogsRequest::default());
    assert!(statuses(&all, 502) >= 9, "before there was who could answer");
    assert!(
        (45..=50).contains(&statuses(&all, 500)) && (45..=50).contains(&statuses(&all, 200)),
        "{all}"
    );
    let late = text(&fixture, LogsRequest { since: Some(since), ..LogsRequest::default() });
    assert!(
        late.lines().count() < all.lines().count()
            && statuses(&late, 502) == 0
            && all.ends_with(&late)
    );
    assert_eq!(
        text(&fixture, LogsRequest { tail: Some(2), ..LogsRequest::default() }).lines().count(),
        2
    );
    assert_eq!(fixture.engine.releases("api"), ["v1"]);
    fixture.run(fixture.engine.container_kill("api", "KILL")).unwrap();
    fixture.pass(1.0);
    assert_eq!(fixture.engine.releases("api"), Vec::<String>::new());
}
