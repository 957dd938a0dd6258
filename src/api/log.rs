//! `log::`: messages that are not results of the runbook.

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};

use super::context::Context;
use super::{Raw, placed};
use crate::model::Failure;
use crate::model::event::{Event, Level};
use crate::value::text::plain;

/// Registers `log::`.
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
    /// Prints a message on standard error, beside the runbook's own output. `--quiet` hides it.
    ///
    /// ```rhai
    /// log::info("moving the traffic");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn info(call: NativeCallContext, message: Dynamic) -> Raw<()> {
        placed(&call, |context| report(context, Level::Info, &message))
    }

    /// Prints a warning. `--quiet` hides it.
    ///
    /// ```rhai
    /// log::warn("the backup is a week old");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn warn(call: NativeCallContext, message: Dynamic) -> Raw<()> {
        placed(&call, |context| report(context, Level::Warning, &message))
    }

    /// Prints an error message and continues; `fail` would end the runbook.
    ///
    /// ```rhai
    /// log::error("one of three backups failed");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn error(call: NativeCallContext, message: Dynamic) -> Raw<()> {
        placed(&call, |context| report(context, Level::Error, &message))
    }

    /// Prints a message that only `--verbose` shows. This is the level `debug`, whose name is a
    /// reserved word of Rhai.
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
