//! What Compose reads, read the same way: interpolation and `.env` files. Pure.
//!
//! The behaviour is that of docker compose 2.40; where a reader of ours is stricter, its
//! documentation says so and why.

pub mod dotenv;
pub mod interpolate;

/// Looks a variable up: its value, or nothing when it is not set. An empty value is a value.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;
