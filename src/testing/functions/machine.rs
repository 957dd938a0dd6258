//! Defines how images, builds and processes behave, for a test.

use std::sync::Arc;
use std::time::Duration;

use rhai::{Array, Dynamic, Map};

use super::answers::Answers;
use crate::engine::sim::{BuildScript, ImageSpec, Process, Traffic, TrafficStats};
use crate::model::{Failure, Kind};
use crate::testing::test_context::TestContext;
use crate::value::options::{duration_of, number};
use crate::value::text::plain;
use crate::value::{Options, type_names};

/// A time that never comes.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The default duration of a pull.
const PULL_TAKES: Duration = Duration::from_secs(3);

/// Sets the behaviour of containers.
pub fn process(
    test_context: &Arc<TestContext>,
    pattern: &str,
    given: &Dynamic,
) -> Result<(), Failure> {
    let mut options = Options::of(given, "options of a process")?;
    let mut process = Process::new();
    if let Some(value) = options.take("ready_after") {
        let never = value.is_string() && plain(&value) == "never";
        process = process.ready_after(if never { NEVER } else { duration_of(&value)? });
    }
    if let Some(value) = options.take("unready") {
        for (from, to) in stretches(&value)? {
            process = process.unready_between(from, to);
        }
    }
    let code = options.integer("exit_code")?;
    if let Some(after) = options.duration("exits_after")? {
        process = process.exits_after(after, code.unwrap_or(0));
    } else if code.is_some() {
        return Err(options.wrong("exit_code", "\"exit_code\" needs \"exits_after\""));
    }
    if let Some(after) = options.duration("out_of_memory_after")? {
        process = process.runs_out_of_memory_after(after);
    }
    if let Some(time) = options.duration("stop_takes")? {
        process = process.stop_takes(time);
    }
    if let Some(code) = options.integer("stop_code")? {
        process = process.stop_code(code);
    }
    if options.bool("ignores_term")? == Some(true) {
        process = process.ignores_term();
    }
    if options.bool("drops_requests")? == Some(true) {
        process = process.drops_requests();
    }
    if let Some(words) = options.text("cannot_start")? {
        process = process.cannot_start(&words);
    }
    for line in options.take("logs").map(log_lines).transpose()?.unwrap_or_default() {
        process = if line.is_error {
            process.complains(line.after, &line.text)
        } else {
            process.says(line.after, &line.text)
        };
    }
    for destination in options.list_of_text("writes")?.unwrap_or_default() {
        process = process.writes(&destination);
    }
    if let Some(exec) = options.take("exec") {
        let answers = Answers::of(test_context, &exec)?;
        process = process.on_exec(move |request, _| answers.give(&request.command).map(Into::into));
    }
    options.finish()?;
    test_context.world.engine.set_process(pattern, process);
    Ok(())
}

/// `[["10s", "20s"], …]`
fn stretches(value: &Dynamic) -> Result<Vec<(Duration, Duration)>, Failure> {
    let wrong = || {
        Failure::usage("\"unready\" has to be a list of pairs of times")
            .hint("write [[\"10s\", \"20s\"]]")
    };
    let list = value.read_lock::<Array>().ok_or_else(wrong)?;
    let stretch = |value: &Dynamic| match value.read_lock::<Array>().ok_or_else(wrong)?.as_slice() {
        [from, to] => Ok((duration_of(from)?, duration_of(to)?)),
        _ => Err(wrong()),
    };
    list.iter().map(stretch).collect()
}

struct LogLine {
    after: Duration,
    text: String,
    is_error: bool,
}

