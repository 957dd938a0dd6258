#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "real processes are what is tested"
)]
use std::os::unix::process::ExitStatusExt;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;

fn login(socket: Option<&str>) -> Login {
    let machine = SshAddress {
        user: Some("me".into()),
        host: "host".into(),
        port: Some(2222),
        socket: socket.map(Into::into),
    };
    Login { machine, folder: "/tmp/x".into(), asks: false }
}

fn words(command: &Command) -> Vec<String> {
    command.as_std().get_args().map(|word| word.to_string_lossy().into_owned()).collect()
}

#[test]
fn a_session_names_port_user_and_machine_and_quotes_the_socket_for_the_shell_there() {
    let all = words(&login(None).dial());
    let at = all.iter().position(|word| word == "-p").unwrap();
    assert_eq!(
        all[at..],
        [
            "-p",
            "2222",
            "-l",
            "me",
            "--",
            "host",
            "echo",
            "spc-session-begun",
            "&&",
            "docker",
            "system",
            "dial-stdio"
        ]
    );
    assert!(all.contains(&"BatchMode=yes".to_owned()));
    let all = words(&login(Some("/a b/d.sock")).dial());
    assert_eq!(
        all[all.len() - 5..],
        ["docker", "--host", "'unix:///a b/d.sock'", "system", "dial-stdio"]
    );
}

#[test]
fn ssh_is_not_looked_for_where_spc_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["plain", "folder", "good"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    std::fs::write(at("plain/ssh"), "").unwrap();
    std::fs::create_dir(at("folder/ssh")).unwrap();
    std::fs::write(at("good/ssh"), "").unwrap();
    std::fs::set_permissions(at("good/ssh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = |names: &[&str]| std::env::join_paths(names.iter().map(|name| at(name))).unwrap();
    assert_eq!(found_in(&path(&["gone", "plain", "folder", "good"])), Some(at("good/ssh")));
    assert_eq!(found_in(&path(&["plain", "folder"])), None);
    // Relative to this test's folder, which contains all of them.
    let up = "../".repeat(20);
    let relative = format!("{up}{}", at("good").display().to_string().trim_start_matches('/'));
    assert!(std::path::Path::new(&relative).join("ssh").exists());
    assert_eq!(found_in(OsStr::new(&format!(":.:{relative}"))), None);
}

#[test]
fn special_characters_in_an_ssh_forward_are_escaped() {
    assert_eq!(forwardable("/a:b%c\\d.sock"), "/a\\:b%%c\\\\d.sock");
}

/// The guard around a shell that prints its process id and sleeps.
async fn guarded(folder: &std::path::Path, asks: bool) -> (tokio::process::Child, String) {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(guard(asks)).arg(folder).args(["sh", "-c", "echo $$; exec sleep 1000"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    (child, line.trim().to_owned())
}

#[tokio::test]
async fn a_guarded_command_ends_and_its_folder_is_removed_when_the_pipe_closes() {
    for asks in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.keep();
        std::fs::write(path.join("control"), "").unwrap();
        let (mut child, number) = guarded(&path, asks).await;
        assert_eq!(child.id().unwrap().to_string(), number, "the guard became the command");
        drop(child.stdin.take());
        assert!(!child.wait().await.unwrap().success());
        let begun = Instant::now();
        while path.exists() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the folder is still there");
            std::thread::yield_now();
        }
    }
}

#[tokio::test]
async fn ctrl_c_at_the_terminal_does_not_reach_what_is_guarded() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, number) = guarded(folder.path(), true).await;
    let pid = Pid::from_raw(number.parse().unwrap()).unwrap();
    for signal in [Signal::INT, Signal::HUP, Signal::QUIT] {
        kill_process(pid, signal).unwrap();
    }
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().await.unwrap().signal(), Some(15), "only TERM ended it");
}
