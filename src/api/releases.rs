//! The releases of a stack: recorded, listed, and restored.

use std::collections::BTreeSet;
use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Map};

use super::project::verb_context;
use super::stack::Stack;
use super::{Raw, describe, secret, task};
use crate::apply::releases::{self, Overview, ReleaseDetails};
use crate::model::event::{Event, Level};
use crate::model::release::{self, Release};
use crate::model::spec::{MountSource, Project};
use crate::model::{Failure, Kind, hash};
use crate::value::time::Time;
use crate::value::{Options, Record};

/// What a script can say about a release.
enum Wanted {
    /// The one that a rollback goes to.
    Former,
    Id(u64),
    /// The newest good one with this name.
    Name(String),
}

impl Wanted {
    fn read(given: &Dynamic) -> Result<Self, Failure> {
        if given.is_unit() {
            return Ok(Self::Former);
        }
        if let Some(id) = given.as_int().ok().and_then(|id| u64::try_from(id).ok()) {
            return Ok(Self::Id(id));
        }
        if let Some(name) = given.read_lock::<ImmutableString>() {
            secret::none_in(&name, "the name of a release")?;
            return Ok(Self::Name(name.to_string()));
        }
        Err(Failure::usage("A release is chosen by its number or its name")
            .hint("write 7, \"v2\", or () for the one before"))
    }

    fn find(&self, stack: &str, seen: &Overview) -> Result<Release, Failure> {
        let all = &seen.recorded.releases;
        let good = || all.iter().filter(|release| release.is_good());
        let found = match self {
            Self::Former => release::rollback_target(all, &seen.observed),
            Self::Id(id) => all.iter().find(|release| release.id == *id),
            Self::Name(name) => Self::named(name, stack, all)?,
        };
        match found {
            Some(release) if release.is_good() => Ok(release.clone()),
            Some(release) => Err(Failure::usage(format!(
                "The release {} of \"{stack}\" was not deployed: {}",
                release.id,
                release.failed.as_deref().unwrap_or_default()
            ))
            .hint("choose one that was: `releases` lists them")),
            None => Err(self.missing(stack, good().count())),
        }
    }

    /// The newest good release with this name, or the one with this number: `7` or `#7`.
    fn named<'a>(
        name: &str,
        stack: &str,
        all: &'a [Release],
    ) -> Result<Option<&'a Release>, Failure> {
        let numbered = |text: &str| {
            let id: u64 = text.parse().ok()?;
            all.iter().find(|release| release.id == id)
        };
        if let Some(number) = name.strip_prefix('#') {
            return Ok(numbered(number));
        }
        let named = all.iter().rev().find(|release| release.is_good() && release.name() == name);
        match (named, numbered(name)) {
            (Some(named), Some(numbered)) if named.id != numbered.id => {
                Err(Failure::usage(format!(
                    "\"{name}\" is the name of release {} of \"{stack}\" and the number of another one",
                    named.id
                ))
                .hint(format!("write #{} or #{}", named.id, numbered.id)))
            }
            (named, numbered) => Ok(named.or(numbered)),
        }
    }

    fn missing(&self, stack: &str, known: usize) -> Failure {
        let message = match self {
            Self::Former => format!("There is no release of \"{stack}\" before the one that runs"),
            Self::Id(id) => format!("There is no release {id} of \"{stack}\""),
            Self::Name(name) => format!("There is no recorded release \"{name}\" of \"{stack}\""),
        };
        let hint = match known {
            0 => {
                "none is recorded on this engine: `docker volume prune` removes the records, and `down --volumes` too; deploy a tag instead"
            }
            _ => "`releases` lists the recorded ones; another one can be deployed by its tag",
        };
        Failure::new(Kind::NotFound, message).hint(hint)
    }
}

/// The options of `record_release`.
fn details(given: Map) -> Result<ReleaseDetails, Failure> {
    let mut options = Options::new(given, "options of record_release");
    let reason = options.text("failed")?;
    let services = options.list_of_text("services")?.unwrap_or_default();
    let count = |key, given: Option<u64>| match given {
        Some(0) => Err(Failure::usage(format!("\"{key}\" of record_release is at least 1"))),
        given => Ok(given),
    };
    let (restores, keep) = (options.count("restores")?, options.count("keep")?);
    let replaces = options.count("replaces")?;
    let details = ReleaseDetails {
        strategy: options.text("strategy")?.unwrap_or_else(|| "up".to_owned()),
        by: options.text("by")?.filter(|by| !by.is_empty()),
        commit: options.text("commit")?.filter(|commit| !commit.is_empty()),
        failed: reason.map(|reason| (services.into_iter().collect(), reason)),
        restores: count("restores", restores)?,
        replaces: count("replaces", replaces)?,
        keep: count("keep", keep)?.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX)),
    };
    options.finish()?;
    for text in [Some(&details.strategy), details.by.as_ref(), details.commit.as_ref()] {
        secret::none_in(text.map_or("", String::as_str), "the record of a release")?;
    }
    Ok(details)
}

