//! Commands in containers.

use super::*;

async fn output(session: &mut ExecSession) -> (String, String) {
    let chunks: Vec<crate::engine::OutputChunk> =
        (&mut session.output).try_collect().await.unwrap();
    let of = |kind| {
        let parts = chunks
            .iter()
            .filter(|chunk| chunk.kind == kind)
            .map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned());
        parts.collect::<String>()
    };
    (of(crate::engine::OutputKind::Stdout), of(crate::engine::OutputKind::Stderr))
}

/// The exit code, which is known once the output has ended.
async fn code(fixture: &EngineFixture, exec: &str) -> i64 {
    let state = fixture.engine.exec_inspect(exec).await.unwrap();
    assert!(!state.running);
    state.exit_code.unwrap()
}

#[test]
fn a_script_answers_commands_and_sees_its_container() {
    let script = |request: &ExecRequest, view: &mut ProcessView| {
        (request.command[0] == "whoami").then(|| {
            ExecAnswer::stdout(format!(
                "{} {}\n",
                view.name,
                view.variable("ROLE").unwrap_or("none")
            ))
        })
    };
    let fixture = fixture(|builder| builder.process("app:1", Process::new().on_exec(script)));
    fixture.up("web", ContainerCreateBody { env: Some(vec!["ROLE=web".into()]), ..body("app:1") });
    fixture.run(async {
        let mut session = fixture.engine.exec_start("web", &command(&["whoami"])).await.unwrap();
        assert_eq!(output(&mut session).await, ("web web\n".to_owned(), String::new()));
        assert_eq!(code(&fixture, &session.id).await, 0);
        let mut other = fixture.engine.exec_start("web", &command(&["true", "x"])).await.unwrap();
        assert_eq!(output(&mut other).await, (String::new(), String::new()));
    });
    let events = [
        "create",
        "start",
        "exec_create: whoami ",
        "exec_start: whoami ",
        "exec_die 0",
        "exec_create: true x",
        "exec_start: true x",
        "exec_die 0",
    ];
    assert_eq!(fixture.actions("web"), events);
}

#[test]
fn commands_are_answered_by_their_words() {
    let process = Process::new()
        .answers(
            "psql *",
            ExecAnswer::failure(2, "no such database\n").taking(Duration::from_secs(3)),
        )
        .answers("psql *count*", ExecAnswer::stdout("7\n"));
    let fixture = fixture(|builder| builder.process("app:1", process));
    fixture.up("web", body("app:1"));
    fixture.run(async {
        let mut counts = fixture
            .engine
            .exec_start("web", &command(&["psql", "-c", "select count(*)"]))
            .await
            .unwrap();
        assert_eq!(output(&mut counts).await.0, "7\n");
        let before = fixture.executor.now();
        let mut other = fixture.engine.exec_start("web", &command(&["psql", "-l"])).await.unwrap();
        assert_eq!(output(&mut other).await.1, "no such database\n");
        assert_eq!(code(&fixture, &other.id).await, 2);
        assert!(fixture.executor.now().saturating_sub(before) > Duration::from_secs(3));
    });
}

#[test]
fn a_command_may_run_on_after_its_first_words() {
    let serve = |_: &ExecRequest, _: &mut ProcessView| {
        Some(ExecAnswer::default().saying(Duration::from_secs(1), "ready\n").running_on())
    };
    let fixture = fixture(|builder| builder.process("app:1", Process::new().on_exec(serve)));
    fixture.up("web", body("app:1"));
    fixture.run(async {
        let mut session =
            fixture.engine.exec_start("web", &command(&["serve", "more"])).await.unwrap();
        assert_eq!(session.output.try_next().await.unwrap().unwrap().bytes, "ready\n");
        let id = session.id.clone();
        drop(session);
        fixture.executor.sleep(Duration::from_hours(1)).await;
        assert_eq!(
            fixture.engine.exec_inspect(&id).await.unwrap(),
            ExecState { running: true, exit_code: None }
        );
        let processes = fixture.engine.container_top("web").await.unwrap().processes.unwrap();
        assert_eq!(
            processes.iter().map(|row| row.last().unwrap().as_str()).collect::<Vec<_>>(),
            ["serve", "serve more"]
        );
    });
}

#[test]
fn a_command_that_does_not_read_ends_while_its_input_is_open() {
    let fixture = plain();
    fixture.up("web", body("app:1"));
    fixture.run(async {
        let mut session = fixture
            .engine
            .exec_start("web", &ExecRequest { stdin: true, ..command(&["true"]) })
            .await
            .unwrap();
        output(&mut session).await;
        assert_eq!(code(&fixture, &session.id).await, 0);
        assert!(session.input.unwrap().write("late".into()).await.is_err());
    });
}

