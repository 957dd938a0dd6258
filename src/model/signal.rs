//! Names and numbers of signals, as the engine takes them for a container.

/// The names that Docker knows on Linux, without `SIG`; beside them the real-time signals.
const NAMES: [&str; 34] = [
    "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT", "KILL", "PIPE", "POLL", "PROF", "PWR", "QUIT",
    "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ",
];

/// The highest number of a signal on Linux.
const LAST: u32 = 64;

/// Whether `text` is a signal: a name with or without `SIG`, in either case, or a number.
pub fn is_signal(text: &str) -> bool {
    if let Ok(number) = text.parse::<u32>() {
        return (1..=LAST).contains(&number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let real_time = |first: &str, sign: char, most: u32| {
        name.strip_prefix(first).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix(sign).is_some_and(|by| by.parse::<u32>().is_ok_and(|by| (1..=most).contains(&by)))
        })
    };
    NAMES.contains(&name) || real_time("RTMIN", '+', 15) || real_time("RTMAX", '-', 14)
}

/// The next step where a text is no signal.
pub fn hint(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    let near = super::suggest::nearest(upper.strip_prefix("SIG").unwrap_or(&upper), NAMES);
    near.map_or_else(|| "write a name like \"SIGTERM\", or a number from 1 to 64".to_owned(), |name| format!("did you mean \"SIG{name}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_those_that_docker_takes() {
        for signal in [
            "SIGTERM",
            "TERM",
            "term",
            "SigInt",
            "9",
            "15",
            "64",
            "+15",
            "015",
            "SIGRTMIN",
            "RTMIN+15",
            "SIGRTMAX-14",
            "RTMAX",
            "SIGCLD",
            "IOT",
        ] {
            assert!(is_signal(signal), "{signal}");
        }
        for other in [
            "",
            "SIGFOO",
            "FOO",
            "0",
            "65",
            "-1",
            "SIGRTMIN+16",
            "RTMIN+0",
            "RTMAX-15",
            "SIGUNUSED",
            "SIGINFO",
            "SIGSIGTERM",
            " TERM",
            "SIG",
        ] {
            assert!(!is_signal(other), "{other}");
        }
        assert_eq!(hint("SIGTREM"), "did you mean \"SIGTERM\"?");
        assert_eq!(hint("GRACEFULLY"), "write a name like \"SIGTERM\", or a number from 1 to 64");
    }
}
