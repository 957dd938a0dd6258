//! Mounts: which ones are allowed, and that exactly the checked path is mounted.

use super::*;

#[test]
fn every_way_to_mount_the_host_is_refused_at_the_call() {
    let fixture = fixture("");
    let bind = |source: &str| HostConfig {
        binds: Some(vec![format!("{source}:/host")]),
        ..HostConfig::default()
    };
    let mounted = |mount: Mount| HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() };
    let long = |source: &str| Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_owned()),
        target: Some("/host".into()),
        ..Mount::default()
    };
    let disguised = |kind: &str, o: &str, device: &str| {
        let driver = MountVolumeOptionsDriverConfig {
            name: Some("local".into()),
            options: Some(options(&[("type", kind), ("o", o), ("device", device)])),
        };
        let volume =
            MountVolumeOptions { driver_config: Some(driver), ..MountVolumeOptions::default() };
        Mount {
            typ: Some(MountType::VOLUME),
            target: Some("/host".into()),
            volume_options: Some(volume),
            ..Mount::default()
        }
    };
    for source in [
        "/",
        "//",
        "/etc",
        "/etc/",
        "/project/../etc",
        "/var/run/docker.sock",
        "/run",
        "/var/run",
        "/proc/1/root",
        "/project/../..",
    ] {
        assert!(fixture.host(bind(source)).starts_with("A script may not mount"), "{source}");
        assert!(
            fixture.host(mounted(long(source))).starts_with("A script may not mount"),
            "{source}"
        );
        assert!(
            fixture
                .host(mounted(disguised("none", "ro,bind", source)))
                .starts_with("A script may not mount"),
            "{source}"
        );
        assert!(
            fixture
                .host(mounted(disguised("tmpfs", "rbind", source)))
                .starts_with("A script may not mount"),
            "{source}"
        );
        let volume = VolumeCreateRequest {
            name: Some("own_data".into()),
            labels: Some(of("own", HERE)),
            driver_opts: Some(options(&[("type", "none"), ("o", "bind"), ("device", source)])),
            ..VolumeCreateRequest::default()
        };
        assert!(
            fixture
                .refused(fixture.guard.volume_create(volume))
                .starts_with("A script may not mount"),
            "{source}"
        );
    }
    let shared = MountBindOptions {
        propagation: Some(MountBindOptionsPropagationEnum::RSHARED),
        ..MountBindOptions::default()
    };
    let shared = Mount { bind_options: Some(shared), ..long("/project/src") };
    assert_eq!(
        fixture.host(mounted(shared)),
        format!("A script may not use \"propagation: rshared\" {PRIVILEGED}")
    );
    assert_eq!(
        fixture.host(mounted(disguised("ext4", "", "/dev/sda1"))),
        format!("A script may not use \"device: /dev/sda1\" {PRIVILEGED}")
    );
}

#[test]
fn a_mount_is_sent_with_the_path_that_was_checked() {
    let fixture = fixture("");
    let driver = |device: &str| options(&[("type", "none"), ("o", "bind"), ("device", device)]);
    for (device, sent) in [
        (".", "/project"),
        ("./data", "/project/data"),
        ("in", "/project/data"),
        ("/project/in/..", "/project"),
    ] {
        let name = format!("own_{}", device.replace(['/', '.'], "_"));
        let volume = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(of("own", HERE)),
            driver_opts: Some(driver(device)),
            ..VolumeCreateRequest::default()
        };
        fixture.run(fixture.guard.volume_create(volume)).unwrap();
        assert_eq!(
            fixture.run(fixture.engine.volume_inspect(&name)).unwrap().options["device"],
            sent,
            "{device}"
        );
    }
    let disguised = MountVolumeOptions {
        driver_config: Some(MountVolumeOptionsDriverConfig {
            name: None,
            options: Some(driver("in")),
        }),
        ..MountVolumeOptions::default()
    };
    let volume = Mount {
        source: Some("own_v".into()),
        target: Some("/v".into()),
        volume_options: Some(disguised),
        ..Mount::default()
    };
    let bind = Mount {
        typ: Some(MountType::BIND),
        source: Some("/project/in".into()),
        target: Some("/m".into()),
        ..Mount::default()
    };
    let host = HostConfig {
        binds: Some(vec!["/project/in:/b:ro".into()]),
        mounts: Some(vec![volume, bind]),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody { host_config: Some(host), ..own() };
    let id = fixture.run(fixture.guard.container_create("own-web-1", None, body)).unwrap().id;
    let made = fixture.run(fixture.engine.container_inspect(&id)).unwrap().host_config.unwrap();
    assert_eq!(made.binds.unwrap(), ["/project/data:/b:ro"]);
    assert_eq!(made.mounts.unwrap()[1].source.as_deref(), Some("/project/data"));
    assert_eq!(
        fixture.run(fixture.engine.volume_inspect("own_v")).unwrap().options["device"],
        "/project/data"
    );
}

/// Creates a container of the project without the guard, as if `source` had been a folder then.
/// Returns its id.
fn with_mounted(fixture: &GuardFixture, name: &str, host: HostConfig) -> String {
    fixture
        .run(fixture.engine.container_create(
            name,
            None,
            ContainerCreateBody { host_config: Some(host), ..own() },
        ))
        .unwrap()
        .id
}

#[test]
fn a_folder_that_became_a_symlink_is_not_mounted_at_the_next_start() {
    let fixture = fixture("");
    let short = |source: &str| HostConfig {
        binds: Some(vec![format!("{source}:/x:ro")]),
        ..HostConfig::default()
    };
    let long = |source: &str| {
        let mount = Mount {
            typ: Some(MountType::BIND),
            source: Some(source.into()),
            target: Some("/x".into()),
            ..Mount::default()
        };
        HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() }
    };
    let volume = |device: &str| {
        let driver = MountVolumeOptionsDriverConfig {
            name: Some("local".into()),
            options: Some(options(&[("type", "none"), ("o", "bind"), ("device", device)])),
        };
        let disguised =
            MountVolumeOptions { driver_config: Some(driver), ..MountVolumeOptions::default() };
        let name = format!("own{}", device.replace('/', "_"));
        let mount = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(name),
            target: Some("/x".into()),
            volume_options: Some(disguised),
            ..Mount::default()
        };
        HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() }
    };
    for (kind, host) in
        [("short", &short as &dyn Fn(&str) -> HostConfig), ("long", &long), ("volume", &volume)]
    {
        let out = with_mounted(&fixture, &format!("own-{kind}-1"), host("/project/out"));
        let said = "A script may not mount \"/project/out\": since the container was created, a symlink was put into the path, and it leads to \"/elsewhere\", outside of the project [bind_mounts";
        let started = fixture.refused(fixture.guard.container_start(&out));
        assert!(started.starts_with(said), "{kind}: {started}");
        let restarted =
            fixture.refused(fixture.guard.container_restart(&out, &StopRequest::default()));
        assert!(restarted.starts_with(said), "{kind}: {restarted}");
        // A path that has not changed, or leads to another folder of the project, allows the start.
        for (at, source) in ["/project/data", "/project/in"].into_iter().enumerate() {
            let fine = with_mounted(&fixture, &format!("own-{kind}-fine-{at}"), host(source));
            fixture.run(fixture.guard.container_start(&fine)).unwrap();
        }
    }
    // A person mounted this path, and it contains no symlink: the container starts.
    let by_hand = with_mounted(&fixture, "own-by-hand-1", short("/srv/data"));
    fixture.run(fixture.guard.container_start(&by_hand)).unwrap();
}
