//! Ctrl-C: ends what a line does and keeps the session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::api::{Context, task};

/// What an interrupt came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What runs was told to end.
    Cancelled,
    /// What runs was told so before: the process has to be left.
    Leave,
    /// Nothing runs: whoever asks for the next line deals with it.
    AtPrompt,
}

/// What a session does at the moment, as those see it who are told of signals.
#[derive(Default)]
pub struct Interrupts {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    doing: Doing,
    is_told_to_end: bool,
}

#[derive(Default)]
enum Doing {
    #[default]
    Nothing,
    /// Waits for a line; the token ends that, where the terminal's own handling of keys doesn't.
    Asking(Option<CancellationToken>),
    /// Evaluates; whether it was told to end.
    Evaluating(CancellationToken, bool),
}

impl Interrupts {
    /// Nothing is done yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an interrupt. If what runs is told to end, `say` is done before it learns of it: what it says itself comes after.
    pub fn interrupt(&self, say: impl FnOnce()) -> Answer {
        match &mut self.lock().doing {
            Doing::Evaluating(_, true) => Answer::Leave,
            Doing::Evaluating(token, told) => {
                *told = true;
                say();
                token.cancel();
                Answer::Cancelled
            }
            Doing::Asking(Some(token)) => {
                token.cancel();
                Answer::AtPrompt
            }
            Doing::Asking(None) | Doing::Nothing => Answer::AtPrompt,
        }
    }

    /// Ends what is done, and after it the session.
    pub fn end(&self) {
        self.lock().is_told_to_end = true;
        self.interrupt(|| {});
    }

    /// Whether the session has to end.
    pub fn is_told_to_end(&self) -> bool {
        self.lock().is_told_to_end
    }

    /// Whether a line is being typed with editing: there the signal itself has to reach the reader.
    pub fn is_editing(&self) -> bool {
        matches!(self.lock().doing, Doing::Asking(None))
    }

    /// Does `work` as a task of its own, which an interrupt ends.
    pub fn during<T>(&self, context: &Arc<Context>, work: impl FnOnce() -> T) -> T {
        let token = context.cancel.child_token();
        self.doing(Doing::Evaluating(token.clone(), false), || {
            let _entered = task::enter(token);
            work()
        })
    }

    /// Waits for a line without editing; an interrupt ends that.
    pub fn while_asking<T>(&self, context: &Arc<Context>, work: impl FnOnce() -> T) -> T {
        let token = context.cancel.child_token();
        self.doing(Doing::Asking(Some(token.clone())), || {
            let _entered = task::enter(token);
            work()
        })
    }

    /// Waits for a line with editing.
    pub fn while_editing<T>(&self, work: impl FnOnce() -> T) -> T {
        self.doing(Doing::Asking(None), work)
    }

    fn doing<T>(&self, doing: Doing, work: impl FnOnce() -> T) -> T {
        self.lock().doing = doing;
        let result = work();
        self.lock().doing = Doing::Nothing;
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::trial::Trial;

    #[test]
    fn the_first_ends_what_runs_the_second_leaves_and_the_next_line_begins_anew() {
        let (context, interrupts) = (Trial::new().context, Interrupts::new());
        assert_eq!(interrupts.interrupt(|| {}), Answer::AtPrompt);
        for _ in 0..2 {
            interrupts.during(&context, || {
                assert!(!task::is_cancelled());
                assert_eq!(interrupts.interrupt(|| {}), Answer::Cancelled);
                assert!(task::is_cancelled());
                assert_eq!(interrupts.interrupt(|| {}), Answer::Leave);
            });
        }
        assert!(!context.cancel.is_cancelled() && !interrupts.is_told_to_end());
    }

    #[test]
    fn at_the_prompt_an_interrupt_gives_the_line_up_and_the_end_ends_asking() {
        let (context, interrupts) = (Trial::new().context, Interrupts::new());
        interrupts.while_asking(&context, || {
            assert_eq!((interrupts.interrupt(|| {}), task::is_cancelled(), interrupts.is_editing()), (Answer::AtPrompt, true, false));
        });
        interrupts.while_editing(|| assert_eq!((interrupts.interrupt(|| {}), interrupts.is_editing()), (Answer::AtPrompt, true)));
        interrupts.while_asking(&context, || {
            interrupts.end();
            assert!(task::is_cancelled());
        });
        assert!(interrupts.is_told_to_end());
    }
}
