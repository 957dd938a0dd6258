//! Images: names, pulls, pushes, imports and builds.

use std::collections::BTreeMap;

use futures::StreamExt;

use super::*;

const DOCKERFILE: &str = "\
FROM app:1 AS base
RUN pip install django
FROM base AS development
CMD python manage.py runserver
FROM base AS production
USER 1000
HEALTHCHECK --interval=5s CMD curl -f http://localhost:8000/
COPY . /app
";

fn order(tag: &str, target: Option<&str>, files: &[(&str, &'static str)]) -> BuildRequest {
    let context = tar(files);
    BuildRequest {
        tags: vec![tag.to_owned()],
        dockerfile: "Dockerfile".to_owned(),
        target: target.map(str::to_owned),
        args: BTreeMap::new(),
        secrets: BTreeMap::new(),
        labels: BTreeMap::new(),
        no_cache: false,
        pull: false,
        network: None,
        platform: None,
        context_digest: crate::engine::sim::daemon::ids::digest([&context]),
        context: stream_of(context),
    }
}

/// The reports up to the first error.
fn build(fixture: &EngineFixture, order: BuildRequest) -> Result<Vec<BuildEvent>> {
    fixture.run(async { fixture.engine.image_build(order).await?.try_collect().await })
}

fn built(events: &[BuildEvent]) -> &str {
    match events.last() {
        Some(BuildEvent::Image(id)) => id,
        other => panic!("no image: {other:?}"),
    }
}

#[test]
fn an_image_is_found_by_name_id_and_digest() {
    let fixture = fixture(|builder| {
        builder.registry_image(
            "redis:7",
            ImageSpec::command(&["redis-server"]),
            Duration::from_secs(4),
        )
    });
    let error = fixture.run(fixture.engine.image_inspect("redis:7")).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (EngineErrorKind::NotFound, "no such image: redis:7: No such image: redis:7")
    );
    let before = fixture.executor.now();
    let events: Vec<TransferEvent> = fixture.run(async {
        fixture.engine.image_pull("redis:7", None, None).await.unwrap().try_collect().await.unwrap()
    });
    assert!(fixture.executor.now().checked_sub(before).unwrap() >= Duration::from_secs(4));
    assert_eq!(events.first().unwrap().status, "Pulling from redis");
    assert_eq!(events.last().unwrap().status, "Status: Downloaded newer image for redis:7");
    let seen = fixture.run(fixture.engine.image_inspect("redis:7")).unwrap();
    let id = seen.id.unwrap();
    let digest = seen.repo_digests.unwrap().remove(0);
    for name in ["redis:7", &id, &id["sha256:".len()..][..12], &digest] {
        assert_eq!(
            fixture.run(fixture.engine.image_inspect(name)).unwrap().id.as_ref(),
            Some(&id),
            "{name}"
        );
    }
    let remote = fixture.run(fixture.engine.image_registry_digest("redis:7", None)).unwrap();
    assert_eq!(digest, format!("redis@{remote}"));
    let again: Vec<TransferEvent> = fixture.run(async {
        fixture.engine.image_pull("redis:7", None, None).await.unwrap().try_collect().await.unwrap()
    });
    assert_eq!(again.last().unwrap().status, "Status: Image is up to date for redis:7");
}

#[test]
fn a_pull_with_a_dropped_stream_is_cancelled() {
    let fixture = fixture(|builder| {
        builder.registry_image(
            "redis:7",
            ImageSpec::command(&["redis-server"]),
            Duration::from_secs(4),
        )
    });
    fixture.run(async {
        let mut reports = fixture.engine.image_pull("redis:7", None, None).await.unwrap();
        reports.next().await.unwrap().unwrap();
    });
    fixture.pass(60.0);
    assert!(fixture.engine.state().image("redis:7").is_none());
}

#[test]
fn a_pull_says_why_it_fails() {
    let pull = |fixture: &EngineFixture, name: &str, auth: Option<&RegistryAuth>| {
        fixture
            .run(fixture.engine.image_pull(name, None, auth))
            .err()
            .map(|error| (error.kind, error.message))
    };
    let silent = plain();
    let none =
        "Get \"https://registry.invalid/v2/\": dial tcp: lookup registry.invalid: no such host";
    assert_eq!(pull(&silent, "redis:7", None), Some((EngineErrorKind::Failed, none.to_owned())));
    let answering = fixture(|builder| {
        builder.registry_image("redis:7", ImageSpec::command(&["x"]), Duration::ZERO)
    });
    let tag = "manifest for redis:8 not found: manifest unknown: manifest unknown";
    assert_eq!(
        pull(&answering, "redis:8", None),
        Some((EngineErrorKind::NotFound, tag.to_owned()))
    );
    let repository = pull(&answering, "other", None).unwrap();
    assert_eq!(repository.0, EngineErrorKind::NotFound);
    assert!(
        repository.1.starts_with("pull access denied for other, repository does not exist"),
        "{}",
        repository.1
    );
    let closed = fixture(|builder| {
        builder
            .registry_image("redis:7", ImageSpec::command(&["x"]), Duration::ZERO)
            .registry_login("me", "secret")
    });
    assert_eq!(
        pull(&closed, "redis:7", None),
        Some((EngineErrorKind::Denied, "unauthorized: authentication required".to_owned()))
    );
    let auth = RegistryAuth {
        username: "me".into(),
        password: "secret".into(),
        ..RegistryAuth::default()
    };
    assert_eq!(pull(&closed, "redis:7", Some(&auth)), None);
}

#[test]
fn a_pushed_image_is_in_the_registry() {
    let fixture = fixture(SimEngineBuilder::registry);
    fixture.run(async {
        fixture.engine.image_tag("app:1", "localhost:5000/app:2").await.unwrap();
        let reports: Vec<TransferEvent> = fixture
            .engine
            .image_push("localhost:5000/app:2", None)
            .await
            .unwrap()
            .try_collect()
            .await
            .unwrap();
        let digest =
            fixture.engine.image_registry_digest("localhost:5000/app:2", None).await.unwrap();
        assert!(reports.last().unwrap().status.starts_with(&format!("2: digest: {digest}")));
        assert_eq!(
            fixture.engine.state().image("app:1").unwrap().digests,
            [format!("localhost:5000/app@{digest}")]
        );
        let missing = fixture.engine.image_push("localhost:5000/none", None).await.err().unwrap();
        assert!(missing.is_not_found());
    });
}

#[test]
fn names_are_taken_away_one_by_one_and_the_image_with_the_last() {
    let fixture = plain();
    fixture.run(async {
        fixture.engine.image_tag("app:1", "app:2").await.unwrap();
        let id = fixture.engine.image_inspect("app:1").await.unwrap().id.unwrap();
        let several = fixture.engine.image_remove(&id, false).await.unwrap_err();
        assert!(several.message.ends_with("(must be forced) - image is referenced in multiple repositories"), "{}", several.message);
        fixture.engine.image_remove("app:1", false).await.unwrap();
        fixture.engine.container_create("web", None, body("app:2")).await.unwrap();
        let used = fixture.engine.image_remove("app:2", false).await.unwrap_err();
        assert!(used.is_conflict());
        assert!(
            used.message.starts_with("conflict: unable to remove repository reference \"app:2\" (must force) - container "),
            "{}",
            used.message
        );
        fixture.engine.container_remove("web", false, false).await.unwrap();
        fixture.engine.image_remove("app:2", false).await.unwrap();
        assert_eq!(fixture.engine.image_remove("app:2", false).await.unwrap_err().message, "No such image: app:2");
        assert_eq!(fixture.engine.image_tag("none", "x").await.unwrap_err().message, "No such image: none:latest");
    });
    let actions: Vec<String> = fixture
        .engine
        .event_trace()
        .into_iter()
        .filter(|line| line.contains(" image "))
        .map(|line| line.split(' ').nth(2).unwrap().to_owned())
        .collect();
    assert_eq!(actions, ["tag", "untag", "untag", "delete"]);
}

#[test]
fn an_import_is_the_same_image_for_the_same_archive_and_changes() {
    let fixture = plain();
    let import = |tag: &str, changes: &[&str], files: &[(&str, &'static str)]| {
        let changes: Vec<String> = changes.iter().map(|change| (*change).to_owned()).collect();
        fixture.run(fixture.engine.image_import(tag, &changes, stream_of(tar(files))))
    };
    let first = import("local/base:1", &["CMD [\"sh\"]"], &[("etc/os", "x")]).unwrap();
    assert_eq!(import("local/base:1", &["CMD [\"sh\"]"], &[("etc/os", "x")]).unwrap(), first);
    assert_ne!(import("local/base:2", &["CMD [\"bash\"]"], &[("etc/os", "x")]).unwrap(), first);
    assert_ne!(import("local/base:3", &["CMD [\"sh\"]"], &[("etc/os", "y")]).unwrap(), first);
    assert_eq!(
        import("local/base:4", &["BOGUS x"], &[]).unwrap_err().message,
        "bogus is not a valid change command"
    );
    let empty = import("local/empty:1", &[], &[]).unwrap();
    let none = fixture
        .run(fixture.engine.container_create("lock", None, body("local/empty:1")))
        .unwrap_err();
    assert_eq!(none.message, "No command specified");
    fixture
        .run(fixture.engine.container_create(
            "lock",
            None,
            ContainerCreateBody { cmd: Some(vec!["none".into()]), ..body("local/empty:1") },
        ))
        .unwrap();
    assert_eq!(fixture.engine.state().container("lock").unwrap().image_id, empty);
    assert_eq!(
        fixture.run(fixture.engine.container_upload("lock", "/etc", tar(&[]))).unwrap_err().kind,
        EngineErrorKind::NotFound
    );
}

#[test]
fn a_build_follows_its_dockerfile() {
    let fixture = plain();
    let files = [("Dockerfile", DOCKERFILE), ("manage.py", "x")];
    let events = build(&fixture, order("spc-backend:dev", Some("Production"), &files)).unwrap();
    let id = built(&events).to_owned();
    let steps: Vec<&str> = events
        .iter()
        .filter_map(
            |event| if let BuildEvent::Step(words) = event { Some(words.as_str()) } else { None },
        )
        .collect();
    assert_eq!(
        steps,
        [
            "[base 1/2] FROM app:1",
            "[base 2/2] RUN pip install django",
            "[production 1/1] COPY . /app"
        ]
    );
    let config =
        fixture.run(fixture.engine.image_inspect("spc-backend:dev")).unwrap().config.unwrap();
    assert_eq!(
        (config.user.as_deref(), config.cmd),
        (Some("1000"), Some(vec!["serve".to_owned()]))
    );
    assert_eq!(config.healthcheck.unwrap().interval, Some(5_000_000_000));
    let again = build(&fixture, order("spc-backend:dev", Some("Production"), &files)).unwrap();
    assert_eq!(built(&again), id);
    assert!(matches!(again[0], BuildEvent::Cached(_)));
    let changed = build(
        &fixture,
        order(
            "spc-backend:dev",
            Some("Production"),
            &[("Dockerfile", DOCKERFILE), ("manage.py", "y")],
        ),
    )
    .unwrap();
    assert_ne!(built(&changed), id);
    let other = build(&fixture, order("spc-backend:dev", Some("development"), &files)).unwrap();
    assert_ne!(built(&other), id);
    assert_eq!(
        fixture.engine.state().image("spc-backend:dev").unwrap().id,
        built(&other),
        "the name moved"
    );
}

#[test]
fn a_build_says_why_it_fails() {
    let failure = |fixture: &EngineFixture, order: BuildRequest| {
        let error = build(fixture, order).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Failed);
        error.message
    };
    let fixture = fixture(|builder| {
        builder.on_build(
            "spc-*",
            BuildScript::new().fails_at("pip install", "no matching distribution", 1),
        )
    });
    let missing = failure(&fixture, order("spc-backend", None, &[("README", "x")]));
    assert_eq!(
        missing,
        "the build failed: failed to read dockerfile: open Dockerfile: no such file or directory"
    );
    let target =
        failure(&fixture, order("spc-backend", Some("nope"), &[("Dockerfile", DOCKERFILE)]));
    assert_eq!(target, "the build failed: target stage \"nope\" could not be found");
    let base = failure(&fixture, order("spc-backend", None, &[("Dockerfile", "FROM python:3")]));
    assert!(
        base.starts_with("could not fetch the base image \"python:3\": ")
            && base.ends_with("no such host"),
        "{base}"
    );
    let events: Vec<Result<BuildEvent>> = fixture.run(async {
        fixture
            .engine
            .image_build(order("spc-backend", None, &[("Dockerfile", DOCKERFILE)]))
            .await
            .unwrap()
            .collect()
            .await
    });
    assert_eq!(
        events[events.len() - 2],
        Ok(BuildEvent::Output("no matching distribution\n".into()))
    );
    let last = events.last().unwrap().as_ref().unwrap_err();
    assert_eq!(
        last.message,
        "\"[base 2/2] RUN pip install django\" failed with exit code 1; its last output:\n  no matching distribution"
    );
    assert!(fixture.engine.state().image("spc-backend:latest").is_none());
}
