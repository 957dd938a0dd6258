//! The state after a run, as facts that can be compared.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::apply::observe::is_anonymous;
use crate::engine::sim::{ContainerView, EngineState, VolumeView};
use crate::host::records_folder;
use crate::machine::World;
use crate::model::hash::sha256;
use crate::model::names::{label, locked_project};

/// The engine chooses ports from here on.
const FIRST_CHOSEN_PORT: u16 = 32_768;

/// Replaces a value that may be a secret.
const NOT_SHOWN: &str = "another value";

/// Files below `.spc/` of the project directory that differ from run to run and only save work.
const RECORDS: [&str; 3] = ["runs", "state.json", "key.json"];

/// The subject of a fact: `container spc-db-1`, and its part `mount /data`.
type Subject = (String, String);

/// The final state of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    facts: BTreeMap<Subject, String>,
    /// The project with the lock.
    pub locked: Option<String>,
}

/// A difference from the state after an undisturbed run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `container spc-db-1`.
    pub object: String,
    /// `state`; empty for an object that is missing or additional.
    pub aspect: String,
    pub expected: Option<String>,
    pub found: Option<String>,
}

impl Footprint {
    /// The content of `world`'s engine, and its files that differ from the host beneath, without
    /// spc's own records in the project directory `directory`.
    pub fn of(world: &World, directory: &Path) -> Self {
        let state = world.engine.state();
        let (locks, containers): (Vec<_>, Vec<_>) =
            state.containers.iter().partition(|it| locked_project(&it.name).is_some());
        let mut facts = Facts::default();
        for container in containers {
            facts.container(container);
        }
        facts.networks(&state);
        facts.volumes(&state);
        facts.images(&state);
        facts.files(world, &directory.join(records_folder::FOLDER));
        let locked = locks.first().and_then(|lock| locked_project(&lock.name)).map(str::to_owned);
        Self { facts: facts.0, locked }
    }

    fn objects(&self) -> BTreeSet<&str> {
        self.facts.keys().map(|(object, _)| object.as_str()).collect()
    }
}

/// The state that every run has to reach.
#[derive(Debug, Clone)]
pub struct ExpectedState {
    clean: Footprint,
    /// Random facts: they only have to exist.
    free: BTreeSet<Subject>,
}

impl ExpectedState {
    /// The common facts of undisturbed runs with several seeds.
    pub fn new(clean: Footprint, others: &[Footprint]) -> Self {
        let differs = |(subject, value): &(&Subject, &String)| {
            others.iter().any(|other| other.facts.get(*subject) != Some(*value))
        };
        let free = clean.facts.iter().filter(differs).map(|(subject, _)| subject.clone()).collect();
        Self { clean, free }
    }

    /// The differences, by object.
    pub fn differences(&self, found: &Footprint) -> Vec<Difference> {
        let (wanted, there) = (self.clean.objects(), found.objects());
        let mut all: Vec<Difference> = Vec::new();
        for object in wanted.union(&there) {
            if wanted.contains(object) && there.contains(object) {
                self.compare(object, found, &mut all);
            } else {
                let is = |yes: bool| Some(if yes { "present" } else { "missing" }.to_owned());
                let object = (*object).to_owned();
                let (expected, found) =
                    (is(wanted.contains(object.as_str())), is(there.contains(object.as_str())));
                all.push(Difference { object, aspect: String::new(), expected, found });
            }
        }
        all
    }

    fn compare(&self, object: &str, found: &Footprint, all: &mut Vec<Difference>) {
        let of = |footprint: &Footprint| -> BTreeMap<Subject, String> {
            let facts = footprint.facts.range((object.to_owned(), String::new())..);
            facts
                .take_while(|((own, _), _)| own == object)
                .map(|(subject, value)| (subject.clone(), value.clone()))
                .collect()
        };
        let (wanted, there) = (of(&self.clean), of(found));
        let subjects: BTreeSet<&Subject> = wanted.keys().chain(there.keys()).collect();
        for subject in subjects {
            let (expected, found) = (wanted.get(subject), there.get(subject));
            let same = expected == found || (self.free.contains(subject) && found.is_some());
            if !same {
                let shown =
                    |value: Option<&String>| {
                        value.map(|value| {
                            if is_hidden(subject) { NOT_SHOWN.to_owned() } else { value.clone() }
                        })
                    };
                let (object, aspect) = subject.clone();
                all.push(Difference {
                    object,
                    aspect,
                    expected: shown(expected),
                    found: shown(found),
                });
            }
        }
    }
}

/// A value that may be a secret, or is not useful for a reader.
fn is_hidden((_, aspect): &Subject) -> bool {
    aspect.starts_with("environment ") || aspect == "content"
}

#[derive(Default)]
struct Facts(BTreeMap<Subject, String>);

impl Facts {
    fn add(&mut self, object: &str, aspect: impl Into<String>, value: impl Into<String>) {
        self.0.insert((object.to_owned(), aspect.into()), value.into());
    }

    fn labels(&mut self, object: &str, labels: &BTreeMap<String, String>) {
        for (name, value) in labels.iter().filter(|(name, _)| *name != label::RECORDED) {
            self.add(object, format!("label {name}"), value);
        }
    }

