use std::collections::BTreeMap;

use super::*;

/// A disk of files and folders, and of symlinks to anywhere.
#[derive(Default)]
struct Disk {
    there: Vec<PathBuf>,
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Disk {
    fn new(there: &[&str], links: &[(&str, &str)]) -> Self {
        Self {
            there: there
                .iter()
                .flat_map(|path| Path::new(path).ancestors())
                .map(Path::to_owned)
                .collect(),
            links: links
                .iter()
                .map(|(from, to)| (PathBuf::from(from), PathBuf::from(to)))
                .collect(),
        }
    }

    fn resolve(&self, path: &Path) -> Resolution {
        let mut real = PathBuf::new();
        let parts: Vec<_> = path.components().collect();
        for (index, part) in parts.iter().enumerate() {
            real.push(part);
            if let Some(target) = self.links.get(&real) {
                let rest: PathBuf = parts[index + 1..].iter().collect();
                let target = path::clean(&real.parent().unwrap_or(Path::new("/")).join(target));
                return match self.resolve(&target) {
                    Resolution::Exists(target) => self.resolve(&path::clean(&target.join(rest))),
                    _ if rest == Path::new("") => Resolution::Dangling,
                    _ => Resolution::Missing,
                };
            }
        }
        if self.there.contains(&real) { Resolution::Exists(real) } else { Resolution::Missing }
    }
}

fn disk() -> Disk {
    Disk::new(
        &[
            "/work/app/src/main.py",
            "/work/app/spc.toml",
            "/work/other",
            "/etc/passwd",
            "/run/docker.sock",
            "/srv/data/db",
            "/work/app/.git",
        ],
        &[
            ("/var/run", "/run"),
            ("/work/app/out", "/etc"),
            ("/work/app/in", "src"),
            ("/work/app/nowhere", "/etc/new.conf"),
            ("/work/app/engine", "/run/docker.sock"),
            ("/work/app/all", "/"),
            ("/home", "/work"),
        ],
    )
}

fn policy(content: &str) -> Policy {
    let disk = disk();
    Policy::new(Path::new("/work/app"), Settings::parse(content.as_bytes()).unwrap(), &|path| {
        disk.resolve(path)
    })
    .unwrap()
}

fn read(policy: &Policy, path: &str) -> Result<PathBuf, Refusal> {
    policy
        .read_path(Path::new(path), &|path| disk().resolve(path))
        .map(|path| path.as_path().to_owned())
}

fn write(policy: &Policy, path: &str) -> Result<PathBuf, Refusal> {
    policy
        .write_path(Path::new(path), &|path| disk().resolve(path))
        .map(|path| path.as_path().to_owned())
}

fn mount(policy: &Policy, path: &str) -> Result<PathBuf, Refusal> {
    policy
        .bind_mount(Path::new(path), &|path| disk().resolve(path))
        .map(|mount| mount.source().to_owned())
}

#[test]
fn a_script_reads_and_writes_its_own_project() {
    let policy = policy("");
    for given in [
        "src/main.py",
        "./src/main.py",
        "/work/app/src/main.py",
        "src/../src/main.py",
        "in/main.py",
    ] {
        assert_eq!(read(&policy, given), Ok(PathBuf::from("/work/app/src/main.py")), "{given}");
        assert_eq!(write(&policy, given), Ok(PathBuf::from("/work/app/src/main.py")), "{given}");
    }
    assert_eq!(
        write(&policy, "new folder/Übersicht.txt"),
        Ok(PathBuf::from("/work/app/new folder/Übersicht.txt"))
    );
    assert_eq!(read(&policy, "."), Ok(PathBuf::from("/work/app")));
}

#[test]
fn a_project_reached_through_a_symlink_is_the_same_project() {
    let disk = disk();
    let policy =
        Policy::new(Path::new("/home/app"), Settings::default(), &|path| disk.resolve(path))
            .unwrap();
    assert_eq!(policy.project_directory(), Path::new("/work/app"));
    assert_eq!(read(&policy, "/home/app/src"), Ok(PathBuf::from("/work/app/src")));
}

#[test]
fn no_path_leads_out_of_the_project() {
    let policy = policy("");
    for given in [
        "..",
        "../other",
        "src/../../other",
        "/etc/passwd",
        "/work/apple",
        "/",
        "../../../etc/passwd",
        "/work/app/../other",
        "new/../../x",
    ] {
        for refusal in [
            read(&policy, given).unwrap_err(),
            write(&policy, given).unwrap_err(),
            mount(&policy, given).unwrap_err(),
        ] {
            assert_eq!(refusal.value, given);
        }
    }
    let refusal = read(&policy, "/etc/passwd").unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "A script may not read \"/etc/passwd\": it is outside of the project"
    );
    assert_eq!(
        refusal.hint().unwrap(),
        "to allow it, write read = [\"/etc/passwd\"] under [allow] in spc.toml"
    );
}

