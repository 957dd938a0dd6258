//! The existing services and containers, for completion. The engine is asked rarely, and with a
//! short time limit.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use crate::api::{Context, project};
use crate::apply::verbs;
use crate::model::Failure;

/// The longest delay of a key.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long an answer is valid.
const FRESH: Duration = Duration::from_secs(3);

/// Names of existing services and containers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    pub services: BTreeSet<String>,
    pub containers: BTreeSet<String>,
}

/// Asks the engine for names.
pub struct EngineNames {
    context: Arc<Context>,
    /// The last answer, and the time of the request.
    known: RefCell<(Names, Option<Duration>)>,
}

impl EngineNames {
    /// For the current project of `context`.
    pub fn new(context: &Arc<Context>) -> Self {
        Self { context: context.clone(), known: RefCell::default() }
    }

    /// The current names, or those of the last answer in time; empty if there was none.
    pub fn names(&self) -> Names {
        let now = self.context.host.monotonic();
        let (names, asked) = &mut *self.known.borrow_mut();
        // A key never connects to an engine: that may ask for a password, or take long.
        if !self.context.is_connected() {
            return Names::default();
        }
        if asked.is_none_or(|asked| now.saturating_sub(asked) >= FRESH) {
            *asked = Some(now);
            if let Some(found) = self.look() {
                *names = found;
            }
        }
        names.clone()
    }

    fn look(&self) -> Option<Names> {
        let context = &self.context;
        let observed = context.executor.block_on(async {
            futures::select_biased! {
                observed = Box::pin(self.observe()).fuse() => observed.ok(),
                () = context.host.sleep(PATIENCE).fuse() => None,
            }
        })?;
        Some(observed)
    }

    async fn observe(&self) -> Result<Names, Failure> {
        let name = project::name(&self.context)?;
        let observed =
            verbs::look(&project::verb_context(&self.context, &name).await?, &name).await?;
        Ok(Names {
            services: observed
                .containers
                .iter()
                .map(|container| container.service.clone())
                .collect(),
            containers: observed
                .containers
                .iter()
                .map(|container| container.name.clone())
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::context::{Connector, ProjectSettings, RunContext};
    use crate::engine::sim::{Fault, FaultEffect, FaultPoint, SimEngine};
    use crate::engine::{Engine, Method};
    use crate::host::TaskExecutor;
    use crate::host::sim::SimHost;
    use crate::host::sim::executor::SimTaskExecutor;
    use crate::model::event::NoSink;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn context(sim: &Arc<SimTaskExecutor>, connector: Connector) -> Arc<Context> {
        let host = Arc::new(SimHost::new(sim.clone()));
        let project =
            ProjectSettings { directory: "/project".into(), ..ProjectSettings::default() };
        let executor = TaskExecutor::Sim(sim.clone());
        let run = RunContext::new(host, executor, Arc::new(NoSink), project);
        Arc::new(Context::new(run, connector))
    }

    fn waits(context: &Context, live: &EngineNames) -> u128 {
        let begun = context.host.monotonic();
        assert_eq!(live.names(), Names::default());
        context.host.monotonic().saturating_sub(begun).as_millis()
    }

    #[test]
    fn a_key_connects_to_nothing() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let context = context(
            &SimTaskExecutor::new(1),
            Box::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
                futures::future::pending().boxed()
            }),
        );
        let times = crate::script::on_script_thread(&context, || {
            Ok(waits(&context, &EngineNames::new(&context)))
        });
        assert_eq!((times.unwrap(), asked.load(Ordering::Relaxed)), (0, 0));
    }

    #[test]
    fn completion_waits_only_briefly_for_an_unresponsive_engine() {
        let sim = SimTaskExecutor::new(1);
        let engine = SimEngine::builder(sim.clone()).build();
        for call in 1..=4 {
            engine.fault(Fault {
                on: FaultPoint::Method(Method::ContainerList, call),
                effect: FaultEffect::Hang,
            });
        }
        let context = context(
            &sim,
            Box::new(move || {
                std::future::ready(Ok(Arc::new(engine.clone()) as Arc<dyn Engine>)).boxed()
            }),
        );
        let times = crate::script::on_script_thread(&context, || {
            context.executor.block_on(context.engine()).unwrap();
            let live = EngineNames::new(&context);
            let mut times = vec![waits(&context, &live), waits(&context, &live)];
            context.executor.block_on(context.host.sleep(FRESH));
            times.push(waits(&context, &live));
            Ok(times)
        });
        assert_eq!(times.unwrap(), [200, 0, 200]);
    }
}
