//! Builds the request bodies of the engine's create calls from the types of `model`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use bollard::models;

use super::VerbContext;
use super::one_off_spec::OneOffSpec;
use crate::engine::ApiVersion;
use crate::model::exclusive_resources::without_exclusive;
use crate::model::hash;
use crate::model::names::{HOLDS_SECRETS, LABEL_FORMAT, LOCK_IMAGE, compose_label, label};
use crate::model::ownership::complete;
use crate::model::secret::Secrets;
use crate::model::spec::secret::SECRETS_FOLDER;
use crate::model::spec::{
    Condition, Healthcheck, Mount, MountSource, Network, Project, Restart, Service, Volume,
};

/// The input for a container's create call.
pub struct ContainerRequest<'a> {
    pub project: &'a Project,
    pub service: &'a Service,
    pub number: u32,
    /// Whether the container has the service's name as alias from its start.
    pub alias: bool,
    /// `<key id>:<fingerprint>` of its secrets.
    pub fingerprint: Option<&'a str>,
    /// Target → name of the anonymous volumes that are taken over from the replaced container.
    pub inherited: &'a BTreeMap<String, String>,
    pub secrets: &'a Secrets,
    pub api: ApiVersion,
    pub directory: &'a str,
    pub run: &'a str,
}

/// The body of a container's create call. Only this function reveals exposed secrets in the
/// environment.
pub fn container(request: &ContainerRequest<'_>) -> models::ContainerCreateBody {
    let service = request.service;
    let environment = service
        .environment
        .iter()
        .map(|(key, value)| format!("{key}={}", request.secrets.reveal(value)))
        .collect();
    let first_network = service.networks.keys().next();
    models::ContainerCreateBody {
        image: Some(service.image.clone()),
        cmd: service.command.clone(),
        entrypoint: service.entrypoint.clone(),
        env: Some(environment),
        user: service.user.clone(),
        working_dir: service.working_dir.clone(),
        hostname: service.hostname.clone(),
        labels: Some(labels(request)),
        // Without `exposed_ports` the engine silently publishes nothing.
        exposed_ports: Some(service.ports.iter().map(crate::model::spec::Port::key).collect()),
        healthcheck: service.healthcheck.as_ref().map(|check| healthcheck(check, request.api)),
        stop_signal: service.stop_signal.clone(),
        stop_timeout: service.stop_grace_period.map(whole_seconds),
        host_config: Some(host_config(
            request,
            first_network.map(|key| request.project.networks[key].name.clone()),
        )),
        networking_config: first_network.map(|key| models::NetworkingConfig {
            endpoints_config: Some(HashMap::from([(
                request.project.networks[key].name.clone(),
                endpoint(service, key, request.alias),
            )])),
        }),
        ..models::ContainerCreateBody::default()
    }
}

/// The networks after the first one: name and endpoint. Older engines accept them only in separate
/// `connect` calls.
pub fn further_networks(
    project: &Project,
    service: &Service,
    alias: bool,
) -> Vec<(String, models::EndpointSettings)> {
    service
        .networks
        .keys()
        .skip(1)
        .map(|key| (project.networks[key].name.clone(), endpoint(service, key, alias)))
        .collect()
}

/// All networks of a service: name and endpoint.
pub fn all_networks(
    project: &Project,
    service: &Service,
) -> Vec<(String, models::EndpointSettings)> {
    service
        .networks
        .keys()
        .map(|key| (project.networks[key].name.clone(), endpoint(service, key, true)))
        .collect()
}

fn endpoint(service: &Service, network: &str, alias: bool) -> models::EndpointSettings {
    let attachment = &service.networks[network];
    let mut aliases = Vec::new();
    if alias {
        aliases.push(service.name.clone());
        aliases.extend(attachment.aliases.iter().cloned());
    }
    let ipam = attachment.is_static().then(|| models::EndpointIpamConfig {
        ipv4_address: attachment.ipv4_address.map(|address| address.to_string()),
        ipv6_address: attachment.ipv6_address.map(|address| address.to_string()),
        ..models::EndpointIpamConfig::default()
    });
    models::EndpointSettings {
        aliases: Some(aliases),
        ipam_config: ipam,
        ..models::EndpointSettings::default()
    }
}

