//! Builds images: with BuildKit, or with the classic builder if the engine has no BuildKit.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bollard::models::BuildInfo;
use bollard::query_parameters::{BuildImageOptions, BuilderVersion};
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use hyper::Request;
use hyper::header::{CONTENT_TYPE, HeaderValue};

use super::build_progress::Progress;
use super::session::Session;
use super::{DockerEngine, errors, images, streams, transfer, wire};
use crate::engine::calls::SHORT;
use crate::engine::{
    BuildEvent, BuildRequest, EngineError, EngineErrorKind, Method, RegistryAuth, Result,
};

/// See [`crate::engine::Engine::image_build`]. Dropping the stream cancels the build.
pub(super) async fn build(
    engine: &DockerEngine,
    mut request: BuildRequest,
) -> Result<BoxStream<'static, Result<BuildEvent>>> {
    let id = if has_buildkit(engine).await? { Some(session_id()?) } else { None };
    let secrets = std::mem::take(&mut request.secrets);
    let session = match &id {
        Some(id) => {
            Some(Session::open(&engine.wire, id, secrets, engine.credentials.clone()).await?)
        }
        None if secrets.is_empty() => None,
        None => return Err(without_buildkit()),
    };
    let path = format!("/build?{}", query(&request, id)?);
    let context = bollard::body_try_stream(request.context);
    let mut head = Request::post(path).header(CONTENT_TYPE, "application/x-tar");
    if let (None, Some(credentials)) = (&session, &engine.credentials) {
        head = head.header("X-Registry-Config", registries(&credentials.all().await?)?);
    }
    let call = head.body(context).map_err(|error| errors::from_client(error.into()))?;
    let engine = engine.clone();
    let tags = request.tags;
    let build = async_stream::try_stream! {
        // Ends with the stream.
        let _session = session;
        let mut progress = Progress::default();
        let response = engine.wire.exchange(call, wire::limit(Method::ImageBuild)).await?;
        let mut reports = streams::lines(streams::body(response));
        while let Some(line) = reports.next().await {
            let report: BuildInfo = streams::read_json(&line?)?;
            if let Some(error) = report.error_detail.as_ref().and_then(|detail| detail.message.clone()) {
                for event in progress.rest() {
                    yield event;
                }
                Err(progress.failure(&error))?;
            }
            for event in progress.take(report) {
                yield event;
            }
        }
        for event in progress.rest() {
            yield event;
        }
        let image = progress.image().ok_or_else(|| errors::cut_off("the image was built"))?;
        // In bollard's options the builder gets one tag, the first.
        for tag in tags.iter().skip(1) {
            images::tag(&engine, &image, tag).await?;
        }
        yield BuildEvent::Image(image);
    };
    Ok(build.boxed())
}

/// Credentials of registries for the classic builder, which can't ask for them.
fn registries(all: &BTreeMap<String, RegistryAuth>) -> Result<HeaderValue> {
    let json: serde_json::Map<String, serde_json::Value> =
        all.iter().map(|(key, auth)| (key.clone(), transfer::as_json(auth))).collect();
    let encoded = URL_SAFE.encode(serde_json::Value::from(json).to_string());
    let mut value = HeaderValue::try_from(encoded).map_err(errors::unreadable)?;
    value.set_sensitive(true);
    Ok(value)
}

fn without_buildkit() -> EngineError {
    EngineError::new(
        EngineErrorKind::Invalid,
        "the build has secrets, which need BuildKit, and the engine does not have it",
    )
    .with_hint("use an engine with BuildKit, or remove `secrets` from the build")
}

/// Whether the engine has BuildKit. It doesn't on Windows, and engines of other makers may have no
/// sessions for it.
///
/// Checked first, because the context is a stream and can be sent only once.
async fn has_buildkit(engine: &DockerEngine) -> Result<bool> {
    if engine.windows {
        return Ok(false);
    }
    // Without an offer to upgrade the connection nothing starts; an engine that knows the path
    // answers "invalid".
    match engine.wire.exchange(wire::request(Request::post("/session"), Bytes::new())?, SHORT).await
    {
        Err(error) if error.kind == EngineErrorKind::Unreachable => Err(error),
        Err(error) if error.is_not_found() => Ok(false),
        _ => Ok(true),
    }
}

fn query(request: &BuildRequest, session: Option<String>) -> Result<String> {
    serde_urlencoded::to_string(options(request, session))
        .map_err(|error| EngineError::new(EngineErrorKind::Invalid, error.to_string()))
}

fn options(request: &BuildRequest, session: Option<String>) -> BuildImageOptions {
    BuildImageOptions {
        dockerfile: request.dockerfile.clone(),
        t: request.tags.first().cloned(),
        target: request.target.clone().unwrap_or_default(),
        buildargs: (!request.args.is_empty()).then(|| request.args.clone().into_iter().collect()),
        labels: (!request.labels.is_empty()).then(|| request.labels.clone().into_iter().collect()),
        nocache: request.no_cache,
        pull: request.pull.then(|| "true".to_owned()),
        networkmode: request.network.clone(),
        platform: request.platform.clone().unwrap_or_default(),
        // For the classic builder: leave no container behind.
        rm: true,
        forcerm: true,
        version: if session.is_some() {
            BuilderVersion::BuilderBuildKit
        } else {
            BuilderVersion::BuilderV1
        },
        session,
        ..Default::default()
    }
}

/// A name for the build's session that no other client of the engine has.
fn session_id() -> Result<String> {
    let mut bytes = [0; 16];
    #[expect(
        clippy::disallowed_methods,
        reason = "names a session on a real engine; nothing simulated has one"
    )]
    getrandom::fill(&mut bytes).map_err(|error| {
        EngineError::new(
            EngineErrorKind::Failed,
            format!("could not begin a build session: no randomness: {error}"),
        )
    })?;
    Ok(bytes.iter().fold("spc-".to_owned(), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    }))
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[test]
    fn every_part_of_a_request_reaches_the_builder() {
        let request = BuildRequest {
            tags: vec!["local/app:dev".into(), "local/app:latest".into()],
            dockerfile: "docker/Dockerfile".into(),
            target: Some("production".into()),
            args: BTreeMap::from([("BASE".into(), "local/python".into())]),
            secrets: BTreeMap::new(),
            labels: BTreeMap::from([("dev.spc.context".into(), "aa".into())]),
            no_cache: true,
            pull: true,
            network: Some("host".into()),
            platform: Some("linux/amd64".into()),
            context_digest: String::new(),
            context: stream::empty().boxed(),
        };
        let options = options(&request, Some("id".into()));
        assert_eq!(options.version, BuilderVersion::BuilderBuildKit);
        assert_eq!(
            (options.t.as_deref(), options.dockerfile.as_str()),
            (Some("local/app:dev"), "docker/Dockerfile")
        );
        assert_eq!(
            (options.target.as_str(), options.platform.as_str()),
            ("production", "linux/amd64")
        );
        assert_eq!(options.buildargs.unwrap()["BASE"], "local/python");
        assert_eq!(options.labels.unwrap()["dev.spc.context"], "aa");
        assert!(options.nocache);
        assert_eq!(
            (options.pull.as_deref(), options.networkmode.as_deref()),
            (Some("true"), Some("host"))
        );
    }

    #[test]
    fn build_sessions_have_unique_names() {
        assert_ne!(session_id().unwrap(), session_id().unwrap());
    }
}
