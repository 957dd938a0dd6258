//! The meaning of a source's names, and its calls: one pass for all rules.
//!
//! Variables are resolved as in Rhai: they end with their block, functions see only their
//! parameters, closures see the surrounding variables.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{ASTFlags, Expr, FnCallExpr, Position, Stmt, SwitchCasesCollection};

use super::parsed_source::{Function, ParsedSource};

/// A variable, constant or parameter.
pub struct Binding<'a> {
    pub name: &'a str,
    /// The values that are assigned to it; empty if it is set from outside.
    pub values: Vec<&'a Expr>,
    /// Its content may have been changed.
    pub is_changed: bool,
    /// For a parameter: the function's address, and the index of the parameter.
    pub parameter: Option<(usize, usize)>,
}

/// A call of a function or method, except operators.
pub struct Call<'a> {
    pub call: &'a FnCallExpr,
    pub position: Position,
    pub on: CallReceiver<'a>,
}

/// The value on which a function is called.
pub enum CallReceiver<'a> {
    /// `f(x)`.
    Nothing,
    /// `x.f()`; for `x.a.f()` the beginning of the chain.
    Chain { begins: &'a Expr, variable: Option<usize>, is_first: bool },
}

/// `variable.field`, where it is read.
pub struct FieldAccess<'a> {
    pub variable: usize,
    pub name: &'a str,
    pub position: Position,
}

/// A name after `module::` that is not a function.
pub struct QualifiedName<'a> {
    pub modules: Vec<&'a str>,
    pub name: &'a str,
    pub position: Position,
}

/// An unknown variable.
pub struct UndefinedVariable<'a> {
    pub name: &'a str,
    pub position: Position,
    /// It is used in a function, which can't see the top level.
    pub in_function: bool,
}

/// The most variables in a chain that are followed.
pub const MOST_VARIABLES: usize = 16;

/// Rhai's functions that change the map that is their first argument.
const CHANGING: &[&str] = &["set", "mixin", "fill_with", "remove", "clear", "drain", "retain"];

/// The result of the pass.
#[derive(Default)]
pub struct ScriptAnalysis<'a> {
    pub bindings: Vec<Binding<'a>>,
    /// The binding of a variable's expression, by its address.
    meaning: BTreeMap<usize, usize>,
    /// Unknown variables.
    pub undefined: Vec<UndefinedVariable<'a>>,
    pub calls: Vec<Call<'a>>,
    pub qualified: Vec<QualifiedName<'a>>,
    /// The operators that compare two values.
    pub comparisons: Vec<(&'a FnCallExpr, Position)>,
    pub fields: Vec<FieldAccess<'a>>,
    /// The variables that are the first argument of a function that changes it: `mixin(x, …)`.
    changed_by_call: BTreeSet<usize>,
    /// Keys of maps, and fields, that may contain a closure.
    pub keys: BTreeSet<&'a str>,
    /// Every name that is a variable somewhere.
    pub names: BTreeSet<&'a str>,
    /// Those of the top level.
    pub top: BTreeSet<&'a str>,
    /// Constants of the top level: `global::NAME`.
    pub constants: BTreeMap<&'a str, &'a Expr>,
    /// The names that importers see: `module::NAME`.
    pub exported: BTreeSet<&'a str>,
    /// The variables that a closure captures, by the closure's address.
    captured: BTreeMap<usize, Vec<usize>>,
    /// The values of a function's body, by the function's address: of its last statement and of
    /// each `return`.
    results: BTreeMap<usize, Vec<ResultValue<'a>>>,
}

