use super::*;
use crate::host::sim::epoch;

fn files() -> Files {
    let mut files = Files::new(epoch());
    files.create_folder(Path::new("/project/secrets"), epoch()).unwrap();
    files.replace(Path::new("/project/.env"), "A=1".into(), Some(0o600), epoch()).unwrap();
    files
}

#[test]
fn a_written_file_is_read_back_with_its_mode() {
    let mut files = files();
    assert_eq!(files.read(Path::new("/project/secrets/../.env")).unwrap(), "A=1");
    assert_eq!(files.info(Path::new("/project/.env")).unwrap().mode, 0o600);
}

#[test]
fn a_rewritten_file_keeps_its_mode_by_default() {
    let mut files = files();
    files.replace(Path::new("/project/.env"), "A=2".into(), None, epoch()).unwrap();
    assert_eq!(files.info(Path::new("/project/.env")).unwrap().mode, 0o600);
    files.replace(Path::new("/project/.env"), "A=3".into(), Some(0o644), epoch()).unwrap();
    assert_eq!(files.info(Path::new("/project/.env")).unwrap().mode, 0o644);
}

#[test]
fn errors_are_those_of_a_real_file_system() {
    let mut files = files();
    assert_eq!(files.read(Path::new("/project/none")), Err(Errno::NotFound));
    assert_eq!(files.read(Path::new("/project")), Err(Errno::IsAFolder));
    assert_eq!(files.read(Path::new("/project/.env/x")), Err(Errno::NotAFolder));
    assert_eq!(files.list(Path::new("/project/.env")).unwrap_err(), Errno::NotAFolder);
    assert_eq!(
        files.replace(Path::new("/none/x"), Bytes::new(), None, epoch()),
        Err(Errno::NotFound)
    );
    assert_eq!(
        files.replace(Path::new("/project"), Bytes::new(), None, epoch()),
        Err(Errno::IsAFolder)
    );
    assert_eq!(files.create_folder(Path::new("/project/.env/x"), epoch()), Err(Errno::NotAFolder));
    assert_eq!(files.link_target(Path::new("/project/.env")), Err(Errno::Invalid));
    assert_eq!(files.read(Path::new("project/.env")), Err(Errno::Invalid));
    assert_eq!(files.remove(Path::new("/")), Err(Errno::Denied));
}

#[test]
fn symlinks_are_followed_and_a_loop_ends() {
    let mut files = files();
    files.symlink(Path::new("/current"), "project".into(), epoch()).unwrap();
    files.symlink(Path::new("/project/loop"), "/current/loop".into(), epoch()).unwrap();
    assert_eq!(files.read(Path::new("/current/.env")).unwrap(), "A=1");
    assert_eq!(
        files.canonicalize(Path::new("/current/secrets")).unwrap(),
        Path::new("/project/secrets")
    );
    assert_eq!(files.info(Path::new("/current")).unwrap().kind, FileKind::Symlink);
    assert_eq!(files.link_target(Path::new("/current")).unwrap(), Path::new("project"));
    assert_eq!(files.read(Path::new("/project/loop")), Err(Errno::Loop));
}

#[test]
fn a_mode_forbids_what_it_forbids_to_the_owner() {
    let mut files = files();
    files.set_mode(Path::new("/project/.env"), 0).unwrap();
    assert_eq!(files.read(Path::new("/project/.env")), Err(Errno::Denied));
    files.set_mode(Path::new("/project"), 0o500).unwrap();
    assert_eq!(
        files.replace(Path::new("/project/new"), Bytes::new(), None, epoch()),
        Err(Errno::Denied)
    );
    files.set_mode(Path::new("/project"), 0).unwrap();
    assert_eq!(files.info(Path::new("/project/.env")), Err(Errno::Denied));
}

