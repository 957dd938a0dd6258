//! Translates Rhai's errors into the words of scripts.

use rhai::{EvalAltResult, LexError, ParseErrorType, Position};

use super::type_names::{with_article, word_of};
use crate::model::Failure;

/// An unknown name in a script, for suggestions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MissingName {
    /// The module as written before `::`, the name, and the type words of the arguments.
    Function {
        module: Option<String>,
        name: String,
        arguments: Vec<String>,
    },
    Variable(String),
    /// The name before `::`.
    Module(String),
    /// The field's name, and the word for the type that lacks it.
    Field {
        name: String,
        of: String,
    },
}

/// The name that a function has inside its own file, which is file number `file` of a run: unique
/// in the run.
pub fn marked(name: &str, file: usize) -> String {
    format!("{name}{MARK}{file}")
}

/// The name as written.
pub fn unmarked(name: &str) -> &str {
    match name.rsplit_once(MARK) {
        Some((plain, file)) if file.bytes().all(|byte| byte.is_ascii_digit()) => plain,
        _ => name,
    }
}

/// Whether a function is a closure: Rhai names them `anon$` and a hash.
pub fn is_closure(name: &str) -> bool {
    name.starts_with("anon$")
}

const MARK: &str = "__in_file_";

/// The unknown name, if the error is about one.
pub fn missing(error: &EvalAltResult) -> Option<MissingName> {
    match error {
        EvalAltResult::ErrorFunctionNotFound(signature, _) => Some(function_of(signature)),
        EvalAltResult::ErrorVariableNotFound(name, _)
        | EvalAltResult::ErrorParsing(ParseErrorType::VariableUndefined(name), _) => {
            Some(MissingName::Variable(name.clone()))
        }
        EvalAltResult::ErrorModuleNotFound(name, _)
        | EvalAltResult::ErrorParsing(ParseErrorType::ModuleUndefined(name), _) => {
            Some(MissingName::Module(name.clone()))
        }
        EvalAltResult::ErrorDotExpr(text, _) => {
            let mut quoted = text.split('\'').skip(1).step_by(2);
            Some(MissingName::Field {
                name: quoted.next()?.to_owned(),
                of: word_of(quoted.next()?),
            })
        }
        _ => None,
    }
}

/// `deploy::canary (service, &str | ImmutableString | String)`.
fn function_of(signature: &str) -> MissingName {
    let (path, arguments) = signature.split_once(" (").unwrap_or((signature, ")"));
    let (module, name) = match path.rsplit_once("::") {
        Some((module, name)) => (Some(module.to_owned()), name),
        None => (None, path),
    };
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
    let arguments = if arguments.is_empty() {
        Vec::new()
    } else {
        arguments.split(", ").map(word_of).collect()
    };
    MissingName::Function { module, name: unmarked(name).to_owned(), arguments }
}

