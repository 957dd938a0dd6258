//! Past every check of a description: the calls themselves, on a simulated engine that remembers
//! whether one came.

mod moved;
mod ownership;

use std::collections::HashMap;
use std::future::Future;
use std::os::unix::ffi::OsStrExt;

use bollard::models::{
    ContainerCreateBody, DeviceMapping, DeviceRequest, EndpointSettings, HostConfig,
    HostConfigLogConfig, Mount, MountBindOptions, MountBindOptionsPropagationEnum, MountType,
    MountVolumeOptions, MountVolumeOptionsDriverConfig, NetworkCreateRequest, NetworkingConfig,
    VolumeCreateRequest,
};
use parking_lot::Mutex;

use super::*;
use crate::engine::observer::Observer;
use crate::engine::sim::{ImageSpec, SimEngine, SimEngineBuilder};
use crate::engine::{BuildRequest, ExecRequest, LogsRequest, StopRequest};
use crate::host::TaskExecutor;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::names::{compose_label, label};
use crate::policy::Settings;
use bollard::models;
use bytes::Bytes;
use futures::stream::BoxStream;

const HERE: &str = "/project";

struct GuardFixture {
    executor: Arc<SimTaskExecutor>,
    engine: SimEngine,
    guard: Guard,
}

fn bed(toml: &str) -> GuardFixture {
    bed_with(toml, |builder| builder)
}

fn bed_with(toml: &str, setup: impl FnOnce(SimEngineBuilder) -> SimEngineBuilder) -> GuardFixture {
    let executor = SimTaskExecutor::new(1);
    let engine =
        setup(SimEngine::builder(executor.clone()).image("app:1", ImageSpec::command(&["serve"])))
            .build();
    let host = SimHost::new(executor.clone())
        .with_folder("/project/data")
        .with_symlink("/project/in", "data")
        .with_folder("/elsewhere")
        .with_symlink("/project/out", "/elsewhere");
    let bytes = std::ffi::OsStr::from_bytes(b"/project/\xff");
    let host = host.with_folder(bytes).with_symlink("/project/bytes", bytes);
    let host = host.with_address(std::net::Ipv4Addr::new(10, 9, 8, 7).into());
    let host = Arc::new(host.with_folder("/project/a:b").with_symlink("/project/colon", "a:b"));
    let policy = Policy::new(Path::new(HERE), Settings::parse(toml.as_bytes()).unwrap(), &|path| {
        resolve(&*host, path)
    })
    .unwrap();
    let guard = Guard::new(Arc::new(engine.clone()), policy, host);
    GuardFixture { executor, engine, guard }
}

impl GuardFixture {
    fn run<F: Future>(&self, future: F) -> F::Output {
        TaskExecutor::Sim(self.executor.clone()).block_on(future)
    }

    /// Makes a container behind the guard's back, running, with a volume and a network of its
    /// project; its id.
    fn made(&self, project: &str, from: &str) -> String {
        let labels = of(project, from);
        self.run(async {
            let volume = format!("{project}_data");
            let volume = VolumeCreateRequest {
                name: Some(volume),
                labels: Some(labels.clone()),
                ..VolumeCreateRequest::default()
            };
            self.engine.volume_create(volume).await.unwrap();
            let network = NetworkCreateRequest {
                name: format!("{project}_net"),
                labels: Some(labels.clone()),
                ..NetworkCreateRequest::default()
            };
            self.engine.network_create(network).await.unwrap();
            let body = ContainerCreateBody { labels: Some(labels), ..plain() };
            let id = self
                .engine
                .container_create(&format!("{project}-web-1"), None, body)
                .await
                .unwrap()
                .id;
            self.engine.container_start(&id).await.unwrap();
            id
        })
    }

    /// What the guard says to a container with these host settings; the engine may not hear of it.
    fn host(&self, host: HostConfig) -> String {
        self.refused(self.guard.container_create(
            "own-web-1",
            None,
            ContainerCreateBody { host_config: Some(host), ..own() },
        ))
    }

    #[track_caller]
    fn refused<T>(&self, call: impl Future<Output = Result<T>>) -> String {
        let before = self.state();
        let error = self.run(call).err().expect("a refusal");
        assert_eq!(error.kind, EngineErrorKind::Refused, "{error}");
        assert_eq!(self.state(), before, "the engine was changed");
        match error.hint {
            Some(hint) => format!(
                "{} [{}]",
                error.message,
                hint.strip_prefix("to allow it, write ").unwrap_or(&hint)
            ),
            None => error.message,
        }
    }

    fn state(&self) -> String {
        format!("{:?}", self.engine.state())
    }
}

fn plain() -> ContainerCreateBody {
    ContainerCreateBody { image: Some("app:1".into()), ..ContainerCreateBody::default() }
}

