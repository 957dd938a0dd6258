//! A second engine for one test. It requires a client certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose as Usage, IsCa,
    KeyPair,
};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::project::free_port;
use super::until::until;

/// A certificate authority for engines and clients.
type Authority = CertifiedIssuer<'static, KeyPair>;

/// The engine. Dropping it removes its containers and ends it.
pub struct TlsEngine {
    folder: TempDir,
    engine: Child,
    port: u16,
    authority: Authority,
}

impl TlsEngine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = authority();
        let port = free_port();
        let certs = folder.path().join("engine");
        write(&certs, &authority, Some((Usage::ServerAuth, &["127.0.0.1"])));
        let path = |name: &str| folder.path().join(name).display().to_string();
        let cert = |name: &str| certs.join(name).display().to_string();
        ip(&["link", "add", &bridge(port), "type", "bridge"]);
        let mut engine = Command::new("dockerd");
        engine.args([
            "--host",
            &format!("tcp://127.0.0.1:{port}"),
            "--data-root",
            &path("data"),
            "--exec-root",
            &path("run"),
        ]);
        engine.args([
            "--pidfile",
            &path("pid"),
            "--storage-driver",
            "vfs",
            "--shutdown-timeout",
            "1",
        ]);
        // Only the machine's engine manages iptables rules. This engine needs its own bridge: with
        // "--bridge none" it would remove the bridge of the machine's engine when it starts.
        engine.args([
            "--bridge",
            &bridge(port),
            "--iptables=false",
            "--ip-masq=false",
            "--ip-forward=false",
        ]);
        engine.args([
            "--tlsverify",
            "--tlscacert",
            &cert("ca.pem"),
            "--tlscert",
            &cert("cert.pem"),
            "--tlskey",
            &cert("key.pem"),
        ]);
        let log = fs::File::create(path("log")).unwrap();
        let engine =
            engine.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        let engine = engine.unwrap_or_else(|error| {
            panic!("these tests start an engine of their own, `dockerd`: {error}")
        });
        let engine = Self { folder, engine, port, authority };
        engine.certificates("client", Some(engine.authority()));
        until("the second engine answers", Duration::from_secs(60), || {
            let log = fs::read_to_string(engine.folder.path().join("log")).unwrap();
            log.contains("API listen on").then_some(())
        });
        engine
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The value of `DOCKER_HOST` for this engine.
    pub fn docker_host(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// The authority that issued the engine's certificate.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The folder with certificates that the engine accepts.
    pub fn client(&self) -> PathBuf {
        self.folder.path().join("client")
    }

    /// Creates a folder with the engine's `ca.pem`, and with a client certificate from `issuer` if
    /// it is given.
    pub fn certificates(&self, name: &str, issuer: Option<&Authority>) -> PathBuf {
        let folder = self.folder.path().join(name);
        write(
            &folder,
            issuer.unwrap_or(&self.authority),
            issuer.map(|_| (Usage::ClientAuth, &[][..])),
        );
        fs::write(folder.join("ca.pem"), self.authority.pem()).unwrap();
        folder
    }

    fn client_of(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command
            .args(words)
            .env("DOCKER_HOST", self.docker_host())
            .env("DOCKER_TLS_VERIFY", "1")
            .env("DOCKER_CERT_PATH", self.client());
        command
    }

    /// Runs `docker` on this engine. Returns its output.
    pub fn docker(&self, words: &[&str]) -> String {
        let output = self.client_of(words).output().unwrap();
        assert!(
            output.status.success(),
            "docker {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Copies an image from the machine's engine to this one.
    pub fn load(&self, image: &str) {
        let archive = self.folder.path().join("image.tar").display().to_string();
        super::docker::docker(&["save", "--output", &archive, image]);
        self.docker(&["load", "--input", &archive]);
    }
}

impl Drop for TlsEngine {
    fn drop(&mut self) {
        // A failed test may leave networks behind. Their bridges would stay on the machine.
        if let Ok(listed) = self.client_of(&["ps", "--all", "--quiet"]).output() {
            let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
            let _ = self.client_of(&["rm", "--force"]).args(listed.lines()).output();
            let _ = self.client_of(&["network", "prune", "--force"]).output();
        }
        let _ = kill_process(Pid::from_child(&self.engine), Signal::TERM);
        let ended = (0..1500).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            self.engine.try_wait().is_ok_and(|status| status.is_some())
        });
        if !ended {
            let _ = self.engine.kill();
            let _ = self.engine.wait();
        }
        let _ = Command::new("ip").args(["link", "delete", &bridge(self.port)]).status();
    }
}

/// The name of the engine's bridge. The kernel allows 15 characters.
fn bridge(port: u16) -> String {
    format!("spct{port}")
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Creates a certificate authority.
pub fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes `ca.pem`, and `cert.pem` and `key.pem` if there is an identity.
fn write(folder: &Path, issuer: &Authority, identity: Option<(Usage, &[&str])>) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
    if let Some((usage, names)) = identity {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
                .unwrap();
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().unwrap();
        fs::write(folder.join("cert.pem"), params.signed_by(&key, issuer).unwrap().pem()).unwrap();
        fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
    }
}
