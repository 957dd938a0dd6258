//! Parses a description into the typed project, and checks it against `spc.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rhai::Map;
use serde_json::Value;

use super::context::Context;
use super::profiles::{of_profiles_variable, profiles_of_variable};
use super::project as at_hand;
use super::secret::{self, Source};
use super::stack::Stack;
use crate::apply::bind_sources;
use crate::compose::dotenv;
use crate::compose::faults::{self, ComparisonScope};
use crate::host::HostErrorKind;
use crate::host::resolve::{resolve, shown};
use crate::model::Failure;
use crate::model::event::{Event, Level};
use crate::model::failure::SpecPath;
use crate::model::spec::{
    Config, ConfigSource, EnvFile, MountSource, Project, ReadOptions, SecretSource,
};
use crate::policy::Refusal;
use crate::value::json::description_to_json;

impl Stack {
    /// Parses a description in a script. Does nothing with it.
    pub(super) fn describe(
        context: &Arc<Context>,
        name: Option<&str>,
        description: &Map,
    ) -> Result<Self, Failure> {
        let mut json = description_to_json(description)?;
        secret::none_in(name.unwrap_or_default(), "the name of a stack")?;
        let own_name = json
            .get("name")
            .and_then(|name| name.as_str())
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
        let own_name = name.map(str::to_owned).or(own_name);
        if let Some(name) = &own_name {
            context.script.options.add_own_name(name);
        }
        let name = match (&context.project.name, own_name) {
            (Some(name), _) => name.clone(),
            (None, Some(name)) => name,
            (None, None) => at_hand::name(context)?,
        };
        let of_variable = has_unchosen_profiles(&json);
        if of_variable {
            json["profiles"] = profiles_of_variable(context).into();
        }
        let project = faults::read_map(&json, &|description, scope| {
            project(context, &name, description, &context.project.directory, scope).map_err(
                |failure| if of_variable { of_profiles_variable(failure) } else { failure },
            )
        })?;
        Ok(Self::of(context, name, project))
    }

    /// The stack of a parsed project.
    pub(super) fn of(context: &Arc<Context>, name: String, project: Project) -> Self {
        for (name, secret) in &project.secrets {
            let source = match &secret.source {
                SecretSource::File(path) => Source::File(path.clone()),
                SecretSource::Environment(variable) => Source::Variable(variable.clone()),
            };
            context.script.declared_secrets.declare(name, source);
            // Masked from here on, wherever it comes from. A missing value is reported when it is
            // needed.
            let _ = secret::find(context, name);
        }
        if let Some(awaiting) = &context.awaiting {
            awaiting.describes(&project);
        }
        let networks = project
            .networks
            .values()
            .filter(|network| network.external)
            .map(|network| network.name.clone());
        let volumes = project
            .volumes
            .values()
            .filter(|volume| volume.external)
            .map(|volume| volume.name.clone());
        context.script.add_externals(networks.chain(volumes));
        let project = Arc::new(project);
        context.script.add_described(&project);
        Self { context: context.clone(), name, project: Some(project), file: None }
    }
}

/// Whether services have profiles, and the description does not say which are active.
fn has_unchosen_profiles(description: &Value) -> bool {
    let mut services =
        description["services"].as_object().into_iter().flat_map(|services| services.values());
    description.get("profiles").is_none()
        && services
            .any(|service| service.get("profiles").is_some_and(|profiles| !profiles.is_null()))
}

/// Parses a description from any source. Its relative paths are below `directory`.
pub(super) fn project(
    context: &Context,
    name: &str,
    description: &Value,
    directory: &Path,
    scope: ComparisonScope,
) -> Result<Project, Failure> {
    let lookup = |variable: &str| context.variable(variable).map(str::to_owned);
    let options = ReadOptions { directory, lookup: &lookup };
    let mut project = match scope {
        ComparisonScope::Whole => Project::read(name, description, &options)?,
        ComparisonScope::Parts => Project::read_parts(name, description, &options)?,
    };
    check_policy(context, &project)?;
    project.volumes.iter().try_for_each(|(key, volume)| volume.check_mount(key))?;
    project.add_env_files(&|file, earlier| read_env_file(context, file, earlier))?;
    project.add_configs(&|name, config| read_config(context, name, config))?;
    Ok(project)
}

