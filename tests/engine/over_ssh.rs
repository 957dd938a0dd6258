//! An engine over ssh, with a real `ssh` and a real server.

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
fn an_engine_over_ssh_serves_as_a_local_one_does_with_one_login_for_each_run() {
    let project = Project::new("ssh");
    let sshd = Sshd::new(&[]);
    let runs = serves_as_a_local_engine(&project, &|spc| sshd.leads(spc), &docker);
    assert_eq!(sshd.logins(), runs);
    sshd.until_nothing_is_left();
}

#[test]
fn where_sockets_are_not_forwarded_dockers_client_there_passes_on_more_connections_than_a_login_has_sessions()
 {
    let project = Project::new("ssh-dial");
    let sshd = Sshd::new(&["AllowStreamLocalForwarding no", "MaxSessions 3"]);
    serves_as_a_local_engine(&project, &|spc| sshd.leads(spc), &docker);
    sshd.until_nothing_is_left();
}

#[test]
fn twenty_services_come_up_where_a_login_has_two_sessions_and_few_may_log_in_at_a_time() {
    let project = Project::new("ssh-few");
    let sshd = Sshd::new(&["AllowStreamLocalForwarding no", "MaxSessions 2", "MaxStartups 2:90:3"]);
    project.stack(&sleepers(20));
    sshd.leads(project.up()).ends(0);
    let execs = r#"print(parallel([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(|n| || app::describe().service(`s${n}`).exec(`sleep 0.3; echo ${n}`).stdout.int())));"#;
    sshd.leads(project.script(execs)).ends(0).printed(&["[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]);
    sshd.leads(project.spc(&["run", "scripts/down.rhai"])).ends(0);
    // Each run has several permanent streams, so one login is not enough; but it does not log in
    // for each connection.
    assert!(sshd.logins() <= 12, "{}", sshd.logins());
    sshd.until_nothing_is_left();
}

#[test]
fn a_server_that_gives_no_session_is_said_to() {
    let project = Project::new("ssh-none");
    let sshd = Sshd::new(&["AllowStreamLocalForwarding no", "MaxSessions 0"]);
    sshd.leads(project.spc(&["ps"])).ends(1).prints(&["MaxSessions"]);
    sshd.until_nothing_is_left();
}

#[test]
fn a_key_that_leads_to_dockers_client_alone_and_a_shell_that_prints_serve_too() {
    let project = Project::new("ssh-forced");
    for forced in ["docker system dial-stdio", "echo Welcome; echo; eval $SSH_ORIGINAL_COMMAND"] {
        let sshd = Sshd::new(&["AllowStreamLocalForwarding no", &format!("ForceCommand {forced}")]);
        sshd.leads(project.spc(&["ps"])).ends(0);
        sshd.until_nothing_is_left();
    }
}

/// This many waiting services.
fn sleepers(count: usize) -> String {
    let service =
        format!(r#"image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s""#, busybox());
    let services: Vec<String> =
        (1..=count).map(|number| format!("s{number}: #{{ {service} }}")).collect();
    format!("services: #{{ {} }}", services.join(", "))
}

#[test]
fn a_run_that_is_killed_or_interrupted_leaves_no_login() {
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
fn what_keeps_ssh_from_logging_in_is_told_in_its_words_with_the_next_step() {
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
fn a_machine_without_an_engine_or_docker_is_told_from_one_that_does_not_let_in() {
    let project = Project::new("ssh-empty");
    let sshd = Sshd::new(&["AllowStreamLocalForwarding no", "SetEnv PATH=/nowhere"]);
    let ps: Spc = sshd.leads(project.spc(&["ps"]));
    ps.ends(1).prints(&["logged in, but", "command not found", "install Docker there"]);
    sshd.until_nothing_is_left();
}

#[test]
fn a_login_that_is_lost_is_told_and_not_taken_for_an_engine_that_does_not_run() {
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
fn at_a_terminal_ssh_may_ask() {
    let project = Project::new("ssh-asks");
    let sshd = Sshd::new(&[]);
    sshd.trust_nobody();
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();

    // In a session of its own with this terminal.
    let mut run = Command::new("setsid");
    run.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_spc"), "--project", &project.name, "ps"])
        .current_dir(project.path(""));
    run.env("DOCKER_HOST", sshd.docker_host()).env("PATH", sshd.search_path());
    run.stdin(terminal.try_clone().unwrap()).stdout(terminal.try_clone().unwrap()).stderr(terminal);
    let mut child = run.spawn().unwrap();
    // It also holds the terminal open, whose end is read below.
    drop(run);

    let mut keyboard = File::from(keyboard);
    let mut shown = String::new();
    let mut chunk = [0; 4096];
    let mut answered = false;
    // Reading from a terminal that nobody holds any more is an error.
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
