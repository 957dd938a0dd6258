//! `sh`: a command on the machine where spc runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, StreamExt, select_biased};
use rhai::plugin::{Dynamic, Engine, ImmutableString, NativeCallContext, export_module};

use super::context::Context;
use super::exec::with_output;
use super::fs::File;
use super::{Raw, assume_option, paths, secret, task};
use crate::apply::exec::ExecResult;
use crate::host::memory::{CollectError, CollectedBytes};
use crate::host::resolve::{look, resolve};
use crate::host::{CommandEvent, CommandRequest, HostError, HostErrorKind};
use crate::model::event::Event;
use crate::model::lines::Lines;
use crate::model::time::readable;
use crate::model::{Failure, Kind, token};
use crate::policy::{CheckedCommand, Machine, RequestedCommand, SEARCH_PATH};
use crate::value::options::text;
use crate::value::{Options, Record, size, type_names};

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

/// The most output that is returned to the script.
const MOST_OUTPUT: usize = 16 << 20;

/// The options of a command.
pub(super) struct Request {
    environment: BTreeMap<String, String>,
    /// Relative to the project directory; by default the folder of host commands from `spc.toml`.
    working_dir: Option<String>,
    stdin: Option<Bytes>,
    /// Receives standard output instead of the script.
    stdout: Option<File>,
    timeout: Option<Duration>,
    check: bool,
    /// Whether to hide its output.
    quiet: bool,
    assumed: Option<ExecResult>,
}

impl Request {
    pub(super) fn read(context: &Context, options: &Dynamic) -> Result<Self, Failure> {
        let mut options = Options::of(options, "sh options")?;
        let environment = options.map_of_text("environment")?.unwrap_or_default();
        let request = Self {
            environment: secret::variables(
                context,
                environment,
                "the environment of a host command",
            )?,
            working_dir: options.text("working_dir")?,
            stdin: options
                .take("stdin")
                .map(|value| stdin(context, &options, &value))
                .transpose()?,
            stdout: match options.take("stdout") {
                None => None,
                Some(value) => Some(value.try_cast::<File>().ok_or_else(|| {
                    options.wrong(
                        "stdout",
                        "\"stdout\" of the sh options has to be a file: fs::file(path)",
                    )
                })?),
            },
            timeout: options.duration("timeout")?,
            check: options.bool("check")?.unwrap_or(true),
            quiet: options.bool("quiet")?.unwrap_or(false),
            assumed: assume_option::end(&mut options)?,
        };
        options.finish()?;
        Ok(request)
    }
}

/// A text, with revealed secrets, or a file's content. Only the command reads it.
fn stdin(context: &Context, options: &Options, value: &Dynamic) -> Result<Bytes, Failure> {
    if let Some(file) = value.read_lock::<File>() {
        return paths::read(context, file.name());
    }
    match text(value) {
        Some(text) => Ok(context.secrets.reveal(&text).into()),
        None => Err(options.wrong(
            "stdin",
            format!(
                "\"stdin\" of the sh options has to be a string or a file, not {}",
                type_names::a(value)
            ),
        )),
    }
}

/// The result of a command.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    code: i64,
    stdout: String,
    stderr: String,
    elapsed: Duration,
}

/// Output that is returned to the script and, unless it is quiet, reported line by line.
#[derive(Default)]
struct CapturedOutput {
    bytes: CollectedBytes,
    length: usize,
    lines: Lines,
    quiet: bool,
}

impl CapturedOutput {
    fn push(&mut self, context: &Context, from: &str, chunk: &[u8]) -> Result<(), Failure> {
        if !self.quiet {
            report(context, from, self.lines.push(chunk, &context.secrets));
        }
        self.length += chunk.len();
        if self.length > MOST_OUTPUT {
            return Err(Failure::new(
                Kind::Exec,
                format!("The host command \"{from}\" printed more than {} MiB", MOST_OUTPUT >> 20),
            )
            .hint("send it to a file: stdout: fs::file(path)"));
        }
        self.bytes.push(|| context.host.memory(), chunk).map_err(|full| match full {
            CollectError::Run(error) => error.into(),
            CollectError::Value => {
                Failure::new(Kind::Exec, format!("The host command \"{from}\" printed too much"))
            }
        })
    }

