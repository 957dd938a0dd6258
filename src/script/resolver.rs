//! Resolves imports.
//!
//! `std/<topic>` is embedded. Every other path is relative to the importing file, without `.rhai`.
//! It may not leave the project's scripts: not by `..`, not as an absolute path, not through a
//! symlink.

use std::path::Path;
use std::sync::Arc;

use rhai::{
    Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared,
};

use super::library::{CONSTANTS, Library, in_module};
use super::standard_library::PREFIX;
use crate::host::memory::LARGEST_SOURCE;
use crate::host::{FileKind, Host, HostError, HostErrorKind};
use crate::model::suggest::nearest;
use crate::model::{Failure, Kind};
use crate::policy::{CheckedPath, clean};

/// The ending of runbooks and modules.
pub const EXTENSION: &str = "rhai";

/// Resolves the imports of a run from its library.
pub struct Resolver {
    library: Arc<Library>,
}

/// A module that was found and not read yet.
pub enum ResolvedModule {
    Standard { name: String, text: &'static str },
    File { name: String, path: CheckedPath },
}

impl Resolver {
    /// The resolver of a run.
    pub fn new(library: Arc<Library>) -> Self {
        Self { library }
    }

    fn import(
        &self,
        engine: &Engine,
        importer: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let importer = importer.and_then(|importer| self.library.path(importer));
        let found = find(&self.library, importer.as_deref(), path)?;
        let name = match &found {
            ResolvedModule::Standard { name, .. } | ResolvedModule::File { name, .. } => {
                name.clone()
            }
        };
        if let Some(module) = self.library.imported(&name) {
            return Ok(module);
        }
        let (text, path) = match found {
            ResolvedModule::Standard { text, .. } => (text.to_owned(), None),
            ResolvedModule::File { path, .. } => {
                (read_source(&self.library, &path)?, Some(path.as_path().to_owned()))
            }
        };
        self.library.import(&name, || {
            let unit = self
                .library
                .compile(engine, &name, path, text)
                .map_err(|error| in_module(&name, error, position))?;
            self.library.evaluate(engine, &unit).map_err(|error| in_module(&name, error, position))
        })
    }
}

/// The target of an import of `path` in the file `importer`, which is `None` for the standard
/// library.
pub fn find(
    library: &Library,
    importer: Option<&Path>,
    path: &str,
) -> Result<ResolvedModule, Failure> {
    let refused = |why: &str| Failure::usage(format!("Could not import \"{path}\": {why}"));
    if let Some(topic) = path.strip_prefix(PREFIX) {
        return match library.standard.iter().find(|(known, _)| *known == topic) {
            Some((_, text)) => Ok(ResolvedModule::Standard { name: path.to_owned(), text }),
            None => Err(suggest(
                library,
                refused("there is no such module in the standard library"),
                path,
                None,
            )),
        };
    }
    if path.is_empty() || path.ends_with('/') {
        return Err(refused("it names no file"));
    }
    if Path::new(path).is_absolute() {
        return Err(
            refused("the path is absolute").hint("imports are relative to the importing file")
        );
    }
    let Some(folder) = importer.and_then(Path::parent) else {
        return Err(refused("modules of the standard library import only from it")
            .hint(format!("write import \"{PREFIX}{path}\"")));
    };
    let file = folder.join(format!("{path}.{EXTENSION}"));
    // First by its text, so that the answer doesn't reveal whether a file exists outside of the
    // scripts.
    if !clean(&file).starts_with(&library.root) {
        return Err(outside(library, path));
    }
    let real = match library.host.canonicalize(&file) {
        Ok(real) => real,
        Err(error) if error.kind == HostErrorKind::NotFound => {
            let failure = refused(&format!("there is no file \"{}\"", library.shown(&file)));
            return Err(match path.strip_suffix(".rhai") {
                Some(stem) => failure.hint(format!("remove the file extension: import \"{stem}\"")),
                None => suggest(library, failure, path, Some(&file)),
            });
        }
        Err(error) => return Err(unreadable(path, &error)),
    };
    let Some(path) = CheckedPath::below(&library.root, &real) else {
        return Err(outside(library, path));
    };
    Ok(ResolvedModule::File { name: library.shown(&real), path })
}

fn outside(library: &Library, path: &str) -> Failure {
    Failure::usage(format!("Could not import \"{path}\": it is outside of the project's scripts"))
        .hint(format!("imports stay inside \"{}\"", library.shown(&library.root)))
}

/// The most similar module: beside the missing file, or in the standard library.
fn suggest(library: &Library, failure: Failure, path: &str, file: Option<&Path>) -> Failure {
    let mut candidates: Vec<String> =
        library.standard.iter().map(|(topic, _)| format!("{PREFIX}{topic}")).collect();
    if let Some(folder) = file.and_then(Path::parent) {
        let before =
            path.rsplit_once('/').map(|(before, _)| format!("{before}/")).unwrap_or_default();
        // Without names in the target of a symlink that leads out of the scripts.
        let folder = library
            .host
            .canonicalize(folder)
            .ok()
            .and_then(|folder| CheckedPath::below(&library.root, &folder));
        let names = folder.map(|folder| scripts_in(&*library.host, &folder)).unwrap_or_default();
        candidates.extend(names.into_iter().map(|name| format!("{before}{name}")));
    }
    match nearest(path, candidates.iter().map(String::as_str)) {
        Some(near) => failure.hint(format!("did you mean \"{near}\"?")),
        None => failure,
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let module = self.import(engine, source, path, position);
        module.map_err(|error| error_at(error, position))
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        global: &mut GlobalRuntimeState,
        _: &mut Scope,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        if path == CONSTANTS
            && let Some(constants) = self.library.take_constants()
        {
            global.constants = Some(constants);
            let mut module = Module::new();
            module.build_index();
            return Ok(module.into());
        }
        self.resolve(engine, global.source(), path, position)
    }
}

fn error_at(mut error: Box<EvalAltResult>, position: Position) -> Box<EvalAltResult> {
    if error.position().is_none() {
        error.set_position(position);
    }
    error
}

fn unreadable(path: &str, error: &HostError) -> Failure {
    Failure::new(kind_of(error), format!("Could not import \"{path}\": {}", error.message))
}

fn kind_of(error: &HostError) -> Kind {
    match error.kind {
        HostErrorKind::NotFound => Kind::NotFound,
        HostErrorKind::SymlinkInPath => Kind::Policy,
        _ => Kind::Usage,
    }
}

/// The end of the names of test files, before the extension.
pub const TEST_MARK: &str = "_test";

/// The names, without extension, of the scripts in a folder, except tests.
pub fn scripts_in(host: &dyn Host, folder: &CheckedPath) -> Vec<String> {
    let entries = host.list(folder).unwrap_or_default();
    let files = entries.into_iter().filter(|entry| entry.kind != FileKind::Folder);
    let names = files.filter_map(|entry| entry.name.strip_suffix(".rhai").map(str::to_owned));
    names.filter(|name| !name.ends_with(TEST_MARK)).collect()
}

/// The text of a script file: UTF-8, without a byte order mark, with uniform line ends, and with a
/// `#!` line as a comment.
pub fn read_source(library: &Library, path: &CheckedPath) -> Result<String, Failure> {
    let shown = library.shown(path.as_path());
    let is_folder = library.host.info(path).is_ok_and(|info| info.kind == FileKind::Folder);
    if is_folder {
        return Err(Failure::usage(format!("Could not read \"{shown}\": it is a folder")));
    }
    let content = library.host.read_source(path).map_err(|error| {
        let kind = kind_of(&error);
        let mut message = error.message;
        if let Some(first) = message.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        Failure::new(kind, message)
    })?;
    source_text(&shown, &content)
}

/// The text of a script file that is displayed as `shown`: see [`read_source`].
pub fn source_text(shown: &str, content: &[u8]) -> Result<String, Failure> {
    if content.len() > LARGEST_SOURCE {
        return Err(Failure::usage(format!(
            "Could not read \"{shown}\": it is larger than {} MiB",
            LARGEST_SOURCE >> 20
        )));
    }
    let text = std::str::from_utf8(content).map_err(|error| {
        let line = content[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        Failure::usage(format!("Could not read \"{shown}\": line {line} is not UTF-8 text"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    Ok(match text.strip_prefix("#!") {
        Some(rest) => format!("//{}", &rest[rest.find('\n').unwrap_or(rest.len())..]),
        None => text,
    })
}
