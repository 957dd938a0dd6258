//! `fs::`: files of the project.
//!
//! Paths are relative to the project directory. Paths outside of it need a line in `spc.toml`.

use std::fmt;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use rhai::plugin::{Dynamic, Engine, NativeCallContext, export_module};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::context::Context;
use super::record::no_fields;
use super::{Raw, paths, placed, secret, task};
use crate::host::{FileKind, FileSink, HostError, HostErrorKind};
use crate::model::Failure;
use crate::model::spec::secret::is_decimal_mode;
use crate::value::json::to_json;
use crate::value::{Bytes as Size, Options, Record, Time, type_names};

/// Registers `fs::`.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<File>("file");
    engine.register_static_module("fs", shared_module!(module, "fs"));
    engine.register_global_module(shared_module!(methods));
    no_fields::<File>(engine, "file");
}

/// Permission bits of a new file that contains a secret: only its owner can read it.
const PRIVATE: u32 = 0o600;

/// A file name that a script passes to functions that stream: `stdin` and `stdout` of `exec`, the
/// import of an image. The policy checks it when the file is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    path: String,
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

impl File {
    /// A file with the name that a script uses.
    pub fn new(path: impl Into<String>) -> Self {
        Self { path: path.into() }
    }

    /// The name that the script uses.
    pub fn name(&self) -> &str {
        &self.path
    }

