//! `args` and `arg::`: the options of a runbook.
//!
//! A runbook declares its options in a map; `_` in a key is `-` on the command line. A value has
//! the type of its default. With `--help` the declarations are recorded, and the script ends there.

use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use rhai::{Array, EvalAltResult, FnPtr, Map};

use super::context::Context;
use super::control::call;
use super::declared_option::{Declarations, DeclaredOption, OptionKind, OptionPersistence};
use super::record::no_fields;
use super::saved_options::SavedValues;
use super::{Raw, arg_parser, placed};
use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::help::{Help, HelpArgument, HelpOption, own_option};
use crate::value::error::COMMAND_LINE;
use crate::value::text::plain;
use crate::value::{Record, type_names};

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<DeclaredOption>("declared option");
    no_fields::<DeclaredOption>(engine, "declared option");
    engine.register_global_module(shared_module!(functions));
    engine.register_static_module("arg", shared_module!(declarations, "arg"));
}

/// The default in the help text.
fn shown_default(declared: &DeclaredOption) -> Option<String> {
    let is_shown = !declared.default.is_unit()
        && !declared.default.is::<FnPtr>()
        && !matches!(declared.takes, OptionKind::Flag);
    is_shown.then(|| arg_parser::written(&declared.default)).filter(|text| !text.is_empty())
}

/// Rejects options that spc uses itself, in any declaration: the runbook would never get them.
pub(super) fn free_names(map: &Map) -> Result<(), Failure> {
    let Some((key, own)) = map.keys().find_map(|key| Some((key, own_option(key)?))) else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "A runbook can't declare the option \"{key}\": --{} is an option of spc itself",
        arg_parser::option_name(own)
    ))
    .hint(format!("give it another name, such as my_{own}"))
    .at(SpecPath { keys: vec![key.to_string()], on_key: true }))
}

fn declarations_of(map: &Map) -> Result<Declarations, Failure> {
    free_names(map)?;
    let declared =
        |(key, value): (&rhai::Identifier, &Dynamic)| match value.read_lock::<DeclaredOption>() {
            Some(declared) => Ok((key.to_string(), declared.clone())),
            None => Err(Failure::usage(format!(
                "The option \"{key}\" is declared with arg::…, not with {}",
                type_names::a(value)
            ))
            .hint(format!("write {key}: arg::text(\"default\", \"What it is\")"))),
        };
    let declarations: Declarations = map.iter().map(declared).collect::<Result<_, _>>()?;
    let rest: Vec<&str> = declarations
        .iter()
        .filter(|(_, one)| matches!(one.takes, OptionKind::Rest))
        .map(|(key, _)| key.as_str())
        .collect();
    if rest.len() > 1 {
        return Err(Failure::usage(format!(
            "Only one option can take the remaining arguments, not {}",
            rest.join(" and ")
        )));
    }
    Ok(declarations)
}

