//! `spc run`: a runbook.

use std::sync::Arc;

use clap::Args;

use super::Common;
use super::repl;
use super::session::Session;
use crate::api::context::Command;
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::script::place::{self, RunOptions, plain};
use crate::script::{self, Outcome, Runbook};
use crate::ui::help;

/// What code on the command line is called in messages.
const WORDS: &str = "<command line>";

/// Run a runbook.
#[derive(Args)]
#[command(override_usage = "spc run [OPTIONS] <RUNBOOK>...\n       spc run [OPTIONS] -e <CODE> [WORD]...")]
pub struct Run {
    /// Remove containers of services that are no longer described
    #[arg(long)]
    remove_orphans: bool,
    /// Take over what Docker Compose made for a project of this name
    #[arg(long)]
    adopt: bool,
    /// Run this code in place of a file; the words after it are the code's own options
    #[arg(short = 'e', value_name = "CODE", allow_hyphen_values = true)]
    code: Option<String>,
    /// The runbook, or - for standard input, and its own options; `--help` after it shows them
    #[arg(required_unless_present = "code", trailing_var_arg = true, allow_hyphen_values = true, value_name = "RUNBOOK")]
    words: Vec<String>,
}

/// Runs; the exit code.
pub fn main(mut common: Common, mut run: Run) -> u8 {
    let origin = match run.code.take() {
        Some(code) => Origin::Words(code),
        None => match run.words.remove(0) {
            word if word == "-" => Origin::Stdin,
            word => Origin::File(word),
        },
    };
    take_own_options(&mut common, &mut run);
    let session = Session::new(&common);
    let result = execute(&session, &common, &run, origin);
    session.end(result)
}

/// spc's own options may stand behind the runbook's name too: no runbook has others of these names.
fn take_own_options(common: &mut Common, run: &mut Run) {
    let end = run.words.iter().position(|word| word == "--").unwrap_or(run.words.len());
    let rest = run.words.split_off(end);
    run.words.retain(|word| {
        let flag = match word.as_str() {
            "--json" => &mut common.json,
            "--quiet" => &mut common.quiet,
            "--verbose" => &mut common.verbose,
            _ => return true,
        };
        *flag = true;
        false
    });
    run.words.extend(rest);
}

/// Where the runbook is.
enum Origin {
    File(String),
    /// `-`.
    Stdin,
    /// `-e`.
    Words(String),
}

impl Origin {
    /// How it is called, for help and messages.
    fn command(&self) -> String {
        match self {
            Self::File(name) => format!("spc run {name}"),
            Self::Stdin => "spc run -".to_owned(),
            Self::Words(_) => "spc run -e CODE".to_owned(),
        }
    }
}

fn execute(session: &Session, common: &Common, run: &Run, origin: Origin) -> Result<(), Box<Diagnostic>> {
    if matches!(&origin, Origin::File(name) if name.is_empty()) {
        return Err(plain(Failure::usage("The name of the runbook is empty")));
    }
    let host = &*session.host;
    let current = place::current_folder(host, &common.wanted()).map_err(plain)?;
    let path = if let Origin::File(name) = &origin { Some(current.join(name)) } else { None };
    // A runbook that is missing is the script host's to tell, with the nearest name; its project is then that of its folder.
    let real = path.as_ref().map(|path| host.canonicalize(path).unwrap_or_else(|_| path.clone()));
    let folder = real.as_ref().and_then(|real| real.parent()).unwrap_or(&current);
    let place = place::find(host, &common.wanted(), folder)?;
    let imports = repl::imports_folder(host, place.root.as_deref(), &current);
    let runtime = Session::runtime().map_err(plain)?;
    let mut options = RunOptions { remove_orphans: run.remove_orphans, adopt: run.adopt, assume_yes: common.yes };
    let words = options.take(run.words.clone());
    let command = Command { name: origin.command(), words, help: false };
    let context = Arc::new(session.context(common, place, runtime.handle(), options).with_command(command));
    Session::listen_for_interrupts(runtime.handle(), context.cancel.clone(), session.terminal.clone()).map_err(plain)?;
    let runbook = match (origin, path) {
        (Origin::Words(text), _) => Ok(Runbook::Code { name: WORDS.to_owned(), folder: imports, text }),
        (_, Some(path)) => Ok(Runbook::File(path)),
        _ => repl::read_stdin(&context).map(|text| Runbook::Code { name: repl::STDIN.to_owned(), folder: imports, text }),
    };
    let result = runbook.map_err(plain).and_then(|runbook| script::run(&context, &runbook)).map(|outcome| {
        if let Outcome::Help(text) = outcome {
            session.print(&help::text(&text, session.terminal.width()));
        }
    });
    // What still runs on it (a stream of events) is not waited for.
    runtime.shutdown_background();
    result
}
