use crate::host::Host;
use std::time::Duration;

use crate::api::harness::Harness;

const MAKE: &str = r#"certificate::write_self_signed("tls/a.crt", "tls/a.key", #{ names: ["spc.example", "10.0.0.7", "::1", "*.bücher.example"], days: 90 });"#;

#[test]
fn a_certificate_is_for_the_names_and_days_asked_for() {
    let trial = Harness::new();
    trial.text(MAKE);
    assert_eq!(
        trial.text(
            r#"let it = certificate::inspect("tls/a.crt"); `${it.names} ${it.starts} ${it.ends}`"#
        ),
        r#"["spc.example", "10.0.0.7", "::1", "*.xn--bcher-kva.example"] 2026-01-01T00:00:00.000Z 2026-04-01T00:00:00.000Z"#
    );
    assert_eq!(trial.mode("/project/tls/a.key"), Some(0o600));
    assert_eq!(trial.mode("/project/tls/a.crt"), Some(0o644));
    let text = |file: &str| trial.file(&format!("/project/tls/{file}"));
    assert!(
        text("a.key").starts_with("-----BEGIN PRIVATE KEY-----\n") && !text("a.key").contains('\r')
    );
    assert!(
        text("a.crt").starts_with("-----BEGIN CERTIFICATE-----\n") && !text("a.crt").contains('\r')
    );
}

#[test]
fn a_simulated_run_makes_the_same_certificate_each_time_and_a_second_one_another() {
    let made = || {
        let trial = Harness::new();
        trial.text(MAKE);
        let first = (trial.file("/project/tls/a.crt"), trial.file("/project/tls/a.key"));
        for _ in 0..5 {
            trial.text(MAKE);
            let next = (trial.file("/project/tls/a.crt"), trial.file("/project/tls/a.key"));
            assert_ne!(first.1, next.1);
            assert_eq!((first.0.len(), first.1.len()), (next.0.len(), next.1.len()));
        }
        first
    };
    assert_eq!(made(), made());
}

#[test]
fn a_key_that_everybody_could_read_is_replaced_by_one_that_only_its_owner_can() {
    let trial = Harness::with(
        |host| host.with_file("/project/tls/a.key", "old").with_mode("/project/tls/a.key", 0o644),
        "",
        |_| {},
    );
    trial.text(MAKE);
    assert_eq!(trial.mode("/project/tls/a.key"), Some(0o600));
}

#[test]
fn the_time_is_that_of_the_run() {
    let trial = Harness::new();
    assert_eq!(
        trial.text(&format!(
            r#"sleep("36h"); {MAKE} `${{certificate::inspect("tls/a.crt").starts}}`"#
        )),
        "2026-01-02T12:00:00.000Z"
    );
    assert_eq!(trial.host.monotonic(), Duration::from_hours(36));
}

#[test]
fn a_certificate_without_a_name_or_for_no_time_is_refused_and_nothing_is_written() {
    let trial = Harness::new();
    for (options, message) in [
        ("#{}", "A certificate needs at least one name"),
        ("#{ names: [] }", "A certificate needs at least one name"),
        ("#{ names: [\"a b\"] }", "\"a b\" is neither a host name nor an IP address"),
        ("#{ names: [\"a\"], days: 0 }", "A certificate is valid for 1 to 36500 days, not for 0"),
        ("#{ names: [\"a\"], days: -1 }", "A certificate is valid for 1 to 36500 days, not for -1"),
        (
            "#{ names: [\"a\"], days: 36501 }",
            "A certificate is valid for 1 to 36500 days, not for 36501",
        ),
        ("#{ names: [\"a\"], day: 1 }", "The certificate options have no \"day\""),
        (
            "#{ names: 5 }",
            "\"names\" of the certificate options has to be a list of strings, not an integer",
        ),
    ] {
        let failure = trial
            .fails(&format!(r#"certificate::write_self_signed("a.crt", "a.key", {options});"#));
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("usage", message),
            "{options}"
        );
    }
    let failure =
        trial.fails(r#"certificate::write_self_signed("a.pem", "./a.pem", #{ names: ["a"] });"#);
    assert_eq!(failure.message, "The certificate and its key can't both be written to \"./a.pem\"");
    for (certificate, key) in [("a.crt", "/etc/a.key"), ("../a.crt", "a.key")] {
        let failure = trial.fails(&format!(
            r#"certificate::write_self_signed("{certificate}", "{key}", #{{ names: ["a"] }});"#
        ));
        assert_eq!(failure.kind.word(), "policy");
    }
    assert_eq!(trial.text(r#"fs::list(".")"#), "[]");
}

#[test]
fn a_hundred_years_end_in_the_next_century() {
    let trial = Harness::new();
    let script = r#"certificate::write_self_signed("a.crt", "a.key", #{ names: ["a"], days: 36500 }); `${certificate::inspect("a.crt").ends}`"#;
    assert_eq!(trial.text(script), "2125-12-08T00:00:00.000Z");
}

#[test]
fn an_invalid_certificate_is_not_parsed() {
    let pem =
        |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let trial = Harness::new();
    trial.text(MAKE);
    let key = trial.file("/project/tls/a.key");
    let longer = pem(&format!(
        "{}AAAA",
        trial
            .file("/project/tls/a.crt")
            .lines()
            .filter(|line| !line.starts_with('-'))
            .collect::<String>()
            .trim_end_matches('=')
    ));
    for content in
        [String::new(), "no PEM".to_owned(), pem(""), pem("AAAA"), pem("no base64!"), key, longer]
    {
        trial.text(&format!("fs::write(\"x.crt\", {content:?})"));
        let failure = trial.fails(r#"certificate::inspect("x.crt")"#);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("usage", "\"x.crt\" is not a certificate in PEM form"),
            "{content}"
        );
    }
    assert_eq!(trial.fails(r#"certificate::inspect("gone.crt")"#).kind.word(), "not_found");
    assert_eq!(trial.fails(r#"certificate::inspect("/etc/x.crt")"#).kind.word(), "policy");
}
