//! `stack`: a description and its verbs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Map, NativeCallContext};

use super::assume_option::Patience;
use super::context::Context;
use super::describe::check_startable;
pub use super::handles::Stack;
use super::logs;
use super::project::{self, finish, verb_context};
use super::saved_options::{choices_of_former_folders, kept_meanwhile};
use super::service::Service;
use super::{Raw, task, unfinished_guards, unused_variables};
use crate::apply::OnProgress;
use crate::apply::builds::{Rebuild, build_services, reported};
use crate::apply::images;
use crate::apply::preflight::may;
use crate::apply::records::{ReadRecords, Records};
use crate::apply::verbs::{self, Lifecycle, LockHooks, ServiceChoice, UpOptions};
use crate::engine::Intent;
use crate::model::Failure;
use crate::model::image_reference::canonical;
use crate::model::observed_state::Container;
use crate::model::reconcile::DownOptions;
use crate::model::spec::{self, Project};
use crate::model::step::ActionKind;
use crate::value::{Options, Record};

impl Stack {
    /// The current project, from existing containers.
    fn at_hand(context: &Arc<Context>) -> Result<Self, Failure> {
        Ok(Self {
            context: context.clone(),
            name: project::name(context)?,
            project: None,
            file: None,
        })
    }

    /// The description; a `usage` failure for a stack without one.
    pub fn described(&self) -> Result<&Arc<Project>, Failure> {
        self.project.as_ref().ok_or_else(|| {
            Failure::usage(format!("The stack \"{}\" has no description here", self.name))
                .hint("`stack()` has only what runs; to bring it up, describe it: `stack(\"name\", #{ services: … })`")
        })
    }