fn own() -> ContainerCreateBody {
    ContainerCreateBody { labels: Some(of("own", HERE)), ..plain() }
}

/// Labels as spc sets them.
fn of(project: &str, from: &str) -> HashMap<String, String> {
    let labels = [
        (label::PROJECT, project),
        (compose_label::PROJECT, project),
        (compose_label::WORKING_DIR, from),
        (compose_label::SERVICE, "web"),
    ];
    labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn options(options: &[(&str, &str)]) -> HashMap<String, String> {
    options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

const PRIVILEGED: &str = "[privileged = true under [allow] in spc.toml]";

#[test]
fn a_container_of_the_project_is_made() {
    let bed = bed("");
    let host = HostConfig {
        binds: Some(vec!["/project/src:/src:ro".into(), "own_data:/data".into()]),
        cap_drop: Some(vec!["ALL".into()]),
        security_opt: Some(vec!["no-new-privileges:true".into()]),
        memory: Some(1 << 20),
        privileged: Some(false),
        network_mode: Some("bridge".into()),
        ..HostConfig::default()
    };
    let created = bed.run(bed.guard.container_create(
        "own-web-1",
        None,
        ContainerCreateBody { host_config: Some(host), ..own() },
    ));
    assert!(bed.run(bed.guard.container_start(&created.unwrap().id)).unwrap());
}

#[test]
fn every_setting_that_reaches_beyond_the_container_is_refused_at_the_call() {
    let none = HostConfig::default;
    let text = |text: &str| Some(text.to_owned());
    let list = |text: &str| Some(vec![text.to_owned()]);
    let device = DeviceMapping { path_on_host: text("/dev/sda"), ..DeviceMapping::default() };
    let gpu = DeviceRequest { driver: text("nvidia"), ..DeviceRequest::default() };
    for (host, what) in vec![
        (HostConfig { privileged: Some(true), ..none() }, "privileged: true"),
        (HostConfig { pid_mode: text("host"), ..none() }, "pid: host"),
        (HostConfig { pid_mode: text("container:other"), ..none() }, "pid: container:other"),
        (HostConfig { network_mode: text("host"), ..none() }, "network_mode: host"),
        (
            HostConfig { network_mode: text("container:other"), ..none() },
            "network_mode: container:other",
        ),
        (HostConfig { ipc_mode: text("host"), ..none() }, "ipc: host"),
        (HostConfig { uts_mode: text("host"), ..none() }, "uts: host"),
        (HostConfig { userns_mode: text("host"), ..none() }, "userns_mode: host"),
        (HostConfig { cgroup_parent: text("/docker"), ..none() }, "cgroup_parent: /docker"),
        (HostConfig { runtime: text("unsafe"), ..none() }, "runtime: unsafe"),
        (HostConfig { cap_add: list("SYS_ADMIN"), ..none() }, "cap_add: SYS_ADMIN"),
        (
            HostConfig { security_opt: list("seccomp=unconfined"), ..none() },
            "security_opt: seccomp=unconfined",
        ),
        (
            HostConfig { security_opt: list("label:disable"), ..none() },
            "security_opt: label:disable",
        ),
        (
            HostConfig { masked_paths: Some(Vec::new()), ..none() },
            "security_opt: systempaths=unconfined",
        ),
        (HostConfig { volumes_from: list("other-db-1"), ..none() }, "volumes_from: other-db-1"),
        (
            HostConfig { device_cgroup_rules: list("a *:* rwm"), ..none() },
            "device_cgroup_rules: a *:* rwm",
        ),
        (
            HostConfig { devices: Some(vec![device]), ..none() },
            "devices: {\"PathOnHost\":\"/dev/sda\"}",
        ),
        (
            HostConfig { device_requests: Some(vec![gpu]), ..none() },
            "gpus: {\"Driver\":\"nvidia\"}",
        ),
        (
            HostConfig { sysctls: Some(options(&[("kernel.shmmax", "1")])), ..none() },
            "sysctls: {\"kernel.shmmax\":\"1\"}",
        ),
        (HostConfig { oom_score_adj: Some(-1000), ..none() }, "oom_score_adj: -1000"),
        (
            HostConfig {
                log_config: Some(HostConfigLogConfig { typ: text("syslog"), config: None }),
                ..none()
            },
            "logging: syslog",
        ),
    ] {
        assert_eq!(
            bed("").host(host.clone()),
            format!("A script may not use \"{what}\" {PRIVILEGED}")
        );
        let allowed = bed("[allow]\nprivileged = true\n");
        let body = ContainerCreateBody { host_config: Some(host), ..own() };
        let made = allowed.run(allowed.guard.container_create("own-web-1", None, body));
        // Some of it the simulated engine refuses in its own words.
        assert!(made.err().is_none_or(|error| error.kind != EngineErrorKind::Refused), "{what}");
    }
}

#[test]
fn every_way_to_mount_the_host_is_refused_at_the_call() {
    let bed = bed("");
    let bind = |source: &str| HostConfig {
        binds: Some(vec![format!("{source}:/host")]),
        ..HostConfig::default()
    };
    let mounted = |mount: Mount| HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() };
    let long = |source: &str| Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_owned()),
        target: Some("/host".into()),
        ..Mount::default()
    };
    let disguised = |kind: &str, o: &str, device: &str| {
        let driver = MountVolumeOptionsDriverConfig {
            name: Some("local".into()),
            options: Some(options(&[("type", kind), ("o", o), ("device", device)])),
        };
        let volume =
            MountVolumeOptions { driver_config: Some(driver), ..MountVolumeOptions::default() };
        Mount {
            typ: Some(MountType::VOLUME),
            target: Some("/host".into()),
            volume_options: Some(volume),
            ..Mount::default()
        }
    };
    for source in [
        "/",
        "//",
        "/etc",
        "/etc/",
        "/project/../etc",
        "/var/run/docker.sock",
        "/run",
        "/var/run",
        "/proc/1/root",
        "/project/../..",
    ] {
        assert!(bed.host(bind(source)).starts_with("A script may not mount"), "{source}");
        assert!(bed.host(mounted(long(source))).starts_with("A script may not mount"), "{source}");
        assert!(
            bed.host(mounted(disguised("none", "ro,bind", source)))
                .starts_with("A script may not mount"),
            "{source}"
        );
        assert!(
            bed.host(mounted(disguised("tmpfs", "rbind", source)))
                .starts_with("A script may not mount"),
            "{source}"
        );
        let volume = VolumeCreateRequest {
            name: Some("own_data".into()),
            labels: Some(of("own", HERE)),
            driver_opts: Some(options(&[("type", "none"), ("o", "bind"), ("device", source)])),
            ..VolumeCreateRequest::default()
        };
        assert!(
            bed.refused(bed.guard.volume_create(volume)).starts_with("A script may not mount"),
            "{source}"
        );
    }
    let shared = MountBindOptions {
        propagation: Some(MountBindOptionsPropagationEnum::RSHARED),
        ..MountBindOptions::default()
    };
    let shared = Mount { bind_options: Some(shared), ..long("/project/src") };
    assert_eq!(
        bed.host(mounted(shared)),
        format!("A script may not use \"propagation: rshared\" {PRIVILEGED}")
    );
    assert_eq!(
        bed.host(mounted(disguised("ext4", "", "/dev/sda1"))),
        format!("A script may not use \"device: /dev/sda1\" {PRIVILEGED}")
    );
}

