//! The kinds of load.

use std::fmt;
use std::time::Duration;

/// What a client does, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// GET requests over one connection: a page, the API, an echo.
    KeepAliveGet,
    /// POST requests with a small JSON body over one connection.
    KeepAlivePost,
    /// A new connection for each GET request.
    FreshGet,
    /// Requests that take seconds. Every other one streams its answer.
    Slow,
    /// Uploads of several megabytes. The answer has their size and hash.
    Upload,
    /// One request of 20 s after the other.
    Long,
    /// A WebSocket with a message at each interval.
    WebSocket,
}

impl Kind {
    pub const ALL: [Self; 7] = [
        Self::KeepAliveGet,
        Self::KeepAlivePost,
        Self::FreshGet,
        Self::Slow,
        Self::Upload,
        Self::Long,
        Self::WebSocket,
    ];

    /// Whether its latency shows how fast the server is.
    pub fn is_quick(self) -> bool {
        matches!(self, Self::KeepAliveGet | Self::KeepAlivePost | Self::FreshGet)
    }

    /// How long a client waits for the whole answer, or for the answer to a message.
    pub fn time_limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::KeepAliveGet | Self::KeepAlivePost | Self::FreshGet => 15,
            Self::WebSocket => 15,
            Self::Slow | Self::Upload => 30,
            Self::Long => 45,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::KeepAliveGet => "keep-alive GET",
            Self::KeepAlivePost => "keep-alive POST",
            Self::FreshGet => "fresh connection",
            Self::Slow => "slow",
            Self::Upload => "upload",
            Self::Long => "20 s in flight",
            Self::WebSocket => "WebSocket",
        })
    }
}
