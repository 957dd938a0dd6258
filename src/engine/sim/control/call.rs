//! The way of a call: it is recorded, may meet a fault, takes its time, is done on the engine, and
//! is answered.
//!
//! The effect of a call is put on the engine's timetable. So it happens even if the caller stops
//! waiting, as on a real engine.

use std::time::Duration;

use futures::future::{Either, pending, select};
use futures::stream::{self, BoxStream, Stream, StreamExt};
use parking_lot::Mutex;
use std::pin::pin;
use std::sync::Arc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::fault::{Fate, Faults};
use super::invariants::InvariantWatch;
use crate::engine::calls::{Limit, SHORT};
use crate::engine::sim::SimEngine;
use crate::engine::sim::behaviour::process::Script;
use crate::engine::sim::daemon::errors::{too_late, unreachable};
use crate::engine::sim::daemon::state::{Objects, State};
use crate::engine::sim::daemon::timetable::Purpose;
use crate::engine::{EngineErrorKind, Method, Result};
use crate::host::sim::executor::{Process, SimTaskExecutor, fraction};

/// The time until a refused connection is noticed.
const REFUSED: Duration = Duration::from_micros(140);

/// How long the engine is away when a fault restarts it.
const AWAY: Duration = Duration::from_secs(2);

/// A call of the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// From 1 on, over the whole simulation.
    pub index: u64,
    /// The port's method: `container_start`.
    pub method: &'static str,
    /// The name or id of its object; empty for lists.
    pub target: String,
    /// Whether it may change the engine's state.
    pub mutates: bool,
    /// Virtual time since the start.
    pub at: Duration,
}

/// The calls so far, and the faults of the next ones.
#[derive(Debug, Default)]
pub(in crate::engine::sim) struct Calls {
    pub made: Vec<Call>,
    pub faults: Faults,
    /// Cancelled when the run is killed.
    pub crashed: CancellationToken,
}

/// The interface of the simulation for tests. The daemon doesn't know it. Code that needs both
/// locks takes the daemon's state first.
#[derive(Default)]
pub(in crate::engine::sim) struct Control {
    pub calls: Mutex<Calls>,
    pub watch: Mutex<InvariantWatch>,
}

/// How far a stream of answers is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::sim) enum Extent {
    Whole,
    /// The connection breaks after the first piece.
    Cut,
}

/// A call about to be made.
pub(in crate::engine::sim) struct Request {
    pub method: Method,
    pub target: String,
    /// The usual duration on the engine.
    pub takes: Duration,
    /// The time limit of the answer, as on a real engine.
    pub limit: Option<Duration>,
}

impl Request {
    /// A call with its duration on an engine.
    pub fn new(method: Method, target: &str, microseconds: u64) -> Self {
        let limit = match method.declaration().limit {
            Limit::Within(limit) => Some(limit),
            Limit::Grace => Some(SHORT),
            Limit::Unlimited => None,
        };
        let takes = Duration::from_micros(microseconds);
        Self { method, target: target.to_owned(), takes, limit }
    }

    /// A call that ends a container, with `grace` as additional time.
    pub fn ending(method: Method, target: &str, grace: Duration) -> Self {
        let request = Self::new(method, target, 2_000);
        Self { limit: request.limit.map(|limit| limit.saturating_add(grace)), ..request }
    }
}

/// How an answer is delivered.
enum AnswerDelivery {
    Open,
    Lost,
    /// The run of this process is killed.
    Crash(Process, Arc<Control>),
}

/// Passes the answer to the caller. If this is dropped unused, the caller sees a broken connection.
pub(in crate::engine::sim) struct Reply<T> {
    sender: oneshot::Sender<Result<T>>,
    way: AnswerDelivery,
}

impl<T> Reply<T> {
    /// Answers the call.
    pub fn send(self, state: &mut State, result: Result<T>) {
        let result = match self.way {
            AnswerDelivery::Open => result,
            AnswerDelivery::Lost => Err(unreachable()),
            AnswerDelivery::Crash(process, control) => {
                control.calls.lock().crash(state, process);
                Err(unreachable())
            }
        };
        // A caller that no longer waits misses nothing.
        let _ = self.sender.send(result);
    }

    /// The same if the answer comes later.
    pub fn sending(self) -> impl FnOnce(&mut State, Result<T>) + Send + 'static
    where
        T: Send + 'static,
    {
        move |state, result| self.send(state, result)
    }
}

