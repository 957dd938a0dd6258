//! The project of a run: its folder, its `spc.toml`, its variables.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::errors::without_place;
use crate::api::context::FileVariable;
use crate::api::context::ProjectSettings;
use crate::compose::dotenv;
use crate::compose::faults::{Faults, MOST};
use crate::host::resolve::{inside, named, resolve};
use crate::host::{FileKind, Host, HostErrorKind, records_folder};
use crate::model::diagnostic::{Diagnostic, Source, SourceSpan};
use crate::model::failure::FileSpan;
use crate::model::time::parse_duration;
use crate::model::{Failure, Kind};
use crate::policy::{
    CheckedPath, OwnAccess, Policy, Resolution, SETTINGS_FILE, SettingsError, SettingsErrors,
};

/// The file with the project's variables, in the project directory.
const ENV_FILE: &str = ".env";

/// The options of the command line about the project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectOptions {
    /// `-C`: work as if started in this folder.
    pub directory: Option<PathBuf>,
    /// `--project`.
    pub project: Option<String>,
    /// `--env-file`, instead of the project's `.env`.
    pub env_file: Vec<PathBuf>,
}

/// A remark about a line of a `.env` file, which is not an error.
#[derive(Debug, Clone)]
pub struct EnvFileNote {
    /// Without the values, because any of them may be a password.
    pub source: Arc<Source>,
    /// From 1.
    pub line: usize,
    pub text: String,
}

impl fmt::Display for EnvFileNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.source.name, self.line, self.text)
    }
}

/// Everything that is known before a runbook is read.
#[derive(Clone)]
pub struct ProjectContext {
    /// The folder of `spc.toml`, if there is one: imports may not leave it.
    pub root: Option<PathBuf>,
    pub policy: Policy,
    /// The process environment over `.env`.
    pub environment: BTreeMap<String, String>,
    /// Only the variables of `.env`.
    pub files: BTreeMap<String, FileVariable>,
    pub project: Option<String>,
    /// Remarks that are not errors.
    pub warnings: Vec<EnvFileNote>,
}

/// Options for the verbs of a runbook's stacks, which override the runbook.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Remove containers of services that are no longer described.
    pub remove_orphans: bool,
    /// Adopt what Docker Compose created.
    pub adopt: bool,
    /// Give containers new anonymous volumes.
    pub renew_anonymous_volumes: bool,
    /// Answer every question with yes.
    pub assume_yes: bool,
    /// How long to wait for another run that changes the project; `None` for the default.
    pub wait_lock: Option<Duration>,
}

/// The option for [`RunOptions::wait_lock`].
const WAIT_LOCK: &str = "--wait-lock";

impl RunOptions {
    /// Takes spc's own options out of a runbook's arguments: a runbook can't have options with
    /// these names.
    pub fn take(&mut self, mut words: Vec<String>) -> Result<Vec<String>, Failure> {
        if let Some(text) = take_value(&mut words, WAIT_LOCK)? {
            let time = parse_duration(&text)
                .map_err(|message| Failure::usage(format!("{WAIT_LOCK}: {message}")))?;
            self.wait_lock = Some(time);
        }
        take_flags(
            &mut words,
            &mut [
                ("--yes", &mut self.assume_yes),
                ("--remove-orphans", &mut self.remove_orphans),
                ("--adopt", &mut self.adopt),
                ("--renew-anon-volumes", &mut self.renew_anonymous_volumes),
            ],
        );
        Ok(words)
    }
}

/// Takes an option with its value out of a runbook's arguments, up to `--`: `--wait-lock 5m` or
/// `--wait-lock=5m`. The last one counts.
fn take_value(words: &mut Vec<String>, option: &str) -> Result<Option<String>, Failure> {
    let mut taken = None;
    let is_option = |word: &String| {
        word == option || word.strip_prefix(option).is_some_and(|rest| rest.starts_with('='))
    };
    let end = |words: &[String]| words.iter().position(|word| word == "--").unwrap_or(words.len());
    while let Some(at) = words[..end(words)].iter().position(is_option) {
        let word = words.remove(at);
        taken = Some(match word.split_once('=') {
            Some((_, value)) => value.to_owned(),
            None if at < end(words) => words.remove(at),
            None => {
                return Err(Failure::usage(format!("{option} needs a duration"))
                    .hint(format!("write it like \"{option} 5m\"")));
            }
        });
    }
    Ok(taken)
}

/// Takes these flags out of a runbook's arguments, up to `--`, and sets those that it finds.
pub fn take_flags(words: &mut Vec<String>, flags: &mut [(&str, &mut bool)]) {
    let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let rest = words.split_off(end);
    words.retain(|word| {
        let flag = flags.iter_mut().find(|(name, _)| name == word);
        if let Some((_, flag)) = flag {
            **flag = true;
            return false;
        }
        true
    });
    words.extend(rest);
}

