//! Networks that are no longer described.

use bollard::models;

use super::*;
use crate::engine::Engine;

fn on(network: &str) -> Value {
    json!({"services": {"a": {"image": "web:1", "networks": [network]}}, "networks": {network: {}}})
}

fn removing_orphans() -> UpOptions {
    UpOptions { remove_orphans: true, ..UpOptions::default() }
}

const NOTE: &str = "the network shop_old is no longer described; --remove-orphans removes it";

#[test]
fn a_renamed_network_is_reported_and_removed_with_the_orphans() {
    let machine = machine();
    machine.up(&on("old")).unwrap();
    assert!(!machine.logged().contains(&NOTE.to_owned()));
    machine.up(&on("fresh")).unwrap();
    assert!(machine.footprint().networks.contains("shop_old"));
    machine.up(&on("fresh")).unwrap();
    assert!(machine.logged().contains(&NOTE.to_owned()), "{:?}", machine.logged());
    machine.up_with(&on("fresh"), &removing_orphans()).unwrap();
    assert!(
        !machine.footprint().networks.contains("shop_old"),
        "{:?}",
        machine.footprint().networks
    );
    // The same `up` removes the network after its last container has left it.
    machine.up_with(&on("old"), &removing_orphans()).unwrap();
    assert!(
        !machine.footprint().networks.contains("shop_fresh"),
        "{:?}",
        machine.footprint().networks
    );
    let events = machine.events();
    machine.up_with(&on("old"), &removing_orphans()).unwrap();
    assert_eq!(machine.happened_from(events), Vec::<String>::new(), "again it is a no-op");
}

#[test]
fn networks_in_use_and_networks_of_runbooks_are_not_removed() {
    let machine = machine();
    machine.up(&on("old")).unwrap();
    let labels = [(label::PROJECT, PROJECT), (compose_label::PROJECT, PROJECT)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let own = models::NetworkCreateRequest {
        name: "scratch".into(),
        labels: Some(labels.into()),
        ..Default::default()
    };
    let host = models::HostConfig { network_mode: Some("shop_old".into()), ..Default::default() };
    let stranger = models::ContainerCreateBody {
        image: Some("redis:1".into()),
        host_config: Some(host),
        ..Default::default()
    };
    machine.run(async {
        machine.engine.network_create(own).await.unwrap();
        machine.engine.container_create("stranger", None, stranger).await.unwrap();
        machine.engine.container_start("stranger").await.unwrap();
    });
    machine.up_with(&on("fresh"), &removing_orphans()).unwrap();
    let note =
        "the network shop_old is no longer described, and stays: the container stranger is on it";
    assert!(machine.logged().contains(&note.to_owned()), "{:?}", machine.logged());
    assert!(
        ["shop_old", "scratch"].iter().all(|name| machine.footprint().networks.contains(*name)),
        "{:?}",
        machine.footprint().networks
    );
}
