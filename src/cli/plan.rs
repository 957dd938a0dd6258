//! `spc plan`: what a runbook would do.

use clap::Args;

use super::CommonOptions;
use super::run::{Origin, RunbookArgs, origin};
use super::session::Session;
use super::signals;
use crate::api::context::Command;
use crate::model::diagnostic::Diagnostic;
use crate::model::masking::Masked;
use crate::model::preview::Preview;
use crate::model::{Failure, Kind};
use crate::plan::{PlanOutcome, PlanRequest, plan};
use crate::script::project_context::{RunOptions, plain};
use crate::script::resolver::source_text;
use crate::ui::help;
use crate::ui::preview::{self, Detail};

/// The exit code for changes, if requested.
pub const CHANGES: u8 = 3;

/// The exit code for a plan that ends before the runbook does.
pub const INCOMPLETE: u8 = 6;

/// Show what a runbook would do, and do nothing.
#[derive(Args)]
#[command(
    override_usage = "spc plan [OPTIONS] <RUNBOOK>...\n       spc plan [OPTIONS] -e <CODE> [WORD]..."
)]
pub struct Plan {
    /// Show every step with its dependencies, not only what changes
    #[arg(long)]
    all_steps: bool,
    /// Exit with code 3 if there are changes
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    words: RunbookArgs,
}

/// Plans. Returns the exit code.
pub fn main(mut common: CommonOptions, mut given: Plan) -> u8 {
    let from = origin(&mut given.words);
    let own = &mut [("--exit-code", &mut given.exit_code), ("--all-steps", &mut given.all_steps)];
    given.words.take_own_options(&mut common, own);
    let detail = if given.all_steps { Detail::AllSteps } else { Detail::Changes };
    let session = Session::new(&common);
    match Session::attempt(|| execute(&session, &common, &given.words, from, detail)) {
        Ok(PlanResult { refused: true, .. }) => session.end_with(Kind::Policy.exit_code(), false),
        Ok(PlanResult { incomplete: true, .. }) => session.end_with(INCOMPLETE, false),
        Ok(PlanResult { changes: true, .. }) if given.exit_code => session.end_with(CHANGES, true),
        result => session.end(result.map(drop)),
    }
}

/// The facts about a plan that decide about the exit code.
#[derive(Default)]
struct PlanResult {
    /// There is something to do.
    changes: bool,
    /// It ends before the runbook does.
    incomplete: bool,
    /// It ends at something that `spc.toml` doesn't allow.
    refused: bool,
}

fn execute(
    session: &Session,
    common: &CommonOptions,
    words: &RunbookArgs,
    from: Origin,
    detail: Detail,
) -> Result<PlanResult, Box<Diagnostic>> {
    let runtime = Session::runtime().map_err(plain)?;
    signals::leave_at_once(session).map_err(plain)?;
    let found = from.find(session, common)?;
    let mut options = RunOptions {
        remove_orphans: words.remove_orphans,
        adopt: words.adopt,
        renew_anonymous_volumes: words.renew_anon_volumes,
        wait_lock: words.wait_lock,
        assume_yes: common.yes,
    };
    let own = options.take(words.words()).map_err(plain)?;
    let command = Command { name: from.command("plan"), words: own, help: false };
    let runbook = from.runbook(found.path.clone(), &found.imports, &|| {
        let content = runtime
            .block_on(session.host.read_stdin())
            .map_err(|error| Failure::new(Kind::Failed, error.message))?;
        source_text("standard input", &content)
    })?;
    let planning = PlanRequest {
        host: session.host.clone(),
        executor: crate::host::TaskExecutor::Real(runtime.handle().clone()),
        connector: std::sync::Arc::new(session.connector(common)),
        secrets: session.secrets.clone(),
        place: session.keep_from_engines(common, found.place),
        options,
        command,
        width: session.terminal.width(),
        on_wait: session.waiting(),
    };
    let planned = plan(&planning, &runbook);
    // Don't wait for its running tasks.
    runtime.shutdown_background();
    match planned? {
        PlanOutcome::Help(text) => {
            session.print(&help::text(&text, session.terminal.width()));
            Ok(PlanResult::default())
        }
        PlanOutcome::Preview(made) => {
            let ends = made.ends.as_ref();
            let result = PlanResult {
                changes: made.changes(),
                incomplete: ends.is_some(),
                refused: ends.is_some_and(|ends| ends.refused),
            };
            show(session, common, &made, detail);
            Ok(result)
        }
        PlanOutcome::Failed(made, diagnostic) => {
            show(session, common, &made, detail);
            Err(diagnostic)
        }
    }
}

fn show(session: &Session, common: &CommonOptions, made: &Masked<Preview>, detail: Detail) {
    if common.json {
        session.json_lines().plan(made);
    } else {
        preview::print(&session.terminal, made, detail);
    }
}
