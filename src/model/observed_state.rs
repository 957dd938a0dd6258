//! The state of a project on the engine: one side of the comparison. Created by `apply::observe`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::cause::Cause;
use super::delivered_secrets::DeliveredSecrets;
use super::exclusive_resources::Resource;
use super::format::FormatError;
use super::image_reference::{canonical, id_digits};
use super::names::NEW_SUFFIX;
use super::spec::{self, Condition};
use super::storage::Storages;

/// The state of a project on the engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObservedState {
    /// Containers of the project, created by spc or Compose, without the lock and one-off
    /// containers.
    pub containers: Vec<Container>,
    /// The lock's container exists: another run is active, or was killed.
    pub locked: bool,
    pub networks: Vec<Network>,
    pub volumes: Vec<Volume>,
    /// The storage of all volumes of the engine.
    pub storages: Storages,
    /// Every other container of the engine, including the project's one-off containers.
    pub others: Vec<OtherContainer>,
    /// The subnets of every network of the engine.
    pub subnets: Vec<TakenSubnet>,
    /// The project's one-off containers: left by a killed run, or still active.
    pub one_offs: Vec<OneOffContainer>,
    /// Volumes with the secrets of a container that no longer exists. A run was killed between the
    /// removal of both.
    pub orphaned_secrets: BTreeSet<String>,
    /// Id of a container → its secrets, if its label was made with a key that is missing here, so
    /// that spc had to read them.
    pub delivered_secrets: BTreeMap<String, DeliveredSecrets>,
    /// The project directories in the labels of the project's containers, networks and volumes.
    pub folders: BTreeSet<String>,
    /// The records of moves of the project.
    pub moves: Vec<MoveRecord>,
    /// An object of the project with labels that can't be read, such as `container "shop-web-1"`,
    /// and the reason.
    pub unreadable: Option<(String, FormatError)>,
    /// Ids of every network on the engine. A container may refer to a network that no longer
    /// exists.
    pub network_ids: BTreeSet<String>,
    /// Name and tag (or digest), and id → id, of every image on the engine. Names are in the form
    /// of [`canonical`].
    pub images: BTreeMap<String, String>,
    /// Ids of images that are known to have no health check of their own; inspected only if it
    /// matters.
    pub unchecked_images: BTreeSet<String>,
}

/// The record of a moved project: an empty volume. It outlives the project's containers, and its
/// labels can't come from an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRecord {
    /// The volume's name.
    pub name: String,
    /// The current folder of the project.
    pub to: String,
    /// The former folders of the project.
    pub former: BTreeSet<String>,
}

/// A container of the project.
#[derive(Debug, Clone, PartialEq)]
pub struct Container {
    pub id: String,
    pub name: String,
    pub service: String,
    pub number: u32,
    /// It has spc's label for this project.
    pub ours: bool,
    pub hash: Option<String>,
    pub parts: Option<String>,
    /// `<key id>:<fingerprint>` of its secrets.
    pub secrets: Option<String>,
    /// The release on its label.
    pub release: Option<String>,
    /// It was created beside the container that it replaces, and got the service's network alias
    /// later, if it has it.
    pub is_beside: bool,
    pub image_id: String,
    /// The name of the image that it was made from; empty if this name denotes another image now.
    pub image: String,
    pub state: ContainerState,
    pub health: Health,
    /// Set for an exited container.
    pub exit_code: Option<i64>,
    /// Ids of the networks that it is connected to.
    pub networks: BTreeSet<String>,
    /// Its current addresses, each with the id of its network; empty if it does not run.
    pub addresses: BTreeSet<(String, IpAddr)>,
    /// The addresses that were requested, also if it does not run. The engine chooses the others at
    /// each start.
    pub static_addresses: BTreeSet<(String, IpAddr)>,
    /// The dependencies of its service, from Compose's label: for verbs without a description.
    pub depends_on: BTreeMap<String, Condition>,
    /// Published ports.
    pub ports: Vec<PublishedPort>,
    /// Names of the volumes that it may write to.
    pub writes: BTreeSet<String>,
    /// Folders and files of the machine that it may write to.
    pub folders: BTreeSet<String>,
    /// Names of the volumes that it mounts, read-only ones too.
    pub volumes: BTreeSet<String>,
    /// Whether it mounts anonymous volumes, except the volume of its secrets.
    pub has_anonymous_volumes: bool,
    /// Seconds since the epoch.
    pub created: i64,
    /// In the engine's own words: `Up 5 minutes (healthy)`.
    pub status: String,
    /// How often the engine restarted it. Set only for a container that has no check and was
    /// started within the last seconds.
    pub restarts: u32,
}

/// A container that does not belong to a service of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherContainer {
    pub id: String,
    pub name: String,
    /// The project in its labels. Its image may have set them, so this is only for display.
    pub owner: Option<String>,
    /// Published ports; none while it does not run.
    pub ports: Vec<PublishedPort>,
    /// Its current addresses, each with the id of its network; empty if it does not run.
    pub addresses: BTreeSet<(String, IpAddr)>,
    /// Names of the volumes that it mounts.
    pub volumes: BTreeSet<String>,
}