#[test]
fn no_symlink_leads_out_of_the_project() {
    let policy = policy("");
    let refusal = read(&policy, "out/passwd").unwrap_err();
    assert_eq!(
        refusal.message(),
        "A script may not read \"out/passwd\": it leads to \"/etc/passwd\", outside of the project"
    );
    assert_eq!(refusal.add, ["read = [\"/etc/passwd\"]"]);
    let refusal = write(&policy, "out/new/file").unwrap_err();
    assert_eq!(
        refusal.message(),
        "A script may not write \"out/new/file\": it leads to \"/etc/new/file\", outside of the project"
    );
    assert_eq!(mount(&policy, "out").unwrap_err().add, ["bind_mounts = [\"/etc\"]"]);
}

#[test]
fn a_symlink_to_nothing_is_not_written_through() {
    let policy = policy("");
    for given in ["nowhere", "in/../nowhere"] {
        let refusal = write(&policy, given).unwrap_err();
        assert_eq!(
            refusal.message(),
            format!("A script may not write \"{given}\": it is a symlink that can't be followed")
        );
        assert_eq!(refusal.hint(), None);
    }
    assert!(read(&policy, "nowhere").is_err());
    assert!(mount(&policy, "nowhere").is_err());
}

#[test]
fn an_allowed_outside_path_is_allowed_only_for_its_purpose() {
    let policy = policy("[allow]\nread = [\"/etc\"]\nwrite = [\"../other\"]\n");
    assert_eq!(read(&policy, "out/passwd"), Ok(PathBuf::from("/etc/passwd")));
    assert_eq!(read(&policy, "/work/other/a"), Ok(PathBuf::from("/work/other/a")));
    assert_eq!(write(&policy, "../other"), Ok(PathBuf::from("/work/other")));
    assert_eq!(
        write(&policy, "/etc/passwd").unwrap_err().add,
        ["write = [\"../other\", \"/etc/passwd\"]"]
    );
    assert!(read(&policy, "/etcetera").is_err());
    assert!(mount(&policy, "/etc").is_err());
}

#[test]
fn a_runbook_may_read_its_own_folder() {
    let disk = disk();
    let policy = policy("project_directory = \"src\"\n");
    assert!(read(&policy, "../spc.toml").is_err());
    let policy = policy.with_runbook_folder(Path::new("/work/app"), &|path| disk.resolve(path));
    assert_eq!(read(&policy, "../spc.toml"), Ok(PathBuf::from("/work/app/spc.toml")));
    assert!(write(&policy, "../new").is_err());
}

#[test]
fn a_script_does_not_allow_itself_more() {
    let policy = policy("[allow]\nwrite = [\"/srv\"]\n");
    for given in ["spc.toml", "src/spc.toml", "/srv/spc.toml"] {
        let refusal = write(&policy, given).unwrap_err();
        assert_eq!(
            refusal.because.unwrap(),
            "spc.toml defines what scripts may do, and only people change it"
        );
        assert_eq!(refusal.add, Vec::<String>::new());
    }
    assert_eq!(
        write(&policy, ".git/hooks/pre-commit").unwrap_err().because.unwrap(),
        "it belongs to git"
    );
    assert!(write(&policy, ".gitignore").is_ok());
    assert_eq!(
        write(&policy, "src/..").unwrap_err().because.unwrap(),
        "it is the project directory itself"
    );
}

