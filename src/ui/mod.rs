//! All output. Only this module writes to standard output and standard error.
//!
//! - [`terminal`]: the two streams, their colour and width; masks text that is printed directly.
//!   Events are already masked (`model::masking`)
//! - [`output_queue`]: buffers output, so that a stopped reader delays no signal
//! - [`progress`]: a run as plain lines for people
//! - [`live_progress`]: a run on a terminal, drawn in place: [`board`] decides what,
//!   [`live_region`] how,
//!   [`line`] fits lines to the width
//! - [`step_labels`]: the words for steps, and their columns
//! - [`json_lines`]: a run as one JSON object per line
//! - [`diagnostics`]: errors and warnings with their excerpt
//! - [`json_masking`]: masks secrets in JSON that is not an event
//! - [`help`]: the help of a runbook; [`verdicts`]: results of tests
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
