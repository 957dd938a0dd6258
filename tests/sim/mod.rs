//! The conformance suite on the simulated engine, in virtual time.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use spc::engine::observer::Observer;
use spc::engine::sim::{ExecAnswer, ImageSpec, Process, ProcessView, SimEngine, SimEngineBuilder};
use spc::engine::{ApiVersion, Call, ExecRequest, Method};
use spc::host::TaskExecutor;
use spc::host::sim::executor::SimTaskExecutor;

use crate::conformance::commands::*;
use crate::conformance::{Case, Fixture, for_each_case};

fn is(request: &ExecRequest, command: &[&str]) -> bool {
    request.command == command
}

fn exec(request: &ExecRequest, view: &mut ProcessView) -> Option<ExecAnswer> {
    Some(if is(request, SAY) {
        ExecAnswer::stdout("one\ntwo\nthree\n").complaining(Duration::ZERO, "oops\n")
    } else if is(request, FAIL) {
        ExecAnswer::failure(3, "")
    } else if is(request, PROMPT) {
        ExecAnswer::stdout("prompt>")
    } else if is(request, COPY) {
        ExecAnswer::stdout(view.read_stdin())
    } else if is(request, WHO) {
        let greeting = request
            .environment
            .iter()
            .find_map(|entry| entry.strip_prefix("GREETING="))
            .unwrap_or_default();
        let folder = request.working_dir.as_deref().unwrap_or("/");
        ExecAnswer::stdout(format!(
            "{greeting}\n{folder}\n{}\n",
            request.user.as_deref().unwrap_or("0")
        ))
    } else if is(request, ANNOUNCE) {
        ExecAnswer::default().saying(Duration::from_millis(1), "ready\n").running_on()
    } else if is(request, STUBBORN) {
        ExecAnswer::default()
            .saying(Duration::from_millis(1), "ready\n")
            .running_on()
            .ignoring_term()
    } else if is(request, MISSING) {
        ExecAnswer::cannot_run("exec: \"no-such-command\": executable file not found in $PATH")
    } else {
        return None;
    })
}

fn scripted(builder: SimEngineBuilder) -> SimEngineBuilder {
    let now = Duration::ZERO;
    let says =
        Process::new().says(now, "one").says(now, "two").complains(now, "oops").says(now, "three");
    builder
        .image("conformance:1", ImageSpec::command(&["sh"]))
        .process(&SERVE.join(" "), Process::new().on_exec(exec))
        .process(&DEAF.join(" "), Process::new().ignores_term())
        .process(&SUCCEED.join(" "), Process::new().exits_after(now, 0))
        .process(&FAIL.join(" "), Process::new().exits_after(now, 3))
        .process(&SAY.join(" "), says.exits_after(now, 0))
        .process(&PROMPT.join(" "), Process::new().prints(now, "prompt>").exits_after(now, 0))
        .process(
            &LONG.join(" "),
            Process::new()
                .prints(now, &format!("{}\nshort\ntail", "x".repeat(40_000)))
                .exits_after(now, 0),
        )
        .process(
            &MISSING.join(" "),
            Process::new()
                .cannot_start("exec: \"no-such-command\": executable file not found in $PATH"),
        )
}

fn run(name: &str, version: &str, case: impl AsyncFnOnce(&Case<'_>)) {
    let _ = asked_by(name, version, case);
}

/// Runs a case. Returns the methods of the `Engine` trait that it calls.
fn asked_by(
    name: &str,
    version: &str,
    case: impl AsyncFnOnce(&Case<'_>),
) -> BTreeSet<&'static str> {
    let executor = SimTaskExecutor::new(1);
    let engine =
        SimEngine::builder(executor.clone()).api_version(ApiVersion::parse(version).unwrap());
    let engine = scripted(engine.host_paths(|path| !path.starts_with("/spc-none"))).build();
    let fixture =
        Fixture { image: "conformance:1".into(), unreachable: "127.0.0.1:1/spc/none:1".into() };
    TaskExecutor::Sim(executor).block_on(async {
        let prepared = Case::new(&engine, &fixture, name).await;
        let asked: Arc<Mutex<BTreeSet<&'static str>>> = Arc::default();
        let noted = asked.clone();
        let observer = Observer::new(&engine, move |call: &Call<'_>| {
            noted.lock().unwrap().insert(call.method().name());
            Ok(())
        });
        case(&prepared.at(&observer)).await;
        prepared.clean().await;
        drop(observer);
        Arc::into_inner(asked).unwrap().into_inner().unwrap()
    })
}

/// The methods that the cases call. Both engines run the same cases, so the simulated engine is
/// enough.
macro_rules! all_asked {
    ($($noun:ident: [$($case:ident),* $(,)?],)*) => {{
        let mut asked = BTreeSet::new();
        $($(
            asked.extend(asked_by(stringify!($case), "1.41", async |case: &Case<'_>| {
                crate::conformance::$noun::$case(case).await;
            }));
        )*)*
        asked
    }};
}

#[test]
fn every_engine_method_has_a_conformance_case() {
    let methods: BTreeSet<&str> = Method::ALL.iter().map(|method| method.name()).collect();
    let asked = for_each_case!(all_asked);
    let missing: Vec<_> = methods.difference(&asked).collect();
    assert!(
        methods.len() > 30 && missing.is_empty(),
        "no case of tests/conformance asks {missing:?}"
    );
}

macro_rules! tests {
    ($($noun:ident: [$($case:ident),* $(,)?],)*) => {
        $(mod $noun {
            $(
                #[test]
                fn $case() {
                    for version in ["1.41", "1.51"] {
                        super::run(stringify!($case), version, async |case: &crate::conformance::Case<'_>| {
                            crate::conformance::$noun::$case(case).await;
                        });
                    }
                }
            )*
        })*
    };
}

for_each_case!(tests);
