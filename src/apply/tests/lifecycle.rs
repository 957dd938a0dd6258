//! `start`, `stop`, `restart` and `remove`: containers as they are.

use super::verbs::Lifecycle;
use super::*;
use crate::engine::{Engine, StopRequest};

fn all() -> BTreeSet<String> {
    BTreeSet::from(["db", "migrate", "redis", "web"].map(str::to_owned))
}

fn run_lifecycle(
    machine: &Machine,
    verb: Lifecycle,
    services: &BTreeSet<String>,
) -> Result<Outcome, Failure> {
    machine.run(verbs::lifecycle(&machine.ctx(), PROJECT, services, verb, None))
}

fn running() -> Machine {
    let machine = machine();
    machine.up(&shop()).unwrap();
    machine.pass(secs(30));
    machine
}

/// The lines about containers, the lock aside.
fn happened(machine: &Machine, first: usize, verb: &str) -> Vec<String> {
    let lines = machine.happened_from(first).into_iter();
    lines
        .filter(|line| !line.contains("spc-lock"))
        .filter_map(|line| line.strip_prefix(verb).map(|rest| rest.trim().to_owned()))
        .collect()
}

#[test]
fn stop_ends_dependents_first_and_start_begins_with_what_they_need() {
    let machine = running();
    let first = machine.events();
    run_lifecycle(&machine, Lifecycle::Stop, &all()).unwrap();
    let stopped = happened(&machine, first, "stop ");
    assert_eq!(stopped[0], "shop-web-1");
    assert_eq!(stopped.len(), 3, "the job had ended: {stopped:?}");
    let first = machine.events();
    run_lifecycle(&machine, Lifecycle::Start, &all()).unwrap();
    let started = happened(&machine, first, "start ");
    assert_eq!(started.len(), 3, "a completed job does not run again: {started:?}");
    assert_eq!(started[2], "shop-web-1");
    let calls = machine.calls();
    machine.up(&shop()).unwrap();
    assert!(machine.calls_from(calls).iter().all(|call| !call.mutates), "everything is ready");
}

#[test]
fn a_paused_container_is_not_taken_for_one_that_runs() {
    use crate::model::observed_state::ContainerState;
    use crate::model::reconcile;

    let machine = running();
    let mut observed = machine.run(verbs::look(&machine.ctx(), PROJECT)).unwrap();
    let db = observed.containers.iter_mut().find(|container| container.service == "db").unwrap();
    db.state = ContainerState::Paused;
    let stopped = BTreeSet::new();
    let failure = reconcile::start(PROJECT, &observed, &all(), &stopped).unwrap_err();
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (Kind::Conflict, "The container \"shop-db-1\" is paused")
    );
    assert_eq!(failure.hint.as_deref(), Some("resume it with `docker unpause shop-db-1`"));
    let others = BTreeSet::from(["redis".to_owned()]);
    assert!(!reconcile::start(PROJECT, &observed, &others, &stopped).unwrap().changes());
    // A restart lets it go on.
    assert!(reconcile::restart(PROJECT, &observed, &all(), &stopped).unwrap().changes());
}

#[test]
fn a_job_that_is_done_is_run_again_by_whoever_names_it() {
    let machine = running();
    let named = |verb| {
        let job = BTreeSet::from(["migrate".to_owned()]);
        machine
            .run(verbs::lifecycle_of(
                &machine.ctx(),
                PROJECT,
                &job,
                verbs::ServiceChoice::ByName,
                verb,
                None,
            ))
            .unwrap();
    };
    let starts = || {
        machine
            .state()
            .containers
            .iter()
            .find(|container| container.name == "shop-migrate-1")
            .unwrap()
            .starts
    };
    let before = starts();
    named(Lifecycle::Start);
    named(Lifecycle::Restart);
    assert_eq!(starts(), before + 2);
    let up = |services: Option<&[&str]>| {
        let services = services.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        machine.up_with(&shop(), &UpOptions { services, ..UpOptions::default() }).unwrap();
    };
    up(Some(&["migrate"]));
    assert_eq!(starts(), before + 3);
    up(Some(&["web"]));
    up(None);
    assert_eq!(starts(), before + 3, "what only others need is done");
}

#[test]
fn a_second_stop_or_start_changes_nothing() {
    let machine = running();
    assert_eq!(run_lifecycle(&machine, Lifecycle::Start, &all()).unwrap().changes, 0);
    run_lifecycle(&machine, Lifecycle::Stop, &all()).unwrap();
    assert_eq!(run_lifecycle(&machine, Lifecycle::Stop, &all()).unwrap().changes, 0);
}

