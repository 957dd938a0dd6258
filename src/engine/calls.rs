//! The calls of the port. Each is declared once: its method, arguments and answer, and its
//! properties.
//!
//! A new call is an entry here, a method of [`docker`](super::docker), one of [`sim`](super::sim),
//! and a case of `tests/conformance`, which fails without it. A wrapper of an engine gets the call
//! as data ([`Call`]). The policy checks the objects in `owned`, and rejects a changing call that
//! names no object unless it has a rule for it. A plan sends reading calls to the live engine, and
//! those with an `action` to the simulated one.

mod carried;
mod declaration;
mod declare;

use bollard::models;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

use self::carried::Argument;
pub use self::carried::Piece;
pub use self::declaration::{
    AnswerShape, CHANGES, Declaration, DiskSpaceNeed, Effect, IMPORT, LONG, Limit, READS, SHORT,
};
use self::declare::engine_calls;
use super::{
    ApiVersion, BuildEvent, BuildRequest, DiskUsage, EngineError, EngineErrorKind, EventStream,
    ExecRequest, ExecSession, ExecState, Filters, Intent, LogsRequest, OutputStream, ProcessTable,
    RegistryAuth, Result, StatsRequest, StopRequest, TransferEvent,
};
use crate::model::step::ActionKind;

/// The kind of object that a call names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::engine) enum Kind {
    Container,
    Volume,
    Network,
    Image,
}

/// How a checked object is named to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum ObjectNaming {
    /// By its id, because its name may belong to another object at the time of the call. A missing
    /// object is an error.
    Id,
    /// By the name in the call. The engine reports a missing object.
    Name,
}

/// An object that has to belong to the script's project.
pub(in crate::engine) struct OwnedObject<'c, 'a> {
    pub kind: Kind,
    pub by: ObjectNaming,
    /// The action in the text of a refusal.
    pub doing: &'static str,
    /// The name in the call.
    pub name: &'c mut &'a str,
}

impl Method {
    /// The call with this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|method| method.name() == name)
    }

    /// Whether it changes the engine's state.
    pub const fn changes(self) -> bool {
        matches!(self.declaration().effect, Effect::Changes)
    }

    /// Whether its answer is a list of objects.
    pub const fn lists(self) -> bool {
        matches!(self.declaration().shape, AnswerShape::List)
    }

    /// Whether its answer is a stream.
    pub const fn streams(self) -> bool {
        matches!(self.declaration().shape, AnswerShape::Stream)
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl Call<'_> {
    /// All text that is sent and that people can read on the engine, one piece per line.
    pub fn text(&self) -> String {
        let mut all = String::new();
        self.pieces(&mut |piece| {
            if let Piece::Text(text) = piece {
                all.push_str(text);
                all.push('\n');
            }
        });
        all
    }
}

/// A layer answered a call with the answer of another call.
fn mistaken(method: Method) -> EngineError {
    EngineError::new(EngineErrorKind::Failed, format!("{method} was answered as another call"))
}

