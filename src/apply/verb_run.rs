//! The run of one verb: observe, plan, check, lock, and execute the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::BoxFuture;

use super::VerbContext;
use super::execute::{Execution, ExecutionReport};
use super::final_check;
use super::image_checks::look_at_image_checks;
use super::left_containers::with_left_containers;
use super::lock::{self, Lock};
use super::moved_project;
use super::newer_versions;
use super::observe::{ObserveScope, bystanders, look_at_owners, observe};
use super::outcome::Outcome;
use super::preflight::{Preflight, may};
use super::recent_restarts::look_at_restarted;
use super::secret_readback::KnownSecrets;
use super::writers::look_at_folders;
use crate::engine::Intent;
use crate::model::Failure;
use crate::model::event::{Event, Level};
use crate::model::observed_state::{Health, ObservedState};
use crate::model::plan::{Action, Plan};
use crate::model::plan_steps;
use crate::model::spec::Project;

/// The run of one verb. It plans without the lock. If there is something to do, or another run
/// holds the lock, it takes the lock, observes again, and executes the new plan.
pub(super) struct VerbRun<'a> {
    pub(super) ctx: &'a VerbContext,
    pub(super) project: Option<&'a Project>,
    pub(super) name: &'a str,
    pub(super) verb: &'static str,
    pub(super) fingerprints: &'a BTreeMap<String, String>,
    pub(super) deadline: Option<Duration>,
    pub(super) names: &'a BTreeSet<String>,
    /// The selected services, if known.
    pub(super) services: &'a BTreeSet<String>,
    /// The verb only stops and removes. It continues without the lock if the engine has no space
    /// for one, and beside objects of a newer spc.
    pub(super) makes_space: bool,
    /// Include containers of others, because they may be connected to the project's networks.
    pub(super) sees_others: bool,
    /// Replaced containers get new anonymous volumes.
    pub(super) renew_anonymous_volumes: bool,
    /// Stores what later runs need, after all checks and before the first change.
    pub(super) keep: Option<&'a (dyn Fn() -> Result<(), Failure> + Sync)>,
    pub(super) under_lock: Option<LockHooks<'a>>,
    /// Secrets that were read from containers, because their labels can't be compared. Each
    /// container is read once, however often the verb observes.
    pub(super) delivered: KnownSecrets,
}

/// Work of the caller under the lock of a verb, so that no other run can interleave.
#[derive(Clone, Copy)]
pub struct LockHooks<'a> {
    /// Called before the first change. Its failure is the verb's failure.
    pub first: &'a (dyn Fn() -> Result<(), Failure> + Sync),
    /// Called after the verb succeeded.
    pub last: &'a (dyn Fn() + Sync),
}

/// Whether containers of others can conflict with a plan, by their names or as writers to a volume.
fn needs_all(plan: &Plan) -> bool {
    plan.steps.iter().any(|step| {
        matches!(
            step.action,
            Action::CreateContainer { .. }
                | Action::RenameContainer { .. }
                | Action::StartContainer { .. }
                | Action::RestartContainer { .. }
        )
    })
}

pub(super) type MakePlan<'a> = dyn Fn(&ObservedState) -> Result<Plan, Failure> + Sync + 'a;

impl<'a> VerbRun<'a> {
    /// A verb without a description, and without its name.
    pub(super) fn without_description(
        ctx: &'a VerbContext,
        project: &'a str,
        names: &'a BTreeSet<String>,
        fingerprints: &'a BTreeMap<String, String>,
    ) -> Self {
        Self {
            ctx,
            project: None,
            name: project,
            verb: "",
            fingerprints,
            deadline: None,
            names,
            services: names,
            makes_space: false,
            sees_others: false,
            renew_anonymous_volumes: false,
            keep: None,
            under_lock: None,
            delivered: KnownSecrets::default(),
        }
    }
}

