//! Records, labels and locks of every format version: older ones are read, newer ones rejected and
//! not changed.

use similar_asserts::assert_eq;

use super::*;
use crate::apply::lock;
use crate::engine::Engine;
use crate::model::names::LOCK_IMAGE;

const STATE: &str = "/project/.spc/shop/state.json";
const KEY: &str = "/project/.spc/shop/key.json";

fn text(machine: &Machine, path: &str) -> String {
    let bytes = machine.host.read(&CheckedPath::trusted(path)).unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn write(machine: &Machine, path: &str, text: &str) {
    machine.host.write(&CheckedPath::trusted(path), text.as_bytes(), None).unwrap();
}

fn one() -> Value {
    json!({"services": {"web": {"image": "web:1"}}})
}

/// A machine where `description` runs.
fn running(description: &Value) -> Machine {
    let machine = machine();
    machine.up(description).unwrap();
    machine
}

fn changes(machine: &Machine, before: usize) -> Vec<String> {
    let calls = machine.calls_from(before).into_iter().filter(|call| call.mutates);
    calls.map(|call| format!("{} {}", call.method, call.target)).collect()
}

#[test]
fn stored_state_is_read_without_a_format_and_written_with_one() {
    let machine = running(&one());
    let scaled = |machine: &Machine, count| {
        machine.run(verbs::scale(&machine.ctx(), &project(&one()), "web", count))
    };
    scaled(&machine, 2).unwrap();
    let written = text(&machine, STATE);
    assert!(written.starts_with("{\n  \"format\": 1,\n"), "{written}");
    let older = written.replacen("  \"format\": 1,\n", "", 1);
    write(&machine, STATE, &older);
    let calls = machine.calls();
    machine.up(&one()).unwrap();
    assert_eq!(changes(&machine, calls), [] as [String; 0], "the number of containers is known");
    assert_eq!(text(&machine, STATE), older, "nothing new is remembered");
    scaled(&machine, 3).unwrap();
    assert!(text(&machine, STATE).starts_with("{\n  \"format\": 1,\n"));
}

#[test]
fn unreadable_stored_state_is_rejected_and_kept_but_down_works() {
    let newer = "{\"format\": 2, \"passes\": 3}";
    let why = "format 2 is newer than this spc, which reads formats up to 1";
    let cases = [
        (newer, why, "use the version of spc that wrote it, or a later one"),
        ("{bad", "its content was not written by spc", "fix the file, or remove it; "),
        ("[]", "its content was not written by spc", "fix the file, or remove it; "),
        ("{\"stopped\": 3}", "its content was not written by spc", "fix the file, or remove it; "),
    ];
    for (content, why, hint) in cases {
        let machine = running(&one());
        write(&machine, STATE, content);
        let calls = machine.calls();
        let changed = with(one(), "services.web.command", "other");
        let message =
            format!("Could not read the record of the project \"shop\" from \"{STATE}\": {why}");
        for failure in [
            machine.up(&changed).unwrap_err(),
            machine.run(verbs::scale(&machine.ctx(), &project(&one()), "web", 2)).unwrap_err(),
            machine
                .run(verbs::lifecycle(
                    &machine.ctx(),
                    PROJECT,
                    &BTreeSet::from(["web".to_owned()]),
                    verbs::Lifecycle::Restart,
                    None,
                ))
                .unwrap_err(),
        ] {
            assert_eq!(failure.message, message);
            assert!(failure.hint.as_ref().unwrap().starts_with(hint), "{failure:?}");
        }
        assert_eq!(changes(&machine, calls), [] as [String; 0], "{content}");
        machine.down(false).unwrap();
        assert_eq!(machine.footprint(), Footprint::default(), "{content}");
        assert_eq!(machine.logged(), [format!("{message}; continuing without it")]);
        assert_eq!(text(&machine, STATE), content);
    }
}

#[test]
fn a_key_of_fingerprints_is_read_without_a_version_and_a_newer_one_is_rejected() {
    let mut machine = machine();
    machine.up(&shop()).unwrap();
    let written = text(&machine, KEY);
    assert!(written.starts_with("{\"format\":1,"), "{written}");
    write(&machine, KEY, &written.replacen("\"format\":1,", "", 1));
    let calls = machine.calls();
    machine.up(&shop()).unwrap();
    assert_eq!(changes(&machine, calls), [] as [String; 0], "the fingerprints are the same");
    for (content, why) in [
        (
            "{\"format\":2}",
            "format 2 is newer than this spc, which reads formats up to 1; use the version of spc that wrote it, or a later one",
        ),
        ("{\"id\":3}", "it is not a key; remove it, and spc creates a new one"),
    ] {
        write(&machine, KEY, content);
        machine.environment.insert("TOKEN".to_owned(), "another value".to_owned());
        let failure = machine.up(&shop()).unwrap_err();
        assert!(
            failure.message.ends_with(&format!("could not read \"{KEY}\": {why}")),
            "{failure}"
        );
        assert_eq!(changes(&machine, calls), [] as [String; 0], "{content}");
        assert_eq!(text(&machine, KEY), content);
    }
}

/// Recreates the objects of `project` with labels of this version.
fn relabelled(machine: &Machine, kind: &str, format: &str) -> String {
    let state = machine.state();
    let with_format = |labels: &BTreeMap<String, String>| {
        let mut labels: std::collections::HashMap<String, String> =
            labels.clone().into_iter().collect();
        labels.insert(label::FORMAT.to_owned(), format.to_owned());
        labels
    };
    machine
        .run(async {
            match kind {
                "container" => {
                    let labels = with_format(&state.container("shop-web-1").unwrap().labels);
                    let body = bollard::models::ContainerCreateBody {
                        image: Some("web:1".into()),
                        labels: Some(labels),
                        ..Default::default()
                    };
                    machine.engine.container_remove("shop-web-1", true, false).await.unwrap();
                    machine.engine.container_create("shop-web-1", None, body).await.unwrap();
                    "shop-web-1"
                }
                "network" => {
                    let body = bollard::models::NetworkCreateRequest {
                        name: "shop_more".into(),
                        labels: Some(with_format(&BTreeMap::from([(
                            label::PROJECT.to_owned(),
                            PROJECT.to_owned(),
                        )]))),
                        ..Default::default()
                    };
                    machine.engine.network_create(body).await.unwrap();
                    "shop_more"
                }
                _ => {
                    let body = bollard::models::VolumeCreateRequest {
                        name: Some("shop_more".into()),
                        labels: Some(with_format(&BTreeMap::from([(
                            label::PROJECT.to_owned(),
                            PROJECT.to_owned(),
                        )]))),
                        ..Default::default()
                    };
                    machine.engine.volume_create(body).await.unwrap();
                    "shop_more"
                }
            }
        })
        .to_owned()
}

#[test]
fn labels_of_a_newer_version_are_rejected_but_down_works() {
    let newer = "format 3 is newer than this spc, which reads formats up to 2";
    for (kind, format, message, hint) in [
        ("container", "3", format!("The labels of the container \"shop-web-1\" can't be read: {newer}"), "use the version of spc that wrote it, or a later one; `down` and `stop` work with this one too"),
        ("network", "3", format!("The labels of the network \"shop_more\" can't be read: {newer}"), "use the version of spc that wrote it, or a later one; `down` and `stop` work with this one too"),
        ("volume", "3", format!("The labels of the volume \"shop_more\" can't be read: {newer}"), "use the version of spc that wrote it, or a later one; `down` and `stop` work with this one too"),
        ("volume", "02", "The label \"dev.spc.format\" of the volume \"shop_more\" can't be read: its content was not written by spc: its format is \"02\", not a whole number from 1 on".to_owned(), "remove it with `down`, and bring the project up again"),
        ("container", "new", "The label \"dev.spc.format\" of the container \"shop-web-1\" can't be read: its content was not written by spc: its format is \"new\", not a whole number from 1 on".to_owned(), "remove it with `down`, and bring the project up again"),
    ] {
        let machine = running(&one());
        relabelled(&machine, kind, format);
        let (calls, state) = (machine.calls(), machine.footprint());
        let changed = with(one(), "services.web.command", "other");
        let failure = machine.up(&changed).unwrap_err();
        assert_eq!(failure.message, message);
        assert_eq!(failure.hint.as_deref(), Some(hint));
        assert_eq!(changes(&machine, calls), [] as [String; 0], "{kind}");
        assert_eq!(machine.footprint(), state);
        machine.down(true).unwrap();
        assert_eq!(machine.footprint(), Footprint::default(), "{kind}");
        assert_eq!(machine.logged(), [format!("{message}; continuing without it")]);
    }
}

#[test]
fn labels_of_older_versions_are_read() {
    for format in ["", "1", "2"] {
        let machine = running(&one());
        for kind in ["container", "network", "volume"] {
            relabelled(&machine, kind, format);
        }
        machine.up(&one()).unwrap();
        assert_eq!(machine.logged(), [] as [String; 0], "{format}");
    }
}

/// Takes the lock as another version does.
fn locked_by(machine: &Machine, labels: &[(&str, &str)], heartbeat: &str) {
    let mut body = crate::apply::create::lock(PROJECT, "another");
    let more = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    body.labels.as_mut().unwrap().extend(more);
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(heartbeat.len() as u64);
    header.set_mode(0o444);
    archive.append_data(&mut header, "spc-lock.json", heartbeat.as_bytes()).unwrap();
    machine.run(async {
        if machine.engine.image_inspect(LOCK_IMAGE).await.is_err() {
            let empty = futures::stream::iter([Ok(vec![0; 1024].into())]);
            machine.engine.image_import(LOCK_IMAGE, &[], Box::pin(empty)).await.unwrap();
        }
        let lock = lock_container(PROJECT);
        let created = machine.engine.container_create(&lock, None, body).await.unwrap();
        let archive = archive.into_inner().unwrap().into();
        machine.engine.container_upload(&created.id, "/", archive).await.unwrap();
    });
}

const HOLDER: &str =
    r#""who":"anna@desk","run":"20260101T000000-1a2b3c","since":"2026-01-01T00:00:00Z","beat":3"#;

#[test]
fn a_newer_lock_is_neither_waited_for_nor_taken_over_and_can_be_removed() {
    for (labels, heartbeat, newest, version) in [
        (&[][..], format!("{{\"format\":2,{HOLDER}}}"), 1, "2"),
        (&[], "{\"format\":2}".to_owned(), 1, "2"),
        (&[(label::FORMAT, "3")], format!("{{\"format\":1,{HOLDER}}}"), 2, "3"),
        (
            &[],
            format!("{{\"format\":18446744073709551616,{HOLDER}}}"),
            1,
            "above 18446744073709551615",
        ),
    ] {
        let machine = running(&one());
        locked_by(&machine, labels, &heartbeat);
        let before = machine.executor.now();
        let changed = with(one(), "services.web.command", "other");
        // `down` too: as far as this version knows, another run is active.
        for failure in [
            machine.up(&changed).unwrap_err(),
            machine.up(&one()).unwrap_err(),
            machine.down(false).unwrap_err(),
        ] {
            assert_eq!(failure.kind, Kind::Lock);
            assert_eq!(
                failure.message,
                format!(
                    "The project \"shop\" is locked by a newer version of spc: format {version} is newer than this spc, which reads formats up to {newest}"
                )
            );
            assert!(failure.hint.unwrap().contains("`spc unlock`"));
        }
        assert!(machine.executor.now() < before + secs(5), "nobody waited for it");
        let taken = machine.run(lock::holder(&machine.ctx(), PROJECT)).unwrap().unwrap();
        assert!(taken.content.is_err());
        machine.run(lock::remove(&machine.engine, &taken.id)).unwrap();
        machine.up(&changed).unwrap();
    }
}

#[test]
fn a_lock_that_can_t_be_read_is_refused_with_the_reason_and_never_taken_over() {
    let garbage = "its content was not written by spc";
    let twice = format!("{garbage}: the key \"beat\" is in it twice");
    let half = format!("{garbage}: its format is 0.5, not a whole number from 1 on");
    let label_02 = format!("{garbage}: its format is \"02\", not a whole number from 1 on");
    for (labels, heartbeat, why) in [
        (&[][..], "{bad".to_owned(), garbage),
        (&[], "[]".to_owned(), garbage),
        (&[], "{}".to_owned(), garbage),
        (&[], format!("{{{HOLDER},\"beat\":4}}"), &twice),
        (&[], format!("{{\"format\":0.5,{HOLDER}}}"), &half),
        (&[], "x".repeat(70 << 10), "it is larger than 64 KiB"),
        (&[(label::FORMAT, "02")], format!("{{{HOLDER}}}"), &label_02),
    ] {
        let machine = running(&one());
        locked_by(&machine, labels, &heartbeat);
        let (before, calls) = (machine.executor.now(), machine.calls());
        let changed = with(one(), "services.web.command", "other");
        let failure = machine.up(&changed).unwrap_err();
        assert_eq!(failure.kind, Kind::Lock);
        assert_eq!(
            failure.message,
            format!(
                "The project \"shop\" is locked, but the owner of the lock \"{}\" can't be read: {why}",
                lock_container(PROJECT)
            )
        );
        assert!(failure.hint.unwrap().contains("`spc unlock`"));
        // An owner that writes at this moment is given a little time.
        let waited = machine.executor.now().saturating_sub(before);
        assert!(waited >= secs(5) && waited < secs(10), "{waited:?}");
        let changes = changes(&machine, calls);
        assert!(changes.iter().all(|call| call.starts_with("container_create")), "{changes:?}");
        // Once it is whole, it counts.
        let taken = machine.run(lock::holder(&machine.ctx(), PROJECT)).unwrap().unwrap();
        machine.run(lock::remove(&machine.engine, &taken.id)).unwrap();
        machine.up(&changed).unwrap();
    }
}

#[test]
fn an_empty_lock_is_taken_over_after_its_timeout() {
    let machine = running(&one());
    locked_by(&machine, &[], "");
    let before = machine.executor.now();
    machine.up(&with(one(), "services.web.command", "other")).unwrap();
    assert!(machine.executor.now() > before + secs(30));
}

#[test]
fn a_stale_lock_of_this_or_an_older_version_is_taken_over_after_a_wait() {
    for heartbeat in [format!("{{{HOLDER}}}"), format!("{{\"format\":1,{HOLDER}}}")] {
        let machine = running(&one());
        locked_by(&machine, &[(label::FORMAT, "1")], &heartbeat);
        let before = machine.executor.now();
        machine.up(&with(one(), "services.web.command", "other")).unwrap();
        assert!(machine.executor.now() > before + secs(30), "{heartbeat}");
        let waits: Vec<String> = machine
            .seen
            .0
            .lock()
            .iter()
            .filter_map(|event| match event {
                Event::Waiting { text } if text.contains("anna@desk") => Some(text.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(waits.len(), 2, "{waits:?}");
    }
}

#[test]
fn an_owner_writes_the_version_into_its_lock() {
    let machine = machine();
    let held = machine.run(lock::acquire(&machine.ctx(), PROJECT, secs(1))).unwrap();
    let uploads = machine.engine.calls();
    let upload = uploads.iter().find(|call| call.method == "container_upload").unwrap();
    let taken = machine.run(lock::holder(&machine.ctx(), PROJECT)).unwrap().unwrap();
    assert!(matches!(taken.content, Ok(Some(_))), "{upload:?}");
    let download = machine.run(async {
        use futures::StreamExt;
        let path = "/spc-lock.json";
        let stream = machine.engine.container_download(&taken.id, path).await.unwrap();
        stream.map(|chunk| chunk.unwrap().to_vec()).concat().await
    });
    assert!(String::from_utf8_lossy(&download).contains("{\"format\":1,\"who\":"));
    machine.run(held.release()).unwrap();
}

#[test]
fn a_build_does_not_replace_an_image_with_unreadable_labels() {
    use crate::model::image_reference::canonical;

    for (format, of, is_rejected) in [
        ("3", "shop-web", true),
        // Someone built on an image of a newer version: the labels don't belong to this one.
        ("3", "base", false),
        ("02", "shop-web", true),
        ("02", "base", false),
        ("2", "shop-web", false),
        ("", "shop-web", false),
    ] {
        let labels = [(label::FORMAT, format.to_owned()), (label::IMAGE, canonical(of))];
        let labels = labels.map(|(key, value)| (key.to_owned(), value)).into();
        let mut machine = machine_with(1, |builder| {
            let image = ImageSpec { labels, ..ImageSpec::command(&["serve"]) };
            builder.image("shop-web", image)
        });
        let host = SimHost::new(machine.executor.clone());
        machine.host = Arc::new(host.with_file("/project/app/Dockerfile", "FROM web:1\n"));
        let description = json!({"services": {"web": {"build": "./app"}}});
        let options = UpOptions { build: true, ..UpOptions::default() };
        let result = machine.up_with(&description, &options);
        let builds = machine.engine.calls().into_iter().filter(|call| call.method == "image_build");
        assert_eq!(builds.count(), usize::from(!is_rejected), "{format} {of}");
        if is_rejected {
            let failure = result.unwrap_err();
            let (why, hint) = match format {
                "3" => (
                    "format 3 is newer than this spc, which reads formats up to 2",
                    "use the version of spc that wrote it, or a later one, or remove the image to have it built again",
                ),
                _ => (
                    "its content was not written by spc: its format is \"02\", not a whole number from 1 on",
                    "remove the image to have it built again",
                ),
            };
            assert_eq!(
                failure.message,
                format!("The labels of the image \"shop-web\" can't be read: {why}")
            );
            assert_eq!(failure.hint.as_deref(), Some(hint));
        }
    }
}
