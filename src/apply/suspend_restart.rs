//! Keeps an old container down that was stopped for its successor, even if the engine restarts.
//! With `restart: always` the engine would start it beside the new one, on the same volumes.

use super::actions::RunState;
use super::create::restart_policy;
use super::execute::Execution;
use super::failures::of_engine;
use super::observe::inspect;
use crate::model::spec::Restart;
use crate::model::{Failure, Kind};

impl Execution<'_> {
    /// Call this before the container is stopped. If a kill prevents the policy from being
    /// restored, the engine still restarts it, except after a stop by hand.
    pub(super) async fn suspend_restart(
        &self,
        run_state: &RunState,
        id: &str,
    ) -> Result<(), Failure> {
        let engine = &*self.ctx.engine;
        match inspect(engine, id).await {
            Ok(found) if found.restarts_with_engine => {}
            Ok(_) => return Ok(()),
            Err(failure) if failure.kind == Kind::NotFound => return Ok(()),
            Err(failure) => return Err(failure),
        }
        let changed = engine.container_update(id, restart_policy(Restart::UnlessStopped)).await;
        changed.map_err(|error| of_engine(error, "change the restart policy of a container"))?;
        run_state.with(|known| known.suspended.insert(id.to_owned()));
        Ok(())
    }

    /// Call this after the container was started again, because its successor failed.
    pub(super) async fn restore_restart(
        &self,
        run_state: &RunState,
        id: &str,
    ) -> Result<(), Failure> {
        if !run_state.with(|known| known.suspended.remove(id)) {
            return Ok(());
        }
        let put_back = self.ctx.engine.container_update(id, restart_policy(Restart::Always)).await;
        put_back.map_err(|error| of_engine(error, "restore the restart policy of a container"))
    }
}