fn labels(request: &ContainerRequest<'_>) -> HashMap<String, String> {
    let (project, service) = (request.project, request.service);
    let depends_on: Vec<String> = service
        .depends_on
        .iter()
        .map(|(name, how)| {
            format!("{name}:{}:{}", how.condition.word(), how.condition == Condition::Completed)
        })
        .collect();
    let spec_hash = hash::service(service, project, request.secrets);
    let mut labels: HashMap<String, String> =
        service.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let own = [
        (compose_label::PROJECT, project.name.clone()),
        (compose_label::SERVICE, service.name.clone()),
        (compose_label::CONTAINER_NUMBER, request.number.to_string()),
        (compose_label::ONEOFF, "False".to_owned()),
        (compose_label::CONFIG_HASH, spec_hash.clone()),
        (compose_label::DEPENDS_ON, depends_on.join(",")),
        (compose_label::WORKING_DIR, request.directory.to_owned()),
        (label::FORMAT, LABEL_FORMAT.to_owned()),
        (label::PROJECT, project.name.clone()),
        (label::SERVICE, service.name.clone()),
        (label::HASH, spec_hash),
        (label::PARTS, hash::parts(service, project, request.secrets)),
        (label::RUN, request.run.to_owned()),
        (label::PROFILES, project.profiles.iter().cloned().collect::<Vec<_>>().join(",")),
    ];
    labels.extend(own.into_iter().map(|(key, value)| (key.to_owned(), value)));
    if let Some(release) = &service.release {
        labels.insert(label::RELEASE.to_owned(), release.clone());
    }
    if !request.alias {
        labels.insert(label::BESIDE.to_owned(), "true".to_owned());
    }
    if let Some(fingerprint) = request.fingerprint {
        labels.insert(label::SECRETS.to_owned(), fingerprint.to_owned());
    }
    complete(labels).into_iter().collect()
}

fn host_config(request: &ContainerRequest<'_>, network: Option<String>) -> models::HostConfig {
    let service = request.service;
    let (binds, mut mounts) = mounts(request);
    for (target, name) in request.inherited {
        mounts.push(volume_mount(target, Some(name.clone()), false, false));
    }
    if service.read_only && !(service.secrets.is_empty() && service.configs.is_empty()) {
        mounts.push(secrets_mount(&request.project.name));
    }
    models::HostConfig {
        binds: (!binds.is_empty()).then_some(binds),
        mounts: (!mounts.is_empty()).then_some(mounts),
        port_bindings: (!service.ports.is_empty()).then(|| port_bindings(service)),
        restart_policy: Some(restart_policy(service.restart)),
        log_config: service.logging.as_ref().map(|logging| models::HostConfigLogConfig {
            typ: logging.driver.clone(),
            config: Some(
                logging.options.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            ),
        }),
        network_mode: network,
        init: service.init,
        extra_hosts: (!service.extra_hosts.is_empty()).then(|| service.extra_hosts.clone()),
        readonly_rootfs: service.read_only.then_some(true),
        ..models::HostConfig::default()
    }
}

/// Splits mounts into `binds` and `mounts`. The engine creates a missing source of a bind mount
/// only for `binds`.
fn mounts(request: &ContainerRequest<'_>) -> (Vec<String>, Vec<models::Mount>) {
    let (mut binds, mut mounts) = (Vec::new(), Vec::new());
    for mount in &request.service.volumes {
        let Mount { target, source, read_only } = mount;
        match source {
            MountSource::Volume { name, nocopy } => {
                mounts.push(volume_mount(
                    target,
                    Some(request.project.volumes[name].name.clone()),
                    *read_only,
                    *nocopy,
                ));
            }
            // Taken over from the replaced container, under the same name.
            MountSource::Anonymous if request.inherited.contains_key(&mount.place()) => {}
            MountSource::Anonymous => mounts.push(volume_mount(target, None, *read_only, false)),
            MountSource::Bind { path, create } => {
                let path = path.to_string_lossy().into_owned();
                if *create && !path.contains(':') && !target.contains(':') {
                    binds.push(format!("{path}:{target}{}", if *read_only { ":ro" } else { "" }));
                } else {
                    mounts.push(models::Mount {
                        typ: Some(models::MountType::BIND),
                        source: Some(path),
                        target: Some(target.clone()),
                        read_only: Some(*read_only),
                        ..models::Mount::default()
                    });
                }
            }
            MountSource::Tmpfs { size } => mounts.push(models::Mount {
                typ: Some(models::MountType::TMPFS),
                target: Some(target.clone()),
                tmpfs_options: size.map(|size| models::MountTmpfsOptions {
                    size_bytes: i64::try_from(size).ok(),
                    ..models::MountTmpfsOptions::default()
                }),
                ..models::Mount::default()
            }),
        }
    }
    (binds, mounts)
}

fn volume_mount(
    target: &str,
    source: Option<String>,
    read_only: bool,
    no_copy: bool,
) -> models::Mount {
    models::Mount {
        typ: Some(models::MountType::VOLUME),
        source,
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        volume_options: no_copy.then(|| models::MountVolumeOptions {
            no_copy: Some(true),
            ..models::MountVolumeOptions::default()
        }),
        ..models::Mount::default()
    }
}

