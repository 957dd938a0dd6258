//! The record type: a map that throws an error for an unknown field.

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use rhai::{Array, FUNC_TO_DEBUG, FUNC_TO_STRING, Map};

use super::Raw;
use crate::model::Failure;
use crate::value::Record;
use crate::value::text::{literal, plain};
use crate::value::type_names::with_article;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Record>("record");
    engine.register_global_module(shared_module!(functions));
}

/// Makes `.tag` of a type an error, like any other unknown field. In Rhai every value has a `.tag`,
/// which is 0.
pub fn no_fields<T: Clone + Send + Sync + 'static>(engine: &mut Engine, word: &'static str) {
    engine.register_get("tag", move |_: &mut T| -> Raw<Dynamic> {
        let mut message = with_article(word);
        message[..1].make_ascii_uppercase();
        Err(Failure::usage(format!("{message} has no field \"tag\"")).into())
    });
}

/// The value in the form of `print`. Values of spc's own types are printed by their own function.
pub fn printed(context: &NativeCallContext, value: &Dynamic) -> String {
    shown(context, FUNC_TO_STRING, value).unwrap_or_else(|| plain(value))
}

fn shown(context: &NativeCallContext, by: &str, value: &Dynamic) -> Option<String> {
    let mut copy = value.flatten_clone();
    context.call_native_fn_raw(by, true, &mut [&mut copy]).ok()?.into_string().ok()
}

fn equal(context: &NativeCallContext, left: &Map, right: &Map) -> Raw<bool> {
    context.call_native_fn("==", (left.clone(), right.clone()))
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// The field with this name. Throws `usage` if there is none.
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn get(record: &mut Record, name: &str) -> Raw<Dynamic> {
        Ok(record.get(name)?)
    }

    /// The field `tag`. Throws `usage` if there is none.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(record: &mut Record) -> Raw<Dynamic> {
        Ok(record.get("tag")?)
    }

    /// The names of the fields, sorted.
    #[rhai_fn(pure)]
    pub fn keys(record: &mut Record) -> Array {
        record.fields().keys().map(|name| name.as_str().into()).collect()
    }

    /// Whether there is a field with this name; `"code" in record` does the same.
    #[rhai_fn(pure)]
    pub fn contains(record: &mut Record, name: &str) -> bool {
        record.fields().contains_key(name)
    }

    /// The fields as an ordinary map that can be changed.
    #[rhai_fn(pure)]
    pub fn to_map(record: &mut Record) -> Map {
        record.fields().clone()
    }

    /// The record with the fields of a map added; they override its own.
    #[rhai_fn(name = "+", pure)]
    pub fn with(record: &mut Record, over: Map) -> Record {
        record.with(&over)
    }

    /// The record with the fields of another one added; they override its own.
    #[rhai_fn(name = "+", pure)]
    pub fn with_record(record: &mut Record, over: Record) -> Record {
        record.with(over.fields())
    }

    #[rhai_fn(name = "==", pure, return_raw)]
    pub fn equals(context: NativeCallContext, record: &mut Record, other: Record) -> Raw<bool> {
        equal(&context, record.fields(), other.fields())
    }

    #[rhai_fn(name = "!=", pure, return_raw)]
    pub fn differs(context: NativeCallContext, record: &mut Record, other: Record) -> Raw<bool> {
        Ok(!equal(&context, record.fields(), other.fields())?)
    }

    #[rhai_fn(name = "==", pure, return_raw)]
    pub fn equals_map(context: NativeCallContext, record: &mut Record, other: Map) -> Raw<bool> {
        equal(&context, record.fields(), &other)
    }

    #[rhai_fn(name = "!=", pure, return_raw)]
    pub fn differs_from_map(
        context: NativeCallContext,
        record: &mut Record,
        other: Map,
    ) -> Raw<bool> {
        Ok(!equal(&context, record.fields(), &other)?)
    }

    #[rhai_fn(name = "==", return_raw)]
    pub fn map_equals(context: NativeCallContext, map: Map, record: Record) -> Raw<bool> {
        equal(&context, &map, record.fields())
    }

    #[rhai_fn(name = "!=", return_raw)]
    pub fn map_differs(context: NativeCallContext, map: Map, record: Record) -> Raw<bool> {
        Ok(!equal(&context, &map, record.fields())?)
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(context: NativeCallContext, record: &mut Record) -> String {
        let fields = record.fields().iter();
        let texts = fields.map(|(name, value)| {
            format!(
                "{name}: {}",
                shown(&context, FUNC_TO_DEBUG, value).unwrap_or_else(|| literal(value))
            )
        });
        format!("#{{{}}}", texts.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    const RECORD: &str = "let r = with_defaults(#{}, #{ code: 0, stdout: \"x\", bake: duration(\"90s\"), tag: \"v2\", list: [1] }); ";

    #[test]
    fn a_record_behaves_like_a_map_but_rejects_unknown_fields() {
        let run = Harness::new();
        for (script, expected) in [
            ("r.code + 1", "1"),
            ("r[\"stdout\"]", "x"),
            ("r.tag", "v2"),
            ("r.list.len()", "1"),
            ("r.keys()", r#"["bake", "code", "list", "stdout", "tag"]"#),
            ("\"code\" in r", "true"),
            ("`${r}`", r#"#{bake: 1m30s, code: 0, list: [1], stdout: "x", tag: "v2"}"#),
            ("[r]", r#"[#{bake: 1m30s, code: 0, list: [1], stdout: "x", tag: "v2"}]"#),
            ("(r + #{ code: 5, more: 1 }).code", "5"),
            ("let m = r.to_map(); m.code = 7; m.code", "7"),
            ("r == r.to_map() && r.to_map() == r && r != r + #{ code: 1 }", "true"),
            ("type_of(r)", "record"),
        ] {
            assert_eq!(run.text(&format!("{RECORD}{script}")), expected, "{script}");
        }
        let failure = run.fails(&format!("{RECORD}r.cod"));
        assert_eq!(failure.message, "The set of options has no field \"cod\"");
        assert_eq!(failure.hint.unwrap(), "did you mean \"code\"?");
        assert_eq!(run.fails(&format!("{RECORD}r.code = 1")).kind.word(), "usage");
    }
}
