//! What containers wrote.

use super::*;

fn text(bed: &EngineFixture, request: LogsRequest) -> String {
    bed.run(async {
        let log = bed.engine.container_logs("web", &request).await.unwrap();
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
    let bed = bed(|builder| builder.process("app:1", process));
    bed.up("web", body("app:1"));
    bed
}

#[test]
fn a_log_grows_with_time_and_is_cut_as_asked() {
    let bed = talking();
    bed.pass(3.0);
    assert_eq!(text(&bed, LogsRequest::default()), "starting\nready\n");
    assert_eq!(text(&bed, LogsRequest { tail: Some(1), ..LogsRequest::default() }), "ready\n");
    let at = |seconds| Some(crate::host::sim::epoch() + Duration::from_secs(seconds));
    assert_eq!(text(&bed, LogsRequest { since: at(2), ..LogsRequest::default() }), "ready\n");
    assert_eq!(text(&bed, LogsRequest { until: at(1), ..LogsRequest::default() }), "starting\n");
}

#[test]
fn following_ends_with_the_container() {
    let bed = talking();
    assert_eq!(
        text(&bed, LogsRequest { follow: true, ..LogsRequest::default() }),
        "starting\nready\noops\n"
    );
    assert!(bed.executor.now() >= Duration::from_secs(6));
}

#[test]
fn times_stand_before_lines() {
    let bed = talking();
    let line = text(&bed, LogsRequest { timestamps: true, ..LogsRequest::default() });
    assert!(line.starts_with("2026-01-01T00:00:00.") && line.ends_with("Z starting\n"), "{line}");
    assert_eq!(line.split(' ').next().unwrap().len(), "2026-01-01T00:00:00.000000000Z".len());
}

#[test]
fn nginx_logs_the_traffic_that_is_said_while_it_runs() {
    let bed = bed(|builder| {
        builder
            .image("local/nginx:1", ImageSpec::command(&["nginx"]))
            .image("api:v1", ImageSpec::command(&["serve"]))
    });
    let figures = TrafficStats { error_rate: 0.5, p95_ms: 80.0 };
    let traffic = Traffic { rps: 10.0, by_release: [("v1".to_owned(), figures)].into() };
    bed.up("web", body("local/nginx:1"));
    bed.pass(5.0);
    bed.engine.set_traffic(traffic);
    bed.pass(1.0);
    let labels = [("com.docker.compose.service".to_owned(), "api".to_owned())];
    bed.up("api", ContainerCreateBody { labels: Some(labels.into()), ..body("api:v1") });
    let since = crate::host::sim::epoch() + bed.executor.now() + Duration::from_secs(1);
    bed.pass(10.0);
    let statuses = |text: &str, status: u16| text.matches(&format!("\"status\":{status}")).count();
    let all = text(&bed, LogsRequest::default());
    assert!(statuses(&all, 502) >= 9, "before there was who could answer");
    assert!(
        (45..=50).contains(&statuses(&all, 500)) && (45..=50).contains(&statuses(&all, 200)),
        "{all}"
    );
    let late = text(&bed, LogsRequest { since: Some(since), ..LogsRequest::default() });
    assert!(
        late.lines().count() < all.lines().count()
            && statuses(&late, 502) == 0
            && all.ends_with(&late)
    );
    assert_eq!(
        text(&bed, LogsRequest { tail: Some(2), ..LogsRequest::default() }).lines().count(),
        2
    );
    assert_eq!(bed.engine.releases("api"), ["v1"]);
    bed.run(bed.engine.container_kill("api", "KILL")).unwrap();
    bed.pass(1.0);
    assert_eq!(bed.engine.releases("api"), Vec::<String>::new());
}
