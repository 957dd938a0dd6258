use super::*;

fn hint(said: &str) -> Option<String> {
    let machine = SshAddress { user: None, host: "host".into(), port: Some(2222), socket: None };
    login_hint(said, &machine, "`ssh -p 2222 host`")
}

#[test]
fn the_last_lines_are_what_happened_without_what_is_for_a_terminal() {
    let text = "@@@@@\n@  WARNING  @\n\nHost key for host has changed.\r\n\u{1b}[31mHost key verification failed.\n\n";
    assert_eq!(last(text), "Host key for host has changed; [31mHost key verification failed");
    assert_eq!(
        last("ssh: Could not resolve hostname x: Name or service not known\n"),
        "Could not resolve hostname x: Name or service not known"
    );
    assert_eq!(last(" \n"), "");
}

#[test]
fn each_failed_login_has_its_next_step() {
    let cases = [
        (
            "Host key for [host]:2222 has changed; Host key verification failed",
            "`ssh-keygen -R '[host]:2222'`",
        ),
        ("Host key verification failed", "log in once by hand"),
        ("me@host: Permission denied (publickey)", "`ssh-add`"),
        (
            "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
            "`ssh-add`",
        ),
        ("Could not resolve hostname host: Name or service not known", "check the machine's name"),
        ("connect to host host port 2222: Connection refused", "check that sshd runs there"),
    ];
    for (said, step) in cases {
        assert!(hint(said).is_some_and(|hint| hint.contains(step)), "{said}: {:?}", hint(said));
    }
    assert_eq!(hint("kex_exchange_identification: Connection closed by remote host"), None);
}

#[test]
fn each_engine_that_is_not_reached_there_has_its_next_step() {
    let cases = [
        ("bash: line 1: docker: command not found", "install Docker there"),
        ("sh: 1: docker: not found", "install Docker there"),
        (
            "failed to open the raw stream connection: dial unix /a.sock: connect: no such file or directory",
            "start the Docker Engine there",
        ),
        (
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "start the Docker Engine there",
        ),
        ("dial unix /var/run/docker.sock: connect: permission denied", "usermod"),
    ];
    for (said, step) in cases {
        assert!(
            engine_hint(said).is_some_and(|hint| hint.contains(step)),
            "{said}: {:?}",
            engine_hint(said)
        );
    }
    assert_eq!(engine_hint("something else"), None);
}