    /// Its content as a stream.
    pub fn open(
        &self,
        context: &Context,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Failure> {
        Ok(context.host.open(&paths::to_read(context, &self.path)?)?)
    }

    /// A new file. It appears under its name when it is complete. A missing folder is created.
    pub fn create(&self, context: &Context) -> Result<Box<dyn FileSink>, Failure> {
        Ok(context
            .script
            .changes
            .of(context.host.create(&paths::to_create(context, &self.path)?))?)
    }
}

/// The content of a text file.
pub(super) fn read(context: &Context, path: &str) -> Result<String, Failure> {
    let bytes = paths::read(context, path)?;
    String::from_utf8(bytes.into()).map_err(|_| {
        Failure::usage(format!("The file \"{path}\" is not UTF-8 text"))
            .hint("use fs::file(path) to pass it on unchanged, or fs::copy to copy it")
    })
}

fn write(context: &Context, path: &str, text: &str, mode: Option<u32>) -> Result<(), Failure> {
    let content = secret::exposed_in(context, text, &place(path))?;
    put(context, path, &content, mode.or_else(|| (content != text).then_some(PRIVATE)))
}

/// The value in a file. `parse` gets the text, and the name of the file for messages.
pub(super) fn read_value(
    context: &Context,
    path: &Dynamic,
    parse: impl FnOnce(&str, &str) -> Result<Dynamic, Failure>,
) -> Result<Dynamic, Failure> {
    let path = path_of(path)?;
    parse(&read(context, &path)?, &format!("The file \"{path}\""))
}

/// Writes a value in the form that `format` gives it, with the values of its exposed secrets.
pub(super) fn write_value(
    context: &Context,
    path: &Dynamic,
    value: &Dynamic,
    format: impl FnOnce(&Value) -> Result<String, Failure>,
) -> Result<(), Failure> {
    let (path, value) = (&path_of(path)?, to_json(value)?);
    let content = secret::exposed_in_value(context, value.clone(), &place(path))?;
    put(context, path, &format(&content)?, (content != value).then_some(PRIVATE))
}

fn put(context: &Context, path: &str, content: &str, mode: Option<u32>) -> Result<(), Failure> {
    let path = paths::to_create(context, path)?;
    Ok(context.script.changes.of(context.host.write(&path, content.as_bytes(), mode))?)
}

/// A file, as the location of a secret.
fn place(path: &str) -> String {
    format!("the file \"{path}\"")
}

fn append(context: &Context, path: &str, text: &str) -> Result<(), Failure> {
    let content = secret::exposed_in(context, text, &place(path))?;
    let path = paths::to_create(context, path)?;
    Ok(context.script.changes.of(context.host.append(&path, content.as_bytes()))?)
}

/// The paths in a folder, each beginning with the folder's own path, sorted.
fn list(context: &Context, folder: &str) -> Result<Vec<String>, Failure> {
    let entries = context.host.list(&paths::to_read(context, folder)?)?;
    let folder = folder.trim_end_matches('/');
    Ok(entries
        .into_iter()
        .map(|entry| {
            if matches!(folder, "" | ".") { entry.name } else { format!("{folder}/{}", entry.name) }
        })
        .collect())
}

fn remove(context: &Context, path: &str) -> Result<(), Failure> {
    Ok(context.script.changes.of(context.host.remove(&paths::to_write(context, path)?))?)
}

fn make_folder(context: &Context, path: &str) -> Result<(), Failure> {
    Ok(context.script.changes.of(context.host.create_folder(&paths::to_write(context, path)?))?)
}

fn rename(context: &Context, from: &str, to: &str) -> Result<(), Failure> {
    let from = paths::to_write(context, from)?;
    let to = paths::to_create(context, to)?;
    Ok(context.script.changes.of(context.host.rename(&from, &to))?)
}

async fn copy(context: &Context, from: &str, to: &str) -> Result<(), Failure> {
    let mut content = File::new(from).open(context)?;
    let mut copy = File::new(to).create(context)?;
    while let Some(chunk) = content.next().await {
        copy.write(chunk.map_err(|error| unreadable(from, &error))?).await?;
    }
    Ok(copy.finish().await?)
}

/// The SHA-256 of a file's content, in hexadecimal.
async fn sha256(context: &Context, path: &str) -> Result<String, Failure> {
    let mut content = File::new(path).open(context)?;
    let mut hasher = Sha256::new();
    while let Some(chunk) = content.next().await {
        hasher.update(chunk.map_err(|error| unreadable(path, &error))?);
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn unreadable(path: &str, error: &std::io::Error) -> Failure {
    HostError::new(HostErrorKind::Other, format!("could not read \"{path}\": {error}")).into()
}

/// Information about a path.
fn info(context: &Context, path: &str) -> Result<Record, Failure> {
    let info = context.host.info(&paths::to_read(context, path)?)?;
    let kind = match info.kind {
        FileKind::File => "file",
        FileKind::Folder => "folder",
        FileKind::Symlink => "symlink",
        FileKind::Other => "other",
    };
    Ok(Record::new(
        "file information",
        [
            ("kind".into(), kind.into()),
            ("size".into(), Dynamic::from(Size(info.len))),
            ("mode".into(), i64::from(info.mode).into()),
            ("modified".into(), Dynamic::from(Time(info.modified))),
        ],
    ))
}

/// A path as text or as a file.
pub(super) fn path_of(value: &Dynamic) -> Result<String, Failure> {
    if let Some(file) = value.read_lock::<File>() {
        return Ok(file.path.clone());
    }
    let text = value.read_lock::<rhai::ImmutableString>().map(|text| text.to_string());
    text.ok_or_else(|| {
        Failure::usage(format!("A path is a string or a file, not {}", type_names::a(value)))
    })
}

/// The options of `write`.
pub(super) fn mode(options: &Dynamic) -> Result<Option<u32>, Failure> {
    let mut options = Options::of(options, "options of fs::write")?;
    let mode = options.count("mode")?;
    if let Some(mode) = mode.filter(|mode| *mode > 0o777 || is_decimal_mode(*mode)) {
        return Err(options
            .wrong("mode", format!("{mode} is not a file mode"))
            .hint("write it in octal: 0o600"));
    }
    options.finish()?;
    Ok(mode.and_then(|mode| u32::try_from(mode).ok()))
}

#[export_module]
mod module {
    /// A file for functions that stream: `stdin` and `stdout` of `exec`, backups, imports. It is
    /// read or written only then. A written file appears under its name when it is complete, and a
    /// missing folder is created.
    ///
    /// ```rhai
    /// let dump = fs::file("backups/spc_db.dump");
    /// ```
    pub fn file(path: &str) -> File {
        File::new(path)
    }

    /// The content of a text file (UTF-8).
    ///
    /// Throws `not_found` if the file does not exist, `usage` if it is not text.
    ///
    /// ```rhai
    /// fs::write("note.txt", "one\ntwo\n");
    /// assert_eq(fs::read("note.txt").lines().len, 2);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn read(call: NativeCallContext, path: Dynamic) -> Raw<String> {
        placed(&call, |context| super::read(context, &path_of(&path)?))
    }

    /// Writes a text file and replaces an existing one. A missing folder is created.
    ///
    /// A secret in `text` has to be exposed. Only the owner can read the file then.
    ///
    /// ```rhai
    /// fs::write("note.txt", "hello");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn write(call: NativeCallContext, path: Dynamic, text: &str) -> Raw<()> {
        placed(&call, |context| super::write(context, &path_of(&path)?, text, None))
    }

    /// Writes a text file with options: `mode`, the permission bits of a new file (`0o644`; `0o600`
    /// if it contains a secret).
    ///
    /// ```rhai
    /// fs::write("run.sh", "#!/bin/sh\n", #{ mode: 0o755 });
    /// ```
    #[rhai_fn(name = "write", return_raw, volatile)]
    pub fn write_with(
        call: NativeCallContext,
        path: Dynamic,
        text: &str,
        options: Dynamic,
    ) -> Raw<()> {
        placed(&call, |context| super::write(context, &path_of(&path)?, text, mode(&options)?))
    }

    /// Adds text to the end of a file. A missing file is created.
    ///
    /// ```rhai
    /// fs::append("run.log", "started\n");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn append(call: NativeCallContext, path: Dynamic, text: &str) -> Raw<()> {
        placed(&call, |context| super::append(context, &path_of(&path)?, text))
    }

