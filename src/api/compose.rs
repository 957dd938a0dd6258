//! `compose`: a compose file as a stack.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Map, NativeCallContext};

use super::compose_files::{default_files, found, missing, warn};
use super::context::Context;
use super::profiles::{PROFILES, listed, of_profiles_variable};
use super::stack::Stack;
use super::{Raw, describe, paths};
use crate::compose::ComposeFile;
use crate::compose::faults::{self, Faults};
use crate::compose::file::source;
use crate::compose::note::Note;
use crate::compose::redact::redacted;
use crate::host::HostErrorKind;
use crate::host::resolve::shown;
use crate::model::Failure;
use crate::model::diagnostic::Source;
use crate::model::names::{check_project, normalise_project};
use crate::value::Options;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

/// The options of `compose`: profiles and the project's name.
pub(super) fn options_of(given: Map) -> Result<(Option<Vec<String>>, Option<String>), Failure> {
    let mut options = Options::new(given, "options of compose");
    let profiles = options.list_of_text("profiles")?;
    let project = options.text("project")?;
    if let Some(wrong) = project.as_ref().and_then(|name| check_project(name).err()) {
        let placed = options.wrong("project", wrong.message);
        return Err(Failure { hint: wrong.hint, ..placed });
    }
    options.finish()?;
    Ok((profiles, project))
}

/// The stack of the compose file at `path`, relative to the project directory.
fn described(context: &Arc<Context>, path: &str, options: Map) -> Result<Stack, Failure> {
    let (profiles, project) = options_of(options)?;
    let (file, folder) = read(context, path)?;
    of_file(context, file, &folder, profiles, project, ValidationDepth::Written)
        .map_err(Faults::into_failure)
}

/// How much of a description is validated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ValidationDepth {
    /// Only the description. Missing files are reported when something is created.
    Written,
    /// The description, and the files and folders that its active services need.
    Startable,
}

fn of_file(
    context: &Arc<Context>,
    file: ComposeFile,
    folder: &Path,
    profiles: Option<Vec<String>>,
    project: Option<String>,
    depth: ValidationDepth,
) -> Result<Stack, Faults> {
    if let Ok(Some(name)) = file.project_name() {
        context.script.options.add_own_name(&name);
    }
    let name = match context.project.name.clone().or(project) {
        Some(name) => name,
        None => match file.project_name().map_err(Faults::one)? {
            Some(name) => name,
            None => of_folder(folder).map_err(Faults::one)?,
        },
    };
    let of_variable = profiles.is_none();
    let profiles = profiles.unwrap_or_else(|| listed(context, PROFILES));
    let project = faults::read(&file, &file.description(profiles), &|description, scope| {
        let project = describe::project(context, &name, description, folder, scope)
            .map_err(|failure| if of_variable { of_profiles_variable(failure) } else { failure })?;
        if depth == ValidationDepth::Startable {
            describe::check_possible(context, &project)?;
        }
        Ok(project)
    })?;
    Ok(Stack { file: Some(Arc::new(file)), ..Stack::of(context, name, project) })
}

/// The mistakes and notes about a compose file, for `spc check`.
pub struct ComposeFileCheck {
    pub source: Arc<Source>,
    pub notes: Vec<Note>,
    pub faults: Option<Faults>,
}

/// Reads a compose file of the project as [`functions::compose_of`] does; `None` if it can't be
/// opened.
pub fn check(context: &Arc<Context>, path: &str) -> Option<ComposeFileCheck> {
    let checked = paths::to_read(context, path).ok()?;
    let content = context.host.read(&checked).ok()?;
    let source = Arc::new(source(&shown(&*context.host, checked.as_path()), &content));
    let file = match ComposeFile::read(source.clone(), &content, &|name| {
        context.variable(name).map(str::to_owned)
    }) {
        Ok(file) => file,
        Err(failure) => {
            return Some(ComposeFileCheck {
                source,
                notes: Vec::new(),
                faults: Some(Faults::one(failure)),
            });
        }
    };
    let notes = file.notes.clone();
    let folder = checked.as_path().parent().unwrap_or(Path::new("/"));
    let faults = of_file(context, file, folder, None, None, ValidationDepth::Startable).err();
    Some(ComposeFileCheck { source, notes, faults })
}

