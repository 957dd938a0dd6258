//! Bind mounts in all their forms.

use std::path::{Path, PathBuf};

use super::path::{self, DANGLING, Resolve, both_names, within};
use super::privilege::PRIVILEGED;
use super::settings::list_with;
use super::{Policy, Refusal};

/// A folder or file of the host that may be mounted into a container: absolute and, as far as it
/// exists, canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedMount(PathBuf);

impl CheckedMount {
    pub fn source(&self) -> &Path {
        &self.0
    }
}

/// The default sockets of engines.
const KNOWN_SOCKETS: [&str; 4] = [
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
];

pub(super) fn known_sockets(resolve: Resolve<'_>) -> Vec<PathBuf> {
    KNOWN_SOCKETS.iter().flat_map(|socket| both_names(Path::new(socket), resolve)).collect()
}

impl Policy {
    /// Whether the existing part of a bind mount's source contains no symlink.
    pub fn is_canonical(&self, source: &Path, resolve: Resolve<'_>) -> bool {
        self.real(source, resolve).as_deref() == Ok(source)
    }

    /// The source of a bind mount. Relative ones start at the project directory.
    pub fn bind_mount(&self, given: &Path, resolve: Resolve<'_>) -> Result<CheckedMount, Refusal> {
        let refusal = Refusal::new("mount", given.to_string_lossy());
        let Ok(real) = self.real(given, resolve) else { return Err(refusal.because(DANGLING)) };
        // The engine gets text, so a name that is not UTF-8 would become the name of another file.
        if real.to_str().is_none() {
            return Err(
                refusal.because(format!("\"{}\" has a name that is not UTF-8", real.display()))
            );
        }
        let outside = self.project(&real).is_none() && !within(&real, &self.mountable);
        let power = self.holds_engine(given, &real).filter(|_| !self.settings.privileged);
        let refusal = match (power, outside) {
            (None, false) => return Ok(CheckedMount(real)),
            (Some(power), _) => refusal.because(power).allowed_by(PRIVILEGED),
            (None, true) => refusal.because(self.outside(given, &real)),
        };
        if !outside {
            return Err(refusal);
        }
        Err(refusal.allowed_by(list_with(
            "bind_mounts",
            &self.settings.bind_mounts,
            &real.to_string_lossy(),
        )))
    }

    /// Why a mount would give control over the engine, and so over the host.
    fn holds_engine(&self, given: &Path, real: &Path) -> Option<&'static str> {
        let named = path::clean(&self.project_directory.join(given));
        if real == Path::new("/") {
            return Some("it is the whole host");
        }
        let sockets = &self.engine_sockets;
        if sockets.iter().any(|socket| socket == real || *socket == named) {
            return Some("it is the engine's socket");
        }
        sockets
            .iter()
            .any(|socket| socket.starts_with(real))
            .then_some("it holds the engine's socket")
    }
}
