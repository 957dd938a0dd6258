//! The session of a build: a connection over which BuildKit asks its client for data, above all for
//! secrets. A secret is sent only in this way. It is in no request, and the builder keeps it in
//! memory for the step that mounts it.

use std::collections::BTreeMap;
use std::pin::Pin;

use bollard::health::health_check_response::ServingStatus;
use bollard::health::health_server::{Health, HealthServer};
use bollard::health::{
    HealthCheckRequest, HealthCheckResponse, HealthListRequest, HealthListResponse,
};
use bollard::moby::buildkit::secrets::v1::secrets_server::{Secrets, SecretsServer};
use bollard::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use bollard::moby::filesync::v1::auth_server::{Auth, AuthServer};
use bollard::moby::filesync::v1::{
    CredentialsRequest, CredentialsResponse, FetchTokenRequest, FetchTokenResponse,
    GetTokenAuthorityRequest, GetTokenAuthorityResponse, VerifyTokenAuthorityRequest,
    VerifyTokenAuthorityResponse,
};
use bytes::Bytes;
use futures::Stream;
use hyper::Request as HttpRequest;
use hyper::header::{CONNECTION, UPGRADE};
use hyper::server::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::service::TowerToHyperService;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use super::credentials::Credentials;
use super::errors;
use super::wire::{self, Wire};
use crate::engine::Result;
use crate::engine::calls::SHORT;

/// The services of the session that BuildKit can call.
const METHODS: [&str; 6] = [
    "/grpc.health.v1.Health/Check",
    "/moby.buildkit.secrets.v1.Secrets/GetSecret",
    "/moby.filesync.v1.Auth/Credentials",
    "/moby.filesync.v1.Auth/FetchToken",
    "/moby.filesync.v1.Auth/GetTokenAuthority",
    "/moby.filesync.v1.Auth/VerifyTokenAuthority",
];

/// A session that is served as long as this exists.
pub(super) struct Session(tokio::task::JoinHandle<()>);

impl Session {
    /// Opens the session `id`, which the build refers to. `secrets` are those of the build, by id.
    /// Base images are pulled with `credentials`, or anonymously without any.
    pub(super) async fn open(
        wire: &Wire,
        id: &str,
        secrets: BTreeMap<String, Bytes>,
        credentials: Option<Credentials>,
    ) -> Result<Self> {
        let mut head = HttpRequest::post("/session")
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "h2c")
            .header("X-Docker-Expose-Session-Uuid", id);
        for method in METHODS {
            head = head.header("X-Docker-Expose-Session-Grpc-Method", method);
        }
        let response = wire.exchange(wire::request(head, Bytes::new())?, SHORT).await?;
        let upgraded =
            hyper::upgrade::on(response).await.map_err(|error| errors::connection(&error))?;
        let services = Routes::new(HealthServer::new(HealthService))
            .add_service(SecretsServer::new(BuildSecrets(secrets)))
            .add_service(AuthServer::new(BaseImages(credentials)));
        let service = TowerToHyperService::new(services.prepare());
        #[expect(
            clippy::disallowed_methods,
            reason = "serves the session of a real engine; nothing simulated has one"
        )]
        let served = tokio::spawn(async move {
            // It ends with the build, which reports the reason.
            let _ =
                http2::Builder::new(TokioExecutor::new()).serve_connection(upgraded, service).await;
        });
        Ok(Self(served))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The secrets of one build, by id.
struct BuildSecrets(BTreeMap<String, Bytes>);

#[async_trait::async_trait]
impl Secrets for BuildSecrets {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> std::result::Result<Response<GetSecretResponse>, Status> {
        let id = &request.get_ref().id;
        match self.0.get(id) {
            Some(value) => Ok(Response::new(GetSecretResponse { data: value.to_vec() })),
            None => Err(Status::not_found(format!("secret {id} not found"))),
        }
    }
}

/// BuildKit asks every few seconds, and ends a session that does not answer.
struct HealthService;

type HealthStream =
    Pin<Box<dyn Stream<Item = std::result::Result<HealthCheckResponse, Status>> + Send>>;

#[async_trait::async_trait]
impl Health for HealthService {
    type WatchStream = HealthStream;

    async fn check(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> std::result::Result<Response<HealthCheckResponse>, Status> {
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    async fn list(
        &self,
        _: Request<HealthListRequest>,
    ) -> std::result::Result<Response<HealthListResponse>, Status> {
        Err(Status::unimplemented("the session has one state"))
    }

    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> std::result::Result<Response<HealthStream>, Status> {
        Err(Status::unimplemented("the session has one state"))
    }
}

/// Credentials for base images.
struct BaseImages(Option<Credentials>);

#[async_trait::async_trait]
impl Auth for BaseImages {
    async fn credentials(
        &self,
        request: Request<CredentialsRequest>,
    ) -> std::result::Result<Response<CredentialsResponse>, Status> {
        let Some(credentials) = &self.0 else {
            return Ok(Response::new(CredentialsResponse::default()));
        };
        let found = credentials
            .of(&request.get_ref().host)
            .await
            .map_err(|error| Status::internal(error.message))?;
        let answer = match found.auth() {
            None => CredentialsResponse::default(),
            // A token has no user name, as in the answer of Docker's client.
            Some(auth) if !auth.identity_token.is_empty() => {
                CredentialsResponse { username: String::new(), secret: auth.identity_token.clone() }
            }
            Some(auth) => CredentialsResponse {
                username: auth.username.clone(),
                secret: auth.password.clone(),
            },
        };
        Ok(Response::new(answer))
    }

    async fn fetch_token(
        &self,
        _: Request<FetchTokenRequest>,
    ) -> std::result::Result<Response<FetchTokenResponse>, Status> {
        Err(Status::unavailable("the session has no credentials"))
    }

    async fn get_token_authority(
        &self,
        _: Request<GetTokenAuthorityRequest>,
    ) -> std::result::Result<Response<GetTokenAuthorityResponse>, Status> {
        Err(Status::unavailable("the session has no credentials"))
    }

    async fn verify_token_authority(
        &self,
        _: Request<VerifyTokenAuthorityRequest>,
    ) -> std::result::Result<Response<VerifyTokenAuthorityResponse>, Status> {
        Err(Status::unavailable("the session has no credentials"))
    }
}
