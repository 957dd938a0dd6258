//! What a script sees: one file per primitive, one table that registers them.
//!
//! - [`context`], [`task`]: what every native function works with
//! - [`args`] (with `words`), [`env`]: what a runbook is told
//! - [`control`], [`retry`], [`parallel`]: errors, waiting, side by side
//! - [`duration`], [`bytes`], [`text`], [`merge`], [`record`]: values

#![allow(
    clippy::wildcard_imports,
    clippy::unwrap_used,
    reason = "what rhai's `export_module` needs and expands to; no other code here unwraps"
)]

pub mod answer;
pub mod args;
pub mod bytes;
pub mod confirm;
pub mod container;
pub mod context;
pub mod control;
pub mod duration;
pub mod env;
pub mod exec;
mod files;
pub mod fs;
pub mod guarded;
pub mod healthcheck;
pub mod http;
pub mod image;
pub mod json;
pub mod log;
pub mod logs;
pub mod merge;
pub mod network;
pub mod parallel;
pub mod paths;
pub mod project;
pub mod record;
pub mod retry;
pub mod run;
pub mod secret;
pub mod service;
pub mod sh;
pub mod stack;
pub mod table;
pub mod task;
pub mod text;
pub mod time;
pub mod volume;
mod words;
pub mod yaml;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
pub(crate) mod trial;

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult};

pub use context::Context;

/// What a native function of scripts answers.
pub type Raw<T> = Result<T, Box<EvalAltResult>>;

/// The primitives: each file registers its own functions and types.
const PRIMITIVES: &[fn(&mut Engine)] = &[
    args::register,
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
