//! The signals INT, TERM and HUP. The reaction waits for nothing that the run waits for: a thread
//! of its own receives them, and takes no lock that printing code may hold.
//!
//! The first signal ends the run in order, a second one exits at once. HUP only counts as a first
//! signal: if a shell loses its terminal, it sends HUP to its jobs in addition to the system, so it
//! comes twice. If HUP was ignored at the start (`nohup`), it stays ignored.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Signal as Number, getpid, kill_process};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::session::Session;
use crate::api::logs::interrupt;
use crate::apply::running_commands;
use crate::engine::dry_run::{is_any_running, kill_running};
use crate::host::Host;
use crate::host::real::ignores_hang_up;
use crate::model::diagnostic::Diagnostic;
use crate::model::{Failure, Kind};
use crate::repl::Interrupts;
use crate::repl::interrupts::Answer;
use crate::script::project_context::plain;
use crate::ui::Terminal;

const NOTICE: &str =
    "interrupted: finishing the steps that have started; press Ctrl-C again to exit now";

/// The message if a run ends in the middle.
const LEFT: &str = "exited before the started steps were finished or rolled back; the next run continues from there";

/// The message for a command that only reads.
const NOTHING_CHANGED: &str = "nothing was changed";

/// The message for a command whose report is incomplete.
const NO_RESULT: &str = "run the command again for a complete result";

/// The run is cancelled after this time, even if the notice could not be printed yet.
const NOTICE_TIME: Duration = Duration::from_millis(150);

/// A signal this soon after the first is its echo: `timeout` signals its child and then the whole
/// group, and programs that run others pass on what a terminal has sent to all of them.
const ECHO: Duration = Duration::from_millis(20);

/// How long a signal that exits at once waits at most, if commands are running in containers.
const KILL_TIME: Duration = Duration::from_millis(1500);

/// The pause between two attempts to wake the reader of a line.
const WAKING: Duration = Duration::from_millis(20);

