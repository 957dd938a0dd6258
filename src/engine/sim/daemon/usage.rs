//! The resource usage of containers, and the disk usage of the engine.

use std::sync::Arc;
use std::time::Duration;

use bollard::models::{
    ContainerCpuStats, ContainerCpuUsage, ContainerMemoryStats, ContainerPidsStats,
    ContainerStatsResponse,
};
use futures::stream::{self, Stream};

use super::containers::Phase;
use super::errors::no_such_container;
use super::state::{SharedState, State};
use super::system::{CPUS, MEMORY_BYTES};
use crate::engine::{DiskShare, DiskUsage, Result};

/// The interval of measurements.
const EVERY: Duration = Duration::from_secs(1);

/// Readings of the container with this id: one after two measurements, or one after each.
pub(in crate::engine::sim) fn readings(
    shared: Arc<SharedState>,
    id: String,
    follow: bool,
) -> impl Stream<Item = Result<ContainerStatsResponse>> {
    let begun = (shared, id, true);
    stream::try_unfold(begun, move |(shared, id, is_first)| async move {
        let is_up = shared.with(|state| state.is_up(&id));
        match (is_first, follow) {
            // A container that does not run needs no second measurement.
            (true, false) if is_up? => shared.executor.sleep(EVERY * 2).await,
            (true, _) => {}
            (false, false) => return Ok(None),
            (false, true) => shared.executor.sleep(EVERY).await,
        }
        // The stream ends when the container is removed.
        let reading = shared.with(|state| state.reading(&id));
        match reading {
            Err(_) if !is_first => Ok(None),
            reading => Ok(Some((reading?, (shared, id, false)))),
        }
    })
}

impl State {
    fn is_up(&self, id: &str) -> Result<bool> {
        Ok(self.container(id)?.phase == Phase::Running)
    }

    /// The current usage of a container.
    fn reading(&self, id: &str) -> Result<ContainerStatsResponse> {
        let container = self.objects.containers.get(id).ok_or_else(|| no_such_container(id))?;
        let about = ContainerStatsResponse {
            id: Some(id.to_owned()),
            name: Some(format!("/{}", container.name)),
            pids_stats: Some(ContainerPidsStats::default()),
            cpu_stats: Some(ContainerCpuStats {
                cpu_usage: Some(ContainerCpuUsage {
                    total_usage: Some(0),
                    ..ContainerCpuUsage::default()
                }),
                ..ContainerCpuStats::default()
            }),
            memory_stats: Some(ContainerMemoryStats::default()),
            ..ContainerStatsResponse::default()
        };
        if container.phase != Phase::Running {
            return Ok(about);
        }
        let usage = container.process.usage;
        let ran = self.now.saturating_sub(container.started.unwrap_or(self.now));
        let limit = container.host.memory.filter(|limit| *limit > 0);
        let busy = ran.mul_f64(usage.cpus);
        Ok(ContainerStatsResponse {
            read: Some(self.date()),
            pids_stats: Some(ContainerPidsStats { current: Some(1), limit: None }),
            cpu_stats: Some(ContainerCpuStats {
                cpu_usage: Some(ContainerCpuUsage {
                    total_usage: Some(nanoseconds(busy)),
                    ..ContainerCpuUsage::default()
                }),
                system_cpu_usage: Some(nanoseconds(self.now * CPUS)),
                online_cpus: Some(CPUS),
                ..ContainerCpuStats::default()
            }),
            memory_stats: Some(ContainerMemoryStats {
                usage: Some(usage.memory),
                limit: Some(limit.unwrap_or(MEMORY_BYTES).unsigned_abs()),
                ..ContainerMemoryStats::default()
            }),
            ..about
        })
    }

    /// The disk usage: images by their size, volumes, and files that containers wrote without a
    /// volume.
    pub(in crate::engine::sim) fn disk_usage(&self) -> DiskUsage {
        let containers = &self.objects.containers;
        let mut usage = DiskUsage::default();
        let add = |share: &mut DiskShare, bytes: u64, is_used: bool| {
            share.count += 1;
            share.bytes += bytes;
            share.reclaimable += if is_used { 0 } else { bytes };
        };
        for image in self.objects.images.values() {
            let is_used = containers.values().any(|container| container.image_id == image.id);
            add(&mut usage.images, image.size.unsigned_abs(), is_used);
        }
        for container in containers.values() {
            let is_up = matches!(container.phase, Phase::Running | Phase::Restarting);
            add(&mut usage.containers, 0, is_up);
        }
        for volume in self.objects.volumes.values() {
            let is_used = containers.values().any(|container| {
                container.mounts.iter().any(|mount| mount.volume() == Some(&volume.name))
            });
            add(&mut usage.volumes, 0, is_used);
        }
        usage
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
