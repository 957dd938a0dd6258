//! Transfers of images: pull, push, import, and requests to a registry.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bollard::models::{DistributionInspect, ProgressDetail};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Request, Response};
use serde::Deserialize;

use super::credentials::{CredentialLookup, registry_of};
use super::reference::{query_value, repository_and_tag, segment};
use super::{DockerEngine, errors, images, streams, wire};
use crate::engine::{EngineError, Method, RegistryAuth, Result, TransferEvent};

pub(super) async fn registry_digest(
    engine: &DockerEngine,
    image: &str,
    auth: Option<&RegistryAuth>,
) -> Result<String> {
    let known = CallCredentials::of(engine, image, auth).await?;
    digest_as(engine, image, known.auth()).await.map_err(|error| known.explain(error))
}

/// The credentials of a call: the given ones, or else the person's own.
struct CallCredentials {
    found: CredentialLookup,
    registry: String,
}

impl CallCredentials {
    async fn of(engine: &DockerEngine, image: &str, given: Option<&RegistryAuth>) -> Result<Self> {
        let registry = registry_of(image);
        let found = match (given, &engine.credentials) {
            (Some(auth), _) => CredentialLookup::Some(auth.clone()),
            (None, Some(credentials)) => credentials.of(&registry).await?,
            (None, None) => CredentialLookup::None,
        };
        Ok(Self { found, registry })
    }

    fn auth(&self) -> Option<&RegistryAuth> {
        self.found.auth()
    }

    fn explain(&self, error: EngineError) -> EngineError {
        self.found.explain(error, &self.registry)
    }
}

/// The reports of a transfer. A registry that refuses it may report this in the middle.
fn explained(
    known: CallCredentials,
    reports: BoxStream<'static, Result<TransferEvent>>,
) -> BoxStream<'static, Result<TransferEvent>> {
    reports.map(move |report| report.map_err(|error| known.explain(error))).boxed()
}

async fn digest_as(
    engine: &DockerEngine,
    image: &str,
    auth: Option<&RegistryAuth>,
) -> Result<String> {
    let head = Request::get(format!("/distribution/{}/json", segment("image", image)?));
    let response = exchange(engine, Method::ImageRegistryDigest, authorised(head, auth)?).await?;
    let body = streams::whole(response).await?;
    let answer: DistributionInspect = streams::read_json(&body)?;
    answer.descriptor.digest.ok_or_else(|| errors::unreadable("it holds no digest"))
}

pub(super) async fn pull(
    engine: &DockerEngine,
    image: &str,
    platform: Option<&str>,
    auth: Option<&RegistryAuth>,
) -> Result<BoxStream<'static, Result<TransferEvent>>> {
    let (repository, tag) = repository_and_tag(image);
    let path = format!(
        "/images/create?fromImage={}&tag={}&platform={}",
        query_value(repository),
        query_value(tag),
        query_value(platform.unwrap_or_default())
    );
    let known = CallCredentials::of(engine, image, auth).await?;
    let response =
        exchange(engine, Method::ImagePull, authorised(Request::post(path), known.auth())?)
            .await
            .map_err(|error| known.explain(error))?;
    streams::begun(explained(known, reports(response))).await
}

pub(super) async fn push(
    engine: &DockerEngine,
    image: &str,
    auth: Option<&RegistryAuth>,
) -> Result<BoxStream<'static, Result<TransferEvent>>> {
    let (repository, tag) = repository_and_tag(image);
    let path = format!("/images/{}/push?tag={}", segment("image", repository)?, query_value(tag));
    // Here the engine requires the header, even if it is empty.
    let nobody = RegistryAuth::default();
    let known = CallCredentials::of(engine, image, auth).await?;
    let request = authorised(Request::post(path), Some(known.auth().unwrap_or(&nobody)))?;
    let response =
        exchange(engine, Method::ImagePush, request).await.map_err(|error| known.explain(error))?;
    streams::begun(explained(known, reports(response))).await
}

pub(super) async fn import(
    engine: &DockerEngine,
    tag: &str,
    changes: &[String],
    tar: BoxStream<'static, io::Result<Bytes>>,
) -> Result<String> {
    let (repository, version) = repository_and_tag(tag);
    let mut path = format!(
        "/images/create?fromSrc=-&repo={}&tag={}",
        query_value(repository),
        query_value(version)
    );
    for change in changes {
        path.push_str("&changes=");
        path.push_str(&query_value(change));
    }
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/x-tar")
        .body(bollard::body_try_stream(tar));
    let request = request.map_err(|error| errors::from_client(error.into()))?;
    let response = engine
        .wire
        .exchange(request, wire::limit(Method::ImageImport))
        .await
        .map_err(errors::about_transfer)?;

    // The last report contains the new image's id.
    let mut reports = reports(response);
    let mut id = None;
    while let Some(report) = reports.next().await {
        id = Some(report?.status).filter(|status| status.starts_with("sha256:")).or(id);
    }
    match id {
        Some(id) => Ok(id),
        None => images::inspect(engine, tag)
            .await?
            .id
            .ok_or_else(|| errors::unreadable("it holds no image id")),
    }
}

