//! The user who runs spc, the folder, and the variables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::error;
use crate::host::Result;

pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(super) fn all() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

pub(super) fn current_folder() -> Result<PathBuf> {
    std::env::current_dir()
        .map_err(|error| error::failed("find the current folder", Path::new("."), &error))
}

pub(super) fn identity() -> String {
    let id = rustix::process::geteuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = user_name(&users, id).or_else(|| variable("USER")).or_else(|| variable("LOGNAME"));
    let uname = rustix::system::uname();
    format!("{}@{}", user.unwrap_or_else(|| id.to_string()), uname.nodename().to_string_lossy())
}

/// Whether this process was started with the hang-up signal ignored, as by `nohup`. False if the
/// system doesn't show it (Linux does).
pub fn ignores_hang_up() -> bool {
    std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| ignores(&status, rustix::process::Signal::HUP.as_raw()))
}

/// `SigIgn:\t0000000000001000` among the lines of a process's status: one bit for each signal from
/// 1 on.
fn ignores(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask >> (signal - 1) & 1 == 1
}

/// How long a measurement of the process's memory is valid. A script can fill some ten MB in this
/// time.
const LATELY_MILLIS: u64 = 5;

/// Bytes of memory that this process holds.
pub(crate) fn memory() -> Option<u64> {
    held(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// The same, at most a few milliseconds old, for frequent calls.
pub(crate) fn memory_lately() -> Option<u64> {
    static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
    /// Milliseconds after the start at which the memory is measured again.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static HELD: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(STARTED.elapsed().as_millis()).unwrap_or(u64::MAX);
    if now >= NEXT.load(Ordering::Relaxed) {
        NEXT.store(now.saturating_add(LATELY_MILLIS), Ordering::Relaxed);
        HELD.store(memory()?, Ordering::Relaxed);
    }
    Some(HELD.load(Ordering::Relaxed))
}

/// `VmRSS:     1234 kB` among the lines of a process's status, plus its swapped memory.
fn held(status: &str) -> Option<u64> {
    let kilobytes = |name: &str| -> Option<u64> {
        let text = status.lines().find_map(|line| line.strip_prefix(name))?;
        text.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some((kilobytes("VmRSS:")? + kilobytes("VmSwap:").unwrap_or(0)) << 10)
}

/// The name of a user id in `/etc/passwd`.
fn user_name(users: &str, id: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_known_by_the_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n+\njosé:x:1000:1000::/home/josé:/bin/sh\n";
        assert_eq!(user_name(users, 1000).as_deref(), Some("josé"));
        assert_eq!(user_name(users, 7), None);
    }

    #[test]
    fn the_identity_contains_a_user_and_a_machine() {
        let identity = identity();
        let (user, machine) = identity.split_once('@').unwrap();
        assert!(!user.is_empty() && !machine.is_empty(), "{identity}");
    }

    #[test]
    fn the_environment_holds_what_a_single_look_up_finds() {
        assert_eq!(all().get("PATH").cloned(), variable("PATH"));
        assert_eq!(variable("SPC_NO_SUCH_VARIABLE"), None);
    }

    #[test]
    fn an_ignored_signal_is_read_from_a_processs_status() {
        let status = "Name:\tspc\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0000000180004002\n";
        assert!(ignores(status, 1) && ignores(status, 13));
        assert!(!ignores(status, 2) && !ignores("Name:\tspc\n", 1));
        assert!(!ignores_hang_up(), "unless the tests run under nohup");
    }

    #[test]
    fn memory_usage_is_read_from_proc_status() {
        assert_eq!(held("Name:\tspc\nVmRSS:\t    1234 kB\nThreads:\t3\n"), Some(1234 << 10));
        assert_eq!(held("VmRSS:\t    1234 kB\nVmSwap:\t   10 kB\n"), Some(1244 << 10));
        assert_eq!(held("Name:\tspc\n"), None);
        assert!(memory().unwrap() > 1 << 20);
    }
}
