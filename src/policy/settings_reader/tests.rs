use super::*;
use crate::policy::settings::list_with;

fn parse_for(content: &str, running: &str) -> Result<Settings, SettingsErrors> {
    let (settings, errors) = Settings::read_for(content.as_bytes(), running);
    SettingsErrors::none_of(errors, settings)
}

fn fails(content: &str) -> (usize, usize, String, Option<String>) {
    let errors = parse_for(content, "0.1.4").expect_err(content);
    assert_eq!(errors.rest, [], "{content}");
    let error = errors.first;
    (error.line, error.column, error.message, error.hint)
}

/// The line and the message of each mistake.
fn all(content: &str) -> Vec<String> {
    let errors = parse_for(content, "0.1.4").expect_err(content);
    let all = [errors.first].into_iter().chain(errors.rest);
    all.map(|error| format!("{}:{} {}", error.line, error.column, error.message)).collect()
}

#[test]
fn every_mistake_is_reported_in_the_order_of_the_file() {
    let content = "spc = 1\nprojectdirectory = \"a\"\n[allow]\nread = [\"~/a\", 5, \"\"]\n\
        network = \"a\"\ncommand_env = [\"A=1\", \"OK\", \"2\"]\nspc = \"0.1\"\n";
    assert_eq!(
        all(content),
        [
            "1:7 \"spc\" takes a version in quotes, not 1",
            "2:1 Unknown key \"projectdirectory\"",
            "4:9 \"~/a\" is not expanded to the home folder",
            "4:16 \"read\" takes a list of strings, but one entry is 5",
            "4:19 An entry of \"read\" is empty",
            "5:11 \"network\" takes a list of strings, not \"a\"",
            "6:16 \"A=1\" is not the name of a variable",
            "6:29 \"2\" is not the name of a variable",
            "7:1 Unknown key \"spc\"",
        ]
    );
}

#[test]
fn a_syntax_error_hides_no_mistake_above_it() {
    let content = "zebra = 1\n[allow]\nread = [\"~/a\"]\nwrite = [\"/b\" \"/c\"]\nx = 1\n";
    let all = all(content);
    assert_eq!(
        all[..2],
        ["1:1 Unknown key \"zebra\"", "3:9 \"~/a\" is not expanded to the home folder"]
    );
    assert!(all[2].starts_with("4:"), "{all:?}");
    assert!(all[2].contains("The file is not valid TOML"), "{all:?}");
    assert_eq!(all.len(), 3, "{all:?}");
}

#[test]
fn every_key_is_read_also_with_windows_line_ends_and_a_byte_order_mark() {
    let content = "\u{feff}spc = \"0.1\"\r\nproject_directory = \"examples/spc\"\r\n\r\n[allow]\r\n\
        commands = [\"mmdebstrap\", \"git status\"]\r\ncommand_env = [\"SSH_AUTH_SOCK\"]\r\ncommand_folder = \"tools\"\r\nread = [\"/etc/ssl/certs\"]\r\nwrite = ['/srv/Übergabe 1']\r\n\
        bind_mounts = [\"/srv/data\"]\r\nnetwork = [\"*.example.org\"]\r\nfrontends = [\"example/x:1\"]\r\nprojects = [\"shop\"]\r\nprivileged = true\r\nread_only_execs = true\r\n";
    let expected = Settings {
        project_directory: Some(SpannedText {
            text: "examples/spc".to_owned(),
            line: 2,
            column: 21,
        }),
        commands: vec!["mmdebstrap".to_owned(), "git status".to_owned()],
        command_env: vec!["SSH_AUTH_SOCK".to_owned()],
        command_folder: Some(SpannedText { text: "tools".to_owned(), line: 7, column: 18 }),
        read: vec!["/etc/ssl/certs".to_owned()],
        write: vec!["/srv/Übergabe 1".to_owned()],
        bind_mounts: vec!["/srv/data".to_owned()],
        network: vec!["*.example.org".to_owned()],
        frontends: vec!["example/x:1".to_owned()],
        projects: vec!["shop".to_owned()],
        privileged: true,
        read_only_execs: true,
    };
    assert_eq!(parse_for(content, "0.1.4"), Ok(expected));
}

#[test]
fn an_entry_that_covers_no_machine_is_refused() {
    for entry in [
        "a.example",
        "*.a.example",
        "a.example:8443",
        "[::1]:80",
        "::1",
        "10.0.0.1",
        "*",
        "b\u{fc}cher.example",
    ] {
        assert!(
            Settings::parse(format!("[allow]\nnetwork = [\"{entry}\"]\n").as_bytes()).is_ok(),
            "{entry}"
        );
    }
    let refused = |entry: &str| {
        let (line, column, message, hint) =
            fails(&format!("[allow]\nnetwork = [\"a.example\", \"{entry}\"]\n"));
        assert_eq!((line, column), (2, 25));
        assert_eq!(message, format!("\"{entry}\" is not the name or address of a machine"));
        hint.unwrap()
    };
    assert_eq!(refused("https://a.example:8443/x"), "write \"a.example:8443\"");
    for entry in ["10.0.0.0/8", "a*.example", "a.example b.example", "user@a.example"] {
        assert!(refused(entry).starts_with("write \"example.org\", "), "{entry}");
    }
}

#[test]
fn a_key_of_allow_at_the_top_level_is_reported_with_a_suggested_fix() {
    let (line, _, message, hint) = fails("spc = \"0.1\"\ncommands = [\"git\"]\n");
    assert_eq!(
        (line, message.as_str(), hint.as_deref()),
        (2, "Unknown key \"commands\"", Some("write it below the line [allow]"))
    );
}

