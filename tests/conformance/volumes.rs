//! Volumes.

use bollard::models;
use spc::engine::EngineErrorKind as Kind;

use super::case::{Case, kind};
use super::commands::SERVE;

fn request(case: &Case<'_>) -> models::VolumeCreateRequest {
    models::VolumeCreateRequest { name: Some(case.name("data")), labels: Some(case.labels()), ..Default::default() }
}

pub async fn a_volume_is_created_once_found_and_removed(case: &Case<'_>) {
    let created = case.engine.volume_create(request(case)).await.unwrap();
    assert_eq!((created.name.as_str(), created.driver.as_str()), (case.name("data").as_str(), "local"));
    let again = case.engine.volume_create(request(case)).await.unwrap();
    assert_eq!(again.name, created.name, "the one that is there is the answer");
    let inspected = case.engine.volume_inspect(&case.name("data")).await.unwrap();
    assert_eq!(inspected.labels, case.labels());
    let listed = case.engine.volume_list(&case.filter()).await.unwrap();
    assert_eq!(listed.iter().map(|volume| volume.name.clone()).collect::<Vec<_>>(), [case.name("data")]);

    case.engine.volume_remove(&case.name("data"), false).await.unwrap();
    assert_eq!(case.engine.volume_list(&case.filter()).await.unwrap(), []);
}

pub async fn a_volume_in_use_is_not_removed(case: &Case<'_>) {
    case.engine.volume_create(request(case)).await.unwrap();
    let host = models::HostConfig { binds: Some(vec![format!("{}:/data", case.name("data"))]), ..Default::default() };
    let name = case.created("one", models::ContainerCreateBody { host_config: Some(host), ..case.body(SERVE) }).await;
    assert_eq!(kind(case.engine.volume_remove(&case.name("data"), false).await), Kind::Conflict);
    case.engine.container_remove(&name, true, true).await.unwrap();
    case.engine.volume_inspect(&case.name("data")).await.expect("a named volume stays");
    case.engine.volume_remove(&case.name("data"), false).await.unwrap();
}

pub async fn an_unknown_volume_is_not_found_unless_forced(case: &Case<'_>) {
    let none = case.name("none");
    assert_eq!(kind(case.engine.volume_inspect(&none).await), Kind::NotFound);
    assert_eq!(kind(case.engine.volume_remove(&none, false).await), Kind::NotFound);
    assert_eq!(case.engine.volume_remove(&none, true).await, Ok(()));
}
