//! Descriptions that request access to the host.

use super::{line, refused};
use crate::support::Spc;

fn service(keys: &str) -> String {
    format!("stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\", {keys} }} }} }}).up();")
}

fn volume(keys: &str) -> String {
    format!(
        "stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\", volumes: [\"v:/v\"] }} }}, volumes: #{{ v: #{{ {keys} }} }} }}).up();"
    )
}

/// A project with symlinks to forbidden bind sources.
fn project() -> Spc {
    Spc::new()
        .file("spc.toml", "")
        .folder("own")
        .link("all", "/")
        .link("run", "/var/run")
        .link("engine", "/var/run/docker.sock")
        .link("up", "..")
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn the_host_is_not_mounted_under_any_name() {
    for source in [
        "/",
        "//",
        "/.",
        "/./",
        "/etc",
        "/etc/",
        "..",
        "../",
        "./../..",
        "./all",
        "./all/etc",
        "./own/../..",
        "/proc/1/root",
        "/var/run",
        "/run",
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/var/../run/./docker.sock",
        "./run",
        "./run/docker.sock",
        "./engine",
        "./up",
    ] {
        for script in [
            service(&format!("volumes: [\"{source}:/host\"]")),
            service(&format!("volumes: [\"{source}:/host:ro\"]")),
            service(&format!(
                "volumes: [#{{ type: \"bind\", source: \"{source}\", target: \"/host\" }}]"
            )),
            service(&format!(
                "volumes: [#{{ type: \"bind\", source: \"{source}\", target: \"/host\", bind: #{{ create_host_path: false }} }}]"
            )),
            volume(&format!(
                "driver_opts: #{{ type: \"none\", o: \"bind\", device: \"{source}\" }}"
            )),
            volume(&format!(
                "driver: \"local\", driver_opts: #{{ type: \"tmpfs\", o: \"ro, rbind\", device: \"{source}\" }}"
            )),
            volume(&format!("driver_opts: #{{ o: \"bind,ro\", device: \"{source}\" }}")),
            format!(
                "volume(\"v\").create(#{{ driver_opts: #{{ type: \"none\", o: \"bind\", device: \"{source}\" }} }});"
            ),
        ] {
            let ended = refused(project(), &script);
            assert!(
                ended.stderr.starts_with("error: A script may not mount \""),
                "{script}: {ended}"
            );
            // A symlink that can't be resolved is rejected for that reason.
            assert!(
                ended.stderr.contains("to allow it, write ")
                    || ended.stderr.contains("it is a symlink that can't be followed"),
                "{ended}"
            );
        }
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_key_that_gives_the_host_is_refused_whether_it_is_done_or_not() {
    for key in [
        "privileged: true",
        "cap_add: [\"SYS_ADMIN\"]",
        "devices: [\"/dev/sda\"]",
        "device_cgroup_rules: [\"a *:* rwm\"]",
        "pid: \"host\"",
        "pid: \"container:other-db-1\"",
        "ipc: \"host\"",
        "uts: \"host\"",
        "userns_mode: \"host\"",
        "cgroup: \"host\"",
        "cgroup_parent: \"/\"",
        "network_mode: \"host\"",
        "network_mode: \"container:other-db-1\"",
        "network_mode: \"service:a\"",
        "security_opt: [\"seccomp=unconfined\"]",
        "sysctls: #{ \"kernel.shmmax\": 1 }",
        "runtime: \"other\"",
        "gpus: \"all\"",
        "oom_score_adj: -1000",
        "credential_spec: #{ file: \"a\" }",
        "volumes_from: [\"container:other-db-1\"]",
        "use_api_socket: true",
        "provider: #{ type: \"other\" }",
        "post_start: [#{ command: \"id\", privileged: true }]",
        "extends: #{ file: \"/etc/a.yaml\", service: \"a\" }",
        "label_file: \"/etc/shadow\"",
        "configs: [#{ source: \"a\" }]",
    ] {
        let ended = Spc::new().runbook(&format!("{}\nprint(\"went on\");", service(key))).output();
        assert!(matches!(ended.code, 2 | 5) && ended.stdout.is_empty(), "{key}: {ended}");
    }
    for key in [
        "additional_contexts: #{ a: \"/etc\" }",
        "secrets: [\"a\"]",
        "ssh: [\"default\"]",
        "entitlements: [\"security.insecure\"]",
        "privileged: true",
    ] {
        let script = format!(
            "stack(\"x\", #{{ services: #{{ a: #{{ build: #{{ context: \".\", {key} }} }} }} }});"
        );
        let ended = Spc::new().runbook(&format!("{script}\nprint(\"went on\");")).output();
        assert!(matches!(ended.code, 2 | 5) && ended.stdout.is_empty(), "{key}: {ended}");
    }
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn no_label_of_spc_or_compose_is_forged() {
    for label in [
        "dev.spc.project",
        "dev.spc.lock",
        "dev.spc.holds",
        "com.docker.compose.project",
        "com.docker.compose.project.working_dir",
    ] {
        for script in [
            service(&format!("labels: #{{ \"{label}\": \"other\" }}")),
            service(&format!("labels: [\"{label}=other\"]")),
            volume(&format!("labels: #{{ \"{label}\": \"other\" }}")),
            format!(
                "stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\", networks: [\"n\"] }} }}, networks: #{{ n: #{{ labels: [\"{label}=other\"] }} }} }});"
            ),
            format!(
                "stack(\"x\", #{{ services: #{{ a: #{{ build: #{{ context: \".\", labels: #{{ \"{label}\": \"other\" }} }} }} }} }});"
            ),
            format!("volume(\"v\").create(#{{ labels: #{{ \"{label}\": \"other\" }} }});"),
            format!("network(\"n\").create(#{{ labels: #{{ \"{label}\": \"other\" }} }});"),
            format!(
                "image(\"a\").build(#{{ context: \".\", labels: #{{ \"{label}\": \"other\" }} }});"
            ),
        ] {
            let asked = super::EngineRequests::default();
            let ended = Spc::new()
                .engine(asked.engine(|_| None))
                .runbook(&format!("{script}\nprint(\"went on\");"))
                .output();
            assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{script}: {ended}");
            assert!(ended.stderr.contains(&format!("\"{label}\"")), "{script}: {ended}");
            assert_eq!(asked.changes(), [] as [String; 0], "{script}");
        }
    }
    let file = "services: { a: { image: a, labels: { dev.spc.project: other } } }";
    let ended = Spc::new().file("scripts/compose.yaml", file).runbook("compose();").output();
    assert_eq!(ended.code, 2, "{ended}");
}

#[test]
fn the_line_that_is_named_allows_it() {
    for script in [
        service("volumes: [\"/etc:/host\"]"),
        volume("driver_opts: #{ type: \"nfs\", o: \"addr=10.0.0.5\", device: \":/\" }"),
        volume("driver: \"some/plugin\""),
        service("logging: #{ driver: \"syslog\" }"),
    ] {
        let line = line(&refused(Spc::new(), &script));
        let described = script.replace(".up();", ";");
        Spc::new()
            .file("spc.toml", format!("[allow]\n{line}\n"))
            .runbook(&format!("{described}\nprint(\"went on\");"))
            .stdout("went on\n")
            .run();
    }
}
