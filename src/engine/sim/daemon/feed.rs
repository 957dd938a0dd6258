//! Operations that stream their progress: pulls, pushes, builds.
//!
//! Dropping the stream cancels the operation. A restart of the engine aborts it.

use std::collections::VecDeque;
use std::time::Duration;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::errors::unreachable;
use super::state::State;
use super::timetable::Purpose;
use crate::engine::Result;

/// One report, and its effect.
pub(in crate::engine::sim) type Step<T> = Box<dyn FnOnce(&mut State) -> Result<T> + Send>;

/// The remaining steps, each some time after the one before. A step that fails is the last one.
pub(in crate::engine::sim) struct Feed<T: Send + 'static> {
    sender: UnboundedSender<Result<T>>,
    steps: VecDeque<(Duration, Step<T>)>,
    ended: bool,
}

impl<T: Send + 'static> Drop for Feed<T> {
    fn drop(&mut self) {
        if !self.ended {
            // The reader learns that more was to come.
            let _ = self.sender.unbounded_send(Err(unreachable()));
        }
    }
}

/// A step that only reports.
pub(in crate::engine::sim) fn say<T: Send + 'static>(report: T) -> Step<T> {
    Box::new(move |_| Ok(report))
}

impl State {
    /// Starts the work and returns its reports.
    pub fn feed<T: Send + 'static>(
        &mut self,
        steps: impl IntoIterator<Item = (Duration, Step<T>)>,
    ) -> UnboundedReceiver<Result<T>> {
        let (sender, receiver) = unbounded();
        self.next_step(Feed { sender, steps: steps.into_iter().collect(), ended: false });
        receiver
    }

    fn next_step<T: Send + 'static>(&mut self, mut feed: Feed<T>) {
        let Some((delay, step)) = feed.steps.pop_front() else {
            feed.ended = true;
            return;
        };
        self.after(delay, Purpose::Once, move |state| {
            if feed.sender.is_closed() {
                return None;
            }
            let report = step(state);
            feed.ended = report.is_err();
            // Checks before the next step whether anyone reads.
            let _ = feed.sender.unbounded_send(report);
            if !feed.ended {
                state.next_step(feed);
            }
            None
        });
    }
}
