//! The names that scripts can use, and the one that is most similar to an unknown name.

use rhai::{Engine, FuncInfo};

use crate::model::suggest::nearest;
use crate::value::rhai_messages::MissingName;
use crate::value::type_names::word_of;

/// Functions of the host: spc's own, and Rhai's if requested.
pub struct Names {
    functions: Vec<Function>,
}

/// A function, as its registration describes it.
#[derive(Debug, Clone)]
pub struct Function {
    /// `arg` for `arg::text`; empty for functions without a module.
    pub module: String,
    pub name: String,
    /// Name and type word of each parameter; the word is empty if the type is unknown.
    parameters: Vec<(String, String)>,
    count: usize,
    /// It is called on its first parameter: `service.exec(…)`.
    pub is_method: bool,
    /// It can also be called without the name of its module.
    pub is_global: bool,
    /// The word for the type of its result; empty if it is unknown.
    pub gives: String,
    /// Its comment, without the comment marks.
    pub doc: String,
}

/// The message and hint for an unknown name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suggestion {
    /// The function exists with other arguments: its forms.
    Takes(String),
    /// The next step.
    Hint(String),
}

/// The definitions of the script itself.
#[derive(Debug, Default, Clone)]
pub struct DefinedNames {
    /// Name and parameters.
    pub functions: Vec<(String, Vec<String>)>,
    pub variables: Vec<String>,
    /// The names of imports.
    pub modules: Vec<String>,
}

const GETTER: &str = "get$";

/// The most forms of a function in a message.
const FORMS: usize = 4;

impl Names {
    /// spc's own functions.
    pub fn host(engine: &Engine) -> Self {
        Self {
            functions: engine.collect_fn_metadata(None, |info| Some(Function::of(&info)), false),
        }
    }

    /// spc's and Rhai's.
    pub fn all(engine: &Engine) -> Self {
        Self { functions: engine.collect_fn_metadata(None, |info| Some(Function::of(&info)), true) }
    }

    /// All functions, also operators and closures.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Whether a script's function with this name would hide one of these; `this_type` is the type
    /// of its values if it is a method.
    pub fn is_host_function(&self, name: &str, this_type: Option<&str>, parameters: usize) -> bool {
        self.functions
            .iter()
            .filter(|function| function.module.is_empty() && function.name == name)
            .any(|function| match this_type {
                None => function.count == parameters,
                Some(this) => {
                    let first = function.parameters.first().map_or("", |(_, word)| word.as_str());
                    function.count == parameters + 1
                        && (first.is_empty() || first == "value" || first == word_of(this))
                }
            })
    }

    /// The next step for an unknown name.
    pub fn suggestion(&self, missing: &MissingName, defined: &DefinedNames) -> Option<Suggestion> {
        if let MissingName::Function { module, name, .. } = missing
            && let Some(forms) = self.forms(module.as_deref(), name, defined)
        {
            return Some(Suggestion::Takes(forms));
        }
        self.hint(missing, defined).map(Suggestion::Hint)
    }

    fn hint(&self, missing: &MissingName, defined: &DefinedNames) -> Option<String> {
        if is_of_tests(missing) {
            return Some("it exists only in tests: functions test_… in files …_test.rhai, which `spc test` runs".to_owned());
        }
        match missing {
            MissingName::Function { module, name, arguments } => {
                self.function(module.as_deref(), name, arguments, defined)
            }
            MissingName::Variable(name) => {
                let name = name.rsplit("::").next().unwrap_or(name);
                if defined.functions.iter().any(|(function, _)| function == name)
                    || self.functions.iter().any(|function| function.name == name)
                {
                    return Some(format!("to call the function, write {name}(…)"));
                }
                meant(name, defined.variables.iter().map(String::as_str))
                    .or_else(|| of_other_languages(name).map(str::to_owned))
            }
            MissingName::Module(name) => {
                let own = self
                    .functions
                    .iter()
                    .map(|function| function.module.as_str())
                    .filter(|module| !module.is_empty());
                meant(name, own.chain(defined.modules.iter().map(String::as_str)))
            }
            MissingName::Field { name, of } => {
                let getters = self.functions.iter().filter(|function| {
                    function.parameters.first().is_some_and(|(_, word)| word == of)
                });
                method_meant(&self.functions, name, of).or_else(|| {
                    meant(
                        name,
                        getters
                            .filter_map(|function| function.name.strip_prefix(GETTER))
                            .filter(|name| *name != "tag"),
                    )
                })
            }
        }
    }

