//! Files in containers, read and written as archives.

use bytes::Bytes;
use futures::StreamExt;
use rhai::Map;

use super::context::Context;
use super::{assume_option, project, secret, task};
use crate::apply::failures::of_engine;
use crate::apply::observe::find_container;
use crate::host::memory::{self, CollectError, CollectedBytes, LARGEST_VALUE};
use crate::model::{Failure, Kind};
use crate::value::Options;

/// The text of the file at `path` in a container, with the option `assume`.
pub(super) fn read_with(
    context: &Context,
    container: &str,
    path: &str,
    given: Map,
) -> Result<String, Failure> {
    secret::none_in(path, "a path in a container")?;
    let mut options = Options::new(given, "options of read");
    let assumed = assume_option::content(&mut options)?;
    options.finish()?;
    match assume_option::assumed_content(
        context,
        container,
        &format!("{path} in"),
        assumed.as_ref(),
    ) {
        Some(text) => Ok(text.clone()),
        None => read(context, container, path),
    }
}

/// The text of the file at `path` in a container.
pub(super) fn read(context: &Context, container: &str, path: &str) -> Result<String, Failure> {
    secret::none_in(path, "a path in a container")?;
    let wrong = |why: &str| Failure::usage(format!("\"{path}\" in the container {why}"));
    let bytes = task::wait(context, async {
        let engine = context.engine().await?;
        let doing = format!("read \"{path}\" in the container \"{container}\"");
        let mut stream = engine
            .container_download(container, path)
            .await
            .map_err(|error| of_engine(error, &doing))?;
        let mut archive = CollectedBytes::default();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| of_engine(error, &doing))?;
            archive.push(|| context.host.memory(), &chunk).map_err(|full| match full {
                CollectError::Run(error) => error.into(),
                CollectError::Value => {
                    wrong(&format!("is larger than {} MiB", LARGEST_VALUE >> 20))
                        .hint(memory::STREAM)
                }
            })?;
        }
        Ok(archive.into_bytes())
    })?;
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut entries = archive.entries().map_err(|_| wrong("could not be read"))?;
    let mut entry =
        entries.next().and_then(Result::ok).ok_or_else(|| wrong("could not be read"))?;
    if !entry.header().entry_type().is_file() {
        return Err(wrong("is not a file"));
    }
    let _room = memory::reserve(|| context.host.memory(), bytes.len())?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut entry, &mut text).map_err(|_| wrong("is not UTF-8 text"))?;
    Ok(text)
}

/// Writes a file into a container that spc created for this project. The folder of the file has to
/// exist.
pub(super) fn write(
    context: &Context,
    container: &str,
    path: &str,
    text: &str,
) -> Result<(), Failure> {
    secret::none_in(path, "a path in a container")?;
    let (folder, name) =
        path.rsplit_once('/').filter(|(_, name)| !name.is_empty()).ok_or_else(|| {
            Failure::usage(format!("\"{path}\" is not a file's path in a container"))
                .hint("write an absolute path")
        })?;
    let folder = if folder.is_empty() { "/" } else { folder };
    let text = context.secrets.reveal(text);
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    let packed =
        archive.append_data(&mut header, name, text.as_bytes()).and_then(|()| archive.into_inner());
    let packed: Bytes = packed
        .map_err(|error| Failure::usage(format!("\"{path}\" could not be packed: {error}")))?
        .into();
    task::wait(context, async {
        let engine = context.engine().await?;
        let doing = format!("write \"{path}\" into a container");
        let found = find_container(&*engine, container).await?;
        let found = found.ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("There is no container \"{container}\""))
        })?;
        project::check_ours(context, &format!("container \"{container}\""), &found.labels)?;
        engine
            .container_upload(container, folder, packed)
            .await
            .map_err(|error| of_engine(error, &doing))
    })
}
