//! Host commands.

use std::collections::BTreeMap;

use super::settings::list_with;
use super::{Policy, Refusal};

/// A host command that `spc.toml` allows: program, then arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedCommand {
    command: Vec<String>,
    environment: BTreeMap<String, String>,
}

impl CheckedCommand {
    /// Never empty.
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// Added to the environment of spc.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }
}

impl Policy {
    /// A command with its first arguments as an entry of `commands` has them, in an environment that
    /// does not put another program in its place.
    pub fn command(&self, command: &[String], environment: &BTreeMap<String, String>) -> Result<CheckedCommand, Refusal> {
        let Some(program) = command.first() else {
            return Err(Refusal::new("run the host command", "").because("it names no program"));
        };
        let rules = &self.settings.commands;
        let any = rules.iter().any(|rule| rule == "*");
        if !any && !rules.iter().any(|rule| rule.split_whitespace().eq(command.iter().take(words(rule)).map(String::as_str))) {
            // As many words as the longest entry for that program has: "git push" beside "git status".
            let shown = rules.iter().filter(|rule| rule.split_whitespace().next() == Some(program)).map(|rule| words(rule)).max();
            let shown = command.iter().take(shown.unwrap_or(1)).map(String::as_str).collect::<Vec<_>>().join(" ");
            let line = list_with("commands", rules, &shown);
            return Err(Refusal::new("run the host command", shown).allowed_by(line));
        }
        if !any && let Some(name) = environment.keys().find(|name| replaces_program(name)) {
            return Err(Refusal::new("set for a host command the variable", name)
                .because("it could put another program in its place")
                .allowed_by(list_with("commands", &[], "*")));
        }
        Ok(CheckedCommand { command: command.to_vec(), environment: environment.clone() })
    }
}

fn words(rule: &str) -> usize {
    rule.split_whitespace().count()
}

/// Variables by which the loader or a shell runs something else.
fn replaces_program(name: &str) -> bool {
    name.starts_with("LD_") || name.starts_with("DYLD_") || matches!(name, "PATH" | "BASH_ENV" | "ENV" | "SHELLOPTS" | "IFS")
}