/// The volume for the secrets and configs of a read-only container. Its labels make it findable
/// when its container is gone.
fn secrets_mount(project: &str) -> models::Mount {
    let labels =
        [(label::FORMAT, LABEL_FORMAT), (label::PROJECT, project), (label::HOLDS, HOLDS_SECRETS)];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
    models::Mount {
        volume_options: Some(models::MountVolumeOptions {
            labels: Some(labels.into()),
            ..models::MountVolumeOptions::default()
        }),
        ..volume_mount(SECRETS_FOLDER, None, false, false)
    }
}

fn port_bindings(service: &Service) -> HashMap<String, Option<Vec<models::PortBinding>>> {
    let mut bindings: HashMap<String, Option<Vec<models::PortBinding>>> = HashMap::new();
    for port in &service.ports {
        bindings.entry(port.key()).or_default().get_or_insert_with(Vec::new).push(
            models::PortBinding {
                host_ip: port.host_ip.clone(),
                host_port: port.published.map(|port| port.to_string()),
            },
        );
    }
    bindings
}

pub(super) fn restart_policy(restart: Restart) -> models::RestartPolicy {
    use models::RestartPolicyNameEnum as Name;
    let (name, retries) = match restart {
        Restart::No => (Name::NO, None),
        Restart::Always => (Name::ALWAYS, None),
        Restart::UnlessStopped => (Name::UNLESS_STOPPED, None),
        Restart::OnFailure(times) => (Name::ON_FAILURE, Some(i64::from(times))),
    };
    models::RestartPolicy { name: Some(name), maximum_retry_count: retries }
}

fn healthcheck(check: &Healthcheck, api: ApiVersion) -> models::HealthConfig {
    let nanos = |time: Option<Duration>| {
        time.map(|time| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
    };
    models::HealthConfig {
        test: check.test.as_ref().map(crate::model::spec::HealthTest::to_engine),
        interval: nanos(check.interval),
        timeout: nanos(check.timeout),
        retries: check.retries.map(i64::from),
        start_period: nanos(check.start_period),
        start_interval: if api >= ApiVersion::START_INTERVAL {
            nanos(check.start_interval)
        } else {
            None
        },
    }
}

fn whole_seconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}

/// The body of a network's create call.
pub fn network(
    project: &str,
    directory: &Path,
    key: &str,
    network: &Network,
) -> models::NetworkCreateRequest {
    let pools: Vec<models::IpamConfig> = network
        .ipam
        .iter()
        .map(|pool| models::IpamConfig {
            subnet: pool.subnet.map(|net| net.to_string()),
            gateway: pool.gateway.map(|address| address.to_string()),
            ip_range: pool.ip_range.map(|net| net.to_string()),
            ..models::IpamConfig::default()
        })
        .collect();
    models::NetworkCreateRequest {
        name: network.name.clone(),
        driver: Some(network.driver.clone().unwrap_or_else(|| "bridge".into())),
        options: (!network.driver_opts.is_empty())
            .then(|| network.driver_opts.clone().into_iter().collect()),
        ipam: (!pools.is_empty())
            .then(|| models::Ipam { config: Some(pools), ..models::Ipam::default() }),
        internal: Some(network.internal),
        attachable: Some(network.attachable),
        enable_ipv6: Some(network.enable_ipv6),
        labels: Some(object_labels(
            (project, directory),
            (compose_label::NETWORK, key),
            &hash::network(network),
            &network.labels,
        )),
        ..models::NetworkCreateRequest::default()
    }
}

/// The create call of an empty volume whose labels are a record.
pub fn record<const N: usize>(
    name: &str,
    labels: [(&str, String); N],
) -> models::VolumeCreateRequest {
    models::VolumeCreateRequest {
        name: Some(name.to_owned()),
        labels: Some(labels.map(|(key, value)| (key.to_owned(), value)).into()),
        ..models::VolumeCreateRequest::default()
    }
}

/// The body of a volume's create call.
pub fn volume(
    project: &str,
    directory: &Path,
    key: &str,
    volume: &Volume,
) -> models::VolumeCreateRequest {
    let mut labels = object_labels(
        (project, directory),
        (compose_label::VOLUME, key),
        &hash::volume(volume),
        &volume.labels,
    );
    if volume.shared {
        labels.insert(label::SHARED.to_owned(), "true".to_owned());
    }
    models::VolumeCreateRequest {
        name: Some(volume.name.clone()),
        driver: volume.driver.clone(),
        driver_opts: (!volume.driver_opts.is_empty())
            .then(|| volume.driver_opts.clone().into_iter().collect()),
        labels: Some(labels),
        ..models::VolumeCreateRequest::default()
    }
}

