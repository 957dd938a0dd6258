use std::collections::{BTreeMap, HashMap};

use bollard::models;
use bytes::Bytes;
use futures::StreamExt;

use super::*;
use crate::engine::sim::SimEngine;
use crate::engine::{
    BuildRequest, ExecRequest, Filters, LogsRequest, Method, StatsRequest, StopRequest,
};
use crate::host::TaskExecutor;
use crate::host::sim::executor::SimTaskExecutor;
use crate::model::secret::Secrets;

fn build(image: &str) -> BuildRequest {
    BuildRequest {
        tags: vec![image.to_owned()],
        dockerfile: "Dockerfile".into(),
        target: None,
        args: BTreeMap::new(),
        secrets: BTreeMap::new(),
        labels: BTreeMap::new(),
        no_cache: false,
        pull: false,
        network: None,
        platform: None,
        context_digest: String::new(),
        context: futures::stream::empty().boxed(),
    }
}

/// Builds that each have `text` in one of their parts.
fn builds(text: &str) -> Vec<BuildRequest> {
    let owned = || text.to_owned();
    let pair = BTreeMap::from([("A".to_owned(), owned())]);
    vec![
        build(text),
        BuildRequest { dockerfile: owned(), ..build("a") },
        BuildRequest { target: Some(owned()), ..build("a") },
        BuildRequest { args: pair.clone(), ..build("a") },
        BuildRequest { labels: pair, ..build("a") },
        BuildRequest { network: Some(owned()), ..build("a") },
        BuildRequest { platform: Some(owned()), ..build("a") },
        BuildRequest { secrets: BTreeMap::from([(owned(), Bytes::new())]), ..build("a") },
        BuildRequest { secrets: BTreeMap::from([("a".to_owned(), owned().into())]), ..build("a") },
    ]
}

