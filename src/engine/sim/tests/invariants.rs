//! Violations of invariants are found when they occur.

use super::*;
use crate::model::names::{compose_label, label};

fn labelled(body: ContainerCreateBody, labels: &[(&str, &str)]) -> ContainerCreateBody {
    let labels =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ContainerCreateBody { labels: Some(labels), ..body }
}

const OURS: (&str, &str) = (label::PROJECT, "shop");

/// On a volume, or a folder of the machine: `data:/data`.
fn on(bind: &str, labels: &[(&str, &str)]) -> ContainerCreateBody {
    labelled(
        with_host(
            "app:1",
            HostConfig { binds: Some(vec![bind.to_owned()]), ..HostConfig::default() },
        ),
        labels,
    )
}

fn volume(name: &str, labels: &[(&str, &str)]) -> models::VolumeCreateRequest {
    let labels =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    models::VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(labels),
        ..models::VolumeCreateRequest::default()
    }
}

/// The violations, without time and call.
fn found(fixture: &EngineFixture) -> Vec<String> {
    fixture.engine.violations().into_iter().map(|violation| violation.what).collect()
}

#[test]
fn foreign_objects_can_be_inspected_but_not_changed() {
    let fixture = plain();
    let spc = fixture.engine.watched();
    fixture.up("foreign", body("app:1"));
    fixture.up("own", labelled(body("db:1"), &[OURS]));
    fixture.run(async {
        fixture.engine.network_create(network("theirs", None)).await.unwrap();
        fixture.engine.volume_create(volume("kept", &[])).await.unwrap();
        spc.container_inspect("foreign").await.unwrap();
        spc.container_stop("own", &StopRequest::default()).await.unwrap();
        spc.container_remove("own", true, false).await.unwrap();
    });
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.run(async {
        spc.container_stop("foreign", &StopRequest::default()).await.unwrap();
        fixture.engine.container_remove("foreign", true, true).await.unwrap();
        spc.network_remove("theirs").await.unwrap();
        spc.volume_remove("kept", false).await.unwrap();
    });
    let expected = [
        "the container \"foreign\" is not spc's, and is changed by container_stop",
        "the network \"theirs\"",
        "the volume \"kept\"",
    ];
    let found = found(&fixture);
    assert!(
        found.len() == 3 && found.iter().zip(expected).all(|(one, begins)| one.starts_with(begins)),
        "{found:?}"
    );
    let first = fixture.engine.violations().remove(0).to_string();
    assert!(
        first.starts_with("at 0.") && first.contains(" s, container_stop foreign: the container"),
        "{first}"
    );
}

#[test]
fn an_anonymous_volume_may_be_removed_unless_a_foreign_container_uses_it() {
    let fixture = plain();
    let spc = fixture.engine.watched();
    fixture.up("own", labelled(body("db:1"), &[OURS]));
    fixture.up("foreign", body("db:1"));
    let anonymous =
        |name: &str| fixture.engine.state().container(name).unwrap().mounts[0].source.clone();
    let (own, foreign) = (anonymous("own"), anonymous("foreign"));
    fixture.run(fixture.engine.container_remove("own", true, false)).unwrap();
    fixture.run(spc.volume_remove(&own, false)).unwrap();
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.run(spc.volume_remove(&foreign, false)).unwrap_err();
    assert_eq!(found(&fixture).len(), 1);
}

#[test]
fn an_image_that_others_use_stays_theirs_and_adoption_allows_all_of_it() {
    let fixture = plain();
    let spc = fixture.engine.watched();
    fixture.run(fixture.engine.container_create("foreign", None, body("app:1"))).unwrap();
    fixture.engine.allow_adoption();
    fixture.run(spc.container_rename("foreign", "other")).unwrap();
    assert_eq!(found(&fixture), Vec::<String>::new());
    let fixture = plain();
    let spc = fixture.engine.watched();
    fixture.run(fixture.engine.container_create("foreign", None, body("app:1"))).unwrap();
    fixture.run(spc.image_remove("db:1", false)).unwrap();
    fixture.run(spc.image_remove("app:1", false)).unwrap_err();
    assert_eq!(
        found(&fixture),
        ["the image of the container \"foreign\" is not spc's, and is changed by image_remove"]
    );
}