/// A value that a function or block returns.
#[derive(Clone, Copy)]
pub enum ResultValue<'a> {
    Value(&'a Expr),
    Call(&'a FnCallExpr),
}

fn address<T>(item: &T) -> usize {
    std::ptr::from_ref(item).addr()
}

impl<'a> ScriptAnalysis<'a> {
    /// Analyses a source.
    pub fn of(parsed: &'a ParsedSource) -> Self {
        let mut walk = ScriptVisitor {
            parsed,
            reading: Self::default(),
            scope: Vec::new(),
            depth: 0,
            in_function: false,
            returns: Vec::new(),
        };
        for statement in parsed.ast.statements() {
            walk.statement(statement);
        }
        for function in &parsed.functions {
            walk.scope.clear();
            walk.depth = 1;
            walk.in_function = true;
            walk.body(function, &function.parameters);
        }
        walk.reading
    }

    /// The meaning of a variable's expression.
    pub fn binding(&self, variable: &Expr) -> Option<usize> {
        self.meaning.get(&address(variable)).copied()
    }

    /// The variables that a closure captures.
    pub fn captured(&self, closure: &Function) -> &[usize] {
        self.captured.get(&address(closure)).map_or(&[], Vec::as_slice)
    }

    /// Whether the content of a map or list may differ from the assigned literal.
    pub fn may_differ(&self, binding: usize) -> bool {
        self.bindings[binding].is_changed || self.changed_by_call.contains(&binding)
    }

    /// The results of a function.
    pub fn given(&self, function: &Function) -> &[ResultValue<'a>] {
        self.results.get(&address(function)).map_or(&[], Vec::as_slice)
    }
}

struct ScriptVisitor<'a> {
    parsed: &'a ParsedSource,
    reading: ScriptAnalysis<'a>,
    /// The visible bindings, the newest last.
    scope: Vec<usize>,
    /// The surrounding blocks and functions.
    depth: usize,
    in_function: bool,
    returns: Vec<ResultValue<'a>>,
}

impl<'a> ScriptVisitor<'a> {
    fn define(&mut self, name: &'a str, value: Option<&'a Expr>) {
        self.reading.names.insert(name);
        if self.depth == 0 {
            self.reading.top.insert(name);
        }
        self.scope.push(self.reading.bindings.len());
        self.reading.bindings.push(Binding {
            name,
            values: value.into_iter().collect(),
            is_changed: false,
            parameter: None,
        });
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.scope
            .iter()
            .rev()
            .copied()
            .find(|binding| self.reading.bindings[*binding].name == name)
    }

    /// The body of a function or closure; `parameters` are those that it doesn't capture.
    fn body(&mut self, function: &'a Function, parameters: &'a [String]) {
        let before = std::mem::take(&mut self.returns);
        for (at, parameter) in parameters.iter().enumerate() {
            self.define(parameter, None);
            if let Some(binding) = self.reading.bindings.last_mut() {
                binding.parameter = Some((address(function), at));
            }
        }
        for statement in &function.body {
            self.statement(statement);
        }
        let mut given = std::mem::replace(&mut self.returns, before);
        last_values(&function.body, &mut given);
        self.reading.results.insert(address(function), given);
    }

    fn block(&mut self, statements: &'a [Stmt]) {
        let (seen, depth) = (self.scope.len(), self.depth);
        self.depth += 1;
        for statement in statements {
            self.statement(statement);
        }
        self.scope.truncate(seen);
        self.depth = depth;
    }

