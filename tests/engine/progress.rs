//! Progress on a terminal: the live display during a run and the lines that stay afterwards. The
//! real binary runs at a pseudo-terminal.

use serde_json::{Value, json};

use super::docker::{docker, exec};
use super::images::busybox;
use super::project::Project;
use crate::support::Screen;

/// Describes two services. `web` is built and waits for `db`, which becomes ready on request.
fn stack(project: &Project) {
    let image = busybox();
    let name = &project.name;
    project.file(
        "app/Dockerfile",
        &format!("FROM {image}\nRUN printf '\\033[31mred\\033[0m\\n'\nCMD [\"sleep\", \"1000\"]\n"),
    );
    project.stack(&format!(
        r#"volumes: #{{ data: #{{}} }}, services: #{{
            db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", volumes: ["data:/data"],
                healthcheck: #{{ test: "test -f /tmp/well", interval: "1h" }} }},
            web: #{{ image: "local/{name}:1", build: "./app", stop_grace_period: "0s",
                depends_on: #{{ db: #{{ condition: "service_healthy" }} }} }},
        }}"#
    ));
}

/// Removes the image that the project builds, if it is there.
fn no_image(project: &Project) {
    docker(&["image", "rm", "--force", &format!("local/{}:1", project.name)]);
}

/// The text of a screen with single spaces between words and `[time]` in place of times.
fn without_times(text: &str) -> String {
    let mut shown = String::new();
    for line in text.lines() {
        let mut words: Vec<&str> = Vec::new();
        for word in line.split_whitespace() {
            let is_number =
                words.last().is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit()));
            if is_number && matches!(word, "ms" | "s") {
                words.pop();
                words.push("[time]");
            } else {
                words.push(word);
            }
        }
        shown.push_str(&words.join(" "));
        shown.push('\n');
    }
    shown
}

#[test]
fn progress_is_live_and_leaves_one_line_per_service() {
    for (columns, name) in [(80, "seen-80"), (200, "seen-200")] {
        let project = Project::new(name);
        stack(&project);
        no_image(&project);
        let screen = Screen::new(columns, 24);
        let run = project.up().at(&screen).start();
        screen.until(&[
            "db probing",
            "exit code 1",
            "web waiting",
            "for db to be ready",
            "1 probing, 1 waiting",
        ]);
        exec(&project.container("db"), &["touch", "/tmp/well"]);
        run.ends(0);
        screen.finish();
        let name = &project.name;
        let expected = format!(
            "network created [time] {name}_default\nvolume created [time] {name}_data\ndb ready [time]\nweb ready [time] built in [time]\n\
             {name} up [time] 2 ready\n7 changes\n"
        );
        similar_asserts::assert_eq!(without_times(&screen.text()), expected);
        assert!(screen.is_tidy(), "{}", screen.text());

        // A run that changes nothing prints one line.
        let screen = Screen::new(columns, 24);
        project.up().at(&screen).ends(0);
        screen.finish();
        similar_asserts::assert_eq!(
            without_times(&screen.text()),
            format!("{name} unchanged up: nothing to do\n0 changes\n")
        );
        no_image(&project);
    }
}

