//! The images of the tests. Later runs reuse them.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::project::Project;

/// A statically linked busybox, from the Debian package of that name.
const BUSYBOX: &str = "/bin/busybox";
/// The busybox applets that the tests use.
const PROGRAMS: &str = "cat chmod date echo false head httpd id kill ls mkdir nc nslookup printf ps rm seq sh sleep stat tail test touch tr true wc wget";

/// The reference stack's base images, as its `.env` names them.
pub const BASE_IMAGES: [(&str, &str); 5] = [
    ("POSTGRES_IMAGE", "local/postgres:15-alpine"),
    ("REDIS_IMAGE", "local/redis:7-alpine"),
    ("PYTHON_IMAGE", "local/python:3.11-slim"),
    ("NODE_IMAGE", "local/node:24-slim"),
    ("NGINX_IMAGE", "local/nginx:alpine"),
];

/// Builds the base images with the project's script and the development images with its runbook.
/// Images that are up to date stay unchanged.
pub fn reference_images() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| build("development"));
}

/// The same with the production images.
pub fn production_images() {
    static MADE: OnceLock<()> = OnceLock::new();
    MADE.get_or_init(|| build("production"));
}

fn build(target: &str) {
    let project = Project::reference_files("base-images");
    let made = Command::new(project.path("tools/base_images.sh"))
        .env("SPC", env!("CARGO_BIN_EXE_spc"))
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}{}",
        String::from_utf8_lossy(&made.stdout),
        String::from_utf8_lossy(&made.stderr)
    );
    let build = project.spc(&["run", "scripts/build.rhai", "--target", target]);
    build.within(Duration::from_secs(900)).ends(0);
}

/// An image with busybox that starts a shell.
pub fn busybox() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| image("busybox", &["CMD [\"sh\"]"]))
}

/// Creates an image with busybox and these Dockerfile instructions. Returns its name. The tag is
/// the digest of the content, so later runs reuse the image.
pub fn image(name: &str, instructions: &[&str]) -> String {
    let program = std::fs::read(BUSYBOX)
        .unwrap_or_else(|error| panic!("these tests need \"{BUSYBOX}\" (busybox-static): {error}"));
    let archive = root_file_system(&program);
    let changes = [&["ENV PATH=/bin"], instructions].concat();
    let digest = Sha256::new().chain_update(&archive).chain_update(changes.join("\n")).finalize();
    let image = format!(
        "local/spct-{name}:{:02x}{:02x}{:02x}{:02x}",
        digest[0], digest[1], digest[2], digest[3]
    );
    let project = Project::new(&format!("image-{name}"));
    std::fs::write(project.path("root.tar"), archive).unwrap();
    // JSON and Rhai have the same syntax for a list of strings.
    let changes = serde_json::to_string(&changes).unwrap();
    project
        .script(&format!(
            r#"if !image("{image}").exists() {{ image("{image}").import_tar(fs::file("root.tar"), #{{ changes: {changes} }}); }}"#
        ))
        .ends(0);
    image
}

fn root_file_system(busybox: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(busybox.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, "bin/busybox", busybox).unwrap();
    for name in PROGRAMS.split(' ') {
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        link.set_mode(0o777);
        archive.append_link(&mut link, Path::new("bin").join(name), "busybox").unwrap();
    }
    for (path, mode) in [("tmp/", 0o1777), ("etc/", 0o755)] {
        let mut folder = tar::Header::new_gnu();
        folder.set_entry_type(tar::EntryType::Directory);
        folder.set_size(0);
        folder.set_mode(mode);
        archive.append_data(&mut folder, path, std::io::empty()).unwrap();
    }
    archive.into_inner().unwrap()
}