#[test]
fn what_is_mounted_is_sent_as_it_was_checked() {
    let bed = bed("");
    let driver = |device: &str| options(&[("type", "none"), ("o", "bind"), ("device", device)]);
    for (device, sent) in [
        (".", "/project"),
        ("./data", "/project/data"),
        ("in", "/project/data"),
        ("/project/in/..", "/project"),
    ] {
        let name = format!("own_{}", device.replace(['/', '.'], "_"));
        let volume = VolumeCreateRequest {
            name: Some(name.clone()),
            labels: Some(of("own", HERE)),
            driver_opts: Some(driver(device)),
            ..VolumeCreateRequest::default()
        };
        bed.run(bed.guard.volume_create(volume)).unwrap();
        assert_eq!(
            bed.run(bed.engine.volume_inspect(&name)).unwrap().options["device"],
            sent,
            "{device}"
        );
    }
    let disguised = MountVolumeOptions {
        driver_config: Some(MountVolumeOptionsDriverConfig {
            name: None,
            options: Some(driver("in")),
        }),
        ..MountVolumeOptions::default()
    };
    let volume = Mount {
        source: Some("own_v".into()),
        target: Some("/v".into()),
        volume_options: Some(disguised),
        ..Mount::default()
    };
    let bind = Mount {
        typ: Some(MountType::BIND),
        source: Some("/project/in".into()),
        target: Some("/m".into()),
        ..Mount::default()
    };
    let host = HostConfig {
        binds: Some(vec!["/project/in:/b:ro".into()]),
        mounts: Some(vec![volume, bind]),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody { host_config: Some(host), ..own() };
    let id = bed.run(bed.guard.container_create("own-web-1", None, body)).unwrap().id;
    let made = bed.run(bed.engine.container_inspect(&id)).unwrap().host_config.unwrap();
    assert_eq!(made.binds.unwrap(), ["/project/data:/b:ro"]);
    assert_eq!(made.mounts.unwrap()[1].source.as_deref(), Some("/project/data"));
    assert_eq!(
        bed.run(bed.engine.volume_inspect("own_v")).unwrap().options["device"],
        "/project/data"
    );
}

/// Makes a container of the project behind the guard's back, as if `source` had been a folder then;
/// its id.
fn with_mounted(bed: &GuardFixture, name: &str, host: HostConfig) -> String {
    bed.run(bed.engine.container_create(
        name,
        None,
        ContainerCreateBody { host_config: Some(host), ..own() },
    ))
    .unwrap()
    .id
}

#[test]
fn a_folder_that_became_a_symlink_is_not_mounted_at_the_next_start() {
    let bed = bed("");
    let short = |source: &str| HostConfig {
        binds: Some(vec![format!("{source}:/x:ro")]),
        ..HostConfig::default()
    };
    let long = |source: &str| {
        let mount = Mount {
            typ: Some(MountType::BIND),
            source: Some(source.into()),
            target: Some("/x".into()),
            ..Mount::default()
        };
        HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() }
    };
    let volume = |device: &str| {
        let driver = MountVolumeOptionsDriverConfig {
            name: Some("local".into()),
            options: Some(options(&[("type", "none"), ("o", "bind"), ("device", device)])),
        };
        let disguised =
            MountVolumeOptions { driver_config: Some(driver), ..MountVolumeOptions::default() };
        let name = format!("own{}", device.replace('/', "_"));
        let mount = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(name),
            target: Some("/x".into()),
            volume_options: Some(disguised),
            ..Mount::default()
        };
        HostConfig { mounts: Some(vec![mount]), ..HostConfig::default() }
    };
    for (kind, host) in
        [("short", &short as &dyn Fn(&str) -> HostConfig), ("long", &long), ("volume", &volume)]
    {
        let out = with_mounted(&bed, &format!("own-{kind}-1"), host("/project/out"));
        let said = "A script may not mount \"/project/out\": since the container was created, a symlink was put into the path, and it leads to \"/elsewhere\", outside of the project [bind_mounts";
        let started = bed.refused(bed.guard.container_start(&out));
        assert!(started.starts_with(said), "{kind}: {started}");
        let restarted = bed.refused(bed.guard.container_restart(&out, &StopRequest::default()));
        assert!(restarted.starts_with(said), "{kind}: {restarted}");
        // What is still as it was, and what leads to another folder of the project, is started.
        for (at, source) in ["/project/data", "/project/in"].into_iter().enumerate() {
            let fine = with_mounted(&bed, &format!("own-{kind}-fine-{at}"), host(source));
            bed.run(bed.guard.container_start(&fine)).unwrap();
        }
    }
    // A person mounted this one, without a symlink in its way: it is started as ever.
    let by_hand = with_mounted(&bed, "own-by-hand-1", short("/srv/data"));
    bed.run(bed.guard.container_start(&by_hand)).unwrap();
}

