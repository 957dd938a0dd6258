//! One-off containers: created for one command and removed afterwards.

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt};

use super::VerbContext;
use super::builds::{Rebuild, build_services};
use super::create;
use super::exec::{ExecResult, shown, too_large};
use super::failures::of_engine;
use super::lock::{self, Lock, StartGuard};
use super::look::look;
use super::observe::{bystanders, image_id};
pub use super::one_off_spec::OneOffSpec;
use super::patience::spoken_of;
use super::preflight;
use super::start_check::{self, StartCheck, writes_alone};
use super::verbs::{prepare_one_off, remove_left_behind};
use super::writers::check_new;
use crate::engine::{Intent, LogsRequest, OutputKind, StopRequest};
use crate::host::memory::CollectedBytes;
use crate::model::event::Level;
use crate::model::exclusive_resources::without_exclusive;
use crate::model::observed_state::OwnerState;
use crate::model::time::readable;
use crate::model::{Failure, Kind, hash};

/// Runs a command in a new container and removes the container in any case. Missing objects that
/// the container needs are created first, under the project's lock. A container that writes to an
/// exclusive volume is also started under the lock. The lock is not held while the command runs.
///
/// # Errors
/// Fails with the kind `conflict`, before any change, if it would write to a volume of a running
/// container.
pub async fn run(ctx: &VerbContext, one_off: &OneOffSpec<'_>) -> Result<ExecResult, Failure> {
    let mut nonce = [0; 6];
    ctx.host.random(&mut nonce);
    let of = one_off.service.map_or("run", |(_, service)| service.name.as_str());
    let name = format!("{}-{of}-run-{}", one_off.project, hash::hex(&nonce));
    let body = create::one_off(ctx, one_off);
    if let Some((_, service)) = one_off.service {
        let doing = "run a one-off container of the service";
        preflight::may(
            &*ctx.engine,
            Intent::UseService { doing, service: &service.name, project: one_off.project },
        )
        .await?;
    }
    preflight::may(&*ctx.engine, Intent::CreateContainer { name: &name, body: &body }).await?;
    match one_off.service {
        Some((project, service)) => {
            preflight::one_off_objects(ctx, project, service).await?;
            refuse_second_writer(ctx, one_off).await?;
            // On the heap, because it is large and this future is part of others.
            Box::pin(prepare_one_off(ctx, project, &service.name, one_off.with_dependencies))
                .await?;
        }
        None => {
            remove_left_behind(ctx, one_off.project).await?;
            if image_id(&*ctx.engine, one_off.image).await?.is_none() {
                match one_off.built_by {
                    Some((project, service)) => {
                        let only = BTreeSet::from([service.to_owned()]);
                        let built =
                            Box::pin(build_services(ctx, project, &only, Rebuild::default())).await;
                        // Its position in the description is not the position of this call.
                        built.map_err(|failure| {
                            Failure { path: None, ..failure }.field("service", service)
                        })?;
                    }
                    None => drop(super::images::pull(ctx, one_off.image, None, &|_| {}).await?),
                }
            }
        }
    }
    // Held until it is started. A run that holds the lock starts no second writer, and afterwards
    // sees this container.
    let mut turn = ExclusiveStart::take(ctx, one_off).await?;
    let checked = if turn.is_needed { refuse_second_writer(ctx, one_off).await } else { Ok(()) };
    let created = match checked {
        Ok(()) => {
            let created = ctx.engine.container_create(&name, None, body).await;
            created.map_err(|error| of_engine(error, &format!("create the container \"{name}\"")))
        }
        Err(failure) => Err(failure),
    };
    let created = match created {
        Ok(created) => created,
        Err(failure) => {
            turn.end().await?;
            return Err(failure);
        }
    };
    let command = if one_off.command.is_empty() {
        String::new()
    } else {
        format!(" {}", shown(&one_off.command))
    };
    let still = |waited| {
        ctx.log(
            Level::Info,
            format!(
                "waiting for the command{command} in \"{name}\": not done after {}",
                readable(waited)
            ),
        )
    };
    let timer = async {
        match one_off.timeout {
            Some(timeout) => ctx.host.sleep(timeout).await,
            None => futures::future::pending().await,
        }
    };
    let result = futures::select_biased! {
        result = Box::pin(spoken_of(&*ctx.host, &still, to_its_end(ctx, one_off, &created.id, &mut turn))).fuse() => result,
        () = ctx.cancel.cancelled().fuse() => Err(Failure::interrupted()),
        () = Box::pin(timer).fuse() => {
            let whose = one_off.service.map_or(one_off.image, |(_, service)| service.name.as_str());
            let waited = readable(one_off.timeout.unwrap_or_default());
            Err(Failure::new(Kind::Timeout, format!("The one-off container of \"{whose}\" did not end within {waited}"))
                .hint("spc ended it; set a longer `timeout`, or none"))
        }
    };
    let given_back = turn.end().await;
    let say = |waited| {
        ctx.log(
            Level::Info,
            format!("removing the container \"{name}\": not done after {}", readable(waited)),
        )
    };
    let removed = spoken_of(&*ctx.host, &say, remove(ctx, one_off, &created.id)).await;
    let ended = result?;
    removed.map_err(|error| of_engine(error, &format!("remove the container \"{name}\"")))?;
    given_back?;
    Ok(ended)
}

