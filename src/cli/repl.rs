//! `spc repl`: the prompt.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::CommonOptions;
use super::help_sections;
use super::session::Session;
use super::signals;
use crate::api::context::Command;
use crate::api::{Context, project, task};
use crate::engine::docker::ConnectOptions;
use crate::host::{FileKind, Host, StandardStream};
use crate::model::diagnostic::Diagnostic;
use crate::model::{Failure, Kind};
use crate::policy::CheckedPath;
use crate::repl::{self, Interrupts, SessionEnd, show};
use crate::script::project_context::{self, RunOptions, plain};
use crate::script::{self, Outcome, Runbook};
use crate::ui::help;

/// The name of piped text in messages.
pub const STDIN: &str = "<stdin>";

/// The longest time that the first prompt waits for the engine.
const CONNECTING: Duration = Duration::from_millis(200);

/// What its help shows at the end.
pub fn examples() -> String {
    let examples = help_sections::examples(&[
        ("spc repl", "Type lines, and see their values"),
        ("echo 'stack().ps()' | spc repl --json", "Run lines from a pipe as a script"),
    ]);
    format!(
        "Imports start in the project's folder scripts/, or in the folder of spc.toml.\n\n{examples}"
    )
}

/// Reads lines, or evaluates piped text. Returns the exit code.
pub fn main(common: &CommonOptions) -> u8 {
    let session = Session::new(common);
    match Session::attempt(|| execute(&session, common)) {
        Ok(SessionEnd::Left) => session.end(Ok(())),
        // A signal ended it, so nobody needs the result.
        Ok(SessionEnd::Terminated) => {
            session.terminal.flush();
            Kind::Interrupted.exit_code()
        }
        Err(error) => session.end(Err(error)),
    }
}

fn execute(session: &Session, common: &CommonOptions) -> Result<SessionEnd, Box<Diagnostic>> {
    let host = &*session.host;
    let is_typed = host.is_terminal(StandardStream::Stdin);
    if is_typed && common.json {
        let failure = Failure::usage(
            "--json is for lines that are piped in, not for those typed at a terminal",
        );
        return Err(plain(failure.hint("echo 'stack().ps()' | spc repl --json")));
    }
    let current = project_context::current_folder(host, &common.wanted()).map_err(plain)?;
    let place = project_context::find(host, &common.wanted(), &current)?;
    let folder = imports_folder(host, place.root.as_deref(), &current);
    let runtime = Session::runtime().map_err(plain)?;
    let command = Command { name: "spc repl".to_owned(), words: Vec::new(), help: false };
    let context = Arc::new(
        session
            .context(common, place, runtime.handle(), RunOptions::default())
            .with_command(command),
    );
    let result = if is_typed {
        greet(session, &context);
        connect_to_near(session, common, &context);
        let interrupts = Arc::new(Interrupts::new());
        signals::at_prompt(&interrupts, session).map_err(plain)?;
        repl::run(&context, &folder, &session.terminal, &interrupts)
    } else {
        signals::end_in_order(context.cancel.clone(), session).map_err(plain)?;
        piped(session, common, &context, folder).map(|()| SessionEnd::Left)
    };
    // Don't wait for its running tasks (a stream of events).
    runtime.shutdown_background();
    result
}

/// The base of imports for code without a file: the project's `scripts`, or the project.
pub fn imports_folder(host: &dyn Host, root: Option<&Path>, current: &Path) -> PathBuf {
    let Some(root) = root else { return current.to_path_buf() };
    let scripts = CheckedPath::root_itself(root).join("scripts");
    let is_folder = host.info(&scripts).is_ok_and(|info| info.kind == FileKind::Folder);
    if is_folder { scripts.as_path().to_owned() } else { root.to_path_buf() }
}

/// All of standard input as the text of a script; an interrupt ends the wait.
pub fn read_stdin(context: &Context) -> Result<String, Failure> {
    let content = task::wait(context, async { Ok(context.host.read_stdin().await?) })?;
    script::resolver::source_text("standard input", &content)
}

/// Connects at once to an engine of this machine or its network, so that names can be completed in
/// the first line. An error is reported at the first call that needs the engine.
fn connect_to_near(session: &Session, common: &CommonOptions, context: &Context) {
    let is_near = ConnectOptions::from_host(&*session.host, &common.engine())
        .is_ok_and(|options| options.is_near());
    if is_near {
        context.executor.block_on(async {
            futures::select_biased! {
                _ = Box::pin(context.engine()).fuse() => {}
                () = context.host.sleep(CONNECTING).fuse() => {}
            }
        });
    }
}

fn greet(session: &Session, context: &Context) {
    let about = project::name(context)
        .map_or_else(|failure| failure.message, |name| format!("project \"{name}\""));
    session.note(&format!(
        "spc {}, {about}; type help for help, Ctrl-D to exit",
        env!("CARGO_PKG_VERSION")
    ));
}

/// Piped text is a script, and its values are shown. Commands of the prompt print help.
fn piped(
    session: &Session,
    common: &CommonOptions,
    context: &Arc<Context>,
    folder: PathBuf,
) -> Result<(), Box<Diagnostic>> {
    let text = read_stdin(context).map_err(plain)?;
    if let Some(said) = repl::commands(context, &folder, &text, session.terminal.width()) {
        let said = said?;
        match common.json {
            true => session.json_lines().value(&said.into()),
            false if said.is_empty() => {}
            false => session.print(&said),
        }
        return Ok(());
    }
    let runbook = Runbook::Code { name: STDIN.to_owned(), folder, text };
    let lines = common.json.then(|| session.json_lines());
    let outcome = script::run_reporting(context, &runbook, &mut |printer, value| match &lines {
        Some(lines) => show::show_json(lines, printer, value),
        None => show::show(&session.terminal, printer, value),
    })?;
    if let Outcome::Help(text) = outcome {
        session.print(&help::text(&text, session.terminal.width()));
    }
    Ok(())
}
