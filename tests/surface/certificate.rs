//! The certificate of the reference stack's nginx, as its own runbooks make and check it, with the machine's `openssl`.

use std::path::Path;

use crate::support::Spc;

/// A run in a project with these runbooks, and what the reference stack's allows.
fn project() -> Spc {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["spc.toml", "scripts/tls.rhai", "scripts/certificate.rhai"];
    files.into_iter().fold(Spc::new().folder("examples/spc"), |spc, path| spc.file(path, std::fs::read(root.join(path)).unwrap()))
}

/// A run of `scripts/certificate.rhai`.
fn certificate() -> Spc {
    project().args(["run", "scripts/certificate.rhai"])
}

#[test]
fn it_is_made_for_the_names_that_are_given() {
    certificate()
        .args(["--names", "spc.example,10.0.0.7", "--days", "90"])
        .stderr("certificate: made certificates/tls.crt for spc.example, 10.0.0.7, valid for 90 days; browsers warn of it\n")
        .run();
    let made = certificate().output();
    assert!(made.stderr.contains(" for localhost, 127.0.0.1, ::1, valid for 365 days"), "{made}");
}

#[test]
fn it_is_made_once_its_key_for_nobody_else() {
    project()
        .runbook(
            r#"
            import "tls" as tls;
            tls::ensure(["spc.example", "10.0.0.7", "::1"], 365);
            let of = |words| sh(["openssl", "x509", "-in", "certificates/tls.crt", "-noout"] + words, #{ quiet: true }).stdout.trimmed();
            print(of.call(["-ext", "subjectAltName"]).lines()[1].trimmed());
            print(of.call(["-checkend", "31449600"]));
            print(fs::info("certificates/tls.key").mode == 0o600);
            print(fs::list("certificates").join(" "));
            let made = [fs::sha256("certificates/tls.crt"), fs::sha256("certificates/tls.key")];
            tls::ensure(["another.example"], 30);
            print(made == [fs::sha256("certificates/tls.crt"), fs::sha256("certificates/tls.key")]);
            "#,
        )
        .stdout(
            "
            DNS:spc.example, IP Address:10.0.0.7, IP Address:0:0:0:0:0:0:0:1
            Certificate will not expire
            true
            certificates/tls.crt certificates/tls.key
            true
            ",
        )
        .stderr("certificate: made certificates/tls.crt for spc.example, 10.0.0.7, ::1, valid for 365 days; browsers warn of it\n")
        .run();
}

#[test]
fn half_of_the_pair_is_refused_and_left() {
    for (there, missing) in [("tls.crt", "tls.key"), ("tls.key", "tls.crt")] {
        let run = certificate().file(&format!("examples/spc/certificates/{there}"), "given");
        let ended = run.output();
        let told = format!(
            "There is certificates/{there}, but no certificates/{missing}; put the one that belongs to it there, or remove certificates/{there} to have both made"
        );
        assert!(ended.code == 2 && ended.stderr.contains(&told), "{ended}");
    }
}

#[test]
fn one_that_is_none_is_refused() {
    let run = ["tls.crt", "tls.key"]
        .into_iter()
        .fold(certificate(), |run, name| run.file(&format!("examples/spc/certificates/{name}"), "no PEM"));
    let ended = run.output();
    let told =
        "certificates/tls.crt can't be read as a certificate; put one there, or remove it and certificates/tls.key to have both made";
    assert!(ended.code == 2 && ended.stderr.contains(told), "{ended}");
}

#[test]
fn one_that_ends_soon_is_warned_of() {
    project()
        .runbook("import \"tls\" as tls;\ntls::ensure([\"localhost\"], 29);\ntls::ensure([\"localhost\"], 29);")
        .stderr(
            "
            certificate: made certificates/tls.crt for localhost, valid for 29 days; browsers warn of it
            warning: certificate: certificates/tls.crt ends within 30 days; put a new one there, or remove it and certificates/tls.key to have both made
            ",
        )
        .run();
}

#[test]
fn one_for_nobody_or_for_no_time_is_refused() {
    for (option, value, told) in
        [("--names", "", "A certificate needs a name: --names is empty"), ("--days", "0", "valid for a day at least, and --days is 0")]
    {
        let ended = certificate().args([option, value]).output();
        assert!(ended.code == 2 && ended.stderr.contains(told), "{ended}");
    }
}