    fn finish(mut self, context: &Context, from: &str) -> String {
        if !self.quiet {
            report(context, from, self.lines.finish());
        }
        String::from_utf8_lossy(&self.bytes.into_bytes()).into_owned()
    }
}

fn report(context: &Context, from: &str, lines: impl IntoIterator<Item = String>) {
    for text in lines {
        context.events.event(&Event::Output { from: from.to_owned(), text });
    }
}

/// Runs the command to its end. Reports its output as it arrives.
async fn run(
    context: &Context,
    command: &CheckedCommand,
    request: Request,
) -> Result<Answer, Failure> {
    let shown = command.command().join(" ");
    let name = program_name(command);
    let started = context.host.monotonic();
    let mut sink = request.stdout.as_ref().map(|file| file.create(context)).transpose()?;
    let wanted = CommandRequest {
        command: command.command().to_vec(),
        program: command.program().map(Path::to_owned),
        environment: command.environment().clone(),
        working_dir: command.folder().to_owned(),
        stdin: request.stdin,
    };
    let mut events =
        context.host.spawn(&wanted).map_err(|error| not_started(context, &wanted, error))?;
    let mut deadline = match request.timeout {
        Some(time) => context.host.sleep(time).fuse(),
        None => futures::future::pending().boxed().fuse(),
    };
    let kept = || CapturedOutput { quiet: request.quiet, ..CapturedOutput::default() };
    let (mut stdout, mut stderr) = (kept(), kept());
    let code = loop {
        let event = select_biased! {
            event = events.next().fuse() => event,
            () = deadline => {
                let time = readable(request.timeout.unwrap_or_default());
                let message = format!("The host command \"{shown}\" did not end within {time}");
                return Err(Failure::new(Kind::Timeout, message)
                    .hint("set a longer `timeout`, or none"));
            }
        };
        match event.transpose()? {
            Some(CommandEvent::Stdout(chunk)) => match &mut sink {
                Some(sink) => sink.write(chunk).await?,
                None => stdout.push(context, name, &chunk)?,
            },
            Some(CommandEvent::Stderr(chunk)) => stderr.push(context, name, &chunk)?,
            Some(CommandEvent::Exit(code)) => break code,
            None => {
                return Err(Failure::new(
                    Kind::Exec,
                    format!("The host command \"{shown}\" was lost before it ended"),
                ));
            }
        }
    };
    let mut answer = Answer {
        code,
        stdout: stdout.finish(context, name),
        stderr: stderr.finish(context, name),
        elapsed: context.host.monotonic().saturating_sub(started),
    };
    if let Some(assumed) = assume_option::assumed_end(context, request.assumed) {
        answer.code = assumed.code;
        answer.stderr = String::from_utf8_lossy(&assumed.stderr).into_owned();
        match &mut sink {
            Some(sink) => sink.write(assumed.stdout.into()).await?,
            None => answer.stdout = String::from_utf8_lossy(&assumed.stdout).into_owned(),
        }
    }
    if request.check && answer.code != 0 {
        // A plan names the line that reads the exit code as the one that depends on the command. So
        // read it here.
        let _ = context
            .answered(Record::new("sh result", [("code".into(), answer.code.into())]))
            .get("code")?;
        let is_elsewhere = request.working_dir.is_none() && wanted.working_dir == Path::new("/");
        return Err(failed(&shown, &answer, is_elsewhere));
    }
    if let Some(sink) = sink {
        sink.finish().await?;
    }
    Ok(answer)
}

fn not_started(context: &Context, request: &CommandRequest, error: HostError) -> Failure {
    let is_missing = error.kind == HostErrorKind::NotFound;
    let failure = Failure::from(error);
    if is_missing && context.awaiting.is_some() {
        return failure.hint(format!(
            "in a test, `sim::command(\"{} *\", …)` defines its result",
            request.name()
        ));
    }
    match request.program {
        None if !request.name().contains('/') => {
            failure.hint(format!("spc looks for programs in {SEARCH_PATH}; call a program in another folder by its path, and allow that path"))
        }
        _ => failure,
    }
}

