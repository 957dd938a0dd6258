//! What can go wrong with a request.

use std::fmt;

/// Every request ends with its whole, right answer, or with one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureClass {
    /// No connection.
    Connect,
    /// The server closed the idle connection without having announced it. A client that keeps
    /// connections meets that with its next request.
    Closed,
    /// The connection ended before the head of the answer.
    Reset,
    /// The connection ended within the answer.
    Truncated,
    Timeout,
    /// The status is not 2xx, or not 101 for a WebSocket.
    Status,
    /// The answer is whole, but it is not the answer to this request.
    Content,
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connect => "no connection",
            Self::Closed => "closed while idle",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Content => "wrong content",
        })
    }
}

/// A failed request.
#[derive(Clone, Debug)]
pub struct Failure {
    pub class: FailureClass,
    pub reason: String,
    /// The release that answered, for [`FailureClass::Status`].
    pub release: Option<String>,
}

impl Failure {
    pub(super) fn new(class: FailureClass, reason: impl fmt::Display) -> Self {
        Self { class, reason: reason.to_string(), release: None }
    }
}

/// An error with its causes, in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