/// For `spc check`: rejects what `up` of the active services would reject, and options of a volume
/// that need another one.
pub fn check_possible(context: &Context, project: &Project) -> Result<(), Failure> {
    project.volumes.iter().try_for_each(|(key, volume)| volume.check_mount(key))?;
    let active = project.services.values().filter(|service| project.is_active(service));
    check_startable(context, project, &active.map(|service| service.name.clone()).collect())
}

/// Rejects what prevents `services` from being brought up, as far as the project directory shows
/// it: content that can't be read, and mounts below a file.
pub(super) fn check_startable(
    context: &Context,
    project: &Project,
    services: &BTreeSet<String>,
) -> Result<(), Failure> {
    project.check_read(services)?;
    bind_sources::check_in(
        &*context.host,
        &context.project.directory,
        services.iter().map(|name| &project.services[name]),
    )
}

/// Checks the parts of a description that need permission in `spc.toml`, before anything is done
/// with it.
pub(super) fn check_policy(context: &Context, project: &Project) -> Result<(), Failure> {
    let resolve = |path: &Path| resolve(&*context.host, path);
    for (name, service) in &project.services {
        for (index, mount) in service.volumes.iter().enumerate() {
            if let MountSource::Bind { path, .. } = &mount.source {
                context.policy.bind_mount(path, &resolve).map_err(|refusal| {
                    refused(refusal, &["services", name, "volumes", &index.to_string()])
                        .field("service", name.clone())
                })?;
            }
        }
        if let Some(build) = &service.build {
            let of_build = |refusal, key: &str| refused(refusal, &["services", name, "build", key]);
            context
                .policy
                .read_path(&build.context, &resolve)
                .map_err(|refusal| of_build(refusal, "context"))?;
            let network = build.network.as_deref().unwrap_or_default();
            context
                .policy
                .namespace("network", network)
                .map_err(|refusal| of_build(refusal, "network"))?;
        }
        let driver = service
            .logging
            .as_ref()
            .and_then(|logging| logging.driver.as_deref())
            .unwrap_or_default();
        context
            .policy
            .log_driver(driver)
            .map_err(|refusal| refused(refusal, &["services", name, "logging"]))?;
    }
    for (name, network) in &project.networks {
        let driver = network.driver.as_deref().unwrap_or_default();
        let allowed = context
            .policy
            .namespace("network", &network.name)
            .and_then(|()| context.policy.network(driver, &network.driver_opts));
        allowed.map_err(|refusal| refused(refusal, &["networks", name]))?;
    }
    for (name, volume) in &project.volumes {
        let allowed =
            context.policy.volume_options(volume.driver.as_deref(), &volume.driver_opts, &resolve);
        allowed.map_err(|refusal| refused(refusal, &["volumes", name]))?;
    }
    for (name, secret) in &project.secrets {
        if let SecretSource::File(path) = &secret.source {
            context
                .policy
                .read_path(path, &resolve)
                .map_err(|refusal| refused(refusal, &["secrets", name, "file"]))?;
        }
    }
    for (name, config) in &project.configs {
        if let ConfigSource::File(path) = &config.source {
            context
                .policy
                .read_path(path, &resolve)
                .map_err(|refusal| refused(refusal, &["configs", name, "file"]))?;
        }
    }
    Ok(())
}

/// A policy failure about the value at `path` of the description.
fn refused(refusal: Refusal, path: &[&str]) -> Failure {
    Failure::from(refusal)
        .at(SpecPath { keys: path.iter().map(|&key| key.to_owned()).collect(), on_key: false })
}

/// The content of a config.
fn read_config(context: &Context, name: &str, config: &Config) -> Result<Vec<u8>, Failure> {
    match &config.source {
        ConfigSource::File(path) => {
            let checked = context.policy.read_path(path, &|path| resolve(&*context.host, path))?;
            let content = context.host.read(&checked).map_err(|error| {
                Failure::usage(format!(
                    "Could not read the config \"{name}\" from \"{}\": {}",
                    path.display(),
                    error.why_unread(path)
                ))
                .hint("create the file, or change the config's `file`")
            })?;
            Ok(content.to_vec())
        }
        ConfigSource::Content(text) => Ok(text.clone().into_bytes()),
        ConfigSource::Environment(variable) => {
            context.variable(variable).map(|text| text.as_bytes().to_vec()).ok_or_else(|| {
                Failure::usage(format!(
                    "The config \"{name}\" has no content: the variable \"{variable}\" is not set"
                ))
                .hint(format!("set {variable} in .env or in the environment"))
            })
        }
    }
}