    /// The forms of an existing function.
    fn forms(&self, module: Option<&str>, name: &str, defined: &DefinedNames) -> Option<String> {
        let own = self.functions.iter().filter(|function| {
            function.module == module.unwrap_or_default() && function.name == name
        });
        let scripts = defined.functions.iter().filter(|(function, _)| function == name);
        let mut forms: Vec<String> = own
            .map(Function::form)
            .chain(scripts.map(|(_, parameters)| form(name, parameters)))
            .collect();
        forms.sort_by_key(|form| (form.len(), form.clone()));
        forms.dedup();
        forms.truncate(FORMS);
        (is_word(name) && !forms.is_empty()).then(|| forms.join(" or "))
    }

    fn function(
        &self,
        module: Option<&str>,
        name: &str,
        arguments: &[String],
        defined: &DefinedNames,
    ) -> Option<String> {
        if !is_word(name) {
            return None;
        }
        if module.is_none() && defined.variables.iter().any(|variable| variable == name) {
            return Some(format!("to call the function in the variable, write {name}.call(…)"));
        }
        let inside =
            self.functions.iter().filter(|function| function.module == module.unwrap_or_default());
        let own = inside.map(|function| function.name.as_str()).filter(|name| is_word(name));
        let found =
            meant(name, own.chain(defined.functions.iter().map(|(function, _)| function.as_str())));
        found.or_else(|| field_meant(&self.functions, name, arguments))
    }
}

/// The next step for a name that means a value in another language: `True`.
pub fn of_other_languages(name: &str) -> Option<&'static str> {
    match name {
        "True" | "TRUE" => Some("write true"),
        "False" | "FALSE" => Some("write false"),
        "None" | "NULL" | "Null" | "nil" | "undefined" => Some("write () for no value"),
        _ => None,
    }
}

fn is_of_tests(missing: &MissingName) -> bool {
    match missing {
        MissingName::Module(name) => name == "sim",
        MissingName::Function { module: None, name, .. } => {
            ["assert", "assert_eq", "assert_ne", "assert_fails", "runbook"].contains(&name.as_str())
        }
        _ => false,
    }
}

/// A field that was called like a function.
fn field_meant(functions: &[Function], name: &str, arguments: &[String]) -> Option<String> {
    let [of] = arguments else { return None };
    let is_field = |function: &Function| {
        function.name.strip_prefix(GETTER) == Some(name)
            && function.parameters.first().is_some_and(|(_, word)| word == of)
    };
    functions.iter().any(is_field).then(|| format!("it is a field: write .{name} without ()"))
}

/// A method that was read like a field.
fn method_meant(functions: &[Function], name: &str, of: &str) -> Option<String> {
    let is_method = |function: &&Function| {
        function.is_method
            && function.name == name
            && function.parameters.first().is_some_and(|(_, word)| word == of)
    };
    let method = functions.iter().filter(is_method).min_by_key(|function| function.count)?;
    let arguments = if method.count == 1 { "" } else { "…" };
    Some(format!("it is a method: write .{name}({arguments})"))
}

/// Whether scripts can call this name: it is not an operator, a getter or a closure.
pub fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c == '_' || c.is_alphabetic()) && !name.contains('$')
}

/// `did you mean "x"?`, if a name is similar.
pub fn meant<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    // A single letter is similar to every other one.
    if name.chars().count() < 2 {
        return None;
    }
    nearest(name, candidates.filter(|candidate| *candidate != name))
        .map(|near| format!("did you mean \"{near}\"?"))
}

/// The form of a function's call: `describe(options)`.
pub fn form(name: &str, parameters: &[String]) -> String {
    format!("{name}({})", parameters.join(", "))
}

impl Function {
    fn of(info: &FuncInfo) -> Self {
        let metadata = info.metadata;
        let parameter = |text: &rhai::Identifier| match text.split_once(':') {
            Some((name, kind)) => (name.trim().to_owned(), word_of(kind)),
            None => (text.trim().to_owned(), String::new()),
        };
        let first = metadata.params_info.first().filter(|_| metadata.num_params > 0);
        Self {
            module: info.namespace.to_string(),
            name: metadata.name.to_string(),
            is_method: first
                .and_then(|text| text.split_once(':'))
                .is_some_and(|(_, kind)| kind.trim().starts_with("&mut ")),
            is_global: metadata.namespace.is_global_namespace(),
            gives: given(&metadata.return_type),
            doc: metadata
                .comments
                .iter()
                .flat_map(|comment| comment.lines())
                .map(without_mark)
                .collect::<Vec<_>>()
                .join("\n"),
            parameters: metadata
                .params_info
                .iter()
                .take(metadata.num_params)
                .map(parameter)
                .collect(),
            count: metadata.num_params,
        }
    }

    /// The word for the type of its first parameter; `None` without parameters, empty if any type
    /// is allowed.
    pub fn first(&self) -> Option<&str> {
        let word = self.parameters.first().map_or("", |(_, word)| word.as_str());
        (self.count > 0).then_some(if word == "value" { "" } else { word })
    }

