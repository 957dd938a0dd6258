//! Logs of several containers, read and followed.

use chrono::{DateTime, Utc};
use futures::StreamExt;
use similar_asserts::assert_eq;

use super::*;
use crate::apply::logs::{LogQuery, Selection, read};
use crate::engine::sim::{Fault, FaultEffect, FaultPoint};
use crate::engine::{Engine, EngineError, EngineErrorKind, StopRequest};
use crate::host::sim::date;

fn all() -> Selection {
    Selection::Project { project: PROJECT.to_owned(), services: None }
}

const FOLLOW: LogQuery = LogQuery { follow: true, tail: None, since: None, until: None };

/// A process that writes a line of this word and a number every `step`, from `first` on, so many
/// times.
fn counting(word: &str, first: Duration, step: Duration, times: u32) -> Process {
    (0..times).fold(Process::new(), |process, at| {
        process.says(first + step * at, &format!("{word} {at}"))
    })
}

/// Services that run these processes, by name.
fn services(processes: Vec<(&str, Process)>) -> (Machine, Value) {
    let names: Vec<String> = processes.iter().map(|(name, _)| (*name).to_owned()).collect();
    let machine = machine_with(1, |builder| {
        processes
            .into_iter()
            .fold(builder, |builder, (name, process)| builder.process(name, process))
    });
    let of = |name: &String| (name.clone(), json!({"image": "web:1", "stop_grace_period": "0s"}));
    (machine, json!({ "services": names.iter().map(of).collect::<serde_json::Map<_, _>>() }))
}

impl Machine {
    /// The lines as they are printed: `a-1 text`.
    fn log(&self, selection: Selection, query: LogQuery) -> Result<Vec<String>, Failure> {
        self.run(async {
            let mut lines = read(&self.ctx(), selection, query).await?;
            let mut all = Vec::new();
            while let Some(line) = lines.next().await {
                let line = line?;
                all.push(format!("{} {}", line.from, line.text));
            }
            Ok(all)
        })
    }

    /// Follows the logs while `other` runs. Returns the lines.
    fn follow_while(&self, query: LogQuery, other: impl Future<Output = ()>) -> Vec<String> {
        let ctx = self.ctx();
        let lines = async {
            let lines = read(&ctx, all(), query).await.unwrap();
            lines
                .map(|line| line.unwrap())
                .map(|line| format!("{} {}", line.from, line.text))
                .collect::<Vec<_>>()
                .await
        };
        self.run(futures::future::join(lines, other)).0
    }

    fn now(&self) -> DateTime<Utc> {
        date(self.executor.now())
    }
}

/// The lines of one container, in their order.
fn of<'a>(lines: &'a [String], from: &str) -> Vec<&'a str> {
    lines.iter().filter_map(|line| line.strip_prefix(from)?.strip_prefix(' ')).collect()
}

fn numbered(word: &str, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|number| format!("{word} {number}")).collect()
}

#[test]
fn lines_of_several_services_come_in_the_order_of_the_engines_times() {
    let (machine, description) = services(vec![
        ("a", counting("a", millis(400), millis(11), 90)),
        ("b", counting("b", millis(400), millis(7), 140)),
    ]);
    machine.up(&description).unwrap();
    machine.pass(secs(3));
    let mut times = Vec::new();
    machine.run(async {
        let mut lines = read(&machine.ctx(), all(), LogQuery::default()).await.unwrap();
        while let Some(line) = lines.next().await {
            times.push(line.unwrap().time);
        }
    });
    assert_eq!(times.len(), 230);
    assert!(times.is_sorted());
    let some =
        Selection::Project { project: PROJECT.to_owned(), services: Some(["b".to_owned()].into()) };
    assert_eq!(of(&machine.log(some, LogQuery::default()).unwrap(), "b-1"), numbered("b", 0..140));
}

