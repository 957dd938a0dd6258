//! An engine that shows every call to a hook before it is made: to watch an engine, count its
//! calls, or reject some.

use std::ops::Deref;

use futures::future::BoxFuture;

use super::layer::facts_of_engine_below;
use super::{Answer, Call, Engine, Intent, Result};

type Hook = Box<dyn Fn(&Call<'_>) -> Result<()> + Send + Sync>;

/// Passes on every call that the hook allows.
pub struct Observer<P> {
    engine: P,
    hook: Hook,
}

impl<P> Observer<P> {
    /// An engine with a hook. A call that the hook rejects is not made.
    pub fn new(engine: P, hook: impl Fn(&Call<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { engine, hook: Box::new(hook) }
    }
}

impl<P: Deref<Target: Engine> + Send + Sync> Engine for Observer<P> {
    facts_of_engine_below!(engine);

    fn check<'a>(&'a self, intent: Intent<'a>) -> BoxFuture<'a, Result<()>> {
        self.engine.check(intent)
    }

    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Answer>> {
        match (self.hook)(&call) {
            Ok(()) => self.engine.call(call),
            Err(refused) => Box::pin(std::future::ready(Err(refused))),
        }
    }
}
