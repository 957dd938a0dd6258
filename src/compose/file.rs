//! Converts a compose file into a description: the same value as a script's map, parsed by the same
//! code.
//!
//! YAML with anchors and `<<`, then variables in every value, as in Compose. Two things differ from
//! Compose:
//!
//! - A number with a leading 0 stays the text as written (`UMASK: 0022`). Compose reads it as octal
//!   and passes on 18.
//! - A file contains one document, and nothing is merged into it: `include`, `extends` and several
//!   files are rejected by name.

use std::sync::Arc;

use serde_json::Value;
use serde_yaml::Value as Yaml;

use super::interpolate::{InterpolationError, interpolate};
use super::locate::{self, Mark};
use super::note::{Note, NoteKind};
use super::{Lookup, scalars, text, yaml};
use crate::model::Failure;
use crate::model::diagnostic::Source;
use crate::model::failure::{FileSpan, SpecPath};
use crate::model::names::{check_project, normalise_project};
use crate::model::position::{offset, position};

/// The names of a compose file, in the order in which Compose searches for them.
pub const FILE_NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The names of a file that Compose merges into one of [`FILE_NAMES`] automatically.
pub const OVERRIDE_NAMES: [&str; 4] = [
    "compose.override.yaml",
    "compose.override.yml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// A compose file that could be parsed.
#[derive(Debug, Clone)]
pub struct ComposeFile {
    source: Arc<Source>,
    description: Value,
    /// Remarks that are not mistakes.
    pub notes: Vec<Note>,
    /// Mistakes in its variables and at its top level; the rest can be read.
    pub(super) faults: Vec<Failure>,
    /// The bytes of texts whose variables were replaced so far.
    replaced: usize,
}

/// The most mistakes in one file that are searched: each needs another reading of the whole file.
pub const MOST: usize = 50;

/// The most notes about variables without a value.
const MOST_NOTES: usize = 100;

/// The text of a compose file for display, for any bytes. `name`: the name that a user would write.
pub fn source(name: &str, content: &[u8]) -> Source {
    let text = String::from_utf8_lossy(content);
    Source {
        name: name.to_owned(),
        text: text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned(),
    }
}

impl ComposeFile {
    /// Parses a compose file; `source` is its [`source`]. [`read`](super::faults::read) reads its
    /// description.
    pub fn read(source: Arc<Source>, content: &[u8], lookup: Lookup<'_>) -> Result<Self, Failure> {
        text::decode(content).map_err(|wrong| {
            let place = FileSpan {
                file: source.name.clone(),
                line: wrong.line,
                column: wrong.column,
                width: 1,
            };
            Failure::usage(wrong.message).hint(wrong.hint).in_file(place)
        })?;
        let mut file = Self {
            source,
            description: Value::Null,
            notes: Vec::new(),
            faults: Vec::new(),
            replaced: 0,
        };
        let mut document = file.document()?;
        file.interpolate(&mut document, &mut Vec::new(), lookup)?;
        file.description = yaml::to_json(document).map_err(|strange| {
            file.fault(&strange.path, false, format!("The file {}", strange.reason))
        })?;
        file.check_root()?;
        file.notes.sort();
        Ok(file)
    }

    /// The name that a user would write.
    pub fn name(&self) -> &str {
        &self.source.name
    }

    /// The description, with these profiles active.
    pub fn description(&self, profiles: Vec<String>) -> Value {
        let mut description = self.description.clone();
        description["profiles"] = profiles.into();
        description
    }

    /// The project's name from the file's own `name:`.
    pub fn project_name(&self) -> Result<Option<String>, Failure> {
        let Some(name) =
            self.description.get("name").and_then(Value::as_str).filter(|name| !name.is_empty())
        else {
            return Ok(None);
        };
        let normal = normalise_project(name);
        if normal.is_empty() {
            let failure = check_project(name)
                .err()
                .unwrap_or_else(|| Failure::usage("The project's name is empty"));
            return Err(
                self.placed(failure.at(SpecPath { keys: vec!["name".into()], on_key: false }))
            );
        }
        Ok(Some(normal))
    }

    /// The failure with its path in the description converted to a position in the file.
    pub fn placed(&self, mut failure: Failure) -> Failure {
        if let Some(path) = failure.path.take_if(|_| failure.place.is_none()) {
            failure.place = Some(Box::new(self.place(locate::find(
                &self.source.text,
                &path.keys,
                path.on_key,
            ))));
        }
        failure
    }

    /// The YAML of the file, with merge keys applied.
    fn document(&self) -> Result<Yaml, Failure> {
        let text = &self.source.text;
        let mut document: Yaml = yaml::read(text).map_err(|error| match error {
            yaml::YamlError::TooLarge(reason) => {
                Failure::usage(format!("The file is too large: {reason}")).in_file(self.place(None))
            }
            yaml::YamlError::TooLong(error) => {
                Failure::usage("A whole number with more than 64 bits can't be read")
                    .hint("write it in quotes to keep every digit")
                    .in_file(self.place(locate::mark_of(&error)))
            }
            yaml::YamlError::Syntax(error) => self.not_yaml(&error),
        })?;
        if let Some(path) = wrong_merge(&document, &[]) {
            return Err(self
                .fault(&path, false, "\"<<\" takes a map or a list of maps")
                .hint("write <<: *NAME with the anchor of a map"));
        }
        yaml::merge(&mut document).map_err(|error| self.not_yaml(&error))?;
        Ok(document)
    }

    fn not_yaml(&self, error: &serde_yaml::Error) -> Failure {
        let text = &self.source.text;
        let said = error.to_string();
        if said.contains("duplicate entry")
            && let Some((key, mark)) = locate::duplicate(text)
        {
            return Failure::usage(format!("The key \"{key}\" is defined twice in this map"))
                .in_file(self.place(Some(mark)));
        }
        if said.contains("more than one document") {
            let failure = Failure::usage("The file contains more than one YAML document");
            return failure
                .hint("keep one; use variables for what differs")
                .in_file(self.place(second_document(text)));
        }
        let mark = locate::mark_of(error);
        let failure = Failure::usage(format!("The file is not YAML: {}", yaml::said(error)))
            .in_file(self.place(mark));
        let is_tab =
            mark.is_some_and(|mark| text[offset(text, mark.line, mark.column)..].starts_with('\t'));
        if is_tab { failure.hint("indent with spaces: YAML takes no tabs there") } else { failure }
    }

    /// Replaces the variables in every value. Keys are not changed.
    fn interpolate(
        &mut self,
        value: &mut Yaml,
        path: &mut Vec<String>,
        lookup: Lookup<'_>,
    ) -> Result<(), Failure> {
        self.note_scalar(value, path);
        match value {
            Yaml::String(text) => {
                let interpolated = match interpolate(text, lookup) {
                    Ok(interpolated) => interpolated,
                    Err(error) => {
                        // Each mistake needs a search through the whole file.
                        if self.faults.len() < MOST {
                            self.faults.push(self.wrong_variable(path, text, error));
                        }
                        return Ok(());
                    }
                };
                for name in interpolated.unset {
                    self.note_unset(path, &name);
                }
                self.replaced += interpolated.text.len();
                if self.replaced > yaml::MOST_TEXT {
                    let message = format!(
                        "The file is larger than {} MiB with its variables replaced",
                        yaml::MOST_TEXT >> 20
                    );
                    return Err(self
                        .fault(path, false, message)
                        .hint("does a variable contain a large text?"));
                }
                *text = interpolated.text;
            }
            Yaml::Number(number) => {
                if let Some(whole) = scalars::whole(number) {
                    *number = whole.into();
                }
            }
            Yaml::Sequence(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.interpolate_at(item, index.to_string(), path, lookup)?;
                }
            }
            Yaml::Mapping(fields) => {
                for (key, value) in fields.iter_mut() {
                    self.interpolate_at(
                        value,
                        yaml::key_text(key).unwrap_or_default(),
                        path,
                        lookup,
                    )?;
                }
            }
            Yaml::Null | Yaml::Bool(_) | Yaml::Tagged(_) => {}
        }
        Ok(())
    }

    /// Adds a note about a scalar without quotes if the container gets another text than the
    /// written one, or than the one from Compose.
    fn note_scalar(&mut self, value: &Yaml, path: &[String]) {
        let is_text = path
            .len()
            .checked_sub(2)
            .and_then(|at| path.get(at))
            .is_some_and(|map| scalars::becomes_text(map));
        if !is_text || !matches!(value, Yaml::String(_) | Yaml::Number(_) | Yaml::Bool(_)) {
            return;
        }
        let Some(mark) = locate::find(&self.source.text, path, false) else { return };
        let rest = self.source.text[offset(&self.source.text, mark.line, mark.column)..]
            .lines()
            .next()
            .unwrap_or_default();
        let token = token(rest);
        if let Some((kind, text)) = scalars::remark(token, value) {
            self.notes.push(Note {
                line: mark.line,
                span: Some((mark.column, token.chars().count())),
                kind,
                text,
            });
        }
    }

    /// Adds a note about a variable without a value, once, however often it is used.
    fn note_unset(&mut self, path: &[String], name: &str) {
        let text = format!("the variable \"{name}\" is not set, so it is empty");
        // Each note needs a search through the whole file.
        if self.notes.len() < MOST_NOTES && self.notes.iter().all(|note| note.text != text) {
            let used = [format!("${name}"), format!("${{{name}")];
            let marks = used
                .iter()
                .filter_map(|used| Some((self.mark_within(path, used, 0)?, used.chars().count())));
            let first = marks.min_by_key(|(mark, _)| (mark.line, mark.column));
            let span = first.map(|(mark, width)| (mark.column, width));
            let line = first.map_or(1, |(mark, _)| mark.line);
            self.notes.push(Note { line, span, kind: NoteKind::Unclear, text });
        }
    }

    fn interpolate_at(
        &mut self,
        value: &mut Yaml,
        key: String,
        path: &mut Vec<String>,
        lookup: Lookup<'_>,
    ) -> Result<(), Failure> {
        path.push(key);
        self.interpolate(value, path, lookup)?;
        path.pop();
        Ok(())
    }

    /// A mistake in the variables of the text at `path`, at the position of the expression.
    fn wrong_variable(&self, path: &[String], text: &str, error: InterpolationError) -> Failure {
        let expression = &text[error.span.clone()];
        let before = text[..error.span.start].matches(expression).count();
        let mark = self
            .mark_within(path, expression, before)
            .or_else(|| locate::find(&self.source.text, path, false));
        let mut place = self.place(mark);
        place.width = expression.lines().next().unwrap_or_default().chars().count().max(1);
        let at = SpecPath { keys: path.to_vec(), on_key: false };
        let failure = Failure::usage(error.message).hint(error.hint).in_file(place).at(at);
        match error.variable {
            Some(variable) => failure.field("variable", variable),
            None => failure,
        }
    }

    /// The position of a piece of the text at `path`, after `others` equal pieces.
    fn mark_within(&self, path: &[String], piece: &str, others: usize) -> Option<Mark> {
        let text = &self.source.text;
        let begin = locate::find(text, path, false)?;
        let start = offset(text, begin.line, begin.column);
        let (at, _) = text[start..].match_indices(piece).nth(others)?;
        let (line, column) = position(text, start + at);
        Some(Mark { line, column })
    }

    /// Rejects a file without a map of services, and top-level keys that a script may use but
    /// Compose doesn't know.
    fn check_root(&mut self) -> Result<(), Failure> {
        let Value::Object(root) = &self.description else {
            return Err(match self.description {
                Value::Null => Failure::usage("The compose file is empty")
                    .hint("it describes services: services: { NAME: { image: … } }"),
                _ => Failure::usage("A compose file has to be a map")
                    .hint("it begins with a key: services:"),
            }
            .in_file(self.place(None)));
        };
        if root.contains_key("profiles") {
            let hint = "write `profiles` in a service; COMPOSE_PROFILES, or `profiles` in the options of compose(), activates them";
            self.faults.push(
                self.fault(&["profiles".to_owned()], true, "Unknown key \"profiles\"").hint(hint),
            );
        }
        if root.contains_key("version") {
            let line = locate::find(&self.source.text, &["version".to_owned()], true)
                .map_or(1, |mark| mark.line);
            self.notes.push(Note {
                line,
                span: None,
                kind: NoteKind::Obsolete,
                text: "\"version\" is obsolete and ignored: remove it".to_owned(),
            });
        }
        Ok(())
    }

    fn fault(&self, path: &[String], on_key: bool, message: impl Into<String>) -> Failure {
        Failure::usage(message).in_file(self.place(locate::find(&self.source.text, path, on_key)))
    }

    /// A position in the file, as wide as the token there; the beginning of the file without a
    /// mark.
    fn place(&self, mark: Option<Mark>) -> FileSpan {
        let text = &self.source.text;
        let lines = text.split('\n').count();
        let mark = mark.unwrap_or(Mark { line: 1, column: 1 });
        // The library may report the line after an unfinished last one, and treats more characters
        // than one as line ends.
        let line = mark.line.min(lines);
        let end = text.split('\n').nth(line - 1).unwrap_or_default().chars().count() + 1;
        let column = if mark.line > lines { end } else { mark.column.min(end) };
        let rest = text[offset(text, line, column)..].lines().next().unwrap_or_default();
        FileSpan {
            file: self.source.name.clone(),
            line,
            column,
            width: token(rest).chars().count().max(1),
        }
    }
}