impl SimEngine {
    /// A call that is done at one moment.
    pub(in crate::engine::sim) async fn call<T: Send + 'static>(
        &self,
        request: Request,
        work: impl FnOnce(&mut State) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.long_call(request, |state, reply| {
            let result = work(state);
            reply.send(state, result);
            None
        })
        .await
    }

    /// A list of the current state. With the fault `stale_list`, of the state before the last
    /// change.
    pub(in crate::engine::sim) async fn list_call<T: Send + 'static>(
        &self,
        request: Request,
        work: impl FnOnce(&State, &Objects) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let answer = self.begin(request, |state, stale, reply| {
            let seen = if stale { state.before.as_ref() } else { None };
            let result = work(state, seen.unwrap_or(&state.objects));
            reply.send(state, result);
            None
        });
        answer.await.map(|(result, _)| result)
    }

    /// A call with an answer that may come later.
    pub(in crate::engine::sim) async fn long_call<T: Send + 'static>(
        &self,
        request: Request,
        work: impl FnOnce(&mut State, Reply<T>) -> Option<Script> + Send + 'static,
    ) -> Result<T> {
        self.begin(request, |state, _, reply| work(state, reply)).await.map(|(result, _)| result)
    }

    /// A call that is answered with a stream.
    pub(in crate::engine::sim) async fn streamed<
        T: Send + 'static,
        S: Stream<Item = Result<T>> + Send + 'static,
    >(
        &self,
        request: Request,
        work: impl FnOnce(&mut State) -> Result<S> + Send + 'static,
    ) -> Result<BoxStream<'static, Result<T>>> {
        let begin = |state: &mut State, reply: Reply<S>| {
            let result = work(state);
            reply.send(state, result);
            None
        };
        let (stream, extent) = self.streaming_call(request, begin).await?;
        Ok(self.stream(stream, extent))
    }

    /// A call with a stream in its answer, and how far the stream will be read.
    pub(in crate::engine::sim) async fn streaming_call<T: Send + 'static>(
        &self,
        request: Request,
        work: impl FnOnce(&mut State, Reply<T>) -> Option<Script> + Send + 'static,
    ) -> Result<(T, Extent)> {
        self.begin(request, |state, _, reply| work(state, reply)).await
    }

    async fn begin<T: Send + 'static>(
        &self,
        request: Request,
        work: impl FnOnce(&mut State, bool, Reply<T>) -> Option<Script> + Send + 'static,
    ) -> Result<(T, Extent)> {
        let (sender, answer) = oneshot::channel();
        let process = SimTaskExecutor::current_process();
        if self.shared.executor.is_killed(process) {
            // The engine never gets the calls of a killed run.
            return Err(unreachable());
        }
        // Durations depend on the seed, as real ones vary: up to half as long again.
        let takes =
            request.takes + request.takes.mul_f64(fraction(self.shared.executor.random()) / 2.0);
        let limit = request.limit;
        let (fate, crashed) = self.shared.with(|state| {
            let mut calls = self.control.calls.lock();
            calls.record(state, &request);
            let crashed = calls.crashed.clone();
            if crashed.is_cancelled() || !state.up {
                return (Fate::Fails(unreachable()), crashed);
            }
            let fate = calls.fate(state, request.method, &request.target);
            let (way, stale, delay) = match &fate {
                Fate::Proceeds | Fate::Cut => (AnswerDelivery::Open, false, Duration::ZERO),
                Fate::Stale => (AnswerDelivery::Open, true, Duration::ZERO),
                Fate::Late(time) => (AnswerDelivery::Open, false, *time),
                Fate::ReplyLost => (AnswerDelivery::Lost, false, Duration::ZERO),
                Fate::CrashesAfter => {
                    (AnswerDelivery::Crash(process, self.control.clone()), false, Duration::ZERO)
                }
                Fate::CrashesBefore => {
                    calls.crash(state, process);
                    return (Fate::Fails(unreachable()), crashed);
                }
                Fate::Restarts => {
                    state.restart(AWAY);
                    return (Fate::Fails(unreachable()), crashed);
                }
                Fate::Fails(_) | Fate::Hangs => return (fate, crashed),
            };
            let changing = request.method.changes().then(|| self.control.clone());
            state.after(takes + delay, Purpose::Once, move |state| {
                if changing.is_some_and(|control| control.calls.lock().faults.wants_stale()) {
                    state.before = Some(state.objects.clone());
                }
                work(state, stale, Reply { sender, way })
            });
            (fate, crashed)
        });
        match fate {
            Fate::Fails(error) => {
                let refused = error.kind == EngineErrorKind::Unreachable;
                self.shared.executor.sleep(if refused { REFUSED } else { takes }).await;
                Err(error)
            }
            Fate::Hangs => {
                let patience = async {
                    match limit {
                        Some(limit) => self.shared.executor.sleep(limit).await,
                        None => pending().await,
                    }
                };
                match select(pin!(crashed.cancelled()), pin!(patience)).await {
                    Either::Left(_) => Err(unreachable()),
                    Either::Right(_) => Err(too_late()),
                }
            }
            fate => match select(pin!(crashed.cancelled()), answer).await {
                Either::Left(_) | Either::Right((Err(_), _)) => Err(unreachable()),
                Either::Right((Ok(result), _)) => {
                    Ok((result?, if fate == Fate::Cut { Extent::Cut } else { Extent::Whole }))
                }
            },
        }
    }

    /// A stream of answers, broken off when the run is killed, or after its first piece.
    pub(in crate::engine::sim) fn stream<T: Send + 'static>(
        &self,
        stream: impl Stream<Item = Result<T>> + Send + 'static,
        extent: Extent,
    ) -> BoxStream<'static, Result<T>> {
        let stream = match extent {
            Extent::Whole => stream.boxed(),
            Extent::Cut => {
                stream.take(1).chain(stream::once(std::future::ready(Err(unreachable())))).boxed()
            }
        };
        let crashed = self.control.calls.lock().crashed.clone();
        let broken = crashed.clone();
        let end = stream::once(async move { broken.is_cancelled().then(|| Err(unreachable())) })
            .filter_map(std::future::ready);
        stream.take_until(crashed.cancelled_owned()).chain(end).boxed()
    }
}

impl Calls {
    fn record(&mut self, state: &mut State, request: &Request) {
        state.executor.count_call();
        state.timetable.called(state.now);
        let index = self.made.len() as u64 + 1;
        self.made.push(Call {
            index,
            method: request.method.name(),
            target: request.target.clone(),
            mutates: request.method.changes(),
            at: state.now,
        });
    }
}