/// The name of the current project if no runbook describes it: a configured name, the name in the
/// compose file, or the name of the project directory.
pub fn project_at_hand(context: &Context) -> Result<String, Failure> {
    let of_file = || {
        let [path] = &default_files(context)[..] else { return None };
        let checked = paths::to_read(context, path).ok()?;
        let content = context.host.read(&checked).ok()?;
        let source = Arc::new(source(&shown(&*context.host, checked.as_path()), &content));
        let file =
            ComposeFile::read(source, &content, &|name| context.variable(name).map(str::to_owned))
                .ok()?;
        file.project_name().ok()?
    };
    match context.project.name.is_none().then(of_file).flatten() {
        Some(name) => Ok(name),
        None => super::project::name(context),
    }
}

/// Reads a compose file and reports its notes. Returns the file and its folder.
fn read(context: &Context, path: &str) -> Result<(ComposeFile, PathBuf), Failure> {
    let checked = paths::to_read(context, path)?;
    let content = context.host.read_source(&checked).map_err(|error| match error.kind {
        HostErrorKind::NotFound => missing(context, path),
        _ => error.into(),
    })?;
    let source = Arc::new(source(&shown(&*context.host, checked.as_path()), &content));
    context
        .script
        .keep_text(Arc::new(Source { name: source.name.clone(), text: redacted(&source.text) }));
    let file = ComposeFile::read(source.clone(), &content, &|name| {
        context.variable(name).map(str::to_owned)
    })?;
    for note in &file.notes {
        warn(context, format!("{}:{}: {}", file.name(), note.line, note.text));
    }
    let folder = checked.as_path().parent().unwrap_or(Path::new("/"));
    Ok((file, folder.to_path_buf()))
}

/// The project name that is derived from the file's folder.
fn of_folder(folder: &Path) -> Result<String, Failure> {
    let folder =
        folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = normalise_project(&folder);
    if name.is_empty() {
        return Err(Failure::usage(format!(
            "The folder \"{folder}\" has no name that a project can have"
        ))
        .hint("set `name` in the compose file, or use --project"));
    }
    Ok(name)
}

/// The functions of a script.
#[export_module]
mod functions {
    use super::*;

    /// The stack of the project's compose file: that of `COMPOSE_FILE`, else the first of
    /// `compose.yaml`, `compose.yml`, `docker-compose.yml` and `docker-compose.yaml` in the project
    /// directory. Does nothing with the stack. Several files in `COMPOSE_FILE`, separated by
    /// `COMPOSE_PATH_SEPARATOR` or a colon, are rejected.
    ///
    /// Throws `not_found` if there is no such file, and everything that `compose(path)` throws.
    ///
    /// ```rhai
    /// fs::write("compose.yaml", "services: { cache: { image: redis:7-alpine } }");
    /// assert_eq(compose().name, "project");
    /// ```
    #[rhai_fn(name = "compose", return_raw)]
    pub fn compose_found(context: NativeCallContext) -> Raw<Stack> {
        let context = Context::of(&context)?;
        Ok(described(&context, &found(&context)?, Map::new())?)
    }

    /// The stack of a compose file, as `stack("name", #{ … })` would return it. Does nothing with
    /// the stack.
    ///
    /// The path is relative to the project directory, the paths in the file are relative to the
    /// file's folder. Variables come from the process environment and from the project's `.env`.
    /// One that is not set and has no default is empty, with a warning. The active profiles are
    /// those of `COMPOSE_PROFILES`. The project's name is that of `--project` or
    /// `COMPOSE_PROJECT_NAME`, else `name:` in the file, else that of the file's folder.
    ///
    /// Throws `not_found` if there is no such file, and `policy` if it may not be read. Throws
    /// `usage`, with line and column in the file, if it is not YAML, for an unknown key, for a key
    /// of Compose that is not supported yet, for a wrong value, and for a required variable that is
    /// not set.
    ///
    /// ```rhai
    /// fs::write("docker-compose.yml", "name: shop\nservices:\n  cache:\n    image: redis:${REDIS:-7}-alpine\n");
    /// let shop = compose("docker-compose.yml");
    /// assert_eq(shop.name, "shop");
    /// ```
    #[rhai_fn(name = "compose", return_raw)]
    pub fn compose_of(context: NativeCallContext, path: &str) -> Raw<Stack> {
        Ok(described(&Context::of(&context)?, path, Map::new())?)
    }

