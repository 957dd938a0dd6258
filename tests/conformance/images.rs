//! Images: import, names, labels, removal, registries.

use futures::stream::{BoxStream, TryStreamExt};
use spc::engine::{EngineError, EngineErrorKind as Kind, Filters, TransferEvent};

use super::case::{Case, archive, kind, stream_of};
use super::commands::SERVE;

/// Imports an image with one small file. Returns its id.
async fn imported(case: &Case<'_>, tag: &str, changes: &[&str]) -> String {
    let mut all = vec![case.label_instruction()];
    all.extend(changes.iter().map(|&change| change.to_owned()));
    let tar = archive("file", case.image_name(tag).as_bytes());
    case.engine.image_import(&case.image_name(tag), &all, stream_of(tar)).await.unwrap()
}

pub async fn an_imported_image_has_the_requested_changes(case: &Case<'_>) {
    let changes = [
        "ENV GREETING=\"good day\"",
        "CMD [\"serve\", \"--all\"]",
        "USER 1000",
        "WORKDIR /srv",
        "EXPOSE 8000/tcp",
    ];
    let id = imported(case, "one", &changes).await;
    assert!(id.starts_with("sha256:"), "{id}");
    let image = case.engine.image_inspect(&case.image_name("one")).await.unwrap();
    assert_eq!(image.id.as_ref(), Some(&id));
    assert_eq!(image.repo_tags, Some(vec![case.image_name("one")]));
    let config = image.config.unwrap();
    assert_eq!(config.labels, Some(case.labels()));
    assert!(config.env.unwrap().contains(&"GREETING=good day".to_owned()));
    assert_eq!(config.cmd, Some(vec!["serve".into(), "--all".into()]));
    assert_eq!(
        (config.user.as_deref(), config.working_dir.as_deref()),
        (Some("1000"), Some("/srv"))
    );
    assert_eq!(config.exposed_ports, Some(vec!["8000/tcp".into()]));
}

pub async fn a_tag_adds_a_name_to_the_same_image(case: &Case<'_>) {
    let id = imported(case, "one", &[]).await;
    case.engine.image_tag(&case.image_name("one"), &case.image_name("two")).await.unwrap();
    assert_eq!(
        case.engine.image_inspect(&case.image_name("two")).await.unwrap().id.as_ref(),
        Some(&id)
    );
    let listed = case.engine.image_list(&case.filter()).await.unwrap();
    assert_eq!(listed.len(), 1);
    let mut tags = listed[0].repo_tags.clone();
    tags.sort();
    assert_eq!(tags, [case.image_name("one"), case.image_name("two")]);
    let by_name = Filters::from([("reference".into(), vec![case.image_name("two")])]);
    assert_eq!(case.engine.image_list(&by_name).await.unwrap().len(), 1);

    case.engine.image_remove(&case.image_name("one"), false).await.unwrap();
    assert_eq!(kind(case.engine.image_inspect(&case.image_name("one")).await), Kind::NotFound);
    assert!(case.engine.image_inspect(&id).await.is_ok(), "it still has a name");
    case.engine.image_remove(&case.image_name("two"), false).await.unwrap();
    assert_eq!(kind(case.engine.image_inspect(&id).await), Kind::NotFound);
}

pub async fn an_image_is_found_by_every_spelling_of_its_name(case: &Case<'_>) {
    let id = imported(case, "latest", &[]).await;
    let name = case.name("x").trim_end_matches("-x").to_owned();
    let digits = &id["sha256:".len()..];
    let spellings = [
        name.clone(),
        format!("{name}:latest"),
        format!("library/{name}"),
        format!("docker.io/{name}"),
        format!("docker.io/library/{name}:latest"),
        format!("index.docker.io/library/{name}:latest"),
        digits.to_owned(),
        format!("sha256:{digits}"),
        digits[..12].to_owned(),
        format!("sha256:{}", &digits[..12]),
    ];
    for spelling in spellings {
        let found = case
            .engine
            .image_inspect(&spelling)
            .await
            .unwrap_or_else(|error| panic!("{spelling}: {error}"));
        assert_eq!(found.id.as_ref(), Some(&id), "{spelling}");
        let mut body = case.body(SERVE);
        body.image = Some(spelling.clone());
        let container = case.created("one", body).await;
        assert_eq!(
            case.engine.container_inspect(&container).await.unwrap().image.as_ref(),
            Some(&id),
            "{spelling}"
        );
        case.engine.container_remove(&container, true, true).await.unwrap();
    }
    for other in [
        format!("DOCKER.IO/library/{name}"),
        format!("localhost/{name}"),
        format!("{name}@sha256:{digits}"),
        format!("{name}:LATEST"),
    ] {
        assert_eq!(kind(case.engine.image_inspect(&other).await), Kind::NotFound, "{other}");
    }
    case.engine.image_tag(&id, &format!("docker.io/library/{name}:two")).await.unwrap();
    let mut tags = case.engine.image_inspect(&id).await.unwrap().repo_tags.unwrap();
    tags.sort();
    assert_eq!(
        tags,
        [format!("{name}:latest"), format!("{name}:two")],
        "the engine lists one spelling"
    );
    case.engine.image_remove(&format!("index.docker.io/{name}:two"), false).await.unwrap();
}

