//! What holds for both implementations of the port.

mod races;
mod symlinks;
