//! Virtual time: one task of a script runs at a time, and the clock moves only when all of them
//! wait.
//!
//! There is one run token. Its holder runs script code or polls its own future. A task with a
//! pending future passes the run token to a ready task that the seed selects. If no task is ready,
//! the clock jumps to the earliest timer. The same seed gives the same order of everything.

mod chance;
mod processes;
mod sleep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use tokio_util::sync::CancellationToken;

pub(crate) use chance::{SplitMix64, fraction};
pub use sleep::Sleep;

use crate::host::script_threads::{Job, script_threads};
use crate::model::Failure;

type TaskId = u64;

/// Identifies tasks that are killed together: those of one simulated process.
pub type Process = u64;

/// The process that created the executor. Nothing kills it.
const OWN_PROCESS: Process = 0;

/// The first task: the thread that created the executor.
const MAIN_TASK: TaskId = 0;

thread_local! {
    static CURRENT_TASK: std::cell::Cell<TaskId> = const { std::cell::Cell::new(MAIN_TASK) };
    static CURRENT_PROCESS: std::cell::Cell<Process> = const { std::cell::Cell::new(OWN_PROCESS) };
    /// Set while a future beside the tasks is polled.
    static IS_BESIDE: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// The executor of virtual time. One per simulated run.
pub struct SimTaskExecutor {
    state: Mutex<State>,
    /// The run token changed hands.
    passed: Condvar,
    /// Cancelled when the simulation is cancelled: see [`Stop`].
    stalled: CancellationToken,
}

/// Why a simulation was cancelled. Tasks that continue anyway are killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Every task waits for something that can't happen, so they are interrupted.
    Stalled,
    /// More virtual time passed than allowed.
    TooLong(Duration),
    /// More calls were counted than allowed.
    TooManyCalls(u64),
}

/// The virtual time that cancelled tasks get to end in order.
const GRACE: Duration = Duration::from_hours(1);

struct State {
    now: Duration,
    timers: BTreeMap<(Duration, u64), Waker>,
    next_timer: u64,
    next_task: TaskId,
    random: SplitMix64,
    /// The task that was chosen last, if ready tasks run round-robin in the order of their
    /// creation. `None`: the seed decides the order.
    in_order: Option<TaskId>,
    /// Tasks whose futures may make progress.
    ready: BTreeSet<TaskId>,
    holder: TaskId,
    background: BTreeMap<TaskId, Option<BackgroundTask>>,
    /// The tasks that wait for the token or run, with their processes.
    processes: BTreeMap<TaskId, Process>,
    next_process: Process,
    killed: BTreeSet<Process>,
    /// The most threads for one call of `tasks`.
    most_threads: usize,
    /// The virtual time at which the simulation is cancelled.
    time_limit: Option<Duration>,
    calls: u64,
    call_limit: Option<u64>,
    stop: Option<Stop>,
}

/// A future beside the tasks, and its process.
struct BackgroundTask {
    future: BackgroundFuture,
    process: Process,
}

type BackgroundFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The handle of a background future; dropping it ends the future.
pub struct SimBackground {
    executor: Arc<SimTaskExecutor>,
    id: TaskId,
}

impl Drop for SimBackground {
    fn drop(&mut self) {
        // Taken out under the lock and dropped outside of it, because its own drop may wake or
        // remove timers.
        let future = {
            let mut state = self.executor.state.lock();
            state.ready.remove(&self.id);
            state.background.remove(&self.id)
        };
        drop(future);
    }
}

struct TaskWaker {
    executor: Arc<SimTaskExecutor>,
    id: TaskId,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut state = self.executor.state.lock();
        // A task that has ended would keep the run token for ever.
        if self.id == MAIN_TASK
            || state.processes.contains_key(&self.id)
            || state.background.contains_key(&self.id)
        {
            state.ready.insert(self.id);
        }
    }
}

/// The next action of the token's holder.
enum TokenHandover {
    /// The same task continues.
    Own,
    /// The run token went to another task.
    Passed,
}

impl SimTaskExecutor {
    /// An executor whose choices depend only on `seed`.
    pub fn new(seed: u64) -> Arc<Self> {
        Self::starting_at(seed, Duration::ZERO)
    }

    /// The same, with the clock at `now`, measured from [`epoch`](super::epoch).
    pub fn starting_at(seed: u64, now: Duration) -> Arc<Self> {
        Self::made(seed, now, CancellationToken::new())
    }

    /// An executor that runs ready tasks round-robin in the order of their creation.
    pub fn in_order(seed: u64, now: Duration) -> Arc<Self> {
        let executor = Self::starting_at(seed, now);
        executor.state.lock().in_order = Some(MAIN_TASK);
        executor
    }

    /// An executor that also cancels all tasks when `parent` is cancelled, from any thread.
    pub fn ended_by(seed: u64, parent: &CancellationToken) -> Arc<Self> {
        Self::made(seed, Duration::ZERO, parent.child_token())
    }

