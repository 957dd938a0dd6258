//! Whole runs on a real engine: the real binary, real runbooks, looked at through Docker's own
//! client.
//!
//! Each test has a project of its own and first removes what an earlier run left of it. The engine
//! is the one that `DOCKER_HOST` or the default socket leads to.

mod adopt;
mod bad_database;
mod browser;
mod clients;
mod compose;
mod descriptions;
mod docker;
mod drift;
mod exec_end;
mod failures;
mod forged;
mod full_disk;
mod hand_over;
mod handles;
mod images;
mod interrupted;
mod killed;
mod lock;
mod logs;
mod migrations;
mod moved;
mod over_ssh;
mod over_tls;
mod plan;
mod progress;
mod project;
mod readiness;
mod rebooted;
mod reference;
mod registry;
mod relay;
mod remote;
mod repl;
mod replacing;
mod runbooks;
mod saved_options;
mod second_engine;
mod secrets;
mod site;
mod spc;
mod sshd;
mod stack;
mod stale;
mod step_events;
mod tls_engine;
mod until;
mod watch;
mod webdriver;

use parking_lot::{Mutex, MutexGuard};

/// Held by tests that keep the machine busy or measure it: one at a time.
fn heavy() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock()
}