impl VerbRun<'_> {
    /// The same, but without the lock and without a message if there is nothing to do.
    pub(super) async fn run_if_needed(
        &self,
        make_plan: &MakePlan<'_>,
    ) -> Result<Option<Outcome>, Failure> {
        let plan = self.plan(make_plan, &self.observe().await?).await?;
        if plan.steps.is_empty() {
            self.say_notes(&plan);
            return Ok(None);
        }
        self.run(make_plan).await.map(Some)
    }

    /// Observes, plans, and executes the plan under the lock.
    pub(super) async fn run(&self, make_plan: &MakePlan<'_>) -> Result<Outcome, Failure> {
        let observed = self.observe().await?;
        if self.makes_space
            && let Err(failure) = self.check_formats(&observed)
        {
            self.ctx.log(Level::Warning, format!("{}; continuing without it", failure.message));
        }
        let plan = self.plan(make_plan, &observed).await?;
        // If a lock exists, another run is active or was killed at its end. In the second case, no
        // other run removes the lock.
        let in_order = (!observed.locked || self.ctx.lock.is_some())
            && !moved_project::is_outdated(self.ctx, self.name, &observed, self.project.is_some());
        self.check(&plan, &observed, false).await?;
        if let Some(keep) = self.keep {
            keep()?;
        }
        if plan.steps.is_empty() && in_order {
            return Ok(self.unchanged(&plan, observed));
        }
        if !plan.changes() && in_order {
            // Only waits: reading needs no lock.
            self.say_notes(&plan);
            return self.walk(&plan, &observed, None).await;
        }
        if let Some(held) = &self.ctx.lock {
            let Some(_turn) = held.free_turn() else {
                let _turn = held.turn().await;
                // Another task of this run changed something meanwhile.
                return self.locked(make_plan, Some(held)).await;
            };
            if plan.steps.is_empty() {
                self.settle(&observed, Some(held)).await?;
                return Ok(self.unchanged(&plan, observed));
            }
            self.say_notes(&plan);
            self.record_move(&observed, Some(held)).await?;
            return self.walk(&plan, &observed, Some(held)).await;
        }
        let Some(lock) = self.acquire().await? else { return self.locked(make_plan, None).await };
        let first = self.under_lock.map_or(Ok(()), |under_lock| (under_lock.first)());
        let result = match first {
            Ok(()) => self.locked(make_plan, Some(&lock)).await,
            Err(failure) => Err(failure),
        };
        if let (Ok(_), Some(under_lock)) = (&result, self.under_lock) {
            (under_lock.last)();
        }
        let released = lock.release().await;
        let outcome = result?;
        released?;
        Ok(outcome)
    }

    /// Takes the lock; `None` if the engine has no space for it and the verb frees space.
    async fn acquire(&self) -> Result<Option<Lock>, Failure> {
        if !self.makes_space {
            return lock::acquire(self.ctx, self.name, self.ctx.lock_patience()).await.map(Some);
        }
        let lock =
            lock::acquire_if_there_is_space(self.ctx, self.name, self.ctx.lock_patience()).await?;
        if lock.is_none() {
            let text = "The engine's disk is full, there is no space for the project's lock: continuing without it";
            self.ctx.log(
                Level::Warning,
                format!("{text}; another run must not change \"{}\" meanwhile", self.name),
            );
        }
        Ok(lock)
    }

    /// Observes and plans again under the lock, and executes that plan. Boxed, because the future
    /// is large.
    fn locked<'a>(
        &'a self,
        make_plan: &'a MakePlan<'a>,
        lock: Option<&'a Lock>,
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            self.ctx.records(self.name).read_again();
            let observed = self.observe().await?;
            let plan = self.plan(make_plan, &observed).await?;
            if plan.steps.is_empty() {
                // Another run did it meanwhile, or had already done it.
                self.settle(&observed, lock).await?;
                return Ok(self.unchanged(&plan, observed));
            }
            self.check(&plan, &observed, true).await?;
            self.say_notes(&plan);
            self.record_move(&observed, lock).await?;
            self.walk(&plan, &observed, lock).await
        })
    }

    async fn settle(&self, observed: &ObservedState, lock: Option<&Lock>) -> Result<(), Failure> {
        moved_project::settle(self.ctx, self.name, observed, lock, self.project.is_some()).await
    }

    /// Records the former folder of a moved project. This happens before the first change, so that
    /// a killed run also counts. For `down` it happens afterwards, because it depends on the
    /// objects that are left.
    async fn record_move(
        &self,
        observed: &ObservedState,
        lock: Option<&Lock>,
    ) -> Result<(), Failure> {
        if self.project.is_some() { self.settle(observed, lock).await } else { Ok(()) }
    }

    fn check_formats(&self, observed: &ObservedState) -> Result<(), Failure> {
        let records = self.ctx.records(self.name);
        newer_versions::check(&records, observed)
    }

    /// Makes the plan. If that fails, the owner of the project is checked first: in another folder,
    /// no other advice helps.
    async fn plan(
        &self,
        make_plan: &MakePlan<'_>,
        observed: &ObservedState,
    ) -> Result<Plan, Failure> {
        let readable = if self.makes_space { Ok(()) } else { self.check_formats(observed) };
        let plan = readable.and_then(|()| make_plan(observed));
        let is_of_a_folder = !observed.containers.is_empty() || !observed.moves.is_empty();
        if plan.is_err() && is_of_a_folder {
            may(&*self.ctx.engine, Intent::ChangeProject(self.name)).await?;
        }
        plan
    }

    /// Fails if a step of the plan is certain to be rejected.
    async fn check(
        &self,
        plan: &Plan,
        observed: &ObservedState,
        is_locked: bool,
    ) -> Result<(), Failure> {
        if plan.steps.is_empty() {
            // Also if nothing differs: the user should learn about the owner before something does.
            let is_there = self.project.is_some() || !observed.containers.is_empty();
            return if is_there {
                may(&*self.ctx.engine, Intent::ChangeProject(self.name)).await
            } else {
                Ok(())
            };
        }
        let mut all =
            if needs_all(plan) { bystanders(&*self.ctx.engine).await? } else { Vec::new() };
        if !is_locked {
            // Another run is active, or the engine is still executing the last call of a killed
            // one: look again under the lock.
            let is_observed =
                |id: &String| observed.containers.iter().any(|container| container.id == *id);
            all.retain(|there| {
                there.project.as_deref() != Some(self.name) || is_observed(&there.id)
            });
        }
        Preflight {
            ctx: self.ctx,
            project: self.project,
            name: self.name,
            plan,
            observed,
            all: &all,
        }
        .check()
        .await
    }

    fn unchanged(&self, plan: &Plan, observed: ObservedState) -> Outcome {
        self.say_notes(plan);
        self.ctx
            .events
            .event(&Event::Unchanged { project: self.name.to_owned(), verb: self.verb.to_owned() });
        self.outcome(observed, &ExecutionReport::default())
    }

    async fn observe(&self) -> Result<ObservedState, Failure> {
        let records = self.ctx.records(self.name);
        let scope = if self.project.is_some() || self.sees_others {
            ObserveScope::Engine
        } else {
            ObserveScope::Project
        };
        let mut observed =
            observe(&*self.ctx.engine, self.name, scope, self.names, &records.state()).await?;
        look_at_owners(&*self.ctx.host, &mut observed);
        look_at_folders(self.ctx, self.project, &mut observed);
        look_at_restarted(&*self.ctx.engine, self.project, &mut observed).await;
        look_at_image_checks(self.ctx, self.project, &mut observed).await;
        if let Some(project) = self.project {
            self.delivered.look_at(self.ctx, project, self.fingerprints, &mut observed).await;
        }
        Ok(observed)
    }

    /// Reports the notes of the plan: findings that spc does not change.
    fn say_notes(&self, plan: &Plan) {
        for note in &plan.notes {
            self.ctx.log(Level::Warning, note.clone());
        }
    }

    fn walk<'a>(
        &'a self,
        plan: &'a Plan,
        observed: &'a ObservedState,
        lock: Option<&'a Lock>,
    ) -> BoxFuture<'a, Result<Outcome, Failure>> {
        Box::pin(async move {
            self.ctx.events.event(&Event::Planned {
                verb: self.verb.to_owned(),
                project: plan.project.clone(),
                steps: plan_steps::steps(plan, self.verb),
                rollbacks: plan_steps::rollbacks(plan),
                notes: plan.notes.clone(),
            });
            let telling = VerbReport::begin(self, plan);
            let kept = self
                .project
                .map(|project| final_check::kept(observed, plan, project, self.services))
                .unwrap_or_default();
            let startup_histories = self.ctx.records(self.name).state().startup_histories.clone();
            let execution = Execution {
                ctx: self.ctx,
                project: self.project,
                plan,
                lock,
                fingerprints: self.fingerprints,
                deadline: self.deadline,
                renew_anonymous_volumes: self.renew_anonymous_volumes,
                startup_histories,
                storages: &observed.storages,
                kept: &kept,
            };
            let (report, result) = execution.run().await;
            telling.end(result.is_ok());
            let recorded = self.observe().await.map(|mut observed| {
                self.record(&report, &observed);
                for container in observed
                    .containers
                    .iter_mut()
                    .filter(|container| container.health == Health::Starting)
                {
                    // spc's own probe passed a moment ago; the engine will report it later.
                    if report.passes.contains_key(&container.id) {
                        container.health = Health::Healthy;
                    }
                }
                observed
            });
            result.map_err(|failure| match &recorded {
                Ok(observed) => with_left_containers(failure, &report.created, observed),
                Err(_) => failure,
            })?;
            let recorded = recorded?;
            if plan.changes() {
                self.settle(&recorded, lock).await?;
            }
            let Some(project) = self.project else { return Ok(self.outcome(recorded, &report)) };
            let services = final_check::to_check(&recorded, &report, &kept);
            let is_changed =
                final_check::FinalCheck { ctx: self.ctx, project, plan, deadline: self.deadline }
                    .check(&recorded, &services)
                    .await?;
            let recorded = if is_changed { self.observe().await? } else { recorded };
            Ok(self.outcome(recorded, &report))
        })
    }

    fn outcome(&self, observed: ObservedState, report: &ExecutionReport) -> Outcome {
        let records = self.ctx.records(self.name);
        let remembered = records.state();
        let ready = observed
            .containers
            .iter()
            .filter_map(|container| {
                let now = report.ready.get(&container.id).copied();
                let before = || {
                    remembered.ready.get(&container.id).map(|millis| Duration::from_millis(*millis))
                };
                Some((container.id.clone(), now.or_else(before)?))
            })
            .collect();
        Outcome {
            changes: report.changes,
            waited: report.ready.keys().cloned().collect(),
            containers: observed.containers,
            ready,
        }
    }

    /// Stores the records for the next run. A failure is only a warning.
    fn record(&self, report: &ExecutionReport, observed: &ObservedState) {
        let records = self.ctx.records(self.name);
        let kept = records.update(|state| {
            state.passes.extend(report.passes.clone());
            let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            state.ready.extend(report.ready.iter().map(|(id, time)| (id.clone(), millis(time))));
            for (service, startup_history) in report.startup_histories.clone() {
                state.startup_histories.entry(service).or_default().add(startup_history);
            }
            state.stopped.extend(report.stopped.iter().cloned());
            state.stopped.retain(|id| !report.ready.contains_key(id));
            // Objects that no longer exist are dropped: if Docker Compose creates one with this
            // name later, it has to be adopted again.
            let of_compose = |name: &String| {
                observed
                    .networks
                    .iter()
                    .any(|there| there.name == *name && there.compose && !there.ours)
                    || observed
                        .volumes
                        .iter()
                        .any(|there| there.name == *name && there.compose && !there.ours)
            };
            state.adopted.retain(of_compose);
            state.keep_only(|id| observed.containers.iter().any(|container| container.id == id));
        });
        if let Err(error) = kept {
            self.ctx.log(Level::Warning, format!("Could not save what this run found: {error}"));
        }
    }
}