engine_calls! { 'a:
    /// The engine's version.
    Version = version() -> models::SystemVersion
        { READS.about("its version") }
        on("") owned();
    /// Information about the engine.
    Info = info() -> models::SystemInfo
        { READS.about("itself") }
        on("") owned();
    /// Events from now (or `since`, seconds since the epoch) on; ends when the engine goes away.
    /// The subscription is active once the future is ready.
    Events = events(filters: &'a Filters, since: Option<i64>) -> EventStream
        { READS.streams() }
        on("") owned();
    /// The disk space of images, containers, volumes and the build cache on the engine.
    SystemDf = system_df() -> DiskUsage
        { READS.within(LONG).about("the use of its disk") }
        on("") owned();

    ContainerList = container_list(all: bool, filters: &'a Filters)
        -> Vec<models::ContainerSummary>
        { READS.lists() }
        on("") owned();
    ContainerInspect = container_inspect(container: &'a str) -> models::ContainerInspectResponse
        { READS }
        on(container) owned();
    ContainerCreate = container_create(
        name: &'a str,
        platform: Option<&'a str>,
        body: models::ContainerCreateBody,
    ) -> models::ContainerCreateResponse
        { CHANGES.needs_space() }
        on(name) owned();
    /// Returns whether it was started now (false: it was already running, 304).
    ContainerStart = container_start(container: &'a str) -> bool
        { CHANGES.needs_space() }
        on(container) owned(container: Container Id "start the container");
    /// Returns whether it was stopped now (false: it was not running, 304).
    ContainerStop = container_stop(container: &'a str, request: &'a StopRequest) -> bool
        { CHANGES.with_grace().frees_space() }
        on(container) owned(container: Container Id "stop the container");
    ContainerRestart = container_restart(container: &'a str, request: &'a StopRequest) -> ()
        { CHANGES.with_grace().needs_space().does(ActionKind::Restart) }
        on(container) owned(container: Container Id "restart the container");
    ContainerKill = container_kill(container: &'a str, signal: &'a str) -> ()
        { CHANGES.frees_space().does(ActionKind::Signal) }
        on(container) owned(container: Container Id "send a signal to the container");
    ContainerRename = container_rename(container: &'a str, name: &'a str) -> ()
        { CHANGES.needs_space().does(ActionKind::Rename) }
        on(container) owned(container: Container Id "rename the container");
    /// Changes its restart policy, running or not.
    ContainerUpdate = container_update(container: &'a str, restart: models::RestartPolicy) -> ()
        { CHANGES.needs_space().does(ActionKind::Update) }
        on(container) owned(container: Container Id "change the container");
    /// Removes it; with `volumes` also its anonymous volumes; with `force` even while it runs.
    ContainerRemove = container_remove(container: &'a str, force: bool, volumes: bool) -> ()
        { CHANGES.within(LONG).frees_space().does(ActionKind::Remove) }
        on(container) owned(container: Container Id "remove the container");
    /// Waits until it does not run. Returns the exit code.
    ContainerWait = container_wait(container: &'a str) -> i64
        { READS.unlimited() }
        on(container) owned();
    /// Its log. Each chunk is one message in the engine's form: a line with its line feed, a part
    /// of [`LOG_PART`](super::LOG_PART) bytes of a longer line (all parts have the time of the
    /// first), or the last output of a process without a line feed. The log of a terminal is raw:
    /// its messages follow each other without a separator. A followed log ends each time the
    /// process ends, even if it is restarted.
    ContainerLogs = container_logs(container: &'a str, request: &'a LogsRequest) -> OutputStream
        { READS.streams() }
        on(container) owned(container: Container Id "read the log of the container");
    ContainerTop = container_top(container: &'a str) -> ProcessTable
        { READS.about("the processes") }
        on(container) owned(container: Container Id "look into the container");
    /// Its resource usage, as often as the engine measures it: about once a second, or only once. A
    /// container that does not run uses nothing; its readings continue.
    ContainerStats = container_stats(container: &'a str, request: &'a StatsRequest)
        -> BoxStream<'static, Result<models::ContainerStatsResponse>>
        { READS.streams() }
        on(container) owned(container: Container Id "look into the container");
    /// Unpacks a tar archive at `path`, which has to exist in the container.
    ContainerUpload = container_upload(container: &'a str, path: &'a str, tar: Bytes) -> ()
        { CHANGES.within(LONG).needs_space() }
        on(container) owned(container: Container Id "write into the container");
    /// The file or folder at `path` as a tar stream.
    ContainerDownload = container_download(container: &'a str, path: &'a str)
        -> BoxStream<'static, Result<Bytes>>
        { READS.streams() }
        on(container) owned(container: Container Id "read from the container");

    /// Creates and starts an exec.
    ExecStart = exec_start(container: &'a str, request: &'a ExecRequest) -> ExecSession
        { CHANGES.streams() }
        on(container) owned(container: Container Id "run a command in the container");
    ExecInspect = exec_inspect(exec: &'a str) -> ExecState
        { READS }
        on(exec) owned();

    ImageList = image_list(filters: &'a Filters) -> Vec<models::ImageSummary>
        { READS.lists() }
        on("") owned();
    ImageInspect = image_inspect(image: &'a str) -> models::ImageInspect
        { READS }
        on(image) owned();
    /// Asks the image's registry for its digest, without a pull.
    ImageRegistryDigest = image_registry_digest(image: &'a str, auth: Option<&'a RegistryAuth>)
        -> String
        { READS }
        on(image) owned();
    ImagePull = image_pull(
        image: &'a str,
        platform: Option<&'a str>,
        auth: Option<&'a RegistryAuth>,
    ) -> BoxStream<'static, Result<TransferEvent>>
        { CHANGES.streams().unlimited().needs_space() }
        on(image) owned();
    ImagePush = image_push(image: &'a str, auth: Option<&'a RegistryAuth>)
        -> BoxStream<'static, Result<TransferEvent>>
        { CHANGES.streams().unlimited() }
        on(image) owned(image: Image Name "push the image");
    /// Builds. A failing step ends the stream with [`EngineErrorKind::Failed`].
    ImageBuild = image_build(request: BuildRequest) -> BoxStream<'static, Result<BuildEvent>>
        { CHANGES.streams().unlimited().needs_space() }
        on(request.tags.first().map_or("", String::as_str)) owned();
    /// Makes an image `tag` with one layer from a tar stream of a root file system, with Dockerfile
    /// instructions in `changes`. Returns its id.
    ImageImport = image_import(
        tag: &'a str,
        changes: &'a [String],
        tar: BoxStream<'static, std::io::Result<Bytes>>,
    ) -> String
        { CHANGES.within(IMPORT).needs_space() }
        on(tag) owned();
    ImageTag = image_tag(image: &'a str, tag: &'a str) -> ()
        { CHANGES.needs_space() }
        on(image) owned();
    ImageRemove = image_remove(image: &'a str, force: bool) -> ()
        { CHANGES.within(LONG).needs_space() }
        on(image) owned(image: Image Name "remove the image");

    NetworkList = network_list(filters: &'a Filters) -> Vec<models::Network>
        { READS.lists() }
        on("") owned();
    NetworkInspect = network_inspect(network: &'a str) -> models::NetworkInspect
        { READS }
        on(network) owned();
    /// Returns the new network's id.
    NetworkCreate = network_create(body: models::NetworkCreateRequest) -> String
        { CHANGES }
        on(&body.name) owned();
    NetworkConnect = network_connect(
        network: &'a str,
        container: &'a str,
        endpoint: models::EndpointSettings,
    ) -> ()
        { CHANGES.needs_space() }
        on(network)
        owned(
            network: Network Id "connect to the network",
            container: Container Id "connect to a network the container",
        );
    NetworkDisconnect = network_disconnect(network: &'a str, container: &'a str, force: bool) -> ()
        { CHANGES.needs_space() }
        on(network)
        owned(container: Container Id "disconnect from a network the container");
    NetworkRemove = network_remove(network: &'a str) -> ()
        { CHANGES.frees_space() }
        on(network) owned(network: Network Id "remove the network");

    VolumeList = volume_list(filters: &'a Filters) -> Vec<models::Volume>
        { READS.lists() }
        on("") owned();
    VolumeInspect = volume_inspect(volume: &'a str) -> models::Volume
        { READS }
        on(volume) owned();
    /// Idempotent: returns an existing volume with this name unchanged.
    VolumeCreate = volume_create(body: models::VolumeCreateRequest) -> models::Volume
        { CHANGES }
        on(body.name.as_deref().unwrap_or_default()) owned();
    VolumeRemove = volume_remove(volume: &'a str, force: bool) -> ()
        { CHANGES.within(LONG).frees_space() }
        on(volume) owned(volume: Volume Name "remove the volume");
}

#[cfg(test)]
mod tests;
