//! Every wait of spc reports what it waits for and ends. All waits are in one table.

use super::one_offs;
use super::*;
use crate::apply::{lock, one_off};
use crate::engine::sim::{Fault, FaultEffect, FaultPoint};
use crate::engine::{EngineError, EngineErrorKind};
use crate::model::plan::WaitCondition;

/// A wait that does not end by itself.
struct WaitCase {
    /// What the run waits for.
    name: &'static str,
    machine: fn() -> Machine,
    work: fn(&Machine) -> Result<(), Failure>,
    /// A part of the reports meanwhile.
    says: &'static str,
    /// The result.
    ends: (Kind, &'static str),
    /// In virtual time.
    within: Duration,
}

const MINUTE: Duration = Duration::from_secs(60);

fn hang(machine: &Machine, method: &str) {
    machine.engine.fault(Fault { on: FaultPoint::method(method, 1), effect: FaultEffect::Hang });
}

fn fail(machine: &Machine, method: &str, times: u64, kind: EngineErrorKind, words: &str) {
    for nth in 1..=times {
        let effect = FaultEffect::FailBefore(EngineError::new(kind, words));
        machine.engine.fault(Fault { on: FaultPoint::method(method, nth), effect });
    }
}

/// A stack of one service with these keys.
fn one(name: &str, image: &str, more: Value) -> Value {
    let mut service = json!({ "image": image });
    service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "services": { name: service } })
}

fn up(machine: &Machine, description: &Value) -> Result<(), Failure> {
    machine.up(description).map(drop)
}

/// `shop` is up, and this call hangs in the next run.
fn then_hangs(method: &str) -> Machine {
    let machine = machine();
    machine.up(&shop()).unwrap();
    hang(&machine, method);
    machine
}

fn hangs(method: &str) -> Machine {
    let machine = machine();
    hang(&machine, method);
    machine
}

/// A job that fails at once, again and again.
fn failing_job() -> Machine {
    machine_with(1, |builder| builder.process("migrate", Process::new().exits_after(millis(10), 1)))
}

/// `web`, and a job that it depends on.
fn behind_a_job(job: Value) -> Value {
    let mut description = one(
        "web",
        "web:1",
        json!({"depends_on": {"job": {"condition": "service_completed_successfully"}}}),
    );
    description["services"]["job"] = one("job", "job:1", job)["services"]["job"].clone();
    description
}

fn wait_for(machine: &Machine, service: &str, until: WaitCondition) -> Result<(), Failure> {
    let id = machine.state().container(&format!("{PROJECT}-{service}-1")).unwrap().id.clone();
    machine.run(verbs::wait(&machine.ctx(), PROJECT, service, None, &[id], until, None))
}

fn waits_for_locks() -> Vec<WaitCase> {
    vec![
        WaitCase {
            name: "the lock of a run at work",
            machine,
            work: |machine| {
                let held = machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
                let result = up(machine, &shop());
                machine.run(held.release()).unwrap();
                result
            },
            says: "changes this project",
            ends: (Kind::Lock, "The project \"shop\" is locked: operator@simulation"),
            within: secs(125),
        },
        WaitCase {
            name: "a lock that the engine refuses though nobody has it",
            machine: || {
                let machine = machine();
                fail(&machine, "container_create", 100, EngineErrorKind::Conflict, "Forbidden");
                machine
            },
            work: |machine| up(machine, &shop()),
            says: "no run holds the lock; spc tries again after this error: Could not take the project's lock: Forbidden",
            ends: (Kind::Conflict, "Could not take the project's lock: Forbidden"),
            within: secs(8),
        },
        WaitCase {
            name: "a left lock that the engine does not remove",
            machine: || {
                let machine = machine();
                machine
                    .executor
                    .process(|| {
                        let _lock =
                            machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
                        machine.executor.kill_here(SimTaskExecutor::current_process());
                    })
                    .unwrap();
                fail(
                    &machine,
                    "container_remove",
                    1000,
                    EngineErrorKind::Conflict,
                    "removal of container x is already in progress",
                );
                machine
            },
            work: |machine| up(machine, &shop()),
            says: "whose process is gone: taken over",
            ends: (Kind::Lock, "The project \"shop\" is locked: operator@simulation"),
            within: secs(125),
        },
    ]
}