/// `kind` is Compose's label for the key. The labels include the project directory, which Compose
/// records only on containers: spc has to know the owner of a volume even when its containers are
/// gone.
fn object_labels(
    (project, directory): (&str, &Path),
    kind: (&str, &str),
    hash: &str,
    described: &BTreeMap<String, String>,
) -> HashMap<String, String> {
    let mut labels: HashMap<String, String> = described.clone().into_iter().collect();
    let directory = directory.to_string_lossy();
    let own = [
        (compose_label::PROJECT, project),
        (compose_label::WORKING_DIR, &directory),
        kind,
        (label::FORMAT, LABEL_FORMAT),
        (label::PROJECT, project),
        (label::HASH, hash),
    ];
    labels.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels
}

/// The body of the lock's container.
pub fn lock(project: &str, run: &str) -> models::ContainerCreateBody {
    let labels = [
        // With this label the lock is in the list of the project's containers, so a run sees it
        // without another call. Compose's own lists require more labels.
        (compose_label::PROJECT, project),
        (label::LOCK, project),
        (label::PROJECT, project),
        (label::FORMAT, LABEL_FORMAT),
        (label::RUN, run),
    ];
    models::ContainerCreateBody {
        image: Some(LOCK_IMAGE.to_owned()),
        // Never run, but the engine requires a command.
        cmd: Some(vec!["spc-lock".into()]),
        labels: Some(
            complete(labels.map(|(key, value)| (key.to_owned(), value.to_owned())))
                .into_iter()
                .collect(),
        ),
        ..models::ContainerCreateBody::default()
    }
}

/// The endpoint of the container `id` on a network that was recreated with the same name: only what
/// was requested, not what the engine added.
pub fn reconnected(endpoint: &models::EndpointSettings, id: &str) -> models::EndpointSettings {
    let is_own_id = |alias: &String| alias.len() >= 12 && id.starts_with(alias.as_str());
    models::EndpointSettings {
        aliases: endpoint
            .aliases
            .as_ref()
            .map(|aliases| aliases.iter().filter(|alias| !is_own_id(alias)).cloned().collect()),
        ipam_config: endpoint.ipam_config.clone(),
        ..models::EndpointSettings::default()
    }
}

/// An endpoint on a network with some aliases.
pub fn aliased(aliases: Option<Vec<String>>) -> models::EndpointSettings {
    models::EndpointSettings { aliases, ..models::EndpointSettings::default() }
}

/// The labels of a one-off container that is made from an image alone.
fn own_labels_of_image_run(ctx: &VerbContext, project: &str) -> [(String, String); 5] {
    [
        (compose_label::PROJECT, project),
        (compose_label::WORKING_DIR, &ctx.project.directory.to_string_lossy()),
        (label::PROJECT, project),
        (label::FORMAT, LABEL_FORMAT),
        (label::RUN, &ctx.run.id),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
}

/// The body of a one-off container. It is made from a service without its ports, name and health
/// check, or from an image alone.
pub fn one_off(ctx: &VerbContext, one_off: &OneOffSpec<'_>) -> models::ContainerCreateBody {
    let mut body = match one_off.service {
        Some((project, service)) => {
            // Other containers of the service use its ports, name and check. spc reads this
            // container's output from its log.
            let logging =
                service.logging.clone().filter(|logging| logging.driver.as_deref() != Some("none"));
            let bare = Service {
                logging,
                healthcheck: None,
                restart: Restart::No,
                ..without_exclusive(service)
            };
            container(&ContainerRequest {
                project,
                service: &bare,
                number: 1,
                alias: false,
                fingerprint: None,
                inherited: &std::collections::BTreeMap::new(),
                secrets: &ctx.secrets,
                api: ctx.engine.api_version(),
                directory: &ctx.project.directory.to_string_lossy(),
                run: &ctx.run.id,
            })
        }
        None => models::ContainerCreateBody {
            labels: Some(
                complete(own_labels_of_image_run(ctx, one_off.project)).into_iter().collect(),
            ),
            ..models::ContainerCreateBody::default()
        },
    };
    body.image = Some(one_off.image.to_owned());
    if !one_off.command.is_empty() {
        body.cmd = Some(one_off.command.clone());
    }
    body.env
        .get_or_insert_default()
        .extend(one_off.environment.iter().map(|line| ctx.secrets.reveal(line)));
    body.user = one_off.user.clone().or(body.user);
    body.working_dir = one_off.working_dir.clone().or(body.working_dir);
    let labels = body.labels.get_or_insert_default();
    labels.insert(compose_label::ONEOFF.to_owned(), "True".to_owned());
    if let Some(mark) = ctx.host.process_mark().and_then(|mark| serde_json::to_string(&mark).ok()) {
        labels.insert(label::PROCESS.to_owned(), mark);
    }
    // A one-off container doesn't use the health check of its image.
    body.healthcheck = Some(models::HealthConfig {
        test: Some(vec!["NONE".into()]),
        ..models::HealthConfig::default()
    });
    body
}
