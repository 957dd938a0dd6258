//! The script functions for services, containers, volumes, networks and images.

use std::fs;

use rustix::process::Signal;

use super::docker::{docker, exec, is_there, objects};
use super::images::busybox;
use super::project::{Project, free_port};

/// A web server on port 80 for the folder `/www`. It logs each SIGHUP.
const SERVER: &str = r#"["sh", "-c", "mkdir /www; echo it serves >/www/index.html; trap 'echo hung up' HUP; httpd -f -p 80 -h /www & while :; do wait; done"]"#;

/// A running project with one service `web`.
fn web(name: &str) -> Project {
    let project = Project::new(name);
    let image = busybox();
    let port = free_port();
    project.stack(&format!(
        r#"volumes: #{{ data: #{{ "x-spc-shared": true }} }},
        services: #{{ web: #{{
            image: "{image}", command: {SERVER}, stop_grace_period: "0s", ports: ["{port}:80"], volumes: ["data:/data"],
            healthcheck: #{{ test: "wget -q -O - http://localhost/", interval: "1h" }},
        }} }}"#
    ));
    project.up().ends(0);
    project
}

/// Runs a script that can use the variable `web`. Returns its standard output.
fn with_web(project: &Project, text: &str) -> String {
    project
        .script(&format!("let spc = app::describe();\nlet web = spc.service(\"web\");\n{text}"))
        .ends(0)
        .stdout
}

