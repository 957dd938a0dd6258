//! The same load while others deploy: docker compose, and people who scale up, reload nginx and
//! scale down by hand. For comparison: no row fails the test, except for the control.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::releases::RELEASES;
use super::report::Report;
use super::scenario::{Expected, deploys, positive_control, under_load};
use super::stack::{COMMAND_LIMIT, LoadStack, ProxyRetries, assert_serves_within};
use crate::engine::docker::{docker, inspect};
use crate::engine::heavy;
use crate::engine::project::Project;
use crate::engine::until::until;
use crate::support::load_generator::Load;

/// Its `up -d` returns before the new containers serve.
const SERVES_LIMIT: Duration = Duration::from_secs(120);
/// Two backends without a host port, as the runbooks have them in production.
const OVERRIDE: &str = "\
services:
  backend:
    environment: { LOAD_TEST: \"1\" }
    ports: !reset []
    deploy: { replicas: 2 }
";

/// The reference stack as docker compose runs it.
struct Compose {
    program: PathBuf,
    project: Project,
    port: u16,
}

impl Compose {
    fn up(name: &str, retries: ProxyRetries) -> Self {
        let project = LoadStack::files(name, retries);
        project.edit("examples/spc/docker-compose.yml", "172.20.0.0/16", project.subnet());
        project.file("examples/spc/load.yml", OVERRIDE);
        project.spc(&["run", "scripts/certificate.rhai"]).ends(0);
        let port = project.variable("NGINX_HTTP_PORT").parse().unwrap();
        let compose = Self { program: docker_compose(), project, port };
        compose.run(RELEASES[0], &["up", "-d", "--wait"]);
        compose.run(RELEASES[0], &["exec", "backend", "python", "manage.py", "migrate"]);
        assert_serves_within(SERVES_LIMIT, port, RELEASES[0]);
        compose
    }

    #[track_caller]
    fn run(&self, release: &str, words: &[&str]) -> String {
        let output = Command::new(&self.program)
            .args(["--project-name", &self.project.name, "--profile", "production"])
            .args(["--file", "docker-compose.yml", "--file", "load.yml"])
            .args(words)
            .current_dir(self.project.path("examples/spc"))
            .env("TAG", release)
            .env("BUILD_TARGET", "production")
            .env("DEBUG", "False")
            .env("CODE_MOUNT", "/mnt/code")
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker compose {}: {stderr}", words.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn backends(&self) -> Vec<String> {
        self.run(RELEASES[0], &["ps", "--quiet", "backend"]).lines().map(str::to_owned).collect()
    }
}

/// The program that `tools/peers.sh` fetches.
fn docker_compose() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/peers.sh");
    let output = Command::new(script).arg("fetch").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tools/peers.sh fetch: {stderr}");
    Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("docker-compose")
}

#[test]
#[ignore = "slow"]
fn peers_under_the_same_load() {
    measure("load-peers", ProxyRetries::AsShipped);
}

#[test]
#[ignore = "slow"]
fn peers_without_retries_of_the_proxy() {
    measure("load-peers-no-retries", ProxyRetries::Off);
}

fn measure(name: &'static str, retries: ProxyRetries) {
    let _alone = heavy();
    let compose = Compose::up(name, retries);
    let load = || Load::mixed(compose.port);
    let mut report = Report::new(name);
    positive_control(load(), &mut report);
    let release = |number: usize| RELEASES[(number + 1) % 2];

    let row = under_load(
        "docker compose up -d",
        load(),
        deploys(),
        |_| (),
        |number| {
            compose.run(release(number), &["up", "-d"]);
            assert_serves_within(SERVES_LIMIT, compose.port, release(number));
        },
    );
    report.add(row, Expected::Any);

    let begin = deploys();
    let by_hand = "scale up, reload nginx, scale down, by hand";
    let row = under_load(
        by_hand,
        load(),
        deploys(),
        |_| (),
        |number| {
            scale_up_and_down(&compose, release(begin + number));
        },
    );
    report.add(row, Expected::Any);
    report.finish();
}

/// What guides for deploys with docker compose say.
fn scale_up_and_down(compose: &Compose, release: &str) {
    let old = compose.backends();
    let scale = ["up", "-d", "--no-deps", "--no-recreate", "--scale", "backend=4", "backend"];
    compose.run(release, &scale);
    let new: Vec<String> =
        compose.backends().into_iter().filter(|backend| !old.contains(backend)).collect();
    until("the new backends are healthy", COMMAND_LIMIT, || {
        let is_healthy = |id: &String| inspect(id)["State"]["Health"]["Status"] == "healthy";
        new.iter().all(is_healthy).then_some(())
    });
    docker(&["exec", &compose.project.container("nginx"), "nginx", "-s", "reload"]);
    for words in [["stop"], ["rm"]] {
        let ids = old.iter().map(String::as_str);
        docker(&words.into_iter().chain(ids).collect::<Vec<_>>());
    }
    assert_serves_within(SERVES_LIMIT, compose.port, release);
}
