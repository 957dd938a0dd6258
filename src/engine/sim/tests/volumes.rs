//! Volumes, and archives in and out of containers.

use bollard::models::{Mount, MountType, VolumeCreateRequest};

use super::*;

fn volume(name: &str, label: Option<&str>) -> VolumeCreateRequest {
    let labels = label.map(|value| [("release".to_owned(), value.to_owned())].into());
    VolumeCreateRequest { name: Some(name.to_owned()), labels, ..VolumeCreateRequest::default() }
}

fn with_binds(image: &str, binds: &[&str]) -> ContainerCreateBody {
    with_host(
        image,
        HostConfig {
            binds: Some(binds.iter().map(|bind| (*bind).to_owned()).collect()),
            ..HostConfig::default()
        },
    )
}

fn downloaded(fixture: &EngineFixture, container: &str, path: &str) -> Result<Bytes> {
    fixture.run(async {
        let chunks: Vec<Bytes> =
            fixture.engine.container_download(container, path).await?.try_collect().await?;
        Ok(chunks.concat().into())
    })
}

#[test]
fn creating_a_volume_again_returns_the_existing_one() {
    let fixture = plain();
    fixture.run(async {
        fixture.engine.volume_create(volume("pg", Some("one"))).await.unwrap();
        let again = fixture.engine.volume_create(volume("pg", Some("two"))).await.unwrap();
        assert_eq!(again.labels["release"], "one");
        let bad = fixture.engine.volume_create(volume("p g", None)).await.unwrap_err();
        assert!(
            bad.message.starts_with(
                "create p g: \"p g\" includes invalid characters for a local volume name"
            ),
            "{}",
            bad.message
        );
        assert_eq!(
            fixture.engine.volume_inspect("none").await.unwrap_err().message,
            "get none: no such volume"
        );
        assert!(fixture.engine.volume_remove("none", false).await.unwrap_err().is_not_found());
        fixture.engine.volume_remove("none", true).await.unwrap();
    });
}

#[test]
fn a_volume_has_the_virtual_time_of_its_creation() {
    let fixture = plain();
    let created = |name: &str| {
        let made = fixture.run(fixture.engine.volume_create(volume(name, None))).unwrap();
        assert_eq!(
            fixture.run(fixture.engine.volume_inspect(name)).unwrap().created_at,
            made.created_at
        );
        made.created_at.unwrap()
    };
    let first = created("one");
    fixture.run(fixture.executor.sleep(Duration::from_secs(90)));
    let second = created("two");
    assert_eq!((second - first).num_seconds(), 90);
    assert_eq!(created("one"), first, "it exists already");
}

#[test]
fn a_volume_is_kept_while_any_container_names_it() {
    let fixture = plain();
    let id = fixture
        .run(fixture.engine.container_create("db", None, with_binds("db:1", &["pg:/data"])))
        .unwrap()
        .id;
    let used = fixture.run(fixture.engine.volume_remove("pg", true)).unwrap_err();
    assert!(used.is_conflict());
    assert_eq!(used.message, format!("remove pg: volume is in use - [{id}]"));
    fixture.run(fixture.engine.container_remove("db", false, true)).unwrap();
    assert!(fixture.engine.state().volume("pg").is_some(), "it has a name, so it stays");
    fixture.run(fixture.engine.volume_remove("pg", false)).unwrap();
}

#[test]
fn an_anonymous_volume_goes_with_its_container_if_asked() {
    let fixture = plain();
    fixture.up("one", body("db:1"));
    fixture.up("two", body("db:1"));
    fixture.run(fixture.engine.container_remove("one", true, true)).unwrap();
    fixture.run(fixture.engine.container_remove("two", true, false)).unwrap();
    assert_eq!(fixture.engine.state().volumes.len(), 1);
}

#[test]
fn a_recreated_volume_has_another_stamp_and_writes_are_counted() {
    let fixture = fixture(|builder| builder.process("db:1", Process::new().writes("/data")));
    fixture.up("db", with_binds("db:1", &["pg:/data"]));
    let first = fixture.engine.state().volume("pg").unwrap().clone();
    assert_eq!(first.writes, 1);
    fixture.run(fixture.engine.container_restart("db", &StopRequest::default())).unwrap();
    let second = fixture.engine.state().volume("pg").unwrap().clone();
    assert_eq!((second.stamp, second.writes), (first.stamp, 2));
    fixture.run(async {
        fixture.engine.container_remove("db", true, false).await.unwrap();
        fixture.engine.volume_remove("pg", false).await.unwrap();
        fixture.engine.volume_create(volume("pg", None)).await.unwrap();
    });
    let third = fixture.engine.state().volume("pg").unwrap().clone();
    assert_ne!(third.stamp, first.stamp);
    assert_eq!(third.writes, 0);
}

#[test]
fn two_writers_on_one_volume_are_noticed() {
    let fixture = plain();
    fixture.up("db", with_binds("db:1", &["pg:/data"]));
    fixture.up("reader", with_binds("db:1", &["pg:/data:ro"]));
    assert_eq!(fixture.engine.state().volume("pg").unwrap().most_writers, 1);
    fixture.up("second", with_binds("db:1", &["pg:/data"]));
    fixture.run(fixture.engine.container_remove("second", true, false)).unwrap();
    assert_eq!(fixture.engine.state().volume("pg").unwrap().most_writers, 2);
}

