use sha2::{Digest, Sha256};

use super::*;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;

/// A host with this environment. The contexts "a", "b" and "c" have addresses with these names.
fn host(variables: &[(&str, &str)]) -> SimHost {
    let host = SimHost::new(SimTaskExecutor::new(1)).with_variable("HOME", "/h");
    let host = ["a", "b", "c"].iter().fold(host, |host, name| {
        let id: String = Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect();
        let meta =
            format!(r#"{{"Name":"{name}","Endpoints":{{"docker":{{"Host":"ssh://{name}"}}}}}}"#);
        host.with_file(format!("/h/.docker/contexts/meta/{id}/meta.json"), meta)
    });
    variables.iter().fold(host, |host, (name, value)| host.with_variable(name, value))
}

fn in_use(name: &str, host: SimHost) -> SimHost {
    host.with_file("/h/.docker/config.json", format!(r#"{{"currentContext":"{name}"}}"#))
}

fn chosen(host: &SimHost, option: Option<(&str, &str)>) -> Option<String> {
    let mut choice = EngineChoice::default();
    match option {
        Some(("--host", value)) => choice.host = Some(value.into()),
        Some((_, value)) => choice.context = Some(value.into()),
        None => {}
    }
    Endpoint::chosen(host, &choice).unwrap().map(|endpoint| endpoint.address.to_string())
}

#[test]
fn the_engine_is_named_in_the_order_of_dockers_own_client() {
    let all = in_use("a", host(&[("DOCKER_HOST", "ssh://env"), ("DOCKER_CONTEXT", "b")]));
    assert_eq!(chosen(&all, Some(("--host", "ssh://option"))).as_deref(), Some("ssh://option"));
    assert_eq!(chosen(&all, Some(("--context", "c"))).as_deref(), Some("ssh://c"));
    assert_eq!(chosen(&all, None).as_deref(), Some("ssh://env"));
    assert_eq!(
        chosen(&in_use("a", host(&[("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "b")])), None)
            .as_deref(),
        Some("ssh://b")
    );
    assert_eq!(chosen(&in_use("a", host(&[])), None).as_deref(), Some("ssh://a"));
    assert_eq!(chosen(&host(&[]), None), None);
}

#[test]
fn the_context_default_is_docker_host_or_this_machines_own_engine() {
    assert_eq!(
        chosen(&in_use("a", host(&[("DOCKER_HOST", "ssh://env")])), Some(("--context", "default")))
            .as_deref(),
        Some("ssh://env")
    );
    assert_eq!(
        chosen(&in_use("a", host(&[("DOCKER_CONTEXT", "b")])), Some(("--context", "default"))),
        None
    );
    assert_eq!(chosen(&in_use("a", host(&[("DOCKER_CONTEXT", "default")])), None), None);
    assert_eq!(chosen(&in_use("default", host(&[])), None), None);
    assert_eq!(
        chosen(&in_use("a", host(&[])), Some(("--context", ""))).as_deref(),
        Some("ssh://a")
    );
}

#[test]
fn an_unknown_context_is_reported_with_the_setting_that_names_it() {
    let message =
        |host: &SimHost| Endpoint::chosen(host, &EngineChoice::default()).unwrap_err().message;
    assert_eq!(
        message(&host(&[("DOCKER_CONTEXT", "stage")])),
        "there is no Docker context \"stage\", which DOCKER_CONTEXT names"
    );
    assert_eq!(
        message(&in_use("stage", host(&[]))),
        "there is no Docker context \"stage\", which \"/h/.docker/config.json\" names"
    );
}

#[test]
fn an_invalid_address_is_reported_with_its_setting_and_without_password() {
    let error = Endpoint::chosen(&host(&[("DOCKER_HOST", "nonsense")]), &EngineChoice::default())
        .unwrap_err();
    assert_eq!(error.message, "could not use DOCKER_HOST \"nonsense\": it names no protocol");
    let option = EngineChoice { host: Some("ssh://me:secret@x".into()), ..EngineChoice::default() };
    let error = Endpoint::chosen(&host(&[]), &option).unwrap_err();
    assert_eq!(error.message, "could not use --host \"ssh://me:***@x\": it holds a password");
}

#[test]
fn tls_is_for_tcp_only_and_its_files_are_those_of_dockers_client() {
    let tls = |host: &SimHost| {
        Endpoint::chosen(host, &EngineChoice::default()).map(|endpoint| endpoint.unwrap().tls)
    };
    let tcp = ("DOCKER_HOST", "tcp://engine");
    let verify = ("DOCKER_TLS_VERIFY", "1");
    let files = |host: SimHost, folder: &str, names: &[&str]| {
        names.iter().fold(host, |host, name| {
            host.with_file(format!("{folder}/{name}.pem"), name.to_uppercase())
        })
    };
    let certs = [tcp, verify, ("DOCKER_CERT_PATH", "/certs")];
    let found = tls(&files(host(&certs), "/certs", &["ca", "cert", "key"])).unwrap().unwrap();
    assert_eq!(
        (found.authority, found.identity, found.verify),
        (Some("CA".into()), Some(("CERT".into(), "KEY".into())), true)
    );
    assert_eq!(tls(&files(host(&certs), "/certs", &["ca"])).unwrap().unwrap().identity, None);
    assert_eq!(tls(&host(&[("DOCKER_HOST", "unix:///a.sock"), verify])), Ok(None));
    assert_eq!(tls(&host(&[tcp])), Ok(None));

    let message = |host: &SimHost| tls(host).unwrap_err().message;
    assert_eq!(
        message(&files(host(&certs), "/certs", &["ca", "cert"])),
        "DOCKER_TLS_VERIFY is set, but there is no \"/certs/key.pem\""
    );
    assert_eq!(
        message(&host(&[tcp, verify])),
        "DOCKER_TLS_VERIFY is set, but there is no \"/h/.docker/ca.pem\""
    );
    assert_eq!(
        message(&host(&[tcp, verify, ("DOCKER_CONFIG", "/c")])),
        "DOCKER_TLS_VERIFY is set, but there is no \"/c/ca.pem\""
    );

    // Without verification, the certificate authority is not used.
    let unverified =
        tls(&files(host(&[tcp, ("DOCKER_TLS", "1")]), "/h/.docker", &["ca"])).unwrap().unwrap();
    assert_eq!((unverified.authority, unverified.verify), (None, false));
}
