//! Turns a builder's reports into build events, and explains a failed build.

use bollard::moby::buildkit::v1::{StatusResponse, Vertex};
use bollard::models::{BuildInfo, BuildInfoAux};
use bytes::Bytes;
use indexmap::IndexMap;

use crate::engine::{
    BuildEvent, EngineError, EngineErrorKind, OUTPUT_FOLLOWS, base_image, secret_hint,
};
use crate::model::lines::{CUT, ShortLines};

/// How much of a step's output is kept in case it fails.
const KEPT_BYTES: usize = 8 * 1024;
const KEPT_LINES: usize = 20;

/// BuildKit's own preparations; reported only if they fail.
const INTERNAL: &str = "[internal] ";
const CONTEXT: &str = "copy /context /";
/// The one of them that fails if the base image does not exist and can't be pulled.
const BASE_IMAGE: &str = "[internal] load metadata for ";
/// The prefix of the classic builder's steps and results.
const CLASSIC_STEP: &str = "Step ";
const CLASSIC_RESULT: &str = " ---> ";
const CLASSIC_CACHED: &str = "Using cache";
const CLASSIC_NOISE: [&str; 3] =
    ["Removing intermediate container ", "Successfully built ", "Successfully tagged "];
/// The text between BuildKit's layers and the cause.
const WRAPPERS: [&str; 4] = [
    "failed to solve with frontend dockerfile.v0: ",
    "failed to solve: ",
    "failed to create LLB definition: ",
    "rpc error: code = Unknown desc = ",
];

/// The steps so far. One of two builders reports a build, never both.
#[derive(Debug, Default)]
pub struct Progress {
    /// By BuildKit's digest of the step. The classic builder's only step has its name as key.
    steps: IndexMap<String, Step>,
    image: Option<String>,
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    begun: bool,
    cached: bool,
    /// Why it failed.
    error: Option<String>,
    /// Splits its output into lines: steps run in parallel, and a line may come in parts.
    lines: ShortLines,
    /// The end of its output, and whether there was more before.
    tail: Vec<u8>,
    is_cut: bool,
}

