//! The effective configuration of a container: the request, completed by its image.

use std::collections::BTreeSet;
use std::time::Duration;

use bollard::models::{
    ContainerConfig, ContainerCreateBody, HealthConfig, HostConfig, ImageConfig,
    RestartPolicyNameEnum,
};

use crate::engine::Result;
use crate::engine::sim::daemon::errors::refusal;
use crate::model::signal::is_signal;
use crate::model::spec::log_options;

/// The shortest interval or timeout of a health check.
const SHORTEST: Duration = Duration::from_millis(1);

/// The request's configuration, with missing values from the image, as in Docker.
///
/// The image's `SHELL` is not inherited: the engine always runs a `CMD-SHELL` test with `/bin/sh`.
pub(super) fn merge(body: &ContainerCreateBody, image: &ImageConfig) -> ContainerConfig {
    let mut merged = ContainerConfig {
        hostname: body.hostname.clone(),
        domainname: Some(body.domainname.clone().unwrap_or_default()),
        user: Some(filled(body.user.as_ref(), image.user.as_ref()).cloned().unwrap_or_default()),
        attach_stdin: Some(body.attach_stdin.unwrap_or_default()),
        attach_stdout: Some(body.attach_stdout.unwrap_or_default()),
        attach_stderr: Some(body.attach_stderr.unwrap_or_default()),
        exposed_ports: union(body.exposed_ports.as_ref(), image.exposed_ports.as_ref()),
        tty: Some(body.tty.unwrap_or_default()),
        open_stdin: Some(body.open_stdin.unwrap_or_default()),
        stdin_once: Some(body.stdin_once.unwrap_or_default()),
        env: Some(environment(
            body.env.as_deref().unwrap_or_default(),
            image.env.as_deref().unwrap_or_default(),
        )),
        cmd: given(body.cmd.as_ref()),
        healthcheck: health(body.healthcheck.as_ref(), image.healthcheck.as_ref()),
        args_escaped: body.args_escaped,
        image: body.image.clone(),
        volumes: union(body.volumes.as_ref(), image.volumes.as_ref()),
        working_dir: Some(
            filled(body.working_dir.as_ref(), image.working_dir.as_ref())
                .cloned()
                .unwrap_or_default(),
        ),
        entrypoint: body.entrypoint.clone(),
        network_disabled: body.network_disabled,
        on_build: None,
        labels: Some(
            image
                .labels
                .iter()
                .chain(&body.labels)
                .flatten()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        stop_signal: filled(body.stop_signal.as_ref(), image.stop_signal.as_ref()).cloned(),
        stop_timeout: body.stop_timeout,
        shell: given(body.shell.as_ref()),
    };
    // An entrypoint in the request hides the image's command.
    if merged.entrypoint.as_ref().is_none_or(Vec::is_empty) {
        if merged.cmd.is_none() {
            merged.cmd = given(image.cmd.as_ref());
        }
        if merged.entrypoint.is_none() {
            merged.entrypoint.clone_from(&image.entrypoint);
        }
    }
    // `[""]` removes the image's entrypoint.
    merged.entrypoint = given(merged.entrypoint.as_ref()).filter(|words| words.as_slice() != [""]);
    merged
}

fn filled<'a>(own: Option<&'a String>, image: Option<&'a String>) -> Option<&'a String> {
    own.filter(|text| !text.is_empty()).or(image).filter(|text| !text.is_empty())
}

fn given(list: Option<&Vec<String>>) -> Option<Vec<String>> {
    list.filter(|list| !list.is_empty()).cloned()
}

fn union(own: Option<&Vec<String>>, image: Option<&Vec<String>>) -> Option<Vec<String>> {
    let all: BTreeSet<&String> = own.into_iter().chain(image).flatten().collect();
    (!all.is_empty()).then(|| all.into_iter().cloned().collect())
}

/// The request's variables, then those of the image that the request does not set.
fn environment(own: &[String], image: &[String]) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let set: BTreeSet<String> = own.iter().map(|entry| name(entry)).collect();
    // A name without `=` removes the variable.
    let kept = own.iter().filter(|entry| entry.contains('='));
    kept.chain(image.iter().filter(|entry| !set.contains(&name(entry)))).cloned().collect()
}

