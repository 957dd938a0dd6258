//! Reads lines without editing: on a terminal without cursor movement, or if output goes elsewhere.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::Interrupts;
use super::input::{Input, MORE, PROMPT, PromptInput};
use crate::api::{Context, task};
use crate::model::Kind;
use crate::model::diagnostic::Diagnostic;
use crate::script::Session;
use crate::script::errors::without_place;

/// Asks on standard error, like questions.
pub struct PlainPrompt<'a> {
    context: &'a Arc<Context>,
    session: Rc<RefCell<Session>>,
}

impl<'a> PlainPrompt<'a> {
    /// The lines for a session.
    pub fn new(context: &'a Arc<Context>, session: &Rc<RefCell<Session>>) -> Self {
        Self { context, session: session.clone() }
    }
}

impl Input for PlainPrompt<'_> {
    fn read(&mut self, interrupts: &Interrupts) -> Result<PromptInput, Box<Diagnostic>> {
        let mut text = String::new();
        loop {
            let prompt = if text.is_empty() { PROMPT } else { MORE };
            let line = interrupts.while_asking(self.context, || {
                task::wait(self.context, async { Ok(self.context.host.ask(prompt).await?) })
            });
            match line {
                Ok(Some(line)) => text.push_str(&line),
                Ok(None) if text.is_empty() => return Ok(PromptInput::End),
                // Also evaluates an incomplete text, because the error names the missing part.
                Ok(None) => return Ok(PromptInput::Text(text)),
                Err(failure) if failure.kind == Kind::Interrupted => {
                    return Ok(PromptInput::Nothing);
                }
                Err(failure) => return Err(Box::new(without_place(failure))),
            }
            if text.trim().is_empty() {
                return Ok(PromptInput::Nothing);
            }
            if super::command::command(&text).is_some() || self.session.borrow().is_complete(&text)
            {
                return Ok(PromptInput::Text(text));
            }
            text.push('\n');
        }
    }

    fn keep(&mut self, _: &str) {}
}