#[test]
fn restart_ends_when_everything_is_ready_again() {
    let machine = running();
    let before = machine.executor.now();
    run_lifecycle(&machine, Lifecycle::Restart, &all()).unwrap();
    let took = machine.executor.now().saturating_sub(before);
    assert!(took > millis(700) && took < secs(5), "{took:?}");
    let state = machine.state();
    for (name, starts) in
        [("shop-db-1", 2), ("shop-migrate-1", 1), ("shop-redis-1", 2), ("shop-web-1", 2)]
    {
        assert_eq!(state.container(name).unwrap().starts, starts, "{name}");
    }
}

#[test]
fn a_job_that_failed_and_one_that_was_stopped_are_started_again() {
    for failed in [true, false] {
        let process =
            if failed { Process::new().exits_after(millis(100), 2) } else { Process::new() };
        let machine = machine_with(1, |builder| builder.process("migrate", process));
        let job = json!({"services": {"migrate": {"image": "job:1"}}});
        let services = BTreeSet::from(["migrate".to_owned()]);
        let result = machine.up(&job);
        assert_eq!(result.is_err(), failed);
        run_lifecycle(&machine, Lifecycle::Stop, &services).unwrap();
        machine.engine.set_process("migrate", Process::new().exits_after(millis(100), 0));
        run_lifecycle(&machine, Lifecycle::Start, &services).unwrap();
        let job = machine.state().container("shop-migrate-1").unwrap().clone();
        assert_eq!((job.starts, job.state, job.exit_code), (2, "exited", 0));
    }
}

#[test]
fn a_start_that_does_not_get_ready_says_so() {
    let machine = running();
    run_lifecycle(&machine, Lifecycle::Stop, &all()).unwrap();
    machine.engine.set_process(
        "db",
        Process::new()
            .ready_after(secs(9))
            .complains(millis(5), "no space")
            .exits_after(millis(100), 1),
    );
    let services = BTreeSet::from(["redis".to_owned(), "migrate".to_owned()]);
    run_lifecycle(&machine, Lifecycle::Start, &services).unwrap();
    let failure = machine
        .run(verbs::lifecycle(&machine.ctx(), PROJECT, &all(), Lifecycle::Start, Some(secs(3))))
        .unwrap_err();
    assert_eq!(failure.fields["service"], json!("db"));
    assert!(!machine.footprint().locked);
}

#[test]
fn start_leaves_containers_that_never_started_to_up() {
    let machine = machine();
    machine.engine.set_process("migrate", Process::new().exits_after(millis(100), 2));
    machine.up(&shop()).unwrap_err();
    assert_eq!(machine.state().container("shop-web-1").unwrap().state, "created");
    let services = BTreeSet::from(["web".to_owned()]);
    run_lifecycle(&machine, Lifecycle::Start, &services).unwrap();
    assert_eq!(
        machine.state().container("shop-web-1").unwrap().state,
        "created",
        "it may lack its secrets and networks"
    );
    assert_eq!(
        machine.logged().last().unwrap(),
        "shop-web-1 was never started: `up` finishes and starts it"
    );
}

#[test]
fn remove_takes_the_containers_and_leaves_the_rest() {
    let machine = running();
    run_lifecycle(
        &machine,
        Lifecycle::Remove { volumes: false },
        &BTreeSet::from(["web".to_owned(), "redis".to_owned()]),
    )
    .unwrap();
    let left = machine.footprint();
    assert_eq!(left.containers.keys().collect::<Vec<_>>(), ["shop-db-1", "shop-migrate-1"]);
    assert_eq!((left.networks.len(), left.volumes.len(), left.anonymous), (3, 1, 0));
    machine.up(&shop()).unwrap();
}

#[test]
fn what_spc_stopped_is_started_again_because_it_was_stopped() {
    let machine = machine();
    let described = with(shop(), "services.db.restart", "no");
    machine.up(&described).unwrap();
    machine.pass(secs(30));
    let causes = |machine: &Machine| -> Vec<String> {
        machine.seen.0.lock().clear();
        machine.up(&described).unwrap();
        let seen = machine.seen.0.lock();
        let causes = seen.iter().filter_map(|event| match event {
            Event::StepStarted { cause: Some(cause), .. } => Some(cause.to_string()),
            _ => None,
        });
        causes.collect()
    };
    run_lifecycle(&machine, Lifecycle::Stop, &all()).unwrap();
    assert_eq!(causes(&machine), ["stopped", "stopped", "stopped"]);
    // Somebody else stops one, and one that spc stopped is started again and crashes.
    machine.run(machine.engine.container_stop("shop-redis-1", &StopRequest::default())).unwrap();
    let db = BTreeSet::from(["db".to_owned()]);
    run_lifecycle(&machine, Lifecycle::Stop, &db).unwrap();
    machine.run(machine.engine.container_start("shop-db-1")).unwrap();
    machine.engine.end_process("shop-db-1", 3).unwrap();
    let mut causes = causes(&machine);
    causes.sort();
    assert_eq!(causes, ["exited with code 0", "exited with code 3"]);
}
