//! The help of every command, in one text that can be read from top to bottom: `snapshots/`.

use std::fmt::Write as _;

use crate::support::Spc;

const COMMANDS: [&str; 7] = ["run", "plan", "check", "test", "repl", "ps", "unlock"];

/// The options of other commands that `test` rejects.
const NOT_FOR_TESTS: [&str; 3] = ["--project", "--host", "--context"];

fn help(arguments: &[&str]) -> String {
    let ended = Spc::new().args(arguments.iter().copied()).output();
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended}");
    ended.stdout
}

/// The headings in their order, each with the long names of its options.
fn sections(help: &str) -> Vec<(String, Vec<String>)> {
    let mut sections: Vec<(String, Vec<String>)> = Vec::new();
    for line in help.lines() {
        if let Some(heading) = line.strip_suffix(':').filter(|it| !it.starts_with(' ')) {
            sections.push((heading.to_owned(), Vec::new()));
        } else if line.trim_start().starts_with('-')
            && let Some((_, section)) = sections.last_mut()
        {
            section.extend(line.split(' ').find(|word| word.starts_with("--")).map(str::to_owned));
        }
    }
    sections
}

#[test]
fn the_help_of_every_command_is_this() {
    let mut all = format!("$ spc --help\n{}\n", help(&["--help"]));
    for command in COMMANDS {
        let _ = write!(all, "$ spc {command} --help\n{}\n", help(&[command, "--help"]));
    }
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("help", all);
    });
}

#[test]
fn both_forms_of_help_and_the_command_help_print_the_same() {
    assert_eq!(help(&["-h"]), help(&["--help"]));
    for command in COMMANDS {
        let long = help(&[command, "--help"]);
        assert_eq!(help(&[command, "-h"]), long);
        assert_eq!(help(&["help", command]), long);
    }
}

#[test]
fn own_options_come_before_the_global_ones_and_examples_at_the_end() {
    let of_spc = sections(&help(&["--help"]));
    let global = &of_spc.iter().find(|(heading, _)| heading == "Global options").unwrap().1;
    assert_eq!(global.len(), 11, "{global:?}");
    assert!(global.ends_with(&["--help".to_owned(), "--version".to_owned()]), "{global:?}");
    for command in COMMANDS {
        let sections = sections(&help(&[command, "--help"]));
        let order = ["Arguments", "Options", "Crash sweep", "Global options", "Rules", "Examples"];
        let places: Vec<usize> = sections
            .iter()
            .map(|(heading, _)| order.iter().position(|it| it == heading).unwrap())
            .collect();
        assert!(places.is_sorted(), "{command}: {sections:?}");
        assert_eq!(places.last(), Some(&5), "{command}: no examples: {sections:?}");
        let listed = &sections.iter().find(|(heading, _)| heading == "Global options").unwrap().1;
        let expected: Vec<&String> = global
            .iter()
            .filter(|it| command != "test" || !NOT_FOR_TESTS.contains(&it.as_str()))
            .collect();
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{command}");
    }
}
