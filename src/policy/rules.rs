//! What the scripts of one project may do.

use std::path::PathBuf;

use super::{EngineAddresses, Settings};

/// What the scripts of one project may do.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) settings: Settings,
    /// The folder of `spc.toml`. Canonical.
    pub(super) root: PathBuf,
    /// The folder of host commands that `spc.toml` names: absolute, symlinks not followed.
    pub(super) command_folder: Option<PathBuf>,
    /// What relative paths are relative to. Canonical, as all folders here.
    pub(super) project_directory: PathBuf,
    /// Folders and files outside of the project directory.
    pub(super) readable: Vec<PathBuf>,
    pub(super) writable: Vec<PathBuf>,
    pub(super) mountable: Vec<PathBuf>,
    /// What scripts and containers can write on the host, the project directory included.
    pub(super) written: Vec<PathBuf>,
    pub(super) engine_sockets: Vec<PathBuf>,
    /// Engines that listen over TCP.
    pub(super) engines: EngineAddresses,
    /// The name of the project that the command line or the environment gives.
    pub(super) given_project: Option<String>,
    /// A person said `--adopt`.
    pub(super) adopts: bool,
}
