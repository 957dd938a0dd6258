//! Static reading of scripts: what can be told of them without running anything.
//!
//! - [`rule`]: the rules and their names; [`findings`]: what was found, in order
//! - [`files`]: which files are meant; [`sources`], [`parsed`]: read, with what they import
//! - [`reading`]: what names mean and what is called, one walk for all rules
//! - [`words`], [`calls`], [`captures`]: reserved words, functions, closures
//! - [`flow`]: where the literals of descriptions and options stand; [`descriptions`], [`references`], [`options`]: what is wrong in them
//! - [`strings`], [`probes`]: what is no error and not meant either

pub mod calls;
pub mod captures;
pub mod descriptions;
pub mod files;
pub mod findings;
pub mod flow;
pub mod literal;
pub mod options;
pub mod parsed;
pub mod probes;
pub mod reading;
pub mod references;
pub mod rule;
pub mod sources;
pub mod strings;
pub mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::api::Context;
use crate::model::diagnostic::Diagnostic;
use crate::script::engine::{self, For};
use crate::script::names::Names;
use crate::script::{Library, on_script_thread};

use findings::Findings;
use parsed::Parsed;
use reading::Reading;
use sources::{Reader, Sources};

pub use rule::Rule;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// By file, line and column.
    pub findings: Vec<Diagnostic>,
    /// How many files were checked.
    pub files: usize,
}

/// Checks the files at `paths`, absolute or relative to the folder `here`; a folder is all scripts below it. Without any, all
/// scripts of the project that `here` is in.
pub fn check(context: &Arc<Context>, here: &std::path::Path, paths: &[PathBuf]) -> Result<Report, Box<Diagnostic>> {
    on_script_thread(context, || Ok(read(context, here, paths)))
}

fn read(context: &Arc<Context>, here: &std::path::Path, paths: &[PathBuf]) -> Report {
    let engine = engine::for_reading(context, For::Runbooks);
    let names = Names::all(&engine);
    let spc = Names::host(&engine);
    let mut findings = Findings::default();
    let mut sources = Sources::default();
    for group in files::find(&*context.host, here, paths, &mut findings) {
        let library = Library::new(context.host.clone(), group.root);
        let mut reader = Reader { library: &library, engine: &engine, names: &spc, findings: &mut findings, sources };
        for path in &group.files {
            reader.ask(path);
        }
        sources = reader.sources;
    }
    sources.find_circles(&mut findings);
    let readings: BTreeMap<&str, Reading<'_>> = sources.parsed.iter().map(|(name, parsed)| (name.as_str(), Reading::of(parsed))).collect();
    apply(context, &names, &sources, &readings, &mut findings);
    Report { findings: findings.sorted(), files: sources.asked.len() }
}

/// All rules, on all that was read.
fn apply(context: &Arc<Context>, names: &Names, sources: &Sources, readings: &BTreeMap<&str, Reading<'_>>, findings: &mut Findings) {
    let asked: Vec<&Parsed> = sources.asked.iter().filter_map(|name| sources.parsed.get(name)).collect();
    let of_runbooks = calls::Host::new(names);
    // Tests know more functions than runbooks.
    let names_of_tests =
        asked.iter().any(|parsed| is_test(&parsed.source.name)).then(|| Names::all(&engine::for_reading(context, For::Tests)));
    let of_tests = names_of_tests.as_ref().map(calls::Host::new);
    for parsed in &asked {
        let Some(reading) = readings.get(parsed.source.name.as_str()) else { continue };
        let host = of_tests.as_ref().filter(|_| is_test(&parsed.source.name)).unwrap_or(&of_runbooks);
        calls::Calls { host, sources, readings, findings }.check(parsed, reading);
        captures::check(parsed, reading, findings);
    }
    flow::check(context, sources, readings, findings);
}

/// Whether a file has tests, by its name.
fn is_test(name: &str) -> bool {
    name.ends_with("_test.rhai")
}