impl Progress {
    /// The events in one report.
    pub fn take(&mut self, report: BuildInfo) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        match report.aux {
            Some(BuildInfoAux::BuildKit(status)) => self.take_status(status, &mut events),
            Some(BuildInfoAux::Default(image)) => self.image = image.id.or(self.image.take()),
            None => {}
        }
        if let Some(text) = report.stream {
            self.take_classic(&text, &mut events);
        }
        events
    }

    /// The id of the built image, once it is known.
    pub fn image(&self) -> Option<String> {
        self.image.clone()
    }

    fn take_status(&mut self, status: StatusResponse, events: &mut Vec<BuildEvent>) {
        for vertex in status.vertexes {
            self.take_vertex(vertex, events);
        }
        for log in status.logs {
            let step = self.steps.entry(log.vertex).or_default();
            step.keep(&log.msg);
            events.extend(whole(step.lines.push(&log.msg)));
        }
    }

    /// The last output of steps without a line end, when the build has ended.
    pub fn rest(&mut self) -> Vec<BuildEvent> {
        self.steps.values_mut().filter_map(|step| whole(step.lines.finish())).collect()
    }

    fn take_vertex(&mut self, vertex: Vertex, events: &mut Vec<BuildEvent>) {
        let step = self.steps.entry(vertex.digest).or_default();
        step.name = vertex.name;
        if !vertex.error.is_empty() {
            step.error = Some(vertex.error);
        }
        if step.name.starts_with(INTERNAL) || step.name == CONTEXT {
            return;
        }
        if vertex.cached && !step.cached {
            step.cached = true;
            step.begun = true;
            events.push(BuildEvent::Cached(step.name.clone()));
        } else if vertex.started.is_some() && !step.begun {
            step.begun = true;
            events.push(BuildEvent::Step(step.name.clone()));
        }
    }

    /// The classic builder prints `Step 2/3 : RUN make`, ` ---> Using cache`, and a step's output.
    fn take_classic(&mut self, text: &str, events: &mut Vec<BuildEvent>) {
        if let Some((number, instruction)) =
            text.strip_prefix(CLASSIC_STEP).and_then(|step| step.split_once(" : "))
        {
            let name = format!("[{number}] {}", instruction.trim_end());
            self.steps
                .insert(name.clone(), Step { name: name.clone(), begun: true, ..Step::default() });
            events.push(BuildEvent::Step(name));
        } else if let Some(result) = text.strip_prefix(CLASSIC_RESULT) {
            if result.trim() == CLASSIC_CACHED
                && let Some((_, step)) = self.steps.last()
            {
                events.push(BuildEvent::Cached(step.name.clone()));
            }
        } else if !text.trim().is_empty()
            && !CLASSIC_NOISE.iter().any(|noise| text.starts_with(noise))
        {
            if let Some((_, step)) = self.steps.last_mut() {
                step.keep(text.as_bytes());
                events.extend(whole(step.lines.push(text.as_bytes())));
            } else {
                events.push(BuildEvent::Output(Bytes::copy_from_slice(text.as_bytes())));
            }
        }
    }

    /// The failure of the build: the step, its exit code and the end of its output, as far as the
    /// builder reported them.
    pub fn failure(&self, message: &str) -> EngineError {
        let message = unwrapped(message);
        let failed = |words: String| EngineError::new(EngineErrorKind::Failed, words);
        let Some(step) = self.failed_step(message) else {
            let error = failed(format!("the build failed: {message}"));
            let is_variable = message.contains("unexpected key 'env'");
            return if is_variable { error.with_hint(SECRET_AS_VARIABLE) } else { error };
        };
        match step.name.strip_prefix(BASE_IMAGE) {
            Some(image) => {
                let words = step.error.as_deref().unwrap_or(message);
                failed(format!("could not fetch the base image \"{image}\": {words}"))
                    .with_hint(base_image::hint(image, words))
            }
            None => {
                let error = failed(step.failure(message));
                match missing_secret(step.error.as_deref().unwrap_or(message)) {
                    Some(id) => error.with_hint(secret_hint(id)),
                    None => error,
                }
            }
        }
    }

    fn failed_step(&self, message: &str) -> Option<&Step> {
        // Steps that were running when another one failed are "canceled".
        let failed = self.steps.values().find(|step| {
            step.error.as_ref().is_some_and(|error| !error.contains("context canceled"))
        });
        // The classic builder runs one step at a time, and reports only the failure of the whole
        // build.
        failed.or_else(|| {
            exit_code(message)
                .and_then(|_| self.steps.last())
                .map(|(_, step)| step)
                .filter(|step| step.error.is_none())
        })
    }
}

impl Step {
    fn keep(&mut self, output: &[u8]) {
        self.tail.extend_from_slice(output);
        let excess = self.tail.len().saturating_sub(KEPT_BYTES);
        self.tail.drain(..excess);
        self.is_cut |= excess > 0;
    }

    fn failure(&self, message: &str) -> String {
        let error = self.error.as_deref().map_or(message, unwrapped);
        let mut words = match exit_code(error) {
            Some(code) => format!("\"{}\" failed with exit code {code}", self.name),
            None => format!("\"{}\" failed: {error}", self.name),
        };
        let tail = String::from_utf8_lossy(&self.tail);
        let lines: Vec<_> = tail.trim_end().lines().collect();
        if !lines.is_empty() {
            words.push_str(OUTPUT_FOLLOWS);
            let first = lines.len().saturating_sub(KEPT_LINES);
            for (at, line) in lines.iter().enumerate().skip(first) {
                words.push_str("\n  ");
                words.push_str(if at == 0 && self.is_cut { CUT } else { "" });
                words.push_str(line.trim_end());
            }
        }
        words
    }
}

/// The next step if the engine's builder is too old for `--mount=type=secret,env=…`.
const SECRET_AS_VARIABLE: &str = "this engine's builder gives a secret as a file only: leave `env=` out, and read the file in the step; \
                                  Docker 27 takes it, and so does a `# syntax=docker/dockerfile:1` line, which is pulled";

/// Output with these lines, if there are any.
fn whole(lines: impl IntoIterator<Item = String>) -> Option<BuildEvent> {
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    (!text.is_empty()).then(|| BuildEvent::Output(text.into()))
}

/// The cause without BuildKit's prefix.
fn unwrapped(message: &str) -> &str {
    let mut message = message.trim();
    while let Some(rest) = WRAPPERS.iter().find_map(|wrapper| message.strip_prefix(wrapper)) {
        message = rest;
    }
    message
}

