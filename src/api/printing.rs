//! Values as text: `print`, `to_string`, `debug` and string concatenation. No text is larger than
//! the limit, and none contains a name of Rhai or Rust.

use std::fmt::Write;

use rhai::plugin::{Dynamic, Engine, ImmutableString, NativeCallContext, export_module};
use rhai::{Array, FUNC_TO_DEBUG, FUNC_TO_STRING, FnPtr, Map};

use super::Raw;
use crate::value::rhai_messages::{is_closure, unmarked};
use crate::value::text::{BoundedText, literal};

/// The deepest nesting of lists and maps that is written; deeper values become `…`.
const DEPTH: usize = 64;

/// The results of `range(0, 10, 2)`, `"text".chars()` and `5.bits()` have no name of their own in
/// Rhai.
pub(super) fn name_iterators(engine: &mut Engine) {
    for (path, word) in [
        ("StepRange<i64>", "range"),
        ("StepRange<f64>", "range"),
        ("CharsStream", "characters"),
        ("BitRange", "bits"),
    ] {
        engine.register_type_with_name_raw(format!("rhai::packages::iter_basic::{path}"), word);
    }
}

/// The value in the form of `print`. Throws `usage` if the text would be too large.
pub fn text_of(call: &NativeCallContext, value: &Dynamic) -> Raw<ImmutableString> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.clone());
    }
    written(call, FUNC_TO_STRING, value)
}

/// The values in the form of `print`, with `separator` between them.
pub fn joined(call: &NativeCallContext, values: &[Dynamic], separator: &str) -> Raw<String> {
    let mut text = BoundedText::default();
    for (index, value) in values.iter().enumerate() {
        if text.is_full() {
            break;
        }
        text.push_str(if index > 0 { separator } else { "" });
        write_value(call, &mut text, FUNC_TO_STRING, value, 0);
    }
    Ok(text.whole()?)
}

fn written(call: &NativeCallContext, by: &str, value: &Dynamic) -> Raw<ImmutableString> {
    let mut text = BoundedText::default();
    write_value(call, &mut text, by, value, 0);
    Ok(text.whole()?.into())
}

fn write_value(
    call: &NativeCallContext,
    out: &mut BoundedText,
    by: &str,
    value: &Dynamic,
    depth: usize,
) {
    if out.is_full() {
        // Everything after this is omitted.
    } else if depth > DEPTH {
        out.push('…');
    } else if let Some(text) = value.read_lock::<ImmutableString>() {
        if by == FUNC_TO_STRING {
            out.push_str(&text);
        } else {
            let _ = write!(out, "{:?}", text.as_str());
        }
    } else if let Some(list) = value.read_lock::<Array>() {
        write_list(call, out, &list, depth);
    } else if let Some(map) = value.read_lock::<Map>() {
        write_map(call, out, &map, depth);
    } else if let Some(function) = value.read_lock::<FnPtr>() {
        out.push_str(&function_text(&function));
    } else {
        let mut copy = value.flatten_clone();
        let own = call.call_native_fn_raw(by, true, &mut [&mut copy]);
        out.push_str(
            &own.ok().and_then(|text| text.into_string().ok()).unwrap_or_else(|| literal(value)),
        );
    }
}

fn write_list(call: &NativeCallContext, out: &mut BoundedText, list: &[Dynamic], depth: usize) {
    out.push('[');
    for (index, item) in list.iter().enumerate() {
        if out.is_full() {
            return;
        }
        out.push_str(if index > 0 { ", " } else { "" });
        write_value(call, out, FUNC_TO_DEBUG, item, depth + 1);
    }
    out.push(']');
}

fn write_map(call: &NativeCallContext, out: &mut BoundedText, map: &Map, depth: usize) {
    out.push_str("#{");
    for (index, (key, item)) in map.iter().enumerate() {
        if out.is_full() {
            return;
        }
        let _ = write!(out, "{}{:?}: ", if index > 0 { ", " } else { "" }, key.as_str());
        write_value(call, out, FUNC_TO_DEBUG, item, depth + 1);
    }
    out.push('}');
}

/// `Fn(name)`; a closure has no name that a script could know.
fn function_text(function: &FnPtr) -> String {
    if is_closure(function.fn_name()) {
        "(function)".to_owned()
    } else {
        format!("Fn({})", unmarked(function.fn_name()))
    }
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
pub(super) mod functions {
    #[rhai_fn(name = "print", name = "debug", return_raw, pure)]
    pub fn list_text(call: NativeCallContext, list: &mut Array) -> Raw<ImmutableString> {
        let mut text = BoundedText::default();
        write_list(&call, &mut text, list, 0);
        Ok(text.whole()?.into())
    }

    #[rhai_fn(name = "print", name = "debug", return_raw, pure)]
    pub fn map_text(call: NativeCallContext, map: &mut Map) -> Raw<ImmutableString> {
        let mut text = BoundedText::default();
        write_map(&call, &mut text, map, 0);
        Ok(text.whole()?.into())
    }

    // After an error, Rhai would write the value in its own way, however large it is. So the text
    // is cut off instead.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn list_as_text(call: NativeCallContext, list: &mut Array) -> String {
        let mut text = BoundedText::default();
        write_list(&call, &mut text, list, 0);
        text.cut_off()
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn map_as_text(call: NativeCallContext, map: &mut Map) -> String {
        let mut text = BoundedText::default();
        write_map(&call, &mut text, map, 0);
        text.cut_off()
    }

    #[rhai_fn(name = "debug", name = "to_debug", return_raw)]
    pub fn debug_text(call: NativeCallContext, text: ImmutableString) -> Raw<ImmutableString> {
        written(&call, FUNC_TO_DEBUG, &text.into())
    }

    #[rhai_fn(name = "print", name = "to_string", name = "debug", name = "to_debug", pure)]
    pub fn function_as_text(function: &mut FnPtr) -> String {
        function_text(function)
    }

    /// The name of the function; a closure has none.
    #[rhai_fn(name = "name", get = "name", pure)]
    pub fn function_name(function: &mut FnPtr) -> String {
        if is_closure(function.fn_name()) {
            String::new()
        } else {
            unmarked(function.fn_name()).to_owned()
        }
    }
}
