//! Waits in virtual time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::SimTaskExecutor;

/// A virtual sleep.
pub struct Sleep {
    executor: Arc<SimTaskExecutor>,
    deadline: Duration,
    timer: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let executor = self.executor.clone();
        let mut state = executor.state.lock();
        let replaced = self.timer.take().and_then(|timer| state.timers.remove(&timer));
        if state.now < self.deadline {
            let timer = (self.deadline, state.next_timer);
            state.next_timer += 1;
            state.timers.insert(timer, context.waker().clone());
            self.timer = Some(timer);
        }
        drop(state);
        drop(replaced);
        if self.timer.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let waker = self.timer.and_then(|timer| self.executor.state.lock().timers.remove(&timer));
        drop(waker);
    }
}

impl SimTaskExecutor {
    /// A future that is ready once virtual time has advanced by `time`.
    pub fn sleep(self: &Arc<Self>, time: Duration) -> Sleep {
        Sleep { deadline: self.now() + time, executor: self.clone(), timer: None }
    }
}
