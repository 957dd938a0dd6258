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
                "commands" => settings.commands = self.list("commands", "git", value, no_more),
                "command_env" => settings.command_env = self.variables(value),
                "command_folder" => settings.command_folder = self.command_folder(value),
                "read" => settings.read = self.paths("read", value),
                "write" => settings.write = self.paths("write", value),
                "bind_mounts" => settings.bind_mounts = self.paths("bind_mounts", value),
                "network" => settings.network = self.machines(value),
                "frontends" => {
                    settings.frontends =
                        self.list("frontends", "example/frontend:1", value, no_more)
                }
                "projects" => settings.projects = self.list("projects", "shop", value, no_more),
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
        let Some(requirement) = self.string("spc", "a version in quotes", EXAMPLE, value) else {
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
        const EXAMPLE: &str = "project_directory = \"examples/spc\"";
        let directory = self.string("project_directory", "a folder in quotes", EXAMPLE, value)?;
        if directory.is_empty()
            || Path::new(directory)
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
        const EXAMPLE: &str = "command_folder = \"tools\"";
        let folder = self.string("command_folder", "a folder in quotes", EXAMPLE, value)?;
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
        self.list("command_env", "SSH_AUTH_SOCK", value, |name| {
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
        self.list("network", "example.org", value, |machine| {
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
        self.list(key, "/srv/data", value, no_home)
    }

    /// A text; reports any other value.
    fn string<'v>(
        &mut self,
        key: &str,
        expected: &str,
        example: &str,
        value: &'v Spanned<DeValue<'_>>,
    ) -> Option<&'v str> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(key, expected, example, value);
            return None;
        };
        Some(text.as_ref())
    }

    /// A list of strings that are not empty, such as `sample`. `wrong` returns the message and the hint for a string
    /// that is not allowed.
    fn list(
        &mut self,
        key: &str,
        sample: &str,
        value: &Spanned<DeValue<'_>>,
        wrong: impl Fn(&str) -> Option<(String, String)>,
    ) -> Vec<String> {
        const EXPECTED: &str = "a list of strings";
        let example = format!("{key} = [\"{sample}\"]");
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_type(key, EXPECTED, &example, value);
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
mod tests;
