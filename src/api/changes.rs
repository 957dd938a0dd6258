//! Records whether a script has changed anything outside of itself. The exit code 2 for usage
//! errors promises that nothing was changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::observer::Observer;
use crate::engine::{Call, Engine, Method};
use crate::model::event::{Event, Sink};
use crate::model::names::{LOCK_IMAGE, LOCK_SUFFIX};
use crate::model::step::ActionKind;

/// Notes the changes of one run.
#[derive(Clone, Default)]
pub struct Changes(Arc<AtomicBool>);

impl Changes {
    /// Whether something was changed: a file, an object on the engine, or something that a command
    /// or a request may change.
    pub fn any(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Notes a change.
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Notes a change if it succeeded.
    pub(super) fn of<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        if result.is_ok() {
            self.note();
        }
        result
    }

    /// Passes events on, and notes the steps of verbs.
    pub(super) fn events(&self, events: Arc<dyn Sink>) -> Arc<dyn Sink> {
        Arc::new(StepObserver { events, changes: self.clone() })
    }

    /// Passes calls on, and notes those that change something.
    pub(super) fn engine(&self, engine: Arc<dyn Engine>) -> Arc<dyn Engine> {
        let changes = self.clone();
        Arc::new(Observer::new(engine, move |call| {
            if call.method().changes() && !is_passing(call) {
                changes.note();
            }
            Ok(())
        }))
    }
}

struct StepObserver {
    events: Arc<dyn Sink>,
    changes: Changes,
}

impl Sink for StepObserver {
    fn event(&self, event: &Event) {
        // A build reads its context before it asks the engine for anything: its call is noted.
        if let Event::StepStarted { label, .. } = event
            && !matches!(label.action, ActionKind::Build | ActionKind::Pull)
        {
            self.changes.note();
        }
        self.events.event(event);
    }
}

/// Whether a call belongs to the lock, which a run removes again, or to a command, which is noted
/// where it is known whether it only reads. Outside of the steps of a verb, the lock is written to
/// and removed by its id; functions that do this with another container note it themselves.
fn is_passing(call: &Call<'_>) -> bool {
    let target = call.target();
    match call.method() {
        Method::ContainerCreate => target.ends_with(LOCK_SUFFIX),
        Method::ImageImport => target == LOCK_IMAGE,
        Method::ContainerUpload | Method::ContainerRemove => {
            target.len() == 64 && target.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
        Method::ExecStart => true,
        _ => false,
    }
}
