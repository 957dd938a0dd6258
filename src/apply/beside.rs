//! The parts of a replacement, for deployments that decide between them: see
//! `model::reconcile::beside`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::VerbContext;
use super::images;
use super::moved_project;
use super::observe::wanted_names;
use super::outcome::Outcome;
use super::secret_readback::KnownSecrets;
use super::secrets;
use super::verb_run::VerbRun;
use super::verbs::with_scales;
use crate::model::Failure;
use crate::model::observed_state::ObservedState;
use crate::model::reconcile::{self, BesidePart, DesiredState};
use crate::model::spec::{Build, Project};

/// The numbers of the containers that the description wants, or `scale` in its place.
pub fn numbers(
    ctx: &VerbContext,
    project: &Project,
    service: &str,
) -> Result<BTreeSet<u32>, Failure> {
    let records = ctx.records(&project.name);
    records.check()?;
    let project = with_scales(project, &records.state().scales)?;
    Ok((1..=project.service(service)?.scale).collect())
}

/// Executes one part for the containers with these numbers; all that the description wants by
/// default. Other services are not touched, also if `service` depends on them.
pub async fn run(
    ctx: &VerbContext,
    project: &Project,
    service: &str,
    numbers: Option<&BTreeSet<u32>>,
    part: BesidePart,
    timeout: Option<Duration>,
) -> Result<Outcome, Failure> {
    let services = BTreeSet::from([service.to_owned()]);
    project.check_read(&services)?;
    let records = ctx.records(&project.name);
    records.check()?;
    let project = &with_scales(project, &records.state().scales)?;
    let described = project.service(service)?;
    let all: BTreeSet<u32> = (1..=described.scale).collect();
    let is_all = numbers.is_none();
    let numbers = numbers.unwrap_or(&all);
    let fingerprints = secrets::fingerprints(ctx, &records, project, std::iter::once(described))?;
    let names = wanted_names(project);
    let bases = |build: &Build| images::bases(ctx, build);
    let make_plan = |observed: &ObservedState| {
        let state = records.state();
        let wanted = DesiredState {
            project,
            services: services.clone(),
            secrets: &ctx.secrets,
            fingerprints: fingerprints.clone(),
            asked: BTreeSet::new(),
            stopped: state.stopped.clone(),
            remove_orphans: false,
            adopt: false,
            adopted: moved_project::adopted(ctx, observed, state.adopted.clone()),
            build: false,
            bases: &bases,
            renew_anonymous_volumes: false,
        };
        let left: BTreeSet<u32> = observed
            .containers
            .iter()
            .filter(|container| container.service == service && container.is_new())
            .map(|container| container.number)
            .collect();
        match part {
            // Also those beyond the number of containers that the description wants.
            BesidePart::Remove if is_all => {
                reconcile::remove_new_ones(&wanted, service, &left, observed)
            }
            BesidePart::Start => reconcile::start_beside(&wanted, service, numbers, observed),
            BesidePart::Attach => reconcile::attach(&wanted, service, numbers, observed),
            BesidePart::TakeOver if is_all => {
                reconcile::take_over_all(&wanted, service, numbers, observed)
            }
            BesidePart::TakeOver => reconcile::take_over(&wanted, service, numbers, observed),
            BesidePart::Remove => reconcile::remove_new_ones(&wanted, service, numbers, observed),
        }
    };
    let work = VerbRun {
        ctx,
        project: Some(project),
        name: &project.name,
        verb: match part {
            BesidePart::Start => "start beside",
            BesidePart::Attach => "attach",
            BesidePart::TakeOver => "take over",
            BesidePart::Remove => "remove new",
        },
        fingerprints: &fingerprints,
        deadline: timeout,
        names: &names,
        services: &services,
        makes_space: false,
        sees_others: false,
        keep: None,
        renew_anonymous_volumes: false,
        under_lock: None,
        delivered: KnownSecrets::default(),
    };
    let mut outcome = work.run(&make_plan).await?;
    outcome.containers.retain(|container| container.service == service);
    Ok(outcome)
}
