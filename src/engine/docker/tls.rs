//! The client side of TLS for `tcp://` engines, from Docker's three files.

mod skip_verify;
pub(super) mod tls_errors;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::client_folder::client_folder;
use crate::engine::{EngineError, EngineErrorKind, Result};
use crate::host::resolve::named;
use crate::host::{Host, HostErrorKind};

/// The content of Docker's files for TLS, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The folder of the files, for messages.
    pub folder: PathBuf,
    /// `ca.pem`: the certificate authorities for the engine. Without it, those of this machine.
    pub authority: Option<Bytes>,
    /// `cert.pem` and `key.pem`: the client's certificate. Without them the engine has to accept
    /// anonymous clients.
    pub identity: Option<(Bytes, Bytes)>,
    /// Whether the engine has to prove its identity.
    pub verify: bool,
    /// The context of the files; otherwise the environment named them.
    pub context: Option<String>,
}

// By hand, because the key is a secret.
impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles")
            .field("folder", &self.folder)
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// The files in `DOCKER_CERT_PATH`, or in the folder of Docker's client. With
    /// `DOCKER_TLS_VERIFY` the engine has to prove its identity; with only `DOCKER_TLS` it doesn't,
    /// as in Docker's client.
    pub(super) fn of_environment(host: &dyn Host) -> Result<Self> {
        let variable = |name: &str| host.variable(name).filter(|value| !value.is_empty());
        let verify = variable("DOCKER_TLS_VERIFY").is_some();
        let switch = if verify { "DOCKER_TLS_VERIFY" } else { "DOCKER_TLS" };
        let folder = variable("DOCKER_CERT_PATH")
            .map(PathBuf::from)
            .or_else(|| client_folder(host))
            .ok_or_else(|| {
                let message = format!(
                    "{switch} is set, but none of DOCKER_CERT_PATH, DOCKER_CONFIG and HOME is"
                );
                EngineError::new(EngineErrorKind::Invalid, message).with_hint(CERT_PATH)
            })?;
        let mut files = Self::read(host, &folder, verify, &|path| {
            let message = format!("{switch} is set, but there is no \"{}\"", path.display());
            EngineError::new(EngineErrorKind::Invalid, message).with_hint(CERT_PATH)
        })?;
        if !verify {
            files.authority = None;
        } else if files.authority.is_none() {
            let message =
                format!("{switch} is set, but there is no \"{}\"", folder.join("ca.pem").display());
            return Err(EngineError::new(EngineErrorKind::Invalid, message).with_hint(CERT_PATH));
        }
        Ok(files)
    }

    /// The files of a context. `None` if it has none and the engine has to prove its identity,
    /// which means: no encryption.
    pub(super) fn of_context(
        host: &dyn Host,
        folder: &Path,
        context: &str,
        verify: bool,
    ) -> Result<Option<Self>> {
        let mut files = Self::read(host, folder, verify, &|path| {
            let message = format!(
                "the context \"{context}\" has one of cert.pem and key.pem, but there is no \"{}\"",
                path.display()
            );
            EngineError::new(EngineErrorKind::Invalid, message).with_hint(format!(
                "give it both: `docker context update {context} --docker host=…,ca=…,cert=…,key=…`"
            ))
        })?;
        files.context = Some(context.to_owned());
        Ok(Some(files)
            .filter(|files| files.authority.is_some() || files.identity.is_some() || !verify))
    }

    fn read(
        host: &dyn Host,
        folder: &Path,
        verify: bool,
        missing: &dyn Fn(&Path) -> EngineError,
    ) -> Result<Self> {
        let read = |name: &str| {
            match host.read(&named(host, &folder.join(name))) {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind == HostErrorKind::NotFound => Ok(None),
            Err(error) => Err(EngineError::new(EngineErrorKind::Invalid, error.message).with_hint(
                "give the user who runs spc read access to it, or name another folder with DOCKER_CERT_PATH",
            )),
        }
        };
        let identity = match (read("cert.pem")?, read("key.pem")?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(missing(&folder.join("key.pem"))),
            (None, Some(_)) => return Err(missing(&folder.join("cert.pem"))),
        };
        Ok(Self {
            folder: folder.to_owned(),
            authority: read("ca.pem")?,
            identity,
            verify,
            context: None,
        })
    }

    /// The parts of them that a connection needs.
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>> {
        let unusable = |name: &str, why: &dyn std::fmt::Display| {
            let message = format!("could not use \"{}\": {why}", self.folder.join(name).display());
            EngineError::new(EngineErrorKind::Invalid, message)
                .with_hint("give it a file in PEM, as `docker` takes it")
        };
        // Given explicitly and not taken from the process, so that it doesn't depend on what was
        // installed before.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("ca.pem", &error))?;
        let builder = if self.verify {
            builder.with_root_certificates(self.roots().map_err(|why| unusable("ca.pem", &why))?)
        } else {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(skip_verify::AnyEngine(provider)))
        };
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_slice_iter(certificate)
                    .collect::<std::result::Result<Vec<_>, _>>()
                    .map_err(|error| unusable("cert.pem", &error))?;
                if chain.is_empty() {
                    return Err(unusable("cert.pem", &NO_CERTIFICATE));
                }
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
                    unusable("key.pem", &"it holds no private key without a password")
                })?;
                builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => {
                        unusable("key.pem", &"it is not the key of \"cert.pem\"")
                    }
                    error => unusable("cert.pem", &error),
                })?
            }
        };
        Ok(Arc::new(config))
    }

    fn roots(&self) -> std::result::Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let Some(authority) = &self.authority else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        for certificate in CertificateDer::pem_slice_iter(authority) {
            roots
                .add(certificate.map_err(|error| error.to_string())?)
                .map_err(|error| error.to_string())?;
        }
        if roots.is_empty() { Err(NO_CERTIFICATE.to_owned()) } else { Ok(roots) }
    }
}

const NO_CERTIFICATE: &str = "it holds no certificate";
const CERT_PATH: &str =
    "set DOCKER_CERT_PATH to the folder that holds ca.pem, cert.pem and key.pem";

#[cfg(test)]
mod tests;
