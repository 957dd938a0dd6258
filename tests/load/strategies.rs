//! Deployments without a failed request: rolling, blue-green, canary.

use super::deploys::run;
use super::releases::BadRelease;
use super::scenario::{Change, Expected, Repeats, Scenario};
use super::stack::ProxyRetries;
use crate::support::load_generator::Kind;

const ROLLING: &[&str] = &["run", "scripts/deploy_rolling.rhai", "--tag", "{tag}"];
const BLUE_GREEN: &[&str] = &["run", "scripts/deploy_blue_green.rhai", "--tag", "{tag}"];
const CANARY: &[&str] =
    &["run", "scripts/deploy_canary.rhai", "--tag", "{tag}", "--steps", "20,50", "--bake", "5s"];
const WITHOUT_DRAIN: &[&str] = &[
    "run",
    "scripts/deploy_rolling.rhai",
    "--tag",
    "{tag}",
    "--requests",
    "0s",
    "--sockets",
    "0s",
];
/// How often a release is tried that does not become ready, or is judged as bad.
const BAD: Repeats = Repeats::Times(3);
const KILLS: &[&[&str]] = &[
    &["step_started", r#""action":"start""#, r#""service":"backend""#],
    &[r#""event":"log""#, "ready beside the old release"],
    &[r#""event":"log""#, "switched:"],
    &[r#""event":"log""#, "draining:"],
    &["step_started", r#""action":"stop""#, r#""service":"backend""#],
];

const fn killed(name: &'static str, command: &'static [&'static str]) -> Scenario {
    Scenario { repeats: Repeats::EachKill, kills: KILLS, ..Scenario::new(name, command) }
}

const fn bad(
    name: &'static str,
    command: &'static [&'static str],
    release: BadRelease,
    expected: Expected,
) -> Scenario {
    let change = Change::Bad(release);
    Scenario { change, repeats: BAD, code: 1, expected, ..Scenario::new(name, command) }
}

#[test]
#[ignore = "slow"]
fn rolling_under_load() {
    use BadRelease::{ExitsAtStart, NeverHealthy};
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
            killed("rolling, killed", ROLLING),
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
        &[Scenario::new("blue-green", BLUE_GREEN), killed("blue-green, killed", BLUE_GREEN)],
    );
}

#[test]
#[ignore = "slow"]
fn canary_under_load() {
    use BadRelease::{Errors, Slow};
    run(
        "load-canary",
        ProxyRetries::Off,
        &[
            Scenario::new("canary", CANARY),
            bad("canary, 20% errors", CANARY, Errors, Expected::FailuresOf(Errors)),
            bad("canary, slow", CANARY, Slow, Expected::FailuresOf(Slow)),
            killed("canary, killed", CANARY),
        ],
    );
}
