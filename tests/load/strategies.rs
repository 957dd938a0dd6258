//! Deployments without a failed request: rolling, blue-green, canary.

use super::deploys::run;
use super::releases::BadRelease::{self, Errors, ExitsAtStart, NeverHealthy, Slow};
use super::scenario::{Change, Expected, Repeats, Scenario, TAG};
use super::stack::ProxyRetries;
use crate::support::load_generator::{Kind, Load};

pub const ROLLING: &[&str] = &["run", "scripts/deploy_rolling.rhai", "--tag", TAG];
pub const BLUE_GREEN: &[&str] = &["run", "scripts/deploy_blue_green.rhai", "--tag", TAG];
pub const CANARY: &[&str] =
    &["run", "scripts/deploy_canary.rhai", "--tag", TAG, "--steps", "20,50", "--bake", "5s"];
const ROLLBACK: &[&str] = &["run", "scripts/rollback.rhai"];
const WITHOUT_DRAIN: &[&str] =
    &["run", "scripts/deploy_rolling.rhai", "--tag", TAG, "--requests", "0s", "--sockets", "0s"];

const fn bad(
    name: &'static str,
    command: &'static [&'static str],
    release: BadRelease,
    expected: Expected,
) -> Scenario {
    Scenario {
        change: Change::Bad(release),
        repeats: Repeats::Times(3),
        code: 1,
        expected,
        ..Scenario::new(name, command)
    }
}

#[test]
#[ignore = "slow"]
fn rolling_under_load() {
    run(
        "load-rolling",
        ProxyRetries::Off,
        &[
            Scenario::new("rolling", ROLLING),
            Scenario {
                change: Change::Variable("LLM_PROVIDER", ["demo", "other"]),
                repeats: Repeats::Times(4),
                ..Scenario::new("rolling, configuration only", ROLLING)
            },
            Scenario {
                load: |load| load.with(Kind::Long, 6),
                repeats: Repeats::Times(3),
                ..Scenario::new("rolling, requests of 20 s in flight", ROLLING)
            },
            bad("rolling, exits at start", ROLLING, ExitsAtStart, Expected::NoFailure),
            Scenario {
                // It takes as long as the health check allows.
                repeats: Repeats::Times(1),
                ..bad("rolling, never healthy", ROLLING, NeverHealthy, Expected::NoFailure)
            },
            Scenario {
                repeats: Repeats::Times(2),
                expected: Expected::Failures,
                ..Scenario::new("rolling without drain (negative control)", WITHOUT_DRAIN)
            },
        ],
    );
}

#[test]
#[ignore = "slow"]
fn blue_green_under_load() {
    run(
        "load-blue-green",
        ProxyRetries::Off,
        &[
            Scenario::new("blue-green", BLUE_GREEN),
            Scenario {
                change: Change::Back(BLUE_GREEN),
                repeats: Repeats::Times(3),
                ..Scenario::new("rollback", ROLLBACK)
            },
        ],
    );
}

#[test]
#[ignore = "slow"]
fn canary_under_load() {
    run(
        "load-canary",
        ProxyRetries::Off,
        &[
            Scenario::new("canary", CANARY),
            bad("canary, 20% errors", CANARY, Errors, Expected::FailuresOf(Errors)),
            bad("canary, slow", CANARY, Slow, Expected::FailuresOf(Slow)),
        ],
    );
}

/// For CI: without requests of 20 s and WebSockets, which each switch waits for.
#[test]
#[ignore = "slow"]
fn three_of_each_strategy_under_load() {
    let three = |name, command| Scenario {
        repeats: Repeats::Times(3),
        load: Load::without_long_connections,
        ..Scenario::new(name, command)
    };
    run(
        "load-short",
        ProxyRetries::Off,
        &[three("rolling", ROLLING), three("blue-green", BLUE_GREEN), three("canary", CANARY)],
    );
}
