//! The cost of simulations: an `up` of the reference stack, its crash sweep, `spc check`, and plans
//! of large stacks.
//!
//! `tools/bench.sh --sim` runs all of it. `cargo bench --bench sim -- up` runs one part: `up`,
//! `sweep`, `check` or `plan`. All values go to `target/bench/sim.json`. Each plan runs in a
//! separate process, so that its memory peak can be measured.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a measurement looks at the real clock, files and processes"
)]
#![expect(clippy::print_stdout, reason = "the table")]
#![expect(clippy::unwrap_used, reason = "nobody goes on after a figure that could not be taken")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use serde_json::json;
use spc::api::context::Command as Called;
use spc::engine::Engine;
use spc::engine::sim::SimEngine;
use spc::host::real::RealHost;
use spc::host::sim::SimHost;
use spc::host::sim::executor::SimTaskExecutor;
use spc::host::{Host, TaskExecutor};
use spc::machine::world::{Limits, Subject};
use spc::machine::{End, World};
use spc::model::plan_steps::SummaryKey;
use spc::model::secret::Secrets;
use spc::plan::{PlanOutcome, PlanRequest, plan};
use spc::policy::CheckedPath;
use spc::script::Runbook;
use spc::script::project_context::{self, ProjectOptions, RunOptions};
use spc::testing::sweep::{Options, SweepSetup, sweep};

/// Services of the generated stacks.
const SIZES: [usize; 4] = [100, 300, 1_000, 3_000];
/// The stack size that the target refers to.
const TARGET_SIZE: usize = 1_000;
/// The time targets.
const UP: Duration = Duration::from_millis(5);
const SWEEP: Duration = Duration::from_secs(2);
const CHECK: Duration = Duration::from_millis(100);
const PLAN: Duration = Duration::from_millis(200);
/// The largest stack may take this much more time per service than the smallest, to count as
/// linear.
const LINEAR: f64 = 1.5;

const ROOT: &str = "/project";

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["one-plan", size, changed, rounds] => {
            one_plan(size.parse().unwrap(), *changed == "changed", rounds.parse().unwrap());
        }
        [] => measure(&["up", "sweep", "check", "plan"]),
        parts => measure(parts),
    }
}

fn measure(parts: &[&str]) {
    let mut figures = BenchResults::default();
    for part in parts {
        match *part {
            "up" => figures.up(),
            "sweep" => figures.sweep(),
            "check" => figures.check(),
            "plan" => figures.plans(),
            _ => panic!("there is no part \"{part}\": there are up, sweep, check and plan"),
        }
    }
    figures.print();
    figures.write();
}

#[derive(Default)]
struct BenchResults {
    /// Name → the target, the measured value, and the peak of memory in bytes.
    rows: Vec<Row>,
}

struct Row {
    name: String,
    target: Option<Duration>,
    times: Vec<Duration>,
    peak: Option<u64>,
}

impl Row {
    fn median(&self) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort();
        sorted[sorted.len() / 2]
    }
}

impl BenchResults {
    fn add(
        &mut self,
        name: impl Into<String>,
        target: Option<Duration>,
        times: Vec<Duration>,
        peak: Option<u64>,
    ) {
        self.rows.push(Row { name: name.into(), target, times, peak });
    }

    /// Measures `up` on a fresh machine each time, as in a test.
    fn up(&mut self) {
        let (subject, example) = reference();
        let run = || {
            let begun = Instant::now();
            let world = World::made(
                &subject,
                SimTaskExecutor::new(1),
                1,
                |engine| engine,
                |host| host.with_file(subject.directory.join(".env"), example.clone()),
            );
            let ran = world.run(&subject.root.join("scripts/up.rhai"), &[]);
            assert!(matches!(ran.end, End::Done), "{:?}", ran.end);
            begun.elapsed()
        };
        self.add("simulated up, the first", None, vec![run()], None);
        self.add("simulated up", Some(UP), (0..100).map(|_| run()).collect(), None);
    }

    fn sweep(&mut self) {
        let (subject, example) = reference();
        let task = subject.task("scripts/up.rhai", &[]);
        let mut stage = SweepSetup::new(subject);
        stage.env_file = Some(example.into());
        let run = || {
            let begun = Instant::now();
            let report = sweep(&stage, &task, &Options::default(), &|_, _| {})
                .unwrap_or_else(|error| panic!("{error:?}"));
            assert!(report.findings.is_empty(), "{}", report.summary());
            (begun.elapsed(), report.points + report.recoveries)
        };
        let (first, points) = run();
        let times = [first].into_iter().chain((0..2).map(|_| run().0)).collect();
        self.add(format!("crash sweep of up.rhai, {points} kills"), Some(SWEEP), times, None);
    }

