use super::*;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::host::HostErrorKind;
use crate::policy::SEARCH_PATH;

/// The command as the policy would pass it on: with the file of its program, in the root folder,
/// with only a search path as environment.
fn request(command: &[&str]) -> CommandRequest {
    let candidates = SEARCH_PATH.split(':').map(|folder| Path::new(folder).join(command[0]));
    CommandRequest {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        program: candidates
            .into_iter()
            .find(|file| file.is_file())
            .map(|file| file.canonicalize().unwrap()),
        environment: [("PATH".to_owned(), SEARCH_PATH.to_owned())].into(),
        working_dir: PathBuf::from("/"),
        stdin: None,
    }
}

/// The output of both streams, and the exit code at the end.
async fn run(request: &CommandRequest) -> (String, String, i64) {
    let events: Vec<_> =
        spawn(&Roots::default(), request).unwrap().map(Result::unwrap).collect().await;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    for event in &events {
        match event {
            CommandEvent::Stdout(bytes) => stdout.extend_from_slice(bytes),
            CommandEvent::Stderr(bytes) => stderr.extend_from_slice(bytes),
            CommandEvent::Exit(code) => {
                assert!(std::ptr::eq(event, events.last().unwrap()), "the exit comes last");
                return (
                    String::from_utf8(stdout).unwrap(),
                    String::from_utf8(stderr).unwrap(),
                    *code,
                );
            }
        }
    }
    panic!("no exit in {events:?}");
}

async fn sh(script: &str) -> (String, String, i64) {
    run(&request(&["sh", "-c", script])).await
}

/// Waits until no process with this id is running.
fn until_gone(id: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let runs = || {
        std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    };
    while runs() {
        assert!(Instant::now() < deadline, "process {id} is still there");
        std::thread::yield_now();
    }
}

async fn first_line(stream: &mut BoxStream<'static, Result<CommandEvent>>) -> String {
    match stream.next().await {
        Some(Ok(CommandEvent::Stdout(bytes))) => {
            String::from_utf8(bytes.to_vec()).unwrap().trim().to_owned()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn output_arrives_before_the_exit_code() {
    assert_eq!(
        sh("echo out; echo err >&2; exit 3").await,
        ("out\n".to_owned(), "err\n".to_owned(), 3)
    );
    assert_eq!(sh("kill -9 $$").await.2, 137);
}

#[tokio::test]
async fn arguments_environment_folder_and_input_reach_the_command_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let mut request = request(&["sh", "-c", "cat; echo \"$1|$NAME|$PWD|$0\"", "é 1", "a b$"]);
    request.environment.insert("NAME".to_owned(), "ü".to_owned());
    folder.path().clone_into(&mut request.working_dir);
    request.stdin = Some("input\n".into());
    let (stdout, _, code) = run(&request).await;
    assert_eq!((stdout, code), (format!("input\na b$|ü|{}|é 1\n", folder.path().display()), 0));
}

#[tokio::test]
async fn much_input_and_much_output_do_not_wait_for_each_other() {
    let mut request = request(&["cat"]);
    request.stdin = Some(vec![b'x'; 3 << 20].into());
    let (stdout, _, code) = run(&request).await;
    assert_eq!((stdout.len(), code), (3 << 20, 0));
    let ignoring = CommandRequest { stdin: request.stdin, ..self::request(&["true"]) };
    assert_eq!(run(&ignoring).await.2, 0);
}

#[tokio::test]
async fn a_command_without_input_reads_end_of_file() {
    assert_eq!(run(&request(&["cat"])).await, (String::new(), String::new(), 0));
}

#[tokio::test]
async fn a_background_process_of_a_command_keeps_running_and_is_not_awaited() {
    let (stdout, _, code) = sh("sleep 1000 & echo $!").await;
    assert_eq!(code, 0);
    let id = stdout.trim();
    assert!(Path::new(&format!("/proc/{id}")).exists());
    rustix::process::kill_process(Pid::from_raw(id.parse().unwrap()).unwrap(), Signal::KILL)
        .unwrap();
    until_gone(id);
}

#[tokio::test]
async fn dropping_the_stream_ends_the_command_and_what_it_started() {
    let mut stream =
        spawn(&Roots::default(), &request(&["sh", "-c", "sleep 1000 & echo $$ $!; wait"])).unwrap();
    let ids = first_line(&mut stream).await;
    drop(stream);
    for id in ids.split(' ') {
        until_gone(id);
    }
}

#[tokio::test]
async fn a_command_may_clean_up_when_it_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let mut request =
        request(&["sh", "-c", "trap 'echo > cleaned; exit' TERM; echo $$; while :; do :; done"]);
    folder.path().clone_into(&mut request.working_dir);
    let mut stream = spawn(&Roots::default(), &request).unwrap();
    let id = first_line(&mut stream).await;
    drop(stream);
    until_gone(&id);
    assert!(folder.path().join("cleaned").exists());
}

#[tokio::test]
async fn a_command_that_does_not_end_is_killed_after_the_grace() {
    let mut stream = start(
        &Roots::default(),
        &request(&["sh", "-c", "trap '' TERM; echo $$; while :; do :; done"]),
        Duration::from_millis(30),
    )
    .unwrap();
    let id = first_line(&mut stream).await;
    drop(stream);
    let gone = tokio::task::spawn_blocking(move || until_gone(&id));
    gone.await.unwrap();
}

#[test]
fn dropping_the_runtime_kills_commands_immediately() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let id = runtime.block_on(async {
        let mut stream = spawn(
            &Roots::default(),
            &request(&["sh", "-c", "trap '' TERM; echo $$; while :; do :; done"]),
        )
        .unwrap();
        first_line(&mut stream).await
    });
    drop(runtime);
    until_gone(&id);
}