/// A subnet of a network on the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenSubnet {
    pub net: IpNet,
    /// The id and the name of the network.
    pub network: String,
    pub name: String,
    /// The project that created it, by its labels; `None` if it was created by hand.
    pub owner: Option<String>,
}

/// A one-off container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOffContainer {
    pub id: String,
    pub name: String,
    /// Whether it has a running process.
    pub is_up: bool,
    /// Names of the volumes that it may write to.
    pub writes: BTreeSet<String>,
    /// The label that identifies the process that runs it.
    pub owner: String,
    /// Whether that process is still running.
    pub run: OwnerState,
}

/// Whether the run that created a one-off container is still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerState {
    Running,
    /// It was killed, and left the container behind.
    Gone,
    /// Unknown: the run is on another machine, or an earlier version of spc created the container.
    Unknown,
}

/// Any container on the engine, with everything that may conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineContainer {
    pub id: String,
    pub name: String,
    /// The project in its spc label, which may come from its image.
    pub project: Option<String>,
    /// Whether it has a running process.
    pub is_up: bool,
    /// Names of the volumes that it may write to.
    pub writes: BTreeSet<String>,
    /// Folders and files of the machine that it may write to.
    pub folders: BTreeSet<String>,
}

/// A published port in the engine's form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishedPort {
    pub host_ip: String,
    pub published: u16,
    pub target: u16,
    pub protocol: String,
}

impl PublishedPort {
    /// The exclusive resource that the port uses.
    pub fn resource(&self) -> Resource {
        Resource::HostPort {
            address: self.host_ip.parse().ok(),
            port: self.published,
            protocol: self.protocol.clone(),
        }
    }
}

/// Docker's states of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum ContainerState {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
}

impl ContainerState {
    /// The state for Docker's word; `None` for words of newer engines.
    pub fn of_word(word: &str) -> Option<Self> {
        word.parse().ok()
    }

    /// Docker's word.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// The known health of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Health {
    /// It has no check, or does not run.
    #[strum(to_string = "")]
    None,
    Starting,
    Healthy,
    Unhealthy,
}

impl Health {
    /// Docker's word; empty if there is no check.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

/// A network of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub ours: bool,
    /// It has Compose's label for this project.
    pub compose: bool,
    /// The project that created it, by its labels; `None` if it was created by hand.
    pub owner: Option<String>,
    pub hash: Option<String>,
    pub created: i64,
    /// It was recreated during a rollback, not by a description.
    pub restored: bool,
    /// Its key in the description that created it.
    pub key: String,
    /// Its settings on the engine.
    pub settings: spec::Network,
}

/// A volume of the project, or one with a name that the project needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub name: String,
    pub ours: bool,
    /// It has Compose's label for this project.
    pub compose: bool,
    /// The project that created it, by its labels; `None` if it was created by hand.
    pub owner: Option<String>,
    pub hash: Option<String>,
    /// Its label says that several containers may write to it.
    pub shared: bool,
    /// Its settings on the engine.
    pub settings: spec::Volume,
}

impl ContainerState {
    /// Whether a container in this state has a process, or will have one again by itself.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Restarting | Self::Paused)
    }
}

/// The exit code in the engine's words for a restarting container: `Restarting (1) 3 seconds ago`.
fn restart_code(status: &str) -> Option<i64> {
    status.strip_prefix("Restarting (")?.split_once(')')?.0.parse().ok()
}

impl Container {
    /// Why this container is not ready.
    pub fn unready(&self) -> Cause {
        match (self.state, self.health) {
            (ContainerState::Restarting, _) => Cause::RestartsAgain(restart_code(&self.status)),
            (_, Health::Unhealthy) => Cause::Unhealthy,
            (ContainerState::Running, Health::None) if self.restarts > 0 => {
                Cause::StartedAgain(self.restarts)
            }
            _ => Cause::NotReady,
        }
    }

    /// Whether it is a replacement that did not take over yet.
    pub fn is_new(&self) -> bool {
        self.name.ends_with(NEW_SUFFIX)
    }

    /// Whether it runs and is not known to be unhealthy.
    pub fn is_ready(&self) -> bool {
        self.state == ContainerState::Running
            && self.restarts == 0
            && matches!(self.health, Health::None | Health::Healthy)
    }

    /// Whether it has a running process.
    pub fn is_up(&self) -> bool {
        self.state.is_up()
    }
}

