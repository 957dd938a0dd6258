use similar_asserts::assert_eq;

use super::*;
use crate::host::TaskExecutor;
use crate::host::sim::executor::SimTaskExecutor;
use crate::host::sim::{CommandAnswer, SimHost};

/// `me:correct horse` in base64.
const AUTH: &str = "bWU6Y29ycmVjdCBob3JzZQ==";

fn password(username: &str, password: &str) -> CredentialLookup {
    CredentialLookup::Some(RegistryAuth {
        username: username.into(),
        password: password.into(),
        ..RegistryAuth::default()
    })
}

fn token(token: &str) -> CredentialLookup {
    CredentialLookup::Some(RegistryAuth { identity_token: token.into(), ..RegistryAuth::default() })
}

/// The credentials in the configuration `config` for `registry`, with a helper
/// `docker-credential-store` that returns `answer`.
fn found(config: &str, registry: &str, answer: CommandAnswer) -> Result<CredentialLookup> {
    let executor = SimTaskExecutor::new(1);
    let host = SimHost::new(executor.clone())
        .with_variable("DOCKER_CONFIG", "/home/me/docker")
        .with_variable("PATH", "relative:/nowhere:/home/me/bin")
        .with_file("/home/me/docker/config.json", config.to_owned())
        .with_file("/home/me/bin/docker-credential-store", "")
        .with_mode("/home/me/bin/docker-credential-store", 0o755)
        .on_command(move |_| Some(answer.clone()));
    let credentials = Credentials::new(Arc::new(host));
    TaskExecutor::Sim(executor).block_on(credentials.of(registry))
}

#[test]
fn a_registrys_entry_is_found_by_every_spelling_of_its_host() {
    let auths = |key: &str| {
        format!(r#"{{"auths": {{"{key}": {{"auth": "{AUTH}"}}, "other:5000": {{}}}}}}"#)
    };
    let cases = [
        ("localhost:5001", "localhost:5001"),
        ("https://localhost:5001/v1/", "localhost:5001"),
        ("http://localhost:5001", "localhost:5001"),
        (INDEX_KEY, DEFAULT_REGISTRY),
        (INDEX_KEY, DEFAULT_HOST),
    ];
    for (key, registry) in cases {
        assert_eq!(
            found(&auths(key), registry, CommandAnswer::default()).unwrap(),
            password("me", "correct horse"),
            "{key}"
        );
        assert_eq!(
            found(&auths(key), "other:5000", CommandAnswer::default()).unwrap(),
            CredentialLookup::None
        );
    }
    let of_token = r#"{"auths": {"r:1": {"auth": "bWU6", "identitytoken": "long"}}}"#;
    assert_eq!(found(of_token, "r:1", CommandAnswer::default()).unwrap(), token("long"));
    assert_eq!(found("{}", "r:1", CommandAnswer::default()).unwrap(), CredentialLookup::None);
}

#[test]
fn a_helper_is_asked_for_its_registry_and_the_store_for_all_others() {
    let config = r#"{"credHelpers": {"r:1": "store", "r:2": "gone"}, "auths": {"r:3": {"auth": "bWU6cHc="}}}"#;
    let store = r#"{"credsStore": "store", "auths": {"r:3": {}}}"#;
    let answer =
        || CommandAnswer::stdout(r#"{"ServerURL": "r:1", "Username": "me", "Secret": "pw"}"#);
    assert_eq!(found(config, "r:1", answer()).unwrap(), password("me", "pw"));
    assert_eq!(
        found(config, "r:2", answer()).unwrap(),
        CredentialLookup::NoProgram("docker-credential-gone".into())
    );
    assert_eq!(found(config, "r:3", answer()).unwrap(), password("me", "pw"));
    assert_eq!(found(store, "r:3", answer()).unwrap(), password("me", "pw"));
    let of_token = CommandAnswer::stdout(r#"{"Username": "<token>", "Secret": "long"}"#);
    assert_eq!(found(store, "r:3", of_token).unwrap(), token("long"));
    let none = CommandAnswer {
        stdout: "credentials not found in native keychain\n".into(),
        code: 1,
        ..CommandAnswer::default()
    };
    assert_eq!(found(store, "r:3", none).unwrap(), CredentialLookup::None);
}

#[test]
fn a_helper_that_fails_is_named_and_its_answer_is_not() {
    let store = r#"{"credsStore": "store"}"#;
    let failing = CommandAnswer {
        stdout: "the keychain is locked\n".into(),
        code: 1,
        ..CommandAnswer::default()
    };
    let cases = [
        (failing, "failed with code 1: the keychain is locked"),
        (CommandAnswer { code: 3, ..CommandAnswer::default() }, "failed with code 3"),
        (
            CommandAnswer::stdout("a secret value"),
            "answered something else than Docker's helpers do",
        ),
        (
            CommandAnswer::stdout("{}").taking(Duration::from_secs(3600)),
            "did not answer within 30 s",
        ),
    ];
    for (answer, why) in cases {
        let error = found(store, "r:3", answer).unwrap_err();
        let who = "the credential helper \"docker-credential-store\", which \"/home/me/docker/config.json\" names,";
        assert_eq!(error.message, format!("{who} {why}"));
        assert_eq!(error.kind, EngineErrorKind::Failed);
    }
    let error = found(r#"{"credsStore": "../x"}"#, "r:3", CommandAnswer::default()).unwrap_err();
    assert!(error.message.ends_with("is no name of a program"), "{error}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_named_without_its_content() {
    for (config, words) in [
        ("{\"auths\": \"horse\"", "wrong at line 1"),
        (r#"{"auths": {"r:3": {"auth": "horse"}}}"#, "the entry of \"r:3\" in \"auths\""),
    ] {
        let error = found(config, "r:3", CommandAnswer::default()).unwrap_err();
        assert!(error.message.contains(words) && !error.message.contains("horse"), "{error}");
    }
}

#[test]
fn nothing_of_a_secret_is_shown() {
    let shown = format!("{:?} {:?}", password("me", "horse"), token("horse"));
    assert!(shown.contains("me") && !shown.contains("horse"), "{shown}");
}