    fn made(seed: u64, now: Duration, stalled: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                now,
                timers: BTreeMap::new(),
                next_timer: 0,
                next_task: MAIN_TASK + 1,
                random: SplitMix64(seed),
                in_order: None,
                ready: BTreeSet::new(),
                holder: MAIN_TASK,
                background: BTreeMap::new(),
                processes: BTreeMap::new(),
                next_process: OWN_PROCESS + 1,
                killed: BTreeSet::new(),
                most_threads: usize::MAX,
                time_limit: None,
                calls: 0,
                call_limit: None,
                stop: None,
            }),
            passed: Condvar::new(),
            stalled,
        })
    }

    /// Virtual time since the start.
    pub fn now(&self) -> Duration {
        self.state.lock().now
    }

    /// The next random number.
    pub fn random(&self) -> u64 {
        self.state.lock().random.next()
    }

    /// Cancelled when every task waits for something that can't happen, or a limit is reached.
    pub fn stalled(&self) -> &CancellationToken {
        &self.stalled
    }

    /// Cancels the simulation after this much virtual time or this many calls.
    pub fn limit(&self, time: Duration, calls: u64) {
        let mut state = self.state.lock();
        (state.time_limit, state.call_limit) = (Some(time), Some(calls));
    }

    /// Limits the number of threads for tasks at the same time.
    pub fn limit_threads(&self, most: usize) {
        self.state.lock().most_threads = most;
    }

    /// Why the simulation was cancelled, if it was.
    pub fn stop(&self) -> Option<Stop> {
        self.state.lock().stop
    }

    /// Counts a call of the engine.
    pub fn count_call(&self) {
        let reached = {
            let mut state = self.state.lock();
            state.calls += 1;
            let limit = state.call_limit.unwrap_or(u64::MAX);
            match state.calls {
                calls if calls == limit => Some(limit),
                // It was cancelled and continues anyway.
                calls if calls / 2 == limit => {
                    state.kill_all();
                    None
                }
                _ => None,
            }
        };
        if let Some(limit) = reached {
            self.end(Stop::TooManyCalls(limit));
        }
    }

    /// Cancels all tasks.
    fn end(&self, why: Stop) {
        self.state.lock().stop.get_or_insert(why);
        self.stalled.cancel();
    }

    /// Waits for `future` while other tasks run.
    pub fn block_on<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let id = CURRENT_TASK.get();
        let waker = self.waker(id);
        let mut future = pin!(future);
        self.state.lock().ready.insert(id);
        self.die_if_killed();
        loop {
            self.wait_for_turn(id);
            self.die_if_killed();
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            self.die_if_killed();
            if let Poll::Ready(value) = polled {
                return value;
            }
        }
    }

    /// Waits for `future` on a thread of another executor or of none. Only one thread may wait here
    /// at a time.
    pub(in crate::host) fn block_on_external<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let (task, process) =
            (CURRENT_TASK.replace(MAIN_TASK), CURRENT_PROCESS.replace(OWN_PROCESS));
        let value = self.block_on(future);
        CURRENT_TASK.set(task);
        CURRENT_PROCESS.set(process);
        value
    }

    /// Waits for the tasks of `join`, also in a killed process, because their threads have to end.
    fn wait_for(self: &Arc<Self>, join: &TaskGroup) {
        let id = CURRENT_TASK.get();
        let waker = self.waker(id);
        self.state.lock().ready.insert(id);
        loop {
            self.wait_for_turn(id);
            if join.poll(&Context::from_waker(&waker)).is_ready() {
                return;
            }
        }
    }

    pub(in crate::host) fn spawn(executor: &Arc<Self>, future: BackgroundFuture) -> SimBackground {
        let mut state = executor.state.lock();
        let id = state.new_task();
        state
            .background
            .insert(id, Some(BackgroundTask { future, process: CURRENT_PROCESS.get() }));
        state.ready.insert(id);
        SimBackground { executor: executor.clone(), id }
    }

    pub(in crate::host) fn tasks<T: Send>(
        executor: &Arc<Self>,
        jobs: Vec<Job<'_, T>>,
    ) -> Result<Vec<std::thread::Result<T>>, Failure> {
        let join = Arc::new(TaskGroup { left: Mutex::new((jobs.len(), None)) });
        let process = CURRENT_PROCESS.get();
        let (ids, most): (Vec<TaskId>, usize) = {
            let mut state = executor.state.lock();
            (jobs.iter().map(|_| state.new_task()).collect(), state.most_threads)
        };
        std::thread::scope(|scope| {
            let jobs = jobs.into_iter().zip(&ids).map(|(job, &id)| {
                let (executor, join) = (executor.clone(), join.clone());
                move || {
                    let leave = TaskExit { executor, join, id };
                    CURRENT_TASK.set(id);
                    CURRENT_PROCESS.set(process);
                    leave.executor.wait_for_baton(id);
                    job()
                }
            });
            let threads = script_threads(scope, jobs.collect(), most)?;
            {
                let mut state = executor.state.lock();
                for &id in &ids {
                    state.ready.insert(id);
                    state.processes.insert(id, process);
                }
            }
            threads.begin();
            executor.wait_for(&join);
            let results = threads.join();
            executor.die_if_killed();
            Ok(results)
        })
    }

    fn waker(self: &Arc<Self>, id: TaskId) -> Waker {
        Waker::from(Arc::new(TaskWaker { executor: self.clone(), id }))
    }

    /// Passes the run token on until `id` gets it.
    fn wait_for_turn(self: &Arc<Self>, id: TaskId) {
        if let TokenHandover::Passed = self.pass_run_token(Some(id)) {
            self.wait_for_baton(id);
        }
    }

    fn wait_for_baton(&self, id: TaskId) {
        let mut state = self.state.lock();
        while state.holder != id {
            self.passed.wait(&mut state);
        }
    }

    /// Selects the task that continues. `own`: the calling task, if it may be selected itself.
    fn pass_run_token(self: &Arc<Self>, own: Option<TaskId>) -> TokenHandover {
        loop {
            let mut state = self.state.lock();
            let Some(id) = state.take_ready() else {
                if let Some(limit) = state.over_time() {
                    if state.stop.is_some() {
                        state.time_limit = None;
                        state.kill_all();
                    } else {
                        state.time_limit = Some(limit + GRACE);
                        drop(state);
                        self.end(Stop::TooLong(limit));
                    }
                    continue;
                }
                if let Some(waker) = state.advance_clock() {
                    drop(state);
                    waker.wake();
                    continue;
                }
                if state.stop.is_some() {
                    assert!(state.kill_all(), "every task waits for something that can't come");
                    continue;
                }
                drop(state);
                self.end(Stop::Stalled);
                continue;
            };
            if let Some(slot) = state.background.get_mut(&id) {
                let future = slot.take();
                drop(state);
                self.poll_background(id, future);
                continue;
            }
            if own == Some(id) {
                return TokenHandover::Own;
            }
            state.holder = id;
            self.passed.notify_all();
            return TokenHandover::Passed;
        }
    }

    fn poll_background(self: &Arc<Self>, id: TaskId, beside: Option<BackgroundTask>) {
        let Some(BackgroundTask { mut future, process }) = beside else { return };
        let waker = self.waker(id);
        let own = CURRENT_PROCESS.replace(process);
        IS_BESIDE.set(true);
        let pending = future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending();
        IS_BESIDE.set(false);
        CURRENT_PROCESS.set(own);
        let finished = {
            let mut state = self.state.lock();
            match state.background.get_mut(&id) {
                Some(slot) if pending => {
                    *slot = Some(BackgroundTask { future, process });
                    None
                }
                _ => {
                    state.background.remove(&id);
                    Some(future)
                }
            }
        };
        drop(finished);
    }
}

