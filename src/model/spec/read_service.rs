//! Parses one service of a stack.

use std::collections::BTreeMap;

use serde_json::Value;

use super::build::read_built_image;
use super::mount::host_path;
use super::project::ReadOptions;
use super::reader::Field;
use super::secret::SECRETS_FOLDER;
use super::service::{
    Condition, Dependency, EnvFile, Logging, NetworkAttachment, ProbeMode, Restart, Service,
};
use super::update::{UpdateOrder, Updates};
use super::verify::Verification;
use super::{
    Build, FileMount, Healthcheck, Mount, Port, config, container_fields, log_options, values,
};
use crate::model::Failure;

/// Keys of the Compose specification that spc does not support yet; rejected by name.
const UNSUPPORTED: &[&str] = &[
    "annotations",
    "attach",
    "blkio_config",
    "cap_add",
    "cap_drop",
    "cgroup",
    "cgroup_parent",
    "cpu_count",
    "cpu_percent",
    "cpu_period",
    "cpu_quota",
    "cpu_rt_period",
    "cpu_rt_runtime",
    "cpu_shares",
    "cpus",
    "cpuset",
    "credential_spec",
    "develop",
    "device_cgroup_rules",
    "devices",
    "dns",
    "dns_opt",
    "dns_search",
    "domainname",
    "extends",
    "external_links",
    "expose",
    "gpus",
    "group_add",
    "ipc",
    "isolation",
    "label_file",
    "links",
    "mac_address",
    "mem_limit",
    "mem_reservation",
    "mem_swappiness",
    "memswap_limit",
    "models",
    "network_mode",
    "oom_kill_disable",
    "oom_score_adj",
    "pid",
    "pids_limit",
    "platform",
    "post_start",
    "pre_stop",
    "privileged",
    "provider",
    "pull_policy",
    "pull_refresh_after",
    "runtime",
    "security_opt",
    "shm_size",
    "stdin_open",
    "storage_opt",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimits",
    "use_api_socket",
    "userns_mode",
    "uts",
    "volumes_from",
];

/// The most containers of one service.
pub const MOST_CONTAINERS: u32 = 1000;

fn count(field: &Field<'_>) -> Result<u32, Failure> {
    u32::try_from(field.number()?).ok().filter(|&number| number <= MOST_CONTAINERS).ok_or_else(
        || field.fail(format!("A service can have at most {MOST_CONTAINERS} containers")),
    )
}

/// A list is the argument vector. A string is split into words as by a shell, but no shell runs.
fn read_command(field: &Field<'_>) -> Result<Vec<String>, Failure> {
    match field.value {
        Value::String(line) => shell_words::split(line)
            .map_err(|_| field.fail(format!("A quote in \"{line}\" is not closed"))),
        _ => field.texts(),
    }
}

fn read_ports(field: &Field<'_>) -> Result<Vec<Port>, Failure> {
    let mut ports = Vec::new();
    for item in field.list()? {
        ports.extend(Port::read(&item)?);
    }
    ports.sort();
    ports.dedup();
    Ok(ports)
}

fn read_env_files(field: &Field<'_>, options: &ReadOptions<'_>) -> Result<Vec<EnvFile>, Failure> {
    let read = |field: &Field<'_>| match field.value {
        Value::String(path) => {
            Ok(EnvFile { path: host_path(field, path, options.directory)?, required: true })
        }
        _ => {
            let mut map = field.long_form("a path, a list of paths or a map")?;
            let path = map.required("path")?;
            let file = EnvFile {
                path: host_path(&path, &path.name_text()?, options.directory)?,
                required: map.read("required", Field::bool)?.unwrap_or(true),
            };
            map.finish(&["format"])?;
            Ok(file)
        }
    };
    match field.value {
        Value::Array(_) => field.list()?.iter().map(read).collect(),
        _ => Ok(vec![read(field)?]),
    }
}

