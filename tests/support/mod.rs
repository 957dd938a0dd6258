//! Runs the real `spc` binary in a temporary folder and compares standard output, standard error
//! and exit code.
//!
//! ```ignore
//! Spc::new().runbook("print(1 / 0);").code(2).stderr("…").run();
//! ```
//!
//! The environment contains only `PATH`, a `HOME` beside the folder, and a `DOCKER_HOST` where
//! nothing listens, so that no test reaches the machine's engine by mistake.

mod engine;
pub mod json_schema;
pub mod load_generator;
mod pipe;
mod running;
mod screen;
pub mod step_schema;
mod text;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub use engine::{Answer, FakeEngine, TcpServer};
pub use pipe::FullPipe;
use running::Keyboard;
pub use running::RunningSpc;
pub use screen::Screen;
use tempfile::TempDir;
use text::{Redactions, unindented};

/// The time limit of each wait. A test fails when it is over. The limit is generous, because a busy
/// machine may need ten times as long as usual.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// The file that [`Spc::runbook`] writes and runs.
pub const RUNBOOK: &str = "scripts/a.rhai";

/// A user without any files: `nobody`.
const NOBODY: u32 = 65_534;

/// A builder for a run of `spc`: files, environment, arguments, and the expected output.
/// [`Spc::run`], [`Spc::output`] and [`Spc::start`] start the run.
#[must_use = "nothing is run before `run`, `output` or `start`"]
pub struct Spc {
    // Dropped before `root`, which contains its socket.
    engine: Option<FakeEngine>,
    root: TempDir,
    arguments: Vec<OsString>,
    environment: BTreeMap<String, String>,
    stdin: Vec<u8>,
    at: Streams,
    output: Option<File>,
    messages: Option<File>,
    folder: PathBuf,
    by_nobody: bool,
    /// A program that starts spc, with its arguments.
    under: Vec<String>,
    expected: SpcOutput,
}

/// The standard streams of spc.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Streams {
    Pipes,
    /// A terminal as standard input, pipes for output.
    Answers,
    Terminal,
}