#[test]
fn a_folder_moves_with_all_it_holds_but_not_into_itself_or_over_a_full_one() {
    let mut files = files();
    files.create_folder(Path::new("/full/x"), epoch()).unwrap();
    assert_eq!(files.rename(Path::new("/project"), Path::new("/full")), Err(Errno::NotEmpty));
    assert_eq!(
        files.rename(Path::new("/project"), Path::new("/project/secrets/x")),
        Err(Errno::Invalid)
    );
    files.rename(Path::new("/project"), Path::new("/moved")).unwrap();
    assert_eq!(files.read(Path::new("/moved/.env")).unwrap(), "A=1");
    assert_eq!(files.read(Path::new("/project/.env")), Err(Errno::NotFound));
}

#[test]
fn a_folder_is_listed_by_name_and_removed_whole() {
    let mut files = files();
    let names: Vec<String> =
        files.list(Path::new("/project")).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, [".env", "secrets"]);
    files.remove(Path::new("/project")).unwrap();
    assert_eq!(files.list(Path::new("/")).unwrap(), []);
}

#[test]
fn a_full_disk_takes_no_more() {
    let mut files = files();
    files.set_free(Some(4));
    files.append(Path::new("/project/log"), b"1234", epoch()).unwrap();
    assert_eq!(files.append(Path::new("/project/log"), b"5", epoch()), Err(Errno::NoSpace));
    assert_eq!(files.read(Path::new("/project/log")).unwrap(), "1234");
}

fn over() -> Files {
    let executor = crate::host::sim::executor::SimTaskExecutor::new(1);
    let beneath = crate::host::sim::SimHost::new(executor)
        .with_file("/work/site/a", "beneath")
        .with_file("/work/site/folder/b", "also beneath")
        .with_file("/work/site/.env", "SECRET=1")
        .with_file("/work/other", "not shown")
        .with_symlink("/work/site/link", "folder/b");
    let mut files = Files::new(epoch());
    files.set_beneath(
        Overlay::new(std::sync::Arc::new(beneath), ["/work/site".into()])
            .without("/work/site/.env"),
    );
    files
}

fn names(files: &mut Files, folder: &str) -> Vec<String> {
    files.list(Path::new(folder)).unwrap().into_iter().map(|entry| entry.name).collect()
}

#[test]
fn files_beneath_are_visible_except_hidden_ones() {
    let mut files = over();
    assert_eq!(names(&mut files, "/"), ["work"]);
    assert_eq!(names(&mut files, "/work"), ["site"]);
    assert_eq!(names(&mut files, "/work/site"), ["a", "folder", "link"]);
    assert_eq!(files.read(Path::new("/work/site/link")).unwrap(), "also beneath");
    assert_eq!(
        files.canonicalize(Path::new("/work/site/link")).unwrap(),
        Path::new("/work/site/folder/b")
    );
    assert_eq!(files.info(Path::new("/work/site/a")).unwrap().len, 7);
    for gone in ["/work/site/.env", "/work/other", "/work/site/none"] {
        assert_eq!(files.read(Path::new(gone)), Err(Errno::NotFound), "{gone}");
    }
}

#[test]
fn changes_in_the_overlay_do_not_reach_the_lower_files() {
    let mut files = over();
    files.append(Path::new("/work/site/a"), b", and above", epoch()).unwrap();
    assert_eq!(files.read(Path::new("/work/site/a")).unwrap(), "beneath, and above");
    files.rename(Path::new("/work/site/folder"), Path::new("/work/site/moved")).unwrap();
    assert_eq!(files.read(Path::new("/work/site/moved/b")).unwrap(), "also beneath");
    assert_eq!(names(&mut files, "/work/site"), ["a", "link", "moved"]);
    files.remove(Path::new("/work/site/moved")).unwrap();
    files.create_folder(Path::new("/work/site/folder"), epoch()).unwrap();
    assert_eq!(names(&mut files, "/work/site/folder"), [""; 0]);
    files.remove(Path::new("/work/site/a")).unwrap();
    assert_eq!(files.read(Path::new("/work/site/a")), Err(Errno::NotFound));
}