fn read_networks(field: &Field<'_>) -> Result<BTreeMap<String, NetworkAttachment>, Failure> {
    if let Value::Array(_) = field.value {
        return field
            .list()?
            .iter()
            .map(|item| Ok((item.name_text()?, NetworkAttachment::default())))
            .collect();
    }
    if !field.value.is_object() {
        return Err(field.wrong_type("a list of networks or a map"));
    }
    let mut networks = BTreeMap::new();
    for (name, field) in field.entries()? {
        let mut map = field.map()?;
        let mut aliases = map.read("aliases", Field::texts)?.unwrap_or_default();
        aliases.sort();
        let attachment = NetworkAttachment {
            aliases,
            ipv4_address: map.read_filled("ipv4_address", |field| {
                let text = field.name_text()?;
                text.parse().map_err(|_| field.fail(format!("\"{text}\" is not an IPv4 address")))
            })?,
            ipv6_address: map.read_filled("ipv6_address", |field| {
                let text = field.name_text()?;
                text.parse().map_err(|_| field.fail(format!("\"{text}\" is not an IPv6 address")))
            })?,
        };
        map.finish(&[
            "driver_opts",
            "gw_priority",
            "interface_name",
            "link_local_ips",
            "mac_address",
            "priority",
        ])?;
        networks.insert(name, attachment);
    }
    Ok(networks)
}

fn read_depends_on(field: &Field<'_>) -> Result<BTreeMap<String, Dependency>, Failure> {
    if let Value::Array(_) = field.value {
        let started = Dependency { condition: Condition::Started, required: true };
        return field.list()?.iter().map(|item| Ok((item.name_text()?, started))).collect();
    }
    if !field.value.is_object() {
        return Err(field.wrong_type("a list of services or a map"));
    }
    let mut dependencies = BTreeMap::new();
    for (name, field) in field.entries()? {
        let mut map = field.map()?;
        let condition = match map.get("condition") {
            Some(field) => {
                let words = [Condition::Started, Condition::Healthy, Condition::Completed]
                    .map(Condition::word);
                Condition::from_word(&field.one_of(&words)?).unwrap_or(Condition::Started)
            }
            None => Condition::Started,
        };
        let required = map.read("required", Field::bool)?.unwrap_or(true);
        map.finish(&["restart"])?;
        dependencies.insert(name, Dependency { condition, required });
    }
    Ok(dependencies)
}

fn read_restart(field: &Field<'_>) -> Result<Restart, Failure> {
    let text = field.scalar()?;
    match text.as_str() {
        // YAML readers before 1.2 read an unquoted `no` as false.
        "no" | "false" => return Ok(Restart::No),
        "always" => return Ok(Restart::Always),
        "unless-stopped" => return Ok(Restart::UnlessStopped),
        "on-failure" => return Ok(Restart::OnFailure(0)),
        _ => {}
    }
    if let Some(times) = text.strip_prefix("on-failure:").and_then(|times| times.parse().ok()) {
        return Ok(Restart::OnFailure(times));
    }
    Err(field
        .fail(format!("\"restart\" can't be \"{text}\""))
        .hint("available: no, always, unless-stopped, on-failure, on-failure:TIMES"))
}

fn read_logging(field: &Field<'_>) -> Result<Logging, Failure> {
    let mut map = field.map()?;
    let logging = Logging {
        driver: map.read_filled("driver", Field::name_text)?,
        options: map
            .read("options", |field| field.pairs(&|_| Some(String::new())))?
            .unwrap_or_default(),
    };
    map.finish(&[])?;
    log_options::check(&logging, field)?;
    Ok(logging)
}

