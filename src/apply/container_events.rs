//! Distributes the engine's events to everyone who waits for a container.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use parking_lot::Mutex;

use super::VerbContext;
pub use super::container_signal::Signal;
use super::failures::of_engine;
use super::observe::signal;
use crate::engine::{Filters, label_filter};
use crate::model::Failure;
use crate::model::names::compose_label;

/// One subscription for a project, shared by all waits. It begins before the first start, so that
/// no event is missed.
pub struct ContainerEvents {
    waiters: Mutex<BTreeMap<String, Vec<UnboundedSender<Signal>>>>,
    waited_for: Arc<AtomicUsize>,
    /// Ids of containers that were ready and have to keep running.
    relied_on: Mutex<BTreeSet<String>>,
    deaths: (UnboundedSender<ContainerExit>, Mutex<Option<UnboundedReceiver<ContainerExit>>>),
    filters: Filters,
}

/// The exit of a container that has to keep running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerExit {
    pub container: String,
    pub exit_code: i64,
}

/// Counts as a waiter until it is dropped.
pub struct WaiterGuard(Arc<AtomicUsize>);

impl Drop for WaiterGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

type Events = crate::engine::EventStream;

impl ContainerEvents {
    /// The events for `project`.
    pub fn new(project: &str) -> Self {
        let mut filters = label_filter(compose_label::PROJECT, project);
        filters.insert("type".into(), vec!["container".into()]);
        // An exec causes three events. spc's own probes would flood the stream.
        filters.insert(
            "event".into(),
            ["start", "die", "oom", "destroy", "health_status"].map(str::to_owned).to_vec(),
        );
        let (sender, receiver) = unbounded();
        let deaths = (sender, Mutex::new(Some(receiver)));
        Self {
            waiters: Mutex::default(),
            waited_for: Arc::default(),
            relied_on: Mutex::default(),
            deaths,
            filters,
        }
    }

    /// The container is ready: from now on its exit is reported.
    pub fn rely_on(&self, container: &str) {
        self.relied_on.lock().insert(container.to_owned());
    }

    /// The container is about to be stopped, restarted or removed, so it may end.
    pub fn let_end(&self, container: &str) {
        self.relied_on.lock().remove(container);
    }

    /// The exits of containers that have to keep running. Can be taken only once.
    pub fn deaths(&self) -> UnboundedReceiver<ContainerExit> {
        let deaths = self.deaths.1.lock().take();
        deaths.unwrap_or_else(|| unbounded().1)
    }

    /// The number of current waiters.
    pub fn waited_for(&self) -> usize {
        self.waited_for.load(Ordering::Relaxed)
    }

    /// The signals of one container from now on. The caller counts as a waiter while it holds the
    /// guard.
    pub fn listen(&self, container: &str) -> (WaiterGuard, UnboundedReceiver<Signal>) {
        let (sender, receiver) = unbounded();
        self.waiters.lock().entry(container.to_owned()).or_default().push(sender);
        self.waited_for.fetch_add(1, Ordering::Relaxed);
        (WaiterGuard(self.waited_for.clone()), receiver)
    }

    /// Subscribes. The subscription is active once the future is ready.
    pub async fn subscribe(&self, ctx: &VerbContext) -> Result<Events, Failure> {
        ctx.engine
            .events(&self.filters, None)
            .await
            .map_err(|error| of_engine(error, "listen to the engine's events"))
    }

    /// Distributes events for ever. When the stream ends because the engine restarts, it makes all
    /// waiters inspect their containers, subscribes again, and makes them inspect again.
    pub async fn dispatch(&self, ctx: &VerbContext, mut events: Events) {
        loop {
            while let Some(Ok(message)) = events.next().await {
                if let Some((container, what)) = signal(&message) {
                    self.tell(&container, &what);
                }
            }
            // The waiters find out whether the engine still answers.
            self.notify_all(&Signal::Look);
            let mut pause = Duration::from_millis(100);
            events = loop {
                ctx.host.sleep(pause).await;
                if let Ok(events) = self.subscribe(ctx).await {
                    break events;
                }
                pause = (pause * 2).min(Duration::from_secs(2));
            };
            self.notify_all(&Signal::Look);
        }
    }

    fn notify_all(&self, signal: &Signal) {
        let all: Vec<String> = self.waiters.lock().keys().cloned().collect();
        for container in all {
            self.tell(&container, signal);
        }
    }

    fn tell(&self, container: &str, signal: &Signal) {
        if let Signal::Died { exit_code } = signal
            && self.relied_on.lock().contains(container)
        {
            // Fails only if no plan is being executed. Then the event is irrelevant.
            let _ = self.deaths.0.unbounded_send(ContainerExit {
                container: container.to_owned(),
                exit_code: *exit_code,
            });
        }
        if let Some(waiters) = self.waiters.lock().get_mut(container) {
            waiters.retain(|waiter| waiter.unbounded_send(signal.clone()).is_ok());
        }
    }
}
