//! `container`: one container, by name.

use rhai::plugin::*;
use rhai::{Dynamic, Map, NativeCallContext};

use super::context::Context;
pub use super::handles::Container;
use super::{Raw, exec, files, logs, project, secret, task};
use crate::apply::failures::of_engine;
use crate::apply::logs::Selection;
use crate::apply::observe::{EngineObject, find_container};
use crate::apply::preflight::may;
use crate::apply::start_failures::RefusedStart;
use crate::apply::writers::check_start;
use crate::engine::{EngineError, Intent, StopRequest};
use crate::model::{Failure, Kind, signal};
use crate::value::Record;
use crate::value::json::from_json;

/// An action on a container of the project.
enum Change<'a> {
    Start,
    Stop,
    Restart,
    Kill(&'a str),
    Remove { volumes: bool },
}

impl Container {
    pub(super) fn exec(&self, command: &Dynamic, options: Map) -> Result<Record, Failure> {
        let project = project::name(&self.context)?;
        self.check_project()?;
        exec::run(&self.context, &project, &self.name, &self.name, command, options)
    }

    pub(super) fn kill(&self, name: &str) -> Result<(), Failure> {
        secret::none_in(name, "the name of a signal")?;
        if !signal::is_signal(name) {
            return Err(
                Failure::usage(format!("\"{name}\" is not a signal")).hint(signal::hint(name))
            );
        }
        self.change(&Change::Kill(name))
    }

    fn change(&self, change: &Change<'_>) -> Result<(), Failure> {
        let name = &self.name;
        let verb = match change {
            Change::Start => "start",
            Change::Stop => "stop",
            Change::Restart => "restart",
            Change::Kill(_) => "send a signal to",
            Change::Remove { .. } => "remove",
        };
        let failed =
            |error: EngineError| of_engine(error, &format!("{verb} the container \"{name}\""));
        project::finish(&self.context, async {
            let engine = self.context.engine().await?;
            let found = find_container(&*engine, name).await?.ok_or_else(|| self.missing())?;
            project::check_ours(&self.context, &format!("container \"{name}\""), &found.labels)?;
            let request = StopRequest::default();
            match change {
                Change::Start | Change::Restart => {
                    return self.begin(change, verb, &found.id).await;
                }
                Change::Stop => engine.container_stop(name, &request).await.map(drop),
                Change::Kill(signal) => engine.container_kill(name, signal).await,
                Change::Remove { volumes } => engine.container_remove(name, true, *volumes).await,
            }
            .map_err(failed)
        })
    }