fn health(own: Option<&HealthConfig>, image: Option<&HealthConfig>) -> Option<HealthConfig> {
    let (Some(own), Some(image)) = (own, image) else { return own.or(image).cloned() };
    let time = |own: Option<i64>, image: Option<i64>| own.filter(|time| *time != 0).or(image);
    Some(HealthConfig {
        test: given(own.test.as_ref()).or_else(|| image.test.clone()),
        interval: time(own.interval, image.interval),
        timeout: time(own.timeout, image.timeout),
        retries: time(own.retries, image.retries),
        start_period: time(own.start_period, image.start_period),
        start_interval: time(own.start_interval, image.start_interval),
    })
}

/// Rejects what Docker rejects before anything else.
pub(super) fn check(body: &ContainerCreateBody) -> Result<()> {
    if let Some(health) = &body.healthcheck {
        check_health(health)?;
    }
    if let Some(folder) =
        body.working_dir.as_ref().filter(|folder| !folder.is_empty() && !folder.starts_with('/'))
    {
        return Err(refusal(
            400,
            format!("the working directory '{folder}' is invalid, it needs to be an absolute path"),
        ));
    }
    if let Some(variable) =
        body.env.iter().flatten().find(|variable| variable.is_empty() || variable.starts_with('='))
    {
        return Err(refusal(400, format!("invalid environment variable: {variable}")));
    }
    if let Some(signal) =
        body.stop_signal.as_ref().filter(|signal| !signal.is_empty() && !is_signal(signal))
    {
        return Err(refusal(400, format!("Invalid signal: {signal}")));
    }
    if let Some(host) = &body.host_config {
        check_restart(host)?;
        check_logging(host)?;
    }
    Ok(())
}

fn check_logging(host: &HostConfig) -> Result<()> {
    let Some(logging) = &host.log_config else { return Ok(()) };
    let driver = logging.typ.as_deref().filter(|driver| !driver.is_empty()).unwrap_or("json-file");
    match logging
        .config
        .iter()
        .flatten()
        .map(|(option, _)| option)
        .find(|option| log_options::is_unknown(driver, option))
    {
        Some(option) => {
            Err(refusal(400, format!("unknown log opt '{option}' for {driver} log driver")))
        }
        None => Ok(()),
    }
}

fn check_health(health: &HealthConfig) -> Result<()> {
    let times = [
        ("Interval", health.interval),
        ("Timeout", health.timeout),
        ("StartPeriod", health.start_period),
        ("StartInterval", health.start_interval),
    ];
    for (name, time) in times {
        let time = time.unwrap_or_default();
        if time != 0
            && u64::try_from(time).map_or(true, |time| Duration::from_nanos(time) < SHORTEST)
        {
            return Err(refusal(400, format!("{name} in Healthcheck cannot be less than 1ms")));
        }
    }
    if health.retries.is_some_and(|retries| retries < 0) {
        return Err(refusal(400, "Retries in Healthcheck cannot be negative"));
    }
    Ok(())
}

