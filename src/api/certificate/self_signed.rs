//! Makes a key and its self-signed certificate. The same input gives the same output.

use std::cell::Cell;
use std::time::Duration;

use chrono::{DateTime, Utc};
use p256::SecretKey;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{EncodePrivateKey, LineEnding};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyIdMethod,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm,
};
use sha2::{Digest, Sha256};

use super::names::Name;
use crate::model::{Failure, Kind};

/// The subject of the certificate, and also its issuer.
const COMMON_NAME: &str = "spc self-signed";

/// Bytes of the signature. Half of all signatures have this length, the others one byte more or
/// less. A crash sweep compares only the sizes of random content, so a certificate of another size
/// would look broken.
const SIGNATURE_BYTES: usize = 71;

const SECONDS_OF_A_DAY: u64 = 24 * 3600;

/// The key and the certificate, in PEM form.
pub(super) struct SelfSignedCertificate {
    pub(super) certificate: String,
    pub(super) key: String,
}

impl SelfSignedCertificate {
    /// A certificate for a server with these names, valid from `now` on. The key uses the curve
    /// P-256, which every client accepts.
    pub(super) fn make(
        names: &[Name],
        now: DateTime<Utc>,
        days: i64,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<Self, Failure> {
        let failed = |cause: String| {
            Failure::new(Kind::Failed, format!("Could not create the certificate: {cause}"))
        };
        let secret = secret_key(random);
        let mut params = CertificateParams::default();
        params.not_before = rcgen::date_time_ymd(1970, 1, 1)
            + Duration::from_secs(u64::try_from(now.timestamp()).unwrap_or_default());
        params.not_after = params.not_before
            + Duration::from_secs(u64::try_from(days).unwrap_or_default() * SECONDS_OF_A_DAY);
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, COMMON_NAME);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for name in names.iter().map(Name::as_alternative) {
            if !params.subject_alt_names.contains(name) {
                params.subject_alt_names.push(name.clone());
            }
        }
        let signer = Key::new(&secret);
        // Computed as RFC 7093 specifies, because rcgen computes it only with one of its own crypto
        // libraries.
        params.key_identifier_method =
            KeyIdMethod::PreSpecified(Sha256::digest(&signer.public)[..20].to_vec());
        let certificate = loop {
            params.serial_number = Some(serial_number(random));
            let certificate =
                params.self_signed(&signer).map_err(|error| failed(error.to_string()))?;
            if signer.signed.get() == SIGNATURE_BYTES {
                break certificate;
            }
        };
        let key = secret.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(error.to_string()))?;
        Ok(Self { certificate: certificate.pem().replace("\r\n", "\n"), key: key.to_string() })
    }
}

fn secret_key(random: &mut dyn FnMut(&mut [u8])) -> SecretKey {
    loop {
        let mut bytes = [0; 32];
        random(&mut bytes);
        // Once in 2^32 times the number is not below the order of the curve.
        if let Ok(key) = SecretKey::from_slice(&bytes) {
            return key;
        }
    }
}

/// A positive number of 16 bytes.
fn serial_number(random: &mut dyn FnMut(&mut [u8])) -> SerialNumber {
    let mut bytes = [0; 16];
    random(&mut bytes);
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from(bytes.to_vec())
}

/// The key in the form that rcgen requires. Its signatures need no randomness (RFC 6979).
struct Key {
    signing: SigningKey,
    public: Box<[u8]>,
    /// The length of the last signature in bytes.
    signed: Cell<usize>,
}

impl Key {
    fn new(secret: &SecretKey) -> Self {
        let signing = SigningKey::from(secret);
        let public = signing.verifying_key().to_sec1_point(false).to_bytes();
        Self { signing, public, signed: Cell::new(0) }
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature =
            self.signing.try_sign(message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        self.signed.set(signature.as_bytes().len());
        Ok(signature.as_bytes().to_vec())
    }
}
