//! Future changes of the engine, with their times: exits, probes, restarts, running work.
//!
//! Every call first runs everything that has become due. Between calls a background future wakes at
//! the next due time, so that events come at their times while everyone waits.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::state::{SharedState, State};
use crate::engine::sim::behaviour::process::Script;

/// Without a call for this long, repeated work (probes, a crash loop) no longer moves the clock. So
/// a run that waits for something impossible stalls, instead of continuing for ever.
const IDLE: Duration = Duration::from_hours(3 * 24);

/// Whether an item on the timetable comes to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::sim) enum Purpose {
    /// It ends: an exit, an answer, a line of a log.
    Once,
    /// It leads to the same again: a health probe, a restart.
    Again,
}

/// Runs under the engine's lock; a script that it returns runs outside of the lock.
pub(in crate::engine::sim) type Work = Box<dyn FnOnce(&mut State) -> Option<Script> + Send>;

#[derive(Default)]
pub(in crate::engine::sim) struct Timetable {
    items: BTreeMap<(Duration, u64), (Purpose, Work)>,
    next: u64,
    /// Items that end.
    once: usize,
    last_call: Duration,
    /// The background future, and what it waits for.
    waiting: Option<(Waker, Option<Duration>)>,
}

impl Timetable {
    pub(in crate::engine::sim) fn add(&mut self, at: Duration, purpose: Purpose, work: Work) {
        self.items.insert((at, self.next), (purpose, work));
        self.next += 1;
        self.once += usize::from(purpose == Purpose::Once);
    }

    /// A call to the engine.
    pub(in crate::engine::sim) fn called(&mut self, now: Duration) {
        self.last_call = now;
    }

    pub(in crate::engine::sim) fn take_due(&mut self, now: Duration) -> Option<(Duration, Work)> {
        let entry = self.items.first_entry()?;
        if entry.key().0 > now {
            return None;
        }
        let ((at, _), (purpose, work)) = entry.remove_entry();
        self.once -= usize::from(purpose == Purpose::Once);
        Some((at, work))
    }

    /// The waker for items that are due earlier than expected.
    pub(in crate::engine::sim) fn late_waker(&mut self) -> Option<Waker> {
        let first = self.items.first_key_value()?.0.0;
        self.waiting
            .take_if(|(_, until)| until.is_none_or(|until| first < until))
            .map(|(waker, _)| waker)
    }

    /// The next time at which the background future has to wake; `None` while nothing important is
    /// due.
    fn wait(&mut self, now: Duration, waker: &Waker) -> Option<Duration> {
        let first = self.items.first_key_value().map(|((at, _), _)| *at);
        let idle = self.once == 0 && now > self.last_call + IDLE;
        let until = first.filter(|_| !idle);
        // While idle, a new item has to wake it, whenever it is due.
        self.waiting = Some((waker.clone(), until));
        until
    }

    fn stop_waiting(&mut self) {
        self.waiting = None;
    }
}

/// Runs everything when it becomes due; never ends.
pub(in crate::engine::sim) async fn keep_time(shared: Arc<SharedState>) {
    let mut sleep = None;
    poll_fn(move |context| {
        loop {
            shared.lock().timetable.stop_waiting();
            shared.advance();
            let now = shared.executor.now();
            let Some(until) = shared.lock().timetable.wait(now, context.waker()) else {
                sleep = None;
                return Poll::<()>::Pending;
            };
            let timer = sleep.insert(shared.executor.sleep(until.saturating_sub(now)));
            if Pin::new(timer).poll(context).is_pending() {
                return Poll::<()>::Pending;
            }
        }
    })
    .await;
}