fn optional(text: Option<&String>) -> Dynamic {
    text.map_or(Dynamic::UNIT, |text| Dynamic::from(text.clone()))
}

fn id(id: u64) -> Dynamic {
    Dynamic::from(i64::try_from(id).unwrap_or(i64::MAX))
}

/// A release, as a record. `is_there`: the engine has all its images.
fn record(release: &Release, seen: Option<(&Overview, bool)>) -> Record {
    let service = |(name, service): (&String, &release::ReleasedService)| {
        let fields = Map::from([
            ("release".into(), service.release.clone().into()),
            ("image".into(), service.image.clone().into()),
            ("image_id".into(), service.image_id.clone().into()),
        ]);
        (name.into(), Dynamic::from(Record::new("released service", fields)))
    };
    let is = |found: Option<&Release>| found.is_some_and(|found| found.id == release.id);
    let all = seen.map(|(seen, _)| (&seen.recorded.releases, &seen.observed));
    let runs = all.is_some_and(|(all, observed)| is(release::current(all, observed)));
    let is_next = all.is_some_and(|(all, observed)| is(release::rollback_target(all, observed)));
    let was_left =
        all.is_some_and(|(all, _)| all.iter().any(|other| other.left == Some(release.id)));
    let outcome = match (&release.failed, was_left) {
        (Some(_), _) => "failed",
        (None, true) => "rolled back",
        (None, false) => "good",
    };
    Record::new(
        "release",
        Map::from([
            ("id".into(), id(release.id)),
            ("name".into(), release.name().into()),
            ("at".into(), Time::parse(&release.at).map_or(Dynamic::UNIT, Dynamic::from)),
            ("strategy".into(), release.strategy.clone().into()),
            ("by".into(), optional(release.by.as_ref())),
            ("commit".into(), optional(release.commit.as_ref())),
            ("outcome".into(), outcome.into()),
            ("failed".into(), optional(release.failed.as_ref())),
            ("restores".into(), release.restores.map_or(Dynamic::UNIT, id)),
            ("services".into(), release.services.iter().map(service).collect::<Map>().into()),
            ("runs".into(), runs.into()),
            ("rollback_target".into(), is_next.into()),
            ("images".into(), seen.is_none_or(|(_, is_there)| is_there).into()),
        ]),
    )
}

impl Stack {
    fn overview(&self) -> Result<Overview, Failure> {
        let seen = task::wait(&self.context, async {
            releases::overview(&verb_context(&self.context, &self.name).await?, &self.name).await
        })?;
        for (volume, reason) in &seen.recorded.unreadable {
            let text = format!("The volume {volume} is no readable record of a release: {reason}");
            self.context.events.event(&Event::Log { level: Level::Warning, text });
        }
        Ok(seen)
    }

    fn releases(&self) -> Result<Array, Failure> {
        let seen = self.overview()?;
        let mut listed = Array::new();
        for release in seen.recorded.releases.iter().rev() {
            let is_there = !release.is_good()
                || task::wait(&self.context, async {
                    let ctx = verb_context(&self.context, &self.name).await?;
                    for service in release.services.values() {
                        if !releases::has_image(&ctx, service).await? {
                            return Ok(false);
                        }
                    }
                    Ok(true)
                })?;
            listed.push(Dynamic::from(record(release, Some((&seen, is_there)))));
        }
        Ok(listed)
    }

    fn record_release(&self, given: Map) -> Result<Dynamic, Failure> {
        let details = details(given)?;
        let project = self.described()?;
        let recorded = super::project::finish(&self.context, async {
            let ctx = verb_context(&self.context, &self.name).await?;
            releases::record(&ctx, project, details).await
        })?;
        Ok(recorded.map_or(Dynamic::UNIT, |release| Dynamic::from(record(&release, None))))
    }

    fn recorded_release(&self, given: &Dynamic) -> Result<Record, Failure> {
        let seen = self.overview()?;
        let found = Wanted::read(given)?.find(&self.name, &seen)?;
        Ok(record(&found, Some((&seen, true))))
    }

