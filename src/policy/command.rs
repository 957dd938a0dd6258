//! Host commands: which ones may run, with which program file, in which folder, and with which
//! variables.
//!
//! An entry of `commands` lists words. The effect of these words also depends on the program file,
//! on the folder where the program reads its settings, and on variables that make it start other
//! programs. So a script can't choose any of these: spc searches programs on a fixed path, the
//! folder is one that scripts and containers can't write, and the command gets only variables that
//! `spc.toml` lists. `"*"` removes all these limits, because a script that can run any program
//! doesn't need to get around them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::path::clean;
use super::settings::list_with;
use super::writable_paths::{Entry, PathLookup, Route};
use super::{Policy, Refusal, Resolve};

/// The search path for programs without a "/" in their name. spc's own `PATH` is not used.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables of spc's own environment that every command gets, together with those that begin with
/// `LC_`.
const INHERITED: [&str; 5] = ["HOME", "LANG", "LOGNAME", "TZ", "USER"];

const SET_VARIABLE: &str = "give a host command the variable";
const RUN: &str = "run the host command";
const RUN_IN: &str = "run a host command in";

/// A host command that a script requests.
#[derive(Debug, Clone, Copy)]
pub struct RequestedCommand<'a> {
    /// Program, then arguments.
    pub command: &'a [String],
    /// The variables from the script.
    pub environment: &'a BTreeMap<String, String>,
    /// Relative to the project directory.
    pub folder: Option<&'a Path>,
}

/// Questions of the policy to the machine that runs a command.
pub struct Machine<'a> {
    /// The environment of spc itself, without that of any `.env`.
    pub environment: &'a BTreeMap<String, String>,
    pub look: PathLookup<'a>,
    pub resolve: Resolve<'a>,
}

/// A host command that `spc.toml` allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedCommand {
    command: Vec<String>,
    program: Option<PathBuf>,
    environment: BTreeMap<String, String>,
    folder: PathBuf,
}

impl CheckedCommand {
    /// The program by the script's name, then its arguments. Never empty.
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// The checked program file that has to be executed: canonical. `None` if it does not exist.
    pub fn program(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    /// All variables of the command.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The folder of the command: canonical as far as it exists.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The scope of an entry of `commands`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommandScope {
    /// These words, without a choice of program, folder or variables.
    Words,
    /// `"*"`
    Anything,
}

impl Policy {
    /// Checks a command that begins with the words of an entry of `commands`.
    pub fn command(
        &self,
        wish: &RequestedCommand<'_>,
        machine: &Machine<'_>,
    ) -> Result<CheckedCommand, Refusal> {
        let Some(name) = wish.command.first().filter(|name| !name.is_empty()) else {
            return Err(Refusal::new(RUN, "").because("it names no program"));
        };
        let scope = self.scope(wish.command, name)?;
        let environment = self.environment(wish.environment, scope, machine)?;
        let home = self.folder_of_commands(scope, machine);
        let program = self.program(name, &home, scope, machine)?;
        let home = self.route(&home, machine.look);
        let folder = match wish.folder {
            None => self.default_folder(name, home, scope, machine)?,
            Some(given) => self.folder(given, &home, scope, machine)?,
        };
        Ok(CheckedCommand { command: wish.command.to_vec(), program, environment, folder })
    }