fn read_env_file(
    context: &Context,
    file: &EnvFile,
    earlier: &BTreeMap<String, String>,
) -> Result<Option<BTreeMap<String, String>>, Failure> {
    let path = context.policy.read_path(&file.path, &|path| resolve(&*context.host, path))?;
    let bytes = match context.host.read_source(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind == HostErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::usage(format!(
                "Could not read the env_file \"{}\": {}",
                file.path.display(),
                error.why_unread(&file.path)
            )));
        }
    };
    // As in Compose, variables of the project override those of an earlier file of the service.
    let lookup = |name: &str| {
        context.variable(name).map(str::to_owned).or_else(|| earlier.get(name).cloned())
    };
    let parsed = dotenv::parse(&bytes, &lookup).map_err(|error| {
        Failure::usage(format!(
            "{}:{}:{}: {}",
            file.path.display(),
            error.line,
            error.column,
            error.message
        ))
        .hint(error.hint)
    })?;
    for (line, text) in parsed.remarks() {
        let text = format!("{}:{line}: {text}", shown(&*context.host, &file.path));
        context.events.event(&Event::Log { level: Level::Warning, text });
    }
    for name in parsed.variables.keys() {
        // The whole environment is passed on, so every variable counts as used.
        let _ = context.variable(name);
    }
    Ok(Some(parsed.variables.into_iter().map(|(name, variable)| (name, variable.value)).collect()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::harness::Harness;
    use crate::engine::sim::{ImageSpec, SimEngine};
    use crate::host::sim::executor::SimTaskExecutor;

    #[test]
    fn only_who_creates_containers_needs_the_files_of_their_services() {
        let file = "services:\n  web:\n    image: x\n    env_file: [web.env]\n    configs: [site]\n  debug:\n    image: x\n    profiles: \
                    [dev]\n    env_file: [debug.env]\n    configs: [other]\n    volumes: [./web.env/below:/a]\nconfigs:\n  site: {file: \
                    ./site}\n  other: {environment: NONE}\n";
        let sim = SimTaskExecutor::new(1);
        let engine =
            SimEngine::builder(sim.clone()).image("x", ImageSpec::command(&["run"])).build();
        let host = |host: crate::host::sim::SimHost| {
            host.with_file("/project/compose.yaml", file)
                .with_file("/project/web.env", "A=1\n")
                .with_file("/project/site", "a")
        };
        let trial = Harness::on_engine(&sim, Arc::new(engine), host, "");
        assert_eq!(trial.text("compose().up().changed"), "true");
        for (missing, content, message, at) in [
            (
                "web.env",
                "A=1\\n",
                "The env_file \"/project/web.env\" of the service \"web\" is missing",
                "compose.yaml:4:5",
            ),
            ("site", "a", "Could not read the config \"site\" from ", "compose.yaml:13:3"),
        ] {
            let of_nothing = "let shop = compose(); shop.stop(); shop.start(); shop.restart(); shop.logs(); shop.ps().len()";
            assert_eq!(trial.text(&format!("fs::remove(\"{missing}\"); {of_nothing}")), "1");
            for call in [
                "up()",
                "up([\"web\"])",
                "service(\"web\").run([\"a\"])",
                "service(\"web\").scale(2)",
            ] {
                let said = trial.text(&format!(
                    "let e = attempt(|| compose().{call}).error; `${{e.message}} ${{e.at.file}}:${{e.at.line}}:${{e.at.column}}`"
                ));
                assert!(said.contains(message) && said.ends_with(at), "{call}: {said}");
            }
            trial.text(&format!("fs::write(\"{missing}\", \"{content}\")"));
        }
        let missing = "The env_file \"/project/debug.env\" of the service \"debug\" is missing";
        assert_eq!(trial.text("attempt(|| compose().up([\"debug\"])).error.message"), missing);
        assert_eq!(
            trial.text("attempt(|| compose(#{ profiles: [\"dev\"] }).up()).error.message"),
            missing
        );
        trial.text("fs::write(\"debug.env\", \"\")");
        let e = "let e = attempt(|| compose().up([\"debug\"])).error; `${e.message}; ${e.details}`";
        assert_eq!(
            trial.text(e),
            "The config \"other\" has no content: the variable \"NONE\" is not set; "
        );
        assert_eq!(trial.text("fs::remove(\"web.env\"); compose().down().changed"), "true");
    }
}
