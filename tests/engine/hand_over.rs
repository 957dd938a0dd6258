//! Ports and subnets that move between services in one `up`, and conflicts with objects outside the
//! project.

use super::docker::{containers, docker, inspect};
use super::images::busybox;
use super::project::{Project, free_port};

/// A service with these keys. Unless they contain a command, it sleeps.
fn sleeper(name: &str, keys: &str) -> String {
    let command = if keys.contains("command:") { "" } else { "command: [\"sleep\", \"1000\"], " };
    format!("{name}: #{{ image: \"{}\", stop_grace_period: \"0s\", {command}{keys} }}", busybox())
}

fn services(project: &Project, services: &[String]) {
    project.stack(&format!("services: #{{ {} }}", services.join(", ")));
}

fn ports(container: &str) -> String {
    docker(&["port", container]).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn ports_move_between_services_and_are_rolled_back_after_a_failure() {
    let project = Project::new("hand-over");
    let (one, two) = (free_port(), free_port());
    let publish = |port: u16| format!("ports: [\"127.0.0.1:{port}:80\"]");
    services(&project, &[sleeper("web", &publish(one))]);
    project.up().ends(0);
    services(&project, &[sleeper("web", &publish(two)), sleeper("proxy", &publish(one))]);
    project.spc(&["plan", "scripts/up.rhai"]).ends(0);
    project.up().ends(0);
    assert_eq!(ports(&project.container("proxy")), format!("80/tcp -> 127.0.0.1:{one}"));

    let before = containers(&project.name);
    let dies = format!("command: [\"sh\", \"-c\", \"exit 3\"], {}", publish(two));
    services(&project, &[sleeper("web", &publish(one)), sleeper("proxy", &dies)]);
    project.up().ends(1).prints(&["the previous container is running again"]);
    assert_eq!(containers(&project.name), before);
    assert_eq!(ports(&project.container("proxy")), format!("80/tcp -> 127.0.0.1:{one}"));

    services(&project, &[sleeper("web", &publish(one)), sleeper("proxy", &publish(two))]);
    project.up().ends(0);
    assert_eq!(ports(&project.container("web")), format!("80/tcp -> 127.0.0.1:{one}"));
    project.up().ends(0).prints(&["unchanged"]);
}

#[test]
fn a_renamed_network_keeps_its_subnet_and_is_rolled_back_after_a_failure() {
    let project = Project::new("renamed-network");
    let (subnet, address) = (project.subnet().to_owned(), project.subnet().replace(".0/24", ".9"));
    let describe = |network: &str, more: &str| {
        let attached =
            format!("networks: #{{ {network}: #{{ ipv4_address: \"{address}\" }} }}, {more}");
        let description = format!(
            "networks: #{{ {network}: #{{ ipam: #{{ config: [#{{ subnet: \"{subnet}\" }}] }} }} }}, services: #{{ {} }}",
            sleeper("a", &attached)
        );
        let script = format!("stack(#{{ {description} }}).up();\n");
        project.file("scripts/up.rhai", &script);
    };
    describe("old", "");
    project.up().ends(0);
    let id = inspect(&project.container("a"))["Id"].clone();
    describe("fresh", "command: [\"sh\", \"-c\", \"exit 3\"]");
    project.up().ends(1).prints(&["the previous container is running again"]);
    let back = inspect(&project.container("a"));
    assert_eq!((&back["Id"], &back["State"]["Status"]), (&id, &"running".into()));
    assert_eq!(
        back["NetworkSettings"]["Networks"][format!("{}_old", project.name)]["IPAddress"],
        address
    );
    describe("old", "");
    project.up().ends(0).prints(&["unchanged"]);
    describe("fresh", "");
    let plan = project.spc(&["plan", "scripts/up.rhai"]).ends(0);
    assert!(plan.stdout.contains("takes its subnet"), "{}", plan.stdout);
    project.up().ends(0);
    let moved = inspect(&project.container("a"));
    assert_eq!(
        moved["NetworkSettings"]["Networks"][format!("{}_fresh", project.name)]["IPAddress"],
        address
    );
    let networks = docker(&["network", "ls", "--format", "{{.Name}}"]);
    assert!(!networks.lines().any(|name| name == format!("{}_old", project.name)), "{networks}");
}

/// A container outside the project. Dropping it removes the container.
struct ForeignContainer(String);

impl ForeignContainer {
    fn new(name: &str, words: &[&str]) -> Self {
        let _ = super::docker::try_docker(&["rm", "--force", name]);
        docker(
            &[&["run", "--detach", "--name", name], words, &[busybox(), "sleep", "300"]].concat(),
        );
        Self(name.to_owned())
    }
}

impl Drop for ForeignContainer {
    fn drop(&mut self) {
        let _ = super::docker::try_docker(&["rm", "--force", &self.0]);
    }
}

#[test]
fn run_and_plan_report_known_conflicts_before_any_change() {
    let project = Project::new("known-conflicts");
    let port = free_port();
    let somebody = ForeignContainer::new("spct-somebody", &["--publish", &format!("{port}:80")]);
    services(&project, &[sleeper("a", "")]);
    project.up().ends(0);
    let before = inspect(&project.container("a"))["State"]["StartedAt"].clone();
    for (keys, reported) in [
        (format!("ports: [\"{port}:80\"]"), "is taken by the container \"spct-somebody\""),
        (format!("container_name: \"{}\"", somebody.0), "spct-somebody"),
        (
            "volumes: [#{ type: \"bind\", source: \"./nope\", target: \"/x\", bind: #{ create_host_path: false } }]".to_owned(),
            "which the service \"a\" mounts, does not exist",
        ),
    ] {
        services(&project, &[sleeper("a", &keys)]);
        for words in ["plan", "run"] {
            project.spc(&[words, "scripts/up.rhai"]).ends(1).prints(&[reported, "scripts/stack.rhai:"]);
        }
        let now = inspect(&project.container("a"));
        assert_eq!((&now["State"]["Status"], &now["State"]["StartedAt"]), (&"running".into(), &before), "{keys}");
        assert_eq!(containers(&project.name).len(), 1);
    }
}
