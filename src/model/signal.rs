//! Names and numbers of signals that the engine accepts for a container.

/// The names that Docker knows on Linux, without `SIG`, with their numbers; real-time signals are
/// separate. If two names have one number, the usual one comes first.
const SIGNALS: [(&str, u32); 34] = [
    ("ABRT", 6),
    ("ALRM", 14),
    ("BUS", 7),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("FPE", 8),
    ("HUP", 1),
    ("ILL", 4),
    ("INT", 2),
    ("IO", 29),
    ("IOT", 6),
    ("KILL", 9),
    ("PIPE", 13),
    ("POLL", 29),
    ("PROF", 27),
    ("PWR", 30),
    ("QUIT", 3),
    ("SEGV", 11),
    ("STKFLT", 16),
    ("STOP", 19),
    ("SYS", 31),
    ("TERM", 15),
    ("TRAP", 5),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("USR1", 10),
    ("USR2", 12),
    ("VTALRM", 26),
    ("WINCH", 28),
    ("XCPU", 24),
    ("XFSZ", 25),
];

/// The first real-time signal in Docker's numbers. The last one is the highest number of a signal
/// on Linux.
const FIRST_REAL_TIME: u32 = 34;
const LAST: u32 = 64;

/// Whether `text` is a signal: a name with or without `SIG`, in either case, or a number.
pub fn is_signal(text: &str) -> bool {
    number(text).is_some()
}

/// The signal's name with `SIG`, in capitals, for any name or number. Other texts stay as they are.
pub fn canonical(text: &str) -> String {
    let Some(number) = number(text) else { return text.to_owned() };
    match (SIGNALS.iter().find(|(_, of)| *of == number), number) {
        (Some((name, _)), _) => format!("SIG{name}"),
        (None, FIRST_REAL_TIME) => "SIGRTMIN".to_owned(),
        (None, LAST) => "SIGRTMAX".to_owned(),
        (None, FIRST_REAL_TIME..50) => format!("SIGRTMIN+{}", number - FIRST_REAL_TIME),
        (None, 50..LAST) => format!("SIGRTMAX-{}", LAST - number),
        (None, _) => number.to_string(),
    }
}

fn number(text: &str) -> Option<u32> {
    if let Ok(number) = text.parse::<u32>() {
        return (1..=LAST).contains(&number).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let steps = |first: &str, sign: char, most: u32| {
        let rest = name.strip_prefix(first)?;
        if rest.is_empty() {
            return Some(0);
        }
        rest.strip_prefix(sign)?.parse::<u32>().ok().filter(|by| (1..=most).contains(by))
    };
    let named = SIGNALS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    named
        .or_else(|| Some(FIRST_REAL_TIME + steps("RTMIN", '+', 15)?))
        .or_else(|| Some(LAST - steps("RTMAX", '-', 14)?))
}

/// The next step for a text that is not a signal.
pub fn hint(text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    let near = super::suggest::nearest(
        upper.strip_prefix("SIG").unwrap_or(&upper),
        SIGNALS.map(|(name, _)| name),
    );
    near.map_or_else(
        || "write a name like \"SIGTERM\", or a number from 1 to 64".to_owned(),
        |name| format!("did you mean \"SIG{name}\"?"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_signal_has_one_canonical_form() {
        for (spellings, canonical) in [
            (&["15", "TERM", "sigterm", "SIGTERM", "+15", "015"][..], "SIGTERM"),
            (&["6", "IOT", "SIGABRT"], "SIGABRT"),
            (&["34", "RTMIN", "sigrtmin"], "SIGRTMIN"),
            (&["37", "rtmin+3"], "SIGRTMIN+3"),
            (&["50", "RTMAX-14"], "SIGRTMAX-14"),
            (&["64", "RTMAX"], "SIGRTMAX"),
            (&["33"], "33"),
        ] {
            for spelling in spellings {
                assert_eq!(super::canonical(spelling), canonical, "{spelling}");
            }
        }
    }

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