    fn container(&mut self, container: &ContainerView) {
        let object = format!("container {}", container.name);
        let exited = if container.state == "exited" {
            format!(" ({})", container.exit_code)
        } else {
            String::new()
        };
        self.add(&object, "state", format!("{}{exited}", container.state));
        self.add(&object, "image", format!("{} {}", container.image, container.image_id));
        self.add(&object, "restart", &container.restart);
        self.labels(&object, &container.labels);
        for (network, endpoint) in &container.networks {
            // The engine gives each container the first 12 digits of its id as an alias.
            let is_id = |alias: &str| alias.len() >= 12 && container.id.starts_with(alias);
            let aliases: BTreeSet<&str> =
                endpoint.aliases.iter().map(String::as_str).filter(|alias| !is_id(alias)).collect();
            self.add(&object, format!("network {network}"), format!("aliases {}", joined(aliases)));
        }
        for mount in &container.mounts {
            let source =
                if is_anonymous(&mount.source) { "an anonymous volume" } else { &mount.source };
            let mode = if mount.read_only { "ro" } else { "rw" };
            self.add(&object, format!("mount {}", mount.destination), format!("{source} {mode}"));
        }
        for port in &container.ports {
            let (published, inside) = port.split_once("->").unwrap_or((port, ""));
            let number = published.rsplit(':').next().and_then(|number| number.parse::<u16>().ok());
            let chosen = number.is_some_and(|number| number >= FIRST_CHOSEN_PORT);
            self.add(&object, format!("port {inside}"), if chosen { "any" } else { published });
        }
        for entry in &container.environment {
            let (key, value) = entry.split_once('=').unwrap_or((entry, ""));
            self.add(&object, format!("environment {key}"), value);
        }
    }

    fn networks(&mut self, state: &EngineState) {
        for network in &state.networks {
            let object = format!("network {}", network.name);
            self.add(&object, "subnets", network.subnets.len().to_string());
            self.labels(&object, &network.labels);
        }
        // The order of creation decides which network gets which of the engine's own pools.
        self.add(
            "networks",
            "subnets",
            joined(
                state
                    .networks
                    .iter()
                    .flat_map(|network| &network.subnets)
                    .map(String::as_str)
                    .collect(),
            ),
        );
    }

    fn volumes(&mut self, state: &EngineState) {
        let (anonymous, named): (Vec<&VolumeView>, Vec<&VolumeView>) =
            state.volumes.iter().partition(|volume| is_anonymous(&volume.name));
        for volume in named {
            let object = format!("volume {}", volume.name);
            self.add(&object, "name", &volume.name);
            self.labels(&object, &volume.labels);
        }
        self.add("anonymous volumes", "number", anonymous.len().to_string());
    }

    fn images(&mut self, state: &EngineState) {
        for image in &state.images {
            for tag in &image.tags {
                self.add(&format!("image {tag}"), "id", &image.id);
            }
            for digest in &image.digests {
                self.add(&format!("image {digest}"), "id", &image.id);
            }
        }
        let nameless =
            state.images.iter().filter(|image| image.tags.is_empty() && image.digests.is_empty());
        self.add(
            "images without a name",
            "ids",
            joined(nameless.map(|image| image.id.as_str()).collect()),
        );
    }

    fn files(&mut self, world: &World, records: &Path) {
        for (path, (content, mode)) in world.host.own_files() {
            if !is_record(&path, records) {
                let object = format!("file {}", path.display());
                self.add(&object, "mode", format!("{mode:o}"));
                self.add(
                    &object,
                    "lines",
                    content.split(|byte| *byte == b'\n').count().to_string(),
                );
                self.add(&object, "bytes", content.len().to_string());
                self.add(&object, "content", sha256(&content));
            }
        }
        for path in world.host.removed() {
            self.add(&format!("file {}", path.display()), "removed", "yes");
        }
    }
}

/// Whether a file is internal to spc, in the folder `records`.
fn is_record(path: &Path, records: &Path) -> bool {
    let within = path.strip_prefix(records).unwrap_or(Path::new(""));
    within.iter().any(|name| RECORDS.iter().any(|record| name == *record))
}

fn joined(words: BTreeSet<&str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// Which volume each name denotes.
pub type Stamps = BTreeMap<String, u64>;

/// The named volumes.
pub fn stamps(state: &EngineState) -> Stamps {
    let named = state.volumes.iter().filter(|volume| !is_anonymous(&volume.name));
    named.map(|volume| (volume.name.clone(), volume.stamp)).collect()
}

/// Volumes that existed when the run was killed and were recreated since, so that their data is
/// lost. `given` existed before the run. Volumes that an undisturbed run also replaces (`replaced`)
/// are expected.
pub fn lost(
    given: &Stamps,
    killed: &Stamps,
    now: &Stamps,
    replaced: &BTreeSet<String>,
) -> Vec<Difference> {
    let is_lost = |(name, stamp): &(&String, &u64)| {
        let meant = replaced.contains(*name) && given.get(*name) == Some(*stamp);
        !meant && now.get(*name).is_some_and(|now| now != *stamp)
    };
    let difference = |(name, _): (&String, &u64)| Difference {
        object: format!("volume {name}"),
        aspect: "content".to_owned(),
        expected: Some("its content from before the kill".to_owned()),
        found: Some("a new, empty volume".to_owned()),
    };
    killed.iter().filter(is_lost).map(difference).collect()
}

/// The volumes that an undisturbed run recreates.
pub fn replaced(given: &Stamps, clean: &Stamps) -> BTreeSet<String> {
    given
        .iter()
        .filter(|(name, stamp)| clean.get(*name).is_some_and(|now| now != *stamp))
        .map(|(name, _)| name.clone())
        .collect()
}
