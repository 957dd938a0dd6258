//! What a stack can be told to do: observe, plan, and walk the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::FutureExt;

use super::Surroundings;
use super::execute::{Execution, Findings};
use super::hub::Hub;
use super::lock::{self, Lock};
use super::observe::{observe, wanted_names};
use super::readiness::{self, Waiting};
use super::records::{Records, Scale};
use super::secrets;
use crate::model::event::{Event, Level};
use crate::model::observed::{Container, ContainerState, Health, Observed};
use crate::model::plan::{Plan, Until};
use crate::model::reconcile::{self, DownOptions, Wanted};
use crate::model::spec::{Project, Service};
use crate::model::{Failure, Kind};

/// How long a run waits for another one to end.
pub const DEFAULT_LOCK_PATIENCE: Duration = Duration::from_secs(120);

/// How `up` goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpOptions {
    /// The services meant, with what they need; all active ones if not given.
    pub services: Option<Vec<String>>,
    pub remove_orphans: bool,
    pub adopt: bool,
    /// How long a container may take to get ready.
    pub timeout: Option<Duration>,
}

/// What a verb did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Steps that changed something.
    pub changes: usize,
    /// The project's containers afterwards.
    pub containers: Vec<Container>,
    /// Ids of the containers that were waited for and got ready.
    pub waited: BTreeSet<String>,
    /// Container id → time until it was ready, in this run or the one that started it.
    pub ready: BTreeMap<String, Duration>,
}

/// Brings the services up, ready. What is unchanged is not touched.
pub async fn up(around: &Surroundings, project: &Project, options: &UpOptions) -> Result<Outcome, Failure> {
    let services = project.select(options.services.as_deref())?;
    let records = Records::new(&*around.host, &around.policy, &project.name);
    let project = &with_scales(project, &records.state().scales)?;
    let fingerprints = secrets::fingerprints(around, &records, project, services.iter().map(|name| &project.services[name]))?;
    let names = wanted_names(project);
    if options.adopt {
        // Kept first: a run that is killed has taken them over as well.
        let kept = records.update(|state| state.adopted.extend(names.iter().cloned()));
        kept.map_err(|error| Failure::new(Kind::Failed, format!("What is adopted can't be remembered: {error}")))?;
    }
    let make_plan = |observed: &Observed| {
        let state = records.state();
        let wanted = Wanted {
            project,
            services: services.clone(),
            secrets: &around.secrets,
            fingerprints: fingerprints.clone(),
            stopped: state.stopped,
            remove_orphans: options.remove_orphans,
            adopt: options.adopt,
            adopted: state.adopted,
        };
        reconcile::up(&wanted, observed)
    };
    let work = Work {
        around,
        project: Some(project),
        name: &project.name,
        verb: "up",
        fingerprints: &fingerprints,
        deadline: options.timeout,
        names: &names,
        services: &services,
        makes_space: false,
    };
    let mut outcome = work.run(&make_plan).await?;
    check_still_up(&outcome, project)?;
    outcome.containers.retain(|container| services.contains(&container.service));
    Ok(outcome)
}

/// `up` answers only when it is true: what was brought up still runs now.
fn check_still_up(outcome: &Outcome, project: &Project) -> Result<(), Failure> {
    for container in outcome.containers.iter().filter(|container| outcome.waited.contains(&container.id)) {
        let done = container.exit_code == Some(0) && container.state == ContainerState::Exited;
        if container.state != ContainerState::Running
            && !(done && project.services[&container.service].restart == crate::model::spec::Restart::No)
        {
            return Err(Failure::new(
                Kind::Unhealthy,
                format!("\"{}\" was ready and is {} now: {}", container.service, container.state.word(), container.status),
            )
            .hint("its logs say why: `spc run` the logs runbook, or `docker logs`")
            .field("service", container.service.clone()));
        }
    }
    Ok(())
}

