//! Explains TLS errors of an engine, with the next step.

use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error};

use super::TlsFiles;
use crate::engine::docker::advice::Advice;
use crate::model::plain_words::without_names;

/// The problem between the engine and these files.
pub(in crate::engine::docker) fn trouble(error: &Error, files: &TlsFiles) -> Advice {
    let file = |name: &str| format!("\"{}\"", files.folder.join(name).display());
    let advice = |why: String, hint: String| Advice { why, hint };
    match error {
        Error::InvalidCertificate(Certificate::UnknownIssuer | Certificate::BadSignature) => {
            let (why, hint) = match files.authority {
                Some(_) => (
                    format!("{} did not issue its certificate", file("ca.pem")),
                    "take the ca.pem that the engine's certificate was made with",
                ),
                None => ("this machine does not trust the issuer of its certificate".to_owned(), "give the context the engine's ca.pem"),
            };
            advice(why, hint.to_owned())
        }
        Error::InvalidCertificate(Certificate::Expired | Certificate::ExpiredContext { .. }) => {
            advice("its certificate has expired".to_owned(), "give the engine a new certificate".to_owned())
        }
        Error::InvalidCertificate(Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) => {
            advice("its certificate is not valid yet".to_owned(), "compare the clocks of both machines".to_owned())
        }
        Error::InvalidCertificate(Certificate::NotValidForNameContext { presented, .. }) => {
            let hint = "use a name that the certificate is for, or give the engine one for this name";
            advice(format!("its certificate is for {}", names(presented)), hint.to_owned())
        }
        Error::InvalidCertificate(Certificate::NotValidForName) => {
            let hint = "use a name that the certificate is for, or give the engine one for this name";
            advice("its certificate is for another name".to_owned(), hint.to_owned())
        }
        Error::InvalidCertificate(error) => {
            advice(format!("its certificate is not valid: {}", without_names(&error.to_string())), "give the engine another certificate".to_owned())
        }
        Error::InvalidMessage(_) => advice("it does not speak TLS".to_owned(), without_tls(files)),
        Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnknownCA
            | Alert::CertificateUnknown
            | Alert::CertificateExpired
            | Alert::UnsupportedCertificate
            | Alert::AccessDenied,
        ) => match files.identity {
            Some(_) => advice(
                format!("it does not accept {}", file("cert.pem")),
                "take a client certificate that is valid and from the engine's own authority (`dockerd --tlscacert`)".to_owned(),
            ),
            None => advice(
                format!("it wants a client certificate, and there is no {}", file("cert.pem")),
                format!("put cert.pem and key.pem into \"{}\"", files.folder.display()),
            ),
        },
        error => advice(format!("TLS failed: {}", without_names(&error.to_string())), format!("check the certificates in \"{}\"", files.folder.display())),
    }
}

/// `"a" and "b"`, from the names in a certificate: `DnsName("a")`, `IpAddress(127.0.0.1)`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| {
        let name =
            name.split_once('(').map_or(name.as_str(), |(_, rest)| rest.trim_end_matches(')'));
        format!("\"{}\"", name.trim_matches('"'))
    };
    if presented.is_empty() {
        "no name at all".to_owned()
    } else {
        presented.iter().map(bare).collect::<Vec<_>>().join(", ")
    }
}

fn without_tls(files: &TlsFiles) -> String {
    match &files.context {
        Some(context) => format!(
            "2376 is an engine's usual port for TLS; if it is to go without, make the context \"{context}\" again without certificates"
        ),
        None if files.verify => "2376 is an engine's usual port for TLS; if it is to go without, unset DOCKER_TLS_VERIFY".to_owned(),
        None => "2376 is an engine's usual port for TLS; if it is to go without, unset DOCKER_TLS".to_owned(),
    }
}
