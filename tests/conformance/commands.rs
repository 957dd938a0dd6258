//! The commands that the cases run in containers.
//!
//! The real engine runs them with busybox. The simulated engine recognizes exactly these arguments.

/// Runs until SIGTERM, then exits immediately with code 0.
pub const SERVE: &[&str] =
    &["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"];

/// Prints the line `ready`, then runs until SIGTERM.
pub const ANNOUNCE: &[&str] = &["sh", "-c", "echo ready; while :; do sleep 1000; done"];

/// Runs until SIGKILL. It has no SIGTERM handler, so it ignores SIGTERM as process 1.
pub const DEAF: &[&str] = &["sleep", "1000000"];

/// Exits immediately with code 0.
pub const SUCCEED: &[&str] = &["true"];

/// Exits immediately with code 3.
pub const FAIL: &[&str] = &["sh", "-c", "exit 3"];

/// Prints the lines `one`, `two` and `three` to standard output and the line `oops` to standard
/// error. Exits with code 0.
pub const SAY: &[&str] = &["sh", "-c", "echo one; echo two; echo oops >&2; echo three"];

/// Prints `prompt>` without a newline to standard output. Exits with code 0.
pub const PROMPT: &[&str] = &["sh", "-c", "printf 'prompt>'"];

/// Prints a line of 40,000 `x`, a line `short`, and `tail` without a newline to standard output.
/// Exits with code 0.
pub const LONG: &[&str] =
    &["sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo; echo short; printf tail"];

/// Copies standard input to standard output until the input ends.
pub const COPY: &[&str] = &["cat"];

/// Prints `$GREETING`, the working directory and the user id, one per line.
pub const WHO: &[&str] = &["sh", "-c", "echo $GREETING; pwd; id -u"];

/// Exits with code 0. As a health check it passes.
pub const HEALTHY: &[&str] = &["true"];

/// Prints the line `ready`, then runs until SIGKILL. Neither it nor its child processes react to
/// SIGTERM.
pub const STUBBORN: &[&str] = &["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"];

/// A command that does not exist.
pub const MISSING: &[&str] = &["no-such-command"];
