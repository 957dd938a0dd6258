//! The owner of a container of an image with labels, and reserved names.

use similar_asserts::assert_eq;

use super::*;
use crate::model::names::LOCK_IMAGE;
use crate::model::ownership::{SPC_LABELS, complete};

/// Every label that spc reads, as the author of an image could write it to imitate a container of
/// `project`.
fn forged(project: &str) -> ImageSpec {
    let mut spec = ImageSpec::command(&["serve"]);
    spec.labels =
        complete(of(project, HERE)).into_keys().map(|key| (key, project.to_owned())).collect();
    spec.labels.insert(compose_label::WORKING_DIR.to_owned(), HERE.to_owned());
    spec
}

fn forging(project: &str) -> GuardFixture {
    fixture_with("", |builder| {
        builder.image("forged:1", forged(project)).image("forged:2", forged("another"))
    })
}

/// Creates a container of a forged image as `docker run` does. Returns its id.
fn stranger(fixture: &GuardFixture, image: &str) -> String {
    let body =
        ContainerCreateBody { image: Some(image.to_owned()), ..ContainerCreateBody::default() };
    fixture.run(async {
        let id = fixture.engine.container_create("eager_turing", None, body).await.unwrap().id;
        fixture.engine.container_start(&id).await.unwrap();
        id
    })
}

fn list_all(fixture: &GuardFixture) {
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
}

#[test]
fn a_container_is_nobodys_that_has_a_projects_labels_from_its_image() {
    let said = "A script may not stop the container \"eager_turing\": no project created it";
    for is_listed in [false, true] {
        let fixture = forging("own");
        let id = stranger(&fixture, "forged:1");
        if is_listed {
            list_all(&fixture);
        }
        let stop = StopRequest::default();
        assert_eq!(fixture.refused(fixture.guard.container_stop("eager_turing", &stop)), said);
        assert_eq!(fixture.refused(fixture.guard.container_stop(&id, &stop)), said);
        assert!(
            fixture
                .refused(fixture.guard.container_remove(&id, true, true))
                .ends_with("no project created it")
        );
        // Also if the image no longer exists.
        fixture.run(async {
            fixture.engine.container_kill(&id, "KILL").await.unwrap();
            fixture.engine.image_remove("forged:1", true).await.unwrap();
        });
        let later = Guard::new(
            Arc::new(fixture.engine.clone()),
            fixture.guard.policy.clone(),
            fixture.guard.host.clone(),
        );
        assert!(
            fixture
                .refused(later.container_remove(&id, true, true))
                .ends_with("no project created it")
        );
    }
}

#[test]
fn an_image_does_not_hide_its_containers_from_their_project() {
    // A container of a forged image as version 0.1.0 created it, without the unused labels.
    for labels in [of("own", HERE), complete(of("own", HERE)).into_iter().collect()] {
        let fixture = forging("other");
        let body = ContainerCreateBody {
            image: Some("forged:1".into()),
            labels: Some(labels),
            ..ContainerCreateBody::default()
        };
        let id = fixture.run(fixture.engine.container_create("own-web-1", None, body)).unwrap().id;
        assert!(fixture.run(fixture.guard.container_start(&id)).unwrap());
        list_all(&fixture);
        assert!(fixture.run(fixture.guard.container_stop(&id, &StopRequest::default())).unwrap());
    }
}

#[test]
fn containers_of_a_forged_image_do_not_change_the_owner_of_a_project() {
    let fixture = forging("own");
    let mut labels = complete(of("own", "/elsewhere"));
    labels.remove(label::PROJECT);
    stranger(&fixture, "forged:1");
    // Its image claims that a container of the project was created from another folder.
    let elsewhere = ImageSpec { labels, ..ImageSpec::command(&["serve"]) };
    fixture.engine.publish("elsewhere:1", &elsewhere, std::time::Duration::ZERO).unwrap();
    fixture.run(async {
        let pull = fixture.engine.image_pull("elsewhere:1", None, None).await.unwrap();
        futures::TryStreamExt::try_collect::<Vec<_>>(pull).await.unwrap();
        let body = ContainerCreateBody {
            image: Some("elsewhere:1".into()),
            ..ContainerCreateBody::default()
        };
        fixture.engine.container_create("odd_lamarr", None, body).await.unwrap();
    });
    assert!(fixture.run(fixture.guard.container_create("own-web-1", None, own())).is_ok());
}

#[test]
fn images_are_asked_about_once_and_not_where_a_list_has_them() {
    let count = |fixture: &GuardFixture| {
        fixture.engine.calls().iter().filter(|call| call.method.starts_with("image_")).count()
    };
    let made = |fixture: &GuardFixture, image: &str| {
        let name = format!("own-{}", image.replace(':', "-"));
        let mut labels = of("own", HERE);
        labels.insert(label::RUN.to_owned(), "the run that made it".to_owned());
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            labels: Some(labels),
            ..ContainerCreateBody::default()
        };
        fixture.run(fixture.engine.container_create(&name, None, body)).unwrap().id
    };
    let fixture = forging("own");
    let ids = ["forged:1", "forged:2", "app:1"].map(|image| made(&fixture, image));
    list_all(&fixture);
    let before = count(&fixture);
    for id in &ids {
        fixture.run(fixture.guard.container_start(id)).unwrap();
    }
    assert_eq!(count(&fixture), before);
    let fixture = forging("own");
    let ids = ["forged:1", "forged:2", "app:1"].map(|image| made(&fixture, image));
    fixture
        .run(
            fixture
                .guard
                .container_list(true, &crate::engine::label_filter(compose_label::PROJECT, "own")),
        )
        .unwrap();
    for id in ids.iter().chain(&ids) {
        fixture.run(fixture.guard.container_start(id)).unwrap();
    }
    assert!(count(&fixture) <= 3, "one for each image: {}", count(&fixture));
    let fixture = forging("own");
    made(&fixture, "forged:1");
    for _ in 0..3 {
        fixture.run(fixture.guard.container_start("own-forged-1")).unwrap();
    }
    assert_eq!(count(&fixture), 1, "its image is asked about once");
}

