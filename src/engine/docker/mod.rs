//! The Docker Engine API over bollard.
//!
//! [`connect()`] finds the engine. The nouns' files hold one function per call; `wire` is the
//! connection below bollard, which they use directly where bollard tells too little.

mod address;
mod advice;
mod bounded;
mod build;
pub mod build_progress;
mod calls;
mod client;
mod client_folder;
mod connect;
mod containers;
mod contexts;
mod credentials;
mod endpoint;
mod errors;
mod events;
mod exec;
mod failure;
mod images;
mod kept;
mod known;
mod networks;
mod options;
mod peer;
mod reference;
mod session;
mod ssh;
mod streams;
mod tls;
mod transfer;
mod transport;
mod usage;
mod volumes;
mod wire;

pub use address::{Address, Malformed, SshAddress};
pub use client::DockerEngine;
pub use connect::connect;
pub use endpoint::{ContextBy, Endpoint, EngineChoice, Source};
pub use known::known_engines;
pub use options::ConnectOptions;
pub use tls::TlsFiles;
