//! `log::`: lines beside the runbook's results.

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};

use super::context::Context;
use super::{Raw, placed};
use crate::model::Failure;
use crate::model::event::{Event, Level};
use crate::value::text::plain;

/// Makes `log::` known.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("log", shared_module!(module, "log"));
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that every function's work has")]
fn report(context: &Context, level: Level, message: &Dynamic) -> Result<(), Failure> {
    context.events.event(&Event::Log { level, text: plain(message) });
    Ok(())
}

#[export_module]
mod module {
    /// Says something on standard error, beside what the runbook prints. `--quiet` leaves it out.
    ///
    /// ```rhai
    /// log::info("moving the traffic");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn info(call: NativeCallContext, message: Dynamic) -> Raw<()> {
        placed(&call, |context| report(context, Level::Info, &message))
    }

    /// Says that something may be wrong. `--quiet` leaves it out.
    ///
    /// ```rhai
    /// log::warn("the backup is a week old");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn warn(call: NativeCallContext, message: Dynamic) -> Raw<()> {
        placed(&call, |context| report(context, Level::Warning, &message))
    }

    /// Says that something is wrong, and goes on: `fail` ends the runbook.
    ///
    /// ```rhai
    /// log::error("one of three backups failed");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn error(call: NativeCallContext, message: Dynamic) -> Raw<()> {
        placed(&call, |context| report(context, Level::Error, &message))
    }

    /// Says something that only `--verbose` shows: the level `debug`, whose name is a reserved word
    /// of scripts.
    ///
    /// ```rhai
    /// log::verbose(#{ share: 25, requests: 1200 });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn verbose(call: NativeCallContext, message: Dynamic) -> Raw<()> {
        placed(&call, |context| report(context, Level::Debug, &message))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use crate::model::event::{Event, Level};

    #[test]
    fn a_line_is_reported_with_its_level() {
        let trial = Harness::new();
        trial.text(r#"log::verbose(#{ share: 25 }); log::info("moving"); log::warn("slow"); log::error("broken")"#);
        let line = |level, text: &str| Event::Log { level, text: text.to_owned() };
        let expected = [
            line(Level::Debug, "#{share: 25}"),
            line(Level::Info, "moving"),
            line(Level::Warning, "slow"),
            line(Level::Error, "broken"),
        ];
        assert_eq!(trial.events(), expected);
    }
}
