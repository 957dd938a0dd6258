//! Container logs with a real engine's timestamps, streams and restarts.

use std::time::Duration;

use super::docker::docker;
use super::images::busybox;
use super::project::Project;
use super::until::until;

const LIMIT: Duration = Duration::from_secs(30);

/// A command that prints `word` and a counter every `step` seconds until SIGTERM.
fn counts(word: &str, step: &str) -> String {
    format!(
        r#"["sh", "-c", "trap 'exit 0' TERM; i=0; while :; do echo {word} $i; i=$((i+1)); sleep {step}; done"]"#
    )
}

fn two(name: &str) -> Project {
    let (project, image) = (Project::new(name), busybox());
    project.stack(&format!(
        r#"services: #{{
            a: #{{ image: "{image}", command: {}, stop_grace_period: "2s" }},
            b: #{{ image: "{image}", command: {}, stop_grace_period: "2s", profiles: ["late"] }},
        }}"#,
        counts("a", "0.05"),
        counts("b", "0.03"),
    ));
    project
}

/// The lines of `docker logs`.
fn docker_log(container: &str) -> Vec<String> {
    docker(&["logs", container]).lines().map(str::to_owned).collect()
}

#[test]
fn following_logs_survives_restarts_and_includes_services_started_later() {
    let project = two("logs-follow");
    project.up().ends(0);
    let text = r#"for line in app::describe().logs((), #{ follow: true }) { print(`${line.service}|${line.text}`); }"#;
    let mut run = project.script(text).start();
    run.until_printed("a|a 5");
    docker(&["restart", "-t", "1", &project.container("a")]);
    until("it goes on", LIMIT, || {
        (docker_log(&project.container("a")).iter().filter(|line| *line == "a 5").count() == 2)
            .then_some(())
    });
    project.script(r#"app::describe().up(["b"]);"#).ends(0);
    run.until_printed("b|b 5");
    docker(&["stop", "-t", "2", &project.container("a"), &project.container("b")]);
    let printed = run.ends(0).stdout;
    for service in ["a", "b"] {
        let shown: Vec<&str> = printed
            .lines()
            .filter_map(|line| line.strip_prefix(service)?.strip_prefix('|'))
            .collect();
        assert_eq!(shown, docker_log(&project.container(service)));
    }
}

#[test]
fn log_lines_of_two_services_are_sorted_and_since_and_until_are_exact() {
    let project = two("logs-order");
    project.script(r#"app::describe().up(["a", "b"]);"#).ends(0);
    until("there are lines", LIMIT, || {
        (docker_log(&project.container("b")).len() > 60).then_some(())
    });
    docker(&["stop", "-t", "2", &project.container("a"), &project.container("b")]);
    let printed = project
        .script(
            r#"
            let spc = app::describe();
            let last = "";
            let back = 0;
            let all = spc.logs();
            for line in all { if line.time < last { back += 1; } last = line.time; }
            let since = spc.logs((), #{ since: all[20].time });
            let before = spc.logs((), #{ "until": all[20].time });
            let between = spc.logs((), #{ since: all[20].time, "until": all[29].time });
            print(`${back} ${all.len - since.len} ${before.len} ${between.len}`);
            print(spc.logs("a", #{ tail: 2 }).len);
            "#,
        )
        .ends(0)
        .stdout;
    assert_eq!(printed, "0 20 21 10\n2\n");
}

#[test]
fn an_unreadable_log_does_not_affect_other_logs() {
    let (project, image) = (Project::new("logs-none"), busybox());
    project.stack(&format!(
        r#"services: #{{
            quiet: #{{ image: "{image}", command: ["sh", "-c", "echo hi; sleep 1000"], stop_grace_period: "0s", logging: #{{ driver: "none" }} }},
            loud: #{{ image: "{image}", command: ["sh", "-c", "echo hi; sleep 1000"], stop_grace_period: "0s" }},
        }}"#
    ));
    project.up().ends(0);
    let ended = project.script("for line in app::describe().logs() { print(line); }").ends(0);
    assert_eq!(ended.stdout, "loud-1  | hi\n");
    ended.prints(&["Could not read the log of \"quiet-1\"", "logging: { driver: local }"]);
    project
        .script("app::describe().logs(\"quiet\");")
        .ends(1)
        .prints(&["Could not read the log of \"quiet-1\""]);
}

#[test]
fn long_and_unterminated_log_lines_are_complete() {
    let (project, image) = (Project::new("logs-lines"), busybox());
    let command = r"head -c 40000 /dev/zero | tr '\0' x; echo; echo short; printf tail";
    let quoted = command.replace('\\', r"\\");
    project.stack(&format!(
        r#"services: #{{ plain: #{{ image: "{image}", command: ["sh", "-c", "{quoted}"] }} }}"#
    ));
    project.up().ends(0);
    // A container like the one that Docker Compose creates for `tty: true`.
    let label = |key: &str, value: &str| format!("com.docker.compose.{key}={value}");
    let labels = [
        label("project", &project.name),
        label("service", "terminal"),
        label("container-number", "1"),
        label("oneoff", "False"),
        label("config-hash", &"0a1b".repeat(16)),
        label("project.working_dir", &project.path("").display().to_string()),
        label("version", "2.40.3"),
    ];
    let name = project.container("terminal");
    let mut words = vec!["create", "--tty", "--name", &name];
    words.extend(labels.iter().flat_map(|label| ["--label", label]));
    words.extend([image, "sh", "-c", command]);
    docker(&words);
    docker(&["start", &name]);
    docker(&["wait", &name]);
    docker(&["start", &project.container("plain"), &project.container("terminal")]);
    docker(&["wait", &project.container("plain"), &project.container("terminal")]);
    let printed = project
        .script(
            r#"
            for name in ["plain", "terminal"] {
                let service = stack().service(name);
                print(service.logs().map(|line| line.text.len));
                print(service.logs(#{ tail: 3 }).map(|line| line.text.len));
            }
            "#,
        )
        .ends(0)
        .stdout;
    let one = "[40000, 5, 4, 40000, 5, 4]\n[40000, 5, 4]\n";
    assert_eq!(printed.matches(one).count(), 2, "{printed}");
}

#[test]
fn the_log_lines_of_a_failure_come_from_its_last_start() {
    let (project, image) = (Project::new("logs-stale"), busybox());
    let command =
        "if [ -e /n/2 ]; then echo SECOND reason; else echo FIRST reason; echo > /n/2; fi; exit 7";
    project.stack(&format!(
        r#"services: #{{ init: #{{ image: "{image}", command: ["sh", "-c", "{command}"], volumes: ["n:/n"] }} }}, volumes: #{{ n: #{{}} }}"#
    ));
    project.up().ends(1).prints(&["exited with code 7", "last log lines", "FIRST reason"]);
    project
        .up()
        .ends(1)
        .prints(&["exited with code 7", "last log lines", "SECOND reason"])
        .does_not_print(&["FIRST reason"]);
}
