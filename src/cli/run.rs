//! `spc run`: a runbook.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::CommonOptions;
use super::help_sections::examples;
use super::repl;
use super::session::Session;
use super::signals;
use crate::api::context::Command;
use crate::model::Failure;
use crate::model::diagnostic::Diagnostic;
use crate::model::time::parse_duration;
use crate::script::project_context::{self, ProjectContext, RunOptions, plain, take_flags};
use crate::script::{self, Outcome, Runbook};
use crate::ui::help;

/// The name of code on the command line in messages.
const WORDS: &str = "<command line>";

/// Run a runbook.
#[derive(Args)]
#[command(
    override_usage = "spc run [OPTIONS] <RUNBOOK> [ARGS]...\n       spc run [OPTIONS] -e <CODE> [ARGS]...",
    after_help = examples(&[
        ("spc run scripts/up.rhai", "Run a runbook"),
        ("spc run scripts/up.rhai --help", "Show the options of a runbook"),
        ("spc run scripts/up.rhai web --tag v2", "Run it with arguments of its own"),
        ("spc run -e 'print(stack().ps().len())'", "Run a line of code"),
    ]),
)]
pub struct Run {
    #[command(flatten)]
    words: RunbookArgs,
}

/// Which runbook, and its arguments.
#[derive(Args)]
pub struct RunbookArgs {
    /// Remove containers of services that are no longer described
    #[arg(long)]
    pub remove_orphans: bool,
    /// Adopt containers, networks and volumes that Docker Compose created for this project
    #[arg(long)]
    pub adopt: bool,
    /// Recreate containers that have anonymous volumes, with new volumes
    #[arg(long)]
    pub renew_anon_volumes: bool,
    /// How long to wait for another run that changes the project, such as 5m; 0s to fail at once
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub wait_lock: Option<Duration>,
    /// Run this code instead of a file; it imports from the project's folder scripts/, or from the
    /// folder of spc.toml
    #[arg(short = 'e', value_name = "CODE", allow_hyphen_values = true)]
    code: Option<String>,
    /// File of the runbook (- for standard input), and the runbook's own options and arguments
    #[arg(
        required_unless_present = "code",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        num_args = 1..,
        value_names = ["RUNBOOK", "ARGS"]
    )]
    given: Vec<String>,
}

/// Runs. Returns the exit code.
pub fn main(mut common: CommonOptions, mut run: Run) -> u8 {
    let origin = origin(&mut run.words);
    run.words.take_own_options(&mut common, &mut []);
    let session = Session::new(&common);
    session.end(Session::attempt(|| execute(&session, &common, &run.words, origin)))
}

/// Takes the runbook's location out of the words.
pub fn origin(given: &mut RunbookArgs) -> Origin {
    match given.code.take() {
        Some(code) => Origin::Words(code),
        None => match given.given.remove(0) {
            word if word == "-" => Origin::Stdin,
            word => Origin::File(word),
        },
    }
}

impl RunbookArgs {
    /// spc's own options may also follow the runbook's name: a runbook can't have options with
    /// these names. `more`: those of the command.
    pub fn take_own_options(&mut self, common: &mut CommonOptions, more: &mut [(&str, &mut bool)]) {
        let common = &mut [
            ("--json", &mut common.json),
            ("--quiet", &mut common.quiet),
            ("--verbose", &mut common.verbose),
        ];
        take_flags(&mut self.given, common);
        take_flags(&mut self.given, more);
    }

    /// The arguments of the runbook itself.
    pub fn words(&self) -> Vec<String> {
        self.given.clone()
    }
}

/// The location of the runbook.
pub enum Origin {
    File(String),
    /// `-`.
    Stdin,
    /// `-e`.
    Words(String),
}

/// A runbook with its project.
pub struct LocatedRunbook {
    /// Its file, if it has one.
    pub path: Option<PathBuf>,
    pub place: ProjectContext,
    /// The base of imports for code without a file.
    pub imports: PathBuf,
}

/// Whether the file can only be a compose file.
fn is_compose_file(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}

impl Origin {
    /// The command, for help and messages.
    pub fn command(&self, verb: &str) -> String {
        match self {
            Self::File(name) => format!("spc {verb} {name}"),
            Self::Stdin => format!("spc {verb} -"),
            Self::Words(_) => format!("spc {verb} -e CODE"),
        }
    }

    /// Finds its project. The script host reports a missing runbook, with the most similar name;
    /// its project is then that of its folder.
    pub fn find(
        &self,
        session: &Session,
        common: &CommonOptions,
    ) -> Result<LocatedRunbook, Box<Diagnostic>> {
        if matches!(self, Self::File(name) if name.is_empty()) {
            return Err(plain(Failure::usage("The name of the runbook is empty")));
        }
        let host = &*session.host;
        let current = project_context::current_folder(host, &common.wanted()).map_err(plain)?;
        let path = if let Self::File(name) = self { Some(current.join(name)) } else { None };
        if let Some(path) = path.as_ref().filter(|path| is_compose_file(path)) {
            let name = path.strip_prefix(&current).unwrap_or(path).display();
            let failure = Failure::usage(format!("\"{name}\" is a compose file, not a runbook"));
            let code = format!("compose(\"{name}\").up()");
            return Err(plain(
                failure.hint(format!("give its name to a line of code: -e '{code}'")),
            ));
        }
        let real =
            path.as_ref().map(|path| host.canonicalize(path).unwrap_or_else(|_| path.clone()));
        let folder = real.as_ref().and_then(|real| real.parent()).unwrap_or(&current);
        let place = project_context::find(host, &common.wanted(), folder)?;
        let imports = repl::imports_folder(host, place.root.as_deref(), &current);
        Ok(LocatedRunbook { path, place, imports })
    }

    /// The runbook itself. `stdin` reads standard input if necessary.
    pub fn runbook(
        self,
        path: Option<PathBuf>,
        imports: &Path,
        stdin: &dyn Fn() -> Result<String, Failure>,
    ) -> Result<Runbook, Box<Diagnostic>> {
        let code = |name: &str, text| Runbook::Code {
            name: name.to_owned(),
            folder: imports.to_path_buf(),
            text,
        };
        match (self, path) {
            (Self::Words(text), _) => Ok(code(WORDS, text)),
            (_, Some(path)) => Ok(Runbook::File(path)),
            _ => stdin().map(|text| code(repl::STDIN, text)).map_err(plain),
        }
    }
}

fn execute(
    session: &Session,
    common: &CommonOptions,
    given: &RunbookArgs,
    origin: Origin,
) -> Result<(), Box<Diagnostic>> {
    let found = origin.find(session, common)?;
    let runtime = Session::runtime().map_err(plain)?;
    let mut options = RunOptions {
        remove_orphans: given.remove_orphans,
        adopt: given.adopt,
        renew_anonymous_volumes: given.renew_anon_volumes,
        wait_lock: given.wait_lock,
        ..RunOptions::default()
    };
    let words = options.take(given.words()).map_err(plain)?;
    let command = Command { name: origin.command("run"), words, help: false };
    let context = Arc::new(
        session.context(common, found.place, runtime.handle(), options).with_command(command),
    );
    signals::end_in_order(context.cancel.clone(), session).map_err(plain)?;
    let runbook = origin.runbook(found.path, &found.imports, &|| repl::read_stdin(&context));
    let result = runbook.and_then(|runbook| script::run(&context, &runbook)).map(|outcome| {
        if let Outcome::Help(text) = outcome {
            session.print(&help::text(&text, session.terminal.width()));
        }
    });
    // Don't wait for its running tasks (a stream of events).
    runtime.shutdown_background();
    result
}
