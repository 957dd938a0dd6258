use super::*;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;

/// A host whose Docker client has these contexts, with their names and content.
fn host(contexts: &[(&str, &str)]) -> SimHost {
    let host = SimHost::new(SimTaskExecutor::new(1)).with_variable("HOME", "/home/alice");
    contexts
        .iter()
        .fold(host, |host, (name, meta)| host.with_file(meta_file(name), (*meta).to_owned()))
}

fn meta_file(name: &str) -> String {
    format!("/home/alice/.docker/contexts/meta/{}/meta.json", id(name))
}

fn meta(name: &str, endpoints: &str) -> String {
    format!(r#"{{"Name":"{name}","Metadata":{{"Description":"x"}},"Endpoints":{{{endpoints}}}}}"#)
}

fn found(host: &SimHost, name: &str) -> Result<Context> {
    Contexts::of(host).unwrap().find(name, "--context")
}

#[test]
fn a_context_is_found_by_the_digest_of_its_name() {
    assert_eq!(id("stage"), "c7ff6dcd94d7161eff5da0585684a8d16fb00090c0f38336d31950819e2f2003");
    let host = host(&[(
        "stage",
        &meta("stage", r#""docker":{"Host":"ssh://me@stage","SkipTLSVerify":false}"#),
    )]);
    assert_eq!(found(&host, "stage"), Ok(Context { address: "ssh://me@stage".into(), tls: None }));
}

#[test]
fn a_contexts_certificates_are_read_and_may_be_left_unverified() {
    let folder = format!("/home/alice/.docker/contexts/tls/{}/docker", id("stage"));
    let with = |skip: bool| {
        host(&[(
            "stage",
            &meta(
                "stage",
                &format!(r#""docker":{{"Host":"tcp://stage:2376","SkipTLSVerify":{skip}}}"#),
            ),
        )])
    };
    let tls = found(&with(false).with_file(format!("{folder}/ca.pem"), "CA"), "stage")
        .unwrap()
        .tls
        .unwrap();
    assert_eq!(
        (tls.authority.as_deref(), tls.identity.is_none(), tls.verify),
        (Some(&b"CA"[..]), true, true)
    );
    assert_eq!(tls.context.as_deref(), Some("stage"));
    assert_eq!(found(&with(false), "stage").unwrap().tls, None);
    assert!(!found(&with(true), "stage").unwrap().tls.unwrap().verify);

    let error =
        found(&with(false).with_file(format!("{folder}/key.pem"), "KEY"), "stage").unwrap_err();
    assert!(
        error
            .message
            .starts_with("the context \"stage\" has one of cert.pem and key.pem, but there is no \"/home/alice/.docker/contexts/tls/"),
        "{}",
        error.message
    );
    assert!(error.hint.unwrap().contains("docker context update stage"));
}

#[test]
fn an_unknown_context_is_reported_with_the_closest_name() {
    let host =
        host(&[("stage", &meta("stage", "")), ("build", &meta("build", "")), ("broken", "{")]);
    let error = found(&host, "stagee").unwrap_err();
    assert_eq!(error.message, "there is no Docker context \"stagee\", which --context names");
    assert_eq!(error.hint.as_deref(), Some("did you mean \"stage\"?"));
    assert_eq!(
        found(&host, "x").unwrap_err().hint.as_deref(),
        Some("available: build, default, stage")
    );
}

#[test]
fn a_malformed_context_is_reported_with_file_position_and_suggested_fix() {
    let cases = [
        ("{\n\"Name\": }", "it is not JSON, at line 2, column 9"),
        (
            "{\"Endpoints\": 1}",
            "it holds something else than Docker's client writes, at line 1, column 15",
        ),
    ];
    for (content, why) in cases {
        let error = found(&host(&[("stage", content)]), "stage").unwrap_err();
        assert_eq!(error.message, format!("could not read \"{}\": {why}", meta_file("stage")));
        assert!(
            error.hint.unwrap().starts_with("create the context again: `docker context rm stage`")
        );
    }
    let error = found(&host(&[("stage", &meta("stage", r#""kubernetes":{"Host":"x"}"#))]), "stage")
        .unwrap_err();
    assert_eq!(
        error.message,
        format!("the context \"stage\" names no Docker Engine, in \"{}\"", meta_file("stage"))
    );
}

#[test]
fn the_context_in_use_is_read_from_where_the_client_keeps_it() {
    let current = |host: &SimHost| Contexts::of(host).unwrap().current();
    assert_eq!(current(&host(&[])), Ok(None));
    let file = "/home/alice/.docker/config.json";
    assert_eq!(
        current(&host(&[]).with_file(file, r#"{"auths":{},"currentContext":"stage"}"#)),
        Ok(Some("stage".into()))
    );
    assert_eq!(current(&host(&[]).with_file(file, r#"{"currentContext":""}"#)), Ok(None));
    let elsewhere = host(&[])
        .with_variable("DOCKER_CONFIG", "/c")
        .with_file("/c/config.json", r#"{"currentContext":"other"}"#);
    assert_eq!(current(&elsewhere), Ok(Some("other".into())));
    let error = current(&host(&[]).with_file(file, "{,}")).unwrap_err();
    assert_eq!(
        error.message,
        format!("could not read \"{file}\": it is not JSON, at line 1, column 2")
    );
}
