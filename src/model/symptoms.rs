//! Recognizes causes of failures in the words of containers: known lines of logs and probes, and a
//! next step for each.

use regex_lite::Regex;

/// A known line, and the next step; `$1` and so on are replaced by parts of the line.
const KNOWN: &[(&str, &str)] = &[
    (
        r#"password authentication failed for user "([^"]+)""#,
        "the database has another password for \"$1\": it keeps the one that its volume was first made with. Give that one again, or \
         change it there (ALTER USER \"$1\" PASSWORD …), or remove the volume with its data",
    ),
    (
        r"initialized by PostgreSQL version ([0-9.]+), which is not compatible with this version ([0-9]+)",
        "the volume was made by PostgreSQL $1, and this image is PostgreSQL $2: use an image of PostgreSQL $1, or dump the data with it \
         and restore it into a new volume",
    ),
    (
        r#"(?:UndefinedTable|ProgrammingError|ERROR)[^\n]*relation "([^"]+)" does not exist"#,
        "the database has no table \"$1\": a migration was not applied. Run the db_init runbook, or `python manage.py migrate`",
    ),
    (r"No space left on device", "the disk is full: `docker system df` shows what uses it"),
    (r"exec format error", "the image is for another kind of processor than this machine's"),
];

/// The next step for the first known line in `text`.
pub fn advice(text: &str) -> Option<String> {
    KNOWN.iter().find_map(|(line, advice)| {
        let found = Regex::new(line).ok()?.captures(text)?;
        let mut said = String::new();
        found.expand(advice, &mut said);
        Some(said)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_line_is_a_pattern() {
        for (line, _) in KNOWN {
            assert!(Regex::new(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_known_line_anywhere_in_a_log_gives_its_fix() {
        for (log, advised) in [
            (
                "Health: database does not answer: connection failed: FATAL:  password authentication failed for user \"postgres\"\n",
                "the database has another password for \"postgres\": it keeps",
            ),
            (
                "FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by PostgreSQL version 14, which is not compatible with this version 15.18 (Debian 15.18-0+deb12u1).\n",
                "the volume was made by PostgreSQL 14, and this image is PostgreSQL 15: use",
            ),
            (
                "django.db.utils.ProgrammingError: relation \"measurements_chart\" does not exist\nLINE 1: SELECT",
                "the database has no table \"measurements_chart\": a migration",
            ),
            (
                "ERROR:  relation \"a\" does not exist at character 15",
                "the database has no table \"a\": a migration",
            ),
            ("OSError: [Errno 28] No space left on device", "the disk is full"),
            ("exec /usr/bin/python3: exec format error", "the image is for another kind"),
        ] {
            let said = advice(log).unwrap();
            assert!(said.starts_with(advised), "{said}");
        }
    }

    #[test]
    fn logs_without_known_symptoms_give_no_advice() {
        assert_eq!(
            advice("Listening at: http://0.0.0.0:8000\nthe relation of things does not exist"),
            None
        );
        assert_eq!(advice(""), None);
    }
}
