//! What scripts are compiled with: the limits of their syntax.

use std::sync::LazyLock;

use rhai::packages::{Package, StandardPackage};
use rhai::{Engine, OptimizationLevel};

/// Calls inside calls. With the deepest expressions in them each wants up to 140 KB of stack, 900
/// KB where Rhai is compiled without optimising: [`crate::host::executor::SCRIPT_STACK_BYTES`] has
/// to hold them all.
const CALL_LEVELS: usize = 256;

/// Expressions inside expressions: of a file, of a function. A description is some twenty deep.
const EXPRESSION_DEPTH: usize = 100;

/// As `Engine::new` has it.
const STRINGS_INTERNED: usize = 256;

/// What `Engine::new` registers each time anew: made once in a process.
static STANDARD: LazyLock<StandardPackage> = LazyLock::new(StandardPackage::new);

const VARIABLES: usize = 10_000;

const FUNCTIONS: usize = 10_000;

const MODULES: usize = 1_000;

/// An engine whose parser is that of runs.
pub(super) fn parsing() -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(STANDARD.as_shared_module());
    engine.set_max_strings_interned(STRINGS_INTERNED);
    set_limits(&mut engine);
    // The syntax tree keeps the position of every key of a map; and the optimiser has dropped
    // statements before.
    engine.set_optimization_level(OptimizationLevel::None);
    // Text that is made while it runs can't be read before it runs, neither by people nor by the
    // checks.
    engine.disable_symbol("eval");
    engine
}

fn set_limits(engine: &mut Engine) {
    // None on sizes: Rhai would count all of a list at every call that is given it. `api/growth`
    // has them, also for operators, which Rhai would otherwise not look up.
    engine.set_fast_operators(false);
    // None on operations: a runbook may wait for days. It ends by its task's token, a test's by its
    // own limit.
    engine.set_max_operations(0);
    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH);
    engine.set_max_variables(VARIABLES);
    engine.set_max_functions(FUNCTIONS);
    engine.set_max_modules(MODULES);
}