/// An error of Rhai as a `usage` failure. Not for thrown values and terminations.
pub fn describe(error: &EvalAltResult) -> Failure {
    match error {
        EvalAltResult::ErrorParsing(error, _) => describe_parsing(error),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => describe_function(&function_of(signature)),
        EvalAltResult::ErrorVariableNotFound(name, _) => Failure::usage(format!("There is no variable \"{name}\"")),
        EvalAltResult::ErrorModuleNotFound(name, _) => Failure::usage(format!("There is no module \"{name}\"")),
        EvalAltResult::ErrorDotExpr(text, _) => describe_field(error, text),
        EvalAltResult::ErrorPropertyNotFound(name, _) => Failure::usage(format!("There is no field \"{name}\"")),
        EvalAltResult::ErrorIndexNotFound(index, _) => Failure::usage(format!("There is nothing at {}", super::text::literal(index))),
        EvalAltResult::ErrorVariableExists(name, _) => Failure::usage(format!("The variable \"{name}\" already exists")),
        EvalAltResult::ErrorForbiddenVariable(name, _) => Failure::usage(format!("A variable can't be called \"{name}\"")),
        EvalAltResult::ErrorMismatchDataType(wanted, given, _) | EvalAltResult::ErrorMismatchOutputType(wanted, given, _) => {
            describe_mismatch(wanted, given)
        }
        EvalAltResult::ErrorIndexingType(types, _) => match word_of(types.split(" [").next().unwrap_or(types)).as_str() {
            "nothing" => Failure::usage("The value is (), which has no elements").hint("where it may be missing, write ?["),
            of => Failure::usage(format!("\"[ ]\" does not work on {}", with_article(of))),
        },
        EvalAltResult::ErrorArrayBounds(count, index, _) => outside("list", *count, *index, "elements"),
        EvalAltResult::ErrorStringBounds(count, index, _) => outside("string", *count, *index, "characters"),
        EvalAltResult::ErrorBitFieldBounds(count, index, _) => outside("integer", *count, *index, "bits"),
        EvalAltResult::ErrorFor(_) => {
            Failure::usage("\"for\" can't loop over this value").hint("for takes a list, a range or a string; for a map, use map.keys()")
        }
        EvalAltResult::ErrorDataRace(..) => Failure::usage("The variable is in use by a call that has not ended").hint(
            "a method holds its variable while it runs: call m(x, || …) in place of x.m(|| …), and return results from parallel functions",
        ),
        EvalAltResult::ErrorAssignmentToConstant(name, _) => constant(name),
        EvalAltResult::ErrorNonPureMethodCallOnConstant(name, _) => {
            let name = name.rsplit('$').next().unwrap_or(name);
            Failure::usage(format!("\"{name}\" would change a constant")).hint("take a copy: let x = CONSTANT;")
        }
        EvalAltResult::ErrorUnboundThis(_) => Failure::usage("There is no \"this\" here"),
        EvalAltResult::ErrorArithmetic(text, _) if text.to_lowercase().starts_with("step value") => {
            Failure::usage("The step of a range can't be 0")
                .hint("range(from, to, step) counts up by the step, and down where it is below 0")
        }
        EvalAltResult::ErrorArithmetic(text, _) => Failure::usage(sentence(text)),
        EvalAltResult::ErrorStackOverflow(_) => {
            Failure::usage("Calls are nested too deeply").hint("does a function call itself without end?")
        }
        EvalAltResult::ErrorDataTooLarge(what, _) => Failure::usage(format!("The value is too large: {}", what.to_lowercase())),
        EvalAltResult::ErrorTooManyVariables(_) => Failure::usage("There are too many variables"),
        EvalAltResult::ErrorTooManyModules(_) => Failure::usage("There are too many imports"),
        EvalAltResult::LoopBreak(..) => Failure::usage("break and continue can only be used in a loop"),
        other => Failure::usage(sentence(&without_position(other))),
    }
}

/// The failure behind Rhai's map for `catch` after an error of Rhai; `None` for a map that was
/// thrown.
pub fn of_caught(map: &rhai::Map) -> Option<Failure> {
    let text = |key: &str| map.get(key).map(super::text::plain).unwrap_or_default();
    let number = |key: &str| map.get(key).and_then(|value| value.as_int().ok()).unwrap_or_default();
    let count = |key: &str| usize::try_from(number(key)).unwrap_or_default();
    let at = Position::NONE;
    let variable = || text("variable");
    let error = match text("error").as_str() {
        "ErrorFunctionNotFound" => EvalAltResult::ErrorFunctionNotFound(text("function"), at),
        "ErrorNonPureMethodCallOnConstant" => {
            EvalAltResult::ErrorNonPureMethodCallOnConstant(text("function"), at)
        }
        "ErrorMismatchDataType" => {
            EvalAltResult::ErrorMismatchDataType(text("requested"), text("actual"), at)
        }
        "ErrorMismatchOutputType" => {
            EvalAltResult::ErrorMismatchOutputType(text("requested"), text("actual"), at)
        }
        "ErrorArrayBounds" => EvalAltResult::ErrorArrayBounds(count("length"), number("index"), at),
        "ErrorStringBounds" => {
            EvalAltResult::ErrorStringBounds(count("length"), number("index"), at)
        }
        "ErrorBitFieldBounds" => {
            EvalAltResult::ErrorBitFieldBounds(count("length"), number("index"), at)
        }
        "ErrorVariableExists" => EvalAltResult::ErrorVariableExists(variable(), at),
        "ErrorForbiddenVariable" => EvalAltResult::ErrorForbiddenVariable(variable(), at),
        "ErrorVariableNotFound" => EvalAltResult::ErrorVariableNotFound(variable(), at),
        "ErrorPropertyNotFound" => EvalAltResult::ErrorPropertyNotFound(variable(), at),
        "ErrorDataRace" => EvalAltResult::ErrorDataRace(variable(), at),
        "ErrorAssignmentToConstant" => EvalAltResult::ErrorAssignmentToConstant(variable(), at),
        "ErrorIndexNotFound" => {
            EvalAltResult::ErrorIndexNotFound(map.get("index").cloned().unwrap_or_default(), at)
        }
        "ErrorModuleNotFound" => EvalAltResult::ErrorModuleNotFound(text("module"), at),
        "ErrorDotExpr" => EvalAltResult::ErrorDotExpr(text("property"), at),
        "ErrorIndexingType" => EvalAltResult::ErrorIndexingType(text("type"), at),
        "ErrorDataTooLarge" => EvalAltResult::ErrorDataTooLarge(text("type"), at),
        "ErrorFor" => EvalAltResult::ErrorFor(at),
        "ErrorUnboundThis" => EvalAltResult::ErrorUnboundThis(at),
        "ErrorStackOverflow" => EvalAltResult::ErrorStackOverflow(at),
        "ErrorTooManyVariables" => EvalAltResult::ErrorTooManyVariables(at),
        "ErrorTooManyModules" => EvalAltResult::ErrorTooManyModules(at),
        "ErrorArithmetic" => EvalAltResult::ErrorArithmetic(text("message"), at),
        "ErrorInFunctionCall" | "ErrorInModule" => of_text(&text("message")),
        // Only its text contains the subject.
        "ErrorParsing" | "ErrorSystem" | "ErrorCustomSyntax" => {
            return Some(Failure::usage(sentence(&text("message"))));
        }
        _ => return None,
    };
    Some(describe(&error))
}

