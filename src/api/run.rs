//! `run`: a one-off container.

use std::time::Duration;

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::Raw;
use super::assume_option;
use super::context::Context;
use super::exec;
use super::project::{self, finish, verb_context};
use super::secret;
use super::service::Service;
use crate::apply::exec::ExecResult;
use crate::apply::one_off::{OneOffSpec, run as run_one_off};
use crate::model::{Failure, Kind};
use crate::value::{Options, Record};

pub(super) struct OneOffOptions {
    environment: Vec<String>,
    user: Option<String>,
    working_dir: Option<String>,
    check: bool,
    no_deps: bool,
    timeout: Option<Duration>,
    assumed: Option<ExecResult>,
}

/// Reads the options of `run`. `no_deps` is only for a container of a service, because a container
/// of an image has no dependencies.
pub(super) fn options(
    context: &Context,
    given: Map,
    is_of_service: bool,
) -> Result<OneOffOptions, Failure> {
    let mut options = Options::new(given, "options of run");
    let environment = options.map_of_text("environment")?.unwrap_or_default();
    let environment = secret::variables(context, environment, "the environment of a container")?;
    let read = OneOffOptions {
        environment: environment
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        user: options.text("user")?,
        working_dir: options.text("working_dir")?,
        check: options.bool("check")?.unwrap_or(true),
        no_deps: is_of_service && options.bool("no_deps")?.unwrap_or(false),
        timeout: options.duration("timeout")?,
        assumed: assume_option::end(&mut options)?,
    };
    options.finish()?;
    Ok(read)
}

/// Runs a command in a new container with the settings of the service. Without a command, runs the
/// service's own.
pub(super) fn for_service(
    service: &Service,
    command: Option<&Dynamic>,
    given: Map,
) -> Result<Record, Failure> {
    let context = &service.stack.context;
    let project = service.stack.described()?.clone();
    let described = project.service(&service.name)?;
    let given = options(context, given, true)?;
    let one_off = OneOffSpec {
        image: &described.image,
        command: command.map(exec::command).transpose()?.unwrap_or_default(),
        environment: given.environment,
        user: given.user,
        working_dir: given.working_dir,
        project: &service.stack.name,
        service: Some((&project, described)),
        built_by: None,
        with_dependencies: !given.no_deps,
        timeout: given.timeout,
    };
    let ended = finish(context, async {
        run_one_off(&verb_context(context, &service.stack.name).await?, &one_off).await
    });
    let ended = service.stack.placed(ended)?;
    checked(
        context,
        &assume_option::assumed_end(context, given.assumed).unwrap_or(ended),
        given.check,
        &service.name,
    )
}

fn for_image(
    context: &Context,
    image: &str,
    command: Option<&Dynamic>,
    given: Map,
) -> Result<Record, Failure> {
    super::image::check_name(image)?;
    let project = project::name(context)?;
    let given = options(context, given, false)?;
    let builder = context.script.builder_of(image);
    let one_off = OneOffSpec {
        image,
        command: command.map(exec::command).transpose()?.unwrap_or_default(),
        environment: given.environment,
        user: given.user,
        working_dir: given.working_dir,
        project: &project,
        service: None,
        built_by: builder.as_ref().map(|(project, service)| (&**project, service.as_str())),
        with_dependencies: false,
        timeout: given.timeout,
    };
    let ended = finish(context, async {
        run_one_off(&verb_context(context, &project).await?, &one_off).await
    })?;
    checked(
        context,
        &assume_option::assumed_end(context, given.assumed).unwrap_or(ended),
        given.check,
        image,
    )
}

fn checked(
    context: &Context,
    ended: &ExecResult,
    check: bool,
    name: &str,
) -> Result<Record, Failure> {
    let answer = context.answered(exec::record(ended));
    if !check || ended.code == 0 {
        return Ok(answer);
    }
    // A plan names the line that reads the exit code as the one that depends on the command. So
    // read it here.
    let _ = answer.get("code")?;
    let failure = Failure::new(
        Kind::Exec,
        format!("The one-off container of \"{name}\" ended with code {}", ended.code),
    )
    .hint(exec::next_step(ended.code))
    .field("code", ended.code);
    Err(exec::with_output(
        failure,
        &String::from_utf8_lossy(&ended.stdout),
        &String::from_utf8_lossy(&ended.stderr),
    ))
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// Run a command in a new container of an image and remove the container: `code ok stdout
    /// stderr elapsed_ms`. A missing image is built if an earlier description in this run builds
    /// it, else pulled.
    ///
    /// ```
    /// let version = run("redis:7-alpine", ["redis-server", "--version"]).stdout;
    /// ```
    #[rhai_fn(name = "run", return_raw)]
    pub fn run_image(context: NativeCallContext, image: &str, command: Dynamic) -> Raw<Record> {
        Ok(for_image(&*Context::of(&context)?, image, Some(&command), Map::new())?)
    }

    /// The same with options: `environment user working_dir timeout check`, and `assume`, the
    /// answer in a plan, as in `exec`.
    #[rhai_fn(name = "run", return_raw)]
    pub fn run_image_with(
        context: NativeCallContext,
        image: &str,
        command: Dynamic,
        options: Map,
    ) -> Raw<Record> {
        Ok(for_image(&*Context::of(&context)?, image, Some(&command), options)?)
    }
}

/// Registers the functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_global_module(shared_module!(functions));
}