impl ProjectContext {
    /// The context of a run in this project.
    pub fn settings(&self, options: RunOptions) -> ProjectSettings {
        ProjectSettings {
            directory: self.policy.project_directory().to_path_buf(),
            name: self.project.clone(),
            environment: self.environment.clone(),
            files: self.files.clone(),
            assume_yes: options.assume_yes,
            scripts: self.root.clone(),
            remove_orphans: options.remove_orphans,
            adopt: options.adopt,
            renew_anonymous_volumes: options.renew_anonymous_volumes,
            wait_lock: options.wait_lock,
        }
    }
}

/// A failure without a position in a text.
pub fn plain(failure: Failure) -> Box<Diagnostic> {
    Box::new(without_place(failure))
}

/// The folder of `-C`, or the current one.
pub fn current_folder(host: &dyn Host, wanted: &ProjectOptions) -> Result<PathBuf, Failure> {
    let current =
        host.current_folder().map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    let Some(given) = &wanted.directory else { return Ok(current) };
    let failure = |message: String| Failure::usage(message).hint("-C names the folder to work in");
    let folder = host.canonicalize(&current.join(given)).map_err(|error| match error.kind {
        HostErrorKind::NotFound => failure(format!("There is no folder \"{}\"", given.display())),
        _ => failure(error.message),
    })?;
    match host.info(&CheckedPath::trusted(&folder)) {
        Ok(info) if info.kind != FileKind::Folder => {
            Err(failure(format!("\"{}\" is not a folder", given.display())))
        }
        _ => Ok(folder),
    }
}

/// Finds the project of a runbook in `folder`.
pub fn find(
    host: &dyn Host,
    wanted: &ProjectOptions,
    folder: &Path,
) -> Result<ProjectContext, Box<Diagnostic>> {
    let current = current_folder(host, wanted).map_err(plain)?;
    let (root, policy) = project_of(host, folder)?;
    // Before anything is done: a run that can't store its records would repeat work, and not know
    // earlier choices.
    records_folder::folder(host, &policy).map_err(|refusal| plain(refusal.into()))?;
    let mut warnings = Vec::new();
    let files = variables(host, wanted, &current, &policy, &mut warnings)?;
    let mut environment: BTreeMap<String, String> =
        files.iter().map(|(name, variable)| (name.clone(), variable.value.clone())).collect();
    environment.extend(host.environment());
    let named = |variables: &BTreeMap<String, String>| {
        variables.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).cloned()
    };
    // Not the environment of `.env`, which scripts may write.
    let policy =
        policy.with_given_project(wanted.project.clone().or_else(|| named(&host.environment())));
    let project = wanted.project.clone().or_else(|| named(&environment));
    if let Some(name) = &project {
        crate::model::names::check_project(name).map_err(plain)?;
    }
    Ok(ProjectContext { root, policy, environment, files, project, warnings })
}

/// The folder of the `spc.toml` for `folder`, if there is one, and its policy.
pub fn project_of(
    host: &dyn Host,
    folder: &Path,
) -> Result<(Option<PathBuf>, Policy), Box<Diagnostic>> {
    let root = settings_folder(host, folder);
    let file = root.as_deref().map(|root| settings_file(host, root)).transpose().map_err(plain)?;
    let resolve = |path: &Path| resolve(host, path);
    let base = root.as_deref().unwrap_or(folder);
    let policy = match &file {
        Some(file) => {
            Policy::of_file(base, &file.bytes, &resolve).map_err(|errors| file.all_wrong(errors))?
        }
        None => Policy::of_folder(base, &resolve),
    };
    let policy = policy.with_runbook_folder(folder, &resolve);
    Ok((root, policy))
}

/// The nearest folder at or above `folder` with a `spc.toml`, even if it is a dangling symlink.
/// Canonical.
pub fn settings_folder(host: &dyn Host, folder: &Path) -> Option<PathBuf> {
    let real = host.canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let has_settings =
        |folder: &&Path| resolve(host, &folder.join(SETTINGS_FILE)) != Resolution::Missing;
    real.ancestors().find(has_settings).map(Path::to_path_buf)
}

/// Reads the `spc.toml` in the canonical folder `root`. Rejects a symlink that leads out of the
/// folder: a container could have put it there, and no policy is known yet.
fn settings_file(host: &dyn Host, root: &Path) -> Result<SourceFile, Failure> {
    let shown = root.join(SETTINGS_FILE);
    let path = match inside(host, root, SETTINGS_FILE) {
        Ok(Ok(path)) => path,
        Ok(Err(target)) => {
            let message = format!(
                "\"{}\" is a symlink that leads to \"{}\", out of its folder",
                shown.display(),
                target.display()
            );
            return Err(
                Failure::new(Kind::Policy, message).hint("put a copy of the file in its place")
            );
        }
        Err(error) => return Err(Failure::usage(error.message)),
    };
    SourceFile::read(host, &path, &shown).map_err(|error| match error.kind {
        HostErrorKind::SymlinkInPath => error.into(),
        _ => Failure::usage(error.message),
    })
}

