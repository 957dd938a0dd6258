//! Objects of other projects and other folders, and objects without a project.

use super::*;

#[test]
fn objects_of_another_folder_are_protected_and_the_error_names_the_setting() {
    let fixture = fixture("");
    let id = fixture.made("other", "/srv/other");
    let line = "[if this is the same project, in a renamed or moved folder or in another release, use --project other; \
                to allow it, write projects = [\"other\"] under [allow] in spc.toml]";
    let said = |doing: &str, object: &str| {
        format!(
            "A script may not {doing} \"{object}\": it belongs to the project \"other\", made from \"/srv/other\", which no longer exists {line}"
        )
    };
    let guard = &fixture.guard;
    let stop = StopRequest::default();
    for name in [&id, &"other-web-1".to_owned()] {
        assert_eq!(
            fixture.refused(guard.container_start(name)),
            said("start the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_stop(name, &stop)),
            said("stop the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_restart(name, &stop)),
            said("restart the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_kill(name, "KILL")),
            said("send a signal to the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_rename(name, "own-web-1")),
            said("rename the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_remove(name, true, true)),
            said("remove the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_logs(name, &LogsRequest::default())),
            said("read the log of the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_top(name)),
            said("look into the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_upload(name, "/", Bytes::new())),
            said("write into the container", "other-web-1")
        );
        assert_eq!(
            fixture.refused(guard.container_download(name, "/etc")),
            said("read from the container", "other-web-1")
        );
        let exec = ExecRequest { command: vec!["id".into()], ..ExecRequest::default() };
        assert_eq!(
            fixture.refused(guard.exec_start(name, &exec)),
            said("run a command in the container", "other-web-1")
        );
    }
    assert_eq!(
        fixture.refused(guard.volume_remove("other_data", true)),
        said("remove the volume", "other_data")
    );
    assert_eq!(
        fixture.refused(guard.network_remove("other_net")),
        said("remove the network", "other_net")
    );
    let mounts =
        HostConfig { binds: Some(vec!["other_data:/data".into()]), ..HostConfig::default() };
    assert_eq!(fixture.host(mounts), said("mount the volume", "other_data"));
    let joins = HostConfig { network_mode: Some("other_net".into()), ..HostConfig::default() };
    assert_eq!(fixture.host(joins), said("connect to the network", "other_net"));
    let endpoints = NetworkingConfig {
        endpoints_config: Some(HashMap::from([(
            "other_net".to_owned(),
            EndpointSettings::default(),
        )])),
    };
    let body = ContainerCreateBody { networking_config: Some(endpoints), ..own() };
    assert_eq!(
        fixture.refused(guard.container_create("own-web-1", None, body)),
        said("connect to the network", "other_net")
    );
}

#[test]
fn nothing_is_made_in_another_projects_name() {
    let fixture = fixture("");
    fixture.made("other", "/srv/other");
    let forged = |from: &str| ContainerCreateBody { labels: Some(of("other", from)), ..plain() };
    // Labels with the other project's folder or with this folder make no difference.
    for from in ["/srv/other", HERE] {
        let said =
            fixture.refused(fixture.guard.container_create("other-web-2", None, forged(from)));
        assert!(said.starts_with("A script may not create the container \"other-web-2\": it belongs to the project \"other\""), "{said}");
    }
    let labels = || Some(HashMap::from([(label::PROJECT.to_owned(), "other".to_owned())]));
    let volume = VolumeCreateRequest {
        name: Some("x".into()),
        labels: labels(),
        ..VolumeCreateRequest::default()
    };
    assert!(
        fixture
            .refused(fixture.guard.volume_create(volume))
            .starts_with("A script may not create the volume \"x\"")
    );
    let network = NetworkCreateRequest {
        name: "x".into(),
        labels: labels(),
        ..NetworkCreateRequest::default()
    };
    assert!(
        fixture
            .refused(fixture.guard.network_create(network))
            .starts_with("A script may not create the network \"x\"")
    );
}

#[test]
fn a_project_that_a_person_named_is_a_scripts_to_change() {
    let fixture = fixture("[allow]\nprojects = [\"other\"]\n");
    let id = fixture.made("other", "/srv/other");
    assert!(fixture.run(fixture.guard.container_stop(&id, &StopRequest::default())).unwrap());
    let given = self::fixture("");
    given.made("other", "/srv/other");
    let host = Arc::new(SimHost::new(given.executor.clone()));
    let policy = Policy::of_folder(Path::new(HERE), &|path| resolve(&*host, path))
        .with_given_project(Some("other".into()));
    let guard = Guard::new(Arc::new(given.engine.clone()), policy, host);
    assert!(given.run(guard.container_stop("other-web-1", &StopRequest::default())).unwrap());
}

#[test]
fn volumes_without_containers_are_still_of_the_folder_that_made_them() {
    let fixture = fixture("");
    let id = fixture.made("other", "/srv/other");
    fixture.run(fixture.engine.container_remove(&id, true, true)).unwrap();
    assert!(
        fixture
            .refused(fixture.guard.volume_remove("other_data", true))
            .contains("made from \"/srv/other\"")
    );
    // Those of Docker Compose don't record their folder.
    let composed = VolumeCreateRequest {
        name: Some("shop_data".into()),
        labels: Some(HashMap::from([(compose_label::PROJECT.to_owned(), "shop".to_owned())])),
        ..VolumeCreateRequest::default()
    };
    fixture.run(fixture.engine.volume_create(composed)).unwrap();
    assert!(
        fixture
            .refused(fixture.guard.volume_remove("shop_data", true))
            .contains("by Docker Compose from an unknown folder")
    );
}

#[test]
fn objects_without_a_project_can_be_used_but_not_changed() {
    let fixture = fixture("");
    fixture.run(async {
        fixture.engine.container_create("stray", None, plain()).await.unwrap();
        let volume =
            VolumeCreateRequest { name: Some("shared".into()), ..VolumeCreateRequest::default() };
        fixture.engine.volume_create(volume).await.unwrap();
    });
    assert_eq!(
        fixture.refused(fixture.guard.container_remove("stray", true, true)),
        "A script may not remove the container \"stray\": no project created it"
    );
    let host = HostConfig { binds: Some(vec!["shared:/data".into()]), ..HostConfig::default() };
    let made = fixture.run(fixture.guard.container_create(
        "own-web-1",
        None,
        ContainerCreateBody { host_config: Some(host), ..own() },
    ));
    assert!(made.is_ok());
}

#[test]
fn a_container_that_is_gone_is_the_engines_to_tell() {
    let fixture = fixture("");
    assert!(
        fixture
            .run(fixture.guard.container_stop("none", &StopRequest::default()))
            .unwrap_err()
            .is_not_found()
    );
}

#[test]
fn a_container_of_this_folder_does_not_prove_ownership_of_a_volume() {
    let fixture = fixture("");
    // Objects that Docker Compose left without containers: nothing shows their folder.
    let labels = options(&[(compose_label::PROJECT, "other")]);
    let volume = VolumeCreateRequest {
        name: Some("other_data".into()),
        labels: Some(labels),
        ..VolumeCreateRequest::default()
    };
    fixture.run(fixture.engine.volume_create(volume)).unwrap();
    let body = ContainerCreateBody { labels: Some(of("other", HERE)), ..plain() };
    let refusal = fixture.refused(fixture.guard.container_create("other-web-1", None, body));
    assert!(
        refusal.contains(
            "it belongs to the project \"other\", created by Docker Compose from an unknown folder"
        ),
        "{refusal}"
    );
    fixture.refused(fixture.guard.volume_remove("other_data", false));
}
