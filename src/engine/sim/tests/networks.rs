//! Networks, addresses and ports.

use bollard::models::PortBinding;

use super::*;

fn publish(port: &str, address: Option<&str>) -> ContainerCreateBody {
    let binding =
        PortBinding { host_ip: address.map(str::to_owned), host_port: Some(port.to_owned()) };
    with_host(
        "app:1",
        HostConfig {
            port_bindings: Some([("8000/tcp".to_owned(), Some(vec![binding]))].into()),
            ..HostConfig::default()
        },
    )
}

fn start(fixture: &EngineFixture, name: &str, body: ContainerCreateBody) -> Result<bool> {
    fixture.run(async {
        fixture.engine.container_create(name, None, body).await?;
        fixture.engine.container_start(name).await
    })
}

#[test]
fn containers_get_addresses_aliases_and_events() {
    let fixture = plain();
    let id =
        fixture.run(fixture.engine.network_create(network("back", Some("10.1.0.0/24")))).unwrap();
    let web = fixture.up("web", on_network("app:1", "back", &["site"], None));
    let seen = fixture.run(fixture.engine.network_inspect("back")).unwrap();
    let member = &seen.containers.unwrap()[&web];
    assert_eq!(
        (member.name.as_deref(), member.ipv4_address.as_deref()),
        (Some("web"), Some("10.1.0.2/24"))
    );
    let shown = fixture
        .run(fixture.engine.container_inspect("web"))
        .unwrap()
        .network_settings
        .unwrap()
        .networks
        .unwrap()
        .remove("back")
        .unwrap();
    assert_eq!(shown.aliases, Some(vec!["site".to_owned(), web[..12].to_owned()]));
    assert_eq!((shown.network_id, shown.gateway.as_deref()), (Some(id), Some("10.1.0.1")));
    fixture.run(fixture.engine.container_stop("web", &StopRequest::default())).unwrap();
    assert_eq!(fixture.actions("back"), ["create", "connect", "disconnect"]);
}

#[test]
fn a_new_engine_tells_names_apart_from_aliases() {
    let fixture = fixture(|builder| builder.api_version(MODERN));
    fixture.run(fixture.engine.network_create(network("back", None))).unwrap();
    let web = fixture.up("web", on_network("app:1", "back", &["site"], None));
    let shown = fixture
        .run(fixture.engine.container_inspect("web"))
        .unwrap()
        .network_settings
        .unwrap()
        .networks
        .unwrap()
        .remove("back")
        .unwrap();
    assert_eq!(shown.aliases, Some(vec!["site".to_owned()]));
    assert_eq!(
        shown.dns_names,
        Some(vec!["web".to_owned(), web[..12].to_owned(), "site".to_owned()])
    );
}

#[test]
fn overlapping_subnets_are_refused() {
    let fixture = plain();
    fixture.run(fixture.engine.network_create(network("one", Some("10.1.0.0/24")))).unwrap();
    let error = fixture
        .run(fixture.engine.network_create(network("two", Some("10.1.0.0/16"))))
        .unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(error.message, "Pool overlaps with other one on this address space");
    let bad = fixture
        .run(fixture.engine.network_create(network("two", Some("10.1.x.0/16"))))
        .unwrap_err();
    assert_eq!(bad.message, "Invalid subnet 10.1.x.0/16 : invalid CIDR address: 10.1.x.0/16");
}

#[test]
fn an_old_engine_makes_a_second_network_of_a_name_a_new_one_refuses() {
    let old = plain();
    let first = old.run(old.engine.network_create(network("net", None))).unwrap();
    let second = old.run(old.engine.network_create(network("net", None))).unwrap();
    assert_ne!(first, second);
    let error = old.run(old.engine.network_remove("net")).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (EngineErrorKind::Invalid, "network net is ambiguous (2 matches found based on name)")
    );
    old.run(old.engine.network_remove(&first)).unwrap();
    old.run(old.engine.network_remove("net")).unwrap();

    let new = fixture(|builder| builder.api_version(MODERN));
    new.run(new.engine.network_create(network("net", None))).unwrap();
    let error = new.run(new.engine.network_create(network("net", None))).unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (EngineErrorKind::Conflict, "network with name net already exists")
    );
}

