//! Finds all mistakes in a description of a compose file or a script, not only the first one.
//!
//! A reader stops at the first mistake. So this module removes the wrong part from the description
//! and reads the rest again, until no mistake is left. A mistake that only exists because something
//! was removed is not reported.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ComposeFile;
pub use super::file::MOST;
use crate::model::failure::SpecPath;
use crate::model::{Failure, Kind, suggest};

/// Bytes of the largest description of a script that is searched for all its faults.
const LARGEST_SEARCHED: usize = 128 << 10;

/// How the parts of a description are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonScope {
    /// Including references between the parts.
    Whole,
    /// Each part separately: if a part is missing, references to it are no mistake of the others.
    Parts,
}

/// The mistakes in a file: at least one, by line and column.
#[derive(Debug, Clone, PartialEq)]
pub struct Faults {
    pub list: Vec<Failure>,
    /// There are more than [`MOST`].
    pub is_cut: bool,
}

impl Faults {
    /// A single mistake.
    pub fn one(failure: Failure) -> Self {
        Self { list: vec![failure], is_cut: false }
    }

    /// The first failure, with the others below it. Violations of `spc.toml` come after mistakes
    /// that have to be corrected in the file.
    pub fn into_failure(self) -> Failure {
        self.joined("also wrong in this file")
    }

    fn joined(self, title: &str) -> Failure {
        let Self { mut list, is_cut } = self;
        let at = list.iter().position(|failure| failure.kind != Kind::Policy).unwrap_or(0);
        let first = list.remove(at);
        // A hint that several failures share is shown once.
        let mut shown: BTreeSet<&str> = first.hint.as_deref().into_iter().collect();
        let mut lines: Vec<String> = Vec::new();
        for failure in &list {
            let hint = failure.hint.as_deref().filter(|hint| shown.insert(hint));
            lines.push(line(failure, hint));
        }
        if is_cut {
            lines.push(format!("… and more: the first {MOST} are shown"));
        }
        first.detail(title, lines.join("\n"))
    }
}

/// `4:5: Unknown key "imge" in "services.a" (did you mean "image"?)`.
fn line(failure: &Failure, hint: Option<&str>) -> String {
    let place = failure
        .place
        .as_ref()
        .map(|place| format!("{}:{}: ", place.line, place.column))
        .unwrap_or_default();
    let hint = hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{place}{}{hint}", failure.message)
}

/// Reads a description of the file with `read`. If that fails, returns all mistakes in it and in
/// the file's variables.
pub fn read<T>(
    file: &ComposeFile,
    description: &Value,
    read: &dyn Fn(&Value, ComparisonScope) -> Result<T, Failure>,
) -> Result<T, Faults> {
    let found = match file.faults.is_empty().then(|| read(description, ComparisonScope::Whole)) {
        Some(Ok(read)) => return Ok(read),
        Some(Err(failure)) => Some(failure),
        None => None,
    };
    let (list, is_cut) = search(file.faults.clone(), found, description, read);
    // The active profiles are not part of a file.
    let of_file =
        |failure: &Failure| failure.path.as_ref().is_none_or(|path| path.keys != ["profiles"]);
    let placed = |failure: Failure| if of_file(&failure) { file.placed(failure) } else { failure };
    let mut list: Vec<Failure> = list.into_iter().map(placed).collect();
    for failure in list.iter_mut().filter(|failure| failure.place.is_some()) {
        failure.path = None;
    }
    list.sort_by_key(|failure| failure.place.as_ref().map(|place| (place.line, place.column)));
    list.dedup();
    Err(Faults { list, is_cut })
}

/// Reads the description of a script with `read`. If that fails, the failure lists all mistakes in
/// it.
pub fn read_map<T>(
    description: &Value,
    read: &dyn Fn(&Value, ComparisonScope) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let found = match read(description, ComparisonScope::Whole) {
        Ok(read) => return Ok(read),
        Err(failure) => failure,
    };
    // Each fault costs a reading of the whole.
    if description.to_string().len() > LARGEST_SEARCHED {
        return Err(found);
    }
    let (list, is_cut) = search(Vec::new(), Some(found), description, read);
    Err(Faults { list, is_cut }.joined("also wrong in this description"))
}

/// The `known` mistakes, then `found`, at which the first reading stopped, and all that are found
/// after its removal. Also whether there are more than [`MOST`].
fn search<T>(
    known: Vec<Failure>,
    found: Option<Failure>,
    description: &Value,
    read: &dyn Fn(&Value, ComparisonScope) -> Result<T, Failure>,
) -> (Vec<Failure>, bool) {
    let mut search = FaultSearch {
        description: description.clone(),
        scope: ComparisonScope::Whole,
        out: BTreeMap::new(),
        taken: Vec::new(),
    };
    for failure in &known {
        let keys = failure.path.as_ref().map(|path| path.keys.clone()).unwrap_or_default();
        search.take_out(&keys, &keys, false);
        search.put_image_for(&keys, failure);
    }
    let mut list = known;
    let mut next = found.or_else(|| read(&search.description, search.scope).err());
    while let Some(failure) = next.take_if(|_| list.len() < MOST) {
        let Some(at) = failure.path.as_ref().map(|path| search.narrowed(&path.keys)) else {
            list.push(failure);
            break;
        };
        let real = search.real(&at);
        let follows = search.follows(&real);
        let on_key = failure.path.as_ref().is_some_and(|path| path.on_key);
        let goes_on = search.take_out(&at, &real, on_key);
        search.put_image_for(&at, &failure);
        if !follows {
            list.push(renumbered(failure, &at, real));
        }
        if goes_on {
            next = read(&search.description, search.scope).err();
        }
    }
    (list, next.is_some())
}

