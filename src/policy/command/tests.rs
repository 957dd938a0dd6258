use super::*;
use crate::policy::{Resolution, Settings};

/// A machine with the project `/work/app`. `spc.toml` may place its stack in `deploy`.
struct Disk(BTreeMap<PathBuf, Entry>);

const PROGRAM: Entry = Entry::File { is_executable: true };
const TEXT: Entry = Entry::File { is_executable: false };

impl Disk {
    fn new() -> Self {
        let programs = [
            "/usr/bin/git",
            "/usr/bin/env",
            "/opt/tool",
            "/work/app/tools/check",
            "/work/app/deploy/git",
            "/srv/bin/kubectl",
        ];
        let texts = [
            "/work/app/spc.toml",
            "/work/app/deploy/a.txt",
            "/usr/sbin/git",
            "/work/app/tools/plain",
        ];
        let folders =
            ["/work/app/.git", "/work/app/scripts", "/root", "/var/lib/docker/volumes/data/_data"];
        let disk = Self(BTreeMap::new());
        let disk = programs.iter().fold(disk, |disk, path| disk.with(path, PROGRAM));
        let disk = texts.iter().fold(disk, |disk, path| disk.with(path, TEXT));
        let disk = folders.iter().fold(disk, |disk, path| disk.with(path, Entry::Folder));
        disk.with("/bin", Entry::Symlink("usr/bin".into()))
    }

    fn with(mut self, path: &str, entry: Entry) -> Self {
        for folder in Path::new(path).ancestors().skip(1) {
            self.0.insert(folder.to_owned(), Entry::Folder);
        }
        self.0.insert(path.into(), entry);
        self
    }

    fn link(self, path: &str, target: &str) -> Self {
        self.with(path, Entry::Symlink(target.into()))
    }

    fn look(&self, path: &Path) -> Entry {
        self.0.get(path).cloned().unwrap_or(Entry::Missing)
    }

    fn resolve(&self, path: &Path) -> Resolution {
        let anywhere = Policy::of_folder(Path::new("/"), &|_| Resolution::Missing);
        let route = anywhere.route(path, &|path| self.look(path));
        if route.entry == Entry::Missing {
            Resolution::Missing
        } else {
            Resolution::Exists(route.real)
        }
    }

    fn policy(&self, toml: &str) -> Policy {
        Policy::new(Path::new("/work/app"), Settings::parse(toml.as_bytes()).unwrap(), &|path| {
            self.resolve(path)
        })
        .unwrap()
        .with_runbook_folder(Path::new("/work/app/scripts"), &|path| self.resolve(path))
    }

    /// Runs a command in a project with these settings, and its stack in `deploy`.
    fn run(&self, allow: &str, wish: &TestCommand) -> Result<CheckedCommand, Refusal> {
        self.run_in(&format!("project_directory = \"deploy\"\n[allow]\n{allow}\n"), wish)
    }

    fn run_in(&self, toml: &str, wish: &TestCommand) -> Result<CheckedCommand, Refusal> {
        let pairs = |all: &[(&str, &str)]| {
            all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let own: BTreeMap<String, String> = pairs(&[
            ("HOME", wish.home),
            ("PATH", "deploy:.:/evil"),
            ("LC_ALL", "C"),
            ("TOKEN", "t"),
            ("GIT_DIR", "/evil"),
        ]);
        let command: Vec<String> = wish.command.split(' ').map(str::to_owned).collect();
        let environment = pairs(wish.environment);
        let machine = Machine {
            environment: &own,
            look: &|path| self.look(path),
            resolve: &|path| self.resolve(path),
        };
        let wish = RequestedCommand {
            command: &command,
            environment: &environment,
            folder: wish.folder.map(Path::new),
        };
        self.policy(toml).command(&wish, &machine)
    }
}

#[derive(Clone, Copy)]
struct TestCommand<'a> {
    command: &'a str,
    environment: &'a [(&'a str, &'a str)],
    folder: Option<&'a str>,
    home: &'a str,
}

const GIT_STATUS: TestCommand<'static> =
    TestCommand { command: "git status", environment: &[], folder: None, home: "/root" };
const ALLOW_GIT: &str = "commands = [\"git status\"]";

fn command(command: &str) -> TestCommand<'_> {
    TestCommand { command, ..GIT_STATUS }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>) -> String {
    result.unwrap_err().message().strip_prefix("A script may not ").unwrap().to_owned()
}

