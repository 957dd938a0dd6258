//! Whose an object on the engine is.
//!
//! A project is a script's own when its name is one that a person gave (`--project`,
//! `COMPOSE_PROJECT_NAME` in the environment, `projects` in `spc.toml`), or when nothing of it was
//! made from another folder than the project directory. A script can choose the first name
//! of neither, nor what is recorded on the engine. Where a person gave the name in a folder that
//! the project was moved to, the engine has a record of the folders that it was made from before
//! (`apply/moved_project.rs`): in that folder they count as the project directory.

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

/// Something on the engine that is labelled with a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledObject {
    /// The project directory that it was made from; Docker Compose records it for containers only.
    pub from: Option<String>,
    /// By spc, not by Docker Compose.
    pub by_spc: bool,
    /// Of the record that the project was moved to `from`: the folders that it was made from
    /// before.
    pub former: Vec<String>,
}

/// What is to be done with something of a project, for the refusal.
#[derive(Debug, Clone, Copy)]
pub struct ObjectUse<'a> {
    /// `stop the container`.
    pub doing: &'a str,
    /// `shop-db-1`.
    pub object: &'a str,
    /// It is asked for of a stack of that project: the stack can have another name.
    pub of_stack: bool,
}

impl Policy {
    /// Whether a person named the project as one that scripts may change.
    pub fn names_project(&self, name: &str) -> bool {
        self.settings.projects.iter().chain(&self.given_project).any(|own| own == name)
    }

    /// Whether a person gave the name for this run, so that the project is meant whatever folder it
    /// was made from.
    pub fn is_given_project(&self, name: &str) -> bool {
        self.given_project.as_deref() == Some(name)
    }

    /// Whether a folder that something was made from is the project directory.
    pub fn is_project_directory(&self, from: &str, resolve: Resolve<'_>) -> bool {
        path::real(&path::clean(Path::new(from)), resolve).as_deref()
            == Ok(self.project_directory())
    }

    /// A project that something is to be done to. `there` is all that is labelled with the project.
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
        // Where the project is now says more than where its first object was made.
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
                    if is_gone { ", which is not there any more" } else { "" }
                ),
            );
            let moved = format!(
                "if this is that project, in a folder that was renamed or moved or in another release, say so with --project {name}"
            );
            let beside =
                "to have another one beside it, give this one a name of its own with --project";
            return Err(refused.help(if of_stack { format!("{moved}; {beside}") } else { moved }));
        }
        // Once its containers are gone, nothing says from where Docker Compose made a volume or a
        // network: then a person's word counts.
        if !self.adopts
            && there.iter().all(|made| made.from.is_none())
            && there.iter().any(|made| !made.by_spc)
        {
            let refused = Refusal::new(doing, object).because(belongs(
                object,
                name,
                ", made by Docker Compose from a folder that is not recorded",
            ));
            return Err(refused
                .help("if it is what Docker Compose left of this project, --adopt takes it over"));
        }
        Ok(CheckedProject(name.to_owned()))
    }

    /// The refusal of an object of the project `owner`.
    pub fn foreign(&self, doing: &str, object: &str, owner: &str, how: &str) -> Refusal {
        Refusal::new(doing, object).because(belongs(object, owner, how)).allowed_by(list_with(
            "projects",
            &self.settings.projects,
            owner,
        ))
    }

    /// The refusal of a look into an object that no project made and no description uses.
    pub fn undescribed(&self, doing: &str, object: &str) -> Refusal {
        self.of_nobody(doing, object).help("describe it in a stack with \"external: true\": what a stack uses, its script may look into")
    }

    /// The refusal to change an object that Docker Compose made for the project `owner`, whatever
    /// `spc.toml` says.
    pub fn of_compose(&self, doing: &str, object: &str, owner: &str) -> Refusal {
        Refusal::new(doing, object)
            .because(format!("Docker Compose made it, for the project \"{owner}\""))
            .help("scripts change only what spc made; Docker's own commands change this one")
    }

    /// The refusal of an object that no project made.
    pub fn of_nobody(&self, doing: &str, object: &str) -> Refusal {
        Refusal::new(doing, object).because("no project made it")
    }
}

/// That an object is of the project `owner`, and how that is known: `, made from "/srv/shop"`.
fn belongs(object: &str, owner: &str, how: &str) -> String {
    match how.strip_prefix(", ") {
        // The project itself is what is to be changed.
        Some(how) if object == owner => format!("it was {how}"),
        _ => format!("it belongs to the project \"{owner}\"{how}"),
    }
}
