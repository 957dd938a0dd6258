//! The project of a test: a folder, a name, a subnet, ports.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;
use serde_json::Value;
use tempfile::TempDir;

use super::docker::{self, try_docker};
use super::images::{BASE_IMAGES, busybox, production_images, reference_images};
use super::spc::Spc;

/// The subnet of the reference stack in `scripts/stack.rhai`.
const REFERENCE_SUBNET: &str = "172.20.0.0/16";

/// A folder with runbooks, and their project on the engine. Dropping it removes the project's
/// objects. If the test failed, they stay for inspection until the next run.
pub struct Project {
    pub name: String,
    folder: TempDir,
    subnet: OnceLock<String>,
    on_engine: bool,
    /// The services that `up` names; all if empty.
    services: &'static [&'static str],
}

/// The variables in the reference stack's `.env` that set host ports.
const PORTS: [&str; 7] = [
    "POSTGRES_PORT",
    "REDIS_PORT",
    "BACKEND_PORT",
    "FRONTEND_PORT",
    "FLOWER_PORT",
    "NGINX_HTTP_PORT",
    "NGINX_HTTPS_PORT",
];

impl Project {
    /// The project `spct-<name>`. Removes objects that an earlier run left behind.
    pub fn new(name: &str) -> Self {
        let name = format!("spct-{name}");
        docker::remove_project(&name);
        let project = Self {
            name,
            folder: tempfile::tempdir().unwrap(),
            subnet: OnceLock::new(),
            on_engine: true,
            services: &[],
        };
        project.file("spc.toml", "spc = \"0.1\"\n");
        project
    }

    /// The reference stack under this name, with its images built. `up` starts only the backend and
    /// its two dependencies.
    pub fn reference(name: &str) -> Self {
        let mut project = Self::whole_reference(name);
        project.services = &["backend"];
        project
    }

    /// The reference stack under this name, with its images built. `up` starts all services.
    pub fn whole_reference(name: &str) -> Self {
        reference_images();
        let mut project = Self::reference_files(name);
        project.on_engine = true;
        docker::remove_project(&project.name);
        project
    }

    /// The reference stack under this name, with its production images built.
    pub fn production_reference(name: &str) -> Self {
        production_images();
        let mut project = Self::reference_files(name);
        project.on_engine = true;
        docker::remove_project(&project.name);
        project
    }

