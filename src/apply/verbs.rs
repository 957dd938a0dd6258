//! The verbs of a stack: observe, plan, and execute the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::FutureExt;
use parking_lot::Mutex;

use super::VerbContext;
use super::bind_sources;
use super::build_changes;
use super::container_events::ContainerEvents;
use super::images;
pub use super::look::{look, projects_of_folder};
use super::moved_project;
use super::observe::wanted_names;
pub use super::outcome::{DEFAULT_LOCK_PATIENCE, Outcome};
use super::preflight;
use super::readiness::{self, WaitTarget};
use super::records::Scale;
use super::releases;
use super::running_commands::end_left;
use super::secret_readback::KnownSecrets;
use super::secrets;
pub use super::verb_run::LockHooks;
use super::verb_run::VerbRun;
use super::writers::shared_volumes;
use crate::engine::Intent;
use crate::model::event::{Detail, Level, StepStatus};
use crate::model::names::{anonymous_volumes_stay, is_anonymous_volume};
use crate::model::observed_state::ObservedState;
use crate::model::plan::WaitCondition;
use crate::model::reconcile::{self, DesiredState, DownOptions};
use crate::model::spec::{Build, Project, Service};
use crate::model::{Failure, Kind};

/// Options of `up`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpOptions {
    /// The selected services, with their dependencies; all active ones by default.
    pub services: Option<Vec<String>>,
    pub remove_orphans: bool,
    pub adopt: bool,
    /// Build images even if they exist.
    pub build: bool,
    /// Create new anonymous volumes. Containers that have some are replaced.
    pub renew_anonymous_volumes: bool,
    /// The time limit for a container to become ready.
    pub timeout: Option<Duration>,
}

/// Brings the services up and waits until they are ready. Does not touch unchanged ones.
pub async fn up(
    ctx: &VerbContext,
    project: &Project,
    options: &UpOptions,
) -> Result<Outcome, Failure> {
    up_under_lock(ctx, project, options, None).await
}

/// The same, with functions of the caller that run under the project's lock, if the verb takes it.
pub async fn up_under_lock(
    ctx: &VerbContext,
    project: &Project,
    options: &UpOptions,
    under_lock: Option<LockHooks<'_>>,
) -> Result<Outcome, Failure> {
    let services = project.select(options.services.as_deref())?;
    bring_up(ctx, project, options, services, UpPurpose::Up, under_lock).await
}

/// Creates what a one-off container of `service` needs: its image, networks and volumes, and, if
/// `with_dependencies` is set, the services that it depends on. Also removes one-off containers
/// that a killed run left.
pub async fn prepare_one_off(
    ctx: &VerbContext,
    project: &Project,
    service: &str,
    with_dependencies: bool,
) -> Result<(), Failure> {
    let services = if with_dependencies {
        project.required_by(service)?
    } else {
        BTreeSet::from([service.to_owned()])
    };
    bring_up(ctx, project, &UpOptions::default(), services, UpPurpose::OneOff(service), None)
        .await
        .map(drop)
}

/// Removes the one-off containers that killed runs of `project` left.
pub async fn remove_left_behind(ctx: &VerbContext, project: &str) -> Result<(), Failure> {
    let (names, fingerprints) = (BTreeSet::new(), BTreeMap::new());
    let work = VerbRun {
        verb: "run",
        ..VerbRun::without_description(ctx, project, &names, &fingerprints)
    };
    work.run_if_needed(&|observed| Ok(reconcile::left_behind(project, observed))).await.map(drop)
}

