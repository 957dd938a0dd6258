//! Removes and renames containers, and lists their processes.

use bollard::models::RestartPolicy;

use super::create::checked_name;
use super::lifecycle::{Exit, KILLED};
use super::status::state_name;
use super::{Container, Phase};
use crate::engine::sim::MODERN_API;
use crate::engine::sim::daemon::errors::{not_running, refusal};
use crate::engine::sim::daemon::mounts::Source;
use crate::engine::sim::daemon::state::State;
use crate::engine::{ProcessTable, Result};

const TOP_TITLES: [&str; 8] = ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"];

impl State {
    /// Removes it; with `volumes` also the anonymous volumes that no other container mounts.
    pub fn remove_container(&mut self, wanted: &str, force: bool, volumes: bool) -> Result<()> {
        let id = self.container_id(wanted)?;
        let container = self.container(&id)?;
        if container.is_running() && !force {
            return Err(self.still_running(container));
        }
        match container.phase {
            Phase::Running => {
                self.container_mut(&id)?.ends_for_good = true;
                self.emit_container(&id, "kill", &[("signal", "9")]);
                self.exited(&id, Exit::code(KILLED));
            }
            Phase::Restarting => self.give_up_restarting(&id),
            Phase::Created | Phase::Exited => {}
        }
        // A container that removes itself is gone by now.
        if self.objects.containers.contains_key(&id) {
            self.destroy_container(&id, volumes);
        }
        Ok(())
    }

    fn still_running(&self, container: &Container) -> crate::engine::EngineError {
        let state = state_name(container.phase);
        let words = if self.api >= MODERN_API {
            let procedure = "stop the container before removing or force remove";
            format!(
                "cannot remove container \"/{}\": container is {state}: {procedure}",
                container.name
            )
        } else {
            let procedure = "Stop the container before attempting removal or force remove";
            format!("You cannot remove a {state} container {}. {procedure}", container.id)
        };
        refusal(409, words)
    }

    /// Removes it in any state.
    pub(super) fn destroy_container(&mut self, id: &str, volumes: bool) {
        if volumes {
            for volume in self.anonymous_volumes(id) {
                self.drop_volume(&volume);
            }
        }
        self.emit_container(id, "destroy", &[]);
        self.objects.containers.remove(id);
        self.execs.retain(|_, exec| exec.container != id);
        self.end_log(id);
    }

    /// Its anonymous volumes that no other container mounts.
    fn anonymous_volumes(&self, id: &str) -> Vec<String> {
        let mounts =
            self.objects.containers.get(id).into_iter().flat_map(|container| &container.mounts);
        let own = mounts.filter_map(|mount| match &mount.source {
            Source::Volume { name, anonymous: true } => Some(name),
            _ => None,
        });
        let others = || self.objects.containers.values().filter(|container| container.id != id);
        let used = |name: &str| {
            others()
                .any(|container| container.mounts.iter().any(|mount| mount.volume() == Some(name)))
        };
        own.filter(|name| !used(name)).cloned().collect()
    }

    /// Renames it, at once also on its networks.
    pub fn rename_container(&mut self, wanted: &str, name: &str) -> Result<()> {
        if name.is_empty() || wanted.is_empty() {
            return Err(refusal(400, "Neither old nor new names may be empty"));
        }
        let id = self.container_id(wanted)?;
        let old = self.container(&id)?.name.clone();
        if name.strip_prefix('/').unwrap_or(name) == old {
            return Err(refusal(
                400,
                "Renaming a container with the same name as its current name",
            ));
        }
        let checked = checked_name(name).and_then(|name| match name {
            Some(name) => self.free_name(&name).map(|()| name),
            None => Err(refusal(400, "Neither old nor new names may be empty")),
        });
        let name = checked.map_err(|mut error| {
            error.message = format!("Error when allocating new name: {}", error.message);
            error
        })?;
        self.objects.containers.rename(&id, name);
        self.emit_container(&id, "rename", &[("oldName", &format!("/{old}"))]);
        Ok(())
    }

    pub fn update_container(&mut self, wanted: &str, restart: RestartPolicy) -> Result<()> {
        let id = self.container_id(wanted)?;
        self.container_mut(&id)?.host.restart_policy = Some(restart);
        self.emit_container(&id, "update", &[]);
        Ok(())
    }

    /// Its processes.
    pub fn top(&self, wanted: &str) -> Result<ProcessTable> {
        let container = self.objects.find_container(wanted)?;
        if container.phase != Phase::Running {
            return Err(not_running(&container.id));
        }
        let started = container
            .started
            .map(crate::host::sim::date)
            .unwrap_or_default()
            .format("%H:%M")
            .to_string();
        let user =
            container.config.user.as_deref().filter(|user| !user.is_empty()).unwrap_or("root");
        let beside =
            self.execs.values().filter(|exec| exec.running && exec.container == container.id);
        let commands = [container.command().join(" ")]
            .into_iter()
            .chain(beside.map(|exec| exec.command.join(" ")));
        let rows = (container.pid()..).zip(commands).map(|(pid, command)| {
            [user, &pid.to_string(), "1", "0", &started, "?", "00:00:00", &command]
                .map(str::to_owned)
                .to_vec()
        });
        Ok(ProcessTable {
            titles: Some(TOP_TITLES.map(str::to_owned).to_vec()),
            processes: Some(rows.collect()),
        })
    }
}
