//! Image builds: the behaviour that every engine shares.

use futures::stream::TryStreamExt;
use spc::engine::{BuildEvent, BuildRequest, EngineError, EngineErrorKind};

use super::case::{Case, archive_of, stream_of};

/// A request to build `dockerfile` without tags. The build context also contains a file `note`.
pub fn request(case: &Case<'_>, dockerfile: &str) -> BuildRequest {
    let context = archive_of(&[("Dockerfile", dockerfile.as_bytes()), ("note", b"a note\n")]);
    BuildRequest {
        tags: Vec::new(),
        dockerfile: "Dockerfile".into(),
        target: None,
        args: std::collections::BTreeMap::new(),
        secrets: std::collections::BTreeMap::new(),
        labels: case.labels().into_iter().collect(),
        no_cache: false,
        pull: false,
        network: None,
        platform: None,
        context_digest: "c0ffee".into(),
        context: stream_of(context),
    }
}

/// Runs a build to its end. Returns its events.
pub async fn built(case: &Case<'_>, request: BuildRequest) -> Result<Vec<BuildEvent>, EngineError> {
    case.engine.image_build(request).await?.try_collect().await
}

pub async fn a_build_tags_its_image_with_every_tag(case: &Case<'_>) {
    let dockerfile = format!("FROM {}\nCOPY note /note\n", case.fixture.image);
    let tags = vec![case.image_name("one"), case.image_name("two")];
    let mut labels: std::collections::BTreeMap<_, _> = case.labels().into_iter().collect();
    labels.insert("dev.spc.context".into(), "c0ffee".into());
    let events =
        built(case, BuildRequest { tags: tags.clone(), labels, ..request(case, &dockerfile) })
            .await
            .unwrap();
    let Some(BuildEvent::Image(id)) = events.last() else {
        panic!("the last event is the image: {events:?}")
    };
    assert!(id.starts_with("sha256:"), "{id}");
    for tag in tags {
        let image = case.engine.image_inspect(&tag).await.unwrap();
        assert_eq!(image.id.as_ref(), Some(id), "{tag}");
        assert_eq!(image.config.unwrap().labels.unwrap()["dev.spc.context"], "c0ffee");
    }
}

pub async fn repeating_a_build_gives_the_same_image(case: &Case<'_>) {
    let dockerfile = format!("FROM {}\nCOPY note /note\n", case.fixture.image);
    let build = || async {
        let request =
            BuildRequest { tags: vec![case.image_name("one")], ..request(case, &dockerfile) };
        built(case, request).await.unwrap().pop()
    };
    assert_eq!(build().await, build().await);
}

pub async fn a_build_with_a_missing_dockerfile_or_target_fails(case: &Case<'_>) {
    let dockerfile = format!("FROM {}\n", case.fixture.image);
    let missing =
        BuildRequest { dockerfile: "none/Dockerfile".into(), ..request(case, &dockerfile) };
    let error = built(case, missing).await.unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::Failed);
    assert!(error.message.contains("none/Dockerfile"), "{}", error.message);
    let unknown = BuildRequest {
        target: Some("production".into()),
        tags: vec![case.image_name("one")],
        ..request(case, &dockerfile)
    };
    let error = built(case, unknown).await.unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::Failed);
    assert!(error.message.contains("production"), "{}", error.message);
    assert!(case.engine.image_inspect(&case.image_name("one")).await.unwrap_err().is_not_found());
}

pub async fn a_tag_moves_to_the_image_that_was_built_last(case: &Case<'_>) {
    let mut ids = Vec::new();
    for note in ["first", "second"] {
        let dockerfile = format!("FROM {}\nENV NOTE={note}\n", case.fixture.image);
        let request = BuildRequest {
            tags: vec![case.image_name("one")],
            context_digest: note.into(),
            ..request(case, &dockerfile)
        };
        built(case, request).await.unwrap();
        ids.push(case.engine.image_inspect(&case.image_name("one")).await.unwrap().id.unwrap());
    }
    assert_ne!(ids[0], ids[1]);
    let first = case.engine.image_inspect(&ids[0]).await.unwrap();
    assert_eq!(
        first.repo_tags.unwrap_or_default(),
        Vec::<String>::new(),
        "the first is there, without a name"
    );
}