fn waits_for_ready_containers() -> Vec<WaitCase> {
    vec![
        WaitCase {
            name: "a container whose check never passes",
            machine: || {
                machine_with(1, |builder| {
                    builder.process("web", Process::new().ready_after(secs(9000)))
                })
            },
            work: |machine| {
                up(machine, &one("web", "web:1", json!({"healthcheck": check("curl")})))
            },
            says: "probing, exit code 1, for 4",
            ends: (Kind::Unhealthy, "\"web\" is not ready after 1 m"),
            within: secs(65),
        },
        WaitCase {
            name: "a container that only the engine asks",
            machine: || {
                machine_with(1, |builder| {
                    builder.process("web", Process::new().ready_after(secs(9000)))
                })
            },
            work: |machine| {
                up(
                    machine,
                    &one(
                        "web",
                        "web:1",
                        json!({"healthcheck": check("curl"), "x-spc-probe": "engine"}),
                    ),
                )
            },
            says: "waiting for the engine's health check, for 4",
            ends: (Kind::Unhealthy, "\"web\" is not ready after 1 m"),
            within: secs(65),
        },
        WaitCase {
            name: "a container that exits again and again",
            machine: || {
                machine_with(1, |builder| {
                    builder.process("web", Process::new().exits_after(millis(10), 1))
                })
            },
            work: |machine| up(machine, &one("web", "web:1", json!({"restart": "always"}))),
            says: "exited with code 1, the engine starts it again",
            ends: (Kind::Unhealthy, "\"web\" exited 3 times with code 1"),
            within: secs(5),
        },
        WaitCase {
            name: "an engine that comes back too late",
            machine: || {
                let machine = machine_with(1, |builder| {
                    builder.process("web", Process::new().ready_after(secs(9000)))
                });
                fail(
                    &machine,
                    "container_inspect",
                    1000,
                    EngineErrorKind::Unreachable,
                    "the Docker Engine is not running",
                );
                machine
            },
            // Without the lock, which would be the first call.
            work: |machine| {
                let id = machine
                    .run(machine.ctx().engine.container_create(
                        "shop-web-1",
                        None,
                        image_body("web:1"),
                    ))
                    .unwrap()
                    .id;
                machine.run(verbs::wait(
                    &machine.ctx(),
                    PROJECT,
                    "web",
                    None,
                    &[id],
                    WaitCondition::Ready,
                    None,
                ))
            },
            says: "to be ready: the engine does not answer",
            ends: (Kind::Engine, "The Docker Engine is not running"),
            within: secs(35),
        },
    ]
}

fn waits_for_jobs() -> Vec<WaitCase> {
    vec![
        WaitCase {
            name: "a job that fails and is started again without a limit",
            machine: failing_job,
            work: |machine| up(machine, &behind_a_job(json!({"restart": "on-failure"}))),
            says: "the last time with code 1",
            ends: (Kind::Unhealthy, "\"job\" exited 11 times with code 1"),
            within: secs(125),
        },
        WaitCase {
            name: "a job that fails and is started again for longer than it may",
            machine: failing_job,
            work: |machine| {
                let options = UpOptions { timeout: Some(secs(20)), ..UpOptions::default() };
                machine.up_with(&behind_a_job(json!({"restart": "on-failure"})), &options).map(drop)
            },
            says: "exited with code 1, the engine starts it again",
            ends: (
                Kind::Timeout,
                "\"job\" has not completed after 20 s: it exited 8 times, the last time with code 1",
            ),
            within: secs(25),
        },
        WaitCase {
            name: "a job that fails and is started again three times",
            machine: failing_job,
            work: |machine| up(machine, &behind_a_job(json!({"restart": "on-failure:3"}))),
            says: "exited with code 1, the engine starts it again",
            ends: (Kind::Unhealthy, "\"job\" exited 4 times with code 1"),
            within: secs(5),
        },
        WaitCase {
            name: "a job that takes longer than it may",
            machine: || machine_with(1, |builder| builder.process("migrate", Process::new())),
            work: |machine| {
                let options = UpOptions { timeout: Some(secs(90)), ..UpOptions::default() };
                machine.up_with(&behind_a_job(json!({})), &options).map(drop)
            },
            says: "running, for 4",
            ends: (Kind::Timeout, "\"job\" has not completed after 1 m 30 s"),
            within: secs(95),
        },
        WaitCase {
            name: "the end of what is always started again",
            machine,
            work: |machine| {
                machine.up(&one("web", "web:1", json!({"restart": "unless-stopped"}))).unwrap();
                wait_for(machine, "web", WaitCondition::Completed)
            },
            says: "",
            ends: (
                Kind::Unhealthy,
                "\"web\" never completes: the engine starts it again whenever it ends",
            ),
            within: secs(2),
        },
        WaitCase {
            name: "a job on an engine that is gone without a word",
            machine: || machine_with(1, |builder| builder.process("migrate", Process::new())),
            work: |machine| {
                machine.up(&one("job", "job:1", json!({}))).unwrap();
                fail(
                    machine,
                    "container_inspect",
                    1000,
                    EngineErrorKind::Unreachable,
                    "the connection to the Docker Engine was lost",
                );
                wait_for(machine, "job", WaitCondition::Completed)
            },
            says: "",
            ends: (Kind::Engine, "The connection to the Docker Engine was lost"),
            within: secs(45),
        },
    ]
}