#[test]
fn a_host_command_needs_an_entry_with_its_first_words() {
    let disk = Disk::new();
    let allow = "commands = [\"env\", \"git status\"]";
    assert_eq!(disk.run(allow, &command("env -i a")).unwrap().command(), ["env", "-i", "a"]);
    assert!(disk.run(allow, &command("git status --short")).is_ok());
    let cases = [
        ("git push origin", "git push"),
        ("git", "git"),
        ("docker ps", "docker ps"),
        ("./git status", "./git status"),
        ("/tmp/env", "/tmp/env"),
    ];
    for (given, shown) in cases {
        let refusal = disk.run(allow, &command(given)).unwrap_err();
        assert_eq!(refusal.message(), format!("A script may not run the host command \"{shown}\""));
        assert_eq!(refusal.add, [format!("commands = [\"env\", \"git status\", \"{shown}\"]")]);
    }
    // Without an entry for the program, the suggested line allows only this subcommand.
    for (given, line) in [
        ("git status --short", "git status"),
        ("git", "git"),
        ("git -C / status", "git"),
        ("cat secret.txt", "cat"),
        ("cat /etc/x", "cat"),
        ("./x.sh a", "./x.sh a"),
    ] {
        let refusal = disk.run("", &command(given)).unwrap_err();
        assert_eq!(
            refusal.hint().unwrap(),
            format!("to allow it, write commands = [\"{line}\"] under [allow] in spc.toml")
        );
    }
    assert_eq!(
        refused(disk.run(ALLOW_GIT, &command(""))),
        "run the host command \"\": it names no program"
    );
}

#[test]
fn a_command_gets_a_fixed_path_home_locale_and_listed_variables_only() {
    let run = |allow: &str, environment: &'static [(&str, &str)]| {
        let allow = format!("{ALLOW_GIT}\n{allow}");
        Disk::new()
            .run(&allow, &TestCommand { environment, ..GIT_STATUS })
            .map(|checked| checked.environment)
    };
    let expected = |more: &[(&str, &str)]| -> BTreeMap<String, String> {
        let own = [("PATH", SEARCH_PATH), ("HOME", "/root"), ("LC_ALL", "C")];
        own.iter()
            .chain(more)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    assert_eq!(run("", &[]), Ok(expected(&[])));
    assert_eq!(run("command_env = [\"TOKEN\"]", &[]), Ok(expected(&[("TOKEN", "t")])));
    assert_eq!(
        run("command_env = [\"TOKEN\", \"X\"]", &[("TOKEN", "mine"), ("X", "1")]),
        Ok(expected(&[("TOKEN", "mine"), ("X", "1")]))
    );
    // An entry under `command_env` allows such a variable.
    assert_eq!(run("command_env = [\"PATH\"]", &[]), Ok(expected(&[("PATH", "deploy:.:/evil")])));
    assert_eq!(
        run("command_env = [\"LD_PRELOAD\"]", &[("LD_PRELOAD", "/x.so")]),
        Ok(expected(&[("LD_PRELOAD", "/x.so")]))
    );

    let refusal = run("command_env = [\"X\"]", &[("TOKEN", "t")]).unwrap_err();
    assert_eq!(refusal.message(), "A script may not give a host command the variable \"TOKEN\"");
    assert_eq!(
        refusal.hint().unwrap(),
        "to allow it, write command_env = [\"X\", \"TOKEN\"] under [allow] in spc.toml"
    );
}

