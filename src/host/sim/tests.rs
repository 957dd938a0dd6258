use futures::TryStreamExt;

use super::*;
use crate::host::FileKind;
use crate::policy::{EngineAddress, EngineAddresses};

fn host() -> (Arc<SimTaskExecutor>, SimHost) {
    let executor = SimTaskExecutor::new(1);
    (executor.clone(), SimHost::new(executor))
}

#[test]
fn time_starts_at_a_fixed_date_and_passes_with_sleeps() {
    let (executor, host) = host();
    assert_eq!(host.now().to_rfc3339(), "2026-01-01T00:00:00+00:00");
    executor.block_on(host.sleep(Duration::from_hours(1)));
    assert_eq!(host.now().to_rfc3339(), "2026-01-01T01:00:00+00:00");
    assert_eq!(host.monotonic(), Duration::from_hours(1));
}

#[test]
fn a_file_error_names_the_action_the_path_and_the_cause() {
    let (_, host) = host();
    let host = host.with_file("/project/locked", "x").with_mode("/project/locked", 0);
    let missing = host.read(&CheckedPath::trusted("/project/none")).unwrap_err();
    assert_eq!(
        missing,
        HostError::new(
            HostErrorKind::NotFound,
            "Could not read \"/project/none\": it does not exist"
        )
    );
    assert_eq!(
        host.read(&CheckedPath::trusted("/project/locked")).unwrap_err().kind,
        HostErrorKind::PermissionDenied
    );
    assert_eq!(
        host.list(&CheckedPath::trusted("/project/locked")).unwrap_err().message,
        "Could not list \"/project/locked\": a part of the path is not a folder"
    );
}

#[test]
fn a_streamed_file_appears_only_when_finished() {
    let (executor, host) = host();
    let path = &CheckedPath::trusted("/project/dump.sql");
    executor.block_on(async {
        let mut sink = host.create(path).unwrap();
        sink.write("one ".into()).await.unwrap();
        assert!(host.read(path).is_err());
        sink.write("two".into()).await.unwrap();
        sink.finish().await.unwrap();
        let mut given_up = host.create(&CheckedPath::trusted("/project/none")).unwrap();
        given_up.write("x".into()).await.unwrap();
        drop(given_up);
        let read: Vec<Bytes> = host.open(path).unwrap().try_collect().await.unwrap();
        assert_eq!(read.concat(), b"one two");
    });
    let names = host.list(&CheckedPath::trusted("/project")).unwrap();
    assert_eq!(names, [FolderEntry { name: "dump.sql".into(), kind: FileKind::File }]);
}

#[test]
fn a_full_disk_leaves_nothing_of_a_streamed_file() {
    let (executor, host) = host();
    let host = host.with_free_space(3);
    executor.block_on(async {
        let mut sink = host.create(&CheckedPath::trusted("/project/dump")).unwrap();
        sink.write("four".into()).await.unwrap();
        assert_eq!(sink.finish().await.unwrap_err().kind, HostErrorKind::NoSpace);
    });
    assert!(host.info(&CheckedPath::trusted("/project/dump")).is_err());
}

#[test]
fn a_scripted_command_takes_its_time_and_is_recorded() {
    let (executor, host) = host();
    let host = host.on_command(|request| {
        (request.command[0] == "git")
            .then(|| CommandAnswer::stdout("abc123\n").taking(Duration::from_millis(20)))
    });
    let request = CommandRequest {
        command: vec!["git".into(), "rev-parse".into()],
        working_dir: "/project".into(),
        ..CommandRequest::default()
    };
    let events: Vec<CommandEvent> =
        executor.block_on(host.spawn(&request).unwrap().try_collect()).unwrap();
    assert_eq!(events, [CommandEvent::Stdout("abc123\n".into()), CommandEvent::Exit(0)]);
    assert_eq!(host.monotonic(), Duration::from_millis(20));
    assert_eq!(host.commands(), [request]);
}

#[test]
fn a_command_without_a_scripted_answer_does_not_exist() {
    let (_, host) = host();
    let request = CommandRequest {
        command: vec!["none".into()],
        working_dir: "/project".into(),
        ..CommandRequest::default()
    };
    let error = host.spawn(&request).err().unwrap();
    assert_eq!(
        error,
        HostError::new(
            HostErrorKind::NotFound,
            "Could not start \"none\": there is no such program on this machine"
        )
    );
}

#[test]
fn a_scripted_command_starts_where_a_real_one_would() {
    let (_, host) = host();
    let host =
        host.with_file("/usr/bin/git", "").with_file("/opt/tool", "").with_mode("/opt/tool", 0o755);
    let host = host.on_command(|_| Some(CommandAnswer::default()));
    let started = |program: Option<&str>, folder: &str| {
        let program = program.map(Into::into);
        let request = CommandRequest {
            command: vec!["it".into()],
            program,
            working_dir: folder.into(),
            ..CommandRequest::default()
        };
        host.spawn(&request).map(drop).map_err(|error| error.message)
    };
    assert_eq!(started(Some("/opt/tool"), "/"), Ok(()));
    assert_eq!(
        started(Some("/usr/bin/git"), "/"),
        Err("Could not start \"it\": the file is not executable".to_owned())
    );
    assert_eq!(
        started(Some("/opt/gone"), "/"),
        Err("Could not start \"it\": there is no such program on this machine".to_owned())
    );
    assert_eq!(
        started(None, "/gone"),
        Err("Could not start \"it\": the working folder \"/gone\" does not exist".to_owned())
    );
    assert_eq!(host.commands().len(), 1);
}

