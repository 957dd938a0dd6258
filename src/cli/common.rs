//! Options that every verb takes.

use std::path::PathBuf;

use clap::Args;

use crate::engine::docker::EngineChoice;
use crate::script::project_context::ProjectOptions;

/// Options of every verb.
#[derive(Args, Clone, Default)]
pub(super) struct CommonOptions {
    /// Work as if started in this folder
    #[arg(short = 'C', long, value_name = "FOLDER", global = true)]
    pub(super) directory: Option<PathBuf>,
    /// Project name, over the one that the runbook gives
    #[arg(short, long, value_name = "NAME", global = true)]
    pub(super) project: Option<String>,
    /// File of variables, in place of the project's .env; may be given several times
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) env_file: Vec<PathBuf>,
    /// Docker Engine to use: unix:///path, tcp://host:port or ssh://user@host; without it
    /// DOCKER_HOST, then the Docker context in use
    #[arg(short = 'H', long, value_name = "ADDRESS", global = true)]
    pub(super) host: Option<String>,
    /// Docker context to use, over DOCKER_HOST and the one in use
    #[arg(long, value_name = "NAME", global = true, conflicts_with = "host")]
    pub(super) context: Option<String>,
    /// Only errors, and what the runbook prints
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Also debug lines, how each step begins, and all of a build's log
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// One JSON object per line instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Answer every question with yes
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