/// `secret NAME not found: not found`; newer ones say `secret NAME: not found`.
fn missing_secret(error: &str) -> Option<&str> {
    let (_, rest) = error.split_once("secret ")?;
    rest.strip_suffix(" not found: not found").or_else(|| rest.strip_suffix(": not found"))
}

/// `… did not complete successfully: exit code: 3`, `… returned a non-zero code: 3`.
fn exit_code(error: &str) -> Option<i64> {
    let (_, code) = error.rsplit_once("code: ")?;
    code.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use bollard::moby::buildkit::v1::VertexLog;
    use bollard::models::ImageId;

    use super::*;

    fn buildkit(vertexes: Vec<Vertex>, logs: Vec<VertexLog>) -> BuildInfo {
        let status = StatusResponse { vertexes, logs, ..StatusResponse::default() };
        BuildInfo { aux: Some(BuildInfoAux::BuildKit(status)), ..BuildInfo::default() }
    }

    fn vertex(name: &str) -> Vertex {
        Vertex { digest: format!("digest of {name}"), name: name.into(), ..Vertex::default() }
    }

    fn started(name: &str) -> Vertex {
        Vertex { started: Some(some_time()), ..vertex(name) }
    }

    fn failed(name: &str, error: &str) -> Vertex {
        Vertex { error: error.into(), ..started(name) }
    }

    /// BuildKit's type for a time has no public path.
    fn some_time<T: Default>() -> T {
        T::default()
    }

    fn log(name: &str, text: &str) -> VertexLog {
        VertexLog {
            vertex: format!("digest of {name}"),
            msg: text.as_bytes().to_vec(),
            ..VertexLog::default()
        }
    }

    fn classic(text: &str) -> BuildInfo {
        BuildInfo { stream: Some(text.into()), ..BuildInfo::default() }
    }

    fn output(text: &'static str) -> BuildEvent {
        BuildEvent::Output(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_build_step_is_reported_once_before_its_output() {
        let mut progress = Progress::default();
        let run = "[2/3] RUN make";
        assert_eq!(progress.take(buildkit(vec![vertex(run)], vec![])), []);
        assert_eq!(
            progress.take(buildkit(vec![started(run)], vec![log(run, "cc -c a.c\n")])),
            [BuildEvent::Step(run.into()), output("cc -c a.c\n")]
        );
        assert_eq!(
            progress.take(buildkit(vec![started(run)], vec![log(run, "cc -o a\n")])),
            [output("cc -o a\n")]
        );
    }

    #[test]
    fn a_build_line_that_arrives_in_parts_is_reported_whole() {
        let mut progress = Progress::default();
        progress.take(buildkit(vec![started("a"), started("b")], vec![]));
        assert_eq!(
            progress.take(buildkit(vec![], vec![log("a", "hunt"), log("b", "x\ny")])),
            [output("x\n")]
        );
        assert_eq!(
            progress.take(buildkit(vec![], vec![log("a", "er2\nend")])),
            [output("hunter2\n")]
        );
        assert_eq!(progress.rest(), [output("end\n"), output("y\n")]);
        assert_eq!(progress.rest(), []);
    }

    #[test]
    fn cached_build_steps_are_reported_and_internal_steps_are_not() {
        let mut progress = Progress::default();
        let cached = Vertex { cached: true, ..started("[2/3] RUN make") };
        let events = progress.take(buildkit(
            vec![started("[internal] load build definition"), started(CONTEXT), cached.clone()],
            vec![],
        ));
        assert_eq!(events, [BuildEvent::Cached("[2/3] RUN make".into())]);
        assert_eq!(progress.take(buildkit(vec![cached], vec![])), []);
    }

    #[test]
    fn the_image_is_known_at_the_end() {
        let mut progress = Progress::default();
        assert_eq!(progress.image(), None);
        let aux = Some(BuildInfoAux::Default(ImageId { id: Some("sha256:aa".into()) }));
        assert_eq!(
            progress.take(BuildInfo {
                id: Some("moby.image.id".into()),
                aux,
                ..BuildInfo::default()
            }),
            []
        );
        assert_eq!(progress.image().as_deref(), Some("sha256:aa"));
    }

    #[test]
    fn a_failed_step_is_named_with_its_exit_code_and_the_end_of_its_output() {
        let mut progress = Progress::default();
        let (run, other) = ("[dev 3/5] RUN pip install none", "[dev 2/5] COPY . .");
        let lines: Vec<_> = (1..=30).map(|line| format!("line {line}\n")).collect();
        progress.take(buildkit(vec![failed(other, "context canceled")], vec![]));
        progress.take(buildkit(vec![started(run)], vec![log(run, &lines.concat())]));
        let message =
            "process \"/bin/sh -c pip install none\" did not complete successfully: exit code: 3";
        progress.take(buildkit(vec![failed(run, message)], vec![]));
        let error = progress.failure(&format!("failed to solve: {message}"));
        assert_eq!(error.kind, EngineErrorKind::Failed);
        let expected: Vec<_> = (11..=30).map(|line| format!("\n  line {line}")).collect();
        assert_eq!(
            error.message,
            format!(
                "\"[dev 3/5] RUN pip install none\" failed with exit code 3; its last output:{}",
                expected.concat()
            )
        );
    }

    #[test]
    fn a_failure_without_an_exit_code_keeps_the_builders_words() {
        let mut progress = Progress::default();
        progress.take(buildkit(
            vec![failed(
                "[2/2] COPY none /",
                "failed to compute cache key: \"/none\" not found: not found",
            )],
            vec![],
        ));
        assert_eq!(
            progress.failure("failed to solve: whatever").message,
            "\"[2/2] COPY none /\" failed: failed to compute cache key: \"/none\" not found: not found"
        );
    }

    #[test]
    fn a_missing_base_image_is_named_with_the_way_to_fix_it() {
        let mut progress = Progress::default();
        let message = "failed to do request: connect: connection refused";
        progress.take(buildkit(
            vec![failed("[internal] load metadata for local/none:1", message)],
            vec![],
        ));
        let error = progress.failure(&format!("failed to solve: {message}"));
        assert_eq!(
            error.message,
            format!("could not fetch the base image \"local/none:1\": {message}")
        );
        assert!(error.hint.is_some());
    }

    #[test]
    fn a_builder_without_secret_variables_is_detected() {
        let message = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: \
                    dockerfile parse error line 2: unexpected key 'env' in 'env=X'";
        assert_eq!(Progress::default().failure(message).hint.as_deref(), Some(SECRET_AS_VARIABLE));
    }

    #[test]
    fn a_secret_that_a_step_wants_and_was_not_given_is_named_with_the_fix() {
        let mut progress = Progress::default();
        progress.take(buildkit(
            vec![failed(
                "[2/2] RUN --mount=type=secret,id=key,required cat",
                "secret key not found: not found",
            )],
            vec![],
        ));
        let error = progress.failure("secret key not found: not found");
        assert_eq!(
            error.message,
            "\"[2/2] RUN --mount=type=secret,id=key,required cat\" failed: secret key not found: not found"
        );
        assert_eq!(
            error.hint.unwrap(),
            "give it to the build with `secrets: [\"key\"]`, or leave `required` of the step's mount out"
        );
    }

    #[test]
    fn a_failure_before_any_step_is_the_builds() {
        let message = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: unknown instruction: RNU";
        assert_eq!(
            Progress::default().failure(message).message,
            "the build failed: dockerfile parse error line 2: unknown instruction: RNU"
        );
    }

    #[test]
    fn the_classic_builder_reports_the_same_events() {
        let mut progress = Progress::default();
        let message = [
            "Step 1/2 : FROM local/x\n",
            " ---> 0123456789ab\n",
            "Step 2/2 : RUN exit 3\n",
            " ---> Running in 0123456789ab\n",
            "about to fail\n",
        ];
        let events: Vec<_> =
            message.into_iter().flat_map(|text| progress.take(classic(text))).collect();
        assert_eq!(
            events,
            [
                BuildEvent::Step("[1/2] FROM local/x".into()),
                BuildEvent::Step("[2/2] RUN exit 3".into()),
                output("about to fail\n")
            ]
        );
        assert_eq!(
            progress.failure("The command '/bin/sh -c exit 3' returned a non-zero code: 3").message,
            "\"[2/2] RUN exit 3\" failed with exit code 3; its last output:\n  about to fail"
        );
        assert_eq!(
            progress.take(classic(" ---> Using cache\n")),
            [BuildEvent::Cached("[2/2] RUN exit 3".into())]
        );
    }
}
