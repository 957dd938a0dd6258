//! Cancelled commands in containers.

use similar_asserts::assert_eq;

use super::*;
use crate::apply::exec::{Exec, Input, exec};
use crate::engine::sim::{ExecAnswer, Fault, FaultEffect, FaultPoint};
use crate::engine::{Engine, ExecRequest};

/// A service with these answers of its commands; brings it up.
fn answering(process: Process) -> Machine {
    let machine = machine_with(1, |builder| builder.process("web", process));
    machine.up(&json!({"services": {"web": {"image": "web:1", "user": "1000"}}})).unwrap();
    machine
}

/// A command that never ends.
fn endless() -> ExecAnswer {
    ExecAnswer::default().saying(millis(10), "begun\n").running_on()
}

fn command(timeout: Option<Duration>) -> Exec<'static> {
    let request = ExecRequest { command: vec!["yes".to_owned()], ..ExecRequest::default() };
    Exec {
        container: "shop-web-1",
        name: "web",
        request,
        input: Input::None,
        output: None,
        timeout,
    }
}

impl Machine {
    /// The processes in the container, as `docker top` shows them.
    fn commands(&self) -> Vec<String> {
        let top = self.run(self.engine.container_top("shop-web-1")).unwrap();
        top.processes.unwrap().into_iter().filter_map(|row| row.last().cloned()).collect()
    }
}

#[test]
fn a_command_that_times_out_is_terminated_in_its_container() {
    for (answer, most) in [(endless(), secs(1)), (endless().ignoring_term(), secs(3))] {
        let machine = answering(Process::new().on_exec(move |_, _| Some(answer.clone())));
        let begun = machine.executor.now();
        let failure = machine.run(exec(&machine.ctx(), command(Some(secs(5))))).unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (Kind::Timeout, "The command in \"web\" did not end within 5 s")
        );
        assert_eq!(failure.hint.unwrap(), "spc ended it; set a longer `timeout`, or none");
        assert_eq!(machine.commands(), ["serve"]);
        assert!(machine.executor.now() < begun + secs(5) + most, "{:?}", machine.executor.now());
    }
}

#[test]
fn a_command_that_is_interrupted_is_ended_in_its_container() {
    for answer in [endless(), endless().ignoring_term()] {
        let machine = answering(Process::new().on_exec(move |_, _| Some(answer.clone())));
        let ctx = machine.ctx();
        let interrupt = async {
            machine.executor.sleep(secs(2)).await;
            ctx.cancel.cancel();
        };
        let (result, ()) = machine.run(futures::future::join(exec(&ctx, command(None)), interrupt));
        assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
        assert_eq!(machine.commands(), ["serve"]);
    }
}

#[test]
fn a_command_that_writes_too_much_is_ended_in_its_container() {
    let flood = ExecAnswer::default()
        .saying(millis(10), "x".repeat(40 << 20))
        .saying(millis(20), "x".repeat(40 << 20))
        .running_on();
    let machine = answering(Process::new().on_exec(move |_, _| Some(flood.clone())));
    let failure = machine.run(exec(&machine.ctx(), command(None))).unwrap_err();
    assert_eq!(failure.message, "The command in \"web\" writes more than 64 MiB");
    assert_eq!(machine.commands(), ["serve"]);
}

#[test]
fn a_command_with_a_lost_response_is_terminated_in_its_container() {
    for (method, effect) in
        [("exec_start", FaultEffect::ReplyLost), ("exec_start", FaultEffect::StreamCut)]
    {
        let machine = answering(Process::new().on_exec(|_, _| Some(endless())));
        machine.engine.fault(Fault { on: FaultPoint::method(method, 1), effect: effect.clone() });
        let failure = machine.run(exec(&machine.ctx(), command(None))).unwrap_err();
        assert_eq!(failure.kind, Kind::Engine, "{effect:?}");
        assert_eq!(machine.commands(), ["serve"], "{effect:?}");
    }
}

#[test]
fn a_command_that_can_not_be_terminated_is_reported_with_the_reason() {
    let machine = answering(Process::new().without_shell().on_exec(|_, _| Some(endless())));
    let failure = machine.run(exec(&machine.ctx(), command(Some(secs(1))))).unwrap_err();
    assert_eq!(
        failure.hint.unwrap(),
        "it is still running in the container (the container has no /bin/sh that could end it): restart the container to end it"
    );
    assert_eq!(machine.commands(), ["serve", "yes"]);
    let ctx = machine.ctx();
    let interrupt = async {
        machine.executor.sleep(secs(2)).await;
        ctx.cancel.cancel();
    };
    let (result, ()) = machine.run(futures::future::join(exec(&ctx, command(None)), interrupt));
    assert_eq!((result.unwrap_err().kind, machine.logged().len()), (Kind::Interrupted, 1));
    assert!(
        machine.logged()[0].starts_with("The command in \"web\" was abandoned and is still running in the container (the container has no /bin/sh")
    );
}

