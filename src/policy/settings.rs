//! `spc.toml`: marks the root of a project and lists the permissions of its scripts.

use std::path::{Component, Path};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::position::position;
use crate::model::suggest::did_you_mean;

/// The file's name.
pub const SETTINGS_FILE: &str = "spc.toml";

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

/// The line that lets plans run commands which a script declares to change nothing.
pub const READ_ONLY_EXECS: &str = "read_only_execs = true";

/// The content of `spc.toml`. The default applies to a project without the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The project directory, relative to the file's folder and below it.
    pub project_directory: Option<SpannedText>,
    /// Host commands: a program, optionally with its first arguments; `*` allows any.
    pub commands: Vec<String>,
    /// The variables that host commands get, from spc's own environment or from a script.
    pub command_env: Vec<String>,
    /// The folder of host commands, relative to the file's folder.
    pub command_folder: Option<SpannedText>,
    /// Folders and files outside of the project directory; relative to the file's folder.
    pub read: Vec<String>,
    pub write: Vec<String>,
    pub bind_mounts: Vec<String>,
    /// Machines for requests: `example.org`, `*.example.org`, `example.org:8443`, `*`.
    pub network: Vec<String>,
    /// Images, in addition to Docker's own, that may read a Dockerfile (`# syntax=`).
    pub frontends: Vec<String>,
    /// Other projects whose objects the scripts may inspect, use and change.
    pub projects: Vec<String>,
    /// Privileged containers, host namespaces, devices, capabilities, plugins, the engine's
    /// socket.
    pub privileged: bool,
    /// A plan runs commands in containers that the script declares to change nothing.
    pub read_only_execs: bool,
}

/// A text with its position in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpannedText {
    pub text: String,
    /// From 1.
    pub line: usize,
    /// Characters, from 1.
    pub column: usize,
}

/// A mistake in `spc.toml`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// From 1.
    pub line: usize,
    /// Characters, from 1.
    pub column: usize,
    /// Sentence case, no full stop.
    pub message: String,
    pub hint: Option<String>,
}

impl SpannedText {
    pub(super) fn error(&self, message: String, hint: String) -> SettingsError {
        SettingsError { line: self.line, column: self.column, message, hint: Some(hint) }
    }
}

impl Settings {
    /// Parses the file's content.
    pub fn parse(content: &[u8]) -> Result<Self, SettingsError> {
        Self::parse_for(content, env!("CARGO_PKG_VERSION"))
    }

    fn parse_for(content: &[u8], running: &str) -> Result<Self, SettingsError> {
        let text = std::str::from_utf8(content).map_err(|error| {
            let valid = String::from_utf8_lossy(&content[..error.valid_up_to()]);
            let (line, column) = position(&valid, valid.len());
            let hint = Some("save the file as UTF-8".to_owned());
            SettingsError {
                line,
                column,
                message: "The file is not written in UTF-8".to_owned(),
                hint,
            }
        })?;
        // Positions don't count the byte order mark.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let reader = Reader { text };
        let document = DeTable::parse(text).map_err(|error| reader.syntax(&error))?;
        reader.settings(document.get_ref(), running)
    }
}

struct Reader<'a> {
    text: &'a str,
}

