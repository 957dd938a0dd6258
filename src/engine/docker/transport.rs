//! The type of a connection to an engine, and its time limit.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, whatever its route.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The engine's clients use only the real clock: this implementation never runs in virtual time.
pub(super) async fn within<T>(
    time: Duration,
    future: impl Future<Output = T>,
) -> std::result::Result<T, tokio::time::error::Elapsed> {
    #[allow(
        clippy::disallowed_methods,
        reason = "a limit on the engine's own socket, which exists in real time only"
    )]
    tokio::time::timeout(time, future).await
}
