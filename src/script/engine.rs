//! Rhai, set up for runbooks.

use std::sync::Arc;

use rhai::debugger::DebuggerCommand;
use rhai::{Dynamic, Engine};

use super::catches::Catches;
use super::library::Library;
use super::memory;
use super::parsing::parsing;
use super::resolver::Resolver;
use super::{function_names, variables};
use crate::api::context::{CATCHES, ScriptObserver};
use crate::api::{Context, task};
use crate::model::event::{Event, Level};
use crate::model::{Failure, Kind};

/// The field of a failure after too many operations: the limit.
pub const OPERATIONS: &str = "max_operations";

/// The engine for the run of `context`: every primitive is registered, and `library` resolves
/// imports.
pub fn build(context: &Arc<Context>, library: &Arc<Library>) -> Engine {
    let mut engine = parsing();
    engine.set_strict_variables(true);
    let host = context.host.clone();
    let limit = context.max_operations;
    engine.on_progress(move |operations| {
        task::ending()
            .or_else(|| over(limit, operations))
            .or_else(|| memory::ending(&host, operations))
            .map(Dynamic::from)
    });
    let events = context.events.clone();
    engine.on_print(move |text| events.event(&Event::Print { text: text.to_owned() }));
    let events = context.events.clone();
    engine.on_debug(move |text, source, position| {
        let place = source
            .map(|source| format!("{source}:{}: ", position.line().unwrap_or(0)))
            .unwrap_or_default();
        events.event(&Event::Log { level: Level::Debug, text: format!("{place}{text}") });
    });
    if let Some(watch) = &context.watch {
        follow(&mut engine, watch.clone());
    }
    variables::watch(&mut engine);
    function_names::prepare(&mut engine);
    crate::api::register(&mut engine, context);
    engine.set_module_resolver(Resolver::new(library.clone()));
    engine
}

/// An engine that only parses sources and knows their functions; nothing runs on it. It finds all
/// undefined variables, while the parser of [`build`] stops at the first. `more` registers
/// additional functions.
pub fn for_reading(context: &Arc<Context>, more: Option<fn(&mut Engine)>) -> Engine {
    let mut engine = parsing();
    crate::api::register(&mut engine, context);
    if let Some(register) = more {
        register(&mut engine);
    }
    engine
}

/// Ends a script that must not run for ever: that of a test.
fn over(limit: u64, count: u64) -> Option<Failure> {
    let failure =
        || Failure::new(Kind::Timeout, format!("The script took more than {limit} operations"));
    (limit > 0 && count > limit).then(|| {
        failure()
            .hint("if it is not an endless loop, raise the limit with --max-operations")
            .field(OPERATIONS, limit)
    })
}

/// Reports every evaluated line and every caught error to `watch`.
fn follow(engine: &mut Engine, watch: Arc<dyn ScriptObserver>) {
    let catches = Catches::default();
    #[expect(
        deprecated,
        reason = "volatile, not deprecated: nothing else knows the place of every call"
    )]
    engine.register_debugger(
        |_, debugger| debugger,
        move |context, _, node, source, position| {
            let line = position.line().or_else(|| node.position().line());
            if let (Some(source), Some(line)) = (source, line) {
                watch.at(source, line);
                if let Some((caught, because)) = catches.caught(node, source, context.call_level())
                {
                    watch.handles_error(Some((source, caught)), CATCHES, &because);
                }
            }
            Ok(DebuggerCommand::StepInto)
        },
    );
}
