//! Finds this process and others of this machine in `/proc`. Without `/proc` (macOS), or if it
//! belongs to another namespace than this process, nothing is known.

use std::fs;
use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, getpid, test_kill_process};

use crate::host::{Liveness, ProcessMark};

/// The mark of this process.
pub(super) fn own() -> Option<ProcessMark> {
    let own = getpid();
    // A `/proc` of another process namespace has other numbers, which may be equal by chance.
    let is_of_this_namespace = |status: &str| {
        status.lines().find_map(|line| line.strip_prefix("NSpid:")).is_none_or(is_one_number)
    };
    if fs::read_link("/proc/self").ok()? != Path::new(&own.to_string())
        || !is_of_this_namespace(&fs::read_to_string("/proc/self/status").ok()?)
    {
        return None;
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
    let namespace = |name: &str| {
        Some(fs::read_link(format!("/proc/self/ns/{name}")).ok()?.to_string_lossy().into_owned())
    };
    // Kernels before 5.6 have no time namespaces.
    let namespaces = format!("{} {}", namespace("pid")?, namespace("time").unwrap_or_default());
    let (_, started) = state_and_start(&fs::read_to_string("/proc/self/stat").ok()?)?;
    let pid = own.as_raw_nonzero().get().try_into().ok()?;
    (!boot.is_empty()).then_some(ProcessMark { boot, namespaces, pid, started })
}

/// Whether the process with this mark is running.
pub(super) fn liveness(mark: &ProcessMark) -> Liveness {
    let Some(own) = own() else { return Liveness::Unknown };
    let pid = i32::try_from(mark.pid).ok().and_then(Pid::from_raw);
    let (true, Some(pid)) = (own.boot == mark.boot && own.namespaces == mark.namespaces, pid)
    else {
        return Liveness::Unknown;
    };
    // Check this first: `/proc` may hide processes of other users (`hidepid`), which would then
    // look gone.
    if test_kill_process(pid) == Err(Errno::SRCH) {
        return Liveness::Gone;
    }
    let stat = fs::read_to_string(format!("/proc/{}/stat", mark.pid)).ok();
    match stat.as_deref().and_then(state_and_start) {
        None => Liveness::Unknown,
        // Another process has its number, or it is a zombie.
        Some((state, started)) if started != mark.started || matches!(state, 'Z' | 'X' | 'x') => {
            Liveness::Gone
        }
        Some(_) => Liveness::Alive,
    }
}

/// Whether `NSpid` contains only one number. It has one for each namespace, from that of `/proc`
/// down to the process's own. Before Linux 4.1 it doesn't exist.
fn is_one_number(numbers: &str) -> bool {
    numbers.split_whitespace().count() == 1
}

/// The third and the 22nd field of `/proc/<pid>/stat`. The second one, the program's name in
/// brackets, may contain anything.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn this_process_is_alive_and_its_mark_stays_the_same() {
        let mark = own().unwrap();
        assert_eq!(Some(&mark), own().as_ref());
        assert_eq!((mark.pid, liveness(&mark)), (std::process::id(), Liveness::Alive));
    }

    #[test]
    fn a_process_that_ended_is_gone_whether_or_not_its_end_was_asked_for() {
        let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        let mark = ProcessMark {
            pid: child.id(),
            started: state_and_start(&stat).unwrap().1,
            ..own().unwrap()
        };
        assert_eq!(liveness(&mark), Liveness::Alive);
        child.kill().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while liveness(&mark) != Liveness::Gone {
            assert!(std::time::Instant::now() < deadline, "a zombie is dead");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert_eq!(liveness(&mark), Liveness::Gone);
    }

    #[test]
    fn a_later_process_with_the_number_is_another_one() {
        let own = own().unwrap();
        assert_eq!(liveness(&ProcessMark { started: own.started + 1, ..own }), Liveness::Gone);
    }

    #[test]
    fn processes_of_another_boot_or_namespace_are_unknown() {
        let own = own().unwrap();
        let dead = ProcessMark { started: 1, ..own.clone() };
        assert_eq!(liveness(&dead), Liveness::Gone);
        for mark in [
            ProcessMark { boot: "0b1c2d3e-0000-4000-8000-000000000000".to_owned(), ..dead.clone() },
            ProcessMark { boot: String::new(), ..dead.clone() },
            ProcessMark {
                namespaces: own.namespaces.replacen("pid:[", "pid:[1", 1),
                ..dead.clone()
            },
            ProcessMark { namespaces: format!("{}0", own.namespaces), ..dead.clone() },
            ProcessMark { pid: 0, ..dead.clone() },
            ProcessMark { pid: u32::MAX, ..dead },
        ] {
            assert_eq!(liveness(&mark), Liveness::Unknown, "{mark:?}");
        }
    }

    #[test]
    fn a_proc_of_an_outer_namespace_shows_a_second_number() {
        assert!(is_one_number("\t812") && !is_one_number("\t812\t812") && !is_one_number(""));
    }

    #[test]
    fn a_programs_name_is_no_field() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20 21";
        assert_eq!(state_and_start(&format!("812 (spc) {rest}")), Some(('S', 4711)));
        assert_eq!(state_and_start(&format!("812 (a) Z 1 (b) {rest}")), Some(('S', 4711)));
        assert_eq!(state_and_start("812 (spc"), None);
    }
}