    /// Adds the position in the file to a failure about the description.
    pub(super) fn placed<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| match &self.file {
            Some(file) => file.placed(failure),
            None => failure,
        })
    }

    /// The services of the description or, without one, of the existing containers.
    pub(super) fn service_names(&self) -> Result<BTreeSet<String>, Failure> {
        match &self.project {
            Some(project) => Ok(project.services.keys().cloned().collect()),
            None => Ok(self.observe()?.into_iter().map(|container| container.service).collect()),
        }
    }

    /// The services of the description; empty without one.
    pub fn described_services(&self) -> Vec<String> {
        self.project.iter().flat_map(|project| project.services.keys().cloned()).collect()
    }

    pub(super) fn observe(&self) -> Result<Vec<Container>, Failure> {
        task::wait(&self.context, async {
            let ctx = verb_context(&self.context, &self.name).await?;
            Ok(verbs::look(&ctx, &self.name).await?.containers)
        })
    }

    pub(super) fn up(&self, services: Option<Vec<String>>, given: Map) -> Result<Record, Failure> {
        let project = self.described()?.clone();
        let up = up_options(&self.context, services, given)?;
        // Checks names and files first, because this needs no engine.
        let services = project.select(up.services.as_deref())?;
        self.placed(check_startable(&self.context, &project, &services))?;
        unused_variables::hint(&self.context);
        let read = Arc::<ReadRecords>::default();
        let records = Records::new(&*self.context.host, &self.context.policy, &self.name);
        unfinished_guards::warn(&self.context, &records.sharing(read.clone()));
        let outcome = finish(&self.context, async {
            let ctx = verb_context(&self.context, &self.name).await?.knowing(read);
            choices_of_former_folders(&self.context, &ctx, &self.name).await?;
            // Saves options only after success, because a failed `up` restores the previous state.
            let is_all = project.select(None).is_ok_and(|all| all.is_subset(&services));
            let keep = || {
                if is_all {
                    self.context.script.options.keep(&self.context.run, &self.name);
                } else {
                    self.context.script.options.keep_at_the_end(&self.name);
                }
            };
            let under_lock =
                LockHooks { first: &|| kept_meanwhile(&self.context, &self.name), last: &keep };
            let outcome = verbs::up_under_lock(&ctx, &project, &up, Some(under_lock)).await?;
            // Saves the options even if the verb needed no lock.
            keep();
            Ok(outcome)
        });
        Ok(self.outcome(&self.placed(outcome)?))
    }

    pub(super) fn lifecycle(
        &self,
        services: Option<Vec<String>>,
        verb: Lifecycle,
        timeout: Option<Duration>,
    ) -> Result<Record, Failure> {
        let how = if services.is_some() { ServiceChoice::ByName } else { ServiceChoice::All };
        let services = self.chosen(services)?;
        let outcome = finish(&self.context, async {
            verbs::lifecycle_of(
                &verb_context(&self.context, &self.name).await?,
                &self.name,
                &services,
                how,
                verb,
                timeout,
            )
            .await
        })?;
        Ok(self.outcome(&outcome))
    }

    /// The given services, checked; all by default.
    fn chosen(&self, services: Option<Vec<String>>) -> Result<BTreeSet<String>, Failure> {
        let known = self.service_names()?;
        match services {
            None => Ok(known),
            Some(names) => names
                .into_iter()
                .map(|name| {
                    if known.contains(&name) {
                        Ok(name)
                    } else {
                        Err(spec::project::unknown("service", &name, known.iter()))
                    }
                })
                .collect(),
        }
    }

    fn down(&self, given: Map) -> Result<Record, Failure> {
        let options = down_options(&self.context, given)?;
        let outcome = finish(&self.context, async {
            verbs::down(&verb_context(&self.context, &self.name).await?, &self.name, options).await
        })?;
        Ok(self.outcome(&outcome))
    }

    /// Builds the images of the given services, each image once.
    pub(super) fn build(
        &self,
        services: Option<Vec<String>>,
        given: Map,
    ) -> Result<Dynamic, Failure> {
        let (no_cache, pull) = build_options(given)?;
        let project = self.described()?;
        let names: BTreeSet<String> = self.own_services(services)?.into_iter().collect();
        project.check_built_names(&|service| names.contains(&service.name))?;
        let built = self.placed(task::wait(&self.context, async {
            let ctx = verb_context(&self.context, &self.name).await?;
            build_services(&ctx, project, &names, Rebuild { no_cache, pull }).await
        }))?;
        Ok(built.into_iter().map(|(image, id)| (image.into(), id.into())).collect::<Map>().into())
    }

    /// Pulls the images of the given services that no service of the description builds, each once.
    fn pull(&self, services: Option<Vec<String>>) -> Result<Dynamic, Failure> {
        let project = self.described()?;
        let mut wanted: BTreeMap<String, (String, String)> = BTreeMap::new();
        for name in self.own_services(services)? {
            let service = project.service(&name)?;
            let chosen = BTreeSet::from([name.clone()]);
            if project.builder_of(&service.image, &chosen).is_none() {
                wanted
                    .entry(canonical(&service.image))
                    .or_insert_with(|| (service.image.clone(), name));
            }
        }
        let pulled = task::wait(&self.context, async {
            let ctx = verb_context(&self.context, &self.name).await?;
            for (image, _) in wanted.values() {
                may(&*ctx.engine, Intent::PullImage(image)).await?;
            }
            let pulls = wanted.values().map(|(image, service)| {
                let ctx = &ctx;
                async move {
                    let work = async |report: &OnProgress<'_>| {
                        images::pull(ctx, image, None, report).await
                    };
                    Ok::<_, Failure>((
                        image.clone(),
                        reported(ctx, service, ActionKind::Pull, image, work).await?,
                    ))
                }
            });
            futures::future::try_join_all(pulls).await
        })?;
        Ok(pulled.into_iter().map(|(image, id)| (image.into(), id.into())).collect::<Map>().into())
    }

    /// The given services without their dependencies; all active ones by default.
    fn own_services(&self, services: Option<Vec<String>>) -> Result<Vec<String>, Failure> {
        let project = self.described()?;
        match services {
            Some(names) => names
                .iter()
                .map(|name| project.service(name).map(|service| service.name.clone()))
                .collect(),
            None => Ok(project
                .services
                .values()
                .filter(|service| project.is_active(service))
                .map(|service| service.name.clone())
                .collect()),
        }
    }
}

pub(super) fn up_options(
    context: &Context,
    services: Option<Vec<String>>,
    given: Map,
) -> Result<UpOptions, Failure> {
    let mut options = Options::new(given, "options of up");
    let up = UpOptions {
        services,
        // The user's command line overrides the script.
        remove_orphans: options.bool("remove_orphans")?.unwrap_or(false)
            || context.project.remove_orphans,
        adopt: options.bool("adopt")?.unwrap_or(false) || context.project.adopt,
        build: options.bool("build")?.unwrap_or(false),
        renew_anonymous_volumes: options.bool("renew_anonymous_volumes")?.unwrap_or(false)
            || context.project.renew_anonymous_volumes,
        timeout: options.duration("timeout")?,
    };
    options.finish()?;
    Ok(up)
}

pub(super) fn down_options(context: &Context, given: Map) -> Result<DownOptions, Failure> {
    let mut options = Options::new(given, "options of down");
    let volumes = options.bool("volumes")?.unwrap_or(false);
    options.finish()?;
    Ok(DownOptions { volumes, adopt: context.project.adopt })
}

