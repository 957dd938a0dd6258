//! One-off containers: made for one command, removed afterwards.

use futures::{FutureExt, StreamExt};

use super::Surroundings;
use super::create;
use super::exec::{Ended, too_large};
use super::failures::of_engine;
use super::observe::{image_id, running_writer};
use super::preflight;
use crate::engine::{Intent, LogsRequest, OutputKind};
use crate::host::memory::Collected;
use crate::model::spec::{Project, Service};
use crate::model::{Failure, Kind, hash};

/// What is run.
pub struct OneOff<'a> {
    pub image: &'a str,
    /// The image's own command if empty.
    pub command: Vec<String>,
    /// `KEY=value`; over the service's.
    pub environment: Vec<String>,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    /// The project it is labelled with, and the service whose settings it has.
    pub project: &'a str,
    pub service: Option<(&'a Project, &'a Service)>,
}

/// Runs a command in a container of its own and removes that, whatever happens.
///
/// # Errors
/// Of kind `conflict`, before anything is done, where it would write to a volume beside a container that runs.
pub async fn run(around: &Surroundings, one_off: &OneOff<'_>) -> Result<Ended, Failure> {
    let mut nonce = [0; 6];
    around.host.random(&mut nonce);
    let of = one_off.service.map_or("run", |(_, service)| service.name.as_str());
    let name = format!("{}-{of}-run-{}", one_off.project, hash::hex(&nonce));
    let body = create::one_off(around, one_off);
    preflight::may(&*around.engine, Intent::CreateContainer { name: &name, body: &body }).await?;
    if let Some((project, service)) = one_off.service {
        preflight::one_off_objects(around, project, service).await?;
        refuse_second_writer(around, project, service).await?;
    }
    if image_id(&*around.engine, one_off.image).await?.is_none() {
        match one_off.service {
            Some((project, service)) => super::images::bring(around, project, service).await?,
            None => drop(super::images::pull(around, one_off.image, None, &|_| {}).await?),
        }
    }
    let created = around
        .engine
        .container_create(&name, None, body)
        .await
        .map_err(|error| of_engine(error, &format!("create the container \"{name}\"")))?;
    let result = futures::select_biased! {
        result = Box::pin(to_its_end(around, one_off, &created.id)).fuse() => result,
        () = around.cancel.cancelled().fuse() => Err(Failure::interrupted()),
    };
    let removed = around.engine.container_remove(&created.id, true, true).await;
    let ended = result?;
    removed.map_err(|error| of_engine(error, &format!("remove the container \"{name}\"")))?;
    Ok(ended)
}

/// Never two containers on one writable volume, unless it is marked as shared.
async fn refuse_second_writer(around: &Surroundings, project: &Project, service: &Service) -> Result<(), Failure> {
    for volume in service.writable_volumes().filter_map(|key| project.volumes.get(key)).filter(|volume| !volume.shared) {
        if let Some(holder) = running_writer(&*around.engine, &volume.name).await? {
            let volume = &volume.name;
            let what = format!("A one-off container of \"{}\" would write to the volume \"{volume}\" beside \"{holder}\"", service.name);
            return Err(Failure::new(Kind::Conflict, what).hint(
                "run the command in that container with exec, or stop it first; a volume that is safe to share has \"x-spc-shared\": true",
            ));
        }
    }
    Ok(())
}

async fn to_its_end(around: &Surroundings, one_off: &OneOff<'_>, id: &str) -> Result<Ended, Failure> {
    let begun = around.host.monotonic();
    if let Some((project, service)) = one_off.service {
        for (network, endpoint) in create::further_networks(project, service, false) {
            around
                .engine
                .network_connect(&network, id, endpoint)
                .await
                .map_err(|error| of_engine(error, &format!("connect to the network \"{network}\"")))?;
        }
        if !service.configs.is_empty() {
            super::secrets::deliver_configs(around, project, service, id).await?;
        }
        if !service.secrets.is_empty() {
            super::secrets::deliver(around, project, service, id).await?;
        }
    }
    let failed = |error| of_engine(error, "run a one-off container");
    around.engine.container_start(id).await.map_err(failed)?;
    let mut output = around.engine.container_logs(id, &LogsRequest { follow: true, ..LogsRequest::default() }).await.map_err(failed)?;
    let mut ended = Ended::default();
    let (mut stdout, mut stderr) = (Collected::default(), Collected::default());
    while let Some(chunk) = output.next().await {
        let chunk = chunk.map_err(failed)?;
        let kept = if chunk.kind == OutputKind::Stdout { &mut stdout } else { &mut stderr };
        kept.push(|| around.host.memory(), &chunk.bytes).map_err(|full| Failure { hint: None, ..too_large(full, "The command") })?;
    }
    (ended.stdout, ended.stderr) = (stdout.into_bytes(), stderr.into_bytes());
    ended.code = around.engine.container_wait(id).await.map_err(failed)?;
    ended.elapsed = around.host.monotonic().saturating_sub(begun);
    Ok(ended)
}
