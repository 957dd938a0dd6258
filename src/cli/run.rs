//! `spc run`: a runbook.

use std::sync::Arc;

use clap::Args;

use super::Common;
use super::place::{self, plain};
use super::session::{RunOptions, Session};
use crate::api::context::Command;
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::script::{self, Outcome, Runbook};
use crate::ui::help;

/// Run a runbook.
#[derive(Args)]
pub struct Run {
    /// Remove containers of services that are no longer described
    #[arg(long)]
    remove_orphans: bool,
    /// Take over what Docker Compose made for a project of this name
    #[arg(long)]
    adopt: bool,
    /// The runbook, and its own options; `--help` after it shows them
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "RUNBOOK")]
    words: Vec<String>,
}

/// Runs; the exit code.
pub fn main(mut common: Common, mut run: Run) -> u8 {
    let runbook = run.words.remove(0);
    take_own_options(&mut common, &mut run);
    let session = Session::new(&common);
    let result = execute(&session, &common, &run, &runbook);
    session.end(result)
}

/// spc's own options may stand behind the runbook's name too: no runbook has others of these names.
fn take_own_options(common: &mut Common, run: &mut Run) {
    let end = run.words.iter().position(|word| word == "--").unwrap_or(run.words.len());
    let rest = run.words.split_off(end);
    run.words.retain(|word| {
        let flag = match word.as_str() {
            "--yes" => &mut common.yes,
            "--json" => &mut common.json,
            "--quiet" => &mut common.quiet,
            "--verbose" => &mut common.verbose,
            "--remove-orphans" => &mut run.remove_orphans,
            "--adopt" => &mut run.adopt,
            _ => return true,
        };
        *flag = true;
        false
    });
    run.words.extend(rest);
}

fn execute(session: &Session, common: &Common, run: &Run, runbook: &str) -> Result<(), Box<Diagnostic>> {
    if runbook.is_empty() {
        return Err(plain(Failure::usage("The name of the runbook is empty")));
    }
    let current = place::current_folder(&*session.host, common).map_err(plain)?;
    let path = current.join(runbook);
    // A runbook that is missing is the script host's to tell, with the nearest name; its project is then that of its folder.
    let real = session.host.canonicalize(&path).unwrap_or_else(|_| path.clone());
    let folder = real.parent().map_or_else(|| current.clone(), std::path::Path::to_path_buf);
    let place = place::find(&*session.host, common, &folder)?;
    let runtime = Session::runtime().map_err(plain)?;
    let options = RunOptions { remove_orphans: run.remove_orphans, adopt: run.adopt };
    let command = Command { name: format!("spc run {runbook}"), words: run.words.clone(), help: false };
    let context = Arc::new(session.context(common, place, runtime.handle(), options).with_command(command));
    Session::listen_for_interrupts(runtime.handle(), context.cancel.clone(), session.terminal.clone()).map_err(plain)?;
    let result = script::run(&context, &Runbook::File(path)).map(|outcome| {
        if let Outcome::Help(text) = outcome {
            session.print(&help::text(&text, session.terminal.width()));
        }
    });
    // What still runs on it (a stream of events) is not waited for.
    runtime.shutdown_background();
    result
}
