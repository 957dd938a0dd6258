//! Networks, endpoints and their addresses.

use super::*;

#[test]
fn a_network_takes_nothing_of_the_host_and_of_other_networks() {
    let fixture = fixture("");
    fixture.made("other", "/srv/other");
    let network = |change: &dyn Fn(&mut NetworkCreateRequest)| {
        let mut network = NetworkCreateRequest {
            name: "x".into(),
            labels: Some(of("own", HERE)),
            ..NetworkCreateRequest::default()
        };
        change(&mut network);
        fixture.refused(fixture.guard.network_create(network))
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
fn an_endpoint_connects_to_the_network_with_the_checked_name() {
    let fixture = fixture("");
    fixture.made("other", "/srv/other");
    let other = fixture.run(fixture.engine.network_inspect("other_net")).unwrap().id;
    let request = NetworkCreateRequest {
        name: "own_net".into(),
        labels: Some(of("own", HERE)),
        ..NetworkCreateRequest::default()
    };
    fixture.run(fixture.guard.network_create(request)).unwrap();
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
    let id = fixture.run(fixture.guard.container_create("own-web-1", None, body)).unwrap().id;
    let networks = |id: &str| {
        let inspected = fixture.run(fixture.engine.container_inspect(id)).unwrap();
        inspected.network_settings.unwrap().networks.unwrap().into_keys().collect::<Vec<_>>()
    };
    assert_eq!(networks(&id), ["own_net"]);
    let plain = fixture.run(fixture.guard.container_create("own-web-2", None, own())).unwrap().id;
    fixture.run(fixture.guard.network_connect("own_net", &plain, elsewhere)).unwrap();
    assert!(!networks(&plain).contains(&"other_net".to_owned()));
}

#[test]
fn the_hosts_network_is_refused_by_its_id_too_and_a_link_is_a_look_into_a_container() {
    let fixture = fixture("");
    fixture.made("other", "/srv/other");
    let host = fixture.run(fixture.engine.network_inspect("host")).unwrap().id.unwrap();
    let created = fixture.run(fixture.guard.container_create("own-web-1", None, own())).unwrap();
    let said = fixture.refused(fixture.guard.network_connect(
        &host,
        &created.id,
        EndpointSettings::default(),
    ));
    assert_eq!(said, format!("A script may not use \"network: host\" {PRIVILEGED}"));
    let endpoints = NetworkingConfig {
        endpoints_config: Some(HashMap::from([(host, EndpointSettings::default())])),
    };
    let body = ContainerCreateBody { networking_config: Some(endpoints), ..own() };
    assert_eq!(
        fixture.refused(fixture.guard.container_create("own-web-2", None, body)),
        format!("A script may not use \"network: host\" {PRIVILEGED}")
    );
    let links = HostConfig { links: Some(vec!["other-web-1:db".into()]), ..HostConfig::default() };
    assert!(fixture.host(links).starts_with("A script may not link to the container \"other-web-1\": it belongs to the project \"other\""));
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
    let fixture = fixture("");
    let said = "A script may not give a network the addresses \"10.9.0.0/16\": it holds 10.9.8.7, an address of this machine";
    assert_eq!(
        fixture.refused(fixture.guard.network_create(subnet("10.9.0.0/16"))),
        format!("{said} {PRIVILEGED}")
    );
    assert_eq!(
        fixture.refused(fixture.guard.check(Intent::CreateNetwork(&subnet("10.9.0.0/16")))),
        format!("{said} {PRIVILEGED}")
    );
    assert!(
        fixture
            .refused(fixture.guard.network_create(subnet("127.0.0.0/8")))
            .starts_with("A network can't have the addresses 127.0.0.0/8")
    );
    fixture.run(fixture.guard.network_create(subnet("10.8.0.0/16"))).unwrap();
    let allowed = self::fixture("[allow]\nprivileged = true\n");
    allowed.run(allowed.guard.network_create(subnet("10.9.0.0/16"))).unwrap();
}