fn waits_for_objects_that_go() -> Vec<WaitCase> {
    vec![
        WaitCase {
            name: "a stop",
            machine: || then_hangs("container_stop"),
            work: |machine| machine.down(false).map(drop),
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not stop the container \"shop-web-1\""),
            within: secs(140),
        },
        WaitCase {
            name: "a removal",
            machine: || then_hangs("container_remove"),
            work: |machine| machine.down(false).map(drop),
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not remove the container \"shop-"),
            within: 11 * MINUTE,
        },
        WaitCase {
            name: "the removal of a network",
            machine: || then_hangs("network_remove"),
            work: |machine| machine.down(false).map(drop),
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not remove the network \"shop_"),
            within: 3 * MINUTE,
        },
        WaitCase {
            name: "the removal of a volume",
            machine: || then_hangs("volume_remove"),
            work: |machine| machine.down(true).map(drop),
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not remove the volume \""),
            within: 11 * MINUTE,
        },
        WaitCase {
            name: "the removal of a one-off container",
            machine: || {
                machine_with(1, |builder| {
                    builder.process("tool", Process::new().exits_after(millis(10), 0))
                })
            },
            work: |machine| {
                let description = one("web", "web:1", json!({}));
                machine.up(&description).unwrap();
                hang(machine, "container_remove");
                machine
                    .run(one_off::run(
                        &machine.ctx(),
                        &one_offs::of(&project(&description), "web", &["tool"]),
                    ))
                    .map(drop)
            },
            says: "removing the container \\\"shop-web-run-",
            ends: (Kind::Timeout, "Could not remove the container \"shop-web-run-"),
            within: 11 * MINUTE,
        },
    ]
}

