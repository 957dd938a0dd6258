//! Finds the literals of descriptions and options: follows the argument of a call back through
//! variables, functions, `+` and `if`.
//!
//! A description is combined from parts (`common + #{ … }`, `if prod { … }`, the result of a
//! function). Each part is followed from `stack(…)` to its literals, so that each literal is
//! checked at its position in the description.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rhai::{Expr, FnCallExpr, Position};

use super::descriptions::{self, Step};
use super::findings::Findings;
use super::options;
use super::parsed_source::{Function, ParsedSource};
use super::references::{self, KINDS, KnownNames};
use super::rule::Rule;
use super::script_analysis::{
    Call, CallReceiver, MOST_VARIABLES, ResultValue, ScriptAnalysis, last_values,
};
use super::sources::Sources;
use super::{literal, probes, strings};
use crate::api::Context;
use crate::api::options::{ALL, OptionsOverload};
use crate::model::Failure;
use crate::model::names::check_project;

/// The kind of value that a literal is checked as.
#[derive(Clone)]
pub enum Role {
    /// The part of a description at this path.
    Description(Vec<Step>),
    /// The options of a function; if it has several forms, of any of them.
    Options(Vec<&'static OptionsOverload>),
    /// The options of a script's function: its name, and the keys with defaults.
    Defaults(String, Vec<String>),
}

impl Role {
    /// The same text for positions that are checked alike.
    fn pattern(&self) -> String {
        match self {
            Self::Description(path) => descriptions::pattern(path).join("."),
            Self::Options(forms) => forms
                .iter()
                .map(|form| format!("{}::{}({})", form.module, form.name, form.arguments))
                .collect::<Vec<_>>()
                .join(" "),
            Self::Defaults(name, _) => format!("{name}()"),
        }
    }
}

/// Checks every literal of descriptions and options.
pub fn check(
    context: &Arc<Context>,
    sources: &Sources,
    readings: &BTreeMap<&str, ScriptAnalysis<'_>>,
    findings: &mut Findings,
) {
    let mut flow = Flow {
        context,
        sources,
        readings,
        findings,
        seen: BTreeSet::new(),
        defaults: BTreeMap::new(),
        known: KnownNames::new(),
        reported: BTreeSet::new(),
    };
    let all = || {
        sources
            .parsed
            .values()
            .filter_map(|parsed| Some((parsed, readings.get(parsed.source.name.as_str())?)))
    };
    for (_, reading) in all() {
        flow.learn_defaults(reading);
    }
    for (parsed, reading) in all() {
        for call in &reading.calls {
            flow.call(parsed, call);
        }
    }
}

struct Flow<'a, 'f> {
    context: &'f Arc<Context>,
    sources: &'a Sources,
    readings: &'f BTreeMap<&'a str, ScriptAnalysis<'a>>,
    findings: &'f mut Findings,
    seen: BTreeSet<(usize, String)>,
    /// The keys with defaults for a function's parameter.
    defaults: BTreeMap<(usize, usize), Vec<String>>,
    /// The names in the current description.
    known: KnownNames,
    /// Sources and messages of literals that were rejected as a whole.
    reported: BTreeSet<(String, String)>,
}

/// An expression and its source.
#[derive(Clone, Copy)]
struct LocatedExpression<'a> {
    parsed: &'a ParsedSource,
    expression: &'a Expr,
}