#[test]
fn two_writers_are_found_unless_their_volume_is_shared_or_one_only_reads() {
    let fixture = plain();
    let _spc = fixture.engine.watched();
    fixture.run(fixture.engine.volume_create(volume("media", &[(label::SHARED, "true")]))).unwrap();
    for (name, bind) in [
        ("one", "media:/media"),
        ("two", "media:/media"),
        ("three", "data:/data"),
        ("four", "data:/data:ro"),
    ] {
        fixture.up(name, on(bind, &[OURS]));
    }
    fixture.up(
        "five",
        on(
            "/folder:/data",
            &[OURS, (compose_label::SERVICE, "a"), (compose_label::CONTAINER_NUMBER, "1")],
        ),
    );
    fixture.up(
        "six",
        on(
            "/folder:/data",
            &[OURS, (compose_label::SERVICE, "b"), (compose_label::CONTAINER_NUMBER, "1")],
        ),
    );
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.up("seven", on("data:/data", &[OURS]));
    let writers = found(&fixture).remove(0);
    assert!(
        writers.contains("\"three\"")
            && writers.contains("\"seven\"")
            && writers.ends_with("write to \"data\""),
        "{writers}"
    );
    fixture.run(fixture.engine.container_kill("seven", "KILL")).unwrap();
    fixture.pass(1.0);
    fixture.up(
        "eight",
        on(
            "/folder:/data",
            &[OURS, (compose_label::SERVICE, "b"), (compose_label::CONTAINER_NUMBER, "1")],
        ),
    );
    assert!(
        found(&fixture)[1].ends_with("write to \"/folder\""),
        "a container and its replacement"
    );
}

#[test]
fn two_writers_of_one_storage_are_found_by_whichever_names() {
    let bound = |name: &str, options: &[(&str, &str)]| models::VolumeCreateRequest {
        driver_opts: Some(
            options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ),
        ..volume(name, &[OURS])
    };
    let folder = |device| [("type", "none"), ("o", "bind"), ("device", device)];
    for (one, other, place) in [
        ("data:/x", "same:/x", Some("/srv/data")),
        ("data:/x", "part:/x", Some("/srv/data")),
        ("part:/x", "data:/x", Some("/srv/data")),
        ("data:/x", "/srv/data:/x", Some("/srv/data")),
        ("/srv/data/part/of/it:/x", "data:/x", Some("/srv/data")),
        ("/srv/data/.:/x", "part:/x", Some("/srv/data")),
        ("plain:/x", "/var/lib/docker/volumes/plain/_data/sub:/x", Some("plain")),
        ("share:/x", "export:/x", Some("share nas/export")),
        ("data:/x", "/srv/data:/x:ro", None),
        ("data:/x", "/srv/data2:/x", None),
        ("data:/x", "/:/x", None),
        ("data:/x", "plain:/x", None),
        ("share:/x", "/export:/x", None),
        ("plain:/x", "/var/lib/docker/volumes:/x", None),
    ] {
        let fixture = plain();
        let _spc = fixture.engine.watched();
        fixture.run(async {
            for (name, device) in
                [("data", "/srv/data"), ("same", "/srv/data/"), ("part", "/srv/data/part")]
            {
                fixture.engine.volume_create(bound(name, &folder(device))).await.unwrap();
            }
            fixture
                .engine
                .volume_create(bound(
                    "share",
                    &[("type", "nfs"), ("o", "addr=nas,rw"), ("device", ":/export")],
                ))
                .await
                .unwrap();
            fixture
                .engine
                .volume_create(bound(
                    "export",
                    &[("type", "nfs4"), ("o", "rw,addr=nas"), ("device", ":/export/")],
                ))
                .await
                .unwrap();
            fixture.engine.volume_create(volume("plain", &[OURS])).await.unwrap();
        });
        fixture.up("one", on(one, &[OURS]));
        fixture.up("two", on(other, &[OURS]));
        let expected = place.map(|place| {
            format!("the running containers \"one\" and \"two\" write to \"{place}\"")
        });
        assert_eq!(found(&fixture), Vec::from_iter(expected), "{one} and {other}");
    }
}

