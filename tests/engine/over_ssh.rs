//! An engine over SSH, with a real client and a real server.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::docker::docker;
use super::images::busybox;
use super::project::Project;
use super::remote::serves_as_a_local_engine;
use super::spc::Spc;
use super::sshd::Sshd;

#[test]
fn an_engine_over_ssh_behaves_like_a_local_one_with_one_login_per_run() {
    let project = Project::new("ssh");
    let sshd = Sshd::new(&[]);
    let runs = serves_as_a_local_engine(&project, &|spc| sshd.leads(spc), &docker);
    assert_eq!(sshd.logins(), runs);
    sshd.until_nothing_is_left();
}

#[test]
fn an_engine_over_ssh_works_without_socket_forwarding() {
    let project = Project::new("ssh-dial");
    let sshd = Sshd::new(&["AllowStreamLocalForwarding no", "MaxSessions 3"]);
    serves_as_a_local_engine(&project, &|spc| sshd.leads(spc), &docker);
    sshd.until_nothing_is_left();
}

#[test]
fn twenty_services_start_over_ssh_with_few_sessions_and_logins() {
    let project = Project::new("ssh-few");
    let sshd = Sshd::new(&["AllowStreamLocalForwarding no", "MaxSessions 2", "MaxStartups 2:90:3"]);
    project.stack(&sleepers(20));
    sshd.leads(project.up()).ends(0);
    let execs = r#"print(parallel([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(|n| || app::describe().service(`s${n}`).exec(`sleep 0.3; echo ${n}`).stdout.int())));"#;
    sshd.leads(project.script(execs)).ends(0).printed(&["[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]);
    sshd.leads(project.spc(&["run", "scripts/down.rhai"])).ends(0);
    // Each run has several long-lived streams, so it needs more than one login. But it does not log
    // in for each connection.
    assert!(sshd.logins() <= 12, "{}", sshd.logins());
    sshd.until_nothing_is_left();
}

#[test]
fn an_ssh_server_without_sessions_is_reported() {
    let project = Project::new("ssh-none");
    let sshd = Sshd::new(&["AllowStreamLocalForwarding no", "MaxSessions 0"]);
    sshd.leads(project.spc(&["ps"])).ends(1).prints(&["MaxSessions"]);
    sshd.until_nothing_is_left();
}

#[test]
fn ssh_works_with_a_forced_command_and_with_a_shell_that_prints() {
    let project = Project::new("ssh-forced");
    for forced in ["docker system dial-stdio", "echo Welcome; echo; eval $SSH_ORIGINAL_COMMAND"] {
        let sshd = Sshd::new(&["AllowStreamLocalForwarding no", &format!("ForceCommand {forced}")]);
        sshd.leads(project.spc(&["ps"])).ends(0);
        sshd.until_nothing_is_left();
    }
}

/// A stack with this many idle services.
fn sleepers(count: usize) -> String {
    let service =
        format!(r#"image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s""#, busybox());
    let services: Vec<String> =
        (1..=count).map(|number| format!("s{number}: #{{ {service} }}")).collect();
    format!("services: #{{ {} }}", services.join(", "))
}

#[test]
fn a_killed_or_interrupted_run_leaves_no_ssh_login() {
    let project = Project::new("ssh-ended");
    let sshd = Sshd::new(&[]);
    let begun = || {
        let mut run = sshd.leads(project.script("print(stack().ps().len()); sleep(1000);")).start();
        run.until_printed("0\n");
        assert!(!sshd.left().is_empty());
        run
    };
    begun().kill();
    sshd.until_nothing_is_left();
    let run = begun();
    run.signal(Signal::INT);
    run.ends(130);
    sshd.until_nothing_is_left();
}

#[test]
fn a_failed_ssh_login_is_reported_with_a_suggested_fix() {
    let project = Project::new("ssh-refused");
    let sshd = Sshd::new(&[]);
    let ps = |host: &str| {
        sshd.leads(project.spc(&["ps"])).env("DOCKER_HOST", host).within(Duration::from_secs(40))
    };
    let host = sshd.docker_host();
    sshd.log_in_with("stranger");
    ps(&host)
        .ends(1)
        .prints(&["Permission denied (publickey)", "has to log in without a question"]);
    sshd.log_in_with("user").trust_nobody();
    ps(&host).ends(1).prints(&["Host key verification failed", "log in once by hand"]);
    sshd.trust("stranger");
    ps(&host).ends(1).prints(&["has changed", "ssh-keygen -R"]);
    sshd.trust("host");
    ps("ssh://127.0.0.1:1")
        .ends(1)
        .prints(&["port 1: Connection refused", "check that sshd runs there"]);
    ps(&host)
        .env("PATH", "/nowhere")
        .ends(1)
        .prints(&["there is no program \"ssh\"", "install the OpenSSH client"]);
    ps(&format!("{host}/no engine.sock")).ends(1).prints(&[
        "\"/no engine.sock\" does not answer there",
        "/no engine.sock: connect: no such file",
        "start the Docker Engine there",
    ]);
    ps(&host).ends(0);
    sshd.until_nothing_is_left();
}

#[test]
fn a_missing_docker_over_ssh_differs_from_a_failed_login() {
    let project = Project::new("ssh-empty");
    let sshd = Sshd::new(&["AllowStreamLocalForwarding no", "SetEnv PATH=/nowhere"]);
    let ps: Spc = sshd.leads(project.spc(&["ps"]));
    ps.ends(1).prints(&["logged in, but", "command not found", "install Docker there"]);
    sshd.until_nothing_is_left();
}

#[test]
fn a_lost_ssh_login_is_reported_as_a_lost_connection() {
    let project = Project::new("ssh-lost");
    let sshd = Sshd::new(&[]);
    let script = r#"print(stack().ps().len()); wait_until("20s", || fs::exists("go")); print(stack().ps().len());"#;
    let mut run = sshd.leads(project.script(script)).start();
    run.until_printed("0\n");
    sshd.throw_out();
    project.file("go", "");
    run.ends(1).prints(&["The connection to the Docker Engine was lost: ssh ended"]);
    sshd.until_nothing_is_left();
}

#[test]
fn ssh_can_ask_questions_at_a_terminal() {
    let project = Project::new("ssh-asks");
    let sshd = Sshd::new(&[]);
    sshd.trust_nobody();
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();

    // Runs spc in a new session with this controlling terminal.
    let mut run = Command::new("setsid");
    run.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_spc"), "--project", &project.name, "ps"])
        .current_dir(project.path(""));
    run.env("DOCKER_HOST", sshd.docker_host()).env("PATH", sshd.search_path());
    run.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let mut child = run.spawn().unwrap();
    // The command holds the terminal open. Dropping it closes the terminal, so that reading it can
    // end.
    drop(run);

    let mut keyboard = File::from(keyboard);
    let mut shown = String::new();
    let mut chunk = [0; 4096];
    let mut answered = false;
    // Reading fails once no process has the terminal open.
    while let Ok(count @ 1..) = keyboard.read(&mut chunk) {
        shown.push_str(&String::from_utf8_lossy(&chunk[..count]));
        if !answered && shown.contains("(yes/no") {
            keyboard.write_all(b"yes\n").unwrap();
            answered = true;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0), "{shown}");
    assert!(answered && shown.contains("NAME"), "{shown}");
}
