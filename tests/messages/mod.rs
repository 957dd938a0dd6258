//! The error messages for common mistakes, in one readable text: `snapshots/`. After changing a
//! message, review the difference and accept it with `INSTA_UPDATE=always`.

mod catalogue;
mod connections;
mod mistakes;

use std::fmt::Write as _;

use regex_lite::Regex;

use crate::support::Spc;
use mistakes::{Command, MISTAKES, Mistake};

/// The runbook or test, and the message of spc.
fn shown(mistake: &Mistake) -> String {
    let spc = Spc::new().file("spc.toml", "spc = \"0.1\"\n");
    let mut out = format!("# {}\n\n", mistake.what);
    let (mut spc, command) = match &mistake.command {
        Command::Run(arguments) => {
            let spc = spc.file("scripts/a.rhai", mistake.text);
            let arguments = ["run", "scripts/a.rhai"].into_iter().chain(arguments.iter().copied());
            let arguments: Vec<&str> = arguments.collect();
            (spc.args(arguments.clone()), arguments.join(" "))
        }
        Command::Check => {
            let spc = spc.file("scripts/a.rhai", mistake.text);
            (spc.args(["check", "scripts/a.rhai"]), "check scripts/a.rhai".to_owned())
        }
        Command::Simulated(machine) => {
            let test = format!(
                "fn test_up() {{\n    {machine}\n    let error = runbook(\"a\").error;\n    throw #{{ kind: error.kind, message: error.message, hint: error.hint, details: [#{{ title: \"in the runbook\", text: `${{error.place}}\n${{error.details}}` }}] }};\n}}\n"
            );
            let spc = spc.file("scripts/a.rhai", mistake.text).file("scripts/a_test.rhai", test);
            (spc.args(["test"]), format!("test    # {machine}"))
        }
    };
    for (path, content) in mistake.files {
        spc = spc.file(path, content);
        let _ = write!(out, "{path}\n{}\n", indented(content));
    }
    let ended = spc.output();
    let _ = write!(out, "scripts/a.rhai\n{}\n$ spc {command}\n", indented(mistake.text));
    let _ = write!(out, "{}{}exit code {}\n\n", ended.stdout, ended.stderr, ended.code);
    Regex::new(r"  \d+(\.\d+)? m?s, ").unwrap().replace_all(&out, "  [took], ").into_owned()
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |out, line| out + "    " + line + "\n")
}

#[test]
fn the_messages_of_beginners_mistakes_are_these() {
    let all: String = MISTAKES.iter().map(shown).collect();
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("beginners_mistakes", all);
    });
}

#[test]
fn a_message_says_where_and_what_to_write() {
    assert!(MISTAKES.len() >= 25);
    for mistake in MISTAKES {
        let said = shown(mistake);
        assert!(said.contains("help: ") || !mistake.has_hint, "no next step:\n{said}");
        let place = Regex::new(r"(scripts/a\.rhai|\.env|spc\.toml):\d+:\d+").unwrap();
        assert!(place.is_match(&said) || !mistake.has_place, "no place:\n{said}");
    }
}