impl ObservedState {
    /// The id of the image `reference`, if the engine has it: by any form of its name, by its id,
    /// or by the beginning of its id.
    pub fn image_id(&self, reference: &str) -> Option<&str> {
        if let Some(id) = self.images.get(&canonical(reference)) {
            return Some(id);
        }
        let digits = id_digits(reference)?;
        let mut begun = self
            .images
            .values()
            .filter(|id| id.strip_prefix("sha256:").is_some_and(|id| id.starts_with(digits)));
        let id = begun.next()?;
        // If two ids have this beginning, the engine accepts neither.
        begun.all(|other| other == id).then_some(id)
    }
}

/// Parses Compose's label `depends_on`: `db:service_healthy:true,redis:service_started:false`.
pub fn read_depends_on(label: &str) -> BTreeMap<String, Condition> {
    let read = |part: &str| {
        let mut words = part.split(':');
        let name = words.next().filter(|name| !name.is_empty())?;
        let condition = words.next().and_then(Condition::from_word).unwrap_or(Condition::Started);
        Some((name.to_owned(), condition))
    };
    label.split(',').filter_map(read).collect()
}

/// Parses the status text of the engine's list: `Up 2 minutes (healthy)` → health, and the minimum
/// time it has been up.
pub fn read_status(status: &str) -> (Health, Option<i64>, Option<Duration>) {
    // "unhealthy" contains "healthy", so compare whole words.
    let health = match status.rsplit_once('(').map(|(_, rest)| rest.trim_end_matches(')')) {
        Some("healthy") => Health::Healthy,
        Some("unhealthy") => Health::Unhealthy,
        Some("health: starting") => Health::Starting,
        _ => Health::None,
    };
    let exit_code = status
        .strip_prefix("Exited (")
        .or_else(|| status.strip_prefix("Restarting ("))
        .and_then(|rest| rest.split_once(')'))
        .and_then(|(code, _)| code.parse().ok());
    (health, exit_code, status.strip_prefix("Up ").and_then(least_uptime))
}

/// The minimum time for Docker's rounded words: `Less than a second`, `5 seconds`, `About a
/// minute`, `2 minutes`, `About an hour`, `3 hours`, `2 days`.
fn least_uptime(text: &str) -> Option<Duration> {
    let text = text.split(" (").next()?;
    let seconds = match text {
        "Less than a second" => 0,
        "1 second" => 1,
        "About a minute" => 60,
        "About an hour" => 3600 - 60,
        _ => {
            let (number, unit) = text.split_once(' ')?;
            let number: u64 = number.parse().ok()?;
            number
                * match unit {
                    "seconds" => 1,
                    "minutes" => 60,
                    "hours" => 3600,
                    "days" => 86_400,
                    "weeks" => 604_800,
                    "months" => 30 * 86_400,
                    "years" => 365 * 86_400,
                    _ => return None,
                }
        }
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_own_text_says_health_and_exit_code() {
        let secs = |secs| Some(Duration::from_secs(secs));
        assert_eq!(
            read_status("Up 5 seconds (health: starting)"),
            (Health::Starting, None, secs(5))
        );
        assert_eq!(read_status("Up 2 minutes (healthy)"), (Health::Healthy, None, secs(120)));
        assert_eq!(read_status("Up 2 minutes (unhealthy)").0, Health::Unhealthy);
        assert_eq!(read_status("Up Less than a second"), (Health::None, None, secs(0)));
        assert_eq!(read_status("Exited (137) 3 seconds ago"), (Health::None, Some(137), None));
        assert_eq!(read_status("Restarting (1) 2 seconds ago").1, Some(1));
        assert_eq!(read_status("Created"), (Health::None, None, None));
    }

    #[test]
    fn dependencies_are_read_from_the_label_of_compose() {
        let read = |label| {
            read_depends_on(label)
                .into_iter()
                .map(|(name, how)| format!("{name} {}", how.word()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            read("db:service_healthy:true,migrate:service_completed_successfully:true"),
            ["db service_healthy", "migrate service_completed_successfully"]
        );
        assert_eq!(read("db"), ["db service_started"]);
        assert_eq!(read(""), Vec::<String>::new());
    }

    #[test]
    fn an_image_is_found_by_every_spelling_of_its_name_and_by_its_id() {
        let (one, other) =
            (format!("sha256:ab{}", "0".repeat(62)), format!("sha256:ac{}", "0".repeat(62)));
        let names = [
            ("redis:7", &one),
            ("redis@sha256:aa", &one),
            (one.as_str(), &one),
            (other.as_str(), &other),
        ];
        let observed = ObservedState {
            images: names.iter().map(|(name, id)| ((*name).to_owned(), (*id).clone())).collect(),
            ..ObservedState::default()
        };
        for name in [
            "redis:7",
            "docker.io/library/redis:7",
            "redis:8@sha256:aa",
            &one,
            &one["sha256:".len()..],
            "ab",
            "sha256:ab0",
        ] {
            assert_eq!(observed.image_id(name), Some(one.as_str()), "{name}");
        }
        for name in ["redis", "redis@sha256:bb", "a", "ad", "team/redis:7"] {
            assert_eq!(observed.image_id(name), None, "{name}");
        }
    }
}