/// The error inside calls. Rhai provides only its text: the first line, before the source and the
/// position.
fn of_text(text: &str) -> EvalAltResult {
    let at = Position::NONE;
    let line = text.lines().next().unwrap_or_default();
    let line = line.rfind(" (line ").map_or(line, |end| &line[..end]);
    let line = line.rfind(" @ '").map_or(line, |end| &line[..end]);
    let after = |start: &str| line.strip_prefix(start).map(str::to_owned);
    let types = |start: &str| {
        let types = line.strip_prefix(start)?;
        if let Some(wanted) = types.strip_prefix(", expecting ") {
            return Some((wanted.to_owned(), String::new()));
        }
        let types = types.strip_prefix(": ")?;
        let (given, wanted) = types.split_once(" (expecting ").unwrap_or((types, ""));
        Some((wanted.trim_end_matches(')').to_owned(), given.to_owned()))
    };
    let bounds = |start: &str| {
        let (index, count) = line.strip_prefix(start)?.split_once(" out of bounds: ")?;
        let count = count.split(' ').find_map(|word| word.parse().ok()).unwrap_or(0);
        Some((count, index.parse().ok()?))
    };
    let quoted = || line.split('\'').nth(1).unwrap_or_default().to_owned();
    if let Some(signature) = after("Function not found: ") {
        EvalAltResult::ErrorFunctionNotFound(signature, at)
    } else if let Some(name) = after("Variable not found: ") {
        EvalAltResult::ErrorVariableNotFound(name, at)
    } else if let Some(name) = after("Variable already defined: ") {
        EvalAltResult::ErrorVariableExists(name, at)
    } else if let Some(name) = after("Forbidden variable name: ") {
        EvalAltResult::ErrorForbiddenVariable(name, at)
    } else if let Some(name) = after("Property not found: ") {
        EvalAltResult::ErrorPropertyNotFound(name, at)
    } else if let Some(index) = after("Invalid index: ") {
        EvalAltResult::ErrorIndexNotFound(index.into(), at)
    } else if let Some(name) = after("Module not found: ") {
        EvalAltResult::ErrorModuleNotFound(name, at)
    } else if line.starts_with("Data race detected") {
        EvalAltResult::ErrorDataRace(String::new(), at)
    } else if let Some(types) = after("Indexer unavailable: ") {
        EvalAltResult::ErrorIndexingType(types, at)
    } else if line.starts_with("'this' not bound") {
        EvalAltResult::ErrorUnboundThis(at)
    } else if line.starts_with("For loop expects") {
        EvalAltResult::ErrorFor(at)
    } else if let Some(name) = after("Cannot modify constant ") {
        EvalAltResult::ErrorAssignmentToConstant(name, at)
    } else if line.starts_with("Non-pure ") || line.starts_with("Cannot modify property") {
        EvalAltResult::ErrorNonPureMethodCallOnConstant(quoted(), at)
    } else if let Some((wanted, given)) =
        types("Data type incorrect").or_else(|| types("Output type incorrect"))
    {
        EvalAltResult::ErrorMismatchDataType(wanted, given, at)
    } else if let Some((count, index)) = bounds("Array index ") {
        EvalAltResult::ErrorArrayBounds(count, index, at)
    } else if let Some((count, index)) = bounds("String index ") {
        EvalAltResult::ErrorStringBounds(count, index, at)
    } else if let Some((count, index)) = bounds("Bit-field index ") {
        EvalAltResult::ErrorBitFieldBounds(count, index, at)
    } else if line.starts_with("Unknown property ")
        || line.contains("getter")
        || line.contains("setter")
        || line.contains("writable")
    {
        EvalAltResult::ErrorDotExpr(line.to_owned(), at)
    } else {
        EvalAltResult::ErrorArithmetic(line.to_owned(), at)
    }
}