#[test]
fn exec_returns_the_exit_code_and_output() {
    let project = web("exec");
    let printed = with_web(
        &project,
        r#"
        print(web.exec("echo $((6 * 7))").int() + 1);
        print(web.exec(["echo", "$HOME;"]).lines()[0]);
        let made = web.exec("echo out; echo err >&2; exit 3", #{ check: false });
        print(`${made.code} ${made.ok} ${made.stdout.trimmed()} ${made.stderr.trimmed()}`);
        print(web.exec("id -u; pwd; echo $A", #{ user: "7", working_dir: "/www", environment: #{ A: "b" } }).lines().join(" "));
        print(web.exec("tr a-z A-Z", #{ stdin: "shouted" }).stdout);
        "#,
    );
    assert_eq!(printed, "43\n$HOME;\n3 false out err\n7 /www b\nSHOUTED\n");
    let failed = project
        .script("app::describe().service(\"web\").exec(\"echo went wrong >&2; exit 3\");")
        .ends(1);
    failed.prints(&[
        "\"echo went wrong >&2; exit 3\" in \"web\" ended with code 3",
        "went wrong",
        "check: false",
        "scripts/script.rhai:2",
    ]);
    let slow = project
        .script("app::describe().service(\"web\").exec(\"sleep 1000\", #{ timeout: \"1s\" });")
        .ends(1);
    slow.prints(&["The command in \"web\" did not end within 1 s"]);
}

#[test]
fn exec_redirects_input_and_output_to_files_without_changing_a_byte() {
    let project = web("exec-files");
    // Every byte value, in more data than any buffer can contain.
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(3 << 20).collect();
    fs::write(project.path("given"), &bytes).unwrap();
    let printed = with_web(
        &project,
        r#"
        web.exec("cat >/data/copy", #{ stdin: fs::file("given") });
        web.exec("cat /data/copy", #{ stdout: fs::file("got") });
        let failed = web.exec("cat /data/copy; exit 1", #{ stdout: fs::file("incomplete"), check: false });
        print(`${failed.code} ${fs::exists("incomplete")} ${fs::sha256("given") == fs::sha256("got")}`);
        // A command that ignores its input ends nevertheless.
        print(web.exec("head -c 3", #{ stdin: fs::file("got") }).ok);
        "#,
    );
    assert_eq!(printed, "1 false true\ntrue\n");
    assert!(fs::read(project.path("got")).unwrap() == bytes, "the file comes back as it was");
}

#[test]
fn a_script_can_inspect_probe_and_signal_a_service() {
    let project = web("service");
    let printed = with_web(
        &project,
        r#"
        print(`${web.name} ${web.state} ${web.count()} ${web.containers().len}`);
        web.write("/www/page.html", "written");
        print(web.read("/www/page.html"));
        print(http::get(`http://localhost:${web.port(80)}/page.html`).body);
        let health = web.probe();
        print(`${health.ok} ${health.code} ${health.output.trimmed()}`);
        print(healthcheck(web, #{ test: "exit 4" }).code);
        web.kill("HUP");
        wait_until("20s", || web.logs().some(|line| line.text == "hung up"));
        web.wait("ready", "20s");
        print(web.run(["cat", "/proc/1/comm"]).stdout.trimmed());
        print(attempt(|| spc.service("wep")).error.hint);
        "#,
    );
    assert_eq!(
        printed,
        "web running 1 1\nwritten\nwritten\ntrue 0 it serves\n4\ncat\ndid you mean \"web\"?\n"
    );
}

#[test]
fn a_one_off_container_is_removed_after_its_command() {
    let project = web("one-off");
    let image = busybox();
    let before = objects(&project.name);
    let printed = with_web(
        &project,
        &format!(
            r#"
        print(run("{image}", "echo from $WORD", #{{ environment: #{{ WORD: "outside" }} }}).stdout.trimmed());
        print(web.run("wget -q -O - http://web/").stdout.trimmed());
        let failed = attempt(|| run("{image}", "echo broken >&2; exit 9"));
        print(`${{failed.error.kind}} ${{failed.error.code}} ${{failed.error.stderr.trimmed()}}`);
        "#
        ),
    );
    assert_eq!(printed, "from outside\nit serves\nexec 9 broken\n");
    assert_eq!(objects(&project.name), before);

    // An interrupt removes the container too.
    let mut run =
        project.script(&format!("run(\"{image}\", \"trap '' TERM; sleep 1000\");")).start();
    super::until::until("it runs", std::time::Duration::from_secs(60), || {
        (objects(&project.name) != before).then_some(())
    });
    run.signal(Signal::INT);
    run.until_reported("interrupted");
    run.ends(130);
    assert_eq!(objects(&project.name), before);
}

/// The state of the project's one-off containers.
fn one_offs(project: &Project) -> String {
    let filter = format!("name={}-web-run-", project.name);
    docker(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}} {{.State}}"])
        .trim()
        .to_owned()
}

#[test]
fn a_one_off_container_is_removed_after_a_hang_up_or_a_killed_run() {
    let project = Project::new("one-off-left");
    let image = busybox();
    project.stack(&format!(
        r#"services: #{{ web: #{{
            image: "{image}", command: ["sleep", "600"], stop_grace_period: "0s", container_name: "{}", ports: ["{}:80"],
            networks: #{{ "default": #{{ ipv4_address: "{}" }} }},
        }} }}"#,
        project.container("web"),
        free_port(),
        project.subnet().replace(".0/24", ".200"),
    ));
    let begin = || {
        let run = project.script("app::describe().service(\"web\").run(\"sleep 1000\");").start();
        super::until::until("it runs", std::time::Duration::from_secs(60), || {
            one_offs(&project).contains("running").then_some(())
        });
        run
    };
    // The project doesn't exist yet, so the one-off container also creates the network.
    let mut run = begin();
    run.signal(Signal::HUP);
    run.until_reported("interrupted");
    run.ends(130);
    assert_eq!(one_offs(&project), "");
    // The service runs too. It already has the container name, the port and the address.
    project.up().ends(0);
    begin().kill();
    let left = one_offs(&project);
    assert!(left.ends_with(" running"), "the engine goes on with it: {left}");
    let name = left.split(' ').next().unwrap_or_default();
    project.up().ends(0).prints(&["removed", name, "left by an interrupted run"]);
    assert_eq!(one_offs(&project), "");
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn a_script_can_create_inspect_and_remove_objects() {
    let project = web("objects");
    let printed = with_web(
        &project,
        r#"
        let scratch = volume("scratch");
        print(scratch.exists());
        scratch.create(#{ labels: #{ kind: "of a test" } });
        print(`${scratch.exists()} ${scratch.inspect().Name} ${scratch.inspect().Labels.kind}`);
        scratch.remove();
        print(scratch.exists());
        let side = network("side");
        side.create(#{ internal: true });
        side.connect("spct-objects-web-1", #{ aliases: ["aside"] });
        print(container("spct-objects-web-1").inspect().NetworkSettings.Networks.keys().join(" "));
        side.disconnect("spct-objects-web-1");
        side.remove();
        print(side.exists());
        let one = container("spct-objects-web-1");
        one.stop();
        print(one.inspect().State.Running);
        one.start();
        print(one.inspect().State.Running);
        "#,
    );
    assert_eq!(
        printed,
        "false\ntrue spct-objects_scratch of a test\nfalse\nspct-objects_default spct-objects_side\nfalse\nfalse\ntrue\n"
    );
}

#[test]
fn a_script_can_not_change_objects_of_other_projects() {
    let mine = web("mine");
    let other = web("other");
    let refused = |text: &str, object: &str| {
        let ended = mine.script(text).ends(5);
        ended.prints(&[
            &format!("the {object}: it belongs to the project \"spct-other\""),
            "projects = [\"spct-other\"]",
        ]);
    };
    refused("volume(\"spct-other_data\").remove();", "volume \"spct-other_data\"");
    refused("network(\"spct-other_default\").remove();", "network \"spct-other_default\"");
    refused("container(\"spct-other-web-1\").remove();", "container \"spct-other-web-1\"");
    refused(
        "container(\"spct-other-web-1\").write(\"/www/index.html\", \"defaced\");",
        "container \"spct-other-web-1\"",
    );
    refused(
        "try { container(\"spct-other-web-1\").kill(); } catch { print(\"swallowed\"); }",
        "container \"spct-other-web-1\"",
    );
    for text in ["exec(\"true\")", "read(\"/www/index.html\")", "healthcheck(#{ test: \"true\" })"]
    {
        refused(
            &format!("container(\"spct-other-web-1\").{text};"),
            "container \"spct-other-web-1\"",
        );
    }
    docker(&["volume", "create", "spct-nobodys"]);
    mine.script("volume(\"spct-nobodys\").remove();").ends(5).prints(&["no project created it"]);
    docker(&["volume", "rm", "spct-nobodys"]);
    assert!(is_there("volume", "spct-other_data"));
    assert_eq!(exec(&other.container("web"), &["cat", "/www/index.html"]), "it serves\n");
}

#[test]
fn ctrl_c_ends_following_logs_without_an_error() {
    let project = Project::new("follow");
    let image = busybox();
    let counts = |word: &str| {
        format!(r#"["sh", "-c", "n=0; while :; do n=$((n+1)); echo {word} $n; sleep 0.2; done"]"#)
    };
    project.stack(&format!(
        r#"services: #{{
            one: #{{ image: "{image}", command: {}, stop_grace_period: "0s" }},
            other: #{{ image: "{image}", command: {}, stop_grace_period: "0s" }},
        }}"#,
        counts("first"),
        counts("second")
    ));
    project.up().ends(0);
    let mut run = project
        .script("for line in app::describe().logs((), #{ follow: true }) { print(line); }")
        .start();
    for line in ["one-1   | first 5", "other-1 | second 5"] {
        run.until_printed(line);
    }
    run.signal(Signal::INT);
    // Ctrl-C is the normal end of following a log, so spc prints no error.
    assert_eq!(run.ends(130).stderr, "");
    let tail = project
        .script("for line in app::describe().logs(\"one\", #{ tail: 2 }) { print(line); }")
        .ends(0)
        .stdout;
    assert_eq!(tail.lines().count(), 2, "{tail}");
    assert!(tail.lines().all(|line| line.starts_with("one-1 | first ")), "{tail}");
}

#[test]
fn a_failed_guarded_block_is_undone_under_the_lock() {
    let project = web("guarded");
    let text = r#"
        let spc = app::describe();
        guarded(spc, "a change", |g| {
            g.undo("take it back", || spc.service("web").exec("rm /data/change"));
            g.always("say so", || print("at the end"));
            spc.service("web").exec("echo made >/data/change");
            print(container("spct-guarded.spc-lock").exists());
            spc.up();
            fail("failed", "it went wrong");
        });"#;
    project.script(text).ends(1).printed(&["true\nat the end\n"]).prints(&["it went wrong"]);
    assert_eq!(exec(&project.container("web"), &["ls", "/data"]), "");
    assert!(!is_there("container", "spct-guarded.spc-lock"));
}