    fn scope(&self, command: &[String], name: &str) -> Result<CommandScope, Refusal> {
        let rules = &self.settings.commands;
        if rules.iter().any(|rule| rule == "*") {
            return Ok(CommandScope::Anything);
        }
        if rules.iter().any(|rule| {
            rule.split_whitespace().eq(command.iter().take(words(rule)).map(String::as_str))
        }) {
            return Ok(CommandScope::Words);
        }
        // The hint has as many words as the longest entry for that program: "git push" beside "git
        // status". Without such an entry it includes the subcommand too, so that it allows no more
        // than necessary.
        let listed = rules
            .iter()
            .filter(|rule| rule.split_whitespace().next() == Some(name))
            .map(|rule| words(rule))
            .max();
        let shown = listed.unwrap_or(if command.get(1).is_some_and(|word| is_plain_word(word)) {
            2
        } else {
            1
        });
        let shown = command.iter().take(shown).map(String::as_str).collect::<Vec<_>>().join(" ");
        if name.contains(char::is_whitespace) {
            let refusal =
                Refusal::new(RUN, shown).because("no program has a name with white space in it");
            return Err(
                refusal.help("write each word as an item of its own: [\"git\", \"status\"]")
            );
        }
        let refusal =
            Refusal::new(RUN, shown.as_str()).allowed_by(list_with("commands", rules, &shown));
        let is_shell_line = name == "sh" && command.get(1).is_some_and(|word| word == "-c");
        Err(if is_shell_line {
            refusal.because("a line for a shell can run any program; a list of words runs one")
        } else {
            refusal
        })
    }

    /// The variables of a command: some of spc's own, those that `spc.toml` lists, and the listed
    /// ones of the script.
    fn environment(
        &self,
        given: &BTreeMap<String, String>,
        scope: CommandScope,
        machine: &Machine<'_>,
    ) -> Result<BTreeMap<String, String>, Refusal> {
        let listed = &self.settings.command_env;
        for name in given.keys() {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(
                    Refusal::new(SET_VARIABLE, name).because("that is not the name of a variable")
                );
            }
            if scope == CommandScope::Words && !listed.contains(name) {
                let refusal = Refusal::new(SET_VARIABLE, name).allowed_by(list_with(
                    "command_env",
                    listed,
                    name,
                ));
                let because =
                    starts_programs(name).then_some("it can make the command run another program");
                return Err(because.into_iter().fold(refusal, Refusal::because));
            }
        }
        let inherited = |name: &str| match name {
            // If a script can write this folder, it controls the settings of programs in it.
            "HOME" => scope == CommandScope::Anything || self.is_safe_home(machine),
            _ => INHERITED.contains(&name) || name.starts_with("LC_"),
        };
        let own =
            machine.environment.iter().filter(|(name, _)| listed.contains(name) || inherited(name));
        let fixed = [("PATH".to_owned(), SEARCH_PATH.to_owned())];
        let of_spc = own.map(|(name, value)| (name.clone(), value.clone()));
        Ok(fixed.into_iter().chain(of_spc).chain(given.clone()).collect())
    }

    fn is_safe_home(&self, machine: &Machine<'_>) -> bool {
        machine.environment.get("HOME").is_some_and(|home| {
            let route = self.route(Path::new(home), machine.look);
            Path::new(home).is_absolute()
                && route.through.is_none()
                && self.written_in(&route.real, machine.look).is_none()
        })
    }

    /// The folder in which commands run: `command_folder`, otherwise the folder of `spc.toml` if
    /// neither scripts nor containers can write it, otherwise `/`.
    fn folder_of_commands(&self, scope: CommandScope, machine: &Machine<'_>) -> PathBuf {
        if let Some(folder) = &self.command_folder {
            return folder.clone();
        }
        let is_safe = || {
            self.route(&self.root, machine.look).through.is_none()
                && self.written_in(&self.root, machine.look).is_none()
        };
        if scope == CommandScope::Anything || is_safe() {
            self.root.clone()
        } else {
            PathBuf::from("/")
        }
    }

    fn default_folder(
        &self,
        name: &str,
        home: Route,
        scope: CommandScope,
        machine: &Machine<'_>,
    ) -> Result<PathBuf, Refusal> {
        if scope == CommandScope::Words
            && let Some(written) =
                home.through.or_else(|| self.written_in(&home.real, machine.look))
        {
            let reason = format!(
                "it would run in \"{}\", and scripts or containers can write \"{}\"",
                home.real.display(),
                written.display()
            );
            return Err(Refusal::new(RUN, name)
                .because(reason)
                .help("name another folder with command_folder, under [allow] in spc.toml"));
        }
        Ok(home.real)
    }

