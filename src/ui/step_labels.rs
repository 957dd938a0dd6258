//! The words and column widths for the actions of a plan, for plain lines and for a terminal.

use crate::model::cause::Cause;
use crate::model::step::ActionKind;

/// The minimum width of the first column: most service names fit.
pub const FIRST_COLUMN: usize = 10;
/// Width of the action words.
pub const WORD_COLUMN: usize = 9;
/// Width of elapsed times.
pub const TIME_COLUMN: usize = 9;
/// How many columns a long word may take from the elapsed time.
const OVERHANG: usize = 4;

/// The widths of an action word and of the elapsed time after it. A long word takes columns from
/// the time, so that the text after both stays aligned.
pub const fn word_and_time(word: &str) -> (usize, usize) {
    let overhang = word.len().saturating_sub(WORD_COLUMN);
    let overhang = if overhang > OVERHANG { OVERHANG } else { overhang };
    (WORD_COLUMN + overhang, TIME_COLUMN - overhang)
}

/// The cause, unless it is the usual one of every first run.
pub fn worth_saying(cause: Option<&Cause>) -> Option<&Cause> {
    cause.filter(|cause| !matches!(cause, Cause::NotThere))
}

/// How many lines a step gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One, at its end.
    End,
    /// It may take long: also one at its beginning.
    Both,
    /// Only in verbose output.
    Detail,
}

/// The words for an action, during and after it, and the number of its lines.
pub const fn words(action: ActionKind) -> (&'static str, &'static str, Lines) {
    match action {
        ActionKind::AppendTo => ("writing", "written", Lines::End),
        ActionKind::Attach => ("attaching", "attached", Lines::Detail),
        ActionKind::Build => ("building", "built", Lines::Both),
        ActionKind::Connect => ("connecting", "connected", Lines::End),
        ActionKind::Create | ActionKind::Make => ("creating", "created", Lines::End),
        ActionKind::Delay => ("pausing", "paused", Lines::End),
        ActionKind::DeliverConfigs => ("configs", "configs", Lines::Detail),
        ActionKind::DeliverSecrets => ("secrets", "secrets", Lines::Detail),
        ActionKind::Disconnect => ("disconnecting", "disconnected", Lines::End),
        ActionKind::Import => ("importing", "imported", Lines::Both),
        ActionKind::Monitor => ("monitoring", "monitored", Lines::End),
        ActionKind::Pull => ("pulling", "pulled", Lines::Both),
        ActionKind::Push => ("pushing", "pushed", Lines::Both),
        ActionKind::Remove => ("removing", "removed", Lines::End),
        ActionKind::Rename => ("renaming", "renamed", Lines::Detail),
        ActionKind::Request => ("asking", "answered", Lines::End),
        ActionKind::Restart => ("restarting", "restarted", Lines::Both),
        ActionKind::Restore => ("restoring", "restored", Lines::End),
        ActionKind::Run | ActionKind::RunReadOnly => ("running", "completed", Lines::Both),
        ActionKind::Signal => ("signalling", "signalled", Lines::End),
        ActionKind::Start => ("starting", "started", Lines::End),
        ActionKind::Stop => ("stopping", "stopped", Lines::Both),
        ActionKind::Tag => ("tagging", "tagged", Lines::End),
        ActionKind::Update => ("updating", "updated", Lines::End),
        ActionKind::Verify => ("verifying", "verified", Lines::End),
        ActionKind::WaitUntilCompleted => ("waiting", "completed", Lines::End),
        ActionKind::WaitUntilReady => ("waiting", "ready", Lines::End),
        ActionKind::Write | ActionKind::WriteInto => ("writing", "written", Lines::End),
    }
}
