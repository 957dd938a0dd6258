//! `exec`: a command in a container.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Map, NativeCallContext};

use super::container::Container;
use super::context::Context;
use super::fs::File;
use super::project::{finish, verb_context};
use super::secret;
use super::service::Service;
use super::{Raw, assume_option, task};
use crate::apply::exec::{Exec, ExecResult, Input, exec};
use crate::engine::ExecRequest;
use crate::model::{Failure, Kind, token};
use crate::value::{Options, Record, SecretToken, size};

/// The next step after a command that ended with a code other than 0.
pub(super) const GO_ON: &str = "to continue anyway, pass check: false";

/// The next step after a command that ended with this code.
pub(super) fn next_step(code: i64) -> String {
    match code {
        126 => format!("code 126 usually means that the program can't be executed; {GO_ON}"),
        127 => format!("code 127 usually means that the image doesn't have the program; {GO_ON}"),
        _ => GO_ON.to_owned(),
    }
}

/// Lines of standard error shown with a failure.
const SHOWN_LINES: usize = 20;

/// The command in a script: a list is the argument vector, a string runs in the container's shell.
pub(super) fn command(given: &Dynamic) -> Result<Vec<String>, Failure> {
    if let Some(line) = given.read_lock::<ImmutableString>() {
        if line.trim().is_empty() {
            return Err(Failure::usage("The command is empty"));
        }
        let words = vec!["/bin/sh".into(), "-c".into(), line.to_string()];
        no_secret(&words)?;
        return Ok(words);
    }
    let wrong = || {
        Failure::usage("A command is a string, or a list of strings")
            .hint("[\"program\", \"argument\"] runs without a shell")
    };
    size::check(given)?;
    let list = given.read_lock::<Array>().ok_or_else(wrong)?;
    let words: Vec<String> = list
        .iter()
        .map(|word| {
            let text = word.read_lock::<ImmutableString>().map(|word| word.to_string());
            text.or_else(|| word.read_lock::<SecretToken>().map(|secret| secret.token.clone()))
                .or_else(|| word.as_int().ok().map(|number| number.to_string()))
                .ok_or_else(wrong)
        })
        .collect::<Result<_, _>>()?;
    if words.first().is_none_or(String::is_empty) {
        return Err(Failure::usage("The command is empty"));
    }
    no_secret(&words)?;
    Ok(words)
}

/// Rejects a secret in the arguments of a command, exposed or not: the engine's events show them.
fn no_secret(words: &[String]) -> Result<(), Failure> {
    match words.iter().find_map(|word| token::first(word)) {
        None => Ok(()),
        Some(token) => Err(Failure::usage(format!(
            "The secret \"{}\" can't be used in the arguments of a command: the engine's events and every process in the container show them",
            token.name
        ))
        .hint(format!("give it in `environment` with expose(secret(\"{}\")), or to `exec` in `stdin`", token.name))),
    }
}

/// Runs `given` in a container; `name` is the container's name for messages.
pub(super) fn run(
    context: &Arc<Context>,
    project: &str,
    container: &str,
    name: &str,
    given: &Dynamic,
    options: Map,
) -> Result<Record, Failure> {
    let words = command(given)?;
    let shown = given
        .read_lock::<ImmutableString>()
        .map_or_else(|| words.join(" "), |line| line.to_string());
    let ExecOptions { request, input, output, timeout, check, assumed } =
        ExecOptions::read(context, words, options)?;
    // In a plan, the file may get the assumed output, which is known only then.
    let is_late = context.watch.is_some() && assumed.is_some();
    let sink = output.as_ref().filter(|_| !is_late).map(|file| file.create(context)).transpose()?;
    let is_read_only = request.read_only;
    let ended = finish(context, async {
        let ctx = verb_context(context, project).await?;
        exec(&ctx, Exec { container, name, request, input, output: sink, timeout }).await
    });
    if ended.is_ok() && !is_read_only {
        context.script.changes.note();
    }
    // The simulation of a plan makes no command fail. If one fails, it really ran.
    let mut ended = ended.inspect_err(|failure| certain(context, failure))?;
    let assumed_end = assume_option::assumed_end(context, assumed);
    let is_real = assumed_end.is_none();
    ended = assumed_end.unwrap_or(ended);
    if let Some(file) = output.filter(|_| is_late && ended.code == 0) {
        let mut sink = file.create(context)?;
        let written = std::mem::take(&mut ended.stdout);
        task::wait(context, async {
            sink.write(Bytes::from(written)).await?;
            Ok(sink.finish().await?)
        })?;
    }
    let answer = context.answered(record(&ended));
    if check && ended.code != 0 {
        // A plan names the line that reads the exit code as the one that depends on the command. So
        // read it here.
        let _ = answer.get("code")?;
        let failure = failed(&shown, name, &ended);
        if is_real {
            certain(context, &failure);
        }
        return Err(failure);
    }
    Ok(answer)
}

