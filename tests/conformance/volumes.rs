//! Volumes.

use bollard::models;
use spc::engine::EngineErrorKind as Kind;

use super::case::{Case, kind};
use super::commands::SERVE;

fn request(case: &Case<'_>) -> models::VolumeCreateRequest {
    models::VolumeCreateRequest {
        name: Some(case.name("data")),
        labels: Some(case.labels()),
        ..Default::default()
    }
}

pub async fn a_volume_is_created_once_listed_and_removed(case: &Case<'_>) {
    let created = case.engine.volume_create(request(case)).await.unwrap();
    assert_eq!(
        (created.name.as_str(), created.driver.as_str()),
        (case.name("data").as_str(), "local")
    );
    let again = case.engine.volume_create(request(case)).await.unwrap();
    assert_eq!(again.name, created.name, "the one that is there is the answer");
    let inspected = case.engine.volume_inspect(&case.name("data")).await.unwrap();
    assert_eq!(inspected.labels, case.labels());
    let listed = case.engine.volume_list(&case.filter()).await.unwrap();
    assert_eq!(
        listed.iter().map(|volume| volume.name.clone()).collect::<Vec<_>>(),
        [case.name("data")]
    );

    case.engine.volume_remove(&case.name("data"), false).await.unwrap();
    assert_eq!(case.engine.volume_list(&case.filter()).await.unwrap(), []);
}

pub async fn a_volume_in_use_is_not_removed(case: &Case<'_>) {
    case.engine.volume_create(request(case)).await.unwrap();
    let host = models::HostConfig {
        binds: Some(vec![format!("{}:/data", case.name("data"))]),
        ..Default::default()
    };
    let name = case
        .created("one", models::ContainerCreateBody { host_config: Some(host), ..case.body(SERVE) })
        .await;
    assert_eq!(kind(case.engine.volume_remove(&case.name("data"), false).await), Kind::Conflict);
    case.engine.container_remove(&name, true, true).await.unwrap();
    case.engine.volume_inspect(&case.name("data")).await.expect("a named volume stays");
    case.engine.volume_remove(&case.name("data"), false).await.unwrap();
}

pub async fn removing_an_unknown_volume_fails_unless_forced(case: &Case<'_>) {
    let none = case.name("none");
    assert_eq!(kind(case.engine.volume_inspect(&none).await), Kind::NotFound);
    assert_eq!(kind(case.engine.volume_remove(&none, false).await), Kind::NotFound);
    assert_eq!(case.engine.volume_remove(&none, true).await, Ok(()));
}

pub async fn a_bind_volume_keeps_its_device_and_needs_it_when_a_container_starts(case: &Case<'_>) {
    let bound = |device: &str| {
        let options = [("type", "none"), ("o", "bind"), ("device", device)];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        models::VolumeCreateRequest { driver_opts: Some(options), ..request(case) }
    };
    // The engine resolves this path relative to its own working directory, not the client's.
    case.engine.volume_create(bound("spc-none/such")).await.unwrap();
    assert_eq!(
        case.engine.volume_inspect(&case.name("data")).await.unwrap().options["device"],
        "spc-none/such"
    );
    let host = models::HostConfig {
        binds: Some(vec![format!("{}:/data", case.name("data"))]),
        ..Default::default()
    };
    let name = case
        .created("one", models::ContainerCreateBody { host_config: Some(host), ..case.body(SERVE) })
        .await;
    let error = case.engine.container_start(&name).await.unwrap_err();
    assert!(
        error.message.contains("failed to mount local volume: mount spc-none/such:"),
        "{error}"
    );
    assert!(error.message.contains("no such file or directory"), "{error}");
}

pub async fn invalid_volume_options_are_rejected(case: &Case<'_>) {
    for options in [
        [("type", "none"), ("o", "bind")],
        [("type", "none"), ("Device", "/srv")],
        [("device", "/srv"), ("o", "bind")],
    ] {
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let refused = case
            .engine
            .volume_create(models::VolumeCreateRequest {
                driver_opts: Some(options),
                ..request(case)
            })
            .await;
        assert_eq!(kind(refused), Kind::Invalid);
    }
}

pub async fn a_mount_creates_a_volume_with_its_options(case: &Case<'_>) {
    let options = [("type", "tmpfs"), ("device", "tmpfs"), ("o", "size=1m")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let driver = models::MountVolumeOptionsDriverConfig {
        name: Some("local".into()),
        options: Some(options.into()),
    };
    let volume = models::MountVolumeOptions {
        driver_config: Some(driver),
        labels: Some(case.labels()),
        ..Default::default()
    };
    let mount = models::Mount {
        typ: Some(models::MountType::VOLUME),
        source: Some(case.name("data")),
        target: Some("/data".into()),
        volume_options: Some(volume),
        ..Default::default()
    };
    let host = models::HostConfig { mounts: Some(vec![mount]), ..Default::default() };
    case.created(
        "one",
        models::ContainerCreateBody { host_config: Some(host), ..case.body(SERVE) },
    )
    .await;
    assert_eq!(
        case.engine.volume_inspect(&case.name("data")).await.unwrap().options["o"],
        "size=1m"
    );
}

pub async fn lists_contain_volume_options_and_container_mounts(case: &Case<'_>) {
    let options = [("type", "none"), ("o", "bind"), ("device", "/tmp")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let bound = models::VolumeCreateRequest { driver_opts: Some(options.into()), ..request(case) };
    case.engine.volume_create(bound).await.unwrap();
    let listed = case.engine.volume_list(&case.filter()).await.unwrap().remove(0);
    assert_eq!((listed.options["device"].as_str(), listed.options["o"].as_str()), ("/tmp", "bind"));
    assert!(listed.mountpoint.ends_with(&format!("/{}/_data", listed.name)), "{listed:?}");

    let binds = vec![format!("{}:/data", listed.name), "/tmp/.:/folder:rw".to_owned()];
    let host = models::HostConfig { binds: Some(binds), ..Default::default() };
    case.created(
        "one",
        models::ContainerCreateBody { host_config: Some(host), ..case.body(SERVE) },
    )
    .await;
    let container = case.engine.container_list(true, &case.filter()).await.unwrap().remove(0);
    let mut mounts = container.mounts.unwrap();
    mounts.sort_by_key(|mount| mount.destination.clone());
    assert_eq!((mounts[0].name.as_ref(), mounts[0].rw), (Some(&listed.name), Some(true)));
    assert_eq!(
        (mounts[1].name.as_deref(), mounts[1].source.as_deref(), mounts[1].rw),
        (None, Some("/tmp"), Some(true))
    );
}