#[test]
fn a_network_in_use_is_not_removed() {
    let fixture = plain();
    let id = fixture.run(fixture.engine.network_create(network("net", None))).unwrap();
    fixture.up("web", on_network("app:1", "net", &[], None));
    let error = fixture.run(fixture.engine.network_remove("net")).unwrap_err();
    assert!(error.is_conflict());
    assert_eq!(
        error.message,
        format!("error while removing network: network net id {id} has active endpoints")
    );
    fixture.run(fixture.engine.container_stop("web", &StopRequest::default())).unwrap();
    fixture.run(fixture.engine.network_remove("net")).unwrap();
    assert_eq!(
        fixture.run(fixture.engine.network_remove("net")).unwrap_err().message,
        "network net not found"
    );
    assert!(fixture.run(fixture.engine.network_remove("bridge")).unwrap_err().is_conflict());
}

#[test]
fn a_container_keeps_to_the_very_network_it_was_on() {
    let fixture = plain();
    let id = fixture.run(fixture.engine.network_create(network("net", None))).unwrap();
    fixture.up("web", on_network("app:1", "net", &[], None));
    fixture.run(async {
        fixture.engine.container_stop("web", &StopRequest::default()).await.unwrap();
        fixture.engine.network_remove("net").await.unwrap();
        fixture.engine.network_create(network("net", None)).await.unwrap();
        assert_eq!(
            fixture.engine.container_start("web").await.unwrap_err().message,
            format!("network {id} not found")
        );
    });
}

#[test]
fn a_missing_network_and_a_taken_address_show_only_at_the_start() {
    let fixture = plain();
    fixture.run(fixture.engine.network_create(network("net", Some("10.1.0.0/24")))).unwrap();
    assert!(start(&fixture, "one", on_network("app:1", "net", &[], Some("10.1.0.9"))).unwrap());
    let taken =
        start(&fixture, "two", on_network("app:1", "net", &[], Some("10.1.0.9"))).unwrap_err();
    assert_eq!(
        (taken.kind, taken.message.as_str()),
        (EngineErrorKind::Conflict, "Address already in use")
    );
    let state = fixture.engine.state();
    let two = state.container("two").unwrap();
    assert_eq!(
        (two.state, two.exit_code, two.error.as_str()),
        ("created", 128, "Address already in use")
    );
    let outside =
        start(&fixture, "three", on_network("app:1", "net", &[], Some("10.2.0.9"))).unwrap_err();
    assert_eq!(
        outside.message,
        "Invalid address 10.2.0.9: It does not belong to any of this network's subnets"
    );
    let missing = start(&fixture, "four", on_network("app:1", "nope", &[], None)).unwrap_err();
    assert_eq!(
        (missing.kind, missing.message.as_str()),
        (EngineErrorKind::NotFound, "network nope not found")
    );
    fixture.run(fixture.engine.network_create(network("auto", None))).unwrap();
    let chosen =
        start(&fixture, "five", on_network("app:1", "auto", &[], Some("172.18.0.9"))).unwrap_err();
    assert_eq!(
        chosen.message,
        "user specified IP address is supported only when connecting to networks with user configured subnets"
    );
}

#[test]
fn a_running_container_is_connected_and_disconnected() {
    let fixture = plain();
    fixture.run(fixture.engine.network_create(network("net", None))).unwrap();
    fixture.up("web", body("app:1"));
    fixture.run(async {
        let alias =
            EndpointSettings { aliases: Some(vec!["site".into()]), ..EndpointSettings::default() };
        fixture.engine.network_connect("net", "web", alias.clone()).await.unwrap();
        let twice = fixture.engine.network_connect("net", "web", alias.clone()).await.unwrap_err();
        assert_eq!(
            (twice.kind, twice.message.as_str()),
            (EngineErrorKind::Conflict, "endpoint with name web already exists in network net")
        );
        let own = fixture.engine.network_connect("bridge", "web", alias).await.unwrap_err();
        assert_eq!(
            own.message,
            "network-scoped alias is supported only for containers in user defined networks"
        );
        assert_eq!(
            fixture.engine.state().container("web").unwrap().networks["net"].aliases,
            ["site"]
        );
        fixture.engine.network_disconnect("net", "web", false).await.unwrap();
        let gone = fixture.engine.network_disconnect("net", "web", false).await.unwrap_err();
        assert!(gone.message.ends_with("is not connected to network net"), "{}", gone.message);
        fixture.engine.network_disconnect("net", "nobody", true).await.unwrap();
    });
}