#[test]
fn json_output_contains_the_progress_as_events() {
    let project = Project::new("seen-json");
    let image = busybox();
    project.stack(&format!(
        r#"services: #{{
            db: #{{ image: "{image}", command: ["sh", "-c", "sleep 2; touch /tmp/well; sleep 1000"], stop_grace_period: "0s",
                healthcheck: #{{ test: "test -f /tmp/well", interval: "1h" }} }},
            web: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", depends_on: #{{ db: #{{ condition: "service_healthy" }} }} }},
        }}"#
    ));
    let reported = |words: &[&str]| -> Vec<Value> {
        project
            .spc(words)
            .ends(0)
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let events = reported(&["--json", "run", "scripts/up.rhai"]);
    let is = |event: &Value, wanted: &Value| {
        wanted.as_object().unwrap().iter().all(|(name, value)| event[name] == *value)
    };
    let (db, web) = (
        json!({"kind": "container", "name": project.container("db")}),
        json!({"kind": "container", "name": project.container("web")}),
    );
    // The events must come in this order. Others may come between them.
    let mut rest = events.iter();
    for wanted in [
        json!({"event": "verb_started", "project": project.name, "verb": "up", "steps": 7, "services": ["db", "web"], "unchanged": []}),
        json!({"event": "step_started", "service": "db", "action": "create", "object": db, "cause": "missing"}),
        json!({"event": "step_waiting", "service": "web", "action": "start", "object": web, "waits_for": "db to be ready"}),
        json!({"event": "step_progress", "service": "db", "action": "wait_until_ready", "object": db, "state": "probing", "exit_code": 1, "text": "probing, exit code 1"}),
        json!({"event": "step_done", "service": "db", "action": "wait_until_ready", "object": db}),
        json!({"event": "step_started", "service": "web", "action": "start", "object": web}),
        json!({"event": "step_done", "service": "web", "action": "wait_until_ready", "object": web}),
        json!({"event": "verb_done", "project": project.name, "verb": "up", "ok": true}),
        json!({"event": "print", "text": "5 changes"}),
        json!({"event": "end", "ok": true, "code": 0}),
    ] {
        assert!(rest.any(|event| is(event, &wanted)), "{wanted} after those before:\n{events:#?}");
    }
    let waits = events
        .iter()
        .filter(|event| event["event"] == "step_waiting" && event["waits_for"] == "db to be ready")
        .count();
    assert_eq!(waits, 1, "a cause is reported once");
    assert!(
        reported(&["--json", "run", "scripts/up.rhai"])
            .iter()
            .any(|event| is(event, &json!({"event": "unchanged", "verb": "up"})))
    );

    // Without a terminal, spc reports a wait and its cause once, when the wait is over.
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    let ended = project.up().ends(0).prints(&["for db to be ready"]);
    assert_eq!(ended.stderr.matches("waited").count(), 1, "{}", ended.stderr);
}

#[test]
fn ctrl_c_leaves_finished_and_unfinished_steps_above_the_error() {
    let project = Project::waiting("seen-ctrl-c");
    let screen = Screen::new(80, 40);
    let run = project.up().at(&screen).start();
    screen.until(&["db probing", "exit code 1", "web waiting"]);
    screen.types("\u{3}");
    run.ends(130);
    screen.finish();
    let name = &project.name;
    let expected = format!(
        "interrupted: finishing the steps that have started; press Ctrl-C again to exit now\n\
         network created [time] {name}_default\ndb not ready [time] exit code 1\nweb not begun [time] waited for db to be ready\n\
         {name} up [time] 1 not ready, 1 not begun\nerror: Interrupted\n"
    );
    let seen = without_times(&screen.text());
    similar_asserts::assert_eq!(seen[..expected.len().min(seen.len())], expected[..]);
    assert!(!seen.contains("^C"), "{seen}");
    assert!(screen.is_tidy(), "{seen}");
}

#[test]
fn a_small_terminal_shows_active_services_and_counts_the_others() {
    let project = Project::new("seen-many");
    let image = busybox();
    let service = |number: u32| {
        format!(
            r#""s{number}": #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", healthcheck: #{{ test: "test {number} -lt 9 -o -f /tmp/well", interval: "1h" }} }}"#
        )
    };
    let services: Vec<String> = (1..=9).map(service).collect();
    project.stack(&format!("services: #{{ {} }}", services.join(", ")));
    let screen = Screen::new(60, 7);
    let run = project.up().at(&screen).start();
    screen.until(&["s9 probing", "8 ready, 1 probing"]);
    screen.resize(44, 7);
    screen.until(&["s9 probing", "8 ready, 1 pro"]);
    assert!(screen.text().lines().count() <= 6, "{}", screen.text());
    exec(&project.container("s9"), &["touch", "/tmp/well"]);
    run.ends(0);
    screen.finish();
    let expected = format!(
        "s7 ready [time]\ns8 ready [time]\ns9 ready [time]\n{} up [time] 9 ready\n19 changes\n",
        project.name
    );
    assert!(without_times(&screen.text()).ends_with(&expected), "{}", screen.text());
}

