//! What every connection to an engine is, and how long it is waited for.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

/// What a connection is, whichever the route.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The engine's clients know no other clock than the real one: this implementation never runs in
/// virtual time.
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
