//! Values of scripts: the types that Rhai doesn't have, and the way between object maps and typed
//! options.
//!
//! - [`bytes`], [`record`], [`secret`], [`time`]: value types; a duration is a
//!   [`std::time::Duration`]
//! - [`json`]: Rhai values ↔ JSON
//! - [`options`]: an options map read key by key, unknown keys refused
//! - [`error`]: failures ↔ Rhai errors, without loss
//! - [`rhai_messages`]: what Rhai reports, in the words of scripts
//! - [`spans`]: where in a source a map literal's key stands
//! - [`size`]: how large a value may be
//! - [`swallowed_errors`]: errors after which a script evaluates nothing of its `catch`
//! - [`text`], [`type_names`]: a value as people read it, a type's name as scripts know it

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