#[test]
fn followed_log_lines_arrive_in_the_order_of_their_timestamps() {
    let process =
        |word: &str, step| counting(word, millis(400), millis(step), 60).exits_after(secs(2), 0);
    let (machine, description) = services(vec![("a", process("a", 11)), ("b", process("b", 7))]);
    machine.up(&description).unwrap();
    let mut times = Vec::new();
    machine.run(async {
        let mut lines = read(&machine.ctx(), all(), FOLLOW).await.unwrap();
        while let Some(line) = lines.next().await {
            times.push(line.unwrap().time);
        }
    });
    assert_eq!(times.len(), 120);
    assert!(times.is_sorted());
}

#[test]
fn following_logs_survives_a_restart_without_duplicate_lines() {
    let (machine, description) =
        services(vec![("a", counting("a", millis(1), millis(100), 40)), ("b", Process::new())]);
    machine.up(&description).unwrap();
    let lines = machine.follow_while(FOLLOW, async {
        machine.executor.sleep(millis(1500)).await;
        machine.engine.container_restart("shop-a-1", &StopRequest::default()).await.unwrap();
        machine.executor.sleep(millis(1000)).await;
        machine.engine.container_stop("shop-a-1", &StopRequest::default()).await.unwrap();
        // Following waits, because the container may be started again.
        machine.executor.sleep(secs(9)).await;
        machine.engine.container_start("shop-a-1").await.unwrap();
        machine.executor.sleep(secs(5)).await;
        machine.engine.container_stop("shop-a-1", &StopRequest::default()).await.unwrap();
        machine.engine.container_stop("shop-b-1", &StopRequest::default()).await.unwrap();
    });
    assert_eq!(
        lines,
        machine.log(all(), LogQuery::default()).unwrap(),
        "all that was written, and each once"
    );
    assert_eq!(lines.iter().filter(|line| *line == "a-1 a 0").count(), 3, "of three starts");
}

#[test]
fn following_logs_survives_automatic_restarts_and_ends_with_the_last_container() {
    let crashing = counting("a", millis(1), millis(100), 5).exits_after(millis(700), 1);
    let (machine, description) = services(vec![("a", crashing)]);
    machine.up(&with(description, "services.a.restart", "on-failure:3")).unwrap();
    let begun = machine.executor.now();
    let lines = machine.follow_while(FOLLOW, async {});
    assert_eq!(of(&lines, "a-1"), [numbered("a", 0..5).as_slice(); 4].concat());
    assert!(
        machine.executor.now() < begun + secs(6),
        "nothing is waited for once it has ended by itself"
    );
}

#[test]
fn following_sees_what_is_started_later_and_what_replaces_a_container() {
    let (machine, description) = services(vec![
        ("a", counting("a", millis(1), millis(100), 20)),
        ("late", counting("late", millis(1), millis(100), 20)),
    ]);
    let mut one = description.clone();
    one["services"].as_object_mut().unwrap().remove("late");
    machine.up(&one).unwrap();
    let changed = with(
        with(description.clone(), "services.a.environment", json!({"A": "2"})),
        "services.late.environment",
        json!({}),
    );
    let lines = machine.follow_while(FOLLOW, async {
        machine.executor.sleep(secs(1)).await;
        verbs::up(&machine.ctx(), &project(&description), &UpOptions::default()).await.unwrap();
        machine.executor.sleep(secs(3)).await;
        verbs::up(&machine.ctx(), &project(&changed), &UpOptions::default()).await.unwrap();
        machine.executor.sleep(secs(3)).await;
        verbs::down(&machine.ctx(), PROJECT, DownOptions { volumes: false, adopt: false })
            .await
            .unwrap();
    });
    assert_eq!(of(&lines, "late-1"), numbered("late", 0..20));
    let of_a: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("a-1")).collect();
    assert_eq!(of_a.len(), 40, "of the first container and of its replacement: {lines:?}");
}

#[test]
fn following_logs_continues_after_an_engine_restart() {
    let (machine, description) = services(vec![("a", counting("a", millis(1), millis(100), 30))]);
    machine.up(&with(description, "services.a.restart", "unless-stopped")).unwrap();
    let lines = machine.follow_while(FOLLOW, async {
        machine.executor.sleep(secs(1)).await;
        machine.engine.restart(secs(20));
        machine.executor.sleep(secs(26)).await;
        machine.engine.container_stop("shop-a-1", &StopRequest::default()).await.unwrap();
    });
    assert_eq!(lines, machine.log(all(), LogQuery::default()).unwrap());
    assert_eq!(lines.iter().filter(|line| *line == "a-1 a 0").count(), 2);
    assert!(
        machine
            .logged()
            .iter()
            .any(|text| text.contains("was lost: spc continues to follow the logs")),
        "{:?}",
        machine.logged()
    );
}

