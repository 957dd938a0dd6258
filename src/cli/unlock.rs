//! `spc unlock`: removes the lock that a lost run left.

use super::CommonOptions;
use super::help_sections;
use super::project_at_hand::ProjectAtHand;
use super::session::Session;
use crate::api::project;
use crate::apply::lock;
use crate::host::{Liveness, StandardStream};
use crate::model::diagnostic::Diagnostic;
use crate::model::{Failure, Kind};
use crate::script::project_context::plain;

/// What its help shows at the end.
pub fn examples() -> String {
    help_sections::examples(&[
        ("spc unlock", "Remove the lock; asks if its run may still exist"),
        ("spc unlock --project shop --yes", "Remove the lock of another project without asking"),
    ])
}

/// Asks, and removes the lock. Returns the exit code.
pub fn main(common: &CommonOptions) -> u8 {
    let session = Session::new(common);
    session.end(Session::attempt(|| execute(&session, common)))
}

fn execute(session: &Session, common: &CommonOptions) -> Result<(), Box<Diagnostic>> {
    let ProjectAtHand { context, name, .. } = &ProjectAtHand::find(session, common)?;
    let work = async {
        let ctx = project::verb_context(context, name).await?;
        let Some(lock::ExistingLock { id, content }) = lock::holder(&ctx, name).await? else {
            session.inform(&format!("The project \"{name}\" is not locked"));
            return Ok(());
        };
        // The lock of a newer spc is removed like any other: the person may have no newer one.
        let (holder, who) = match content {
            Ok(holder) => {
                let who = lock::described(holder.as_ref());
                (holder, who)
            }
            Err(error) if error.is_newer() => (None, "a run of a newer version of spc".to_owned()),
            Err(error) => (None, format!("a run whose name can't be read: {error}")),
        };
        let liveness = lock::liveness(&ctx, holder.as_ref());
        if !common.yes && liveness != Liveness::Gone {
            let who = if liveness == Liveness::Alive {
                format!("{who}, which is running on this machine")
            } else {
                who
            };
            if !ctx.host.is_terminal(StandardStream::Stdin) {
                return Err(Failure::usage(format!("The project \"{name}\" is locked by {who}"))
                    .hint("without a terminal to ask on, --yes removes the lock"));
            }
            let question = format!(
                "The project \"{name}\" is locked by {who}. Is that run really gone? [y/N] "
            );
            let answer = ctx
                .host
                .ask(&question)
                .await
                .map_err(|error| Failure::new(Kind::Failed, error.to_string()))?;
            if !answer
                .is_some_and(|answer| ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
            {
                return Err(Failure::new(Kind::Interrupted, "The lock was not removed"));
            }
        }
        lock::remove(&*ctx.engine, &id).await?;
        session.inform(&format!("The lock of \"{name}\" is removed"));
        Ok(())
    };
    context.executor.block_on(work).map_err(plain)
}
