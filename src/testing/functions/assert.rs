//! `assert` and similar functions: assertions of a test.

use rhai::plugin::*;
use rhai::{Dynamic, FnPtr, Map};

use super::difference::difference;
use crate::api::Raw;
use crate::api::shared_module;
use crate::model::suggest::did_you_mean;
use crate::model::{Failure, Kind};
use crate::value::Record;
use crate::value::error::{error_map, failure_of, is_final};
use crate::value::text::literal;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Raw<()> {
    if condition { Ok(()) } else { Err(Failure::new(Kind::Failed, otherwise()).into()) }
}

fn equal(call: &NativeCallContext, left: &Dynamic, right: &Dynamic) -> Raw<bool> {
    call.call_native_fn("==", (left.clone(), right.clone()))
}

fn assert_equal(
    call: &NativeCallContext,
    left: &Dynamic,
    right: &Dynamic,
    what: Option<&str>,
) -> Raw<()> {
    if equal(call, left, right)? {
        return Ok(());
    }
    let message = what.map_or_else(
        || "The values are not equal".to_owned(),
        |what| format!("Assertion failed: {what}"),
    );
    let failure = Failure::new(Kind::Failed, message);
    Err(failure.detail("the first (-) and the second (+)", difference(left, right)).into())
}

fn assert_different(
    call: &NativeCallContext,
    left: &Dynamic,
    right: &Dynamic,
    what: Option<&str>,
) -> Raw<()> {
    let same = equal(call, left, right)?;
    holds(!same, || match what {
        Some(what) => format!("Assertion failed: {what}: both are {}", literal(left)),
        None => format!("Both values are {}", literal(left)),
    })
}

/// Calls `f`, which has to fail, with an error of `kind` if one is given.
fn error_of(call: &NativeCallContext, f: &FnPtr, kind: Option<&str>) -> Raw<Record> {
    if let Some(unknown) = kind.filter(|kind| Kind::from_word(kind).is_none()) {
        let failure = Failure::usage(format!("There is no error kind \"{unknown}\""));
        let hint =
            did_you_mean(unknown, Kind::ALL.iter().map(|kind| kind.word())).unwrap_or_default();
        return Err(failure.hint(hint).into());
    }
    let error = match f.call_raw(call, None, []) {
        Ok(value) => {
            return Err(Failure::new(
                Kind::Failed,
                format!("It did not fail, and gave {}", literal(&value.flatten())),
            )
            .into());
        }
        Err(error) if error.is_pseudo_error() || is_final(&failure_of(&error)) => {
            return Err(error);
        }
        Err(error) => failure_of(&error),
    };
    if let Some(kind) = kind.filter(|kind| *kind != error.kind.word()) {
        let message =
            format!("It failed with \"{}\", not with \"{kind}\": {}", error.kind, error.message);
        return Err(Failure::new(Kind::Failed, message).into());
    }
    let map: Map = error_map(&error);
    Ok(Record::new("error", map))
}

#[export_module]
mod functions {
    /// Fails the test unless `condition` holds.
    ///
    /// ```rhai
    /// assert("a" in ["a", "b"]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert(condition: bool) -> Raw<()> {
        holds(condition, || "The condition is false".to_owned())
    }

    /// Fails the test unless `condition` holds; the message says `what` should hold.
    ///
    /// ```rhai
    /// assert(1 < 2, "one is less than two");
    /// ```
    #[rhai_fn(name = "assert", return_raw)]
    pub fn assert_what(condition: bool, what: &str) -> Raw<()> {
        holds(condition, || format!("Assertion failed: {what}"))
    }

    /// Fails the test, and shows the difference, unless both values are equal.
    ///
    /// ```rhai
    /// assert_eq([1, 2].map(|x| x * 2), [2, 4]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_eq(call: NativeCallContext, left: Dynamic, right: Dynamic) -> Raw<()> {
        assert_equal(&call, &left, &right, None)
    }

    /// The same; the message says `what` should hold.
    ///
    /// ```rhai
    /// assert_eq("a".len(), 1, "one letter");
    /// ```
    #[rhai_fn(name = "assert_eq", return_raw)]
    pub fn assert_eq_what(
        call: NativeCallContext,
        left: Dynamic,
        right: Dynamic,
        what: &str,
    ) -> Raw<()> {
        assert_equal(&call, &left, &right, Some(what))
    }

    /// Fails the test if both values are equal.
    ///
    /// ```rhai
    /// assert_ne("a", "b");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_ne(call: NativeCallContext, left: Dynamic, right: Dynamic) -> Raw<()> {
        assert_different(&call, &left, &right, None)
    }

    /// The same; the message says `what` should hold.
    ///
    /// ```rhai
    /// assert_ne("a", "b", "two letters");
    /// ```
    #[rhai_fn(name = "assert_ne", return_raw)]
    pub fn assert_ne_what(
        call: NativeCallContext,
        left: Dynamic,
        right: Dynamic,
        what: &str,
    ) -> Raw<()> {
        assert_different(&call, &left, &right, Some(what))
    }

    /// Fails the test unless `f` fails. Returns its error: `kind message hint` and its own fields.
    ///
    /// ```rhai
    /// assert_eq(assert_fails(|| "5 apples".int()).kind, "usage");
    /// ```
    #[rhai_fn(return_raw)]
    pub fn assert_fails(call: NativeCallContext, f: FnPtr) -> Raw<Record> {
        error_of(&call, &f, None)
    }

    /// The same, with an error of `kind`.
    ///
    /// ```rhai
    /// assert_fails(|| fail("conflict", "taken"), "conflict");
    /// ```
    #[rhai_fn(name = "assert_fails", return_raw)]
    pub fn assert_fails_with(call: NativeCallContext, f: FnPtr, kind: &str) -> Raw<Record> {
        error_of(&call, &f, Some(kind))
    }
}