#[test]
fn an_engine_that_stays_away_ends_the_following() {
    let (machine, description) = services(vec![("a", Process::new())]);
    machine.up(&description).unwrap();
    machine
        .engine
        .fault(Fault { on: FaultPoint::method("events", 1), effect: FaultEffect::Slow(secs(1)) });
    let ctx = machine.ctx();
    let (failure, ()) = machine.run(futures::future::join(
        async {
            let mut lines = read(&ctx, all(), FOLLOW).await.unwrap();
            while let Some(line) = lines.next().await {
                if let Err(failure) = line {
                    return failure;
                }
            }
            panic!("following ended well");
        },
        async {
            machine.executor.sleep(secs(10)).await;
            machine.engine.restart(secs(3600));
        },
    ));
    assert_eq!(
        failure.message,
        "The Docker Engine did not come back within 5 m: spc stopped following its logs"
    );
}

#[test]
fn a_log_that_breaks_off_is_read_on_where_it_is_followed_and_fails_where_it_is_not() {
    let (machine, description) =
        services(vec![("a", counting("a", millis(1), millis(100), 40).exits_after(secs(5), 0))]);
    machine.up(&description).unwrap();
    machine.pass(secs(1));
    let cut = || {
        machine.engine.fault(Fault {
            on: FaultPoint::method("container_logs", 1),
            effect: FaultEffect::StreamCut,
        })
    };
    cut();
    let failure = machine.log(all(), LogQuery::default()).unwrap_err();
    assert_eq!(failure.kind, Kind::Engine, "it is not taken for the end of the log");
    cut();
    assert_eq!(of(&machine.log(all(), FOLLOW).unwrap(), "a-1"), numbered("a", 0..40));
}

#[test]
fn a_log_that_can_t_be_read_is_warned_of_where_there_are_others() {
    let said = || Process::new().says(millis(1), "hi").exits_after(secs(3), 0);
    let (machine, description) = services(vec![("loud", said()), ("quiet", said())]);
    machine.up(&with(description, "services.quiet.logging", json!({"driver": "none"}))).unwrap();
    for query in [LogQuery::default(), LogQuery { tail: Some(3), ..LogQuery::default() }, FOLLOW] {
        assert_eq!(machine.log(all(), query).unwrap(), ["loud-1 hi"]);
        assert!(machine.logged().last().unwrap().starts_with(
            "Could not read the log of \"quiet-1\": its logging driver does not support reading; give the service `logging: { driver:"
        ));
        let quiet = Selection::Project {
            project: PROJECT.to_owned(),
            services: Some(["quiet".to_owned()].into()),
        };
        let failure = machine.log(quiet, query).unwrap_err();
        assert_eq!(
            failure.message,
            "Could not read the log of \"quiet-1\": its logging driver does not support reading"
        );
    }
    machine.engine.fault(Fault {
        on: FaultPoint::method("container_logs", 1),
        effect: FaultEffect::FailBefore(EngineError::new(
            EngineErrorKind::Server,
            "unexpected EOF",
        )),
    });
    assert_eq!(
        machine.log(all(), LogQuery::default()).unwrap_err().message,
        "Could not read the log of \"loud-1\": unexpected EOF"
    );
}