/// In a plan: the failure doesn't depend on an unknown answer.
fn certain(context: &Context, failure: &Failure) {
    if let Some(watch) = &context.watch {
        watch.fails(&failure.message);
    }
}

/// The options of a command.
pub(super) struct ExecOptions {
    request: ExecRequest,
    input: Input,
    output: Option<File>,
    timeout: Option<Duration>,
    check: bool,
    assumed: Option<ExecResult>,
}

impl ExecOptions {
    /// Reads the options of `exec`.
    pub(super) fn read(
        context: &Context,
        command: Vec<String>,
        options: Map,
    ) -> Result<Self, Failure> {
        let mut options = Options::new(options, "options of exec");
        let environment = options.map_of_text("environment")?.unwrap_or_default();
        let environment = secret::variables(context, environment, "the environment of a command")?;
        let timeout = options.duration("timeout")?;
        let request = ExecRequest {
            command,
            environment: environment
                .into_iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            user: options.text("user")?,
            working_dir: options.text("working_dir")?,
            tty: no_terminal(&mut options)?,
            privileged: options.bool("privileged")?.unwrap_or(false),
            stdin: false,
            read_only: options.bool("read_only")?.unwrap_or(false),
            simulated: None,
            timeout,
        };
        if request.privileged {
            context.policy.privileged("exec with privileged: true")?;
        }
        let input = match options.take("stdin") {
            None => Input::None,
            Some(value) => input(context, &value)?,
        };
        if request.read_only && !matches!(input, Input::None) {
            let hint = "leave `read_only` out: a plan then uses the answer in `assume`";
            return Err(options
                .wrong("read_only", "A command that reads from `stdin` can't be `read_only`")
                .hint(hint));
        }
        let output = options.take("stdout").map(|value| file(&value, "stdout")).transpose()?;
        let check = options.bool("check")?.unwrap_or(true);
        let assumed = assume_option::end(&mut options)?;
        options.finish()?;
        Ok(Self { request, input, output, timeout, check, assumed })
    }
}

/// Rejects `tty: true`. No user sits at that terminal, so a command that asks a question would wait
/// for ever.
fn no_terminal(options: &mut Options) -> Result<bool, Failure> {
    if options.bool("tty")?.unwrap_or(false) {
        let hint = "leave it out; what the command reads goes into `stdin`, or run the command with `docker exec -it`";
        return Err(options
            .wrong("tty", "exec has no terminal to connect: `tty: true` is not supported yet")
            .hint(hint));
    }
    Ok(false)
}

fn input(context: &Context, value: &Dynamic) -> Result<Input, Failure> {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(Input::Bytes(Bytes::from(context.secrets.reveal(&text))));
    }
    if let Some(secret) = value.read_lock::<SecretToken>() {
        return Ok(Input::Bytes(Bytes::from(context.secrets.reveal(&secret.token))));
    }
    if let Some(blob) = value.read_lock::<rhai::Blob>() {
        return Ok(Input::Bytes(Bytes::from(blob.clone())));
    }
    Ok(Input::Stream(file(value, "stdin")?.open(context)?))
}

fn file(value: &Dynamic, key: &str) -> Result<File, Failure> {
    value
        .read_lock::<File>()
        .map(|file| (*file).clone())
        .ok_or_else(|| Failure::usage(format!("\"{key}\" has to be a file: fs::file(\"path\")")))
}

fn failed(shown: &str, name: &str, ended: &ExecResult) -> Failure {
    let failure = Failure::new(
        Kind::Exec,
        format!("\"{shown}\" in \"{name}\" ended with code {}", ended.code),
    );
    let failure =
        failure.hint(next_step(ended.code)).field("code", ended.code).field("service", name);
    with_output(
        failure,
        &String::from_utf8_lossy(&ended.stdout),
        &String::from_utf8_lossy(&ended.stderr),
    )
}

/// The failure with a command's output: the whole output as fields, and the last lines of each
/// stream for display.
pub(super) fn with_output(failure: Failure, stdout: &str, stderr: &str) -> Failure {
    let last = |text: &str| {
        let lines: Vec<&str> = text.trim_end().lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    };
    let failure = failure.field("stdout", stdout).field("stderr", stderr);
    failure
        .detail("last lines of its standard output", last(stdout))
        .detail("last lines of its standard error", last(stderr))
}