/// Stops and removes what belongs to the project; volumes if asked.
pub async fn down(around: &Surroundings, project: &str, options: DownOptions) -> Result<Outcome, Failure> {
    let names = BTreeSet::new();
    let fingerprints = BTreeMap::new();
    let work = Work {
        around,
        project: None,
        name: project,
        verb: "down",
        fingerprints: &fingerprints,
        deadline: None,
        names: &names,
        services: &names,
        makes_space: true,
    };
    work.run(&|observed| Ok(reconcile::down(project, observed, options))).await
}

/// Which lifecycle verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    Start,
    Stop,
    Restart,
    Remove { volumes: bool },
}

/// Starts, stops, restarts or removes containers as they are.
pub async fn lifecycle(
    around: &Surroundings,
    project: &str,
    services: &BTreeSet<String>,
    verb: Lifecycle,
    timeout: Option<Duration>,
) -> Result<Outcome, Failure> {
    let names = BTreeSet::new();
    let fingerprints = BTreeMap::new();
    let records = Records::new(&*around.host, &around.policy, project);
    let word = match verb {
        Lifecycle::Start => "start",
        Lifecycle::Stop => "stop",
        Lifecycle::Restart => "restart",
        Lifecycle::Remove { .. } => "remove",
    };
    let work = Work {
        around,
        project: None,
        name: project,
        verb: word,
        fingerprints: &fingerprints,
        deadline: timeout,
        names: &names,
        services: &names,
        makes_space: matches!(verb, Lifecycle::Stop | Lifecycle::Remove { .. }),
    };
    work.run(&|observed| {
        Ok(match verb {
            Lifecycle::Start => reconcile::start(project, observed, services, &records.state().stopped),
            Lifecycle::Stop => reconcile::stop(project, observed, services),
            Lifecycle::Restart => reconcile::restart(project, observed, services, &records.state().stopped),
            Lifecycle::Remove { volumes } => reconcile::remove_containers(project, observed, services, volumes),
        })
    })
    .await
}

/// What there is of a project.
pub async fn look(around: &Surroundings, project: &str) -> Result<Observed, Failure> {
    let records = Records::new(&*around.host, &around.policy, project);
    observe(&*around.engine, project, &BTreeSet::new(), &records.state()).await
}

/// One verb under way: plans without the lock; if there is something to do, or another run's lock is there, locks, observes again and
/// does what is to be done then.
struct Work<'a> {
    around: &'a Surroundings,
    project: Option<&'a Project>,
    name: &'a str,
    verb: &'static str,
    fingerprints: &'a BTreeMap<String, String>,
    deadline: Option<Duration>,
    names: &'a BTreeSet<String>,
    /// The services meant, where that is known.
    services: &'a BTreeSet<String>,
    /// It only stops and removes: goes on without the lock where the engine has no space for one.
    makes_space: bool,
}

type MakePlan<'a> = dyn Fn(&Observed) -> Result<Plan, Failure> + Sync + 'a;

