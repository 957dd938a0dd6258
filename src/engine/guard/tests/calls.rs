//! Which calls need a permission of their own, and which calls the guard itself makes.

use super::*;

#[test]
fn other_privileged_calls_are_refused() {
    let bed = bed("");
    let labels = Some(of("own", HERE));
    let created = bed.run(bed.guard.container_create("own-web-1", None, own())).unwrap();
    let exec =
        ExecRequest { command: vec!["id".into()], privileged: true, ..ExecRequest::default() };
    assert_eq!(
        bed.refused(bed.guard.exec_start(&created.id, &exec)),
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
            bed.refused(bed.guard.network_create(network)),
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
        bed.refused(bed.guard.image_build(build)),
        format!("A script may not use \"build with network: host\" {PRIVILEGED}")
    );
    assert_eq!(
        bed.refused(bed.guard.network_connect("host", &created.id, EndpointSettings::default())),
        format!("A script may not use \"network: host\" {PRIVILEGED}")
    );
}

#[test]
fn nothing_is_asked_that_a_list_told_already() {
    let bed = bed("");
    let id = bed.made("own", HERE);
    bed.run(async {
        bed.guard
            .container_list(true, &crate::engine::label_filter(compose_label::PROJECT, "own"))
            .await
            .unwrap();
        bed.guard.network_list(&Filters::new()).await.unwrap();
        bed.guard.volume_list(&Filters::new()).await.unwrap();
        bed.guard.image_list(&Filters::new()).await.unwrap();
    });
    let before = bed.engine.calls().len();
    bed.run(bed.guard.container_stop(&id, &StopRequest::default())).unwrap();
    assert_eq!(bed.engine.calls().len(), before + 1);
}

#[test]
fn a_check_refuses_what_the_call_would_and_asks_no_more_than_the_lists_say() {
    let bed = bed("");
    let id = bed.made("other", "/srv/other");
    let network = bed.run(bed.engine.network_inspect("other_net")).unwrap().id.unwrap();
    bed.run(async {
        for project in ["other", "own"] {
            bed.guard
                .container_list(true, &crate::engine::label_filter(compose_label::PROJECT, project))
                .await
                .unwrap();
        }
        bed.guard.network_list(&Filters::new()).await.unwrap();
        bed.guard.volume_list(&Filters::new()).await.unwrap();
        bed.guard.image_list(&Filters::new()).await.unwrap();
    });
    let calls = bed.engine.calls().len();
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
        bed.refused(bed.guard.check(intent));
    }
    bed.run(bed.guard.check(Intent::ChangeProject("own"))).unwrap();
    bed.run(bed.guard.check(Intent::CreateContainer { name: "own-web-1", body: &own() })).unwrap();
    assert_eq!(bed.engine.calls().len(), calls);
}
