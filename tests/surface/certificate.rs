//! The certificate for nginx in the reference stack. Its runbooks create and check the certificate,
//! and
//! `openssl` verifies the result.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::Spc;

/// A run in a project with these runbooks and the settings of the reference stack.
fn project() -> Spc {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["spc.toml", "scripts/tls.rhai", "scripts/certificate.rhai"];
    files.into_iter().fold(Spc::new().folder("examples/spc"), |spc, path| {
        spc.file(path, std::fs::read(root.join(path)).unwrap())
    })
}

/// A run of `scripts/certificate.rhai`.
fn certificate() -> Spc {
    project().args(["run", "scripts/certificate.rhai"])
}

#[test]
fn a_certificate_is_created_for_the_given_names() {
    certificate()
        .args(["--names", "spc.example,10.0.0.7", "--days", "90"])
        .stderr("certificate: created certificates/tls.crt for spc.example, 10.0.0.7, valid for 90 days; browsers warn about it\n")
        .run();
    let made = certificate().output();
    assert!(made.stderr.contains(" for localhost, 127.0.0.1, ::1, valid for 365 days"), "{made}");
}

/// The output of `openssl`.
fn openssl(folder: &Path, words: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(words)
        .current_dir(folder)
        .output()
        .expect("these tests need openssl");
    assert!(
        output.status.success(),
        "openssl {words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn openssl_reads_the_certificate_and_finds_its_key() {
    let run = certificate().args([
        "--names",
        "spc.example,*.bücher.example,10.0.0.7,::1",
        "--days",
        "90",
    ]);
    let folder = run.project().join("examples/spc/certificates");
    let (ended, (text, keys, verified, files)) = run.start().ends_then(|| {
        let text = openssl(&folder, &["x509", "-in", "tls.crt", "-noout", "-text"]);
        let keys = [
            openssl(&folder, &["x509", "-in", "tls.crt", "-noout", "-pubkey"]),
            openssl(&folder, &["pkey", "-in", "tls.key", "-pubout"]),
        ];
        let verified = openssl(
            &folder,
            &[
                "verify",
                "-CAfile",
                "tls.crt",
                "-verify_hostname",
                "www.xn--bcher-kva.example",
                "tls.crt",
            ],
        );
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()).collect();
        files.sort_by_key(std::fs::DirEntry::file_name);
        let files: Vec<_> = files
            .iter()
            .map(|file| {
                (
                    file.file_name().into_string().unwrap(),
                    file.metadata().unwrap().permissions().mode() & 0o777,
                )
            })
            .collect();
        (text, keys, verified, files)
    });
    assert_eq!(ended.code, 0, "{ended}");
    for line in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: CN = spc self-signed",
        "Subject: CN = spc self-signed",
        "NIST CURVE: P-256",
        "DNS:spc.example, DNS:*.xn--bcher-kva.example, IP Address:10.0.0.7, IP Address:0:0:0:0:0:0:0:1",
        "TLS Web Server Authentication",
        "CA:FALSE",
        "Digital Signature",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert_eq!(keys[0], keys[1], "the key is the certificate's");
    assert_eq!(verified, "tls.crt: OK\n");
    assert_eq!(files, [("tls.crt".to_owned(), 0o644), ("tls.key".to_owned(), 0o600)]);
}

#[test]
fn an_existing_certificate_is_kept() {
    project()
        .runbook(
            r#"
            import "tls" as tls;
            let sums = || [fs::sha256("certificates/tls.crt"), fs::sha256("certificates/tls.key")];
            tls::ensure(["spc.example"], 365);
            let made = sums.call();
            tls::ensure(["another.example"], 30);
            print(made == sums.call());
            "#,
        )
        .stdout("true\n")
        .stderr("certificate: created certificates/tls.crt for spc.example, valid for 365 days; browsers warn about it\n")
        .run();
}

#[test]
fn half_of_the_pair_is_refused_and_left() {
    for (there, missing) in [("tls.crt", "tls.key"), ("tls.key", "tls.crt")] {
        let run = certificate().file(&format!("examples/spc/certificates/{there}"), "given");
        let ended = run.output();
        let reported = format!(
            "There is certificates/{there}, but no certificates/{missing}; put the matching file there, or remove certificates/{there} to let spc create both"
        );
        assert!(ended.code == 2 && ended.stderr.contains(&reported), "{ended}");
    }
}

#[test]
fn an_invalid_certificate_is_rejected() {
    let run = ["tls.crt", "tls.key"].into_iter().fold(certificate(), |run, name| {
        run.file(&format!("examples/spc/certificates/{name}"), "no PEM")
    });
    let ended = run.output();
    let reported = "certificates/tls.crt can't be read as a certificate; put one there, or remove it and certificates/tls.key to let spc create both";
    assert!(ended.code == 2 && ended.stderr.contains(reported), "{ended}");
}

#[test]
fn a_certificate_that_expires_soon_causes_a_warning() {
    project()
        .runbook("import \"tls\" as tls;\ntls::ensure([\"localhost\"], 29);\ntls::ensure([\"localhost\"], 29);")
        .stderr(
            "
            certificate: created certificates/tls.crt for localhost, valid for 29 days; browsers warn about it
            warning: certificate: certificates/tls.crt expires within 30 days; put a new one there, or remove it and certificates/tls.key to let spc create both
            ",
        )
        .run();
}

#[test]
fn a_certificate_needs_names_and_days() {
    for (option, value, reported) in [
        ("--names", "", "A certificate needs a name: --names is empty"),
        ("--days", "0", "valid for at least one day, but --days is 0"),
    ] {
        let ended = certificate().args([option, value]).output();
        assert!(ended.code == 2 && ended.stderr.contains(reported), "{ended}");
    }
}
