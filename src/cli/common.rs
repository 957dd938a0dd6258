//! Options that every verb takes.

use std::path::PathBuf;

use clap::Args;

use super::help_sections::GLOBAL;
use crate::engine::docker::EngineChoice;
use crate::script::project_context::ProjectOptions;

/// Options of every verb.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = GLOBAL)]
pub(super) struct CommonOptions {
    /// Run as if spc was started in this folder
    #[arg(short = 'C', long, value_name = "FOLDER", global = true)]
    pub(super) directory: Option<PathBuf>,
    /// Project name; overrides the one in the runbook
    #[arg(short, long, value_name = "NAME", global = true)]
    pub(super) project: Option<String>,
    /// Read variables from this file instead of the project's .env; repeatable
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) env_file: Vec<PathBuf>,
    /// Docker Engine to use: unix:///path, tcp://host:port or ssh://user@host [default:
    /// DOCKER_HOST, or the engine of the current Docker context]
    #[arg(short = 'H', long, value_name = "ADDRESS", global = true)]
    pub(super) host: Option<String>,
    /// Docker context to use; overrides DOCKER_HOST and the current context
    #[arg(long, value_name = "NAME", global = true, conflicts_with = "host")]
    pub(super) context: Option<String>,
    /// Print only errors and the output of the runbook
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Also print debug messages, the start of each step, and full build logs
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// Print one JSON object per line instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Answer yes to every question
    #[arg(short, long, global = true)]
    pub(super) yes: bool,
}

impl CommonOptions {
    /// The project that the options name.
    pub(super) fn wanted(&self) -> ProjectOptions {
        ProjectOptions {
            directory: self.directory.clone(),
            project: self.project.clone(),
            env_file: self.env_file.clone(),
        }
    }

    /// The engine that the options name.
    pub(super) fn engine(&self) -> EngineChoice {
        EngineChoice { host: self.host.clone(), context: self.context.clone() }
    }
}
