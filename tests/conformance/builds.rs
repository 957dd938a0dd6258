//! Builds, as far as any engine does them.

use futures::stream::TryStreamExt;
use spc::engine::{BuildEvent, BuildRequest, EngineError};

use super::case::{Case, archive_of, stream_of};

/// A build of `dockerfile`, without tags, beside a file `note`.
pub fn request(case: &Case<'_>, dockerfile: &str) -> BuildRequest {
    let context = archive_of(&[("Dockerfile", dockerfile.as_bytes()), ("note", b"a note\n")]);
    BuildRequest {
        tags: Vec::new(),
        dockerfile: "Dockerfile".into(),
        target: None,
        args: std::collections::BTreeMap::new(),
        labels: case.labels().into_iter().collect(),
        no_cache: false,
        pull: false,
        network: None,
        platform: None,
        context_digest: "c0ffee".into(),
        context: stream_of(context),
    }
}

/// The events of a build to its end.
pub async fn built(case: &Case<'_>, request: BuildRequest) -> Result<Vec<BuildEvent>, EngineError> {
    case.engine.image_build(request).await?.try_collect().await
}

pub async fn a_build_ends_with_its_image_under_every_tag(case: &Case<'_>) {
    let dockerfile = format!("FROM {}\nCOPY note /note\n", case.fixture.image);
    let tags = vec![case.image_name("one"), case.image_name("two")];
    let mut labels: std::collections::BTreeMap<_, _> = case.labels().into_iter().collect();
    labels.insert("dev.spc.context".into(), "c0ffee".into());
    let events = built(case, BuildRequest { tags: tags.clone(), labels, ..request(case, &dockerfile) }).await.unwrap();
    let Some(BuildEvent::Image(id)) = events.last() else { panic!("the last event is the image: {events:?}") };
    assert!(id.starts_with("sha256:"), "{id}");
    for tag in tags {
        let image = case.engine.image_inspect(&tag).await.unwrap();
        assert_eq!(image.id.as_ref(), Some(id), "{tag}");
        assert_eq!(image.config.unwrap().labels.unwrap()["dev.spc.context"], "c0ffee");
    }
}

pub async fn the_same_build_gives_the_same_image(case: &Case<'_>) {
    let dockerfile = format!("FROM {}\nCOPY note /note\n", case.fixture.image);
    let build = || async {
        let request = BuildRequest { tags: vec![case.image_name("one")], ..request(case, &dockerfile) };
        built(case, request).await.unwrap().pop()
    };
    assert_eq!(build().await, build().await);
}
