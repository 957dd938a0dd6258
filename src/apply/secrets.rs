//! Values of secrets, and their delivery into containers. Secrets and configs are files, never
//! environment variables.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;

use super::VerbContext;
use super::failures::of_engine;
use super::records::Records;
use crate::host::resolve::resolve;
use crate::model::event::{Event, Level};
use crate::model::failure::SpecPath;
use crate::model::secret::Secrets;
use crate::model::spec::secret::SECRETS_FOLDER;
use crate::model::spec::{FileMount, Project, Secret, SecretSource, Service};
use crate::model::{Failure, Kind};

/// The value of a top-level secret, from its file or variable.
pub fn value(ctx: &VerbContext, name: &str, secret: &Secret) -> Result<String, Failure> {
    let value = read(ctx, name, secret).map_err(|failure| match failure.path {
        Some(_) => failure,
        None => {
            failure.at(SpecPath { keys: vec!["secrets".to_owned(), name.to_owned()], on_key: true })
        }
    })?;
    if ctx.secrets.token_of(name, &value).is_none() {
        if let Some(text) = Secrets::warning(name, &value) {
            ctx.events.event(&Event::Log { level: Level::Warning, text });
        }
        let mut nonce = [0; 16];
        ctx.host.random(&mut nonce);
        ctx.secrets.add(name, &Secrets::token(name, nonce), &value);
    }
    Ok(value)
}

fn read(ctx: &VerbContext, name: &str, secret: &Secret) -> Result<String, Failure> {
    Ok(match &secret.source {
        SecretSource::File(path) => {
            // Checked again: since the description was read, a container may have put a symlink
            // there.
            let checked = ctx.policy.read_path(path, &|path| resolve(&*ctx.host, path))?;
            let bytes = ctx.host.read(&checked).map_err(|error| {
                Failure::usage(format!(
                    "Could not read the secret \"{name}\" from \"{}\": {}",
                    path.display(),
                    error.why_unread(path)
                ))
                .hint("create the file, or change the secret's `file`")
            })?;
            String::from_utf8(bytes.to_vec()).map_err(|_| {
                Failure::usage(format!(
                    "The secret \"{name}\" is not text: \"{}\" is not UTF-8",
                    path.display()
                ))
            })?
        }
        SecretSource::Environment(variable) => {
            ctx.project.environment.get(variable).cloned().ok_or_else(|| {
                Failure::usage(format!(
                    "The secret \"{name}\" has no value: the variable \"{variable}\" is not set"
                ))
                .hint(format!("set {variable} in .env or in the environment"))
            })?
        }
    })
}

/// Everything that would be delivered to a service: its secret files, and exposed secrets in its
/// environment.
pub(super) fn values_of(
    ctx: &VerbContext,
    project: &Project,
    service: &Service,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut values = BTreeMap::new();
    for mount in &service.secrets {
        values.insert(
            mount.source.clone(),
            value(ctx, &mount.source, &project.secrets[&mount.source])?,
        );
    }
    for (key, text) in &service.environment {
        if !ctx.secrets.named_in(text).is_empty() {
            values.insert(format!("environment {key}"), ctx.secrets.reveal(text));
        }
    }
    Ok(values)
}

/// Service → `<key id>:<fingerprint>`, for services with secrets.
pub fn fingerprints<'a>(
    ctx: &VerbContext,
    records: &Records<'_>,
    project: &Project,
    services: impl Iterator<Item = &'a Service>,
) -> Result<BTreeMap<String, String>, Failure> {
    let mut fingerprints = BTreeMap::new();
    for service in services {
        let values = values_of(ctx, project, service)?;
        if !values.is_empty() {
            let fingerprint = records.fingerprint(&values).map_err(|error| {
                Failure::new(
                    Kind::Failed,
                    format!("The secrets of \"{}\" can't be fingerprinted: {error}", service.name),
                )
            })?;
            fingerprints.insert(service.name.clone(), fingerprint);
        }
    }
    Ok(fingerprints)
}

/// Writes a service's secret files into a container that was never started.
pub async fn deliver(
    ctx: &VerbContext,
    project: &Project,
    service: &Service,
    container: &str,
) -> Result<(), Failure> {
    let mut files = Vec::new();
    for mount in &service.secrets {
        let value = value(ctx, &mount.source, &project.secrets[&mount.source])?;
        files.push((mount, value.into_bytes()));
    }
    upload(ctx, service, container, "secret", &files).await
}

/// Writes a service's config files into a container that was never started.
pub async fn deliver_configs(
    ctx: &VerbContext,
    project: &Project,
    service: &Service,
    container: &str,
) -> Result<(), Failure> {
    let files: Vec<_> = service
        .configs
        .iter()
        .map(|mount| (mount, project.configs[&mount.source].content.clone()))
        .collect();
    upload(ctx, service, container, "config", &files).await
}

/// `kind`: secret or config.
async fn upload(
    ctx: &VerbContext,
    service: &Service,
    container: &str,
    kind: &str,
    files: &[(&FileMount, Vec<u8>)],
) -> Result<(), Failure> {
    let mut root = Vec::new();
    // A read-only root accepts no upload, so its secrets are in a volume of the container.
    let base = if service.read_only { SECRETS_FOLDER } else { "/" };
    for (mount, value) in files {
        let place = mount.place();
        let path = Path::new(&place)
            .strip_prefix(base)
            .ok()
            .filter(|path| !path.as_os_str().is_empty())
            .ok_or_else(|| {
                Failure::usage(format!(
                    "The {kind} \"{}\" of the read-only service \"{}\" can't be at \"{}\"",
                    mount.source, service.name, mount.target
                ))
                .hint(format!("a read-only service has its {kind}s below {SECRETS_FOLDER}"))
            })?;
        root.push((path.to_string_lossy().into_owned(), *mount, value));
    }
    let archive = archive(&root).map_err(|error| {
        Failure::new(
            Kind::Failed,
            format!("The {kind}s of \"{}\" could not be packed: {error}", service.name),
        )
    })?;
    ctx.engine
        .container_upload(container, base, archive)
        .await
        .map_err(|error| of_engine(error, &format!("deliver the {kind}s of \"{}\"", service.name)))
}

type File<'a> = (String, &'a FileMount, &'a Vec<u8>);

fn archive(files: &[File<'_>]) -> std::io::Result<Bytes> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, mount, value) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(value.len() as u64);
        header.set_mode(mount.mode);
        header.set_uid(mount.uid.into());
        header.set_gid(mount.gid.into());
        header.set_mtime(0);
        tar.append_data(&mut header, path, value.as_slice())?;
    }
    Ok(tar.into_inner()?.into())
}
