use super::*;
use crate::host::TaskExecutor;

fn trace(seed: u64) -> Vec<String> {
    let sim = SimTaskExecutor::new(seed);
    let executor = TaskExecutor::Sim(sim.clone());
    let seen = Mutex::new(Vec::new());
    let job = |name: &'static str, step: u64| -> Job<'_, ()> {
        let (sim, executor, seen) = (sim.clone(), executor.clone(), &seen);
        Box::new(move || {
            for round in 0..5 {
                executor.block_on(sim.sleep(Duration::from_millis(step)));
                seen.lock().push(format!("{name} {round} at {:?}", sim.now()));
            }
        })
    };
    executor.tasks(vec![job("a", 10), job("b", 10), job("c", 25)]).unwrap();
    seen.into_inner()
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn the_same_seed_gives_the_same_trace_a_thousand_times() {
    let first = trace(7);
    assert_eq!(first.len(), 15);
    for _ in 0..1000 {
        assert_eq!(trace(7), first);
    }
}

#[test]
fn another_seed_gives_another_order() {
    assert!((0..20).map(trace).collect::<BTreeSet<_>>().len() > 1);
}

#[test]
fn ten_minutes_pass_at_once() {
    let sim = SimTaskExecutor::new(1);
    sim.block_on(sim.sleep(Duration::from_secs(600)));
    assert_eq!(sim.now(), Duration::from_secs(600));
}

#[test]
fn a_background_future_continues_while_the_script_waits_and_ends_when_dropped() {
    let sim = SimTaskExecutor::new(1);
    let executor = TaskExecutor::Sim(sim.clone());
    let beats = Arc::new(Mutex::new(0));
    let background = {
        let (sim, beats) = (sim.clone(), beats.clone());
        executor.spawn(async move {
            loop {
                sim.sleep(Duration::from_secs(5)).await;
                *beats.lock() += 1;
            }
        })
    };
    sim.block_on(sim.sleep(Duration::from_secs(21)));
    assert_eq!(*beats.lock(), 4);
    drop(background);
    sim.block_on(sim.sleep(Duration::from_secs(21)));
    assert_eq!(*beats.lock(), 4);
}

#[test]
fn a_panic_in_one_task_leaves_the_others_running() {
    let sim = SimTaskExecutor::new(1);
    let executor = TaskExecutor::Sim(sim.clone());
    let quiet: Job<'_, u32> = Box::new(|| {
        sim.block_on(sim.sleep(Duration::from_secs(1)));
        3
    });
    let results = executor
        .tasks(vec![Box::new(|| std::panic::resume_unwind(Box::new("no"))), quiet])
        .unwrap();
    assert!(results[0].is_err());
    assert_eq!(*results[1].as_ref().unwrap(), 3);
}

#[test]
fn a_killed_process_stops_and_others_continue() {
    let sim = SimTaskExecutor::new(1);
    let executor = TaskExecutor::Sim(sim.clone());
    let seen = Mutex::new(Vec::new());
    let outcome = sim.process(|| {
        let step = |name: &'static str, time: u64| -> Job<'_, ()> {
            let (sim, executor, seen) = (sim.clone(), executor.clone(), &seen);
            Box::new(move || {
                executor.block_on(sim.sleep(Duration::from_secs(time)));
                seen.lock().push(name);
                if name == "killer" {
                    sim.kill(SimTaskExecutor::current_process());
                    executor.block_on(std::future::ready(()));
                    seen.lock().push("the killer lived");
                }
            })
        };
        let results =
            executor.tasks(vec![step("first", 1), step("killer", 2), step("late", 3)]).unwrap();
        seen.lock().push("its parent lived");
        results.len()
    });
    assert_eq!(outcome, Ok(None));
    assert_eq!(*seen.lock(), ["first", "killer"]);
    assert_eq!(sim.process(|| 7), Ok(Some(7)));
    sim.block_on(sim.sleep(Duration::from_secs(1)));
    assert_eq!(sim.now(), Duration::from_secs(3));
}

#[test]
fn a_panic_of_a_process_reaches_the_caller() {
    let sim = SimTaskExecutor::new(1);
    let work = || -> () { std::panic::resume_unwind(Box::new("no")) };
    let panic =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| sim.process(work))).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"no"));
}

#[test]
fn waiting_for_what_cannot_come_cancels_the_run() {
    let sim = SimTaskExecutor::new(1);
    sim.block_on(sim.stalled().cancelled());
}
