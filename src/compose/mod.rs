//! Reads compose files, variables and `.env` files in the same way as Compose. Pure.
//!
//! - [`file`]: a compose file as a description, with the position of a mistake; [`faults`]: all
//!   mistakes
//! - [`interpolate`], [`dotenv`]: variables in texts, files of variables; [`dotenv_quoting`]:
//!   writes values for such files
//! - [`note`]: remarks that are not mistakes
//! - [`yaml`], [`locate`]: YAML as data, positions in a YAML text; [`redact`]: that text without
//!   its values
//!
//! The behaviour is that of docker compose 2.40. If a reader here is stricter, its documentation
//! says so, with the reason.

pub mod dotenv;
pub mod dotenv_quoting;
pub mod faults;
pub mod file;
pub mod interpolate;
pub mod locate;
pub mod note;
pub mod redact;
mod scalars;
mod text;
pub mod yaml;

pub use file::ComposeFile;

/// The most bytes of a text with its variables replaced, and of all values of a `.env` file
/// together: the limit for such a file.
const LARGEST_TEXT: usize = 4 << 20;

/// Returns the value of a variable, or `None` if it is not set. An empty value is a value.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;