#[test]
fn a_command_of_any_user_is_terminated_in_a_container_of_another_user() {
    for (user, answer) in [
        (Some("0"), endless()),
        (Some("root"), endless()),
        (Some("1000"), endless()),
        (Some("1001:50"), endless()),
        (None, endless()),
        // As with `sudo`: the user that started the command may not kill it.
        (None, endless().becoming("0")),
        (Some("1001"), endless().becoming("0").ignoring_term()),
    ] {
        let machine = answering(Process::new().on_exec(move |_, _| Some(answer.clone())));
        let mut given_up = command(Some(secs(5)));
        given_up.request.user = user.map(str::to_owned);
        let failure = machine.run(exec(&machine.ctx(), given_up)).unwrap_err();
        assert_eq!(
            failure.hint.unwrap(),
            "spc ended it; set a longer `timeout`, or none",
            "{user:?}"
        );
        assert_eq!(machine.commands(), ["serve"], "{user:?}");
    }
}

#[test]
fn a_command_that_became_a_third_users_is_reported() {
    let machine = answering(Process::new().on_exec(|_, _| Some(endless().becoming("1234"))));
    let failure = machine.run(exec(&machine.ctx(), command(Some(secs(1))))).unwrap_err();
    let hint = "it is still running in the container (neither its user nor root finds its process there: it changed its user, or its environment, as `env -i` does): restart the container to end it";
    assert_eq!(failure.hint.unwrap(), hint);
    assert_eq!(machine.commands(), ["serve", "yes"]);
}

#[test]
fn giving_a_command_up_takes_no_longer_than_ten_seconds_whatever_the_engine_does() {
    let machine = answering(Process::new().on_exec(|_, _| Some(endless())));
    machine
        .engine
        .fault(Fault { on: FaultPoint::method("exec_start", 2), effect: FaultEffect::Hang });
    let begun = machine.executor.now();
    let failure = machine.run(exec(&machine.ctx(), command(Some(secs(1))))).unwrap_err();
    assert!(failure.hint.unwrap().contains("(it did not end in time)"));
    assert!(machine.executor.now() < begun + secs(12));
    assert_eq!(machine.logged(), ["Ending the command in \"web\", which was abandoned"]);
    // The engine answers again.
    machine.run(machine.engine.container_kill("shop-web-1", "KILL")).unwrap();
    machine.pass(secs(1));
}

#[test]
fn a_command_that_ends_by_itself_leaves_what_it_started() {
    let machine = answering(Process::new());
    let calls = machine.calls();
    machine.run(exec(&machine.ctx(), command(Some(secs(5))))).unwrap();
    let methods: Vec<_> = machine.calls_from(calls).iter().map(|call| call.method).collect();
    assert_eq!(methods, ["exec_start", "exec_inspect"], "nothing more is asked");
}

#[test]
fn a_health_check_that_times_out_is_terminated_too() {
    let hangs = |_: &ExecRequest, view: &mut crate::engine::sim::ProcessView| {
        (view.running_for < secs(3)).then(endless)
    };
    let machine = machine_with(1, |builder| builder.process("web", Process::new().on_exec(hangs)));
    machine
        .up(&json!({"services": {"web": {"image": "web:1", "healthcheck": check("check")}}}))
        .unwrap();
    let checks: Vec<_> =
        machine.commands().into_iter().filter(|command| command.contains("check")).collect();
    assert_eq!(checks, Vec::<String>::new());
}

#[test]
fn a_slow_command_is_reported_while_it_runs() {
    let mut slow = ExecAnswer::default();
    slow.takes = secs(45);
    let machine = answering(Process::new().on_exec(move |_, _| Some(slow.clone())));
    let mut exec_of_many_words = command(None);
    exec_of_many_words.request.command = ["pg_dump".to_owned(), "x".repeat(100)].into();
    machine.run(exec(&machine.ctx(), exec_of_many_words)).unwrap();
    let said: Vec<String> = machine
        .logged()
        .into_iter()
        .filter(|line| line.starts_with("waiting for the command"))
        .collect();
    let line = |time: &str| {
        format!(
            "waiting for the command \"pg_dump {}…\" in \"web\": not done after {time}",
            "x".repeat(52)
        )
    };
    assert_eq!(said, [line("4 s"), line("8 s"), line("16 s"), line("32 s")]);
}

#[test]
fn a_health_check_in_flight_is_ended_with_an_interrupted_run() {
    let machine = machine_with(1, |builder| {
        builder.process("web", Process::new().on_exec(|_, _| Some(endless())))
    });
    let ctx = machine.ctx();
    let interrupt = async {
        machine.executor.sleep(secs(2)).await;
        assert!(machine.engine.state().container("shop-web-1").is_some());
        ctx.cancel.cancel();
    };
    let description = json!({"services": {"web": {"image": "web:1", "healthcheck": {"test": "ask", "timeout": "1m", "interval": "1m"}}}});
    let (result, ()) = machine.up_while(&ctx, &description, interrupt);
    assert_eq!(result.unwrap_err().kind, Kind::Interrupted);
    assert_eq!(machine.commands(), ["serve"]);
}

#[test]
fn an_immediate_exit_kills_running_commands_first() {
    let machine = answering(Process::new().on_exec(|_, _| Some(endless().ignoring_term())));
    let ctx = machine.ctx();
    let leave = async {
        machine.executor.sleep(secs(2)).await;
        assert!(crate::apply::running_commands::is_any());
        crate::apply::running_commands::kill_all_of(&ctx.engine).await;
    };
    let (result, ()) =
        machine.run(futures::future::join(exec(&ctx, command(Some(secs(60)))), leave));
    assert!(result.is_ok(), "its end is known: {result:?}");
    assert_eq!(machine.commands(), ["serve"]);
}
