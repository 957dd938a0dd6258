//! What a run leaves behind, as facts that two runs can be compared by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use crate::apply::observe::is_anonymous;
use crate::engine::sim::{ContainerView, EngineState, VolumeView};
use crate::machine::World;
use crate::model::hash::sha256;
use crate::model::names::locked_project;

/// Ports from here on are the engine's choice.
const FIRST_CHOSEN_PORT: u16 = 32_768;

/// What is shown of a value that may be a secret.
const NOT_SHOWN: &str = "another value";

/// Below `.spc/` of the project directory: what differs from run to run, and only spares work.
const RECORDS: [&str; 3] = ["runs", "state.json", "key.json"];

/// What a fact is about: `container spc-db-1`, and of it `mount /data`.
type Subject = (String, String);

/// The final state of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footprint {
    facts: BTreeMap<Subject, String>,
    /// The project that is locked.
    pub locked: Option<String>,
}

/// One thing that is not as a clean run leaves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// `container spc-db-1`.
    pub object: String,
    /// `state`; of a thing that is missing or too much, empty.
    pub aspect: String,
    pub expected: Option<String>,
    pub found: Option<String>,
}

impl Footprint {
    /// What is on `world`'s engine, and in its files but for what the host beneath has.
    pub fn of(world: &World) -> Self {
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
        facts.files(world);
        let locked = locks.first().and_then(|lock| locked_project(&lock.name)).map(str::to_owned);
        Self { facts: facts.0, locked }
    }

    fn objects(&self) -> BTreeSet<&str> {
        self.facts.keys().map(|(object, _)| object.as_str()).collect()
    }
}

/// What every run has to arrive at.
#[derive(Debug, Clone)]
pub struct ExpectedState {
    clean: Footprint,
    /// What chance decides: of these only that they are there counts.
    free: BTreeSet<Subject>,
}

impl ExpectedState {
    /// What clean runs with several seeds have in common.
    pub fn new(clean: Footprint, others: &[Footprint]) -> Self {
        let differs = |(subject, value): &(&Subject, &String)| {
            others.iter().any(|other| other.facts.get(*subject) != Some(*value))
        };
        let free = clean.facts.iter().filter(differs).map(|(subject, _)| subject.clone()).collect();
        Self { clean, free }
    }

    /// What is not as expected, by object.
    pub fn differences(&self, found: &Footprint) -> Vec<Difference> {
        let (wanted, there) = (self.clean.objects(), found.objects());
        let mut all: Vec<Difference> = Vec::new();
        for object in wanted.union(&there) {
            if wanted.contains(object) && there.contains(object) {
                self.compare(object, found, &mut all);
            } else {
                let is = |yes: bool| Some(if yes { "there" } else { "not there" }.to_owned());
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

/// A value that may be a secret, or says nothing to a reader.
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
        for (name, value) in labels {
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
            // The engine gives each the first 12 digits of its own id as one.
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
        // Which network gets which of the engine's own pools is a matter of who came first.
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

    fn files(&mut self, world: &World) {
        for (path, (content, mode)) in world.host.own_files() {
            if !is_record(&path) {
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

/// Whether a file is one of those that spc keeps to itself.
fn is_record(path: &Path) -> bool {
    let mut parts = path.components().skip_while(|part| part.as_os_str() != ".spc").skip(1);
    parts.any(|part| matches!(part, Component::Normal(name) if RECORDS.iter().any(|record| name == *record)))
}

fn joined(words: BTreeSet<&str>) -> String {
    words.into_iter().collect::<Vec<_>>().join(", ")
}

/// Which volume each name stands for.
pub type Stamps = BTreeMap<String, u64>;

/// The volumes that have a name.
pub fn stamps(state: &EngineState) -> Stamps {
    let named = state.volumes.iter().filter(|volume| !is_anonymous(&volume.name));
    named.map(|volume| (volume.name.clone(), volume.stamp)).collect()
}

/// The volumes that were there when the run was killed and whose names others have now: what was in
/// them is lost. `given` were there before the run; one that a clean run replaces too (`replaced`)
/// is meant to go.
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
        expected: Some("what was in it when the run was killed".to_owned()),
        found: Some("an empty one made anew".to_owned()),
    };
    killed.iter().filter(is_lost).map(difference).collect()
}

/// The volumes that a clean run makes anew.
pub fn replaced(given: &Stamps, clean: &Stamps) -> BTreeSet<String> {
    given
        .iter()
        .filter(|(name, stamp)| clean.get(*name).is_some_and(|now| now != *stamp))
        .map(|(name, _)| name.clone())
        .collect()
}
