//! Values of scripts: types that Rhai doesn't have, and conversions between object maps and typed
//! options.
//!
//! - [`bytes`], [`record`], [`secret`], [`time`]: value types; a duration is a
//!   [`std::time::Duration`]
//! - [`json`]: converts Rhai values to JSON and back
//! - [`options`]: an options map that is read key by key; unknown keys are rejected
//! - [`error`]: converts failures to Rhai errors and back, without loss
//! - [`rhai_messages`]: translates Rhai's errors into the words of scripts
//! - [`spans`]: the position of a map literal's key in a source
//! - [`size`]: the size limits of a value
//! - [`swallowed_errors`]: errors whose `catch` evaluates nothing
//! - [`text`], [`type_names`]: values as text for people, and the names of types for scripts

pub mod bytes;
pub mod error;
pub mod json;
pub mod options;
pub mod record;
pub mod rhai_messages;
pub mod secret;
pub mod size;
pub mod spans;
pub mod swallowed_errors;
pub mod text;
pub mod time;
pub mod type_names;

pub use bytes::Bytes;
pub use options::Options;
pub use record::Record;
pub use secret::SecretToken;
pub use time::Time;
