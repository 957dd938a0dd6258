//! Masking of undeclared secrets (credentials in URLs), and of secrets that are cut off or arrive
//! in pieces.

use crate::support::{Answer, Spc, SpcOutput, TcpServer};

/// A password that may not appear in any output.
const PASSWORD: &str = "hunter2";

/// Scripts that put a URL with the password into a message.
const URLS: [&str; 21] = [
    "http::get(\"http://me:hunter2@localhost:1/\")",
    "http::get(\"http://me:hunter2@example.org/\")",
    "http::get(\"http://me:hunter2@localhost:99999/\")",
    "http::get(\"http://me:hun/ter2/hunter2@localhost/\")",
    "http::get(\"http://me:hunter2@local host/\")",
    "http::get(\"http:me:hunter2@example.org/\")",
    "http::get(\"ftp://me:hunter2@localhost/\")",
    "http::get(\"http://example.org/?access_token=hunter2\")",
    "image(\"a\").build(#{ context: \"https://me:hunter2@host/repo.git#main\" })",
    "image(\"a\").build(#{ context: \"https://hunter2@host/repo.git#main\" })",
    "stack(\"x\", #{ services: #{ a: #{ build: #{ context: \"https://me:hunter2@host/repo.git\" } } } })",
    "stack(\"x\", #{ services: #{ a: #{ image: \"a\", environment: \"A=db://me:hunter2@db/\" } } })",
    "stack(\"x\", #{ services: #{ a: #{ image: \"a\", env_file: \"https://me:hunter2@host/a\" } } }).up()",
    "stack(\"x\", #{ services: #{ a: #{ image: \"me:hunter2@registry/a\" } } }).up()",
    "image(\"https://me:hunter2@registry/a\").pull()",
    "compose(\"https://me:hunter2@host/a.yaml\")",
    "fs::read(\"https://me:hunter2@host/a\")",
    "import \"https://me:hunter2@host/a\" as a",
    "volume(\"v\").create(#{ driver_opts: #{ type: \"nfs\", device: \"https://me:hunter2@host/a\" } })",
    "\"https://me:hunter2@host/a\".int()",
    "try { image(\"a\").build(#{ context: \"https://me:hunter2@host/r\" }) } catch (e) { print(e.message); print(e); throw e }",
];

/// An empty engine that repeats the requested image in its error.
fn engine(request: &str) -> Answer {
    match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        request if request.starts_with("GET /volumes?") => {
            Answer::of_api("1.41", r#"{"Volumes":[]}"#)
        }
        request
            if request.starts_with("GET /containers/json")
                || request.starts_with("GET /networks?")
                || request.starts_with("GET /images/json") =>
        {
            Answer::of_api("1.41", "[]")
        }
        request if request.starts_with("POST /images/create") => Answer::of_api(
            "1.41",
            r#"{"message":"invalid reference format: db://me:hunter2@host/"}"#,
        )
        .with_status(400),
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    }
}

#[test]
fn a_secret_in_the_help_of_a_runbook_is_masked_before_its_lines_are_wrapped() {
    let runbook = "let token = secret(\"token\");\n\
        args(#{ registry: arg::text(\"none\", `Log in with the word that the administrators of the registry gave out: ${env(\"WORD\")}`) });";
    let ended = Spc::new()
        .file("spc.toml", "spc = \"0.1\"\n")
        .file("secrets/token", "correct horse battery staple")
        .env("WORD", "correct horse battery staple")
        .runbook(runbook)
        .args(["--help"])
        .output();
    hides(&ended, "horse", "the first line");
    hides(&ended, "staple", "the second line");
    assert!(ended.stdout.contains("gave out: [secret\n"), "{ended}");
}

