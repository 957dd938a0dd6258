//! Networks. The cases use the subnets 10.213.x.0/24.

use std::collections::HashMap;

use bollard::models;
use spc::engine::{ApiVersion, EngineErrorKind as Kind, StopRequest};

use super::case::{Case, kind};
use super::commands::SERVE;

/// A request for a network with the subnet 10.213.`subnet`.0/24.
pub fn request(case: &Case<'_>, noun: &str, subnet: u8) -> models::NetworkCreateRequest {
    let pool =
        models::IpamConfig { subnet: Some(format!("10.213.{subnet}.0/24")), ..Default::default() };
    models::NetworkCreateRequest {
        name: case.name(noun),
        driver: Some("bridge".into()),
        labels: Some(case.labels()),
        ipam: Some(models::Ipam { config: Some(vec![pool]), ..Default::default() }),
        ..Default::default()
    }
}

/// Endpoint settings with an address and an alias.
pub fn endpoint(address: &str, alias: &str) -> models::EndpointSettings {
    models::EndpointSettings {
        ipam_config: Some(models::EndpointIpamConfig {
            ipv4_address: Some(address.into()),
            ..Default::default()
        }),
        aliases: Some(vec![alias.into()]),
        ..Default::default()
    }
}

pub async fn a_network_is_created_listed_and_removed(case: &Case<'_>) {
    let id = case.engine.network_create(request(case, "one", 1)).await.unwrap();
    let network = case.engine.network_inspect(&case.name("one")).await.unwrap();
    assert_eq!(network.id.as_ref(), Some(&id));
    assert_eq!(network.labels, Some(case.labels()));
    assert_eq!(network.ipam.unwrap().config.unwrap()[0].subnet.as_deref(), Some("10.213.1.0/24"));
    let listed = case.engine.network_list(&case.filter()).await.unwrap();
    assert_eq!(
        listed.iter().map(|network| network.name.clone().unwrap()).collect::<Vec<_>>(),
        [case.name("one")]
    );

    case.engine.network_remove(&case.name("one")).await.unwrap();
    assert_eq!(kind(case.engine.network_inspect(&id).await), Kind::NotFound);
}

pub async fn an_endpoint_has_its_address_and_aliases(case: &Case<'_>) {
    let network = case.name("one");
    case.engine.network_create(request(case, "one", 2)).await.unwrap();
    let endpoints = HashMap::from([(network.clone(), endpoint("10.213.2.77", "first"))]);
    let networking = models::NetworkingConfig { endpoints_config: Some(endpoints) };
    let first = case
        .created(
            "first",
            models::ContainerCreateBody { networking_config: Some(networking), ..case.body(SERVE) },
        )
        .await;
    let second = case.started("second", SERVE).await;
    case.engine.container_start(&first).await.unwrap();
    case.engine
        .network_connect(&network, &second, endpoint("10.213.2.78", "second"))
        .await
        .unwrap();

    for (container, address, alias) in
        [(&first, "10.213.2.77", "first"), (&second, "10.213.2.78", "second")]
    {
        let settings =
            case.engine.container_inspect(container).await.unwrap().network_settings.unwrap();
        let endpoint = &settings.networks.unwrap()[&network];
        assert_eq!(endpoint.ip_address.as_deref(), Some(address), "{container}");
        assert!(
            endpoint.aliases.as_ref().unwrap().contains(&alias.to_owned()),
            "{container}: {:?}",
            endpoint.aliases
        );
    }
    let members = case.engine.network_inspect(&network).await.unwrap().containers.unwrap();
    assert_eq!(members.len(), 2);

    case.engine.network_disconnect(&network, &second, false).await.unwrap();
    let settings = case.engine.container_inspect(&second).await.unwrap().network_settings.unwrap();
    assert!(!settings.networks.unwrap().contains_key(&network));
}

pub async fn a_network_in_use_is_not_removed(case: &Case<'_>) {
    let network = case.name("one");
    case.engine.network_create(request(case, "one", 3)).await.unwrap();
    let name = case.started("one", SERVE).await;
    case.engine
        .network_connect(&network, &name, models::EndpointSettings::default())
        .await
        .unwrap();
    assert_eq!(kind(case.engine.network_remove(&network).await), Kind::Conflict);
    case.engine.network_disconnect(&network, &name, true).await.unwrap();
    case.engine.network_remove(&network).await.unwrap();
}

pub async fn creating_a_network_with_a_used_subnet_is_a_conflict(case: &Case<'_>) {
    case.engine.network_create(request(case, "one", 4)).await.unwrap();
    assert_eq!(kind(case.engine.network_create(request(case, "two", 4)).await), Kind::Conflict);
}

pub async fn a_container_with_a_used_address_fails_to_start(case: &Case<'_>) {
    let network = case.name("one");
    case.engine.network_create(request(case, "one", 5)).await.unwrap();
    let body = || {
        let endpoints = HashMap::from([(network.clone(), endpoint("10.213.5.77", "same"))]);
        let networking = models::NetworkingConfig { endpoints_config: Some(endpoints) };
        models::ContainerCreateBody { networking_config: Some(networking), ..case.body(SERVE) }
    };
    let (first, second) =
        (case.created("first", body()).await, case.created("second", body()).await);
    case.engine.container_start(&first).await.unwrap();
    let error = case.engine.container_start(&second).await.unwrap_err();
    assert_eq!(error.kind, Kind::Conflict);
    assert!(error.message.contains("Address already in use"), "{}", error.message);
}