#[test]
fn the_project_directory_is_where_relative_paths_start() {
    let policy = policy("project_directory = \"src\"\n");
    assert_eq!(policy.project_directory(), Path::new("/work/app/src"));
    assert_eq!(read(&policy, "main.py"), Ok(PathBuf::from("/work/app/src/main.py")));
    assert!(write(&policy, "../README.md").is_err());
}

#[test]
fn the_whole_disk_is_nobodys_project() {
    let disk = disk();
    let policy =
        Policy::new(Path::new("/"), Settings::default(), &|path| disk.resolve(path)).unwrap();
    assert!(read(&policy, "etc/passwd").is_err());
    assert!(write(&policy, "new").is_err());
    assert!(mount(&policy, "srv").is_err());
}

#[test]
fn a_project_directory_that_is_not_there_or_leads_out_is_named_at_its_place() {
    let disk = disk();
    let fails = |directory: &str| {
        let settings =
            Settings::parse(format!("\nproject_directory = \"{directory}\"").as_bytes()).unwrap();
        Policy::new(Path::new("/work/app"), settings, &|path| disk.resolve(path)).unwrap_err().first
    };
    let error = fails("gone");
    assert_eq!(
        (error.line, error.column, error.message.as_str()),
        (2, 21, "The project_directory \"gone\" does not exist")
    );
    assert_eq!(fails("out").message, "The project_directory \"out\" leads out of the project");
}

#[test]
fn the_project_may_be_mounted_and_what_is_allowed() {
    let policy = policy("[allow]\nbind_mounts = [\"/srv/data\"]\n");
    assert_eq!(mount(&policy, "./src"), Ok(PathBuf::from("/work/app/src")));
    assert_eq!(mount(&policy, "."), Ok(PathBuf::from("/work/app")));
    assert_eq!(mount(&policy, "/srv/data/new"), Ok(PathBuf::from("/srv/data/new")));
    let refusal = mount(&policy, "/srv").unwrap_err();
    assert_eq!(refusal.message(), "A script may not mount \"/srv\": it is outside of the project");
    assert_eq!(refusal.add, ["bind_mounts = [\"/srv/data\", \"/srv\"]"]);
}

#[test]
fn the_engines_socket_is_refused_under_every_name() {
    let policy = policy("[allow]\nbind_mounts = [\"/run\", \"/var\"]\n");
    for given in ["/var/run/docker.sock", "/run/docker.sock", "engine", "/run/../run/docker.sock"] {
        let refusal = mount(&policy, given).unwrap_err();
        assert_eq!(
            refusal.message(),
            format!("A script may not mount \"{given}\": it is the engine's socket")
        );
        assert_eq!(refusal.add, ["privileged = true"]);
    }
    for given in ["/var/run", "/run"] {
        assert_eq!(
            mount(&policy, given).unwrap_err().because.unwrap(),
            "it holds the engine's socket"
        );
    }
}

#[test]
fn the_socket_in_use_is_known_wherever_it_is() {
    let disk = Disk::new(
        &["/work/app", "/work/app/engine/own.sock"],
        &[("/work/app/a", "engine"), ("/sock", "/work/app/engine/own.sock")],
    );
    let policy =
        Policy::new(Path::new("/work/app"), Settings::default(), &|path| disk.resolve(path))
            .unwrap()
            .with_engine_socket(Path::new("/sock"), &|path| disk.resolve(path));
    for given in ["/sock", "engine/own.sock", "a/own.sock", "a", "engine", "."] {
        assert!(
            policy.bind_mount(Path::new(given), &|path| disk.resolve(path)).is_err(),
            "{given}"
        );
    }
}

