//! Static checks: finds mistakes in scripts without running anything.
//!
//! - [`rule`]: the rules and their names; [`findings`]: collects findings in order
//! - [`files`]: selects the files; [`sources`], [`parsed_source`]: the sources and their imports
//! - [`script_analysis`]: the meaning of names, and all calls, in one pass for all rules
//! - [`calls`], [`captures`]: functions, closures
//! - [`compose_files`]: the project's compose file and variables
//! - [`flow`]: finds the literals of descriptions and options; [`descriptions`],
//!   [`references`], [`options`]: find the mistakes in them
//! - [`values`]: comparisons of different types, fields that a map doesn't have
//! - [`strings`], [`probes`]: find code that is valid but probably not intended

pub mod calls;
pub mod captures;
pub mod compose_files;
pub mod descriptions;
pub mod files;
pub mod findings;
pub mod flow;
pub mod literal;
pub mod options;
pub mod parsed_source;
pub mod probes;
pub mod references;
pub mod rule;
pub mod script_analysis;
pub mod sources;
pub mod strings;
#[cfg(test)]
mod tests;
pub mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::api::Context;
use crate::host::resolve::shown;
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::script::engine;
use crate::script::names::Names;
use crate::script::project_context::EnvFileNote;
use crate::script::{Library, on_script_thread};

use findings::Findings;
use script_analysis::ScriptAnalysis;
use sources::{Reader, Sources};

pub use rule::Rule;

/// Registers functions.
pub type Register = fn(&mut rhai::Engine);

/// The result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// By file, line and column.
    pub findings: Vec<Diagnostic>,
    /// The number of checked files.
    pub files: usize,
}

/// Checks the files at `paths`, absolute or relative to the folder `here`; a folder means all
/// scripts below it. Without paths, checks all scripts of the project around `here`.
///
/// `remarks` are those about the project's files of variables; `tests` registers the functions that
/// only tests have.
pub fn check(
    context: &Arc<Context>,
    here: &Path,
    paths: &[PathBuf],
    remarks: &[EnvFileNote],
    tests: Option<Register>,
) -> Result<Report, Box<Diagnostic>> {
    on_script_thread(context, || Ok(read(context, here, paths, remarks, tests)))
}

fn read(
    context: &Arc<Context>,
    here: &Path,
    paths: &[PathBuf],
    remarks: &[EnvFileNote],
    tests: Option<Register>,
) -> Report {
    let engine = engine::for_reading(context, None);
    let names = Names::all(&engine);
    let spc = Names::host(&engine);
    let mut findings = Findings::default();
    let mut sources = Sources::default();
    let mut folders = Vec::new();
    let mut compose_files = 0;
    for group in files::find(&*context.host, here, paths, &mut findings) {
        folders.push(group.root.clone());
        let library = Library::new(context.host.clone(), group.root);
        let mut reader = Reader {
            library: &library,
            engine: &engine,
            names: &spc,
            findings: &mut findings,
            sources,
        };
        let (described, scripts): (Vec<_>, Vec<_>) =
            group.files.iter().partition(|path| compose_files::is_one(path));
        for path in scripts {
            reader.ask(path);
        }
        sources = reader.sources;
        for path in described {
            let is_read =
                compose_files::check_file(context, &path.to_string_lossy(), &mut findings);
            compose_files += usize::from(is_read);
            if !is_read {
                let failure =
                    Failure::usage(format!("Could not read \"{}\"", shown(&*context.host, path)));
                findings.add_without_place(
                    Rule::Unreadable,
                    failure.hint(
                        "a compose file outside of the project is checked from its own folder",
                    ),
                );
            }
        }
    }
    sources.find_circles(&mut findings);
    let of_tests = sources.of_tests();
    // Only if there are tests, because collecting them takes a while.
    let names_of_tests = tests
        .filter(|_| !of_tests.is_empty())
        .map(|tests| Names::all(&engine::for_reading(context, Some(tests))));
    let readings: BTreeMap<&str, ScriptAnalysis<'_>> = sources
        .parsed
        .iter()
        .map(|(name, parsed)| (name.as_str(), ScriptAnalysis::of(parsed)))
        .collect();
    let hosts = Hosts {
        runbooks: calls::Host::new(&names),
        tests: names_of_tests.as_ref().map(calls::Host::new),
        of_tests,
    };
    apply(context, &hosts, &sources, &readings, &mut findings);
    let mut named = BTreeSet::new();
    for name in sources.asked.iter().filter(|name| !hosts.of_tests.contains(name.as_str())) {
        if let (Some(parsed), Some(reading)) =
            (sources.parsed.get(name), readings.get(name.as_str()))
        {
            compose_files +=
                compose_files::check_named(context, parsed, reading, &mut named, &mut findings);
        }
    }
    // If files are named, only those are checked.
    let is_whole =
        paths.is_empty() || paths.iter().any(|path| here.join(path) == context.project.directory);
    let folders: Vec<&Path> =
        if is_whole { folders.iter().map(PathBuf::as_path).collect() } else { Vec::new() };
    compose_files += compose_files::check(context, &folders, &named, &mut findings);
    if is_whole {
        compose_files::remark(remarks, &mut findings);
    }
    Report { findings: findings.sorted(), files: sources.asked.len() + compose_files }
}

/// The functions for runbooks and for tests.
struct Hosts<'a> {
    runbooks: calls::Host<'a>,
    tests: Option<calls::Host<'a>>,
    /// The sources that are tests.
    of_tests: BTreeSet<&'a str>,
}

/// Applies all rules to all sources.
fn apply(
    context: &Arc<Context>,
    hosts: &Hosts<'_>,
    sources: &Sources,
    readings: &BTreeMap<&str, ScriptAnalysis<'_>>,
    findings: &mut Findings,
) {
    for (name, parsed) in sources.asked.iter().filter_map(|name| sources.parsed.get_key_value(name))
    {
        let Some(reading) = readings.get(name.as_str()) else { continue };
        let host = hosts
            .tests
            .as_ref()
            .filter(|_| hosts.of_tests.contains(name.as_str()))
            .unwrap_or(&hosts.runbooks);
        calls::Calls { host, sources, readings, findings }.check(parsed, reading);
        captures::check(parsed, reading, findings);
        values::check(parsed, reading, findings);
    }
    flow::check(context, sources, readings, findings);
}
