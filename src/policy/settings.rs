//! `spc.toml`: marks the root of a project and lists the permissions of its scripts.

/// The file's name.
pub const SETTINGS_FILE: &str = "spc.toml";

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

/// The mistakes in `spc.toml`: at least one, by line and column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{first}")]
pub struct SettingsErrors {
    pub first: SettingsError,
    pub rest: Vec<SettingsError>,
}

impl SettingsErrors {
    /// `value`, unless there is a mistake.
    pub(super) fn none_of<T>(mut list: Vec<SettingsError>, value: T) -> Result<T, Self> {
        list.sort_by_key(|error| (error.line, error.column));
        let mut list = list.into_iter();
        match list.next() {
            None => Ok(value),
            Some(first) => Err(Self { first, rest: list.collect() }),
        }
    }
}

impl From<SettingsError> for SettingsErrors {
    fn from(first: SettingsError) -> Self {
        Self { first, rest: Vec::new() }
    }
}

impl SpannedText {
    pub(super) fn error(&self, message: String, hint: String) -> SettingsError {
        SettingsError { line: self.line, column: self.column, message, hint: Some(hint) }
    }
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
