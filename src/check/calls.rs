//! Finds calls of unknown functions, and calls with a wrong number of arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Position;

use super::findings::Findings;
use super::parsed_source::{Function, ParsedSource};
use super::rule::Rule;
use super::script_analysis::{
    Call, CallReceiver, QualifiedName, ScriptAnalysis, UndefinedVariable,
};
use super::sources::Sources;
use crate::model::Failure;
use crate::model::diagnostic::Source;
use crate::script::names::{self, Names, form, is_word, meant};

/// Functions that Rhai has without a registration.
const BUILT_IN: [&str; 9] =
    ["type_of", "call", "curry", "is_shared", "Fn", "is_def_fn", "is_def_var", "print", "debug"];

/// The most forms of a function in a hint.
const FORMS: usize = 4;

/// The functions of the host, by module and name.
pub struct Host<'a> {
    functions: BTreeMap<(&'a str, &'a str), Vec<&'a names::Function>>,
    modules: Vec<&'a str>,
    /// Names of methods in any module.
    methods: BTreeMap<&'a str, Vec<&'a names::Function>>,
    fields: Vec<&'a str>,
}

impl<'a> Host<'a> {
    /// The functions of an engine.
    pub fn new(names: &'a Names) -> Self {
        let mut host = Self {
            functions: BTreeMap::new(),
            modules: Vec::new(),
            methods: BTreeMap::new(),
            fields: Vec::new(),
        };
        for function in names.functions() {
            host.fields.extend(function.field());
            if !is_word(&function.name) {
                continue;
            }
            let module = function.module.as_str();
            host.functions.entry((module, &function.name)).or_default().push(function);
            if !module.is_empty() && function.is_global {
                host.functions.entry(("", &function.name)).or_default().push(function);
            }
            if function.count() > 0 {
                host.methods.entry(&function.name).or_default().push(function);
            }
            if !module.is_empty() && !host.modules.contains(&module) {
                host.modules.push(module);
            }
        }
        host
    }

    fn called<'b>(&'b self, module: &'b str, name: &'b str) -> &'b [&'a names::Function] {
        self.functions.get(&(module, name)).map_or(&[], Vec::as_slice)
    }

    fn is_field(&self, name: &str) -> bool {
        self.fields.contains(&name)
    }
}

/// The path before `::`.
enum Target<'a> {
    Host,
    File(&'a ParsedSource),
}

/// Checks the calls of one source.
pub struct Calls<'a> {
    pub host: &'a Host<'a>,
    pub sources: &'a Sources,
    pub readings: &'a BTreeMap<&'a str, ScriptAnalysis<'a>>,
    pub findings: &'a mut Findings,
}

impl<'a> Calls<'a> {
    /// Finds the mistakes in `parsed`.
    pub fn check(&mut self, parsed: &'a ParsedSource, reading: &ScriptAnalysis<'a>) {
        for undefined in &reading.undefined {
            let failure = self.undefined(parsed, reading, undefined);
            self.findings.add(Rule::UndefinedVariable, &parsed.source, undefined.position, failure);
        }
        for call in &reading.calls {
            let name = call.call.name.as_str();
            if call.call.is_qualified() {
                let modules: Vec<&str> =
                    call.call.namespace.path.iter().map(|module| module.name.as_str()).collect();
                self.qualified(parsed, &modules, call);
            } else if BUILT_IN.contains(&name) || call.call.capture_parent_scope {
            } else if matches!(call.on, CallReceiver::Nothing) {
                self.plain(parsed, reading, call);
            } else {
                self.method(parsed, reading, call);
            }
        }
        for name in &reading.qualified {
            self.constant(parsed, reading, name);
        }
    }

    fn undefined(
        &self,
        parsed: &ParsedSource,
        reading: &ScriptAnalysis<'_>,
        undefined: &UndefinedVariable<'_>,
    ) -> Failure {
        let name = undefined.name;
        let failure = Failure::usage(format!("There is no variable \"{name}\""));
        if undefined.in_function && reading.constants.contains_key(name) {
            return failure
                .hint(format!("a function sees a constant of its file as global::{name}"));
        }
        if undefined.in_function && reading.top.contains(name) {
            let hint = format!(
                "functions see their parameters only: pass {name} as one, or make it a const and write global::{name}"
            );
            return failure.hint(hint);
        }
        if !undefined.in_function && reading.names.contains(name) {
            return failure
                .hint("it is made later, or in a block or function, and not seen outside of that");
        }
        if parsed.functions.iter().any(|function| function.name == name)
            || !self.host.called("", name).is_empty()
        {
            return failure.hint(format!("to call the function, write {name}(…)"));
        }
        with_hint(
            failure,
            meant(name, reading.names.iter().copied().filter(|known| *known != name))
                .or_else(|| names::of_other_languages(name).map(str::to_owned)),
        )
    }

