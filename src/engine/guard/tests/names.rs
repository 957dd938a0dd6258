//! Names with another meaning for the engine, and names that change their owner between check and
//! call.

use super::*;

#[test]
fn a_name_that_would_be_read_as_another_is_not_sent() {
    let fixture = fixture("");
    let bind = |source: &str| {
        let host =
            HostConfig { binds: Some(vec![format!("{source}:/x")]), ..HostConfig::default() };
        fixture
            .run(fixture.guard.container_create(
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
    // The engine would get `\u{fffd}` instead, which can be a symlink to anywhere.
    assert!(
        bind("/project/bytes").message.contains("has a name that is not UTF-8"),
        "{}",
        bind("/project/bytes").message
    );
}

#[test]
fn a_name_that_moves_between_check_and_call_does_not_redirect_the_call() {
    let fixture = fixture("");
    let id = fixture.run(fixture.guard.container_create("own-web-1", None, own())).unwrap().id;
    let request = NetworkCreateRequest {
        name: "own_net".into(),
        labels: Some(of("own", HERE)),
        ..NetworkCreateRequest::default()
    };
    let network = fixture.run(fixture.guard.network_create(request)).unwrap();
    let sent: Arc<Mutex<Vec<(&str, String)>>> = Arc::default();
    let noted = sent.clone();
    let observer = Observer::new(Arc::new(fixture.engine.clone()), move |call| {
        noted.lock().push((call.method().name(), call.target().to_owned()));
        Ok(())
    });
    let host = Arc::new(SimHost::new(fixture.executor.clone()));
    let guard = Guard::new(
        Arc::new(observer),
        Policy::of_folder(Path::new(HERE), &|path| resolve(&*host, path)),
        host,
    );
    let stop = StopRequest::default();
    let exec = ExecRequest { command: vec!["id".into()], ..ExecRequest::default() };
    fixture.run(async {
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
    // For a disconnect, the container counts.
    for (method, target) in acts.iter().filter(|(method, _)| *method != "network_disconnect") {
        assert_eq!(target, if method.starts_with("network") { &network } else { &id }, "{method}");
    }
}

#[test]
fn nothing_is_made_under_a_name_that_looks_like_an_id() {
    let fixture = fixture("");
    for name in ["0123456789ab", &"0f".repeat(32)] {
        assert!(
            fixture
                .refused(fixture.guard.container_create(name, None, own()))
                .contains("as the id of another object")
        );
        let network = NetworkCreateRequest {
            name: name.into(),
            labels: Some(of("own", HERE)),
            ..NetworkCreateRequest::default()
        };
        assert!(
            fixture
                .refused(fixture.guard.network_create(network))
                .contains("as the id of another object")
        );
    }
}