/// Why services are brought up.
#[derive(Clone, Copy)]
enum UpPurpose<'a> {
    Up,
    /// To have this number of containers from now on.
    Scale(&'a str, Scale),
    /// For a one-off container of this service.
    OneOff(&'a str),
}

async fn bring_up(
    ctx: &VerbContext,
    project: &Project,
    options: &UpOptions,
    services: BTreeSet<String>,
    purpose: UpPurpose<'_>,
    under_lock: Option<LockHooks<'_>>,
) -> Result<Outcome, Failure> {
    project.check_read(&services)?;
    let scaled =
        if let UpPurpose::Scale(service, scale) = purpose { Some((service, scale)) } else { None };
    let one_off = if let UpPurpose::OneOff(service) = purpose { Some(service) } else { None };
    let asked: BTreeSet<String> = match purpose {
        UpPurpose::Up => options.services.iter().flatten().cloned().collect(),
        UpPurpose::Scale(..) | UpPurpose::OneOff(_) => BTreeSet::new(),
    };
    let records = ctx.records(&project.name);
    records.check()?;
    let mut scales = records.state().scales.clone();
    // A number in the description overrides what `scale` set before.
    let remembered = scales.len();
    scales.retain(|name, _| !is_scale_described(project, name));
    let forgets_scales = scales.len() < remembered;
    let mut scale_notes =
        kept_scales(project, &services, &scales, scaled.map(|(service, _)| service));
    let keeps_scale = scaled.is_none_or(|(service, _)| !is_scale_described(project, service));
    if let Some((service, scale)) =
        scaled.filter(|(_, scale)| !keeps_scale && scale.wanted != scale.described)
    {
        scale_notes.push(format!(
            "{service} is scaled until the next `up`: its description says {}",
            scale.described
        ));
    }
    scales.extend(scaled.map(|(service, scale)| (service.to_owned(), scale)));
    let project = &with_scales(project, &scales)?;
    let fingerprints = secrets::fingerprints(
        ctx,
        &records,
        project,
        services.iter().map(|name| &project.services[name]),
    )?;
    let names = wanted_names(project);
    let shared = shared_volumes(project);
    // Stored before the first change, because a killed run has adopted them as well.
    let keep = || {
        let kept = records.update(|state| {
            state.adopted.extend(names.iter().filter(|_| options.adopt).cloned());
            state.scales.retain(|name, _| !is_scale_described(project, name));
            if options.remove_orphans {
                state.scales.retain(|name, _| project.services.contains_key(name));
            }
            state.scales.extend(
                scaled.filter(|_| keeps_scale).map(|(service, scale)| (service.to_owned(), scale)),
            );
            state.shared.retain(|name| !names.contains(name));
            state.shared.extend(shared.iter().cloned());
        });
        // If only the record of shared volumes is missing, a later `start` is stricter than
        // necessary.
        kept.or_else(|error| if options.adopt || scaled.is_some() { Err(error) } else { Ok(()) })
            .map_err(|error| {
                let what = scaled.map_or_else(
                    || "Could not record what is adopted".to_owned(),
                    |(service, _)| format!("Could not record the scale of \"{service}\""),
                );
                Failure::new(Kind::Failed, format!("{what}: {error}"))
            })
    };
    let bases = |build: &Build| images::bases(ctx, build);
    let changed_builds = if options.build || one_off.is_some() {
        Vec::new()
    } else {
        build_changes::find(ctx, project, services.iter()).await
    };
    let make_plan = |observed: &ObservedState| {
        let state = records.state();
        let wanted = DesiredState {
            project,
            services: services.clone(),
            secrets: &ctx.secrets,
            fingerprints: fingerprints.clone(),
            asked: asked.clone(),
            stopped: state.stopped.clone(),
            remove_orphans: options.remove_orphans,
            adopt: options.adopt,
            adopted: moved_project::adopted(ctx, observed, state.adopted.clone()),
            build: options.build,
            bases: &bases,
            renew_anonymous_volumes: options.renew_anonymous_volumes,
        };
        let mut plan = match one_off {
            Some(service) => reconcile::one_off(&wanted, service, observed)?,
            None => reconcile::up(&wanted, observed)?,
        };
        build_changes::note(&changed_builds, &mut plan);
        bind_sources::note_made_folders(ctx, project, &mut plan);
        if one_off.is_none() {
            plan.notes.extend(scale_notes.clone());
        }
        Ok(plan)
    };
    let work = VerbRun {
        ctx,
        project: Some(project),
        name: &project.name,
        verb: if one_off.is_some() { "run" } else { "up" },
        fingerprints: &fingerprints,
        deadline: options.timeout,
        names: &names,
        services: &services,
        makes_space: false,
        sees_others: false,
        keep: (one_off.is_none()
            && (options.adopt || scaled.is_some() || forgets_scales || !shared.is_empty()))
        .then_some(&keep),
        renew_anonymous_volumes: options.renew_anonymous_volumes,
        under_lock,
        delivered: KnownSecrets::default(),
    };
    let mut outcome = match one_off {
        Some(_) => work.run_if_needed(&make_plan).await?.unwrap_or_default(),
        None => work.run(&make_plan).await?,
    };
    outcome.containers.retain(|container| services.contains(&container.service));
    Ok(outcome)
}

/// Stops and removes the project's containers and networks, and its volumes if requested.
pub async fn down(
    ctx: &VerbContext,
    project: &str,
    options: DownOptions,
) -> Result<Outcome, Failure> {
    let names = BTreeSet::new();
    let fingerprints = BTreeMap::new();
    let work = VerbRun {
        verb: "down",
        makes_space: true,
        sees_others: true,
        ..VerbRun::without_description(ctx, project, &names, &fingerprints)
    };
    let records = ctx.records(project);
    let anonymous = Mutex::new(BTreeSet::new());
    let plan = |observed: &ObservedState| {
        let own = observed.containers.iter().filter(|container| container.ours || options.adopt);
        let volumes = own
            .flat_map(|container| &container.writes)
            .filter(|volume| is_anonymous_volume(volume));
        *anonymous.lock() = volumes.cloned().collect();
        Ok(reconcile::down(
            project,
            observed,
            options,
            &moved_project::adopted(ctx, observed, records.state().adopted.clone()),
        ))
    };
    let outcome = work.run(&plan).await?;
    if options.volumes {
        releases::drop_images_without_record(ctx, project).await?;
    }
    let kept = std::mem::take(&mut *anonymous.lock());
    if !kept.is_empty() && !options.volumes {
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        let text = format!(
            "{}; `down` with `volumes: true` removes such volumes with the containers",
            anonymous_volumes_stay(&kept)
        );
        ctx.log(Level::Notice, text);
    }
    // The next `up` uses the numbers of its description.
    if let Err(error) = records.update(|state| state.scales.clear()) {
        ctx.log(
            Level::Warning,
            format!(
                "Numbers that were set with `scale` could not be deleted from the record: {error}"
            ),
        );
    }
    Ok(outcome)
}

/// A lifecycle verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    Start,
    Stop,
    Restart,
    Remove { volumes: bool },
}