/// The variables of `.env` or of the given files.
fn variables(
    host: &dyn Host,
    wanted: &ProjectOptions,
    current: &Path,
    policy: &Policy,
    warnings: &mut Vec<EnvFileNote>,
) -> Result<BTreeMap<String, FileVariable>, Box<Diagnostic>> {
    let process = host.environment();
    let files: Vec<(PathBuf, CheckedPath, bool)> = if wanted.env_file.is_empty() {
        let path =
            policy.own_path(Path::new(ENV_FILE), OwnAccess::Read, &|path| resolve(host, path));
        vec![(
            policy.project_directory().join(ENV_FILE),
            path.map_err(|refusal| plain(refusal.into()))?,
            false,
        )]
    } else {
        let given = |file: &PathBuf| {
            let path = current.join(file);
            (path.clone(), named(host, &path), true)
        };
        wanted.env_file.iter().map(given).collect()
    };
    let mut variables: BTreeMap<String, FileVariable> = BTreeMap::new();
    for (shown, path, given) in files {
        let file = match SourceFile::read(host, &path, &shown) {
            Ok(file) => file,
            Err(error) if error.kind == HostErrorKind::SymlinkInPath => {
                return Err(plain(error.into()));
            }
            Err(error) if error.kind == HostErrorKind::NotFound && !given => continue,
            Err(error) => {
                let hint = if given {
                    "give another --env-file"
                } else {
                    "a .env file holds variables; use another one with --env-file"
                };
                return Err(plain(Failure::usage(error.message).hint(hint)));
            }
        };
        let lookup = |name: &str| {
            process
                .get(name)
                .or_else(|| variables.get(name).map(|variable| &variable.value))
                .cloned()
        };
        let parsed = dotenv::parse(&file.bytes, &lookup).map_err(|error| {
            file.redacted().wrong(error.line, error.column, error.message, Some(error.hint))
        })?;
        let remarks = parsed.remarks();
        if !remarks.is_empty() {
            let source = file.redacted().source();
            warnings.extend(remarks.into_iter().map(|(line, text)| EnvFileNote {
                source: source.clone(),
                line,
                text,
            }));
        }
        let placed = |(name, variable): (String, dotenv::Variable)| {
            (
                name,
                FileVariable {
                    value: variable.value,
                    place: format!("{}:{}", file.name, variable.line),
                },
            )
        };
        variables.extend(parsed.variables.into_iter().map(placed));
    }
    Ok(variables)
}

/// A file with mistakes that are shown with line and column.
struct SourceFile {
    /// In the form that the user would write: relative to where spc was started, also with `-C`,
    /// like the names of runbooks.
    name: String,
    bytes: Bytes,
}

impl SourceFile {
    /// Reads `path`, which is displayed as `shown`.
    fn read(host: &dyn Host, path: &CheckedPath, shown: &Path) -> crate::host::Result<Self> {
        let here = host.current_folder()?;
        let name = shown.strip_prefix(here).unwrap_or(shown).display().to_string();
        Ok(Self { name, bytes: host.read_source(path)? })
    }

    /// The same with dots for everything except the names of variables. Any value may be a
    /// password, and so may a line that is not an assignment, such as a part of a key that lost its
    /// quotes.
    fn redacted(&self) -> Self {
        let text = String::from_utf8_lossy(&self.bytes);
        let redact = |text: &str| {
            text.chars().map(|c| if c.is_whitespace() { c } else { '•' }).collect::<String>()
        };
        let is_name = |text: &str| {
            let name = text.trim().trim_start_matches("export ");
            !name.is_empty() && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
        };
        let line = |line: &str| match line.split_once('=') {
            Some((name, value)) if is_name(name) => format!("{name}={}", redact(value)),
            _ => redact(line),
        };
        let text: String = text.split_inclusive('\n').map(line).collect();
        Self { name: self.name.clone(), bytes: text.into() }
    }

    fn source(&self) -> Arc<Source> {
        Arc::new(Source {
            name: self.name.clone(),
            text: String::from_utf8_lossy(&self.bytes).into_owned(),
        })
    }

    /// The first mistake, with the others below it.
    fn all_wrong(&self, errors: SettingsErrors) -> Box<Diagnostic> {
        let (line, column) = (errors.first.line, errors.first.column);
        let placed = |SettingsError { line, column, message, hint }| {
            let place = FileSpan { file: self.name.clone(), line, column, width: 1 };
            let mut failure = Failure::usage(message).in_file(place);
            failure.hint = hint;
            failure
        };
        let all = [errors.first].into_iter().chain(errors.rest);
        let mut list: Vec<Failure> = all.map(placed).collect();
        let is_cut = list.len() > MOST;
        list.truncate(MOST);
        let failure = Faults { list, is_cut }.into_failure();
        let mut diagnostic = self.wrong(line, column, failure.message, failure.hint);
        diagnostic.details = failure.details;
        diagnostic
    }

    fn wrong(
        &self,
        line: usize,
        column: usize,
        message: String,
        hint: Option<String>,
    ) -> Box<Diagnostic> {
        let source = self.source();
        let mut diagnostic = plain(Failure::usage(message));
        diagnostic.hint = hint;
        diagnostic.place = Some(SourceSpan { source, line, column, width: 1 });
        diagnostic
    }
}
