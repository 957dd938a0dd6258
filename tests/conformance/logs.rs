//! Container logs.

use bollard::models;
use chrono::{DateTime, Utc};
use futures::stream::TryStreamExt;
use spc::engine::{EngineErrorKind as Kind, LOG_PART, LogsRequest, OutputKind};

use super::case::{Case, collect, kind};
use super::commands::{FAIL, LONG, PROMPT, SAY, SERVE};

/// A container that has printed its lines and exited.
async fn said(case: &Case<'_>) -> String {
    let name = case.started("one", SAY).await;
    assert_eq!(case.engine.container_wait(&name).await, Ok(0));
    name
}

pub async fn a_log_separates_stdout_and_stderr(case: &Case<'_>) {
    let name = said(case).await;
    let log = case.engine.container_logs(&name, &LogsRequest::default()).await.unwrap();
    assert_eq!(collect(log).await, ("one\ntwo\nthree\n".into(), "oops\n".into()));
}

pub async fn a_log_request_can_limit_the_tail(case: &Case<'_>) {
    let name = said(case).await;
    let log = |tail| async move {
        let request = LogsRequest { tail: Some(tail), ..Default::default() };
        let (stdout, stderr) =
            collect(case.engine.container_logs(&name, &request).await.unwrap()).await;
        (stdout + stderr.as_str()).lines().count()
    };
    assert_eq!(log(1).await, 1);
}

pub async fn following_a_log_ends_when_the_container_exits(case: &Case<'_>) {
    let name = case.created("one", case.body(SAY)).await;
    case.engine.container_start(&name).await.unwrap();
    let request = LogsRequest { follow: true, ..Default::default() };
    let log = case.engine.container_logs(&name, &request).await.unwrap();
    assert_eq!(collect(log).await, ("one\ntwo\nthree\n".into(), "oops\n".into()));
    assert!(!case.is_running(&name).await);
}

pub async fn a_log_line_can_start_with_a_timestamp(case: &Case<'_>) {
    let name = said(case).await;
    let request = LogsRequest { timestamps: true, ..Default::default() };
    let (stdout, _) = collect(case.engine.container_logs(&name, &request).await.unwrap()).await;
    let words: Vec<_> = stdout
        .lines()
        .map(|line| {
            let (time, word) = line.split_once(' ').unwrap();
            chrono::DateTime::parse_from_rfc3339(time).unwrap();
            word
        })
        .collect();
    assert_eq!(words, ["one", "two", "three"]);
}

pub async fn the_log_of_a_container_with_a_terminal_is_raw(case: &Case<'_>) {
    let name = case
        .created("one", models::ContainerCreateBody { tty: Some(true), ..case.body(PROMPT) })
        .await;
    case.engine.container_start(&name).await.unwrap();
    case.engine.container_wait(&name).await.unwrap();
    let request = LogsRequest { tty: true, ..Default::default() };
    let log = case.engine.container_logs(&name, &request).await.unwrap();
    assert_eq!(collect(log).await, ("prompt>".into(), String::new()));
}

/// The messages of a log: output stream, time, text.
async fn messages(
    case: &Case<'_>,
    name: &str,
    request: LogsRequest,
) -> Vec<(OutputKind, DateTime<Utc>, String)> {
    let log = case
        .engine
        .container_logs(name, &LogsRequest { timestamps: true, ..request })
        .await
        .unwrap();
    let message = |chunk: spc::engine::OutputChunk| {
        let text = String::from_utf8(chunk.bytes.to_vec()).unwrap();
        let (time, text) = text.split_once(' ').unwrap();
        (chunk.kind, DateTime::parse_from_rfc3339(time).unwrap().to_utc(), text.to_owned())
    };
    log.map_ok(message).try_collect().await.unwrap()
}

fn texts(messages: &[(OutputKind, DateTime<Utc>, String)]) -> Vec<&str> {
    messages.iter().map(|(_, _, text)| text.as_str()).collect()
}

pub async fn each_log_message_is_one_chunk(case: &Case<'_>) {
    let name = said(case).await;
    let mut messages = messages(case, &name, LogsRequest::default()).await;
    messages.retain(|(kind, ..)| *kind == OutputKind::Stdout);
    assert_eq!(texts(&messages), ["one\n", "two\n", "three\n"]);
}

