use std::path::{Path, PathBuf};
use std::sync::Arc;

use similar_asserts::assert_eq;

use super::*;
use crate::host::Host;
use crate::host::real::RealHost;
use crate::host::sim::SimHost;
use crate::host::sim::executor::SimTaskExecutor;
use crate::machine::world::Subject;
use crate::model::Kind;
use crate::policy::CheckedPath;

/// The reference stack: the project of this repository, on an empty machine, with the `.env` of its
/// example.
fn reference() -> SweepSetup {
    let host = Arc::new(RealHost::new());
    let root = host.canonicalize(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let directory = root.join("examples/spc");
    let example = host.read(&CheckedPath::trusted(directory.join(".env.example"))).unwrap();
    let mut stage = SweepSetup::new(Subject::new(host, root, directory, []));
    stage.env_file = Some(example);
    stage
}

/// The same, brought up.
fn running() -> SweepSetup {
    let mut stage = reference();
    stage.before.push(stage.subject.task("scripts/up.rhai", &[]));
    stage
}

/// A project with one runbook.
fn project(runbook: &str) -> (SweepSetup, Task) {
    let host = SimHost::new(SimTaskExecutor::new(0))
        .with_file("/project/spc.toml", "spc = \"0.1\"\n")
        .with_file("/project/sweep.rhai", runbook.to_owned());
    let folder = PathBuf::from("/project");
    let stage = SweepSetup::new(Subject::new(Arc::new(host), folder.clone(), folder, []));
    let task = stage.subject.task("sweep.rhai", &[]);
    (stage, task)
}

/// A runbook that brings up a service behind nginx and restarts it if an earlier run was killed
/// before it removed a file; its machine has clients.
fn project_with_clients(always: bool) -> (SweepSetup, Task) {
    let runbook = format!(
        r#"let shop = stack("shop", #{{ services: #{{ nginx: #{{ image: "nginx:1" }}, backend: #{{ image: "app:1" }} }} }});
shop.up();
if {always} || fs::exists("half") {{ shop.service("backend").restart(); }}
fs::write("half", "");
fs::remove("half");"#
    );
    let test = r#"fn sweep() {
    stack("shop", #{ services: #{ nginx: #{ image: "nginx:1" }, backend: #{ image: "app:1" } } }).up();
    sim::clients("nginx", #{ takes: "500ms" });
    sim::pass("2s");
}"#;
    let host = SimHost::new(SimTaskExecutor::new(0))
        .with_file("/project/spc.toml", "spc = \"0.1\"\n[allow]\nwrite = [\"half\"]\n")
        .with_file("/project/sweep.rhai", runbook)
        .with_file("/project/sweep_test.rhai", test);
    let folder = PathBuf::from("/project");
    let mut stage = SweepSetup::new(Subject::new(Arc::new(host), folder.clone(), folder, []));
    let task = stage.subject.task("sweep.rhai", &[]);
    stage.setup = setup::beside(&stage.subject, &task.path).unwrap();
    (stage, task)
}

fn swept(stage: &SweepSetup, task: &Task) -> Report {
    swept_every(1, stage, task)
}

fn swept_every(every: usize, stage: &SweepSetup, task: &Task) -> Report {
    // Each needs a whole run: only a few, because there are many sweeps.
    sweep(stage, task, &Options { every, recoveries: 4, ..Options::default() }, &|_, _| ())
        .unwrap_or_else(|diagnostic| panic!("{}", diagnostic.message))
}

/// Everything about a sweep.
fn reported(report: &Report) -> String {
    let findings = report
        .findings
        .iter()
        .map(|finding| format!("{}\n    {}\n", finding.title(), finding.lines().join("\n    ")));
    format!("{}{}", findings.collect::<String>(), report.summary())
}

/// Checks that every run after a kill reaches the state, by the sweep's own report.
fn arrives(stage: &SweepSetup, runbook: &str, words: &[&str]) -> Report {
    arrives_every(1, stage, runbook, words)
}

/// The same for every nth point.
fn arrives_every(every: usize, stage: &SweepSetup, runbook: &str, words: &[&str]) -> Report {
    let report = swept_every(every, stage, &stage.subject.task(runbook, words));
    assert!(report.findings.is_empty(), "{}", reported(&report));
    assert!(report.points > 0 && report.too_late <= report.points / 10, "{}", reported(&report));
    report
}

#[test]
fn an_interrupted_sweep_ends_in_the_middle_of_a_run() {
    for runbook in ["loop { sleep(1s); }", "loop { }"] {
        let (stage, task) = project(&runbook.replace("1s", "\"1s\""));
        let cancel = CancellationToken::new();
        cancel.cancel();
        let failure = stage.frozen(&cancel).clean(&task, 1, Duration::ZERO).err().unwrap();
        // Not by a limit, which it would reach later.
        assert_eq!(failure.message, "sweep.rhai, without a kill, failed: Interrupted", "{runbook}");
        let options = Options { cancel, ..Options::default() };
        assert_eq!(
            sweep(&stage, &task, &options, &|_, _| ()).err().unwrap().kind,
            Kind::Interrupted
        );
    }
}

#[test]
fn a_lost_request_fails_the_sweep() {
    let (stage, task) = project_with_clients(true);
    let failure = sweep(&stage, &task, &Options::default(), &|_, _| ()).err().unwrap();
    let expected = "sweep.rhai violates an invariant even without a kill: a request was lost: shop-backend-1: the container stops";
    assert!(failure.message.starts_with(expected), "{}", failure.message);
    let (stage, task) = project_with_clients(false);
    let report = swept(&stage, &task);
    let text = reported(&report);
    assert!(!report.findings.is_empty(), "{text}");
    for finding in &report.findings {
        let lines = finding.lines();
        assert!(
            lines[0].contains("container_restart shop-backend-1: a request was lost"),
            "{text}"
        );
    }
}

/// A whole sweep of a deployment takes more than ten minutes: `spc test --crash-sweep
/// scripts/deploy_rolling_test.rhai`.
const DEPLOYMENT_POINTS: usize = 20;

/// The reference stack as the runbook's test file sets it up.
fn set_up_for(runbook: &str) -> SweepSetup {
    let mut stage = reference();
    let path = stage.subject.task(runbook, &[]).path;
    stage.setup = setup::beside(&stage.subject, &path)
        .unwrap_or_else(|diagnostic| panic!("{}", diagnostic.message));
    assert!(stage.setup.is_some(), "{runbook} has a test file with `sweep`");
    stage
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_rolling_deployment_loses_no_request_to_a_kill() {
    let runbook = "scripts/deploy_rolling.rhai";
    arrives_every(DEPLOYMENT_POINTS, &set_up_for(runbook), runbook, &["--tag", "v2"]);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_blue_green_deployment_loses_no_request_to_a_kill() {
    let runbook = "scripts/deploy_blue_green.rhai";
    arrives_every(DEPLOYMENT_POINTS, &set_up_for(runbook), runbook, &["--tag", "v2"]);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_canary_loses_no_request_to_a_kill() {
    let runbook = "scripts/deploy_canary.rhai";
    arrives_every(
        DEPLOYMENT_POINTS,
        &set_up_for(runbook),
        runbook,
        &["--tag", "v2", "--steps", "50", "--bake", "5s"],
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn up_recovers_from_a_kill_at_any_point() {
    let report = arrives(&reference(), "scripts/up.rhai", &[]);
    assert!(
        report.calls > 100 && report.changes > 30 && report.points > 80 && report.recoveries > 2,
        "{}",
        reported(&report)
    );
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn up_that_changes_running_services_recovers_from_a_kill_at_any_point() {
    arrives(&running(), "scripts/up.rhai", &["--tag", "v2", "--build", "backend", "frontend"]);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn production_recovers_from_a_kill_at_any_point() {
    arrives(&running(), "scripts/production.rhai", &[]);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn build_recovers_from_a_kill_at_any_point() {
    arrives(&reference(), "scripts/build.rhai", &[]);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn db_init_recovers_from_a_kill_at_any_point() {
    arrives(&reference(), "scripts/db_init.rhai", &[]);
}

/// The one that `make check` also runs.
#[test]
#[ignore = "slow: `make test` runs it"]
fn stop_recovers_from_a_kill_at_any_point() {
    arrives(&running(), "scripts/stop.rhai", &[]);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn restart_recovers_from_a_kill_at_any_point() {
    arrives(&running(), "scripts/restart.rhai", &[]);
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn down_recovers_from_a_kill_at_any_point() {
    arrives(&running(), "scripts/down.rhai", &[]);
    arrives(&running(), "scripts/down.rhai", &["--volumes", "--yes"]);
}

#[test]
fn prepare_recovers_from_a_kill_at_any_point() {
    let mut stage = reference();
    stage.env_file = None;
    arrives(&stage, "scripts/prepare.rhai", &[]);
}

#[test]
fn certificate_recovers_from_a_kill_at_any_point() {
    arrives(&reference(), "scripts/certificate.rhai", &[]);
}

/// The report of a sweep of a runbook without recoveries.
fn sweep_output(runbook: &str) -> String {
    let (stage, task) = project(runbook);
    let options = Options { recoveries: 0, ..Options::default() };
    sweep(&stage, &task, &options, &|_, _| ())
        .map_or_else(|diagnostic| diagnostic.message, |report| reported(&report))
}

#[test]
fn a_recreated_volume_is_reported_as_lost_data() {
    let reported = sweep_output(
        r#"
        let data = volume("data");
        if data.exists() { data.remove(); }
        data.create();
        "#,
    );
    assert_eq!(
        reported,
        "killed after engine call 6 (volume_create project_data)
    volume project_data: content: expected its content from before the kill, found a new, empty volume
sweep.rhai: 6 engine calls (1 change), 0 host changes; killed at 6 points; 1 next run did not reach the expected state"
    );
}

#[test]
fn a_sweep_reports_extra_and_missing_objects() {
    let reported = sweep_output(
        r#"
        if volume("first").exists() { volume("second").create(); } else { volume("first").create(); fs::write("done", "yes\n"); }
        "#,
    );
    assert_eq!(
        reported,
        "killed after engine call 6 (volume_create project_first)
    file /project/done: expected present, found missing
    volume project_second: expected missing, found present
killed before host change 1 (write done)
    file /project/done: expected present, found missing
    volume project_second: expected missing, found present
killed after host change 1 (write done)
    volume project_second: expected missing, found present
sweep.rhai: 6 engine calls (1 change), 1 host change; killed at 8 points; 3 next runs did not reach the expected state"
    );
}

#[test]
fn a_next_run_that_fails_is_reported() {
    let reported = sweep_output(
        r#"if volume("a").exists() { fail("conflict", "only half is done", #{ hint: "remove it" }); } volume("a").create();"#,
    );
    assert_eq!(
        reported,
        "killed after engine call 6 (volume_create project_a)
    the next run failed: sweep.rhai:1: only half is done
    help: remove it
sweep.rhai: 6 engine calls (1 change), 0 host changes; killed at 6 points; 1 next run did not reach the expected state"
    );
}

#[test]
fn a_name_made_of_the_time_is_not_deterministic() {
    assert_eq!(
        sweep_output("volume(`data-${time::now().unix}`).create();"),
        "sweep.rhai is not deterministic: engine call 4 is volume_create project_data-1767225600, but another run has \
         volume_create project_data-1767229200, so a run can't find what an earlier one created"
    );
}

#[test]
fn a_call_that_differs_between_two_runs_on_the_same_machine_is_named() {
    let made = |target: &str| undisturbed_run::TimedCall {
        call: NamedCall { method: "volume_create", target: target.to_owned(), mutates: true },
        at: Duration::from_secs(1),
    };
    let (_, task) = project("");
    let difference =
        same_calls(&task, &[made("a"), made("b")], &[made("a"), made("c")]).unwrap_err();
    assert_eq!(
        (difference.kind.exit_code(), difference.message.as_str()),
        (
            2,
            "sweep.rhai is not deterministic: engine call 2 of two runs on the same machine (both without a kill) is volume_create b at 1s in one and volume_create c at 1s in the other"
        )
    );
    let difference = same_calls(&task, &[made("a")], &[made("a"), made("c")]).unwrap_err();
    assert!(
        difference.message.ends_with("is no call in one and volume_create c at 1s in the other"),
        "{}",
        difference.message
    );
}

#[test]
fn a_runbook_that_fails_undisturbed_is_not_swept() {
    assert_eq!(
        sweep_output(r#"fail("conflict", "not today");"#),
        "sweep.rhai, without a kill, failed: not today"
    );
}

#[test]
fn one_point_alone_can_be_repeated_also_one_of_a_recovery() {
    let (stage, task) =
        project(r#"let data = volume("data"); if data.exists() { data.remove(); } data.create();"#);
    let at = |point: &str, second: Option<&str>| {
        let at = Some((point.parse().unwrap(), second.map(|second| second.parse().unwrap())));
        let options = Options { at, ..Options::default() };
        sweep(&stage, &task, &options, &|_, _| ())
            .map_or_else(|diagnostic| diagnostic.message, |report| reported(&report))
    };
    assert_eq!(
        at("2:before", None),
        "sweep.rhai: 6 engine calls (1 change), 0 host changes; killed at 1 point; every next run reached the expected state"
    );
    assert_eq!(
        at("2:after", Some("6:after")),
        "killed after engine call 2 (volume_inspect project_data), and the next run after engine call 6 (volume_create project_data)
    volume project_data: content: expected its content from before the kill, found a new, empty volume
sweep.rhai: 6 engine calls (1 change), 0 host changes; killed at 1 point; 1 next run did not reach the expected state"
    );
    assert_eq!(at("9:after", None), "The runbook sweep.rhai ends before the point 9:after");
}

#[test]
fn a_sweep_that_is_cancelled_says_so() {
    let (stage, task) = project(r#"volume("data").create();"#);
    let options = Options::default();
    let report = sweep(&stage, &task, &options, &|_, _| options.cancel.cancel()).unwrap();
    assert_eq!((report.code(), report.interrupted), (130, true));
}
