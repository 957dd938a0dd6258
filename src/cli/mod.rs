//! The command line: one file per verb. Chooses the implementations of the ports.

mod check;
mod common;
mod forced_end;
mod help_sections;
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

use clap::builder::Styles;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use common::CommonOptions;
use help_sections::{GLOBAL, examples};
use session::Session;

use crate::model::Failure;
use crate::script::project_context::plain;
use crate::ui::terminal::SUBJECT;

/// Automate Docker stacks with tested scripts.
#[derive(Parser)]
#[command(
    name = "spc",
    version,
    propagate_version = true,
    disable_help_flag = true,
    disable_version_flag = true,
    max_term_width = 100,
    styles = Styles::styled().header(SUBJECT).usage(SUBJECT),
    after_help = examples(&[
        ("spc run scripts/up.rhai", "Run a runbook"),
        ("spc plan scripts/up.rhai", "Show what it would change"),
        ("spc run scripts/up.rhai --help", "Show the options of a runbook"),
        ("spc help test", "Show the options of a command"),
    ]),
)]
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
    /// Show what a runbook would change, and change nothing
    #[command(
        override_usage = "spc plan [OPTIONS] <RUNBOOK> [ARGS]...\n       spc plan [OPTIONS] -e <CODE> [ARGS]...",
        after_help = examples(&[
            ("spc plan scripts/up.rhai", "Show what a runbook would do"),
            ("spc plan scripts/up.rhai --tag v2", "Show what it would do with these arguments"),
            ("spc plan scripts/up.rhai --exit-code", "Exit with code 3 if there are changes"),
        ]),
    )]
    Plan(plan::Plan),
    /// Find mistakes in scripts and compose files without running them
    Check(check::Check),
    /// Test runbooks on a simulated machine
    Test(test::Test),
    /// Open a prompt for lines of a runbook
    #[command(after_help = repl::examples())]
    Repl,
    /// List the containers of the project
    #[command(after_help = ps::examples())]
    Ps,
    /// Remove the lock of a run that no longer exists
    #[command(after_help = unlock::examples())]
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
    let help = clap::Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let version = clap::Arg::new("version").short('V').long("version").action(ArgAction::Version);
    // They end the list in every command, so they are options like the others.
    command
        .arg(help.help("Print help").global(true).help_heading(GLOBAL))
        .arg(version.help("Print version").global(true).help_heading(GLOBAL))
        .mut_subcommand("test", |test| test.args(hidden))
}

/// Does the work of the process and returns its exit code: 0 done, 1 failed, 2 usage or script
/// error, 3 `plan --exit-code` found changes, 4 locked, 5 rejected by policy, 6 a plan that ends
/// before its runbook does, 130 interrupted.
pub fn main() -> ExitCode {
    let parsed = command().try_get_matches().and_then(|given| Cli::from_arg_matches(&given));
    let Cli { common, verb } = match parsed {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(not_parsed(&named(error))),
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

/// The same error, but only the runbook is missing, not its arguments.
fn named(mut error: clap::Error) -> clap::Error {
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some(ContextValue::Strings(missing)) = error.get(ContextKind::InvalidArg)
    {
        let missing = missing.iter().map(|it| it.replace(" [ARGS]...", "")).collect();
        error.insert(ContextKind::InvalidArg, ContextValue::Strings(missing));
    }
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(tip) = instead_of(given)
    {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

/// What to type in place of a command of Docker Compose.
fn instead_of(command: &str) -> Option<String> {
    let code = match command {
        "up" | "down" | "start" | "stop" | "restart" | "build" | "pull" => {
            format!("compose().{command}()")
        }
        "logs" => "for line in compose().logs() { print(line); }".to_owned(),
        "exec" => "print(exec(\"SERVICE\", [\"COMMAND\", \"ARGUMENT\"]).stdout)".to_owned(),
        _ => return None,
    };
    Some(format!(
        "with the compose file of this folder: spc run -e '{code}'; with a runbook: spc run scripts/{command}.rhai"
    ))
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
