//! `certificate::`: creates self-signed certificates, and reads how long a certificate is valid.

mod names;
mod self_signed;

use rhai::Array;
use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use self::names::Name;
use self::self_signed::SelfSignedCertificate;
use super::context::Context;
use super::{Raw, paths, placed};
use crate::model::Failure;
use crate::value::{Options, Record, Time};

/// Registers `certificate::`.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("certificate", shared_module!(module, "certificate"));
}

/// Permission bits of a key file: only its owner can read it.
const PRIVATE: u32 = 0o600;

/// Days of validity by default.
const DEFAULT_DAYS: i64 = 365;

/// A hundred years: no certificate needs more.
const MOST_DAYS: i64 = 36_500;

/// A self-signed certificate as a script requested it.
pub(super) struct Request {
    names: Vec<String>,
    days: i64,
}

impl Request {
    pub(super) fn read(options: &Dynamic) -> Result<Self, Failure> {
        let mut options = Options::of(options, "certificate options")?;
        let names = options.list_of_text("names")?.unwrap_or_default();
        let days = options.integer("days")?.unwrap_or(DEFAULT_DAYS);
        options.finish()?;
        Ok(Self { names, days })
    }

    fn checked_names(&self) -> Result<Vec<Name>, Failure> {
        if self.names.is_empty() {
            return Err(Failure::usage("A certificate needs at least one name")
                .hint("write names: [\"localhost\", \"127.0.0.1\"]"));
        }
        self.names.iter().map(|name| Name::parse(name)).collect()
    }

    fn checked_days(&self) -> Result<i64, Failure> {
        if (1..=MOST_DAYS).contains(&self.days) {
            return Ok(self.days);
        }
        Err(Failure::usage(format!(
            "A certificate is valid for 1 to {MOST_DAYS} days, not for {}",
            self.days
        ))
        .hint("change \"days\""))
    }
}

/// Writes a new key, then its certificate.
fn write_self_signed(
    context: &Context,
    certificate: &str,
    key: &str,
    options: &Dynamic,
) -> Result<(), Failure> {
    let request = Request::read(options)?;
    let (names, days) = (request.checked_names()?, request.checked_days()?);
    let (certificate, key_file) =
        (paths::to_create(context, certificate)?, paths::to_create(context, key)?);
    if certificate == key_file {
        return Err(Failure::usage(format!(
            "The certificate and its key can't both be written to \"{key}\""
        ))
        .hint("use two different files"));
    }
    let host = context.host.as_ref();
    let made =
        SelfSignedCertificate::make(&names, host.now(), days, &mut |buffer| host.random(buffer))?;
    let changes = &context.script.changes;
    changes.of(host.write(&key_file, made.key.as_bytes(), Some(PRIVATE)))?;
    Ok(changes.of(host.write(&certificate, made.certificate.as_bytes(), None))?)
}

/// What the first certificate in a file says.
fn inspect(context: &Context, path: &str) -> Result<Record, Failure> {
    let content = paths::read(context, path)?;
    let wrong = || {
        Failure::usage(format!("\"{path}\" is not a certificate in PEM form"))
            .hint("a certificate in PEM form begins with -----BEGIN CERTIFICATE-----")
    };
    let der = CertificateDer::from_pem_slice(&content).map_err(|_| wrong())?;
    let (rest, certificate) = X509Certificate::from_der(&der).map_err(|_| wrong())?;
    let time = |seconds| {
        chrono::DateTime::from_timestamp(seconds, 0).map(|time| Dynamic::from(Time(time)))
    };
    let validity = certificate.validity();
    let (Some(starts), Some(ends), []) =
        (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()), rest)
    else {
        return Err(wrong());
    };
    let alternatives = certificate.subject_alternative_name().map_err(|_| wrong())?;
    let names: Array = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(text_of)
        .collect();
    Ok(Record::new(
        "certificate",
        [("names".into(), names.into()), ("starts".into(), starts), ("ends".into(), ends)],
    ))
}

/// A host name or an address. Other kinds of names don't name a server.
fn text_of(name: &GeneralName<'_>) -> Option<Dynamic> {
    match name {
        GeneralName::DNSName(name) => Some((*name).into()),
        GeneralName::IPAddress(bytes) => {
            names::address(bytes).map(|address| address.to_string().into())
        }
        _ => None,
    }
}

#[export_module]
mod module {
    /// Writes a new key and a self-signed certificate for it, both in PEM form. Only the owner can
    /// read the key file. The key is written first, so if the certificate exists, its key does too.
    /// Existing files are replaced.
    ///
    /// Options: `names`, the host names (also `*.example.org`) and IP addresses of the server;
    /// `days`, how long the certificate is valid (365). A name in another alphabet is written in
    /// its ASCII form. Throws `usage` if a name is neither a host name nor an address.
    ///
    /// ```rhai
    /// certificate::write_self_signed("tls.crt", "tls.key", #{ names: ["localhost", "127.0.0.1"], days: 90 });
    /// assert_eq(fs::info("tls.key").mode, 0o600);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn write_self_signed(
        call: NativeCallContext,
        certificate: &str,
        key: &str,
        options: Dynamic,
    ) -> Raw<()> {
        placed(&call, |context| super::write_self_signed(context, certificate, key, &options))
    }

    /// Reads the first certificate in a file in PEM form. The result has `names` (its host names
    /// and addresses), and `starts` and `ends` (the times between which it is valid). Throws
    /// `usage` if the file contains no certificate.
    ///
    /// ```rhai
    /// certificate::write_self_signed("tls.crt", "tls.key", #{ names: ["localhost"], days: 90 });
    /// let made = certificate::inspect("tls.crt");
    /// assert_eq(made.names, ["localhost"]);
    /// assert(made.ends > time::now() + duration("89d"));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn inspect(call: NativeCallContext, path: &str) -> Raw<Record> {
        placed(&call, |context| super::inspect(context, path))
    }
}

#[cfg(test)]
mod tests;