/// The received signals.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if it is ignored.
    hang_up: Option<Signal>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReceivedSignal {
    Interrupt,
    Terminate,
    HangUp,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let hang_up = if ignores_hang_up() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up,
        })
    }

    async fn next(&mut self) -> ReceivedSignal {
        let hang_up = async {
            match &mut self.hang_up {
                Some(hang_up) => drop(hang_up.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => ReceivedSignal::Interrupt,
            _ = self.terminate.recv() => ReceivedSignal::Terminate,
            () = hang_up => ReceivedSignal::HangUp,
        }
    }

    /// Skips the echo of a signal, before anything is printed: a signal after the notice is an
    /// answer to the notice.
    async fn let_echo_pass(&mut self, host: &dyn Host) {
        let mut over = host.sleep(ECHO);
        loop {
            tokio::select! {
                _ = self.next() => {}
                () = &mut over => return,
            }
        }
    }
}

/// Receives signals from now on, and reacts to them on a thread of its own, because all threads of
/// the run may be waiting for a reader.
fn listen<F: Future<Output = ()>>(
    react: impl FnOnce(Signals) -> F + Send + 'static,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Kind::Failed, format!("Could not listen for signals: {error}"))
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let signals = {
        // Here and not on the thread, which may start later than the script. A signal in between
        // would end the process silently or, in a background job of a shell that ignores it, be
        // lost.
        let _runtime = runtime.enter();
        Signals::new().map_err(failed)?
    };
    let work = move || runtime.block_on(react(signals));
    std::thread::Builder::new().name("signals".to_owned()).spawn(work).map(drop).map_err(failed)
}

/// The first signal cancels the run in order, a second one exits at once. If nobody reads the
/// output any more (`| head`), the run also ends in order, and silently.
pub fn end_in_order(cancel: CancellationToken, session: &Session) -> Result<(), Failure> {
    let (terminal, host) = (session.terminal.clone(), session.host.clone());
    let forced_end = session.forced_end();
    listen(move |mut signals| async move {
        let (mut is_read, mut is_ending) = (true, false);
        loop {
            let received = tokio::select! {
                received = signals.next() => received,
                () = terminal.closed().cancelled(), if is_read => {
                    is_read = false;
                    cancel.cancel();
                    continue;
                }
            };
            terminal.hurry();
            if !is_ending {
                is_ending = true;
                signals.let_echo_pass(&*host).await;
                // Nothing is started that would have to be finished.
                if !interrupt() {
                    soon(&*host, say(&terminal, NOTICE)).await;
                }
                cancel.cancel();
            } else if received != ReceivedSignal::HangUp {
                kill_commands(&*host).await;
                soon(&*host, say(&terminal, LEFT)).await;
                let reporting = forced_end.clone();
                soon(&*host, beside(move || reporting.report(LEFT))).await;
                leave_now(&terminal, forced_end.exit_code());
            }
        }
    })
}

/// Any signal exits at once, because nothing was started that would have to be finished. Read-only
/// commands of a plan are ended in their containers.
pub fn leave_at_once(session: &Session) -> Result<(), Failure> {
    leave(session, NOTHING_CHANGED)
}

/// The same for a command that the signal itself may end: only with `--json` does anybody wait for
/// a last line.
pub fn leave_with_an_end(session: &Session) -> Result<(), Box<Diagnostic>> {
    if session.is_json() { leave(session, NO_RESULT).map_err(plain) } else { Ok(()) }
}

/// `about`: what there is to know of it.
fn leave(session: &Session, about: &'static str) -> Result<(), Failure> {
    let (terminal, host) = (session.terminal.clone(), session.host.clone());
    let (is_json, forced_end) = (session.is_json(), session.forced_end());
    listen(move |mut signals| async move {
        signals.next().await;
        terminal.hurry();
        let (said, reporting) = (terminal.clone(), forced_end.clone());
        let say = beside(move || {
            if !is_json {
                said.err(&format!("interrupted: {about}"));
            }
            reporting.report(about);
        });
        soon(&*host, say).await;
        if is_any_running() {
            tokio::select! {
                () = kill_running() => {}
                () = host.sleep(KILL_TIME) => {}
            }
        }
        leave_now(&terminal, forced_end.exit_code());
    })
}

/// At the prompt, INT ends the running line, and a second one exits at once. TERM, HUP, and the end
/// of the output's reader end the session, and a second TERM exits at once.
pub fn at_prompt(interrupts: &Arc<Interrupts>, session: &Session) -> Result<(), Failure> {
    let (terminal, host, interrupts) =
        (session.terminal.clone(), session.host.clone(), interrupts.clone());
    let forced_end = session.forced_end();
    // The settings while no line is typed. An exit in the middle of a line restores them.
    let usual = tcgetattr(rustix::stdio::stderr()).ok();
    listen(move |mut signals| async move {
        loop {
            let has_to_end = interrupts.is_ending();
            let answer = tokio::select! {
                received = signals.next() => {
                    terminal.hurry();
                    match received {
                        ReceivedSignal::Interrupt => interrupts.interrupt(),
                        ReceivedSignal::HangUp if has_to_end => continue,
                        ReceivedSignal::Terminate | ReceivedSignal::HangUp => interrupts.end(),
                    }
                }
                () = terminal.closed().cancelled(), if !has_to_end => interrupts.end(),
                // Only a signal wakes the reader of keys, which then restores the terminal.
                () = host.sleep(WAKING), if has_to_end && interrupts.is_editing() => {
                    let _ = kill_process(getpid(), Number::INT);
                    continue;
                }
            };
            match answer {
                Answer::AtPrompt => {}
                Answer::Cancel(token) => {
                    signals.let_echo_pass(&*host).await;
                    // A followed log has nothing to finish.
                    if !interrupt() && !interrupts.is_ending() {
                        soon(&*host, say(&terminal, NOTICE)).await;
                    }
                    token.cancel();
                }
                Answer::Leave => {
                    kill_commands(&*host).await;
                    let reporting = forced_end.clone();
                    soon(&*host, beside(move || reporting.report(LEFT))).await;
                    give_back(usual.as_ref());
                    leave_now(&terminal, forced_end.exit_code());
                }
            }
        }
    })
}

fn give_back(usual: Option<&Termios>) {
    if let Some(usual) = usual {
        let _ = tcsetattr(rustix::stdio::stderr(), OptionalActions::Now, usual);
    }
}

async fn say(terminal: &Arc<Terminal>, text: &'static str) {
    let terminal = terminal.clone();
    beside(move || terminal.err(text)).await;
}

/// Kills commands in containers that nobody will wait for. Takes only a short time, because the
/// process has to exit.
async fn kill_commands(host: &dyn Host) {
    if running_commands::is_any() {
        tokio::select! {
            () = running_commands::kill_all() => {}
            () = host.sleep(KILL_TIME) => {}
        }
    }
}

/// Runs `work`, which may have to wait for a lock, on a thread of its own.
#[expect(
    clippy::disallowed_methods,
    reason = "signals come from outside of every run, real ones only"
)]
async fn beside(work: impl FnOnce() + Send + 'static) {
    let _ = tokio::task::spawn_blocking(work).await;
}

/// Waits for `work`, but only a short time.
async fn soon(host: &dyn Host, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = host.sleep(NOTICE_TIME) => {}
    }
}

/// Ends the process without waiting for anything that another thread may hold.
#[expect(clippy::exit, reason = "asked for by a signal: nothing is to be waited for any more")]
fn leave_now(terminal: &Terminal, code: u8) -> ! {
    terminal.hurry();
    terminal.keep_if_free();
    terminal.flush_briefly();
    // The standard library's own buffers are empty: all output goes through the terminal's queue.
    std::process::exit(code.into())
}
