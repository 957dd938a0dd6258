//! An engine that restarts, as it does with its machine: containers come back in an order and with addresses of its choosing.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::clients::HEALTHY;
use super::heavy;
use super::project::Project;
use super::until::until;

const LIMIT: Duration = Duration::from_secs(300);
const SOON: Duration = Duration::from_secs(120);
/// Restarts until the backend has come back with another address.
const RESTARTS: usize = 6;

/// A second engine, in a network of its own, where it and the machine's own don't meet. Dropped, it stops its containers and ends.
struct SecondEngine {
    folder: TempDir,
    engine: Child,
}

impl SecondEngine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Self::start(folder.path());
        Self { folder, engine }
    }

    fn start(folder: &Path) -> Child {
        let path = |name: &str| folder.join(name).display().to_string();
        let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut engine = Command::new("unshare");
        engine.args(["--net", "sh", "-c", "ip link set lo up && exec dockerd \"$@\"", "dockerd"]);
        engine.args(["--host", &format!("unix://{}", path("docker.sock")), "--data-root", &path("data"), "--exec-root", &path("run")]);
        engine.args(["--pidfile", &path("pid"), "--cgroup-parent", "spct-second"]);
        let engine = engine.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        until("the second engine answers", Duration::from_secs(60), || {
            let answer = Command::new("docker").args(["--host", &format!("unix://{}", path("docker.sock")), "version"]).output();
            answer.is_ok_and(|output| output.status.success()).then_some(())
        });
        engine
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    fn docker(&self, words: &[&str]) -> Result<String, String> {
        let output = Command::new("docker").arg("--host").arg(self.host()).args(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Brings images of the machine's own engine there.
    fn load(&self, images: &[&str]) {
        let archive = self.folder.path().join("images.tar").display().to_string();
        super::docker::docker(&[&["save", "--output", &archive], images].concat());
        self.docker(&["load", "--quiet", "--input", &archive]).unwrap();
        fs::remove_file(archive).unwrap();
    }

    fn restart(&mut self) {
        self.stop();
        self.engine = Self::start(self.folder.path());
    }

    fn stop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.engine), Signal::TERM);
        until("the second engine ends", SOON, || self.engine.try_wait().unwrap());
    }

    fn address(&self, container: &str) -> Option<String> {
        let found: Value = serde_json::from_str(&self.docker(&["inspect", container]).ok()?).ok()?;
        let networks = found[0]["NetworkSettings"]["Networks"].as_object()?.clone();
        networks.values().next()?["IPAddress"].as_str().filter(|address| !address.is_empty()).map(str::to_owned)
    }
}

impl Drop for SecondEngine {
    fn drop(&mut self) {
        if let Ok(ids) = self.docker(&["ps", "--all", "--quiet"]) {
            let ids: Vec<&str> = ids.lines().collect();
            let _ = self.docker(&[&["rm", "--force", "--volumes"], &ids[..]].concat());
        }
        let _ = kill_process(Pid::from_child(&self.engine), Signal::TERM);
        let _ = self.engine.wait();
    }
}

#[test]
fn after_a_reboot_nginx_finds_the_backend_wherever_it_is() {
    let _alone = heavy();
    let project = Project::whole_reference("rebooted");
    project.spc(&["run", "scripts/build.rhai", "--target", "production"]).within(LIMIT).ends(0);
    let mut engine = SecondEngine::new();
    engine.load(&[
        "local/postgres:15-alpine",
        "local/redis:7-alpine",
        "local/nginx:alpine",
        "spc-backend:spct-production",
        "spc-frontend:spct-production",
    ]);
    let up = project.spc(&["run", "scripts/up.rhai", "--target", "production", "--profile", "production", "nginx"]);
    up.env("DOCKER_HOST", engine.host()).within(LIMIT).ends(0);

    let (nginx, backend) = (project.container("nginx"), project.container("backend"));
    let ask = |engine: &SecondEngine| engine.docker(&["exec", &nginx, "curl", "--silent", "--fail", "http://127.0.0.1/api/health/"]);
    assert_eq!(ask(&engine).as_deref(), Ok(HEALTHY));
    let mut address = engine.address(&backend);
    let moved = (0..RESTARTS).any(|_| {
        engine.restart();
        until("nginx reaches the backend after the restart", SOON, || ask(&engine).ok().filter(|answer| answer == HEALTHY));
        let before = std::mem::replace(&mut address, engine.address(&backend));
        address != before
    });
    assert!(moved, "in {RESTARTS} restarts the backend's address was {address:?} again and again");
    // What runs is what is described: there is nothing to do but to wait until it is ready.
    let up = project.spc(&["run", "scripts/up.rhai", "nginx"]).env("DOCKER_HOST", engine.host()).within(LIMIT).ends(0);
    up.not_told(&["created", "started", "stopped", "removed"]);
}