#[test]
fn an_old_engine_creates_a_container_on_one_network_only() {
    let mut both = on_network("app:1", "front", &[], None);
    both.networking_config
        .as_mut()
        .unwrap()
        .endpoints_config
        .as_mut()
        .unwrap()
        .insert("back".to_owned(), EndpointSettings::default());
    let old = plain();
    let error = old.run(old.engine.container_create("web", None, both.clone())).unwrap_err();
    assert_eq!(error.message, "Container cannot be connected to network endpoints: back, front");
    let new = fixture(|builder| builder.api_version(MODERN));
    new.run(new.engine.container_create("web", None, both)).unwrap();
    assert_eq!(
        new.engine.state().container("web").unwrap().networks.keys().collect::<Vec<_>>(),
        ["back", "front"]
    );
}

#[test]
fn a_taken_port_fails_only_at_the_start_and_says_who_it_was_for() {
    let fixture = fixture(|builder| builder.host_port(9000));
    assert!(start(&fixture, "one", publish("8000", None)).unwrap());
    let taken = start(&fixture, "two", publish("8000", None)).unwrap_err();
    assert_eq!(taken.kind, EngineErrorKind::Server);
    assert!(
        taken
            .message
            .starts_with("driver failed programming external connectivity on endpoint two ("),
        "{}",
        taken.message
    );
    assert!(
        taken.message.ends_with("): Bind for 0.0.0.0:8000 failed: port is already allocated"),
        "{}",
        taken.message
    );
    let process = start(&fixture, "three", publish("9000", Some("127.0.0.1"))).unwrap_err();
    assert!(
        process.message.ends_with("Error starting userland proxy: listen tcp4 127.0.0.1:9000: bind: address already in use"),
        "{}",
        process.message
    );
    fixture.engine.free_port(9000);
    fixture.run(fixture.engine.container_stop("one", &StopRequest::default())).unwrap();
    assert!(fixture.run(fixture.engine.container_start("two")).unwrap());
    assert!(fixture.run(fixture.engine.container_start("three")).unwrap());
    assert_eq!(
        fixture.engine.state().container("three").unwrap().ports,
        ["127.0.0.1:9000->8000/tcp"]
    );
}

#[test]
fn a_new_engine_wraps_its_words() {
    let fixture = fixture(|builder| builder.api_version(MODERN));
    start(&fixture, "one", publish("8000", None)).unwrap();
    let taken = start(&fixture, "two", publish("8000", None)).unwrap_err();
    let words = "failed to set up container networking: driver failed programming external connectivity on endpoint two (";
    assert!(taken.message.starts_with(words), "{}", taken.message);
}

#[test]
fn only_exposed_ports_are_published_and_any_port_is_a_free_one() {
    let fixture = plain();
    let silent = ContainerCreateBody { image: Some("db:1".into()), ..publish("8000", None) };
    start(&fixture, "silent", silent).unwrap();
    assert_eq!(fixture.engine.state().container("silent").unwrap().ports, [""; 0]);
    start(&fixture, "any", publish("", Some("127.0.0.1"))).unwrap();
    let ports = fixture
        .run(fixture.engine.container_inspect("any"))
        .unwrap()
        .network_settings
        .unwrap()
        .ports
        .unwrap();
    let expected =
        PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some("32768".into()) };
    assert_eq!(ports["8000/tcp"], Some(vec![expected]));
    start(&fixture, "all", publish("8080", None)).unwrap();
    let ports = fixture
        .run(fixture.engine.container_inspect("all"))
        .unwrap()
        .network_settings
        .unwrap()
        .ports
        .unwrap();
    let addresses: Vec<_> = ports["8000/tcp"]
        .as_ref()
        .unwrap()
        .iter()
        .map(|binding| binding.host_ip.as_deref().unwrap())
        .collect();
    assert_eq!(addresses, ["0.0.0.0", "::"]);
    let bad = fixture
        .run(fixture.engine.container_create("bad", None, publish("99999", None)))
        .unwrap_err();
    assert_eq!(bad.message, "invalid port specification: \"99999\"");
}
