//! `sim::`: the simulated machine of a test.

use std::time::Duration;

use rhai::plugin::*;
use rhai::{Dynamic, Engine};

use super::placed;
use crate::api::Raw;
use crate::engine::sim::When;
use crate::model::Failure;
use crate::model::suggest::did_you_mean;
use crate::value::options::duration_of;
use crate::value::text::plain;

/// Makes `sim::` known.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("sim", rhai::exported_module!(module).into());
}

fn kill(number: i64, when: When) -> Result<(u64, When), Failure> {
    match u64::try_from(number) {
        Ok(call) if call > 0 => Ok((call, when)),
        _ => Err(Failure::usage(format!("There is no call {number}: they count from 1"))),
    }
}

#[export_module]
mod module {
    /// Sets a variable of the environment for the runbooks that run from now on; `()` unsets it.
    ///
    /// ```rhai
    /// sim::env("POSTGRES_PASSWORD", "a test's own");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn env(call: NativeCallContext, name: &str, value: Dynamic) -> Raw<()> {
        placed(&call, |lab| {
            let text = (!value.is_unit()).then(|| plain(&value));
            lab.world.host.set_variable(name, text.as_deref());
            Ok(())
        })
    }

    /// Virtual time since the test began.
    ///
    /// ```rhai
    /// sim::pass("10m");
    /// assert(sim::now() >= duration("10m"));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn now(call: NativeCallContext) -> Raw<Duration> {
        placed(&call, |lab| Ok(lab.world.conductor.now()))
    }

    /// Lets time pass: containers exit, checks are made, traffic comes.
    ///
    /// ```rhai
    /// sim::pass("1h");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn pass(call: NativeCallContext, time: Dynamic) -> Raw<()> {
        let context = crate::api::Context::of(&call)?;
        placed(&call, |_| {
            let time = duration_of(&time)?;
            crate::api::task::wait(&context, async {
                context.host.sleep(time).await;
                Ok(())
            })
        })
    }

    /// Kills the next run at its `k`-th engine call, before the engine hears of it.
    ///
    /// ```rhai,no_run
    /// sim::kill_at(12);
    /// assert(runbook("up").killed);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn kill_at(call: NativeCallContext, k: i64) -> Raw<()> {
        placed(&call, |lab| {
            let kill = kill(k, When::Before)?;
            lab.order(|orders| orders.kill = Some(kill));
            Ok(())
        })
    }

    /// Kills the next run at its `k`-th engine call, `"before"` the engine hears of it, or `"after"` it has done it.
    ///
    /// ```rhai,no_run
    /// sim::kill_at(12, "after");
    /// assert(runbook("up").killed);
    /// ```
    #[rhai_fn(name = "kill_at", return_raw, volatile)]
    pub fn kill_at_side(call: NativeCallContext, k: i64, side: &str) -> Raw<()> {
        placed(&call, |lab| {
            let when = match side {
                "before" => When::Before,
                "after" => When::After,
                _ => {
                    let failure = Failure::usage(format!("A run is killed before or after a call, not \"{side}\" it"));
                    return Err(failure.hint(did_you_mean(side, ["before", "after"]).unwrap_or_default()));
                }
            };
            let kill = kill(k, when)?;
            lab.order(|orders| orders.kill = Some(kill));
            Ok(())
        })
    }

    /// Presses Ctrl-C when the next run has gone on for so long.
    ///
    /// ```rhai,no_run
    /// sim::interrupt_after("2s");
    /// assert_eq(runbook("up").code, 130);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn interrupt_after(call: NativeCallContext, time: Dynamic) -> Raw<()> {
        placed(&call, |lab| {
            let time = duration_of(&time)?;
            lab.order(|orders| orders.interrupt = Some(time));
            Ok(())
        })
    }
}
