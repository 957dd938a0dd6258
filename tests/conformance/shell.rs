//! Cases that need a real shell in their containers. The simulated engine can't run them.

use bollard::models;
use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use spc::engine::{BuildEvent, BuildRequest, EngineErrorKind as Kind, ExecRequest, OutputChunk};

use super::builds::{built, request};
use super::case::{Case, owned};
use super::commands::{HEALTHY, SERVE};
use super::networks;

pub async fn large_output_is_complete(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    let request = ExecRequest {
        command: owned(&["sh", "-c", "head -c 20000000 /dev/zero"]),
        ..Default::default()
    };
    for tty in [false, true] {
        let session =
            case.engine.exec_start(&name, &ExecRequest { tty, ..request.clone() }).await.unwrap();
        let chunks: Vec<OutputChunk> = session.output.try_collect().await.unwrap();
        assert_eq!(
            chunks.iter().map(|chunk| chunk.bytes.len()).sum::<usize>(),
            20_000_000,
            "tty: {tty}"
        );
        assert_eq!(case.engine.exec_inspect(&session.id).await.unwrap().exit_code, Some(0));
    }
}

pub async fn binary_output_of_a_terminal_is_untouched(case: &Case<'_>) {
    let name = case.started("one", SERVE).await;
    // Bytes that look like the header of a multiplexed stream frame.
    let command = owned(&["sh", "-c", "printf '\\001\\000\\000\\000\\000\\000\\000\\005abc'"]);
    let session = case
        .engine
        .exec_start(&name, &ExecRequest { command, tty: true, ..Default::default() })
        .await
        .unwrap();
    let chunks: Vec<OutputChunk> = session.output.try_collect().await.unwrap();
    let bytes: Vec<u8> = chunks.iter().flat_map(|chunk| chunk.bytes.to_vec()).collect();
    assert_eq!(bytes, b"\x01\0\0\0\0\0\0\x05abc");
}

/// A Dockerfile with a first RUN instruction that is never cached, because it depends on `salt`.
fn salted(case: &Case<'_>, run: &str) -> String {
    format!(
        "FROM {} AS dev\nARG SALT\nRUN echo salt $SALT > /salt\nRUN {run}\n",
        case.fixture.image
    )
}

/// A build argument that differs in each run: the engine's time.
async fn salt(case: &Case<'_>) -> std::collections::BTreeMap<String, String> {
    let time = case.engine.info().await.unwrap().system_time.unwrap();
    std::collections::BTreeMap::from([("SALT".to_owned(), time)])
}

fn steps(events: &[BuildEvent]) -> Vec<&str> {
    events
        .iter()
        .filter_map(
            |event| if let BuildEvent::Step(step) = event { Some(step.as_str()) } else { None },
        )
        .collect()
}

fn cached(events: &[BuildEvent]) -> Vec<&str> {
    events
        .iter()
        .filter_map(
            |event| if let BuildEvent::Cached(step) = event { Some(step.as_str()) } else { None },
        )
        .collect()
}

pub async fn a_build_reports_its_steps_and_their_output(case: &Case<'_>) {
    let dockerfile = salted(case, "echo to stdout; echo to stderr >&2");
    let args = salt(case).await;
    let events = built(
        case,
        BuildRequest { args, target: Some("dev".into()), ..request(case, &dockerfile) },
    )
    .await
    .unwrap();
    assert!(
        steps(&events).iter().any(|step| step.ends_with("RUN echo to stdout; echo to stderr >&2")),
        "{events:?}"
    );
    let output: Vec<u8> = events
        .iter()
        .filter_map(
            |event| if let BuildEvent::Output(bytes) = event { Some(bytes.to_vec()) } else { None },
        )
        .flatten()
        .collect();
    let output = String::from_utf8(output).unwrap();
    assert!(output.contains("to stdout\n") && output.contains("to stderr\n"), "{output}");
}

pub async fn a_repeated_build_uses_the_cache(case: &Case<'_>) {
    let dockerfile = salted(case, "echo expensive > /result");
    let args = salt(case).await;
    let build = |no_cache| {
        let request = BuildRequest { args: args.clone(), no_cache, ..request(case, &dockerfile) };
        async { built(case, request).await.unwrap() }
    };
    let (first, second) = (build(false).await, build(false).await);
    assert_eq!(cached(&first).iter().filter(|step| step.contains("RUN")).count(), 0, "{first:?}");
    assert_eq!(cached(&second).iter().filter(|step| step.contains("RUN")).count(), 2, "{second:?}");
    assert_eq!(first.last(), second.last());
    let third = build(true).await;
    assert_eq!(cached(&third).iter().filter(|step| step.contains("RUN")).count(), 0, "{third:?}");
}

pub async fn a_failed_build_step_is_reported_with_exit_code_and_output(case: &Case<'_>) {
    let dockerfile = salted(case, "echo about to fail && exit 3");
    let error = built(case, BuildRequest { args: salt(case).await, ..request(case, &dockerfile) })
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Failed);
    let message = &error.message;
    assert!(
        message.contains("RUN echo about to fail && exit 3\" failed with exit code 3"),
        "{message}"
    );
    assert!(message.ends_with("; its last output:\n  about to fail"), "{message}");
}