    /// The same, with `profiles` (the active ones, instead of those in `COMPOSE_PROFILES`) and
    /// `project` (the name, instead of the file's own).
    ///
    /// ```rhai
    /// fs::write("compose.yaml", "services:\n  cache:\n    image: redis:7-alpine\n    profiles: [production]\n");
    /// let shop = compose("compose.yaml", #{ profiles: ["production"], project: "shop" });
    /// assert_eq(shop.name, "shop");
    /// ```
    #[rhai_fn(name = "compose", return_raw)]
    pub fn compose_with(context: NativeCallContext, path: &str, options: Map) -> Raw<Stack> {
        Ok(described(&Context::of(&context)?, path, options)?)
    }

    /// The stack of the project's compose file, with the options of `compose(path, options)`.
    ///
    /// ```rhai
    /// fs::write("compose.yaml", "services: { cache: { image: redis:7-alpine } }");
    /// assert_eq(compose(#{ project: "shop" }).name, "shop");
    /// ```
    #[rhai_fn(name = "compose", return_raw)]
    pub fn compose_found_with(context: NativeCallContext, options: Map) -> Raw<Stack> {
        let context = Context::of(&context)?;
        Ok(described(&context, &found(&context)?, options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use super::*;

    const FILE: &str = "\
services:
  web:
    image: x
    env_file: a.env
    volumes: [./src:/app]
  proxy: {image: x, profiles: [production]}
";

    fn trial(variables: &'static [(&'static str, &'static str)]) -> Harness {
        let given = |host: crate::host::sim::SimHost| {
            host.with_file("/project/app/compose.yaml", FILE)
                .with_file("/project/app/a.env", "A=of the file\n")
        };
        Harness::with(given, "", |run| {
            run.project.environment = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
        })
    }

    fn stack(trial: &Harness, options: Map) -> Stack {
        described(&trial.context, "app/compose.yaml", options)
            .unwrap_or_else(|failure| panic!("{failure}"))
    }

    #[test]
    fn paths_are_below_the_folder_of_the_file() {
        let stack = stack(&trial(&[]), Map::new());
        let web = &stack.described().unwrap().services["web"];
        assert_eq!(web.environment["A"], "of the file");
        assert_eq!(web.writable_binds().collect::<Vec<_>>(), [Path::new("/project/app/src")]);
        assert_eq!(stack.name, "app");
    }

    #[test]
    fn an_env_file_knows_what_earlier_ones_of_its_service_set() {
        let with = |host: crate::host::sim::SimHost| {
            host.with_file("/project/compose.yaml", "services: {a: {image: x, env_file: [1.env, 2.env]}, b: {image: x, env_file: 2.env}}")
                .with_file("/project/1.env", "ONE=1\nOURS=file\n")
                .with_file("/project/2.env", "T=${ONE}${OURS}\n")
        };
        let trial = Harness::with(with, "", |run| {
            run.project.environment = [("OURS".to_owned(), "project".to_owned())].into()
        });
        let stack = described(&trial.context, "compose.yaml", Map::new()).unwrap();
        let services = &stack.described().unwrap().services;
        assert_eq!(
            (services["a"].environment["T"].as_str(), services["b"].environment["T"].as_str()),
            ("1project", "project")
        );
    }

    #[test]
    fn profiles_are_those_of_the_option_or_of_the_variable() {
        let active = |trial: &Harness, options: Map| {
            let stack = stack(trial, options);
            stack
                .described()
                .unwrap()
                .select(None)
                .unwrap()
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ")
        };
        let option = |profiles: Dynamic| Map::from([("profiles".into(), profiles)]);
        let (plain, set) = (trial(&[]), trial(&[("COMPOSE_PROFILES", " production, ")]));
        assert_eq!(active(&plain, Map::new()), "web");
        assert_eq!(active(&plain, option("production".into())), "proxy web");
        assert_eq!(active(&set, Map::new()), "proxy web");
        assert_eq!(active(&set, option(rhai::Array::new().into())), "web");
    }

    #[test]
    fn a_map_that_does_not_say_which_profiles_are_active_has_those_of_the_variable() {
        let with = |map: &str, variable: &'static str| {
            let map: Map = rhai::Engine::new().eval(map).unwrap();
            let trial = trial(Vec::leak(vec![(PROFILES, variable)]));
            let stack = Stack::describe(&trial.context, Some("shop"), &map)?;
            Ok::<_, Failure>(
                stack
                    .described()
                    .unwrap()
                    .select(None)
                    .unwrap()
                    .into_iter()
                    .collect::<Vec<_>>()
                    .join(" "),
            )
        };
        let services =
            "services: #{ web: #{ image: `x` }, proxy: #{ image: `x`, profiles: [`production`] } }";
        assert_eq!(with(&format!("#{{ {services} }}"), "production").unwrap(), "proxy web");
        assert_eq!(with(&format!("#{{ {services} }}"), "").unwrap(), "web");
        assert_eq!(with(&format!("#{{ {services}, profiles: [] }}"), "production").unwrap(), "web");
        let failure = with(&format!("#{{ {services} }}"), "prod").unwrap_err();
        assert_eq!(
            failure.message,
            "No service has the profile \"prod\", which COMPOSE_PROFILES names"
        );
        // This is not meant for a stack without profiles.
        assert_eq!(with("#{ services: #{ web: #{ image: `x` } } }", "prod").unwrap(), "web");
    }

    #[test]
    fn null_means_the_same_in_a_file_and_in_a_map() {
        for (yaml, map) in [
            (
                "services: {a: {image: x, networks: {back: }}}\nnetworks: {back: }",
                "services: #{a: #{image: `x`, networks: #{back: ()}}}, networks: #{back: ()}",
            ),
            (
                "services: {a: {image: x, volumes: [d:/d]}}\nvolumes: {d: }",
                "services: #{a: #{image: `x`, volumes: [`d:/d`]}}, volumes: #{d: ()}",
            ),
            (
                "services: {a: {image: x, environment: {SET: , UNSET: }}}",
                "services: #{a: #{image: `x`, environment: #{SET: (), UNSET: ()}}}",
            ),
            (
                "services: {a: {image: x, labels: {one: }}}",
                "services: #{a: #{image: `x`, labels: #{one: ()}}}",
            ),
            (
                "services: {a: {build: {context: ., args: {SET: , UNSET: }}}}",
                "services: #{a: #{build: #{context: `.`, args: #{SET: (), UNSET: ()}}}}",
            ),
            (
                "services: {a: {image: x, depends_on: {b: }}, b: {image: x}}",
                "services: #{a: #{image: `x`, depends_on: #{b: ()}}, b: #{image: `x`}}",
            ),
            (
                "services: {a: {image: x, ports: , command: , healthcheck: , deploy: , logging: }}",
                "services: #{a: #{image: `x`, ports: (), command: (), healthcheck: (), deploy: (), logging: ()}}",
            ),
            ("services: {a: }", "services: #{a: ()}"),
            ("services: {a: {image: }}", "services: #{a: #{image: ()}}"),
            ("services: {a: {image: x, porst: }}", "services: #{a: #{image: `x`, porst: ()}}"),
            (
                "services: {a: {image: x, extra_hosts: {h: }}}",
                "services: #{a: #{image: `x`, extra_hosts: #{h: ()}}}",
            ),
            (
                "services: {a: {image: x, secrets: [k]}}\nsecrets: {k: }",
                "services: #{a: #{image: `x`, secrets: [`k`]}}, secrets: #{k: ()}",
            ),
            ("services: ", "services: ()"),
        ] {
            let with =
                |host: crate::host::sim::SimHost| host.with_file("/project/compose.yaml", yaml);
            let trial = Harness::with(with, "", |run| {
                run.project.environment = [("SET".to_owned(), "1".to_owned())].into()
            });
            let read = |stack: Result<Stack, Failure>| match stack {
                Ok(stack) => Ok(stack.described().unwrap().clone()),
                Err(failure) => Err(failure.message),
            };
            let map: Map = rhai::Engine::new().eval(&format!("#{{{map}}}")).unwrap();
            let of_file = read(described(
                &trial.context,
                "compose.yaml",
                Map::from([("project".into(), "p".into())]),
            ));
            assert_eq!(read(Stack::describe(&trial.context, Some("p"), &map)), of_file, "{yaml}");
        }
    }

    #[test]
    fn a_name_that_can_not_be_one_is_refused() {
        let failure = trial(&[]).fails(r#"compose("app/compose.yaml", #{ project: "My Shop" })"#);
        assert_eq!(failure.hint.unwrap(), "\"myshop\" would be one");
        assert_eq!(failure.path.unwrap().keys, ["project"]);
        let trial =
            Harness::on(|host| host.with_file("/project/가게/compose.yaml", "services: {}"));
        let failure = trial.fails(r#"compose("가게/compose.yaml")"#);
        assert_eq!(failure.message, "The folder \"가게\" has no name that a project can have");
    }
}
