//! The file with the history.

use std::path::PathBuf;

use crate::host::resolve::named;
use crate::host::{FileKind, Host, HostErrorKind};
use crate::model::Failure;

/// Names another file; empty for none.
pub const VARIABLE: &str = "SPC_HISTORY";

/// The file of the history; `None` if none is wanted (the variable is empty or names a device) or
/// there is no home folder.
pub fn file(host: &dyn Host) -> Result<Option<PathBuf>, Failure> {
    let Some(path) = wanted(host) else { return Ok(None) };
    let path = host.current_folder()?.join(path);
    // Resolved, because spc writes to it and changes its permissions, not those of the link.
    let place = named(host, &path);
    let path = place.as_path().to_owned();
    match host.info(&place) {
        Ok(info) => match info.kind {
            FileKind::File => Ok(Some(path)),
            FileKind::Other => Ok(None),
            FileKind::Folder => Err(Failure::usage(format!("\"{}\" is a folder", path.display()))),
            FileKind::Symlink => Err(Failure::usage(format!(
                "\"{}\" is a symlink that leads nowhere",
                path.display()
            ))),
        },
        Err(error) if error.kind == HostErrorKind::NotFound => Ok(Some(path)),
        Err(error) => Err(error.into()),
    }
}

fn wanted(host: &dyn Host) -> Option<PathBuf> {
    if let Some(path) = host.variable(VARIABLE) {
        return (!path.is_empty()).then(|| path.into());
    }
    // A relative path is to be ignored, by the specification of this variable.
    let state =
        host.variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || {
        host.variable("HOME")
            .filter(|home| !home.is_empty())
            .map(|home| PathBuf::from(home).join(".local/state"))
    };
    Some(state.or_else(home)?.join("spc/history"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sim::SimHost;
    use crate::host::sim::executor::SimTaskExecutor;

    fn found(given: impl FnOnce(SimHost) -> SimHost) -> Option<String> {
        let host = given(SimHost::new(SimTaskExecutor::new(1)).with_folder("/home/a"));
        file(&host).unwrap().map(|path| path.display().to_string())
    }

    #[test]
    fn the_history_is_in_the_state_folder_unless_the_variable_names_another() {
        let home = |host: SimHost| host.with_variable("HOME", "/home/a");
        assert_eq!(found(home).unwrap(), "/home/a/.local/state/spc/history");
        assert_eq!(
            found(|host| home(host).with_variable("XDG_STATE_HOME", "/state")).unwrap(),
            "/state/spc/history"
        );
        assert_eq!(
            found(|host| home(host).with_variable("XDG_STATE_HOME", "state")).unwrap(),
            "/home/a/.local/state/spc/history"
        );
        assert_eq!(
            found(|host| home(host).with_variable(VARIABLE, "mine")).unwrap(),
            "/project/mine"
        );
        assert_eq!(found(|host| home(host).with_variable(VARIABLE, "")), None);
        assert_eq!(found(|host| host), None);
    }

    #[test]
    fn a_link_is_followed_and_a_folder_refused() {
        let linked = |host: SimHost| {
            host.with_file("/dot/history", "x")
                .with_symlink("/project/h", "/dot/history")
                .with_variable(VARIABLE, "h")
        };
        assert_eq!(found(linked).unwrap(), "/dot/history");
        let host = SimHost::new(SimTaskExecutor::new(1)).with_variable(VARIABLE, "/project");
        assert_eq!(file(&host).unwrap_err().message, "\"/project\" is a folder");
    }
}
