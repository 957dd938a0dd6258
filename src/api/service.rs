//! `service`: one service of a stack, and its containers.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Map};

use super::assume_option::Patience;
use super::container::Container;
use super::context::Context;
pub use super::handles::Service;
use super::project::{finish, verb_context};
use super::stack::Stack;
use super::{Raw, exec, files, healthcheck, logs, run, task};
use crate::apply::preflight::may;
use crate::apply::records::Records;
use crate::apply::verbs::{self, Lifecycle};
use crate::engine::Intent;
use crate::model::observed_state::{self, ContainerState};
use crate::model::plan::WaitCondition;
use crate::model::spec::MOST_CONTAINERS;
use crate::model::spec::project::unknown;
use crate::model::{Failure, Kind};
use crate::value::Record;

impl Service {
    /// The service with this name; the failure suggests the most similar name.
    pub(super) fn of(stack: &Stack, name: &str) -> Result<Self, Failure> {
        let known = stack.service_names()?;
        if known.contains(name) {
            return Ok(Self { stack: stack.clone(), name: name.to_owned() });
        }
        Err(unknown("service", name, known.iter()))
    }

    /// A service of the current project.
    pub(super) fn at_hand(context: &Arc<Context>, name: &str) -> Result<Self, Failure> {
        let stack = Stack {
            context: context.clone(),
            name: super::project::name(context)?,
            project: None,
            file: None,
        };
        Self::of(&stack, name)
    }

    pub(super) fn containers(&self) -> Result<Vec<observed_state::Container>, Failure> {
        let mut containers = self.stack.observe()?;
        containers.retain(|container| container.service == self.name);
        Ok(containers)
    }

    /// The first running container.
    pub(super) fn running(&self) -> Result<observed_state::Container, Failure> {
        let containers = self.containers()?;
        let there = containers.first().map(|container| container.status.clone());
        let paused = containers
            .iter()
            .find(|container| container.state == ContainerState::Paused)
            .map(|container| container.name.clone());
        containers.into_iter().find(|container| container.state == ContainerState::Running).ok_or_else(|| {
            if let Some(paused) = paused {
                return Failure::paused(&paused).field("service", self.name.clone());
            }
            let is_scaled_down = there.is_none() && self.is_scaled_down();
            let how = there.map_or_else(|| "it has no container".to_owned(), |status| format!("its container is in the state \"{status}\""));
            let (how, hint) = if is_scaled_down {
                let how = "its scale is 0".to_owned();
                (how, format!("`.service(\"{}\").scale(1)` gives it one", self.name))
            } else {
                (how, format!("bring it up first: `.up([\"{}\"])`, or `spc run` with the runbook that does", self.name))
            };
            Failure::new(Kind::NotFound, format!("The service \"{}\" is not running: {how}", self.name))
                .hint(hint)
                .field("service", self.name.clone())
        })
    }

    /// Whether the number of containers is 0, in the description or by `scale(0)`: `up` creates
    /// none then.
    fn is_scaled_down(&self) -> bool {
        let context = &self.stack.context;
        let described =
            self.stack.project.as_ref().and_then(|project| project.services.get(&self.name));
        let set = Records::new(&*context.host, &context.policy, &self.stack.name)
            .state()
            .scales
            .get(&self.name)
            .map(|scale| scale.wanted);
        match described {
            Some(service) if service.scale_is_described => service.scale == 0,
            _ => set == Some(0),
        }
    }

    /// Rejects an action on the service's containers if the project is not the script's own;
    /// `doing` is for example `run a command in the service`. The engine's guard would reject it
    /// too, but name a container that the script didn't mention.
    pub(super) fn may_use(&self, doing: &str) -> Result<(), Failure> {
        let context = &self.stack.context;
        task::wait(context, async {
            let intent =
                Intent::UseService { doing, service: &self.name, project: &self.stack.name };
            may(&*context.engine().await?, intent).await
        })
    }

    pub(super) fn exec(&self, command: &Dynamic, options: Map) -> Result<Record, Failure> {
        let container = self.running()?;
        self.may_use("run a command in the service")?;
        exec::run(
            &self.stack.context,
            &self.stack.name,
            &container.id,
            &self.name,
            command,
            options,
        )
    }