fn waits_for_objects_that_come() -> Vec<WaitCase> {
    vec![
        WaitCase {
            name: "a new network",
            machine: || hangs("network_create"),
            work: |machine| up(machine, &shop()),
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not create the network \"shop_"),
            within: 3 * MINUTE,
        },
        WaitCase {
            name: "a new volume",
            machine: || hangs("volume_create"),
            work: |machine| up(machine, &shop()),
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not create the volume \"shop_data\""),
            within: 3 * MINUTE,
        },
        WaitCase {
            name: "a start",
            machine: || hangs("container_start"),
            work: |machine| up(machine, &shop()),
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not start the container \"shop-"),
            within: 3 * MINUTE,
        },
        WaitCase {
            name: "a restart",
            machine: || then_hangs("container_restart"),
            work: |machine| {
                let services = BTreeSet::from(["web".to_owned()]);
                machine
                    .run(verbs::lifecycle(
                        &machine.ctx(),
                        PROJECT,
                        &services,
                        verbs::Lifecycle::Restart,
                        None,
                    ))
                    .map(drop)
            },
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not restart the container \"shop-web-1\""),
            within: 3 * MINUTE,
        },
        WaitCase {
            name: "a secret that is delivered",
            // The first upload is the lock's heartbeat.
            machine: || {
                let machine = machine();
                machine.engine.fault(Fault {
                    on: FaultPoint::method("container_upload", 2),
                    effect: FaultEffect::Hang,
                });
                machine
            },
            work: |machine| up(machine, &shop()),
            says: "not done after 4",
            ends: (Kind::Timeout, "Could not "),
            within: 11 * MINUTE,
        },
        WaitCase {
            name: "a pull",
            machine: || hangs("image_pull"),
            work: |machine| up(machine, &one("web", "elsewhere:1", json!({}))),
            says: "no word from the registry for 4",
            ends: (
                Kind::Timeout,
                "The pull of \"elsewhere:1\" stalled: the engine reported nothing for 10 m",
            ),
            within: 11 * MINUTE,
        },
        WaitCase {
            name: "a build",
            machine: || {
                let mut machine = hangs("image_build");
                let host = SimHost::new(machine.executor.clone())
                    .with_file("/project/web/Dockerfile", "FROM web:1\n");
                machine.host = Arc::new(host);
                machine
            },
            work: |machine| up(machine, &one("web", "built:1", json!({"build": "./web"}))),
            says: "no output for 4",
            ends: (
                Kind::Timeout,
                "The build of \"built:1\" stalled: the engine reported nothing for 1 h",
            ),
            within: 61 * MINUTE,
        },
    ]
}

fn image_body(image: &str) -> bollard::models::ContainerCreateBody {
    bollard::models::ContainerCreateBody { image: Some(image.to_owned()), ..Default::default() }
}

#[test]
fn every_wait_says_what_it_waits_for_and_ends() {
    let mut wrong = Vec::new();
    let all = [
        waits_for_locks(),
        waits_for_ready_containers(),
        waits_for_jobs(),
        waits_for_objects_that_go(),
        waits_for_objects_that_come(),
    ];
    for WaitCase { name, machine, work, says, ends: (kind, message), within } in
        all.into_iter().flatten()
    {
        let machine = machine();
        let begun = machine.executor.now();
        let failure = work(&machine).expect_err(name);
        let took = machine.executor.now().saturating_sub(begun);
        if (failure.kind, failure.message.starts_with(message)) != (kind, true) {
            wrong.push(format!("{name} ended with {:?}: {failure}", failure.kind));
        }
        if took > within {
            wrong.push(format!("{name} took {took:?}"));
        }
        if !machine.reported().contains(says) {
            wrong.push(format!("{name} did not say {says:?}: {}", machine.reported()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_long_job_is_awaited_and_reported_periodically() {
    let machine = machine_with(1, |builder| {
        builder.process("migrate", Process::new().exits_after(secs(3600), 0))
    });
    machine.up(&behind_a_job(json!({}))).unwrap();
    let reported = machine.reported();
    let said: Vec<&str> =
        reported.split("running, for ").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(said.len(), 18, "after 4, 8, 16, … s, then every five minutes: {said:?}");
}

#[test]
fn a_call_that_the_engine_denies_fails_immediately() {
    for method in ["container_create", "network_create", "events", "container_list", "image_import"]
    {
        let machine = machine();
        let words = "a proxy or plugin in front of the Docker Engine forbids it (403): no";
        fail(&machine, method, 1000, EngineErrorKind::Denied, words);
        let failure = machine.up(&shop()).unwrap_err();
        assert!(failure.message.ends_with(words), "{method}: {failure}");
        assert!(machine.executor.now() < secs(5), "{method}");
    }
}

#[test]
fn ends_of_a_job_are_counted_alike_by_who_waited_and_by_who_came_later() {
    let machine = failing_job();
    let of = behind_a_job(json!({"restart": "on-failure:3"}));
    let waited = up(&machine, &of).unwrap_err();
    let later = wait_for(&machine, "job", WaitCondition::Completed).unwrap_err();
    assert_eq!(
        (waited.message, later.message.as_str()),
        (later.message.clone(), "\"job\" exited 4 times with code 1")
    );
}
