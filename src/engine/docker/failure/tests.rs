use super::super::endpoint::ContextBy;
use super::*;

const GROUPS: &str = "root:x:0:\nadm:x:4:syslog\ndocker:x:998:somebody\n";

fn attempt(path: &str, kind: io::ErrorKind, group: Option<u32>) -> Attempt {
    Attempt {
        address: Address::Unix(path.into()),
        failure: Failure::Io(kind, kind.to_string()),
        group,
    }
}

fn options() -> ConnectOptions {
    ConnectOptions {
        user: Some("alice".into()),
        groups: Some(GROUPS.into()),
        ..ConnectOptions::default()
    }
}

#[test]
fn when_no_engine_runs_every_address_is_named_with_its_reason() {
    let attempts = [
        attempt("/var/run/docker.sock", io::ErrorKind::NotFound, None),
        attempt("/run/user/1000/docker.sock", io::ErrorKind::ConnectionRefused, None),
    ];
    let error = explain(&attempts, &options());
    assert_eq!(error.kind, EngineErrorKind::Unreachable);
    assert_eq!(
        error.message,
        "no Docker Engine answers at \"unix:///var/run/docker.sock\" (there is no such socket), \
         nor at \"unix:///run/user/1000/docker.sock\" (nothing listens there)"
    );
    assert!(error.hint.unwrap().contains("`sudo systemctl start docker`"));
}

#[test]
fn a_permission_error_suggests_the_group_of_the_socket_and_the_user() {
    let attempts = [
        attempt("/var/run/docker.sock", io::ErrorKind::PermissionDenied, Some(998)),
        attempt("/run/user/1000/docker.sock", io::ErrorKind::NotFound, None),
    ];
    let error = explain(&attempts, &options());
    assert_eq!(error.kind, EngineErrorKind::PermissionDenied);
    assert_eq!(
        error.hint.unwrap(),
        "join the group \"docker\", which owns it: `sudo usermod -aG docker alice`, then log in again"
    );
}

#[test]
fn the_hint_never_suggests_joining_the_group_root() {
    let error = explain(
        &[attempt("/var/run/docker.sock", io::ErrorKind::PermissionDenied, Some(0))],
        &options(),
    );
    assert_eq!(
        error.hint.unwrap(),
        "only root may open it: use sudo, or start the engine with `--group docker` and join that group"
    );
}

#[test]
fn a_group_without_a_name_is_its_number() {
    assert_eq!(group_name(998, Some(GROUPS)), "docker");
    assert_eq!(group_name(7, Some(GROUPS)), "7");
    assert_eq!(group_name(7, None), "7");
}

#[test]
fn an_unreachable_engine_is_reported_with_the_setting_that_names_it() {
    let context = |by| Source::Context { name: "stage".into(), by };
    let cases = [
        (Source::HostOption, "", "leave --host out"),
        (Source::DockerHost, ", the address in DOCKER_HOST", "unset DOCKER_HOST"),
        (
            context(ContextBy::Option),
            ", the address of the context \"stage\"",
            "leave --context out",
        ),
        (
            context(ContextBy::Variable),
            ", the address of the context \"stage\"",
            "unset DOCKER_CONTEXT",
        ),
        (
            context(ContextBy::Current("/c.json".into())),
            ", the address of the context \"stage\"",
            "use --context default",
        ),
    ];
    for (source, from, way_back) in cases {
        let endpoint = Endpoint { address: Address::Unix("/a.sock".into()), tls: None, source };
        let options = ConnectOptions { endpoint: Some(endpoint), ..options() };
        let error = explain(&[attempt("/a.sock", io::ErrorKind::NotFound, None)], &options);
        assert_eq!(
            error.message,
            format!(
                "no Docker Engine answers at \"unix:///a.sock\" (there is no such socket){from}"
            )
        );
        assert_eq!(
            error.hint.unwrap(),
            format!("start that engine, or {way_back} to use the one of this machine")
        );
    }
}
