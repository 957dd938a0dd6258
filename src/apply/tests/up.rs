//! `up`: what is made, in which order, and what a second one costs.

use super::*;

#[test]
fn an_empty_engine_ends_with_everything_running_and_ready() {
    let machine = machine();
    let outcome = machine.up(&shop()).unwrap();
    let states: Vec<_> = outcome.containers.iter().map(|container| (container.name.as_str(), container.state.word())).collect();
    assert_eq!(states, [("shop-db-1", "running"), ("shop-migrate-1", "exited"), ("shop-redis-1", "running"), ("shop-web-1", "running")]);
    assert!(!machine.footprint().locked);
    assert!(machine.conductor.now() < secs(4), "the engine's own checks come after 10 s: {:?}", machine.conductor.now());
}