    /// One of the small examples in `examples/`, with local images under its public names.
    pub fn example(name: &str) -> Self {
        reference_images();
        let project = Self::new(&format!("example-{name}"));
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name), &project.path(""));
        for entry in fs::read_dir(project.path("")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rhai") {
                continue;
            }
            let mut text = fs::read_to_string(&path).unwrap();
            for (_, local) in BASE_IMAGES {
                let public = local.trim_start_matches("local/");
                text = text.replace(&format!("\"{public}\""), &format!("\"{local}\""));
            }
            fs::write(&path, text).unwrap();
        }
        project
    }

    /// The files of the reference stack, for runbooks that start no services.
    pub fn reference_files(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let name = format!("spct-{name}");
        let project = Self {
            name,
            folder: tempfile::tempdir().unwrap(),
            subnet: OnceLock::new(),
            on_engine: false,
            services: &[],
        };
        for part in ["spc.toml", "scripts", "tools/base_images.sh", "examples/spc"] {
            copy(&root.join(part), &project.path(part));
        }
        project.edit("scripts/stack.rhai", REFERENCE_SUBNET, project.subnet());
        let ports = PORTS.map(|name| format!("{name}={}\n", free_port()));
        let images = BASE_IMAGES.map(|(name, image)| format!("{name}={image}\n"));
        let secrets = ["POSTGRES_PASSWORD", "SECRET_KEY", "DJANGO_SUPERUSER_PASSWORD"]
            .map(|name| format!("{name}={name}-of-a-test\n"));
        // The tag separates the images of tests from the images of a user.
        project.file(
            "examples/spc/.env",
            &["TAG=spct\n".to_owned(), ports.concat(), images.concat(), secrets.concat()].concat(),
        );
        project
    }

    /// The project's subnet, `10.214.<n>.0/24`.
    pub fn subnet(&self) -> &str {
        self.subnet.get_or_init(free_subnet)
    }

    /// The absolute path of a file in the folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file.
    pub fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// Replaces a text in a file. Panics if the file does not contain it.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{path} holds {from:?}");
        self.file(path, &text.replace(from, to))
    }

    /// Writes the runbooks `stack`, `up` and `down`. `description` is the content of the stack's
    /// map. The default network has the project's subnet.
    pub fn stack(&self, description: &str) -> &Self {
        let subnet = self.subnet();
        self.file(
            "scripts/stack.rhai",
            &format!(
                "fn describe() {{\n    stack(#{{\n        networks: #{{ \"default\": #{{ ipam: #{{ config: [#{{ subnet: \"{subnet}\" }}] }} }} }},\n{description}\n    }})\n}}\n"
            ),
        );
        self.file("scripts/up.rhai", "import \"stack\" as app;\nlet done = app::describe().up();\nprint(`${done.changes} changes`);\n");
        self.file(
            "scripts/down.rhai",
            "import \"stack\" as app;\napp::describe().down(#{ volumes: true });\n",
        )
    }

    /// The project `spct-<name>` with `db`, which becomes ready once it contains the file
    /// `/tmp/well`, and `web`, which waits for `db`.
    pub fn waiting(name: &str) -> Self {
        let project = Self::new(name);
        let sleeps = format!(
            r#"image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s""#,
            busybox()
        );
        project.stack(&format!(
            r#"services: #{{
            db: #{{ {sleeps}, healthcheck: #{{ test: "test -f /tmp/well", interval: "1h" }} }},
            web: #{{ {sleeps}, depends_on: #{{ db: #{{ condition: "service_healthy" }} }} }},
        }}"#
        ));
        project
    }

    /// A run of `spc` in the project.
    pub fn spc(&self, words: &[&str]) -> Spc {
        Spc::new(self.folder.path(), words).env("COMPOSE_PROJECT_NAME", &self.name)
    }

    /// A run of `scripts/up.rhai`.
    pub fn up(&self) -> Spc {
        self.spc(&["run", "scripts/up.rhai"]).args(self.services)
    }

    /// A run of this script. If the project has a stack, the script can use it as
    /// `app::describe()`.
    pub fn script(&self, text: &str) -> Spc {
        let import = if self.path("scripts/stack.rhai").exists() {
            "import \"stack\" as app;\n"
        } else {
            ""
        };
        self.file("scripts/script.rhai", &format!("{import}{text}\n"));
        self.spc(&["run", "scripts/script.rhai"])
    }

    /// The name of a service's container.
    pub fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.name)
    }

    /// A variable of the reference stack's `.env`.
    pub fn variable(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path("examples/spc/.env")).unwrap();
        text.lines().find_map(|line| line.strip_prefix(&format!("{name}="))).unwrap().to_owned()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if self.on_engine && !std::thread::panicking() {
            docker::remove_project(&self.name);
        }
    }
}

/// A free port. Never returns the same port twice.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port =
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap().local_addr().unwrap().port();
        if GIVEN.lock().insert(port) {
            return port;
        }
    }
}

/// A subnet `10.214.<n>.0/24` that no network on the engine uses. Never returns the same subnet
/// twice.
pub fn free_subnet() -> String {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        assert_ne!(number, u8::MAX, "the tests have a subnet left");
        let subnet = format!("10.214.{number}.0/24");
        if !subnets().contains(&subnet) {
            return subnet;
        }
    }
}

fn subnets() -> BTreeSet<String> {
    let ids = docker::docker(&["network", "ls", "--quiet"]);
    ids.lines()
        // The inspection fails if another test has just removed the network.
        .filter_map(|id| try_docker(&["network", "inspect", id]).ok())
        .flat_map(|text| serde_json::from_str::<Vec<Value>>(&text).unwrap())
        .flat_map(|network| network["IPAM"]["Config"].as_array().cloned().unwrap_or_default())
        .filter_map(|pool| pool["Subnet"].as_str().map(str::to_owned))
        .collect()
}

/// Copies a file or a folder. Skips build results and hidden files, except for `.env.example` and
/// `.dockerignore`.
fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let name = entry.unwrap().file_name();
        let text = name.to_string_lossy();
        if !text.starts_with('.')
            && !["__pycache__", "node_modules", "dist", "certificates"].contains(&&*text)
            || [".env.example", ".dockerignore"].contains(&&*text)
        {
            copy(&from.join(&name), &to.join(&name));
        }
    }
}
