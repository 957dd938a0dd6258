//! The known value of a literal.

use rhai::{Dynamic, Expr, Map, Position};
use serde_json::Value;

/// The value of a scalar literal.
pub fn scalar(expression: &Expr) -> Option<Value> {
    Some(match expression {
        Expr::StringConstant(text, _) => Value::String(text.to_string()),
        Expr::CharConstant(letter, _) => Value::String(letter.to_string()),
        Expr::IntegerConstant(number, _) => (*number).into(),
        Expr::FloatConstant(number, _) => serde_json::Number::from_f64(**number)?.into(),
        Expr::BoolConstant(value, _) => (*value).into(),
        Expr::FnCall(call, _) if call.is_operator_call() && call.name == "-" => {
            match call.args.as_slice() {
                [Expr::IntegerConstant(number, _)] => number.checked_neg()?.into(),
                [Expr::FloatConstant(number, _)] => serde_json::Number::from_f64(-**number)?.into(),
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// The value of a literal that is completely known; `()` in it becomes null.
pub fn whole(expression: &Expr) -> Option<Value> {
    match expression {
        Expr::Unit(_) => Some(Value::Null),
        Expr::Array(items, _) => {
            items.iter().map(whole).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        Expr::Map(entries, _) => {
            let entries =
                entries.0.iter().map(|(key, value)| Some((key.name.to_string(), whole(value)?)));
            entries.collect::<Option<serde_json::Map<_, _>>>().map(Value::Object)
        }
        _ => scalar(expression),
    }
}

/// The same as a value of scripts, without unknown parts; `None` if nothing is known.
pub fn partial(expression: &Expr) -> Option<Dynamic> {
    match expression {
        Expr::Array(items, _) => {
            Some(items.iter().filter_map(partial).collect::<rhai::Array>().into())
        }
        Expr::Map(entries, _) => Some(
            entries
                .0
                .iter()
                .filter_map(|(key, value)| Some((key.name.as_str().into(), partial(value)?)))
                .collect::<Map>()
                .into(),
        ),
        _ => scalar(expression).map(|value| crate::value::json::from_json(&value)),
    }
}

/// The text of a string, as far as it is known; interpolated parts become `\0`.
pub fn text(expression: &Expr) -> Option<String> {
    match expression {
        Expr::StringConstant(text, _) => Some(text.to_string()),
        Expr::InterpolatedString(parts, _) => Some(
            parts
                .iter()
                .map(|part| match part {
                    Expr::StringConstant(text, _) => text.to_string(),
                    _ => "\0".to_owned(),
                })
                .collect(),
        ),
        _ => None,
    }
}

/// The beginning of an expression; for `a + b` that of `a`.
pub fn start(expression: &Expr) -> Position {
    match expression {
        Expr::FnCall(call, position) if call.is_operator_call() => {
            call.args.first().map_or(*position, start)
        }
        other => other.start_position(),
    }
}