pub async fn build_labels_override_labels_of_the_dockerfile_and_the_base_image(case: &Case<'_>) {
    let base =
        format!("FROM {}\nLABEL of=base kept=base\nONBUILD LABEL by=trigger\n", case.fixture.image);
    let tags = |tag: &str| vec![case.image_name(tag)];
    built(case, BuildRequest { tags: tags("base"), ..request(case, &base) }).await.unwrap();
    let dockerfile = format!(
        "FROM {}\nARG KEY=expanded\nLABEL set=dockerfile ${{KEY}}=dockerfile\n",
        case.image_name("base")
    );
    let given = ["of", "by", "set", "expanded"];
    let mut labels: std::collections::BTreeMap<_, _> = case.labels().into_iter().collect();
    labels.extend(given.map(|key| (key.to_owned(), String::new())));
    built(case, BuildRequest { tags: tags("one"), labels, ..request(case, &dockerfile) })
        .await
        .unwrap();
    let found = case
        .engine
        .image_inspect(&case.image_name("one"))
        .await
        .unwrap()
        .config
        .unwrap()
        .labels
        .unwrap();
    assert_eq!(given.map(|key| found[key].as_str()), [""; 4]);
    assert_eq!(found["kept"], "base");
}

/// A request for an uncached build with a secret `key`.
fn with_key(case: &Case<'_>, run: &str) -> BuildRequest {
    let secrets = std::collections::BTreeMap::from([("key".to_owned(), "the value".into())]);
    BuildRequest {
        secrets,
        no_cache: true,
        ..request(case, &format!("FROM {}\nRUN {run}\n", case.fixture.image))
    }
}

pub async fn a_build_step_fails_without_a_required_secret(case: &Case<'_>) {
    for mount in ["id=other,required=true", "source=other,required", "target=/a/other,required=1"] {
        let error = built(case, with_key(case, &format!("--mount=type=secret,{mount} true")))
            .await
            .unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Failed);
        let expected = format!(
            "RUN --mount=type=secret,{mount} true\" failed: secret other not found: not found"
        );
        assert!(error.message.ends_with(&expected), "{}", error.message);
        assert_eq!(
            error.hint.unwrap(),
            "give it to the build with `secrets: [\"other\"]`, or leave `required` of the step's mount out"
        );
    }
    for mount in
        ["id=other", "id=other,required=false", "id=key,required=true", "target=/a/key,required"]
    {
        let built = built(case, with_key(case, &format!("--mount=type=secret,{mount} true"))).await;
        assert!(matches!(built.as_deref(), Ok([.., BuildEvent::Image(_)])), "{mount}: {built:?}");
    }
}

pub async fn a_build_with_an_invalid_mount_fails(case: &Case<'_>) {
    for (mount, words) in [
        ("type=secret", "invalid secret mount"),
        ("type=secret,id=key,src=y", "both source and id can't be set"),
        ("type=secret,id=key,bogus=1", "unexpected key 'bogus'"),
        ("type=bogus,id=key", "unsupported mount type \"bogus\""),
    ] {
        let error =
            built(case, with_key(case, &format!("--mount={mount} true"))).await.unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Failed);
        assert!(
            error.message.starts_with("the build failed: ") && error.message.contains(words),
            "{}",
            error.message
        );
    }
}

pub async fn an_unused_build_secret_does_not_change_the_image(case: &Case<'_>) {
    let dockerfile = format!("FROM {}\nCOPY note /note\n", case.fixture.image);
    let image = async |secrets| {
        built(case, BuildRequest { secrets, ..request(case, &dockerfile) }).await.unwrap().pop()
    };
    let with = std::collections::BTreeMap::from([("key".to_owned(), "the value".into())]);
    assert_eq!(image(std::collections::BTreeMap::new()).await, image(with).await);
}