#[track_caller]
fn hides(ended: &SpcOutput, password: &str, what: &str) {
    assert!(!ended.to_string().contains(password), "{what}: {ended}");
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn no_message_shows_the_credentials_of_a_url() {
    for script in URLS {
        for words in [&[][..], &["--json"], &["--verbose"]] {
            let run = Spc::new()
                .file("spc.toml", "")
                .engine(engine)
                .args(words.iter().copied())
                .runbook(&format!("{script};"));
            let ended = run.output();
            assert!(ended.code > 0, "{script}: {ended}");
            hides(&ended, PASSWORD, script);
            hides(&ended, "ter2", script);
        }
        let ended = Spc::new()
            .file("spc.toml", "")
            .engine(engine)
            .file("a.rhai", script)
            .args(["plan", "a.rhai"])
            .output();
        hides(&ended, PASSWORD, &format!("plan of {script}"));
        let test = format!(
            "fn test_a() {{ {}; }}",
            if script.starts_with("import") {
                "throw \"https://me:hunter2@host/\""
            } else {
                script
            }
        );
        let run = Spc::new().file("spc.toml", "").file("a_test.rhai", test).args([
            "test",
            "--junit",
            "report.xml",
        ]);
        let report = run.project().join("report.xml");
        let (ended, report) = run.start().ends_then(|| std::fs::read_to_string(&report).unwrap());
        assert!(!report.contains(PASSWORD), "{script}: {report}");
        hides(&ended, PASSWORD, &format!("test of {script}"));
    }
}

#[test]
fn a_plan_and_an_answer_show_no_credentials_of_a_url() {
    let server = TcpServer::new(|_| Answer::of_stranger(200, "ok"));
    let script = format!(
        "let a = http::get(\"http://me:hunter2@localhost:{}/x\"); print(a.url);",
        server.port()
    );
    let run = || Spc::new().file("spc.toml", "").file("a.rhai", &script);
    let ended = run().args(["run", "a.rhai"]).output();
    assert_eq!((ended.code, ended.stdout), (0, format!("http://localhost:{}/x\n", server.port())));
    for words in [&["plan", "a.rhai"][..], &["plan", "--json", "a.rhai"]] {
        let ended = run().engine(engine).args(words.iter().copied()).output();
        assert!(ended.code == 0 && ended.stdout.contains("http://***@localhost"), "{ended}");
        hides(&ended, PASSWORD, "plan");
    }
}

#[test]
fn an_address_of_an_engine_or_a_proxy_shows_no_password() {
    for address in [
        "tcp://me:hunter2@localhost:1",
        "ssh://me:hunter2@localhost",
        "https://me:hunter2@host",
        "me:hunter2@host",
        "x://me:hunter2@a/",
    ] {
        for run in [
            Spc::new().env("DOCKER_HOST", address).args(["ps"]),
            Spc::new().args(["--host", address, "ps"]),
        ] {
            let ended = run.output();
            assert!(ended.code > 0, "{address}: {ended}");
            hides(&ended, PASSWORD, address);
        }
    }
    for proxy in [
        "http://me:hunter2@localhost:1",
        "http://me:hunter2@local host:1",
        "me:hunter2@localhost:1",
        "x://me:hunter2@localhost:1",
    ] {
        let run = Spc::new()
            .file("spc.toml", "[allow]\nnetwork = [\"*\"]\n")
            .env("http_proxy", proxy)
            .env("HTTP_PROXY", proxy);
        let ended =
            run.runbook("http::get(\"http://host.example/\", #{ timeout: \"5s\" });").output();
        assert!(ended.code > 0, "{proxy}: {ended}");
        hides(&ended, PASSWORD, proxy);
    }
}

#[test]
fn a_file_of_variables_or_a_compose_file_shows_no_password() {
    for line in [
        "A=db://me:hunter2@host/ x'",
        "A='db://me:hunter2@host/",
        "A B=db://me:hunter2@host/",
        "A=${X:?db://me:hunter2@host/}",
    ] {
        hides(&Spc::new().file(".env", line).runbook("print(1);").output(), PASSWORD, line);
    }
    let services = "services:\n  a:\n    image: a\n";
    for key in [
        "    ports: [\"db://me:hunter2@host/\"]",
        "    nonsense: db://me:hunter2@host/",
        "    environment: db://me:hunter2@host/",
        "    build: https://me:hunter2@host/r",
    ] {
        let run =
            Spc::new().file("spc.toml", "").file("compose.yaml", format!("{services}{key}\n"));
        let ended = run.runbook("compose(\"compose.yaml\");").output();
        assert_eq!(ended.code, 2, "{key}: {ended}");
        hides(&ended, PASSWORD, key);
    }
}

const SECRET: &str = "correct-horse";

fn with_secret() -> Spc {
    Spc::new().file("spc.toml", "").file("secrets/key", SECRET)
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn the_visible_part_of_a_secret_in_a_truncated_message_is_masked() {
    for before in 40..60 {
        let server = TcpServer::new(move |_| {
            Answer::of_stranger(
                200,
                &format!("{}{SECRET} and so on and so on and so on", "x".repeat(before)),
            )
        });
        let script = format!(
            "secret(\"key\");\nhttp::get(\"http://localhost:{}/\").body.int();",
            server.port()
        );
        let ended = with_secret().runbook(&script).output();
        assert_eq!(ended.code, 2, "{ended}");
        assert!(ended.stderr.contains("[secret key]") || before > 56, "{before}: {ended}");
        hides(&ended, "cor", &format!("after {before}"));
    }
    for before in [(16 << 10) - 8, (64 << 10) - 8] {
        let script = format!(
            "secret(\"key\");\nlet long = \"\"; long.pad({before}, \"x\");\nfail(\"exec\", long + fs::read(\"secrets/key\"), \
             #{{ stderr: long + fs::read(\"secrets/key\") }});"
        );
        for words in [&[][..], &["--json"]] {
            let ended = with_secret().args(words.iter().copied()).runbook(&script).output();
            assert!(
                ended.code == 1 && (ended.to_string().contains("[secret key]") || words.is_empty()),
                "{before}"
            );
            assert!(!ended.to_string().contains("corr"), "{before}");
        }
    }
}

/// An engine with a container that has this log, in frames of this many bytes.
fn logging(text: &str, size: usize) -> impl Fn(&str) -> Answer + Send + 'static {
    let frames: String = text
        .as_bytes()
        .chunks(size)
        .map(|part| {
            format!(
                "\u{1}\0\0\0\0\0\0{}{}",
                char::from(u8::try_from(part.len()).unwrap()),
                String::from_utf8_lossy(part)
            )
        })
        .collect();
    move |request: &str| match request {
        "GET /_ping" => Answer::of_api("1.41", "OK"),
        "GET /containers/c/json" => Answer::of_api(
            "1.41",
            r#"{"Id":"c","Name":"/c","Config":{"Tty":false,"Labels":{"dev.spc.project":"project"}}}"#,
        ),
        request if request.starts_with("GET /containers/c/logs") => Answer::of_api("1.41", &frames),
        _ => Answer::of_api("1.41", r#"{"message":"not found"}"#).with_status(404),
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_secret_in_a_log_is_hidden_however_it_is_cut() {
    let script = "secret(\"key\");\nfor line in container(\"c\").logs(#{ tail: 9 }) { print(line); }\nprint(container(\"c\").logs());";
    for before in [0, 120, (64 << 10) - 30, (96 << 10) - 20] {
        for size in [7, 100] {
            let text = format!(
                "{}{SECRET} {SECRET}{SECRET}{}\nlast {SECRET}",
                "x".repeat(before),
                "y".repeat(70_000)
            );
            for words in [&[][..], &["--json"]] {
                let run = with_secret()
                    .env("COMPOSE_PROJECT_NAME", "project")
                    .engine(logging(&text, size));
                let ended = run.args(words.iter().copied()).runbook(script).output();
                assert_eq!(ended.code, 0, "{}", ended.stderr);
                assert_eq!(ended.stdout.matches("[secret key]").count(), 8, "{before} by {size}");
                assert!(
                    !ended.to_string().contains("corr") && !ended.to_string().contains("orse"),
                    "{before} by {size}"
                );
            }
        }
    }
}

#[test]
fn a_test_that_fails_shows_no_secret_of_the_projects_own_files() {
    let described = "stack(\"x\", #{ services: #{}, secrets: #{ key: #{ file: \"conf/key\" } } });";
    let tests = format!(
        "fn test_a() {{ {described} let s = expose(secret(\"key\")); print(fs::read(\"conf/key\")); throw `${{s}} ${{fs::read(\"conf/key\")}}`; }}\n\
         fn test_b() {{ {described} assert_eq(fs::read(\"conf/key\"), \"other\"); }}\n\
         fn test_c() {{ runbook(\"up\"); assert_eq(fs::read(\"conf/key\"), \"other\"); }}\n"
    );
    for words in [&[][..], &["--json"]] {
        let run = Spc::new()
            .file("spc.toml", "")
            .file("conf/key", SECRET)
            .file("a_test.rhai", &tests)
            .file("up.rhai", described);
        let run = run.args(["test", "--junit", "report.xml"]).args(words.iter().copied());
        let report = run.project().join("report.xml");
        let (ended, report) = run.start().ends_then(|| std::fs::read_to_string(&report).unwrap());
        assert!(report.contains("[secret key]") && !report.contains(SECRET), "{report}");
        assert_eq!(ended.code, 1, "{ended}");
        assert!(!ended.to_string().contains(SECRET) && !ended.to_string().contains('⟨'), "{ended}");
        assert!(ended.stdout.contains("[secret key]"), "{ended}");
    }
}