/// The result of a run. Placeholders replace paths: `[project]` is the project folder, `[home]` is
/// `HOME`, `[root]` is the parent folder of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpcOutput {
    /// The exit code. A negative number is the signal that ended spc.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Spc {
    /// A run in an empty project without arguments. It expects success and no output.
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["project", "home"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let path = |name: &str| root.path().join(name).display().to_string();
        let environment = [
            ("PATH", std::env::var("PATH").unwrap()),
            ("HOME", path("home")),
            ("DOCKER_HOST", format!("unix://{}", path("no-engine.sock"))),
        ];
        Self {
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            root,
            arguments: Vec::new(),
            stdin: Vec::new(),
            at: Streams::Pipes,
            output: None,
            messages: None,
            folder: PathBuf::new(),
            by_nobody: false,
            under: Vec::new(),
            expected: SpcOutput { code: 0, stdout: String::new(), stderr: String::new() },
            engine: None,
        }
    }

    /// The project folder. Files and links are relative to it. spc starts there unless
    /// [`Spc::started_in`] names another folder.
    pub fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// The parent folder of the project.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Creates a file and its missing folders.
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Creates an empty folder.
    pub fn folder(self, path: &str) -> Self {
        std::fs::create_dir_all(self.project().join(path)).unwrap();
        self
    }

    /// Creates a symlink to exactly this `target`.
    pub fn link(self, path: &str, target: &str) -> Self {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    /// Removes an environment variable.
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.remove(name);
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Creates the runbook `scripts/a.rhai` with this text and adds the arguments `run
    /// scripts/a.rhai`.
    pub fn runbook(self, text: &str) -> Self {
        self.file(RUNBOOK, text).args(["run", RUNBOOK])
    }

    /// Sets the content of standard input. Without it, standard input is an empty pipe.
    pub fn stdin(mut self, text: &str) -> Self {
        text.as_bytes().clone_into(&mut self.stdin);
        self
    }

    /// Makes its standard input a terminal, for [`RunningSpc::types`].
    pub fn asks(mut self) -> Self {
        self.at = Streams::Answers;
        self
    }

    /// Makes all three streams a terminal with 100 columns, for [`RunningSpc::types_keys`] and
    /// [`RunningSpc::until_shown`]. All terminal output counts as standard output.
    pub fn at_terminal(mut self) -> Self {
        self.at = Streams::Terminal;
        self
    }

    /// Redirects standard output to a file. The result doesn't contain it then.
    pub fn writes_to(mut self, file: impl Into<File>) -> Self {
        self.output = Some(file.into());
        self
    }

    /// Redirects standard error to a file. The result doesn't contain it then.
    pub fn prints_to(mut self, file: impl Into<File>) -> Self {
        self.messages = Some(file.into());
        self
    }

    /// Starts spc through another program. That program gets `spc` and the arguments as its last
    /// arguments.
    pub fn under(mut self, command: &[&str]) -> Self {
        self.under = command.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// Sets the working directory, relative to the project.
    pub fn started_in(mut self, folder: &str) -> Self {
        self.folder = folder.into();
        self
    }

    /// Runs spc as the user `nobody` without groups. The test has to run as root.
    pub fn by_nobody(mut self) -> Self {
        self.by_nobody = true;
        self
    }

    /// Starts a fake engine that responds with `answer`.
    pub fn engine(mut self, answer: impl Fn(&str) -> Answer + Send + 'static) -> Self {
        let engine = FakeEngine::new(&self.root.path().join("engine.sock"), answer);
        self.environment.insert("DOCKER_HOST".to_owned(), engine.address());
        self.engine = Some(engine);
        self
    }

    /// The expected exit code; 0 by default.
    pub fn code(mut self, code: i32) -> Self {
        self.expected.code = code;
        self
    }

    /// The complete expected standard output; empty by default. See [`text::unindented`] for texts
    /// of several lines.
    pub fn stdout(mut self, text: &str) -> Self {
        self.expected.stdout = unindented(text);
        self
    }

    /// The complete expected standard error. See [`Spc::stdout`].
    pub fn stderr(mut self, text: &str) -> Self {
        self.expected.stderr = unindented(text);
        self
    }

    /// Runs spc to its end. Panics if the result differs from the expected one.
    #[track_caller]
    pub fn run(self) {
        let expected = self.expected.clone();
        similar_asserts::assert_eq!(self.output().to_string(), expected.to_string());
    }

    /// Runs spc to its end. Returns the result, whatever it is.
    #[track_caller]
    pub fn output(self) -> SpcOutput {
        self.start().ends()
    }

    /// Starts spc without waiting for its end.
    #[track_caller]
    pub fn start(mut self) -> RunningSpc {
        let keyboard = (self.at != Streams::Pipes).then(Keyboard::new);
        let mut command = self.command();
        match self.messages.take() {
            Some(file) => command.stderr(file),
            None => command.stderr(Stdio::piped()),
        };
        match &keyboard {
            Some(keyboard) => command.stdin(keyboard.terminal()),
            None => command.stdin(Stdio::piped()),
        };
        match (self.output.take(), &keyboard) {
            (Some(file), _) => command.stdout(file),
            (None, Some(keyboard)) if self.at == Streams::Terminal => {
                command.stdout(keyboard.terminal()).stderr(keyboard.terminal())
            }
            (None, _) => command.stdout(Stdio::piped()),
        };
        let redactions = Redactions::of(self.root.path());
        let mut words = self.arguments.iter().take_while(|word| *word != "--");
        let is_json = self.at != Streams::Terminal && words.any(|word| word == "--json");
        RunningSpc::new(command, keyboard, &self.stdin, redactions, (self.engine, self.root))
            .writing_json(is_json)
    }

    fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_spc");
        if self.at == Streams::Terminal {
            // `setsid` makes the terminal the controlling terminal. Otherwise Ctrl-C and Ctrl-D
            // have no effect.
            let mut command = Command::new("setsid");
            command.args(["--ctty", program]);
            return self.surrounded(command);
        }
        let program = if self.by_nobody {
            self.opened_to_everybody(Path::new(program))
        } else {
            PathBuf::from(program)
        };
        let mut command = match &self.under[..] {
            [starter, arguments @ ..] => {
                let mut command = Command::new(starter);
                command.args(arguments).arg(program);
                command
            }
            [] => Command::new(program),
        };
        if self.by_nobody {
            command.uid(NOBODY).gid(NOBODY);
        }
        self.surrounded(command)
    }

    fn surrounded(&self, mut command: Command) -> Command {
        command
            .env_clear()
            .envs(&self.environment)
            .args(&self.arguments)
            .current_dir(self.project().join(&self.folder));
        command
    }

    /// A copy of the program at a path that every user can read. The build folder and new temporary
    /// folders may not be readable.
    fn opened_to_everybody(&self, program: &Path) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        assert!(
            rustix::process::geteuid().is_root(),
            "this test needs root: it runs spc as another user"
        );
        std::fs::set_permissions(self.root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let copy = self.root.path().join("spc");
        std::fs::hard_link(program, &copy)
            .or_else(|_| std::fs::copy(program, &copy).map(drop))
            .unwrap();
        copy
    }
}

impl fmt::Display for SpcOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {}\n── standard output\n{}── standard error\n{}",
            self.code, self.stdout, self.stderr
        )
    }
}