#[test]
fn no_variable_that_makes_a_command_run_something_else_gets_through() {
    let names = [
        "GIT_EXTERNAL_DIFF",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_KEY_0",
        "GIT_DIR",
        "GIT_SSH_COMMAND",
        "GIT_EXEC_PATH",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "LD_AUDIT",
        "PATH",
        "PAGER",
        "GIT_PAGER",
        "MANPAGER",
        "EDITOR",
        "VISUAL",
        "BASH_ENV",
        "ENV",
        "SHELLOPTS",
        "BASH_FUNC_git%%",
        "IFS",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "NODE_OPTIONS",
        "NODE_PATH",
        "PERL5OPT",
        "PERL5LIB",
        "RUBYOPT",
        "JAVA_TOOL_OPTIONS",
        "MAKEFLAGS",
        "SSH_ASKPASS",
        "BROWSER",
        "HOME",
        "XDG_CONFIG_HOME",
        "LESSOPEN",
        "GCONV_PATH",
        "DYLD_INSERT_LIBRARIES",
    ];
    for name in names {
        let environment = [(name, "/work/app/deploy/git")];
        let refusal = Disk::new()
            .run(ALLOW_GIT, &TestCommand { environment: &environment, ..GIT_STATUS })
            .unwrap_err();
        assert_eq!(
            (refusal.value.as_str(), refusal.because.as_deref()),
            (name, Some("it can make the command run another program")),
            "{name}"
        );
    }
    for name in ["", "A=B", "A\0B"] {
        let environment = [(name, "x")];
        for allow in [ALLOW_GIT, "commands = [\"*\"]"] {
            let refusal = Disk::new()
                .run(allow, &TestCommand { environment: &environment, ..GIT_STATUS })
                .unwrap_err();
            assert_eq!(refusal.because.unwrap(), "that is not the name of a variable");
        }
    }
}

#[test]
fn a_home_folder_that_scripts_can_write_is_not_passed_on() {
    let home = |allow: &str, home: &str| {
        let allow = format!("{ALLOW_GIT}\n{allow}");
        Disk::new()
            .run(&allow, &TestCommand { home, ..GIT_STATUS })
            .unwrap()
            .environment
            .remove("HOME")
    };
    assert_eq!(home("", "/root"), Some("/root".to_owned()));
    for given in ["/work/app/deploy", "/work/app/deploy/home", "relative", ""] {
        assert_eq!(home("", given), None, "{given}");
    }
    for allow in [
        "write = [\"/root\"]",
        "bind_mounts = [\"/root\"]",
        "write = [\"/root/.config\"]",
        "write = [\"/root/.gitconfig\"]",
    ] {
        assert_eq!(home(allow, "/root"), None, "{allow}");
    }
    assert_eq!(
        home("write = [\"/root/backups\"]", "/root"),
        None,
        "what does not exist may become a file"
    );
}

#[test]
fn programs_come_from_the_fixed_path_by_their_canonical_file() {
    let program = |disk: Disk, allow: &str, given: &str| {
        disk.run(allow, &command(given)).map(|checked| checked.program)
    };
    let found = |path: &str| Ok(Some(PathBuf::from(path)));
    assert_eq!(
        program(Disk::new(), ALLOW_GIT, "git status"),
        found("/usr/bin/git"),
        "the file in /usr/sbin is not executable"
    );
    assert_eq!(
        program(Disk::new().link("/usr/local/bin/git", "/opt/tool"), ALLOW_GIT, "git status"),
        found("/opt/tool")
    );
    assert_eq!(program(Disk::new(), "commands = [\"missing\"]", "missing"), Ok(None));
    for name in ["..", ".", "check"] {
        assert_eq!(
            program(Disk::new(), &format!("commands = [\"{name}\"]"), name),
            Ok(None),
            "{name}"
        );
    }
    assert_eq!(
        program(Disk::new(), "commands = [\"./tools/check\"]", "./tools/check"),
        found("/work/app/tools/check")
    );
    assert_eq!(
        program(Disk::new(), "commands = [\"/bin/git\"]", "/bin/git"),
        found("/usr/bin/git")
    );
    assert_eq!(
        program(Disk::new(), "commands = [\"./tools/plain\"]", "./tools/plain"),
        found("/work/app/tools/plain"),
        "the host says that it is not executable"
    );
    assert_eq!(
        program(
            Disk::new().link("/opt/a", "b").link("/opt/b", "a"),
            "commands = [\"/opt/a\"]",
            "/opt/a"
        ),
        Ok(None)
    );
}