/// Calls the method several times, each time with `text` in another argument.
#[allow(clippy::too_many_lines, reason = "an arm for each call")]
async fn ask(engine: &dyn Engine, method: &str, text: &str) -> Vec<Result<()>> {
    let filters = Filters::from([("label".to_owned(), vec![text.to_owned()])]);
    let (owned, stop) =
        (text.to_owned(), StopRequest { signal: Some(text.to_owned()), ..StopRequest::default() });
    let labels = HashMap::from([("l".to_owned(), owned.clone())]);
    let create = |body: models::ContainerCreateBody| engine.container_create("a", None, body);
    let exec =
        |request: ExecRequest| async move { engine.exec_start("a", &request).await.map(drop) };
    let of = models::ContainerCreateBody::default;
    match method {
        // Nothing is sent.
        "version" | "info" | "system_df" => Vec::new(),
        "events" => vec![engine.events(&filters, None).await.map(drop)],
        "container_list" => vec![engine.container_list(true, &filters).await.map(drop)],
        "container_inspect" => vec![engine.container_inspect(text).await.map(drop)],
        "container_create" => vec![
            engine.container_create(text, None, of()).await.map(drop),
            engine.container_create("a", Some(text), of()).await.map(drop),
            create(models::ContainerCreateBody { labels: Some(labels.clone()), ..of() })
                .await
                .map(drop),
            create(models::ContainerCreateBody { cmd: Some(vec![owned.clone()]), ..of() })
                .await
                .map(drop),
            create(models::ContainerCreateBody { user: Some(owned.clone()), ..of() })
                .await
                .map(drop),
            create(models::ContainerCreateBody { hostname: Some(owned.clone()), ..of() })
                .await
                .map(drop),
            create(models::ContainerCreateBody { env: Some(vec![format!("A={text}")]), ..of() })
                .await
                .map(drop),
        ],
        "container_start" => vec![engine.container_start(text).await.map(drop)],
        "container_stop" => {
            vec![
                engine.container_stop(text, &StopRequest::default()).await.map(drop),
                engine.container_stop("a", &stop).await.map(drop),
            ]
        }
        "container_restart" => vec![engine.container_restart(text, &stop).await],
        "container_kill" => {
            vec![engine.container_kill(text, "KILL").await, engine.container_kill("a", text).await]
        }
        "container_rename" => {
            vec![engine.container_rename(text, "b").await, engine.container_rename("a", text).await]
        }
        "container_update" => {
            vec![engine.container_update(text, models::RestartPolicy::default()).await]
        }
        "container_remove" => vec![engine.container_remove(text, true, true).await],
        "container_wait" => vec![engine.container_wait(text).await.map(drop)],
        "container_logs" => {
            vec![engine.container_logs(text, &LogsRequest::default()).await.map(drop)]
        }
        "container_top" => vec![engine.container_top(text).await.map(drop)],
        "container_stats" => {
            vec![engine.container_stats(text, &StatsRequest::default()).await.map(drop)]
        }
        "container_upload" => vec![
            engine.container_upload(text, "/", Bytes::new()).await,
            engine.container_upload("a", text, Bytes::new()).await,
            engine
                .container_upload("a", "/", [b"head\0", text.as_bytes(), b"\0tail"].concat().into())
                .await,
        ],
        "container_download" => {
            vec![
                engine.container_download(text, "/").await.map(drop),
                engine.container_download("a", text).await.map(drop),
            ]
        }
        "exec_start" => vec![
            engine.exec_start(text, &ExecRequest::default()).await.map(drop),
            exec(ExecRequest { command: vec![owned.clone()], ..ExecRequest::default() }).await,
            exec(ExecRequest { environment: vec![format!("A={text}")], ..ExecRequest::default() })
                .await,
            exec(ExecRequest { user: Some(owned.clone()), ..ExecRequest::default() }).await,
            exec(ExecRequest { working_dir: Some(owned.clone()), ..ExecRequest::default() }).await,
        ],
        "exec_inspect" => vec![engine.exec_inspect(text).await.map(drop)],
        "image_list" => vec![engine.image_list(&filters).await.map(drop)],
        "image_inspect" => vec![engine.image_inspect(text).await.map(drop)],
        "image_registry_digest" => vec![engine.image_registry_digest(text, None).await.map(drop)],
        "image_pull" => vec![
            engine.image_pull(text, None, None).await.map(drop),
            engine.image_pull("a", Some(text), None).await.map(drop),
        ],
        "image_push" => vec![engine.image_push(text, None).await.map(drop)],
        "image_build" => {
            let mut answers = Vec::new();
            for request in builds(&owned) {
                answers.push(engine.image_build(request).await.map(drop));
            }
            answers
        }
        "image_import" => {
            let tar = || futures::stream::empty().boxed();
            vec![
                engine.image_import(text, &[], tar()).await.map(drop),
                engine.image_import("a", std::slice::from_ref(&owned), tar()).await.map(drop),
            ]
        }
        "image_tag" => vec![engine.image_tag(text, "a").await, engine.image_tag("a", text).await],
        "image_remove" => vec![engine.image_remove(text, true).await],
        "network_list" => vec![engine.network_list(&filters).await.map(drop)],
        "network_inspect" => vec![engine.network_inspect(text).await.map(drop)],
        "network_create" => vec![
            engine
                .network_create(models::NetworkCreateRequest {
                    name: owned.clone(),
                    ..Default::default()
                })
                .await
                .map(drop),
            engine
                .network_create(models::NetworkCreateRequest {
                    options: Some(labels.clone()),
                    ..Default::default()
                })
                .await
                .map(drop),
        ],
        "network_connect" => {
            let aliased = models::EndpointSettings {
                aliases: Some(vec![owned.clone()]),
                ..Default::default()
            };
            vec![
                engine.network_connect(text, "a", models::EndpointSettings::default()).await,
                engine.network_connect("a", text, models::EndpointSettings::default()).await,
                engine.network_connect("a", "b", aliased).await,
            ]
        }
        "network_disconnect" => vec![
            engine.network_disconnect(text, "a", true).await,
            engine.network_disconnect("a", text, true).await,
        ],
        "network_remove" => vec![engine.network_remove(text).await],
        "volume_list" => vec![engine.volume_list(&filters).await.map(drop)],
        "volume_inspect" => vec![engine.volume_inspect(text).await.map(drop)],
        "volume_create" => vec![
            engine
                .volume_create(models::VolumeCreateRequest {
                    name: Some(owned.clone()),
                    ..Default::default()
                })
                .await
                .map(drop),
            engine
                .volume_create(models::VolumeCreateRequest {
                    driver_opts: Some(labels.clone()),
                    ..Default::default()
                })
                .await
                .map(drop),
        ],
        "volume_remove" => vec![engine.volume_remove(text, true).await],
        unknown => panic!("the test does not know the method {unknown}"),
    }
}

#[test]
fn every_engine_call_rejects_a_token_in_any_field() {
    let executor = SimTaskExecutor::new(1);
    let sim = SimEngine::builder(executor.clone()).build();
    let engine = checked(Arc::new(sim.clone()));
    let hidden = Secrets::token("key", [7; 16]);
    for text in [hidden.clone(), format!("before {} after", Secrets::exposed(&hidden))] {
        for method in Method::ALL.iter().map(|method| method.name()) {
            for (at, answer) in TaskExecutor::Sim(executor.clone())
                .block_on(ask(&*engine, method, &text))
                .into_iter()
                .enumerate()
            {
                let error = answer.expect_err(&format!("{method} {at}"));
                assert_eq!(error.kind, EngineErrorKind::Refused, "{method} {at}: {error:?}");
                assert!(
                    !error.message.contains(&text) && error.message.contains(method),
                    "{error:?}"
                );
            }
        }
    }
    assert!(sim.calls().is_empty(), "{:?}", sim.calls());
}

#[test]
fn a_call_without_a_token_passes() {
    let executor = SimTaskExecutor::new(1);
    let engine = checked(Arc::new(SimEngine::builder(executor.clone()).build()));
    for method in Method::ALL.iter().map(|method| method.name()) {
        let answers =
            TaskExecutor::Sim(executor.clone()).block_on(ask(&*engine, method, "secret: key"));
        let refused = answers.iter().find(|answer| {
            answer.as_ref().is_err_and(|error| error.kind == EngineErrorKind::Refused)
        });
        assert!(refused.is_none(), "{method}: {refused:?}");
    }
}
