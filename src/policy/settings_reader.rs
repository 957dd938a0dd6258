//! Reads `spc.toml`, and reports all its mistakes at once.

use std::borrow::Cow;
use std::path::{Component, Path};
use std::str::Utf8Error;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::settings::{
    READ_ONLY_EXECS, SETTINGS_FILE, Settings, SettingsError, SettingsErrors, SpannedText,
};
use crate::model::position::position;
use crate::model::suggest::{did_you_mean, nearest};

const KEYS: [&str; 3] = ["spc", "project_directory", "allow"];
const ALLOW_KEYS: [&str; 11] = [
    "commands",
    "command_env",
    "command_folder",
    "read",
    "write",
    "bind_mounts",
    "network",
    "frontends",
    "projects",
    "privileged",
    "read_only_execs",
];

/// The longest value that a message repeats, in characters.
const LONGEST_SHOWN: usize = 40;

impl Settings {
    /// Parses the file's content.
    pub fn parse(content: &[u8]) -> Result<Self, SettingsErrors> {
        let (settings, errors) = Self::read(content);
        SettingsErrors::none_of(errors, settings)
    }

    /// Parses the file's content. In the result, a value with a mistake is unset.
    pub(super) fn read(content: &[u8]) -> (Self, Vec<SettingsError>) {
        Self::read_for(content, env!("CARGO_PKG_VERSION"))
    }

    fn read_for(content: &[u8], running: &str) -> (Self, Vec<SettingsError>) {
        let text = match std::str::from_utf8(content) {
            // Positions don't count the byte order mark.
            Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
            Err(error) => return (Self::default(), vec![not_utf8(content, &error)]),
        };
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader { text, errors: Vec::new() };
        let settings = match reader.settings(document.get_ref(), running) {
            Ok(settings) => settings,
            Err(other_version) => return (Self::default(), vec![other_version]),
        };
        // What the parser makes of the lines below a syntax error may not be what is meant.
        if let Some(first) = reader.syntax(&errors) {
            reader.errors.retain(|error| error.line < first.line);
            reader.errors.push(first);
        }
        (settings, reader.errors)
    }
}

fn not_utf8(content: &[u8], error: &Utf8Error) -> SettingsError {
    let valid = String::from_utf8_lossy(&content[..error.valid_up_to()]);
    let (line, column) = position(&valid, valid.len());
    let message = "The file is not written in UTF-8".to_owned();
    SettingsError { line, column, message, hint: Some("save the file as UTF-8".to_owned()) }
}

/// Collects the mistakes.
struct Reader<'a> {
    text: &'a str,
    errors: Vec<SettingsError>,
}

