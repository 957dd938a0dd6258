//! The owner of an object on the engine.
//!
//! A project is a script's own in two cases: a person named it (`--project`, `COMPOSE_PROJECT_NAME`
//! in the environment, `projects` in `spc.toml`), or no object of it was created from another
//! folder than the project directory. A script can't influence either: it can't set such a name,
//! and can't change what the engine has recorded. If a person named the project in the folder that
//! it was moved to, the engine has a record of its former folders (`apply/moved_project.rs`). In
//! the new folder they count as the project directory.

use std::collections::BTreeSet;
use std::path::Path;

use super::path::{self, Resolution, Resolve};
use super::settings::list_with;
use super::{Policy, Refusal};

/// A project that a script may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedProject(String);

impl CheckedProject {
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// An object on the engine with a project label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledObject {
    /// The project directory that created it. Docker Compose records it only on containers.
    pub from: Option<String>,
    /// Created by spc, not by Docker Compose.
    pub by_spc: bool,
    /// For the record that the project was moved to `from`: its former folders.
    pub former: Vec<String>,
}

/// An action on an object of a project, for the refusal.
#[derive(Debug, Clone, Copy)]
pub struct ObjectUse<'a> {
    /// `stop the container`.
    pub doing: &'a str,
    /// `shop-db-1`.
    pub object: &'a str,
    /// The script uses a stack of that project, which may have another name.
    pub of_stack: bool,
}

impl Policy {
    /// Whether a person listed the project as one that scripts may change.
    pub fn names_project(&self, name: &str) -> bool {
        self.settings.projects.iter().chain(&self.given_project).any(|own| own == name)
    }

    /// Whether a person named the project for this run, so that its folder does not matter.
    pub fn is_given_project(&self, name: &str) -> bool {
        self.given_project.as_deref() == Some(name)
    }

    /// Whether the folder that created an object is the project directory.
    pub fn is_project_directory(&self, from: &str, resolve: Resolve<'_>) -> bool {
        path::real(&path::clean(Path::new(from)), resolve).as_deref()
            == Ok(self.project_directory())
    }

    /// Checks that a script may change a project. `there` contains all objects with the project's
    /// label.
    pub fn own_project(
        &self,
        name: &str,
        there: &[LabelledObject],
        wanted: ObjectUse<'_>,
        resolve: Resolve<'_>,
    ) -> Result<CheckedProject, Refusal> {
        if self.names_project(name) {
            return Ok(CheckedProject(name.to_owned()));
        }
        let ObjectUse { doing, object, of_stack } = wanted;
        let is_here = |from: &str| self.is_project_directory(from, resolve);
        let moved_here = there.iter().filter(|made| made.from.as_deref().is_some_and(is_here));
        let former: BTreeSet<&str> =
            moved_here.flat_map(|made| made.former.iter().map(String::as_str)).collect();
        let is_own = |from: &str| former.contains(from) || is_here(from);
        // The current folder of the project is more useful in the message than the folder of its
        // first object.
        let records_first = there.iter().filter(|made| !made.former.is_empty()).chain(there);
        if let Some(from) =
            records_first.filter_map(|made| made.from.as_deref()).find(|from| !is_own(from))
        {
            let is_gone = resolve(Path::new(from)) == Resolution::Missing;
            let refused = self.foreign(
                doing,
                object,
                name,
                &format!(
                    ", made from \"{from}\"{}",
                    if is_gone { ", which no longer exists" } else { "" }
                ),
            );
            let moved = format!(
                "if this is the same project, in a renamed or moved folder or in another release, use --project {name}"
            );
            let beside = "for a separate project, choose another name with --project";
            return Err(refused.help(if of_stack { format!("{moved}; {beside}") } else { moved }));
        }
        // Without containers, nothing shows from where Docker Compose created a volume or a
        // network. Then a person has to decide.
        if !self.adopts
            && there.iter().all(|made| made.from.is_none())
            && there.iter().any(|made| !made.by_spc)
        {
            let refused = Refusal::new(doing, object).because(belongs(
                object,
                name,
                ", created by Docker Compose from an unknown folder",
            ));
            return Err(refused.help("if Docker Compose created it for this project, use --adopt"));
        }
        Ok(CheckedProject(name.to_owned()))
    }

    /// The refusal for an object of the project `owner`.
    pub fn foreign(&self, doing: &str, object: &str, owner: &str, how: &str) -> Refusal {
        Refusal::new(doing, object).because(belongs(object, owner, how)).allowed_by(list_with(
            "projects",
            &self.settings.projects,
            owner,
        ))
    }

    /// The refusal to inspect an object that no project created and no description uses.
    pub fn undescribed(&self, doing: &str, object: &str) -> Refusal {
        self.of_nobody(doing, object).help("describe it in a stack with \"external: true\": what a stack uses, its script may look into")
    }

    /// The refusal to change an object that Docker Compose created for the project `owner`,
    /// whatever `spc.toml` allows.
    pub fn of_compose(&self, doing: &str, object: &str, owner: &str) -> Refusal {
        Refusal::new(doing, object)
            .because(format!("Docker Compose created it, for the project \"{owner}\""))
            .help("scripts change only what spc created; use docker commands for this one")
    }

    /// The refusal for an object that no project created.
    pub fn of_nobody(&self, doing: &str, object: &str) -> Refusal {
        Refusal::new(doing, object).because("no project created it")
    }
}

/// A clause that an object belongs to the project `owner`, with the reason: `, made from
/// "/srv/shop"`.
fn belongs(object: &str, owner: &str, how: &str) -> String {
    match how.strip_prefix(", ") {
        // The action concerns the project itself.
        Some(how) if object == owner => format!("it was {how}"),
        _ => format!("it belongs to the project \"{owner}\"{how}"),
    }
}
