//! spc terminates commands in containers that it no longer waits for.

use std::time::Duration;

use rustix::process::Signal;

use super::docker::docker;
use super::images::busybox;
use super::project::Project;
use super::until::until;

const LIMIT: Duration = Duration::from_secs(60);

/// A running project with one idle service.
fn idle(name: &str) -> Project {
    let project = Project::new(name);
    project
        .stack(&format!(r#"services: #{{ web: #{{ image: "{}", command: ["sleep", "100000"], stop_grace_period: "0s" }} }}"#, busybox()));
    project.up().ends(0);
    project
}

/// The commands that run in the container in addition to its main process.
fn commands(project: &Project) -> Vec<String> {
    let all = docker(&["top", &project.container("web"), "-o", "pid,args"]);
    let commands = all
        .lines()
        .skip(1)
        .filter_map(|line| Some(line.trim().split_once(' ')?.1.trim().to_owned()));
    commands.filter(|command| command != "sleep 100000").collect()
}

#[test]
fn a_command_that_times_out_is_terminated_with_its_child_processes() {
    let project = idle("exec-time");
    let stubborn = "trap '' TERM; sleep 4242 & while :; do sleep 1; done";
    let ended = project
        .script(&format!(
            r#"app::describe().service("web").exec("{stubborn}", #{{ timeout: "1s" }});"#
        ))
        .ends(1);
    ended.prints(&[
        "The command in \"web\" did not end within 1 s",
        "spc ended it; set a longer `timeout`",
    ]);
    assert_eq!(commands(&project), Vec::<String>::new());
    // The same for a command of another user that runs without a shell.
    let text = r#"app::describe().service("web").exec(["sleep", "4242"], #{ timeout: "1s", user: "1000" });"#;
    project.script(text).ends(1).prints(&["spc ended it"]);
    assert_eq!(commands(&project), Vec::<String>::new());
}

#[test]
fn a_command_of_any_user_is_terminated_in_a_container_of_another_user() {
    let project = Project::new("exec-users");
    // Like sudo, `su` has a setuid bit and becomes root. In `/etc/passwd` root has no password.
    let image = super::images::image("exec-users", &["USER 0"]);
    project.stack(&format!(
        r#"services: #{{ web: #{{ image: "{image}", user: "1000", command: ["sleep", "100000"], stop_grace_period: "0s" }} }}"#
    ));
    project.up().ends(0);
    let prepare = "mkdir -p /etc; echo root::0:0::/:/bin/sh > /etc/passwd; echo u:x:1000:1000::/:/bin/sh >> /etc/passwd; rm -f /bin/su; \
         cp /bin/busybox /bin/su; chmod 4755 /bin/su";
    docker(&["exec", "--user", "0", &project.container("web"), "sh", "-c", prepare]);
    for (command, user) in [
        ("sleep 4242", "user: \"0\""),
        ("sleep 4242", "user: \"root\""),
        ("sleep 4242", "user: \"1000\""),
        ("sleep 4242", "user: \"1001:50\""),
        ("/bin/su root -c 'sleep 4242'", ""),
        ("/bin/su root -c 'sleep 4242'", "user: \"1001\""),
    ] {
        let text = format!(
            r#"app::describe().service("web").exec("{command}", #{{ timeout: "1s", {user} }});"#
        );
        project.script(&text).ends(1).prints(&["spc ended it"]);
        assert_eq!(commands(&project), Vec::<String>::new(), "{command} {user}");
    }
}

#[test]
fn a_command_with_too_much_output_is_terminated() {
    let project = idle("exec-flood");
    let ended =
        project.script(r#"app::describe().service("web").exec(["busybox", "yes"]);"#).ends(2);
    ended.prints(&["writes more than 64 MiB"]);
    assert_eq!(commands(&project), Vec::<String>::new());
}

#[test]
fn a_signal_to_a_run_terminates_its_command() {
    let project = idle("exec-signal");
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let run =
            project.script(r#"app::describe().service("web").exec("sleep 4242; true");"#).start();
        until("the command runs", LIMIT, || {
            commands(&project).iter().any(|command| command == "sleep 4242").then_some(())
        });
        run.signal(signal);
        assert!(run.ends(130).took < LIMIT, "{signal:?}");
        assert_eq!(commands(&project), Vec::<String>::new(), "{signal:?}");
    }
}

#[test]
fn a_signal_to_a_plan_terminates_its_read_only_command() {
    let project = idle("exec-plan");
    project.file("spc.toml", "spc = \"0.1\"\n[allow]\nread_only_execs = true\n");
    let code = "import \"stack\" as app;\napp::describe().service(\"web\").exec(\"sleep 4242; true\", #{ read_only: true });";
    project.file("scripts/look.rhai", code);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let plan = project.spc(&["plan", "scripts/look.rhai"]).start();
        until("the command runs", LIMIT, || {
            commands(&project).iter().any(|command| command == "sleep 4242").then_some(())
        });
        plan.signal(signal);
        assert!(plan.ends(130).took < LIMIT, "{signal:?}");
        assert_eq!(commands(&project), Vec::<String>::new(), "{signal:?}");
    }
}

#[test]
fn a_command_that_can_not_be_terminated_is_reported() {
    let project = idle("exec-no-shell");
    docker(&["exec", &project.container("web"), "rm", "/bin/sh"]);
    let ended = project
        .script(r#"app::describe().service("web").exec(["sleep", "4242"], #{ timeout: "1s" });"#)
        .ends(1);
    ended.prints(&["it is still running in the container (the container has no /bin/sh that could end it): restart the container to end it"]);
    assert_eq!(commands(&project), ["sleep 4242"]);
}
