//! The words for what a plan does, and the columns they stand in: of plain lines and of those on a terminal.

/// The narrowest first column: most service names fit.
pub const FIRST_COLUMN: usize = 10;
/// Width of the action words.
pub const WORD_COLUMN: usize = 9;
/// Width of elapsed times.
pub const TIME_COLUMN: usize = 9;

/// The cause that every first run has; not worth saying.
pub const USUAL_CAUSE: &str = "not there";

/// How much is said of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One, at its end.
    End,
    /// May take long: one at its beginning too.
    Both,
    /// Of interest only to those who want all of it.
    Detail,
}

/// The words for a plan's actions, doing and done; one not listed is spoken of by its own name.
pub fn words(action: &str) -> (&str, &str, Lines) {
    match action {
        "create" => ("creating", "created", Lines::End),
        "start" => ("starting", "started", Lines::End),
        "wait until ready" => ("waiting", "ready", Lines::End),
        "wait until completed" => ("waiting", "completed", Lines::End),
        "stop" => ("stopping", "stopped", Lines::Both),
        "restart" => ("restarting", "restarted", Lines::Both),
        "kill" => ("killing", "killed", Lines::End),
        "remove" => ("removing", "removed", Lines::End),
        "run" => ("running", "completed", Lines::Both),
        "pull" => ("pulling", "pulled", Lines::Both),
        "push" => ("pushing", "pushed", Lines::Both),
        "build" => ("building", "built", Lines::Both),
        "import" => ("importing", "imported", Lines::Both),
        "rename" => ("renaming", "renamed", Lines::Detail),
        "attach" => ("attaching", "attached", Lines::Detail),
        "deliver secrets to" => ("secrets", "secrets", Lines::Detail),
        "deliver configs to" => ("configs", "configs", Lines::Detail),
        "restore" => ("restoring", "restored", Lines::End),
        other => (other, other, Lines::End),
    }
}
