//! The answers of the outside world on the simulated host: for commands and HTTP requests, as a
//! test defines them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::host::{CommandRequest, HostError, HttpRequest, HttpResponse};

/// The result of a host command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandAnswer {
    pub stdout: Bytes,
    pub stderr: Bytes,
    pub code: i64,
    /// The virtual time that the command takes.
    pub takes: Duration,
    /// The files that it writes at its end: by path, relative to its folder.
    pub files: BTreeMap<PathBuf, Bytes>,
}

impl CommandAnswer {
    /// Success with this output.
    pub fn stdout(text: impl Into<Bytes>) -> Self {
        Self { stdout: text.into(), ..Self::default() }
    }

    /// Failure with this code and this text on standard error.
    pub fn failure(code: i64, stderr: impl Into<Bytes>) -> Self {
        Self { stderr: stderr.into(), code, ..Self::default() }
    }

    /// The same, after `takes` of virtual time.
    #[must_use]
    pub fn taking(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }

    /// The same with a file that it writes.
    #[must_use]
    pub fn writing(mut self, path: impl Into<PathBuf>, content: impl Into<Bytes>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }
}

/// The answer to an HTTP request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The answer, or why there is none.
    pub result: Result<HttpResponse, HostError>,
    /// The virtual time until it arrives.
    pub takes: Duration,
}

impl HttpAnswer {
    /// A status and a body.
    pub fn status(status: u16, body: impl Into<Bytes>) -> Self {
        Self {
            result: Ok(HttpResponse { status, headers: Vec::new(), body: body.into() }),
            takes: Duration::ZERO,
        }
    }

    /// No answer, for this reason.
    pub fn failure(error: HostError) -> Self {
        Self { result: Err(error), takes: Duration::ZERO }
    }

    /// The same with one more header; its name in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Ok(response) = &mut self.result {
            response.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same, after `takes` of virtual time.
    #[must_use]
    pub fn taking(mut self, takes: Duration) -> Self {
        self.takes = takes;
        self
    }
}

type Script<Request, Answer> = Arc<dyn Fn(&Request) -> Option<Answer> + Send + Sync>;

/// Scripts for one kind of request. The last one is asked first; `None` passes the request on.
pub(super) struct Scripts<Request: ?Sized, Answer>(Mutex<Vec<Script<Request, Answer>>>);

pub(super) type CommandScripts = Scripts<CommandRequest, CommandAnswer>;
/// For connections: the address → the time until it is accepted.
pub(super) type ConnectScripts = Scripts<str, Duration>;
pub(super) type HttpScripts = Scripts<HttpRequest, HttpAnswer>;

impl<Request: ?Sized, Answer> Default for Scripts<Request, Answer> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<Request: ?Sized, Answer> Scripts<Request, Answer> {
    pub(super) fn add(&self, script: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static) {
        self.0.lock().push(Arc::new(script));
    }

    /// Called without the lock, because a script may use the host.
    pub(super) fn answer(&self, request: &Request) -> Option<Answer> {
        let scripts = self.0.lock().clone();
        scripts.iter().rev().find_map(|script| script(request))
    }
}
