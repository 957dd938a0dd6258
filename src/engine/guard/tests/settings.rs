//! Settings that give a container access beyond itself.

use super::*;

#[test]
fn a_container_of_the_project_is_made() {
    let fixture = fixture("");
    let host = HostConfig {
        binds: Some(vec!["/project/src:/src:ro".into(), "own_data:/data".into()]),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges:true".into()]),
        memory: Some(1 << 20),
        privileged: Some(false),
        network_mode: Some("bridge".into()),
        ..HostConfig::default()
    };
    let created = fixture.run(fixture.guard.container_create(
        "own-web-1",
        None,
        ContainerCreateBody { host_config: Some(host), ..own() },
    ));
    assert!(fixture.run(fixture.guard.container_start(&created.unwrap().id)).unwrap());
}

#[test]
fn every_setting_that_reaches_beyond_the_container_is_refused_at_the_call() {
    let none = HostConfig::default;
    let text = |text: &str| Some(text.to_owned());
    let list = |text: &str| Some(vec![text.to_owned()]);
    let device = DeviceMapping { path_on_host: text("/dev/sda"), ..DeviceMapping::default() };
    let gpu = DeviceRequest { driver: text("nvidia"), ..DeviceRequest::default() };
    for (host, what) in vec![
        (HostConfig { privileged: Some(true), ..none() }, "privileged: true"),
        (HostConfig { pid_mode: text("host"), ..none() }, "pid: host"),
        (HostConfig { pid_mode: text("container:other"), ..none() }, "pid: container:other"),
        (HostConfig { network_mode: text("host"), ..none() }, "network_mode: host"),
        (
            HostConfig { network_mode: text("container:other"), ..none() },
            "network_mode: container:other",
        ),
        (HostConfig { ipc_mode: text("host"), ..none() }, "ipc: host"),
        (HostConfig { uts_mode: text("host"), ..none() }, "uts: host"),
        (HostConfig { userns_mode: text("host"), ..none() }, "userns_mode: host"),
        (HostConfig { cgroup_parent: text("/docker"), ..none() }, "cgroup_parent: /docker"),
        (HostConfig { runtime: text("unsafe"), ..none() }, "runtime: unsafe"),
        (HostConfig { cap_add: list("SYS_ADMIN"), ..none() }, "cap_add: SYS_ADMIN"),
        (
            HostConfig { security_opt: list("seccomp=unconfined"), ..none() },
            "security_opt: seccomp=unconfined",
        ),
        (
            HostConfig { security_opt: list("label:disable"), ..none() },
            "security_opt: label:disable",
        ),
        (
            HostConfig { masked_paths: Some(Vec::new()), ..none() },
            "security_opt: systempaths=unconfined",
        ),
        (HostConfig { volumes_from: list("other-db-1"), ..none() }, "volumes_from: other-db-1"),
        (
            HostConfig { device_cgroup_rules: list("a *:* rwm"), ..none() },
            "device_cgroup_rules: a *:* rwm",
        ),
        (
            HostConfig { devices: Some(vec![device]), ..none() },
            "devices: {\"PathOnHost\":\"/dev/sda\"}",
        ),
        (
            HostConfig { device_requests: Some(vec![gpu]), ..none() },
            "gpus: {\"Driver\":\"nvidia\"}",
        ),
        (
            HostConfig { sysctls: Some(options(&[("kernel.shmmax", "1")])), ..none() },
            "sysctls: {\"kernel.shmmax\":\"1\"}",
        ),
        (HostConfig { oom_score_adj: Some(-1000), ..none() }, "oom_score_adj: -1000"),
        (
            HostConfig {
                log_config: Some(HostConfigLogConfig { typ: text("syslog"), config: None }),
                ..none()
            },
            "logging: syslog",
        ),
    ] {
        assert_eq!(
            fixture("").host(host.clone()),
            format!("A script may not use \"{what}\" {PRIVILEGED}")
        );
        let allowed = fixture("[allow]\nprivileged = true\n");
        let body = ContainerCreateBody { host_config: Some(host), ..own() };
        let made = allowed.run(allowed.guard.container_create("own-web-1", None, body));
        // The simulated engine itself rejects some of them.
        assert!(made.err().is_none_or(|error| error.kind != EngineErrorKind::Refused), "{what}");
    }
}