    /// Whether a file or folder with this name exists.
    ///
    /// ```rhai
    /// assert(!fs::exists("nothing.txt"));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn exists(call: NativeCallContext, path: Dynamic) -> Raw<bool> {
        placed(&call, |context| paths::exists(context, &path_of(&path)?))
    }

    /// Information about a file or folder: `kind` (`file folder symlink other`), `size` in bytes,
    /// `mode` and `modified`, a time.
    ///
    /// ```rhai
    /// fs::write("note.txt", "hello");
    /// assert_eq(fs::info("note.txt").size, bytes(5));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn info(call: NativeCallContext, path: Dynamic) -> Raw<Record> {
        placed(&call, |context| super::info(context, &path_of(&path)?))
    }

    /// The paths in a folder, sorted, each beginning with the folder's path.
    ///
    /// ```rhai
    /// fs::write("backups/one.dump", "");
    /// assert_eq(fs::list("backups"), ["backups/one.dump"]);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn list(call: NativeCallContext, folder: &str) -> Raw<rhai::Array> {
        placed(&call, |context| {
            Ok(super::list(context, folder)?.into_iter().map(Dynamic::from).collect())
        })
    }

    /// Removes a file, or a folder with everything in it. Throws `not_found` if it does not exist.
    ///
    /// ```rhai
    /// fs::write("note.txt", "");
    /// fs::remove("note.txt");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn remove(call: NativeCallContext, path: Dynamic) -> Raw<()> {
        placed(&call, |context| super::remove(context, &path_of(&path)?))
    }

    /// Creates a folder, with its missing parent folders. It is fine if the folder already exists.
    ///
    /// ```rhai
    /// fs::mkdir("backups/today");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn mkdir(call: NativeCallContext, path: &str) -> Raw<()> {
        placed(&call, |context| make_folder(context, path))
    }

    /// Renames a file or folder, and replaces an existing one with the new name.
    ///
    /// ```rhai
    /// fs::write("new.conf", "a");
    /// fs::rename("new.conf", "old.conf");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn rename(call: NativeCallContext, from: Dynamic, to: Dynamic) -> Raw<()> {
        placed(&call, |context| super::rename(context, &path_of(&from)?, &path_of(&to)?))
    }

    /// Copies a file, and replaces an existing one.
    ///
    /// ```rhai
    /// fs::write("a.txt", "a");
    /// fs::copy("a.txt", "b.txt");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn copy(call: NativeCallContext, from: Dynamic, to: Dynamic) -> Raw<()> {
        placed(&call, |context| {
            let (from, to) = (path_of(&from)?, path_of(&to)?);
            task::wait(context, super::copy(context, &from, &to))
        })
    }

    /// The SHA-256 of a file's content, in hexadecimal digits.
    ///
    /// ```rhai
    /// fs::write("note.txt", "hello");
    /// assert(fs::sha256("note.txt").starts_with("2cf24dba"));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn sha256(call: NativeCallContext, path: Dynamic) -> Raw<String> {
        placed(&call, |context| {
            let path = path_of(&path)?;
            task::wait(context, super::sha256(context, &path))
        })
    }
}

#[export_module]
#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
mod methods {
    /// The file's path, as the script wrote it.
    #[rhai_fn(get = "path", pure)]
    pub fn path(file: &mut File) -> String {
        file.path.clone()
    }

