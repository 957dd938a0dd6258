//! Connections that carry one request after another, used where opening one is expensive: over a
//! session of `ssh`.

#![expect(
    clippy::disallowed_methods,
    reason = "the connection to a real engine is its client's own, and moves beside the calls"
)]

use std::io;
use std::sync::Arc;

use bollard::errors::Error as ClientError;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::bounded_connection::{BoundedConnection, Budget};
use super::transport::Stream;

/// The body of a request.
type RequestBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;
/// A request in the form that is sent.
pub(super) type OutgoingRequest = Request<RequestBody>;

/// A connection for requests that are sent one after another.
pub(super) struct Exchange {
    sender: http1::SendRequest<RequestBody>,
    budget: Arc<Budget>,
    /// The task that moves the bytes; ends with the connection.
    end: JoinHandle<hyper::Result<()>>,
}

impl Exchange {
    pub(super) async fn begin(stream: Box<dyn Stream>) -> std::result::Result<Self, ClientError> {
        let budget = Arc::new(Budget::default());
        let (sender, connection) =
            http1::handshake(TokioIo::new(BoundedConnection::new(stream, budget.clone()))).await?;
        Ok(Self { sender, budget, end: tokio::spawn(async { connection.with_upgrades().await }) })
    }

    /// Sends a request; ready once the headers of the answer have arrived. With `limits`, the
    /// answer is collected as a whole.
    pub(super) async fn send(
        &mut self,
        request: OutgoingRequest,
        limits: bool,
    ) -> std::result::Result<Response<Incoming>, SendError> {
        self.budget.renew(limits);
        match self.sender.try_send_request(request).await {
            Ok(response) => Ok(response),
            Err(mut failed) => {
                let request = failed.take_message();
                let error = failed.into_error();
                // The exchange ended because the connection did. Only the connection knows the
                // reason.
                let cause = if error.is_canceled() {
                    (&mut self.end).await.ok().and_then(std::result::Result::err)
                } else {
                    None
                };
                Err(SendError { request, error: cause.unwrap_or(error).into() })
            }
        }
    }
}

/// Why there is no answer.
pub(super) struct SendError {
    /// The request, if nothing of it was sent.
    pub request: Option<OutgoingRequest>,
    pub error: ClientError,
}

/// Connections that wait for their next request.
#[derive(Default)]
pub(super) struct IdleConnections {
    idle: Mutex<Vec<Exchange>>,
    /// Notified when there is one.
    came: Notify,
}

impl IdleConnections {
    /// An idle connection, or a new one from `open`, whichever is available first.
    pub(super) async fn take(
        &self,
        open: impl Future<Output = io::Result<Box<dyn Stream>>>,
    ) -> std::result::Result<Exchange, ClientError> {
        let mut open = std::pin::pin!(open);
        loop {
            let came = self.came.notified();
            let kept = self.idle.lock().pop();
            match kept {
                Some(kept) if kept.sender.is_ready() => return Ok(kept),
                // It ended while it waited.
                Some(_) => continue,
                None => {}
            }
            tokio::select! {
                stream = &mut open => return Exchange::begin(stream?).await,
                () = came => {}
            }
        }
    }

    /// Keeps a connection as soon as its answer has been read, if it can be reused then.
    pub(super) fn keep(self: &Arc<Self>, mut exchange: Exchange) {
        let kept = self.clone();
        tokio::spawn(async move {
            if exchange.sender.ready().await.is_ok() {
                kept.idle.lock().push(exchange);
                kept.came.notify_one();
            }
        });
    }
}
