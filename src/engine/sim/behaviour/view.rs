//! The view of a scripted command on its container, and its changes.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::process::{ExecAnswer, MountedVolume, ProcessView, Script};
use super::requests::proxies::ProxyView;
use crate::engine::sim::daemon::containers::Container;
use crate::engine::sim::daemon::health::health_command;
use crate::engine::sim::daemon::mounts::Source;
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::tree::Tree;
use crate::engine::{ExecRequest, OutputKind};

impl State {
    /// A command for a container's process; `None` if the container no longer exists.
    pub(in crate::engine::sim) fn script(
        &mut self,
        container: &str,
        request: ExecRequest,
        stdin: Option<Bytes>,
        then: impl FnOnce(&mut State, ExecAnswer) + Send + 'static,
    ) -> Option<Script> {
        let proxy = self.proxy_view(container, &request.command);
        let found = self.objects.containers.get(container)?;
        let mut view = self.view(found, &request);
        view.stdin = stdin;
        view.proxy = proxy.unwrap_or_default();
        Some(Script {
            process: found.process.clone(),
            container: container.to_owned(),
            request,
            view,
            then: Box::new(then),
        })
    }

    fn view(&self, container: &Container, request: &ExecRequest) -> ProcessView {
        let running_for = self.now.saturating_sub(container.started.unwrap_or(self.now));
        ProcessView {
            name: container.name.clone(),
            image: container.image.clone(),
            hostname: container.config.hostname.clone().unwrap_or_default(),
            command: container.command().join(" "),
            labels: container.labels.clone(),
            environment: container.config.env.clone().unwrap_or_default(),
            now: self.now,
            running_for,
            ready: container.process.is_ready(running_for),
            starts: container.starts,
            stdin: None,
            waits_for_input: false,
            volumes: self.mounted(container),
            health_test: health_command(&container.config),
            files: if container.process.looks(request) {
                self.visible_files(container)
            } else {
                Tree::default()
            },
            written: Vec::new(),
            changed: Vec::new(),
            said: Vec::new(),
            proxy: ProxyView::default(),
        }
    }

    fn mounted(&self, container: &Container) -> BTreeMap<String, MountedVolume> {
        let volumes = container.mounts.iter().filter_map(|mount| {
            let volume = self.objects.volumes.get(mount.volume()?)?;
            let seen = MountedVolume {
                name: volume.name.clone(),
                stamp: volume.stamp,
                writes: volume.writes,
                writable: mount.writable,
            };
            Some((mount.destination.clone(), seen))
        });
        volumes.collect()
    }

    /// The files for a process in the container.
    pub(in crate::engine::sim) fn visible_files(&self, container: &Container) -> Tree {
        let mut files = container.image_files.as_ref().clone();
        files.overlay(&container.layer, "/");
        for mount in &container.mounts {
            match &mount.source {
                Source::Volume { name, .. } => {
                    files.remove(&mount.destination);
                    if let Some(volume) = self.objects.volumes.get(name) {
                        files.overlay(&volume.files, &mount.destination);
                    }
                }
                // Uploaded files there are hidden by the mount.
                Source::Tmpfs { .. } => files.remove(&mount.destination),
                Source::Bind(_) => {}
            }
        }
        files
    }

    /// The changes of a script.
    pub(in crate::engine::sim) fn apply(&mut self, id: &str, view: ProcessView) {
        for (path, content) in view.written {
            self.write_file(id, &path, content);
        }
        for destination in view.changed {
            self.change_volume(id, &destination);
        }
        for line in view.said {
            self.log(id, OutputKind::Stdout, &format!("{line}\n"));
        }
        if view.proxy.is_reloaded {
            self.reload_proxy(id);
        }
    }
}