    fn restore_release(&self, given: &Dynamic) -> Result<Self, Failure> {
        let wanted = Wanted::read(given)?;
        let current = self.described()?;
        let found = wanted.find(&self.name, &self.overview()?)?;
        let project = restored(current, &found)?;
        describe::check_policy(&self.context, &project)?;
        for (name, released) in &found.services {
            let Some(service) = project.services.get(name) else { continue };
            let secrets = &self.context.secrets;
            if hash::is_of_service(&released.hash, service, &project, secrets) {
                continue;
            }
            let text = format!(
                "Release {} of \"{name}\" can't be restored exactly: values that contain secrets, the content of configs and the names of networks and volumes are those of today",
                found.id
            );
            self.context.events.event(&Event::Log { level: Level::Warning, text });
        }
        super::project::finish(&self.context, async {
            let ctx = verb_context(&self.context, &self.name).await?;
            releases::restore_images(&ctx, &self.name, &found).await
        })?;
        Ok(Self::of(&self.context, self.name.clone(), project))
    }
}

/// The project with the services of a release.
fn restored(current: &Arc<Project>, found: &Release) -> Result<Project, Failure> {
    let mut project = (**current).clone();
    for (name, released) in &found.services {
        let Some(today) = current.services.get(name) else {
            return Err(Failure::usage(format!(
                "The service \"{name}\" of release {} is no longer described",
                found.id
            ))
            .hint("restore the description of that release, and deploy it by its tag"));
        };
        let service = released.restored(today)?;
        let volumes = service.volumes.iter().filter_map(|mount| match &mount.source {
            MountSource::Volume { name, .. } => Some(name),
            _ => None,
        });
        let secrets: BTreeSet<&String> = service.secrets.iter().map(|it| &it.source).collect();
        let missing = service
            .networks
            .keys()
            .find(|key| !project.networks.contains_key(*key))
            .map(|key| ("network", key))
            .or_else(|| {
                volumes
                    .into_iter()
                    .find(|key| !project.volumes.contains_key(*key))
                    .map(|key| ("volume", key))
            })
            .or_else(|| {
                secrets
                    .into_iter()
                    .find(|key| !project.secrets.contains_key(*key))
                    .map(|key| ("secret", key))
            });
        if let Some((kind, key)) = missing {
            return Err(Failure::usage(format!(
                "Release {} of \"{name}\" needs the {kind} \"{key}\", which is no longer described",
                found.id
            ))
            .hint("restore the description of that release, and deploy it by its tag"));
        }
        project.services.insert(name.clone(), service);
    }
    Ok(project)
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// The recorded releases of the stack, the newest first: `id name at strategy by commit outcome
    /// failed restores services runs rollback_target images`. `outcome` is `good`, `failed` or
    /// `rolled back`. `runs`: this one runs now. `rollback_target`: a rollback goes there. `images`:
    /// the engine still has its images.
    #[rhai_fn(return_raw, pure)]
    pub fn releases(stack: &mut Stack) -> Raw<Array> {
        Ok(stack.releases()?)
    }

    /// One recorded release: by its number, by its name, or `()` for the one that a rollback goes
    /// to. Fails with `not_found` if there is none.
    #[rhai_fn(return_raw, pure)]
    pub fn recorded_release(stack: &mut Stack, which: Dynamic) -> Raw<Record> {
        Ok(stack.recorded_release(&which)?)
    }

    /// Records what runs as a release: the services with `x-spc-release`. Returns the release, or
    /// `()` if the newest record says the same. The record is on the engine.
    #[rhai_fn(name = "record_release", return_raw, pure)]
    pub fn record_release(stack: &mut Stack) -> Raw<Dynamic> {
        Ok(stack.record_release(Map::new())?)
    }

    /// The same with options: `strategy` ("up"), `by`, `commit`, `keep` (5 releases; older ones are
    /// removed), `restores` (the number of the release that a rollback restored), `replaces` (the
    /// number of a record that this one takes the place of), and `failed`, the reason, with
    /// `services`, for a deployment that failed.
    #[rhai_fn(name = "record_release", return_raw, pure)]
    pub fn record_release_with(stack: &mut Stack, options: Map) -> Raw<Dynamic> {
        Ok(stack.record_release(options)?)
    }

    /// The stack as a release described it, chosen as by `recorded_release`. The names of its images denote
    /// them again. Secrets, the number of containers and everything that containers are not made
    /// from are those of today. Nothing is replaced until a verb is called.
    #[rhai_fn(return_raw, pure)]
    pub fn restore_release(stack: &mut Stack, which: Dynamic) -> Raw<Stack> {
        Ok(stack.restore_release(&which)?)
    }
}

/// Registers the functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_global_module(shared_module!(functions));
}