#[test]
fn a_program_that_scripts_or_containers_can_write_is_refused() {
    let link = |path: &str, target: &str| Disk::new().link(path, target);
    let through = "which scripts or containers can write";
    let cases = [
        (
            Disk::new(),
            "./deploy/git",
            "",
            "scripts or containers can write its program \"/work/app/deploy/git\"",
        ),
        (
            Disk::new(),
            "/work/app/deploy/git",
            "",
            "scripts or containers can write its program \"/work/app/deploy/git\"",
        ),
        (
            Disk::new(),
            "tools/../deploy/git",
            "",
            "scripts or containers can write its program \"/work/app/deploy/git\"",
        ),
        // This folder does not exist yet.
        (
            Disk::new(),
            "./deploy/new",
            "",
            "scripts or containers can write its program \"/work/app/deploy/new\"",
        ),
        (
            link("/usr/local/bin/git", "/work/app/deploy/git"),
            "git",
            "",
            "scripts or containers can write its program \"/work/app/deploy/git\"",
        ),
        // A symlink in the project points to an allowed program now. The script can change it at
        // any time.
        (
            link("/work/app/deploy/link", "/usr/bin/git"),
            "./deploy/link",
            "",
            "its program \"/work/app/deploy/link\" leads through",
        ),
        (
            link("/usr/local/bin/git", "/work/app/deploy/link")
                .link("/work/app/deploy/link", "/usr/bin/git"),
            "git",
            "",
            "its program \"/usr/local/bin/git\" leads through \"/work/app/deploy\"",
        ),
        (link("/work/app/deploy/up", "/opt"), "./deploy/up/tool", "", through),
        (
            Disk::new(),
            "/srv/bin/kubectl",
            "bind_mounts = [\"/srv\"]",
            "scripts or containers can write its program",
        ),
        (
            Disk::new(),
            "/srv/bin/kubectl",
            "write = [\"/srv/bin/kubectl\"]",
            "scripts or containers can write its program \"/srv/bin/kubectl\"",
        ),
        (
            Disk::new(),
            "git",
            "bind_mounts = [\"/usr\"]",
            "scripts or containers can write its program \"/usr/bin/git\"",
        ),
        (Disk::new(), "git", "write = [\"/\"]", "scripts or containers can write its program"),
        (
            Disk::new().with("/var/lib/docker/volumes/data/_data/tool", PROGRAM),
            "/var/lib/docker/volumes/data/_data/tool",
            "",
            "scripts or containers can write its program",
        ),
    ];
    for (disk, name, more, reason) in cases {
        let allow = format!("commands = [\"{name}\"]\n{more}");
        let refusal = disk.run(&allow, &command(name)).expect_err(name);
        let message = refusal.message();
        assert!(
            message.starts_with(&format!("A script may not run the host command \"{name}\": "))
                && message.contains(reason),
            "{message}"
        );
        assert_eq!(
            (refusal.add.len(), refusal.hint().as_deref()),
            (
                0,
                Some(
                    "name a program that they can't write: one outside of the project directory, of `write` and of `bind_mounts`"
                )
            )
        );
        assert!(disk.run("commands = [\"*\"]", &command(name)).is_ok(), "{name}");
    }
}

#[test]
fn commands_run_in_the_folder_of_the_settings_unless_others_can_write_it() {
    let folder = |toml: &str| {
        Disk::new()
            .run_in(toml, &GIT_STATUS)
            .map(|checked| checked.folder.display().to_string())
            .unwrap()
    };
    let git = format!("[allow]\n{ALLOW_GIT}\n");
    assert_eq!(folder(&format!("project_directory = \"deploy\"\n{git}")), "/work/app");
    assert_eq!(folder(&git), "/", "scripts can write /work/app");
    for line in [
        "bind_mounts = [\"/work\"]",
        "write = [\".\"]",
        "write = [\".git\"]",
        "write = [\"Makefile\"]",
        "write = [\"../package.json\"]",
    ] {
        assert_eq!(folder(&format!("project_directory = \"deploy\"\n{git}{line}")), "/", "{line}");
    }
    assert_eq!(
        folder(&format!("project_directory = \"deploy\"\n{git}write = [\"tools\"]")),
        "/work/app",
        "a folder of a plain name"
    );
    assert_eq!(
        folder(&format!("project_directory = \"deploy\"\n{git}command_folder = \"/opt\"")),
        "/opt"
    );
    assert_eq!(
        folder(&format!("project_directory = \"deploy\"\n{git}command_folder = \"tools\"")),
        "/work/app/tools"
    );
    assert_eq!(folder("[allow]\ncommands = [\"*\"]"), "/work/app");
}