#[test]
fn the_whole_host_needs_both_lines() {
    for given in ["/", "all", "../.."] {
        let refusal = mount(&policy(""), given).unwrap_err();
        assert_eq!(refusal.because.as_deref(), Some("it is the whole host"), "{given}");
        assert_eq!(
            refusal.hint().unwrap(),
            "to allow it, write privileged = true and bind_mounts = [\"/\"] under [allow] in spc.toml"
        );
    }
    assert_eq!(
        mount(&policy("[allow]\nbind_mounts = [\"/\"]\n"), "/").unwrap_err().add,
        ["privileged = true"]
    );
    assert_eq!(
        mount(&policy("[allow]\nprivileged = true\n"), "/").unwrap_err().add,
        ["bind_mounts = [\"/\"]"]
    );
    assert!(mount(&policy("[allow]\nbind_mounts = [\"/\"]\nprivileged = true\n"), "/").is_ok());
}

#[test]
fn a_volume_hides_no_bind_mount_and_no_device() {
    let check = |policy: &Policy, options: &[(&str, &str)]| {
        let options =
            options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        policy.volume_options(Some("local"), &options, &|path| disk().resolve(path))
    };
    let policy = policy("");
    assert_eq!(
        check(&policy, &[("type", "none"), ("o", "bind"), ("device", "/etc")]).unwrap_err().what,
        "mount"
    );
    assert_eq!(check(&policy, &[("o", "rw,rbind"), ("device", "/")]).unwrap_err().value, "/");
    assert_eq!(
        check(&policy, &[("type", "ext4"), ("device", "/dev/sda1")]).unwrap_err().add,
        ["privileged = true"]
    );
    assert!(
        check(&policy, &[("type", "none"), ("o", "bind"), ("device", "/work/app/src")]).is_ok()
    );
    assert!(check(&policy, &[("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")]).is_ok());
    assert!(check(&policy, &[]).is_ok());
}

#[test]
fn a_privileged_setting_needs_its_line() {
    let refusal = policy("").privileged("pid: host").unwrap_err();
    assert_eq!(refusal.message(), "A script may not use \"pid: host\"");
    assert_eq!(refusal.add, ["privileged = true"]);
    assert!(policy("[allow]\nprivileged = true\n").privileged("pid: host").is_ok());
}

#[test]
fn a_refusal_becomes_a_failure_of_policy() {
    let failure =
        crate::model::Failure::from(policy("").privileged("privileged: true").unwrap_err());
    assert_eq!(
        (failure.kind.exit_code(), failure.hint.as_deref()),
        (5, Some("to allow it, write privileged = true under [allow] in spc.toml"))
    );
}

const STOP_WEB: ObjectUse<'_> =
    ObjectUse { doing: "stop the container", object: "shop-web-1", of_stack: false };

#[test]
fn objects_of_a_former_folder_belong_to_the_moved_project() {
    let made = |from: &str| LabelledObject {
        from: Some(from.to_owned()),
        by_spc: true,
        former: Vec::new(),
    };
    let moved = |to: &str, former: &[&str]| LabelledObject {
        former: former.iter().map(|&folder| folder.to_owned()).collect(),
        ..made(to)
    };
    let own = |there: &[LabelledObject]| {
        policy("").own_project("shop", there, STOP_WEB, &|path| disk().resolve(path)).map(drop)
    };
    let here = || moved("/work/app", &["/work/old", "/work/older"]);
    assert_eq!(own(&[made("/work/old"), here(), made("/work/app"), made("/work/older")]), Ok(()));
    for there in [
        // Another folder than the recorded one.
        vec![here(), made("/work/other")],
        vec![here(), made("/work/old/below")],
        // The record names another folder as the current one, even if this one is a former one.
        vec![made("/work/old"), moved("/work/other", &["/work/old"])],
        vec![made("/work/app"), moved("/work/other", &["/work/app"])],
        vec![here(), moved("/work/other", &["/work/app"])],
    ] {
        assert!(own(&there).is_err(), "{there:?}");
    }
    // The refusal names the current folder, not the first one.
    let refusal = own(&[made("/work/old"), moved("/work/other", &["/work/old"])]).unwrap_err();
    assert!(refusal.message().contains("made from \"/work/other\""), "{refusal:?}");
}

