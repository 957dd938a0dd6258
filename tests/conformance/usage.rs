//! Resource usage of containers (`docker stats`) and disk usage of the engine (`docker system df`).

use bollard::models::{self, ContainerStatsResponse};
use futures::stream::{StreamExt, TryStreamExt};
use spc::engine::{EngineErrorKind as Kind, StatsRequest};

use super::case::{Case, kind};
use super::commands::SERVE;

fn memory(reading: &ContainerStatsResponse) -> Option<u64> {
    reading.memory_stats.as_ref()?.usage
}

fn processor_time(reading: &ContainerStatsResponse) -> Option<u64> {
    reading.cpu_stats.as_ref()?.cpu_usage.as_ref()?.total_usage
}

fn processes(reading: &ContainerStatsResponse) -> Option<u64> {
    reading.pids_stats.as_ref()?.current
}

pub async fn one_reading_of_stats_contains_memory_and_cpu_usage(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let id = case.engine.container_inspect(&name).await.unwrap().id.unwrap();
    let readings = case.engine.container_stats(&name, &StatsRequest::default()).await.unwrap();
    let readings: Vec<_> = readings.try_collect().await.unwrap();
    let [reading] = &readings[..] else { panic!("{} readings", readings.len()) };
    assert_eq!(reading.id.as_ref(), Some(&id));
    assert_eq!(reading.name, Some(format!("/{}", case.name("one"))));
    assert!(memory(reading) > Some(0), "{reading:?}");
    assert!(reading.memory_stats.as_ref().unwrap().limit > memory(reading), "{reading:?}");
    assert!(processes(reading) >= Some(1), "{reading:?}");
    let total = reading.cpu_stats.as_ref().unwrap().system_cpu_usage;
    assert!(total > processor_time(reading), "{reading:?}");
}

pub async fn following_stats_continues_until_the_container_is_removed(case: &Case<'_>) {
    let id = case.started("one", SERVE).await;
    let follow = StatsRequest { follow: true };
    let mut readings = case.engine.container_stats(&id, &follow).await.unwrap();
    let first = readings.next().await.unwrap().unwrap();
    let second = readings.next().await.unwrap().unwrap();
    assert!(second.read > first.read, "{:?} {:?}", first.read, second.read);
    assert!(processor_time(&second) >= processor_time(&first));
    case.engine.container_remove(&id, true, false).await.unwrap();
    while readings.next().await.is_some_and(|reading| reading.is_ok()) {}
}

pub async fn stats_of_a_stopped_container_are_empty(case: &Case<'_>) {
    let id = case.created("one", case.body(SERVE)).await;
    let readings = case.engine.container_stats(&id, &StatsRequest::default()).await.unwrap();
    let readings: Vec<_> = readings.try_collect().await.unwrap();
    let [reading] = &readings[..] else { panic!("{} readings", readings.len()) };
    assert_eq!((memory(reading), processes(reading)), (None, None));
    assert_eq!(processor_time(reading), Some(0));
    let missing = case.engine.container_stats("spc-none", &StatsRequest::default()).await;
    assert_eq!(kind(missing.map(drop)), Kind::NotFound);
}

pub async fn disk_usage_counts_images_containers_and_volumes(case: &Case<'_>) {
    case.created("one", case.body(SERVE)).await;
    let volume = models::VolumeCreateRequest {
        name: Some(case.name("data")),
        labels: Some(case.labels()),
        ..models::VolumeCreateRequest::default()
    };
    case.engine.volume_create(volume).await.unwrap();
    let usage = case.engine.system_df().await.unwrap();
    assert!(usage.images.count >= 1 && usage.images.bytes > 0, "{usage:?}");
    assert!(usage.images.reclaimable <= usage.images.bytes, "{usage:?}");
    // Other tests may create and remove objects at the same time, so only lower bounds are certain.
    assert!(usage.containers.count >= 1 && usage.volumes.count >= 1, "{usage:?}");
}