fn check_restart(host: &HostConfig) -> Result<()> {
    let Some(policy) = &host.restart_policy else { return Ok(()) };
    let name = policy.name.unwrap_or(RestartPolicyNameEnum::EMPTY);
    let restarts = !matches!(name, RestartPolicyNameEnum::EMPTY | RestartPolicyNameEnum::NO);
    if host.auto_remove == Some(true) && restarts {
        return Err(refusal(400, "can't create 'AutoRemove' container with restart policy"));
    }
    match policy.maximum_retry_count.unwrap_or_default() {
        0 => Ok(()),
        count if count < 0 => Err(refusal(400, "maximum retry count cannot be negative")),
        _ if matches!(name, RestartPolicyNameEnum::ON_FAILURE) => Ok(()),
        _ => Err(refusal(
            400,
            format!("maximum retry count cannot be used with restart policy '{name}'"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::unnecessary_wraps, reason = "the models' lists are optional")]
    fn words(list: &[&str]) -> Option<Vec<String>> {
        Some(list.iter().map(|word| (*word).to_owned()).collect())
    }

    fn postgres() -> ImageConfig {
        ImageConfig {
            entrypoint: words(&["docker-entrypoint.sh"]),
            cmd: words(&["postgres"]),
            env: words(&["PATH=/usr/bin", "PGDATA=/data"]),
            volumes: words(&["/data"]),
            exposed_ports: words(&["5432/tcp"]),
            stop_signal: Some("SIGINT".into()),
            healthcheck: Some(HealthConfig {
                test: words(&["CMD", "check"]),
                interval: Some(5),
                retries: Some(2),
                ..HealthConfig::default()
            }),
            shell: words(&["/bin/bash", "-c"]),
            ..ImageConfig::default()
        }
    }

    #[test]
    fn unset_fields_of_a_create_request_come_from_the_image() {
        let merged = merge(&ContainerCreateBody::default(), &postgres());
        assert_eq!(merged.entrypoint, words(&["docker-entrypoint.sh"]));
        assert_eq!(merged.cmd, words(&["postgres"]));
        assert_eq!(merged.volumes, words(&["/data"]));
        assert_eq!(merged.stop_signal.as_deref(), Some("SIGINT"));
        assert_eq!(merged.healthcheck, postgres().healthcheck);
        assert_eq!(merged.shell, None);
    }

    #[test]
    fn an_own_command_keeps_the_images_entrypoint_and_an_own_entrypoint_hides_its_command() {
        let merged = merge(
            &ContainerCreateBody { cmd: words(&["psql"]), ..ContainerCreateBody::default() },
            &postgres(),
        );
        assert_eq!(
            (merged.entrypoint, merged.cmd),
            (words(&["docker-entrypoint.sh"]), words(&["psql"]))
        );
        let merged = merge(
            &ContainerCreateBody { entrypoint: words(&["sh"]), ..ContainerCreateBody::default() },
            &postgres(),
        );
        assert_eq!((merged.entrypoint, merged.cmd), (words(&["sh"]), None));
        let merged = merge(
            &ContainerCreateBody {
                entrypoint: words(&[""]),
                cmd: words(&["psql"]),
                ..ContainerCreateBody::default()
            },
            &postgres(),
        );
        assert_eq!((merged.entrypoint, merged.cmd), (None, words(&["psql"])));
    }

    #[test]
    fn own_variables_come_first_and_replace_the_images() {
        let merged = merge(
            &ContainerCreateBody {
                env: words(&["A=1", "PATH=/bin", "PGDATA"]),
                ..ContainerCreateBody::default()
            },
            &postgres(),
        );
        assert_eq!(merged.env, words(&["A=1", "PATH=/bin"]));
    }

    #[test]
    fn a_health_check_without_a_test_changes_the_times_of_the_images() {
        let own = HealthConfig { interval: Some(7), ..HealthConfig::default() };
        let merged = merge(
            &ContainerCreateBody { healthcheck: Some(own), ..ContainerCreateBody::default() },
            &postgres(),
        )
        .healthcheck
        .unwrap();
        assert_eq!(
            (merged.test, merged.interval, merged.retries),
            (words(&["CMD", "check"]), Some(7), Some(2))
        );
    }

    #[test]
    fn a_retry_count_needs_the_policy_that_counts() {
        let with = |name, count| {
            let policy = bollard::models::RestartPolicy {
                name: Some(name),
                maximum_retry_count: Some(count),
            };
            check_restart(&HostConfig { restart_policy: Some(policy), ..HostConfig::default() })
        };
        assert!(with(RestartPolicyNameEnum::ON_FAILURE, 3).is_ok());
        let error = with(RestartPolicyNameEnum::ALWAYS, 3).unwrap_err();
        assert_eq!(
            error.message,
            "maximum retry count cannot be used with restart policy 'always'"
        );
    }
}
