//! Where a run takes place: the project's folder, its `spc.toml`, its variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Common;
use crate::compose::dotenv;
use crate::host::resolve::resolve;
use crate::host::{Host, HostErrorKind};
use crate::model::diagnostic::{Diagnostic, Place as SourcePlace, Severity, Source};
use crate::model::{Failure, Kind};
use crate::policy::{Policy, SETTINGS_FILE, Settings};

/// What is known before a runbook is read.
pub struct Place {
    /// Where `spc.toml` is, if there is one: the root that imports may not leave.
    pub root: Option<PathBuf>,
    pub policy: Policy,
    /// Process environment over `.env`.
    pub environment: BTreeMap<String, String>,
    pub project: Option<String>,
    /// What was found on the way and is no error.
    pub warnings: Vec<String>,
}

/// A failure that is about no place in a text.
pub fn plain(failure: Failure) -> Box<Diagnostic> {
    Box::new(Diagnostic {
        severity: Severity::Error,
        kind: failure.kind,
        message: failure.message,
        hint: failure.hint,
        place: None,
        trace: Vec::new(),
        details: failure.details,
        fields: failure.fields,
    })
}

/// The folder that `-C` names, or the current one.
pub fn current_folder(host: &dyn Host, common: &Common) -> Result<PathBuf, Failure> {
    let current = host.current_folder().map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
    let Some(given) = &common.directory else { return Ok(current) };
    host.canonicalize(&current.join(given))
        .map_err(|error| Failure::usage(format!("The folder \"{}\" of -C can't be used: {error}", given.display())))
}

/// Finds the project of a runbook in `folder`.
pub fn find(host: &dyn Host, common: &Common, folder: &Path) -> Result<Place, Box<Diagnostic>> {
    let current = current_folder(host, common).map_err(plain)?;
    let root = folder.ancestors().find(|folder| host.info(&folder.join(SETTINGS_FILE)).is_ok()).map(Path::to_path_buf);
    let settings = match &root {
        Some(root) => read_settings(host, &current, &root.join(SETTINGS_FILE))?,
        None => Settings::default(),
    };
    let resolve = |path: &Path| resolve(host, path);
    let base = root.as_deref().unwrap_or(folder);
    let policy = Policy::new(base, settings, &resolve)
        .map_err(|error| plain(Failure::usage(error.message.clone()).hint(format!("see {SETTINGS_FILE}"))))?
        .with_runbook_folder(folder, &resolve);
    let mut warnings = Vec::new();
    let environment = environment(host, common, &current, policy.project_directory(), &mut warnings)?;
    let project = common.project.clone().or_else(|| environment.get("COMPOSE_PROJECT_NAME").filter(|name| !name.is_empty()).cloned());
    if let Some(name) = &project {
        crate::model::names::check_project(name).map_err(plain)?;
    }
    Ok(Place { root, policy, environment, project, warnings })
}

fn read_settings(host: &dyn Host, current: &Path, path: &Path) -> Result<Settings, Box<Diagnostic>> {
    let bytes = host.read(path).map_err(|error| plain(Failure::usage(error.to_string())))?;
    Settings::parse(&bytes).map_err(|error| at(shown(current, path), &bytes, error.line, error.column, error.message, error.hint))
}

/// The process environment over the variables of `.env` or the given files.
fn environment(
    host: &dyn Host,
    common: &Common,
    current: &Path,
    project: &Path,
    warnings: &mut Vec<String>,
) -> Result<BTreeMap<String, String>, Box<Diagnostic>> {
    let process = host.environment();
    let files: Vec<(PathBuf, bool)> = if common.env_file.is_empty() {
        vec![(project.join(".env"), false)]
    } else {
        common.env_file.iter().map(|file| (current.join(file), true)).collect()
    };
    let mut variables: BTreeMap<String, String> = BTreeMap::new();
    for (path, required) in files {
        let bytes = match host.read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind == HostErrorKind::NotFound && !required => continue,
            Err(error) => return Err(plain(Failure::usage(error.to_string()).hint("give another --env-file"))),
        };
        let lookup = |name: &str| process.get(name).or_else(|| variables.get(name)).cloned();
        let parsed = dotenv::parse(&bytes, &lookup)
            .map_err(|error| at(shown(current, &path), &bytes, error.line, error.column, error.message, Some(error.hint)))?;
        for unset in &parsed.unset {
            warnings.push(format!("{}:{}: the variable \"{}\" is not set, so it is empty", shown(current, &path), unset.line, unset.name));
        }
        variables.extend(parsed.variables.into_iter().map(|(name, variable)| (name, variable.value)));
    }
    variables.extend(process);
    Ok(variables)
}

fn at(name: String, bytes: &[u8], line: usize, column: usize, message: String, hint: Option<String>) -> Box<Diagnostic> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let source = Arc::new(Source { name, text });
    let mut diagnostic = plain(Failure::usage(message));
    diagnostic.hint = hint;
    diagnostic.place = Some(SourcePlace { source, line, column, width: 1 });
    diagnostic
}

/// A path as the user would write it from where they are.
pub fn shown(current: &Path, path: &Path) -> String {
    path.strip_prefix(current).unwrap_or(path).display().to_string()
}
