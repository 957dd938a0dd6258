//! Builds images of a description's services: each image once, after its base images.

use std::collections::{BTreeMap, BTreeSet};

use super::execute::progress_of;
use super::images::{self, ImageBuild};
use super::preflight::in_build;
use super::{OnProgress, VerbContext};
use crate::model::Failure;
use crate::model::event::{Event, Sink};
use crate::model::spec::{Build, Project};
use crate::model::step::{ActionKind, Object, StepLabel};

/// Options of builds that are not in the description.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rebuild {
    pub no_cache: bool,
    pub pull: bool,
}

/// Builds the images of `services` and their base images. Returns image and id of each.
pub async fn build_services(
    ctx: &VerbContext,
    project: &Project,
    services: &BTreeSet<String>,
    asked: Rebuild,
) -> Result<Vec<(String, String)>, Failure> {
    let wanted = services.iter().map(|name| project.services[name].image.as_str());
    let order =
        project.builds_of(wanted, services, &|_| true, &|build| images::bases(ctx, build))?;
    let builders = || order.iter().map(|build| &project.services[&build.service]);
    let asked = |build: &Build| Build {
        no_cache: build.no_cache || asked.no_cache,
        pull: build.pull || asked.pull,
        ..build.clone()
    };
    let builds: Vec<Build> =
        builders().filter_map(|service| service.build.as_ref().map(asked)).collect();
    let buildings: Vec<ImageBuild<'_>> = builders()
        .zip(&builds)
        .map(|(service, build)| ImageBuild {
            image: &service.image,
            build,
            of: Some(&service.name),
            project: &project.name,
            secrets: &project.secrets,
        })
        .collect();
    // Check all of them before the first build.
    for (service, building) in builders().zip(&buildings) {
        images::check(ctx, building).await.map_err(|failure| in_build(service, failure))?;
    }
    let mut ids: BTreeMap<usize, (String, String)> = BTreeMap::new();
    while ids.len() < order.len() {
        // A build comes after its bases in the list, so there is always one that can start.
        let next = (0..order.len()).filter(|at| {
            !ids.contains_key(at) && order[*at].after.iter().all(|before| ids.contains_key(before))
        });
        let round = next.map(|at| {
            let (building, service) = (&buildings[at], &order[at].service);
            async move {
                let work =
                    async |report: &OnProgress<'_>| images::build(ctx, building, report).await;
                let id = reported(ctx, service, ActionKind::Build, building.image, work).await?;
                Ok::<_, Failure>((at, (building.image.to_owned(), id)))
            }
        });
        ids.extend(futures::future::try_join_all(round.collect::<Vec<_>>()).await?);
    }
    Ok(ids.into_values().collect())
}

/// Reports work outside of a plan in the same way as the steps of a plan. The work gets a function
/// to report its progress.
pub async fn reported<T>(
    ctx: &VerbContext,
    service: &str,
    action: ActionKind,
    image: &str,
    work: impl AsyncFnOnce(&OnProgress<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let begun = ctx.host.monotonic();
    let label = StepLabel {
        step: None,
        service: Some(service.to_owned()),
        action,
        object: Object::image(image),
        undo: false,
    };
    let events = &*ctx.events;
    events.event(&Event::StepStarted { label: label.clone(), cause: None });
    // An interrupt drops the work; that is reported too.
    let dropped = InterruptNotice { events, label: Some(label.clone()) };
    let result = work(&progress_of(events, label.clone())).await;
    dropped.disarm();
    events.event(&match &result {
        Ok(_) => Event::StepDone { label, elapsed: ctx.host.monotonic().saturating_sub(begun) },
        Err(failure) => Event::StepFailed { label, message: failure.message.clone() },
    });
    result
}

/// Reports an interrupt when it is dropped.
struct InterruptNotice<'a> {
    events: &'a dyn Sink,
    label: Option<StepLabel>,
}

impl InterruptNotice<'_> {
    fn disarm(mut self) {
        self.label = None;
    }
}

impl Drop for InterruptNotice<'_> {
    fn drop(&mut self) {
        if let Some(label) = self.label.take() {
            self.events.event(&Event::StepInterrupted { label });
        }
    }
}