impl Reader<'_> {
    fn settings(&self, table: &DeTable<'_>, running: &str) -> Result<Settings, SettingsError> {
        // Check the version first, because the other keys may be for a later version of spc.
        if let Some((_, value)) = table.iter().find(|(key, _)| key.get_ref() == "spc") {
            self.version(value, running)?;
        }
        let mut settings = Settings::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "spc" => {}
                "project_directory" => {
                    settings.project_directory = Some(self.project_directory(value)?)
                }
                "allow" => {
                    let DeValue::Table(allow) = value.get_ref() else {
                        return Err(self.wrong_type("allow", "a table", "[allow]", value));
                    };
                    self.allow(allow, &mut settings)?;
                }
                _ => return Err(self.unknown_key(key, &KEYS)),
            }
        }
        Ok(settings)
    }

    fn allow(&self, table: &DeTable<'_>, settings: &mut Settings) -> Result<(), SettingsError> {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "commands" => {
                    settings.commands = self.list("commands", "commands = [\"git\"]", value)?
                }
                "command_env" => settings.command_env = self.variables(value)?,
                "command_folder" => settings.command_folder = Some(self.command_folder(value)?),
                "read" => settings.read = self.paths("read", value)?,
                "write" => settings.write = self.paths("write", value)?,
                "bind_mounts" => settings.bind_mounts = self.paths("bind_mounts", value)?,
                "network" => settings.network = self.machines(value)?,
                "frontends" => {
                    settings.frontends =
                        self.list("frontends", "frontends = [\"example/frontend:1\"]", value)?
                }
                "projects" => {
                    settings.projects = self.list("projects", "projects = [\"shop\"]", value)?
                }
                "privileged" => {
                    settings.privileged = self.switch("privileged", "privileged = true", value)?
                }
                "read_only_execs" => {
                    settings.read_only_execs =
                        self.switch("read_only_execs", READ_ONLY_EXECS, value)?
                }
                _ => return Err(self.unknown_key(key, &ALLOW_KEYS)),
            }
        }
        Ok(())
    }

    fn switch(
        &self,
        key: &str,
        example: &'static str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<bool, SettingsError> {
        let DeValue::Boolean(switch) = value.get_ref() else {
            return Err(self.wrong_type(key, "true or false", example, value));
        };
        Ok(*switch)
    }

    fn version(&self, value: &Spanned<DeValue<'_>>, running: &str) -> Result<(), SettingsError> {
        const EXAMPLE: &str = "spc = \"0.1\"";
        let DeValue::String(requirement) = value.get_ref() else {
            return Err(self.wrong_type("spc", "a version in quotes", EXAMPLE, value));
        };
        let Ok(required) = semver::VersionReq::parse(requirement) else {
            return Err(self.error(
                value,
                format!("\"{requirement}\" is not a version"),
                format!("write {EXAMPLE}"),
            ));
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

    fn project_directory(
        &self,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<SpannedText, SettingsError> {
        let DeValue::String(directory) = value.get_ref() else {
            return Err(self.wrong_type(
                "project_directory",
                "a folder in quotes",
                "project_directory = \"examples/spc\"",
                value,
            ));
        };
        if directory.is_empty()
            || Path::new(directory.as_ref())
                .components()
                .any(|part| !matches!(part, Component::Normal(_) | Component::CurDir))
        {
            return Err(self.error(
                value,
                format!("The project_directory \"{directory}\" is not below the folder of {SETTINGS_FILE}"),
                "name a folder relative to that one, without \"..\"",
            ));
        }
        let (line, column) = position(self.text, value.span().start);
        Ok(SpannedText { text: directory.to_string(), line, column })
    }

    fn command_folder(&self, value: &Spanned<DeValue<'_>>) -> Result<SpannedText, SettingsError> {
        let DeValue::String(folder) = value.get_ref() else {
            return Err(self.wrong_type(
                "command_folder",
                "a folder in quotes",
                "command_folder = \"tools\"",
                value,
            ));
        };
        if folder.trim().is_empty() {
            return Err(self.error(
                value,
                "\"command_folder\" is empty".to_owned(),
                "remove it, or name a folder",
            ));
        }
        if is_home(folder) {
            return Err(self.no_home(value, folder));
        }
        let (line, column) = position(self.text, value.span().start);
        Ok(SpannedText { text: folder.to_string(), line, column })
    }

    /// Names of variables.
    fn variables(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, SettingsError> {
        let names = self.list("command_env", "command_env = [\"SSH_AUTH_SOCK\"]", value)?;
        let is_name = |name: &str| {
            name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        match names.iter().position(|name| !is_name(name)) {
            None => Ok(names),
            Some(index) => {
                let place =
                    value.get_ref().as_array().and_then(|items| items.get(index)).unwrap_or(value);
                let hint = match names[index].split_once('=') {
                    Some((name, _)) => format!(
                        "write \"{name}\" alone: its value comes from the environment or from the script"
                    ),
                    None => "list each variable by its name".to_owned(),
                };
                Err(self.error(
                    place,
                    format!("\"{}\" is not the name of a variable", names[index]),
                    hint,
                ))
            }
        }
    }

    /// Names or addresses of machines. Rejects other entries, because they would silently allow
    /// nothing.
    fn machines(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, SettingsError> {
        let machines = self.list("network", "network = [\"example.org\"]", value)?;
        let Some(index) = machines.iter().position(|machine| !is_machine(machine)) else {
            return Ok(machines);
        };
        let place = value.get_ref().as_array().and_then(|items| items.get(index)).unwrap_or(value);
        let hint = match url::Url::parse(&machines[index]).ok().filter(|url| url.scheme().starts_with("http")) {
            Some(url) => format!("write \"{}\"", &url[url::Position::BeforeHost..url::Position::AfterPort]),
            None => "write \"example.org\", \"*.example.org\", \"example.org:8443\", \"10.0.0.1\" or \"*\"".to_owned(),
        };
        Err(self.error(
            place,
            format!("\"{}\" is not the name or address of a machine", machines[index]),
            hint,
        ))
    }

    fn no_home(&self, value: &Spanned<DeValue<'_>>, path: &str) -> SettingsError {
        self.error(
            value,
            format!("\"{path}\" is not expanded to the home folder"),
            "write the path in full",
        )
    }

    fn paths(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, SettingsError> {
        let paths = self.list(key, &format!("{key} = [\"/srv/data\"]"), value)?;
        match paths.iter().position(|path| is_home(path)) {
            None => Ok(paths),
            Some(index) => {
                let place =
                    value.get_ref().as_array().and_then(|items| items.get(index)).unwrap_or(value);
                Err(self.no_home(place, &paths[index]))
            }
        }
    }

    /// A list of strings that are not empty.
    fn list(
        &self,
        key: &str,
        example: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Vec<String>, SettingsError> {
        const EXPECTED: &str = "a list of strings";
        let DeValue::Array(items) = value.get_ref() else {
            return Err(self.wrong_type(key, EXPECTED, example, value));
        };
        items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) if text.trim().is_empty() => {
                    Err(self.error(item, format!("An entry of \"{key}\" is empty"), "remove it"))
                }
                DeValue::String(text) => Ok(text.to_string()),
                _ => Err(self.wrong_type(key, EXPECTED, example, item)),
            })
            .collect()
    }

    fn unknown_key(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        known: &[&'static str],
    ) -> SettingsError {
        let (line, column) = position(self.text, key.span().start);
        let hint = if ALLOW_KEYS.contains(&key.get_ref().as_ref()) {
            Some("write it below the line [allow]".to_owned())
        } else {
            did_you_mean(key.get_ref(), known.iter().copied())
        };
        SettingsError { line, column, message: format!("Unknown key \"{}\"", key.get_ref()), hint }
    }

    fn wrong_type(
        &self,
        key: &str,
        expected: &str,
        example: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> SettingsError {
        self.error(value, format!("\"{key}\" takes {expected}"), format!("write {example}"))
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

    fn syntax(&self, error: &toml::de::Error) -> SettingsError {
        let offset = error.span().map_or(self.text.len(), |span| span.start).min(self.text.len());
        let (line, column) = position(self.text, self.text.floor_char_boundary(offset));
        let message = format!("The file is not valid TOML: {}", error.message().replace('`', "\""));
        SettingsError { line, column, message, hint: None }
    }
}

/// Whether an entry is like `example.org`, `*.example.org`, `[::1]:8443` or `*`. A scheme, a path
/// or a range of addresses is not allowed.
fn is_machine(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    text == "*"
        || !name.contains(|c: char| c.is_whitespace() || c.is_control() || "/*@?#\\".contains(c))
}

fn is_home(path: &str) -> bool {
    path == "~" || path.starts_with("~/")
}

/// The line of `spc.toml` with one more entry, such as `read = ["/srv/a", "/srv/b"]`.
pub(super) fn list_with(key: &str, entries: &[String], further: &str) -> String {
    let mut all: Vec<&str> = Vec::new();
    for entry in entries.iter().map(String::as_str).chain([further]) {
        if !all.contains(&entry) {
            all.push(entry);
        }
    }
    format!("{key} = [{}]", all.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

/// A text as a TOML string.
fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            _ if character.is_control() => {
                out.push_str(&format!("\\u{:04X}", u32::from(character)))
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(content: &str) -> (usize, usize, String, Option<String>) {
        let error = Settings::parse_for(content.as_bytes(), "0.1.4").expect_err(content);
        (error.line, error.column, error.message, error.hint)
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
        assert_eq!(Settings::parse_for(content.as_bytes(), "0.1.4"), Ok(expected));
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
        assert_eq!((line, column, message.as_str()), (2, 14, "\"privileged\" takes true or false"));
        assert_eq!(hint.unwrap(), "write privileged = true");
        let (line, column, message, _) = fails("[allow]\nread = [\"/a\", 1]\n");
        assert_eq!((line, column, message.as_str()), (2, 15, "\"read\" takes a list of strings"));
        assert_eq!(fails("[allow]\ncommands = \"git\"\n").3.unwrap(), "write commands = [\"git\"]");
        assert_eq!(fails("allow = true\n").2, "\"allow\" takes a table");
        assert_eq!(fails("spc = 0.1\n").2, "\"spc\" takes a version in quotes");
        assert_eq!(
            fails("project_directory = []\n").2,
            "\"project_directory\" takes a folder in quotes"
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
            "\"command_env\" takes a list of strings"
        );
        assert_eq!(
            fails("[allow]\ncommand_folder = [\"a\"]\n").2,
            "\"command_folder\" takes a folder in quotes"
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
        assert!(Settings::parse_for(b"spc = \">=0.1.2, <0.3\"\n", "0.1.4").is_ok());
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
        let error = Settings::parse(b"# \xe9\n").unwrap_err();
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
