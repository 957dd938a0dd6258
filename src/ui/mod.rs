//! Everything that is printed. The only module that writes to standard output and standard error.
//!
//! - [`terminal`]: the two streams, their colour and width; masks what is printed directly. Events
//!   come masked (`model::masking`)
//! - [`output_queue`]: what is written waits here, so that a reader that stands still holds up no
//!   signal
//! - [`progress`]: a run as plain lines for people
//! - [`live_progress`]: a run on a terminal, drawn in place: [`board`] says what, [`live_region`] how,
//!   [`line`] fits it to the width
//! - [`step_labels`]: the words for steps, and their columns
//! - [`json_lines`]: a run as one JSON object per line
//! - [`diagnostics`]: errors and warnings with their excerpt
//! - [`json_masking`]: secrets hidden in JSON that is no event
//! - [`help`]: the help of a runbook; [`verdicts`]: what tests came to
//! - [`preview`]: what a runbook would do

pub mod board;
pub mod diagnostics;
pub mod help;
pub mod json_lines;
mod json_masking;
pub mod line;
pub mod live_progress;
pub mod live_region;
pub mod output_queue;
pub mod preview;
pub mod progress;
pub mod step_labels;
pub mod terminal;
pub mod verdicts;

#[cfg(test)]
pub mod fixture;

pub use terminal::Terminal;