    /// A file's text is its path.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(file: &mut File) -> String {
        file.path.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn write_creates_missing_folders_and_the_file_can_be_read() {
        let trial = Harness::new();
        trial.text(r#"fs::write("a/b/note.txt", "one\n"); fs::append("a/b/note.txt", "two\n")"#);
        assert_eq!(trial.file("/project/a/b/note.txt"), "one\ntwo\n");
        assert_eq!(trial.text(r#"fs::read(fs::file("a/b/note.txt")).lines().len"#), "2");
        assert_eq!(trial.text(r#"fs::list("a/b/")"#), r#"["a/b/note.txt"]"#);
        assert_eq!(trial.text(r#"fs::list(".")"#), r#"["a"]"#);
    }

    #[test]
    fn files_are_copied_renamed_compared_and_removed() {
        let trial = Harness::on(|host| host.with_file("/project/a", "hello"));
        let script = r#"
            fs::copy("a", "copies/b");
            fs::rename("copies/b", "copies/c");
            let same = fs::sha256("a") == fs::sha256(fs::file("copies/c"));
            fs::remove("a");
            [same, fs::exists("a"), fs::exists("copies/c"), fs::info("copies/c").size, fs::info("copies").kind]"#;
        assert_eq!(trial.text(script), r#"[true, false, true, 5b, "folder"]"#);
        assert!(trial.text(r#"fs::sha256("copies/c")"#).starts_with("2cf24dba5fb0a30e"));
    }

    #[test]
    fn outside_of_the_project_nothing_is_read_or_written() {
        let trial = Harness::on(|host| {
            host.with_file("/etc/passwd", "root").with_symlink("/project/out", "/etc")
        });
        for script in [
            r#"fs::read("/etc/passwd")"#,
            r#"fs::read("../etc/passwd")"#,
            r#"fs::exists("out/passwd")"#,
            r#"fs::write("out/x", "")"#,
        ] {
            assert_eq!(trial.fails(script).kind.word(), "policy", "{script}");
        }
        assert_eq!(
            trial.fails(r#"fs::write("/srv/x", "")"#).hint.unwrap(),
            "to allow it, write write = [\"/srv/x\"] under [allow] in spc.toml"
        );
    }

    #[test]
    fn reading_a_missing_or_binary_file_fails_with_its_name() {
        let trial = Harness::on(|host| host.with_file("/project/image", vec![0xff, 0xfe]));
        let failure = trial.fails(r#"fs::read("nothing")"#);
        assert_eq!(failure.kind.word(), "not_found");
        assert!(
            failure.message.starts_with("Could not read \"") && failure.message.contains("nothing"),
            "{failure}"
        );
        assert_eq!(
            trial.fails(r#"fs::read("image")"#).message,
            "The file \"image\" is not UTF-8 text"
        );
        assert_eq!(
            trial.fails(r"fs::read(5)").message,
            "A path is a string or a file, not an integer"
        );
        assert_eq!(trial.fails(r#"fs::read("")"#).message, "A path is empty");
    }

    #[test]
    fn a_secret_is_written_only_when_exposed_and_then_for_its_owner_alone() {
        let trial = Harness::new();
        trial.text(r#"fs::write("secrets/key", expose(random_secret("key", 40)))"#);
        assert_eq!(trial.file("/project/secrets/key").len(), 40);
        assert_eq!(trial.mode("/project/secrets/key"), Some(0o600));
        let failure = trial.fails(r#"fs::write("key", `${random_secret("key", 40)}`)"#);
        assert_eq!(failure.message, "The secret \"key\" can't be used in the file \"key\"");
        trial.text(r#"fs::write("run.sh", "echo", #{ mode: 0o755 })"#);
        assert_eq!(trial.mode("/project/run.sh"), Some(0o755));
        assert_eq!(
            trial.fails(r#"fs::write("a", "", #{ mode: 4096 })"#).message,
            "4096 is not a file mode"
        );
        let failure = trial.fails(r#"fs::write("a", "", #{ mode: 0400 })"#);
        assert_eq!(
            (failure.message.as_str(), failure.hint.unwrap().as_str()),
            ("400 is not a file mode", "write it in octal: 0o600")
        );
    }

    #[test]
    fn a_file_is_its_path() {
        assert_eq!(Harness::new().text(r#"let f = fs::file("a/b"); `${f} ${f.path}`"#), "a/b a/b");
        assert_eq!(
            Harness::new().fails(r#"fs::file("a").tag"#).message,
            "A file has no field \"tag\""
        );
    }
}
