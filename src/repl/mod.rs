//! The prompt: evaluates typed lines one after another on the live stack.
//!
//! - [`input`]: the source of lines; [`editor`]: with editing, history and completion;
//!   [`plain_prompt`]: without editing
//! - [`complete`]: completions; [`engine_names`]: the existing services
//! - [`show`]: the value of a line
//! - [`help`]: the help about functions
//! - [`history`]: the file with the history
//! - [`interrupts`]: Ctrl-C ends the running line, not the session

mod command;
mod complete;
mod editor;
mod engine_names;
mod help;
mod history;
mod input;
pub mod interrupts;
mod plain_prompt;
pub mod show;

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::api::Context;
use crate::api::logs::take_interrupt;
use crate::host::StandardStream;
use crate::model::Kind;
use crate::model::diagnostic::Diagnostic;
use crate::script::{Session, on_script_thread};
use crate::ui::{Terminal, diagnostics};
use command::{Command, command};
use help::Help;
use input::{Input, PromptInput};
pub use interrupts::Interrupts;

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// The person left.
    Left,
    /// It was terminated, or its output was closed.
    Terminated,
}

/// The prompt on `terminal`. Imports are relative to `folder`.
pub fn run(
    context: &Arc<Context>,
    folder: &Path,
    terminal: &Arc<Terminal>,
    interrupts: &Interrupts,
) -> Result<SessionEnd, Box<Diagnostic>> {
    on_script_thread(context, || {
        let session = Session::new(context, folder)?;
        let help = Help::new(&session.host_names());
        let prompt =
            Prompt { context, terminal, interrupts, help, session: Rc::new(RefCell::new(session)) };
        let has_editing = context.host.is_terminal(StandardStream::Stdout)
            && editor::is_supported(&*context.host);
        if has_editing {
            prompt.ask_all(&mut editor::Editor::new(context, &prompt.session, terminal)?)
        } else {
            prompt.ask_all(&mut plain_prompt::PlainPrompt::new(context, &prompt.session))
        }
    })
}

/// The output of a text that contains only prompt commands, one per line, such as `help stack`.
/// `None` for any other text, which is a script.
pub fn commands(
    context: &Arc<Context>,
    folder: &Path,
    text: &str,
    width: Option<usize>,
) -> Option<Result<String, Box<Diagnostic>>> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    let commands = lines.map(command).collect::<Option<Vec<_>>>()?;
    if commands.is_empty() {
        return None;
    }
    Some(on_script_thread(context, || {
        let help = Help::new(&Session::new(context, folder)?.host_names());
        let said = commands.iter().map_while(|command| match command {
            Command::Help(about) => Some(help.text(*about, width)),
            Command::Leave => None,
        });
        let said = said.collect::<Result<Vec<_>, _>>();
        said.map(|said| said.join("\n\n"))
            .map_err(|failure| Box::new(crate::script::errors::without_place(failure)))
    }))
}

struct Prompt<'a> {
    context: &'a Arc<Context>,
    terminal: &'a Terminal,
    interrupts: &'a Interrupts,
    help: Help,
    session: Rc<RefCell<Session>>,
}

impl Prompt<'_> {
    fn ask_all(&self, input: &mut dyn Input) -> Result<SessionEnd, Box<Diagnostic>> {
        loop {
            if self.interrupts.is_ending() {
                return Ok(SessionEnd::Terminated);
            }
            // The editor writes directly to the terminal, after all earlier output.
            self.terminal.flush();
            let text = match input.read(self.interrupts)? {
                PromptInput::Text(text) => text,
                PromptInput::Nothing => continue,
                PromptInput::End => return Ok(SessionEnd::Left),
            };
            let command = command(&text).filter(|_| !self.is_variable(text.trim()));
            match command {
                Some(Command::Leave) => return Ok(SessionEnd::Left),
                Some(Command::Help(about)) => self.tell(about),
                None => self.eval(&text),
            }
            self.keep(input, &text);
        }
    }

    /// A variable with this name takes precedence.
    fn is_variable(&self, name: &str) -> bool {
        self.session.borrow().variables().any(|(variable, _)| variable == name)
    }

    fn eval(&self, text: &str) {
        // An interrupt belonged to the line before.
        self.terminal.calm();
        let result = self.interrupts.during(self.context, || {
            self.session
                .borrow_mut()
                .eval(text, &mut |printer, value| show::show(self.terminal, printer, value))
        });
        // Ctrl-C is the usual end of a followed log.
        let is_end = |error: &Diagnostic| error.kind == Kind::Interrupted && take_interrupt();
        if let Err(diagnostic) = result
            && !is_end(&diagnostic)
        {
            diagnostics::print(self.terminal, &diagnostic);
        }
    }

    fn tell(&self, about: Option<&str>) {
        match self.help.text(about, self.terminal.width()) {
            Ok(text) => self.terminal.out(&text),
            Err(failure) => {
                diagnostics::print(self.terminal, &crate::script::errors::without_place(failure))
            }
        }
    }

    /// A line with a secret is not stored. Checked after the line ran, because the line itself may
    /// have declared the secret.
    fn keep(&self, input: &mut dyn Input, text: &str) {
        if self.context.secrets.mask(text) == text {
            input.keep(text);
        }
    }
}
