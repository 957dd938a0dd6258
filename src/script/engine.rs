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

/// The field of the failure of a script that took too many operations: how many it may take.
pub const OPERATIONS: &str = "max_operations";

/// The engine for the run of `context`: every primitive registered, imports answered by `library`.
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

/// An engine that reads sources, and knows what they may call; nothing runs on it. All variables
/// that are nowhere are left to find, where [`build`]'s parser ends with the first.
/// `more` registers what there is beside spc's own functions.
pub fn for_reading(context: &Arc<Context>, more: Option<fn(&mut Engine)>) -> Engine {
    let mut engine = parsing();
    crate::api::register(&mut engine, context);
    if let Some(register) = more {
        register(&mut engine);
    }
    engine
}

/// The end of a script that may not go on for ever: a test's.
fn over(limit: u64, count: u64) -> Option<Failure> {
    let failure =
        || Failure::new(Kind::Timeout, format!("The script took more than {limit} operations"));
    (limit > 0 && count > limit).then(|| {
        failure()
            .hint("if that is no endless loop, --max-operations gives it more")
            .field(OPERATIONS, limit)
    })
}

/// Tells `watch` of every line that is evaluated, and of errors that are caught.
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
                    watch.goes_back(Some((source, caught)), CATCHES, &because);
                }
            }
            Ok(DebuggerCommand::StepInto)
        },
    );
}