impl Work<'_> {
    async fn run(&self, make_plan: &MakePlan<'_>) -> Result<Outcome, Failure> {
        let observed = self.observe().await?;
        let plan = make_plan(&observed)?;
        // Another run's lock: it is at work, or was killed at its very end, and then nobody else takes the lock away.
        let in_order = !observed.locked || self.around.lock.is_some();
        if plan.steps.is_empty() && in_order {
            return Ok(self.unchanged(&plan, observed));
        }
        if !plan.changes() && in_order {
            // Only waits: reading needs no lock.
            self.say_notes(&plan);
            return self.walk(&plan, None).await;
        }
        if let Some(held) = &self.around.lock {
            self.say_notes(&plan);
            return self.walk(&plan, Some(held)).await;
        }
        let Some(lock) = self.acquire().await? else { return self.locked(make_plan, None).await };
        let result = self.locked(make_plan, Some(&lock)).await;
        let released = lock.release().await;
        let outcome = result?;
        released?;
        Ok(outcome)
    }

    /// The lock; none where the engine has no space for it and the verb makes space.
    async fn acquire(&self) -> Result<Option<Lock>, Failure> {
        if !self.makes_space {
            return lock::acquire(self.around, self.name, DEFAULT_LOCK_PATIENCE).await.map(Some);
        }
        let lock = lock::acquire_if_there_is_space(self.around, self.name, DEFAULT_LOCK_PATIENCE).await?;
        if lock.is_none() {
            let text = "The engine's disk is full, there is no space for the project's lock: going on without it";
            self.around.log(Level::Warning, format!("{text}; another run must not change \"{}\" meanwhile", self.name));
        }
        Ok(lock)
    }

    async fn locked(&self, make_plan: &MakePlan<'_>, lock: Option<&Lock>) -> Result<Outcome, Failure> {
        let observed = self.observe().await?;
        let plan = make_plan(&observed)?;
        if plan.steps.is_empty() {
            // Another run did it meanwhile, or had done it.
            return Ok(self.unchanged(&plan, observed));
        }
        self.say_notes(&plan);
        self.walk(&plan, lock).await
    }

    fn unchanged(&self, plan: &Plan, observed: Observed) -> Outcome {
        self.say_notes(plan);
        self.around.events.event(&Event::Unchanged { project: self.name.to_owned(), verb: self.verb.to_owned() });
        self.outcome(observed, &Findings::default())
    }

    async fn observe(&self) -> Result<Observed, Failure> {
        let records = Records::new(&*self.around.host, &self.around.policy, self.name);
        observe(&*self.around.engine, self.name, self.names, &records.state()).await
    }

    /// What was found and is left alone.
    fn say_notes(&self, plan: &Plan) {
        for note in &plan.notes {
            self.around.log(Level::Warning, note.clone());
        }
    }

    async fn walk(&self, plan: &Plan, lock: Option<&Lock>) -> Result<Outcome, Failure> {
        self.around.events.event(&Event::Planned { verb: self.verb.to_owned(), plan: Box::new(plan.clone()) });
        let telling = Telling::begin(self, plan);
        let paces = Records::new(&*self.around.host, &self.around.policy, self.name).state().paces;
        let execution = Execution {
            around: self.around,
            project: self.project,
            plan,
            lock,
            fingerprints: self.fingerprints,
            deadline: self.deadline,
            paces,
        };
        let (findings, result) = execution.run().await;
        telling.end(result.is_ok());
        let recorded = self.observe().await.map(|mut observed| {
            self.record(&findings, &observed);
            for container in observed.containers.iter_mut().filter(|container| container.health == Health::Starting) {
                // Passed by spc's own probe a moment ago: the engine says so later.
                if findings.passes.contains_key(&container.id) {
                    container.health = Health::Healthy;
                }
            }
            observed
        });
        result?;
        Ok(self.outcome(recorded?, &findings))
    }

    fn outcome(&self, observed: Observed, findings: &Findings) -> Outcome {
        let records = Records::new(&*self.around.host, &self.around.policy, self.name);
        let remembered = records.state().ready;
        let ready = observed
            .containers
            .iter()
            .filter_map(|container| {
                let now = findings.ready.get(&container.id).copied();
                let before = || remembered.get(&container.id).map(|millis| Duration::from_millis(*millis));
                Some((container.id.clone(), now.or_else(before)?))
            })
            .collect();
        Outcome { changes: findings.changes, waited: findings.ready.keys().cloned().collect(), containers: observed.containers, ready }
    }

    /// Keeps what the next run needs; that it can't be kept is said and is no failure.
    fn record(&self, findings: &Findings, observed: &Observed) {
        let records = Records::new(&*self.around.host, &self.around.policy, self.name);
        let kept = records.update(|state| {
            state.passes.extend(findings.passes.clone());
            let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            state.ready.extend(findings.ready.iter().map(|(id, time)| (id.clone(), millis(time))));
            for (service, pace) in findings.paces.clone() {
                state.paces.entry(service).or_default().add(pace);
            }
            state.stopped.extend(findings.stopped.iter().cloned());
            state.stopped.retain(|id| !findings.ready.contains_key(id));
            state.keep_only(|id| observed.containers.iter().any(|container| container.id == id));
        });
        if let Err(error) = kept {
            self.around.log(Level::Warning, format!("What this run found is not remembered: {error}"));
        }
    }
}

