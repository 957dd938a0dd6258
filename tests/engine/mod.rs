//! End-to-end tests on a real engine. They run the real binary with real runbooks and check the
//! result with the `docker` command.
//!
//! Each test has its own project and first removes objects that an earlier run left behind. The
//! engine is the one at `DOCKER_HOST` or at the default socket.

mod adopt;
mod bad_database;
mod browser;
mod clients;
mod compose;
mod descriptions;
pub mod docker;
mod drift;
mod examples;
mod exec_end;
mod failures;
mod forged;
mod full_disk;
mod hand_over;
mod handles;
pub mod images;
mod interrupted;
mod killed;
mod lock;
mod logs;
mod migrations;
mod moved;
mod over_ssh;
mod over_tls;
mod page_assets;
mod plan;
mod progress;
pub mod project;
mod readiness;
mod rebooted;
mod reference;
mod registry;
mod relay;
mod releases;
mod remote;
mod repl;
mod replacing;
mod runbooks;
mod saved_options;
mod second_engine;
mod secrets;
mod site;
pub mod spc;
mod sshd;
mod stack;
mod stale;
mod step_events;
mod tls_engine;
pub mod until;
mod update_config;
mod watch;
mod webdriver;

use parking_lot::{Mutex, MutexGuard};

/// A lock for tests that need much of the machine or measure times. They run one at a time.
pub fn heavy() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock()
}
