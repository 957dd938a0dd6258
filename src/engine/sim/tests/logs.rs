//! What containers wrote.

use super::*;

fn text(bed: &Bed, request: LogsRequest) -> String {
    bed.run(async {
        let log = bed.engine.container_logs("web", &request).await.unwrap();
        let chunks: Vec<crate::engine::OutputChunk> = log.try_collect().await.unwrap();
        chunks.iter().map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()).collect()
    })
}

fn talking() -> Bed {
    let second = Duration::from_secs;
    let process =
        Process::new().says(second(0), "starting").says(second(2), "ready").complains(second(4), "oops").exits_after(second(6), 1);
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
    let start = crate::host::sim::epoch().timestamp();
    assert_eq!(text(&bed, LogsRequest { since: Some(start + 2), ..LogsRequest::default() }), "ready\n");
    assert_eq!(text(&bed, LogsRequest { until: Some(start + 1), ..LogsRequest::default() }), "starting\n");
}

#[test]
fn following_ends_with_the_container() {
    let bed = talking();
    assert_eq!(text(&bed, LogsRequest { follow: true, ..LogsRequest::default() }), "starting\nready\noops\n");
    assert!(bed.conductor.now() >= Duration::from_secs(6));
}

#[test]
fn times_stand_before_lines() {
    let bed = talking();
    let line = text(&bed, LogsRequest { timestamps: true, ..LogsRequest::default() });
    assert!(line.starts_with("2026-01-01T00:00:00.") && line.ends_with("Z starting\n"), "{line}");
    assert_eq!(line.split(' ').next().unwrap().len(), "2026-01-01T00:00:00.000000000Z".len());
}
