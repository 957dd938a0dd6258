//! spc sends exactly the checked files of a context, and never its own files.

use super::*;

const CHECKED: &str = "FROM a\nADD local /x\n";
/// Another Dockerfile of the same length.
const OTHER: &str = "FROM a\nADD h://a /x\n";

/// The content that is sent for the file at `path`.
fn sent_at(context: &BuildContext, path: &str) -> Vec<u8> {
    unpack(&tar_of(context).unwrap()).into_iter().find(|entry| entry.path == path).unwrap().content
}

#[test]
fn a_dockerfile_that_is_replaced_after_its_check_is_sent_as_it_was() {
    assert_eq!(CHECKED.len(), OTHER.len());
    let folder = Folder::empty();
    folder.file("Dockerfile", CHECKED);
    let (first, digest) = (folder.path("Dockerfile"), folder.collected().digest);
    *folder.host.before_list.lock() = Some(Box::new(move || std::fs::write(first, OTHER).unwrap()));
    let context = folder.collected();
    assert_eq!(sent_at(&context, "Dockerfile"), CHECKED.as_bytes());
    assert_eq!(context.digest, digest);
    folder.file("Dockerfile", "gone");
    assert_eq!(sent_at(&context, "Dockerfile"), CHECKED.as_bytes());
}

#[test]
fn a_dockerfile_is_not_built_if_its_folder_becomes_a_symlink_after_the_check() {
    let mut folder = Folder::empty();
    folder.file("docker/Dockerfile", CHECKED);
    folder.file("other/Dockerfile", OTHER);
    folder.dockerfile = "docker/Dockerfile".into();
    let (docker, moved) = (folder.path("docker"), folder.path("moved"));
    *folder.host.before_list.lock() = Some(Box::new(move || {
        std::fs::rename(&docker, moved).unwrap();
        symlink("other", docker).unwrap();
    }));
    let failure = folder.collect().unwrap_err();
    assert_eq!(
        failure.message,
        "The Dockerfile \"docker/Dockerfile\" changed while the build context was read"
    );
    assert_eq!(failure.kind, Kind::Build);
}

#[test]
fn a_dockerfile_that_is_too_large_to_be_checked_is_not_built() {
    let folder = Folder::empty();
    std::fs::File::create(folder.path("Dockerfile")).unwrap().set_len((64 << 20) + 1).unwrap();
    let failure = folder.collect().unwrap_err();
    assert!(failure.message.ends_with("/Dockerfile\": it is larger than 64 MiB"), "{failure}");
    assert_eq!(failure.kind, Kind::Build);
}

#[test]
fn the_records_of_spc_are_never_sent_and_change_no_digest() {
    let folder = Folder::new();
    folder.file("app/main.py", "");
    let before = folder.collected().digest;
    folder.file(".spc/runs/1.jsonl", "{}");
    folder.file(".spc/shop/key.json", "{}");
    folder.file("app/.spc/state.json", "{}");
    folder.file(".dockerignore", "!.spc\n!**/.spc\n");
    assert_eq!(folder.sent(), [".dockerignore", "Dockerfile", "app/", "app/main.py"]);
    std::fs::remove_file(folder.path(".dockerignore")).unwrap();
    assert_eq!(folder.collected().digest, before);
    // spc's files in another folder of the project.
    std::fs::remove_dir_all(folder.path(".spc")).unwrap();
    folder.file("state/records/1.jsonl", "{}");
    symlink("state/records", folder.path(".spc")).unwrap();
    assert_eq!(folder.sent(), ["Dockerfile", "app/", "app/main.py", "state/"]);
}

#[test]
fn a_dockerfile_among_the_records_of_spc_is_refused() {
    let mut folder = Folder::empty();
    folder.file(".spc/Dockerfile", CHECKED);
    folder.dockerfile = ".spc/Dockerfile".into();
    let failure = folder.collect().unwrap_err();
    assert_eq!(
        failure.message,
        "The Dockerfile \".spc/Dockerfile\" is in \".spc\", which is never sent to the builder"
    );
}
