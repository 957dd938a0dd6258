//! The Docker Engine API over bollard.
//!
//! [`connect()`] finds the engine. The files of the objects contain one function per call. `wire`
//! is the connection below bollard, which they use directly if bollard provides too little.

mod address;
mod advice;
mod bounded_connection;
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
mod idle_connections;
mod images;
mod networks;
mod options;
mod peer;
mod reference;
mod session;
mod ssh;
mod streams;
mod tcp_engines;
mod tls;
mod transfer;
mod transport;
mod unreadable;
mod usage;
mod volumes;
mod wire;

pub use address::{Address, AddressError, SshAddress};
pub use client::DockerEngine;
pub use connect::connect;
pub use endpoint::{ContextBy, Endpoint, EngineChoice, Source};
pub use options::ConnectOptions;
pub use tcp_engines::known_engines;
pub use tls::TlsFiles;