    fn plain(&mut self, parsed: &ParsedSource, reading: &ScriptAnalysis<'_>, call: &Call<'_>) {
        let (name, count) = (call.call.name.as_str(), call.call.args.len());
        let own: Vec<&Function> = parsed
            .functions
            .iter()
            .filter(|function| function.name == name && function.this_type.is_none())
            .collect();
        let host = self.host.called("", name);
        if own.iter().any(|function| function.parameters.len() == count)
            || host.iter().any(|function| function.count() == count)
        {
            return;
        }
        let forms = host
            .iter()
            .map(|function| function.form())
            .chain(own.iter().map(|function| form(name, &function.parameters)));
        let elsewhere = self.elsewhere(parsed, name, count);
        if let Some(hint) = takes(forms).filter(|_| elsewhere.is_none()) {
            return self.arguments(&parsed.source, call.position, name, count, hint);
        }
        let failure = Failure::usage(format!("There is no function \"{name}\""));
        let hint = if reading.names.contains(name) {
            Some(format!("to call the function in the variable, write {name}.call(…)"))
        } else {
            let all = self
                .host
                .functions
                .keys()
                .filter(|(module, _)| module.is_empty())
                .map(|(_, name)| *name);
            let own = parsed.functions.iter().map(|function| function.name.as_str());
            elsewhere.or_else(|| meant(name, own.chain(all)))
        };
        self.findings.add(
            Rule::UnknownFunction,
            &parsed.source,
            call.position,
            with_hint(failure, hint),
        );
    }

    /// A matching function in a module or an imported file.
    fn elsewhere(&self, parsed: &ParsedSource, name: &str, count: usize) -> Option<String> {
        let fits = |module: &&&str| {
            self.host.called(module, name).iter().any(|function| function.count() == count)
        };
        let in_module = self.host.modules.iter().find(fits);
        let imported = parsed.imports.iter().find(|(_, source)| {
            let functions = source
                .as_ref()
                .and_then(|source| self.sources.parsed.get(source))
                .map(|parsed| &parsed.functions);
            functions.is_some_and(|functions| {
                functions.iter().any(|function| {
                    function.name == name
                        && function.parameters.len() == count
                        && !function.is_private
                })
            })
        });
        let module = imported.map(|(module, _)| module.as_str()).or(in_module.copied())?;
        Some(format!("write {module}::{name}(…)"))
    }

    fn method(&mut self, parsed: &ParsedSource, reading: &ScriptAnalysis<'_>, call: &Call<'_>) {
        let (name, count) = (call.call.name.as_str(), call.call.args.len());
        let host = self.host.methods.get(name).map_or(&[][..], Vec::as_slice);
        // Functions for a type are known in all files; in their own file they use `this`.
        let everywhere = self
            .sources
            .parsed
            .values()
            .flat_map(|other| &other.functions)
            .filter(|function| function.this_type.is_some());
        let own = parsed.functions.iter().filter(|function| function.this_type.is_none());
        let scripts: Vec<&Function> =
            own.chain(everywhere).filter(|function| function.name == name).collect();
        let fits = host.iter().any(|function| function.count() == count + 1)
            || scripts.iter().any(|function| function.parameters.len() == count)
            // A closure in a map is called like a method.
            || self.readings.values().any(|reading| reading.keys.contains(name));
        if fits {
            return;
        }
        let forms = host.iter().map(|function| function.form_of_method());
        let forms = forms.chain(
            scripts
                .iter()
                .filter(|function| function.this_type.is_some())
                .map(|function| format!(".{}", form(name, &function.parameters))),
        );
        if let Some(hint) = takes(forms) {
            return self.arguments(&parsed.source, call.position, name, count, hint);
        }
        let failure = Failure::usage(format!("There is no method \"{name}\""));
        let hint = if let Some(function) = scripts.first() {
            Some(format!("the function is called as {}", form(name, &function.parameters)))
        } else if self.host.is_field(name) && count == 0 {
            Some(format!("it is a field: write .{name} without ()"))
        } else {
            meant(name, self.host.methods.keys().copied().chain(reading.keys.iter().copied()))
        };
        self.findings.add(
            Rule::UnknownFunction,
            &parsed.source,
            call.position,
            with_hint(failure, hint),
        );
    }

