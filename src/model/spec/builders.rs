//! Finds the service that builds an image which others name, and the order of builds.

use std::collections::BTreeSet;

use super::{Build, Project, Service};
use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::image_reference::{canonical, is_same};

/// The images that a build begins with or copies from, by its Dockerfile; empty if the Dockerfile
/// can't be read.
pub type Bases<'a> = dyn Fn(&Build) -> BTreeSet<String> + Sync + 'a;

/// A build, and the builds of the same list that come before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderedBuild {
    /// The service that this `build` belongs to.
    pub service: String,
    /// Indexes in the list.
    pub after: Vec<usize>,
}

impl Service {
    /// All names of the image that it builds; empty if it builds none.
    pub fn built_names(&self) -> impl Iterator<Item = &str> {
        self.build.iter().flat_map(|build| {
            std::iter::once(self.image.as_str()).chain(build.tags.iter().map(String::as_str))
        })
    }

    /// Whether it builds the image with this name, in any form of the name.
    pub fn builds(&self, image: &str) -> bool {
        self.built_names().any(|name| is_same(name, image))
    }
}

impl Project {
    /// The service whose `build` makes `image`: one of `chosen` if possible, else an active one,
    /// else any.
    pub fn builder_of(&self, image: &str, chosen: &BTreeSet<String>) -> Option<&Service> {
        let rank = |service: &&Service| (!chosen.contains(&service.name), !self.is_active(service));
        self.services.values().filter(|service| service.builds(image)).min_by_key(rank)
    }

    /// The builds that make `images`, each once, after the builds of their base images.
    /// `is_needed`: whether the image with this name has to be built.
    ///
    /// # Errors
    /// The failure if builds begin with each other's images.
    pub fn builds_of<'a>(
        &self,
        images: impl Iterator<Item = &'a str>,
        chosen: &BTreeSet<String>,
        is_needed: &dyn Fn(&str) -> bool,
        bases: &Bases<'_>,
    ) -> Result<Vec<OrderedBuild>, Failure> {
        let mut order = BuildSorter { project: self, chosen, is_needed, bases, builds: Vec::new() };
        for image in images {
            order.visit(image, &mut Vec::new())?;
        }
        Ok(order.builds)
    }

    /// Rejects two different builds with one name, among the services that `are_together`: the
    /// later build would replace the other image.
    pub fn check_built_names(
        &self,
        are_together: &dyn Fn(&Service) -> bool,
    ) -> Result<(), Failure> {
        let builders: Vec<&Service> = self
            .services
            .values()
            .filter(|service| service.build.is_some() && are_together(service))
            .collect();
        for (at, second) in builders.iter().enumerate() {
            for first in &builders[..at] {
                let Some(name) = second.built_names().find(|name| first.builds(name)) else {
                    continue;
                };
                let differing = differences(first, second);
                if !differing.is_empty() {
                    return Err(two_builds(first, second, name, &differing));
                }
            }
        }
        Ok(())
    }
}

struct BuildSorter<'a> {
    project: &'a Project,
    chosen: &'a BTreeSet<String>,
    is_needed: &'a dyn Fn(&str) -> bool,
    bases: &'a Bases<'a>,
    builds: Vec<OrderedBuild>,
}

impl BuildSorter<'_> {
    /// The index of the build that makes `image`; `None` if no build has to. `within`: the services
    /// whose builds wait for it.
    fn visit(&mut self, image: &str, within: &mut Vec<String>) -> Result<Option<usize>, Failure> {
        if !(self.is_needed)(image) {
            return Ok(None);
        }
        let Some(service) = self.project.builder_of(image, self.chosen) else { return Ok(None) };
        let is_same_image = |name: &str| self.project.services[name].builds(&service.image);
        if let Some(place) = self.builds.iter().position(|built| is_same_image(&built.service)) {
            return Ok(Some(place));
        }
        if let Some(begin) = within.iter().position(|name| is_same_image(name)) {
            return Err(circle(&within[begin..]));
        }
        within.push(service.name.clone());
        let mut after = Vec::new();
        for base in service.build.iter().flat_map(|build| (self.bases)(build)) {
            // An image can be built on the former image with the same name.
            if !service.builds(&base) {
                after.extend(self.visit(&base, within)?);
            }
        }
        within.pop();
        after.sort_unstable();
        after.dedup();
        self.builds.push(OrderedBuild { service: service.name.clone(), after });
        Ok(Some(self.builds.len() - 1))
    }
}

fn at_build(service: &str) -> SpecPath {
    SpecPath { keys: vec!["services".into(), service.to_owned(), "build".into()], on_key: true }
}

fn circle(services: &[String]) -> Failure {
    let mut names: Vec<&str> = services.iter().map(String::as_str).collect();
    names.extend(services.first().map(String::as_str));
    Failure::usage(format!(
        "The builds use each other's images as base images in a circle: {}",
        names.join(" → ")
    ))
    .hint("use another base image in one of their Dockerfiles")
    .at(at_build(names[0]))
}

/// A relative path in its canonical form: `./Dockerfile` becomes `Dockerfile`.
fn plain(path: &str) -> std::path::PathBuf {
    std::path::Path::new(path)
        .components()
        .filter(|part| *part != std::path::Component::CurDir)
        .collect()
}