#[test]
fn http_answers_come_late_time_out_or_are_refused() {
    let (executor, host) = host();
    let host = host.on_http(|request| {
        request
            .url
            .starts_with("http://app/")
            .then(|| HttpAnswer::status(200, "ok").taking(Duration::from_secs(2)))
    });
    let get = |url: &str, timeout| HttpRequest {
        method: "GET".into(),
        url: url.into(),
        timeout,
        ..HttpRequest::default()
    };
    executor.block_on(async {
        assert_eq!(host.http(&get("http://app/", None)).await.unwrap().body, "ok");
        let late = host.http(&get("http://app/", Some(Duration::from_secs(1)))).await.unwrap_err();
        assert_eq!(
            late,
            HostError::new(
                HostErrorKind::Timeout,
                "Could not reach \"http://app/\": no answer in time"
            )
        );
        let refused = host.http(&get("http://none/", None)).await.unwrap_err();
        assert_eq!(
            refused,
            HostError::new(
                HostErrorKind::Unreachable,
                "Could not reach \"http://none/\": connection refused: nobody listens there"
            )
        );
    });
    assert_eq!(host.monotonic(), Duration::from_secs(3));
    assert_eq!(host.requests().len(), 3);
}

#[test]
fn a_request_to_an_engine_is_refused_under_each_name_of_it() {
    let (executor, host) = host();
    let own = "192.0.2.7".parse().unwrap();
    let host = host
        .with_address(own)
        .with_name("here.example", [own])
        .with_name("there.example", ["192.0.2.8".parse().unwrap()]);
    let host = host.on_http(|_| Some(HttpAnswer::status(200, "reached")));
    let send = |url: &str, engine: &str| {
        let engines = EngineAddresses::new([EngineAddress::new(engine, 4000)]);
        let request = HttpRequest {
            method: "POST".into(),
            url: url.into(),
            engines,
            ..HttpRequest::default()
        };
        executor.block_on(async { host.http(&request).await })
    };
    for engine in ["127.0.0.1", "0.0.0.0", "here.example", "any.localhost", "192.0.2.7"] {
        for name in ["localhost", "127.0.0.1", "[::1]", "x.localhost", "192.0.2.7", "here.example"]
        {
            let error = send(&format!("http://{name}:4000/"), engine).unwrap_err();
            assert_eq!(error.kind, HostErrorKind::Refused, "{engine} as {name}");
            assert!(
                error.message.ends_with(&format!(
                    "it leads to the Docker Engine at \"tcp://{engine}:4000\""
                )),
                "{error}"
            );
        }
        for other in ["http://there.example:4000/", "http://localhost:4001/"] {
            assert_eq!(send(other, engine).unwrap().body, "reached", "{engine} as {other}");
        }
    }
    assert_eq!(
        send("http://there.example:4000/", "192.0.2.8").unwrap_err().kind,
        HostErrorKind::Refused
    );
    assert_eq!(host.requests().len(), 10);
}

#[test]
fn terminal_answers_come_in_order_and_then_none() {
    let (executor, host) = host();
    assert!(!host.is_terminal(StandardStream::Stdin));
    let host = host.with_answer("yes").with_answer("no");
    assert!(host.is_terminal(StandardStream::Stdin));
    executor.block_on(async {
        assert_eq!(host.ask("Remove volumes?").await.unwrap().as_deref(), Some("yes"));
        assert_eq!(host.ask("Sure?").await.unwrap().as_deref(), Some("no"));
        assert_eq!(host.ask("Really?").await.unwrap(), None);
    });
    assert_eq!(host.questions(), ["Remove volumes?", "Sure?", "Really?"]);
}

#[test]
fn a_listener_accepts_within_its_latency_or_not_in_time() {
    let (executor, host) = host();
    let host = host
        .with_listener("127.0.0.1:5432", Duration::from_millis(50))
        .with_port_owner(80, "nginx (pid 812)");
    executor.block_on(async {
        host.tcp_connect("127.0.0.1:5432", Duration::from_secs(1)).await.unwrap();
        assert_eq!(
            host.tcp_connect("127.0.0.1:5432", Duration::from_millis(10)).await.unwrap_err().kind,
            HostErrorKind::Timeout
        );
        assert_eq!(
            host.tcp_connect("127.0.0.1:1", Duration::from_secs(1)).await.unwrap_err().kind,
            HostErrorKind::Unreachable
        );
    });
    assert_eq!(host.port_owner(80).as_deref(), Some("nginx (pid 812)"));
    assert_eq!(host.port_owner(81), None);
}

#[test]
fn randomness_follows_from_the_seed() {
    let draw = |seed| {
        let host = SimHost::new(SimTaskExecutor::new(seed));
        let mut bytes = [0; 20];
        host.random(&mut bytes);
        bytes
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}