#[test]
fn a_name_that_would_be_read_as_another_is_not_sent() {
    let bed = bed("");
    let bind = |source: &str| {
        let host =
            HostConfig { binds: Some(vec![format!("{source}:/x")]), ..HostConfig::default() };
        bed.run(bed.guard.container_create(
            "own-web-1",
            None,
            ContainerCreateBody { host_config: Some(host), ..own() },
        ))
        .unwrap_err()
    };
    let said = bind("/project/colon");
    assert_eq!(
        said.message,
        "\"/project/colon\" leads to \"/project/a:b\": a colon can't be in the source of a bind of the short form"
    );
    // An engine would be sent `\u{fffd}` in its place, which can be a symlink to anywhere.
    assert!(
        bind("/project/bytes").message.contains("has a name that is not UTF-8"),
        "{}",
        bind("/project/bytes").message
    );
}

#[test]
fn a_network_takes_nothing_of_the_host_and_of_other_networks() {
    let bed = bed("");
    bed.made("other", "/srv/other");
    let network = |change: &dyn Fn(&mut NetworkCreateRequest)| {
        let mut network = NetworkCreateRequest {
            name: "x".into(),
            labels: Some(of("own", HERE)),
            ..NetworkCreateRequest::default()
        };
        change(&mut network);
        bed.refused(bed.guard.network_create(network))
    };
    let said =
        network(&|it| it.options = Some(options(&[("com.docker.network.bridge.name", "virbr0")])));
    assert_eq!(
        said,
        format!("A script may not use \"com.docker.network.bridge.name: virbr0\" {PRIVILEGED}")
    );
    let said = network(&|it| {
        it.ipam = Some(models::Ipam { driver: Some("plugin".into()), ..models::Ipam::default() })
    });
    assert_eq!(said, format!("A script may not use \"ipam driver: plugin\" {PRIVILEGED}"));
    let from = models::ConfigReference { network: Some("other_net".into()) };
    let said = network(&|it| it.config_from = Some(from.clone()));
    assert!(
        said.starts_with(
            "A script may not take the configuration of the network \"other_net\": it belongs to"
        ),
        "{said}"
    );
}