/// The way from a string to a number, and back.
pub const NUMBER_AND_TEXT: &str =
    "parse_int and parse_float turn a string into a number, `${…}` turns a number into a string";

/// The message for an operator that doesn't take these operands: `a string` and `an integer`.
pub fn no_operator(operator: &str, left: &str, right: &str) -> String {
    format!("\"{operator}\" does not work between {left} and {right}")
}

/// The type of an operand with its article; `()` as it is written.
fn operand(word: &str) -> String {
    if word == "nothing" { "()".to_owned() } else { with_article(word) }
}

fn describe_function(missing: &MissingName) -> Failure {
    let MissingName::Function { module, name, arguments } = missing else {
        return Failure::usage("There is no such function");
    };
    if !name.starts_with(|c: char| c == '_' || c.is_alphabetic()) {
        match arguments.as_slice() {
            [left, right] => {
                let failure = Failure::usage(no_operator(name, &operand(left), &operand(right)));
                return match (left.as_str(), right.as_str()) {
                    ("string", "integer" | "float") | ("integer" | "float", "string") => {
                        failure.hint(NUMBER_AND_TEXT)
                    }
                    ("nothing", _) | (_, "nothing") => failure.hint(
                        "() is the value of a missing key, for example: give a default with `?? …`",
                    ),
                    _ => failure,
                };
            }
            [of] => {
                return Failure::usage(format!("\"{name}\" does not work on {}", with_article(of)));
            }
            // No operator has so many operands: this is a name from a text.
            _ => {}
        }
    }
    if is_closure(name) {
        return Failure::usage(format!(
            "The function does not take this number of arguments: {}",
            arguments.len()
        ));
    }
    let path = module.as_ref().map(|module| format!("{module}::")).unwrap_or_default();
    let failure =
        Failure::usage(format!("There is no function {path}{name}({})", arguments.join(", ")));
    if name == "contains" && arguments.len() == 2 {
        // Rhai's function for "in".
        return failure
            .hint("\"in\" and contains look for something in a list, a map, a string or a range");
    }
    failure
}

fn describe_field(error: &EvalAltResult, text: &str) -> Failure {
    match missing(error) {
        Some(MissingName::Field { name, of }) if of == "nothing" => {
            Failure::usage(format!("The value is (), which has no field \"{name}\""))
                .hint(format!("where it may be missing, write ?.{name}"))
        }
        Some(MissingName::Field { name, of })
            if text.contains("setter") || text.contains("writable") =>
        {
            Failure::usage(format!("The field \"{name}\" of {} can't be set", with_article(&of)))
        }
        Some(MissingName::Field { name, of }) => {
            Failure::usage(format!("{} has no field \"{name}\"", capital(&with_article(&of))))
        }
        _ => Failure::usage(sentence(text)),
    }
}

fn describe_mismatch(wanted: &str, given: &str) -> Failure {
    let (wanted, given) = (word_of(wanted), word_of(given));
    match (wanted.as_str(), given.as_str()) {
        ("nothing", given) => Failure::usage(format!("This does not take {}", with_article(given))),
        (wanted, given) => Failure::usage(format!(
            "This takes {}, not {}",
            with_article(wanted),
            with_article(given)
        )),
    }
}

fn outside(what: &str, count: usize, index: i64, parts: &str) -> Failure {
    let parts = if count == 1 { parts.trim_end_matches('s') } else { parts };
    Failure::usage(format!("Index {index} is outside the {what}, which has {count} {parts}"))
}

/// The failure of an assignment to a constant.
fn constant(name: &str) -> Failure {
    Failure::usage(format!("The constant \"{name}\" can't be changed"))
        .hint(format!("declare it with let: let {name} = …"))
}

