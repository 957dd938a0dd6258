//! Finds comparisons of values of different types, and missing fields of literal maps, if the
//! values of all involved variables are known. A run doesn't report them: `"8080" == 8080` is
//! false, and a misspelt field is `()`.

use rhai::{Expr, FnCallExpr};

use super::findings::Findings;
use super::parsed_source::ParsedSource;
use super::rule::Rule;
use super::script_analysis::{MOST_VARIABLES, ScriptAnalysis};
use crate::model::Failure;
use crate::model::suggest::did_you_mean;
use crate::value::rhai_messages::{NUMBER_AND_TEXT, no_operator};

/// Checks the comparisons and fields of a source.
pub fn check(parsed: &ParsedSource, reading: &ScriptAnalysis<'_>, findings: &mut Findings) {
    for &(call, position) in &reading.comparisons {
        if let Some(failure) = compared(reading, call) {
            findings.add(Rule::Comparison, &parsed.source, position, failure);
        }
    }
    for field in &reading.fields {
        if let Some(failure) = missing(reading, field.variable, field.name) {
            findings.add(Rule::UnknownField, &parsed.source, field.position, failure);
        }
    }
}

/// The failure of a comparison of different types.
fn compared(reading: &ScriptAnalysis<'_>, call: &FnCallExpr) -> Option<Failure> {
    let [left, right] = call.args.as_slice() else { return None };
    let (left, right) = (type_of(reading, left, 0)?, type_of(reading, right, 0)?);
    if left == right {
        return None;
    }
    let operator = call.name.as_str();
    let between = format!("between {} and {}", left.words(), right.words());
    let failure = Failure::usage(match operator {
        "==" => format!("\"==\" {between} is always false"),
        "!=" => format!("\"!=\" {between} is always true"),
        _ => no_operator(operator, left.words(), right.words()),
    });
    let has_number = [left, right].contains(&ValueType::Number);
    Some(if has_number && [left, right].contains(&ValueType::Text) {
        failure.hint(NUMBER_AND_TEXT)
    } else {
        failure
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ValueType {
    Text,
    Number,
    Truth,
}

impl ValueType {
    fn words(self) -> &'static str {
        match self {
            Self::Text => "a string",
            Self::Number => "a number",
            Self::Truth => "a bool",
        }
    }
}

/// The type of an expression, where it can have no other.
fn type_of(reading: &ScriptAnalysis<'_>, expression: &Expr, depth: usize) -> Option<ValueType> {
    match expression {
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => Some(ValueType::Text),
        Expr::IntegerConstant(..) | Expr::FloatConstant(..) => Some(ValueType::Number),
        Expr::BoolConstant(..) => Some(ValueType::Truth),
        Expr::FnCall(call, _) if !call.is_qualified() => {
            match (call.name.as_str(), call.args.as_slice()) {
                ("env", [_]) => Some(ValueType::Text),
                ("parse_int", [_] | [_, _]) | ("parse_float", [_]) => Some(ValueType::Number),
                ("-", [of]) => {
                    type_of(reading, of, depth).filter(|found| *found == ValueType::Number)
                }
                _ => None,
            }
        }
        Expr::Variable(..) if depth < MOST_VARIABLES => {
            let binding = &reading.bindings[reading.binding(expression)?];
            let mut types = binding.values.iter().map(|value| type_of(reading, value, depth + 1));
            let first = types.next()??;
            types.all(|found| found == Some(first)).then_some(first)
        }
        _ => None,
    }
}

/// The failure of a field that none of a variable's values has.
fn missing(reading: &ScriptAnalysis<'_>, variable: usize, name: &str) -> Option<Failure> {
    let binding = &reading.bindings[variable];
    let [Expr::Map(entries, _)] = binding.values.as_slice() else { return None };
    if reading.may_differ(variable) {
        return None;
    }
    let keys = || entries.0.iter().map(|(key, _)| key.name.as_str());
    if keys().any(|key| key == name) {
        return None;
    }
    let failure = Failure::usage(format!("The map \"{}\" has no field \"{name}\"", binding.name));
    Some(match did_you_mean(name, keys()) {
        Some(hint) => failure.hint(hint),
        None => failure,
    })
}
