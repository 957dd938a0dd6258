//! Properties of both implementations of the port.

mod races;
mod symlinks;
