//! A private registry: pulling with valid credentials, and the errors without them.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use super::docker::try_docker;
use super::images::busybox;
use super::project::{Project, free_port};
use super::until::until;

const PASSWORD: &str = "correct-horse";

/// Debian's `docker-registry` on loopback. It contains the image `app:1`, and only the user `bob`
/// has access.
struct Registry {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Registry {
    fn new() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let path = |name: &str| folder.path().join(name).display().to_string();
        let made = Command::new("htpasswd")
            .args(["-Bbn", "bob", PASSWORD])
            .output()
            .expect("these tests need apache2-utils");
        fs::write(path("htpasswd"), made.stdout).unwrap();
        let config = format!(
            "version: 0.1\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: \"127.0.0.1:{port}\" }}\n\
             auth: {{ htpasswd: {{ realm: spct, path: {} }} }}\n",
            path("data"),
            path("htpasswd")
        );
        fs::write(path("registry.yml"), config).unwrap();
        let mut process = Command::new("docker-registry");
        let process = process
            .args(["serve", &path("registry.yml")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = process.spawn().expect("these tests need docker-registry");
        until("the registry answers", Duration::from_secs(30), || {
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        let registry = Self { folder, port, process };
        let image = registry.image();
        try_docker(&["tag", busybox(), &image]).unwrap();
        registry.config("push", &registry.login());
        let config = registry.folder.path().join("push").display().to_string();
        try_docker(&["--config", &config, "push", "--quiet", &image]).unwrap();
        registry.forget();
        registry
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn image(&self) -> String {
        format!("{}/spct/app:1", self.host())
    }

    /// Removes the image from the engine.
    fn forget(&self) {
        let _ = try_docker(&["rmi", &self.image()]);
    }

    /// A `config.json` as `docker login` writes it.
    fn login(&self) -> String {
        let auth = STANDARD.encode(format!("bob:{PASSWORD}"));
        format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, self.host())
    }

    /// Creates a folder with this `config.json`. Returns its path, for `DOCKER_CONFIG`.
    fn config(&self, name: &str, config: &str) -> String {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("config.json"), config).unwrap();
        folder.display().to_string()
    }

    /// Creates a credential helper with this script. Returns a `PATH` that contains it.
    fn helper(&self, name: &str, script: &str) -> String {
        let file = self.folder.path().join("bin").join(format!("docker-credential-{name}"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        format!("{}:{}", file.parent().unwrap().display(), std::env::var("PATH").unwrap())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.forget();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_private_image_is_pulled_with_the_credentials_of_docker_login() {
    let registry = Registry::new();
    let project = Project::new("registry");
    let (image, host) = (registry.image(), registry.host());
    project.file("pull.rhai", &format!("print(image(\"{image}\").pull() != \"\");\n"));
    let run = |config: &str| project.spc(&["run", "pull.rhai"]).env("DOCKER_CONFIG", config);

    run(&registry.config("none", "{}"))
        .ends(1)
        .prints(&["denies access to it", &format!("docker login {host}")]);
    run(&registry.config("auths", &registry.login())).ends(0);

    registry.forget();
    let path = registry.helper(
        "spct",
        &format!("cat >/dev/null; echo '{{\"Username\": \"bob\", \"Secret\": \"{PASSWORD}\"}}'"),
    );
    let by_helper = format!(r#"{{"credHelpers": {{"{host}": "spct"}}}}"#);
    run(&registry.config("helper", &by_helper)).env("PATH", &path).ends(0);

    registry.forget();
    registry.helper("spct", "echo 'the keychain is locked'; exit 1");
    run(&registry.config("helper", &by_helper))
        .env("PATH", &path)
        .ends(1)
        .prints(&["docker-credential-spct", "the keychain is locked"]);
    registry.helper("spct", "echo 'credentials not found in native keychain'; exit 1");
    run(&registry.config("helper", &by_helper))
        .env("PATH", &path)
        .ends(1)
        .prints(&["denies access to it"]);
    let missing = r#"{"credsStore": "spct-gone"}"#;
    run(&registry.config("missing", missing))
        .ends(1)
        .prints(&["\"docker-credential-spct-gone\" from config.json is not installed"]);

    project.file("none.rhai", &format!("image(\"{host}/spct/none:1\").pull();\n"));
    let config = registry.config("auths", &registry.login());
    project
        .spc(&["run", "none.rhai"])
        .env("DOCKER_CONFIG", &config)
        .ends(1)
        .prints(&["There is no image"]);

    project.file("app/Dockerfile", &format!("FROM {image}\nRUN true\n"));
    project.file("build.rhai", "print(image(\"local/spct-registry:1\").build(#{ context: \"app\", pull: true }) != \"\");\n");
    project.spc(&["run", "build.rhai"]).env("DOCKER_CONFIG", &config).ends(0);
    registry.forget();
    let none = registry.config("none", "{}");
    let login = format!("log in with `docker login {host}`");
    project
        .spc(&["run", "build.rhai"])
        .env("DOCKER_CONFIG", &none)
        .ends(1)
        .prints(&["could not fetch the base image", &login]);
    let _ = try_docker(&["rmi", "local/spct-registry:1"]);
}
