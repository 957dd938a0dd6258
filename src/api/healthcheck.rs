//! `healthcheck`: runs a container's health check now.

use std::sync::Arc;
use std::time::Duration;

use rhai::plugin::*;
use rhai::{Map, NativeCallContext};

use super::container::Container;
use super::context::Context;
use super::project::verb_context;
use super::service::Service;
use super::{Raw, assume_option, secret, task};
use crate::apply::exec::ExecResult;
use crate::apply::observe::inspect;
use crate::apply::readiness::{ProbeResult, probe};
use crate::model::Failure;
use crate::model::spec::HealthTest;
use crate::model::spec::reader::Field;
use crate::value::json::to_json;
use crate::value::{Options, Record};

/// The check to run, and how often.
pub(super) struct HealthcheckOptions {
    test: Option<HealthTest>,
    interval: Duration,
    retries: u64,
    timeout: Option<Duration>,
    assumed: Option<ExecResult>,
}

impl HealthcheckOptions {
    /// Reads the options of `healthcheck`.
    pub(super) fn read(given: Map) -> Result<Self, Failure> {
        let mut options = Options::new(given, "options of healthcheck");
        let test = match options.take("test") {
            Some(value) => {
                let test = to_json(&value)?;
                secret::none_in_value(&test, "the command of a check")?;
                Some(HealthTest::read(&Field::at(&test, &["test"]))?)
            }
            None => None,
        };
        let interval = options.duration("interval")?.unwrap_or(Duration::from_secs(1));
        let retries = options.count("retries")?.unwrap_or(1).max(1);
        let timeout = options.duration("timeout")?;
        let assumed = assume_option::end(&mut options)?;
        options.finish()?;
        Ok(Self { test, interval, retries, timeout, assumed })
    }
}

/// Runs the effective check, or the given one, until it passes or no retries are left.
pub(super) fn once(
    context: &Arc<Context>,
    project: &str,
    container: &str,
    given: Map,
) -> Result<Record, Failure> {
    let HealthcheckOptions { test, interval, retries, timeout, assumed } =
        HealthcheckOptions::read(given)?;
    task::wait(context, async {
        let ctx = verb_context(context, project).await?;
        let mut seen = inspect(&*ctx.engine, container).await?;
        seen.timeout = timeout.unwrap_or(seen.timeout);
        let mut tries = 0;
        loop {
            let begun = ctx.host.monotonic();
            let result = probe(&ctx, &seen, test.as_ref()).await?.unwrap_or_else(|| ProbeResult {
                code: -1,
                output: format!("no answer within {}", crate::model::time::readable(seen.timeout)),
                elapsed: ctx.host.monotonic().saturating_sub(begun),
            });
            tries += 1;
            if let Some(assumed) = assume_option::assumed_end(context, assumed.clone()) {
                let output = String::from_utf8_lossy(&assumed.stdout).into_owned();
                return Ok(context.answered(record(&ProbeResult {
                    code: assumed.code,
                    output,
                    ..result
                })));
            }
            if result.code == 0 || tries >= retries {
                return Ok(context.answered(record(&result)));
            }
            ctx.host.sleep(interval).await;
        }
    })
}

fn record(result: &ProbeResult) -> Record {
    Record::new(
        "health",
        Map::from([
            ("ok".into(), (result.code == 0).into()),
            ("code".into(), result.code.into()),
            ("output".into(), result.output.clone().into()),
            (
                "elapsed_ms".into(),
                i64::try_from(result.elapsed.as_millis()).unwrap_or(i64::MAX).into(),
            ),
        ]),
    )
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// Run a service's effective health check now: `ok code output elapsed_ms`. Throws only if
    /// there is no check.
    ///
    /// ```
    /// let health = healthcheck(service("db"));
    /// ```
    #[rhai_fn(name = "healthcheck", return_raw)]
    pub fn of_service(service: Service) -> Raw<Record> {
        of_service_with(service, Map::new())
    }

    /// With options: `test interval timeout retries`, and `assume`: the answer in a plan, as in
    /// `exec` (by default the check passes).
    #[rhai_fn(name = "healthcheck", return_raw)]
    pub fn of_service_with(service: Service, options: Map) -> Raw<Record> {
        let container = service.running()?;
        service.may_use("check the service")?;
        Ok(once(&service.stack.context, &service.stack.name, &container.id, options)?)
    }

    /// Run a container's effective health check now.
    #[rhai_fn(name = "healthcheck", return_raw)]
    pub fn of_container(container: Container) -> Raw<Record> {
        of_container_with(container, Map::new())
    }

    /// With options: `test interval timeout retries`, and `assume`: the answer in a plan, as in
    /// `exec` (by default the check passes).
    #[rhai_fn(name = "healthcheck", return_raw)]
    pub fn of_container_with(container: Container, options: Map) -> Raw<Record> {
        let project = super::super::project::name(&container.context)?;
        container.check_project()?;
        Ok(once(&container.context, &project, &container.name, options)?)
    }

    /// Run the check of the service with this name, in the current project.
    #[rhai_fn(name = "healthcheck", return_raw)]
    pub fn of_name(context: NativeCallContext, service: &str) -> Raw<Record> {
        of_service(Service::at_hand(&Context::of(&context)?, service)?)
    }
}

/// Registers the functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_global_module(shared_module!(functions));
}
