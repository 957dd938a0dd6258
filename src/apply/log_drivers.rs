//! Checks log options that depend on the engine's default log driver, before the first change.

use std::collections::BTreeSet;

use super::VerbContext;
use crate::model::Failure;
use crate::model::plan::{Action, Plan};
use crate::model::spec::Project;
use crate::model::spec::log_options::{check_with_default, depends_on_engine};

/// Fails if a container that the plan creates has log options that the engine rejects. If the
/// engine doesn't name its default driver, it will report the error itself.
pub(super) async fn check(
    ctx: &VerbContext,
    project: &Project,
    plan: &Plan,
) -> Result<(), Failure> {
    let creates =
        plan.steps.iter().filter(|step| matches!(step.action, Action::CreateContainer { .. }));
    let services: BTreeSet<&String> = creates.filter_map(|step| step.service.as_ref()).collect();
    let services = services.into_iter().filter_map(|service| project.services.get(service));
    let open: Vec<_> = services
        .filter_map(|service| {
            Some((service, service.logging.as_ref().filter(|logging| depends_on_engine(logging))?))
        })
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let Some(default) = ctx.engine.info().await.ok().and_then(|info| info.logging_driver) else {
        return Ok(());
    };
    open.into_iter().try_for_each(|(service, logging)| {
        check_with_default(logging, &default, &service.name)
            .map_err(|failure| failure.field("service", service.name.clone()))
    })
}