#[test]
fn a_project_is_the_scripts_own_by_where_it_was_made() {
    let made = |from: Option<&str>, by_spc: bool| LabelledObject {
        from: from.map(str::to_owned),
        by_spc,
        former: Vec::new(),
    };
    let own = |policy: &Policy, there: &[LabelledObject]| {
        policy
            .own_project("shop", there, STOP_WEB, &|path| disk().resolve(path))
            .map(|project| project.name().to_owned())
    };
    let bare = policy("");
    let here = || made(Some("/work/app"), true);
    for there in [
        vec![],
        vec![here()],
        vec![made(Some("/home/app"), false)],
        vec![made(None, true)],
        vec![here(), made(None, false)],
    ] {
        assert_eq!(own(&bare, &there), Ok("shop".to_owned()), "{there:?}");
    }
    let refusal = own(&bare, &[here(), made(Some("/work/other"), true)]).unwrap_err();
    assert_eq!(
        refusal.message(),
        "A script may not stop the container \"shop-web-1\": it belongs to the project \"shop\", made from \"/work/other\""
    );
    assert_eq!(refusal.add, ["projects = [\"shop\"]"]);
    let here = "if this is the same project, in a renamed or moved folder or in another release, use --project shop";
    assert_eq!(refusal.help.as_deref(), Some(here));
    let stack = ObjectUse { of_stack: true, ..STOP_WEB };
    let refusal = bare
        .own_project("shop", &[made(Some("/work/other"), true)], stack, &|path| {
            disk().resolve(path)
        })
        .unwrap_err();
    assert_eq!(
        refusal.help.as_deref(),
        Some(
            format!("{here}; for a separate project, choose another name with --project").as_str()
        )
    );
    assert!(own(&bare, &[made(Some("/work/app/src"), true)]).is_err());
    let left = own(&bare, &[made(None, false)]).unwrap_err();
    assert!(left.help.as_deref().unwrap().ends_with("use --adopt"), "{left:?}");
    assert!(own(&policy("").with_adoption(true), &[made(None, false)]).is_ok(), "a person says it");
    assert!(
        own(
            &policy("").with_adoption(true),
            &[made(None, false), made(Some("/work/other"), false)]
        )
        .is_err(),
        "another folder is another project"
    );
    let foreign = [made(Some("/work/other"), true)];
    assert!(own(&policy("[allow]\nprojects = [\"shop\"]\n"), &foreign).is_ok());
    assert!(own(&policy("").with_given_project(Some("shop".to_owned())), &foreign).is_ok());
    assert_eq!(
        own(&policy("[allow]\nprojects = [\"a\"]\n"), &foreign).unwrap_err().add,
        ["projects = [\"a\", \"shop\"]"]
    );
}

#[test]
fn a_volume_from_another_machine_needs_that_machines_line() {
    let options = |o: &str, device: &str| {
        BTreeMap::from(
            [("type", "nfs"), ("o", o), ("device", device)]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        )
    };
    let check = |policy: &Policy, o: &str, device: &str| {
        policy.volume_options(None, &options(o, device), &|path| disk().resolve(path))
    };
    assert_eq!(
        check(&policy(""), "addr=10.0.0.5,rw", ":/data").unwrap_err().add,
        ["network = [\"10.0.0.5\"]"]
    );
    assert_eq!(
        check(&policy(""), "rw", "nas.example:/data").unwrap_err().add,
        ["network = [\"nas.example\"]"]
    );
    let policy = policy("[allow]\nnetwork = [\"*.example\"]\n");
    assert!(check(&policy, "rw", "NAS.example:/data").is_ok());
    assert!(check(&policy, "addr=10.0.0.5", "nas.example:/data").is_err());
    assert!(
        policy
            .volume_options(Some("plugin"), &BTreeMap::new(), &|path| disk().resolve(path))
            .is_err()
    );
}

#[test]
fn nothing_is_made_below_a_folder_that_is_called_as_the_settings() {
    assert!(write(&policy(""), "spc.toml/x").is_err());
}
