use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

use super::tls_errors::trouble;
use super::*;

fn files(
    authority: Option<&'static str>,
    identity: Option<(&'static str, &'static str)>,
) -> TlsFiles {
    TlsFiles {
        folder: "/certs".into(),
        authority: authority.map(Into::into),
        identity: identity.map(|(certificate, key)| (certificate.into(), key.into())),
        verify: true,
        context: None,
    }
}

/// A certificate and its key, PEM.
fn identity() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["engine".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_named() {
    let message = |files: TlsFiles| files.client_config().unwrap_err().message;
    assert_eq!(
        message(files(Some("not PEM at all"), None)),
        "could not use \"/certs/ca.pem\": it holds no certificate"
    );
    let (certificate, key) = identity();
    let own = |certificate: &str, key: &str| TlsFiles {
        identity: Some((certificate.to_owned().into(), key.to_owned().into())),
        authority: Some(identity().0.into()),
        ..files(None, None)
    };
    assert!(own(&certificate, &key).client_config().is_ok());
    assert_eq!(
        message(own("x", &key)),
        "could not use \"/certs/cert.pem\": it holds no certificate"
    );
    assert_eq!(
        message(own(&certificate, "x")),
        "could not use \"/certs/key.pem\": it holds no private key without a password"
    );
    assert_eq!(
        message(own(&certificate, &identity().1)),
        "could not use \"/certs/key.pem\": it is not the key of \"cert.pem\""
    );
}

#[test]
fn debug_output_holds_no_key() {
    let text = format!("{:?}", files(Some("CA"), Some(("CERT", "KEY"))));
    assert!(text.contains("/certs") && !text.contains("KEY"), "{text}");
}

#[test]
fn each_tls_failure_is_reported_with_its_file() {
    let why = |error: Error, files: &TlsFiles| trouble(&error, files).why;
    let (stranger, known) = (files(Some("CA"), None), files(Some("CA"), Some(("CERT", "KEY"))));
    assert_eq!(
        why(CertificateError::UnknownIssuer.into(), &stranger),
        "\"/certs/ca.pem\" did not issue its certificate"
    );
    assert_eq!(
        why(CertificateError::UnknownIssuer.into(), &files(None, None)),
        "this machine does not trust the issuer of its certificate"
    );
    assert_eq!(why(CertificateError::Expired.into(), &stranger), "its certificate has expired");
    let missing = Error::AlertReceived(AlertDescription::CertificateRequired);
    assert_eq!(
        why(missing.clone(), &stranger),
        "it wants a client certificate, and there is no \"/certs/cert.pem\""
    );
    assert_eq!(why(missing, &known), "it does not accept \"/certs/cert.pem\"");
    let plain = Error::InvalidMessage(InvalidMessage::InvalidContentType);
    assert_eq!(why(plain.clone(), &stranger), "it does not speak TLS");
    assert!(trouble(&plain, &stranger).hint.ends_with("unset DOCKER_TLS_VERIFY"));
    assert!(
        trouble(&plain, &TlsFiles { context: Some("stage".into()), ..stranger })
            .hint
            .contains("the context \"stage\"")
    );
}
