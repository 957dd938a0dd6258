//! What Compose reads, read the same way: compose files, interpolation and `.env` files. Pure.
//!
//! - [`file`]: a compose file as a description, and where in it a fault stands; [`faults`]: all of
//!   them
//! - [`interpolate`], [`dotenv`]: variables in texts, files of variables; [`dotenv_quoting`]: values as
//!   they are written into those
//! - [`yaml`], [`locate`]: YAML as data, places in a YAML text; [`redact`]: that text as it may be
//!   shown
//!
//! The behaviour is that of docker compose 2.40; where a reader of ours is stricter, its
//! documentation says so and why.

pub mod dotenv;
pub mod dotenv_quoting;
pub mod faults;
pub mod file;
pub mod interpolate;
pub mod locate;
pub mod redact;
mod scalars;
mod text;
pub mod yaml;

pub use file::ComposeFile;

/// Bytes of a text with its variables replaced, and of all values of a `.env` file together: as
/// many as such a file may have.
const LARGEST_TEXT: usize = 4 << 20;

/// Looks a variable up: its value, or nothing when it is not set. An empty value is a value.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;
