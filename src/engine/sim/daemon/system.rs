//! Information of the engine about itself.

use bollard::models::{
    SystemInfo, SystemInfoCgroupDriverEnum, SystemVersion, SystemVersionComponents,
    SystemVersionPlatform,
};
use chrono::SecondsFormat;

use super::containers::Phase;
use super::state::State;
use crate::engine::sim::MODERN_API;

const MINIMUM_API: &str = "1.12";
const MINIMUM_MODERN_API: &str = "1.24";
/// The memory of the engine's machine.
pub(super) const MEMORY_BYTES: i64 = 8 << 30;
/// The number of CPUs of the engine's machine.
pub(super) const CPUS: u32 = 2;

impl State {
    /// A release with this API.
    fn release(&self) -> &'static str {
        if self.api >= MODERN_API { "28.5.2" } else { "20.10.24" }
    }

    pub fn system_version(&self) -> SystemVersion {
        let version = Some(self.release().to_owned());
        let minimum = if self.api >= MODERN_API { MINIMUM_MODERN_API } else { MINIMUM_API };
        SystemVersion {
            platform: Some(SystemVersionPlatform { name: "Simulated engine".to_owned() }),
            components: Some(vec![SystemVersionComponents {
                name: "Engine".to_owned(),
                version: self.release().to_owned(),
                details: None,
            }]),
            version,
            api_version: Some(self.api.to_string()),
            min_api_version: Some(minimum.to_owned()),
            os: Some("linux".to_owned()),
            arch: Some("amd64".to_owned()),
            ..SystemVersion::default()
        }
    }

    pub fn system_info(&self) -> SystemInfo {
        let count = |number: usize| i64::try_from(number).ok();
        let in_phase = |running: bool| {
            count(
                self.objects
                    .containers
                    .values()
                    .filter(|container| {
                        matches!(container.phase, Phase::Running | Phase::Restarting) == running
                    })
                    .count(),
            )
        };
        SystemInfo {
            containers: count(self.objects.containers.len()),
            containers_running: in_phase(true),
            containers_paused: Some(0),
            containers_stopped: in_phase(false),
            images: count(self.objects.images.len()),
            driver: Some("overlay2".to_owned()),
            docker_root_dir: Some("/var/lib/docker".to_owned()),
            system_time: Some(self.date().to_rfc3339_opts(SecondsFormat::Nanos, true)),
            logging_driver: Some("json-file".to_owned()),
            cgroup_driver: Some(SystemInfoCgroupDriverEnum::CGROUPFS),
            operating_system: Some("Simulated Linux".to_owned()),
            os_type: Some("linux".to_owned()),
            architecture: Some("x86_64".to_owned()),
            ncpu: Some(i64::from(CPUS)),
            mem_total: Some(MEMORY_BYTES),
            name: Some("simulation".to_owned()),
            server_version: Some(self.release().to_owned()),
            ..SystemInfo::default()
        }
    }
}