pub async fn an_invalid_dockerfile_is_reported(case: &Case<'_>) {
    let error = built(case, request(case, &format!("FROM {}\nRNU true\n", case.fixture.image)))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::Failed);
    assert!(error.message.contains("unknown instruction: RNU"), "{}", error.message);
    let missing = BuildRequest { dockerfile: "none/Dockerfile".into(), ..request(case, "") };
    let error = built(case, missing).await.unwrap_err();
    assert!(error.message.contains("none/Dockerfile"), "{}", error.message);
}

pub async fn a_missing_base_image_is_reported(case: &Case<'_>) {
    let error =
        built(case, request(case, &format!("FROM {}\nRUN true\n", case.fixture.unreachable)))
            .await
            .unwrap_err();
    assert_eq!(error.kind, Kind::Failed);
    assert!(error.message.contains(&case.fixture.unreachable), "{}", error.message);
}

pub async fn an_unreadable_build_context_fails_the_build(case: &Case<'_>) {
    let broken = futures::stream::iter([
        Ok(Bytes::from_static(&[0; 512])),
        Err(std::io::Error::other("the disk is gone")),
    ])
    .boxed();
    let error =
        built(case, BuildRequest { context: broken, ..request(case, "") }).await.unwrap_err();
    assert_eq!(error.kind, Kind::Failed);
    assert!(error.message.contains("the disk is gone"), "{}", error.message);
}

pub async fn a_health_check_result_is_an_event(case: &Case<'_>) {
    let test = [&["CMD"], HEALTHY].concat();
    let check = models::HealthConfig {
        test: Some(owned(&test)),
        interval: Some(1_000_000_000),
        ..Default::default()
    };
    let name = case
        .created(
            "one",
            models::ContainerCreateBody { healthcheck: Some(check), ..case.body(SERVE) },
        )
        .await;
    let mut filters = case.filter();
    filters.insert("event".into(), vec!["health_status".into()]);
    let mut events = case.engine.events(&filters, None).await.unwrap();
    case.engine.container_start(&name).await.unwrap();
    assert_eq!(
        events.next().await.unwrap().unwrap().action.as_deref(),
        Some("health_status: healthy")
    );
    assert_eq!(
        case.state(&name).await.health.unwrap().status,
        Some(models::HealthStatusEnum::HEALTHY)
    );
}

pub async fn container_names_resolve_on_a_network(case: &Case<'_>) {
    let network = case.name("one");
    case.engine.network_create(networks::request(case, "one", 9)).await.unwrap();
    for (noun, last) in [("first", 5), ("second", 6)] {
        let name = case.started(noun, SERVE).await;
        case.engine
            .network_connect(&network, &name, networks::endpoint(&format!("10.213.9.{last}"), noun))
            .await
            .unwrap();
    }
    let found = case.exec(&case.name("second"), &["nslookup", "first"]).await;
    assert!(found.stdout.contains("10.213.9.5"), "{found:?}");
}

/// Runs an uncached build of these instructions on the cases' image, with a secret `key`.
async fn built_with_secret(
    case: &Case<'_>,
    lines: &str,
) -> Result<Vec<BuildEvent>, spc::engine::EngineError> {
    let secrets = std::collections::BTreeMap::from([(
        "key".to_owned(),
        Bytes::from_static(b"the value of the key"),
    )]);
    let dockerfile = format!("FROM {}\n{lines}\n", case.fixture.image);
    let request = BuildRequest {
        secrets,
        no_cache: true,
        tags: vec![case.image_name("one")],
        ..request(case, &dockerfile)
    };
    built(case, request).await
}

pub async fn a_build_step_reads_its_secret_and_the_image_does_not_contain_it(case: &Case<'_>) {
    let lines = "RUN --mount=type=secret,id=key cat /run/secrets/key\n\
                 RUN --mount=type=secret,id=key,target=/etc/k,uid=7,mode=0440 cat /etc/k && ls -ln /etc/k";
    let events = built_with_secret(case, lines).await.unwrap();
    let output: Vec<u8> = events
        .iter()
        .filter_map(
            |event| if let BuildEvent::Output(bytes) = event { Some(bytes.to_vec()) } else { None },
        )
        .flatten()
        .collect();
    let output = String::from_utf8(output).unwrap();
    assert_eq!(output.matches("the value of the key").count(), 2, "{output}");
    assert!(output.contains("-r--r-----    1 7 "), "{output}");
    let image = case.engine.image_inspect(&case.image_name("one")).await.unwrap();
    assert!(!format!("{image:?}").contains("the value"), "{image:?}");
    let name = case
        .created(
            "one",
            models::ContainerCreateBody { image: Some(case.image_name("one")), ..case.body(SERVE) },
        )
        .await;
    case.engine.container_start(&name).await.unwrap();
    let left = case.exec(&name, &["sh", "-c", "cat /etc/k /run/secrets/key"]).await;
    assert!(left.code != 0 && !left.stdout.contains("value"), "{left:?}");
}
