//! The functions for scripts: one file per primitive, one table that registers them.
//!
//! Shared by all native functions:
//! - [`context`], [`script_state`], [`watch`]: the run, the state of the script, its observer
//! - [`task`], [`thread_task`]: the task of a function, and its cancel token
//! - [`native`], [`handles`], [`project`]: results and errors, handles, code that verbs share
//! - [`paths`], [`describe`], [`secret_rules`]: checks of paths, descriptions and secrets
//! - [`assume_option`]: the answer with which a plan continues
//! - [`options`]: which functions take options, and their readers
//!
//! Stacks and the engine's objects:
//! - [`stack`], [`service`], [`container`], [`image`], [`network`], [`volume`]
//! - [`replacement`], [`figures`]: the parts of a service's replacement, and the figures of a proxy's access log, for deployments
//! - [`compose`], [`compose_files`], [`profiles`]: compose files, and the variables that name
//!   profiles and files
//! - [`exec`], [`run`], [`healthcheck`], [`files`], [`logs`], [`rows`]: work in containers, and
//!   information about them
//!
//! The run and the machine:
//! - [`args`], [`arg_parser`], [`declared_option`], [`option_choices`], [`saved_options`]: a
//!   runbook's options
//! - [`env`], [`unused_variables`]: variables
//! - [`secret`], [`declared_secrets`]: secrets as tokens, and secrets that descriptions declare
//! - [`control`], [`retry`], [`parallel`], [`guarded`], [`unfinished_guards`]: errors, waits,
//!   parallel tasks, undo
//! - [`fs`], [`http`], [`sh`], [`certificate`]: the machine where spc runs
//! - [`confirm`], [`log`], [`table`]: questions and messages for a person
//!
//! Values: [`answer`], [`bytes`], [`comparisons`], [`duration`], [`time`], [`json`], [`yaml`],
//! [`text`], [`merge`], [`record`], [`sorting`], [`printing`], [`growth`].

#![allow(
    clippy::wildcard_imports,
    clippy::unwrap_used,
    reason = "what rhai's `export_module` needs and expands to; no other code here unwraps"
)]

/// The module that `rhai::export_module` makes from a Rust module, with its name for scripts if it
/// has one. It is made once per process: its functions find the context of the run in the call.
macro_rules! shared_module {
    ($module:ident) => {{
        static MODULE: std::sync::LazyLock<rhai::Shared<rhai::Module>> =
            std::sync::LazyLock::new(|| rhai::exported_module!($module).into());
        MODULE.clone()
    }};
    ($module:ident, $name:literal) => {{
        static MODULE: std::sync::LazyLock<rhai::Shared<rhai::Module>> =
            std::sync::LazyLock::new(|| {
                let mut module = rhai::exported_module!($module);
                // Without an id Rhai copies the module to name it.
                module.set_id($name);
                module.into()
            });
        MODULE.clone()
    }};
}
pub(crate) use shared_module;

pub mod answer;
mod arg_parser;
pub mod args;
mod assume_option;
pub mod bytes;
pub mod certificate;
pub mod changes;
mod comparisons;
pub mod compose;
pub mod compose_files;
pub mod confirm;
pub mod container;
pub mod context;
pub mod control;
mod declared_option;
mod declared_secrets;
pub mod describe;
pub mod duration;
pub mod env;
pub mod exec;
mod figures;
mod files;
pub mod fs;
mod growth;
pub mod guarded;
mod handles;
pub mod healthcheck;
pub mod http;
pub mod image;
pub mod json;
pub mod log;
pub mod logs;
pub mod merge;
mod native;
pub mod network;
mod option_choices;
pub mod options;
pub mod parallel;
pub mod paths;
pub mod printing;
mod profiles;
pub mod project;
pub mod record;
mod releases;
mod replacement;
pub mod retry;
mod rows;
pub mod run;
mod saved_options;
mod script_state;
pub mod secret;
mod secret_rules;
pub mod service;
pub mod sh;
mod sorting;
pub mod stack;
pub mod table;
pub mod task;
pub mod text;
mod thread_task;
pub mod time;
mod unfinished_guards;
mod unused_variables;
pub mod volume;
mod watch;
pub mod yaml;

#[cfg(test)]
pub(crate) mod harness;
#[cfg(test)]
mod secret_places;

use std::sync::Arc;

use rhai::{Dynamic, Engine};

pub use context::Context;
pub use native::Raw;
use native::placed;

/// The primitives: each file registers its own functions and types.
const PRIMITIVES: &[fn(&mut Engine)] = &[
    // Functions for all types come first. Functions that others define for types of their own come
    // later.
    growth::register,
    comparisons::register,
    args::register,
    compose::register,
    container::register,
    exec::register,
    guarded::register,
    healthcheck::register,
    image::register,
    logs::register,
    network::register,
    run::register,
    figures::register,
    releases::register,
    replacement::register,
    service::register,
    stack::register,
    volume::register,
    answer::register,
    bytes::register,
    certificate::register,
    confirm::register,
    control::register,
    duration::register,
    env::register,
    fs::register,
    http::register,
    json::register,
    log::register,
    merge::register,
    parallel::register,
    record::register,
    retry::register,
    secret::register,
    sh::register,
    table::register,
    text::register,
    time::register,
    yaml::register,
];

/// Registers every primitive with `engine`, for the run of `context`.
pub fn register(engine: &mut Engine, context: &Arc<Context>) {
    engine.set_default_tag(Dynamic::from(context.clone()));
    for primitive in PRIMITIVES {
        primitive(engine);
    }
}

#[cfg(test)]
mod tests {
    use super::harness::Harness;

    /// Name, namespace and comments of every function of spc that scripts call by name.
    fn documented() -> Vec<(String, String)> {
        let mut engine = rhai::Engine::new();
        super::register(&mut engine, &Harness::new().context);
        let functions = engine.collect_fn_metadata(
            None,
            |info| {
                Some((
                    format!("{} {}", info.namespace, info.metadata.name),
                    info.metadata.comments.join("\n"),
                ))
            },
            false,
        );
        functions
            .into_iter()
            .filter(|(name, _)| !name.contains('$') && name.contains(char::is_alphabetic))
            .collect()
    }

    #[test]
    fn every_function_says_what_it_does() {
        let silent: Vec<String> = documented()
            .into_iter()
            .filter(|(name, comment)| comment.is_empty() && !name.contains("to_"))
            .map(|(name, _)| name)
            .collect();
        assert_eq!(silent, Vec::<String>::new());
    }

    #[test]
    fn every_example_runs() {
        let mut count = 0;
        for (name, comment) in documented() {
            let text: String = comment
                .lines()
                .map(|line| format!("{}\n", line.trim_start_matches('/').trim_start()))
                .collect();
            for example in text.split("```rhai\n").skip(1) {
                let example = example.split("```").next().unwrap_or_default();
                let asserts = "fn assert(yes) { if !yes { throw \"not so\"; } } fn assert_eq(a, b) { if a != b { throw `${a} is not ${b}`; } }";
                let said = Harness::with_variables(&[("POSTGRES_USER", "postgres")])
                    .try_text(&format!("{asserts}\n{example}"));
                assert!(said.is_ok(), "{name}: {example}\n{said:?}");
                count += 1;
            }
        }
        assert!(count > 40, "{count} examples");
    }
}
