//! `spc check`.

use crate::support::Spc;

const BROKEN: &str = r#"let shop = stack("shop", #{
    services: #{
        db: #{ image: "postgres:15", helthcheck: #{ test: "pg_isready" }, environment: #{ HOST: "${HOST:-db}" } },
    },
});
shop.upp();
"#;

#[test]
fn a_job_that_is_always_started_again_is_no_job_to_wait_for() {
    let compose = r#"
name: jobs
services:
  init: { image: "bb:1", command: [sh, -c, "exit 0"], restart: unless-stopped }
  a: { image: "bb:1", depends_on: { init: { condition: service_completed_successfully } } }
"#;
    let message = r#"error[wrong-value]: "a" waits for "init" to complete, but "init" restarts whenever it ends
 --> compose.yaml:4:55
  |
4 |   init: { image: "bb:1", command: [sh, -c, "exit 0"], restart: unless-stopped }
  |                                                       ^^^^^^^
  |
  = help: give "init" `restart: "no"` or "on-failure"
"#;
    let ended = Spc::new()
        .file("spc.toml", "spc = \"0.1\"\n")
        .file("compose.yaml", compose)
        .args(["check"])
        .output();
    assert!(ended.code == 2 && ended.to_string().contains(message), "{ended}");
}

#[test]
fn the_project_itself_is_clean() {
    let root = env!("CARGO_MANIFEST_DIR");
    for spc in [Spc::new().args(["-C", root, "check"]), Spc::new().started_in(root).args(["check"])]
    {
        let ended = spc.output();
        assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
        assert!(ended.stderr.ends_with(" files, nothing found\n"), "{}", ended.stderr);
    }
}

#[test]
fn all_findings_come_in_one_go_with_their_rule_and_fix() {
    Spc::new()
        .file("spc.toml", "")
        .file("scripts/up.rhai", BROKEN)
        .file("scripts/ñ.rhai", "print(größe);")
        .args(["check"])
        .code(2)
        .stderr(
            r#"
            error[unknown-key]: Unknown key "helthcheck" in "services.db"
             --> scripts/up.rhai:3:38
              |
            3 |         db: #{ image: "postgres:15", helthcheck: #{ test: "pg_isready" }, environment: #{ HOST: "${HOST:-db}" } },
              |                                      ^^^^^^^^^^
              |
              = help: did you mean "healthcheck"?

            warning[weak-probe]: "pg_isready" connects over the socket, where the image's temporary server answers during initialisation
             --> scripts/up.rhai:3:59
              |
            3 |         db: #{ image: "postgres:15", helthcheck: #{ test: "pg_isready" }, environment: #{ HOST: "${HOST:-db}" } },
              |                                                           ^^^^^^^^^^^^
              |
              = help: connect over TCP: add -h 127.0.0.1

            warning[interpolation]: "${HOST:-db}" reaches the container unchanged: nothing inserts a value
             --> scripts/up.rhai:3:97
              |
            3 |         db: #{ image: "postgres:15", helthcheck: #{ test: "pg_isready" }, environment: #{ HOST: "${HOST:-db}" } },
              |                                                                                                 ^^^^^^^^^^^^^
              |
              = help: write env("HOST", "db")

            error[unknown-function]: There is no method "upp"
             --> scripts/up.rhai:6:6
              |
            6 | shop.upp();
              |      ^^^
              |
              = help: did you mean "up"?

            error[syntax]: Unexpected "ö"
             --> scripts/ñ.rhai:1:9
              |
            1 | print(größe);
              |         ^^^

            2 files, 3 errors, 2 warnings
            "#,
        )
        .run();
}