#[test]
fn escape_sequences_in_build_output_do_not_reach_the_terminal() {
    let project = Project::new("seen-fails");
    project.file(
        "app/Dockerfile",
        &format!("FROM {}\nRUN printf '\\033[2Jgone\\n'; sleep 1; exit 3\n", busybox()),
    );
    project.stack(r#"services: #{ web: #{ image: "local/spct-seen-fails:1", build: "./app" } }"#);
    let screen = Screen::new(100, 30);
    let run = project.up().at(&screen).start();
    screen.until(&["web building", "[2/2] RUN printf", "| ␛[2Jgone"]);
    run.ends(1);
    screen.finish();
    let seen = screen.text();
    for text in ["  failed  ", "error: The build of", "failed with exit code 3", "    ␛[2Jgone\n"]
    {
        assert!(seen.contains(text), "{text}:\n{seen}");
    }
    assert!(!screen.sent().contains("\u{1b}[2J"));
    assert!(screen.is_tidy(), "{seen}");
}

#[test]
fn verbose_shows_the_whole_build_log() {
    let project = Project::new("seen-log");
    no_image(&project);
    // The marker is unique, so the build can't use the cache.
    let marker = format!("{}-{:?}", std::process::id(), std::time::SystemTime::now());
    let lines = format!("for i in 1 2 3 4 5 6; do echo line $i; done; : '{marker}'");
    project.file(
        "app/Dockerfile",
        &format!("FROM {}\nRUN {lines}\nCMD [\"sleep\", \"1000\"]\n", busybox()),
    );
    project.stack(r#"services: #{ web: #{ image: "local/spct-seen-log:1", build: "./app", stop_grace_period: "0s" } }"#);
    let screen = Screen::new(80, 30);
    project.spc(&["--verbose", "run", "scripts/up.rhai"]).at(&screen).ends(0);
    screen.finish();
    let log: String = (1..=6).map(|number| format!("web | line {number}\n")).collect();
    let seen = without_times(&screen.text());
    assert!(seen.contains(&log) && seen.contains("web ready [time] built in [time]\n"), "{seen}");
    no_image(&project);
}

#[test]
fn results_go_to_a_pipe_while_progress_goes_to_the_terminal() {
    let project = Project::new("seen-pipe");
    let image = busybox();
    project.stack(&format!(r#"services: #{{ db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s" }} }}"#));
    let screen = Screen::new(80, 24);
    let ended = project.up().on_screen(&screen).ends(0);
    screen.finish();
    assert_eq!(ended.stdout, "3 changes\n");
    let name = &project.name;
    similar_asserts::assert_eq!(
        without_times(&screen.text()),
        format!(
            "network created [time] {name}_default\ndb ready [time]\n{name} up [time] 1 ready\n"
        )
    );

    // The same without colours, and on a terminal that can't move its cursor.
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    let screen = Screen::new(80, 24);
    project.up().at(&screen).env("NO_COLOR", "1").ends(0);
    screen.finish();
    assert!(screen.text().contains("  ready  "), "{}", screen.text());
    assert!(
        !screen.sent().contains("\u{1b}[1m") && !screen.sent().contains("\u{1b}[32m"),
        "{:?}",
        screen.sent()
    );
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    for (words, name) in [
        (&["run", "scripts/up.rhai"][..], "TERM"),
        (&["--quiet", "run", "scripts/up.rhai"], "OTHER"),
        (&["--json", "run", "scripts/up.rhai"], "OTHER"),
    ] {
        let screen = Screen::new(80, 24);
        project.spc(words).at(&screen).env(name, "dumb").ends(0);
        screen.finish();
        assert!(
            !screen.sent().contains('\u{1b}') && screen.sent().contains("changes"),
            "{words:?}: {:?}",
            screen.sent()
        );
    }
}