#[test]
fn a_tail_is_of_whole_lines_and_taken_after_the_times() {
    let long = format!("{} end", "x".repeat(50_000));
    let process =
        counting("a", millis(1), millis(100), 5).says(millis(600), &long).says(millis(700), &long);
    let (machine, description) =
        services(vec![("a", process.prints(millis(800), "tail").exits_after(millis(900), 0))]);
    machine.up(&description).unwrap();
    machine.pass(secs(2));
    let whole = machine.log(all(), LogQuery::default()).unwrap();
    assert_eq!(whole.len(), 8);
    assert_eq!(whole[7], "a-1 tail");
    for count in 0..=9_usize {
        let query = LogQuery { tail: Some(count as u64), ..LogQuery::default() };
        assert_eq!(
            machine.log(all(), query).unwrap(),
            whole[8_usize.saturating_sub(count)..],
            "{count}"
        );
        assert_eq!(
            machine.log(all(), LogQuery { follow: true, ..query }).unwrap(),
            whole[8_usize.saturating_sub(count)..],
            "{count}"
        );
    }
    // The third of the first five lines is the last one up to then.
    let until = machine.run(async {
        let lines = read(&machine.ctx(), all(), LogQuery::default()).await.unwrap();
        lines.map(|line| line.unwrap().time).collect::<Vec<_>>().await[2]
    });
    let query = LogQuery { tail: Some(2), until: Some(until), ..LogQuery::default() };
    assert_eq!(machine.log(all(), query).unwrap(), ["a-1 a 1", "a-1 a 2"]);
    assert_eq!(machine.log(all(), LogQuery { since: Some(until), ..query }).unwrap(), ["a-1 a 2"]);
}

#[test]
fn following_from_now_on_shows_nothing_older_and_ends_at_a_time() {
    let (machine, description) =
        services(vec![("a", counting("a", millis(1), millis(100), 50)), ("b", Process::new())]);
    machine.up(&description).unwrap();
    machine.pass(secs(1));
    let until = machine.now() + secs(2);
    let lines =
        machine.log(all(), LogQuery { tail: Some(0), until: Some(until), ..FOLLOW }).unwrap();
    let first: u32 = lines[0].rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!((12..17).contains(&first) && (15..25).contains(&lines.len()), "{lines:?}");
    assert_eq!(
        of(&lines, "a-1"),
        numbered("a", first..first + u32::try_from(lines.len()).unwrap())
    );
    let past = LogQuery { until: Some(machine.now() - secs(1)), ..FOLLOW };
    assert_eq!(
        of(&machine.log(all(), past).unwrap(), "a-1").first(),
        Some(&"a 0"),
        "what is past is shown, and nothing is waited for"
    );
}

#[test]
fn a_container_is_followed_by_its_name() {
    let (machine, description) = services(vec![
        ("a", counting("a", millis(1), millis(100), 20)),
        ("b", counting("b", millis(1), millis(100), 9)),
    ]);
    machine.up(&description).unwrap();
    let selection =
        Selection::Container { project: PROJECT.to_owned(), name: "shop-a-1".to_owned() };
    let ctx = machine.ctx();
    let (lines, ()) = machine.run(futures::future::join(
        async {
            read(&ctx, selection, FOLLOW)
                .await
                .unwrap()
                .map(|line| line.unwrap().text)
                .collect::<Vec<_>>()
                .await
        },
        async {
            machine.executor.sleep(secs(3)).await;
            let changed = with(description.clone(), "services.a.environment", json!({"A": "2"}));
            verbs::up(&machine.ctx(), &project(&changed), &UpOptions::default()).await.unwrap();
            machine.executor.sleep(secs(3)).await;
            machine.engine.container_stop("shop-a-1", &StopRequest::default()).await.unwrap();
        },
    ));
    assert_eq!(lines, [numbered("a", 0..20).as_slice(); 2].concat());
}

#[test]
fn following_what_does_not_run_shows_what_there_is_and_ends() {
    let (machine, description) =
        services(vec![("a", Process::new().says(millis(1), "done").exits_after(millis(500), 0))]);
    assert_eq!(machine.log(all(), FOLLOW).unwrap(), Vec::<String>::new());
    assert_eq!(machine.logged(), ["There is no container of \"shop\" whose log could be followed"]);
    machine.up(&description).unwrap();
    machine.pass(secs(5));
    let begun = machine.executor.now();
    assert_eq!(machine.log(all(), FOLLOW).unwrap(), ["a-1 done"]);
    assert!(machine.executor.now() < begun + secs(1));
}
