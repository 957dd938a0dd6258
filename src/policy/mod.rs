//! What a script may do. Pure: the state of the disk comes in through [`Resolve`].
//!
//! By default a script works on its own project. It reads and writes the project directory, mounts
//! files in it, and reads the folder of its runbook. Anything else needs a line under `[allow]` in
//! `spc.toml`, and a [`Refusal`] names this line.
//!
//! An effect accepts only a checked value, and only this module creates one: [`CheckedPath`],
//! [`CheckedCommand`], [`CheckedMount`], [`CheckedVolumeOptions`], [`CheckedUrl`],
//! [`CheckedPrivilege`], [`CheckedProject`].

mod checked_path;
mod command;
pub mod engines;
mod frontend;
mod mount;
mod network;
mod path;
mod privilege;
mod project;
mod refusal;
mod rules;
pub mod settings;
mod settings_reader;
mod volume;
mod writable_paths;

use std::path::{Path, PathBuf};

pub use checked_path::CheckedPath;
pub use command::{CheckedCommand, Machine, RequestedCommand, SEARCH_PATH};
pub use engines::{EngineAddress, EngineAddresses};
pub use mount::CheckedMount;
pub use network::CheckedUrl;
pub use path::{OwnAccess, Resolution, Resolve, clean};
pub use privilege::CheckedPrivilege;
pub use project::{CheckedProject, LabelledObject, ObjectUse};
pub use refusal::Refusal;
pub use rules::Policy;
pub use settings::{SETTINGS_FILE, Settings, SettingsError, SettingsErrors};
pub use volume::CheckedVolumeOptions;
pub use writable_paths::{Entry, PathLookup};

impl Policy {
    /// The policy of a project with a `spc.toml` of this content in `root`. Fails with all mistakes
    /// in it.
    pub fn of_file(
        root: &Path,
        content: &[u8],
        resolve: Resolve<'_>,
    ) -> Result<Self, SettingsErrors> {
        let (settings, errors) = Settings::read(content);
        Self::checked(root, settings, errors, resolve)
    }

    /// The policy of a project with these settings in `root`.
    pub fn new(
        root: &Path,
        settings: Settings,
        resolve: Resolve<'_>,
    ) -> Result<Self, SettingsErrors> {
        Self::checked(root, settings, Vec::new(), resolve)
    }

    /// `errors` are the mistakes found so far.
    fn checked(
        root: &Path,
        settings: Settings,
        mut errors: Vec<SettingsError>,
        resolve: Resolve<'_>,
    ) -> Result<Self, SettingsErrors> {
        let root = path::real(&path::clean(root), resolve).unwrap_or_else(|()| path::clean(root));
        let project_directory = match &settings.project_directory {
            None => root.clone(),
            Some(given) => project_directory(&root, given, resolve).unwrap_or_else(|error| {
                errors.push(error);
                root.clone()
            }),
        };
        if let Some(given) = &settings.command_folder {
            errors.extend(check_command_folder(&root, given, resolve).err());
        }
        SettingsErrors::none_of(errors, ())?;
        Ok(Self::with(&root, project_directory, settings, resolve))
    }

    /// The policy of a project without settings.
    pub fn of_folder(root: &Path, resolve: Resolve<'_>) -> Self {
        let root = path::real(&path::clean(root), resolve).unwrap_or_else(|()| path::clean(root));
        Self::with(&root, root.clone(), Settings::default(), resolve)
    }

    fn with(
        root: &Path,
        project_directory: PathBuf,
        settings: Settings,
        resolve: Resolve<'_>,
    ) -> Self {
        let outside = |entries: &[String]| -> Vec<PathBuf> {
            // A root that is a dangling symlink allows nothing.
            entries
                .iter()
                .filter_map(|entry| path::real(&path::clean(&root.join(entry)), resolve).ok())
                .collect()
        };
        let (readable, writable, mountable) =
            (outside(&settings.read), outside(&settings.write), outside(&settings.bind_mounts));
        let engine_sockets = mount::known_sockets(resolve);
        let command_folder = settings.command_folder.as_ref().map(|given| root.join(&given.text));
        // A project can't be the whole disk.
        let own = project_directory.parent().map(|_| project_directory.clone());
        let written = own.into_iter().chain(writable.clone()).chain(mountable.clone()).collect();
        Self {
            settings,
            root: root.to_owned(),
            command_folder,
            project_directory,
            readable,
            writable,
            mountable,
            written,
            engine_sockets,
            engines: EngineAddresses::default(),
            given_project: None,
            adopts: false,
        }
    }

    /// The same policy for a runbook in `folder`, which the script may read.
    #[must_use]
    pub fn with_runbook_folder(mut self, folder: &Path, resolve: Resolve<'_>) -> Self {
        self.readable.extend(path::real(&path::clean(folder), resolve));
        self
    }

    /// The same policy with one more known socket of an engine.
    #[must_use]
    pub fn with_engine_socket(mut self, socket: &Path, resolve: Resolve<'_>) -> Self {
        self.engine_sockets.extend(path::both_names(socket, resolve));
        self
    }

    /// The same policy with known engines that listen over TCP.
    #[must_use]
    pub fn with_engines(mut self, engines: EngineAddresses) -> Self {
        self.engines = engines;
        self
    }

    /// The engines that listen over TCP. No request of a script may reach one.
    pub fn engines(&self) -> &EngineAddresses {
        &self.engines
    }

    /// The same policy for a project that a person named for this run. A script or its files can't
    /// call this.
    #[must_use]
    pub fn with_given_project(mut self, name: Option<String>) -> Self {
        self.given_project = name;
        self
    }

    /// Whether a person passed `--adopt`.
    pub fn adopts(&self) -> bool {
        self.adopts
    }

    /// The same policy for a run with `--adopt` from a person. `adopt` in a script does not count.
    #[must_use]
    pub fn with_adoption(mut self, adopts: bool) -> Self {
        self.adopts = adopts;
        self
    }

    /// Whether a plan may run commands in containers that the script declares to change nothing.
    pub fn read_only_execs(&self) -> bool {
        self.settings.read_only_execs
    }

    /// The base of relative paths.
    pub fn project_directory(&self) -> &Path {
        &self.project_directory
    }
}

fn check_command_folder(
    root: &Path,
    given: &settings::SpannedText,
    resolve: Resolve<'_>,
) -> Result<(), SettingsError> {
    match resolve(&root.join(&given.text)) {
        Resolution::Exists(_) => Ok(()),
        Resolution::Missing | Resolution::Dangling => Err(given.error(
            format!("The command_folder \"{}\" does not exist", given.text),
            format!("create the folder, or name one that exists; a relative one starts at the folder of {SETTINGS_FILE}"),
        )),
    }
}

fn project_directory(
    root: &Path,
    given: &settings::SpannedText,
    resolve: Resolve<'_>,
) -> Result<PathBuf, SettingsError> {
    let path = path::clean(&root.join(&given.text));
    match resolve(&path) {
        Resolution::Exists(real) if real.starts_with(root) => Ok(real),
        Resolution::Exists(_) => Err(given.error(
            format!("The project_directory \"{}\" leads out of the project", given.text),
            format!("name a folder below that of {SETTINGS_FILE}"),
        )),
        Resolution::Missing | Resolution::Dangling => Err(given.error(
            format!("The project_directory \"{}\" does not exist", given.text),
            format!(
                "create the folder, or choose an existing one; it is relative to {SETTINGS_FILE}"
            ),
        )),
    }
}

#[cfg(test)]
mod tests;
