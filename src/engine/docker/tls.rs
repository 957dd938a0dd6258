//! The client side of TLS for `tcp://` engines, from Docker's three files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::engine::{EngineError, EngineErrorKind, Result};
use crate::host::{self, HostErrorKind};

/// The content of the files in `DOCKER_CERT_PATH`, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The folder they are from, for messages.
    pub folder: PathBuf,
    /// `ca.pem`: who may vouch for the engine.
    pub authority: Bytes,
    /// `cert.pem` and `key.pem`: who we are. Without them the engine has to let strangers in.
    pub identity: Option<(Bytes, Bytes)>,
}

// By hand: the key is a secret.
impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// Reads them from `folder`.
    pub(super) fn read(read: &dyn Fn(&Path) -> host::Result<Bytes>, folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            match read(&path) {
                Ok(content) => Ok(Some(content)),
                Err(error) if error.kind == HostErrorKind::NotFound => Ok(None),
                Err(error) => Err(EngineError::new(EngineErrorKind::Invalid, error.message)),
            }
        };
        let missing = |name: &str| {
            EngineError::new(
                EngineErrorKind::Invalid,
                format!("DOCKER_TLS_VERIFY is set, but there is no \"{}\"", folder.join(name).display()),
            )
            .with_hint("set DOCKER_CERT_PATH to the folder that holds ca.pem, cert.pem and key.pem")
        };
        let authority = read("ca.pem")?.ok_or_else(|| missing("ca.pem"))?;
        let identity = match (read("cert.pem")?, read("key.pem")?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(missing("key.pem")),
            (None, Some(_)) => return Err(missing("cert.pem")),
        };
        Ok(Self { folder: folder.to_owned(), authority, identity })
    }

    /// What a connection needs of them.
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>> {
        let unusable = |name: &str, why: &dyn std::fmt::Display| {
            EngineError::new(EngineErrorKind::Invalid, format!("could not use \"{}\": {why}", self.folder.join(name).display()))
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&self.authority) {
            let certificate = certificate.map_err(|error| unusable("ca.pem", &error))?;
            roots.add(certificate).map_err(|error| unusable("ca.pem", &error))?;
        }
        if roots.is_empty() {
            return Err(unusable("ca.pem", &"it holds no certificate"));
        }
        // Named, not taken from the process: this must not depend on who installed what before.
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("ca.pem", &error))?
            .with_root_certificates(roots);
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_slice_iter(certificate)
                    .collect::<std::result::Result<Vec<_>, _>>()
                    .map_err(|error| unusable("cert.pem", &error))?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| unusable("key.pem", &error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable("cert.pem", &error))?
            }
        };
        Ok(Arc::new(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(authority: &'static str, identity: Option<(&'static str, &'static str)>) -> TlsFiles {
        TlsFiles {
            folder: "/certs".into(),
            authority: authority.into(),
            identity: identity.map(|(certificate, key)| (certificate.into(), key.into())),
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_named() {
        let error = files("not PEM at all", None).client_config().unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Invalid);
        assert_eq!(error.message, "could not use \"/certs/ca.pem\": it holds no certificate");
    }

    #[test]
    fn debug_output_holds_no_key() {
        let text = format!("{:?}", files("CA", Some(("CERT", "KEY"))));
        assert!(text.contains("/certs") && !text.contains("KEY"), "{text}");
    }
}
