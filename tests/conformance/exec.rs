//! Exec: processes in running containers.

use bytes::Bytes;
use futures::stream::StreamExt;
use spc::engine::exec_processes::{EndSignal, end_command, mark};
use spc::engine::{EngineErrorKind as Kind, ExecRequest};

use super::case::{Case, Outcome, kind, owned};
use super::commands::{ANNOUNCE, COPY, FAIL, MISSING, PROMPT, SAY, SERVE, STUBBORN, SUCCEED, WHO};

fn request(command: &[&str]) -> ExecRequest {
    ExecRequest { command: owned(command), ..Default::default() }
}

pub async fn exec_output_is_complete_and_the_exit_code_known_when_it_ends(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let said = Outcome { code: 0, stdout: "one\ntwo\nthree\n".into(), stderr: "oops\n".into() };
    assert_eq!(case.exec(&name, SAY).await, said);
    // Repeated, because the engine stores the exit code shortly after it closes the output.
    for _ in 0..20 {
        assert_eq!(
            case.exec(&name, FAIL).await,
            Outcome { code: 3, stdout: String::new(), stderr: String::new() }
        );
    }
}

pub async fn an_exec_uses_the_requested_environment_user_and_directory(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let request = ExecRequest {
        environment: vec!["GREETING=good day".into()],
        user: Some("1000".into()),
        working_dir: Some("/tmp".into()),
        ..request(WHO)
    };
    let session = case.engine.exec_start(&name, &request).await.unwrap();
    assert!(session.input.is_none(), "input was not asked for");
    assert_eq!(case.outcome(session).await.stdout, "good day\n/tmp\n1000\n");
}

pub async fn exec_input_reaches_the_process_until_it_is_closed(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let mut session =
        case.engine.exec_start(&name, &ExecRequest { stdin: true, ..request(COPY) }).await.unwrap();
    let mut input = session.input.take().unwrap();
    input.write(Bytes::from_static(b"first\n")).await.unwrap();
    input.write(Bytes::from_static(b"second")).await.unwrap();
    input.close().await.unwrap();
    assert_eq!(
        case.outcome(session).await,
        Outcome { code: 0, stdout: "first\nsecond".into(), stderr: String::new() }
    );
}

pub async fn an_exec_that_ignores_its_input_still_ends(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let session = case
        .engine
        .exec_start(&name, &ExecRequest { stdin: true, ..request(SUCCEED) })
        .await
        .unwrap();
    assert_eq!(case.outcome(session).await.code, 0);
}

pub async fn an_exec_with_a_terminal_has_one_raw_output(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let session =
        case.engine.exec_start(&name, &ExecRequest { tty: true, ..request(PROMPT) }).await.unwrap();
    assert_eq!(
        case.outcome(session).await,
        Outcome { code: 0, stdout: "prompt>".into(), stderr: String::new() }
    );
}

pub async fn a_command_that_does_not_exist_ends_with_126_or_127(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let outcome = case.exec(&name, MISSING).await;
    assert!(matches!(outcome.code, 126 | 127), "{outcome:?}");
    assert!((outcome.stdout + outcome.stderr.as_str()).contains("no-such-command"));
}

pub async fn an_exec_in_a_stopped_container_is_a_conflict(case: &Case<'_>) {
    let name = case.created("one", case.body(SERVE)).await;
    assert_eq!(kind(case.engine.exec_start(&name, &request(SUCCEED)).await), Kind::Conflict);
}

pub async fn an_unknown_exec_is_not_found(case: &Case<'_>) {
    assert_eq!(kind(case.engine.exec_inspect("0123456789abcdef").await), Kind::NotFound);
}

pub async fn dropping_an_exec_session_does_not_end_the_process(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let mut session = case.engine.exec_start(&name, &request(ANNOUNCE)).await.unwrap();
    let first = session.output.next().await.unwrap().unwrap();
    assert_eq!(first.bytes.as_ref(), b"ready\n");
    let id = session.id.clone();
    drop(session);
    let state = case.engine.exec_inspect(&id).await.unwrap();
    assert_eq!((state.running, state.exit_code), (true, None));
    let processes = case.engine.container_top(&name).await.unwrap().processes.unwrap();
    assert!(processes.iter().flatten().any(|cell| cell.contains("echo ready")), "{processes:?}");
}

