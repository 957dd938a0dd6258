//! Defines clients and the answers that they get, for a test.

use std::time::Duration;

use rhai::Dynamic;

use crate::engine::sim::{Clients, ReleaseAnswers};
use crate::model::Failure;
use crate::testing::test_context::TestContext;
use crate::value::Options;

/// The default time between two requests, and of an answer.
const USUAL: Duration = Duration::from_millis(100);

/// So many requests would only cost time.
const SHORTEST: Duration = Duration::from_millis(1);

/// Adds clients of a proxy.
pub fn clients(test_context: &TestContext, proxy: &str, given: &Dynamic) -> Result<(), Failure> {
    let mut options = Options::of(given, "options of clients")?;
    let every = options.duration("every")?.unwrap_or(USUAL);
    let takes = options.duration("takes")?.unwrap_or(USUAL);
    let service = options.text("service")?.unwrap_or_else(|| "backend".to_owned());
    let port = options.integer("port")?.unwrap_or(8000);
    let port = u16::try_from(port)
        .map_err(|_| options.wrong("port", "\"port\" is a number from 0 to 65535"))?;
    let keep_alive = options.bool("keep_alive")?.unwrap_or(false);
    if every < SHORTEST {
        return Err(options.wrong("every", "\"every\" is at least 1 ms"));
    }
    options.finish()?;
    let proxy = proxy.to_owned();
    let clients = Clients { proxy, service, port, every, takes, keep_alive };
    test_context.world.engine.add_clients(clients);
    Ok(())
}

/// Sets the answers of a release.
pub fn answers(test_context: &TestContext, service: &str, given: &Dynamic) -> Result<(), Failure> {
    let mut options = Options::of(given, "options of answers")?;
    let release = options.text("release")?;
    let errors = options.float("errors")?.unwrap_or(0.0);
    let takes = options.duration("takes")?.unwrap_or_default();
    if !(0.0..=1.0).contains(&errors) {
        return Err(options.wrong("errors", "\"errors\" is a share from 0.0 to 1.0"));
    }
    options.finish()?;
    let release = release.ok_or_else(|| {
        Failure::usage("Answers belong to a release").hint("write release: \"v2\"")
    })?;
    let service = service.to_owned();
    test_context.world.engine.set_answers(ReleaseAnswers { service, release, errors, takes });
    Ok(())
}