#[test]
fn an_endpoint_leads_to_the_network_whose_name_was_checked() {
    let bed = bed("");
    bed.made("other", "/srv/other");
    let other = bed.run(bed.engine.network_inspect("other_net")).unwrap().id;
    let request = NetworkCreateRequest {
        name: "own_net".into(),
        labels: Some(of("own", HERE)),
        ..NetworkCreateRequest::default()
    };
    bed.run(bed.guard.network_create(request)).unwrap();
    let elsewhere = EndpointSettings { network_id: other, ..EndpointSettings::default() };
    let endpoints = NetworkingConfig {
        endpoints_config: Some(HashMap::from([("own_net".to_owned(), elsewhere.clone())])),
    };
    let host = HostConfig { network_mode: Some("own_net".into()), ..HostConfig::default() };
    let body = ContainerCreateBody {
        networking_config: Some(endpoints),
        host_config: Some(host),
        ..own()
    };
    let id = bed.run(bed.guard.container_create("own-web-1", None, body)).unwrap().id;
    let networks = |id: &str| {
        let inspected = bed.run(bed.engine.container_inspect(id)).unwrap();
        inspected.network_settings.unwrap().networks.unwrap().into_keys().collect::<Vec<_>>()
    };
    assert_eq!(networks(&id), ["own_net"]);
    let plain = bed.run(bed.guard.container_create("own-web-2", None, own())).unwrap().id;
    bed.run(bed.guard.network_connect("own_net", &plain, elsewhere)).unwrap();
    assert!(!networks(&plain).contains(&"other_net".to_owned()));
}

#[test]
fn the_hosts_network_is_refused_by_its_id_too_and_a_link_is_a_look_into_a_container() {
    let bed = bed("");
    bed.made("other", "/srv/other");
    let host = bed.run(bed.engine.network_inspect("host")).unwrap().id.unwrap();
    let created = bed.run(bed.guard.container_create("own-web-1", None, own())).unwrap();
    let said =
        bed.refused(bed.guard.network_connect(&host, &created.id, EndpointSettings::default()));
    assert_eq!(said, format!("A script may not use \"network: host\" {PRIVILEGED}"));
    let endpoints = NetworkingConfig {
        endpoints_config: Some(HashMap::from([(host, EndpointSettings::default())])),
    };
    let body = ContainerCreateBody { networking_config: Some(endpoints), ..own() };
    assert_eq!(
        bed.refused(bed.guard.container_create("own-web-2", None, body)),
        format!("A script may not use \"network: host\" {PRIVILEGED}")
    );
    let links = HostConfig { links: Some(vec!["other-web-1:db".into()]), ..HostConfig::default() };
    assert!(bed.host(links).starts_with("A script may not link to the container \"other-web-1\": it belongs to the project \"other\""));
}

#[test]
fn a_name_that_changes_hands_between_check_and_call_leads_nowhere_else() {
    let bed = bed("");
    let id = bed.run(bed.guard.container_create("own-web-1", None, own())).unwrap().id;
    let request = NetworkCreateRequest {
        name: "own_net".into(),
        labels: Some(of("own", HERE)),
        ..NetworkCreateRequest::default()
    };
    let network = bed.run(bed.guard.network_create(request)).unwrap();
    let sent: Arc<Mutex<Vec<(&str, String)>>> = Arc::default();
    let noted = sent.clone();
    let observer = Observer::new(Arc::new(bed.engine.clone()), move |call| {
        noted.lock().push((call.method().name(), call.target().to_owned()));
        Ok(())
    });
    let host = Arc::new(SimHost::new(bed.executor.clone()));
    let guard = Guard::new(
        Arc::new(observer),
        Policy::of_folder(Path::new(HERE), &|path| resolve(&*host, path)),
        host,
    );
    let stop = StopRequest::default();
    let exec = ExecRequest { command: vec!["id".into()], ..ExecRequest::default() };
    bed.run(async {
        let name = "own-web-1";
        guard.network_connect("own_net", name, EndpointSettings::default()).await.unwrap();
        guard.network_disconnect("own_net", name, false).await.unwrap();
        guard.network_remove("own_net").await.unwrap();
        guard.container_start(name).await.unwrap();
        drop(guard.exec_start(name, &exec).await);
        drop(guard.container_logs(name, &LogsRequest::default()).await);
        drop(guard.container_top(name).await);
        drop(guard.container_upload(name, "/", Bytes::new()).await);
        drop(guard.container_download(name, "/etc").await);
        drop(guard.container_kill(name, "HUP").await);
        drop(guard.container_update(name, models::RestartPolicy::default()).await);
        drop(guard.container_restart(name, &stop).await);
        drop(guard.container_stop(name, &stop).await);
        guard.container_rename(name, "own-web-2").await.unwrap();
        guard.container_remove("own-web-2", true, true).await.unwrap();
    });
    let looks = [
        "container_inspect",
        "image_inspect",
        "network_list",
        "network_inspect",
        "container_list",
        "volume_list",
    ];
    let acts: Vec<_> =
        sent.lock().iter().filter(|(method, _)| !looks.contains(method)).cloned().collect();
    assert_eq!(acts.len(), 15, "{acts:?}");
    // Of a disconnect the container counts.
    for (method, target) in acts.iter().filter(|(method, _)| *method != "network_disconnect") {
        assert_eq!(target, if method.starts_with("network") { &network } else { &id }, "{method}");
    }
}