/// A verb that walks its plan: its beginning is told, and its end in any case, also when it is dropped.
struct Telling<'a> {
    work: &'a Work<'a>,
    begun: Duration,
    ok: bool,
}

impl<'a> Telling<'a> {
    fn begin(work: &'a Work<'a>, plan: &Plan) -> Self {
        let mut services: Vec<String> = Vec::new();
        for service in plan.steps.iter().filter_map(|step| step.service.as_ref()) {
            if !services.contains(service) {
                services.push(service.clone());
            }
        }
        work.around.events.event(&Event::VerbStarted {
            project: work.name.to_owned(),
            verb: work.verb.to_owned(),
            steps: plan.steps.len(),
            unchanged: work.services.iter().filter(|name| !services.contains(name)).cloned().collect(),
            services,
        });
        Self { work, begun: work.around.host.monotonic(), ok: false }
    }

    fn end(mut self, ok: bool) {
        self.ok = ok;
    }
}

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        let around = self.work.around;
        around.events.event(&Event::VerbDone {
            project: self.work.name.to_owned(),
            verb: self.work.verb.to_owned(),
            ok: self.ok,
            elapsed: around.host.monotonic().saturating_sub(self.begun),
        });
    }
}

/// Waits until containers of a service are ready or completed; a timeout of the caller's is an error of kind `timeout`.
pub async fn wait(
    around: &Surroundings,
    project: &str,
    service: &str,
    described: Option<&Service>,
    containers: &[String],
    until: Until,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let hub = Hub::new(project);
    let events = hub.subscribe(around).await?;
    let waits = futures::future::try_join_all(containers.iter().map(|container| {
        let (hub, around) = (&hub, around);
        async move {
            let waiting = Waiting {
                container,
                service,
                until,
                probe: described.map_or_else(Default::default, |service| service.probe),
                may_complete: described.map(Service::looks_like_a_job),
                deadline: timeout,
                pace: None,
            };
            readiness::wait(around, hub, &waiting, &|_| {}).await
        }
    }));
    futures::select_biased! {
        result = Box::pin(waits).fuse() => result.map(drop),
        () = Box::pin(hub.pump(around, events)).fuse() => Ok(()),
        () = around.cancel.cancelled().fuse() => Err(Failure::interrupted()),
    }
}

/// Gives a service so many containers; later runs keep it until the described number changes.
pub async fn scale(around: &Surroundings, project: &Project, service: &str, count: u32) -> Result<Outcome, Failure> {
    let described = project.service(service)?.scale;
    let records = Records::new(&*around.host, &around.policy, &project.name);
    let scaled = Scale { described, wanted: count };
    // Refused before it is kept: a fixed port allows one container only.
    with_scales(project, &BTreeMap::from([(service.to_owned(), scaled)]))?;
    let kept = records.update(|state| {
        state.scales.insert(service.to_owned(), scaled);
    });
    kept.map_err(|error| Failure::new(Kind::Failed, format!("The scale of \"{service}\" can't be remembered: {error}")))?;
    up(around, project, &UpOptions { services: Some(vec![service.to_owned()]), ..UpOptions::default() }).await
}

/// The project with the numbers of containers that were set with `scale`, where the described number is still the same.
fn with_scales(project: &Project, scales: &BTreeMap<String, Scale>) -> Result<Project, Failure> {
    let mut project = project.clone();
    for (name, scale) in scales {
        if let Some(service) = project.services.get_mut(name).filter(|service| service.scale == scale.described) {
            service.scale = scale.wanted;
        }
    }
    project.check_scales()?;
    Ok(project)
}