/// `{"name": "address"}`, also with a list of addresses, or `["name:address"]`, as Docker's
/// `name:address`.
fn read_extra_hosts(field: &Field<'_>) -> Result<Vec<String>, Failure> {
    let mut hosts = Vec::new();
    match field.value {
        Value::Object(_) => {
            for (name, addresses) in field.entries()? {
                match addresses.value {
                    Value::Array(_) => {
                        for address in addresses.list()? {
                            let text = address.name_text()?;
                            hosts.push(host_entry(&address, &name, &text, &text)?);
                        }
                    }
                    _ => {
                        let text = addresses.name_text()?;
                        hosts.push(host_entry(&addresses, &name, &text, &text)?);
                    }
                }
            }
        }
        Value::Array(_) => {
            for item in field.list()? {
                let text = item.name_text()?;
                match text.split_once(['=', ':']) {
                    Some((name, address)) if !name.is_empty() && !address.is_empty() => {
                        hosts.push(host_entry(&item, name, address, &text)?)
                    }
                    _ => {
                        return Err(item.fail(format!(
                            "\"{text}\" is not a host entry; write \"NAME:ADDRESS\""
                        )));
                    }
                }
            }
        }
        _ => return Err(field.wrong_type("a list of \"NAME:ADDRESS\" or a map")),
    }
    hosts.sort();
    Ok(hosts)
}

/// An entry in Docker's form. In Compose an IPv6 address may be in brackets, in Docker it may not.
/// `whole`: the text that contains the address, for messages.
fn host_entry(
    field: &Field<'_>,
    name: &str,
    address: &str,
    whole: &str,
) -> Result<String, Failure> {
    let plain =
        address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address);
    if plain != "host-gateway" && plain.parse::<std::net::IpAddr>().is_err() {
        return Err(field
            .fail(format!("The address of the host in \"{whole}\" is not an IP address"))
            .hint("write an IPv4 or IPv6 address, or host-gateway"));
    }
    Ok(format!("{name}:{plain}"))
}

#[derive(Default)]
struct Deploy {
    replicas: Option<u32>,
    updates: Updates,
}

fn read_deploy(field: &Field<'_>) -> Result<Deploy, Failure> {
    let mut map = field.map()?;
    let replicas = map.read("replicas", count)?;
    let updates = Updates::read(map.get("update_config"), map.get("rollback_config"))?;
    map.finish(&["mode", "endpoint_mode", "labels", "placement", "resources", "restart_policy"])?;
    Ok(Deploy { replicas, updates })
}