    /// The field, if the function is its getter.
    pub fn field(&self) -> Option<&str> {
        self.name.strip_prefix(GETTER).filter(|name| *name != "tag")
    }

    /// Whether scripts call it by its name: it is not an operator, a field or a closure, and does
    /// not only exist to report that it doesn't exist.
    pub fn is_called(&self) -> bool {
        is_word(&self.name) && self.name != "exit"
    }

    /// The number of its parameters.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The form of its call: `merge(base, over)`.
    pub fn form(&self) -> String {
        form(&self.name, &self.named())
    }

    /// The form of its call on a value: `.exec(command)`.
    pub fn form_of_method(&self) -> String {
        format!(".{}", form(&self.name, self.named().get(1..).unwrap_or_default()))
    }

    fn named(&self) -> Vec<String> {
        let named: Vec<String> = self.parameters.iter().map(|(name, _)| name.clone()).collect();
        if named.len() == self.count { named } else { vec!["_".to_owned(); self.count] }
    }
}

/// The word for the type of a function's result, without its error.
fn given(kind: &str) -> String {
    let kind = kind.trim();
    let inner = ["Raw<", "Result<", "RhaiResultOf<"]
        .iter()
        .find_map(|outer| kind.strip_prefix(outer)?.strip_suffix('>'));
    let kind = inner.map_or(kind, |inner| inner.split(", Box<").next().unwrap_or(inner));
    if matches!(kind, "" | "RhaiResult") { String::new() } else { word_of(kind) }
}

/// A line of a comment without the comment mark.
fn without_mark(line: &str) -> &str {
    let line = line.strip_prefix("///").unwrap_or(line);
    line.strip_prefix(' ').unwrap_or(line).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::harness::Harness;

    fn names() -> Names {
        let mut engine = Engine::new();
        crate::api::register(&mut engine, &Harness::new().context);
        Names::all(&engine)
    }

    fn suggested(missing: &MissingName) -> Option<String> {
        let defined = DefinedNames {
            functions: vec![("describe".into(), vec!["options".into()])],
            variables: vec!["service".into()],
            modules: vec!["deploy".into()],
        };
        names().suggestion(missing, &defined).map(|suggestion| match suggestion {
            Suggestion::Takes(forms) => format!("it takes {forms}"),
            Suggestion::Hint(hint) => hint,
        })
    }

    fn function(name: &str, arguments: &[&str]) -> MissingName {
        MissingName::Function {
            module: None,
            name: name.into(),
            arguments: arguments.iter().map(|word| (*word).to_owned()).collect(),
        }
    }

    #[test]
    fn a_slip_finds_the_function_variable_module_or_field() {
        let mean = |word: &str| Some(format!("did you mean \"{word}\"?"));
        assert_eq!(suggested(&function("paralel", &["list"])), mean("parallel"));
        assert_eq!(suggested(&function("descrbe", &["map"])), mean("describe"));
        assert_eq!(suggested(&MissingName::Variable("servce".into())), mean("service"));
        assert_eq!(suggested(&MissingName::Module("deplyo".into())), mean("deploy"));
        assert_eq!(suggested(&MissingName::Module("args".into())), mean("arg"));
        assert_eq!(
            suggested(&MissingName::Field { name: "secnds".into(), of: "duration".into() }),
            mean("seconds")
        );
        assert_eq!(suggested(&function("entirely_else", &[])), None);
    }

    #[test]
    fn a_function_with_other_arguments_says_what_it_takes() {
        assert_eq!(
            suggested(&function("fail", &["string"])).unwrap(),
            "it takes fail(kind, message) or fail(kind, message, fields)"
        );
        assert_eq!(suggested(&function("describe", &[])).unwrap(), "it takes describe(options)");
        let text = MissingName::Function {
            module: Some("arg".into()),
            name: "text".into(),
            arguments: vec![],
        };
        assert_eq!(suggested(&text).unwrap(), "it takes text(default, help)");
        assert_eq!(
            suggested(&function("seconds", &["duration"])).unwrap(),
            "it is a field: write .seconds without ()"
        );
        assert_eq!(
            suggested(&MissingName::Variable("describe".into())).unwrap(),
            "to call the function, write describe(…)"
        );
    }

    #[test]
    fn only_the_same_number_of_parameters_hides_a_host_function() {
        let names = names();
        assert!(names.is_host_function("attempt", None, 1));
        assert!(!names.is_host_function("attempt", None, 2));
        assert!(names.is_host_function("keys", Some("record"), 0));
        assert!(!names.is_host_function("trimmed", Some("record"), 0));
        assert!(!names.is_host_function("text", None, 2));
    }
}