    fn statement(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Var(variable, flags, _) => {
                self.expression(&variable.1);
                if self.depth == 0 && flags.intersects(ASTFlags::CONSTANT) {
                    self.reading.constants.insert(&variable.0.name, &variable.1);
                }
                if flags.intersects(ASTFlags::EXPORTED) {
                    self.reading.exported.insert(&variable.0.name);
                }
                self.define(&variable.0.name, Some(&variable.1));
            }
            Stmt::If(parts, _) | Stmt::While(parts, _) => {
                self.expression(&parts.expr);
                self.block(parts.body.statements());
                self.block(parts.branch.statements());
            }
            Stmt::Do(parts, ..) => {
                self.block(parts.body.statements());
                self.expression(&parts.expr);
            }
            Stmt::For(parts, _) => {
                self.expression(&parts.2.expr);
                let seen = self.scope.len();
                self.define(&parts.0.name, None);
                if let Some(count) = &parts.1 {
                    self.define(&count.name, None);
                }
                self.block(parts.2.body.statements());
                self.scope.truncate(seen);
            }
            Stmt::TryCatch(parts, _) => {
                self.block(parts.body.statements());
                let seen = self.scope.len();
                if let Expr::Variable(caught, ..) = &parts.expr {
                    self.define(&caught.1, None);
                }
                self.block(parts.branch.statements());
                self.scope.truncate(seen);
            }
            Stmt::Switch(parts, _) => {
                self.expression(&parts.0);
                for (condition, value) in cases(&parts.1) {
                    self.expression(condition);
                    self.expression(value);
                }
            }
            Stmt::Assignment(parts) => {
                self.expression(&parts.1.rhs);
                self.expression(&parts.1.lhs);
                if let Some(binding) = self.reading.binding(&parts.1.lhs) {
                    self.reading.bindings[binding].values.push(&parts.1.rhs);
                } else if let Expr::Dot(chain, ..) | Expr::Index(chain, ..) = &parts.1.lhs
                    && let Some(binding) = self.reading.binding(&chain.lhs)
                {
                    self.reading.bindings[binding].is_changed = true;
                }
            }
            Stmt::FnCall(call, position) => self.call(call, *position, CallReceiver::Nothing),
            Stmt::Block(block) => self.block(block.statements()),
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::Return(value, flags, _) => {
                let Some(value) = value else { return };
                self.expression(value);
                // `throw` has this flag.
                if !flags.intersects(ASTFlags::BREAK) {
                    self.returns.push(ResultValue::Value(value));
                }
            }
            Stmt::BreakLoop(value, ..) => value.iter().for_each(|value| self.expression(value)),
            Stmt::Export(names, _) => {
                let alias = if names.1.name.is_empty() { &names.0.name } else { &names.1.name };
                self.reading.exported.insert(alias);
                if self.find(&names.0.name).is_none() {
                    self.undefined(&names.0.name, names.0.pos);
                }
            }
            _ => {}
        }
    }

    fn expression(&mut self, expression: &'a Expr) {
        if let Some((closure, captured)) = self.parsed.closure(expression) {
            return self.closure(closure, captured);
        }
        match expression {
            Expr::Variable(parts, _, position) => {
                self.variable(expression, &parts.1, &parts.2.path, *position)
            }
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => {
                parts.iter().for_each(|part| self.expression(part))
            }
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => {
                parts.iter().for_each(|part| self.expression(part))
            }
            Expr::Map(parts, _) => {
                for (key, value) in &parts.0 {
                    if may_be_a_function(value) {
                        self.reading.keys.insert(&key.name);
                    }
                    self.expression(value);
                }
            }
            Expr::Stmt(block) => self.block(block.statements()),
            Expr::FnCall(call, position) => self.call(call, *position, CallReceiver::Nothing),
            Expr::Dot(parts, flags, _) | Expr::Index(parts, flags, _) => {
                self.expression(&parts.lhs);
                let begins = (&parts.lhs, self.reading.binding(&parts.lhs));
                self.rest(begins, matches!(expression, Expr::Index(..)), *flags, &parts.rhs, true);
            }
            _ => {}
        }
    }

    /// The next part of a chain of `.` and `[ ]`: a field, a call, an index.
    fn rest(
        &mut self,
        begins: (&'a Expr, Option<usize>),
        is_index: bool,
        flags: ASTFlags,
        rest: &'a Expr,
        is_first: bool,
    ) {
        match rest {
            Expr::Dot(parts, next, _) | Expr::Index(parts, next, _)
                if !flags.intersects(ASTFlags::BREAK) =>
            {
                self.link(begins, is_index, &parts.lhs, is_first);
                self.rest(begins, matches!(rest, Expr::Index(..)), *next, &parts.rhs, false);
            }
            _ => self.link(begins, is_index, rest, is_first),
        }
    }

    fn link(
        &mut self,
        (begins, variable): (&'a Expr, Option<usize>),
        is_index: bool,
        link: &'a Expr,
        is_first: bool,
    ) {
        match link {
            Expr::MethodCall(call, position) if !is_index => {
                if let Some(binding) = variable {
                    self.reading.bindings[binding].is_changed = true;
                }
                self.call(call, *position, CallReceiver::Chain { begins, variable, is_first });
            }
            Expr::Property(parts, position) if !is_index => {
                self.reading.keys.insert(&parts.2);
                if let Some(variable) = variable.filter(|_| is_first) {
                    let (name, position) = (parts.2.as_str(), *position);
                    self.reading.fields.push(FieldAccess { variable, name, position });
                }
            }
            Expr::StringConstant(key, _) if is_index => {
                self.reading.keys.insert(key);
            }
            _ => self.expression(link),
        }
    }

    fn call(&mut self, call: &'a FnCallExpr, position: Position, on: CallReceiver<'a>) {
        for argument in &call.args {
            self.expression(argument);
        }
        if !call.is_operator_call() {
            if CHANGING.contains(&call.name.as_str())
                && let Some(first) = call.args.first().and_then(|it| self.reading.binding(it))
            {
                self.reading.changed_by_call.insert(first);
            }
            self.reading.calls.push(Call { call, position, on });
        } else if ["==", "!=", "<", "<=", ">", ">="].contains(&call.name.as_str()) {
            self.reading.comparisons.push((call, position));
        }
    }

    fn closure(&mut self, closure: &'a Function, captured: &'a [Expr]) {
        let (seen, depth) = (self.scope.len(), self.depth);
        let bindings = captured.iter().filter_map(|variable| match variable {
            Expr::Variable(parts, ..) => self.find(&parts.1),
            _ => None,
        });
        let bindings = bindings.collect();
        self.reading.captured.insert(address(closure), bindings);
        self.depth += 1;
        // A captured variable is the one around the closure; if it is unknown, it is reported at
        // its own position.
        self.body(closure, closure.parameters.get(captured.len()..).unwrap_or_default());
        self.scope.truncate(seen);
        self.depth = depth;
    }

    fn variable(
        &mut self,
        expression: &'a Expr,
        name: &'a str,
        modules: &'a [rhai::Ident],
        position: Position,
    ) {
        if !modules.is_empty() {
            let modules = modules.iter().map(|module| module.name.as_str()).collect();
            self.reading.qualified.push(QualifiedName { modules, name, position });
        } else if let Some(binding) = self.find(name) {
            self.reading.meaning.insert(address(expression), binding);
        } else {
            self.undefined(name, position);
        }
    }

    fn undefined(&mut self, name: &'a str, position: Position) {
        self.reading.undefined.push(UndefinedVariable {
            name,
            position,
            in_function: self.in_function,
        });
    }
}

/// Whether an expression may be a function.
fn may_be_a_function(value: &Expr) -> bool {
    match value {
        Expr::DynamicConstant(value, _) => value.is_fnptr(),
        Expr::BoolConstant(..)
        | Expr::IntegerConstant(..)
        | Expr::FloatConstant(..)
        | Expr::CharConstant(..)
        | Expr::StringConstant(..)
        | Expr::InterpolatedString(..)
        | Expr::Array(..)
        | Expr::Map(..)
        | Expr::Unit(_) => false,
        _ => true,
    }
}

/// The conditions and values of a `switch`.
fn cases(cases: &SwitchCasesCollection) -> impl Iterator<Item = (&Expr, &Expr)> {
    cases.expressions.iter().map(|case| (&case.lhs, &case.rhs))
}

/// The possible values of the last statement.
pub fn last_values<'a>(statements: &'a [Stmt], values: &mut Vec<ResultValue<'a>>) {
    match statements.last() {
        Some(Stmt::Expr(value)) => values.push(ResultValue::Value(value)),
        Some(Stmt::FnCall(call, _)) => values.push(ResultValue::Call(call)),
        Some(Stmt::Block(block)) => last_values(block.statements(), values),
        Some(Stmt::If(parts, _)) => {
            last_values(parts.body.statements(), values);
            last_values(parts.branch.statements(), values);
        }
        Some(Stmt::Switch(parts, _)) => {
            values.extend(cases(&parts.1).map(|(_, value)| ResultValue::Value(value)))
        }
        _ => {}
    }
}
