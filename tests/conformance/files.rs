//! Copying files to and from containers, including containers that never ran.

use bollard::models;
use bytes::Bytes;
use futures::stream::TryStreamExt;
use spc::engine::EngineErrorKind as Kind;

use super::case::{Case, archive, kind};
use super::commands::SERVE;

pub async fn a_file_is_copied_to_a_container_and_back(case: &Case<'_>) {
    let name = case.created("one", case.body(SERVE)).await;
    case.engine.container_upload(&name, "/", archive("note", b"first")).await.unwrap();
    case.engine.container_upload(&name, "/", archive("note", b"second")).await.unwrap();
    let parts: Vec<Bytes> =
        case.engine.container_download(&name, "/note").await.unwrap().try_collect().await.unwrap();
    let bytes = parts.concat();
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut entries = archive.entries().unwrap();
    let mut entry = entries.next().unwrap().unwrap();
    assert_eq!(entry.path().unwrap().to_str(), Some("note"));
    let mut content = String::new();
    std::io::Read::read_to_string(&mut entry, &mut content).unwrap();
    assert_eq!(content, "second");
}

pub async fn a_path_that_does_not_exist_is_not_found(case: &Case<'_>) {
    let name = case.created("one", case.body(SERVE)).await;
    assert_eq!(
        kind(case.engine.container_upload(&name, "/none", archive("note", b"")).await),
        Kind::NotFound
    );
    assert_eq!(kind(case.engine.container_download(&name, "/none").await), Kind::NotFound);
}

pub async fn a_read_only_container_rejects_uploads(case: &Case<'_>) {
    let host = models::HostConfig { readonly_rootfs: Some(true), ..Default::default() };
    let name = case
        .created("one", models::ContainerCreateBody { host_config: Some(host), ..case.body(SERVE) })
        .await;
    let error = case.engine.container_upload(&name, "/", archive("note", b"")).await.unwrap_err();
    assert!(error.message.contains("read-only"), "{}", error.message);
}
