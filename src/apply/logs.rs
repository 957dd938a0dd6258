//! Logs of several containers as one stream of lines.

use futures::stream::{BoxStream, SelectAll};
use futures::{Stream, StreamExt};

use super::Surroundings;
use super::failures::of_engine;
use super::observe::inspect;
use crate::engine::{LogsRequest, OutputKind, OutputStream};
use crate::model::Failure;
use crate::model::lines::Lines;

/// A line of a container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The container's name without the project: `backend-1`.
    pub from: String,
    pub service: String,
    /// RFC 3339, if asked for.
    pub time: Option<String>,
    pub stderr: bool,
    pub text: String,
}

/// A container whose log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    pub id: String,
    pub service: String,
    pub from: String,
}

/// The lines of all `containers`, as they come. One container's lines stay in order.
pub async fn lines(
    around: &Surroundings,
    containers: &[Logged],
    request: LogsRequest,
) -> Result<impl Stream<Item = LogLine> + Send + use<>, Failure> {
    let mut all: SelectAll<BoxStream<'static, LogLine>> = SelectAll::new();
    for container in containers {
        let tty = inspect(&*around.engine, &container.id).await?.tty;
        let stream = around
            .engine
            .container_logs(&container.id, &LogsRequest { tty, ..request })
            .await
            .map_err(|error| of_engine(error, &format!("read the log of \"{}\"", container.from)))?;
        let container = container.clone();
        all.push(
            split_lines(stream)
                .map(move |(kind, line)| {
                    let (time, text) = match line.split_once(' ').filter(|_| request.timestamps) {
                        Some((time, text)) => (Some(time.to_owned()), text.to_owned()),
                        None => (None, line),
                    };
                    LogLine {
                        from: container.from.clone(),
                        service: container.service.clone(),
                        time,
                        stderr: kind == OutputKind::Stderr,
                        text,
                    }
                })
                .boxed(),
        );
    }
    Ok(all)
}

/// Chunks → lines, each output on its own; what is not UTF-8 is replaced, and a very long line comes in pieces.
pub fn split_lines(stream: OutputStream) -> impl Stream<Item = (OutputKind, String)> + Send {
    struct State {
        stream: OutputStream,
        lines: [Lines; 2],
        ready: std::collections::VecDeque<(OutputKind, String)>,
        ended: bool,
    }
    let state = State { stream, lines: [Lines::new(), Lines::new()], ready: std::collections::VecDeque::new(), ended: false };
    futures::stream::unfold(state, |mut state| async move {
        loop {
            if let Some(line) = state.ready.pop_front() {
                return Some((line, state));
            }
            if state.ended {
                return None;
            }
            match state.stream.next().await {
                Some(Ok(chunk)) => {
                    let lines = &mut state.lines[usize::from(chunk.kind == OutputKind::Stderr)];
                    state.ready.extend(lines.push(&chunk.bytes).into_iter().map(|line| (chunk.kind, line)));
                }
                Some(Err(_)) | None => {
                    state.ended = true;
                    for (kind, lines) in [OutputKind::Stdout, OutputKind::Stderr].into_iter().zip(&mut state.lines) {
                        state.ready.extend(lines.finish().map(|line| (kind, line)));
                    }
                }
            }
        }
    })
}
