//! The resource usage of containers, and the disk usage of the engine.

use bollard::models::ContainerStatsResponse;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use hyper::Request;
use serde::Deserialize;

use super::reference::segment;
use super::{DockerEngine, streams, wire};
use crate::engine::{DiskShare, DiskUsage, Method, Result, StatsRequest};

pub(super) async fn stats(
    engine: &DockerEngine,
    container: &str,
    request: &StatsRequest,
) -> Result<BoxStream<'static, Result<ContainerStatsResponse>>> {
    let (container, stream) = (segment("container", container)?, u8::from(request.follow));
    let path = format!("/containers/{container}/stats?stream={stream}");
    let request = wire::request(Request::get(path), Bytes::new())?;
    let response = engine.wire.exchange(request, wire::limit(Method::ContainerStats)).await?;
    let readings = streams::lines(streams::body(response))
        .map(|line| streams::read_json::<ContainerStatsResponse>(&line?));
    Ok(readings.boxed())
}

pub(super) async fn disk(engine: &DockerEngine) -> Result<DiskUsage> {
    let request = wire::request(Request::get("/system/df"), Bytes::new())?;
    let response = engine.wire.exchange(request, wire::limit(Method::SystemDf)).await?;
    let body = streams::whole(response).await?;
    streams::read_json::<Report>(&body).map(Report::read)
}

/// Both forms of the engine's answer: sums (API 1.52 and later), or lists of objects.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    image_usage: Option<UsageTotals>,
    container_usage: Option<UsageTotals>,
    volume_usage: Option<UsageTotals>,
    build_cache_usage: Option<UsageTotals>,
    layers_size: Option<i64>,
    #[serde(default)]
    images: Option<Vec<Image>>,
    #[serde(default)]
    containers: Option<Vec<Container>>,
    #[serde(default)]
    volumes: Option<Vec<Volume>>,
    #[serde(default)]
    build_cache: Option<Vec<CacheRecord>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UsageTotals {
    #[serde(default)]
    total_count: i64,
    #[serde(default)]
    total_size: i64,
    #[serde(default)]
    reclaimable: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Image {
    #[serde(default)]
    containers: i64,
    #[serde(default)]
    size: i64,
    #[serde(default)]
    shared_size: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Container {
    #[serde(default)]
    size_rw: i64,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    usage_data: Option<VolumeUse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VolumeUse {
    size: i64,
    ref_count: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CacheRecord {
    #[serde(default)]
    size: i64,
    #[serde(default)]
    in_use: bool,
}

/// The engine reports -1 for an unknown value.
fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or_default()
}

/// Objects with their size, and whether they are unused.
fn share(objects: impl Iterator<Item = (i64, bool)>) -> DiskShare {
    let mut share = DiskShare::default();
    for (size, is_unused) in objects {
        share.count += 1;
        share.bytes += bytes(size);
        share.reclaimable += if is_unused { bytes(size) } else { 0 };
    }
    share
}

impl UsageTotals {
    fn read(self) -> DiskShare {
        DiskShare {
            count: bytes(self.total_count),
            bytes: bytes(self.total_size),
            reclaimable: bytes(self.reclaimable),
        }
    }
}

impl Report {
    fn read(self) -> DiskUsage {
        let images = self.images.unwrap_or_default();
        let layers = bytes(self.layers_size.unwrap_or_default());
        let used: u64 = images
            .iter()
            .filter(|image| image.containers > 0)
            .map(|image| bytes(image.size - image.shared_size.max(0)))
            .sum();
        let listed_images = DiskShare {
            count: images.len() as u64,
            bytes: layers,
            reclaimable: layers.saturating_sub(used),
        };
        let containers = self.containers.unwrap_or_default().into_iter().map(|container| {
            let is_up = ["running", "paused", "restarting"].contains(&container.state.as_str());
            (container.size_rw, !is_up)
        });
        let volumes = self.volumes.unwrap_or_default().into_iter().map(|volume| {
            volume.usage_data.map_or((0, false), |usage| (usage.size, usage.ref_count == 0))
        });
        let cache =
            self.build_cache.unwrap_or_default().into_iter().map(|it| (it.size, !it.in_use));
        DiskUsage {
            images: self.image_usage.map_or(listed_images, UsageTotals::read),
            containers: self.container_usage.map_or_else(|| share(containers), UsageTotals::read),
            volumes: self.volume_usage.map_or_else(|| share(volumes), UsageTotals::read),
            build_cache: self.build_cache_usage.map_or_else(|| share(cache), UsageTotals::read),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(report: &str) -> DiskUsage {
        serde_json::from_str::<Report>(report).unwrap().read()
    }

    const fn of(count: u64, bytes: u64, reclaimable: u64) -> DiskShare {
        DiskShare { count, bytes, reclaimable }
    }

    #[test]
    fn lists_of_objects_are_summed_up() {
        let usage = read(
            r#"{"LayersSize": 1000,
                "Images": [{"Containers": 1, "Size": 700, "SharedSize": 100}, {"Containers": 0, "Size": 500, "SharedSize": -1}],
                "Containers": [{"SizeRw": 7, "State": "running"}, {"SizeRw": 5, "State": "exited"}, {"State": "created"}],
                "Volumes": [{"UsageData": {"Size": 30, "RefCount": 1}}, {"UsageData": {"Size": 20, "RefCount": 0}}, {"UsageData": null}],
                "BuildCache": [{"Size": 9, "InUse": true}, {"Size": 4, "InUse": false}]}"#,
        );
        assert_eq!(usage.images, of(2, 1000, 400));
        assert_eq!(usage.containers, of(3, 12, 5));
        assert_eq!(usage.volumes, of(3, 50, 20));
        assert_eq!(usage.build_cache, of(2, 13, 4));
    }

    #[test]
    fn sums_of_newer_engines_are_read_and_an_empty_engine_uses_nothing() {
        let usage = read(
            r#"{"ImageUsage": {"TotalCount": 3, "TotalSize": 800, "Reclaimable": 300, "ActiveCount": 1},
                "VolumeUsage": {"TotalCount": 1, "TotalSize": 6}}"#,
        );
        assert_eq!((usage.images, usage.volumes), (of(3, 800, 300), of(1, 6, 0)));
        let empty = read(
            r#"{"LayersSize": 0, "Images": null, "Containers": null, "Volumes": null, "BuildCache": null}"#,
        );
        assert_eq!(empty, DiskUsage::default());
    }
}