#[test]
fn each_finding_in_json_is_a_line() {
    let ended = Spc::new().file("a.rhai", "print(x);\n").args(["check", "--json"]).output();
    assert_eq!((ended.code, ended.stderr.as_str()), (2, ""));
    let lines: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let without_time: Vec<String> = lines
        .into_iter()
        .map(|mut line| {
            assert!(line.as_object_mut().unwrap().remove("time").is_some());
            line.to_string()
        })
        .collect();
    assert_eq!(
        without_time,
        [
            r#"{"event":"diagnostic","kind":"usage","message":"There is no variable \"x\"","place":{"column":7,"file":"a.rhai","line":1},"rule":"undefined-variable","severity":"error"}"#,
            r#"{"errors":1,"event":"checked","files":1,"notes":0,"warnings":0}"#,
            r#"{"code":2,"event":"end","ok":false}"#,
        ]
    );
}

#[test]
fn the_compose_file_of_a_project_directory_is_checked() {
    let project = || {
        Spc::new()
            .file("spc.toml", "spc = \"0.1\"\nproject_directory = \"stack\"\n")
            .file("stack/compose.yaml", "services: { web: { imgae: x } }\n")
    };
    for arguments in [&["check"][..], &["check", "stack"]] {
        let ended = project().args(arguments).output();
        assert!(ended.code == 2 && ended.stderr.contains("Unknown key \"imgae\""), "{ended}");
    }
}

#[test]
fn a_script_of_a_project_in_a_subfolder_names_that_projects_compose_file() {
    let project = || {
        Spc::new()
            .file("spc.toml", "spc = \"0.1\"\nproject_directory = \"stack\"\n")
            .file("stack/.env", "")
            .file("tools/shop/spc.toml", "spc = \"0.1\"\n")
            .file("tools/shop/deploy.yaml", "services: { web: { image: x } }\n")
            .file("tools/shop/scripts/up.rhai", "compose(\"deploy.yaml\").up();\n")
    };
    project().args(["check"]).stderr("1 file, nothing found\n").run();
    project().started_in("stack").args(["check"]).stderr("1 file, nothing found\n").run();
    let ended = project().file("tools/up.rhai", "compose(\"deploy.yaml\").up();\n").args(["check"]);
    let ended = ended.output();
    let said = "Could not read the compose file \"deploy.yaml\"\n --> tools/up.rhai:1:9\n";
    assert!(ended.code == 2 && ended.stderr.contains(said), "{ended}");
}

