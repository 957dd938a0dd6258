//! spc's own probes: runs a container's health check by exec, with pauses.

use std::time::Duration;

use futures::{FutureExt, StreamExt};

use super::super::VerbContext;
use super::super::exec_end::end;
use super::super::failures::of_engine;
use super::super::observe::InspectedContainer;
use super::super::running_commands::RunningCommand;
use crate::engine::exec_end::StartedCommand;
use crate::engine::{EngineErrorKind, ExecRequest, exec_processes};
use crate::model::spec::HealthTest;
use crate::model::{Failure, Kind};

/// The shortest pause between own probes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause between own probes.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Between these limits, a pause is this fraction of the time waited so far. So a container loses
/// at most this fraction of its start-up time by waiting for the next probe.
const PAUSE_PART: u32 = 10;

/// A pause is at least this many times as long as the last probe; the number depends on how many
/// containers are probed. So all probes together leave most of the machine to the starting
/// containers.
const PAUSE_TIMES: std::ops::RangeInclusive<u32> = 2..=5;

/// Bytes of a probe's output that are kept.
const OUTPUT_KEPT: usize = 4096;

/// The result of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeResult {
    pub code: i64,
    /// Both outputs, their last bytes.
    pub output: String,
    pub elapsed: Duration,
}

/// The pause before the next own probe.
pub(super) fn pause(waited: Duration, last_took: Duration, probed: usize) -> Duration {
    let times =
        u32::try_from(probed).unwrap_or(u32::MAX).clamp(*PAUSE_TIMES.start(), *PAUSE_TIMES.end());
    (waited / PAUSE_PART).clamp(SHORTEST_PAUSE, LONGEST_PAUSE).max(last_took * times)
}

/// Exit codes of a shell or the engine for "not found" and "not executable".
pub fn cannot_run(code: i64) -> bool {
    matches!(code, 126 | 127)
}

pub(super) fn shown(test: &[String]) -> String {
    format!("`{}`", test.iter().skip(1).map(String::as_str).collect::<Vec<_>>().join(" "))
}

/// Runs a container's effective check once (or `test`), as the engine would: same user, same shell,
/// its timeout. `None` if it timed out.
pub async fn probe(
    ctx: &VerbContext,
    seen: &InspectedContainer,
    test: Option<&HealthTest>,
) -> Result<Option<ProbeResult>, Failure> {
    let effective = HealthTest::from_engine(&seen.test);
    let command = match test.or(effective.as_ref()) {
        Some(HealthTest::Command(words)) => words.clone(),
        Some(HealthTest::Shell(line)) => seen.shell.iter().cloned().chain([line.clone()]).collect(),
        Some(HealthTest::None) | None => {
            return Err(Failure::new(
                Kind::NotFound,
                format!("The container \"{}\" has no health check", seen.name),
            )
            .hint("describe one with `healthcheck:`, or give a `test`"));
        }
    };
    let command =
        ContainerCommand { command, environment: Vec::new(), simulated: None, limit: seen.timeout };
    run_in(ctx, seen, &command).await
}

/// A command that spc itself runs in a container.
pub struct ContainerCommand {
    pub command: Vec<String>,
    /// `KEY=value`.
    pub environment: Vec<String>,
    /// Its output in a simulated container that has no other answer for it.
    pub simulated: Option<String>,
    pub limit: Duration,
}

/// Runs a command in a container, as the container's user. `None` if it timed out; then it is
/// ended.
pub async fn run_in(
    ctx: &VerbContext,
    seen: &InspectedContainer,
    command: &ContainerCommand,
) -> Result<Option<ProbeResult>, Failure> {
    let mut chance = [0; 8];
    ctx.host.random(&mut chance);
    let mark = exec_processes::mark(chance);
    let user = (!seen.user.is_empty()).then(|| seen.user.clone());
    let request = ExecRequest {
        command: command.command.clone(),
        environment: command.environment.iter().cloned().chain([mark.clone()]).collect(),
        user: user.clone(),
        simulated: command.simulated.clone(),
        ..ExecRequest::default()
    };
    let started = StartedCommand {
        container: seen.id.clone(),
        name: seen.name.clone(),
        mark,
        user,
        privileged: false,
        id: None,
    };
    let running = RunningCommand::begin(ctx, started.clone());
    let mut id = None;
    let begun = ctx.host.monotonic();
    let run = async {
        let id = &mut id;
        let mut output = Vec::new();
        let mut session = match ctx.engine.exec_start(&seen.id, &request).await {
            Ok(session) => session,
            Err(error) if error.kind == EngineErrorKind::Unreachable => return Err(error),
            // The container is ending: its exit will be reported.
            Err(error) => return Ok((None, error.message)),
        };
        *id = Some(session.id.clone());
        running.has_id(&session.id);
        while let Some(chunk) = session.output.next().await {
            let Ok(chunk) = chunk else { break };
            output.extend_from_slice(&chunk.bytes);
            if output.len() > 2 * OUTPUT_KEPT {
                output.drain(..output.len() - OUTPUT_KEPT);
            }
        }
        let code = match ctx.engine.exec_inspect(&session.id).await {
            Ok(state) => state.exit_code,
            Err(error) if error.kind == EngineErrorKind::Unreachable => return Err(error),
            Err(_) => None,
        };
        Ok((code, String::from_utf8_lossy(&output).into_owned()))
    };
    let result = futures::select_biased! {
        result = Box::pin(run).fuse() => Some(result),
        () = ctx.host.sleep(command.limit).fuse() => None,
    };
    let Some(result) = result else {
        // If it can't be ended, it is a health check that hangs, and the wait reports that.
        end(ctx, &StartedCommand { id, ..started }).await;
        running.over();
        return Ok(None);
    };
    running.over();
    let (code, output) = result.map_err(|error| of_engine(error, "run a health check"))?;
    let elapsed = ctx.host.monotonic().saturating_sub(begun);
    Ok(Some(ProbeResult { code: code.unwrap_or(-1), output, elapsed }))
}
