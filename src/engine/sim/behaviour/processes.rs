//! The behaviours that a test gave to containers, and whether they matched a container.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use super::process::Process;
use crate::engine::sim::daemon::containers::Container;
use crate::model::image_reference::canonical;

/// Compose's label with the name of a container's service.
pub(in crate::engine::sim) const SERVICE_LABEL: &str = "com.docker.compose.service";

/// Everything by which a test may identify a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) struct Names {
    name: String,
    image: String,
    service: String,
    command: String,
}

impl Names {
    /// Those of a container.
    pub fn of(container: &Container) -> Self {
        Self {
            name: container.name.clone(),
            image: container.image.clone(),
            service: container.labels.get(SERVICE_LABEL).cloned().unwrap_or_default(),
            command: container.command().join(" "),
        }
    }

    fn are(&self, pattern: &str) -> bool {
        [&self.name, &self.image, &canonical(&self.image), &self.service, &self.command]
            .iter()
            .any(|text| matches(pattern, text))
    }
}

/// The behaviours of the test, the newest last.
#[derive(Default)]
pub(in crate::engine::sim) struct Processes {
    given: Vec<ProcessRule>,
    /// The started containers, by service and name.
    started: Mutex<BTreeSet<String>>,
}

struct ProcessRule {
    pattern: String,
    process: Arc<Process>,
    /// Whether a matching container was started since.
    found: Mutex<bool>,
}

/// A behaviour that matched no container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusedBehaviour {
    pub pattern: String,
    /// It matches containers that were started before.
    pub is_late: bool,
    /// The names and services of started containers.
    pub started: BTreeSet<String>,
}

impl Processes {
    /// The newest counts.
    pub fn add(&mut self, pattern: &str, process: Process) {
        self.given.push(ProcessRule {
            pattern: pattern.to_owned(),
            process: Arc::new(process),
            found: Mutex::new(false),
        });
    }

    /// The behaviour that a test gave to a container that starts; `None` if it gave none.
    pub fn find(&self, names: &Names) -> Option<Arc<Process>> {
        let mut started = self.started.lock();
        started.extend(
            [&names.name, &names.service].into_iter().filter(|name| !name.is_empty()).cloned(),
        );
        let mut fitting: Vec<&ProcessRule> =
            self.given.iter().filter(|given| names.are(&given.pattern)).collect();
        for given in &fitting {
            *given.found.lock() = true;
        }
        fitting.pop().map(|given| given.process.clone())
    }

    /// The behaviours that matched no container; `there`: the existing containers.
    pub fn unused(&self, there: &[Names]) -> Vec<UnusedBehaviour> {
        let started = self.started.lock();
        let unused = self.given.iter().filter(|given| !*given.found.lock());
        unused
            .map(|given| UnusedBehaviour {
                pattern: given.pattern.clone(),
                is_late: there.iter().any(|names| names.are(&given.pattern)),
                started: started.clone(),
            })
            .collect()
    }
}

/// Whether `text` matches `pattern`, in which `*` matches anything.
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => {
            let Some(rest) = text.strip_prefix(head) else { return false };
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| matches(tail, &rest[at..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_star_matches_anything() {
        for (pattern, text) in [
            ("db", "db"),
            ("*", ""),
            ("postgres:*", "postgres:15"),
            ("spc-*-1", "spc-db-1"),
            ("*a*", "bab"),
            ("*-1", "x-1-1"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("db", "db2"),
            ("db", "adb"),
            ("postgres:*", "redis:7"),
            ("spc-*-1", "spc-db-2"),
            ("a*a", "a"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn the_newest_behaviour_that_fits_is_taken() {
        let mut processes = Processes::default();
        processes.add("postgres:*", Process::new().stop_code(1));
        processes.add("db", Process::new().stop_code(2));
        let labels = BTreeMap::from([(SERVICE_LABEL.to_owned(), "db".to_owned())]);
        let code = |processes: &Processes,
                    name: &str,
                    image: &str,
                    labels: &BTreeMap<String, String>,
                    command: &str| {
            let service = labels.get(SERVICE_LABEL).cloned().unwrap_or_default();
            let names =
                Names { name: name.into(), image: image.into(), service, command: command.into() };
            processes.find(&names).map(|process| process.stop_code)
        };
        assert_eq!(code(&processes, "spc-db-1", "postgres:15", &labels, ""), Some(2));
        assert_eq!(code(&processes, "x", "postgres:15", &BTreeMap::new(), ""), Some(1));
        assert_eq!(code(&processes, "x", "redis:7", &labels, ""), Some(2));
        assert_eq!(code(&processes, "x", "redis:7", &BTreeMap::new(), ""), None);
        processes.add("sleep *", Process::new().stop_code(3));
        assert_eq!(code(&processes, "x", "redis:7", &labels, "sleep 1000"), Some(3));
    }
}