#[test]
fn a_stream_may_be_made_and_dropped_outside_of_the_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut stream =
        spawn(&Roots::default(), &request(&["sh", "-c", "echo $$; sleep 1000"])).unwrap();
    let id = runtime.block_on(first_line(&mut stream));
    drop(stream);
    until_gone(&id);
    drop(spawn(&Roots::default(), &request(&["true"])).unwrap());
}

#[tokio::test]
async fn a_command_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plain"), "").unwrap();
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "\u{0}\u{1}").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let file = |path: PathBuf| CommandRequest { program: Some(path), ..request(&["it"]) };
    let fails = |request: &CommandRequest| {
        spawn(&Roots::default(), request).err().map(|error| (error.kind, error.message)).unwrap()
    };
    let missing = (
        HostErrorKind::NotFound,
        "Could not start \"it\": there is no such program on this machine".to_owned(),
    );
    assert_eq!(fails(&request(&["it"])), missing);
    assert_eq!(fails(&file(folder.path().join("gone"))), missing);
    assert_eq!(fails(&file(folder.path().to_owned())), missing);
    assert_eq!(
        fails(&file(folder.path().join("plain"))),
        (
            HostErrorKind::PermissionDenied,
            "Could not start \"it\": the file is not executable".to_owned()
        )
    );
    let mut stream = spawn(
        &Roots::default(),
        &CommandRequest { command: vec!["broken".to_owned()], ..file(broken) },
    )
    .unwrap();
    let error = stream.next().await.unwrap().unwrap_err();
    assert!(
        error.message.ends_with("broken\": it is not a program that this machine can run"),
        "{error}"
    );
    assert!(stream.next().await.is_none());
    for gone in [
        folder.path().join("gone"),
        folder.path().join("plain"),
        PathBuf::from("relative"),
        PathBuf::new(),
    ] {
        let (_, message) =
            fails(&CommandRequest { working_dir: gone.clone(), ..request(&["true"]) });
        assert_eq!(
            message,
            format!(
                "Could not start \"true\": the working folder \"{}\" does not exist",
                gone.display()
            )
        );
    }
    assert_eq!(
        spawn(&Roots::default(), &CommandRequest::default()).err().unwrap().kind,
        HostErrorKind::Invalid
    );
}

#[tokio::test]
async fn a_command_gets_its_own_variables_and_none_of_spc() {
    let mut request = request(&["env"]);
    assert_eq!(run(&request).await.0, format!("PATH={SEARCH_PATH}\n"));
    request.environment.clear();
    assert_eq!(run(&request).await.0, "");
}

#[tokio::test]
async fn the_file_that_was_checked_is_executed_whatever_the_search_path_holds() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("true");
    std::fs::write(&own, "#!/bin/sh\nexit 9\n").unwrap();
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut request = request(&["true"]);
    request.environment.insert("PATH".to_owned(), folder.path().to_str().unwrap().to_owned());
    folder.path().clone_into(&mut request.working_dir);
    assert_eq!(run(&request).await.2, 0);
    assert_eq!(run(&CommandRequest { program: Some(own), ..request }).await.2, 9);
}