/// The result of a command, for scripts.
pub(super) fn record(ended: &ExecResult) -> Record {
    Record::new(
        "exec result",
        Map::from([
            ("code".into(), ended.code.into()),
            ("ok".into(), (ended.code == 0).into()),
            ("stdout".into(), String::from_utf8_lossy(&ended.stdout).into_owned().into()),
            ("stderr".into(), String::from_utf8_lossy(&ended.stderr).into_owned().into()),
            (
                "elapsed_ms".into(),
                i64::try_from(ended.elapsed.as_millis()).unwrap_or(i64::MAX).into(),
            ),
        ]),
    )
}

/// The functions of a script.
#[export_module]
pub mod functions {
    use super::*;

    /// Run a command in a service's first running container. A list is the argument vector, a
    /// string runs in the container's shell. Throws
    ///
    /// ```
    /// let waiting = service("redis").exec("redis-cli llen celery").int();
    /// ```
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_service(service: Service, command: Dynamic) -> Raw<Record> {
        Ok(service.exec(&command, Map::new())?)
    }

    /// The same with options: `user working_dir environment privileged stdin stdout timeout check
    /// assume read_only`. A secret can be in `stdin` or, exposed, in `environment`, but not in the
    /// arguments. If the command reaches its timeout or the run is interrupted, spc ends it in the
    /// container, with everything that it started. The variable `SPC_EXEC` in its environment is
    /// for that.
    ///
    /// `spc plan` runs no command. It assumes exit code 0 and no output, or the answer in `assume`:
    /// the output (a text, a number, or a list as JSON), or `#{ code, stdout, stderr }`. A command
    /// that changes nothing can be declared `read_only: true`. A plan runs it in a container that
    /// it has not changed, if `read_only_execs = true` is under `[allow]` in `spc.toml`. Such a
    /// command takes no `stdin`: input usually changes something (`psql < file`), and in a plan its
    /// file may not exist yet.
    ///
    /// ```
    /// let waiting = service("redis").exec("redis-cli llen celery", #{ read_only: true, assume: 0 }).int();
    /// ```
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_service_with(service: Service, command: Dynamic, options: Map) -> Raw<Record> {
        Ok(service.exec(&command, options)?)
    }

    /// Run a command in a container.
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_container(container: Container, command: Dynamic) -> Raw<Record> {
        Ok(container.exec(&command, Map::new())?)
    }

    /// Run a command in a container, with options.
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_container_with(
        container: Container,
        command: Dynamic,
        options: Map,
    ) -> Raw<Record> {
        Ok(container.exec(&command, options)?)
    }

    /// Run a command in the service or container with this name, in the current project.
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_named(context: NativeCallContext, target: &str, command: Dynamic) -> Raw<Record> {
        Ok(Service::at_hand(&Context::of(&context)?, target)?.exec(&command, Map::new())?)
    }

    /// The same with options.
    #[rhai_fn(name = "exec", return_raw)]
    pub fn exec_named_with(
        context: NativeCallContext,
        target: &str,
        command: Dynamic,
        options: Map,
    ) -> Raw<Record> {
        Ok(Service::at_hand(&Context::of(&context)?, target)?.exec(&command, options)?)
    }
}

/// Registers the functions.
pub fn register(engine: &mut rhai::Engine) {
    engine.register_global_module(shared_module!(functions));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_shows_the_last_lines_of_each_stream_that_has_some() {
        let lines =
            |word: &str| (0..30).map(|number| format!("{word} {number}\n")).collect::<String>();
        let ended = |stdout: &str, stderr: &str| ExecResult {
            code: 2,
            stdout: stdout.into(),
            stderr: stderr.into(),
            ..ExecResult::default()
        };
        let shown = |ended: &ExecResult| -> Vec<(String, usize, String)> {
            let failure = failed("pg_dump", "db", ended);
            assert_eq!(failure.message, "\"pg_dump\" in \"db\" ended with code 2");
            let line = |detail: &crate::model::failure::Detail| {
                (
                    detail.title.clone(),
                    detail.text.lines().count(),
                    detail.text.lines().next_back().unwrap_or_default().to_owned(),
                )
            };
            failure.details.iter().map(line).collect()
        };
        let (out, error) = (
            "last lines of its standard output".to_owned(),
            "last lines of its standard error".to_owned(),
        );
        let both =
            [(out.clone(), 20, "out 29".to_owned()), (error.clone(), 20, "err 29".to_owned())];
        assert_eq!(shown(&ended(&lines("out"), &lines("err"))), both);
        assert_eq!(shown(&ended("", "no\n")), [(error, 1, "no".to_owned())]);
        assert_eq!(shown(&ended("yes\n", "")), [(out, 1, "yes".to_owned())]);
        assert_eq!(shown(&ended("", "")), []);
    }
}
