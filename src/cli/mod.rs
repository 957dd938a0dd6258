//! The command line: one file per verb. Puts the inhabitants into the ports.

mod check;
mod plan;
mod ps;
mod repl;
mod run;
mod session;
mod signals;
mod sweep;
mod test;
mod unlock;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::engine::docker::EngineChoice;
use crate::script::place::Wanted;

/// Stack automation in runbooks: bring a stack up, ready, and down again; run what a shell script
/// would do around it.
#[derive(Parser)]
#[command(name = "spc", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    verb: Verb,
}

/// Options of every verb.
#[derive(Args, Clone, Default)]
struct Common {
    /// Work as if started in this folder
    #[arg(short = 'C', long, value_name = "FOLDER", global = true)]
    directory: Option<PathBuf>,
    /// Project name, over the one that the runbook gives
    #[arg(short, long, value_name = "NAME", global = true)]
    project: Option<String>,
    /// File of variables, in place of the project's .env; may be given several times
    #[arg(long, value_name = "FILE", global = true)]
    env_file: Vec<PathBuf>,
    /// Docker Engine to use: unix:///path, tcp://host:port or ssh://user@host; without it
    /// DOCKER_HOST, then the Docker context in use
    #[arg(short = 'H', long, value_name = "ADDRESS", global = true)]
    host: Option<String>,
    /// Docker context to use, over DOCKER_HOST and the one in use
    #[arg(long, value_name = "NAME", global = true, conflicts_with = "host")]
    context: Option<String>,
    /// Only errors, and what the runbook prints
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Also debug lines, how each step begins, and all of a build's log
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    verbose: bool,
    /// One JSON object per line instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    yes: bool,
}

impl Common {
    /// Which project is meant.
    fn wanted(&self) -> Wanted {
        Wanted {
            directory: self.directory.clone(),
            project: self.project.clone(),
            env_file: self.env_file.clone(),
        }
    }

    /// The engine that is named.
    fn engine(&self) -> EngineChoice {
        EngineChoice { host: self.host.clone(), context: self.context.clone() }
    }
}

#[derive(Subcommand)]
enum Verb {
    /// Run a runbook
    Run(run::Run),
    /// Show what a runbook would do to the engine as it stands, and do nothing
    Plan(plan::Plan),
    /// Type lines of a runbook one by one, at a prompt; lines that are piped in run as a script
    Repl,
    /// Read scripts and tell what is wrong in them, without running anything
    Check(check::Check),
    /// Test runbooks: every function test_… of the files …_test.rhai, each on a simulated machine,
    /// in virtual time
    Test(test::Test),
    /// Show the project's containers
    Ps,
    /// Remove the lock that a lost run left on the project
    Unlock,
}

/// The process's work; its exit code: 0 done, 1 failed, 2 usage or script error, 3 `plan
/// --exit-code` found changes, 4 locked, 5 refused by policy, 130 interrupted.
pub fn main() -> ExitCode {
    let Cli { common, verb } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap prints help to standard output and errors to standard error; a closed one is no
            // news.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    ExitCode::from(match verb {
        Verb::Run(run) => run::main(common, run),
        Verb::Plan(plan) => plan::main(common, plan),
        Verb::Repl => repl::main(&common),
        Verb::Check(check) => check::main(&common, &check),
        Verb::Test(test) => test::main(&common, &test),
        Verb::Ps => ps::main(&common),
        Verb::Unlock => unlock::main(&common),
    })
}
