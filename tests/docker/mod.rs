//! Tests on the Docker Engine of `DOCKER_HOST` or of the default socket.

mod conformance;
mod connections;
mod relay;

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use spc::engine::Engine;
use spc::engine::docker::{ConnectOptions, DockerEngine, EngineChoice, connect};
use spc::host::real::RealHost;
use tokio::sync::OnceCell;

use crate::conformance::case::stream_of;
use crate::conformance::{Case, Fixture};

/// A statically linked busybox, from the Debian package of that name.
const BUSYBOX: &str = "/bin/busybox";
const REPOSITORY: &str = "spc-conformance/busybox";
/// A registry on port 1, where nothing listens.
const UNREACHABLE: &str = "127.0.0.1:1/spc/none:1";
/// The time limit of a case. Every case is faster.
const LIMIT: Duration = Duration::from_mins(1);

/// Connects to the engine. Panics with the reason if this fails.
pub async fn engine() -> DockerEngine {
    let options = ConnectOptions::from_host(&RealHost::new(), &EngineChoice::default()).unwrap();
    match connect(&options).await {
        Ok(engine) => engine,
        Err(error) => panic!(
            "these tests need a Docker Engine: {}\nhint: {}",
            error.message,
            error.hint.unwrap_or_default()
        ),
    }
}

/// Runs a case on the default engine.
async fn run(name: &str, case: impl AsyncFnOnce(&Case<'_>)) {
    run_on(&engine().await, name, case).await;
}

/// Runs a case on `engine` and cleans up afterwards. A failed case leaves its objects for
/// inspection until its next run.
async fn run_on(engine: &DockerEngine, name: &str, case: impl AsyncFnOnce(&Case<'_>)) {
    let fixture = Fixture { image: image(engine).await, unreachable: UNREACHABLE.into() };
    let whole = async {
        let prepared = Case::new(engine, &fixture, name).await;
        case(&prepared).await;
        prepared.clean().await;
    };
    tokio::time::timeout(LIMIT, whole).await.expect("the case ends in time");
}

/// The image of the cases. Its tag is the digest of its content, so later runs reuse it.
async fn image(engine: &DockerEngine) -> String {
    static IMAGE: OnceCell<String> = OnceCell::const_new();
    let make = || async {
        let busybox = std::fs::read(BUSYBOX).unwrap_or_else(|error| {
            panic!("these tests need \"{BUSYBOX}\" (busybox-static): {error}")
        });
        let tar = root_file_system(&busybox);
        let digest = Sha256::digest(&tar);
        let image = format!(
            "{REPOSITORY}:{:02x}{:02x}{:02x}{:02x}",
            digest[0], digest[1], digest[2], digest[3]
        );
        if engine.image_inspect(&image).await.is_err() {
            let changes = ["ENV PATH=/bin".to_owned(), "CMD [\"sh\"]".to_owned()];
            engine.image_import(&image, &changes, stream_of(tar)).await.unwrap();
        }
        image
    };
    IMAGE.get_or_init(make).await.clone()
}

/// A root file system with busybox and links for its applets.
fn root_file_system(busybox: &[u8]) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(busybox.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, "bin/busybox", busybox).unwrap();
    for name in
        ["sh", "cat", "echo", "head", "id", "ls", "nslookup", "printf", "pwd", "sleep", "true"]
    {
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        link.set_mode(0o777);
        archive.append_link(&mut link, format!("bin/{name}"), "busybox").unwrap();
    }
    let mut folder = tar::Header::new_gnu();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_size(0);
    folder.set_mode(0o1777);
    archive.append_data(&mut folder, "tmp/", std::io::empty()).unwrap();
    archive.into_inner().unwrap().into()
}