/// Whether to build without the cache, and whether to pull newer base images.
pub(super) fn build_options(given: Map) -> Result<(bool, bool), Failure> {
    let mut options = Options::new(given, "options of build");
    let no_cache = options.bool("no_cache")?.unwrap_or(false);
    let pull = options.bool("pull")?.unwrap_or(false);
    options.finish()?;
    Ok((no_cache, pull))
}

/// `()` means all, a list the named ones, a string one.
pub(super) fn names(value: &Dynamic) -> Result<Option<Vec<String>>, Failure> {
    if value.is_unit() {
        return Ok(None);
    }
    if let Some(name) = value.read_lock::<ImmutableString>() {
        return Ok(Some(vec![name.to_string()]));
    }
    let wrong =
        || Failure::usage("Services are named by a list of strings, a string, or () for all");
    let list = value.read_lock::<Array>().ok_or_else(wrong)?;
    list.iter()
        .map(|item| {
            item.read_lock::<ImmutableString>().map(|name| name.to_string()).ok_or_else(wrong)
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

/// The services if they are the only argument of `function`; the options are its second one.
fn only_names(value: &Dynamic, function: &str) -> Result<Option<Vec<String>>, Failure> {
    let Some(options) = value.read_lock::<Map>() else { return names(value) };
    let entry = |(key, value): (&rhai::Identifier, &Dynamic)| {
        let is_plain = value.is_int() || value.is_bool();
        // `until` is a reserved word in Rhai, so a map needs quotes around it.
        let key = if key == "until" { "\"until\"" } else { key.as_str() };
        format!("{key}: {}", if is_plain { value.to_string() } else { "…".to_owned() })
    };
    let shown = options.iter().map(entry).collect::<Vec<_>>().join(", ");
    let shown = if shown.is_empty() { "#{}".to_owned() } else { format!("#{{ {shown} }}") };
    Err(Failure::usage(format!(
        "The options of `{function}` are its second argument, after the services"
    ))
    .hint(format!("for all services, write `{function}((), {shown})`")))
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// Describe a stack with a map of Compose's keys. Does nothing with it.
    ///
    /// The active profiles are those in the list `profiles` of the map; without this key those of
    /// the variable `COMPOSE_PROFILES`.
    ///
    /// ```
    /// let shop = stack("shop", #{ services: #{ cache: #{ image: "redis:7-alpine" } } });
    /// ```
    #[rhai_fn(name = "stack", return_raw)]
    pub fn stack_named(context: NativeCallContext, name: &str, description: Map) -> Raw<Stack> {
        Ok(Stack::describe(&Context::of(&context)?, Some(name), &description)?)
    }

    /// Describe a stack whose name is in the description, or is the project's.
    #[rhai_fn(name = "stack", return_raw)]
    pub fn stack_unnamed(context: NativeCallContext, description: Map) -> Raw<Stack> {
        Ok(Stack::describe(&Context::of(&context)?, None, &description)?)
    }

    /// The project at hand, from what runs.
    #[rhai_fn(name = "stack", return_raw)]
    pub fn stack_at_hand(context: NativeCallContext) -> Raw<Stack> {
        Ok(Stack::at_hand(&Context::of(&context)?)?)
    }

    /// The project's name.
    #[rhai_fn(get = "name", pure)]
    pub fn name(stack: &mut Stack) -> String {
        stack.name.clone()
    }

    /// A stack has no tag.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(stack: &mut Stack) -> Raw<Dynamic> {
        Err(Failure::usage(format!("A stack has no \"tag\" (asked of {})", stack.name)).into())
    }

    /// Bring the whole stack up and wait until it is ready. Unchanged services are not touched.
    #[rhai_fn(name = "up", return_raw, pure)]
    pub fn up_all(stack: &mut Stack) -> Raw<Record> {
        Ok(stack.up(None, Map::new())?)
    }

    /// Bring services up, ready, with those that they need: a name, or a list of names; `()` means
    /// all, `[]` none. A job that is named runs again, also if it is completed. A map in place of
    /// names is options, as in `up(services, options)`.
    #[rhai_fn(name = "up", return_raw, pure)]
    pub fn up_named(stack: &mut Stack, services: Dynamic) -> Raw<Record> {
        if let Some(options) = services.read_lock::<Map>() {
            return Ok(stack.up(None, options.clone())?);
        }
        Ok(stack.up(names(&services)?, Map::new())?)
    }

    /// Bring services up, with `remove_orphans`, `adopt`, `build` (build images even if they
    /// exist), `renew_anonymous_volumes` (new volumes for containers that have some; the old ones
    /// stay on the engine), and `timeout` (the time limit for a container to become ready).
    #[rhai_fn(name = "up", return_raw, pure)]
    pub fn up_with(stack: &mut Stack, services: Dynamic, options: Map) -> Raw<Record> {
        Ok(stack.up(names(&services)?, options)?)
    }

    /// Stop and remove the stack's containers and networks. Its volumes are kept.
    #[rhai_fn(name = "down", return_raw, pure)]
    pub fn down(stack: &mut Stack) -> Raw<Record> {
        Ok(stack.down(Map::new())?)
    }

    /// Stop and remove the stack's containers and networks; with `volumes: true` also its volumes.
    #[rhai_fn(name = "down", return_raw, pure)]
    pub fn down_with(stack: &mut Stack, options: Map) -> Raw<Record> {
        Ok(stack.down(options)?)
    }

    /// Stop every container of the stack.
    #[rhai_fn(name = "stop", return_raw, pure)]
    pub fn stop_all(stack: &mut Stack) -> Raw<Record> {
        Ok(stack.lifecycle(None, Lifecycle::Stop, None)?)
    }

    /// Stop the containers of the named services, and no others.
    #[rhai_fn(name = "stop", return_raw, pure)]
    pub fn stop(stack: &mut Stack, services: Dynamic) -> Raw<Record> {
        Ok(stack.lifecycle(names(&services)?, Lifecycle::Stop, None)?)
    }

    /// Start every stopped container of the stack without changes, and wait until it is ready.
    #[rhai_fn(name = "start", return_raw, pure)]
    pub fn start_all(stack: &mut Stack) -> Raw<Record> {
        Ok(stack.lifecycle(None, Lifecycle::Start, None)?)
    }

    /// Start the stopped containers of the named services without changes. A named job runs again.
    #[rhai_fn(name = "start", return_raw, pure)]
    pub fn start(stack: &mut Stack, services: Dynamic) -> Raw<Record> {
        Ok(stack.lifecycle(names(&services)?, Lifecycle::Start, None)?)
    }

    /// Restart every container of the stack, and wait until it is ready.
    #[rhai_fn(name = "restart", return_raw, pure)]
    pub fn restart_all(stack: &mut Stack) -> Raw<Record> {
        Ok(stack.lifecycle(None, Lifecycle::Restart, None)?)
    }

    /// Restart the containers of the named services.
    #[rhai_fn(name = "restart", return_raw, pure)]
    pub fn restart(stack: &mut Stack, services: Dynamic) -> Raw<Record> {
        Ok(stack.lifecycle(names(&services)?, Lifecycle::Restart, None)?)
    }

    /// Build the images of all services that have a build. Returns a map from image to id.
    #[rhai_fn(name = "build", return_raw, pure)]
    pub fn build_all(stack: &mut Stack) -> Raw<Dynamic> {
        Ok(stack.build(None, Map::new())?)
    }

    /// Build the images of the named services.
    #[rhai_fn(name = "build", return_raw, pure)]
    pub fn build(stack: &mut Stack, services: Dynamic) -> Raw<Dynamic> {
        Ok(stack.build(only_names(&services, "build")?, Map::new())?)
    }

    /// Build the images of the named services, with `no_cache` and `pull`.
    #[rhai_fn(name = "build", return_raw, pure)]
    pub fn build_with(stack: &mut Stack, services: Dynamic, options: Map) -> Raw<Dynamic> {
        Ok(stack.build(names(&services)?, options)?)
    }

    /// Pull the images of all services that have no build. Returns a map from image to id.
    #[rhai_fn(name = "pull", return_raw, pure)]
    pub fn pull_all(stack: &mut Stack) -> Raw<Dynamic> {
        Ok(stack.pull(None)?)
    }

    /// Pull the images of the named services.
    #[rhai_fn(name = "pull", return_raw, pure)]
    pub fn pull(stack: &mut Stack, services: Dynamic) -> Raw<Dynamic> {
        Ok(stack.pull(names(&services)?)?)
    }

    /// The stack's containers: a list of records `id name service number state ready completed
    /// health status exit_code image_id ports ready_ms url`. `ready`: the container runs and its
    /// health check passes. `completed`: it exited with code 0.
    #[rhai_fn(return_raw, pure)]
    pub fn ps(stack: &mut Stack) -> Raw<Array> {
        let containers = stack.observe()?;
        Ok(containers.iter().map(|container| Dynamic::from(stack.row(container, None))).collect())
    }

    /// Wait until every container of the named services is ready, at most `timeout`. A map has the
    /// options `timeout` and `assume`: with `assume: false` a plan continues as if the wait timed
    /// out.
    #[rhai_fn(name = "wait", return_raw, pure)]
    pub fn wait(stack: &mut Stack, services: Dynamic, timeout: Dynamic) -> Raw<()> {
        let patience = Patience::read(&timeout)?;
        let chosen = stack.chosen(names(&services)?)?;
        for name in chosen {
            Service { stack: stack.clone(), name }.wait("ready", &patience)?;
        }
        Ok(())
    }

    /// The logs of all services: a list of lines.
    #[rhai_fn(name = "logs", return_raw, pure)]
    pub fn logs_all(stack: &mut Stack) -> Raw<Dynamic> {
        Ok(logs::read(stack, None, Map::new())?)
    }

    /// The logs of the named services.
    #[rhai_fn(name = "logs", return_raw, pure)]
    pub fn logs_named(stack: &mut Stack, services: Dynamic) -> Raw<Dynamic> {
        Ok(logs::read(stack, only_names(&services, "logs")?, Map::new())?)
    }

    /// The logs of the named services, sorted by the engine's times. `tail` is a number of lines of
    /// each container; `since` and `"until"` are a time to the nanosecond, or `"10m"` for ten
    /// minutes ago. With `follow` it is a stream. It continues over restarts and replacements,
    /// includes containers that start later, and ends when none of them runs any more. `timestamps`
    /// prints the times.
    ///
    /// ```
    /// for line in stack().logs((), #{ since: "10m", "until": "5m", timestamps: true }) { print(line); }
    /// ```
    #[rhai_fn(name = "logs", return_raw, pure)]
    pub fn logs_with(stack: &mut Stack, services: Dynamic, options: Map) -> Raw<Dynamic> {
        Ok(logs::read(stack, names(&services)?, options)?)
    }

    /// One service of the stack.
    #[rhai_fn(name = "service", return_raw, pure)]
    pub fn service(stack: &mut Stack, name: &str) -> Raw<Service> {
        Ok(Service::of(stack, name)?)
    }

    /// One service of the current project.
    #[rhai_fn(name = "service", return_raw)]
    pub fn service_at_hand(context: NativeCallContext, name: &str) -> Raw<Service> {
        Ok(Service::of(&Stack::at_hand(&Context::of(&context)?)?, name)?)
    }

    /// The release of a service's containers, from `x-spc-release` of the description that made
    /// them; `()` if there are none. After a deployment that did not end, the release before it.
    /// Give it a default: `released("web") ?? "v1"`.
    #[rhai_fn(return_raw)]
    pub fn released(context: NativeCallContext, service: &str) -> Raw<Dynamic> {
        let stack = Stack::at_hand(&Context::of(&context)?)?;
        let service = Service { stack, name: service.to_owned() };
        Ok(service.released()?.map_or(Dynamic::UNIT, Dynamic::from))
    }

    /// The stack as text.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(stack: &mut Stack) -> String {
        stack.to_string()
    }
}

/// Registers the type and its functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Stack>("stack");
    engine.register_global_module(shared_module!(functions));
}

