//! `spc repl`: the prompt.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::SignalKind;

use super::Common;
use super::session::{Session, leave_now, listen};
use crate::api::context::Command;
use crate::api::{Context, project, task};
use crate::engine::docker::ConnectOptions;
use crate::host::{FileKind, Host, StandardStream};
use crate::model::diagnostic::Diagnostic;
use crate::model::{Failure, Kind};
use crate::repl::interrupts::Answer;
use crate::repl::{self, Ended, Interrupts, show};
use crate::script::place::{self, RunOptions, plain};
use crate::script::{self, Outcome, Runbook};
use crate::ui::{Terminal, help};

/// What piped text is called in messages.
pub const STDIN: &str = "<stdin>";

/// How long the first prompt waits for the engine at most.
const CONNECTING: Duration = Duration::from_millis(200);

/// Between two tries to wake the reader of a line.
const WAKING: Duration = Duration::from_millis(20);

/// Asks for lines, or evaluates what is piped in; the exit code.
pub fn main(common: &Common) -> u8 {
    let session = Session::new(common);
    match execute(&session, common) {
        Ok(Ended::Left) => session.end(Ok(())),
        // Told by a signal: there is nobody to tell.
        Ok(Ended::Told) => Kind::Interrupted.exit_code(),
        Err(error) => session.end(Err(error)),
    }
}

fn execute(session: &Session, common: &Common) -> Result<Ended, Box<Diagnostic>> {
    let host = &*session.host;
    let is_typed = host.is_terminal(StandardStream::Stdin);
    if is_typed && common.json {
        let failure = Failure::usage("--json is for lines that are piped in, not for those typed at a terminal");
        return Err(plain(failure.hint("echo 'stack().ps()' | spc repl --json")));
    }
    let current = place::current_folder(host, &common.wanted()).map_err(plain)?;
    let place = place::find(host, &common.wanted(), &current)?;
    let folder = imports_folder(host, place.root.as_deref(), &current);
    let runtime = Session::runtime().map_err(plain)?;
    let command = Command { name: "spc repl".to_owned(), words: Vec::new(), help: false };
    let context = Arc::new(session.context(common, place, runtime.handle(), RunOptions::default()).with_command(command));
    let result = if is_typed {
        greet(session, &context);
        connect_to_near(session, common, &context);
        let interrupts = Arc::new(Interrupts::new());
        listen_at_prompt(runtime.handle(), &context, &interrupts, session.terminal.clone()).map_err(plain)?;
        repl::run(&context, &folder, &session.terminal, &interrupts)
    } else {
        Session::listen_for_interrupts(runtime.handle(), context.cancel.clone(), session.terminal.clone()).map_err(plain)?;
        piped(session, common, &context, folder).map(|()| Ended::Left)
    };
    // What still runs on it (a stream of events) is not waited for.
    runtime.shutdown_background();
    result
}

/// Where imports of code that is in no file are looked for: the project's `scripts`, or the project.
pub fn imports_folder(host: &dyn Host, root: Option<&Path>, current: &Path) -> PathBuf {
    let Some(root) = root else { return current.to_path_buf() };
    let scripts = root.join("scripts");
    let is_folder = host.info(&scripts).is_ok_and(|info| info.kind == FileKind::Folder);
    if is_folder { scripts } else { root.to_path_buf() }
}

/// All of standard input as the text of a script; an interrupt ends the wait for it.
pub fn read_stdin(context: &Context) -> Result<String, Failure> {
    let content = task::wait(context, async { Ok(context.host.read_stdin().await?) })?;
    script::resolver::source_text("standard input", &content)
}

/// Connects to an engine of this machine or its network at once, so that names can be completed in the first line. What keeps it
/// from that is told at the first call that needs it.
fn connect_to_near(session: &Session, common: &Common, context: &Context) {
    let is_near = ConnectOptions::from_host(&*session.host, &common.engine()).is_ok_and(|options| options.is_near());
    if is_near {
        context.conductor.block_on(async {
            futures::select_biased! {
                _ = Box::pin(context.engine()).fuse() => {}
                () = context.host.sleep(CONNECTING).fuse() => {}
            }
        });
    }
}

fn greet(session: &Session, context: &Context) {
    let about = project::name(context).map_or_else(|failure| failure.message, |name| format!("project \"{name}\""));
    session.note(&format!("spc {}, {about}; help tells more, Ctrl-D leaves", env!("CARGO_PKG_VERSION")));
}

/// Text that is piped in is a script whose values are shown.
fn piped(session: &Session, common: &Common, context: &Arc<Context>, folder: PathBuf) -> Result<(), Box<Diagnostic>> {
    let text = read_stdin(context).map_err(plain)?;
    let runbook = Runbook::Code { name: STDIN.to_owned(), folder, text };
    let lines = common.json.then(|| session.json_lines());
    let outcome = script::run_telling(context, &runbook, &mut |printer, value| match &lines {
        Some(lines) => show::show_json(lines, printer, value),
        None => show::show(&session.terminal, printer, value),
    })?;
    if let Outcome::Help(text) = outcome {
        session.print(&help::text(&text, session.terminal.width()));
    }
    Ok(())
}

/// Ctrl-C ends what a line does, once more leaves at once; TERM, and a reader of the output that has gone, end the session.
fn listen_at_prompt(
    handle: &tokio::runtime::Handle,
    context: &Arc<Context>,
    interrupts: &Arc<Interrupts>,
    terminal: Arc<Terminal>,
) -> Result<(), Failure> {
    let _runtime = handle.enter();
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    let (context, interrupts) = (context.clone(), interrupts.clone());
    #[expect(clippy::disallowed_methods, reason = "signals come from outside of every run, real ones only")]
    handle.spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {
                    let say = || terminal.err("interrupted: finishing what was begun; once more leaves at once");
                    if interrupts.interrupt(say) == Answer::Leave {
                        // What is drawn stays as it is, and the cursor under it.
                        terminal.keep();
                        leave_now();
                    }
                }
                _ = terminate.recv() => interrupts.end(),
                () = terminal.closed().cancelled(), if !interrupts.is_told_to_end() => interrupts.end(),
                // Only a signal that reaches it wakes the reader of keys, which then gives the terminal back as it was.
                () = context.host.sleep(WAKING), if interrupts.is_told_to_end() && interrupts.is_editing() => {
                    let _ = kill_process(getpid(), Signal::INT);
                }
            }
        }
    });
    Ok(())
}