#[test]
fn a_secret_is_only_where_it_is_delivered() {
    let fixture = plain();
    let spc = fixture.engine.watched();
    fixture.engine.keep_secret("key", "correct horse/battery");
    let secret = "correct horse/battery";
    let body = ContainerCreateBody {
        env: Some(vec![format!("KEY={secret}")]),
        ..labelled(body("app:1"), &[OURS])
    };
    fixture.run(async {
        spc.container_create("web", None, body).await.unwrap();
        spc.container_start("web").await.unwrap();
        spc.container_upload("web", "/tmp", tar(&[("key", "correct horse/battery")]))
            .await
            .unwrap();
        let request = ExecRequest {
            environment: vec![format!("KEY={secret}")],
            stdin: true,
            ..command(&["load"])
        };
        let mut session = spc.exec_start("web", &request).await.unwrap();
        session.input.as_mut().unwrap().write(secret.into()).await.unwrap();
    });
    assert_eq!(found(&fixture), Vec::<String>::new());
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret);
    fixture.run(async {
        spc.exec_start("web", &command(&["login", &encoded])).await.unwrap();
        let labels = [("note".to_owned(), "correct%20horse%2Fbattery".to_owned())];
        let body = models::VolumeCreateRequest {
            name: Some("notes".into()),
            labels: Some(labels.into()),
            ..Default::default()
        };
        spc.volume_create(body).await.unwrap();
    });
    let expected = [
        "the value of a secret is in a call of exec_start",
        &format!("the value of a secret is in an event: exec_create: login {encoded}"),
        &format!("the value of a secret is in an event: exec_start: login {encoded}"),
        "the value of a secret is in a call of volume_create",
    ];
    assert_eq!(found(&fixture), expected);
}

#[test]
fn a_command_that_a_run_gave_up_is_ended() {
    let endless = |_: &ExecRequest, _: &mut ProcessView| Some(ExecAnswer::default().running_on());
    let fixture = fixture(|builder| builder.process("app:1", Process::new().on_exec(endless)));
    fixture.up("web", labelled(body("app:1"), &[OURS]));
    let begun = |mark: &str| {
        let request = ExecRequest { environment: vec![mark.to_owned()], ..command(&["yes"]) };
        fixture.run(fixture.engine.exec_start("web", &request)).unwrap()
    };
    let read = begun("SPC_EXEC=1");
    drop(begun("OTHER=1"));
    assert_eq!(found(&fixture), Vec::<String>::new(), "one is read, the other is not spc's");
    drop(read);
    assert_eq!(
        found(&fixture),
        ["the command \"yes\" was given up, and goes on in the container \"web\""]
    );
}

#[test]
fn once_enough_were_ready_never_fewer_may_be() {
    let fixture = fixture(|builder| {
        builder.process("app:1", Process::new().ready_after(Duration::from_secs(1)))
    });
    let _spc = fixture.engine.watched();
    fixture.engine.keep_ready("web", 1);
    let web = || labelled(body("app:1"), &[OURS, (compose_label::SERVICE, "web")]);
    fixture.up("old", web());
    fixture.pass(2.0);
    fixture.up("new", web());
    fixture.pass(2.0);
    fixture.run(fixture.engine.container_remove("old", true, true)).unwrap();
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.run(fixture.engine.container_restart("new", &StopRequest::default())).unwrap();
    assert_eq!(found(&fixture), ["only 0 of \"web\" ready, 1 have to be"]);
}

#[test]
fn a_lock_that_the_next_run_would_not_find_is_reported() {
    let fixture = plain();
    let _spc = fixture.engine.watched();
    let create = |name: &str| {
        let body = labelled(body("app:1"), &[OURS, (label::LOCK, "shop"), (label::FORMAT, "1")]);
        fixture.run(fixture.engine.container_create(name, None, body)).unwrap();
    };
    create("shop.spc-lock");
    assert_eq!(found(&fixture), Vec::<String>::new());
    fixture.run(fixture.engine.container_rename("shop.spc-lock", "lock")).unwrap();
    assert_eq!(found(&fixture), ["the lock of \"shop\" is called \"lock\""]);
    fixture.run(fixture.engine.container_rename("lock", "shop.spc-lock")).unwrap();
    fixture.run(fixture.engine.container_start("shop.spc-lock")).unwrap();
    assert_eq!(found(&fixture)[1], "the lock of \"shop\" was started");
}