#[cfg(test)]
mod tests {
    use crate::api::harness::Harness;

    #[test]
    fn an_empty_name_in_a_description_counts_as_missing() {
        let text = "name: \"${NOWHERE}\"\nservices: {a: {image: x}}\n";
        let trial = Harness::on(|host| host.with_file("/project/a.yaml", text));
        let services = "services: #{ a: #{ image: \"x\" } }";
        let names = format!(
            "[stack(#{{ name: \"\", {services} }}).name, stack(#{{ {services} }}).name, compose(\"a.yaml\").name]"
        );
        assert_eq!(trial.text(&names), r#"["project", "project", "project"]"#);
        assert_eq!(trial.text(&format!("stack(#{{ name: \"shop\", {services} }}).name")), "shop");
    }

    #[test]
    fn options_without_services_are_answered_with_the_right_call() {
        for (call, right) in [
            ("logs(#{ follow: true, tail: 3 })", "logs((), #{ follow: true, tail: 3 })"),
            ("logs(#{ \"until\": \"1m\" })", "logs((), #{ \"until\": … })"),
            ("logs(#{})", "logs((), #{})"),
            ("build(#{ no_cache: true })", "build((), #{ no_cache: true })"),
        ] {
            let failure = Harness::new().fails(&format!(
                "stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\" }} }} }}).{call}"
            ));
            let function = call.split('(').next().unwrap();
            assert_eq!(
                failure.message,
                format!("The options of `{function}` are its second argument, after the services")
            );
            assert_eq!(failure.hint.unwrap(), format!("for all services, write `{right}`"));
        }
    }
}