pub async fn a_container_with_a_reserved_address_fails_to_start(case: &Case<'_>) {
    // Without a configured gateway, the network uses the first assignable address as its gateway.
    for (noun, subnet, range, taken, free) in [
        ("whole", 10, None, [0, 1, 255], [2, 128]),
        ("half", 11, Some("10.213.11.128/25"), [0, 128, 255], [1, 129]),
    ] {
        let mut request = request(case, noun, subnet);
        let pool = request.ipam.as_mut().and_then(|ipam| ipam.config.as_mut()).unwrap();
        pool[0].ip_range = range.map(str::to_owned);
        case.engine.network_create(request).await.unwrap();
        for (last, is_taken) in
            taken.map(|last| (last, true)).into_iter().chain(free.map(|last| (last, false)))
        {
            let address = format!("10.213.{subnet}.{last}");
            let endpoints = HashMap::from([(case.name(noun), endpoint(&address, "it"))]);
            let networking = models::NetworkingConfig { endpoints_config: Some(endpoints) };
            let body = models::ContainerCreateBody {
                networking_config: Some(networking),
                ..case.body(SERVE)
            };
            let name = case.created(&format!("{noun}-{last}"), body).await;
            let started = case.engine.container_start(&name).await;
            assert_eq!(started.is_err(), is_taken, "{address}: {started:?}");
            if let Err(error) = started {
                assert!(
                    error.message.contains("Address already in use"),
                    "{address}: {}",
                    error.message
                );
            }
        }
    }
}

pub async fn a_stopped_container_can_move_to_a_recreated_network(case: &Case<'_>) {
    let network = case.name("one");
    case.engine.network_create(request(case, "one", 8)).await.unwrap();
    let endpoints = HashMap::from([(network.clone(), endpoint("10.213.8.77", "it"))]);
    let networking = models::NetworkingConfig { endpoints_config: Some(endpoints) };
    let name = case
        .created(
            "one",
            models::ContainerCreateBody { networking_config: Some(networking), ..case.body(SERVE) },
        )
        .await;
    case.engine.container_start(&name).await.unwrap();
    assert_eq!(kind(case.engine.network_remove(&network).await), Kind::Conflict, "it is in use");
    case.engine
        .container_stop(
            &name,
            &StopRequest { grace: Some(std::time::Duration::ZERO), ..StopRequest::default() },
        )
        .await
        .unwrap();
    case.engine.network_remove(&network).await.unwrap();
    case.engine.network_create(request(case, "one", 8)).await.unwrap();
    assert_eq!(
        kind(case.engine.container_start(&name).await),
        Kind::NotFound,
        "another network of the name is not meant"
    );
    case.engine.network_disconnect(&network, &name, true).await.unwrap();
    case.engine.network_connect(&network, &name, endpoint("10.213.8.77", "it")).await.unwrap();
    case.engine.container_start(&name).await.unwrap();
    let there = case
        .engine
        .container_inspect(&name)
        .await
        .unwrap()
        .network_settings
        .unwrap()
        .networks
        .unwrap();
    assert_eq!(there[&network].ip_address.as_deref(), Some("10.213.8.77"));
}

pub async fn an_unknown_network_is_not_found(case: &Case<'_>) {
    let (engine, none) = (case.engine, case.name("none"));
    // The container must run: for a stopped one the engine accepts any network name and fails only
    // when the container starts.
    let name = case.started("one", SERVE).await;
    assert_eq!(kind(engine.network_inspect(&none).await), Kind::NotFound);
    assert_eq!(kind(engine.network_remove(&none).await), Kind::NotFound);
    assert_eq!(
        kind(engine.network_connect(&none, &name, models::EndpointSettings::default()).await),
        Kind::NotFound
    );
    assert_eq!(kind(engine.network_disconnect(&none, &name, false).await), Kind::NotFound);
}

pub async fn a_container_with_a_removed_network_fails_to_start(case: &Case<'_>) {
    let network = case.name("one");
    case.engine.network_create(request(case, "one", 6)).await.unwrap();
    let host = models::HostConfig { network_mode: Some(network.clone()), ..Default::default() };
    let name = case
        .created("one", models::ContainerCreateBody { host_config: Some(host), ..case.body(SERVE) })
        .await;
    case.engine.network_remove(&network).await.unwrap();
    let error = case.engine.container_start(&name).await.unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
    assert!(error.message.contains("not found"), "{}", error.message);
    assert!(!case.is_running(&name).await);
}

pub async fn an_address_outside_the_subnet_is_rejected(case: &Case<'_>) {
    let network = case.name("one");
    case.engine.network_create(request(case, "one", 7)).await.unwrap();
    let name = case.started("one", SERVE).await;
    let error = case
        .engine
        .network_connect(&network, &name, endpoint("10.214.0.9", "far"))
        .await
        .unwrap_err();
    // Newer engines check the address before they pass it to IPAM.
    let modern = case.engine.api_version() >= ApiVersion { major: 1, minor: 44 };
    assert_eq!(error.kind, if modern { Kind::Invalid } else { Kind::Server }, "{}", error.message);
    assert!(error.message.contains("10.214.0.9"), "{}", error.message);
    // Older engines accept the address when they create the container and fail when they start it.
    let endpoints = HashMap::from([(network.clone(), endpoint("10.214.0.9", "far"))]);
    let networking = models::NetworkingConfig { endpoints_config: Some(endpoints) };
    let body =
        models::ContainerCreateBody { networking_config: Some(networking), ..case.body(SERVE) };
    let created = case.engine.container_create(&case.name("two"), None, body).await;
    if modern {
        let error = created.unwrap_err();
        assert_eq!(error.kind, Kind::Invalid);
        assert!(
            error.message.starts_with(&format!("invalid config for network {network}: ")),
            "{}",
            error.message
        );
    } else {
        assert_eq!(kind(case.engine.container_start(&created.unwrap().id).await), Kind::Server);
    }
}