    /// Measures the whole process.
    fn check(&mut self) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spc.toml"), "spc = \"0.1\"\n").unwrap();
        std::fs::write(folder.path().join("long.rhai"), long_runbook(1_000)).unwrap();
        let run = || {
            let begun = Instant::now();
            let output = Command::new(env!("CARGO_BIN_EXE_spc"))
                .args(["check", "long.rhai"])
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            begun.elapsed()
        };
        self.add("spc check of 1,000 lines", Some(CHECK), (0..20).map(|_| run()).collect(), None);
    }

    fn plans(&mut self) {
        for kind in ["unchanged", "changed"] {
            for size in SIZES {
                let rounds = if size > TARGET_SIZE { "3" } else { "7" };
                let own = std::env::current_exe().unwrap();
                let output = Command::new(own)
                    .args(["one-plan", &size.to_string(), kind, rounds])
                    .output()
                    .unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
                let times = made["seconds"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|time| Duration::from_secs_f64(time.as_f64().unwrap()));
                let target = (size == TARGET_SIZE).then_some(PLAN);
                self.add(
                    format!("plan of {size} services, {kind}"),
                    target,
                    times.collect(),
                    made["peak"].as_u64(),
                );
            }
        }
    }

    fn print(&self) {
        println!(
            "{:<40} {:>10} {:>10} {:>10} {:>4} {:>10}",
            "figure", "min", "median", "max", "n", "peak"
        );
        let shown = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        for row in &self.rows {
            let (min, max) = (row.times.iter().min().unwrap(), row.times.iter().max().unwrap());
            let peak =
                row.peak.map_or_else(String::new, |bytes| format!("{} MB", bytes / 1_000_000));
            let (name, n) = (&row.name, row.times.len());
            println!(
                "{name:<40} {:>10} {:>10} {:>10} {n:>4} {peak:>10}",
                shown(*min),
                shown(row.median()),
                shown(*max)
            );
        }
        for row in &self.rows {
            let Some(target) = row.target else { continue };
            let verdict = if row.median() < target { "met" } else { "MISSED" };
            println!("{verdict}: {} under {}: {}", row.name, shown(target), shown(row.median()));
        }
        for kind in ["unchanged", "changed"] {
            let each = |size: usize| {
                let row = self
                    .rows
                    .iter()
                    .find(|row| row.name == format!("plan of {size} services, {kind}"))?;
                Some(row.median().as_secs_f64() / f64::from(u32::try_from(size).ok()?))
            };
            let (Some(least), Some(most)) = (each(SIZES[0]), each(SIZES[SIZES.len() - 1])) else {
                continue;
            };
            let verdict = if most < least * LINEAR { "met" } else { "MISSED" };
            let (least, most) = (least * 1e6, most * 1e6);
            println!(
                "{verdict}: plans of what is {kind} are linear: {least:.0} µs a service in the smallest stack, {most:.0} in the largest"
            );
        }
    }

    fn write(&self) {
        let seconds = |row: &Row| row.times.iter().map(Duration::as_secs_f64).collect::<Vec<_>>();
        let all: BTreeMap<&str, _> = self
            .rows
            .iter()
            .map(|row| {
                (
                    row.name.as_str(),
                    json!({ "unit": "s", "values": seconds(row), "peak": row.peak }),
                )
            })
            .collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("sim.json"), serde_json::to_string_pretty(&all).unwrap() + "\n")
            .unwrap();
    }
}

/// The files of the reference stack and its `.env.example`.
fn reference() -> (Subject, Vec<u8>) {
    let host: Arc<dyn Host> = Arc::new(RealHost::new());
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (root, policy) = project_context::project_of(&*host, &root).unwrap();
    let directory = policy.project_directory().to_path_buf();
    let example =
        host.read(&CheckedPath::trusted(directory.join(".env.example"))).unwrap().to_vec();
    (Subject::new(host, root.unwrap(), directory, []), example)
}

