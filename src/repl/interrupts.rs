//! Ctrl-C: ends the running line and keeps the session.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::api::{Context, task};

/// The reaction to an interrupt.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Cancel this, after the notice to the person: later output follows it.
    Cancel(CancellationToken),
    /// The line was already cancelled: exit the process.
    Leave,
    /// Nothing is running: the reader of the next line handles it.
    AtPrompt,
}

/// The current activity of a session, for signal handlers.
#[derive(Default)]
pub struct Interrupts {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    doing: Activity,
    is_ending: bool,
}

#[derive(Default)]
enum Activity {
    #[default]
    Nothing,
    /// Waits for a line; the token ends the wait if the terminal's own key handling doesn't.
    Asking(Option<CancellationToken>),
    /// Evaluates; with whether it was cancelled.
    Evaluating(CancellationToken, bool),
}

impl Interrupts {
    /// No activity yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles an interrupt.
    pub fn interrupt(&self) -> Answer {
        match &mut self.state.lock().doing {
            Activity::Evaluating(_, true) => Answer::Leave,
            Activity::Evaluating(token, cancelled) => {
                *cancelled = true;
                Answer::Cancel(token.clone())
            }
            Activity::Asking(Some(token)) => {
                token.cancel();
                Answer::AtPrompt
            }
            Activity::Asking(None) | Activity::Nothing => Answer::AtPrompt,
        }
    }

    /// Ends the current activity, and then the session. The second time, the process has to exit.
    pub fn end(&self) -> Answer {
        if std::mem::replace(&mut self.state.lock().is_ending, true) {
            return Answer::Leave;
        }
        self.interrupt()
    }

    /// Whether the session has to end.
    pub fn is_ending(&self) -> bool {
        self.state.lock().is_ending
    }

    /// Whether a line is being typed with editing: then the signal itself has to reach the reader.
    pub fn is_editing(&self) -> bool {
        matches!(self.state.lock().doing, Activity::Asking(None))
    }

    /// Runs `work` as a task that an interrupt can end.
    pub fn during<T>(&self, context: &Arc<Context>, work: impl FnOnce() -> T) -> T {
        let token = context.cancel.child_token();
        self.doing(Activity::Evaluating(token.clone(), false), || {
            let _entered = task::enter(token);
            work()
        })
    }

    /// Waits for a line without editing; an interrupt ends that.
    pub fn while_asking<T>(&self, context: &Arc<Context>, work: impl FnOnce() -> T) -> T {
        let token = context.cancel.child_token();
        self.doing(Activity::Asking(Some(token.clone())), || {
            let _entered = task::enter(token);
            work()
        })
    }

    /// Waits for a line with editing.
    pub fn while_editing<T>(&self, work: impl FnOnce() -> T) -> T {
        self.doing(Activity::Asking(None), work)
    }

    fn doing<T>(&self, doing: Activity, work: impl FnOnce() -> T) -> T {
        self.state.lock().doing = doing;
        let result = work();
        self.state.lock().doing = Activity::Nothing;
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::harness::Harness;

    /// An interrupt whose notice was printed.
    fn cancelled(answer: &Answer) -> bool {
        match answer {
            Answer::Cancel(token) => token.cancel(),
            _ => return false,
        }
        true
    }

    #[test]
    fn the_first_interrupt_ends_the_work_the_second_exits_and_the_next_line_resets_them() {
        let (context, interrupts) = (Harness::new().context, Interrupts::new());
        assert!(matches!(interrupts.interrupt(), Answer::AtPrompt));
        for _ in 0..2 {
            interrupts.during(&context, || {
                assert!(!task::is_cancelled());
                assert!(cancelled(&interrupts.interrupt()));
                assert!(task::is_cancelled());
                assert!(matches!(interrupts.interrupt(), Answer::Leave));
            });
        }
        assert!(!context.cancel.is_cancelled() && !interrupts.is_ending());
    }

    #[test]
    fn a_second_signal_ends_the_process() {
        let (context, interrupts) = (Harness::new().context, Interrupts::new());
        interrupts.during(&context, || {
            assert!(cancelled(&interrupts.end()) && task::is_cancelled());
            assert!(matches!(interrupts.interrupt(), Answer::Leave));
            assert!(matches!(interrupts.end(), Answer::Leave));
        });
        let interrupts = Interrupts::new();
        interrupts.during(&context, || {
            assert!(cancelled(&interrupts.interrupt()));
            assert!(matches!(interrupts.end(), Answer::Leave));
        });
    }

    #[test]
    fn at_the_prompt_an_interrupt_gives_the_line_up_and_the_end_ends_asking() {
        let (context, interrupts) = (Harness::new().context, Interrupts::new());
        interrupts.while_asking(&context, || {
            assert!(
                matches!(interrupts.interrupt(), Answer::AtPrompt)
                    && task::is_cancelled()
                    && !interrupts.is_editing()
            );
        });
        interrupts.while_editing(|| {
            assert!(matches!(interrupts.interrupt(), Answer::AtPrompt) && interrupts.is_editing())
        });
        interrupts.while_asking(&context, || {
            interrupts.end();
            assert!(task::is_cancelled());
        });
        assert!(interrupts.is_ending());
    }
}