/// The engine sends its headers when the registry first answers.
async fn exchange(
    engine: &DockerEngine,
    method: Method,
    request: bollard::BollardRequest,
) -> Result<Response<Incoming>> {
    engine.wire.exchange(request, wire::limit(method)).await.map_err(errors::about_transfer)
}

/// A request with the credentials in the engine's form: JSON in URL-safe base64. The engine reads
/// any other alphabet, such as bollard's, as "none".
fn authorised(head: Builder, auth: Option<&RegistryAuth>) -> Result<bollard::BollardRequest> {
    let Some(auth) = auth else { return wire::request(head, Bytes::new()) };
    let json = as_json(auth);
    let encoded = HeaderValue::try_from(URL_SAFE.encode(json.to_string()));
    let mut value = encoded.map_err(errors::unreadable)?;
    value.set_sensitive(true);
    wire::request(head.header("X-Registry-Auth", value), Bytes::new())
}

/// Credentials in the form for the engine.
pub(super) fn as_json(auth: &RegistryAuth) -> serde_json::Value {
    if auth.identity_token.is_empty() {
        serde_json::json!({ "username": auth.username, "password": auth.password })
    } else {
        serde_json::json!({ "identitytoken": auth.identity_token })
    }
}

/// One line of the engine's report.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    id: Option<String>,
    status: Option<String>,
    #[serde(rename = "progressDetail")]
    progress: Option<ProgressDetail>,
    #[serde(rename = "errorDetail")]
    failure: Option<Failure>,
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Failure {
    message: String,
}

/// The reports in an answer. The first failure is the last item.
fn reports(response: Response<Incoming>) -> BoxStream<'static, Result<TransferEvent>> {
    async_stream::try_stream! {
        let mut lines = streams::lines(streams::body(response));
        while let Some(line) = lines.next().await {
            if let Some(event) = read(&line?)? {
                yield event;
            }
        }
    }
    .boxed()
}

/// A report, if the line is one (a push also sends the digest, in another form).
fn read(line: &[u8]) -> Result<Option<TransferEvent>> {
    let report: Report = streams::read_json(line)?;
    if let Some(message) = report.failure.map(|failure| failure.message).or(report.error) {
        return Err(errors::from_stream(&message));
    }
    let Some(status) = report.status else { return Ok(None) };
    let progress = report.progress.and_then(|ProgressDetail { current, total }| {
        let (current, total) = (u64::try_from(current?).ok()?, u64::try_from(total?).ok()?);
        (total > 0).then_some((current, total))
    });
    Ok(Some(TransferEvent { layer: report.id, status, progress }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineErrorKind;

    #[test]
    fn a_report_names_its_layer_and_its_progress() {
        let line = br#"{"status":"Downloading","progressDetail":{"current":512,"total":2048},"progress":"[==>  ]","id":"4f4fb700ef54"}"#;
        let event = TransferEvent {
            layer: Some("4f4fb700ef54".into()),
            status: "Downloading".into(),
            progress: Some((512, 2048)),
        };
        assert_eq!(read(line), Ok(Some(event)));
    }

    #[test]
    fn progress_without_a_total_is_omitted() {
        let event = |status: &str| {
            Ok(Some(TransferEvent { layer: None, status: status.into(), progress: None }))
        };
        assert_eq!(
            read(br#"{"status":"Pull complete","progressDetail":{}}"#),
            event("Pull complete")
        );
        assert_eq!(
            read(br#"{"status":"Pushing","progressDetail":{"current":7}}"#),
            event("Pushing")
        );
        assert_eq!(
            read(br#"{"progressDetail":{},"aux":{"Tag":"v1","Digest":"sha256:aa","Size":1}}"#),
            Ok(None)
        );
    }

    #[test]
    fn a_failure_in_the_middle_is_an_error_with_the_engines_words() {
        let failed = |line: &[u8]| read(line).unwrap_err();
        let error =
            failed(br#"{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}"#);
        assert_eq!(
            (error.kind, error.message.as_str()),
            (EngineErrorKind::Failed, "unexpected EOF")
        );
        assert!(failed(br#"{"error":"manifest unknown"}"#).is_not_found());
    }

    #[test]
    fn credentials_are_sent_in_the_url_safe_alphabet_and_marked_sensitive() {
        let auth = RegistryAuth {
            username: "me".into(),
            password: "~~~???>>>".into(),
            ..RegistryAuth::default()
        };
        let request = authorised(Request::post("/images/create"), Some(&auth)).unwrap();
        let value = &request.headers()["X-Registry-Auth"];
        assert!(value.is_sensitive());
        let json = URL_SAFE.decode(value.as_bytes()).unwrap();
        assert_eq!(json, br#"{"password":"~~~???>>>","username":"me"}"#);
        let text = value.to_str().unwrap();
        assert!(text.contains(['-', '_']) && !text.contains(['+', '/']), "{text}");
    }
}
