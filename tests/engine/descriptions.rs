//! The engine has what a description says. The tests inspect the objects and look inside
//! containers.

use serde_json::json;
use similar_asserts::assert_eq;

use super::docker::{containers, docker, exec, inspect, is_there};
use super::images::busybox;
use super::project::{Project, free_port};

#[test]
fn every_key_of_a_service_reaches_the_engine() {
    let project = Project::new("keys");
    let (image, subnet, port, other) =
        (busybox(), project.subnet().to_owned(), free_port(), free_port());
    let address = subnet.replace("0/24", "77");
    project
        .file("conf/app.conf", "from the host\n")
        .file("more.env", "FROM_FILE='of the file'\nBOTH=file\n");
    project.stack(&format!(
        r#"volumes: #{{ data: #{{ labels: #{{ kind: "of a test" }} }} }},
        services: #{{ web: #{{
            image: "{image}", container_name: "spct-keys-named", hostname: "webhost",
            entrypoint: ["sh", "-c"], command: ["exec sleep 1000"], working_dir: "/tmp", user: "1000:50", init: true, read_only: true,
            environment: #{{ BOTH: "here", NUMBER: 5, EMPTY: "", FLAG: true }}, env_file: "more.env",
            ports: ["127.0.0.1:{port}:80", "{other}:53/udp"],
            volumes: ["data:/data", "./conf:/conf:ro", "/cache", #{{ type: "tmpfs", target: "/scratch", tmpfs: #{{ size: "1m" }} }}],
            networks: #{{ "default": #{{ aliases: ["also"], ipv4_address: "{address}" }} }},
            restart: "on-failure:3", logging: #{{ driver: "json-file", options: #{{ "max-size": "10m", "max-file": "3" }} }},
            stop_signal: "USR1", stop_grace_period: "1s", labels: #{{ "of.mine": "yes" }}, extra_hosts: ["elsewhere:10.1.2.3"],
            healthcheck: #{{ test: ["CMD", "true"], interval: "2s", timeout: "3s", retries: 4, start_period: "5s" }},
        }} }}"#
    ));
    project.up().ends(0);

    let found = inspect("spct-keys-named");
    let (config, host) = (&found["Config"], &found["HostConfig"]);
    assert_eq!(config["Entrypoint"], json!(["sh", "-c"]));
    assert_eq!(config["Cmd"], json!(["exec sleep 1000"]));
    assert_eq!(
        (&config["User"], &config["WorkingDir"], &config["Hostname"]),
        (&json!("1000:50"), &json!("/tmp"), &json!("webhost"))
    );
    assert_eq!((&config["StopSignal"], &config["StopTimeout"]), (&json!("USR1"), &json!(1)));
    assert_eq!(config["Labels"]["of.mine"], "yes");
    let check = &config["Healthcheck"];
    assert_eq!(check["Test"], json!(["CMD", "true"]));
    let seconds = |value: &str| check[value].as_u64().unwrap() / 1_000_000_000;
    assert_eq!([seconds("Interval"), seconds("Timeout"), seconds("StartPeriod")], [2, 3, 5]);
    assert_eq!(check["Retries"], 4);
    assert_eq!((&host["Init"], &host["ReadonlyRootfs"]), (&json!(true), &json!(true)));
    assert_eq!(host["RestartPolicy"], json!({ "Name": "on-failure", "MaximumRetryCount": 3 }));
    assert_eq!(
        host["LogConfig"],
        json!({ "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } })
    );
    assert_eq!(host["ExtraHosts"], json!(["elsewhere:10.1.2.3"]));
    assert_eq!(
        host["PortBindings"]["80/tcp"],
        json!([{ "HostIp": "127.0.0.1", "HostPort": port.to_string() }])
    );
    assert_eq!(host["PortBindings"]["53/udp"][0]["HostPort"], other.to_string());
    let network = &found["NetworkSettings"]["Networks"]["spct-keys_default"];
    assert_eq!(network["IPAddress"], address);
    let aliases: Vec<&str> =
        network["Aliases"].as_array().unwrap().iter().filter_map(|alias| alias.as_str()).collect();
    assert!(aliases.contains(&"web") && aliases.contains(&"also"), "{aliases:?}");

    let inside = |line: &str| exec("spct-keys-named", &["sh", "-c", line]);
    assert_eq!(
        inside("echo $BOTH $NUMBER \"<$EMPTY>\" $FLAG $FROM_FILE"),
        "here 5 <> true of the file\n"
    );
    assert_eq!(inside("cat /conf/app.conf; id -u; id -g; pwd"), "from the host\n1000\n50\n/tmp\n");
    assert_eq!(
        inside("touch /conf/x 2>/dev/null || echo no; touch /scratch/x && echo yes"),
        "no\nyes\n"
    );
    assert_eq!(
        inside("cat /etc/hosts")
            .lines()
            .filter(|line| line.starts_with("10.1.2.3") && line.ends_with("elsewhere"))
            .count(),
        1
    );
    let volume: serde_json::Value =
        serde_json::from_str(&docker(&["volume", "inspect", "spct-keys_data"])).unwrap();
    assert_eq!(volume[0]["Labels"]["kind"], "of a test");
    project.up().ends(0).prints(&["unchanged"]);
    assert_eq!(containers(&project.name).len(), 1);
}

#[test]
fn a_service_on_two_networks_resolves_on_both() {
    let project = Project::new("two-nets");
    let (image, second) = (busybox(), super::project::free_subnet());
    project.stack(&format!(
        r#"services: #{{
            web: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", networks: ["default", "back"] }},
            front: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s" }},
            db: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", networks: #{{ back: #{{ aliases: ["store"] }} }} }},
        }}"#
    ));
    let back = format!(
        "networks: #{{ back: #{{ internal: true, ipam: #{{ config: [#{{ subnet: \"{second}\" }}] }} }},"
    );
    project.edit("scripts/stack.rhai", "networks: #{ \"default\"", &format!("{back} \"default\""));
    project.up().ends(0);
    for (from, name, is_known) in [
        ("front", "web", true),
        ("db", "web", true),
        ("web", "store", true),
        ("front", "store", false),
    ] {
        let known =
            super::docker::try_docker(&["exec", &project.container(from), "nslookup", name])
                .is_ok();
        assert_eq!(known, is_known, "{name}, asked from {from}");
    }
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn an_external_network_and_volume_are_used_and_never_removed() {
    let project = Project::new("external");
    let (network, volume) = ("spct-outer-net", "spct-outer-data");
    let subnet = super::project::free_subnet();
    let remove = || {
        let _ = super::docker::try_docker(&["network", "rm", network]);
        let _ = super::docker::try_docker(&["volume", "rm", volume]);
    };
    super::docker::remove_project(&project.name);
    remove();
    project.stack(&format!(
        r#"volumes: #{{ data: #{{ external: true, name: "{volume}" }} }},
        services: #{{ web: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s", volumes: ["data:/data"], networks: ["outer"] }} }}"#,
        busybox()
    ));
    project.edit(
        "scripts/stack.rhai",
        "networks: #{ \"default\"",
        &format!("networks: #{{ outer: #{{ external: true, name: \"{network}\" }}, \"default\""),
    );
    project.up().ends(1).prints(&[
        &format!("The external network \"{network}\" is not on this engine"),
        &format!("docker network create {network}"),
    ]);
    docker(&["network", "create", "--subnet", &subnet, network]);
    project
        .up()
        .ends(1)
        .prints(&[&format!("The external volume \"{volume}\" is not on this engine")]);
    docker(&["volume", "create", volume]);
    project.up().ends(0);
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    assert!(is_there("network", network) && is_there("volume", volume));
    remove();
}