    /// Starts or restarts it. If the engine refuses, explains the reason as for a step of a plan.
    async fn begin(&self, change: &Change<'_>, verb: &str, id: &str) -> Result<(), Failure> {
        let name = &self.name;
        let engine = self.context.engine().await?;
        let project = project::name(&self.context)?;
        let ctx = project::verb_context(&self.context, &project).await?;
        check_start(&ctx, &project, id).await?;
        let done = match change {
            Change::Restart => engine.container_restart(name, &StopRequest::default()).await,
            _ => engine.container_start(name).await.map(drop),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) => {
                let refused = RefusedStart {
                    ctx: &ctx,
                    verb,
                    project: &project,
                    described: None,
                    service: None,
                    container: name,
                    id,
                };
                Err(refused.explain(error).await)
            }
        }
    }

    /// Rejects a container of another project: a script may not see its content or start something
    /// in it.
    pub(super) fn check_project(&self) -> Result<(), Failure> {
        let found = self.find()?.ok_or_else(|| self.missing())?;
        project::check_project(
            &self.context,
            &format!("container \"{}\"", self.name),
            &found.labels,
        )?;
        // A script chooses its project's name, so the guard also checks which folder created the
        // project.
        task::wait(&self.context, async {
            let intent = Intent::LookIntoContainer(&self.name);
            may(&*self.context.engine().await?, intent).await
        })
    }

    fn missing(&self) -> Failure {
        Failure::new(Kind::NotFound, format!("There is no container \"{}\"", self.name))
    }

    fn find(&self) -> Result<Option<EngineObject>, Failure> {
        task::wait(&self.context, async {
            find_container(&*self.context.engine().await?, &self.name).await
        })
    }

    fn logs(&self, options: Map) -> Result<Dynamic, Failure> {
        let request = logs::request(&self.context, options)?;
        self.check_project()?;
        let selection = Selection::Container {
            project: project::name(&self.context)?,
            name: self.name.clone(),
        };
        logs::of(&self.context, selection, 0, &request, std::slice::from_ref(&self.name))
    }
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// The container with this name.
    #[rhai_fn(name = "container", return_raw)]
    pub fn container(context: NativeCallContext, name: &str) -> Raw<Container> {
        secret::none_in(name, "the name of a container")?;
        Ok(Container { context: Context::of(&context)?, name: name.to_owned() })
    }

    /// The container's name.
    #[rhai_fn(get = "name", pure)]
    pub fn name(container: &mut Container) -> String {
        container.name.clone()
    }

    /// A container has no tag.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(container: &mut Container) -> Raw<Dynamic> {
        Err(Failure::usage(format!("A container has no \"tag\" (asked of {})", container.name))
            .into())
    }

    /// Whether the container exists.
    #[rhai_fn(return_raw, pure)]
    pub fn exists(container: &mut Container) -> Raw<bool> {
        Ok(container.find()?.is_some())
    }

    /// Everything that the engine knows about it, as in `docker inspect`.
    #[rhai_fn(return_raw, pure)]
    pub fn inspect(container: &mut Container) -> Raw<Dynamic> {
        // This contains its environment.
        container.check_project()?;
        let found = container.find()?.ok_or_else(|| container.missing())?;
        Ok(from_json(&found.json))
    }

    /// Start it.
    #[rhai_fn(return_raw, pure)]
    pub fn start(container: &mut Container) -> Raw<()> {
        Ok(container.change(&Change::Start)?)
    }

    /// Stop it, with its own grace period.
    #[rhai_fn(return_raw, pure)]
    pub fn stop(container: &mut Container) -> Raw<()> {
        Ok(container.change(&Change::Stop)?)
    }

    /// Restart it.
    #[rhai_fn(return_raw, pure)]
    pub fn restart(container: &mut Container) -> Raw<()> {
        Ok(container.change(&Change::Restart)?)
    }

    /// Send it KILL.
    #[rhai_fn(name = "kill", return_raw, pure)]
    pub fn kill(container: &mut Container) -> Raw<()> {
        Ok(container.change(&Change::Kill("KILL"))?)
    }

    /// Send it a signal.
    #[rhai_fn(name = "kill", return_raw, pure)]
    pub fn kill_with(container: &mut Container, signal: &str) -> Raw<()> {
        Ok(container.kill(signal)?)
    }

    /// Remove it, running or not. Its anonymous volumes are kept.
    #[rhai_fn(name = "remove", return_raw, pure)]
    pub fn remove(container: &mut Container) -> Raw<()> {
        Ok(container.change(&Change::Remove { volumes: false })?)
    }

    /// The container's log: a list of lines.
    #[rhai_fn(name = "logs", return_raw, pure)]
    pub fn logs(container: &mut Container) -> Raw<Dynamic> {
        Ok(container.logs(Map::new())?)
    }

    /// The container's log, with `follow tail since "until" timestamps assume`; see `help
    /// stack.logs`.
    #[rhai_fn(name = "logs", return_raw, pure)]
    pub fn logs_with(container: &mut Container, options: Map) -> Raw<Dynamic> {
        Ok(container.logs(options)?)
    }

    /// The text of a file in the container.
    #[rhai_fn(name = "read", return_raw, pure)]
    pub fn read(container: &mut Container, path: &str) -> Raw<String> {
        container.check_project()?;
        Ok(files::read(&container.context, &container.name, path)?)
    }

    /// The same with `assume`: the text (or a list or map, as JSON) that a plan continues with if
    /// it creates or changes the container.
    #[rhai_fn(name = "read", return_raw, pure)]
    pub fn read_with(container: &mut Container, path: &str, options: Map) -> Raw<String> {
        container.check_project()?;
        Ok(files::read_with(&container.context, &container.name, path, options)?)
    }

    /// Write a file into the container. The folder of the file has to exist.
    #[rhai_fn(name = "write", return_raw, pure)]
    pub fn write(container: &mut Container, path: &str, text: &str) -> Raw<()> {
        Ok(files::write(&container.context, &container.name, path, text)?)
    }

    /// The container as text.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(container: &mut Container) -> String {
        container.to_string()
    }
}

/// Registers the type and its functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Container>("container");
    engine.register_global_module(shared_module!(functions));
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn an_invalid_signal_is_rejected_before_any_engine_call() {
        let said = |call: &str| {
            Harness::new()
                .text(&format!("let e = attempt(|| {call}).error; `${{e.message}}; ${{e.hint}}`"))
        };
        assert_eq!(
            said("container(\"web\").kill(\"HUPP\")"),
            "\"HUPP\" is not a signal; did you mean \"SIGHUP\"?"
        );
        assert!(!said("container(\"web\").kill(\"sighup\")").contains("is not a signal"));
    }
}
