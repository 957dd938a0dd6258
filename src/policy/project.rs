//! Whose an object on the engine is.
//!
//! A project is a script's own when its name is one that a person gave (`--project`, `COMPOSE_PROJECT_NAME` in the environment, `projects`
//! in `spc.toml`), or when nothing of it was made from another folder than the project directory. A script can choose the first name
//! of neither, nor what is recorded on the engine.

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
pub struct Made {
    /// The project directory that it was made from; Docker Compose records it for containers only.
    pub from: Option<String>,
    /// By spc, not by Docker Compose.
    pub by_spc: bool,
}

impl Policy {
    /// Whether a person named the project as one that scripts may change.
    pub fn names_project(&self, name: &str) -> bool {
        self.settings.projects.iter().chain(&self.given_project).any(|own| own == name)
    }

    /// A project that something is to be done to. `doing` and `object` are for the refusal: `change the container`, `other-db-1`;
    /// `there` is all that is labelled with the project.
    pub fn own_project(
        &self,
        name: &str,
        there: &[Made],
        doing: &str,
        object: &str,
        resolve: Resolve<'_>,
    ) -> Result<CheckedProject, Refusal> {
        if self.names_project(name) {
            return Ok(CheckedProject(name.to_owned()));
        }
        let is_here = |from: &str| path::real(&path::clean(Path::new(from)), resolve).as_deref() == Ok(self.project_directory());
        if let Some(from) = there.iter().filter_map(|made| made.from.as_deref()).find(|from| !is_here(from)) {
            let is_gone = resolve(Path::new(from)) == Resolution::Missing;
            let refused = self.foreign(
                doing,
                object,
                name,
                &format!(", made from \"{from}\"{}", if is_gone { ", which is not there any more" } else { "" }),
            );
            let moved = format!(
                "if this is that project, in a folder that was renamed or moved or in another release, say so with --project {name}"
            );
            return Err(if object == name { refused.help(moved) } else { refused });
        }
        // Once its containers are gone, nothing says from where Docker Compose made a volume or a network: then a person's word counts.
        if !self.adopts && there.iter().all(|made| made.from.is_none()) && there.iter().any(|made| !made.by_spc) {
            let refused = self.foreign(doing, object, name, ", made by Docker Compose from a folder that is not recorded");
            return Err(refused.help("if it is what Docker Compose left of this project, --adopt takes it over"));
        }
        Ok(CheckedProject(name.to_owned()))
    }

    /// The refusal of an object of the project `owner`.
    pub fn foreign(&self, doing: &str, object: &str, owner: &str, how: &str) -> Refusal {
        let reason = match how.strip_prefix(", ") {
            // The project itself is what is to be changed.
            Some(how) if object == owner => format!("it was {how}"),
            _ => format!("it belongs to the project \"{owner}\"{how}"),
        };
        Refusal::new(doing, object).because(reason).allowed_by(list_with("projects", &self.settings.projects, owner))
    }

    /// The refusal of a look into an object that no project made and no description uses.
    pub fn undescribed(&self, doing: &str, object: &str) -> Refusal {
        self.of_nobody(doing, object).help("describe it in a stack with \"external: true\": what a stack uses, its script may look into")
    }

    /// The refusal to change an object that Docker Compose made for the project `owner`, whatever `spc.toml` says.
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