impl<'a> Flow<'a, '_> {
    fn learn_defaults(&mut self, reading: &ScriptAnalysis<'_>) {
        for call in &reading.calls {
            if let ("with_defaults", [given, Expr::Map(defaults, _)]) =
                (call.call.name.as_str(), call.call.args.as_slice())
                && let Some(parameter) =
                    reading.binding(given).and_then(|binding| reading.bindings[binding].parameter)
            {
                let keys = defaults.0.iter().map(|(key, _)| key.name.to_string()).collect();
                self.defaults.insert(parameter, keys);
            }
        }
    }

    fn call(&mut self, parsed: &'a ParsedSource, call: &Call<'a>) {
        let on_value = usize::from(!matches!(call.on, CallReceiver::Nothing));
        let arguments = &call.call.args;
        if on_value == 0
            && !call.call.is_qualified()
            && call.call.name == "stack"
            && (1..=2).contains(&arguments.len())
        {
            if let [Expr::StringConstant(name, position), _] = arguments.as_slice()
                && let Err(failure) = check_project(name)
                && self.sources.asked.contains(&parsed.source.name)
            {
                self.found(Rule::WrongValue, parsed, *position, failure);
            }
            if let Some(description) = arguments.last() {
                self.known = self.known_in(LocatedExpression { parsed, expression: description });
                self.stand(
                    LocatedExpression { parsed, expression: description },
                    &Role::Description(Vec::new()),
                    true,
                );
            }
            return;
        }
        let module = call
            .call
            .namespace
            .path
            .iter()
            .map(|module| module.name.as_str())
            .collect::<Vec<_>>()
            .join("::");
        let forms: Vec<&'static OptionsOverload> = ALL
            .iter()
            .filter(|form| {
                form.module == module
                    && form.name == call.call.name
                    && form.arguments == arguments.len() + on_value
            })
            .collect();
        if let Some(at) = forms.first().and_then(|form| form.at.checked_sub(on_value)) {
            if let Some(expression) = arguments.get(at) {
                self.stand(LocatedExpression { parsed, expression }, &Role::Options(forms), true);
            }
            return;
        }
        if on_value == 0
            && let Some((_, function)) = self.function(parsed, call.call)
        {
            let address = std::ptr::from_ref(function).addr();
            for (at, expression) in arguments.iter().enumerate() {
                if let Some(keys) = self.defaults.get(&(address, at)) {
                    let role = Role::Defaults(function.name.clone(), keys.clone());
                    self.stand(LocatedExpression { parsed, expression }, &role, true);
                }
            }
        }
    }

    /// The names that a description defines, if all are known.
    fn known_in(&self, at: LocatedExpression<'a>) -> KnownNames {
        let Expr::Map(entries, _) = at.expression else { return KnownNames::new() };
        let names = |kind: &'static str| match entries.0.iter().find(|(key, _)| key.name == kind) {
            Some((_, value)) => {
                Some((kind, self.keys(LocatedExpression { expression: value, ..at }, 0)?))
            }
            None => Some((kind, BTreeSet::new())),
        };
        KINDS.into_iter().filter_map(names).collect()
    }

    /// The keys of a map, if it can't have others.
    fn keys(&self, at: LocatedExpression<'a>, depth: usize) -> Option<BTreeSet<String>> {
        let inside = |expression| self.keys(LocatedExpression { expression, ..at }, depth + 1);
        match at.expression {
            Expr::Map(entries, _) => {
                Some(entries.0.iter().map(|(key, _)| key.name.to_string()).collect())
            }
            Expr::FnCall(call, _)
                if call.is_operator_call()
                    && call.name == "+"
                    && call.args.len() == 2
                    && depth < MOST_VARIABLES =>
            {
                let mut keys = inside(&call.args[0])?;
                keys.append(&mut inside(&call.args[1])?);
                Some(keys)
            }
            Expr::Variable(..) if depth < MOST_VARIABLES => {
                let reading = self.readings.get(at.parsed.source.name.as_str())?;
                let binding = &reading.bindings[reading.binding(at.expression)?];
                match binding.values.as_slice() {
                    [value] if !binding.is_changed => inside(value),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The function of a script that a call refers to.
    fn function(
        &self,
        parsed: &'a ParsedSource,
        call: &FnCallExpr,
    ) -> Option<(&'a ParsedSource, &'a Function)> {
        let mut target = parsed;
        for module in &call.namespace.path {
            target =
                self.sources.parsed.get(target.imports.get(module.name.as_str())?.as_ref()?)?;
        }
        let fits = |function: &&Function| {
            function.name == call.name.as_str()
                && function.parameters.len() == call.args.len()
                && function.this_type.is_none()
        };
        target.functions.iter().find(fits).map(|function| (target, function))
    }

    /// Follows an expression to its literals. `whole`: nothing is added to it.
    fn stand(&mut self, at: LocatedExpression<'a>, role: &Role, whole: bool) {
        if !self.seen.insert((std::ptr::from_ref(at.expression).addr(), role.pattern())) {
            return;
        }
        let inside = |expression| LocatedExpression { expression, ..at };
        match at.expression {
            Expr::FnCall(call, _) => self.result(at.parsed, call, role),
            Expr::Stmt(block) => {
                let mut values = Vec::new();
                last_values(block.statements(), &mut values);
                self.all(at.parsed, &values, role, whole);
            }
            Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.stand(inside(part), role, whole))
            }
            Expr::Variable(parts, ..) => self.variable(at, &parts.1, &parts.2.path, role, whole),
            _ => {}
        }
        if self.sources.asked.contains(&at.parsed.source.name) {
            self.literal(at, role, whole);
        } else if let (Expr::Map(entries, _), Role::Description(path)) = (at.expression, role) {
            // In the standard library, only what leads out of it is followed.
            for (key, value) in &entries.0 {
                self.stand(
                    inside(value),
                    &Role::Description(descriptions::with_key(path, &key.name)),
                    true,
                );
            }
        }
    }

    fn all(
        &mut self,
        parsed: &'a ParsedSource,
        values: &[ResultValue<'a>],
        role: &Role,
        whole: bool,
    ) {
        for value in values {
            match value {
                ResultValue::Value(expression) => {
                    self.stand(LocatedExpression { parsed, expression }, role, whole)
                }
                ResultValue::Call(call) => self.result(parsed, call, role),
            }
        }
    }

    /// The result of a call or an operator.
    fn result(&mut self, parsed: &'a ParsedSource, call: &'a FnCallExpr, role: &Role) {
        let joins = call.is_operator_call() && call.name == "+"
            || !call.is_qualified() && call.name == "merge" && call.args.len() == 2;
        if joins {
            for part in &call.args {
                self.stand(LocatedExpression { parsed, expression: part }, role, false);
            }
        } else if let Some((target, function)) = self.function(parsed, call)
            && let Some(reading) = self.readings.get(target.source.name.as_str())
        {
            let given = reading.given(function).to_vec();
            self.all(target, &given, role, false);
        }
    }

    fn variable(
        &mut self,
        at: LocatedExpression<'a>,
        name: &str,
        modules: &[rhai::Ident],
        role: &Role,
        whole: bool,
    ) {
        let Some(reading) = self.readings.get(at.parsed.source.name.as_str()) else { return };
        let (values, whole) = match modules {
            [] => {
                let Some(binding) =
                    reading.binding(at.expression).map(|binding| &reading.bindings[binding])
                else {
                    return;
                };
                (binding.values.clone(), whole && binding.values.len() == 1 && !binding.is_changed)
            }
            [module] if module.name == "global" => {
                (reading.constants.get(name).copied().into_iter().collect(), whole)
            }
            _ => return,
        };
        for expression in values {
            self.stand(LocatedExpression { expression, ..at }, role, whole);
        }
    }

    fn literal(&mut self, at: LocatedExpression<'a>, role: &Role, whole: bool) {
        match role {
            Role::Description(path) => self.description(at, path, whole),
            Role::Options(forms) => {
                let Expr::Map(entries, _) = at.expression else { return };
                for (key, value) in &entries.0 {
                    if let Some((rule, failure)) =
                        options::refused(self.context, forms, &key.name, value)
                    {
                        let position =
                            if rule == Rule::UnknownKey { key.pos } else { literal::start(value) };
                        self.found(rule, at.parsed, position, failure);
                    } else if key.name == "test"
                        && forms.iter().any(|form| form.name == "healthcheck")
                    {
                        self.probe(at.parsed, value);
                    }
                }
            }
            Role::Defaults(function, keys) => {
                let Expr::Map(entries, _) = at.expression else { return };
                for (key, _) in entries
                    .0
                    .iter()
                    .filter(|(key, _)| !keys.iter().any(|known| *known == key.name.as_str()))
                {
                    let failure = options::unknown(function, &key.name, keys);
                    self.found(Rule::UnknownKey, at.parsed, key.pos, failure);
                }
            }
        }
    }

    fn description(&mut self, at: LocatedExpression<'a>, path: &[Step], whole: bool) {
        let inside = |expression| LocatedExpression { expression, ..at };
        let is_test = matches!(
            descriptions::pattern(path).as_slice(),
            ["services", "*", "healthcheck", "test"]
        );
        match at.expression {
            Expr::Map(entries, position) => {
                if let Some(failure) =
                    descriptions::wrong_shape(self.context, path, serde_json::Map::new().into())
                {
                    return self.found(Rule::WrongValue, at.parsed, *position, failure);
                }
                let kind = entries
                    .0
                    .iter()
                    .find(|(key, _)| key.name == "type")
                    .map(|(_, value)| literal::scalar(value));
                for (key, value) in &entries.0 {
                    let is_optional = matches!(value, Expr::Map(parts, _) if parts.0.iter().any(|(key, _)| key.name == "required"));
                    if let Some(failure) = references::dangling_key(&self.known, path, &key.name)
                        .filter(|_| !is_optional)
                    {
                        // The whole literal fails with the same message.
                        self.is_first(at.parsed, &failure);
                        self.found(Rule::UnknownName, at.parsed, key.pos, failure);
                    }
                    match descriptions::unknown_key(self.context, path, &key.name, kind.as_ref()) {
                        Some(failure) => {
                            // Its content is wrong or right by itself.
                            let meant = descriptions::meant(&failure)
                                .map(|key| descriptions::with_key(path, key));
                            self.found(Rule::UnknownKey, at.parsed, key.pos, failure);
                            if let Some(path) = meant {
                                self.stand(inside(value), &Role::Description(path), true);
                            }
                        }
                        None => self.stand(
                            inside(value),
                            &Role::Description(descriptions::with_key(path, &key.name)),
                            true,
                        ),
                    }
                }
                if whole && let Some(value) = literal::whole(at.expression) {
                    self.whole(at, path, value);
                }
            }
            Expr::Array(items, position) => {
                if let Some(failure) = descriptions::wrong_shape(
                    self.context,
                    path,
                    Vec::<serde_json::Value>::new().into(),
                ) {
                    return self.found(Rule::WrongValue, at.parsed, *position, failure);
                }
                if is_test && whole {
                    self.probe(at.parsed, at.expression);
                }
                for (index, item) in items.iter().enumerate() {
                    let mut path = path.to_vec();
                    path.push(Step::Item(index));
                    // The first words of a test have a meaning only together.
                    if !is_test {
                        self.stand(inside(item), &Role::Description(path), true);
                    }
                }
            }
            expression => {
                if is_test && whole {
                    self.probe(at.parsed, expression);
                }
                if let Some(value) = literal::scalar(expression) {
                    if let Some(failure) = references::dangling(&self.known, path, &value) {
                        // The whole literal fails with the same message.
                        self.is_first(at.parsed, &failure);
                        self.found(
                            Rule::UnknownName,
                            at.parsed,
                            literal::start(expression),
                            failure,
                        );
                    }
                    if let Some(failure) = descriptions::wrong_value(self.context, path, value) {
                        return self.found(
                            Rule::WrongValue,
                            at.parsed,
                            literal::start(expression),
                            failure,
                        );
                    }
                }
                if let Expr::StringConstant(text, position) = expression
                    && let Some(failure) = strings::uninterpolated(path, text)
                {
                    self.found(Rule::Interpolation, at.parsed, *position, failure);
                }
            }
        }
    }

    /// Mistakes that only the whole literal shows.
    fn whole(&mut self, at: LocatedExpression<'a>, path: &[Step], value: serde_json::Value) {
        let Some((failure, rest)) = descriptions::refused(self.context, path, value) else {
            return;
        };
        let (key, value) = located(at.expression, &rest);
        let source = &at.parsed.source;
        let is_reported = [key, value].iter().any(|place| {
            [Rule::WrongValue, Rule::UnknownKey]
                .iter()
                .any(|rule| self.findings.has(*rule, source, *place))
        });
        // A rejected part makes the surrounding literal fail again.
        if !is_reported && self.is_first(at.parsed, &failure) {
            let on_key = failure.path.as_ref().is_some_and(|path| path.on_key);
            self.found(Rule::WrongValue, at.parsed, if on_key { key } else { value }, failure);
        }
    }

    /// Whether no finding of the source has this message yet.
    fn is_first(&mut self, parsed: &ParsedSource, failure: &Failure) -> bool {
        self.reported.insert((parsed.source.name.clone(), failure.message.clone()))
    }

    fn probe(&mut self, parsed: &ParsedSource, test: &Expr) {
        if let Some(failure) = probes::weak(test) {
            self.found(Rule::WeakProbe, parsed, literal::start(test), failure);
        }
    }

    fn found(&mut self, rule: Rule, parsed: &ParsedSource, position: Position, failure: Failure) {
        self.findings.add(rule, &parsed.source, position, failure);
    }
}

/// The positions of the key and the value at a path inside a literal, as far as it contains them.
fn located(literal: &Expr, path: &[String]) -> (Position, Position) {
    let (mut expression, mut key) = (literal, literal::start(literal));
    for name in path {
        let next = match expression {
            Expr::Map(entries, _) => entries
                .0
                .iter()
                .find(|(key, _)| key.name == name.as_str())
                .map(|(key, value)| (key.pos, value)),
            Expr::Array(items, _) => name
                .parse::<usize>()
                .ok()
                .and_then(|at| items.get(at))
                .map(|item| (literal::start(item), item)),
            _ => None,
        };
        let Some((position, value)) = next else { break };
        (key, expression) = (position, value);
    }
    (key, literal::start(expression))
}
