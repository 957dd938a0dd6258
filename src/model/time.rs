//! Compose's durations: `"1m30s"`, `"500ms"`.

use std::time::Duration;

/// The longest duration that the engine supports: the number of nanoseconds has to fit into a
/// signed 64-bit integer.
pub const LONGEST: Duration = Duration::from_nanos(i64::MAX as u64);

/// The message for a longer duration.
pub const TOO_LONG: &str = "a duration is at most 2562047h";

/// Parses a duration in Compose's form: numbers with `us ms s m h`, or a bare `0`. None is longer
/// than [`LONGEST`].
///
/// The error is a sentence that names the value.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a duration; write it like \"1m30s\" or \"500ms\"");
    let trimmed = text.trim();
    if trimmed == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = trimmed;
    let mut seconds = 0.0_f64;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let unit_end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        seconds += number
            * match &rest[..unit_end] {
                "us" | "µs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
        rest = &rest[unit_end..];
    }
    // Round to whole microseconds: "0.1s" is 100 ms, not a binary fraction of it.
    let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= LONGEST);
    let time = time.ok_or_else(|| format!("\"{text}\" is too long: {TOO_LONG}"))?;
    // Whole microseconds: "0.1s" is 100 ms, not a binary fraction of it.
    Ok(Duration::from_micros(
        u64::try_from((time + Duration::from_nanos(500)).as_micros()).unwrap_or(u64::MAX),
    ))
}

/// Writes a duration so that [`parse_duration`] reads it back: `1m30s`, `1.5s`, `250ms`.
pub fn format_duration(time: Duration) -> String {
    let micros = time.as_micros();
    if micros == 0 {
        return "0s".to_owned();
    }
    if micros < 1000 {
        return format!("{micros}us");
    }
    if micros < 1_000_000 {
        return if micros.is_multiple_of(1000) {
            format!("{}ms", micros / 1000)
        } else {
            format!("{micros}us")
        };
    }
    let (hours, rest) = (micros / 3_600_000_000, micros % 3_600_000_000);
    let (minutes, rest) = (rest / 60_000_000, rest % 60_000_000);
    let mut text = String::new();
    if hours > 0 {
        text.push_str(&format!("{hours}h"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}m"));
    }
    if rest > 0 {
        let fraction = format!("{:06}", rest % 1_000_000);
        let fraction = fraction.trim_end_matches('0');
        text.push_str(&(rest / 1_000_000).to_string());
        if !fraction.is_empty() {
            text.push('.');
            text.push_str(fraction);
        }
        text.push('s');
    }
    text
}

/// Without the part below a millisecond, which is noise in simulated times.
pub fn in_milliseconds(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// A measured time without the part that is noise: whole milliseconds, unless it is shorter.
pub fn measured(time: Duration) -> Duration {
    if time < Duration::from_millis(1) { time } else { in_milliseconds(time) }
}

/// A duration for people, in all messages and columns: `12 ms`, `3.4 s`, `30 s`, `2 m 05 s`, `1 h`.
pub fn readable(time: Duration) -> String {
    // Not `60 s`, which the next value would not be either.
    let millis = match time.as_millis() {
        59_950..60_000 => 60_000,
        millis => millis,
    };
    let two = |first: u128, unit: &str, second: u128, smaller: &str| match second {
        0 => format!("{first} {unit}"),
        _ => format!("{first} {unit} {second:02} {smaller}"),
    };
    if millis < 1000 {
        format!("{millis} ms")
    } else if millis < 60_000 {
        let tenths = (millis + 50) / 100;
        match tenths % 10 {
            0 => format!("{} s", tenths / 10),
            tenth => format!("{}.{tenth} s", tenths / 10),
        }
    } else if millis < 3_600_000 {
        two(millis / 60_000, "m", millis % 60_000 / 1000, "s")
    } else {
        two(millis / 3_600_000, "h", millis % 3_600_000 / 60_000, "m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn compose_durations_are_read() {
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("0.1s"), Ok(Duration::from_millis(100)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1h5m30s20ms"), Ok(Duration::from_millis(3_930_020)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn an_invalid_duration_is_reported() {
        for wrong in ["", "10", "s", "1x", "-1s", "1.2.3s", "ten seconds"] {
            assert!(
                parse_duration(wrong).unwrap_err().contains(&format!("\"{wrong}\"")),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_duration_that_is_too_long_is_refused_and_not_shortened() {
        assert_eq!(parse_duration("2562047h"), Ok(Duration::from_secs(2_562_047 * 3600)));
        for long in [
            "2562048h",
            "99999999999999h",
            "9999999999999999999999999h",
            "2562047h2562047h",
            &format!("{}s", "9".repeat(400)),
        ] {
            assert_eq!(
                parse_duration(long),
                Err(format!("\"{long}\" is too long: a duration is at most 2562047h"))
            );
        }
    }

    #[test]
    fn a_duration_for_people_has_at_most_two_units_and_no_zeros() {
        for (millis, shown) in [
            (0, "0 ms"),
            (656, "656 ms"),
            (1_000, "1 s"),
            (3_449, "3.4 s"),
            (29_960, "30 s"),
            (120_000, "2 m"),
            (125_000, "2 m 05 s"),
            (59_949, "59.9 s"),
            (59_950, "1 m"),
            (3_599_999, "59 m 59 s"),
            (3_600_000, "1 h"),
            (93_780_000, "26 h 03 m"),
        ] {
            assert_eq!(readable(Duration::from_millis(millis)), shown);
        }
    }

    #[test]
    fn a_measured_time_has_no_microseconds_unless_it_is_shorter_than_one_millisecond() {
        assert_eq!(format_duration(measured(Duration::from_micros(656_473))), "656ms");
        assert_eq!(format_duration(measured(Duration::from_micros(473))), "473us");
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(micros in 0_u64..10_000_000_000) {
            let time = Duration::from_micros(micros);
            prop_assert_eq!(parse_duration(&format_duration(time)), Ok(time));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = parse_duration(&text);
        }
    }
}