/// Starts, stops, restarts or removes containers without changes to them. A completed job is not
/// started again.
pub async fn lifecycle(
    ctx: &VerbContext,
    project: &str,
    services: &BTreeSet<String>,
    verb: Lifecycle,
    timeout: Option<Duration>,
) -> Result<Outcome, Failure> {
    lifecycle_of(ctx, project, services, ServiceChoice::All, verb, timeout).await
}

/// How services were selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceChoice {
    /// Together with all others.
    All,
    /// By name: a job among them runs, even if it has completed before.
    ByName,
}

/// The same for services that were selected in this way.
pub async fn lifecycle_of(
    ctx: &VerbContext,
    project: &str,
    services: &BTreeSet<String>,
    chosen: ServiceChoice,
    verb: Lifecycle,
    timeout: Option<Duration>,
) -> Result<Outcome, Failure> {
    let names = BTreeSet::new();
    let fingerprints = BTreeMap::new();
    let records = ctx.records(project);
    let word = match verb {
        Lifecycle::Start => "start",
        Lifecycle::Stop => "stop",
        Lifecycle::Restart => "restart",
        Lifecycle::Remove { .. } => "remove",
    };
    let work = VerbRun {
        verb: word,
        deadline: timeout,
        makes_space: matches!(verb, Lifecycle::Stop | Lifecycle::Remove { .. }),
        sees_others: matches!(verb, Lifecycle::Start | Lifecycle::Restart),
        ..VerbRun::without_description(ctx, project, &names, &fingerprints)
    };
    work.run(&|observed| {
        let mut stopped = records.state().stopped.clone();
        if chosen == ServiceChoice::ByName {
            // None of them counts as completed.
            let named = observed
                .containers
                .iter()
                .filter(|container| services.contains(&container.service));
            stopped.extend(named.map(|container| container.id.clone()));
        }
        match verb {
            Lifecycle::Start => reconcile::start(project, observed, services, &stopped),
            Lifecycle::Stop => Ok(reconcile::stop(project, observed, services)),
            Lifecycle::Restart => reconcile::restart(project, observed, services, &stopped),
            Lifecycle::Remove { volumes } => {
                Ok(reconcile::remove_containers(project, observed, services, volumes))
            }
        }
    })
    .await
}