#[test]
fn what_another_folder_made_is_not_changed_and_the_line_is_named() {
    let bed = bed("");
    let id = bed.made("other", "/srv/other");
    let line = "[if this is that project, in a folder that was renamed or moved or in another release, say so with --project other; \
                to allow it, write projects = [\"other\"] under [allow] in spc.toml]";
    let said = |doing: &str, object: &str| {
        format!(
            "A script may not {doing} \"{object}\": it belongs to the project \"other\", made from \"/srv/other\", which is not there any more {line}"
        )
    };
    let guard = &bed.guard;
    let stop = StopRequest::default();
    for name in [&id, &"other-web-1".to_owned()] {
        assert_eq!(
            bed.refused(guard.container_start(name)),
            said("start the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_stop(name, &stop)),
            said("stop the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_restart(name, &stop)),
            said("restart the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_kill(name, "KILL")),
            said("send a signal to the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_rename(name, "own-web-1")),
            said("rename the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_remove(name, true, true)),
            said("remove the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_logs(name, &LogsRequest::default())),
            said("read the log of the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_top(name)),
            said("look into the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_upload(name, "/", Bytes::new())),
            said("write into the container", "other-web-1")
        );
        assert_eq!(
            bed.refused(guard.container_download(name, "/etc")),
            said("read from the container", "other-web-1")
        );
        let exec = ExecRequest { command: vec!["id".into()], ..ExecRequest::default() };
        assert_eq!(
            bed.refused(guard.exec_start(name, &exec)),
            said("run a command in the container", "other-web-1")
        );
    }
    assert_eq!(
        bed.refused(guard.volume_remove("other_data", true)),
        said("remove the volume", "other_data")
    );
    assert_eq!(
        bed.refused(guard.network_remove("other_net")),
        said("remove the network", "other_net")
    );
    let mounts =
        HostConfig { binds: Some(vec!["other_data:/data".into()]), ..HostConfig::default() };
    assert_eq!(bed.host(mounts), said("mount the volume", "other_data"));
    let joins = HostConfig { network_mode: Some("other_net".into()), ..HostConfig::default() };
    assert_eq!(bed.host(joins), said("connect to the network", "other_net"));
    let endpoints = NetworkingConfig {
        endpoints_config: Some(HashMap::from([(
            "other_net".to_owned(),
            EndpointSettings::default(),
        )])),
    };
    let body = ContainerCreateBody { networking_config: Some(endpoints), ..own() };
    assert_eq!(
        bed.refused(guard.container_create("own-web-1", None, body)),
        said("connect to the network", "other_net")
    );
}

#[test]
fn nothing_is_made_in_another_projects_name() {
    let bed = bed("");
    bed.made("other", "/srv/other");
    let forged = |from: &str| ContainerCreateBody { labels: Some(of("other", from)), ..plain() };
    // Not from its own folder's record, nor from this one's.
    for from in ["/srv/other", HERE] {
        let said = bed.refused(bed.guard.container_create("other-web-2", None, forged(from)));
        assert!(said.starts_with("A script may not create the container \"other-web-2\": it belongs to the project \"other\""), "{said}");
    }
    let labels = || Some(HashMap::from([(label::PROJECT.to_owned(), "other".to_owned())]));
    let volume = VolumeCreateRequest {
        name: Some("x".into()),
        labels: labels(),
        ..VolumeCreateRequest::default()
    };
    assert!(
        bed.refused(bed.guard.volume_create(volume))
            .starts_with("A script may not create the volume \"x\"")
    );
    let network = NetworkCreateRequest {
        name: "x".into(),
        labels: labels(),
        ..NetworkCreateRequest::default()
    };
    assert!(
        bed.refused(bed.guard.network_create(network))
            .starts_with("A script may not create the network \"x\"")
    );
}

#[test]
fn a_project_that_a_person_named_is_a_scripts_to_change() {
    let bed = bed("[allow]\nprojects = [\"other\"]\n");
    let id = bed.made("other", "/srv/other");
    assert!(bed.run(bed.guard.container_stop(&id, &StopRequest::default())).unwrap());
    let given = self::bed("");
    given.made("other", "/srv/other");
    let host = Arc::new(SimHost::new(given.executor.clone()));
    let policy = Policy::of_folder(Path::new(HERE), &|path| resolve(&*host, path))
        .with_given_project(Some("other".into()));
    let guard = Guard::new(Arc::new(given.engine.clone()), policy, host);
    assert!(given.run(guard.container_stop("other-web-1", &StopRequest::default())).unwrap());
}

#[test]
fn volumes_without_containers_are_still_of_the_folder_that_made_them() {
    let bed = bed("");
    let id = bed.made("other", "/srv/other");
    bed.run(bed.engine.container_remove(&id, true, true)).unwrap();
    assert!(
        bed.refused(bed.guard.volume_remove("other_data", true))
            .contains("made from \"/srv/other\"")
    );
    // Those of Docker Compose say nothing of their folder.
    let composed = VolumeCreateRequest {
        name: Some("shop_data".into()),
        labels: Some(HashMap::from([(compose_label::PROJECT.to_owned(), "shop".to_owned())])),
        ..VolumeCreateRequest::default()
    };
    bed.run(bed.engine.volume_create(composed)).unwrap();
    assert!(
        bed.refused(bed.guard.volume_remove("shop_data", true))
            .contains("by Docker Compose from a folder that is not recorded")
    );
}

#[test]
fn what_nobody_made_is_not_changed_but_may_be_used() {
    let bed = bed("");
    bed.run(async {
        bed.engine.container_create("stray", None, plain()).await.unwrap();
        let volume =
            VolumeCreateRequest { name: Some("shared".into()), ..VolumeCreateRequest::default() };
        bed.engine.volume_create(volume).await.unwrap();
    });
    assert_eq!(
        bed.refused(bed.guard.container_remove("stray", true, true)),
        "A script may not remove the container \"stray\": no project made it"
    );
    let host = HostConfig { binds: Some(vec!["shared:/data".into()]), ..HostConfig::default() };
    let made = bed.run(bed.guard.container_create(
        "own-web-1",
        None,
        ContainerCreateBody { host_config: Some(host), ..own() },
    ));
    assert!(made.is_ok());
}

#[test]
fn a_container_that_is_gone_is_the_engines_to_tell() {
    let bed = bed("");
    assert!(
        bed.run(bed.guard.container_stop("none", &StopRequest::default()))
            .unwrap_err()
            .is_not_found()
    );
}

#[test]
fn other_privileged_calls_are_refused() {
    let bed = bed("");
    let labels = Some(of("own", HERE));
    let created = bed.run(bed.guard.container_create("own-web-1", None, own())).unwrap();
    let exec =
        ExecRequest { command: vec!["id".into()], privileged: true, ..ExecRequest::default() };
    assert_eq!(
        bed.refused(bed.guard.exec_start(&created.id, &exec)),
        format!("A script may not use \"exec with privileged: true\" {PRIVILEGED}")
    );
    for driver in ["host", "macvlan", "ipvlan", "some/plugin"] {
        let network = NetworkCreateRequest {
            name: "x".into(),
            driver: Some(driver.into()),
            labels: labels.clone(),
            ..NetworkCreateRequest::default()
        };
        assert_eq!(
            bed.refused(bed.guard.network_create(network)),
            format!("A script may not use \"driver: {driver}\" {PRIVILEGED}")
        );
    }
    let build = BuildRequest {
        tags: vec!["own-web".into()],
        dockerfile: "Dockerfile".into(),
        target: None,
        args: BTreeMap::new(),
        secrets: BTreeMap::new(),
        labels: BTreeMap::new(),
        no_cache: false,
        pull: false,
        network: Some("host".into()),
        platform: None,
        context_digest: String::new(),
        context: Box::pin(futures::stream::empty()),
    };
    assert_eq!(
        bed.refused(bed.guard.image_build(build)),
        format!("A script may not use \"build with network: host\" {PRIVILEGED}")
    );
    assert_eq!(
        bed.refused(bed.guard.network_connect("host", &created.id, EndpointSettings::default())),
        format!("A script may not use \"network: host\" {PRIVILEGED}")
    );
}

#[test]
fn nothing_is_asked_that_a_list_told_already() {
    let bed = bed("");
    let id = bed.made("own", HERE);
    bed.run(async {
        bed.guard
            .container_list(true, &crate::engine::label_filter(compose_label::PROJECT, "own"))
            .await
            .unwrap();
        bed.guard.network_list(&Filters::new()).await.unwrap();
        bed.guard.volume_list(&Filters::new()).await.unwrap();
        bed.guard.image_list(&Filters::new()).await.unwrap();
    });
    let before = bed.engine.calls().len();
    bed.run(bed.guard.container_stop(&id, &StopRequest::default())).unwrap();
    assert_eq!(bed.engine.calls().len(), before + 1);
}

#[test]
fn a_container_made_from_here_does_not_make_a_volume_of_unknown_origin_ones_own() {
    let bed = bed("");
    // What Docker Compose leaves of a project whose containers are gone: nothing says from which
    // folder.
    let labels = options(&[(compose_label::PROJECT, "other")]);
    let volume = VolumeCreateRequest {
        name: Some("other_data".into()),
        labels: Some(labels),
        ..VolumeCreateRequest::default()
    };
    bed.run(bed.engine.volume_create(volume)).unwrap();
    let body = ContainerCreateBody { labels: Some(of("other", HERE)), ..plain() };
    let refusal = bed.refused(bed.guard.container_create("other-web-1", None, body));
    assert!(
        refusal.contains("it belongs to the project \"other\", made by Docker Compose from a folder that is not recorded"),
        "{refusal}"
    );
    bed.refused(bed.guard.volume_remove("other_data", false));
}

#[test]
fn a_network_gets_no_addresses_of_this_machine_and_no_special_ones() {
    let subnet = |range: &str| {
        let pool =
            models::IpamConfig { subnet: Some(range.into()), ..models::IpamConfig::default() };
        let ipam = models::Ipam { config: Some(vec![pool]), ..models::Ipam::default() };
        NetworkCreateRequest {
            name: "own_net".into(),
            labels: Some(of("own", HERE)),
            ipam: Some(ipam),
            ..NetworkCreateRequest::default()
        }
    };
    let bed = bed("");
    let said = "A script may not give a network the addresses \"10.9.0.0/16\": it holds 10.9.8.7, an address of this machine";
    assert_eq!(
        bed.refused(bed.guard.network_create(subnet("10.9.0.0/16"))),
        format!("{said} {PRIVILEGED}")
    );
    assert_eq!(
        bed.refused(bed.guard.check(Intent::CreateNetwork(&subnet("10.9.0.0/16")))),
        format!("{said} {PRIVILEGED}")
    );
    assert!(
        bed.refused(bed.guard.network_create(subnet("127.0.0.0/8")))
            .starts_with("A network can't have the addresses 127.0.0.0/8")
    );
    bed.run(bed.guard.network_create(subnet("10.8.0.0/16"))).unwrap();
    let allowed = self::bed("[allow]\nprivileged = true\n");
    allowed.run(allowed.guard.network_create(subnet("10.9.0.0/16"))).unwrap();
}

#[test]
fn nothing_is_made_under_a_name_that_looks_like_an_id() {
    let bed = bed("");
    for name in ["0123456789ab", &"0f".repeat(32)] {
        assert!(
            bed.refused(bed.guard.container_create(name, None, own()))
                .contains("for another object's id")
        );
        let network = NetworkCreateRequest {
            name: name.into(),
            labels: Some(of("own", HERE)),
            ..NetworkCreateRequest::default()
        };
        assert!(bed.refused(bed.guard.network_create(network)).contains("for another object's id"));
    }
}

#[test]
fn a_check_refuses_what_the_call_would_and_asks_no_more_than_the_lists_say() {
    let bed = bed("");
    let id = bed.made("other", "/srv/other");
    let network = bed.run(bed.engine.network_inspect("other_net")).unwrap().id.unwrap();
    bed.run(async {
        for project in ["other", "own"] {
            bed.guard
                .container_list(true, &crate::engine::label_filter(compose_label::PROJECT, project))
                .await
                .unwrap();
        }
        bed.guard.network_list(&Filters::new()).await.unwrap();
        bed.guard.volume_list(&Filters::new()).await.unwrap();
        bed.guard.image_list(&Filters::new()).await.unwrap();
    });
    let calls = bed.engine.calls().len();
    let body = ContainerCreateBody { labels: Some(of("other", HERE)), ..plain() };
    let labels = of("other", HERE).into_iter().collect();
    for intent in [
        Intent::ChangeProject("other"),
        Intent::CreateContainer { name: "other-web-2", body: &body },
        Intent::StartContainer(&id),
        Intent::StopContainer(&id),
        Intent::RemoveContainer(&id),
        Intent::RenameContainer { container: &id, to: "own-web-1" },
        Intent::LookIntoContainer(&id),
        Intent::UseNetwork(&network),
        Intent::RemoveNetwork(&network),
        Intent::LookIntoNetwork(&network),
        Intent::UseVolume("other_data"),
        Intent::RemoveVolume("other_data"),
        Intent::LookIntoVolume("other_data"),
        Intent::BuildImage { tags: &["own-web".into()], network: None, labels: &labels },
        Intent::PullImage("spc-empty:1"),
    ] {
        bed.refused(bed.guard.check(intent));
    }
    bed.run(bed.guard.check(Intent::ChangeProject("own"))).unwrap();
    bed.run(bed.guard.check(Intent::CreateContainer { name: "own-web-1", body: &own() })).unwrap();
    assert_eq!(bed.engine.calls().len(), calls);
}