#[test]
fn profiles_and_names_select_the_services_that_start() {
    let project = Project::new("chosen");
    let sleeps =
        format!(r#"image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s""#, busybox());
    project.stack(&format!(
        r#"services: #{{
            db: #{{ {sleeps} }},
            web: #{{ {sleeps}, depends_on: ["db"] }},
            mail: #{{ {sleeps} }},
            proxy: #{{ {sleeps}, profiles: ["production"], depends_on: ["web"] }},
        }}"#
    ));
    let up = |what: &str| drop(project.script(&format!("app::describe().up({what});")).ends(0));
    let there = || {
        containers(&project.name)
            .into_keys()
            .map(|name| name["spct-chosen-".len()..name.len() - 2].to_owned())
            .collect::<Vec<_>>()
    };
    up("[]");
    assert_eq!(there(), [""; 0]);
    up("[\"web\"]");
    assert_eq!(there(), ["db", "web"]);
    up("()");
    assert_eq!(there(), ["db", "mail", "web"]);
    // `up` starts a service that is named, even if its profile is not active.
    up("\"proxy\"");
    assert_eq!(there(), ["db", "mail", "proxy", "web"]);
    // A service with an inactive profile is not an orphan.
    project
        .up()
        .ends(0)
        .prints(&["unchanged"])
        .does_not_print(&["belongs to no described service"]);
    project.spc(&["run", "scripts/down.rhai"]).ends(0);
    assert_eq!(there(), [""; 0]);
}

#[test]
fn a_relative_device_of_a_volume_is_resolved_in_the_project() {
    let project = Project::new("bound");
    let image = busybox();
    project.file("data/own.txt", "of the project\n");
    std::os::unix::fs::symlink("data", project.path("in")).unwrap();
    project.stack(&format!(
        r#"volumes: #{{
            here: #{{ driver_opts: #{{ type: "none", o: "bind", device: "." }} }},
            linked: #{{ driver_opts: #{{ type: "none", o: "bind", device: "./in" }} }},
        }},
        services: #{{ a: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", volumes: ["here:/here", "linked:/linked"] }} }}"#
    ));
    project.up().ends(0);
    let folder = project.path("").canonicalize().unwrap();
    let device = |volume: &str| {
        docker(&["volume", "inspect", volume, "--format", "{{.Options.device}}"]).trim().to_owned()
    };
    assert_eq!(device("spct-bound_here"), folder.to_str().unwrap());
    assert_eq!(device("spct-bound_linked"), folder.join("data").to_str().unwrap());
    assert_eq!(
        exec("spct-bound-a-1", &["cat", "/here/data/own.txt", "/linked/own.txt"]),
        "of the project\nof the project\n"
    );
    project.up().ends(0).prints(&["unchanged"]);
}