/// Waits until containers of a service are ready or completed. A timeout of the caller is an error
/// with the kind `timeout`.
pub async fn wait(
    ctx: &VerbContext,
    project: &str,
    service: &str,
    described: Option<&Service>,
    containers: &[String],
    until: WaitCondition,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    for container in containers {
        preflight::may(&*ctx.engine, Intent::LookIntoContainer(container)).await?;
    }
    let container_events = ContainerEvents::new(project);
    let events = container_events.subscribe(ctx).await?;
    let goal = if until == WaitCondition::Completed { "to complete" } else { "to be ready" };
    let say = |standing: StepStatus| {
        if standing.detail == Some(Detail::Waiting) {
            ctx.log(Level::Info, format!("waiting for \"{service}\" {goal}: {}", standing.text));
        }
    };
    let waits = futures::future::try_join_all(containers.iter().map(|container| {
        let (container_events, ctx, say) = (&container_events, ctx, &say);
        async move {
            let waiting = WaitTarget {
                container,
                service,
                until,
                probe: described.map_or_else(Default::default, |service| service.probe),
                may_complete: described.map(Service::looks_like_a_job),
                deadline: timeout,
                startup_history: None,
            };
            readiness::wait(ctx, container_events, &waiting, say).await
        }
    }));
    let result = futures::select_biased! {
        result = Box::pin(waits).fuse() => result.map(drop),
        () = Box::pin(container_events.dispatch(ctx, events)).fuse() => Ok(()),
        () = ctx.cancel.cancelled().fuse() => Err(Failure::interrupted()),
    };
    if ctx.cancel.is_cancelled() {
        end_left(ctx).await;
    }
    result
}

/// Sets the number of containers of a service. Later runs keep it until the number in the
/// description changes.
pub async fn scale(
    ctx: &VerbContext,
    project: &Project,
    service: &str,
    count: u32,
) -> Result<Outcome, Failure> {
    let described = project.service(service)?.scale;
    let scaled = Scale { described, wanted: count };
    let options = UpOptions { services: Some(vec![service.to_owned()]), ..UpOptions::default() };
    let services = project.select(options.services.as_deref())?;
    bring_up(ctx, project, &options, services, UpPurpose::Scale(service, scaled), None).await
}

fn is_scale_described(project: &Project, service: &str) -> bool {
    project.services.get(service).is_some_and(|service| service.scale_is_described)
}

/// Reports which of `services` use a number that `scale` set. `scaled`: the service whose number is
/// set now.
fn kept_scales(
    project: &Project,
    services: &BTreeSet<String>,
    scales: &BTreeMap<String, Scale>,
    scaled: Option<&str>,
) -> Vec<String> {
    let is_used = |name: &str, scale: &Scale| {
        let described =
            project.services.get(name).filter(|_| services.contains(name) && scaled != Some(name));
        described.is_some_and(|service| service.scale == scale.described)
            && scale.wanted != scale.described
    };
    let used = scales.iter().filter(|(name, scale)| is_used(name, scale));
    let note = |(name, scale): (&String, &Scale)| {
        let containers = if scale.wanted == 1 { "container" } else { "containers" };
        format!(
            "{name} has {} {containers}, set with scale({}); to change that, set \"scale\" in its description, or run `down`",
            scale.wanted, scale.wanted
        )
    };
    used.map(note).collect()
}

/// The project with the numbers that `scale` set, if the number in the description is still the
/// same.
pub(super) fn with_scales(
    project: &Project,
    scales: &BTreeMap<String, Scale>,
) -> Result<Project, Failure> {
    let mut project = project.clone();
    for (name, scale) in scales {
        if let Some(service) =
            project.services.get_mut(name).filter(|service| service.scale == scale.described)
        {
            service.scale = scale.wanted;
        }
    }
    project.check_scales()?;
    Ok(project)
}
