//! The limits for the syntax of scripts.

use std::sync::LazyLock;

use rhai::packages::{Package, StandardPackage};
use rhai::{Engine, OptimizationLevel};

/// The deepest nesting of calls. With the deepest expressions, each call needs up to 140 KB of
/// stack, and 900 KB if Rhai is compiled without optimization.
/// [`crate::host::executor::SCRIPT_STACK_BYTES`] has to be large enough for all of them.
const CALL_LEVELS: usize = 256;

/// The deepest nesting of expressions: in a file, and in a function. A description has about twenty
/// levels.
const EXPRESSION_DEPTH: usize = 100;

/// The same as in `Engine::new`.
const STRINGS_INTERNED: usize = 256;

/// The packages that `Engine::new` registers each time; here created once per process.
static STANDARD: LazyLock<StandardPackage> = LazyLock::new(StandardPackage::new);

const VARIABLES: usize = 10_000;

const FUNCTIONS: usize = 10_000;

const MODULES: usize = 1_000;

/// An engine with the parser of runs.
pub(super) fn parsing() -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(STANDARD.as_shared_module());
    engine.set_max_strings_interned(STRINGS_INTERNED);
    set_limits(&mut engine);
    // The syntax tree then keeps the position of every key of a map. And the optimizer has dropped
    // statements before.
    engine.set_optimization_level(OptimizationLevel::None);
    // Neither people nor checks could read code that is generated at run time.
    engine.disable_symbol("eval");
    engine
}

fn set_limits(engine: &mut Engine) {
    // No limits for sizes: Rhai would count a whole list at every call with it. `api/growth` has
    // these limits, also for operators, which Rhai would otherwise not look up.
    engine.set_fast_operators(false);
    // No limit for operations: a runbook may wait for days. The token of its task ends it; tests
    // have their own limit.
    engine.set_max_operations(0);
    engine.set_max_call_levels(CALL_LEVELS);
    engine.set_max_expr_depths(EXPRESSION_DEPTH, EXPRESSION_DEPTH);
    engine.set_max_variables(VARIABLES);
    engine.set_max_functions(FUNCTIONS);
    engine.set_max_modules(MODULES);
}