impl Reader<'_> {
    /// Fails at once if the file is for another version of spc: then its other keys may be, too.
    fn settings(&mut self, table: &DeTable<'_>, running: &str) -> Result<Settings, SettingsError> {
        if let Some((_, value)) = table.iter().find(|(key, _)| key.get_ref() == "spc") {
            self.version(value, running)?;
        }
        let mut settings = Settings::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "spc" => {}
                "project_directory" => settings.project_directory = self.project_directory(value),
                "allow" => match value.get_ref() {
                    DeValue::Table(allow) => self.allow(allow, &mut settings),
                    _ => self.wrong_type("allow", "a table", "[allow]", value),
                },
                name => {
                    let hint = if ALLOW_KEYS.contains(&name) {
                        Some("write it below the line [allow]".to_owned())
                    } else if let (None, Some(near)) =
                        (nearest(name, KEYS), nearest(name, ALLOW_KEYS))
                    {
                        Some(format!("write \"{near}\", below the line [allow]"))
                    } else {
                        did_you_mean(name, KEYS)
                    };
                    self.unknown_key(key, hint);
                }
            }
        }
        Ok(settings)
    }

    fn allow(&mut self, table: &DeTable<'_>, settings: &mut Settings) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "commands" => {
                    settings.commands =
                        self.list("commands", "commands = [\"git\"]", value, no_more)
                }
                "command_env" => settings.command_env = self.variables(value),
                "command_folder" => settings.command_folder = self.command_folder(value),
                "read" => settings.read = self.paths("read", value),
                "write" => settings.write = self.paths("write", value),
                "bind_mounts" => settings.bind_mounts = self.paths("bind_mounts", value),
                "network" => settings.network = self.machines(value),
                "frontends" => {
                    settings.frontends = self.list(
                        "frontends",
                        "frontends = [\"example/frontend:1\"]",
                        value,
                        no_more,
                    )
                }
                "projects" => {
                    settings.projects =
                        self.list("projects", "projects = [\"shop\"]", value, no_more)
                }
                "privileged" => {
                    settings.privileged = self.switch("privileged", "privileged = true", value)
                }
                "read_only_execs" => {
                    settings.read_only_execs =
                        self.switch("read_only_execs", READ_ONLY_EXECS, value)
                }
                name => {
                    let hint = if KEYS.contains(&name) {
                        Some("write it above the line [allow]".to_owned())
                    } else {
                        did_you_mean(name, ALLOW_KEYS)
                    };
                    self.unknown_key(key, hint);
                }
            }
        }
    }

    fn switch(&mut self, key: &str, example: &str, value: &Spanned<DeValue<'_>>) -> bool {
        let DeValue::Boolean(switch) = value.get_ref() else {
            self.wrong_type(key, "true or false", example, value);
            return false;
        };
        *switch
    }

    /// Fails if the running version is another one. A text that is no version is a mistake beside
    /// the others.
    fn version(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        running: &str,
    ) -> Result<(), SettingsError> {
        const EXAMPLE: &str = "spc = \"0.1\"";
        let DeValue::String(requirement) = value.get_ref() else {
            self.wrong_type("spc", "a version in quotes", EXAMPLE, value);
            return Ok(());
        };
        let Ok(required) = semver::VersionReq::parse(requirement) else {
            self.add(
                value,
                format!("\"{requirement}\" is not a version"),
                format!("write {EXAMPLE}"),
            );
            return Ok(());
        };
        match semver::Version::parse(running) {
            Ok(version) if !required.matches(&version) => Err(self.error(
                value,
                format!("The project needs spc {requirement}, and this is spc {running}"),
                format!("install a matching spc, or change {SETTINGS_FILE} if the project works with this one"),
            )),
            _ => Ok(()),
        }
    }

    fn project_directory(&mut self, value: &Spanned<DeValue<'_>>) -> Option<SpannedText> {
        let DeValue::String(directory) = value.get_ref() else {
            self.wrong_type(
                "project_directory",
                "a folder in quotes",
                "project_directory = \"examples/spc\"",
                value,
            );
            return None;
        };
        if directory.is_empty()
            || Path::new(directory.as_ref())
                .components()
                .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
        {
            self.add(
                value,
                format!("The project_directory \"{directory}\" is not below the folder of {SETTINGS_FILE}"),
                "name a folder relative to that one, without \"..\"",
            );
            return None;
        }
        Some(self.spanned(value, directory))
    }

    fn command_folder(&mut self, value: &Spanned<DeValue<'_>>) -> Option<SpannedText> {
        let DeValue::String(folder) = value.get_ref() else {
            self.wrong_type(
                "command_folder",
                "a folder in quotes",
                "command_folder = \"tools\"",
                value,
            );
            return None;
        };
        if folder.trim().is_empty() {
            self.add(
                value,
                "\"command_folder\" is empty".to_owned(),
                "remove it, or name a folder",
            );
            return None;
        }
        if let Some((message, hint)) = no_home(folder) {
            self.add(value, message, hint);
            return None;
        }
        Some(self.spanned(value, folder))
    }

    /// Names of variables.
    fn variables(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        self.list("command_env", "command_env = [\"SSH_AUTH_SOCK\"]", value, |name| {
            let is_name = name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
                && !name.starts_with(|c: char| c.is_ascii_digit());
            let hint = match name.split_once('=') {
                _ if is_name => return None,
                Some((name, _)) => format!(
                    "write \"{name}\" alone: its value comes from the environment or from the script"
                ),
                None => "list each variable by its name".to_owned(),
            };
            Some((format!("\"{name}\" is not the name of a variable"), hint))
        })
    }

    /// Names or addresses of machines. Rejects other entries, because they would silently allow
    /// nothing.
    fn machines(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        self.list("network", "network = [\"example.org\"]", value, |machine| {
            if is_machine(machine) {
                return None;
            }
            let hint = match url::Url::parse(machine).ok().filter(|url| url.scheme().starts_with("http")) {
                Some(url) => format!("write \"{}\"", &url[url::Position::BeforeHost..url::Position::AfterPort]),
                None => "write \"example.org\", \"*.example.org\", \"example.org:8443\", \"10.0.0.1\" or \"*\"".to_owned(),
            };
            Some((format!("\"{machine}\" is not the name or address of a machine"), hint))
        })
    }

    fn paths(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        self.list(key, &format!("{key} = [\"/srv/data\"]"), value, no_home)
    }

    /// A list of strings that are not empty. `wrong` returns the message and the hint for a string
    /// that is not allowed.
    fn list(
        &mut self,
        key: &str,
        example: &str,
        value: &Spanned<DeValue<'_>>,
        wrong: impl Fn(&str) -> Option<(String, String)>,
    ) -> Vec<String> {
        const EXPECTED: &str = "a list of strings";
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, EXPECTED, example, value);
            return Vec::new();
        };
        let mut list = Vec::new();
        for item in items {
            let DeValue::String(text) = item.get_ref() else {
                let entry = self.shown(item);
                let message = format!("\"{key}\" takes {EXPECTED}, but one entry is {entry}");
                self.add(item, message, format!("write {example}"));
                continue;
            };
            if text.trim().is_empty() {
                self.add(item, format!("An entry of \"{key}\" is empty"), "remove it");
            } else if let Some((message, hint)) = wrong(text) {
                self.add(item, message, hint);
            } else {
                list.push(text.to_string());
            }
        }
        list
    }

    fn unknown_key(&mut self, key: &Spanned<Cow<'_, str>>, hint: Option<String>) {
        let (line, column) = position(self.text, key.span().start);
        let message = format!("Unknown key \"{}\"", key.get_ref());
        self.errors.push(SettingsError { line, column, message, hint });
    }

    fn wrong_type(
        &mut self,
        key: &str,
        expected: &str,
        example: &str,
        value: &Spanned<DeValue<'_>>,
    ) {
        let message = format!("\"{key}\" takes {expected}, not {}", self.shown(value));
        self.add(value, message, format!("write {example}"));
    }

    /// A value as it is written, or its type if it is long.
    fn shown(&self, value: &Spanned<DeValue<'_>>) -> String {
        let written = self.text.get(value.span()).unwrap_or_default();
        let is_short = !written.is_empty()
            && !written.contains('\n')
            && written.chars().count() <= LONGEST_SHOWN;
        match value.get_ref() {
            // A table's span is only its heading.
            DeValue::Table(_) => "a table",
            _ if is_short => written,
            DeValue::String(_) => "a string",
            DeValue::Array(_) => "a list",
            _ => "a number or a date",
        }
        .to_owned()
    }

    fn spanned(&self, value: &Spanned<DeValue<'_>>, text: &str) -> SpannedText {
        let (line, column) = position(self.text, value.span().start);
        SpannedText { text: text.to_owned(), line, column }
    }

    fn add(&mut self, value: &Spanned<DeValue<'_>>, message: String, hint: impl Into<String>) {
        let error = self.error(value, message, hint);
        self.errors.push(error);
    }

    fn error(
        &self,
        value: &Spanned<DeValue<'_>>,
        message: String,
        hint: impl Into<String>,
    ) -> SettingsError {
        let (line, column) = position(self.text, value.span().start);
        SettingsError { line, column, message, hint: Some(hint.into()) }
    }

    /// The first syntax error: further ones may only follow from it.
    fn syntax(&self, errors: &[toml::de::Error]) -> Option<SettingsError> {
        let start =
            |error: &toml::de::Error| error.span().map_or(self.text.len(), |span| span.start);
        let error = errors.iter().min_by_key(|error| start(error))?;
        let offset = self.text.floor_char_boundary(start(error).min(self.text.len()));
        let (line, column) = position(self.text, offset);
        let message = format!("The file is not valid TOML: {}", error.message().replace('`', "\""));
        Some(SettingsError { line, column, message, hint: None })
    }
}

/// Any string is allowed.
fn no_more(_: &str) -> Option<(String, String)> {
    None
}

/// Whether an entry is like `example.org`, `*.example.org`, `[::1]:8443` or `*`. A scheme, a path
/// or a range of addresses is not allowed.
fn is_machine(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    text == "*"
        || !name.contains(|c: char| c.is_whitespace() || c.is_control() || "/*@?#\\".contains(c))
}

/// The message and the hint for a path in the home folder.
fn no_home(path: &str) -> Option<(String, String)> {
    (path == "~" || path.starts_with("~/")).then(|| {
        (
            format!("\"{path}\" is not expanded to the home folder"),
            "write the path in full".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            (line, column, message.as_str()),
            (2, 24, "\"A=b\" is not the name of a variable")
        );
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
                format!(
                    "The project_directory \"{directory}\" is not below the folder of spc.toml"
                )
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
}