fn log_lines(value: Dynamic) -> Result<Vec<LogLine>, Failure> {
    let one = |value: &Dynamic| {
        if value.is_string() {
            return Ok(LogLine { after: Duration::ZERO, text: plain(value), is_error: false });
        }
        let mut options = Options::of(value, "parts of a log line")?;
        let after = options.duration("after")?.unwrap_or_default();
        let text = options.text("text")?.unwrap_or_default();
        let is_error = options.bool("stderr")?.unwrap_or(false);
        options.finish()?;
        Ok(LogLine { after, text, is_error })
    };
    match value.read_lock::<Array>() {
        Some(list) => list.iter().map(one).collect(),
        None => Ok(vec![one(&value)?]),
    }
}

/// Describes an image of the registry, or one on the engine.
pub fn image(test_context: &TestContext, name: &str, given: &Dynamic) -> Result<(), Failure> {
    let failed = |error: crate::engine::EngineError| {
        Failure::usage(format!("The image \"{name}\" can't be made: {}", error.message))
    };
    let mut options = Options::of(given, "options of an image")?;
    let mut spec = ImageSpec {
        command: options.list_of_text("command")?.unwrap_or_else(|| vec!["serve".to_owned()]),
        entrypoint: options.list_of_text("entrypoint")?.unwrap_or_default(),
        environment: options
            .map_of_text("environment")?
            .unwrap_or_default()
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        user: options.text("user")?.unwrap_or_default(),
        working_dir: options.text("working_dir")?.unwrap_or_default(),
        exposed_ports: options.list_of_text("ports")?.unwrap_or_default(),
        volumes: options.list_of_text("volumes")?.unwrap_or_default(),
        labels: options.map_of_text("labels")?.unwrap_or_default(),
        files: options
            .map_of_text("files")?
            .unwrap_or_default()
            .into_iter()
            .map(|(path, text)| (path, text.into()))
            .collect(),
        ..ImageSpec::default()
    };
    if let Some(test) = options.text("healthcheck")? {
        spec = spec.with_health_test(&test);
    }
    let takes = options.duration("takes")?.unwrap_or(PULL_TAKES);
    let (missing, here) =
        (options.bool("missing")?.unwrap_or(false), options.bool("here")?.unwrap_or(false));
    options.finish()?;
    let engine = &test_context.world.engine;
    if missing {
        return engine.withhold(name).map_err(failed);
    }
    if here { engine.have_image(name, &spec) } else { engine.publish(name, &spec, takes) }
        .map_err(failed)
}

/// Sets the results of builds.
pub fn build(test_context: &TestContext, pattern: &str, given: &Dynamic) -> Result<(), Failure> {
    let mut options = Options::of(given, "options of a build")?;
    let mut script = BuildScript::new();
    if let Some(time) = options.duration("step_takes")? {
        script = script.step_takes(time);
    }
    let (output, code) =
        (options.text("output")?.unwrap_or_default(), options.integer("code")?.unwrap_or(1));
    if let Some(part) = options.text("fails_at")? {
        script = script.fails_at(&part, &output, code);
    }
    options.finish()?;
    test_context.world.engine.set_build(pattern, script);
    Ok(())
}

/// The requests to the stack, and how each release answers.
pub fn traffic(test_context: &TestContext, given: &Map) -> Result<(), Failure> {
    let mut traffic = Traffic::default();
    for (name, value) in given {
        if name == "rps" {
            traffic.rps = number(value).ok_or_else(|| {
                Failure::usage(format!(
                    "\"rps\" of the traffic is a number, not {}",
                    type_names::a(value)
                ))
            })?;
            continue;
        }
        let mut options = Options::of(value, format!("figures of the release \"{name}\""))?;
        let error_rate = options.float("error_rate")?.unwrap_or(0.0);
        let p95_ms = options.float("p95_ms")?.unwrap_or(50.0);
        options.finish()?;
        traffic.by_release.insert(name.to_string(), TrafficStats { error_rate, p95_ms });
    }
    test_context.world.engine.set_traffic(traffic);
    Ok(())
}

/// The failure if a test's call needs a container that doesn't exist.
pub fn on_container(result: crate::engine::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| Failure::new(Kind::NotFound, error.message))
}