/// The report of a verb that executes its plan. It reports the start, and in any case the end, also
/// if it is dropped.
struct VerbReport<'a> {
    work: &'a VerbRun<'a>,
    begun: Duration,
    ok: bool,
}

impl<'a> VerbReport<'a> {
    fn begin(work: &'a VerbRun<'a>, plan: &Plan) -> Self {
        let mut services: Vec<String> = Vec::new();
        for service in plan.steps.iter().filter_map(|step| step.service.as_ref()) {
            if !services.contains(service) {
                services.push(service.clone());
            }
        }
        work.ctx.events.event(&Event::VerbStarted {
            project: work.name.to_owned(),
            verb: work.verb.to_owned(),
            steps: plan.steps.len(),
            unchanged: work
                .services
                .iter()
                .filter(|name| !services.contains(name))
                .cloned()
                .collect(),
            services,
        });
        Self { work, begun: work.ctx.host.monotonic(), ok: false }
    }

    fn end(mut self, ok: bool) {
        self.ok = ok;
    }
}

impl Drop for VerbReport<'_> {
    fn drop(&mut self) {
        let ctx = self.work.ctx;
        ctx.events.event(&Event::VerbDone {
            project: self.work.name.to_owned(),
            verb: self.work.verb.to_owned(),
            ok: self.ok,
            elapsed: ctx.host.monotonic().saturating_sub(self.begun),
        });
    }
}
