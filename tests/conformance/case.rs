//! The context of a conformance case: an engine, an image, unique names, and cleanup.

use std::collections::HashMap;

use bollard::models;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use spc::engine::{
    Engine, EngineError, EngineErrorKind, ExecRequest, ExecSession, OutputChunk, OutputKind,
    OutputStream, StopRequest, label_filter,
};

/// The label of every object that a case creates. Its value is the case's name.
const LABEL: &str = "dev.spc.conformance";

/// The images that each engine under test provides.
pub struct Fixture {
    /// An image that can run [`super::commands`].
    pub image: String,
    /// An image in a registry that is unreachable.
    pub unreachable: String,
}

/// One conformance case on one engine.
pub struct Case<'a> {
    pub engine: &'a dyn Engine,
    pub fixture: &'a Fixture,
    name: String,
}

impl<'a> Case<'a> {
    /// Creates the case. First removes objects that an earlier run left behind.
    pub async fn new(engine: &'a dyn Engine, fixture: &'a Fixture, name: &str) -> Self {
        let case = Self { engine, fixture, name: format!("spc-{}", name.replace('_', "-")) };
        case.clean().await;
        case
    }

    /// The same case with another connection to its engine.
    pub fn at<'b>(&self, engine: &'b dyn Engine) -> Case<'b>
    where
        'a: 'b,
    {
        Case { engine, fixture: self.fixture, name: self.name.clone() }
    }

    /// Removes everything that the case created.
    pub async fn clean(&self) {
        let filter = label_filter(LABEL, &self.name);
        for container in self.engine.container_list(true, &filter).await.unwrap() {
            gone(self.engine.container_remove(&container.id.unwrap(), true, true).await);
        }
        for network in self.engine.network_list(&filter).await.unwrap() {
            gone(self.engine.network_remove(&network.id.unwrap()).await);
        }
        for volume in self.engine.volume_list(&filter).await.unwrap() {
            gone(self.engine.volume_remove(&volume.name, true).await);
        }
        for image in self.engine.image_list(&filter).await.unwrap() {
            // An image with two names can't be removed by its id. An image without a name can be
            // removed only by its id.
            let mut names: Vec<_> =
                image.repo_tags.into_iter().filter(|tag| tag != "<none>:<none>").collect();
            names.push(image.id);
            for name in names {
                gone(self.engine.image_remove(&name, true).await);
            }
        }
    }

    /// A name of this case: `spc-<case>-<noun>`.
    pub fn name(&self, noun: &str) -> String {
        format!("{}-{noun}", self.name)
    }

    /// An image name of this case.
    pub fn image_name(&self, tag: &str) -> String {
        format!("{}:{tag}", self.name)
    }

    /// The label that cleanup filters by.
    pub fn labels(&self) -> HashMap<String, String> {
        HashMap::from([(LABEL.to_owned(), self.name.clone())])
    }

    /// The same label as a Dockerfile instruction.
    pub fn label_instruction(&self) -> String {
        format!("LABEL {LABEL}={}", self.name)
    }

    /// The filter that finds the objects of the case.
    pub fn filter(&self) -> spc::engine::Filters {
        label_filter(LABEL, &self.name)
    }

    /// The configuration of a container that runs `command` in the fixture's image.
    pub fn body(&self, command: &[&str]) -> models::ContainerCreateBody {
        models::ContainerCreateBody {
            image: Some(self.fixture.image.clone()),
            cmd: Some(owned(command)),
            labels: Some(self.labels()),
            ..Default::default()
        }
    }

    /// Creates a container. Returns its name.
    pub async fn created(&self, noun: &str, body: models::ContainerCreateBody) -> String {
        let name = self.name(noun);
        self.engine.container_create(&name, None, body).await.unwrap();
        name
    }

    /// Creates and starts a container that runs `command`. Returns its name.
    pub async fn started(&self, noun: &str, command: &[&str]) -> String {
        let name = self.created(noun, self.body(command)).await;
        assert!(self.engine.container_start(&name).await.unwrap());
        name
    }

    /// The container's state, from an inspection.
    pub async fn state(&self, container: &str) -> models::ContainerState {
        self.engine.container_inspect(container).await.unwrap().state.unwrap()
    }

    pub async fn is_running(&self, container: &str) -> bool {
        self.state(container).await.running == Some(true)
    }

    /// Runs `command` in `container`. Returns its exit code and output.
    pub async fn exec(&self, container: &str, command: &[&str]) -> Outcome {
        let request = ExecRequest { command: owned(command), ..Default::default() };
        let session = self.engine.exec_start(container, &request).await.unwrap();
        self.outcome(session).await
    }

    /// Reads an exec session to its end.
    pub async fn outcome(&self, session: ExecSession) -> Outcome {
        let (stdout, stderr) = collect(session.output).await;
        let state = self.engine.exec_inspect(&session.id).await.unwrap();
        assert!(!state.running, "an exec runs on after the end of its output");
        Outcome { code: state.exit_code.expect("an ended exec has an exit code"), stdout, stderr }
    }
}

/// The result of an exec.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub code: i64,
    pub stdout: String,
    pub stderr: String,
}

/// Stops without a grace period.
pub fn at_once() -> StopRequest {
    StopRequest { grace: Some(std::time::Duration::ZERO), signal: None }
}

pub fn owned(command: &[&str]) -> Vec<String> {
    command.iter().map(|&word| word.to_owned()).collect()
}

/// Reads both outputs to their end. Returns standard output and standard error.
pub async fn collect(output: OutputStream) -> (String, String) {
    let chunks: Vec<OutputChunk> = output.try_collect().await.unwrap();
    let of = |kind| {
        let bytes: Vec<u8> = chunks
            .iter()
            .filter(|chunk| chunk.kind == kind)
            .flat_map(|chunk| chunk.bytes.to_vec())
            .collect();
        String::from_utf8(bytes).unwrap()
    };
    (of(OutputKind::Stdout), of(OutputKind::Stderr))
}

/// A tar archive of one file.
pub fn archive(name: &str, content: &[u8]) -> Bytes {
    archive_of(&[(name, content)])
}

/// A tar archive of several files.
pub fn archive_of(files: &[(&str, &[u8])]) -> Bytes {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *content).unwrap();
    }
    archive.into_inner().unwrap().into()
}

/// Bytes as a stream.
pub fn stream_of(bytes: Bytes) -> BoxStream<'static, std::io::Result<Bytes>> {
    futures::stream::iter([Ok(bytes)]).boxed()
}

/// The kind of the error in `what`. Panics if `what` is no error.
#[track_caller]
pub fn kind<T>(what: Result<T, EngineError>) -> EngineErrorKind {
    match what {
        Ok(_) => panic!("the call succeeded"),
        Err(error) => {
            assert!(
                !error.message.is_empty() && !error.message.ends_with('.'),
                "a message is a sentence without a full stop: {error:?}"
            );
            error.kind
        }
    }
}

/// Asserts that the object was removed, now or earlier.
#[track_caller]
fn gone(removed: Result<(), EngineError>) {
    if let Err(error) = removed {
        assert!(error.is_not_found() || error.is_conflict(), "{error:?}");
    }
}
