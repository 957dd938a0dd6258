//! A description read: into the typed project, held to what `spc.toml` allows.

use std::collections::BTreeMap;
use std::sync::Arc;

use rhai::Map;

use super::context::Context;
use super::project;
use super::secret::{self, Source};
use super::stack::Stack;
use crate::compose::dotenv;
use crate::host::HostErrorKind;
use crate::host::resolve::resolve;
use crate::model::spec::{EnvFile, MountSource, Project, ReadOptions, SecretSource};
use crate::model::{Failure, Kind};
use crate::value::json::map_to_json;

impl Stack {
    /// Reads a description; nothing is done with it.
    pub(super) fn describe(context: &Arc<Context>, name: Option<&str>, description: &Map) -> Result<Self, Failure> {
        let json = map_to_json(description)?;
        let own_name = json.get("name").and_then(|name| name.as_str()).map(str::to_owned);
        let name = match (&context.project.name, name.map(str::to_owned).or(own_name)) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => name,
            (None, None) => project::name(context)?,
        };
        let lookup = |variable: &str| context.variable(variable).map(str::to_owned);
        let options = ReadOptions { directory: &context.project.directory, lookup: &lookup };
        let mut project = Project::read(&name, &json, &options)?;
        check_policy(context, &project)?;
        project.add_env_files(&|file| read_env_file(context, file))?;
        for (name, secret) in &project.secrets {
            let source = match &secret.source {
                SecretSource::File(path) => Source::File(path.clone()),
                SecretSource::Environment(variable) => Source::Variable(variable.clone()),
            };
            context.declared_secrets.declare(name, source);
            // Masked from here on, wherever it comes from; that it has no value yet is told when it is needed.
            let _ = secret::find(context, name);
        }
        context.set_described_project(&name);
        Ok(Self { context: context.clone(), name, project: Some(Arc::new(project)) })
    }
}

/// What a description asks for and `spc.toml` has to allow: checked before anything is done with it.
fn check_policy(context: &Context, project: &Project) -> Result<(), Failure> {
    let resolve = |path: &std::path::Path| resolve(&*context.host, path);
    for service in project.services.values() {
        for mount in &service.volumes {
            if let MountSource::Bind { path, .. } = &mount.source {
                context
                    .policy
                    .bind_mount(path, &resolve)
                    .map_err(|refusal| Failure::from(refusal).field("service", service.name.clone()))?;
            }
        }
        for (key, value) in &service.environment {
            if let Some(name) = context.secrets.unexposed_in(value) {
                return Err(Failure::usage(format!(
                    "The secret \"{name}\" would stand in the environment of \"{}\" as {key}",
                    service.name
                ))
                .hint(format!(
                    "deliver it as a file with `secrets: [\"{name}\"]`; if it must be there, write expose(secret(\"{name}\"))"
                )));
            }
        }
        if let Some(build) = &service.build {
            context.policy.read_path(&build.context, &resolve)?;
        }
    }
    for volume in project.volumes.values() {
        context.policy.volume_options(volume.driver.as_deref(), &volume.driver_opts, &resolve)?;
    }
    for secret in project.secrets.values() {
        if let SecretSource::File(path) = &secret.source {
            context.policy.read_path(path, &resolve)?;
        }
    }
    Ok(())
}

fn read_env_file(context: &Context, file: &EnvFile) -> Result<Option<BTreeMap<String, String>>, Failure> {
    let path = context.policy.read_path(&file.path, &|path| resolve(&*context.host, path))?;
    let bytes = match context.host.read(path.as_path()) {
        Ok(bytes) => bytes,
        Err(error) if error.kind == HostErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::new(Kind::Failed, format!("An env_file could not be read: {error}"))),
    };
    let lookup = |name: &str| context.variable(name).map(str::to_owned);
    let parsed = dotenv::parse(&bytes, &lookup).map_err(|error| {
        Failure::usage(format!("{}:{}:{}: {}", file.path.display(), error.line, error.column, error.message)).hint(error.hint)
    })?;
    Ok(Some(parsed.variables.into_iter().map(|(name, variable)| (name, variable.value)).collect()))
}
