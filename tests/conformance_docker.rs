//! The conformance suite on the Docker Engine that `DOCKER_HOST` or the default socket leads to.

use std::time::Duration;

use spc::engine::Engine;
use spc::engine::docker::{ConnectOptions, DockerEngine, connect};
use tokio::sync::OnceCell;

use crate::conformance::case::stream_of;
use crate::conformance::{Case, Fixture, for_each_case, for_each_shell_case};

/// A statically linked busybox, from the Debian package of that name.
const BUSYBOX: &str = "/bin/busybox";
const IMAGE: &str = "spc-conformance/busybox:1";
/// Nobody listens on port 1.
const UNREACHABLE: &str = "127.0.0.1:1/spc/none:1";
/// More than any case takes.
const LIMIT: Duration = Duration::from_mins(1);

/// The engine, or the reason why there is none.
pub async fn engine() -> DockerEngine {
    let options = ConnectOptions { docker_host: std::env::var("DOCKER_HOST").ok(), ..ConnectOptions::default() };
    match connect(&options).await {
        Ok(engine) => engine,
        Err(error) => panic!("these tests need a Docker Engine: {}\nhint: {}", error.message, error.hint.unwrap_or_default()),
    }
}

/// Runs a case and cleans up after it; a failed one leaves what it made to be looked at, until its next run.
async fn run(name: &str, case: impl AsyncFnOnce(&Case<'_>)) {
    let engine = engine().await;
    import_image(&engine).await;
    let fixture = Fixture { image: IMAGE.into(), unreachable: UNREACHABLE.into() };
    let whole = async {
        let prepared = Case::new(&engine, &fixture, name).await;
        case(&prepared).await;
        prepared.clean().await;
    };
    tokio::time::timeout(LIMIT, whole).await.expect("the case ends in time");
}

/// Once per run of the tests: the engine may have any older one.
async fn import_image(engine: &DockerEngine) {
    static IMPORTED: OnceCell<()> = OnceCell::const_new();
    let import = || async {
        let busybox = std::fs::read(BUSYBOX).unwrap_or_else(|error| panic!("these tests need \"{BUSYBOX}\" (busybox-static): {error}"));
        let changes = ["ENV PATH=/bin".to_owned(), "CMD [\"sh\"]".to_owned()];
        engine.image_import(IMAGE, &changes, stream_of(root_file_system(&busybox))).await.unwrap();
    };
    IMPORTED.get_or_init(import).await;
}

/// A root file system of one program under its names.
fn root_file_system(busybox: &[u8]) -> bytes::Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(busybox.len() as u64);
    header.set_mode(0o755);
    archive.append_data(&mut header, "bin/busybox", busybox).unwrap();
    for name in ["sh", "cat", "echo", "head", "id", "nslookup", "printf", "pwd", "sleep", "true"] {
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

macro_rules! tests {
    ($($noun:ident: [$($case:ident),* $(,)?],)*) => {
        $(mod $noun {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::run(stringify!($case), async |case: &crate::conformance::Case<'_>| {
                        crate::conformance::$noun::$case(case).await;
                    })
                    .await;
                }
            )*
        })*
    };
}

for_each_case!(tests);
for_each_shell_case!(tests);