/// The failure of a command. `is_elsewhere` says that it ran in `/`, although the script may have
/// expected the project's folder.
fn failed(shown: &str, answer: &Answer, is_elsewhere: bool) -> Failure {
    let folder = "it ran in \"/\", because scripts or containers can write the folder of spc.toml: \
                  choose another one with command_folder, under [allow] in spc.toml; ";
    let failure = Failure::new(
        Kind::Exec,
        format!("The host command \"{shown}\" ended with code {}", answer.code),
    )
    .hint(format!("{}{}", if is_elsewhere { folder } else { "" }, super::exec::GO_ON))
    .field("code", answer.code);
    with_output(failure, &answer.stdout, &answer.stderr)
}

/// The program without its folder, as the prefix of its output lines.
fn program_name(command: &CheckedCommand) -> &str {
    let program = command.command().first().map_or("", String::as_str);
    program.rsplit('/').next().unwrap_or(program)
}

/// Checks a command against the policy. A text is a command line for a shell.
fn checked(
    context: &Context,
    command: &Dynamic,
    request: &Request,
) -> Result<CheckedCommand, Failure> {
    let words = words_of(command)?;
    if let Some(token) = words.iter().find_map(|word| token::first(word)) {
        return Err(Failure::usage(format!(
            "The secret \"{}\" can't be used in the arguments of a host command: every process can see them",
            token.name
        ))
        .hint("give it in stdin or environment"));
    }
    let texts = words
        .iter()
        .chain(request.environment.values())
        .map(String::as_str)
        .chain(request.working_dir.as_deref());
    if texts.into_iter().any(|text| text.contains('\0')) {
        return Err(Failure::usage(
            "A host command can't be given a NUL character, except in stdin",
        ));
    }
    let host = context.host.as_ref();
    let wish = RequestedCommand {
        command: &words,
        environment: &request.environment,
        folder: request.working_dir.as_deref().map(Path::new),
    };
    let machine = Machine {
        environment: &host.environment(),
        look: &|path| look(host, path),
        resolve: &|path| resolve(host, path),
    };
    Ok(context.policy.command(&wish, &machine)?)
}

fn words_of(command: &Dynamic) -> Result<Vec<String>, Failure> {
    if let Some(line) = command.read_lock::<ImmutableString>() {
        return Ok(["sh", "-c", line.as_str()].map(str::to_owned).to_vec());
    }
    let Some(list) = command.read_lock::<rhai::Array>() else {
        return Err(Failure::usage(format!(
            "A command is a list of strings, not {}",
            type_names::a(command)
        ))
        .hint("write [\"git\", \"status\"]"));
    };
    size::check(command)?;
    let word = |value: &Dynamic| {
        let word =
            text(value).or_else(|| (value.is_int() || value.is_float()).then(|| value.to_string()));
        word.ok_or_else(|| {
            Failure::usage(format!("A word of a command is a string, not {}", type_names::a(value)))
        })
    };
    list.iter().map(word).collect()
}

fn execute(
    call: &NativeCallContext,
    command: &Dynamic,
    options: &Dynamic,
) -> Result<Record, Failure> {
    let context = Context::of(call)?;
    let request = Request::read(&context, options)?;
    let command = checked(&context, command, &request)?;
    let answer =
        context.script.changes.of(task::wait(&context, run(&context, &command, request)))?;
    Ok(context.answered(Record::new(
        "sh result",
        [
            ("code".into(), answer.code.into()),
            ("ok".into(), (answer.code == 0).into()),
            ("stdout".into(), answer.stdout.into()),
            ("stderr".into(), answer.stderr.into()),
            (
                "elapsed_ms".into(),
                i64::try_from(answer.elapsed.as_millis()).unwrap_or(i64::MAX).into(),
            ),
        ],
    )))
}