/// A runbook with this many different lines.
fn long_runbook(lines: usize) -> String {
    let mut text = String::from("let shop = stack(\"shop\", #{ services: #{\n");
    let mut line = 1;
    while line < lines - 20 {
        let number = line;
        text += &format!(
            "    web_{number}: #{{\n        image: \"web:{number}\",\n        environment: #{{ NUMBER: \"{number}\", KEY: `value ${{1 + {number}}}` }},\n        healthcheck: #{{ test: [\"CMD\", \"true\"], interval: \"5s\" }},\n    }},\n"
        );
        line += 5;
        if line % 100 == 1 {
            text += &format!(
                "}} }});\nfn report_{number}(stack) {{\n    for row in stack.ps() {{ print(`${{row.service}}`); }}\n}}\nlet done_{number} = shop.up();\nif done_{number}.services.len() > 3 {{ report_{number}(shop); }}\nshop = stack(\"shop\", #{{ services: #{{\n"
            );
            line += 7;
        }
    }
    text += "} });\n";
    text + "print(\"the end\");\n".repeat(lines - line - 1).as_str()
}

/// A stack with this many services on one network, in chains of ten; every tenth has a volume.
fn large_stack(size: usize, colour: &str) -> String {
    let service = |number: usize| {
        let after = if number.is_multiple_of(10) {
            String::new()
        } else {
            format!(", depends_on: [\"s{}\"]", number - 1)
        };
        let volume = if number.is_multiple_of(10) { ", volumes: [\"data:/data\"]" } else { "" };
        format!(
            "    s{number}: #{{ image: \"web:{}\", environment: #{{ COLOUR: \"{colour}\", N: \"{number}\" }}{after}{volume} }},\n",
            number % 20
        )
    };
    let services: String = (0..size).map(service).collect();
    format!(
        "let shop = stack(\"shop\", #{{ networks: #{{ \"default\": #{{ ipam: #{{ config: [#{{ subnet: \"10.9.0.0/16\" }}] }} }} }}, volumes: #{{ data: #{{ \"x-spc-shared\": true }} }}, services: #{{\n{services}}} }});\nshop.up();\n"
    )
}

/// Brings a stack up and plans it again this many times. Prints the time of each plan, and the peak
/// of memory.
fn one_plan(size: usize, changed: bool, rounds: usize) {
    let executor = SimTaskExecutor::new(7);
    let host = |colour: &str| -> Arc<SimHost> {
        let host =
            SimHost::new(executor.clone()).with_file(format!("{ROOT}/spc.toml"), "spc = \"0.1\"\n");
        Arc::new(host.with_file(format!("{ROOT}/up.rhai"), large_stack(size, colour)))
    };
    let engine = SimEngine::builder(executor.clone()).open_registry().build();
    let limits = Limits { operations: 0, calls: u64::MAX, ..Limits::default() };
    let world = World { limits, ..World::of(executor.clone(), engine.clone(), host("red"), 7) };
    let ran = world.run(&PathBuf::from(ROOT).join("up.rhai"), &[]);
    assert!(matches!(ran.end, End::Done), "{:?}", ran.end);
    drop(ran);
    reset_peak();
    let host = host(if changed { "blue" } else { "red" });
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        let place = project_context::find(&*host, &ProjectOptions::default(), Path::new(ROOT))
            .unwrap_or_else(|error| panic!("{error:?}"));
        let live = engine.clone();
        let planning = PlanRequest {
            host: host.clone(),
            executor: TaskExecutor::Sim(executor.clone()),
            connector: Arc::new(Box::new(move || {
                let engine: Arc<dyn Engine> = Arc::new(live.clone());
                async move { Ok(engine) }.boxed()
            })),
            secrets: Arc::new(Secrets::new()),
            place,
            options: RunOptions::default(),
            command: Called { name: "spc plan".to_owned(), words: Vec::new(), help: false },
            width: None,
            on_wait: Arc::new(|_: &str| {}),
        };
        let planned = plan(&planning, &Runbook::File(PathBuf::from(ROOT).join("up.rhai")))
            .unwrap_or_else(|error| panic!("{error:?}"));
        seconds.push(begun.elapsed().as_secs_f64());
        let PlanOutcome::Preview(preview) = planned else { panic!("help was not asked for") };
        let replaced = preview.summary.get(&SummaryKey::Replace).copied().unwrap_or_default();
        assert_eq!(replaced, if changed { size } else { 0 }, "{:?}", preview.summary);
    }
    println!("{}", json!({ "seconds": seconds, "peak": peak() }));
}

/// Resets the peak of memory.
fn reset_peak() {
    // If this file is not writable, the peak is that of the whole process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