    /// Waits until every container of the service is ready or completed.
    pub(super) fn wait(&self, until: &str, patience: &Patience) -> Result<(), Failure> {
        let until = match until {
            "ready" | "healthy" => WaitCondition::Ready,
            "completed" => WaitCondition::Completed,
            other => {
                return Err(Failure::usage(format!("wait() does not know the state \"{other}\""))
                    .hint("available: ready, completed"));
            }
        };
        let described =
            self.stack.project.as_ref().and_then(|project| project.services.get(&self.name));
        let ids: Vec<String> =
            self.containers()?.into_iter().map(|container| container.id).collect();
        if ids.is_empty() {
            return Err(self.running().err().unwrap_or_else(|| {
                Failure::new(
                    Kind::NotFound,
                    format!("The service \"{}\" has no container", self.name),
                )
            }));
        }
        self.may_use("wait for the service")?;
        if let Some(failure) =
            patience.refused(&self.stack.context, &format!("The service \"{}\"", self.name))
        {
            return Err(failure);
        }
        if let Some(watch) = &self.stack.context.watch {
            for id in &ids {
                match until {
                    WaitCondition::Completed => watch.awaits_end(id),
                    WaitCondition::Ready => watch.awaits_readiness(id),
                }
            }
        }
        let awaiting = self.stack.context.awaiting.as_ref();
        let wait = awaiting.map(|awaiting| awaiting.begins(&self.name, &ids, until));
        let waited = finish(&self.stack.context, async {
            let ctx = verb_context(&self.stack.context, &self.stack.name).await?;
            verbs::wait(
                &ctx,
                &self.stack.name,
                &self.name,
                described,
                &ids,
                until,
                patience.timeout,
            )
            .await
        });
        if let (Some(awaiting), Some(wait)) = (awaiting, wait) {
            awaiting.ends(&wait);
        }
        waited
    }

    fn lifecycle(&self, verb: Lifecycle) -> Result<Record, Failure> {
        self.stack.lifecycle(Some(vec![self.name.clone()]), verb, None)
    }

    fn scale(&self, count: i64) -> Result<Record, Failure> {
        let wrong = || {
            Failure::usage(format!("A service can't have {count} containers"))
                .hint(format!("use a number from 0 to {MOST_CONTAINERS}"))
        };
        let count = u32::try_from(count)
            .ok()
            .filter(|count| *count <= MOST_CONTAINERS)
            .ok_or_else(wrong)?;
        let project = self.stack.described()?.clone();
        let outcome = finish(&self.stack.context, async {
            let ctx = verb_context(&self.stack.context, &self.stack.name).await?;
            verbs::scale(&ctx, &project, &self.name, count).await
        });
        let outcome = self.stack.placed(outcome)?;
        Ok(Record::new(
            "result",
            Map::from([
                ("changes".into(), i64::try_from(outcome.changes).unwrap_or(i64::MAX).into()),
                ("changed".into(), (outcome.changes > 0).into()),
            ]),
        ))
    }

    fn logs(&self, options: Map) -> Result<Dynamic, Failure> {
        let request = logs::request(&self.stack.context, options)?;
        self.may_use("read the log of the service")?;
        logs::of_services(&self.stack, Some([self.name.clone()].into()), &request)
    }