#[test]
fn volumes_are_filtered_by_label_and_by_use() {
    let fixture = plain();
    fixture.run(fixture.engine.volume_create(volume("kept", Some("one")))).unwrap();
    fixture.up("db", with_binds("db:1", &["pg:/data"]));
    let names = |key: &str, value: &str| {
        let filters = Filters::from([(key.to_owned(), vec![value.to_owned()])]);
        fixture
            .run(fixture.engine.volume_list(&filters))
            .unwrap()
            .into_iter()
            .map(|volume| volume.name)
            .collect::<Vec<_>>()
    };
    assert_eq!(names("label", "release=one"), ["kept"]);
    assert_eq!(names("dangling", "true"), ["kept"]);
    assert_eq!(names("dangling", "false"), ["pg"]);
    assert_eq!(names("name", "p"), ["kept", "pg"]);
}

#[test]
fn an_archive_goes_into_a_container_that_never_ran_and_comes_out_again() {
    let fixture = plain();
    fixture.run(fixture.engine.container_create("lock", None, body("app:1"))).unwrap();
    fixture.run(fixture.engine.container_upload("lock", "/", tar(&[("heartbeat", "1")]))).unwrap();
    let mut out = crate::engine::sim::daemon::tree::Tree::default();
    out.unpack("/", &downloaded(&fixture, "lock", "/heartbeat").unwrap()).unwrap();
    assert_eq!(out.file("/heartbeat").unwrap(), "1");
    assert_eq!(fixture.actions("lock"), ["create", "extract-to-dir", "archive-path"]);
    let missing = downloaded(&fixture, "lock", "/none").unwrap_err();
    assert_eq!(
        (missing.kind, missing.message.as_str()),
        (EngineErrorKind::NotFound, "Could not find the file /none in container lock")
    );
}

#[test]
fn uploads_are_refused_where_docker_refuses_them() {
    let fixture = plain();
    let host = HostConfig {
        readonly_rootfs: Some(true),
        binds: Some(vec!["secrets:/run/secrets".into(), "fixed:/fixed:ro".into()]),
        tmpfs: Some([("/scratch".to_owned(), String::new())].into()),
        ..HostConfig::default()
    };
    fixture.run(fixture.engine.container_create("web", None, with_host("app:1", host))).unwrap();
    let upload = |path: &str| {
        fixture
            .run(fixture.engine.container_upload("web", path, tar(&[("key", "k")])))
            .map_err(|error| error.message)
    };
    assert_eq!(upload("/etc").unwrap_err(), "container rootfs is marked read-only");
    assert_eq!(upload("/fixed").unwrap_err(), "mounted volume is marked read-only");
    assert_eq!(
        upload("/scratch").unwrap_err(),
        "Could not find the file /scratch in container web"
    );
    assert_eq!(upload("/none").unwrap_err(), "Could not find the file /none in container web");
    upload("/run/secrets").unwrap();
    assert_eq!(upload("/run/secrets/key").unwrap_err(), "extraction point is not a directory");
    assert_eq!(fixture.engine.file("web", "/run/secrets/key").unwrap(), "k");
    let broken = fixture
        .run(fixture.engine.container_upload("web", "/run/secrets", Bytes::from_static(&[7; 600])))
        .unwrap_err();
    assert!(broken.message.starts_with("Error processing tar file"), "{}", broken.message);
}

#[test]
fn files_uploaded_onto_a_tmpfs_are_invisible_in_the_container() {
    let fixture = plain();
    fixture.up(
        "web",
        with_host(
            "app:1",
            HostConfig {
                tmpfs: Some([("/scratch".to_owned(), String::new())].into()),
                ..HostConfig::default()
            },
        ),
    );
    fixture.run(fixture.engine.container_upload("web", "/scratch", tar(&[("key", "k")]))).unwrap();
    assert_eq!(fixture.engine.file("web", "/scratch/key"), None);
}

#[test]
fn another_container_sees_what_is_in_a_shared_volume() {
    let fixture = plain();
    fixture.up("one", with_binds("app:1", &["shared:/srv/files"]));
    fixture.up("two", with_binds("app:1", &["shared:/var/www"]));
    fixture.run(fixture.engine.container_upload("one", "/srv/files", tar(&[("a", "1")]))).unwrap();
    assert_eq!(fixture.engine.file("two", "/var/www/a").unwrap(), "1");
}

#[test]
fn an_empty_volume_takes_what_the_image_has_there() {
    let fixture = fixture(|builder| {
        builder
            .image("site:1", ImageSpec::command(&["serve"]).with_file("/srv/index.html", "hello"))
    });
    fixture.up("web", with_binds("site:1", &["pages:/srv"]));
    assert_eq!(fixture.engine.file("web", "/srv/index.html").unwrap(), "hello");
    let mount = Mount {
        typ: Some(MountType::VOLUME),
        source: Some("bare".into()),
        target: Some("/srv".into()),
        volume_options: Some(models::MountVolumeOptions {
            no_copy: Some(true),
            ..models::MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    fixture.up(
        "bare",
        with_host("site:1", HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() }),
    );
    assert_eq!(fixture.engine.file("bare", "/srv/index.html"), None);
}
