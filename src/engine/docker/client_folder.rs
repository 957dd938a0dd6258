//! Finds the settings of Docker's own client.

use std::path::PathBuf;

use crate::host::Host;

/// The folder of Docker's own client.
pub(super) fn client_folder(host: &dyn Host) -> Option<PathBuf> {
    let variable =
        |name: &str| host.variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")))
}
