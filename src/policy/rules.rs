//! What the scripts of one project may do.

use std::path::PathBuf;

use super::{EngineAddresses, Settings};

/// What the scripts of one project may do.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) settings: Settings,
    /// The folder of `spc.toml`. Canonical.
    pub(super) root: PathBuf,
    /// The folder of host commands from `spc.toml`: absolute, with unresolved symlinks.
    pub(super) command_folder: Option<PathBuf>,
    /// The base of relative paths. Canonical, like all folders here.
    pub(super) project_directory: PathBuf,
    /// Folders and files outside of the project directory.
    pub(super) readable: Vec<PathBuf>,
    pub(super) writable: Vec<PathBuf>,
    pub(super) mountable: Vec<PathBuf>,
    /// The folders of the host that scripts and containers can write, including the project
    /// directory.
    pub(super) written: Vec<PathBuf>,
    pub(super) engine_sockets: Vec<PathBuf>,
    /// Engines that listen over TCP.
    pub(super) engines: EngineAddresses,
    /// The name of the project from the command line or the environment.
    pub(super) given_project: Option<String>,
    /// A person passed `--adopt`.
    pub(super) adopts: bool,
}