pub async fn removing_an_image_in_use_needs_force(case: &Case<'_>) {
    imported(case, "one", &[]).await;
    let mut body = case.body(SERVE);
    body.image = Some(case.image_name("one"));
    case.created("one", body).await;
    assert_eq!(
        kind(case.engine.image_remove(&case.image_name("one"), false).await),
        Kind::Conflict
    );
    case.engine.image_remove(&case.image_name("one"), true).await.unwrap();
}

pub async fn an_unknown_image_is_not_found(case: &Case<'_>) {
    let (engine, none) = (case.engine, case.image_name("none"));
    assert_eq!(kind(engine.image_inspect(&none).await), Kind::NotFound);
    assert_eq!(kind(engine.image_tag(&none, &case.image_name("new")).await), Kind::NotFound);
    assert_eq!(kind(engine.image_remove(&none, true).await), Kind::NotFound);
    assert_eq!(kind(finished(engine.image_push(&none, None).await).await), Kind::NotFound);
    assert_eq!(kind(engine.image_inspect("").await), Kind::NotFound);
}

pub async fn pull_push_and_digest_fail_if_the_registry_is_unreachable(case: &Case<'_>) {
    let image = &case.fixture.unreachable;
    assert_eq!(kind(finished(case.engine.image_pull(image, None, None).await).await), Kind::Failed);
    assert_eq!(kind(case.engine.image_registry_digest(image, None).await), Kind::Failed);
    case.engine.image_tag(&case.fixture.image, image).await.unwrap();
    assert_eq!(kind(finished(case.engine.image_push(image, None).await).await), Kind::Failed);
    case.engine.image_remove(image, false).await.unwrap();
}

/// Reads the events of a transfer to their end.
async fn finished(
    events: Result<BoxStream<'static, Result<TransferEvent, EngineError>>, EngineError>,
) -> Result<(), EngineError> {
    events?.try_collect::<Vec<_>>().await.map(drop)
}

pub async fn container_labels_override_labels_of_the_image(case: &Case<'_>) {
    imported(
        case,
        "one",
        &["LABEL kept=image given=image emptied=image", "LABEL dev.spc.lock=image"],
    )
    .await;
    let mut body = case.body(SERVE);
    body.image = Some(case.image_name("one"));
    let own = [("given", "container"), ("emptied", ""), ("more", "")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    body.labels.get_or_insert_default().extend(own);
    let name = case.created("one", body).await;
    let expected = [
        ("kept", "image"),
        ("given", "container"),
        ("emptied", ""),
        ("more", ""),
        ("dev.spc.lock", "image"),
    ];
    let mut expected: std::collections::HashMap<_, _> =
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    expected.extend(case.labels());
    let inspected = case.engine.container_inspect(&name).await.unwrap();
    assert_eq!(inspected.config.unwrap().labels.unwrap(), expected);
    let listed = case.engine.container_list(true, &case.filter()).await.unwrap().remove(0);
    assert_eq!(listed.labels.unwrap(), expected);
    // The image list shows which labels come from the image. Its id is the container's image id.
    let images = case.engine.image_list(&case.filter()).await.unwrap();
    assert_eq!(Some(&images[0].id), listed.image_id.as_ref());
    assert_eq!(inspected.image, listed.image_id);
    assert_eq!(
        (images[0].labels["kept"].as_str(), images[0].labels["emptied"].as_str()),
        ("image", "image")
    );
    let filter = spc::engine::label_filter("emptied", "image");
    assert!(
        case.engine.container_list(true, &filter).await.unwrap().is_empty(),
        "the filter goes by the container's own"
    );
}
