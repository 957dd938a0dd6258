//! What a container that is there has mounted. The engine looks its folders up at every start, not
//! when it was created: a folder that was checked then may be a symlink by now, because a container
//! or a script that can write beside it put one there.

use std::path::Path;

use bollard::models;

use super::{Guard, Result};
use crate::policy::Refusal;

/// The folders and files of the host that a container is given by their paths.
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

/// The volumes that a container has mounted.
fn volumes(found: &models::ContainerInspectResponse) -> Vec<String> {
    // Nothing else that is mounted has a name.
    found
        .mounts
        .iter()
        .flatten()
        .filter_map(|mount| mount.name.clone())
        .filter(|name| !name.is_empty())
        .collect()
}

impl Guard {
    /// Refuses to start a container one of whose folders has become a symlink that leads to where
    /// the policy allows no mount.
    ///
    /// A container that is gone, and a volume that is, are the engine's to report.
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
            // A bound folder in disguise; what else a device is has no path.
            if let Some(device) =
                volume.options.get("device").filter(|device| device.starts_with('/'))
            {
                self.leads_where_it_did(device)?;
            }
        }
        Ok(())
    }

    /// A path without symlinks leads to itself, whatever allowed it when it was mounted. Any other
    /// is held to the policy again.
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
