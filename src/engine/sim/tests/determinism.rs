//! The same seed gives the same history.

use std::collections::BTreeSet;

use super::*;
use crate::host::executor::Job;

/// Two tasks that create, start and probe in parallel, while health checks run.
fn history(seed: u64) -> (Vec<Call>, Vec<String>) {
    let executor = SimTaskExecutor::new(seed);
    let engine = SimEngine::builder(executor.clone())
        .image("app:1", ImageSpec::command(&["serve"]).with_volume("/data"))
        .process("app:1", Process::new().ready_after(Duration::from_millis(100)))
        .build();
    let tasks = TaskExecutor::Sim(executor);
    let job = |name: &'static str| -> Job<'_, ()> {
        let (engine, tasks) = (engine.clone(), tasks.clone());
        Box::new(move || {
            tasks
                .block_on(engine.container_create(
                    name,
                    None,
                    with_health("app:1", health(0.2, 0.1, 0.0, 2)),
                ))
                .unwrap();
            tasks.block_on(engine.container_start(name)).unwrap();
            for _ in 0..10 {
                let session = tasks
                    .block_on(engine.exec_start(name, &command(&["/bin/sh", "-c", "check"])))
                    .unwrap();
                tasks.block_on(session.output.try_collect::<Vec<_>>()).unwrap();
            }
        })
    };
    for result in tasks.tasks(vec![job("one"), job("two")]).unwrap() {
        assert!(result.is_ok());
    }
    (engine.calls(), engine.event_trace())
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn two_parallel_tasks_give_the_same_calls_and_events_a_thousand_times() {
    let first = history(7);
    assert_eq!(first.0.len(), 24);
    assert!(first.1.iter().any(|line| line.contains("health_status: healthy")));
    for _ in 0..1000 {
        assert_eq!(history(7), first);
    }
}

#[test]
fn another_seed_gives_another_history() {
    let orders: BTreeSet<Vec<String>> =
        (0..20).map(|seed| history(seed).0.into_iter().map(|call| call.target).collect()).collect();
    assert!(orders.len() > 1);
}