#[test]
fn a_note_is_shown_and_is_no_mistake() {
    let compose =
        "version: \"3.8\"\nservices:\n  web:\n    image: x\n    environment: { UMASK: 0022 }\n";
    let project = |compose: &str| Spc::new().file("compose.yaml", compose);
    let said = r#"
            note[obsolete-key]: "version" is obsolete and ignored: remove it
             --> compose.yaml:1:1
              |
            1 | version: "3.8"
              | ^^^^^^^^^^^^^^

            note[compose-difference]: 0022 stays as it is in spc, but Compose turns it into 18: write "0022" in quotes to get the same value in both
             --> compose.yaml:5:27
              |
            5 |     environment: { UMASK: 0022 }
              |                           ^^^^

            1 file, 2 notes
            "#;
    project(compose).args(["check"]).stderr(said).run();
    let ended = project(compose).args(["check", "--json"]).output();
    assert!(ended.stdout.contains(r#""severity":"note""#), "{ended}");
    assert!(ended.stdout.contains(r#""errors":0,"warnings":0,"notes":2"#), "{ended}");
    assert!(ended.stdout.contains(r#""event":"end","ok":true,"code":0"#), "{ended}");
    let wrong = compose.replace("0022", "\"${UNSET_MASK}\"");
    let ended = project(&wrong).args(["check"]).output();
    assert!(ended.code == 2 && ended.stderr.ends_with("1 file, 1 warning, 1 note\n"), "{ended}");
}

#[test]
fn clean_files_are_counted_and_quiet_says_nothing() {
    let clean = || {
        Spc::new()
            .file("scripts/a.rhai", "print(1);")
            .file("scripts/deep/b.rhai", "import \"../a\" as a;")
    };
    clean().args(["check", "scripts"]).stderr("2 files, nothing found\n").run();
    clean().args(["check", "scripts/a.rhai"]).stderr("1 file, nothing found\n").run();
    clean().args(["check", "--quiet"]).run();
    Spc::new().folder("empty").args(["check", "empty"]).stderr("0 files, nothing found\n").run();
    Spc::new()
        .file("a.rhai", "print(x);")
        .args(["check", "-q"])
        .code(2)
        .stderr(
            r#"
        error[undefined-variable]: There is no variable "x"
         --> a.rhai:1:7
          |
        1 | print(x);
          |       ^

        "#,
        )
        .run();
}

#[test]
fn a_path_that_is_not_there_comes_with_the_nearest_and_the_others_are_checked() {
    Spc::new()
        .file("scripts/up.rhai", "print(x);")
        .args(["check", "scripts/upp.rhai", "scripts"])
        .code(2)
        .stderr(
            r#"
            error[unreadable]: There is no file or folder "scripts/upp.rhai"
            help: did you mean "scripts/up.rhai"?

            error[undefined-variable]: There is no variable "x"
             --> scripts/up.rhai:1:7
              |
            1 | print(x);
              |       ^

            1 file, 2 errors
            "#,
        )
        .run();
}

#[test]
fn a_link_is_followed_to_a_file_and_not_into_a_folder() {
    let spc = Spc::new().file("scripts/up.rhai", "print(1);").link("scripts/also.rhai", "up.rhai");
    spc.link("scripts/round", ".")
        .link("scripts/gone.rhai", "nowhere")
        .args(["check"])
        .stderr("1 file, nothing found\n")
        .run();
}

#[test]
fn nothing_is_run() {
    // A run evaluates an imported module.
    let spc = Spc::new().file("a.rhai", "import \"b\" as b;").file("b.rhai", "throw \"b runs\";");
    spc.args(["check", "a.rhai"]).stderr("2 files, nothing found\n").run();
}

#[test]
fn its_help_lists_every_rule() {
    let help = Spc::new().args(["check", "--help"]).output();
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for rule in spc::check::Rule::ALL {
        let line = format!("  {:18}  {}\n", rule.name(), rule.about());
        assert!(help.stdout.contains(&line), "{line}{}", help.stdout);
    }
    assert!(help.stdout.contains("spc check scripts/up.rhai"), "{}", help.stdout);
}

/// Asserts that code with findings fails when it runs, and that code without findings succeeds.
#[test]
#[ignore = "slow: `make test` runs it"]
fn a_run_agrees_with_the_check() {
    for (text, fails) in [
        ("let list = [1]; list.map(|x| list.len());", true),
        ("let o = #{ l: [1], n: 2 }; o.l.map(|x| x + o.n);", true),
        ("let m = #{ a: 1 }; m.keys().filter(|key| m[key] == 1);", true),
        ("let list = [1]; let f = |x| list.len(); list.map(f);", true),
        ("let list = [1]; map(list, |x| list.len());", false),
        ("let o = #{ l: [1], n: 2 }; let l = o.l; l.map(|x| x + o.n);", false),
        ("let all = []; all.push(|| all.len());", true),
        ("let all = []; let list = []; all.push(|| list.len());", false),
        ("fn f(x, y) { x + y } let a = 1; a.f(2);", true),
        ("fn f(y) { this + y } let a = 1; a.f(2);", false),
        ("const A = 1; fn f() { global::A } f();", false),
        ("{ const A = 1; } fn f() { global::A } f();", true),
        ("let a = 1; fn f() { global::a } f();", true),
        ("const LIMIT = 2; [1].map(|x| x + global::LIMIT);", false),
        ("let m = #{ f: |x| x }; m.f(1);", false),
        ("let f = |x| x; f(1);", true),
        ("try { throw 1; } catch (e) { print(e); } print(e);", true),
        ("stack(\"x\", #{ services: #{ a: #{ image: \"a\", ports: [\"99999\"] } } });", true),
        ("stack(\"x\", #{ services: #{ a: #{ image: \"a\", depends_on: [\"b\"] } } });", true),
        (
            "stack(\"x\", #{ services: #{ a: #{ image: \"a\", volumes: [\"data:/d\"] } }, volumes: #{ data: () } });",
            false,
        ),
        (
            "stack(\"x\", #{ services: #{ a: #{ image: \"a\", networks: [\"default\"], \"x-any\": 1 } } });",
            false,
        ),
        ("print(table([#{ a: 1 }], [\"a\"]));", false),
        ("let x = #{}; x.default = 1;", true),
        ("print([1, 2].sum());", true),
    ] {
        let found = Spc::new().file("a.rhai", text).args(["check"]).output();
        let ran = Spc::new().file("a.rhai", text).args(["run", "a.rhai"]).output();
        assert_eq!(ran.code != 0, fails, "{text}\n{}", ran.stderr);
        assert_eq!(found.code != 0, fails, "{text}\n{}", found.stderr);
    }
}

#[test]
fn a_path_that_is_given_twice_is_reported_once() {
    let ended = Spc::new().args(["check", "missing.rhai", "missing.rhai"]).output();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (2, "error[unreadable]: There is no file or folder \"missing.rhai\"\n\n0 files, 1 error\n")
    );
}

#[test]
fn a_syntax_error_is_reported_alike_by_run_and_check() {
    for (source, at, message) in [
        ("print(#{ until: 1 });", "1:10", "\"until\" is a reserved word"),
        (
            "let x = [1, 2\nlet y = 3;",
            "2:1",
            "Expecting \",\" to separate the items of this array literal",
        ),
        ("let x = #{ a: 1", "1:9", "Nothing closes this \"#{\""),
        ("let x = 5 +;", "1:12", "Unexpected \";\""),
        ("print(\"abc);", "1:7", "The string is not closed"),
        ("if true {\n\n", "1:9", "Nothing closes this \"{\""),
        ("let é = 1;", "1:5", "Unexpected \"é\""),
    ] {
        let spc = || Spc::new().file("a.rhai", source);
        let ran = spc().args(["run", "a.rhai"]).output();
        let checked = spc().args(["check", "a.rhai"]).output();
        let head = |text: &str| text.lines().take(2).collect::<Vec<_>>().join("\n");
        assert_eq!(head(&ran.stderr), format!("error: {message}\n --> a.rhai:{at}"), "{source}");
        let without_rule = head(&checked.stderr)
            .replace("error[syntax]", "error")
            .replace("error[reserved-word]", "error");
        assert_eq!(without_rule, head(&ran.stderr), "{source}");
        assert_eq!((ran.code, checked.code), (2, 2), "{source}");
    }
}

#[test]
fn a_host_port_that_two_services_publish_is_found_with_both_places() {
    let services = "a: #{ image: \"x\", ports: [\"80:81\"] },\n    b: #{ image: \"x\", ports: [\"127.0.0.1:80:80\"] },";
    Spc::new()
        .file("spc.toml", "")
        .file(
            "scripts/up.rhai",
            format!("stack(\"shop\", #{{ services: #{{\n    {services}\n}} }});\n"),
        )
        .args(["check"])
        .code(2)
        .stderr(
            r#"
            error[wrong-value]: The services "a" and "b" both have the host port 80 on 127.0.0.1
             --> scripts/up.rhai:3:23
              |
            3 |     b: #{ image: "x", ports: ["127.0.0.1:80:80"] },
              |                       ^^^^^
              |
              = help: change it here or at services.a.ports

            1 file, 1 error
            "#,
        )
        .run();
}

#[test]
fn check_reports_the_remarks_on_env_files_without_values() {
    Spc::new()
        .file("spc.toml", "")
        .file(".env", "TOKEN=hidden-value\nF=# choose one\nA=${NOWHERE}\n")
        .file("scripts/up.rhai", "print(1);\n")
        .args(["check"])
        .code(2)
        .stderr(
            r##"
            warning[unclear-value]: The value of "F" begins with "#", which begins no comment there: write F= for an empty value
             --> .env:2:1
              |
            2 | F=• •••••• •••
              | ^^^^^^^^^^^^^^

            warning[unclear-value]: The variable "NOWHERE" is not set, so it is empty
             --> .env:3:1
              |
            3 | A=••••••••••
              | ^^^^^^^^^^^^

            1 file, 2 warnings
            "##,
        )
        .run();
}

#[test]
fn a_folder_in_place_of_a_compose_file_is_the_only_finding() {
    let found = |env: &str, name: &str| {
        let ended = Spc::new()
            .file("spc.toml", "")
            .file(".env", env)
            .file(&format!("{name}/x"), "")
            .args(["check"])
            .output();
        ended
            .stderr
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(2)
            .map(|line| line.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let help = "help: it is a folder: a compose file is a file of that name";
    assert_eq!(
        found("", "compose.yaml"),
        ["error[unreadable]: Could not read the compose file \"compose.yaml\"", help]
    );
    let named =
        "error[unreadable]: Could not read the compose file \"b.yml\", which COMPOSE_FILE names";
    assert_eq!(found("COMPOSE_FILE=b.yml\n", "b.yml"), [named, help]);
}

#[test]
fn the_compose_file_that_is_checked_is_the_one_that_the_variables_name() {
    let wrong = "services:\n  a: {imge: x, image: x}\n  b: {image: x, ports: [x]}\n";
    let found = |env: &str| {
        let files = Spc::new().file("spc.toml", "").file(".env", env).file("stack.yml", wrong);
        let ended = files
            .file("a:b.yml", "services: {}")
            .file("compose.yaml", "services: {")
            .args(["check"])
            .output();
        let lines = ended
            .stderr
            .lines()
            .filter(|line| line.starts_with("error") || line.starts_with(" --> "));
        (ended.code, lines.map(str::to_owned).collect::<Vec<_>>())
    };
    let both = [
        "error[unknown-key]: Unknown key \"imge\" in \"services.a\"",
        " --> stack.yml:2:7",
        "error[wrong-value]: \"x\" is not a port",
        " --> stack.yml:3:25",
    ]
    .map(str::to_owned);
    assert_eq!(found("COMPOSE_FILE=stack.yml\n"), (2, both.to_vec()));
    assert_eq!(found("COMPOSE_FILE='a:b.yml'\nCOMPOSE_PATH_SEPARATOR=';'\n"), (0, Vec::new()));
    let first = [
        "error[wrong-value]: COMPOSE_FILE names several files, \"stack.yml\", \"b.yml\", which is not supported yet".to_owned(),
        "error[unreadable]: Could not read the compose file \"b.yml\", which COMPOSE_FILE names".to_owned(),
    ];
    assert_eq!(found("COMPOSE_FILE='stack.yml:b.yml'\n"), (2, [&first[..], &both[..]].concat()));
}

#[test]
fn omitted_faults_are_mentioned_and_not_counted() {
    let keys: String = (0..60).map(|index| format!("    wrong{index}: 1\n")).collect();
    let checked = |args: &[&str]| {
        Spc::new()
            .file("spc.toml", "spc = \"0.1\"\n")
            .file("compose.yaml", format!("services:\n  a:\n    image: x\n{keys}"))
            .args(args)
            .output()
    };
    let ended = checked(&["check"]);
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("1 file, 50 errors"), "{}", ended.stderr);
    let more = "\"compose.yaml\" has more mistakes than these 50: fix them, then check again";
    assert_eq!(ended.stderr.matches(more).count(), 1, "{}", ended.stderr);
    let lines = checked(&["check", "--json"]).stdout;
    assert_eq!(lines.matches("\"rule\":").count(), 50, "{lines}");
    assert!(lines.contains("\"errors\":50"), "{lines}");
}
