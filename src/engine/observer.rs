//! An engine that shows every call before it is made: who watches an engine, counts what is asked
//! of it, or refuses calls, uses this.

use std::ops::Deref;

use futures::future::BoxFuture;

use super::layer::facts_of_engine_below;
use super::{Answer, Call, Engine, Intent, Result};

type Hook = Box<dyn Fn(&Call<'_>) -> Result<()> + Send + Sync>;

/// Passes every call on that the hook lets pass.
pub struct Observer<P> {
    engine: P,
    hook: Hook,
}

impl<P> Observer<P> {
    /// An engine, and what each call is shown to; a call that it refuses is not made.
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
