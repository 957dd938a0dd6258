//! Checks the mounts of an existing container. The engine resolves its folders at every start, not
//! at its creation. A folder that was checked then may be a symlink by now, because a container or
//! a script with write access beside it put one there.

use std::path::Path;

use bollard::models;

use super::{Guard, Result};
use crate::policy::Refusal;

/// The folders and files of the host that a container mounts by path.
fn bound(found: &models::ContainerInspectResponse) -> Vec<String> {
    let Some(host) = &found.host_config else { return Vec::new() };
    let short =
        host.binds.iter().flatten().map(|bind| {
            bind.split_once(':').map_or(bind.as_str(), |(source, _)| source).to_owned()
        });
    let long =
        host.mounts.iter().flatten().filter(|mount| mount.typ == Some(models::MountType::BIND));
    short
        .filter(|source| source.starts_with('/'))
        .chain(long.filter_map(|mount| mount.source.clone()))
        .collect()
}

/// The volumes that a container mounts.
fn volumes(found: &models::ContainerInspectResponse) -> Vec<String> {
    // No other mounts have a name.
    found
        .mounts
        .iter()
        .flatten()
        .filter_map(|mount| mount.name.clone())
        .filter(|name| !name.is_empty())
        .collect()
}

impl Guard {
    /// Rejects the start of a container if one of its folders has become a symlink to a path that
    /// the policy does not allow.
    ///
    /// The engine itself reports a missing container or volume.
    pub(super) async fn mounts_lead_where_they_did(&self, container: &str) -> Result<()> {
        let found = match self.engine.container_inspect(container).await {
            Err(error) if error.is_not_found() => return Ok(()),
            found => found?,
        };
        for source in bound(&found) {
            self.leads_where_it_did(&source)?;
        }
        for volume in volumes(&found) {
            let volume = match self.engine.volume_inspect(&volume).await {
                Err(error) if error.is_not_found() => continue,
                found => found?,
            };
            // A bound folder in a volume's options. Other devices have no path.
            if let Some(device) =
                volume.options.get("device").filter(|device| device.starts_with('/'))
            {
                self.leads_where_it_did(device)?;
            }
        }
        Ok(())
    }

    /// A path without symlinks leads to itself, and was allowed when it was mounted. Any other is
    /// checked against the policy again.
    fn leads_where_it_did(&self, source: &str) -> Result<()> {
        let source = Path::new(source);
        if !self.policy.is_canonical(source, &|path| self.resolve(path)) {
            self.policy.bind_mount(source, &|path| self.resolve(path)).map_err(|refusal| {
                let since = "since the container was created, a symlink was put into the path";
                Refusal {
                    because: Some(refusal.because.map_or_else(
                        || since.to_owned(),
                        |reason| format!("{since}, and {reason}"),
                    )),
                    ..refusal
                }
            })?;
        }
        Ok(())
    }
}