pub async fn the_parts_of_a_long_log_line_share_a_timestamp(case: &Case<'_>) {
    let name = case.started("one", LONG).await;
    case.engine.container_wait(&name).await.unwrap();
    let messages = messages(case, &name, LogsRequest::default()).await;
    let lengths: Vec<usize> = messages.iter().map(|(_, _, text)| text.len()).collect();
    assert_eq!(lengths, [LOG_PART, LOG_PART, 40_000 - 2 * LOG_PART + 1, 6, 4]);
    assert!(
        messages[..3].iter().all(|(_, time, _)| *time == messages[0].1),
        "its parts have one time"
    );
    for tail in [1, 4] {
        let request = LogsRequest { tail: Some(tail), ..LogsRequest::default() };
        assert_eq!(
            self::messages(case, &name, request).await.len() as u64,
            tail,
            "the tail counts messages"
        );
    }
}

/// A container that ran twice and each time printed a line without a newline.
async fn prompted_twice(case: &Case<'_>) -> String {
    let name = case.started("one", PROMPT).await;
    case.engine.container_wait(&name).await.unwrap();
    case.engine.container_start(&name).await.unwrap();
    case.engine.container_wait(&name).await.unwrap();
    name
}

pub async fn since_and_until_are_exact_to_the_nanosecond(case: &Case<'_>) {
    let name = prompted_twice(case).await;
    let both = messages(case, &name, LogsRequest::default()).await;
    let (first, second) = (both[0].1, both[1].1);
    let nanosecond = chrono::TimeDelta::nanoseconds(1);
    for (since, until, expected) in [
        (Some(first), None, 0..2),
        (Some(first + nanosecond), None, 1..2),
        (None, Some(second), 0..2),
        (None, Some(second - nanosecond), 0..1),
        (Some(first), Some(first), 0..1),
        (Some(second + nanosecond), None, 0..0),
    ] {
        let found =
            messages(case, &name, LogsRequest { since, until, ..LogsRequest::default() }).await;
        assert_eq!(found, both[expected], "{since:?} {until:?}");
    }
}

pub async fn a_log_applies_tail_before_until(case: &Case<'_>) {
    let name = prompted_twice(case).await;
    let both = messages(case, &name, LogsRequest::default()).await;
    let request = LogsRequest { tail: Some(1), until: Some(both[0].1), ..LogsRequest::default() };
    assert_eq!(messages(case, &name, request).await, [], "the last one is of the second start");
}

pub async fn a_log_continues_when_the_container_starts_again(case: &Case<'_>) {
    let name = prompted_twice(case).await;
    let messages = messages(case, &name, LogsRequest::default()).await;
    assert_eq!(texts(&messages), ["prompt>", "prompt>"]);
    assert!(messages[0].1 < messages[1].1, "each has the time of its own start");
}

pub async fn following_a_log_ends_when_the_container_restarts(case: &Case<'_>) {
    let request = LogsRequest { follow: true, ..LogsRequest::default() };
    // A restart through the API.
    let name = case.started("one", SERVE).await;
    let log = case.engine.container_logs(&name, &request).await.unwrap();
    case.engine.container_restart(&name, &super::case::at_once()).await.unwrap();
    collect(log).await;
    assert!(case.is_running(&name).await);
    // A restart by the restart policy.
    let policy = models::RestartPolicy {
        name: Some(models::RestartPolicyNameEnum::ALWAYS),
        ..Default::default()
    };
    let host_config =
        Some(models::HostConfig { restart_policy: Some(policy), ..Default::default() });
    let again =
        case.created("again", models::ContainerCreateBody { host_config, ..case.body(FAIL) }).await;
    case.engine.container_start(&again).await.unwrap();
    collect(case.engine.container_logs(&again, &request).await.unwrap()).await;
}

pub async fn reading_a_log_of_a_driver_that_stores_none_is_unsupported(case: &Case<'_>) {
    let none = models::HostConfigLogConfig { typ: Some("none".to_owned()), config: None };
    let host_config = Some(models::HostConfig { log_config: Some(none), ..Default::default() });
    let name =
        case.created("one", models::ContainerCreateBody { host_config, ..case.body(SERVE) }).await;
    case.engine.container_start(&name).await.unwrap();
    for follow in [false, true] {
        assert_eq!(
            kind(
                case.engine
                    .container_logs(&name, &LogsRequest { follow, ..LogsRequest::default() })
                    .await
            ),
            Kind::Unsupported
        );
    }
}
