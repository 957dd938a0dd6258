//! Finds closures that use a variable and are passed to a method of the same variable. Rhai locks
//! the variable while the method runs.

use rhai::Expr;

use super::findings::Findings;
use super::parsed_source::ParsedSource;
use super::rule::Rule;
use super::script_analysis::{CallReceiver, ScriptAnalysis};
use crate::model::Failure;

/// Finds calls that would fail with a data race.
pub fn check(parsed: &ParsedSource, reading: &ScriptAnalysis<'_>, findings: &mut Findings) {
    for call in &reading.calls {
        let CallReceiver::Chain {
            begins: Expr::Variable(variable, ..),
            variable: Some(binding),
            is_first,
        } = &call.on
        else {
            continue;
        };
        let name = call.call.name.as_str();
        let captures = |closure: &Expr| {
            parsed
                .closure(closure)
                .is_some_and(|(closure, _)| reading.captured(closure).contains(binding))
        };
        let uses = |argument: &Expr| match reading.binding(argument) {
            Some(held) => reading.bindings[held].values.iter().any(|value| captures(value)),
            None => captures(argument),
        };
        if call.call.args.iter().any(uses) {
            let variable = &variable.1;
            let failure = Failure::usage(format!(
                "The closure given to \"{name}\" uses \"{variable}\", which the call has in use"
            ));
            let fix = if *is_first {
                format!("call the function: {name}({variable}, …)")
            } else {
                format!("put what \"{name}\" is called on in a variable of its own first")
            };
            let failure =
                failure.hint(format!("a method holds \"{variable}\" while it runs: {fix}"));
            findings.add(Rule::CapturedHandle, &parsed.source, call.position, failure);
        }
    }
}