#[test]
fn an_empty_file_allows_no_more_than_none() {
    assert_eq!(Settings::parse(b""), Ok(Settings::default()));
    assert_eq!(Settings::parse(b"[allow]\n"), Ok(Settings::default()));
}

#[test]
fn an_unknown_key_is_named_with_the_nearest_and_its_place() {
    let (line, column, message, hint) = fails("spc = \"0.1\"\n[allow]\n  comands = []\n");
    assert_eq!((line, column, message.as_str()), (3, 3, "Unknown key \"comands\""));
    assert_eq!(hint.unwrap(), "did you mean \"commands\"?");
    let (line, column, _, hint) = fails("zebra = 1\n");
    assert_eq!((line, column), (1, 1));
    assert_eq!(hint.unwrap(), "available: allow, project_directory, spc");
}

#[test]
fn a_wrong_type_is_named_with_an_example() {
    let (line, column, message, hint) = fails("[allow]\nprivileged = \"yes\"\n");
    assert_eq!(
        (line, column, message.as_str()),
        (2, 14, "\"privileged\" takes true or false, not \"yes\"")
    );
    assert_eq!(hint.unwrap(), "write privileged = true");
    let (line, column, message, _) = fails("[allow]\nread = [\"/a\", 1]\n");
    assert_eq!(
        (line, column, message.as_str()),
        (2, 15, "\"read\" takes a list of strings, but one entry is 1")
    );
    assert_eq!(fails("[allow]\ncommands = \"git\"\n").3.unwrap(), "write commands = [\"git\"]");
    assert_eq!(fails("allow = true\n").2, "\"allow\" takes a table, not true");
    assert_eq!(fails("spc = 0.1\n").2, "\"spc\" takes a version in quotes, not 0.1");
    assert_eq!(
        fails("project_directory = []\n").2,
        "\"project_directory\" takes a folder in quotes, not []"
    );
    assert_eq!(fails("[allow]\ncommands = [\" \"]\n").2, "An entry of \"commands\" is empty");
}

#[test]
fn variables_and_the_folder_of_commands_are_checked_at_their_place() {
    let (line, column, message, hint) = fails("[allow]\ncommand_env = [\"LANG\", \"A=b\"]\n");
    assert_eq!((line, column, message.as_str()), (2, 24, "\"A=b\" is not the name of a variable"));
    assert_eq!(
        hint.unwrap(),
        "write \"A\" alone: its value comes from the environment or from the script"
    );
    for name in ["*", "GIT_*", "2X", "A B", "é"] {
        assert_eq!(
            fails(&format!("[allow]\ncommand_env = [\"{name}\"]\n")).3.unwrap(),
            "list each variable by its name",
            "{name}"
        );
    }
    assert_eq!(
        fails("[allow]\ncommand_env = \"LANG\"\n").2,
        "\"command_env\" takes a list of strings, not \"LANG\""
    );
    assert_eq!(
        fails("[allow]\ncommand_folder = [\"a\"]\n").2,
        "\"command_folder\" takes a folder in quotes, not [\"a\"]"
    );
    assert_eq!(fails("[allow]\ncommand_folder = \"\"\n").2, "\"command_folder\" is empty");
    assert_eq!(
        fails("[allow]\ncommand_folder = \"~/x\"\n").2,
        "\"~/x\" is not expanded to the home folder"
    );
}

#[test]
fn a_home_folder_is_not_guessed() {
    let (line, column, message, hint) = fails("[allow]\nread = [\"/a\", \"~/b\"]\n");
    assert_eq!(
        (line, column, message.as_str()),
        (2, 15, "\"~/b\" is not expanded to the home folder")
    );
    assert_eq!(hint.unwrap(), "write the path in full");
}

#[test]
fn another_version_is_refused_before_its_unknown_keys_are() {
    let (line, column, message, _) = fails("later = 1\nspc = \"0.2\"\n");
    assert_eq!(
        (line, column, message.as_str()),
        (2, 7, "The project needs spc 0.2, and this is spc 0.1.4")
    );
    assert_eq!(fails("spc = \"newest\"\n").2, "\"newest\" is not a version");
    assert!(parse_for("spc = \">=0.1.2, <0.3\"\n", "0.1.4").is_ok());
}

#[test]
fn the_project_directory_lies_below_the_file() {
    for directory in ["..", "a/../..", "/srv", ""] {
        let (line, column, message, hint) =
            fails(&format!("project_directory = \"{directory}\"\n"));
        assert_eq!((line, column), (1, 21));
        assert_eq!(
            message,
            format!("The project_directory \"{directory}\" is not below the folder of spc.toml")
        );
        assert_eq!(hint.unwrap(), "name a folder relative to that one, without \"..\"");
    }
}

#[test]
fn broken_toml_is_named_at_its_place() {
    let (line, column, message, _) = fails("spc = \"0.1\"\n[allow\n");
    assert_eq!((line, column), (2, 7));
    assert!(message.starts_with("The file is not valid TOML: unclosed table"), "{message}");
    let error = Settings::parse(b"# \xe9\n").unwrap_err().first;
    assert_eq!(
        (error.line, error.column, error.message.as_str()),
        (1, 3, "The file is not written in UTF-8")
    );
}

#[test]
fn a_named_line_is_toml_itself() {
    let line = list_with("read", &["/a".to_owned()], "/b \"c\"\\\n");
    let settings = Settings::parse(format!("[allow]\n{line}\n").as_bytes()).unwrap();
    assert_eq!(settings.read, ["/a", "/b \"c\"\\\n"]);
}
