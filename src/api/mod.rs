//! What a script sees: one file per primitive, one table that registers them.
//!
//! What every native function works with:
//! - [`context`], [`script_state`], [`watch`]: the run, what the script accumulates, who follows it
//! - [`task`], [`thread_task`]: the task that a function runs in, and its cancel token
//! - [`native`], [`handles`], [`project`]: results and their errors, handles, what verbs share
//! - [`paths`], [`describe`], [`secret_rules`]: paths, descriptions and secrets, checked
//! - [`assume_option`]: the answer that a plan goes on with
//! - [`options`]: which functions take options, and their readers
//!
//! Stacks and the engine's objects:
//! - [`stack`], [`service`], [`container`], [`image`], [`network`], [`volume`]
//! - [`compose`], [`profiles`]: compose files, and the variables that name profiles and files
//! - [`exec`], [`run`], [`healthcheck`], [`files`], [`logs`], [`rows`]: in and about containers
//!
//! The run and its surroundings:
//! - [`args`], [`arg_parser`], [`declared_option`], [`option_choices`], [`saved_options`]: a
//!   runbook's options
//! - [`env`], [`unused_variables`]: variables
//! - [`secret`], [`declared_secrets`]: secrets as tokens, and those that descriptions declare
//! - [`control`], [`retry`], [`parallel`], [`guarded`], [`unfinished_guards`]: errors, waiting, side
//!   by side, undo
//! - [`fs`], [`http`], [`sh`], [`certificate`]: the machine that spc runs on
//! - [`confirm`], [`log`], [`table`]: what a person is asked and shown
//!
//! Values: [`answer`], [`bytes`], [`duration`], [`time`], [`json`], [`yaml`], [`text`], [`merge`],
//! [`record`], [`sorting`], [`printing`], [`growth`].

#![allow(
    clippy::wildcard_imports,
    clippy::unwrap_used,
    reason = "what rhai's `export_module` needs and expands to; no other code here unwraps"
)]

/// The module that `rhai::export_module` makes of a Rust module, with its name in scripts if it has
/// one. Made once in a process: its functions find the run's context in the call.
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
                // Without it Rhai copies the module to name it.
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
pub mod compose;
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
pub(crate) mod fixture;
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
    // What others define for types of their own has to come after what is for all.
    growth::register,
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

/// Makes every primitive known to `engine`, for the run of `context`.
pub fn register(engine: &mut Engine, context: &Arc<Context>) {
    engine.set_default_tag(Dynamic::from(context.clone()));
    for primitive in PRIMITIVES {
        primitive(engine);
    }
}

#[cfg(test)]
mod tests {
    use super::harness::Harness;

    /// Name, namespace and comments of every function of spc's own that scripts call by name.
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
