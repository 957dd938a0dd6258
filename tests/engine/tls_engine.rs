//! A second engine, that of a test alone, which lets in who shows a certificate.

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

/// Who vouches for engines and clients.
type Authority = CertifiedIssuer<'static, KeyPair>;

/// The engine. Dropped, it stops its containers and ends.
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
        // The machine's own engine has the rules, and keeps its bridge: with "--bridge none" this
        // one would remove it at its start.
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

    /// `DOCKER_HOST` of it.
    pub fn docker_host(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// The authority of the engine's own certificate.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The folder with the certificates that the engine lets in.
    pub fn client(&self) -> PathBuf {
        self.folder.path().join("client")
    }

    /// A folder with the engine's `ca.pem`, and a client's certificate from `issuer` if there is
    /// one.
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

    /// Runs Docker's own client on it; what it printed.
    pub fn docker(&self, words: &[&str]) -> String {
        let output = self.client_of(words).output().unwrap();
        assert!(
            output.status.success(),
            "docker {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Brings an image of the machine's own engine there.
    pub fn load(&self, image: &str) {
        let archive = self.folder.path().join("image.tar").display().to_string();
        super::docker::docker(&["save", "--output", &archive, image]);
        self.docker(&["load", "--input", &archive]);
    }
}

impl Drop for TlsEngine {
    fn drop(&mut self) {
        // A failed test's: the bridges of its networks would outlive the engine, on this machine.
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

/// The engine's own bridge; the kernel takes 15 letters.
fn bridge(port: u16) -> String {
    format!("spct{port}")
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A new authority.
pub fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Writes Docker's three files, or `ca.pem` alone.
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
