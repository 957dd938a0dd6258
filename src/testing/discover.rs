//! Finds the files with tests.

use std::path::{Path, PathBuf};

use crate::host::git::GitFiles;
use crate::host::resolve::{named, shown};
use crate::host::{FileKind, Host, HostErrorKind};
use crate::model::{Failure, Kind};
use crate::policy::CheckedPath;
use crate::script::resolver::{EXTENSION, TEST_MARK};

/// Folders of generated or downloaded files, in addition to those whose names begin with a dot.
const LEFT_OUT: [&str; 4] = ["target", "node_modules", "vendor", "__pycache__"];

/// The test files at and below `paths`, absolute, each once, in the given order and then by name.
///
/// A file that is named itself may have any name. In folders, files that `git` hides are skipped.
pub fn discover(
    host: &dyn Host,
    git: &GitFiles,
    paths: &[PathBuf],
) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in paths {
        let path = host
            .canonicalize(path)
            .map_err(|error| missing(host, path, error.kind, error.message))?;
        let place = CheckedPath::trusted(&path);
        let is_folder = host.info(&place).is_ok_and(|info| info.kind == FileKind::Folder);
        let mut files = Vec::new();
        if is_folder {
            below(host, git, &CheckedPath::root_itself(&path), &mut files);
            if files.is_empty() {
                return Err(none_in(host, &path));
            }
        } else {
            files.push(path);
        }
        found.extend(files.into_iter().filter(|file| !found.contains(file)).collect::<Vec<_>>());
    }
    Ok(found)
}

fn below(host: &dyn Host, git: &GitFiles, folder: &CheckedPath, files: &mut Vec<PathBuf>) {
    let mark = format!("{TEST_MARK}.{EXTENSION}");
    // A folder that can't be read contains no tests that could run.
    for entry in host.list(folder).unwrap_or_default() {
        let path = folder.join(&entry.name);
        match entry.kind {
            kind if git.hides(host, path.as_path(), kind) => {}
            FileKind::Folder
                if entry.name.starts_with('.') || LEFT_OUT.contains(&entry.name.as_str()) => {}
            FileKind::Folder => below(host, git, &path, files),
            FileKind::File if entry.name.ends_with(&mark) => files.push(path.as_path().to_owned()),
            _ => {}
        }
    }
}

fn none_in(host: &dyn Host, folder: &Path) -> Failure {
    let place = match shown(host, folder).as_str() {
        "." => "here".to_owned(),
        folder => format!("in \"{folder}\""),
    };
    Failure::usage(format!("There are no tests {place}"))
        .hint(format!("a test is a function test_… in a file …{TEST_MARK}.{EXTENSION}"))
}

fn missing(host: &dyn Host, path: &Path, kind: HostErrorKind, message: String) -> Failure {
    if kind != HostErrorKind::NotFound {
        return Failure::usage(message);
    }
    let failure = Failure::usage(format!("There is no file or folder \"{}\"", shown(host, path)));
    let Some(folder) = path.parent() else { return failure };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let entries = host.list(&named(host, folder)).unwrap_or_default();
    let tests: Vec<&str> = entries
        .iter()
        .map(|entry| entry.name.as_str())
        .filter(|name| name.ends_with(&format!("{TEST_MARK}.{EXTENSION}")))
        .collect();
    let meant = [format!("{name}{TEST_MARK}.{EXTENSION}"), format!("{name}.{EXTENSION}")];
    let near = tests.iter().copied().find(|test| meant.iter().any(|meant| meant == test));
    match near.or_else(|| crate::model::suggest::nearest(&name, tests.iter().copied())) {
        Some(near) => {
            failure.hint(format!("did you mean \"{}\"?", shown(host, &folder.join(near))))
        }
        None => Failure { kind: Kind::Usage, ..failure },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::sim::SimHost;
    use crate::host::sim::executor::SimTaskExecutor;

    fn host() -> SimHost {
        let files = [
            "scripts/up_test.rhai",
            "scripts/up.rhai",
            "scripts/a/b_test.rhai",
            "stdlib/dotenv_test.rhai",
            ".hidden/x_test.rhai",
            "target/x_test.rhai",
            "web/node_modules/x_test.rhai",
            "empty/a.rhai",
            "local/x_test.rhai",
        ];
        let host =
            SimHost::new(SimTaskExecutor::new(1)).with_file("/project/.gitignore", "/local/\n");
        files.iter().fold(host, |host, file| host.with_file(format!("/project/{file}"), ""))
    }

    fn found(paths: &[&str]) -> Result<Vec<String>, Failure> {
        let host = host();
        let paths: Vec<PathBuf> =
            paths.iter().map(|path| Path::new("/project").join(path)).collect();
        Ok(discover(&host, &GitFiles::around(&host, Path::new("/project")), &paths)?
            .iter()
            .map(|path| shown(&host, path))
            .collect())
    }

    #[test]
    fn test_discovery_skips_generated_and_hidden_files() {
        let all = ["scripts/a/b_test.rhai", "scripts/up_test.rhai", "stdlib/dotenv_test.rhai"];
        assert_eq!(found(&["."]).unwrap(), all);
        assert_eq!(
            found(&["stdlib", "scripts/up.rhai", "stdlib/dotenv_test.rhai"]).unwrap(),
            ["stdlib/dotenv_test.rhai", "scripts/up.rhai"]
        );
    }

    #[test]
    fn a_path_without_tests_is_an_error() {
        let failure = found(&["empty"]).unwrap_err();
        assert_eq!(
            (failure.kind, failure.message.as_str()),
            (Kind::Usage, "There are no tests in \"empty\"")
        );
        let failure = found(&["scripts/up"]).unwrap_err();
        assert_eq!(failure.message, "There is no file or folder \"scripts/up\"");
        assert_eq!(failure.hint.unwrap(), "did you mean \"scripts/up_test.rhai\"?");
    }
}
