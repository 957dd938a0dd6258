//! `sort` of lists. Rhai's own function panics if an order contradicts itself (by a function, or by
//! numbers that are NaN). If the comparing function fails, it continues in any order and loses the
//! error.

use std::cmp::Ordering;

use rhai::plugin::{Dynamic, NativeCallContext, export_module};
use rhai::{Array, FnPtr, ImmutableString};

use super::Raw;
use crate::model::Failure;
use crate::value::type_names::{a, word};

/// Compares two elements.
type Comparator<'a> = dyn FnMut(&Dynamic, &Dynamic) -> Raw<Ordering> + 'a;

/// Elements of these types have a natural order.
const ORDERED: &str = "integers, floats, strings, characters or bools";

/// Merge sort: equal elements keep their order, and it ends with any results of `order`. If `order`
/// fails, the list is not changed.
fn sort(list: &mut Array, order: &mut Comparator<'_>) -> Raw<()> {
    let mut sorted: Vec<usize> = (0..list.len()).collect();
    let mut width = 1;
    while width < list.len() {
        let mut merged = Vec::with_capacity(list.len());
        for pair in sorted.chunks(width.saturating_mul(2)) {
            let (first, second) = pair.split_at(width.min(pair.len()));
            merge(list, first, second, order, &mut merged)?;
        }
        sorted = merged;
        width = width.saturating_mul(2);
    }
    let mut before = std::mem::take(list);
    *list = sorted.into_iter().map(|index| std::mem::take(&mut before[index])).collect();
    Ok(())
}

/// Appends to `merged` the indices of two sorted parts of the list.
fn merge(
    list: &Array,
    mut first: &[usize],
    mut second: &[usize],
    order: &mut Comparator<'_>,
    merged: &mut Vec<usize>,
) -> Raw<()> {
    if let (Some(last), Some(next)) = (first.last(), second.first())
        && order(&list[*last], &list[*next])? != Ordering::Greater
    {
        // Already in order.
        merged.extend(first);
        first = &[];
    }
    while let ([one, rest_of_first @ ..], [other, rest_of_second @ ..]) = (first, second) {
        if order(&list[*one], &list[*other])? == Ordering::Greater {
            merged.push(*other);
            second = rest_of_second;
        } else {
            merged.push(*one);
            first = rest_of_first;
        }
    }
    merged.extend(first);
    merged.extend(second);
    Ok(())
}

/// The order of two elements of one type; `None` if it has no order. NaN (`0.0 / 0.0`) comes last.
fn natural(one: &Dynamic, other: &Dynamic) -> Option<Ordering> {
    fn both<T>(one: Result<T, &str>, other: Result<T, &str>) -> Option<(T, T)> {
        one.ok().zip(other.ok())
    }
    if let Some((one, other)) = both(one.as_int(), other.as_int()) {
        return Some(one.cmp(&other));
    }
    if let Some((one, other)) = both(one.as_float(), other.as_float()) {
        return Some(one.partial_cmp(&other).unwrap_or_else(|| one.is_nan().cmp(&other.is_nan())));
    }
    if let Some((one, other)) = both(one.as_char(), other.as_char()) {
        return Some(one.cmp(&other));
    }
    if let Some((one, other)) = both(one.as_bool(), other.as_bool()) {
        return Some(one.cmp(&other));
    }
    if one.is_unit() && other.is_unit() {
        return Some(Ordering::Equal);
    }
    let (one, other) = (one.read_lock::<ImmutableString>()?, other.read_lock::<ImmutableString>()?);
    Some(one.cmp(&other))
}

fn by_nature(one: &Dynamic, other: &Dynamic) -> Raw<Ordering> {
    natural(one, other).ok_or_else(|| {
        let (one, other) = (word(one), word(other));
        let failure = if one == other {
            Failure::usage(format!("Values of the type {one} can't be sorted"))
        } else {
            Failure::usage(format!("Values of different types can't be sorted: {one} and {other}"))
        };
        failure
            .hint(format!(
                "sort takes {ORDERED}; for other values, pass a function: list.sort(|a, b| …)"
            ))
            .into()
    })
}

