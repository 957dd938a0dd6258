//! A run for people at a terminal: what is under way is drawn at its foot and moves; what is said otherwise goes above it, in order.
//! When nothing is under way any more, what was drawn stays as a line for each service.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Notify;

use super::board::Board;
use super::foot::Size;
use super::progress::{MonotonicClock, Progress, Verbosity};
use super::terminal::Terminal;
use crate::model::event::{Event, Sink};

/// How often it moves by itself.
const TICK: Duration = Duration::from_millis(100);

/// Draws events.
pub struct Live {
    terminal: Arc<Terminal>,
    clock: Arc<MonotonicClock>,
    /// What is not drawn is said in lines.
    plain: Progress,
    verbosity: Verbosity,
    board: Mutex<Board>,
    begun: Notify,
}

impl Live {
    /// Draws on `terminal`, which has to be one: see [`Terminal::size`].
    pub fn new(terminal: Arc<Terminal>, verbosity: Verbosity, clock: MonotonicClock) -> Self {
        let clock = Arc::new(clock);
        let ticks = clock.clone();
        let plain = Progress::new(terminal.clone(), verbosity, Box::new(move || ticks()));
        Self { terminal, clock, plain, verbosity, board: Mutex::default(), begun: Notify::new() }
    }

    /// Lets times grow while something is under way; never ends. `sleep` is the host's.
    pub async fn animate(&self, sleep: impl Fn(Duration) -> BoxFuture<'static, ()>) {
        loop {
            self.begun.notified().await;
            while self.redraw() {
                sleep(TICK).await;
            }
        }
    }

    /// Draws what is under way as it is now; answers whether anything is.
    pub fn redraw(&self) -> bool {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let active = board.is_active();
        if active {
            self.terminal.show(&board.lines((self.clock)(), self.size()));
        }
        active
    }

    fn size(&self) -> Size {
        self.terminal.size().unwrap_or(Size { columns: 80, rows: 24 })
    }
}

impl Sink for Live {
    fn event(&self, event: &Event) {
        let now = (self.clock)();
        let mut board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Question { .. } => return self.terminal.hold(true, false),
            Event::Answer { answer, .. } => return self.terminal.hold(false, answer.is_none()),
            _ => {}
        }
        let was_active = board.is_active();
        let taken = board.take(event, now);
        let is_output = matches!(event, Event::Output { .. });
        if !taken || is_output && self.verbosity == Verbosity::Verbose {
            self.plain.event(event);
        }
        if !taken {
            return;
        }
        if !board.is_active() {
            if !board.is_empty() {
                self.terminal.leave(&board.last_lines(now, self.size()));
            }
            *board = Board::default();
        } else if !was_active {
            self.terminal.show(&board.lines(now, self.size()));
            self.begun.notify_one();
        } else if !is_output && !matches!(event, Event::StepProgress { .. }) {
            // Those two may come by the thousand: the next tick shows them.
            self.terminal.show(&board.lines(now, self.size()));
        }
    }
}
