//! Deployments that are killed in each of their phases, and run again. The load is without requests
//! of 20 s and WebSockets, so that 60 deployments take an hour.

use super::deploys::run;
use super::scenario::{Repeats, Scenario};
use super::stack::ProxyRetries;
use super::strategies::{BLUE_GREEN, CANARY, ROLLING};
use crate::support::load_generator::Load;

/// What the first line of `--json` contains at which spc is killed.
type Moment = &'static [&'static str];

const STARTS: Moment = &["step_started", r#""action":"start""#, r#""service":"backend""#];
const READY: Moment = &[LOG, "ready beside the old release"];
const SHARE: Moment = &[LOG, "switched: 20% of the clients"];
const SWITCHED: Moment = &[LOG, "backend: switched: "];
const ALL_CLIENTS: Moment = &[LOG, "backend: switched: all clients"];
const VERIFIED: Moment = &[LOG, "%: good, "];
const DRAINING: Moment = &[LOG, "backend: draining: "];
const STOPS: Moment = &["step_started", r#""action":"stop""#, r#""service":"backend""#];
const GONE: Moment = &[LOG, "backend: the old containers are gone"];
const LOG: &str = r#""event":"log""#;

const fn killed(
    name: &'static str,
    command: &'static [&'static str],
    moments: &'static [Moment],
) -> Scenario {
    Scenario {
        repeats: Repeats::EachKill,
        kills: moments,
        load: Load::without_long_connections,
        ..Scenario::new(name, command)
    }
}

#[test]
#[ignore = "slow"]
fn rolling_killed_under_load() {
    let moments = &[STARTS, READY, SWITCHED, DRAINING, STOPS, GONE];
    let scenario = killed("rolling, killed", ROLLING, moments);
    run("load-rolling-killed", ProxyRetries::Off, &[scenario]);
}

#[test]
#[ignore = "slow"]
fn blue_green_killed_under_load() {
    let moments = &[STARTS, READY, SWITCHED, VERIFIED, DRAINING, STOPS, GONE];
    let scenario = killed("blue-green, killed", BLUE_GREEN, moments);
    run("load-blue-green-killed", ProxyRetries::Off, &[scenario]);
}

#[test]
#[ignore = "slow"]
fn canary_killed_under_load() {
    let moments = &[STARTS, READY, SHARE, VERIFIED, ALL_CLIENTS, DRAINING, STOPS, GONE];
    let scenario = killed("canary, killed", CANARY, moments);
    run("load-canary-killed", ProxyRetries::Off, &[scenario]);
}