/// The failure of a syntax error.
fn describe_parsing(error: &ParseErrorType) -> Failure {
    match error {
        ParseErrorType::VariableUndefined(name) => {
            Failure::usage(format!("There is no variable \"{name}\""))
        }
        ParseErrorType::ModuleUndefined(name) => {
            Failure::usage(format!("There is no module \"{name}\""))
                .hint(format!("import it first: import \"…\" as {name};"))
        }
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) if word == "eval" => {
            Failure::usage("\"eval\" is not available").hint("write a function or a closure")
        }
        ParseErrorType::Reserved(word) if word.starts_with(char::is_alphabetic) => {
            let hint = format!(
                "choose another name, or as the key of a map write it in quotes: \"{word}\""
            );
            Failure::usage(format!("\"{word}\" is a reserved word")).hint(hint)
        }
        ParseErrorType::AssignmentToConstant(name) if !name.is_empty() => constant(name),
        ParseErrorType::PropertyExpected => Failure::usage("A key of a map is expected here"),
        ParseErrorType::UnexpectedEOF => Failure::usage("The script ends before it is complete")
            .hint("is a bracket or a brace not closed?"),
        ParseErrorType::BadInput(LexError::UnterminatedString) => {
            Failure::usage("The string is not closed")
        }
        ParseErrorType::ExprTooDeep => Failure::usage("The expression is nested too deeply")
            .hint("give a part of it a name with let"),
        ParseErrorType::FnDuplicatedDefinition(name, count) => Failure::usage(format!(
            "The function \"{name}\" with {count} parameters already exists"
        )),
        ParseErrorType::DuplicatedProperty(key) => {
            Failure::usage(format!("The key \"{key}\" is defined twice in this map"))
        }
        other => Failure::usage(sentence(&other.to_string())),
    }
}

/// Rhai's text without the position at its end.
fn without_position(error: &EvalAltResult) -> String {
    let text = error.to_string();
    match text.rfind(" (line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Sentence case, values in double quotes, no full stop.
fn sentence(text: &str) -> String {
    capital(&text.replace('\'', "\"")).trim_end_matches('.').to_owned()
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map(|first| first.to_uppercase().chain(characters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(script: &str) -> String {
        let mut engine = rhai::Engine::new();
        engine.set_strict_variables(true);
        let failure = describe(super::super::error::innermost(&engine.run(script).unwrap_err()).0);
        failure.hint.map_or(failure.message.clone(), |hint| format!("{} | {hint}", failure.message))
    }

    #[test]
    fn every_rhai_error_is_reported_in_terms_of_scripts() {
        for (script, expected) in [
            ("lines(\"x\", 5)", "There is no function lines(string, integer)"),
            ("\"x\" * [1]", "\"*\" does not work between a string and a list"),
            ("let x = 5; x.name", "An integer has no field \"name\""),
            (
                "let x = (); x.name",
                "The value is (), which has no field \"name\" | where it may be missing, write ?.name",
            ),
            ("print(y)", "There is no variable \"y\""),
            ("x::f()", "There is no module \"x\" | import it first: import \"…\" as x;"),
            ("().len()", "There is no function len(nothing)"),
            (
                "1 in 5",
                "There is no function contains(integer, integer) | \"in\" and contains look for something in a list, a map, a string or a range",
            ),
            ("[1, 2][7]", "Index 7 is outside the list, which has 2 elements"),
            ("[1][7]", "Index 7 is outside the list, which has 1 element"),
            ("let x = 5; if x { f() }", "This takes a bool, not an integer"),
            ("1 / 0", "Division by zero: 1 / 0"),
            (
                "let x = #{ default: 1 };",
                "\"default\" is a reserved word | choose another name, or as the key of a map write it in quotes: \"default\"",
            ),
            ("let x = #{ a: 1, a: 2 };", "The key \"a\" is defined twice in this map"),
            (
                "let x =",
                "The script ends before it is complete | is a bracket or a brace not closed?",
            ),
            (
                "const X = []; X.push(1);",
                "\"push\" would change a constant | take a copy: let x = CONSTANT;",
            ),
            (
                "let n = 5; for x in n { f() }",
                "\"for\" can't loop over this value | for takes a list, a range or a string; for a map, use map.keys()",
            ),
        ] {
            assert_eq!(said(script), expected, "{script}");
        }
    }

    #[test]
    fn a_signature_is_taken_apart() {
        let function = function_of("deploy::canary (service, &str | ImmutableString | String)");
        let expected = MissingName::Function {
            module: Some("deploy".into()),
            name: "canary".into(),
            arguments: vec!["service".into(), "string".into()],
        };
        assert_eq!(function, expected);
    }
}
