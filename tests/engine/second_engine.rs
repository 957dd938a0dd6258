//! A second engine for tests that would harm the machine's engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::until::until;

const SOON: Duration = Duration::from_secs(120);

/// A second engine in its own network namespace, so that it doesn't conflict with the machine's
/// engine. Dropping it removes its containers and ends it.
pub struct SecondEngine {
    folder: TempDir,
    engine: Child,
    /// The mount point of its own disk, if it has one.
    disk: Option<PathBuf>,
}

impl SecondEngine {
    /// An engine that uses the machine's disk.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Self::start(folder.path());
        Self { folder, engine, disk: None }
    }

    /// An engine with its own disk of this size, such as `64m`.
    pub fn with_disk(size: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("data");
        fs::create_dir(&disk).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "spct-second"])
            .arg(&disk)
            .status();
        assert!(mounted.unwrap().success(), "this test mounts a file system: it needs root");
        let engine = Self::start(folder.path());
        Self { folder, engine, disk: Some(disk) }
    }

    /// Fills its disk. Returns the file to remove to free the space.
    pub fn fill_disk(&self) -> PathBuf {
        let filler = self.disk.as_ref().unwrap().join("filler");
        let mut file = fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
        filler
    }

    fn start(folder: &Path) -> Child {
        let path = |name: &str| folder.join(name).display().to_string();
        let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut engine = Command::new("unshare");
        engine.args(["--net", "sh", "-c", "ip link set lo up && exec dockerd \"$@\"", "dockerd"]);
        engine.args([
            "--host",
            &format!("unix://{}", path("docker.sock")),
            "--data-root",
            &path("data"),
            "--exec-root",
            &path("run"),
        ]);
        engine.args(["--pidfile", &path("pid"), "--cgroup-parent", "spct-second"]);
        let engine = engine
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        until("the second engine answers", Duration::from_secs(60), || {
            let answer = Command::new("docker")
                .args(["--host", &format!("unix://{}", path("docker.sock")), "version"])
                .output();
            answer.is_ok_and(|output| output.status.success()).then_some(())
        });
        engine
    }

    /// The value of `DOCKER_HOST` for this engine.
    pub fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("docker.sock").display())
    }

    /// Runs `docker` on this engine.
    pub fn docker(&self, words: &[&str]) -> Result<String, String> {
        let output =
            Command::new("docker").arg("--host").arg(self.host()).args(words).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// Copies images from the machine's engine to this one.
    pub fn load(&self, images: &[&str]) {
        let archive = self.folder.path().join("images.tar").display().to_string();
        super::docker::docker(&[&["save", "--output", &archive], images].concat());
        self.docker(&["load", "--quiet", "--input", &archive]).unwrap();
        fs::remove_file(archive).unwrap();
    }

    pub fn restart(&mut self) {
        self.stop();
        self.engine = Self::start(self.folder.path());
    }

    fn stop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.engine), Signal::TERM);
        until("the second engine ends", SOON, || self.engine.try_wait().unwrap());
    }

    /// The address of a running container.
    pub fn address(&self, container: &str) -> Option<String> {
        let found: Value =
            serde_json::from_str(&self.docker(&["inspect", container]).ok()?).ok()?;
        let networks = found[0]["NetworkSettings"]["Networks"].as_object()?.clone();
        networks.values().next()?["IPAddress"]
            .as_str()
            .filter(|address| !address.is_empty())
            .map(str::to_owned)
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
        if let Some(disk) = &self.disk {
            // `--recursive` also unmounts the engine's own mounts on the disk.
            let _ = Command::new("umount").args(["--recursive", "--lazy"]).arg(disk).status();
        }
    }
}
