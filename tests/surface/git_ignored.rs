//! The files of a project that tests of runbooks see: those of a clone, and new files that git does
//! not ignore.

use std::path::Path;
use std::process::Command;

use similar_asserts::assert_eq;

use crate::support::Spc;

/// A test that fails with the names of all files below the project.
const LISTING: &str = r#"
fn below(folder) {
    let all = "";
    for path in fs::list(folder) {
        all += if fs::info(path).kind == "folder" { below(path) } else { `${path}|` };
    }
    all
}
fn test_listing() { fail("failed", below(".")); }
"#;

fn git(folder: &Path, words: &[&str]) -> String {
    let mut git = Command::new("git");
    let git = git
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let output = git.output().expect("these tests need git");
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The tracked files and the new files that git does not ignore, sorted.
fn of_git(folder: &Path) -> Vec<String> {
    let shown = git(folder, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut names: Vec<String> = shown
        .split_terminator('\0')
        .filter(|name| folder.join(name).exists())
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The files that a test sees, sorted.
fn of_spc(spc: Spc) -> Vec<String> {
    let ended = spc.output();
    let line = ended
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("error: "))
        .unwrap_or_else(|| panic!("{ended}"));
    let mut names: Vec<String> =
        line.split('|').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    names.sort();
    names
}

/// A project with a case for every rule of git.
fn files() -> Spc {
    let ignored = "# made\n*.gen\n!kept.gen\n/top\ndist/\na/**/z\n\\#odd\n\\!odd\ntail \nq?r\n[xy]1\n/deep/*\n!/deep/in\nGröße\nfile/\n";
    let names = [
        "a/z",
        "a/b/z",
        "a/b/c/z",
        "b/z",
        "x.gen",
        "kept.gen",
        "in/kept.gen",
        "top",
        "in/top",
        "dist/x",
        "in/dist/y",
        "in/dist/z/w",
        "#odd",
        "!odd",
        "tail",
        "q1r",
        "q12r",
        "x1",
        "y1",
        "z1",
        "deep/out",
        "deep/in",
        "deep/more/in",
        "Größe",
        "Größe 2",
        "file",
        "in/file/x",
        "nested/.hidden",
        "nested/local",
        "nested/in/local",
        "nested/again.gen",
        "excluded",
        "in/excluded",
        "tracked/dist/kept",
        "tracked/dist/new",
        "tracked/forced.gen",
        "with space/x y",
        "node_modules/m/x.js",
        "sub/file",
    ];
    let spc = names.iter().fold(Spc::new(), |spc, name| spc.file(name, "x"));
    spc.file("spc.toml", "")
        .file(".gitignore", ignored)
        .file("nested/.gitignore", "/local\n!again.gen\n")
        .file("list_test.rhai", LISTING)
}

fn seen(spc: Spc) -> Vec<String> {
    of_spc(spc.args(["test", "list_test.rhai"]))
}

#[test]
fn a_test_sees_what_git_has_or_would_add() {
    let spc = files();
    let root = spc.project();
    git(&root, &["init", "--quiet"]);
    std::fs::write(root.join(".git/info/exclude"), "excluded\n").unwrap();
    git(&root, &["add", "spc.toml", "in", "a/b", "b/z"]);
    git(&root, &["add", "--force", "tracked/dist/kept", "tracked/forced.gen"]);
    let expected = of_git(&root);
    assert!(
        expected.len() > 20 && expected.iter().any(|name| name == "tracked/forced.gen"),
        "{expected:?}"
    );
    assert_eq!(seen(spc), expected);
}

#[test]
fn an_index_of_each_version_is_read() {
    for version in ["2", "3", "4"] {
        let spc = files();
        let root = spc.project();
        git(&root, &["init", "--quiet"]);
        git(&root, &["config", "index.version", version]);
        git(&root, &["add", "--force", "--intent-to-add", "x.gen"]);
        git(&root, &["add", "--force", "top", "in/top", "dist/x"]);
        git(&root, &["update-index", "--index-version", version]);
        let expected = of_git(&root);
        assert_eq!(seen(spc), expected, "{version}");
    }
}

#[test]
fn a_project_inside_of_a_repository_is_held_to_what_is_above() {
    let spc = Spc::new()
        .file("one/spc.toml", "")
        .file("one/list_test.rhai", LISTING)
        .file("one/made", "")
        .file("one/kept", "")
        .file("one/x.gen", "");
    let root = spc.project();
    std::fs::write(root.join(".gitignore"), "/one/made\n*.gen\n").unwrap();
    git(&root, &["init", "--quiet"]);
    let expected = ["kept", "list_test.rhai", "spc.toml"];
    assert_eq!(of_git(&root.join("one")), expected);
    assert_eq!(of_spc(spc.args(["-C", "one", "test", "list_test.rhai"])), expected);
}

#[test]
fn a_work_tree_beside_its_repository_is_one() {
    let spc = files();
    let root = spc.project();
    let other = tempfile::tempdir().unwrap();
    let repository = other.path().join("repository");
    std::fs::create_dir(&repository).unwrap();
    git(&repository, &["init", "--quiet"]);
    git(
        &repository,
        &[
            "-c",
            "user.name=x",
            "-c",
            "user.email=x@example.com",
            "commit",
            "--quiet",
            "--allow-empty",
            "--message",
            "x",
        ],
    );
    std::fs::write(repository.join(".git/info/exclude"), "excluded\n").unwrap();
    git(&repository, &["worktree", "add", "--quiet", "../tree"]);
    std::fs::rename(other.path().join("tree/.git"), root.join(".git")).unwrap();
    git(&root, &["add", "--force", "x.gen"]);
    let expected = of_git(&root);
    assert_eq!(seen(spc), expected);
}

#[test]
fn gitignore_applies_without_a_valid_repository() {
    let kept = |spc: Spc| {
        seen(spc)
            .into_iter()
            .filter(|name| ["x.gen", "kept.gen", "dist/x", "b/z"].contains(&name.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(kept(files()), ["b/z", "kept.gen"]);
    for index in [
        &b""[..],
        b"DIRC",
        b"DIRC\0\0\0\x02\xff\xff\xff\xff",
        &[0xff; 100],
        b"DIRC\0\0\0\x02\0\0\0\x01abc",
    ] {
        let spc = files().file(".git/index", index).file(".git/HEAD", "ref: refs/heads/main\n");
        assert_eq!(kept(spc), ["b/z", "kept.gen"], "{index:?}");
    }
    let spc = files().file(".git", "gitdir: /dev/zero\n");
    assert_eq!(kept(spc), ["b/z", "kept.gen"]);
}

#[test]
fn a_git_ignored_file_is_reported_as_ignored() {
    let test = "fn test_reads() { fs::read(\"certificate.pem\"); }\n";
    let spc = Spc::new()
        .file("spc.toml", "")
        .file(".gitignore", "*.pem\n")
        .file("certificate.pem", "secret")
        .file("a_test.rhai", test);
    let ended = spc.args(["test"]).output();
    assert!(
        ended
            .stdout
            .contains("git ignores it, and a test sees only what a clone of the project has"),
        "{ended}"
    );
    let test = "fn test_reads() { fs::read(\".env\"); }\n";
    let ended = Spc::new()
        .file("spc.toml", "")
        .file(".env", "A=1\n")
        .file("a_test.rhai", test)
        .args(["test"])
        .output();
    assert!(
        ended
            .stdout
            .contains("no test sees it, as it is somebody's own: sim::file makes one for a test"),
        "{ended}"
    );
}

#[test]
fn an_ignored_test_runs_where_it_is_named() {
    let spc = || {
        Spc::new()
            .file("spc.toml", "")
            .file(".gitignore", "/mine/\n")
            .file("mine/a_test.rhai", "fn test_a() {}\n")
    };
    let all = spc().args(["test"]).output();
    assert_eq!(all.stderr.lines().next().unwrap_or_default(), "error: There are no tests here");
    for named in ["mine", "mine/a_test.rhai"] {
        let ended = spc().args(["test", named]).output();
        assert!(ended.code == 0 && ended.stdout.contains("1 test passed"), "{ended}");
    }
}