    fn port(&self, target: &Dynamic) -> Result<i64, Failure> {
        let text = target.as_int().map_or_else(|_| target.to_string(), |number| number.to_string());
        let (number, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        let wrong = || {
            Failure::usage(format!("\"{text}\" is not a port")).hint("write 8000, or \"53/udp\"")
        };
        let number: u16 = number.parse().map_err(|_| wrong())?;
        let containers = self.containers()?;
        if !containers.iter().any(|container| container.state == ContainerState::Running) {
            // The container publishes its ports only while it runs.
            return self.running().map(|_| i64::from(number));
        }
        let found = containers
            .iter()
            .flat_map(|container| &container.ports)
            .find(|port| port.target == number && port.protocol == protocol);
        found.map(|port| i64::from(port.published)).ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                format!(
                    "The service \"{}\" does not publish the port {number}/{protocol}",
                    self.name
                ),
            )
            .hint("publish it with `ports`, and bring the service up")
        })
    }

    fn state(&self) -> Result<String, Failure> {
        let containers = self.containers()?;
        Ok(match containers.first() {
            None => "missing".to_owned(),
            Some(first) => containers
                .iter()
                .find(|container| container.state != ContainerState::Running)
                .unwrap_or(first)
                .state
                .word()
                .to_owned(),
        })
    }
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// The service's name.
    #[rhai_fn(get = "name", pure)]
    pub fn name(service: &mut Service) -> String {
        service.name.clone()
    }

    /// The stack that the service belongs to.
    #[rhai_fn(get = "stack", pure)]
    pub fn stack(service: &mut Service) -> Stack {
        service.stack.clone()
    }

    /// Docker's word for the state of its containers, the worst of them; `missing` if it has no
    /// container.
    #[rhai_fn(get = "state", return_raw, pure)]
    pub fn state(service: &mut Service) -> Raw<String> {
        Ok(service.state()?)
    }

    /// The image in its description, or of its containers.
    #[rhai_fn(get = "image", return_raw, pure)]
    pub fn image(service: &mut Service) -> Raw<String> {
        if let Some(described) =
            service.stack.project.as_ref().and_then(|project| project.services.get(&service.name))
        {
            return Ok(described.image.clone());
        }
        Ok(service.running()?.image_id)
    }

    /// A service has no tag.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(service: &mut Service) -> Raw<Dynamic> {
        Err(Failure::usage(format!("A service has no \"tag\" (asked of {})", service.name))
            .hint("its image has: .image")
            .into())
    }

    /// The number of running containers.
    #[rhai_fn(return_raw, pure)]
    pub fn count(service: &mut Service) -> Raw<i64> {
        let running = service
            .containers()?
            .iter()
            .filter(|container| container.state == ContainerState::Running)
            .count();
        Ok(i64::try_from(running).unwrap_or(i64::MAX))
    }

    /// Its containers, as handles.
    #[rhai_fn(return_raw, pure)]
    pub fn containers(service: &mut Service) -> Raw<Array> {
        let context = &service.stack.context;
        Ok(service
            .containers()?
            .into_iter()
            .map(|container| {
                Dynamic::from(Container { context: context.clone(), name: container.name })
            })
            .collect())
    }

    /// Wait until it is `"ready"` or `"completed"`, as long as its own check allows.
    #[rhai_fn(name = "wait", return_raw, pure)]
    pub fn wait(service: &mut Service, until: &str) -> Raw<()> {
        Ok(service.wait(until, &Patience::default())?)
    }

    /// Wait until it is `"ready"` or `"completed"`, at most `timeout`; throws `timeout`. A map has
    /// the options `timeout` and `assume`: a plan takes it to come in time, with `assume:
    /// false` not to.
    #[rhai_fn(name = "wait", return_raw, pure)]
    pub fn wait_for(service: &mut Service, until: &str, timeout: Dynamic) -> Raw<()> {
        Ok(service.wait(until, &Patience::read(&timeout)?)?)
    }

    /// Run the service's health check once now: `ok code output elapsed_ms`.
    #[rhai_fn(return_raw, pure)]
    pub fn probe(service: &mut Service) -> Raw<Record> {
        let container = service.running()?;
        service.may_use("check the service")?;
        Ok(healthcheck::once(
            &service.stack.context,
            &service.stack.name,
            &container.id,
            Map::new(),
        )?)
    }

    /// Set the number of containers. Later runs of `up` keep this number until `down`, and say so.
    /// If the description contains a number (`scale` or `replicas`), the next `up` uses that one.
    #[rhai_fn(name = "scale", return_raw, pure)]
    pub fn scale(service: &mut Service, count: i64) -> Raw<Record> {
        Ok(service.scale(count)?)
    }

    /// Start the service's stopped containers without changes, and wait until they are ready.
    #[rhai_fn(name = "start", return_raw, pure)]
    pub fn start(service: &mut Service) -> Raw<Record> {
        Ok(service.lifecycle(Lifecycle::Start)?)
    }

    /// Stop the service's containers.
    #[rhai_fn(name = "stop", return_raw, pure)]
    pub fn stop(service: &mut Service) -> Raw<Record> {
        Ok(service.lifecycle(Lifecycle::Stop)?)
    }

    /// Restart the service's containers, and wait until they are ready.
    #[rhai_fn(name = "restart", return_raw, pure)]
    pub fn restart(service: &mut Service) -> Raw<Record> {
        Ok(service.lifecycle(Lifecycle::Restart)?)
    }

    /// Send KILL to the service's containers.
    #[rhai_fn(name = "kill", return_raw, pure)]
    pub fn kill(service: &mut Service) -> Raw<()> {
        kill_with(service, "KILL")
    }

    /// Send a signal to the service's containers: `"HUP"`.
    #[rhai_fn(name = "kill", return_raw, pure)]
    pub fn kill_with(service: &mut Service, signal: &str) -> Raw<()> {
        for container in service
            .containers()?
            .into_iter()
            .filter(|container| container.state == ContainerState::Running)
        {
            Container { context: service.stack.context.clone(), name: container.name }
                .kill(signal)?;
        }
        Ok(())
    }

    /// The service's log: a list of lines.
    #[rhai_fn(name = "logs", return_raw, pure)]
    pub fn logs(service: &mut Service) -> Raw<Dynamic> {
        Ok(service.logs(Map::new())?)
    }

    /// The service's log, with `follow tail since "until" timestamps assume`; see `help
    /// stack.logs`.
    #[rhai_fn(name = "logs", return_raw, pure)]
    pub fn logs_with(service: &mut Service, options: Map) -> Raw<Dynamic> {
        Ok(service.logs(options)?)
    }

    /// The host port that publishes a container port: `8000`, or `"53/udp"`.
    #[rhai_fn(name = "port", return_raw, pure)]
    pub fn port(service: &mut Service, target: Dynamic) -> Raw<i64> {
        Ok(service.port(&target)?)
    }

    /// The text of a file in the service's first running container.
    #[rhai_fn(name = "read", return_raw, pure)]
    pub fn read(service: &mut Service, path: &str) -> Raw<String> {
        let container = service.running()?;
        service.may_use("read a file of the service")?;
        Ok(files::read(&service.stack.context, &container.id, path)?)
    }

    /// The same with `assume`: the text (or a list or map, as JSON) that a plan continues with if
    /// it creates or changes the container.
    #[rhai_fn(name = "read", return_raw, pure)]
    pub fn read_with(service: &mut Service, path: &str, options: Map) -> Raw<String> {
        let container = service.running()?;
        Ok(files::read_with(&service.stack.context, &container.id, path, options)?)
    }

    /// Write a file into each running container of the service. The folder of the file has to
    /// exist.
    #[rhai_fn(name = "write", return_raw, pure)]
    pub fn write(service: &mut Service, path: &str, text: &str) -> Raw<()> {
        let running: Vec<_> = service
            .containers()?
            .into_iter()
            .filter(|container| container.state == ContainerState::Running)
            .collect();
        if !running.is_empty() {
            service.may_use("write a file of the service")?;
        }
        for container in running {
            files::write(&service.stack.context, &container.id, path, text)?;
            service.stack.context.script.changes.note();
        }
        Ok(())
    }

    /// Run the service's own command once, in a new container: `code ok stdout stderr elapsed_ms`.
    /// The container has the settings of the service, without its name, ports and addresses, and is
    /// removed afterwards. Missing networks, volumes and services that it depends on are created
    /// and brought up.
    #[rhai_fn(name = "run", return_raw, pure)]
    pub fn run_own(service: &mut Service) -> Raw<Record> {
        Ok(run::for_service(service, None, Map::new())?)
    }

    /// The same with options: `environment user working_dir timeout check no_deps assume`. With
    /// `no_deps: true` no other service is brought up. `assume` is the answer in a plan, as in
    /// `exec`.
    #[rhai_fn(name = "run", return_raw, pure)]
    pub fn run_own_with(service: &mut Service, options: Map) -> Raw<Record> {
        Ok(run::for_service(service, None, options)?)
    }

    /// Run another command in such a new container.
    #[rhai_fn(name = "run", return_raw, pure)]
    pub fn run(service: &mut Service, command: Dynamic) -> Raw<Record> {
        Ok(run::for_service(service, Some(&command), Map::new())?)
    }

    /// The same with options: `environment user working_dir timeout check no_deps assume`.
    #[rhai_fn(name = "run", return_raw, pure)]
    pub fn run_with(service: &mut Service, command: Dynamic, options: Map) -> Raw<Record> {
        Ok(run::for_service(service, Some(&command), options)?)
    }

    /// The service as text.
    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_text(service: &mut Service) -> String {
        service.to_string()
    }
}

/// Registers the type and its functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_type_with_name::<Service>("service");
    engine.register_global_module(shared_module!(functions));
}

#[cfg(test)]
mod tests {
    use crate::api::harness::Harness;
    use crate::engine::sim::SimEngine;
    use crate::host::sim::executor::SimTaskExecutor;

    #[test]
    fn a_port_that_a_service_does_not_publish_is_named() {
        let sim = SimTaskExecutor::new(1);
        let engine = SimEngine::builder(sim.clone()).open_registry().build();
        let trial = Harness::on_engine(&sim, std::sync::Arc::new(engine), |host| host, "");
        let up = r#"let shop = stack("shop", #{ services: #{ web: #{ image: "web:1", ports: ["8080:80"] } } }); shop.up(); let web = shop.service("web");"#;
        assert_eq!(trial.text(&format!("{up} web.port(80)")), "8080");
        for (port, message) in [
            ("81", "The service \"web\" does not publish the port 81/tcp"),
            ("\"80/udp\"", "The service \"web\" does not publish the port 80/udp"),
            ("\"http\"", "\"http\" is not a port"),
        ] {
            assert_eq!(trial.fails(&format!("{up} web.port({port})")).message, message);
        }
    }
}