impl Service {
    /// Reads one entry of `services`.
    pub(super) fn read(
        name: &str,
        project: &str,
        field: &Field<'_>,
        options: &ReadOptions<'_>,
    ) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let build =
            map.read("build", |field| Build::read(field, options.directory, options.lookup))?;
        let image = map.read_filled("image", |field| {
            if build.is_some() { read_built_image(field) } else { field.image_name() }
        })?;
        let image = image
            .or_else(|| build.as_ref().map(|_| crate::model::names::built_image(project, name)));
        let deploy = map.read("deploy", read_deploy)?.unwrap_or_default();
        let scale = map.read("scale", |field| count(field))?;
        if let (Some(scale), Some(replicas)) = (scale, deploy.replicas)
            && scale != replicas
        {
            return Err(field.fail(format!(
                "The service \"{name}\" has scale {scale} but deploy.replicas {replicas}"
            )));
        }
        let restart = map.read_filled("restart", read_restart)?;
        let service = Self {
            name: name.to_owned(),
            image: image.clone().unwrap_or_default(),
            build,
            command: map.read("command", read_command)?,
            entrypoint: map.read("entrypoint", read_command)?,
            environment: map
                .read("environment", |field| container_fields::environment(field, options.lookup))?
                .unwrap_or_default(),
            env_file: map
                .read("env_file", |field| read_env_files(field, options))?
                .unwrap_or_default(),
            ports: map.read("ports", read_ports)?.unwrap_or_default(),
            volumes: map
                .read("volumes", |field| {
                    field.list()?.iter().map(|item| Mount::read(item, options.directory)).collect()
                })?
                .unwrap_or_default(),
            networks: map.read("networks", read_networks)?.unwrap_or_else(|| {
                BTreeMap::from([("default".to_owned(), NetworkAttachment::default())])
            }),
            secrets: map
                .read("secrets", |field| {
                    field
                        .list()?
                        .iter()
                        .map(|item| FileMount::read(item, "secret", SECRETS_FOLDER))
                        .collect()
                })?
                .unwrap_or_default(),
            configs: map
                .read("configs", |field| field.list()?.iter().map(config::read_mount).collect())?
                .unwrap_or_default(),
            depends_on: map.read("depends_on", read_depends_on)?.unwrap_or_default(),
            healthcheck: map.read("healthcheck", Healthcheck::read)?,
            restart: restart.unwrap_or_default(),
            restart_is_described: restart.is_some(),
            logging: map.read("logging", read_logging)?,
            profiles: map.read("profiles", Field::texts)?.unwrap_or_default(),
            user: map.read("user", container_fields::user)?,
            working_dir: map.read_filled("working_dir", container_fields::working_dir)?,
            hostname: map.read_filled("hostname", Field::name_text)?,
            init: map.read("init", Field::bool)?,
            scale: scale.or(deploy.replicas).unwrap_or(1),
            scale_is_described: scale.or(deploy.replicas).is_some(),
            stop_grace_period: map.read("stop_grace_period", Field::duration)?,
            stop_signal: map.read_filled("stop_signal", container_fields::stop_signal)?,
            labels: map
                .read("labels", |field| field.pairs(&|_| Some(String::new())))?
                .unwrap_or_default(),
            extra_hosts: map.read("extra_hosts", read_extra_hosts)?.unwrap_or_default(),
            read_only: map.read("read_only", Field::bool)?.unwrap_or(false),
            container_name: map.read("container_name", container_fields::container_name)?,
            update_order: deploy.updates.order,
            update: deploy.updates.update,
            rollback: deploy.updates.rollback,
            probe: map.read("x-spc-probe", |field| field.one_of(&["engine", "own"]))?.map_or(
                ProbeMode::Own,
                |word| {
                    if word == "engine" { ProbeMode::Engine } else { ProbeMode::Own }
                },
            ),
            verification: map.read("x-spc-verify", |field| Verification::read(field, name))?,
            release: map.read_filled("x-spc-release", container_fields::release)?,
        };
        map.finish(UNSUPPORTED)?;
        // Last: a misspelt "image", or a key such as "extends", is why there is none.
        if image.is_none() {
            return Err(field
                .fail_key(format!("The service \"{name}\" has neither \"image\" nor \"build\"")));
        }
        service.check(field)?;
        Ok(service)
    }

    /// Mistakes that a service shows by itself.
    fn check(&self, field: &Field<'_>) -> Result<(), Failure> {
        let name = &self.name;
        if let Some(key) =
            self.labels.keys().find(|key| crate::model::names::is_reserved_label(key))
        {
            return Err(field
                .fail(format!("The label \"{key}\" of the service \"{name}\" is reserved for spc"))
                .hint("choose another key"));
        }
        if let Some(twice) = self.volumes.iter().enumerate().find(|(at, mount)| {
            self.volumes[..*at].iter().any(|before| before.place() == mount.place())
        }) {
            return Err(
                field.fail(format!("The service \"{name}\" mounts \"{}\" twice", twice.1.target))
            );
        }
        values::check(self, field)?;
        self.check_scale().map_err(|failure| Failure { path: field.fail("").path, ..failure })?;
        let starts_first = self.update_order == UpdateOrder::StartFirst;
        if self.rollback.order == Some(UpdateOrder::StartFirst) && !starts_first {
            // Both would also write to the anonymous volumes that the new container took over.
            let message = "\"rollback_config\" can have the order \"start-first\" only if \"update_config\" has it";
            return Err(field
                .fail_value(&["deploy", "rollback_config", "order"], message)
                .hint("leave it out: a rollback has the order of the update"));
        }
        if starts_first && self.container_name.is_some() {
            let message = format!(
                "\"start-first\" is not possible: the service \"{name}\" has a container_name"
            );
            return Err(field.fail(message).hint("use \"stop-first\""));
        }
        Ok(())
    }
}