/// The reasons why two builds make different images.
fn differences(first: &Service, second: &Service) -> Vec<&'static str> {
    let (Some(one), Some(other)) = (&first.build, &second.build) else { return Vec::new() };
    let pairs = [
        ("context", one.context != other.context),
        ("dockerfile", plain(&one.dockerfile) != plain(&other.dockerfile)),
        ("target", one.target != other.target),
        ("args", one.args != other.args),
        ("labels", one.labels != other.labels),
        ("network", one.network != other.network),
        ("secrets", one.secrets != other.secrets),
    ];
    pairs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

fn two_builds(first: &Service, second: &Service, name: &str, differing: &[&str]) -> Failure {
    let place = |service: &Service| format!("services.{}.build", service.name);
    Failure::usage(format!(
        "The services \"{}\" and \"{}\" build different images under one name, \"{}\": they differ in {}",
        first.name,
        second.name,
        canonical(name),
        differing.iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(" and ")
    ))
    .hint(format!("give one of them another `image`; or, if both run the same image, remove `build` from \"{}\"", second.name))
    .detail("the builds", format!("{}\n{}", place(first), place(second)))
    .at(at_build(&second.name))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};
    use similar_asserts::assert_eq;

    use super::super::ReadOptions;
    use super::*;

    fn read(services: Value) -> Result<Project, Failure> {
        let options = ReadOptions { directory: Path::new("/p"), lookup: &|_| None };
        Project::read("shop", &json!({ "services": services }), &options)
    }

    /// In these tests a Dockerfile begins with the image that is named like its context.
    fn order(project: &Project, images: &[&str]) -> Result<Vec<String>, Failure> {
        let bases = |build: &Build| {
            BTreeSet::from([build.context.file_name().unwrap().to_string_lossy().into_owned()])
        };
        let built =
            project.builds_of(images.iter().copied(), &BTreeSet::new(), &|_| true, &bases)?;
        Ok(built.iter().map(|build| format!("{} {:?}", build.service, build.after)).collect())
    }

    #[test]
    fn an_image_is_built_once_and_after_what_it_begins_with() {
        let project = read(json!({
            "a": {"image": "docker.io/shop/web:latest"},
            "web": {"image": "shop/web", "build": "./base"},
            "z": {"image": "base:latest", "build": "./root", "profiles": ["images"]},
            "root": {"build": {"context": "./debian", "tags": ["root"]}},
        }))
        .unwrap();
        let whole = ["root []", "z [0]", "web [1]"];
        assert_eq!(order(&project, &["docker.io/shop/web:latest", "shop/web"]).unwrap(), whole);
        assert_eq!(order(&project, &["shop-root", "root"]).unwrap(), ["root []"]);
        assert_eq!(order(&project, &["debian"]).unwrap(), [] as [&str; 0]);
    }

    #[test]
    fn an_image_may_be_built_on_itself_but_not_in_a_circle() {
        let project = read(json!({ "a": {"image": "own", "build": "./own"} })).unwrap();
        assert_eq!(order(&project, &["own"]).unwrap(), ["a []"]);
        let project = read(
            json!({ "a": {"image": "x", "build": "./y"}, "b": {"image": "y", "build": "./x"} }),
        )
        .unwrap();
        let failure = order(&project, &["y"]).unwrap_err();
        assert_eq!(
            failure.message,
            "The builds use each other's images as base images in a circle: b → a → b"
        );
    }

    #[test]
    fn one_name_is_no_two_images() {
        let services = |second: Value| json!({ "a": {"image": "app:1", "build": {"context": ".", "args": {"A": "1"}}}, "b": second });
        let differing = [
            (
                json!({"image": "docker.io/library/app:1", "build": {"context": ".", "args": {"A": "2"}}}),
                "\"args\"",
            ),
            (
                json!({"image": "app:1", "build": {"context": "./b", "target": "x", "args": {"A": "1"}}}),
                "\"context\" and \"target\"",
            ),
            (json!({"build": {"context": ".", "tags": ["app:1"]}}), "\"args\""),
        ];
        for (second, keys) in differing {
            let failure = read(services(second)).unwrap_err();
            let expected = format!(
                "The services \"a\" and \"b\" build different images under one name, \"app:1\": they differ in {keys}"
            );
            assert_eq!(failure.message, expected);
            assert_eq!(failure.path.unwrap().keys, ["services", "b", "build"]);
        }
        let alike = [
            json!({"image": "app:1", "build": {"context": "./x/..", "args": ["A=1"], "no_cache": true}}),
            json!({"image": "app:1", "build": {"context": ".", "args": {"A": "1"}, "dockerfile": "./Dockerfile"}}),
            json!({"image": "app:1"}),
            json!({"image": "app:2", "build": "./b"}),
            // Only one of the two profiles is active at a time.
            json!({"image": "app:1", "build": "./b", "profiles": ["other"]}),
        ];
        for second in alike {
            read(services(second.clone())).unwrap_or_else(|failure| panic!("{second}: {failure}"));
        }
    }
}