impl State {
    fn new_task(&mut self) -> TaskId {
        let id = self.next_task;
        self.next_task += 1;
        id
    }

    fn take_ready(&mut self) -> Option<TaskId> {
        if self.ready.is_empty() {
            return None;
        }
        let id = match &mut self.in_order {
            Some(last) => {
                let next = self.ready.range(*last + 1..).next().or_else(|| self.ready.first());
                *last = *next?;
                *last
            }
            None => {
                let at = self.random.below(self.ready.len());
                *self.ready.iter().nth(at)?
            }
        };
        self.ready.remove(&id);
        Some(id)
    }

    /// The limit of virtual time, if the next timer is after it.
    fn over_time(&self) -> Option<Duration> {
        let ((deadline, _), _) = self.timers.first_key_value()?;
        self.time_limit.filter(|limit| deadline > limit)
    }

    fn advance_clock(&mut self) -> Option<Waker> {
        let ((deadline, _), waker) = self.timers.pop_first()?;
        self.now = self.now.max(deadline);
        Some(waker)
    }
}

/// The running children of one `tasks` call, and who waits for them.
struct TaskGroup {
    left: Mutex<(usize, Option<Waker>)>,
}

impl TaskGroup {
    fn poll(&self, context: &Context<'_>) -> Poll<()> {
        let mut left = self.left.lock();
        if left.0 == 0 {
            return Poll::Ready(());
        }
        left.1 = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Owned by a task's thread and dropped at its end, also after a panic.
struct TaskExit {
    executor: Arc<SimTaskExecutor>,
    join: Arc<TaskGroup>,
    id: TaskId,
}

impl Drop for TaskExit {
    fn drop(&mut self) {
        let waker = {
            let mut left = self.join.left.lock();
            left.0 -= 1;
            if left.0 == 0 { left.1.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        {
            let mut state = self.executor.state.lock();
            state.processes.remove(&self.id);
            state.ready.remove(&self.id);
        }
        self.executor.pass_run_token(None);
    }
}