#[export_module]
mod functions {
    /// Runs a command on the machine where spc runs, and shows its output as it arrives. The result
    /// has `code`, `ok`, `stdout`, `stderr` and `elapsed_ms`; `.lines()`, `.int()` and `.json()`
    /// parse the output.
    ///
    /// A list is the program and its arguments. A string is a command line for `sh -c`; `spc.toml`
    /// has to allow `sh` for it, which allows anything. The command runs in the folder of
    /// `spc.toml`, or in its `command_folder`. If scripts or containers can write the former, it
    /// runs in `/`. It gets `PATH`, `HOME`, the locale, and the variables of spc's own environment
    /// that `command_env` lists. Throws `exec` if it ends with a code other than 0, `not_found` if
    /// the program does not exist, and `policy` if `spc.toml` does not list it under `commands`.
    ///
    /// ```rhai,no_run
    /// let revision = sh(["git", "rev-parse", "HEAD"]).stdout.trimmed();
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn sh(call: NativeCallContext, command: Dynamic) -> Raw<Record> {
        Ok(execute(&call, &command, &Dynamic::UNIT)?)
    }

    /// Runs a command on the machine where spc runs, with options: `working_dir` (relative to the
    /// project directory, but not writable for scripts and containers), `environment` (a map of
    /// variables that `spc.toml` lists under `command_env`; a secret in it has to be exposed),
    /// `stdin` (a string, a secret or a file), `stdout` (a file for the output), `timeout` (none),
    /// `check` (true: a code other than 0 throws `exec`), `quiet` (false: the output is shown as it
    /// arrives).
    ///
    /// ```rhai,no_run
    /// let dirty = !sh(["git", "diff", "--quiet"], #{ check: false, timeout: "10s" }).ok;
    /// ```
    #[rhai_fn(name = "sh", return_raw, volatile)]
    pub fn sh_with(call: NativeCallContext, command: Dynamic, options: Dynamic) -> Raw<Record> {
        Ok(execute(&call, &command, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use std::path::Path;
    use std::time::Duration;

    use bytes::Bytes;

    use crate::host::CommandRequest;
    use crate::host::sim::{CommandAnswer, SimHost};
    use crate::model::event::Event;

    /// A project that may run everything, on a host that answers every command with `answer`.
    fn answering(
        answer: impl Fn(&CommandRequest) -> CommandAnswer + Send + Sync + 'static,
    ) -> Harness {
        allowed(|host| host.on_command(move |request| Some(answer(request))))
    }

    fn allowed(given: impl FnOnce(SimHost) -> SimHost) -> Harness {
        Harness::with(given, "[allow]\ncommands = [\"*\"]\n", |_| {})
    }

    #[test]
    fn a_command_answers_and_its_output_is_shown_as_it_comes() {
        let trial = answering(|_| {
            CommandAnswer { stderr: "hint\n".into(), ..CommandAnswer::stdout("one\ntwo") }
                .taking(Duration::from_millis(30))
        });
        assert_eq!(
            trial.text(r#"let r = sh(["/usr/bin/git", "log"]); [r.code, r.ok, r.stdout, r.stderr, r.elapsed_ms, r.lines().len]"#),
            r#"[0, true, "one\ntwo", "hint\n", 30, 2]"#
        );
        let line = |text: &str| Event::Output { from: "git".to_owned(), text: text.to_owned() };
        let mut shown = trial.events();
        shown.sort_by_key(|event| format!("{event:?}"));
        assert_eq!(shown, [line("hint"), line("one"), line("two")]);
    }

    #[test]
    fn a_list_is_the_arguments_and_a_text_a_line_for_the_shell() {
        let trial = answering(|_| CommandAnswer::default());
        trial.text(r#"sh(["git", "log", "-n", 5]); sh("git log | head")"#);
        let ran: Vec<Vec<String>> =
            trial.host.commands().into_iter().map(|request| request.command).collect();
        assert_eq!(ran, [vec!["git", "log", "-n", "5"], vec!["sh", "-c", "git log | head"]]);
        assert_eq!(trial.host.commands()[0].working_dir, Path::new("/project"));
    }

    #[test]
    fn a_forbidden_command_is_rejected_with_the_line_to_add() {
        let trial = Harness::with(|host| host, "[allow]\ncommands = [\"git status\"]\n", |_| {});
        let failure = trial.fails(r#"sh("git status")"#);
        assert_eq!(failure.kind.word(), "policy");
        assert!(
            failure
                .message
                .starts_with("A script may not run the host command \"sh\": a line for a shell"),
            "{}",
            failure.message
        );
        assert!(failure.hint.unwrap().contains("commands = [\"git status\", \"sh\"]"));
        assert_eq!(trial.fails(r#"sh(["git", "push"])"#).kind.word(), "policy");
        assert!(trial.host.commands().is_empty());
    }

    #[test]
    fn another_code_than_0_is_an_error_unless_it_is_not_checked() {
        let trial = answering(|_| CommandAnswer::failure(128, "fatal: no remote\n"));
        let failure = trial.fails(r#"sh(["git", "push"])"#);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("exec", "The host command \"git push\" ended with code 128")
        );
        assert_eq!(failure.fields["stderr"], "fatal: no remote\n");
        assert_eq!(failure.details[0].text, "fatal: no remote");
        assert_eq!(failure.hint.unwrap(), "to continue anyway, pass check: false");
        assert_eq!(trial.text(r#"sh(["git", "push"], #{ check: false }).code"#), "128");
        let trial = Harness::with(
            |host| {
                host.with_file("/usr/bin/git", "")
                    .with_mode("/usr/bin/git", 0o755)
                    .on_command(|_| Some(CommandAnswer::failure(1, "")))
            },
            "[allow]\ncommands = [\"git status\"]\n",
            |_| {},
        );
        assert!(
            trial
                .fails(r#"sh(["git", "status"])"#)
                .hint
                .unwrap()
                .starts_with("it ran in \"/\", because scripts")
        );
    }

    #[test]
    fn a_command_that_takes_too_long_or_is_not_there_is_an_error() {
        let trial = answering(|_| CommandAnswer::default().taking(Duration::from_secs(60)));
        let failure = trial.fails(r#"sh(["sleep", "60"], #{ timeout: "2s" })"#);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("timeout", "The host command \"sleep 60\" did not end within 2 s")
        );
        let failure = allowed(|host| host).fails(r#"sh(["nothing"])"#);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("not_found", "Could not start \"nothing\": there is no such program on this machine")
        );
        assert!(failure.hint.unwrap().starts_with("spc looks for programs in /usr/local/sbin:"));
    }

    #[test]
    fn options_give_folder_environment_and_input() {
        let trial = allowed(|host| {
            host.with_file("/project/sub/in.txt", "from a file")
                .on_command(|_| Some(CommandAnswer::default()))
        });
        trial.text(r#"sh(["a"], #{ working_dir: "sub", environment: #{ DEBUG: true, GONE: () }, stdin: "text" })"#);
        trial.text(r#"sh(["b"], #{ stdin: fs::file("sub/in.txt") })"#);
        let ran = trial.host.commands();
        assert_eq!(ran[0].working_dir, Path::new("/project/sub"));
        let expected = [("DEBUG", "true"), ("PATH", crate::policy::SEARCH_PATH)];
        assert_eq!(
            ran[0].environment,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
        );
        assert_eq!(
            (ran[0].stdin.clone(), ran[1].stdin.clone()),
            (Some(Bytes::from("text")), Some(Bytes::from("from a file")))
        );
        assert_eq!(
            trial.fails(r#"sh(["a"], #{ stdin: 5 })"#).message,
            "\"stdin\" of the sh options has to be a string or a file, not an integer"
        );
        assert_eq!(
            trial.fails(r#"sh(["a"], #{ cwd: "x" })"#).message,
            "The sh options have no \"cwd\""
        );
    }

    #[test]
    fn a_listed_command_runs_beside_what_a_script_writes_and_with_listed_variables() {
        let toml = "project_directory = \"deploy\"\n[allow]\ncommands = [\"git status\"]\ncommand_env = [\"TOKEN\"]\n";
        let given = |host: SimHost| {
            let host = host
                .with_folder("/project/deploy")
                .with_variable("TOKEN", "t")
                .with_variable("GIT_DIR", "/evil");
            host.on_command(|_| Some(CommandAnswer::default()))
        };
        let trial = Harness::with(given, toml, |_| {});
        trial.text(r#"sh(["git", "status"])"#);
        let ran = &trial.host.commands()[0];
        assert_eq!(
            (ran.working_dir.as_path(), ran.program.as_deref()),
            (Path::new("/project"), None)
        );
        assert_eq!(ran.environment.keys().collect::<Vec<_>>(), ["PATH", "TOKEN"]);
        for options in
            [r#"environment: #{ GIT_DIR: "x" }"#, r#"working_dir: ".""#, r#"working_dir: "new""#]
        {
            assert_eq!(
                trial.fails(&format!(r#"sh(["git", "status"], #{{ {options} }})"#)).kind.word(),
                "policy",
                "{options}"
            );
        }
        assert_eq!(trial.host.commands().len(), 1);
    }

    #[test]
    fn a_simulated_program_in_the_project_is_refused_as_a_real_one_is() {
        let toml =
            "project_directory = \"deploy\"\n[allow]\ncommands = [\"./deploy/tool\", \"git\"]\n";
        let given = |host: SimHost| {
            let host =
                host.with_file("/project/deploy/tool", "").with_mode("/project/deploy/tool", 0o755);
            host.with_symlink("/usr/bin/git", "/project/deploy/tool")
                .on_command(|_| Some(CommandAnswer::default()))
        };
        let trial = Harness::with(given, toml, |_| {});
        for command in ["./deploy/tool", "git"] {
            assert_eq!(
                trial.fails(&format!(r#"sh(["{command}"])"#)).kind.word(),
                "policy",
                "{command}"
            );
        }
        assert!(trial.host.commands().is_empty());
    }

    #[test]
    fn output_goes_to_a_file_that_appears_only_when_all_is_well() {
        let trial = answering(|request| CommandAnswer {
            code: i64::from(request.command[0] == "bad"),
            ..CommandAnswer::stdout("dump")
        });
        assert_eq!(trial.text(r#"sh(["good"], #{ stdout: fs::file("out/a.sql") }).stdout"#), "");
        assert_eq!(trial.file("/project/out/a.sql"), "dump");
        trial.fails(r#"sh(["bad"], #{ stdout: fs::file("out/b.sql") })"#);
        assert_eq!(trial.mode("/project/out/b.sql"), None);
    }

    #[test]
    fn a_secret_reaches_a_command_by_input_or_exposed_in_its_environment_never_as_an_argument() {
        let trial = answering(|_| CommandAnswer::default());
        trial.text(r#"let s = random_secret("key", 20); sh(["a"], #{ stdin: s, environment: #{ KEY: expose(s) } })"#);
        let ran = &trial.host.commands()[0];
        assert_eq!(ran.stdin.as_ref().unwrap().len(), 20);
        assert_eq!(ran.environment["KEY"].len(), 20);
        for script in [
            r#"sh(["a", random_secret("key", 20)])"#,
            r#"sh("a " + expose(random_secret("key", 20)))"#,
        ] {
            assert!(trial.fails(script).message.contains("every process can see them"), "{script}");
        }
        let failure =
            trial.fails(r#"sh(["a"], #{ environment: #{ KEY: random_secret("key", 20) } })"#);
        assert_eq!(
            failure.message,
            "The secret \"key\" can't be used in the environment of a host command"
        );
    }

    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn endless_output_ends_with_an_error() {
        let trial = answering(|_| CommandAnswer::stdout(vec![b'a'; 17 << 20]));
        assert_eq!(
            trial.fails(r#"sh(["yes"])"#).message,
            "The host command \"yes\" printed more than 16 MiB"
        );
    }
}
