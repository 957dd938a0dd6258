//! The command line: one file per verb. Chooses the implementations of the ports.

mod check;
mod common;
mod forced_end;
mod plan;
mod project_at_hand;
mod ps;
mod repl;
mod run;
mod session;
mod signals;
mod sweep;
mod test;
mod unlock;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use common::CommonOptions;
use session::Session;

use crate::model::Failure;
use crate::script::project_context::plain;

/// Stack automation in runbooks: bring a stack up, ready, and down again; run what a shell script
/// would do around it.
#[derive(Parser)]
#[command(name = "spc", version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: CommonOptions,
    #[command(subcommand)]
    verb: Verb,
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

/// The command line. A verb's help lists the options of all verbs but for those that it refuses.
fn command() -> clap::Command {
    let command = Cli::command();
    let is_refused = |option: &clap::Arg| test::REFUSED.contains(&option.get_id().as_str());
    // A verb's own option of that name goes before the one of all verbs.
    let hidden: Vec<clap::Arg> = command
        .get_arguments()
        .filter(|it| is_refused(it))
        .map(|it| it.clone().hide(true))
        .collect();
    command.mut_subcommand("test", |test| test.args(hidden))
}

/// Does the work of the process and returns its exit code: 0 done, 1 failed, 2 usage or script
/// error, 3 `plan --exit-code` found changes, 4 locked, 5 rejected by policy, 6 a plan that ends
/// before its runbook does, 130 interrupted.
pub fn main() -> ExitCode {
    let parsed = command().try_get_matches().and_then(|given| Cli::from_arg_matches(&given));
    let Cli { common, verb } = match parsed {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(not_parsed(&error)),
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

/// Prints why no command is run: help, the version, or what is wrong with the arguments. The exit
/// code.
fn not_parsed(error: &clap::Error) -> u8 {
    // Not known from what was parsed, as nothing was.
    let json = std::env::args_os().take_while(|word| word != "--").any(|word| word == "--json");
    if !json {
        // clap prints help to standard output and errors to standard error; a closed one is no
        // news.
        let _ = error.print();
        return if error.use_stderr() { 2 } else { 0 };
    }
    let session = Session::new(&CommonOptions { json, ..CommonOptions::default() });
    let text = error.render().to_string();
    if !error.use_stderr() {
        session.print(text.trim_end());
        return session.end(Ok(()));
    }
    let mut parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    let message = parts.next().unwrap_or_default().trim_start_matches("error: ");
    let failure = Failure::usage(message);
    let rest = parts.collect::<Vec<_>>().join("\n");
    session.end(Err(plain(if rest.is_empty() { failure } else { failure.hint(rest) })))
}
