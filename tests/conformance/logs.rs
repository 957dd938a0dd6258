//! Logs of containers.

use bollard::models;
use spc::engine::LogsRequest;

use super::case::{Case, collect};
use super::commands::{PROMPT, SAY};

/// A container that has said its words and ended.
async fn said(case: &Case<'_>) -> String {
    let name = case.started("one", SAY).await;
    assert_eq!(case.engine.container_wait(&name).await, Ok(0));
    name
}

pub async fn a_log_holds_both_outputs_apart(case: &Case<'_>) {
    let name = said(case).await;
    let log = case.engine.container_logs(&name, &LogsRequest::default()).await.unwrap();
    assert_eq!(collect(log).await, ("one\ntwo\nthree\n".into(), "oops\n".into()));
}

pub async fn a_log_is_cut_to_its_tail(case: &Case<'_>) {
    let name = said(case).await;
    let log = |tail| async move {
        let request = LogsRequest { tail: Some(tail), ..Default::default() };
        let (stdout, stderr) = collect(case.engine.container_logs(&name, &request).await.unwrap()).await;
        (stdout + stderr.as_str()).lines().count()
    };
    assert_eq!(log(1).await, 1);
}

pub async fn following_a_log_ends_with_the_container(case: &Case<'_>) {
    let name = case.created("one", case.body(SAY)).await;
    case.engine.container_start(&name).await.unwrap();
    let request = LogsRequest { follow: true, ..Default::default() };
    let log = case.engine.container_logs(&name, &request).await.unwrap();
    assert_eq!(collect(log).await, ("one\ntwo\nthree\n".into(), "oops\n".into()));
    assert!(!case.is_running(&name).await);
}

pub async fn timestamps_begin_each_line(case: &Case<'_>) {
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

pub async fn a_terminals_log_is_raw(case: &Case<'_>) {
    let name = case.created("one", models::ContainerCreateBody { tty: Some(true), ..case.body(PROMPT) }).await;
    case.engine.container_start(&name).await.unwrap();
    case.engine.container_wait(&name).await.unwrap();
    let request = LogsRequest { tty: true, ..Default::default() };
    let log = case.engine.container_logs(&name, &request).await.unwrap();
    assert_eq!(collect(log).await, ("prompt>".into(), String::new()));
}