#[test]
fn the_health_test_run_by_hand_passes_once_the_process_is_ready() {
    let fixture = fixture(|builder| {
        builder.process("app:1", Process::new().ready_after(Duration::from_secs(3)))
    });
    fixture.up("web", with_health("app:1", health(60.0, 1.0, 0.0, 3)));
    let test = command(&["/bin/sh", "-c", "check"]);
    let probe = || {
        fixture.run(async {
            let mut session = fixture.engine.exec_start("web", &test).await.unwrap();
            output(&mut session).await;
            code(&fixture, &session.id).await
        })
    };
    assert_eq!(probe(), 1);
    fixture.pass(3.0);
    assert_eq!(probe(), 0);
}

#[test]
fn standard_input_reaches_the_script_when_it_is_closed() {
    let cat = |_: &ExecRequest, view: &mut ProcessView| Some(ExecAnswer::stdout(view.read_stdin()));
    let fixture = fixture(|builder| builder.process("app:1", Process::new().on_exec(cat)));
    fixture.up("web", body("app:1"));
    fixture.run(async {
        let request = ExecRequest { stdin: true, ..command(&["cat"]) };
        let mut session = fixture.engine.exec_start("web", &request).await.unwrap();
        let mut input = session.input.take().unwrap();
        input.write("one ".into()).await.unwrap();
        input.write("two".into()).await.unwrap();
        input.close().await.unwrap();
        assert_eq!(output(&mut session).await.0, "one two");
        assert!(input.write("late".into()).await.is_err());

        let mut dropped = fixture.engine.exec_start("web", &request).await.unwrap();
        drop(dropped.input.take());
        assert_eq!(output(&mut dropped).await.0, "", "a dropped input is closed");
    });
}

#[test]
fn refusals_are_in_dockers_words() {
    let fixture = fixture(|builder| {
        builder.process(
            "app:1",
            Process::new()
                .on_exec(|_, _| Some(ExecAnswer::cannot_run("exec: \"x\": permission denied"))),
        )
    });
    let id = fixture.run(fixture.engine.container_create("web", None, body("app:1"))).unwrap().id;
    let refused = |words: &[&str]| {
        fixture.run(fixture.engine.exec_start("web", &command(words))).err().unwrap()
    };
    assert_eq!(refused(&["true"]).message, format!("Container {id} is not running"));
    fixture.run(fixture.engine.container_start("web")).unwrap();
    assert_eq!(refused(&[]).message, "No exec command specified");
    assert_eq!(
        fixture.run(fixture.engine.exec_inspect("nope")).unwrap_err().message,
        "No such exec instance: nope"
    );
    fixture.run(async {
        let mut session = fixture.engine.exec_start("web", &command(&["x"])).await.unwrap();
        let said = output(&mut session).await.0;
        assert_eq!(
            said,
            "OCI runtime exec failed: exec failed: unable to start container process: exec: \"x\": permission denied: unknown\r\n"
        );
        assert_eq!(code(&fixture, &session.id).await, 126);
    });
}

#[test]
fn commands_end_with_their_container() {
    let fixture = fixture(|builder| {
        builder.process(
            "app:1",
            Process::new()
                .on_exec(|_, _| Some(ExecAnswer::default().taking(Duration::from_mins(10)))),
        )
    });
    fixture.up("web", body("app:1"));
    fixture.run(async {
        let mut session =
            fixture.engine.exec_start("web", &command(&["sleep", "600"])).await.unwrap();
        fixture.engine.container_kill("web", "KILL").await.unwrap();
        output(&mut session).await;
        assert_eq!(code(&fixture, &session.id).await, 137);
    });
    assert!(fixture.executor.now() < Duration::from_secs(1));
}

#[test]
fn a_script_may_look_at_the_engine_and_change_its_container() {
    let own: Arc<std::sync::OnceLock<SimEngine>> = Arc::default();
    let seen = own.clone();
    let script = move |_: &ExecRequest, view: &mut ProcessView| {
        view.change_volume("/data");
        view.write_file("/data/row", "1");
        view.say("one row");
        Some(ExecAnswer::stdout(seen.get().unwrap().state().containers.len().to_string()))
    };
    let fixture = fixture(|builder| builder.process("db:1", Process::new().on_exec(script)));
    assert!(own.set(fixture.engine.clone()).is_ok());
    fixture.up(
        "db",
        with_host(
            "db:1",
            HostConfig { binds: Some(vec!["pg:/data".into()]), ..HostConfig::default() },
        ),
    );
    fixture.run(async {
        let mut session = fixture.engine.exec_start("db", &command(&["psql"])).await.unwrap();
        assert_eq!(output(&mut session).await.0, "1");
    });
    assert_eq!(fixture.engine.state().volume("pg").unwrap().writes, 2);
    assert_eq!(fixture.engine.file("db", "/data/row").unwrap(), "1");
}
