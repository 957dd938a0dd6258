//! After any fault of the engine, the next run reaches the described state, and no invariant is
//! violated meanwhile.

use super::*;
use crate::apply::lock;
use crate::engine::sim::FaultEffect;

/// How often a run is tried while faults come; after that they stop.
const TRIES: usize = 3;

fn effects(names: &[&str]) -> Vec<FaultEffect> {
    names.iter().map(|name| FaultEffect::parse(name).unwrap()).collect()
}

/// The state after a run with faults of this seed and another run without faults.
fn after_faults(
    seed: u64,
    rate: f64,
    effects: &[FaultEffect],
    first: &Value,
    then: &Value,
) -> (Footprint, Vec<String>) {
    let machine = machine_with(seed, |builder| builder);
    machine.up(first).unwrap();
    machine.engine.draw_faults(seed, rate, effects);
    let mut failed = Vec::new();
    for _ in 0..TRIES {
        if let Err(failure) = machine.up(then) {
            failed.push(failure.message);
        }
    }
    machine.engine.clear_faults();
    // An engine that restarted is back, and containers are what their policies say.
    machine.pass(secs(5));
    machine.up(then).unwrap_or_else(|failure| panic!("seed {seed}: {failure}, after {failed:#?}"));
    // A lock that could not be removed is taken over by who changes something next.
    machine
        .run(async { lock::acquire(&machine.ctx(), PROJECT, secs(60)).await?.release().await })
        .unwrap();
    (machine.footprint(), failed)
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn the_next_run_succeeds_after_random_faults() {
    let second = with(
        with(shop(), "services.db.environment.LEVEL", "2"),
        "services.web.environment",
        json!({"LEVEL": "2"}),
    );
    let kinds: [&[&str]; 5] = [
        &["500", "409", "404"],
        &["reply_lost", "stale_list", "slow 3s"],
        &["no_space", "stream_cut", "events_end"],
        &["hang"],
        &["engine_restart", "reply_lost", "500"],
    ];
    let mut failures = 0;
    for (number, names) in kinds.iter().enumerate() {
        for seed in 0..8 {
            let wanted = after_faults(seed, 0.0, &[], &shop(), &second).0;
            let (footprint, failed) = after_faults(seed, 0.04, &effects(names), &shop(), &second);
            assert_eq!(footprint, wanted, "seed {seed} of {names:?}, after {failed:#?}");
            failures += failed.len();
        }
        assert!(failures > number, "faults of {names:?} made runs fail");
    }
}
