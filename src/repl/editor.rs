//! Reads lines with editing, history and completion. rustyline owns the terminal while a line is
//! typed.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use rustyline::completion::Completer;
use rustyline::config::{BellStyle, Configurer};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{ColorMode, CompletionType, Config, Context as LineContext, ExternalPrinter};

use super::complete::Completion;
use super::engine_names::EngineNames;
use super::input::{Input, PROMPT, PromptInput};
use super::{Interrupts, history};
use crate::api::Context;
use crate::host::Host;
use crate::host::resolve::named;
use crate::model::diagnostic::Diagnostic;
use crate::model::event::{Event, Level};
use crate::model::{Failure, Kind};
use crate::script::Session;
use crate::script::errors::without_place;
use crate::script::names::Names;
use crate::ui::Terminal;
use crate::ui::terminal::{SUBJECT, styled};

/// The number of lines in the history.
const HISTORY: usize = 10_000;

/// More candidates than this are listed only on request.
const CANDIDATES: usize = 200;

/// Whether the terminal can move its cursor.
pub fn is_supported(host: &dyn Host) -> bool {
    !host.variable("TERM").is_some_and(|term| ["dumb", "cons25", "emacs"].contains(&term.as_str()))
}

/// The line editor.
pub struct Editor {
    lines: rustyline::Editor<Helper, DefaultHistory>,
    /// While this exists, rustyline waits for signals as well as for keys, on any thread.
    _wakes: Option<Box<dyn ExternalPrinter + Send>>,
    context: Arc<Context>,
    /// The file of the history.
    history: Option<PathBuf>,
    prompt: (&'static str, String),
}

impl Editor {
    /// A line editor for a session.
    pub fn new(
        context: &Arc<Context>,
        session: &Rc<RefCell<Session>>,
        terminal: &Terminal,
    ) -> Result<Self, Box<Diagnostic>> {
        let config = Config::builder()
            .completion_type(CompletionType::List)
            .completion_prompt_limit(CANDIDATES)
            .bell_style(BellStyle::None)
            .history_ignore_space(true)
            .max_history_size(HISTORY)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(|error| could_not(&error))?
            .build();
        let mut lines =
            rustyline::Editor::with_config(config).map_err(|error| could_not(&error))?;
        lines.set_color_mode(if terminal.has_colour() {
            ColorMode::Enabled
        } else {
            ColorMode::Disabled
        });
        let wakes = lines
            .create_external_printer()
            .ok()
            .map(|printer| Box::new(printer) as Box<dyn ExternalPrinter + Send>);
        let (all, own) = (session.borrow().names(), session.borrow().host_names());
        lines.set_helper(Some(Helper {
            session: session.clone(),
            all,
            own,
            live: EngineNames::new(context),
        }));
        let mut editor = Self {
            lines,
            _wakes: wakes,
            context: context.clone(),
            history: None,
            prompt: (PROMPT, styled(SUBJECT, PROMPT)),
        };
        editor.open_history();
        Ok(editor)
    }

    fn open_history(&mut self) {
        match history::file(&*self.context.host) {
            Ok(path) => self.history = path,
            Err(failure) => return self.without_history(&failure.message),
        }
        let Some(path) = self.history.clone() else { return };
        if self.context.host.info(&named(&*self.context.host, &path)).is_ok()
            && let Err(error) = self.lines.load_history(&path)
        {
            self.without_history(&error.to_string());
        }
    }

    /// Warns once that lines can't be stored; they are still available in this session.
    fn without_history(&mut self, why: &str) {
        let file = self
            .history
            .take()
            .map(|path| format!(" in \"{}\"", path.display()))
            .unwrap_or_default();
        let text = format!("The history is not saved{file}: {why}");
        self.context.events.event(&Event::Log { level: Level::Warning, text });
    }
}

impl Input for Editor {
    fn read(&mut self, interrupts: &Interrupts) -> Result<PromptInput, Box<Diagnostic>> {
        match interrupts.while_editing(|| self.lines.readline(&self.prompt)) {
            Ok(text) if text.trim().is_empty() => Ok(PromptInput::Nothing),
            Ok(text) => Ok(PromptInput::Text(text)),
            Err(ReadlineError::Interrupted | ReadlineError::Signal(_)) => Ok(PromptInput::Nothing),
            Err(ReadlineError::Eof) => Ok(PromptInput::End),
            Err(error) => Err(could_not(&error)),
        }
    }

    fn keep(&mut self, text: &str) {
        // It fails only for histories in databases.
        let _ = self.lines.add_history_entry(text);
        let Some(path) = self.history.clone() else { return };
        let folder = named(&*self.context.host, &path)
            .parent()
            .map_or(Ok(()), |folder| self.context.host.create_folder(&folder));
        let kept = folder
            .map_err(|error| error.message)
            .and_then(|()| self.lines.append_history(&path).map_err(|error| error.to_string()));
        if let Err(why) = kept {
            self.without_history(&why);
        }
    }
}

fn could_not(error: &ReadlineError) -> Box<Diagnostic> {
    Box::new(without_place(Failure::new(
        Kind::Failed,
        format!("Could not read from the terminal: {error}"),
    )))
}

/// The helper of rustyline while a line is typed.
struct Helper {
    session: Rc<RefCell<Session>>,
    all: Names,
    own: Names,
    live: EngineNames,
}

impl rustyline::Helper for Helper {}

impl Completer for Helper {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &LineContext<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let live = || self.live.names();
        let completion = Completion {
            session: &self.session.borrow(),
            all: &self.all,
            own: &self.own,
            live: &live,
        };
        Ok(completion.of(&line[..position]))
    }
}

impl Validator for Helper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let text = context.input();
        let is_complete =
            super::command::command(text).is_some() || self.session.borrow().is_complete(text);
        Ok(if is_complete { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Helper {
    type Hint = String;
}

impl Highlighter for Helper {}