    fn qualified(&mut self, parsed: &ParsedSource, modules: &[&str], call: &Call<'_>) {
        let (name, count) = (call.call.name.as_str(), call.call.args.len());
        let path = modules.join("::");
        let at = call.call.namespace.position();
        let Some(target) = self.target(parsed, modules, at) else { return };
        let shown = format!("{path}::{name}");
        let Target::File(target) = target else {
            let host = self.host.called(modules[0], name);
            if host.iter().any(|function| function.count() == count) {
                return;
            }
            if let Some(hint) =
                takes(host.iter().map(|function| format!("{path}::{}", function.form())))
            {
                return self.arguments(&parsed.source, call.position, &shown, count, hint);
            }
            let all = self
                .host
                .functions
                .keys()
                .filter(|(module, _)| *module == modules[0])
                .map(|(_, name)| *name);
            let failure = with_hint(
                Failure::usage(format!("There is no function \"{shown}\"")),
                meant(name, all),
            );
            return self.findings.add(
                Rule::UnknownFunction,
                &parsed.source,
                call.position,
                failure,
            );
        };
        let named: Vec<&Function> =
            target.functions.iter().filter(|function| function.name == name).collect();
        let public = || named.iter().filter(|function| !function.is_private);
        if public().any(|function| function.parameters.len() == count) {
            return;
        }
        if let Some(hint) =
            takes(public().map(|function| format!("{path}::{}", form(name, &function.parameters))))
        {
            return self.arguments(&parsed.source, call.position, &shown, count, hint);
        }
        let file = &target.source.name;
        if !named.is_empty() {
            let failure = Failure::usage(format!("\"{name}\" is a private function of \"{file}\""));
            let failure =
                failure.hint("leave out \"private\" there, or call a function that is not");
            return self.findings.add(
                Rule::PrivateFunction,
                &parsed.source,
                call.position,
                failure,
            );
        }
        let all = target
            .functions
            .iter()
            .filter(|function| !function.is_private)
            .map(|function| function.name.as_str());
        let failure = with_hint(
            Failure::usage(format!("There is no function \"{name}\" in \"{file}\"")),
            meant(name, all),
        );
        self.findings.add(Rule::UnknownFunction, &parsed.source, call.position, failure);
    }

    /// The target of `a::b::`; `None` if it is unknown or its mistake was already reported.
    fn target(
        &mut self,
        parsed: &ParsedSource,
        modules: &[&str],
        at: Position,
    ) -> Option<Target<'a>> {
        let (first, rest) = modules.split_first()?;
        let Some(source) = parsed.imports.get(*first) else {
            if self.host.modules.contains(first) {
                return rest.is_empty().then_some(Target::Host);
            }
            let all =
                self.host.modules.iter().copied().chain(parsed.imports.keys().map(String::as_str));
            let failure = Failure::usage(format!("There is no module \"{first}\""));
            let hint = meant(first, all)
                .unwrap_or_else(|| format!("import it first: import \"…\" as {first};"));
            self.findings.add(Rule::UnknownModule, &parsed.source, at, failure.hint(hint));
            return None;
        };
        let mut target = self.sources.parsed.get(source.as_ref()?)?;
        for module in rest {
            target = self.sources.parsed.get(target.imports.get(*module)?.as_ref()?)?;
        }
        Some(Target::File(target))
    }

    fn constant(
        &mut self,
        parsed: &ParsedSource,
        reading: &ScriptAnalysis<'_>,
        name: &QualifiedName<'_>,
    ) {
        let QualifiedName { modules, name, position } = name;
        if modules.as_slice() == ["global"] {
            if reading.constants.contains_key(name) {
                return;
            }
            let failure = Failure::usage(format!(
                "There is no constant \"{name}\" at the top level of this file"
            ));
            let hint = if reading.names.contains(name) {
                Some(format!(
                    "global:: reads constants: pass {name} as a parameter, or let the closure capture it"
                ))
            } else {
                meant(name, reading.constants.keys().copied())
            };
            return self.findings.add(
                Rule::UnknownConstant,
                &parsed.source,
                *position,
                with_hint(failure, hint),
            );
        }
        let Some(Target::File(target)) = self.target(parsed, modules, *position) else { return };
        let Some(known) = self.readings.get(target.source.name.as_str()) else { return };
        if !known.exported.contains(name) {
            let failure =
                Failure::usage(format!("\"{}\" exports no \"{name}\"", target.source.name));
            let hint = if known.names.contains(name) {
                Some(format!("write there: export const {name} = …"))
            } else {
                meant(name, known.exported.iter().copied())
            };
            self.findings.add(
                Rule::UnknownConstant,
                &parsed.source,
                *position,
                with_hint(failure, hint),
            );
        }
    }

    fn arguments(
        &mut self,
        source: &Arc<Source>,
        position: Position,
        name: &str,
        count: usize,
        hint: String,
    ) {
        let given = match count {
            0 => "no arguments".to_owned(),
            1 => "1 argument".to_owned(),
            more => format!("{more} arguments"),
        };
        let failure = Failure::usage(format!("\"{name}\" is called with {given}")).hint(hint);
        self.findings.add(Rule::ArgumentCount, source, position, failure);
    }
}

/// `it takes f(a) or f(a, b)`; empty without a form.
fn takes(forms: impl Iterator<Item = String>) -> Option<String> {
    let mut forms: Vec<String> = forms.collect();
    forms.sort_by_key(|form| (form.len(), form.clone()));
    forms.dedup();
    forms.truncate(FORMS);
    (!forms.is_empty()).then(|| format!("it takes {}", forms.join(" or ")))
}

fn with_hint(failure: Failure, hint: Option<String>) -> Failure {
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}