/// A description from which the wrong parts are removed one by one.
struct FaultSearch {
    description: Value,
    scope: ComparisonScope,
    /// For each list, the positions in the file of the removed items.
    out: BTreeMap<Vec<String>, BTreeSet<usize>>,
    /// All removed parts, by their path in the file.
    taken: Vec<Vec<String>>,
}

impl FaultSearch {
    /// The path in the file of the part that is at `path` now: earlier items may have been removed.
    fn real(&self, path: &[String]) -> Vec<String> {
        let mut real: Vec<String> = Vec::new();
        for key in path {
            let number = self
                .out
                .get(&real)
                .zip(key.parse::<usize>().ok())
                .and_then(|(out, at)| (0..).filter(|n| !out.contains(n)).nth(at));
            real.push(number.map_or_else(|| key.clone(), |number: usize| number.to_string()));
        }
        real
    }

    /// The path of a list or map of names, extended to the first unknown name in it.
    fn narrowed(&self, path: &[String]) -> Vec<String> {
        let section = match path {
            [services, _, key] if services == "services" && key == "networks" => "networks",
            [services, _, key] if services == "services" && key == "depends_on" => "services",
            _ => return path.to_vec(),
        };
        let is_known =
            |name: &str| name == "default" || self.description[section].get(name).is_some();
        let names: Vec<(String, String)> =
            match path.iter().try_fold(&self.description, |value, key| value.get(key)) {
                Some(Value::Array(items)) => items
                    .iter()
                    .enumerate()
                    .filter_map(|(at, item)| Some((item.as_str()?.to_owned(), at.to_string())))
                    .collect(),
                Some(Value::Object(map)) => {
                    map.keys().map(|name| (name.clone(), name.clone())).collect()
                }
                _ => Vec::new(),
            };
        let first = names.into_iter().filter(|(name, _)| !is_known(name)).min();
        path.iter().cloned().chain(first.map(|(_, key)| key)).collect()
    }

    /// Whether the mistake at `path` may exist only because something inside it was removed.
    fn follows(&self, path: &[String]) -> bool {
        let is_service = path.len() == 2 && path[0] == "services";
        !is_service
            && path.len() > 1
            && self.taken.iter().any(|taken| taken.len() > path.len() && taken.starts_with(path))
    }

    /// Removes the part at `path`, which is at `real` in the file. Returns whether that changed
    /// anything. `on_key`: the key itself is wrong.
    fn take_out(&mut self, path: &[String], real: &[String], on_key: bool) -> bool {
        let Some((last, around)) = path.split_last() else { return false };
        self.taken.push(real.to_vec());
        // The parts that others are compared with.
        let compared =
            ["read_only", "x-spc-shared", "profiles", "build", "ipam", "external", "name"];
        let stub = match path {
            [section, _] if !on_key => match section.as_str() {
                "services" => Some(json!({ "image": "x" })),
                "volumes" => Some(json!({})),
                "secrets" => Some(json!({ "environment": "X" })),
                "configs" => Some(json!({ "content": "" })),
                _ => None,
            },
            _ => None,
        };
        let is_service = matches!(path, [section, _] if section == "services");
        if path.len() < 3 && stub.is_none() && !is_service
            || path.iter().any(|key| compared.contains(&key.as_str()))
        {
            self.scope = ComparisonScope::Parts;
        }
        let before = self.description.clone();
        if let [section, name] = path {
            let entry = &mut self.description[section.as_str()];
            match (section.as_str(), entry.get(name)) {
                ("services", Some(Value::Object(service)))
                    if !service.contains_key("image") && !service.contains_key("build") =>
                {
                    entry[name.as_str()]["image"] = "x".into();
                }
                (_, Some(_)) => match stub {
                    Some(stub) => entry[name.as_str()] = stub,
                    None => drop(entry.as_object_mut().and_then(|entries| entries.remove(name))),
                },
                (_, None) => {}
            }
            return self.description != before;
        }
        let parent = around.iter().try_fold(&mut self.description, |value, key| match value {
            Value::Array(items) => key.parse::<usize>().ok().and_then(|at| items.get_mut(at)),
            value => value.get_mut(key),
        });
        match parent {
            Some(Value::Object(map)) => drop(map.remove(last)),
            Some(Value::Array(items)) => {
                if let Some(at) = last.parse::<usize>().ok().filter(|at| *at < items.len()) {
                    items.remove(at);
                    let number = real.last().and_then(|number| number.parse().ok());
                    self.out
                        .entry(real[..real.len() - 1].to_vec())
                        .or_default()
                        .extend::<Option<usize>>(number);
                }
            }
            _ => {}
        }
        self.description != before
    }

    /// Adds an image to a service after its wrong image or build was removed. Otherwise the missing
    /// image would be another mistake.
    fn put_image_for(&mut self, path: &[String], failure: &Failure) {
        let [services, name, key] = path else { return };
        let names_image = matches!(key.as_str(), "image" | "build" | "extends" | "provider")
            || matches!(
                failure.hint.as_deref().and_then(suggest::suggested),
                Some("image" | "build")
            );
        if services == "services"
            && names_image
            && let Some(service) =
                self.description["services"].get_mut(name).and_then(Value::as_object_mut)
            && !service.contains_key("image")
            && !service.contains_key("build")
        {
            service.insert("image".into(), "x".into());
        }
    }
}

/// The failure with the positions of items in the file.
fn renumbered(mut failure: Failure, read: &[String], real: Vec<String>) -> Failure {
    if read != real {
        failure.message = failure.message.replace(&read.join("."), &real.join("."));
    }
    let on_key = failure.path.as_ref().is_some_and(|path| path.on_key);
    failure.path = Some(Box::new(SpecPath { keys: real, on_key }));
    failure
}

#[cfg(test)]
mod tests;
