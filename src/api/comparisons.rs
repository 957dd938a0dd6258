//! Makes comparisons between values of different types fail. In Rhai, `<`, `<=`, `>` and `>=` are
//! always `false` for them, so `"8080" > 1024` would go unnoticed.

use std::any::TypeId;

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString, Map, NativeCallContext,
    Variant,
};

const OPERATORS: [&str; 4] = ["<", "<=", ">", ">="];

/// Makes the comparisons of values of different types errors. Equality stays: nothing equals a
/// value of another type.
pub fn register(engine: &mut Engine) {
    with_others::<INT>(engine);
    with_others::<FLOAT>(engine);
    with_others::<ImmutableString>(engine);
    with_others::<char>(engine);
    with_others::<bool>(engine);
    with_others::<()>(engine);
    with_others::<Array>(engine);
    with_others::<Map>(engine);
}

/// The comparisons of `L` with every other type. What Rhai compares itself doesn't get here: a
/// function for any two values would also take two shared integers.
fn with_others<L: Variant + Clone>(engine: &mut Engine) {
    between::<L, INT>(engine);
    between::<L, FLOAT>(engine);
    between::<L, ImmutableString>(engine);
    between::<L, char>(engine);
    between::<L, bool>(engine);
    between::<L, ()>(engine);
    between::<L, Array>(engine);
    between::<L, Map>(engine);
}

/// Makes the comparisons of `T` with numbers errors; those with itself and its text are `T`'s own.
pub(super) fn against_numbers<T: Variant + Clone>(engine: &mut Engine) {
    between::<T, INT>(engine);
    between::<INT, T>(engine);
    between::<T, FLOAT>(engine);
    between::<FLOAT, T>(engine);
}

fn between<L: Variant + Clone, R: Variant + Clone>(engine: &mut Engine) {
    let is_same = TypeId::of::<L>() == TypeId::of::<R>();
    if is_same || is_pair::<L, R, INT, FLOAT>() || is_pair::<L, R, ImmutableString, char>() {
        return;
    }
    for operator in OPERATORS {
        engine.register_fn(
            operator,
            move |call: NativeCallContext, left: L, right: R| -> Result<bool, Box<EvalAltResult>> {
                let name =
                    |value: Dynamic| call.engine().map_type_name(value.type_name()).to_owned();
                let signature = format!(
                    "{operator} ({}, {})",
                    name(Dynamic::from(left)),
                    name(Dynamic::from(right))
                );
                Err(EvalAltResult::ErrorFunctionNotFound(signature, call.call_position()).into())
            },
        );
    }
}

/// Whether the two are `A` and `B`, in either order.
fn is_pair<L: 'static, R: 'static, A: 'static, B: 'static>() -> bool {
    let (left, right) = (TypeId::of::<L>(), TypeId::of::<R>());
    let (a, b) = (TypeId::of::<A>(), TypeId::of::<B>());
    (left, right) == (a, b) || (left, right) == (b, a)
}