#[test]
fn a_command_folder_that_scripts_or_containers_can_write_is_refused() {
    for (given, written) in [
        ("deploy", "/work/app/deploy"),
        ("/work/app/deploy/sub", "/work/app/deploy"),
        ("link", "/work/app/deploy"),
        ("/srv/bin", "/srv/bin/kubectl"),
    ] {
        let disk = Disk::new()
            .with("/work/app/deploy/sub", Entry::Folder)
            .link("/work/app/deploy/out", "/opt")
            .link("/work/app/link", "deploy/out");
        let allow =
            format!("{ALLOW_GIT}\ncommand_folder = \"{given}\"\nwrite = [\"/srv/bin/kubectl\"]");
        let refusal = disk.run(&allow, &GIT_STATUS).expect_err(given);
        assert!(
            refusal.message().ends_with(&format!("scripts or containers can write \"{written}\"")),
            "{refusal}"
        );
        assert_eq!(
            refusal.hint().unwrap(),
            "name another folder with command_folder, under [allow] in spc.toml"
        );
    }
    let settings = Settings::parse(b"[allow]\ncommand_folder = \"gone\"").unwrap();
    let disk = Disk::new();
    let error = Policy::new(Path::new("/work/app"), settings, &|path| disk.resolve(path))
        .unwrap_err()
        .first;
    assert_eq!(
        (error.line, error.column, error.message.as_str()),
        (2, 18, "The command_folder \"gone\" does not exist")
    );
}

#[test]
fn a_script_chooses_no_folder_that_it_or_a_container_can_write() {
    let run = |disk: &Disk, allow: &str, folder: &str| {
        disk.run(
            &format!("{ALLOW_GIT}\n{allow}"),
            &TestCommand { folder: Some(folder), ..GIT_STATUS },
        )
        .map(|checked| checked.folder)
    };
    let disk = Disk::new().link("/work/app/deploy/out", "/opt").link("/work/app/in", "deploy");
    for folder in [".", "", "sub", "../deploy", "/work/app/deploy/sub", "out", "../in", "out/.."] {
        assert!(
            refused(run(&disk, "", folder)).starts_with(&format!(
                "run a host command in \"{folder}\": scripts or containers can write "
            )),
            "{folder}"
        );
    }
    for (folder, allow) in [
        ("/var/lib/docker/volumes/data/_data", "read = [\"/var/lib\"]"),
        ("/srv/bin", "read = [\"/srv\"]\nbind_mounts = [\"/srv/bin\"]"),
        ("/srv", "read = [\"/srv\"]\nwrite = [\"/srv/.git\"]"),
    ] {
        assert!(
            refused(run(&disk, allow, folder)).contains("scripts or containers can write"),
            "{folder}"
        );
    }
    assert_eq!(run(&disk, "", ".."), Ok("/work/app".into()));
    assert_eq!(run(&disk, "", "../scripts"), Ok("/work/app/scripts".into()));
    assert_eq!(run(&disk, "read = [\"/srv\"]", "/srv/bin"), Ok("/srv/bin".into()));
    assert_eq!(run(&disk, "", "/srv/bin").unwrap_err().add, ["read = [\"/srv/bin\"]"]);
}

#[test]
fn a_star_allows_any_program_folder_and_variables() {
    let environment = [("PATH", "/evil"), ("GIT_DIR", "x")];
    let wish = TestCommand {
        command: "./deploy/git",
        environment: &environment,
        folder: Some("."),
        home: "/work/app/deploy",
    };
    let checked = Disk::new().run("commands = [\"*\"]", &wish).unwrap();
    assert_eq!(
        (checked.program(), checked.folder()),
        (Some(Path::new("/work/app/deploy/git")), Path::new("/work/app/deploy"))
    );
    let expected =
        [("GIT_DIR", "x"), ("HOME", "/work/app/deploy"), ("LC_ALL", "C"), ("PATH", "/evil")];
    assert_eq!(
        checked
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect::<Vec<_>>(),
        expected
    );
}

#[test]
fn a_hint_lists_each_entry_once() {
    let toml = "commands = [\"git status\", \"make\", \"git status\", \"make\"]";
    let refusal =
        Disk::new().run(toml, &TestCommand { command: "git push", ..GIT_STATUS }).unwrap_err();
    assert_eq!(refusal.add, ["commands = [\"git status\", \"make\", \"git push\"]"]);
    // If the refusal is not about the command itself, `spc.toml` already lists the command.
    let toml = format!("{ALLOW_GIT}\ncommand_env = [\"A\", \"A\"]");
    let refusal = Disk::new()
        .run(&toml, &TestCommand { environment: &[("B", "1")], ..GIT_STATUS })
        .unwrap_err();
    assert_eq!(refusal.add, ["command_env = [\"A\", \"B\"]"]);
}