/// The time from the last check to the start of a container that writes to an exclusive volume.
/// Nothing else of the project starts meanwhile.
struct ExclusiveStart<'a> {
    is_needed: bool,
    lock: Option<Lock>,
    /// Set if a `guarded` function holds the lock for several tasks.
    among: Option<StartGuard<'a>>,
}

impl<'a> ExclusiveStart<'a> {
    async fn take(ctx: &'a VerbContext, one_off: &OneOffSpec<'_>) -> Result<Self, Failure> {
        let is_needed =
            one_off.service.is_some_and(|(project, service)| writes_alone(project, service));
        let mut turn = Self { is_needed, lock: None, among: None };
        match &ctx.lock {
            _ if !is_needed => {}
            Some(held) => turn.among = Some(held.turn().await),
            None => {
                turn.lock = Some(lock::acquire(ctx, one_off.project, ctx.lock_patience()).await?)
            }
        }
        Ok(turn)
    }

    async fn end(&mut self) -> Result<(), Failure> {
        self.among = None;
        match self.lock.take() {
            Some(lock) => lock.release().await,
            None => Ok(()),
        }
    }
}

/// Removes the container, whether its command has ended or not. If it may be writing to a volume,
/// stops it first.
async fn remove(
    ctx: &VerbContext,
    one_off: &OneOffSpec<'_>,
    id: &str,
) -> crate::engine::Result<()> {
    let writes =
        one_off.service.is_some_and(|(_, service)| service.writable_volumes().next().is_some());
    if writes {
        // This is no error for a stopped container. If it doesn't exist, the removal reports it.
        let _ = ctx.engine.container_stop(id, &StopRequest::default()).await;
    }
    ctx.engine.container_remove(id, true, true).await
}

/// Two containers never write to one volume, unless it is marked as shared.
async fn refuse_second_writer(ctx: &VerbContext, one_off: &OneOffSpec<'_>) -> Result<(), Failure> {
    let Some((project, service)) =
        one_off.service.filter(|(project, service)| writes_alone(project, service))
    else {
        return Ok(());
    };
    let observed = look(ctx, &project.name).await?;
    let mut all = bystanders(&*ctx.engine).await?;
    // Removed before this one starts.
    all.retain(|there| {
        !observed
            .one_offs
            .iter()
            .any(|one_off| one_off.id == there.id && one_off.run == OwnerState::Gone)
    });
    check_new(ctx, project, &service.name, &observed, &all).await.map_err(start_check::of_one_off)
}

async fn to_its_end(
    ctx: &VerbContext,
    one_off: &OneOffSpec<'_>,
    id: &str,
    turn: &mut ExclusiveStart<'_>,
) -> Result<ExecResult, Failure> {
    let begun = ctx.host.monotonic();
    if let Some((project, service)) = one_off.service {
        for (network, endpoint) in
            create::further_networks(project, &without_exclusive(service), false)
        {
            ctx.engine.network_connect(&network, id, endpoint).await.map_err(|error| {
                of_engine(error, &format!("connect to the network \"{network}\""))
            })?;
        }
        if !service.configs.is_empty() {
            super::secrets::deliver_configs(ctx, project, service, id).await?;
        }
        if !service.secrets.is_empty() {
            super::secrets::deliver(ctx, project, service, id).await?;
        }
    }
    let failed = |error| of_engine(error, "run a one-off container");
    match one_off.service.filter(|_| turn.is_needed) {
        Some((project, service)) => {
            let storages = look(ctx, &project.name).await?.storages;
            let (name, service) = (one_off.project, Some(service.name.as_str()));
            let last_look =
                StartCheck { ctx, name, project: Some(project), service, storages: &storages, id };
            last_look.before().await.map_err(start_check::of_one_off)?;
            ctx.engine.container_start(id).await.map_err(failed)?;
            last_look.after().await.map_err(start_check::of_one_off)?;
        }
        None => drop(ctx.engine.container_start(id).await.map_err(failed)?),
    }
    turn.end().await?;
    let mut output = ctx
        .engine
        .container_logs(id, &LogsRequest { follow: true, ..LogsRequest::default() })
        .await
        .map_err(failed)?;
    let mut ended = ExecResult::default();
    let (mut stdout, mut stderr) = (CollectedBytes::default(), CollectedBytes::default());
    while let Some(chunk) = output.next().await {
        let chunk = chunk.map_err(failed)?;
        let kept = if chunk.kind == OutputKind::Stdout { &mut stdout } else { &mut stderr };
        kept.push(|| ctx.host.memory(), &chunk.bytes)
            .map_err(|full| Failure { hint: None, ..too_large(full, "The command") })?;
    }
    (ended.stdout, ended.stderr) = (stdout.into_bytes(), stderr.into_bytes());
    ended.code = ctx.engine.container_wait(id).await.map_err(failed)?;
    ended.elapsed = ctx.host.monotonic().saturating_sub(begun);
    Ok(ended)
}