    /// The folder that a script requests. It has to be inside the folder of commands or readable
    /// for scripts, and nobody else may be able to write it.
    fn folder(
        &self,
        given: &Path,
        home: &Route,
        scope: CommandScope,
        machine: &Machine<'_>,
    ) -> Result<PathBuf, Refusal> {
        let refusal = || Refusal::new(RUN_IN, given.to_string_lossy());
        let named = clean(&self.project_directory.join(given));
        let route = self.route(&named, machine.look);
        if scope == CommandScope::Words
            && let Some(written) =
                route.through.or_else(|| self.written_in(&route.real, machine.look))
        {
            let what = if written == route.real {
                "it".to_owned()
            } else {
                format!("\"{}\"", written.display())
            };
            let reason = format!("scripts or containers can write {what}");
            return Err(refusal().because(reason).help(
                "without working_dir it runs in the folder of spc.toml, or in command_folder",
            ));
        }
        let is_in_home = home.real != Path::new("/")
            && home.through.is_none()
            && route.real.starts_with(&home.real);
        if is_in_home {
            Ok(route.real)
        } else {
            Ok(self.read_path(&named, machine.resolve)?.as_path().to_owned())
        }
    }

    /// The file of a program; `None` if it doesn't exist. A name with a "/" is relative to the
    /// folder of commands.
    fn program(
        &self,
        name: &str,
        home: &Path,
        scope: CommandScope,
        machine: &Machine<'_>,
    ) -> Result<Option<PathBuf>, Refusal> {
        if name.contains('/') {
            let named = clean(&home.join(name));
            let route = self.route(&named, machine.look);
            // Also if nothing exists there, because a script could put something there.
            check_program(name, &named, &route, scope)?;
            return Ok(matches!(route.entry, Entry::File { .. }).then_some(route.real));
        }
        let mut not_executable = None;
        for named in SEARCH_PATH.split(':').map(|folder| Path::new(folder).join(name)) {
            let route = self.route(&named, machine.look);
            match route.entry {
                Entry::File { is_executable: true } => {
                    check_program(name, &named, &route, scope)?;
                    return Ok(Some(route.real));
                }
                Entry::File { .. } if route.through.is_none() => {
                    not_executable = not_executable.or(Some(route.real))
                }
                _ => {}
            }
        }
        Ok(not_executable)
    }
}

/// Rejects a program if scripts or containers can write the file or a part of its path.
fn check_program(
    name: &str,
    named: &Path,
    route: &Route,
    scope: CommandScope,
) -> Result<(), Refusal> {
    let Some(written) = route.through.as_ref().filter(|_| scope == CommandScope::Words) else {
        return Ok(());
    };
    let reason = if route.real.starts_with(written) {
        format!("scripts or containers can write its program \"{}\"", route.real.display())
    } else {
        let (named, written) = (named.display(), written.display());
        format!(
            "its program \"{named}\" leads through \"{written}\", which scripts or containers can write"
        )
    };
    Err(Refusal::new(RUN, name)
        .because(reason)
        .help("name a program that they can't write: one outside of the project directory, of `write` and of `bind_mounts`"))
}

/// Whether a word is a subcommand of a program, such as "status" in `git status`.
fn is_plain_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.chars().all(|c| c == '-' || c.is_ascii_lowercase())
}

fn words(rule: &str) -> usize {
    rule.split_whitespace().count()
}

/// Whether a variable is known to make programs load or start something else, so that the hint
/// warns about it.
fn starts_programs(name: &str) -> bool {
    const BEGINNINGS: [&str; 10] =
        ["BASH_", "DYLD_", "GIT_", "LD_", "MAKE", "NODE_", "PERL", "PYTHON", "RUBY", "SSH_"];
    const ENDS: [&str; 5] = ["EDITOR", "PAGER", "PATH", "SHELL", "_OPTIONS"];
    BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
        || ENDS.iter().any(|end| name.ends_with(end))
        || matches!(
            name,
            "BROWSER"
                | "ENV"
                | "HOME"
                | "IFS"
                | "LESSOPEN"
                | "LESSCLOSE"
                | "SHELLOPTS"
                | "VISUAL"
                | "XDG_CONFIG_HOME"
        )
}

#[cfg(test)]
mod tests;
