//! Calls that need a separate permission, and the additional calls of the guard.

use super::*;

#[test]
fn other_privileged_calls_are_refused() {
    let fixture = fixture("");
    let labels = Some(of("own", HERE));
    let created = fixture.run(fixture.guard.container_create("own-web-1", None, own())).unwrap();
    let exec =
        ExecRequest { command: vec!["id".into()], privileged: true, ..ExecRequest::default() };
    assert_eq!(
        fixture.refused(fixture.guard.exec_start(&created.id, &exec)),
        format!("A script may not use \"exec with privileged: true\" {PRIVILEGED}")
    );
    for driver in ["host", "macvlan", "ipvlan", "some/plugin"] {
        let network = NetworkCreateRequest {
            name: "x".into(),
            driver: Some(driver.into()),
            labels: labels.clone(),
            ..NetworkCreateRequest::default()
        };
        assert_eq!(
            fixture.refused(fixture.guard.network_create(network)),
            format!("A script may not use \"driver: {driver}\" {PRIVILEGED}")
        );
    }
    let build = BuildRequest {
        tags: vec!["own-web".into()],
        dockerfile: "Dockerfile".into(),
        target: None,
        args: BTreeMap::new(),
        secrets: BTreeMap::new(),
        labels: BTreeMap::new(),
        no_cache: false,
        pull: false,
        network: Some("host".into()),
        platform: None,
        context_digest: String::new(),
        context: Box::pin(futures::stream::empty()),
    };
    assert_eq!(
        fixture.refused(fixture.guard.image_build(build)),
        format!("A script may not use \"build with network: host\" {PRIVILEGED}")
    );
    assert_eq!(
        fixture.refused(fixture.guard.network_connect(
            "host",
            &created.id,
            EndpointSettings::default()
        )),
        format!("A script may not use \"network: host\" {PRIVILEGED}")
    );
}

#[test]
fn the_guard_does_not_request_what_a_list_contained() {
    let fixture = fixture("");
    let id = fixture.made("own", HERE);
    fixture.run(async {
        fixture
            .guard
            .container_list(true, &crate::engine::label_filter(compose_label::PROJECT, "own"))
            .await
            .unwrap();
        fixture.guard.network_list(&Filters::new()).await.unwrap();
        fixture.guard.volume_list(&Filters::new()).await.unwrap();
        fixture.guard.image_list(&Filters::new()).await.unwrap();
    });
    let before = fixture.engine.calls().len();
    fixture.run(fixture.guard.container_stop(&id, &StopRequest::default())).unwrap();
    assert_eq!(fixture.engine.calls().len(), before + 1);
}

#[test]
fn a_check_refuses_what_the_call_would_and_asks_no_more_than_the_lists_say() {
    let fixture = fixture("");
    let id = fixture.made("other", "/srv/other");
    let network = fixture.run(fixture.engine.network_inspect("other_net")).unwrap().id.unwrap();
    fixture.run(async {
        for project in ["other", "own"] {
            fixture
                .guard
                .container_list(true, &crate::engine::label_filter(compose_label::PROJECT, project))
                .await
                .unwrap();
        }
        fixture.guard.network_list(&Filters::new()).await.unwrap();
        fixture.guard.volume_list(&Filters::new()).await.unwrap();
        fixture.guard.image_list(&Filters::new()).await.unwrap();
    });
    let calls = fixture.engine.calls().len();
    let body = ContainerCreateBody { labels: Some(of("other", HERE)), ..plain() };
    let labels = of("other", HERE).into_iter().collect();
    for intent in [
        Intent::ChangeProject("other"),
        Intent::CreateContainer { name: "other-web-2", body: &body },
        Intent::StartContainer(&id),
        Intent::StopContainer(&id),
        Intent::RemoveContainer(&id),
        Intent::RenameContainer { container: &id, to: "own-web-1" },
        Intent::LookIntoContainer(&id),
        Intent::UseNetwork(&network),
        Intent::RemoveNetwork(&network),
        Intent::LookIntoNetwork(&network),
        Intent::UseVolume("other_data"),
        Intent::RemoveVolume("other_data"),
        Intent::LookIntoVolume("other_data"),
        Intent::BuildImage { tags: &["own-web".into()], network: None, labels: &labels },
        Intent::PullImage("spc-empty:1"),
    ] {
        fixture.refused(fixture.guard.check(intent));
    }
    fixture.run(fixture.guard.check(Intent::ChangeProject("own"))).unwrap();
    fixture
        .run(fixture.guard.check(Intent::CreateContainer { name: "own-web-1", body: &own() }))
        .unwrap();
    assert_eq!(fixture.engine.calls().len(), calls);
}