/// The key or scalar at the beginning of the rest of a line.
fn token(rest: &str) -> &str {
    if let Some(quote) = rest.chars().next().filter(|first| ['"', '\''].contains(first)) {
        let end = rest[1..].find(quote).map_or(rest.len(), |end| end + 2);
        return &rest[..end];
    }
    let ends = [": ", " #", ", ", "]", "}"];
    let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
    let token = rest[..end].trim_end();
    token.strip_suffix([':', ',']).unwrap_or(token)
}

/// The path of a `<<` whose value is not a map.
fn wrong_merge(value: &Yaml, path: &[String]) -> Option<Vec<String>> {
    let below = |key: String| [path, &[key]].concat();
    let merges = |value: &Yaml| match value {
        Yaml::Sequence(items) => items.iter().all(Yaml::is_mapping),
        value => value.is_mapping(),
    };
    match value {
        Yaml::Sequence(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| wrong_merge(item, &below(index.to_string()))),
        Yaml::Mapping(fields) => fields.iter().find_map(|(key, value)| {
            let path = below(yaml::key_text(key)?);
            if key.as_str() == Some("<<") && !merges(value) {
                Some(path)
            } else {
                wrong_merge(value, &path)
            }
        }),
        _ => None,
    }
}

/// The beginning of the second document.
fn second_document(text: &str) -> Option<Mark> {
    let is_content = |line: &str| !line.trim().is_empty() && !line.starts_with(['#', '%']);
    let mut lines = text.lines().enumerate().skip_while(|(_, line)| !is_content(line)).skip(1);
    lines
        .find(|(_, line)| line.starts_with("---"))
        .map(|(index, _)| Mark { line: index + 1, column: 1 })
}

#[cfg(test)]
mod tests;