/// Starts a command with a mark and waits until it runs. Returns the exec's id.
async fn marked(
    case: &Case<'_>,
    container: &str,
    command: &[&str],
    mark: &str,
    user: Option<&str>,
) -> String {
    let request = ExecRequest {
        environment: vec![mark.to_owned()],
        user: user.map(str::to_owned),
        ..request(command)
    };
    let mut session = case.engine.exec_start(container, &request).await.unwrap();
    assert_eq!(session.output.next().await.unwrap().unwrap().bytes.as_ref(), b"ready\n");
    session.id.clone()
}

/// Sends a signal to the processes with the mark. Returns the number of processes.
async fn send(
    case: &Case<'_>,
    container: &str,
    mark: &str,
    signal: EndSignal,
    user: Option<&str>,
) -> u32 {
    let request = ExecRequest {
        command: end_command(mark, signal),
        user: user.map(str::to_owned),
        ..ExecRequest::default()
    };
    let mut session = case.engine.exec_start(container, &request).await.unwrap();
    let said = session.output.next().await.unwrap().unwrap().bytes;
    String::from_utf8_lossy(&said).trim().parse().unwrap()
}

/// Waits until an exec has ended. Returns its exit code.
async fn ended(case: &Case<'_>, container: &str, exec: &str) -> i64 {
    for _ in 0..500 {
        // No sleep is necessary: running a command takes time on both engines.
        case.exec(container, SUCCEED).await;
        let state = case.engine.exec_inspect(exec).await.unwrap();
        if !state.running {
            return state.exit_code.unwrap();
        }
    }
    panic!("it goes on");
}

pub async fn a_process_is_found_by_its_mark_and_terminated(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let (own, other) = (mark([1; 8]), mark([2; 8]));
    let exec = marked(case, &name, ANNOUNCE, &own, None).await;
    let beside = marked(case, &name, ANNOUNCE, &other, None).await;
    assert!(send(case, &name, &own, EndSignal::Term, None).await > 0);
    assert!(matches!(ended(case, &name, &exec).await, 143 | 137));
    assert!(
        case.engine.exec_inspect(&beside).await.unwrap().running,
        "what has another mark goes on"
    );
    assert!(case.is_running(&name).await);
    assert_eq!(send(case, &name, &own, EndSignal::Kill, None).await, 0, "nothing of it is left");
}

pub async fn a_process_of_another_user_is_not_signalled(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let own = mark([3; 8]);
    let exec = marked(case, &name, ANNOUNCE, &own, Some("1000")).await;
    assert_eq!(
        send(case, &name, &own, EndSignal::Kill, None).await,
        0,
        "its environment can't be read"
    );
    assert!(case.engine.exec_inspect(&exec).await.unwrap().running);
    assert!(send(case, &name, &own, EndSignal::Kill, Some("1000")).await > 0);
    assert_eq!(ended(case, &name, &exec).await, 137);
}

pub async fn a_process_is_found_by_user_name_or_user_id(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let own = mark([5; 8]);
    let exec = marked(case, &name, ANNOUNCE, &own, None).await;
    assert!(send(case, &name, &own, EndSignal::Kill, Some("0")).await > 0);
    assert_eq!(ended(case, &name, &exec).await, 137);
}

pub async fn a_process_that_ignores_term_is_killed(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let own = mark([4; 8]);
    let exec = marked(case, &name, STUBBORN, &own, None).await;
    assert!(send(case, &name, &own, EndSignal::Term, None).await > 0);
    assert!(case.engine.exec_inspect(&exec).await.unwrap().running);
    assert!(send(case, &name, &own, EndSignal::Kill, None).await > 0);
    assert_eq!(ended(case, &name, &exec).await, 137);
}
