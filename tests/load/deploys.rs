//! Deploys by spc.

use super::by_hand::negative_control;
use super::releases::{BadRelease, RELEASES};
use super::report::Report;
use super::scenario::{Change, Expected, Repeats, Scenario, TAG, positive_control};
use super::stack::{LoadStack, ProxyRetries};
use crate::engine::heavy;

const UP: &[&str] = &["run", "scripts/up.rhai", "--tag", TAG];

/// In the middle of a replacement: the old backend stops, the new one has started.
const KILLS: &[&[&str]] = &[
    &["step_started", r#""action":"stop""#, r#""service":"backend""#],
    &["step_done", r#""action":"start""#, r#""service":"backend""#],
];

/// Runs the controls and these scenarios on a stack of its own.
pub fn run(name: &'static str, retries: ProxyRetries, scenarios: &[Scenario]) {
    let _alone = heavy();
    run_on(&LoadStack::up(LoadStack::files(name, retries)), name, scenarios);
}

fn run_on(stack: &LoadStack, name: &'static str, scenarios: &[Scenario]) {
    let mut report = Report::new(name);
    positive_control(stack.load(), &mut report);
    let mut serving = RELEASES[0];
    for scenario in scenarios {
        serving = scenario.run(stack, &mut report, serving);
    }
    negative_control(stack, &mut report, serving);
    report.finish();
}

/// `up` replaces one backend after the other, and the other one serves meanwhile. nginx's retries
/// hide that it doesn't drain.
#[test]
#[ignore = "slow"]
fn a_plain_up_under_load() {
    run(
        "load-up",
        ProxyRetries::AsShipped,
        &[
            Scenario { expected: Expected::Any, ..Scenario::new("up, stop-first", UP) },
            Scenario {
                repeats: Repeats::EachKill,
                kills: KILLS,
                expected: Expected::Any,
                ..Scenario::new("up, stop-first, killed", UP)
            },
            Scenario {
                change: Change::Bad(BadRelease::ExitsAtStart),
                repeats: Repeats::Times(1),
                code: 1,
                expected: Expected::Any,
                ..Scenario::new("up, stop-first, exits at start", UP)
            },
            Scenario {
                change: Change::Variable("LLM_PROVIDER", ["demo", "other"]),
                expected: Expected::Any,
                ..Scenario::new("up, configuration only", UP)
            },
        ],
    );
}

#[test]
#[ignore = "slow"]
fn a_plain_up_without_retries_of_the_proxy() {
    run(
        "load-up-no-retries",
        ProxyRetries::Off,
        &[Scenario { expected: Expected::Any, ..Scenario::new("up, stop-first", UP) }],
    );
}

/// The new container gets the service's name before the old one stops.
#[test]
#[ignore = "slow"]
fn a_plain_up_that_starts_first() {
    let _alone = heavy();
    let name = "load-up-start-first";
    let project = LoadStack::files(name, ProxyRetries::AsShipped);
    let scale = "scale: if prod { 2 } else { 1 },";
    let start_first =
        format!("{scale} deploy: #{{ update_config: #{{ order: \"start-first\" }} }},");
    project.edit("scripts/stack.rhai", scale, &start_first);
    let scenario = Scenario { expected: Expected::Any, ..Scenario::new("up, start-first", UP) };
    run_on(&LoadStack::up(project), name, &[scenario]);
}
