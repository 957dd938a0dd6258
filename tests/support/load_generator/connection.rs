//! One HTTP/1.1 client with at most one connection. It sends each request once: a connection pool
//! would repeat a request that met a closed connection, and so hide a failure.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONNECTION, CONTENT_TYPE, COOKIE, HOST, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::failure::{Failure, FailureClass, causes};

/// The time limit of a connection to this machine.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A request, and what its answer has to be.
pub(super) struct Exchange {
    pub method: Method,
    pub path: String,
    /// Who the client is, in its user agent and a cookie: a proxy that splits its users needs one.
    pub user: String,
    pub body: Bytes,
    pub expected: Expected,
}

/// The right answer.
pub(super) enum Expected {
    /// Any whole answer that is not empty.
    Something,
    /// A body that ends with this text.
    EndsWith(String),
}

/// A whole answer.
pub(super) struct Answer {
    /// The header `X-Release`.
    pub release: Option<String>,
}

/// Whether a client uses its connection again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    KeepAlive,
    Never,
}

pub(super) struct Client {
    port: u16,
    reuse: Reuse,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(super) fn new(port: u16, reuse: Reuse) -> Self {
        Self { port, reuse, open: None }
    }

    /// Sends the request and reads the whole answer. After a failure, the next request opens a
    /// connection.
    pub(super) async fn send(
        &mut self,
        exchange: Exchange,
        limit: Duration,
    ) -> Result<Answer, Failure> {
        let result = timeout(limit, self.attempt(exchange)).await.unwrap_or_else(|_| {
            Err(Failure::new(FailureClass::Timeout, format!("no whole answer within {limit:?}")))
        });
        if result.is_err() {
            self.open = None;
        }
        result
    }

    async fn attempt(&mut self, exchange: Exchange) -> Result<Answer, Failure> {
        let mut sender = match self.open.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await.map_err(|error| Failure::new(FailureClass::Closed, causes(&error)))?;
        let response = sender.send_request(self.request(&exchange)).await.map_err(|error| {
            // hyper says whether it had not sent anything yet.
            let class =
                if error.is_canceled() { FailureClass::Closed } else { FailureClass::Reset };
            Failure::new(class, causes(&error))
        })?;
        let keep = self.reuse == Reuse::KeepAlive && !announces_close(&response);
        let answer = read(response, &exchange.expected).await?;
        self.open = keep.then_some(sender);
        Ok(answer)
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let stream = connect(self.port).await?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::new(FailureClass::Connect, causes(&error)))?;
        // It ends with the sender. The request reports its error.
        tokio::spawn(async {
            let _ = connection.await;
        });
        Ok(sender)
    }

    fn request(&self, exchange: &Exchange) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(exchange.method.clone())
            .uri(&exchange.path)
            .header(HOST, format!("localhost:{}", self.port))
            .header(USER_AGENT, &exchange.user)
            .header(COOKIE, format!("load={}", exchange.user));
        if self.reuse == Reuse::Never {
            request = request.header(CONNECTION, "close");
        }
        if exchange.method == Method::POST {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(exchange.body.clone())).unwrap()
    }
}

/// Opens a connection to this machine.
pub(super) async fn connect(port: u16) -> Result<TcpStream, Failure> {
    let stream = timeout(CONNECT_LIMIT, TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await;
    let stream = stream
        .map_err(|_| Failure::new(FailureClass::Connect, format!("not within {CONNECT_LIMIT:?}")))?
        .map_err(|error| Failure::new(FailureClass::Connect, error))?;
    // Otherwise small requests wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Whether the server says that it closes the connection after this answer.
fn announces_close<B>(response: &Response<B>) -> bool {
    response
        .headers()
        .get_all(CONNECTION)
        .iter()
        .any(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

async fn read(
    response: Response<hyper::body::Incoming>,
    expected: &Expected,
) -> Result<Answer, Failure> {
    let (head, body) = response.into_parts();
    let release = head.headers.get("X-Release").and_then(|value| value.to_str().ok());
    let release = release.map(str::to_owned);
    let body = body.collect().await;
    let body = body.map_err(|error| Failure::new(FailureClass::Truncated, causes(&error)))?;
    let body = body.to_bytes();
    let shown = || String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    if !head.status.is_success() {
        let reason = format!("{}: {}", head.status.as_u16(), shown());
        return Err(Failure { release, ..Failure::new(FailureClass::Status, reason) });
    }
    let is_right = match expected {
        Expected::Something => !body.is_empty(),
        Expected::EndsWith(text) => body.ends_with(text.as_bytes()),
    };
    if is_right {
        Ok(Answer { release })
    } else {
        Err(Failure::new(FailureClass::Content, format!("{} bytes: {}", body.len(), shown())))
    }
}