fn by_function(
    call: &NativeCallContext,
    function: &FnPtr,
    one: &Dynamic,
    other: &Dynamic,
) -> Raw<Ordering> {
    let answer = function.call_raw(call, None, [one.clone(), other.clone()])?;
    if let Ok(number) = answer.as_int() {
        return Ok(number.cmp(&0));
    }
    if let Ok(is_first) = answer.as_bool() {
        return Ok(if is_first { Ordering::Less } else { Ordering::Greater });
    }
    let failure = Failure::usage(format!("The function given to sort returns {}", a(&answer)));
    Err(failure
        .hint(
            "return an integer: below 0 if the first value comes first, above 0 if the second does",
        )
        .into())
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
pub(super) mod functions {
    #[rhai_fn(name = "sort", return_raw)]
    pub fn sort_ascending(list: &mut Array) -> Raw<()> {
        sort(list, &mut by_nature)
    }

    #[rhai_fn(return_raw)]
    pub fn sort_desc(list: &mut Array) -> Raw<()> {
        sort(list, &mut |one, other| Ok(by_nature(one, other)?.reverse()))
    }

    #[rhai_fn(name = "sort", name = "sort_by", return_raw)]
    pub fn sort_by_function(call: NativeCallContext, list: &mut Array, function: FnPtr) -> Raw<()> {
        sort(list, &mut |one, other| by_function(&call, &function, one, other))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn lists_are_sorted_by_their_own_order_and_by_a_function() {
        let run = Harness::new();
        for (script, sorted) in [
            ("[].sort()", "[]"),
            ("[[1]].sort()", "[[1]]"),
            ("[3, 1, 2].sort()", "[1, 2, 3]"),
            ("[3, 1, 2, 1].sort_desc()", "[3, 2, 1, 1]"),
            ("[\"b\", \"a\", \"c\", \"ab\"].sort()", "[\"a\", \"ab\", \"b\", \"c\"]"),
            ("['b', 'a'].sort()", "[a, b]"),
            ("[true, false].sort()", "[false, true]"),
            ("[(), ()].sort()", "[(), ()]"),
            ("[0.0 / 0.0, 2.5, 1.5].sort()", "[1.5, 2.5, NaN]"),
            ("[3, 1, 2].sort(|a, b| b - a)", "[3, 2, 1]"),
            ("[3, 1, 2].sort(|a, b| a < b)", "[1, 2, 3]"),
            ("[3, 1, 2].sort_by(|a, b| a - b)", "[1, 2, 3]"),
            (
                "[[1, 9], [0, 8], [1, 7], [0, 6]].sort(|a, b| a[0] - b[0])",
                "[[0, 8], [0, 6], [1, 9], [1, 7]]",
            ),
        ] {
            let (list, call) = script.split_once("].").unwrap();
            assert_eq!(
                run.text(&format!("let list = {list}]; list.{call}; list")),
                sorted,
                "{script}"
            );
        }
    }

    #[test]
    fn every_length_is_sorted() {
        let run = Harness::new();
        let script = "for n in 0..70 { let l = []; for i in 0..n { l.push((i * 31) % 67); } let s = l; s.sort();
            for i in 1..n { if s[i - 1] > s[i] { throw n; } } if s.len() != n { throw n; } } \"all\"";
        assert_eq!(run.text(script), "all");
    }

    #[test]
    fn an_order_that_contradicts_itself_is_no_panic() {
        let run = Harness::new();
        let script = "let l = []; for i in 0..500 { l.push((i * 7919) % 1000); } let n = 0;
            l.sort(|a, b| if (a * 7919 + b * 104729) / 7 % 3 == 0 { 1 } else { -1 }); l.len()";
        assert_eq!(run.text(script), "500");
        let script = "let l = []; for i in 0..500 { l.push(if i % 3 == 0 { 0.0 / 0.0 } else { (i * 7919 % 1000).to_float() }); }
            l.sort(); l.sort_desc(); l.len()";
        assert_eq!(run.text(script), "500");
    }

    #[test]
    fn an_error_of_the_function_ends_sort_and_leaves_the_list() {
        let run = Harness::new();
        assert_eq!(
            run.text(
                "let l = [2, 1]; try { l.sort(|a, b| throw \"no\"); } catch (e) { l.push(e); } l"
            ),
            "[2, 1, \"no\"]"
        );
        for (script, message) in [
            ("[2, 1].sort(|a, b| \"x\")", "The function given to sort returns a string"),
            ("[2, 1].sort(|a| a)", "The function does not take this number of arguments: 2"),
            ("[2, \"a\"].sort()", "Values of different types can't be sorted: integer and string"),
            ("[[1], [2]].sort()", "Values of the type list can't be sorted"),
        ] {
            assert_eq!(run.fails(script).message, message, "{script}");
        }
    }
}
