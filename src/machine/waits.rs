//! The waits of a test's runs. A failure names the wait that never ended, and a job that something
//! waits for ends.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use crate::api::context::WaitObserver;
use crate::engine::sim::SimEngine;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::event::Event;
use crate::model::image_reference::canonical;
use crate::model::masking::{Consumer, Masked};
use crate::model::names;
use crate::model::plan::WaitCondition;
use crate::model::spec::Project;
use crate::model::step::{ActionKind, ObjectKind, StepLabel};

/// The current waits, oldest first; after the end of the simulation, those at that moment.
pub struct WaitTracker {
    executor: Arc<SimTaskExecutor>,
    engine: SimEngine,
    now: Mutex<Vec<String>>,
    /// Identifies the described services and their containers.
    described: Mutex<BTreeSet<String>>,
}

impl WaitTracker {
    /// Nothing is waited for yet.
    pub fn new(executor: Arc<SimTaskExecutor>, engine: SimEngine) -> Self {
        Self { executor, engine, now: Mutex::default(), described: Mutex::default() }
    }

    /// The current wait: `the container shop-job-1 to complete`.
    pub fn now(&self) -> Vec<String> {
        self.now.lock().clone()
    }

    /// Identifies the described services and their containers.
    pub fn described(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.described.lock()
    }

    fn begin(&self, what: String) {
        self.now.lock().push(what);
    }

    fn end(&self, what: &str) {
        // It is not done: the simulation is ending.
        if self.executor.stop().is_some() {
            return;
        }
        let mut now = self.now.lock();
        if let Some(at) = now.iter().position(|known| known == what) {
            now.remove(at);
        }
    }
}

/// A step as a wait.
fn said(label: &StepLabel) -> String {
    match label.action {
        ActionKind::WaitUntilCompleted => format!("the {} to complete", label.object),
        ActionKind::WaitUntilReady => format!("the {} to be ready", label.object),
        action => format!("the step \"{action} {}\"", label.object),
    }
}

/// Receives the waits of a run's steps.
pub struct WaitListener {
    pub waits: Arc<WaitTracker>,
}

impl Consumer for WaitListener {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        match &**event {
            // A rollback follows the interrupt that ends a test. The test did not wait for it.
            Event::StepStarted { label, .. } if !label.undo => {
                if (label.action, label.object.kind)
                    == (ActionKind::WaitUntilCompleted, ObjectKind::Container)
                {
                    self.waits.engine.end_as_job(&label.object.name);
                }
                self.waits.begin(said(label));
            }
            Event::StepDone { label, .. }
            | Event::StepFailed { label, .. }
            | Event::StepInterrupted { label } => {
                self.waits.end(&said(label));
            }
            _ => {}
        }
        Ok(())
    }
}

impl WaitObserver for WaitTracker {
    fn describes(&self, project: &Project) {
        self.described().extend(project.services.values().flat_map(|service| {
            let own = (1..=service.scale.max(1))
                .map(|number| names::container(&project.name, &service.name, number));
            let command = service.command.iter().map(|command| command.join(" "));
            let others = [service.name.clone(), service.image.clone(), canonical(&service.image)];
            own.chain(others)
                .chain(service.container_name.clone())
                .chain(command)
                .collect::<Vec<_>>()
        }));
    }

    fn begins(&self, service: &str, containers: &[String], until: WaitCondition) -> String {
        if until == WaitCondition::Completed {
            for container in containers {
                self.engine.end_as_job(container);
            }
        }
        let what = format!(
            "the service \"{service}\" to {}",
            if until == WaitCondition::Completed { "complete" } else { "be ready" }
        );
        self.begin(what.clone());
        what
    }

    fn ends(&self, what: &str) {
        self.end(what);
    }
}