/// A create call with these labels of spc's own, for the project `own`.
fn labelled(image: &str, more: &[(&str, &str)]) -> ContainerCreateBody {
    let mut labels = of("own", HERE);
    labels.extend(options(more));
    ContainerCreateBody {
        image: Some(image.to_owned()),
        labels: Some(labels),
        ..ContainerCreateBody::default()
    }
}

#[test]
fn only_a_lock_has_a_locks_name_and_only_a_replacement_a_replacements() {
    let fixture =
        fixture_with("", |builder| builder.image(LOCK_IMAGE, ImageSpec::command(&["spc-lock"])));
    let create = |name: &'static str, body| fixture.guard.container_create(name, None, body);
    let replacement = [(label::SERVICE, "web"), (compose_label::ONEOFF, "False")];
    let lock = "only the lock of a project has such a name and labels";
    for (name, body) in [
        ("own.spc-lock", own()),
        ("other.spc-lock", own()),
        ("/own.spc-lock", own()),
        ("own.spc-lock", labelled("app:1", &[(label::LOCK, "own")])),
        ("other.spc-lock", labelled(LOCK_IMAGE, &[(label::LOCK, "own")])),
        ("own-web-1", labelled(LOCK_IMAGE, &[(label::LOCK, "own")])),
        ("own.spc-lock", labelled(LOCK_IMAGE, &[(label::LOCK, "")])),
    ] {
        assert_eq!(
            fixture.refused(create(name, body)),
            format!("A script may not create the container \"{name}\": {lock}")
        );
    }
    let one_off = [(label::SERVICE, "web"), (compose_label::ONEOFF, "True")];
    for body in [own(), labelled("app:1", &one_off)] {
        let said = fixture.refused(create("own-web-1.new", body));
        assert!(
            said.ends_with("only the replacement of a service's container has such a name"),
            "{said}"
        );
    }
    fixture.run(create("own-web-1.new", labelled("app:1", &replacement))).unwrap();
    fixture.run(create("own.spc-lock", labelled(LOCK_IMAGE, &[(label::LOCK, "own")]))).unwrap();
    for name in ["own.spc-lock", "other.spc-lock", "own-web-2.new"] {
        assert!(
            fixture
                .refused(fixture.guard.container_rename("own-web-1.new", name))
                .contains(&format!("\"{name}\" is how spc names")),
            "{name}"
        );
    }
    fixture.run(fixture.guard.container_rename("own-web-1.new", "own-web-1")).unwrap();
}

fn archive(bytes: &'static [u8]) -> BoxStream<'static, std::io::Result<Bytes>> {
    Box::pin(futures::stream::iter(bytes.chunks(700).map(|chunk| Ok(Bytes::from_static(chunk)))))
}

#[test]
fn the_image_of_locks_is_not_a_scripts_to_change() {
    let fixture = fixture("");
    let build = |tag: &str| BuildRequest {
        tags: vec!["own-web".into(), tag.to_owned()],
        dockerfile: "Dockerfile".into(),
        target: None,
        args: BTreeMap::new(),
        secrets: BTreeMap::new(),
        labels: BTreeMap::new(),
        no_cache: false,
        pull: false,
        network: None,
        platform: None,
        context_digest: String::new(),
        context: archive(&[]),
    };
    for name in [LOCK_IMAGE, "spc-empty:2", "docker.io/library/spc-empty:1"] {
        let said = |doing: &str| {
            format!(
                "A script may not {doing} \"{name}\": spc makes the locks of all projects from it"
            )
        };
        assert_eq!(
            fixture.refused(fixture.guard.image_build(build(name))),
            said("build the image")
        );
        assert_eq!(
            fixture.refused(fixture.guard.image_tag("app:1", name)),
            said("tag an image as")
        );
        assert_eq!(
            fixture.refused(fixture.guard.image_pull(name, None, None)),
            said("pull the image")
        );
        assert_eq!(
            fixture.refused(fixture.guard.image_remove(name, true)),
            said("remove the image")
        );
        assert_eq!(
            fixture.refused(fixture.guard.image_import(name, &[], archive(b"an archive"))),
            said("import the image")
        );
        assert_eq!(
            fixture.refused(fixture.guard.image_import(
                name,
                &["CMD x".into()],
                archive(&[0; 1024])
            )),
            said("import the image")
        );
    }
    fixture.run(fixture.guard.image_import(LOCK_IMAGE, &[], archive(&[0; 1024]))).unwrap();
    fixture
        .run(fixture.guard.image_import("own:1", &["CMD x".into()], archive(&[0; 1024])))
        .unwrap();
}

#[test]
fn no_label_of_spcs_own_is_imported() {
    let fixture = fixture("");
    for key in SPC_LABELS.iter().chain(&[compose_label::PROJECT, compose_label::CONFIG_HASH]) {
        for change in [format!("LABEL a=b {key}=own"), format!("onbuild label \"{key}\" own")] {
            let said = fixture.refused(fixture.guard.image_import(
                "own:1",
                &["CMD x".into(), change],
                archive(&[0; 1024]),
            ));
            assert_eq!(
                said,
                format!(
                    "A script may not import the image \"own:1\": the label \"{key}\" is reserved for spc"
                )
            );
        }
    }
}
