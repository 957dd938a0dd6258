//! Images made from a tar of a root file system.

use std::collections::BTreeSet;
use std::sync::Arc;

use bollard::models::ImageConfig;

use super::Image;
use super::dockerfile::{Instruction, apply};
use super::reference::Reference;
use crate::engine::Result;
use crate::engine::sim::daemon::errors::refusal;
use crate::engine::sim::daemon::ids::digest;
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::tree::Tree;

/// The instructions that an import supports.
const CHANGES: &[&str] = &[
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

impl State {
    /// The image's id, which depends on the tar and the changes.
    pub fn import_image(&mut self, tag: &str, changes: &[String], tar: &[u8]) -> Result<String> {
        let reference = Reference::parse(tag)?;
        let mut config = ImageConfig::default();
        for change in changes {
            let instruction = Instruction::parse(change);
            if !CHANGES.contains(&instruction.name.as_str()) {
                return Err(refusal(
                    400,
                    format!(
                        "{} is not a valid change command",
                        instruction.name.to_ascii_lowercase()
                    ),
                ));
            }
            apply(&mut config, &instruction).map_err(|words| refusal(400, words))?;
        }
        let mut files = Tree::default();
        files.unpack("/", tar).map_err(|error| {
            refusal(500, format!("Error processing tar file(exit status 1): {error}"))
        })?;
        let content = digest([tar]);
        let id = format!(
            "sha256:{}",
            digest([content.as_str()].into_iter().chain(changes.iter().map(String::as_str)))
        );
        let name = reference.full();
        let size = i64::try_from(tar.len()).unwrap_or(i64::MAX);
        let own = id.clone();
        self.store_image(&id, Some(&name), |state| Image {
            id: own,
            serial: state.ids.serial(),
            created: state.now,
            tags: BTreeSet::new(),
            digests: BTreeSet::new(),
            config,
            comment: "Imported from -".to_owned(),
            size,
            files: Arc::new(files),
        });
        self.emit_image(&id, "tag", &name);
        self.emit_image(&id, "import", &id);
        Ok(id)
    }
}