fn help_of(context: &Context, declarations: &Declarations) -> Help {
    let (rest, options): (Vec<_>, Vec<_>) =
        declarations.iter().partition(|(_, declared)| matches!(declared.takes, OptionKind::Rest));
    let option = |(key, declared): &(String, DeclaredOption)| HelpOption {
        name: arg_parser::option_name(key),
        value: declared.placeholder(),
        doc: declared.help.clone(),
        default: shown_default(declared),
        choices: if let OptionKind::OneOf(choices) = &declared.takes {
            choices.clone()
        } else {
            Vec::new()
        },
    };
    let argument = |(key, declared): &(String, DeclaredOption)| HelpArgument {
        name: arg_parser::option_name(key),
        doc: declared.help.clone(),
        default: None,
        many: true,
    };
    Help {
        command: context.command.name.clone(),
        doc: String::new(),
        options: options.into_iter().map(option).collect(),
        arguments: rest.into_iter().map(argument).collect(),
    }
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// The options of this runbook with their values from the command line: a record with the
    /// declared names. On the command line `_` is `-`: `--max-errors 0.02`, `--max-errors=0.02`,
    /// `--build`, `--no-build`. A list is separated by commas or given several times. No options
    /// follow after `--`. Throws `usage` for an unknown option or a wrong value. With `--help` the
    /// script ends here and its options are shown.
    ///
    /// ```rhai
    /// let o = args(#{ target: arg::one_of(["development", "production"], "development", "Image stage") });
    /// print(o.target);
    /// ```
    #[rhai_fn(name = "args", return_raw)]
    pub fn read_args(call_context: NativeCallContext, options: Map) -> Raw<Record> {
        let context = Context::of(&call_context)?;
        let declarations = declarations_of(&options)?;
        if context.command.wants_help() {
            context.script.set_help(help_of(&context, &declarations));
            return Err(EvalAltResult::ErrorTerminated("help".into(), rhai::Position::NONE).into());
        }
        let read = arg_parser::read(&declarations, &context.command.words);
        let mut values = read.map_err(|failure| failure.field(COMMAND_LINE, true))?;
        let kept = declarations
            .iter()
            .any(|(_, declared)| declared.kept.is_some())
            .then(|| SavedValues::of(&context))
            .transpose()?;
        for (key, declared) in declarations {
            let is_given = values.contains_key(key.as_str());
            if !is_given {
                let default = match declared.default.read_lock::<FnPtr>() {
                    Some(function) => declared.checked(call(&call_context, &function)?)?,
                    None => declared.checked(declared.default.clone())?,
                };
                let value = kept
                    .as_ref()
                    .and_then(|kept| kept.value(&key, &declared, &default))
                    .unwrap_or(default);
                values.insert(key.as_str().into(), value);
            }
            if let Some(kept) = &kept {
                kept.choose(&key, &declared, &values[key.as_str()], is_given);
            }
        }
        Ok(Record::new("args", values))
    }

    /// The option, kept by `up`: without a value on the command line, it has the value of the last
    /// `up`. The environment variable of its default takes precedence, and so does a line of `.env`
    /// that changed since then. `down` does not remove the kept value.
    ///
    /// ```rhai
    /// let o = args(#{ target: arg::one_of(["development", "production"], env("BUILD_TARGET", "development"), "Image stage").kept("BUILD_TARGET") });
    /// ```
    #[rhai_fn(pure)]
    pub fn kept(option: &mut DeclaredOption, variable: &str) -> DeclaredOption {
        DeclaredOption {
            kept: Some(OptionPersistence { variable: variable.to_owned(), reads: true }),
            ..option.clone()
        }
    }

    /// The option, kept by `up` for later runs, but with its own default here: for a runbook with a
    /// fixed value.
    ///
    /// ```rhai
    /// let o = args(#{ target: arg::one_of(["production"], "production", "Image stage").keeps("BUILD_TARGET") });
    /// ```
    #[rhai_fn(pure)]
    pub fn keeps(option: &mut DeclaredOption, variable: &str) -> DeclaredOption {
        DeclaredOption {
            kept: Some(OptionPersistence { variable: variable.to_owned(), reads: false }),
            ..option.clone()
        }
    }
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod declarations {
    /// An option with a text value. The default is text, `()`, or a function that returns one of
    /// them when it is needed.
    #[rhai_fn(return_raw)]
    pub fn text(call: NativeCallContext, default: Dynamic, help: &str) -> Raw<DeclaredOption> {
        placed(&call, |_| DeclaredOption::new(OptionKind::Text, default, help))
    }

    /// An option without a value: true if it is given, false if it is not or if `--no-…` is given.
    pub fn flag(help: &str) -> DeclaredOption {
        DeclaredOption {
            takes: OptionKind::Flag,
            default: false.into(),
            help: help.to_owned(),
            kept: None,
        }
    }

    /// The arguments that are not options, as a list of strings; `()` if there are none.
    pub fn rest(help: &str) -> DeclaredOption {
        DeclaredOption {
            takes: OptionKind::Rest,
            default: Dynamic::UNIT,
            help: help.to_owned(),
            kept: None,
        }
    }

    /// An option with a list as value. Its elements have the type of the default's first element.
    #[rhai_fn(return_raw)]
    pub fn list(call: NativeCallContext, default: Dynamic, help: &str) -> Raw<DeclaredOption> {
        placed(&call, |_| DeclaredOption::new(OptionKind::List, default, help))
    }

    /// An option with a number as value: an integer if the default is one, else a float.
    #[rhai_fn(return_raw)]
    pub fn number(call: NativeCallContext, default: Dynamic, help: &str) -> Raw<DeclaredOption> {
        placed(&call, |_| DeclaredOption::new(OptionKind::Number, default, help))
    }

    /// An option with a duration such as `1m30s` as value.
    #[rhai_fn(return_raw)]
    pub fn duration(call: NativeCallContext, default: Dynamic, help: &str) -> Raw<DeclaredOption> {
        placed(&call, |_| DeclaredOption::new(OptionKind::Duration, default, help))
    }

    /// An option whose value is one of the words in a list.
    #[rhai_fn(return_raw)]
    pub fn one_of(
        call: NativeCallContext,
        choices: Array,
        default: Dynamic,
        help: &str,
    ) -> Raw<DeclaredOption> {
        placed(&call, |_| {
            DeclaredOption::new(
                OptionKind::OneOf(choices.iter().map(plain).collect()),
                default,
                help,
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    const OPTIONS: &str = r#"let o = args(#{
        tag: arg::text((), "Release"), to: arg::text("backups", "Folder"), build: arg::flag("Build first"),
        services: arg::rest("Services"), steps: arg::list([5, 25], "Shares"), profile: arg::list([], "Profiles"),
        keep: arg::number(7, "Backups kept"), max_errors: arg::number(0.01, "Error rate"), bake: arg::duration("30s", "Watch"),
        target: arg::one_of(["development", "production"], "development", "Image stage"),
    }); "#;

    fn text(words: &[&str], script: &str) -> String {
        Harness::with_words(words).text(&format!("{OPTIONS}{script}"))
    }

    #[test]
    fn every_example_runs() {
        Harness::examples(super::register);
    }

    #[test]
    fn missing_arguments_use_the_defaults() {
        assert_eq!(
            text(&[], "[o.tag, o.to, o.build, o.services]"),
            r#"[(), "backups", false, ()]"#
        );
        assert_eq!(
            text(&[], "[o.steps, o.profile, o.keep, o.max_errors, o.bake, o.target]"),
            r#"[[5, 25], [], 7, 0.01, 30s, "development"]"#
        );
    }

    #[test]
    fn words_are_typed_like_the_defaults() {
        let words = [
            "--tag=v2",
            "--build",
            "db",
            "--steps",
            "1,2",
            "--steps=3",
            "redis",
            "--max-errors",
            "1",
            "--bake",
            "1m30s",
            "--keep",
            "-1",
        ];
        assert_eq!(
            text(&words, "[o.tag, o.build, o.services, o.steps]"),
            r#"["v2", true, ["db", "redis"], [1, 2, 3]]"#
        );
        assert_eq!(text(&words, "[o.max_errors, o.bake, o.keep]"), "[1.0, 1m30s, -1]");
        assert_eq!(
            text(&["--no-build", "--", "--tag"], "[o.build, o.services]"),
            r#"[false, ["--tag"]]"#
        );
    }

    #[test]
    fn an_invalid_argument_is_reported_with_a_suggested_fix() {
        for (words, expected) in [
            (vec!["--taget", "x"], "There is no option \"--taget\" | did you mean \"--target\"?"),
            (
                vec!["--target", "prod"],
                "\"--target\" is one of development, production, not \"prod\" | did you mean \"production\"?",
            ),
            (vec!["--keep", "many"], "\"--keep\" takes an integer, not \"many\" |"),
            (vec!["--keep", "7.5"], "\"--keep\" takes an integer, not \"7.5\" |"),
            (
                vec!["--bake", "30"],
                "\"--bake\": \"30\" is not a duration; write it like \"1m30s\" or \"500ms\" |",
            ),
            (vec!["--steps", "1,x"], "\"--steps\" takes integers, not \"x\" |"),
            (vec!["--tag"], "\"--tag\" needs a value | write --tag TEXT"),
            (
                vec!["--tag", "--build"],
                "\"--tag\" needs a value | write --tag TEXT, or --tag=--build",
            ),
            (vec!["--build=yes"], "\"--build\" takes no value | write --build or --no-build"),
            (vec!["--tag", "a", "--tag", "b"], "\"--tag\" is given twice |"),
            (vec!["-t"], "There is no option \"-t\" | did you mean \"--tag\"?"),
            (
                vec!["-v"],
                "There is no option \"-v\" | spc's own \"-v\" has to come before the runbook's name: spc run -v … RUNBOOK; after it write --verbose",
            ),
            (
                vec!["-C", "x"],
                "There is no option \"-C\" | spc's own \"-C\" has to come before the runbook's name: spc run -C … RUNBOOK",
            ),
        ] {
            let failure = Harness::with_words(&words).fails(OPTIONS);
            assert_eq!(
                format!("{} | {}", failure.message, failure.hint.unwrap_or_default()).trim_end(),
                expected,
                "{words:?}"
            );
            assert_eq!(failure.kind.word(), "usage");
        }
    }

    #[test]
    fn words_without_an_option_for_them_are_refused() {
        let failure = Harness::with_words(&["db"]).fails("args(#{ build: arg::flag(\"Build\") })");
        assert_eq!(failure.message, "Unexpected argument \"db\"");
    }

    #[test]
    fn a_default_can_be_a_function_that_is_called_only_when_needed() {
        let script = r#"args(#{ tag: arg::text(|| { print("asked"); "v1" }, "Release") }).tag"#;
        let run = Harness::new();
        assert_eq!((run.text(script), run.printed()), ("v1".to_owned(), vec!["asked".to_owned()]));
        let run = Harness::with_words(&["--tag", "v2"]);
        assert_eq!((run.text(script), run.printed()), ("v2".to_owned(), Vec::new()));
    }

    #[test]
    fn declarations_are_checked() {
        let run = Harness::new();
        assert_eq!(
            run.fails("arg::text(5, \"\")").message,
            "arg::text takes a string as its default, not an integer"
        );
        assert_eq!(
            run.fails("arg::one_of([\"a\"], \"b\", \"\")").message,
            "The default \"b\" is not one of: a"
        );
        assert_eq!(
            run.fails("args(#{ tag: \"v1\" })").message,
            "The option \"tag\" is declared with arg::…, not with a string"
        );
        assert_eq!(
            run.fails("args(#{ a: arg::rest(\"\"), b: arg::rest(\"\") })").message,
            "Only one option can take the remaining arguments, not a and b"
        );
        assert_eq!(run.fails("args(#{}).tag").message, "The args has no field \"tag\"");
    }

    #[test]
    fn help_keeps_the_declarations_and_ends_the_script() {
        let run = Harness::with_words(&["--nonsense", "--help"]);
        let failure = run.fails(&format!("attempt(|| {{ {OPTIONS} }}); print(\"went on\")"));
        assert_eq!((failure.kind.word(), run.printed()), ("interrupted", Vec::<String>::new()));
        let help = run.context.script.help().unwrap();
        let shown: Vec<String> = help
            .options
            .iter()
            .map(|option| {
                format!(
                    "{} {} {} {}",
                    option.name,
                    option.value.as_deref().unwrap_or("-"),
                    option.default.as_deref().unwrap_or("-"),
                    option.doc
                )
            })
            .collect();
        assert_eq!(
            shown[..4],
            [
                "bake DURATION 30s Watch",
                "build - - Build first",
                "keep NUMBER 7 Backups kept",
                "max-errors NUMBER 0.01 Error rate"
            ]
        );
        assert_eq!(help.options[7].choices, ["development", "production"]);
        assert_eq!((help.arguments[0].name.as_str(), help.arguments[0].many), ("services", true));
    }
}
