//! The commands that run in the cases' containers, and what they do.
//!
//! The real engine runs them with a busybox; a simulated one scripts these very argument vectors.

/// Runs until it gets TERM; on TERM it ends at once with exit code 0.
pub const SERVE: &[&str] =
    &["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"];

/// Writes `ready` and a line's end, then runs until it gets TERM.
pub const ANNOUNCE: &[&str] = &["sh", "-c", "echo ready; while :; do sleep 1000; done"];

/// Runs until it is killed: ignores TERM, as process 1 without a handler does.
pub const DEAF: &[&str] = &["sleep", "1000000"];

/// Ends at once with exit code 0.
pub const SUCCEED: &[&str] = &["true"];

/// Ends at once with exit code 3.
pub const FAIL: &[&str] = &["sh", "-c", "exit 3"];

/// Writes `one`, `two` and `three` to standard output and `oops` to standard error, each a line,
/// and ends with exit code 0.
pub const SAY: &[&str] = &["sh", "-c", "echo one; echo two; echo oops >&2; echo three"];

/// Writes `prompt>` without a line's end to standard output and ends with exit code 0.
pub const PROMPT: &[&str] = &["sh", "-c", "printf 'prompt>'"];

/// Writes a line of 40,000 `x`, a line `short` and `tail` without a line's end to standard output,
/// and ends with exit code 0.
pub const LONG: &[&str] =
    &["sh", "-c", "head -c 40000 /dev/zero | tr '\\0' x; echo; echo short; printf tail"];

/// Copies standard input to standard output until its end.
pub const COPY: &[&str] = &["cat"];

/// Writes `$GREETING`, the working folder and the user's id, each a line.
pub const WHO: &[&str] = &["sh", "-c", "echo $GREETING; pwd; id -u"];

/// Ends with exit code 0, and is a health check that passes.
pub const HEALTHY: &[&str] = &["true"];

/// Ignores TERM; writes `ready` and a line's end, then runs until it is killed, as does what it
/// starts.
pub const STUBBORN: &[&str] = &["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"];

/// There is no such command.
pub const MISSING: &[&str] = &["no-such-command"];
